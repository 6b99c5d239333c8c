"""Symmetric cross-entropy: cross-entropy, and the same with label and prediction in each other's place.

    Wang, Ma, Chen, Luo, Yi, Bailey: Symmetric cross entropy for robust learning with noisy labels. ICCV 2019,
    arXiv:1908.06112.

    ℓ(x, ỹ) = α · (-log p_ỹ)  +  β · (-Σ_k p_k log y_k),   log 0 taken to be A

y is the given label, one-hot, so that the second term, the reverse cross-entropy, is -A (1 - p_ỹ): half of -A times the
mean absolute error, which symmetric noise does not move; and the first lets the network learn at all. The paper has
A = -4, and on MNIST α = 0.01 and β = 1.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult

LOG_ZERO = -4.0  # A


def reverse_cross_entropy(given: Tensor, log_zero: float = LOG_ZERO) -> Tensor:
    """(B,) of the probabilities (B,) of the given labels."""
    return -log_zero * (1 - given)


class SymmetricCrossEntropy:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, alpha: float = 0.01, beta: float = 1.0):
        """alpha, beta: weights of the two terms, 0 or above. Raises a ValueError for other values, or 0 for both."""
        self.alpha, self.beta = check_number("alpha", alpha, 0), check_number("beta", beta, 0)
        check_number("alpha + beta", self.alpha + self.beta, 0, above=True)

    def step(self, run: Run, batch: Batch) -> StepResult:
        losses = F.cross_entropy(run.logits(batch.images), batch.labels, reduction="none")  # (B,)
        loss = (self.alpha * losses + self.beta * reverse_cross_entropy((-losses).exp())).mean()
        run.descend(loss)
        return StepResult(loss)
