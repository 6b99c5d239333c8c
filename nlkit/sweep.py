"""Sweeps: many runs, one after another, kept in one small file that a broken-off sweep goes on from.

Grids that take too long for a lesson are run by `nlkit sweep NAME`, and their results are part of the package, each
with the day, the versions and the machine that it comes from: a notebook loads them, and can run any cell again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from nlkit.checks import check_choice, check_integer
from nlkit.cnwl import LEVELS
from nlkit.devices import pick_device
from nlkit.experiment import Experiment
from nlkit.files import check_writable
from nlkit.identity import explicit, key
from nlkit.leaderboard import leaderboard
from nlkit.made import made_here
from nlkit.records import Record
from nlkit.result import Failure, Result, Sweep, read_sweep, write_sweep
from nlkit.workers import Died, in_processes


class SweepError(RuntimeError):
    """Runs of a sweep failed, `failures`; all others were made, and are kept."""

    def __init__(self, failures: Iterable[Failure], file: Path):
        self.failures = tuple(failures)
        told = "; ".join(map(str, self.failures[:5])) + ("; …" if len(self.failures) > 5 else "")
        runs = "a run" if len(self.failures) == 1 else f"{len(self.failures)} runs"
        super().__init__(f"{runs} failed, to be tried again at the next call ({file}): {told}")


def run_sweep(
    experiments: Iterable[Experiment], file: str | Path, keep: Iterable[str] = (), jobs: int = 1
) -> Iterator[Result]:
    """Run the experiments that `file` (JSON) does not hold yet, and yield each result once it is saved there.

    An experiment is known by its `nlkit.identity.identity`: all of its settings, with those filled in that are left to
    the recipe or to the method's defaults. Results have them filled in too.

    A run that fails does not stop the others. It is kept in the file as failed, with its error, and is tried again when
    the file is handed in the next time. When all is done, a `SweepError` names the runs that failed.

    keep: what else to keep by epoch: shares of `Record`, or of its `extra`; a run that lacks one leaves it out.
    jobs: how many runs at a time, each in a process and on a processor core of its own. 1 runs them here. Breaking off
        kills what is at work.

    Raises, before any run, a ValueError for an experiment of an unknown method, option or network, or when the file is
    not a sweep's or its folder does not exist; an OSError when it can't be written.
    """
    check_integer("jobs", jobs, 1)
    file = check_writable(file)
    asked = [explicit(experiment) for experiment in experiments]
    sweep = read_sweep(file) if file.exists() else Sweep()
    known = {result.key for result in sweep.results}
    missing = [experiment for name, experiment in {key(e): e for e in asked}.items() if name not in known]
    return _missing_runs(missing, sweep, file, tuple(keep), jobs)


def _missing_runs(
    missing: list[Experiment], sweep: Sweep, file: Path, keep: tuple[str, ...], jobs: int
) -> Iterator[Result]:
    run = functools.partial(_run, keep=keep)
    results, failed, new = list(sweep.results), {failure.key: failure for failure in sweep.failed}, []
    with closing(_side_by_side(run, missing, jobs) if jobs > 1 else (run(e) for e in missing)) as outcomes:
        for outcome in outcomes:
            failed.pop(outcome.key, None)
            if isinstance(outcome, Failure):
                failed[outcome.key] = outcome
                new.append(outcome)
            else:
                results.append(outcome)
            write_sweep(file, Sweep(tuple(results), tuple(failed.values())))
            if isinstance(outcome, Result):
                yield outcome
    if new:
        raise SweepError(new, file)


def _side_by_side(run: functools.partial, missing: list[Experiment], jobs: int) -> Iterator[Result | Failure]:
    with closing(in_processes(run, missing, jobs)) as outcomes:
        for experiment, outcome in outcomes:
            yield Failure(experiment, str(outcome), _made(experiment)) if isinstance(outcome, Died) else outcome


def _run(experiment: Experiment, keep: tuple[str, ...]) -> Result | Failure:
    try:
        return summarize(experiment, experiment.run(), keep)
    except Exception as error:  # whatever it is, the other runs go on
        return Failure(experiment, " ".join(f"{type(error).__name__}: {error}".split()), _made(experiment))


def _made(experiment: Experiment) -> dict[str, object]:
    try:
        return made_here(device=str(pick_device(experiment.device)))
    except ValueError:  # a device that isn't there is a reason to fail
        return made_here()


def summarize(experiment: Experiment, run: Iterable[Record], keep: Iterable[str] = ()) -> Result:
    """Train to the end, and keep of the records what a sweep keeps, and the further curves `keep`."""
    records = list(run)
    rows = [record.as_row() | record.extra for record in records]
    return Result(
        explicit(experiment),
        tuple(round(r.test_accuracy, 4) for r in records),
        tuple(round(r.memorized, 4) for r in records),
        round(sum(r.seconds for r in records), 2),
        {name: tuple(round(row[name], 4) for row in rows) for name in keep if name in rows[0]},
        _made(experiment),
    )


def load_sweep(name: str | Path) -> Sweep:
    """The results of a grid that the package carries, by its name (see `GRIDS`), or those of a file.

    Raises a ValueError for a file that holds no sweep, or one in the form of an earlier version.
    """
    if name in GRIDS:
        return read_sweep(stored(name))
    try:
        return read_sweep(name)
    except ValueError as error:
        raise ValueError(f"{error}. Grids that the package carries: {', '.join(GRIDS)}") from error


def stored(name: str) -> Path:
    """Where the package carries the results of a grid."""
    check_choice("sweep", name, GRIDS)
    return Path(__file__).parent / "results" / f"{name}.json"


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
