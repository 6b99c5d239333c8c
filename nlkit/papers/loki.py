"""Loki: of a classifier's probabilities take the Fréchet mean, which may be a class that it has never seen.

    Roberts, Li, Adila, Cromp, Huang, Zhao, Sala: Geometry-aware adaptation for pretrained models. NeurIPS 2023,
    arXiv:2307.12226; the authors' program is github.com/SprocketLab/loki.

    ŷ = argmin_{y in 1 … K} Σ_{λ in Λ} P(λ | x) d(y, λ)²          Λ: the classes seen in training, d: their distances

In place of "the likeliest of Λ" it says which of *all* classes lies nearest to the seen ones on average, by the square
of the distance. Nothing is trained. Which classes can be named so by some P is the *locus* of Λ: in a tree, those on
the ways between seen ones; under distances that are all alike, Λ itself, and Loki is argmax.

Read were the abstract, the program and the authors' answers to reviewers; the body of the paper was not to be had.
What differs: turned digits, with the angle as class, in place of ImageNet; the program counts distances with weights
of its own for some sets. Ours are the controls: ridge regression of the angle, probabilities of which the label noise
is undone (p̂ ∝ max(0, P T⁻¹), T: the transition matrix), shuffled distances, and the best of the seen classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nlkit.data.class_metrics import all_alike
from nlkit.noise.matrices import noise_matrix
from nlkit.noise.seen_angles import FULL, HALF, SPACES, classes_of, digits_to_test, probabilities, ridge_angles
from nlkit.page import Claim, Page, Trial
from nlkit.papers.frechet_means import frechet_means, next_class, without_noise
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlkit.plots import Figure

BY, METRICS = ("argmax", "Loki", "noise undone", "ridge"), ("true", "shuffled", "all alike")
ORDERS, STAGES = ("evenly", "farthest first", "at random"), (2, 3, 4, 5, 7, 10, 14, 19)


def seen_classes(distances: NDArray, order: str, count: int, seed: int) -> NDArray:
    """`count` of K classes in rising order: at equal steps of their numbers, by `next_class` after one that is drawn,
    or at random. Fewer of the latter two are among more.
    """
    drawn = np.random.default_rng(seed).permutation(len(distances))
    if order == "at random":
        return np.sort(drawn[:count])
    if order == "evenly":
        if distances[0, -1] == 1:  # a ring: the last is beside the first
            return np.arange(count) * len(distances) // count
        return np.linspace(0, len(distances) - 1, count).round().astype(int)
    found = [int(drawn[0])]
    while len(found) < count:
        found.append(next_class(distances, found))
    return np.sort(found)


@dataclass(frozen=True)
class Angles:
    """A logistic regression that has seen some angles only, and must name any. A record a number of seen angles.

    In its `numbers`: "distance", the mean squared distance in classes from the named to the true angle; "exact", the
    share named exactly, "unseen" that of angles never seen (NaN where there are none); "named", how many different ones
    are; "bound", the distance if always the nearest of the seen ones were named; "seen", how many are.
    """

    by: str = setting("Loki", "how a class is named", choices=BY)
    space: str = setting(HALF, "which angles there are", choices=tuple(SPACES), knob=True)
    digit: str = setting("7", "which digits are turned", choices=("7", "4", "any"), knob=True)
    order: str = setting("evenly", "which angles are seen", choices=ORDERS, knob=True)
    most: int = setting(10, "angles seen in training, at most", low=2, high=19, knob=True)
    ratio: float = setting(0.0, "noise ratio of the labels of seen angles", low=0.0, high=0.4, knob=True)
    C: float = setting(0.03, "C of the logistic regression", low=0.001, high=100.0, knob=True, log=True)
    metric: str = setting("true", "distances that Loki is told", choices=METRICS, knob=True)
    seed: int = setting(0, "decides digits, angles, wrong labels, shuffling", low=0)
    kept = ("distance", "exact", "unseen", "bound")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def stages(self) -> list[int]:
        return [k for k in STAGES if k <= self.most]

    @property
    def epochs(self) -> int:
        return len(self.stages)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        distances = SPACES[self.space]
        true = classes_of(digits_to_test(self.space, self.digit, self.seed), self.space)
        for number, count in enumerate(self.stages, start=1):
            known = seen_classes(distances, self.order, count, self.seed)
            said = self.named(known)
            far, unseen = distances[said, true] ** 2, ~np.isin(true, known)
            numbers = {"seen": float(count), "distance": float(far.mean()), "exact": float((said == true).mean())}
            numbers |= {"unseen": float((said == true)[unseen].mean()) if unseen.any() else math.nan}
            numbers |= {"bound": float((distances[known][:, true].min(0) ** 2).mean())}
            numbers |= {"named": float(len(set(said.tolist())))}
            counts = np.zeros_like(distances)
            np.add.at(counts, (true, said), 1)
            yield Measured(number, numbers, {"counts": counts, "known": known, "said": said})

    def named(self, known: NDArray) -> NDArray:
        """(n,) the classes that are named for the test digits, by a model of the classes `known` (k,)."""
        how = (self.space, self.digit, tuple(known.tolist()), self.ratio, self.seed)
        if self.by == "ridge":
            return ridge_angles(*how)
        P = probabilities(*how, self.C)
        if self.by == "argmax":
            return known[P.argmax(1)]
        if self.by == "noise undone":
            P = without_noise(P, noise_matrix("symmetric", len(known), self.ratio))
        return frechet_means(P, self.told_distances(), known)

    def told_distances(self) -> NDArray:
        right = SPACES[self.space]
        if self.metric == "all alike":
            return all_alike(len(right))
        order = np.random.default_rng(self.seed).permutation(len(right))
        return right[np.ix_(order, order)] if self.metric == "shuffled" else right


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Which angles are named for which, and the distance by how many were seen."""
    from nlkit.plots.named_classes import named_and_distance

    return named_and_distance(records, tuple(PAGE.variants))


CS, RATIOS = (0.003, 0.3, 3.0), (0.1, 0.2, 0.4)
ALL = {"most": 19}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((by, ALL) for by in BY)
    yield from ((by, {"ratio": ratio}) for ratio in RATIOS for by in BY)
    yield from ((by, {"C": C, "ratio": ratio}) for C in CS for ratio in (0.0, 0.2) for by in BY[: 3 if ratio else 2])
    yield from (("Loki", {"metric": metric}) for metric in METRICS[1:])
    yield from (("Loki", {"order": order, "most": 5}) for order in ORDERS[1:])
    yield from ((by, changes) for changes in ({"space": FULL}, {"digit": "any"}) for by in BY)


def at(t: Trial, by: str, seen: int, number: str = "distance", **changes: Any) -> float:
    """A number with so many angles seen."""
    run = t.run(by, **(changes or ALL))
    return run.curves[number][STAGES.index(seen)]


def three(t: Trial, order: str) -> float:
    """The mean squared distance with three seen."""
    return at(t, "Loki", 3, order=order, most=5)


CONTROL = "a control that the paper leaves out"
LESS: dict[str, Any] = {"unit": "x"}
PAGE = Page(
    title="Loki: naming classes that were never seen",
    source="Roberts, Li, Adila, Cromp, Huang, Zhao, Sala, NeurIPS 2023, arXiv:2307.12226",
    finding="Told how far classes are apart, a classifier of four angles names nineteen, until wrong labels flatten "
    "its probabilities.",
    variants={by: {"by": by} for by in BY},
    headline="distance", experiment=Angles, picture=draw, grid=_grid, needs=("package:scikit-learn",),
    seeds=tuple(range(20)), tiny={"most": 2},
    claims=(
        Claim("loki_four", "With 4 of 19 angles seen, the mean squared distance is at least 15 % below that of argmax.",
              "abstract: ImageNet", lambda t: at(t, "Loki", 4) / at(t, "argmax", 4), "Loki over argmax", at_most=0.85,
              published="up to −29.7 %", **LESS),
        Claim("loki_two", "With only the two ends seen, it is below what naming always the nearer one would give.",
              "the locus of a path", lambda t: at(t, "Loki", 2) / at(t, "Loki", 2, "bound"),
              "Loki over the bound of the seen classes", at_most=1.0, **LESS),
        Claim("loki_unseen", "Of angles that were never seen it names at least one in ten exactly.",
              "abstract: unobserved classes", lambda t: [at(t, "Loki", k, "unseen") for k in (2, 4, 7)],
              "share of unseen angles named exactly, 2, 4 and 7 seen (argmax: none)", at_least=0.1),
        Claim("loki_noise", "The gain is there with one label in five wrong, 7 angles seen.", CONTROL,
              lambda t: at(t, "Loki", 7, ratio=0.2) / at(t, "argmax", 7, ratio=0.2), "Loki over argmax", at_most=0.85,
              why="Wrong labels flatten the probabilities, and the mean of flat ones is the middle of the space; the "
              "likeliest stays the likeliest.", **LESS),
        Claim("loki_undone", "With the noise undone in the probabilities, it is at least 5 % below argmax again.",
              CONTROL, lambda t: at(t, "noise undone", 7, ratio=0.2) / at(t, "argmax", 7, ratio=0.2),
              "noise undone over argmax", at_most=0.95, **LESS),
        Claim("loki_shuffled", "Told shuffled distances, it is at least twice as bad as argmax.", CONTROL,
              lambda t: [at(t, "Loki", k, metric="shuffled") / at(t, "argmax", k) for k in (4, 7)],
              "Loki with shuffled distances over argmax, 4 and 7 seen", at_least=2.0, **LESS),
        Claim("loki_ridge", "It is no worse than a ridge regression of the angle on the same examples.", CONTROL,
              lambda t: [at(t, "Loki", k) / at(t, "ridge", k) for k in (2, 4, 7)], "Loki over ridge, 2, 4 and 7 seen",
              at_most=1.0, why="From the two ends alone the regression tells more: 10.7 against 12.9. With 4 and 7 "
              "seen Loki is ahead.", **LESS),
        Claim("loki_next", "Three angles by the paper's rule of selection serve it better than three at random.",
              "active selection", lambda t: three(t, "at random") - three(t, "farthest first"),
              "mean squared distance, at random less by the rule", at_least=0.0, unit=""),
    ),
)  # fmt: skip
