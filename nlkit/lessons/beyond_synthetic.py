"""Lesson 5, beyond synthetic noise: blue noise flips labels, red noise brings images that are of no class at all."""

from __future__ import annotations

from collections.abc import Iterator

from nlkit.lessons.fine_tuning import STARTS, FineTuning
from nlkit.lessons.sources import WEB
from nlkit.page import Claim, Page, Trial
from nlkit.tasks.cnwl import LEVELS

QUICK_LEVELS = (0.4, 0.8)  # of the ten, when there is no time for all
TUNING_RATIOS = (0.2, 0.4, 0.6)
NAMES = {  # variant -> settings; those in the second half have a small clean set
    "standard": {"method": "standard", "clean_per_class": 0},
    "mixup": {"method": "mixup", "clean_per_class": 0},
    "mentornet": {"method": "mentornet", "clean_per_class": 0},
    "mentormix": {"method": "mentormix", "clean_per_class": 0},
    "mentormix by class": {"method": "mentormix", "clean_per_class": 0, "options": {"by_class": True}},
    "standard, 10 clean per class": {"method": "standard", "clean_per_class": 10},
    "reweight": {"method": "reweight", "clean_per_class": 10},
    "clean_only": {"method": "clean_only", "clean_per_class": 10},
}


def levels(t: Trial) -> tuple[float, ...]:
    return QUICK_LEVELS if t.quick else LEVELS


def _over_levels(t: Trial, noise: str, method: str) -> float:
    """Last test accuracy, mean over the noise levels."""
    runs = [t.run(method, noise=noise, ratio=ratio) for ratio in levels(t)]
    return sum(run.final for run in runs) / len(runs)


def _lead(t: Trial, noise: str) -> float:
    return _over_levels(t, noise, "mentormix") - _over_levels(t, noise, "standard")


def _fall(t: Trial, noise: str) -> float:
    run = t.run("standard", noise=noise, ratio=0.8)
    return run.best - run.final


def _beyond_resemblance(t: Trial, noise: str) -> float:
    """Wrong labels predicted as given at 60 %, minus what a network says of them that learned other, right digits."""
    never_saw = t.run("clean_only", noise=noise, ratio=0.6, clean_per_class=100)
    return t.run("standard", noise=noise, ratio=0.6).last("memorized") - never_saw.last("memorized")


def _digits_alone(t: Trial, ratio: float) -> float:
    """The last test accuracy of a network that learns from the right digits alone that noise of this ratio leaves."""
    return t.run("clean_only", ratio=0.0, clean_per_class=round(400 * (1 - ratio))).final


def _tuning(t: Trial, noise: str) -> float:
    """Fine-tuned on the digits 5 to 9 after training on 0 to 4, minus trained from scratch: mean over the ratios."""
    tuned, scratch = ([t.run(start, noise=noise, ratio=ratio).final for ratio in TUNING_RATIOS] for start in STARTS)
    return (sum(tuned) - sum(scratch)) / len(TUNING_RATIOS)


def _grid() -> Iterator[tuple[str, dict[str, object]]]:
    """Ten noise levels, blue (symmetric) and red: without a clean set, and with a small one for what needs it.

    And of three of them, whether it helps to have learned other digits before.
    """
    for ratio in LEVELS:
        for noise in ("symmetric", "red"):
            for name in NAMES:
                if name != "clean_only" or (ratio == 0 and noise == "symmetric"):  # it never sees the noise
                    yield name, {"noise": noise, "ratio": ratio}
    for noise in ("symmetric", "red"):
        for ratio in TUNING_RATIOS:
            for start in STARTS:
                yield start, {"noise": noise, "ratio": ratio}


PAGE = Page(
    title="Beyond synthetic noise",
    source="Jiang et al. 2020, arXiv:1911.09781",
    finding="What works on synthetic noise need not work on the web's: red noise hurts less, and is memorized more.",
    claims=(
        Claim(
            "red_generalizes",
            "Networks generalize better on red noise than on blue noise of the same ratio.",
            WEB,
            lambda t: _over_levels(t, "red", "standard") - _over_levels(t, "symmetric", "standard"),
            "last test accuracy, red minus blue, mean over ten levels",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "red_no_fall",
            "On red noise, standard training falls less after its peak than on blue noise.",
            WEB,
            lambda t: _fall(t, "symmetric") - _fall(t, "red"),
            "fall at 80 %, blue minus red",
            at_least=0.1,
            unit="points",
        ),
        Claim(
            "red_memorized",
            "Red examples are memorized more readily than blue ones, also beyond what they resemble.",
            "measured here",
            lambda t: _beyond_resemblance(t, "red") - _beyond_resemblance(t, "symmetric"),
            "predicted as given at the end at 60 %, less what a network says that never saw them; red minus blue",
            at_least=0.2,
            unit="points",
        ),
        Claim(
            "red_thrown_away",
            "At 60 % red noise, the remaining digits alone give a better network than together with the red images.",
            "the control of red noise",
            lambda t: _digits_alone(t, 0.6) - t.run("standard", noise="red", ratio=0.6).final,
            "last test accuracy, as many right digits alone minus standard training",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "red_costs_more",
            "Of what red noise of 60 % costs, the red images have the larger part, and the missing digits the smaller.",
            "measured here",
            lambda t: (
                2 * _digits_alone(t, 0.6)
                - t.run("standard", noise="red", ratio=0.6).final
                - t.run("standard", ratio=0.0).final
            ),
            "lost by the red images minus lost by having fewer digits",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "blue_is_not_red",
            "What works on blue noise may not work on red: MentorMix gains less there.",
            WEB,
            lambda t: _lead(t, "symmetric") - _lead(t, "red"),
            "its lead over standard training, blue minus red",
            at_least=0.01,
            published="12.6 / 4.5 points",
            unit="points",
        ),
        Claim(
            "mentormix_on_blue",
            "On blue noise MentorMix ends above standard training, on average over ten levels.",
            WEB,
            lambda t: _lead(t, "symmetric"),
            "last test accuracy minus standard training, mean over ten levels",
            at_least=0.0,
            published="12.6 points",
            unit="points",
        ),
        Claim(
            "mentormix_on_red",
            "On red noise MentorMix ends above standard training, on average over ten levels.",
            WEB,
            lambda t: _lead(t, "red"),
            "last test accuracy minus standard training, mean over ten levels",
            at_least=0.0,
            published="4.5 points",
            unit="points",
            why="Blending and doubting cost almost four points without any noise. On blue noise that is repaid; on "
            "red, of this mild kind, standard training doesn't fall after its peak, and the price is all that is left.",
        ),
        Claim(
            "tuning_helps_blue",
            "Fine-tuning a pretrained network helps on blue noise.",
            WEB,
            lambda t: _tuning(t, "symmetric"),
            "fine-tuned minus from scratch, mean over three ratios",
            at_least=0.0,
            published="24 points",
            unit="points",
        ),
        Claim(
            "tuning_helps_red",
            "Fine-tuning a pretrained network helps on red noise.",
            WEB,
            lambda t: _tuning(t, "red"),
            "fine-tuned minus from scratch, mean over three ratios",
            at_least=0.0,
            unit="points",
            why="A pretrained network loses less after its best epoch, which helps where memorizing costs something; "
            "and five digits teach a small network far less than ImageNet teaches a large one.",
        ),
    ),
    variants=NAMES,
    besides={start: (FineTuning, {"start": start}) for start in STARTS},
    grid=_grid,
    tiny={"epochs": 1},
)
