"""Who in the bags is positive? Two clues, a count for each bag and likeness, put together by belief propagation.

    Havaldar, Sharma, Sareen, Shanmugam, Raghuveer: Learning from label proportions: bootstrapping supervised learners
    via belief propagation. ICLR 2024, arXiv:2310.08056.

    P(y) ∝ exp(-λ_b Σ_B (Σ_{i ∈ B} y_i - S_B)² - λ_s Σ_{(i, j) ∈ E} s_ij (y_i - y_j)²),   y_i ∈ {0, 1}

Since y² = y, the squares are single terms and pair terms J_ij y_i y_j:

    u_i = -λ_b (1 - 2 S_B) - λ_s Σ_j s_ij,   J_ij = -2 λ_b in a bag, + 2 λ_s s_ij along an edge        ("pairs")
    m_{i→j} ← softplus(h + J_ij) - softplus(h),   h = u_i + Σ_{l ≠ j} m_{l→i}

Or a bag stays one factor ("count"), whose messages need no approximation: with the others independently positive with
probability σ(g_j), g_j being all that reaches j but from the bag,

    m_{B→i} = log Σ_c r(c) exp(-λ_b (c + 1 - S)²) - log Σ_c r(c) exp(-λ_b (c - S)²),   r(c) = P(Σ_{j ≠ i} y_j = c)

Both have the same P(y). Every message is damped by a half.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.bags import Bags, check_bags

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

MESSAGES, LENGTHS = ("count", "pairs"), ("median", "one")
DAMPING, MOST = 0.5, 30.0  # MOST: log-odds that a bag hears or says, at most
CONVERGED = 0.01  # change of a message in the last round, above which it has not
SURE = 1000.0  # log-odds of an example whose label is known


class Beliefs(NamedTuple):
    """What is believed after a round."""

    positive: NDArray[numpy.float64]  # (n,) probability of each
    change: float  # the largest that a message would change by, were it not damped


def likeness(x: ArrayLike, neighbours: int, length: str = "median") -> csr_array:
    """s (n, n), symmetric: exp(-‖x_i - x_j‖ / ℓ) where either has the other among its nearest by cosine, else nothing.

    x: (n, d). length: ℓ, the "median" distance along the edges, or "one", as printed. Raises a ValueError for a row of
    zeros, which has no direction, and for as many neighbours as there are examples.
    """
    from sklearn.neighbors import kneighbors_graph

    check_choice("length", length, LENGTHS)
    x = numpy.asarray(x, dtype=float)
    check_integer("neighbours", neighbours, 1, len(x) - 1, why=f": there are {len(x)} examples")
    if len(nowhere := numpy.flatnonzero(~x.any(1))):
        raise ValueError(f"x[{nowhere[0]}] is all zeros, so it has no cosine with others; leave it out")
    edges = kneighbors_graph(x, neighbours, metric="cosine").tocoo()
    far = numpy.linalg.norm(x[edges.row] - x[edges.col], axis=1)
    scale = float(numpy.median(far)) if length == "median" else 1.0
    edges.data = numpy.exp(-far / (scale or 1.0))
    return _symmetric(edges)


def _symmetric(edges) -> csr_array:
    from scipy.sparse import csr_array

    one_way = csr_array(edges)
    return one_way.maximum(one_way.T).tocsr()


def propagate(
    similar: csr_array, bags: Bags, *, lambda_b: float = 10.0, lambda_s: float = 2.0, messages: str = "count",
    evidence: ArrayLike | None = None, rounds: int = 100,
) -> Iterator[Beliefs]:  # fmt: skip
    """Beliefs after each round of messages.

    similar: s (n, n), symmetric, 0 or above. evidence: (n,) log-odds that are known besides. messages: how a bag
    speaks, "count" or "pairs". Raises a ValueError, at the call, for bags that overlap or leave somebody out, and for
    anything else that can't be.
    """
    check_choice("messages", messages, MESSAGES)
    check_number("lambda_b", lambda_b, 0)
    check_number("lambda_s", lambda_s, 0)
    check_integer("rounds", rounds, 1)
    if similar.nnz and similar.data.min() < 0:
        raise ValueError(f"similar has a likeness of {similar.data.min():.3g}; it must be 0 or above")
    count = similar.shape[0]
    check_bags(bags, count)
    single, pairs = pair_terms(similar, bags, lambda_b if messages == "pairs" else 0.0, lambda_s)
    single = single if evidence is None else single + numpy.asarray(evidence, dtype=float)
    return _rounds(single, pairs, bags, lambda_b if messages == "count" else 0.0, rounds)


def pair_terms(
    similar: csr_array, bags: Bags, lambda_b: float, lambda_s: float
) -> tuple[NDArray[numpy.float64], csr_array]:
    """u (n,) and J (n, n): log P(y) is Σ u_i y_i + Σ_{i<j} J_ij y_i y_j, but for a constant."""
    from scipy.sparse import coo_array, csr_array

    count = similar.shape[0]
    single, pairs = -lambda_s * similar.sum(1), 2 * lambda_s * similar
    if lambda_b:
        bag, _ = numpy.nonzero(bags.inside)
        members = csr_array((numpy.ones(count), (bag, bags.places[bags.inside])), shape=(len(bags.places), count))
        together = coo_array(members.T @ members)
        apart = together.row != together.col
        ends = together.row[apart], together.col[apart]
        pairs = pairs - 2 * lambda_b * csr_array((together.data[apart], ends), shape=(count, count))
        single = single - lambda_b * bags.spread(1 - 2 * bags.counts, count)
    return single, csr_array(pairs)


def _rounds(single, pairs, bags: Bags, lambda_b: float, rounds: int) -> Iterator[Beliefs]:
    from scipy.sparse import csr_array
    from scipy.special import expit

    pairs.sort_indices()
    count, strength = len(single), pairs.data  # a message a directed edge, sorted by where it starts
    start, end = numpy.repeat(numpy.arange(count), numpy.diff(pairs.indptr)), pairs.indices
    numbered = csr_array((numpy.arange(len(end)), end, pairs.indptr), shape=pairs.shape)
    back = numbered.T.tocsr().data  # of each edge, the number of the one the other way
    along, from_bag = numpy.zeros(len(end)), numpy.zeros(count)
    reached = single
    for _ in range(rounds):
        heard = reached[start] - along[back]
        new = numpy.logaddexp(0, heard + strength) - numpy.logaddexp(0, heard)
        changes = [numpy.abs(new - along).max(initial=0.0)]
        along = (1 - DAMPING) * along + DAMPING * new
        if lambda_b:
            told = bag_messages(reached - from_bag, bags, lambda_b)
            changes.append(numpy.abs(told - from_bag).max())
            from_bag = (1 - DAMPING) * from_bag + DAMPING * told
        reached = single + from_bag + numpy.bincount(end, along, minlength=count)
        yield Beliefs(expit(reached), float(max(changes)))


def bag_messages(log_odds: NDArray, bags: Bags, lambda_b: float) -> NDArray[numpy.float64]:
    """m_{B→i} (n,), from what reaches each member but from its bag (n,), g.

    A table goes forward over the members: how many so far are positive, and how likely. One goes backward: what the
    count will be worth, given so many so far. At each member the two meet: k² steps a bag.
    """
    from scipy.special import expit

    inside, size = bags.inside, bags.places.shape[1]
    p = numpy.where(inside, expit(numpy.clip(log_odds[bags.places], -MOST, MOST)), 0.0)[:, :, None]  # (B, k, 1)
    worth = numpy.exp(-lambda_b * (numpy.arange(size + 1) - bags.counts[:, None]) ** 2.0)  # (B, k + 1), of each count
    later = [worth]
    for j in range(size - 1, 0, -1):
        after = later[-1]
        later.append((1 - p[:, j]) * after[:, :-1] + p[:, j] * after[:, 1:])
    so_far, found = numpy.ones((len(inside), 1)), numpy.zeros(inside.shape)
    for j in range(size):
        after = later[size - 1 - j]  # (B, j + 2)
        no, yes = (so_far * after[:, :-1]).sum(1), (so_far * after[:, 1:]).sum(1)
        found[:, j] = numpy.log(yes + 1e-300) - numpy.log(no + 1e-300)
        grown = numpy.zeros((len(inside), j + 2))
        grown[:, :-1] = (1 - p[:, j]) * so_far
        grown[:, 1:] += p[:, j] * so_far
        so_far = grown
    return bags.spread(numpy.clip(found, -MOST, MOST), len(log_odds))
