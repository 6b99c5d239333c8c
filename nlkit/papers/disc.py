"""DISC: each example has a threshold of its own, which its given label has to pass in two views of the image.

    Li, Han, Shan, Chen: DISC: Learning from noisy labels via dynamic instance-specific selection and correction. CVPR
    2023, pages 24070-24079.

    p, p': what the network said of a weak and of a strong view of x_i in this epoch;  τ, τ' in [0, 1], 1/N at first
    clean C: p_ỹ > τ and p'_ỹ > τ'     hard H: one of the two     purified P: neither, and max_k (p + p')/2 > τ_p,
    τ_p = min((τ + τ')/2 + σ, 0.99), and then its label is the k of that maximum;     at the end of the epoch
    τ ← μ τ + (1 - μ) max_k p,    τ' likewise from p'
    L(θ) = 1/B [ Σ_C ℓ_CE + λ_H Σ_H ℓ_q ] + 1/|M| Σ_M ℓ_mix,     each the sum of what it is for the two views

M = C ∪ H ∪ P. ℓ_q is the generalized cross-entropy with q = 0.7, ℓ_mix that of blended pairs of M, λ ~ Beta(5, 5), at
least ½ of the own one. As the network grows surer of everything the thresholds rise, but by what it has said of
this image, so that hard images are not measured by easy ones. At first, for 20 epochs of 200, all labels are learned.

For CIFAR-10 the authors' program (JackYFL/DISC) has σ = 0.5; μ = 0.99 and λ_H = 1, at 60 and 80 % noise 0.95 and 0.2,
with asymmetric noise μ = 0.95. Their μ is for each of 200 epochs. Here it is for each two-hundredth of the training, or
thresholds would not leave 0 in 25 epochs; and it is 0.95 whatever the noise, for with 0.99 half of what is kept of the
5,000 digits at 80 % noise is wrong. The program selects before it moves the thresholds, and so here. Its strong view is
RandAugment; here it is that of views.py, on top of the run's own augmentation. λ is drawn for each example, there for
each batch. Where nothing of a batch is in M, the network stays as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.restart import begins_epoch
from nlkit.learning.views import strong
from nlkit.papers.gce import generalized_losses
from nlkit.papers.mixup import draw_beta, mix, soft_cross_entropy

EPOCHS = 200  # of the authors' training
Q, ALPHA, LARGEST = 0.7, 5.0, 0.99


class DISC:
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True

    def __init__(self, momentum: float = 0.95, hard: float = 1.0, correction: float = 0.5, burn_in: float = 0.1):
        """momentum: μ, in [0, 1]. hard: λ_H, 0 or more. correction: σ, in [0, 1]. burn_in: in [0, 0.9], with a floor.

        Raises a ValueError for any other value.
        """
        self.momentum = check_number("momentum", momentum, 0, 1)
        self.hard = check_number("hard", hard, 0)
        self.correction = check_number("correction", correction, 0, 1)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9)
        self.state: dict[str, Any] = {}

    def step(self, run: Run, batch: Batch) -> StepResult:
        views = [batch.images, strong(batch.images, run.generator)]
        if not self.state:
            said = torch.zeros(2, len(run.given_labels), run.num_classes).to(batch.images)
            self.state.update(said=said, threshold=torch.full_like(said[:, :, 0], 1 / len(run.given_labels)), at=0.0)
        elif begins_epoch(run):
            self._select(run)
        if "sort" not in self.state or burnt_in(run, self.burn_in) < 1:
            weights = torch.full((len(batch.labels),), 1 / len(batch.labels)).to(batch.images)
            logits = run.logits(torch.cat(views)).chunk(2)
            loss = torch.stack([F.cross_entropy(z, batch.labels) for z in logits]).sum()
        else:
            sort = self.state["sort"][batch.index]
            weights = (sort > 0).to(batch.images) / (sort > 0).sum().clamp(min=1)
            logits, loss = self._loss(run, batch, views, sort)
        if weights.any():
            run.descend(loss)
        for said, z in zip(self.state["said"], logits):
            said[batch.index] = z.detach().softmax(1)
        return StepResult(loss.detach(), weights)

    def _loss(self, run: Run, batch: Batch, views: list[Tensor], sort: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """What is said of the two views, (B, K) each, and L; sort: (B,) as `sorts` gives it."""
        labels, used = self.state["label"][batch.index], (sort > 0).nonzero()[:, 0]
        blended, mixed = [], []
        for view in views:
            partner = torch.randperm(len(used), generator=run.generator).to(used.device)
            lam = draw_beta(ALPHA, len(used), run.generator)
            lam = torch.maximum(lam, 1 - lam).to(view)
            blended.append(mix(view[used], partner, lam))
            mixed.append((labels[used], labels[used][partner], lam))
        logits = run.logits(torch.cat([*views, *blended])).split([len(labels)] * 2 + [len(used)] * 2)
        loss = logits[0].new_zeros(())
        for z, z_mixed, (own, other, lam) in zip(logits[:2], logits[2:], mixed):
            easy = F.cross_entropy(z, batch.labels, reduction="none")
            loss = loss + ((sort == 3) * easy).mean()
            loss = loss + self.hard * ((sort == 2) * generalized_losses(z, batch.labels, Q)).mean()
            if len(used):
                loss = loss + soft_cross_entropy(z_mixed, own, other, lam).mean()
        return logits[:2], loss

    def _select(self, run: Run) -> None:
        """Of which sort each example is from now on, its label, and its thresholds."""
        said, threshold = self.state["said"], self.state["threshold"]
        self.state["sort"], self.state["label"] = sorts(said, threshold, run.given_labels, self.correction)
        kept = self.momentum ** (EPOCHS * (run.progress - self.state["at"]))
        self.state["threshold"] = kept * threshold + (1 - kept) * said.max(2).values
        self.state["at"] = run.progress


def sorts(said: Tensor, threshold: Tensor, labels: Tensor, correction: float) -> tuple[Tensor, Tensor]:
    """The sort of each example (N,): 3 clean, 2 hard, 1 purified, 0 none of them; and the label that it has then (N,).

    said: (2, N, K) probabilities of the two views. threshold: (2, N). labels: (N,) as given. correction: σ.
    """
    passed = (said[:, torch.arange(len(labels)), labels] > threshold).sum(0)  # in how many views
    surest, best = said.mean(0).max(1)
    purified = (passed == 0) & (surest > (threshold.mean(0) + correction).clamp(max=LARGEST))
    return torch.where(passed > 0, passed + 1, purified.long()), torch.where(purified, best, labels)
