"""Generalized cross-entropy: a loss between cross-entropy, which learns fast, and the mean absolute error, which is
robust to symmetric noise.

    Zhang, Sabuncu: Generalized cross entropy loss for training deep neural networks with noisy labels. NeurIPS 2018,
    arXiv:1805.07836.

    ℓ_q(x, ỹ) = (1 - p_ỹ(x)^q) / q,   0 < q ≤ 1

Its gradient is that of cross-entropy times p_ỹ^q: an example that the network finds unlikely pulls less. q → 0 is
cross-entropy; q = 1 is half the mean absolute error. The paper takes q = 0.7.

The paper's second form is left out: truncated, it gives an example whose p_ỹ is below a bound no gradient at all.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult


class GeneralizedCrossEntropy:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, q: float = 0.7):
        """q: in (0, 1]. Raises a ValueError for any other value."""
        self.q = check_number("q", q, 0, 1, above=True)

    def step(self, run: Run, batch: Batch) -> StepResult:
        loss = generalized_losses(run.logits(batch.images), batch.labels, self.q).mean()
        run.descend(loss)
        return StepResult(loss)


def generalized_losses(logits: Tensor, labels: Tensor, q: float) -> Tensor:
    """ℓ_q (B,) of logits (B, K) and labels (B,)."""
    log_p = -F.cross_entropy(logits, labels, reduction="none")  # of the labels
    return (1 - (q * log_p).exp()) / q
