"""Sweeps: two processes against one, Dask with two workers against plain processes, and what an empty run costs."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import Row, interleaved, rows_of
from nlkit import Experiment
from nlkit.records import Measured
from nlkit.sweeps.engines import engine
from nlkit.sweeps.run import run_sweep

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Nothing:
    """A run that takes no time."""

    seed: int = 0

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        yield Measured(1, {"share": 1.0})


def measure(rounds: int = 3, trainings: int = 8, epochs: int = 10, empty: int = 100, workers: int = 2) -> list[Row]:
    """Part 9 of the list in run.py: whole sweeps, and of empty runs the time of one."""
    grid = [Experiment(method="reweight", epochs=epochs, device="cpu", seed=seed) for seed in range(trainings)]
    several = f"{workers} processes"
    with tempfile.TemporaryDirectory() as folder, dask_cluster(Path(folder), workers) as address:
        fresh = (Path(folder) / f"sweep{number}" for number in itertools.count())

        def by(experiments: list, jobs: int = 1) -> Callable[[], None]:
            return lambda: _all(run_sweep(experiments, next(fresh), jobs=jobs), len(experiments))

        with engine(f"dask:{address}", folder) as there:
            name = f"Dask, {workers} workers"

            def by_dask(experiments: list) -> Callable[[], None]:
                return lambda: _all(run_sweep(experiments, next(fresh), executor=there), len(experiments))

            sides = {"1 process": by(grid), several: by(grid, workers), name: by_dask(grid)}
            rows = rows_of(
                "sweeps", f"{trainings} trainings of {epochs} epochs", interleaved(sides, rounds), "1 process"
            )
            nothing = [Nothing(seed) for seed in range(empty)]
            sides = {several: by(nothing, workers), "here": by(nothing), name: by_dask(nothing)}
            taken = {side: [s / empty for s in seconds] for side, seconds in interleaved(sides, rounds).items()}
            return rows + rows_of("sweeps", f"an empty run, of {empty}", taken, several)


def _all(results: Iterator, count: int) -> None:
    if (found := sum(1 for _ in results)) != count:
        raise RuntimeError(f"{found} of {count} runs were made")


@contextlib.contextmanager
def dask_cluster(folder: Path, workers: int) -> Iterator[str]:
    """A Dask scheduler on this machine with so many workers of one thread; its address."""
    told = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    dask = [sys.executable, "-m", "dask"]
    common = ["--no-dashboard", "--scheduler-file", str(told)]
    worker = ["worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0"], *[worker] * workers]
    started = [subprocess.Popen([*dask, *command, *common], env=environment, **quiet) for command in commands]
    try:
        until = time.monotonic() + 60
        while not (told.exists() and told.read_text().endswith("}")):
            if time.monotonic() > until:
                raise RuntimeError("the Dask scheduler did not start within a minute")
            time.sleep(0.05)
        yield json.loads(told.read_text())["address"]
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()
