"""The claims of the map of noise ratio against clean-set size, each for one seed.

A seed's 121 runs are part of the stored grid, and are taken from there; a seed that the grid lacks is trained.
"""

from __future__ import annotations

import dataclasses

import numpy

from nlkit.experiment import Experiment
from nlkit.identity import key
from nlkit.reproductions.measures import Measure, Trial
from nlkit.reproductions.report import Outcome
from nlkit.result import Result, Sweep
from nlkit.sweep import CLEAN_SIZES, MAP_RATIOS, MAP_SIZES

GRID = "reweight-or-clean"


def final(t: Trial, method: str, ratio: float, size: int) -> float:
    """The last test accuracy of a cell of the map."""
    ratio = 0.0 if method == "clean_only" else ratio  # it never sees the noise
    experiment = Experiment(ratio=ratio, clean_per_class=size, method=method, seed=t.seed)
    run = t.look_up(GRID, experiment) or t.train(dataclasses.replace(experiment, device=t.device))
    return run.final


def leads(t: Trial, ratios: tuple[float, ...], sizes: tuple[int, ...], over: str = "clean_only") -> tuple[float, ...]:
    """By how much reweighting is ahead of another method, for each of some cells."""
    return tuple(final(t, "reweight", r, size) - final(t, over, r, size) for r in ratios for size in sizes)


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
    "map_wins": lambda t: leads(t, (0.0, 0.2, 0.4, 0.5, 0.6), (1, 2, 5, 10)),
    "map_loses": lambda t: leads(t, (0.8, 0.9), (50, 100)),
    "border_falls": lambda t: border(t, 5) - border(t, 100),
    "noise_is_worth": lambda t: worth(t, 0.4, 10),
    "worth_its_truth": lambda t: 10 * (10 * worth(t, 0.4, 10) - 10) / (4000 - 10 * 10),
    "no_information": lambda t: leads(t, (0.9,), MAP_SIZES),
    "doubt_costs": lambda t: float(numpy.mean(leads(t, (0.0,), MAP_SIZES, over="standard"))),
    "wins_again": lambda t: leads(t, (0.4,), (10,))[0],
    "loses_again": lambda t: leads(t, (0.8,), (100,))[0],
}


def by_seed(sweep: Sweep) -> dict[str, tuple[float | tuple[float, ...], ...]]:
    """The claims from the stored runs of the map: claim -> a value a seed, or one a cell for each seed."""
    runs = {result.key: result for result in sweep.results}

    def train(experiment: Experiment) -> Result:
        raise ValueError(f"the sweep has no run of {experiment}")

    trials = [
        Trial(seed, "auto", train, look_up=lambda grid, experiment: runs.get(key(experiment)))
        for seed in sorted({result.experiment.seed for result in sweep.results})
    ]
    return {id: tuple(measure(trial) for trial in trials) for id, measure in MEASURES.items()}


def from_map(sweep: Sweep) -> dict[str, float | tuple[float, ...]]:
    """Claim -> its mean over the seeds of the stored runs, or one a cell, as `nlkit.claims.check_claims` takes it."""
    return {id: Outcome(id, values).means for id, values in by_seed(sweep).items()}
