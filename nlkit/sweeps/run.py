"""Sweeps: many runs, each kept in a small file of its own as soon as it is made, on whatever machines there are.

Grids that take too long for a lesson are run by `nlkit sweep NAME`, and their results, packed into one file, are part
of the package, each with the day, the versions and the machine that it comes from: a notebook loads them, and can run
any cell again.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, as_completed
from contextlib import closing
from pathlib import Path
from typing import Any

from nlkit.checks import DataError, check_integer
from nlkit.files import check_writable
from nlkit.identity import explicit, key
from nlkit.made import made_here
from nlkit.records import Recorded
from nlkit.settings import Runnable
from nlkit.sweeps.files import read_sweep
from nlkit.sweeps.folder import GRID, file_of, keep_grid, keep_run, read_folder, read_one
from nlkit.sweeps.marks import clear_marks, marked, remove_mark
from nlkit.sweeps.results import Failure, Result, Sweep
from nlkit.sweeps.workers import Died, in_processes

RESULTS = Path(__file__).parent.parent / "results"  # what the package carries
PAUSE = 1.0  # seconds until runs that somebody else is at are looked at again


class SweepError(RuntimeError):
    """Runs of a sweep failed, `failures`; all others were made, and are kept."""

    def __init__(self, failures: Iterable[Failure], folder: Path):
        self.failures = tuple(failures)
        told = "; ".join(map(str, self.failures[:5])) + ("; …" if len(self.failures) > 5 else "")
        runs = "a run" if len(self.failures) == 1 else f"{len(self.failures)} runs"
        super().__init__(f"{runs} failed, to be run again with again=True ({folder}): {told}")


def run_sweep(
    experiments: Iterable[Runnable],
    folder: str | Path,
    keep: Iterable[str] = (),
    *,
    known: Sweep | None = None,
    again: bool = False,
    jobs: int = 1,
    executor: Executor | None = None,
) -> Iterator[Result]:
    """Make the runs that `folder` does not hold yet, and yield each result once it is saved there.

    An experiment is known by its `nlkit.identity.identity`: all of its settings, with those filled in that are left to
    a recipe or to a method's defaults. Results have them filled in too. Whoever makes a run writes its file, whole or
    not at all; so a sweep that is killed goes on where it was, and several may work in one folder: they share the runs.

    A run that fails does not stop the others. It is kept in the folder as failed, with its error, and is not run again
    unless that is asked for. When all is done, a `SweepError` names those of the experiments that failed.

    folder: made unless it exists. Workers on other machines write into it if they have it under the same path;
        otherwise what they send back is written here.
    keep: which of the records' numbers to keep, beside those that the experiments' class keeps (its `kept`; all of them
        where it has no such list). A run that lacks one leaves it out.
    known: results from elsewhere, such as those that the package carries; these runs are not made.
    again: run those again that failed.
    jobs: how many runs at a time, each in a process with its share of the processor's cores. 1 runs them here. Breaking
        off kills what is at work.
    executor: where to run them instead, such as on other machines: of processes, or one thread, since runs in threads
        side by side would draw from one random state. What it has begun when the sweep is broken off, it may well end;
        what has not begun is called off. See `nlkit.sweeps.engines`.

    Raises, before any run, a ValueError for an experiment that can't be, or a folder with files that can't be read; an
    OSError when it can't be written.
    """
    check_integer("jobs", jobs, 1)
    folder = Path(folder).absolute()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"folder={str(folder)!r} is a file; it must be a folder, one for the results of a sweep")
    elsewhere = (known or Sweep()).by_key
    asked = {name: explicit(e) for e in experiments if (name := key(e)) not in elsewhere}
    there = read_folder(folder) if folder.exists() else Sweep()
    if not asked:
        return iter(())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"folder={str(folder)!r} can't be made: {error.strerror or error}") from error
    check_writable(folder / GRID, "folder")
    keep_grid(folder, asked.values())
    clear_marks(folder)
    failed = {failure.key: failure for failure in there.failed if failure.key in asked}
    for failure in failed.values() if again else ():
        file_of(folder, failure.settings).unlink(missing_ok=True)
    missing = [e for name, e in asked.items() if name not in there.by_key and (again or name not in failed)]
    return _made(missing, folder, tuple(keep), jobs, executor, [] if again else list(failed.values()))


def _made(
    missing: list[Any],
    folder: Path,
    keep: tuple[str, ...],
    jobs: int,
    executor: Executor | None,
    failed: list[Failure],
) -> Iterator[Result]:
    run = functools.partial(make_one, folder=folder, keep=keep)
    while missing:
        elsewhere = []
        with closing(_outcomes(run, missing, jobs, executor)) as outcomes:  # type: ignore[type-var]
            for experiment, outcome in outcomes:
                if outcome is None:
                    elsewhere.append(experiment)
                    continue
                if not file_of(folder, experiment).exists():  # who made it does not share our disk, or has died
                    keep_run(folder, outcome)
                    remove_mark(folder, experiment)
                if isinstance(outcome, Failure):
                    failed.append(outcome)
                else:
                    yield outcome
        missing = elsewhere
        time.sleep(PAUSE if missing else 0)
    if failed:
        raise SweepError(failed, folder)


def _outcomes(
    run: functools.partial, missing: list[Any], jobs: int, executor: Executor | None
) -> Iterator[tuple[Any, Result | Failure | None]]:
    """What becomes of each run, as they come; None for one that somebody else is at."""
    if executor is not None:
        futures = {executor.submit(run, experiment): experiment for experiment in missing}
        try:
            for future in as_completed(futures):
                if isinstance(error := future.exception(), DataError):
                    raise error  # of the engine; those of runs come as failures
                yield futures[future], failure_of(futures[future], error) if error else future.result()
        finally:
            for future in futures:
                future.cancel()
    elif jobs > 1:
        with closing(in_processes(run, missing, jobs)) as outcomes:  # type: ignore[type-var]
            for experiment, outcome in outcomes:
                yield experiment, failure_of(experiment, outcome) if isinstance(outcome, Died) else outcome
    else:
        for experiment in missing:
            yield experiment, run(experiment)


def make_one(experiment: Any, folder: Path, keep: tuple[str, ...]) -> Result | Failure | None:
    """Make a run and write its file, if nobody else has done so or is at it (None); what workers are told to do.

    Where the file can't be written, whoever gets the outcome is to write it.
    """
    with marked(folder, experiment) as ours:
        if not ours:
            return None
        if found := read_one(folder, experiment):
            return found
        try:
            outcome: Result | Failure = summarize(experiment, experiment.run(), keep)
        except Exception as error:  # whatever it is, the other runs go on
            outcome = failure_of(experiment, error)
        with contextlib.suppress(OSError):
            keep_run(folder, outcome)
        return outcome


def failure_of(experiment: Any, error: BaseException) -> Failure:
    """What is kept of a run that ended in an error."""
    told = str(error) if isinstance(error, Died) else f"{type(error).__name__}: {error}"
    return Failure(experiment, " ".join(told.split()), _made_by(experiment))


def _made_by(experiment: Any) -> dict[str, object]:
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
        _made_by(experiment),
    )


def load_sweep(name: str | Path) -> Sweep:
    """The results that the package carries under this name, or those of a file or a folder.

    Raises a ValueError for what holds no sweep, or one in the form of an earlier version.
    """
    if stored(str(name)).exists():
        return read_sweep(stored(str(name)))
    if Path(name).is_dir():
        return read_folder(name)
    try:
        return read_sweep(name)
    except ValueError as error:
        carried = ", ".join(sorted(path.stem for path in RESULTS.glob("*.json") if path.stem != "reproduce"))
        raise ValueError(f"{error}. Results that the package carries: {carried}") from error


def stored(name: str) -> Path:
    """Where the package carries the results of a grid."""
    return RESULTS / f"{name}.json"
