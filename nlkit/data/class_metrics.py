"""Distances between classes: along a path, round a circle, in a graph, between vectors, or none but "another one"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nlkit.checks import check_integer, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def path(classes: int) -> NDArray:
    """(K, K) of classes in a row, such as grades: |i - j|."""
    places = np.arange(check_integer("classes", classes, 2))
    return np.abs(places[:, None] - places).astype(float)


def cycle(classes: int) -> NDArray:
    """(K, K) of classes in a ring, such as directions: the shorter way round."""
    steps = path(classes)
    return np.minimum(steps, classes - steps)


def all_alike(classes: int) -> NDArray:
    """(K, K): 0 for the class itself, 1 for any other: what accuracy counts."""
    return 1 - np.eye(check_integer("classes", classes, 2))


def of_graph(edges: ArrayLike, classes: int) -> NDArray:
    """(K, K) of the nodes of a graph, such as a class tree: edges on the shortest way.

    edges: (E, 2) pairs of nodes, each in 0 … K - 1. Raises a ValueError where a class can't be reached from another.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    check_integer("classes", classes, 2)
    ends = np.asarray(edges)
    if ends.ndim != 2 or ends.shape[1:] != (2,) or ends.dtype.kind not in "iu" or not _within(ends, classes):
        raise ValueError(f"edges={shown(edges)} must be pairs of whole numbers from 0 to {classes - 1}")
    graph = coo_array((np.ones(len(ends)), ends.T), shape=(classes, classes)).tocsr()
    return check_distances(shortest_path(graph, directed=False, unweighted=True))


def of_vectors(vectors: ArrayLike) -> NDArray:
    """(K, K) Euclidean distances of class vectors (K, d): a metric that a model brings along with its classes."""
    from scipy.spatial.distance import cdist

    vectors = np.asarray(vectors, dtype=float)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors has shape {vectors.shape}; it must be (K, d) finite numbers")
    return check_distances(cdist(vectors, vectors))


def check_distances(distances: ArrayLike) -> NDArray:
    """Distances (K, K) as an array of float, if they can be: symmetric, 0 or above, finite, 0 from a class to itself.

    Otherwise a ValueError that names a pair. Triangles are not looked at.
    """
    found = np.asarray(distances, dtype=float)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or len(found) < 2:
        raise ValueError(f"distances has shape {found.shape}; it must be square, of two classes or more")
    for wrong, said in (
        (~np.isfinite(found), "is not a finite number: in a graph, the one can't be reached from the other"),
        (found < 0, "is below 0"),
        (~np.isclose(found, found.T, rtol=1e-6, atol=1e-9), "is not that of the other way"),
        (np.diag(np.diag(found) != 0), "is not 0"),
    ):
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise ValueError(f"distances[{i}, {j}]={found[i, j]:g} {said}; put it right")
    return found


def check_known(known: ArrayLike | None, columns: int, classes: int) -> NDArray:
    """The classes (k,) that columns of probabilities are of: different ones of 0 … K - 1; otherwise a ValueError.

    None is all of them, in order.
    """
    found = np.arange(classes) if known is None else np.asarray(known)
    if found.ndim != 1 or len(found) != columns:
        raise ValueError(f"known has shape {found.shape} for {columns} columns of weights; name the class of each")
    if found.dtype.kind not in "iu" or not _within(found, classes) or len(set(found.tolist())) < len(found):
        raise ValueError(f"known={shown(found.tolist())} must be different whole numbers from 0 to {classes - 1}")
    return found


def _within(numbers: NDArray, classes: int) -> bool:
    return bool(((numbers >= 0) & (numbers < classes)).all())
