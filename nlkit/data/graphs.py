"""Graphs with a cluster to find: a random one whose truth is known, and the neighbours among real digits.

The digits are scikit-learn's 1,797 of 8 × 8 pixels, which come with the package (Alpaydin and Kaynak 1998, test part).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy
import torch

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.randomness import seeded_generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes 0 … n - 1, joined by edges of weight 1. Shared by all who ask for it: leave its arrays as they are."""

    adjacency: csr_array  # (n, n) symmetric, without self-loops
    classes: NDArray[numpy.int64]  # (n,) what each node truly is
    attributes: NDArray[numpy.float64] | None = None  # (n, d) in [0, 1]: another view of it than the edges come from
    images: NDArray[numpy.float64] | None = None  # (n, height, width) in [0, 1]


@functools.lru_cache(maxsize=16)
def planted_cluster(
    seed: int = 0,
    *,
    nodes: int = 2000,
    size: int = 200,
    inside: float = 0.05,
    between: float = 0.004,
    outside: float = 0.02,
) -> Graph:
    """A random graph with a cluster: the first `size` nodes, of class 1, among others of class 0.

    Each pair of nodes has an edge by a draw of its own: with probability `inside` if both are in the cluster, `outside`
    if none is, `between` if one is. Raises a ValueError for a probability outside [0, 1], or a cluster that has not
    from 1 to nodes - 1 nodes.
    """
    from scipy.sparse import csr_array

    check_integer("nodes", nodes, 2)
    check_integer("size", size, 1, nodes - 1)
    chances = {"inside": inside, "between": between, "outside": outside}
    for name, chance in chances.items():
        check_number(name, chance, 0, 1)
    member = numpy.arange(nodes) < size
    chance = numpy.full((nodes, nodes), between)  # (n, n)
    chance[numpy.ix_(member, member)] = inside
    chance[numpy.ix_(~member, ~member)] = outside
    draws = torch.rand(nodes, nodes, generator=seeded_generator(seed, "edges"), dtype=torch.float64).numpy()
    drawn = numpy.triu(draws < chance, 1)
    return Graph(csr_array((drawn | drawn.T).astype(float)), member.astype(int))


@functools.lru_cache(maxsize=4)
def digit_neighbours(neighbours: int = 8, *, edges: str = "lower half") -> Graph:
    """The 1,797 digits, each joined to those of which it is among the `neighbours` nearest, or they among its own.

    Nearest by the squared distance of the pixels, the first of equals. edges: the pixels that this looks at, "lower
    half" or "all". The attributes are the pixels of the upper half, so that with "lower half" edges and attributes are
    two views of one truth that share no pixel. Classes are the digits. Raises a ValueError for anything else.
    """
    from sklearn.datasets import load_digits

    check_choice("edges", edges, ("lower half", "all"))
    digits = load_digits()
    pixels = digits.images.astype(int)  # (n, 8, 8) from 0 to 16: distances are exact, the same on every machine
    count = len(pixels)
    check_integer("neighbours", neighbours, 1, count - 1)
    seen = (pixels[:, 4:] if edges == "lower half" else pixels).reshape(count, -1)
    attributes = pixels[:, :4].reshape(count, -1) / 16
    return Graph(nearest_neighbours(seen, neighbours), digits.target, attributes, pixels / 16)


def nearest_neighbours(points: ArrayLike, neighbours: int) -> csr_array:
    """Adjacency (n, n) of the graph that joins each of the points (n, d), of whole numbers, to its nearest ones.

    An edge is there if either end has the other among its nearest; of points as far away the first are taken.
    """
    from scipy.sparse import csr_array

    points = numpy.asarray(points, dtype=numpy.float64)  # whole numbers in a type whose product is fast and still exact
    count, squares = len(points), (points**2).sum(1)
    far = squares[:, None] + squares - 2 * points @ points.T  # (n, n) squared distances
    numpy.fill_diagonal(far, far.max() + 1)  # nobody is a neighbour of its own
    rank = far * count + numpy.arange(count)  # which no two share in a row
    nearest = numpy.argpartition(rank, neighbours - 1, axis=1)[:, :neighbours]
    starts = numpy.repeat(numpy.arange(count), neighbours)
    edges = csr_array((numpy.ones(nearest.size), (starts, nearest.ravel())), shape=(count, count))
    return edges.maximum(edges.T).tocsr()


RANDOM, DIGITS = "random model", tuple(f"digit {d}" for d in range(10))


class Problem(NamedTuple):
    """A cluster to find in a graph, from seeds that lie in it and a noisy label a node."""

    graph: Graph
    inside: NDArray[numpy.bool_]  # (n,) the cluster
    labels: NDArray[numpy.bool_]  # (n,) who is in it, as far as the labels tell
    known: NDArray[numpy.int64]  # nodes of the cluster, in random order


def cluster_problem(cluster: str, labels: str, a1: float, a0: float, known: int, seed: int) -> Problem:
    """A cluster, RANDOM or one of DIGITS, with labels from "noise" or a "classifier"; `seed` decides all that is drawn.

    Noise is `noisy_membership`. The classifier is told of `known` nodes of the cluster and as many others. A larger
    `known` has those of a smaller one first. Raises a ValueError for a classifier in the random model, whose nodes have
    no attributes.
    """
    check_choice("cluster", cluster, (RANDOM, *DIGITS))
    if check_choice("labels", labels, ("noise", "classifier")) == "classifier" and cluster == RANDOM:
        raise ValueError("labels='classifier' needs nodes with attributes, which the random model lacks; take a digit")
    graph = planted_cluster(seed) if cluster == RANDOM else digit_neighbours()
    inside = graph.classes == (1 if cluster == RANDOM else DIGITS.index(cluster))
    generator = seeded_generator(seed, "known nodes")
    both = (numpy.flatnonzero(inside), numpy.flatnonzero(~inside))
    ours, others = (nodes[torch.randperm(len(nodes), generator=generator).numpy()][:known] for nodes in both)
    if labels == "noise":
        return Problem(graph, inside, noisy_membership(inside, a1, a0, seed), ours)
    return Problem(graph, inside, classified_membership(graph, inside, numpy.concatenate([ours, others])), ours)


def noisy_membership(inside: NDArray[numpy.bool_], a1: float, a0: float, seed: int) -> NDArray[numpy.bool_]:
    """A label a node (n,), which says with probability a1 that a node inside is inside, and with a0 that one outside is
    outside, each by a draw of its own. Those that are right at one accuracy are right at every higher one."""
    draws = torch.rand(len(inside), generator=seeded_generator(seed, "node labels"), dtype=torch.float64).numpy()
    return (draws < numpy.where(inside, a1, a0)) == inside


def classified_membership(graph: Graph, inside: NDArray[numpy.bool_], told: NDArray) -> NDArray[numpy.bool_]:
    """What a logistic regression on the nodes' attributes says of each (n,), after it was told of some nodes."""
    from sklearn.linear_model import LogisticRegression

    classifier = LogisticRegression(max_iter=1000).fit(graph.attributes[told], inside[told])
    return classifier.predict(graph.attributes)


def check_weights(weights: csr_array) -> csr_array:
    """The weighted adjacency (n, n) as rows of edges above 0; a ValueError unless it is one of an undirected graph."""
    from scipy.sparse import csr_array

    weights = csr_array(weights, dtype=float)  # no copy of what is one already
    if weights.shape[0] != weights.shape[1]:
        raise ValueError(f"weights of shape {weights.shape} must be square, a row and a column for each node")
    if weights.nnz and not (numpy.isfinite(weights.data).all() and weights.data.min() >= 0):
        raise ValueError("weights has an edge whose weight is negative or no number; all must be 0 or above")
    if (weights != weights.T).nnz:
        raise ValueError("weights is not symmetric; an edge must have the same weight from either end")
    if weights.diagonal().any():
        raise ValueError("weights has self-loops; its diagonal must be 0")
    if weights.nnz and not (weights.data.all() and weights.has_canonical_format):
        weights = weights.copy()
        weights.sum_duplicates()
        weights.eliminate_zeros()
    return weights


def check_drains(weights: csr_array, sinks: ArrayLike, source: ArrayLike) -> tuple[NDArray, NDArray]:
    """Sinks and source (n,) as arrays; a ValueError where what is poured on a part of the graph can't drain in it.

    weights: as `check_weights` gives them.
    """
    from scipy.sparse.csgraph import connected_components

    sinks, source, count = numpy.asarray(sinks, dtype=float), numpy.asarray(source, dtype=float), weights.shape[0]
    for name, values in (("sinks", sinks), ("source", source)):
        if values.shape != (count,) or not (numpy.isfinite(values) & (values >= 0)).all():
            raise ValueError(f"{name} must be {count} numbers of 0 or above, one a node; its shape is {values.shape}")
    if len(lonely := numpy.flatnonzero((source > 0) & (weights.sum(1) == 0))):
        raise ValueError(f"seed node {lonely[0]} has no edge of weight above 0, so no mass can leave it; raise epsilon")
    part = connected_components(weights)[1]
    poured, drained = numpy.bincount(part, source), numpy.bincount(part, sinks)
    if len(full := numpy.flatnonzero((poured > 0) & (poured >= drained))):
        raise ValueError(
            f"source puts {poured[full[0]]:.6g} on a connected part of the graph whose sinks drain "
            f"{drained[full[0]]:.6g}: it must be less. Lower alpha, or raise epsilon, so that more nodes can be reached"
        )
    return sinks, source


def sweep_cut(weights: csr_array, x: ArrayLike) -> NDArray[numpy.bool_]:
    """Of the nodes with the largest x (n,), as many as make the set of least conductance, as booleans (n,).

    Conductance of a set: weight of the edges that leave it, over the volume of the set or of the rest, whichever is
    smaller; a volume is the sum of weighted degrees. Nodes with x = 0 have no place, of equals the first comes first.
    """
    return best_prefix(check_weights(weights), numpy.asarray(x, dtype=float))


def best_prefix(weights: csr_array, x: NDArray[numpy.float64]) -> NDArray[numpy.bool_]:
    """As `sweep_cut`, of weights that `check_weights` has seen."""
    order = numpy.flatnonzero(x > 0)
    order = order[numpy.argsort(-x[order], kind="stable")]
    degrees, edges = weights.sum(1), weights.tocoo()
    place = numpy.full(len(x), len(x))
    place[order] = numpy.arange(len(order))
    later = numpy.maximum(*(place[end] for end in edges.coords))  # the place from which on an edge is within the set
    inner = numpy.bincount(later, edges.data, minlength=len(order))[: len(order)].cumsum()  # twice the weight within
    volume = degrees[order].cumsum()
    smaller = numpy.minimum(volume, degrees.sum() - volume)
    whole = smaller <= 1e-9 * degrees.sum()  # all there is, up to rounding, is no cluster
    conductance = numpy.where(whole, numpy.inf, (volume - inner) / numpy.where(whole, 1, smaller))
    found = numpy.zeros(len(x), dtype=bool)
    found[order[: conductance.argmin() + 1] if len(order) else order] = True
    return found


def majority_vote(adjacency: csr_array, labels: ArrayLike) -> NDArray[numpy.bool_]:
    """The nodes (n,) more than half of whose neighbours have label 1, of labels (n,) that are 0 or 1."""
    return adjacency @ numpy.asarray(labels, dtype=float) > adjacency.sum(1) / 2


def f1_score(found: ArrayLike, target: ArrayLike) -> float:
    """F1 of two sets of nodes, as booleans (n,): twice what they share over the sum of their sizes; of none found 0."""
    found, target = numpy.asarray(found, dtype=bool), numpy.asarray(target, dtype=bool)
    return 2 * float((found & target).sum()) / max(1.0, float(found.sum() + target.sum()))
