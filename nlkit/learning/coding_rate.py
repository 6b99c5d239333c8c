"""Coding rates: how many nats it takes to tell vectors apart up to a small error, for all at once and class by class.

    Yu et al.: Learning diverse and discriminative representations via the principle of maximal coding rate reduction.
    NeurIPS 2020, arXiv:2006.08558.

    R(Z)      = ½ log det(I + d / (n ε) Zᵀ Z)
    R_c(Z, L) = Σ_k n_k / (2 n) log det(I + d / (n_k ε) Z_kᵀ Z_k)

Here ε is what the paper calls ε². R is large where the vectors fill many directions, R_c small where those of a class
fill few. Both grow with the length of the vectors, so whoever compares them holds it fixed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nlkit.checks import check_number
from nlkit.data.labels import check_labels


def coding_rate(z: Tensor, epsilon: float) -> Tensor:
    """R (a number of float64, with gradient) of z (n, d); a ValueError for no vectors, or epsilon not above 0."""
    _check(z, epsilon)
    return _half_log_det([z.double()], epsilon)[0]


def coding_rate_of_classes(z: Tensor, labels: Tensor, epsilon: float, classes: int) -> Tensor:
    """R_c (a number of float64, with gradient) of z (n, d), by labels (n,). A class without a vector adds nothing.

    Raises a ValueError for no vectors, epsilon not above 0, or labels that are not one a vector and below `classes`.
    """
    _check(z, epsilon)
    labels = check_labels("labels", labels, classes)
    if len(labels) != len(z):
        raise ValueError(f"labels has {len(labels)} entries for {len(z)} vectors; it must have one each")
    z = z.double()
    _, labels, sizes = labels.unique(return_inverse=True, return_counts=True)
    parts = z.index_select(0, labels.argsort()).split(sizes.tolist())
    return (sizes.to(z) / len(z)) @ _half_log_det(parts, epsilon)


def _half_log_det(parts: Sequence[Tensor], epsilon: float) -> Tensor:
    """½ log det(I + d / (n ε) Zᵀ Z), a number for each Z (n, d) of the parts."""
    size = parts[0].shape[1]
    inner = torch.stack([size / (len(z) * epsilon) * z.T @ z for z in parts])
    inner = inner + torch.eye(size, dtype=inner.dtype, device=inner.device)
    roots = torch.linalg.cholesky(inner)
    return roots.diagonal(dim1=1, dim2=2).log().sum(1)  # of which the log determinant is twice the value


def _check(z: Tensor, epsilon: float) -> None:
    check_number("epsilon", epsilon, 0, above=True)
    if z.ndim != 2 or not z.numel():
        raise ValueError(f"z has shape {tuple(z.shape)}; it must be (n, d), at least one vector")
