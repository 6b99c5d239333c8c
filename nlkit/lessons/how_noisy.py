"""Lesson 11, how noisy are my labels? The noise ratio and the matrix T estimated from noisy labels alone.

4,000 digits of `mnist5k` with planted noise, so that the truth is known afterwards. The ways are those of the audit
(`nlkit.audit.noise_rates`): counted, as confident learning does; clusterability; anchor points. The first and the last
ask networks that have not learned the example, at the end of any epoch or in the mean over the epochs up to it. Beside
them a control: every label that such a network does not predict is taken for wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from nlkit.audit.judged import Judged, judged_digits
from nlkit.audit.noise_rates import Rates, by_anchor_points, by_counting, ratio_of
from nlkit.noise.draws import realized_matrix
from nlkit.noise.matrices import matrix_error
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured, Recorded, Step
from nlkit.settings import check_settings, setting
from nlkit.training.train import train

if TYPE_CHECKING:
    from nlkit.plots import Figure

NOISES = ("symmetric", "pair", "instance", "instance-boundary")
WAYS = ("counted", "clusterability", "anchor points")
DISAGREEMENT = "disagreement"  # the control
LOOKS = (1, 2, 5, 10, 20)  # epochs after which the networks are asked
FLAT = 5  # dimensions in which half of the digits have a neighbour of another class
CELLS = (("symmetric", 0.0), *((noise, ratio) for ratio in (0.2, 0.4) for noise in NOISES), ("pair", 0.6))
CORRECTED = ("symmetric", "pair", "instance")
TOLD = ("no matrix", "the true T", *WAYS)


def estimated(judged: Judged, *, first: int = 1, last: int | None = None, dimensions: int = 50) -> dict[str, Rates]:
    """T and the shares of the true classes by way, of the examples that networks were asked about so far.

    first, last: the epochs over which what they say is averaged. dimensions: of the space of neighbours. As long as
    nobody was asked, clusterability alone has an answer, since it asks nobody.
    """
    found = {"clusterability": judged.by_clusterability(dimensions)}
    if judged.asked.any():
        probabilities, given = judged.probabilities(first, last), judged.given[judged.asked]
        found["counted"] = by_counting(probabilities, given)
        found["anchor points"] = by_anchor_points(probabilities, given)
    return {way: found[way] for way in WAYS if way in found}


def disagreement(judged: Judged, *, first: int = 1, last: int | None = None) -> float:
    """The share of labels, of those asked about, that the networks do not predict."""
    predicted = judged.probabilities(first, last).argmax(1)
    return float((predicted != judged.given[judged.asked]).mean())


@dataclass(frozen=True)
class Estimating:
    """A record for each of `LOOKS`. In its `numbers`, by way: "ratio WAY" and "error WAY" of T from the mean over the
    epochs so far, "alone WAY" the ratio by the last epoch alone; the true ratio is "wrong". Also the control, and what
    clusterability says in `FLAT` dimensions."""

    noise: str = setting("symmetric", "How labels go wrong", choices=NOISES)
    ratio: float = setting(0.4, "Noise ratio: share of wrong labels", low=0.0, high=0.9, knob=True)
    passes: int = setting(20, "Epochs of each network", low=1, high=40, knob=True)
    per_class: int = setting(400, "Digits of each class", low=20, high=400, knob=True)
    seed: int = setting(0, "Decides wrong labels, parts, initial weights, batches", low=0)

    kept = (
        "wrong", *(f"{what} {way}" for way in WAYS for what in ("ratio", "error")), "alone counted",
        "alone anchor points", "ratio disagreement", "alone disagreement", "flat", "alike", "alike flat",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def looks(self) -> tuple[int, ...]:
        return (*(look for look in LOOKS if look < self.passes), self.passes)

    @property
    def epochs(self) -> int:
        return len(self.looks)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        judged = judged_digits(self.noise, self.ratio, self.per_class, self.seed, self.passes)
        for part in judged.work():
            if steps:
                yield Step(1, part, 5)
        true = judged.task.realized_matrix.numpy()
        flat = ratio_of(*estimated(judged, dimensions=FLAT)["clusterability"])
        alike = {name: float((judged.true[judged.near(d)[:, :2]] == judged.true[:, None]).all(1).mean())
                 for name, d in (("alike", 50), ("alike flat", FLAT))}  # fmt: skip
        for record, epoch in enumerate(self.looks, start=1):
            found, alone = estimated(judged, last=epoch), estimated(judged, first=epoch, last=epoch)
            numbers = {"wrong": float(judged.wrong.mean()), "flat": flat, **alike}
            for way, rates in found.items():
                numbers |= {f"ratio {way}": ratio_of(*rates), f"error {way}": matrix_error(rates[0], true)}
            numbers |= {f"alone {way}": ratio_of(*alone[way]) for way in ("counted", "anchor points")}
            numbers["ratio disagreement"] = disagreement(judged, last=epoch)
            numbers["alone disagreement"] = disagreement(judged, first=epoch, last=epoch)
            yield Measured(record, numbers)


@dataclass(frozen=True)
class Correcting:
    """Forward correction (Patrini et al. 2017) by one of the matrices, or training without any; test accuracy."""

    told: str = setting("the true T", "By which matrix the loss is corrected", choices=TOLD)
    noise: str = setting("pair", "How labels go wrong", choices=NOISES)
    ratio: float = setting(0.4, "Noise ratio: share of wrong labels", low=0.0, high=0.9)
    passes: int = setting(20, "Epochs", low=1, high=40)
    per_class: int = setting(400, "Digits of each class", low=20, high=400)
    seed: int = setting(0, "Decides wrong labels, parts, initial weights, batches", low=0)

    kept = ("test_accuracy",)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return self.passes

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        judged = judged_digits(self.noise, self.ratio, self.per_class, self.seed, self.passes)
        options = {} if self.told == "no matrix" else {"matrix": self._matrix(judged)}
        method = "forward" if options else "standard"
        for record in train(judged.task, method, epochs=self.passes, seed=self.seed, yield_steps=steps, **options):
            accuracy = None if isinstance(record, Step) else record.test_accuracy
            yield record if accuracy is None else Measured(record.epoch, {"test_accuracy": accuracy})

    def _matrix(self, judged: Judged) -> torch.Tensor:
        if self.told == "the true T":
            return judged.task.realized_matrix
        for _ in judged.work():
            pass
        return torch.from_numpy(estimated(judged)[self.told][0])


def halves_apart(t: Trial, noise: str) -> float:
    """How far the matrices of a class's two halves are apart, one half with more ink than the other: the mean over the
    classes of the summed absolute differences of their rows, 0 to 2. No network is trained for it."""
    judged = judged_digits(noise, 0.4, 400, t.seed, 20)
    ink, true, given = judged.images.flatten(1).mean(1), judged.task.true_labels, judged.task.given_labels
    middle = torch.stack([ink[true == c].median() for c in range(judged.classes)])
    dark = ink > middle[true]
    light, heavy = (realized_matrix(true[half], given[half], judged.classes).numpy() for half in (~dark, dark))
    return matrix_error(light, heavy)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((noise, {"ratio": ratio}) for noise, ratio in CELLS)
    yield from ((name, {}) for name in PAGE.besides)


def _picture(runs: Mapping[str, Sequence[Recorded]]) -> Figure:
    from nlkit.plots.estimates import estimated_ratios

    last = {name: records[-1].numbers for name, records in runs.items()}
    ways = (*WAYS, DISAGREEMENT)
    return estimated_ratios(
        {name: {way: [numbers[f"ratio {way}"]] for way in ways} for name, numbers in last.items()},
        {name: numbers["wrong"] for name, numbers in last.items()}, ways,
    )  # fmt: skip


def _last(t: Trial, noise: str, ratio: float, number: str) -> float:
    return t.run(noise, ratio=ratio).last(number)


def _off(t: Trial, noise: str, ratio: float, way: str) -> float:
    """How far an estimated noise ratio is from the planted one."""
    run = t.run(noise, ratio=ratio)
    return abs(run.last(f"ratio {way}") - run.last("wrong"))


def _right_ratio_wrong_matrix(t: Trial) -> tuple[float, float]:
    counted, anchors = ((_off(t, "symmetric", 0.4, way), _last(t, "symmetric", 0.4, f"error {way}"))
                        for way in ("counted", "anchor points"))  # fmt: skip
    return counted[0] - anchors[0], anchors[1] - counted[1]


def corrected(t: Trial, noise: str, told: str) -> float:
    """Test accuracy at 40 % noise of forward correction by a matrix, or of training without."""
    return t.run(f"{noise}, {told}").last("test_accuracy")


OURS, CONTROL, BY_MATRIX = "measured here", "control", ("symmetric", "pair", "instance")
_DIGITS = "4,000 digits, mean over 20 epochs"
PAGE = Page(
    title="How noisy are my labels?",
    source="Patrini and others 2017, arXiv:1609.03683; Zhu, Song, Liu 2021, arXiv:2102.05291; Northcutt, Jiang, "
    "Chuang 2021, arXiv:1911.00068",
    finding="Three ways find a ratio within five points, until the noise falls on hard images: then all miss a fifth.",
    variants={noise: {"noise": noise} for noise in NOISES}, headline="error counted", experiment=Estimating,
    picture=_picture, grid=_grid,
    besides={f"{noise}, {told}": (Correcting, {"noise": noise, "told": told}) for noise in CORRECTED for told in TOLD},
    needs=("package:scikit-learn", "package:cleanlab"), tiny={"per_class": 20, "passes": 2}, panel={"passes": 8},
    claims=(
        Claim("noisy_within", "Under symmetric noise each of the three ways comes within 5 points of the ratio.", OURS,
              lambda t: [_off(t, "symmetric", ratio, way) for ratio in (0.2, 0.4) for way in WAYS],
              f"distance of estimated from planted ratio at 20 and 40 %, {_DIGITS}", at_most=0.05, unit="points"),
        Claim("noisy_control", "At 20 % noise counting is nearer than to take every label for wrong that is not "
              "predicted.", CONTROL, lambda t: [_off(t, n, 0.2, DISAGREEMENT) - _off(t, n, 0.2, "counted")
              for n in BY_MATRIX], "distance of the control less that of counting; symmetric, pair, instance",
              at_least=0.03, unit="points"),
        Claim("noisy_clean", "Labels that are all right are taken for noisy by 1 % or more, counted or by "
              "clusterability.", CONTROL, lambda t: [_last(t, "symmetric", 0.0, f"ratio {way}") for way in WAYS[:2]],
              "estimated ratio without any planted noise", at_least=0.01),
        Claim("noisy_sure", "Networks that are asked after their last epoch alone are too sure: anchor points then "
              "find two thirds of the noise at most.", OURS, lambda t: [_last(t, n, 0.2, "alone anchor points") / 0.2
              for n in BY_MATRIX], "estimated over planted ratio at 20 %; symmetric, pair, instance", at_most=2 / 3),
        Claim("noisy_flat", f"In {FLAT} dimensions, where half of the digits have a neighbour of another class, "
              "clusterability finds 10 points too much.", CONTROL, lambda t: _last(t, "symmetric", 0.2, "flat") - 0.2,
              "estimated less planted ratio, 20 % symmetric", at_least=0.1, unit="points"),
        Claim("noisy_matrix", "At 40 % symmetric noise anchor points have a better ratio than counting, and a worse "
              "matrix.", OURS, _right_ratio_wrong_matrix, "how much nearer their ratio is, and how much greater the "
              "error of their T (0 to 2)", at_least=0.0, unit=""),
        Claim("noisy_hard", "Of noise that falls on hard images all three ways miss a fifth or more.", OURS,
              lambda t: [_last(t, "instance-boundary", 0.4, f"ratio {way}") / 0.4 for way in WAYS],
              "estimated over planted ratio, 40 % instance-boundary", at_most=0.8),
        Claim("noisy_halves", "Such noise has no one matrix: those of a class's two halves differ more than by chance.",
              OURS, lambda t: halves_apart(t, "instance-boundary") - halves_apart(t, "symmetric"),
              "distance between the matrices of digits with little and with much ink, less that under symmetric noise "
              "(0 to 2)", at_least=0.1, unit=""),
        Claim("noisy_mirror", "At 60 % pair noise all three ways say that less than half of the labels are wrong.",
              OURS, lambda t: [_last(t, "pair", 0.6, f"ratio {way}") for way in WAYS], "estimated ratio", at_most=0.5),
        Claim("noisy_forward", "At 40 % pair noise the true T is worth 10 points to forward correction, and a counted "
              "one as much.", OURS, lambda t: [corrected(t, "pair", told) - corrected(t, "pair", "no matrix")
              for told in ("the true T", "counted")], "test accuracy with T less without", at_least=0.1,
              unit="points"),
        Claim("noisy_as_good", "Corrected by a counted T, a network is at most 2 points behind one with the true T.",
              CONTROL, lambda t: [corrected(t, n, "the true T") - corrected(t, n, "counted") for n in CORRECTED],
              "test accuracy, true less counted T; symmetric, pair, instance at 40 %", at_most=0.02, unit="points"),
    ),
)  # fmt: skip
