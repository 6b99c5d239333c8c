"""Lesson 2, memorization: a network learns the truth first, and the wrong labels after."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from nlkit.lessons.sources import TUTORIAL
from nlkit.page import Claim, Page, Trial

RATIOS = (0.2, 0.4, 0.6, 0.8)
EPOCHS = 40


def _loss_after_peak(t: Trial, ratio: float = 0.8) -> float:
    run = t.run("standard", epochs=EPOCHS, ratio=ratio)
    return run.best - run.final


def _memorized_minus_recovered(t: Trial) -> float:
    run = t.run("standard", epochs=EPOCHS)
    return run.last("memorized") - run.last("recovered")


def _stopped(t: Trial, ratio: float) -> float:
    """The last test accuracy of standard training that stops on held-out given labels."""
    return t.run("early_stopping", epochs=EPOCHS, ratio=ratio).final


def _missed(t: Trial, ratio: float) -> float:
    """By how much the best epoch, found with test labels, is above the one found on held-out given labels."""
    return t.run("standard", epochs=EPOCHS, ratio=ratio).best - _stopped(t, ratio)


def _rise_of_given(t: Trial) -> float:
    run = t.run("standard", epochs=EPOCHS)
    return run.last("given_accuracy") - run.at_best("given_accuracy")


def _grid() -> Iterator[tuple[str, dict[str, object]]]:
    """Standard training to its end and stopped in time, from no noise to so much that held-out labels say nothing."""
    for ratio in (0.0, *RATIOS, 0.9):
        for variant in ("standard", "early_stopping"):
            yield variant, {"epochs": EPOCHS, "ratio": ratio}


PAGE = Page(
    title="Memorization",
    source="Zhang et al. 2017; Arpit et al. 2017; Liu et al. 2020",
    finding="Standard training first sees through wrong labels, then memorizes them; held-out noisy labels tell when.",
    claims=(
        Claim(
            "standard_falls",
            "Standard training peaks early and then loses much of what it had learned.",
            TUTORIAL,
            _loss_after_peak,
            "best minus last test accuracy",
            at_least=0.25,
            published="33.4 points",
            unit="points",
        ),
        Claim(
            "early_learning",
            "At its best epoch the network sees through most wrong labels and predicts the true class.",
            "Arpit et al. 2017; Liu et al. 2020 (ELR)",
            lambda t: t.run("standard", epochs=EPOCHS).at_best("recovered"),
            "wrong labels recovered at the best epoch",
            at_least=0.6,
        ),
        Claim(
            "memorizes",
            "At the end it predicts most of the wrong labels as given, and few as their true class.",
            "Zhang et al. 2017",
            _memorized_minus_recovered,
            "memorized minus recovered at the end",
            at_least=0.5,
            unit="points",
        ),
        Claim(
            "training_misleads",
            "While test accuracy falls, accuracy on the given labels rises.",
            TUTORIAL,
            _rise_of_given,
            "rise of given-label accuracy from the best epoch to the last",
            at_least=0.15,
            published="10.6 points",
            unit="points",
        ),
        Claim(
            "noise_costs_more",
            "From 20 to 80 % noise, each step up loses more after the peak.",
            "measured here",
            lambda t: [_loss_after_peak(t, more) - _loss_after_peak(t, less) for less, more in pairwise(RATIOS)],
            "by how much the loss grows, at the step where it grows least",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "held_out_saves",
            "Stopped on held-out given labels, standard training keeps 25 points at 80 % noise that training on loses.",
            "Chen et al. 2021, arXiv:2012.04193",
            lambda t: _stopped(t, 0.8) - t.run("standard", epochs=EPOCHS).final,
            "last test accuracy, stopped minus trained to the end",
            at_least=0.25,
            unit="points",
        ),
        Claim(
            "held_out_finds",
            "From 20 to 60 % noise, held-out given labels find an epoch within 5 points of the best one.",
            "Chen et al. 2021, arXiv:2012.04193",
            lambda t: [_missed(t, ratio) for ratio in (0.2, 0.4, 0.6)],
            "best test accuracy, found with test labels, minus that of the epoch found without, where it is largest",
            at_most=0.05,
            unit="points",
        ),
        Claim(
            "held_out_blind",
            "At 90 % noise, held-out given labels find a good epoch no longer: on ten classes, they then say nothing.",
            "by hand: the slope 1 - r - r/9 is 0",
            lambda t: _missed(t, 0.9),
            "best test accuracy minus that of the epoch found without test labels",
            at_least=0.1,
            unit="points",
        ),
    ),
    variants={"standard": {"method": "standard"}, "early_stopping": {"method": "early_stopping"}},
    grid=_grid,
    keep=("given_accuracy", "recovered"),
    tiny={"epochs": 1},
)
