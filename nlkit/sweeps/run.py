"""Sweeps: many runs, one after another, kept in one small file that a broken-off sweep goes on from.

Grids that take too long for a lesson are run by `nlkit sweep NAME`, and their results are part of the package, each
with the day, the versions and the machine that it comes from: a notebook loads them, and can run any cell again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, as_completed
from contextlib import closing
from pathlib import Path
from typing import Any

from nlkit.checks import check_integer
from nlkit.files import check_writable
from nlkit.identity import explicit, key
from nlkit.made import made_here
from nlkit.records import Recorded
from nlkit.settings import Runnable
from nlkit.sweeps.results import Failure, Result, Sweep, read_sweep, write_sweep
from nlkit.sweeps.workers import Died, in_processes

RESULTS = Path(__file__).parent.parent / "results"  # what the package carries


class SweepError(RuntimeError):
    """Runs of a sweep failed, `failures`; all others were made, and are kept."""

    def __init__(self, failures: Iterable[Failure], file: Path):
        self.failures = tuple(failures)
        told = "; ".join(map(str, self.failures[:5])) + ("; …" if len(self.failures) > 5 else "")
        runs = "a run" if len(self.failures) == 1 else f"{len(self.failures)} runs"
        super().__init__(f"{runs} failed, to be tried again at the next call ({file}): {told}")


def run_sweep(
    experiments: Iterable[Runnable],
    file: str | Path,
    keep: Iterable[str] = (),
    jobs: int = 1,
    executor: Executor | None = None,
) -> Iterator[Result]:
    """Run the experiments that `file` (JSON) does not hold yet, and yield each result once it is saved there.

    An experiment is known by its `nlkit.identity.identity`: all of its settings, with those filled in that are left to
    a recipe or to a method's defaults. Results have them filled in too.

    A run that fails does not stop the others. It is kept in the file as failed, with its error, and is tried again when
    the file is handed in the next time. When all is done, a `SweepError` names the runs that failed.

    keep: which of the records' numbers to keep, beside those that the experiments' class keeps (its `kept`; all of them
        where it has no such list). A run that lacks one leaves it out.
    jobs: how many runs at a time, each in a process and on a processor core of its own. 1 runs them here. Breaking off
        kills what is at work.
    executor: where to run them instead, such as another machine's: of processes, or one thread, since runs in threads
        side by side would draw from one random state. What it has begun when the sweep is broken off, it may well end;
        what has not begun is called off.

    Raises, before any run, a ValueError for an experiment that can't be, or when the file is not a sweep's or its
    folder does not exist; an OSError when it can't be written.
    """
    check_integer("jobs", jobs, 1)
    file = check_writable(file)
    asked = [explicit(experiment) for experiment in experiments]
    sweep = read_sweep(file) if file.exists() else Sweep()
    missing = [experiment for name, experiment in {key(e): e for e in asked}.items() if name not in sweep.by_key]
    run = functools.partial(_run, keep=tuple(keep))
    return _missing_runs(_outcomes(run, missing, jobs, executor), sweep, file)


def _missing_runs(outcomes: Iterator[Result | Failure], sweep: Sweep, file: Path) -> Iterator[Result]:
    results, failed, new = list(sweep.results), {failure.key: failure for failure in sweep.failed}, []
    with closing(outcomes):  # type: ignore[type-var]
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


def _outcomes(
    run: functools.partial, missing: list[Any], jobs: int, executor: Executor | None
) -> Iterator[Result | Failure]:
    """What becomes of each run, as they come."""
    if executor is not None:
        futures = {executor.submit(run, experiment): experiment for experiment in missing}
        try:
            for future in as_completed(futures):
                error = future.exception()
                yield _failure(futures[future], error) if error else future.result()
        finally:
            for future in futures:
                future.cancel()
    elif jobs > 1:
        with closing(in_processes(run, missing, jobs)) as outcomes:  # type: ignore[type-var]
            for experiment, outcome in outcomes:
                yield _failure(experiment, outcome) if isinstance(outcome, Died) else outcome
    else:
        yield from map(run, missing)


def _run(experiment: Any, keep: tuple[str, ...]) -> Result | Failure:
    try:
        return summarize(experiment, experiment.run(), keep)
    except Exception as error:  # whatever it is, the other runs go on
        return _failure(experiment, error)


def _failure(experiment: Any, error: BaseException) -> Failure:
    told = str(error) if isinstance(error, Died) else f"{type(error).__name__}: {error}"
    return Failure(experiment, " ".join(told.split()), _made(experiment))


def _made(experiment: Any) -> dict[str, object]:
    try:
        return made_here(**({"device": experiment.where()} if hasattr(experiment, "where") else {}))
    except ValueError:  # a device that isn't there is a reason to fail
        return made_here()


def summarize(experiment: Any, run: Iterable[Recorded], keep: Iterable[str] = ()) -> Result:
    """Run to the end, and keep of the records what the class of the experiment keeps (its `kept`), and `keep`.

    Raises a ValueError for a run without any record.
    """
    began = time.perf_counter()
    records = list(run)
    seconds = [record.seconds for record in records]
    if not records:
        raise ValueError("the run ended without any record")
    numbers = [record.numbers for record in records]
    names = dict.fromkeys([*getattr(experiment, "kept", numbers[0]), *keep])
    return Result(
        explicit(experiment),
        {n: tuple(float(f"{row[n]:.6g}") for row in numbers) for n in names if all(n in row for row in numbers)},
        round(time.perf_counter() - began if None in seconds else sum(seconds), 2),  # type: ignore[arg-type]
        _made(experiment),
    )


def load_sweep(name: str | Path) -> Sweep:
    """The results that the package carries under this name, or those of a file.

    Raises a ValueError for a file that holds no sweep, or one in the form of an earlier version.
    """
    if stored(str(name)).exists():
        return read_sweep(stored(str(name)))
    try:
        return read_sweep(name)
    except ValueError as error:
        carried = ", ".join(sorted(path.stem for path in RESULTS.glob("*.json") if path.stem != "reproduce"))
        raise ValueError(f"{error}. Results that the package carries: {carried}") from error


def stored(name: str) -> Path:
    """Where the package carries the results of a grid."""
    return RESULTS / f"{name}.json"
