"""COMIC's three parts, on arrays: Modification, Correction and Balance of losses, labels and networks.

    Zhang, Liu, Zeng, Ooi, Tang, Zhuang: Learning in imperfect environment: multi-label classification with long-tailed
    distribution and partial labels. ICCV 2023, arXiv:2304.10539; the authors' program is github.com/wannature/COMIC.

    ω_c(e) = (1 + log(n_max / n_c))^e                          n_c: ticks of class c; e: 1/3, in C 1/6
    M  L_M = Σ_ic ω_c [ -y log p - (1 - y) q^(γ₋ + ω_c) log(1 - q) ],   q = max(p - 0.05, 0); no gradient into q^…
    C  p' = σ(z - y);  ŷ = 1 where y = 1, and where p' > 0.7 and p' > mean of p' in the batch;  else 0
       L_C = B / |ŷ| · L_M(p', ŷ);                             n_c grows by what this epoch has found
    B  three networks, on batches drawn as the data are ("head"), by class ∝ n_max / n_c ("tail"), by class evenly
       each has L = L_M + 0.2 L_C on its own batch;  the even one also BCE(σ(z), a σ(z_head) + (1 - a) σ(z_tail))

a = head² / (head² + tail²) of the losses L of the two: the *worse* teacher is trusted more, if the program means what
it says. What differs from it is told in `nlkit.papers.rare_and_overlooked`.
"""

from __future__ import annotations

from torch import Tensor

from nlkit.checks import check_number
from nlkit.learning.multi_label import asymmetric

MARGIN = 1.0  # taken off the logits of what is ticked


def class_weights(ticks: Tensor, exponent: float) -> Tensor:
    """ω (K,) of the numbers of ticks (K,), all above 0: 1 for the most frequent class, more for rarer ones."""
    return (1 + (ticks.max() / ticks).log()) ** exponent


def modified(z: Tensor, targets: Tensor, weights: Tensor, focus: float) -> Tensor:
    """L_M, summed over canvases and classes, of logits and targets (N, K). weights: ω (K,). focus: γ₋."""
    return (weights * asymmetric(z, targets, focus + weights)).sum()


def found(z: Tensor, ticked: Tensor, threshold: float) -> Tensor:
    """(N, K) bool: what is not ticked (N, K) and yet surely there by logits z (N, K); of it no gradient is asked.

    Raises a ValueError for a threshold outside (0, 1].
    """
    check_number("threshold", threshold, 0, 1, above=True)
    p = (z.detach() - MARGIN * ticked).sigmoid()
    return (p > threshold) & (p > p.mean(0)) & ~ticked


def shares_of_images(ticked: Tensor, by_class: Tensor) -> Tensor:
    """(N,) how often an image is drawn if first a class is, ∝ `by_class` (K,), then one of the images ticked for it."""
    return ticked.double() @ (by_class / by_class.sum() / ticked.sum(0)).double()


def taught(head: Tensor, tail: Tensor, losses: tuple[float, float], trusted: str) -> Tensor:
    """Soft targets (N, K) from the logits of two teachers and their losses; trusted: the "better", or
    else the worse, as the authors' program does."""
    share = losses[0] ** 2 / (losses[0] ** 2 + losses[1] ** 2)
    share = 1 - share if trusted == "better" else share
    return share * head.detach().sigmoid() + (1 - share) * tail.detach().sigmoid()
