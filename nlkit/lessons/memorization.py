"""Lesson 2, memorization: a network learns the truth first, and the wrong labels after."""

from __future__ import annotations

from nlkit.lessons.sources import TUTORIAL
from nlkit.page import Claim, Page, Trial


def _loss_after_peak(t: Trial, ratio: float = 0.8) -> float:
    run = t.run("standard", epochs=40, ratio=ratio)
    return run.best - run.final


def _memorized_minus_recovered(t: Trial) -> float:
    run = t.run("standard", epochs=40)
    return run.last("memorized") - run.last("recovered")


def _rise_of_given(t: Trial) -> float:
    run = t.run("standard", epochs=40)
    return run.last("given_accuracy") - run.at_best("given_accuracy")


PAGE = Page(
    title="Memorization",
    source="Zhang et al. 2017; Arpit et al. 2017; Liu et al. 2020",
    finding="Standard training first sees through wrong labels, and then learns them by heart.",
    claims=(
        Claim(
            "standard_falls",
            "Standard training peaks early and then loses much of what it had learned.",
            TUTORIAL,
            _loss_after_peak,
            "best minus last test accuracy",
            seeds=3,
            at_least=0.25,
            published="33.4 points",
            unit="points",
        ),
        Claim(
            "early_learning",
            "At its best epoch the network sees through most wrong labels and predicts the true class.",
            "Arpit et al. 2017; Liu et al. 2020 (ELR)",
            lambda t: t.run("standard", epochs=40).at_best("recovered"),
            "wrong labels recovered at the best epoch",
            seeds=3,
            at_least=0.6,
        ),
        Claim(
            "memorizes",
            "At the end it predicts more of the wrong labels as given than as their true class.",
            "Zhang et al. 2017",
            _memorized_minus_recovered,
            "memorized minus recovered at the end",
            seeds=3,
            at_least=0.05,
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
            "The more noise, the more is lost after the peak.",
            "measured here",
            lambda t: _loss_after_peak(t, 0.8) - _loss_after_peak(t, 0.2),
            "loss after the peak at 80 % minus at 20 %",
            at_least=0.05,
            unit="points",
        ),
    ),
    variants={"standard": {"method": "standard"}, "early_stopping": {"method": "early_stopping"}},
    tiny={"epochs": 1},
)
