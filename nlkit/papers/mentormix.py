"""MentorMix: weight, sample, mix up, weigh again.

    Jiang, Huang, Liu, Yang: Beyond synthetic noise: deep learning on controlled noisy labels. ICML 2020,
    arXiv:1911.09781, algorithm 1.

One step on a batch, with a mentor that weighs by the loss (see mentornet.py; here the default, a threshold):

    1. weight      v_i = 1[ℓ_i(θ) < γ],  γ a moving average of the p-th percentile; all 1 during the burn-in
    2. sample      partner j(i) ~ softmax(v) over the batch, with replacement
    3. mix up      λ_i ~ Beta(α, α);  λ_i ← max(λ_i, 1 - λ_i) if v_i ≥ ½, else min(λ_i, 1 - λ_i)
                   x̃_i = λ_i x_i + (1 - λ_i) x_j,   ỹ_i likewise
    4. weigh again v'_i = 1[ℓ̃_i(θ) < γ'] with a moving average γ' of its own   (only with second_weighting)
    L(θ) = 1/B Σ_i v'_i ℓ̃_i

The published settings for symmetric noise of 20, 40, 60, 80 % on CIFAR-10: alpha 2, 8, 8, 4; percentile 0.8, 0.6, 0.6,
0.2; from 60 % on a second weighting, and no weight decay. Left out, the percentile is estimated (see mentornet.py).

With a hard threshold, and one for all classes, the second weighting lets the classes that the network knows best push
the others out of the training at high noise. Two things prevent it: `mentor="soft"`, and `by_class`, which keeps the
same share of every class (see mentornet.py for both).

Where the authors' release (google-research/mentormix) differs: its mentor is a network that was taught the curriculum
of `mentor="schedule"`, which gives all examples weight 1 for 18 % of the training, so that its own burn-in of 9 % has
no say; here the burn-in is 10 %. Its average starts at 0, and its percentile is the nearest loss and not interpolated.

An example that seems wrong is not thrown away: it becomes a little of itself and much of a partner that seems right.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_flag, check_number
from nlkit.learning.learner import Batch, Run, StepResult, in_passing, normalize_weights
from nlkit.papers.mentornet import Mentor
from nlkit.papers.mixup import draw_beta, mix, soft_cross_entropy


class MentorMix:
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True

    def __init__(
        self,
        percentile: float | None = None,
        alpha: float = 2.0,
        second_weighting: bool = False,
        burn_in: float = 0.1,
        by_class: bool = False,
        mentor: str = "threshold",
    ):
        """alpha: of the Beta distribution, above 0. The other options are MentorNet's."""
        self.alpha = check_number("alpha", alpha, 0, above=True)
        self.second_weighting = check_flag("second_weighting", second_weighting)
        self.mentor = Mentor(percentile, burn_in, by_class, mentor)
        self.state = self.mentor.state

    def step(self, run: Run, batch: Batch) -> StepResult:
        with torch.no_grad():  # and without a trace in batch norm's running statistics, as the authors' code has it
            logits = in_passing(run.model, batch.images)
            losses = F.cross_entropy(logits, batch.labels, reduction="none")
        self.mentor.watch(run, logits, batch.labels)
        v = self.mentor.weigh(run, losses, batch.labels)
        partner, lam = draw_mixture(v, self.alpha, run.generator)
        images = mix(batch.images, partner, lam)
        mixed = soft_cross_entropy(run.logits(images), batch.labels, batch.labels[partner], lam)
        if self.second_weighting:
            mostly = torch.where(lam >= 0.5, batch.labels, batch.labels[partner])  # the class that a blend is most of
            mixed = self.mentor.weigh(run, mixed, mostly, "second threshold") * mixed
        loss = mixed.mean()
        run.descend(loss)
        return StepResult(loss, normalize_weights(v))


def draw_mixture(v: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Steps 2 and 3 for a batch of weights v (B,): the partner (B,) of each example, and its own share λ (B,)."""
    partner = sample_partners(v, generator)
    return partner, favour_the_trusted(draw_beta(alpha, len(v), generator).to(v), v)


def sample_partners(v: Tensor, generator: torch.Generator) -> Tensor:
    """(B,) partners drawn from softmax(v) with replacement: weight 1 is e times as likely as weight 0."""
    reached = v.softmax(0).cumsum(0)
    draws = torch.rand(len(v), generator=generator).to(reached)
    return torch.searchsorted(reached / reached[-1], draws, right=True).clamp(max=len(v) - 1)


def favour_the_trusted(lam: Tensor, v: Tensor) -> Tensor:
    """λ (B,) turned so that an example of weight ½ or more keeps the larger share, and any other the smaller."""
    larger = torch.maximum(lam, 1 - lam)
    return torch.where(v >= 0.5, larger, 1 - larger)
