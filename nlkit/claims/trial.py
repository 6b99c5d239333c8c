"""What a measure is handed: one seed of a page, and a way to have its runs made or found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from nlkit.contents import experiment_of
from nlkit.page import Page
from nlkit.sweeps.files import read_sweep
from nlkit.sweeps.results import Result, Sweep
from nlkit.sweeps.run import stored
from nlkit.tasks.make import make_task
from nlkit.tasks.task import Task
from nlkit.training.classification import Experiment


@dataclass(frozen=True)
class PageTrial:
    """See `nlkit.page.Trial`."""

    page: Page
    seed: int
    get: Callable[[Any], Result]  # experiment -> its result
    device: str = "auto"
    quick: bool = False
    precision: str = "float32"

    def run(self, variant: str, **changes: Any) -> Result:
        run = experiment_of(self.page, variant, **{"seed": self.seed, "device": self.device, **changes})
        if self.precision != "float32" and isinstance(run, Experiment) and run.precision is None:  # others have no such
            run = replace(run, precision=self.precision)
        return self.get(run)

    def task(self, data: str = "mnist5k", **settings: Any) -> Task:
        return make_task(data, seed=self.seed, device=self.device, **settings)


def in_sweep(page: Page, sweep: Sweep, seeds: Sequence[int] | None = None) -> list[PageTrial]:
    """Trials that find their runs in a sweep, and raise a ValueError for one that it lacks."""

    def get(experiment: Any) -> Result:
        found = sweep.run(experiment)
        if found is None:
            raise ValueError(f"the sweep has no run of {experiment}")
        return found

    return [PageTrial(page, seed, get) for seed in (page.seeds if seeds is None else seeds)]


@cache
def _read(file: Path, changed: float) -> Sweep:
    return read_sweep(file)


def carried(name: str) -> Sweep:
    """The results that the package carries for a page; empty where it carries none."""
    file = stored(name)
    return _read(file, file.stat().st_mtime) if file.exists() else Sweep()
