"""Active and passive losses: two robust ones added, of which one pulls the given class up and one the others down.

    Ma, Huang, Wang, Romano, Erfani, Bailey: Normalized loss functions for deep learning with noisy labels. ICML 2020,
    arXiv:2006.13554; the authors' program is github.com/HanxunH/Active-Passive-Losses.

    ℓ(x, ỹ) = α · active + β · passive
    active:   NCE = log p_ỹ / Σ_k log p_k                      (cross-entropy over the sum of those of all labels)
    passive:  MAE = 2 (1 - p_ỹ)   or   RCE = -A (1 - p_ỹ)      (see symmetric_cross_entropy.py)

Any loss becomes robust to symmetric noise when it is normalized, for then the losses of all labels sum to a constant.
But NCE falls too when *other* classes' losses rise, so alone it underfits; a passive one makes up for it. For MNIST the
program has NCE + RCE with α = 1, β = 10, and A = log 10⁻⁴ in place of the paper's -4.
"""

from __future__ import annotations

import math

from torch import Tensor

from nlkit.checks import check_choice, check_number
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.papers.symmetric_cross_entropy import reverse_cross_entropy

PASSIVE = ("rce", "mae")


def normalized_cross_entropy(log_p: Tensor, labels: Tensor) -> Tensor:
    """(B,) in [0, 1], of log probabilities (B, K) by labels (B,)."""
    return log_p.gather(1, labels[:, None])[:, 0] / log_p.sum(1)


class ActivePassive:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, alpha: float = 1.0, beta: float = 10.0, passive: str = "rce"):
        """alpha, beta: weights of the active and the passive loss, 0 or above. Raises a ValueError for other values,
        0 for both, or a passive loss that is not one of `PASSIVE`."""
        self.alpha, self.beta = check_number("alpha", alpha, 0), check_number("beta", beta, 0)
        check_number("alpha + beta", self.alpha + self.beta, 0, above=True)
        self.passive = check_choice("passive", passive, PASSIVE)

    def step(self, run: Run, batch: Batch) -> StepResult:
        log_p = run.logits(batch.images).log_softmax(1)  # (B, K)
        given = log_p.gather(1, batch.labels[:, None])[:, 0].exp()
        passive = reverse_cross_entropy(given, math.log(1e-4)) if self.passive == "rce" else 2 * (1 - given)
        loss = (self.alpha * normalized_cross_entropy(log_p, batch.labels) + self.beta * passive).mean()
        run.descend(loss)
        return StepResult(loss)
