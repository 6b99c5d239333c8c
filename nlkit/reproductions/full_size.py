"""The tutorial's experiment at full size: all of MNIST, 80 % noise as it draws it, 50 clean a class, 25 epochs.

Published are one run of standard training and one of reweighting. Beside them stand the controls that it lacks: the
clean set alone; both with the same labels (neither trains on the clean set, or both do); the same compute, which is
three times the epochs, since a step of reweighting costs about as much as three others.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from nlkit.intervals import over_seeds
from nlkit.reproductions.measures import Measure, Trial
from nlkit.result import Result
from nlkit.training import train

SETTING = {"data": "mnist", "noise": "symmetric-doubled", "ratio": 0.8, "clean_per_class": 50}

ROWS: dict[str, dict[str, object]] = {
    "standard training": {"method": "standard"},
    "reweighting": {"method": "reweight"},
    "clean set alone": {"method": "clean_only"},
    "standard training, noisy set alone": {"method": "standard", "options": {"learn_clean": False}},
    "reweighting, trained on the clean set too": {"method": "reweight", "options": {"learn_clean": True}},
    "standard training, 75 epochs": {"method": "standard", "epochs": 75},
    "clean set alone, 75 epochs": {"method": "clean_only", "epochs": 75},
}
AGAINST = "reweighting"  # what the others are compared with, seed by seed

# What the tutorial prints, of one run each: epoch -> accuracy on the test set, and on the labels trained on. The latter
# is counted in the course of the epoch; "best" is as its text rounds it; seconds an epoch are a mean, on a GPU.
PUBLISHED = {
    "standard training": {
        "test": {1: 0.6896, 2: 0.7377, 3: 0.7216, 23: 0.4401, 24: 0.4244, 25: 0.4044},
        "given": {1: 0.1739, 2: 0.1921, 3: 0.2002, 23: 0.2902, 24: 0.2966, 25: 0.2983},
        "best": 0.74, "seconds": 1.82,
    },
    "reweighting": {
        "test": {1: 0.8383, 2: 0.8466, 3: 0.8510, 23: 0.8525, 24: 0.8530, 25: 0.8536},
        "given": {1: 0.1763, 2: 0.1871, 3: 0.1888, 23: 0.2063, 24: 0.2077, 25: 0.2083},
        "best": 0.854, "seconds": 4.70,
    },
}  # fmt: skip


def row(t: Trial, name: str) -> Result:
    """The run of one row."""
    return t.run(**SETTING, **ROWS[name])


def _ahead(t: Trial, name: str, other: str) -> float:
    return row(t, name).final - row(t, other).final


def _mentormix(t: Trial) -> float:
    options = {"percentile": 0.2, "alpha": 4.0, "second_weighting": True, "by_class": True}
    setting = SETTING | {"clean_per_class": 0}
    return t.run(**setting, method="mentormix", weight_average=0.999, options=options).final


def _cost(t: Trial, rounds: int = 3) -> float:
    """Seconds an epoch of reweighting takes, over those of the epoch of standard training just before: the median."""
    task = t.task(**SETTING)
    sides = zip(*(train(task, method, epochs=rounds, seed=t.seed) for method in ("standard", "reweight")))
    return statistics.median(reweight.seconds / standard.seconds for standard, reweight in sides)


MEASURES: dict[str, Measure] = {
    "full_standard_final": lambda t: row(t, "standard training").final,
    "full_standard_best": lambda t: row(t, "standard training").best,
    "full_too_small": lambda t: row(t, "standard training").at_end("given_accuracy"),
    "full_reweight_final": lambda t: row(t, "reweighting").final,
    "full_beats_early_stopping": lambda t: row(t, "reweighting").final - row(t, "standard training").best,
    "full_cost": _cost,
    "full_beats_clean": lambda t: _ahead(t, "reweighting", "clean set alone"),
    "full_same_labels_standard": lambda t: _ahead(t, "standard training, noisy set alone", "standard training"),
    "full_same_labels_reweight": lambda t: _ahead(t, "reweighting, trained on the clean set too", "reweighting"),
    "full_same_labels_clean": lambda t: _ahead(t, "reweighting, trained on the clean set too", "clean set alone"),
    "full_same_compute_standard": lambda t: _ahead(t, "standard training, 75 epochs", "standard training"),
    "full_same_compute": lambda t: _ahead(t, "reweighting", "clean set alone, 75 epochs"),
    "full_mentormix": _mentormix,
}


def summary(curves: Mapping[str, Mapping[str, object]]) -> list[dict[str, object]]:
    """One row a way of training: last and best test accuracy, seconds an epoch, and the lead over reweighting.

    curves: as a report keeps them, row -> "test" (runs by epoch) and "seconds" (an epoch, by run), of which the
    median is taken. The others are means with their intervals over seeds, whose half width is NaN where there is one
    run; the lead is paired, seed by seed.
    """

    def last(name: str) -> list[float]:
        return [run[-1] for run in curves[name]["test"]]

    return [
        {
            "row": name,
            "epochs": len(curve["test"][0]),
            "published": PUBLISHED.get(name),
            "final": over_seeds(last(name)),
            "best": over_seeds([max(run) for run in curve["test"]]),
            "seconds": statistics.median(curve["seconds"]),
            "lead": None
            if name == AGAINST or AGAINST not in curves
            else over_seeds([ours - theirs for ours, theirs in zip(last(name), last(AGAINST))]),
        }
        for name, curve in curves.items()
    ]
