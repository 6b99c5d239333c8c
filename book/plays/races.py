"""Races of methods: their curves by epoch, over noise ratio and size of the clean set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from nlkit.claims.trial import carried
from nlkit.contents import PAGES, knobs_of
from nlkit.intervals import over_seeds
from nlkit.plots.words import told_line
from nlkit.sweeps.files import read_sweep
from nlkit.sweeps.results import Result
from nlkit.sweeps.run import stored as file_of

from .charts import Chart, curves
from .player import Player, Point, about
from .tables import Knob, Stored, curve_table, flat, gather, grid, knob_of, point_in_words

RUNS = Path(__file__).parent / "runs.json"  # of runs.yaml
NUMBERS = {"test accuracy": "test_accuracy", "wrong labels memorized": "memorized"}


@cache
def own_runs() -> tuple[Result, ...]:
    """The runs that are stored for players alone."""
    return read_sweep(RUNS).results


def race(
    title: str,
    sweeps: Sequence[str],
    methods: Sequence[str],
    epochs: int,
    ratios: Sequence[float],
    sizes: Sequence[int],
    start: tuple[float, int],
    note: str = "",
) -> Player:
    """The curves of methods with their default options by epoch, over noise ratio and size of the clean set.

    sweeps: the pages whose stored runs are shown, beside those that are stored for players. start: where the sliders
    stand at first.
    """
    results = [run for sweep in sweeps for run in carried(sweep).results] + list(own_runs())
    results = [run for run in results if _plain(run, methods, epochs)]
    fields = {name: field for name, (field, _) in knobs_of(PAGES["reweight-or-clean"]).items()}
    ratio = knob_of("ratio", fields["ratio"], ratios, start[0])
    size = knob_of("clean_per_class", fields["clean_per_class"], sizes, start[1])
    number = Knob("number", "what is drawn", tuple(NUMBERS), "test accuracy", number=False)
    knobs = (Knob("ratio", "noise ratio", ratio.values, ratio.start, share=True), size, number)

    found = [s for s in gather(results, lambda run: str(run.settings["method"]), at_of) if _within(s, knobs)]
    found.sort(key=lambda one: methods.index(one.variant))
    charts, points = [], []
    rows = [
        {**row, "k2": place}
        for place, name in enumerate(NUMBERS.values())
        for row in curve_table(found, knobs[:2], name)
    ]
    starts = [knob.place(knob.start) for knob in knobs]
    shows = f"{' and '.join(NUMBERS)} by epoch, one at a time: mean over seeds, belts from lowest to highest."
    charts.append(Chart(curves(rows, methods, starts, "%, mean over seeds; belt: lowest to highest"), shows))
    for point in grid(knobs):
        here = [one for one in found if one.matches(point)]
        if not any("ratio" in one.at for one in here):
            continue
        words = tuple(_in_words(one, NUMBERS[str(point["number"])]) for one in here)
        at = tuple(knob.place(point[knob.name]) for knob in knobs)
        points.append(Point(at, f"{point_in_words(point, knobs[:2], here)}; {point['number']}", words))
    files = (*(file_of(sweep) for sweep in sweeps), RUNS)
    return Player(title, about(found, note), knobs, tuple(points), tuple(charts), files)


def at_of(run: Result) -> Mapping[str, object]:
    """Where a run stands: at its noise ratio, unless it never sees the noise, and its size of the clean set."""
    at = {"ratio": run.settings["ratio"], "clean_per_class": run.settings["clean_per_class"]}
    return at if run.settings["method"] != "clean_only" else {"clean_per_class": at["clean_per_class"]}


def _plain(run: Result, methods: Sequence[str], epochs: int) -> bool:
    """Whether a run is one of the kit's own task with symmetric noise and its method's default options."""
    settings = flat(run.settings)
    return (
        settings.get("method") in methods
        and settings["epochs"] == epochs
        and settings["data"] == "mnist5k"
        and settings["noise"] == "symmetric"
        and settings["optimizer"] == "adam"
        and run.has("options", {})
    )


def _within(one: Stored, knobs: Sequence[Knob]) -> bool:
    """Whether runs stand where the controls can."""
    return all(one.at[knob.name] in knob.values for knob in knobs if knob.name in one.at)


def _in_words(one: Stored, number: str) -> str:
    """The curve of a variant as the pictures' own words have it: its mean over seeds, and at the end the interval."""
    epochs = one.by_epoch(number)
    means = [math.fsum(values) / len(values) for values in epochs]
    half = math.nan if math.isnan(means[-1]) else over_seeds(epochs[-1]).half
    return told_line(one.variant.replace("_", " "), range(1, len(epochs) + 1), means, half=half)
