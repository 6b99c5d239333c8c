"""Labels that spread along the edges of a graph: what a node holds, mixed with what its neighbours tell.

`semantic_labels` are those of Chen et al.: ERASE, CIKM 2024, arXiv:2312.08852.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

from nlkit.checks import check_integer, check_number
from nlkit.data.graphs import check_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array


def propagate(y: ArrayLike, adjacency: csr_array, alpha: float, steps: int) -> NDArray[numpy.float64]:
    """y (n, K) after so many steps of y ← (1 − α) A D⁻¹ y + α y, with D the degrees: α is the weight of what is there.

    The columns of A D⁻¹ sum to 1: a node shares out what it has evenly among its neighbours, so that hubs do not shout,
    and no label is lost, but for those of a node without a neighbour, which keeps α of its own at each step.
    Raises a ValueError for a directed graph, self-loops, another number of rows than nodes, alpha outside [0, 1] or
    fewer than 0 steps.
    """
    return spread(y, shares_of(adjacency), alpha, steps)


def shares_of(adjacency: csr_array) -> csr_array:
    """A D⁻¹ (n, n), for whoever spreads many times; a ValueError for a directed graph or self-loops."""
    adjacency = check_weights(adjacency)
    degrees = adjacency.sum(0)
    return (adjacency / numpy.where(degrees > 0, degrees, 1)).tocsr()


def spread(y: ArrayLike, shares: csr_array, alpha: float, steps: int) -> NDArray[numpy.float64]:
    """What `propagate` makes of y (n, K), from the `shares_of` a graph (n, n)."""
    check_number("alpha", alpha, 0, 1)
    check_integer("steps", steps, 0)
    y = numpy.asarray(y, dtype=numpy.float64)
    if y.ndim != 2 or len(y) != shares.shape[0]:
        raise ValueError(f"y has shape {y.shape}; it must be ({shares.shape[0]}, K), a row for each node")
    for _ in range(steps):
        y = (1 - alpha) * (shares @ y) + alpha * y
    return y


def denoised(
    given: NDArray, labelled: NDArray, classes: int, adjacency: csr_array, alpha: float, steps: int,
    alone: bool = False,
) -> NDArray[numpy.float64]:  # fmt: skip
    """(n, K) of given labels (m,) at the labelled nodes (m,), one-hot and then spread along the edges.

    alone: along the edges among labelled nodes only.
    """
    y = numpy.zeros((adjacency.shape[0], classes))
    y[labelled, given] = 1
    if not alone:
        return propagate(y, adjacency, alpha, steps)
    y[labelled] = propagate(y[labelled], adjacency[labelled][:, labelled], alpha, steps)
    return y


def prototypes(z: NDArray, labels: NDArray, classes: int) -> NDArray[numpy.float64]:
    """(K, d) mean vector of each class, of z (m, d) by labels (m,); of a class without a vector 0."""
    sums = numpy.zeros((classes, z.shape[1]))
    numpy.add.at(sums, labels, z)
    return sums / numpy.maximum(1, numpy.bincount(labels, minlength=classes))[:, None]


def semantic_labels(
    z: NDArray, y: NDArray, labelled: NDArray, shares: csr_array, alpha: float, beta: float, steps: int
) -> NDArray[numpy.int64]:
    """(n,) labels for all nodes, from what was given and from which class's mean vector a node resembles.

    z: (n, d) vectors. y: (n, K) denoised labels. labelled: (m,) nodes, whose y says which class's mean they count to.
    shares: (n, n), as `shares_of` gives them. beta: in [0, 1], the weight of y against |cosine| to the means, before
    both are spread in so many steps.
    """
    check_number("beta", beta, 0, 1)
    means = prototypes(z[labelled], y[labelled].argmax(1), y.shape[1])
    lengths = numpy.linalg.norm(z, axis=1)[:, None] * numpy.linalg.norm(means, axis=1)
    alike = numpy.abs(z @ means.T) / numpy.maximum(lengths, 1e-12)
    scores = numpy.exp(beta * y + (1 - beta) * alike)
    return spread(scores / scores.sum(1, keepdims=True), shares, alpha, steps).argmax(1)
