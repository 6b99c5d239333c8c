"""Backward correction: losses weighted by the inverse of the transition matrix, right on average whatever the network.

    Patrini, Rozza, Menon, Nock, Qu: Making deep neural networks robust to label noise: a loss correction approach.
    CVPR 2017, arXiv:1609.03683.

    L(θ) = 1/B [ Σ_noisy Σ_k (T⁻¹)[ỹ_i, k] ℓ(x_i, k)  +  Σ_clean ℓ(x_i, y_i) ],   ℓ(x, k) = -log p_k(x)

Over draws of ỹ from row y of T a noisy example has Σ_j T[y, j] Σ_k (T⁻¹)[j, k] ℓ(x, k) = ℓ(x, y): the clean loss, on
average. But T⁻¹ has negative entries, which pay for disbelief in classes that were *not* given: a batch's loss has no
bound below, and scatters the more the nearer T is to having no inverse.

T is told or estimated as in forward.py. p is held above 10⁻⁸, so that no loss is above 18.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nlkit.papers.forward import Forward, Matrix


class Backward(Forward):
    def __init__(self, matrix: Matrix | None = None, burn_in: float = 0.1):
        """As those of forward correction; the matrix must have an inverse, else a ValueError."""
        super().__init__(matrix, burn_in)
        if self.matrix is not None and torch.linalg.matrix_rank(self.matrix) < len(self.matrix):
            raise ValueError("matrix has no inverse, so that labels under it can't be undone; take `forward`")

    def corrected(self, p: Tensor, matrix: Tensor, labels: Tensor, noisy: Tensor) -> Tensor:
        losses = -p.log()  # (B, K)
        undone = (losses * torch.linalg.pinv(matrix)[labels]).sum(1)
        return torch.where(noisy, undone, losses.gather(1, labels[:, None])[:, 0])
