"""Mixup: train on blends of two images, with the same blend of their labels.

    Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond empirical risk minimization. ICLR 2018, arXiv:1710.09412.

    λ_i ~ Beta(α, α),  partner j(i) a random permutation of the batch
    x̃_i = λ_i x_i + (1 - λ_i) x_j        ỹ_i = λ_i y_i + (1 - λ_i) y_j
    L(θ) = 1/B Σ_i CE(f_θ(x̃_i), ỹ_i)

A blend can't be learned by heart label by label, which slows memorization. The larger α, the more even the blends.

λ is drawn for each example, as the formula says and as MentorMix does; the authors' program (facebookresearch/
mixup-cifar10) draws one for each batch. Their α for clean labels is 1; against wrong labels larger ones are usual.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult


class Mixup:
    learns_from = "noisy"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, alpha: float = 1.0):
        """alpha: of the Beta distribution, above 0. Raises a ValueError for any other value."""
        self.alpha = check_number("alpha", alpha, 0, above=True)

    def step(self, run: Run, batch: Batch) -> StepResult:
        size = len(batch.labels)
        partner = torch.randperm(size, generator=run.generator).to(batch.labels.device)
        lam = draw_beta(self.alpha, size, run.generator).to(batch.images)
        images = mix(batch.images, partner, lam)
        loss = soft_cross_entropy(run.logits(images), batch.labels, batch.labels[partner], lam).mean()
        run.descend(loss)
        return StepResult(loss)


def draw_beta(alpha: float, size: int, generator: torch.Generator) -> Tensor:
    """(size,) float64 draws of Beta(alpha, alpha), on the CPU."""
    # torch.distributions.Beta takes no generator; the gamma draws that it is made of do.
    gamma = torch._standard_gamma(torch.full((2, size), alpha, dtype=torch.float64), generator=generator)
    return gamma[0] / gamma.sum(0)


def mix(images: Tensor, partner: Tensor, lam: Tensor) -> Tensor:
    """Images (B, C, H, W), each blended with that at `partner` (B,); the own image has the share `lam` (B,)."""
    return images.index_select(0, partner).lerp_(images, lam.view(-1, 1, 1, 1))


def soft_cross_entropy(logits: Tensor, labels: Tensor, partner_labels: Tensor, lam: Tensor) -> Tensor:
    """(B,) cross-entropy against the blended labels: linear in the label, so the blend of two cross-entropies."""
    log_p = logits.log_softmax(1)
    own, other = (F.nll_loss(log_p, y, reduction="none") for y in (labels, partner_labels))
    return other.lerp(own, lam)
