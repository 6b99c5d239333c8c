"""The rule of Loki (`nlkit.papers.loki`): a class for each row of probabilities, by distances between classes.

    ŷ = argmin_{y in 1 … K} Σ_{λ in Λ} P(λ | x) d(y, λ)²

All of it works on plain arrays: any probabilities, and any distances (`nlkit.data.class_metrics`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nlkit.data.class_metrics import check_distances, check_known
from nlkit.noise.matrices import check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def costs(probabilities: ArrayLike, distances: ArrayLike, known: ArrayLike | None = None) -> NDArray:
    """(n, K): for each example and each of K classes, the mean squared distance to the seen ones, weighted by P.

    probabilities: P (n, k), or any weights of 0 or above, a column a seen class. distances: (K, K). known: (k,) which
    of the K classes the columns are of, as a classifier's `classes_`; all of them unless given.
    Raises a ValueError for what does not fit together, see `check_distances` and `check_known`.
    """
    distances, weights = check_distances(distances), _weights(probabilities)
    return weights @ distances[check_known(known, weights.shape[1], len(distances))] ** 2


def _weights(probabilities: ArrayLike) -> NDArray:
    weights = np.asarray(probabilities, dtype=float)
    if weights.ndim != 2 or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"probabilities has shape {weights.shape}; it must be (n, k) finite numbers of 0 or above")
    return weights


def frechet_means(probabilities: ArrayLike, distances: ArrayLike, known: ArrayLike | None = None) -> NDArray:
    """(n,) the class of least `costs` of each example; of equals the first."""
    return costs(probabilities, distances, known).argmin(1)


def without_noise(probabilities: ArrayLike, noise: ArrayLike) -> NDArray:
    """(n, k) what probabilities of given labels say of true ones: max(0, P T⁻¹), rows brought to 1.

    noise: T (k, k), T[i, j] = P(given j | true i). Raises a ValueError where it can't be inverted, as where each given
    label is as likely to be of any class, or for a row of zeros. Rows of which nothing is left come back as they were.
    """
    said, matrix = _weights(probabilities), check_matrix(np.asarray(noise, dtype=float)).numpy()
    if (empty := ~said.any(1)).any():
        raise ValueError(f"probabilities has only zeros in row {int(empty.argmax())}; each must sum to more than 0")
    if said.shape[1] != len(matrix):
        raise ValueError(f"noise has shape {matrix.shape} for probabilities of {said.shape}; give a row a column")
    if np.linalg.cond(matrix) > 1e8:
        raise ValueError("noise has no inverse: given labels say nothing of some true ones; lower the noise ratio")
    found = (said @ np.linalg.inv(matrix)).clip(0)
    found = np.where(found.sum(1, keepdims=True) > 0, found, said)
    return found / found.sum(1, keepdims=True)


def between(distances: ArrayLike, known: Sequence[int]) -> NDArray:
    """(K,) bool: on a shortest way between two seen classes, or one of them. In a tree this is the locus."""
    distances = check_distances(distances)
    known = list(check_known(known, len(known), len(distances)))
    ends = distances[known]  # (k, K)
    ways = ends[:, None] + ends - distances[np.ix_(known, known)][:, :, None]
    return (ways <= 1e-9).any((0, 1))


def next_class(distances: ArrayLike, known: Sequence[int]) -> int:
    """The class to see next: farthest from `between`; if all are there, farthest from the seen ones. First of equals.

    Raises a ValueError where all are seen.
    """
    distances = check_distances(distances)
    if len(known) == len(distances):
        raise ValueError(f"known has all {len(distances)} classes, and there is no next one")
    to_locus = distances[between(distances, known)].min(0)
    return int((to_locus if to_locus.any() else distances[list(known)].min(0)).argmax())
