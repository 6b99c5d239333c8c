"""The claims of the map of noise ratio against clean-set size, each for one seed.

A seed's 121 runs are part of the stored grid, and are taken from there; a seed that the grid lacks is trained.
"""

from __future__ import annotations

from functools import cache

import numpy

from nlkit.experiment import Experiment
from nlkit.reproductions.measures import Measure, Trial
from nlkit.sweep import CLEAN_SIZES, MAP_RATIOS, MAP_SIZES, Result, load_sweep


@cache
def _stored() -> dict[str, Result]:
    return {repr(result.experiment): result for result in load_sweep("reweight-or-clean").results}


def final(t: Trial, method: str, ratio: float, size: int) -> float:
    """The last test accuracy of a cell of the map."""
    ratio = 0.0 if method == "clean_only" else ratio  # it never sees the noise
    experiment = Experiment(ratio=ratio, clean_per_class=size, method=method, seed=t.seed)
    stored = _stored().get(repr(experiment))
    return stored.final if stored else t.run(ratio=ratio, clean_per_class=size, method=method).final


def leads(t: Trial, ratios: tuple[float, ...], sizes: tuple[int, ...], over: str = "clean_only") -> list[float]:
    """By how much reweighting is ahead of another method, for each of some cells."""
    return [final(t, "reweight", r, size) - final(t, over, r, size) for r in ratios for size in sizes]


def border(t: Trial, size: int) -> float:
    """The noise ratio at which the lead over clean only is gone, on a line between two ratios of the map."""
    ahead = leads(t, MAP_RATIOS, (size,))
    last = max(place for place, lead in enumerate(ahead) if lead > 0)
    if last == len(ahead) - 1:
        return MAP_RATIOS[-1]
    return float(numpy.interp(0, [ahead[last + 1], ahead[last]], [MAP_RATIOS[last + 1], MAP_RATIOS[last]]))


def worth(t: Trial, ratio: float, size: int) -> float:
    """Clean labels a class that reach alone what reweighting reaches with `size`, over `size`."""
    alone = numpy.maximum.accumulate([final(t, "clean_only", 0.0, k) for k in CLEAN_SIZES])
    reached = numpy.interp(final(t, "reweight", ratio, size), alone, numpy.log(CLEAN_SIZES))
    return float(numpy.exp(reached)) / size


MEASURES: dict[str, Measure] = {
    "map_wins": lambda t: min(leads(t, (0.0, 0.2, 0.4, 0.5, 0.6), (1, 2, 5, 10))),
    "map_loses": lambda t: max(leads(t, (0.8, 0.9), (50, 100))),
    "border_falls": lambda t: border(t, 5) - border(t, 100),
    "noise_is_worth": lambda t: worth(t, 0.4, 10),
    "worth_its_truth": lambda t: 10 * (10 * worth(t, 0.4, 10) - 10) / (4000 - 10 * 10),
    "no_information": lambda t: max(leads(t, (0.9,), MAP_SIZES)),
    "doubt_costs": lambda t: float(numpy.mean(leads(t, (0.0,), MAP_SIZES, over="standard"))),
    "wins_again": lambda t: leads(t, (0.4,), (10,))[0],
    "loses_again": lambda t: leads(t, (0.8,), (100,))[0],
}
