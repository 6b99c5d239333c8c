"""The shape of features: their spectrum, two numbers of it, and three terms of a loss that give features a shape.

Source: Chen, Wang, Shah, Tao, Wei, Xie, Sugiyama, Raj, ICLR 2024, arXiv:2309.17002.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_integer


def spectrum(features: Tensor) -> Tensor:
    """s (min(n, D),): singular values of features (n, D), largest first, over their sum.

    Its gradient is finite also where two of them are equal, since the vectors are not asked for.
    """
    values = torch.linalg.svdvals(features)
    return values / values.sum()


def entropy(s: Tensor) -> float:
    """Singular value entropy (SVE) of a spectrum s, from 0 to log D: how evenly directions are used."""
    return float(torch.special.entr(s).sum())


def largest_ratio(s: Tensor) -> float:
    """Minus the logarithm of the first share in a spectrum s (LSVR): large when the largest value is small."""
    return -float(s[0].log())


def moved(f: Tensor, z: Tensor) -> Tensor:
    """L_MSE: mean squared difference of the directions of features f, taken as constants, and z, both (B, D)."""
    return F.mse_loss(F.normalize(z), F.normalize(f.detach()))


def correlated(z: Tensor) -> Tensor:
    """L_COV: sum of the squared covariances (by B - 1) of different features of z (B, D), over D."""
    covariance = torch.cov(z.T)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / z.shape[1]


def not_dominant(z: Tensor, top: int = 5) -> Tensor:
    """L_SVD: minus the mean of the `top` largest shares in the spectrum of z (B, D).

    Raises a ValueError for more than there are singular values.
    """
    check_integer("top", top, 1, min(z.shape), why=": z has no more singular values")
    return -spectrum(z)[:top].mean()
