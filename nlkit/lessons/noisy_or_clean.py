"""Lesson 6, noisy or clean: for which noise and how many clean labels are the noisy ones worth having?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy

from nlkit.page import Claim, Page, Trial

RATIOS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SIZES = (1, 2, 5, 10, 20, 50, 100)  # clean examples per class
CLEAN_SIZES = (*SIZES, 200, 300)  # how far the clean set alone is followed


def final(t: Trial, method: str, ratio: float, size: int) -> float:
    """The last test accuracy of a cell of the map."""
    ratio = 0.0 if method == "clean_only" else ratio  # it never sees the noise
    return t.run(method, ratio=ratio, clean_per_class=size).final


def leads(t: Trial, ratios: tuple[float, ...], sizes: tuple[int, ...], over: str = "clean_only") -> tuple[float, ...]:
    """By how much reweighting is ahead of another method, for each of some cells."""
    return tuple(final(t, "reweight", r, size) - final(t, over, r, size) for r in ratios for size in sizes)


def border(t: Trial, size: int) -> float:
    """The noise ratio at which the lead over clean only is gone, on a line between two ratios of the map."""
    ahead = leads(t, RATIOS, (size,))
    last = max(place for place, lead in enumerate(ahead) if lead > 0)
    if last == len(ahead) - 1:
        return RATIOS[-1]
    return float(numpy.interp(0, [ahead[last + 1], ahead[last]], [RATIOS[last + 1], RATIOS[last]]))


def worth(t: Trial, ratio: float, size: int) -> float:
    """Clean labels per class that reach alone what reweighting reaches with `size`, over `size`."""
    alone = numpy.maximum.accumulate([final(t, "clean_only", 0.0, k) for k in CLEAN_SIZES])
    reached = numpy.interp(final(t, "reweight", ratio, size), alone, numpy.log(CLEAN_SIZES))
    return float(numpy.exp(reached)) / size


def _grid() -> Iterator[tuple[str, dict[str, object]]]:
    """Noise ratio against size of the clean set: reweighting, standard training to its end and stopped in time, and the
    clean set alone.
    """
    for size in CLEAN_SIZES:
        yield "clean_only", {"ratio": 0.0, "clean_per_class": size}
    for ratio in RATIOS:
        for size in SIZES:
            for method in ("reweight", "standard", "early_stopping"):
                yield method, {"ratio": ratio, "clean_per_class": size}


PAGE = Page(
    title="Noisy or clean",
    source="Ren et al. 2018, arXiv:1803.09050, and a control that it lacks",
    finding="With few clean labels or little noise, noisy data are worth having; often it is enough to stop in time.",
    claims=(
        Claim(
            "map_wins",
            "Up to 60 % noise with up to 10 clean per class, reweighting beats the clean set alone everywhere.",
            "what the tutorial leaves open",
            lambda t: leads(t, (0.0, 0.2, 0.4, 0.5, 0.6), (1, 2, 5, 10)),
            "its lead, where it is smallest of these cells",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "map_loses",
            "From 80 % noise on with 50 clean per class or more, reweighting loses to the clean set alone everywhere.",
            "what the tutorial leaves open",
            lambda t: leads(t, (0.8, 0.9), (50, 100)),
            "its lead, where it is largest of these cells",
            at_most=0.0,
            unit="points",
        ),
        Claim(
            "border_falls",
            "The larger the clean set, the less noise it takes to make the noisy data a burden.",
            "measured here",
            lambda t: border(t, 5) - border(t, 100),
            "noise ratio at which the lead is gone, 5 clean per class minus 100",
            at_least=0.1,
            unit="points",
        ),
        Claim(
            "noise_is_worth",
            "Data with 40 % noise and 10 clean per class does as well as 30 clean per class alone.",
            "measured here",
            lambda t: worth(t, 0.4, 10),
            "clean labels that do as well alone, over those that reweighting had",
            at_least=3.0,
            unit="x",
        ),
        Claim(
            "worth_its_truth",
            "A noisy label is worth its share of truth: at 40 % noise, 0.6 of a clean one.",
            "what one might think",
            lambda t: 10 * (10 * worth(t, 0.4, 10) - 10) / (4000 - 10 * 10),
            "clean labels saved by each noisy one, at 10 clean per class",
            at_least=0.6,
            unit="x",
            why="Which labels are right has to be found out first, and what reweighting can reach is soon set by the "
            "noisy set as a whole: some forty clean labels per class do as well as four thousand noisy ones.",
        ),
        Claim(
            "no_information",
            "At 90 % noise a given label tells nothing, and reweighting is ahead nowhere.",
            "by hand: on ten classes every label is as likely",
            lambda t: leads(t, (0.9,), SIZES),
            "its lead, where it is largest of all sizes",
            at_most=0.0,
            unit="points",
        ),
        Claim(
            "doubt_costs",
            "Where no label is wrong, doubting them costs: believing them all does better.",
            "measured here",
            lambda t: float(numpy.mean(leads(t, (0.0,), SIZES, over="standard"))),
            "reweighting minus standard without noise, mean over sizes",
            at_most=0.0,
            unit="points",
        ),
        Claim(
            "map_stopped",
            "From 20 to 60 % noise with up to 5 clean per class, reweighting loses to stopping in time.",
            "control: stopping in time",
            lambda t: leads(t, (0.2, 0.4, 0.5, 0.6), (1, 2, 5), over="early_stopping"),
            "its lead over early stopping, where it is largest of these cells",
            at_most=0.0,
            unit="points",
        ),
        Claim(
            "map_reweights",
            "From 20 to 70 % noise with 20 or 50 clean per class, reweighting beats stopping in time.",
            "control: stopping in time",
            lambda t: leads(t, (0.2, 0.4, 0.5, 0.6, 0.7), (20, 50), over="early_stopping"),
            "its lead over early stopping, where it is smallest of these cells",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "wins_again",
            "A cell where it wins, trained again: 40 % noise, 10 clean per class.",
            "the map",
            lambda t: leads(t, (0.4,), (10,))[0],
            "last test accuracy, reweighting minus clean only",
            at_least=0.02,
            unit="points",
        ),
        Claim(
            "loses_again",
            "A cell where reweighting loses, trained again: 80 % noise, 100 clean per class.",
            "the map",
            lambda t: leads(t, (0.8,), (100,))[0],
            "last test accuracy, reweighting minus clean only",
            at_most=-0.02,
            unit="points",
        ),
    ),
    variants={
        "standard": {"method": "standard"},
        "early_stopping": {"method": "early_stopping"},
        "reweight": {"method": "reweight"},
        "clean_only": {"method": "clean_only"},
    },
    grid=_grid,
    tiny={"epochs": 1},
)
