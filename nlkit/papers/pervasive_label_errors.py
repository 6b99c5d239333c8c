"""Pervasive label errors in test sets: suspects, verdicts, and what wrong test labels do to a ranking of models.

    Northcutt, Athalye, Mueller: Pervasive label errors in test sets destabilize machine learning benchmarks. NeurIPS
    2021 Datasets and Benchmarks, arXiv:2103.14749; Northcutt, Jiang, Chuang: Confident learning. JAIR 2021,
    arXiv:1911.00068; github.com/cleanlab/label-errors.

    t_j     = mean of p_j over the examples with label j                                (threshold of a class)
    C[i, j] = number of examples with label i whose largest p_j among those with p_j ≥ t_j is j    (confident joint)
    m       = Σ_{i≠j} C[i, j]  suspects: those of the smallest margin  p_y − max_{j≠y} p_j
    A(N)    = N · a_wrong + (1 − N) · a_right       (accuracy if a share N of the test labels is wrong)
    N*      = g / (g + d)    (where two models change places; g, d: leads of one on right, of the other on wrong ones)

p is said of examples that the model did not learn from. The joint is not calibrated. Five people judge a suspect; its
label is an error if at most two of them chose it (`nlkit.data.verdicts`).

The paper removes rightly labelled test images at random until wrong ones make up N; that is the straight line. Its
models are published networks. Here nine small ones learn from, and are tested on, digits that one annotator labelled,
who has seen a few of each and names all others by the nearest. Such mistakes have habits, and true labels are known.
That the habit is the cause is shown by labels made wrong at random, which the paper does not do.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nlkit.data.load import load
from nlkit.data.verdicts import load_crowd, load_suspicions, load_verdicts
from nlkit.learning.confident_joint import most_suspicious
from nlkit.learning.nine_models import MODELS, KernelRidges, predictions
from nlkit.noise.annotator import annotate, split_by_class
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlkit.plots import Figure

RESERVE = 50  # digits a class that the annotator may have seen
STIFF, FLEXIBLE, SUSPECTING = "class means", "network of 256", "kernel ridge 0.01"
STEEPNESS = 8.0  # by which scores of the suspecting model, about 0 and 1, go into a softmax


@dataclass(frozen=True)
class Benchmark:
    """Nine models on a benchmark of digits with wrong labels. A record a model, the stiffest first.

    In its `numbers` are accuracies by the "given" test labels and by the "true" ones; on "right" test labels, and on
    wrong ones "as_labelled"; and "flips", how many pairs of the models so far the given labels put in another order.
    """

    labels: str = setting("annotator", "who makes the labels", choices=("annotator", "random", "pair"))
    seen: int = setting(5, "digits a class that the annotator has seen", low=2, high=RESERVE, knob=True)
    ratio: float = setting(0.3, "noise ratio, if random or pair", low=0.05, high=0.8, knob=True)
    corrected: float = setting(0.0, "share of test labels checked, suspicious ones first", low=0, high=1, knob=True)
    size: int = setting(200, "digits a class to learn from, and as many to test on", low=20, high=225)
    seed: int = setting(0, "decides split, annotator, noise and networks", low=0)
    epochs = len(MODELS)

    def __post_init__(self) -> None:
        check_settings(self)

    def problem(self) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Images (n, 784), given and true labels (n,), and parts: 0 training, 1 test, 2 neither."""
        images, true, part = split_by_class(load("mnist5k"), (self.size, self.size, RESERVE), self.seed)
        if self.labels == "annotator":
            return images, annotate(images, true, part == 2, self.seen), true, part
        matrix, given = noise_matrix("symmetric" if self.labels == "random" else "pair", 10, self.ratio), true.copy()
        for which in (0, 1):
            at = np.flatnonzero(part == which)
            given[at] = corrupt(torch.from_numpy(true[at]), matrix, seed=2 * self.seed + which).numpy()
        return images, given, true, part

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        images, given, true, part = self.problem()
        learnt, labels, tested = images[part == 0], given[part == 0], images[part == 1]
        given, true = given[part == 1], true[part == 1]
        ridges = _kernel_ridges(self.size, self.seed).scores(labels)
        numbers = self._checked(ridges[SUSPECTING], given, true)
        return self._records(predictions(learnt, labels, tested, ridges, seed=self.seed), given, true, numbers)

    def _checked(self, scores: NDArray, given: NDArray, true: NDArray) -> dict[str, float]:
        """How many suspects a model finds, and how well; people have then put the first labels of `given` right."""
        p = np.exp(STEEPNESS * scores)
        order, suspects = most_suspicious(given, p / p.sum(1, keepdims=True))
        wrong = given != true
        found = {"suspects": suspects / len(given)}
        if suspects and wrong.any():
            caught = wrong[order[:suspects]]
            found |= {"precision": float(caught.mean()), "recall": float(caught.sum() / wrong.sum())}
        checked = order[: round(self.corrected * len(given))]
        given[checked] = true[checked]
        return found

    def _records(self, said_by: Iterator, given: NDArray, true: NDArray, common: dict) -> Iterator[Measured]:
        wrong, done = given != true, []
        for number, (name, said) in enumerate(said_by, start=1):
            by_given, by_true = said == given, said == true
            done.append((by_given.mean(), by_true.mean()))
            flips = sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for i, a in enumerate(done) for b in done[:i])
            shares = {"given": by_given, "true": by_true, "right": by_true[~wrong]}
            if wrong.any():
                shares |= {"as_labelled": by_given[wrong], "seen_through": by_true[wrong]}
            numbers = common | {"flips": float(flips), "wrong": float(wrong.mean())}
            yield Measured(number, numbers | {k: float(v.mean()) for k, v in shares.items()}, {"model": name})


@functools.lru_cache(maxsize=1)  # runs that race differ in their labels alone
def _kernel_ridges(size: int, seed: int) -> KernelRidges:
    images, _, part = split_by_class(load("mnist5k"), (size, size, RESERVE), seed)
    return KernelRidges(images[part == 0], images[part == 1])


@dataclass(frozen=True)
class Verdicts:
    """What people said of the suspects of a test set: a record a suspect, the most suspicious first, all in counts."""

    test_set: str = setting("mnist", "whose suspects", choices=("mnist", "cifar10"))
    seed: int = setting(0, "decides nothing: nothing is drawn", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        """Raises a DataError where the files are not."""
        verdicts, (labels, p) = load_verdicts(self.test_set), load_suspicions(self.test_set)
        crowd = load_crowd() if self.test_set == "cifar10" else None
        return self._records(verdicts, *most_suspicious(labels, p), labels, crowd)

    def _records(self, verdicts, order, suspects, labels, crowd) -> Iterator[Measured]:
        place = {int(at): row for row, at in enumerate(verdicts.places)}
        counts = {"errors": 0.0, "correctable": 0.0, "neither": 0.0, "rejected": 0.0}
        for number, at in enumerate(order[: len(place)].tolist(), start=1):
            error = verdicts.errors[place[at]]
            counts["errors"] += error
            counts["correctable"] += verdicts.agreed[place[at]] == "guessed"
            counts["neither"] += verdicts.agreed[place[at]] == "neither"
            if crowd is not None:
                counts["rejected"] += error and crowd[at].argmax() != labels[at]
            yield Measured(number, {"suspects": float(suspects)} | counts)


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """The order of the models by given and by true labels, and two of them along the share of wrong labels."""
    from nlkit.plots.benchmark import orders_of_models

    return orders_of_models(records, LINES, (STIFF, FLEXIBLE))


LINES = ("annotator", "random", "pair")
AMOUNTS = {"annotator": ("seen", (2, 5, 10, 20, 50)), "random": ("ratio", (0.05, 0.1, 0.2, 0.3, 0.6)),
           "pair": ("ratio", (0.1, 0.2, 0.3, 0.4))}  # fmt: skip
CORRECTED = (0.05, 0.1, 0.2, 0.4)


def _grid() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((name, {setting: amount}) for name, (setting, amounts) in AMOUNTS.items() for amount in amounts)
    yield from ((name, {"corrected": share}) for name in ("annotator", "random") for share in CORRECTED)
    yield from ((test_set, {"seed": 0}) for test_set in ("MNIST", "CIFAR-10"))


def lead(t: Trial, by: str, **changes: Any) -> float:
    """A number of the most flexible model less that of the stiffest, with the annotator's labels."""
    curve = t.run("annotator", **changes).curves[by]
    return curve[MODELS.index(FLEXIBLE)] - curve[MODELS.index(STIFF)]


def _counts(t: Trial) -> tuple[float, ...]:
    return tuple(t.run(name, seed=0).last("errors") - told for name, told in (("MNIST", 15), ("CIFAR-10", 54)))


def _second_crowd(t: Trial) -> float:
    people = t.run("CIFAR-10", seed=0)
    return people.last("rejected") / people.last("errors")


_DIGITS = "digits, an annotator who has seen 5 of each"
PAGE = Page(
    title="Pervasive label errors in test sets",
    source="Northcutt, Athalye, Mueller, NeurIPS 2021 Datasets and Benchmarks, arXiv:2103.14749",
    finding="Wrong test labels with habits put models in the wrong order; as many random ones do not.",
    variants={name: {"labels": name} for name in LINES},
    besides={"MNIST": (Verdicts, {"test_set": "mnist"}), "CIFAR-10": (Verdicts, {"test_set": "cifar10"})},
    headline="given", experiment=Benchmark, picture=draw, grid=_grid, tiny={"size": 20}, panel={"size": 100},
    needs=("package:scikit-learn",),
    claims=(
        Claim("pervasive_label_errors_counts", "People find 15 errors among MNIST's 100 suspects, and 54 among "
              "CIFAR-10's 275.", "table 1", _counts, "errors found, less those published", published="15 and 54",
              at_least=0, at_most=0, unit=""),
        Claim("pervasive_label_errors_crowd", "A second crowd, of fifty an image, rejects fewer than half of "
              "CIFAR-10's 54.", "a control that the paper lacks", _second_crowd,
              "share of the errors that its majority rejects", at_most=0.5),
        Claim("pervasive_label_errors_random", "Random errors leave the models' order nearly as it is.",
              "a control that the paper lacks", lambda t: [t.run("random", ratio=r).last("flips") for r in (0.3, 0.6)],
              "pairs of 36 in another order, 30 and 60 % random errors", at_most=1.5, unit=""),
        Claim("pervasive_label_errors_order", "An annotator's errors change it.", "abstract: destabilize",
              lambda t: t.run("annotator").last("flips"), f"the same, {_DIGITS}", at_least=10, unit=""),
        Claim("pervasive_label_errors_worse", "By such labels the most flexible model is ahead of class means, and by "
              "true ones it is behind.", "abstract: lower capacity wins",
              lambda t: (lead(t, "given"), -lead(t, "true")), f"lead by given, and lag by true labels, {_DIGITS}",
              at_least=0.01, unit="points"),
        Claim("pervasive_label_errors_habit", "It has learnt the annotator's habits: on wrong labels it says more "
              "often what they say.", "section 5", lambda t: lead(t, "as_labelled"),
              f"its lead on wrong labels, {_DIGITS}", at_least=0.10, unit="points"),
        Claim("pervasive_label_errors_suspects", "Confident learning suspects most of the random errors, and few of an "
              "annotator's.", "a control that the paper lacks",
              lambda t: t.run("random", ratio=0.2).last("recall") - t.run("annotator", seen=20).last("recall"),
              "share of the errors suspected, 20 % random less annotator who has seen 20", at_least=0.3, unit="points"),
    ),
)  # fmt: skip
