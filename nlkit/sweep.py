"""Sweeps: many runs, one after another, kept in one small file that a broken-off sweep goes on from.

Grids that take too long for a lesson are run by `nlkit sweep NAME`, and their results are part of the package, with the
date, the versions and the machine that they come from: a notebook loads them, and can run any cell again.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from nlkit.checks import check_choice, check_integer
from nlkit.cnwl import LEVELS
from nlkit.experiment import Experiment
from nlkit.leaderboard import leaderboard
from nlkit.records import Record


@dataclass(frozen=True)
class Result:
    """What is kept of a run: its settings, and curves by epoch, in [0, 1]: two, and others where they are asked for."""

    experiment: Experiment
    test_accuracy: tuple[float, ...]
    memorized: tuple[float, ...]  # NaN where no label is wrong
    seconds: float  # in the training steps
    more: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # further curves, see `run_sweep`

    @property
    def best(self) -> float:
        return max(self.test_accuracy)

    @property
    def final(self) -> float:
        return self.test_accuracy[-1]

    def at_end(self, curve: str) -> float:
        """The last value of one of the further curves."""
        return self.more[curve][-1]

    def at_best(self, curve: str) -> float:
        """Its value at the epoch of the best test accuracy, the first of equals."""
        return self.more[curve][self.test_accuracy.index(self.best)]


@dataclass(frozen=True)
class Sweep:
    """Results and where they come from."""

    made: Mapping[str, str]  # date, versions, processor
    results: tuple[Result, ...]

    def where(self, **settings: object) -> list[Result]:
        """The results whose experiments have these settings; a ValueError when there are none."""
        found = [r for r in self.results if all(getattr(r.experiment, name) == v for name, v in settings.items())]
        if not found:
            raise ValueError(f"no run of this sweep has {', '.join(f'{k}={v!r}' for k, v in settings.items())}")
        return found


def run_sweep(
    experiments: Iterable[Experiment], file: str | Path, keep: Iterable[str] = (), jobs: int = 1
) -> Iterator[Result]:
    """Run the experiments that `file` (JSON) does not hold yet, and yield each result once it is saved there.

    keep: what else to keep by epoch: shares of `Record`, or of its `extra`; a run that lacks one leaves it out.
    jobs: how many runs at a time, each in a process and on a processor core of its own. 1 runs them here.
    Raises a ValueError, before any run, when the file is not a sweep's or its folder does not exist.
    """
    check_integer("jobs", jobs, 1)
    file = Path(file)
    if not file.absolute().parent.is_dir():
        raise ValueError(f"file={str(file)!r} is in a folder that does not exist")
    done = list(load_sweep(file).results) if file.exists() else []
    known = [result.experiment for result in done]
    missing = [experiment for experiment in experiments if experiment not in known]
    return _missing_runs(missing, done, file, tuple(keep), jobs)


def _missing_runs(
    missing: list[Experiment], done: list[Result], file: Path, keep: tuple[str, ...], jobs: int
) -> Iterator[Result]:
    results = _in_processes(missing, keep, jobs) if jobs > 1 else (summarize(e, e.run(), keep) for e in missing)
    for result in results:
        done.append(result)
        _save(file, done)
        yield result


def _in_processes(missing: list[Experiment], keep: tuple[str, ...], jobs: int) -> Iterator[Result]:
    """Results as they come; of two runs, the shorter may come first."""
    # A forked process would share the threads' locks of this one's torch.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_with_one_thread)
    try:
        for future in as_completed([pool.submit(_run_alone, experiment, keep) for experiment in missing]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _with_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _run_alone(experiment: Experiment, keep: tuple[str, ...]) -> Result:
    return summarize(experiment, experiment.run(), keep)


def summarize(experiment: Experiment, run: Iterable[Record], keep: Iterable[str] = ()) -> Result:
    """Train to the end, and keep of the records what a sweep keeps, and the further curves `keep`."""
    records = list(run)
    rows = [record.as_row() | record.extra for record in records]
    return Result(
        experiment,
        tuple(round(r.test_accuracy, 4) for r in records),
        tuple(round(r.memorized, 4) for r in records),
        round(sum(r.seconds for r in records), 2),
        {name: tuple(round(row[name], 4) for row in rows) for name in keep if name in rows[0]},
    )


def load_sweep(name: str | Path) -> Sweep:
    """The results of a grid that the package carries, by its name (see `GRIDS`), or those of a file."""
    file = stored(name) if name in GRIDS else Path(name)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        rows = content["results"]
        results = tuple(
            Result(
                Experiment(**row["settings"]),
                tuple(row["test_accuracy"]),
                _with_nan(row["memorized"]),
                row["seconds"],
                {name: _with_nan(curve) for name, curve in row.get("more", {}).items()},
            )
            for row in rows
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{str(name)!r} is not a sweep's file, nor one of {', '.join(GRIDS)}: {error}") from error
    return Sweep(content["made"], results)


def stored(name: str) -> Path:
    """Where the package carries the results of a grid."""
    check_choice("sweep", name, GRIDS)
    return Path(__file__).parent / "results" / f"{name}.json"


def _save(file: Path, results: list[Result]) -> None:
    rows = [
        {
            "settings": _settings(r.experiment),
            "test_accuracy": r.test_accuracy,
            "memorized": _without_nan(r.memorized),
            "seconds": r.seconds,
        }
        | ({"more": {name: _without_nan(curve) for name, curve in r.more.items()}} if r.more else {})
        for r in results
    ]
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("nlkit", "torch", "numpy"))
    made = {
        "date": datetime.date.today().isoformat(),
        "versions": f"{versions}, Python {platform.python_version()}",
        "processor": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    partial = file.with_name(file.name + ".partial")
    partial.write_text(f'{{"made": {json.dumps(made)},\n"results": [\n{lines}\n]}}\n', encoding="utf-8")
    os.replace(partial, file)


def _without_nan(curve: Iterable[float]) -> list[float | None]:
    """JSON has no NaN: a share that is not defined becomes null."""
    return [None if v != v else v for v in curve]


def _with_nan(curve: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if v is None else v for v in curve)


def _settings(experiment: Experiment) -> dict[str, object]:
    """The settings that differ from the defaults: enough to make the experiment again."""
    default = Experiment()
    values = {f.name: getattr(experiment, f.name) for f in dataclasses.fields(experiment)}
    return {name: value for name, value in values.items() if value != getattr(default, name)}


def _blue_and_red() -> list[Experiment]:
    """Ten noise levels, blue (symmetric) and red: without a clean set, and with a small one for what needs it."""
    without = [("standard", {}), ("mixup", {}), ("mentornet", {}), ("mentormix", {}), ("mentormix", {"by_class": True})]
    return [
        Experiment(noise=noise, ratio=ratio, clean_per_class=clean, method=method, options=options, seed=seed)
        for seed in range(5)
        for clean, methods in ((0, without), (10, [("standard", {}), ("reweight", {}), ("clean_only", {})]))
        for ratio in LEVELS
        for noise in ("symmetric", "red")
        for method, options in methods
        if method != "clean_only" or (ratio == 0 and noise == "symmetric")  # it never sees the noise
    ]


MAP_RATIOS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MAP_SIZES = (1, 2, 5, 10, 20, 50, 100)  # clean examples a class
CLEAN_SIZES = (*MAP_SIZES, 200, 300)  # how far the clean set alone is followed


def _reweight_or_clean() -> list[Experiment]:
    """Noise ratio against size of the clean set: reweighting and standard training, and the clean set alone."""
    experiments = []
    for seed in range(5):
        # What learns from the clean set alone never sees the noise, so one ratio stands for all.
        experiments += [Experiment(ratio=0.0, clean_per_class=k, method="clean_only", seed=seed) for k in CLEAN_SIZES]
        experiments += [
            Experiment(ratio=ratio, clean_per_class=size, method=method, seed=seed)
            for ratio in MAP_RATIOS
            for size in MAP_SIZES
            for method in ("reweight", "standard")
        ]
    return experiments


GRIDS = {"blue-and-red": _blue_and_red, "reweight-or-clean": _reweight_or_clean, "leaderboard": leaderboard}
