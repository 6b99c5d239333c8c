"""Lesson 12, which labels are wrong? Lists of suspects, and how many labels of each one must look at.

4,000 digits of `mnist5k` with planted noise, and 5,000 images of CIFAR-10 with labels that people gave them
(`nlkit.noise.human`). What gives a label its suspicion are kinds of evidence of `nlkit.audit.evidence`, and two
controls: the loss of a network that was trained on the label to the end, and chance.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nlkit.audit import evidence
from nlkit.audit.judged import Judged, judged_digits
from nlkit.audit.proof import average_precision, labelled_by_people
from nlkit.learning.confident_joint import most_suspicious
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured, Recorded, Step
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

NOISES = ("symmetric", "pair", "instance", "instance-boundary")
PEOPLE = ("aggregate", "random1", "worst")
COMPARED = PEOPLE[:2]  # over seeds
FOUND_BY = (
    "small loss", "held-out probability", "held-out margin", "neighbours in pixels", "neighbours in features",
    "forgetting",
)  # fmt: skip
CONTROLS = ("loss at the end", "at random")
KINDS = (*FOUND_BY, *CONTROLS)
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)  # of the labels that are looked at
OF_PEOPLE = 500  # images of each class of CIFAR-10, about


@functools.lru_cache(maxsize=8)
def people(which: str, per_class: int, seed: int, epochs: int) -> Judged:
    """Ten times so many images of CIFAR-10, one of nine blocks by the seed, with the labels that people gave them."""
    return Judged(labelled_by_people(which, 10 * per_class, seed % 9), seed=seed, epochs=epochs)


@functools.lru_cache(maxsize=8)
def suspicions(judged: Judged) -> dict[str, np.ndarray]:
    """Kind -> how suspicious each label (N,) is, the higher the more; all parts of the cross-validation must be done.

    Equals are put in an order by chance, the same for all kinds.
    """
    probabilities, course = judged.probabilities(), judged.course
    near = {"pixels": judged.near(), "features": judged.near_by_features}
    found = {
        "small loss": evidence.small_loss(course),
        "held-out probability": evidence.confident_learning(probabilities, judged.given),
        "held-out margin": evidence.held_out_margin(probabilities, judged.given),
        **{f"neighbours in {space}": evidence.neighbours_vote(judged.given, places, judged.classes)
           for space, places in near.items()},
        "forgetting": evidence.forgetting(course),
        "loss at the end": evidence.loss_at_the_end(course),
    }  # fmt: skip
    chance = at_random(judged)
    places = {name: np.empty(len(chance)) for name in found}
    for name, scores in found.items():
        places[name][np.lexsort((chance, scores))] = np.arange(len(chance))
    return {**places, "at random": chance}


def at_random(judged: Judged) -> np.ndarray:
    """(N,) a suspicion that is drawn: the control."""
    return np.random.default_rng(judged.seed + 2000).permutation(len(judged.given)).astype(float)


def found_among_first(wrong: np.ndarray, suspicion: np.ndarray, share: float) -> tuple[float, float]:
    """Precision and recall when so great a share of the labels is looked at, the most suspicious first.

    Precision is the share of wrong labels (N,) among those, and NaN of none; recall the share of all wrong labels that
    is among them, and NaN where none is wrong.
    """
    count = round(share * len(wrong))
    hits = int(wrong[np.argsort(-suspicion, kind="stable")[:count]].sum())
    total = int(wrong.sum())
    return hits / count if count else float("nan"), hits / total if total else float("nan")


def suspected(judged: Judged) -> int:
    """How many labels confident learning itself takes for wrong: those off the diagonal of its confident joint."""
    return most_suspicious(judged.given, judged.probabilities())[1]


@dataclass(frozen=True)
class Detecting:
    """A record for each of `SHARES` of the labels that are looked at. In its `numbers`: "recall KIND", the "share",
    the share that is "wrong", "suspected" by confident learning; and, alike in all records, "ap KIND", the average
    precision of the whole list."""

    noise: str = setting("symmetric", "Which labels are wrong", choices=(*NOISES, *PEOPLE))
    ratio: float = setting(0.2, "Noise ratio of planted noise (people's labels have their own)", low=0.02, high=0.9,
                           knob=True)  # fmt: skip
    passes: int = setting(20, "Epochs of each network", low=1, high=40, knob=True)
    per_class: int = setting(400, "Examples of each class", low=20, high=500, knob=True)
    seed: int = setting(0, "Decides wrong labels, parts, initial weights, batches", low=0)

    kept = ("share", "wrong", "suspected", *(f"{what} {kind}" for what in ("recall", "ap") for kind in KINDS))
    epochs = len(SHARES)

    def __post_init__(self) -> None:
        check_settings(self)

    def judged(self) -> Judged:
        if self.noise in PEOPLE:
            return people(self.noise, self.per_class, self.seed, self.passes)
        return judged_digits(self.noise, self.ratio, self.per_class, self.seed, self.passes)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        judged = self.judged()
        for part in judged.work():
            if steps:
                yield Step(1, part, 6)
        scores, wrong = suspicions(judged), judged.wrong
        always = {f"ap {kind}": average_precision(wrong, of_kind) for kind, of_kind in scores.items()}
        always |= {"wrong": float(wrong.mean()), "suspected": suspected(judged) / len(wrong)}
        for record, share in enumerate(SHARES, start=1):
            recalls = {f"recall {kind}": found_among_first(wrong, scores[kind], share)[1] for kind in KINDS}
            yield Measured(record, {"share": share, **recalls, **always})


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((noise, {"ratio": ratio}) for ratio in (0.2, 0.4) for noise in NOISES)


def _grid_of_people() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((which, {}) for which in COMPARED)


def _picture(runs: Mapping[str, Sequence[Recorded]]) -> Figure:
    from nlkit.plots.suspects import shares_by_kind

    last = {name: records[-1].numbers for name, records in runs.items()}
    found = {name: {kind: numbers[f"ap {kind}"] for kind in KINDS} for name, numbers in last.items()}
    return shares_by_kind(found, title="average\nprecision, %")


def ahead(t: Trial, one: str, other: str, ratio: float, noises: Sequence[str] = NOISES) -> list[float]:
    """By how much one kind's average precision is ahead of another's, under each noise."""
    runs = [t.run(noise, **({} if noise in PEOPLE else {"ratio": ratio})) for noise in noises]
    return [run.last(f"ap {one}") - run.last(f"ap {other}") for run in runs]


def recall_at(t: Trial, noise: str, kind: str, share: float, **changes: Any) -> float:
    """The share of all wrong labels that is found when so many labels are looked at."""
    return t.run(noise, **changes).curves[f"recall {kind}"][SHARES.index(share)]


def precision_at(t: Trial, noise: str, kind: str, share: float, **changes: Any) -> float:
    """The share that is wrong of the labels that are looked at, when they are so many."""
    return recall_at(t, noise, kind, share, **changes) * t.run(noise, **changes).last("wrong") / share


def _spread(t: Trial, kinds: Sequence[str]) -> float:
    found = [t.run("symmetric", ratio=0.2).last(f"ap {kind}") for kind in kinds]
    return max(found) - min(found)


OURS, CONTROL = "measured here", "control"
_NEEDS, _SOURCE = ("package:scikit-learn", "package:cleanlab"), (
    "Han and others 2018, arXiv:1804.06872; Northcutt, Jiang, Chuang 2021, arXiv:1911.00068; Zhu, Dong, Liu 2022, "
    "arXiv:2110.06283; Toneva and others 2019, arXiv:1812.05159"
)  # fmt: skip
_AP = "average precision,"
PAGE = Page(
    title="Which labels are wrong?", source=_SOURCE,
    finding="Under symmetric noise all lists are alike; under pair noise the margin leads, on people's labels it lags.",
    variants={noise: {"noise": noise} for noise in NOISES}, headline="recall held-out margin", experiment=Detecting,
    picture=_picture, grid=_grid, needs=_NEEDS, tiny={"per_class": 20, "passes": 2}, panel={"passes": 8},
    claims=(
        Claim("wrong_first", "Of the first 5 % of a list nine in ten labels are wrong, whichever list, at 20 % "
              "symmetric noise.", OURS,
              lambda t: [precision_at(t, "symmetric", kind, 0.05, ratio=0.2) for kind in FOUND_BY],
              "precision among the first 200 of 4,000, six lists", at_least=0.9),
        Claim("wrong_chance", "Labels that are looked at without a list are wrong as often as all are.", CONTROL,
              lambda t: [precision_at(t, noise, "at random", 0.2, ratio=0.2) for noise in NOISES],
              "precision among 800 of 4,000 drawn at random, 20 % noise", at_least=0.17, at_most=0.23),
        Claim("wrong_alike", "Under symmetric noise small loss, held-out probability and margin, and neighbours are "
              "within 3 points.", OURS, lambda t: _spread(t, FOUND_BY[:5]),
              f"{_AP} the best less the worst of five lists, 20 %", at_most=0.03, unit="points"),
        Claim("wrong_margin", "Under pair noise the held-out margin is 10 points ahead of the held-out probability.",
              OURS, lambda t: ahead(t, "held-out margin", "held-out probability", 0.2, ("pair",))[0], f"{_AP} 20 %",
              at_least=0.1, unit="points"),
        Claim("wrong_forgetting", "Counting forgettings alone is behind the small loss, under each noise.", OURS,
              lambda t: ahead(t, "small loss", "forgetting", 0.2), f"{_AP} small loss less forgetting, 20 %",
              at_least=0.0, unit="points"),
        Claim("wrong_end", "The loss early in training beats that at its end, under each noise.", CONTROL,
              lambda t: ahead(t, "small loss", "loss at the end", 0.2), f"{_AP} early less late, 20 %", at_least=0.0,
              unit="points", why="Under pair noise wrong labels are learned nearly as early as right ones."),
        Claim("wrong_neighbours", "At 40 % pair and instance noise neighbours in pixels beat lists that ask a network.",
              OURS, lambda t: [gap for kind in ("small loss", "held-out probability", "held-out margin", "forgetting")
              for gap in ahead(t, "neighbours in pixels", kind, 0.4, ("pair", "instance"))],
              f"{_AP} neighbours less each of four lists", at_least=0.0, unit="points"),
        Claim("wrong_features", "On digits, features learned from noisy labels are a worse space than the pixels.",
              CONTROL, lambda t: ahead(t, "neighbours in pixels", "neighbours in features", 0.2),
              f"{_AP} pixels less features, 20 %", at_least=0.0, unit="points"),
        Claim("wrong_count", "Where noise falls on hard images, confident learning suspects about half as many as "
              "are wrong.", OURS, lambda t: t.run("instance-boundary", ratio=0.2).last("suspected") / 0.2,
              "suspects over wrong labels, 20 % instance-boundary", at_most=0.6),
    ),
)  # fmt: skip
PEOPLE_PAGE = Page(
    title="Which of people's labels are wrong?",
    source=f"{_SOURCE}; Wei and others 2022, arXiv:2110.12088 (the labels)",
    finding="People err where it is hard: the best list finds two to three times as many errors as chance, no more.",
    variants={which: {"noise": which, "per_class": OF_PEOPLE} for which in COMPARED}, headline="recall held-out margin",
    experiment=Detecting, picture=_picture, grid=_grid_of_people, needs=(*_NEEDS, "cifar10", "cifar10n"),
    tiny={"passes": 1, "per_class": 50}, panel={"passes": 4, "per_class": 100},
    claims=(
        Claim("people_chance", "By small loss and by held-out probability the first 5 % hold twice as many errors as "
              "by chance.", OURS,
              lambda t: [recall_at(t, which, kind, 0.05) for which in COMPARED for kind in FOUND_BY[:2]],
              "share of all errors among the first 250 of 5,000; by majority and of one person", at_least=0.1),
        Claim("people_margin", "On people's labels the margin is behind the probability: the other way round than "
              "under pair noise.", OURS, lambda t: ahead(t, "held-out probability", "held-out margin", 0, COMPARED),
              f"{_AP} probability less margin, two sets of labels", at_least=0.0, unit="points"),
        Claim("people_end", "On the labels of people, too, the loss early in training beats that at its end.", CONTROL,
              lambda t: ahead(t, "small loss", "loss at the end", 0, COMPARED), f"{_AP} early less late", at_least=0.0,
              unit="points"),
        Claim("people_features", "On photographs, features learned from these labels are a better space than pixels.",
              CONTROL, lambda t: ahead(t, "neighbours in features", "neighbours in pixels", 0, COMPARED),
              f"{_AP} features less pixels", at_least=0.0, unit="points"),
        Claim("people_count", "Of labels by majority, 9 % of them wrong, confident learning suspects four in ten or "
              "more.", OURS, lambda t: t.run("aggregate").last("suspected"), "share of the labels that are suspects",
              at_least=0.4),
    ),
)  # fmt: skip
