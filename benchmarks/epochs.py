"""One epoch by the kit, and by every other way to do the same work (`ways.py`), in turn.

What is measured of the network after an epoch is left out on all sides. First each way is tried with all its settings,
and the fastest are taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from benchmarks.timing import Row, interleaved, rows_of
from benchmarks.ways import BATCH, LEARNING_RATE, WAYS, OwnProcess, Settings
from nlkit import load, make_task, train
from nlkit.data.load import find_dataset
from nlkit.tasks.task import Task

KIT = "nlkit"
TRIED = 40  # batches of each setting


def measure(
    rounds: int = 5, data: str | None = None, *, tried: int = TRIED, batches: int | None = None, process=OwnProcess
) -> list[Row]:
    """Part 1 of the list in run.py.

    tried: how many batches tell which settings are best. batches: how many of an epoch's the other ways take (all).
    process: what runs them.
    """
    data = data or ("mnist" if find_dataset("mnist") else "mnist5k")
    task = make_task(load(data, device="cpu"), ratio=0.8, clean_per_class=50, seed=0)
    rows = []
    with process(data) as others:
        for method in ("standard", "reweight"):
            sides = {KIT: kit_epochs(task, method).__next__}
            for way in (name for name, way in WAYS.items() if method in way.steps and way.here):
                best, of_trial = best_settings(others, method, way, data, tried)
                rows += of_trial
                sides[f"{way}: {best}"] = functools.partial(others.seconds, method, way, best, batches)
            taken = interleaved(sides, rounds, measure=own_clock)
            rows += rows_of("epochs", f"{method}, {data}", taken, KIT, scale=1, unit="s")
    return rows


def best_settings(others: OwnProcess, method: str, way: str, data: str, tried: int) -> tuple[Settings, list[Row]]:
    """The settings with which a way is fastest here, and the rows that say so."""
    sides = {each: functools.partial(others.seconds, method, way, each, tried) for each in WAYS[way].settings}
    taken = interleaved(sides, 3, measure=own_clock)
    best = min(taken, key=lambda settings: sorted(taken[settings])[1])  # by the median, as the rows have it
    named = {str(settings): seconds for settings, seconds in taken.items()}
    return best, rows_of("settings", f"{method}, {data}, {way}", named, str(best), scale=1, unit="s")


def own_clock(act: Callable[[], float]) -> float:
    """A side that says itself how long its epoch took."""
    return act()


def kit_epochs(task: Task, method: str) -> Iterator[float]:
    """Seconds of one epoch after the other, by the kit."""
    for record in train(task, method, epochs=1000, batch_size=BATCH, learning_rate=LEARNING_RATE, seed=0):
        yield record.seconds
