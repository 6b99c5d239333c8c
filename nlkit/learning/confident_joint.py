"""Which labels are suspected, by what a model says of examples that it did not learn from: the confident joint.

Northcutt, Jiang, Chuang: Confident learning. JAIR 2021, arXiv:1911.00068. Uncalibrated, and ranked by margin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def confident_joint(labels: ArrayLike, p: ArrayLike) -> NDArray:
    """C (K, K) of labels (n,) in 0 … K − 1 and probabilities (n, K). An example above no threshold counts nowhere.

    Raises a ValueError for rows that do not sum to 1, a label that is none, or a class without an example.
    """
    labels, p = _check(labels, p)
    thresholds = np.array([p[labels == j, j].mean() for j in range(p.shape[1])])
    above = np.where(p >= thresholds, p, -1.0)
    counted = above.max(1) >= 0
    joint = np.zeros((p.shape[1], p.shape[1]), dtype=np.int64)
    np.add.at(joint, (labels[counted], above[counted].argmax(1)), 1)
    return joint


def most_suspicious(labels: ArrayLike, p: ArrayLike) -> tuple[NDArray, int]:
    """Places (n,) from the smallest margin on, of equals the first, and how many of them are suspects (m)."""
    labels, p = _check(labels, p)
    others = np.where(np.eye(p.shape[1], dtype=bool)[labels], -1.0, p)
    margins = p[np.arange(len(labels)), labels] - others.max(1)
    joint = confident_joint(labels, p)
    return np.argsort(margins, kind="stable"), int(joint.sum() - np.trace(joint))


def _check(labels: ArrayLike, p: ArrayLike) -> tuple[NDArray, NDArray]:
    labels, p = np.asarray(labels), np.asarray(p, dtype=np.float64)
    if p.ndim != 2 or labels.shape != p.shape[:1]:
        raise ValueError(f"p has shape {p.shape} for labels of shape {labels.shape}; it must be (n, K) for n labels")
    if not (p >= 0).all() or not (abs(p.sum(1) - 1) < 1e-3).all():
        raise ValueError("p must be probabilities, of which each row sums to 1")
    if labels.dtype.kind not in "iu" or set(np.unique(labels)) != set(range(p.shape[1])):
        raise ValueError(f"labels must be whole numbers from 0 to {p.shape[1] - 1}, each at least once")
    return labels, p
