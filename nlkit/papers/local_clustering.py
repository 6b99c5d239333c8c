"""Local graph clustering with noisy labels: edges whose two labels differ are made thin, then a fluid is spread.

    Back de Luca, Fountoulakis, Yang: Local graph clustering with noisy labels. ICLR 2024, arXiv:2310.08031.

    w_ij = 1 if ỹ_i = ỹ_j, else ε                                    (ε = 1: the plain graph)
    x    = argmin over x ≥ 0 of  ½ xᵀ L_w x − xᵀ (Δ − T)              (ℓ2 flow diffusion; L_w: Laplacian of w)
    m    = Δ − L_w x ≤ T,  and m_i = T_i where x_i > 0                (at the minimum)

Δ is the mass that is poured on the seeds, T what each node's sink drains, m where the mass then lies, and x how high it
stood. The cluster is where x > 0, or the part of it that a sweep cut takes. The solver goes in passes: every node with
too much mass, in random order, keeps T_i and pushes the rest along its edges, in proportion to their weights.

No program was found for the paper. As in the group's earlier one (github.com/s-h-yang/WFD), sinks are degrees in the
graph without weights, and Δ sums to α · vol(K): every method here is told the volume of the true cluster K. That one
takes, of many α, the one of best conductance, and 100 passes at most; here α is a setting, and 500 may be made. A seed
is known to lie in K, so its label is put right (`tell_seeds`): a wrong one would pour into the rest. Whether the paper
does so was not seen. A label is right with probability a1 in K and a0 outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import torch

from nlkit.checks import check_integer, check_number
from nlkit.data import graphs
from nlkit.data.graphs import DIGITS, RANDOM
from nlkit.page import Claim, Page, Trial
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

    from nlkit.plots import Figure

MOST_PASSES, TOLERANCE, SHOWN = 10_000, 1e-3, 60  # TOLERANCE: mass above its sink that a node may keep


def label_weights(adjacency: csr_array, labels: ArrayLike, epsilon: float) -> csr_array:
    """The graph (n, n) with edges between different labels (n,) made thin by the factor epsilon, in [0, 1].

    Raises a ValueError for labels that are not one a node, each 0 or 1.
    """
    check_number("epsilon", epsilon, 0, 1)
    adjacency, labels = graphs.check_weights(adjacency), numpy.asarray(labels)
    if labels.shape != adjacency.shape[:1] or not numpy.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be {adjacency.shape[0]} of 0 and 1, one a node; their shape is {labels.shape}")
    weights = adjacency.tocoo(copy=True)
    start, end = weights.coords
    weights.data[labels[start] != labels[end]] *= epsilon
    return graphs.check_weights(weights.tocsr())


def flow_diffusion(
    weights: csr_array, sinks: ArrayLike, source: ArrayLike,
    *, passes: int = 500, tolerance: float = TOLERANCE, seed: int = 0,
) -> Iterator[tuple[NDArray, NDArray]]:  # fmt: skip
    """x (n,) and mass (n,) after each pass, until no node has more than its sink and the tolerance.

    That fails if all `passes` are made before; what is over is then still in `mass`.
    weights: (n, n) of an undirected graph. sinks, source: (n,), 0 or above. seed: decides the order of the pushes.
    Raises a ValueError, at the call, for anything else, and where what is poured on a part of the graph can't drain.
    """
    weights = graphs.check_weights(weights)
    sinks, source = graphs.check_drains(weights, sinks, source)
    check_integer("passes", passes, 1)
    check_number("tolerance", tolerance, 0, above=True)
    return _passes(weights, sinks, source.copy(), passes, tolerance, seeded_generator(seed, "pushes"))


def _passes(weights, sinks, mass, passes, tolerance, generator):
    x, degrees = numpy.zeros_like(mass), weights.sum(1)
    ends, edges = (numpy.split(each, weights.indptr[1:-1]) for each in (weights.indices, weights.data))
    for _ in range(passes):
        over = numpy.flatnonzero(mass > sinks + tolerance)
        for i in over[torch.randperm(len(over), generator=generator).numpy()]:  # till its turn a node can only gain
            push = (mass[i] - sinks[i]) / degrees[i]
            x[i] += push
            mass[i] = sinks[i]
            mass[ends[i]] += push * edges[i]
        yield x.copy(), mass.copy()
        if not (mass > sinks + tolerance).any():
            return


@dataclass(frozen=True)
class Clustering:
    """One diffusion. In its `numbers`: F1 of the support and of its sweep cut, of labels alone and of the vote."""

    cluster: str = setting("digit 3", "what is to be found", choices=(RANDOM, *DIGITS), knob=True)
    labels: str = setting("noise", "where labels come from", choices=("noise", "classifier"), knob=True)
    a1: float = setting(0.7, "share of right labels in the cluster (noise)", low=0.0, high=1.0, knob=True)
    a0: float = setting(0.7, "share of right labels outside (noise)", low=0.0, high=1.0, knob=True)
    known: int = setting(25, "true labels inside, and as many outside (classifier)", low=2, high=50, knob=True)
    start: str = setting("one seed", "where the mass is poured", choices=("one seed", "all known"), knob=True)
    epsilon: float = setting(0.05, "weight of an edge whose labels differ", low=0.0, high=1.0, knob=True)
    alpha: float = setting(2.0, "mass poured, in volumes of the cluster", low=0.1, high=5.0, knob=True)
    weighted: bool = setting(True, "whether edges are weighted by labels")
    tell_seeds: bool = setting(True, "whether the label of a seed is put right")
    passes: int = setting(500, "of the solver, at most", low=1, high=MOST_PASSES)
    record_every: int = setting(1, "passes from one record to the next", low=1, high=MOST_PASSES)
    seed: int = setting(0, "decides random graph, labels, known nodes, order of pushes", low=0)
    kept = ("f1", "f1_sweep", "reached", "undrained", "passes", "f1_labels", "f1_vote")

    def __post_init__(self) -> None:
        check_settings(self)
        if self.labels == "classifier" and self.cluster == RANDOM:
            self.problem()  # which says why not

    @property
    def epochs(self) -> int:
        return -(-self.passes // self.record_every)

    def problem(self) -> graphs.Problem:
        return graphs.cluster_problem(self.cluster, self.labels, self.a1, self.a0, self.known, self.seed)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        graph, inside, labels, known = self.problem()
        seeds = known if self.start == "all known" else known[:1]
        labels[seeds] |= self.tell_seeds
        sinks, source = graph.adjacency.sum(1), numpy.zeros(len(inside))
        source[seeds] = self.alpha * sinks[inside].sum() / len(seeds)
        weights = label_weights(graph.adjacency, labels, self.epsilon) if self.weighted else graph.adjacency
        diffusion = flow_diffusion(weights, sinks, source, passes=self.passes, seed=self.seed)
        return self._records(graph, inside, labels, weights, sinks, diffusion)

    def _records(self, graph, inside, labels, weights, sinks, diffusion):
        vote = graphs.majority_vote(graph.adjacency, labels)
        controls = {"f1_labels": graphs.f1_score(labels, inside), "f1_vote": graphs.f1_score(vote, inside)}
        for number, (x, mass) in enumerate(diffusion, start=1):
            over = (mass - sinks).clip(0)
            if number % self.record_every and number < self.passes and over.max() > TOLERANCE:
                continue
            first, swept = numpy.argsort(-x, kind="stable")[: min(SHOWN, (x > 0).sum())], graphs.best_prefix(weights, x)
            numbers = controls | {"f1": graphs.f1_score(x > 0, inside), "f1_sweep": graphs.f1_score(swept, inside)}
            numbers |= {"reached": float((x > 0).sum()), "undrained": float(over.sum() / mass.sum())}
            shown = {"right": inside[first], "images": None if graph.images is None else graph.images[first]}
            yield Measured(-(-number // self.record_every), numbers | {"passes": float(number)}, shown)


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """The nodes that each diffusion reached first, and F1 by pass."""
    from nlkit.plots.clusters import clusters_found

    return clusters_found(records, LINES)


LINES = ("plain", "weighted", "weighted sweep", "labels alone", "majority vote")  # in the order of their colours
ACCURACIES, KNOWN = (0.5, 0.6, 0.7, 0.8, 0.9), (2, 5, 10, 25, 50)
IN_RANDOM, LAST = {"cluster": RANDOM}, {"record_every": MOST_PASSES}  # LAST: only the last record
THREES = {"cluster": "digit 3", "labels": "classifier"}


def _grid() -> Iterator[tuple[str, dict[str, Any]]]:
    """Label accuracies, ε and α on the random model; digits with labels of both kinds, from one seed and from all."""
    even: list[dict[str, Any]] = [{"a1": a, "a0": a} for a in ACCURACIES]
    changes: list[dict[str, Any]] = even + [{"tell_seeds": False, **e} for e in even] + [{"a1": 1.0}, {"a0": 1.0}]
    changes += [{"epsilon": e} for e in (0.0, 0.2, 0.5)] + [{"alpha": a} for a in (1.0, 3.0, 5.0)]
    digits: list[dict[str, Any]] = [
        {**THREES, "cluster": d, "start": s} for d in ("digit 3", "digit 5") for s in ("one seed", "all known")
    ]
    yield from (("plain", {**c, **LAST}) for c in [IN_RANDOM, {}, *digits])
    yield from (("weighted", {**IN_RANDOM, **c, **LAST}) for c in changes)
    yield from (("weighted", {**c, **LAST}) for c in [*even, *digits, *({**THREES, "known": m} for m in KNOWN)])


def lead(t: Trial, over: str, accuracy: float) -> float:
    """F1 of the weighted diffusion on the random model, minus that of "plain", of labels alone or of the vote."""
    plain = t.run("plain", **IN_RANDOM, **LAST)
    weighted = t.run("weighted", **IN_RANDOM, a1=accuracy, a0=accuracy, **LAST)
    return weighted.last("f1") - (plain.last("f1") if over == "plain" else weighted.last(over))


def leads_on_threes(t: Trial) -> tuple[float, ...]:
    """F1 of the weighted sweep cut minus that of labels, vote and plain sweep cut: digit 3, classifier of 25 + 25."""
    weighted, plain = (t.run(variant, **THREES, **LAST) for variant in ("weighted", "plain"))
    others = weighted.last("f1_labels"), weighted.last("f1_vote"), plain.last("f1_sweep")
    return tuple(weighted.last("f1_sweep") - other for other in others)


OF_TEN: dict[str, Any] = {"at_least": 0.0, "unit": "points"}
PAGE = Page(
    title="Local graph clustering with noisy labels",
    source="Back de Luca, Fountoulakis, Yang, ICLR 2024, arXiv:2310.08031",
    finding="Labels too noisy to name a cluster still keep a diffusion in it, by thinning the edges that leave it.",
    variants={"plain": {"weighted": False}, "weighted": {"weighted": True}},
    headline="f1", experiment=Clustering, picture=draw, grid=_grid,
    seeds=tuple(range(10)), tiny=IN_RANDOM | {"passes": 5},
    claims=(
        Claim("local_clustering_helps", "With labels right 7 times in 10, the weighted graph finds more of a random "
              "cluster than the plain graph, and than the labels alone.", "abstract; theorem on a random graph",
              lambda t: min(lead(t, "plain", 0.7), lead(t, "f1_labels", 0.7)), "lead in F1 over the better", **OF_TEN),
        Claim("local_clustering_classifier", "A classifier that saw 25 threes and 25 others gives labels that help: "
              "the weighted sweep cut beats labels, vote and plain sweep cut.", "abstract; real graphs",
              leads_on_threes, "its lead in F1", published="F1 up to 13 % higher", **OF_TEN),
        Claim("local_clustering_crossing", "Labels that are coin tosses harm; right 7 times in 10 they help.",
              "abstract: a bound on the noise", lambda t: (-lead(t, "plain", 0.5), lead(t, "plain", 0.7)),
              "loss in F1 at 0.5, and gain at 0.7", **OF_TEN),
        Claim("local_clustering_vote", "From 0.7 on it beats a majority vote of the neighbours' labels.",
              "a control that the paper leaves out", lambda t: tuple(lead(t, "f1_vote", a) for a in (0.7, 0.8, 0.9)),
              "its lead in F1 at 0.7, 0.8 and 0.9", why="Where errors are independent, a vote of some 17 neighbours "
              "averages them out, and no mass can leak; at 0.9 the diffusion is ahead.", **OF_TEN),
    ),
)  # fmt: skip
