"""DivideMix: split the examples by their losses, and learn from those with large ones as if they had no label.

    Li, Socher, Hoi: DivideMix: Learning with noisy labels as semi-supervised learning. ICLR 2020, arXiv:2002.07394,
    algorithm 1. Two networks θ and θ', each of which splits for the other.

    w_i = P(the component of smaller mean | ℓ_i), for two normals fitted to the losses ℓ of all noisy examples under θ'
    w_i > ½:  y_i = sharp( w_i ỹ_i + (1 - w_i) p(x_i; θ) )       its label, refined by the network that learns
    else:     y_i = sharp( ½ p(x_i; θ) + ½ p(x_i; θ') )          what both guess; the given label is forgotten
    sharp(y)_k = y_k^(1/T) / Σ_j y_j^(1/T)
    x̃_i, ỹ_i blended with those of another example by λ_i ~ Beta(α, α), at least ½ of its own
    L(θ) = 1/|X| Σ_{i ∈ X} CE(p(x̃_i), ỹ_i) + λ_u/|U| Σ_{i ∈ U} mean_k (p_k(x̃_i) - ỹ_ik)² + Σ_k 1/K log( (1/K) / p̄_k )

X are the batch's labelled examples, U the others, p̄ the mean of p over the batch. T = 0.5 and α = 4 are the authors';
λ_u is 25 at 50 % and at 80 % noise of theirs on CIFAR-10, 0 at 20 %, and grows from 0 over 16 epochs after the burn-in,
which is 10 epochs of 300; here over as many parts of the training.

Where the authors' program differs: it draws labelled and unlabelled batches of one size, here a batch is split as it
falls, so that their numbers follow the split. It guesses from two augmentations, here from one. One network rests while
the other learns for an epoch; here both take every step. Where noise is not symmetric it subtracts the entropy from the
loss of the burn-in. Both networks answer together.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import evaluate
from nlkit.learning.peer import TwoTogether
from nlkit.learning.restart import begins_epoch
from nlkit.papers.mixup import draw_beta, mix

TEMPERATURE = 0.5
GROWS_FOR = 16 / 300  # of the training


class DivideMix(TwoTogether):
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True

    def __init__(self, unlabelled: float = 25.0, alpha: float = 4.0, burn_in: float = 0.1):
        """unlabelled: λ_u, 0 or more. alpha: α, above 0. burn_in: in [0, 0.9], with a floor. Else a ValueError."""
        self.unlabelled = check_number("unlabelled", unlabelled, 0)
        self.alpha = check_number("alpha", alpha, 0, above=True)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9)
        super().__init__()

    def step(self, run: Run, batch: Batch) -> StepResult:
        self.peer.begin(run)
        networks = run.model, self.peer.network
        if burnt_in(run, self.burn_in) < 1:
            return self.learn_as_given(run, batch)
        if "clean" not in self.state or begins_epoch(run):
            self.state["clean"] = torch.stack([self._split(run, network) for network in reversed(networks)])
        size = len(batch.labels)
        said = [_said(network, batch.images) for network in networks]
        partner = torch.randperm(size, generator=run.generator).to(batch.labels.device)
        lam = draw_beta(self.alpha, size, run.generator).to(batch.images)
        lam = torch.maximum(lam, 1 - lam)
        clean = self.state["clean"][:, batch.index]  # (2, B)
        given = F.one_hot(batch.labels, run.num_classes).to(said[0])
        targets = [refined(w, given, own, torch.stack(said).mean(0)) for w, own in zip(clean, said)]
        weight = self.unlabelled * self._grown(run)
        logits = self.peer.both(run, mix(batch.images, partner, lam))
        losses = [
            semi_supervised_loss(z, t[partner].lerp(t, lam[:, None]), w > 0.5, weight)
            for z, t, w in zip(logits, targets, clean)
        ]
        self.peer.descend_together(run, torch.stack(losses).sum())
        kept = (clean[0] > 0.5).to(given)
        return StepResult(losses[0].detach(), kept / kept.sum().clamp(min=1))

    def _split(self, run: Run, network: nn.Module) -> Tensor:
        """w (N,) of all noisy examples by the losses that a network has on them."""
        losses = F.cross_entropy(evaluate(network, run.noisy_images), run.given_labels, reduction="none")
        return small_losses(losses).to(losses)

    def _grown(self, run: Run) -> float:
        start = self.state.setdefault("start", run.progress)
        return min(1.0, max(0.0, (run.progress - start) / GROWS_FOR))


@torch.no_grad()
def _said(network: nn.Module, images: Tensor) -> Tensor:
    """p (B, K) in evaluation mode."""
    return evaluate(network, images).softmax(1)


def small_losses(losses: Tensor) -> Tensor:
    """How likely each of the losses (N,) is of the smaller component of two; 1 where all are equal."""
    from sklearn.mixture import GaussianMixture

    values = losses.detach().double().cpu().numpy()
    span = np.ptp(values)
    if not np.isfinite(span) or span == 0:
        return torch.ones(len(losses), device=losses.device)
    values = ((values - values.min()) / span)[:, None]
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=0).fit(values)
    smaller = mixture.means_[:, 0].argmin()
    return torch.from_numpy(mixture.predict_proba(values)[:, smaller]).to(losses.device)


def refined(clean: Tensor, given: Tensor, own: Tensor, both: Tensor) -> Tensor:
    """Targets (B, K) from w (B,), given labels (B, K) and what the network and both networks say (B, K)."""
    w = clean[:, None]
    sharp = torch.where(w > 0.5, w * given + (1 - w) * own, both) ** (1 / TEMPERATURE)
    return sharp / sharp.sum(1, keepdim=True)


def semi_supervised_loss(logits: Tensor, targets: Tensor, labelled: Tensor, weight: float) -> Tensor:
    """L of logits and targets (B, K), of which those `labelled` (B,) count by cross-entropy; weight: λ_u."""
    log_p = logits.log_softmax(1)
    p, classes = log_p.exp(), logits.shape[1]
    fits = -(targets * log_p).sum(1)[labelled].sum() / labelled.sum().clamp(min=1)
    apart = (p - targets).square().mean(1)[~labelled].sum() / (~labelled).sum().clamp(min=1)
    spread = -(p.mean(0).clamp(min=1e-8) * classes).log().mean()
    return fits + weight * apart + spread
