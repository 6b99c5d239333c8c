"""Where the runs of a sweep are made: this machine's cores, or somebody else's engine through one seam.

The seam is `concurrent.futures.Executor`. Dask has one of its own; submitit, which speaks to Slurm, gets it here.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from nlkit.checks import DataError, check_integer

LOOK = 0.5  # seconds between two looks at jobs that others run
ARRAY = 1000  # jobs that go out together at most, as Slurm has it by itself
ENGINES = "dask:tcp://HOST:PORT, slurm:PARTITION or local"
MINUTES = 60  # that a job may take, unless told otherwise; submitit's own 5 are few


@contextlib.contextmanager
def engine(
    on: str, logs: str | Path, at_once: int | None = None, resources: Mapping[str, object] | None = None
) -> Iterator[Executor]:
    """The executor of an engine, until the block ends.

    on: "dask:" and the address of a scheduler, whose workers must have one thread each; "slurm:" and a partition; or
        "local", submitit's processes on this machine, to try out what would go to Slurm.
    logs: the folder in which submitit keeps what jobs print.
    at_once: how many jobs submitit runs at a time at most; all unless given.
    resources: what submitit asks for each job, by its own names, such as {"mem_gb": 8, "slurm_account": "physics"}.

    Raises a ValueError for an engine that is not known or can't be as it is, a DataError when its package is missing or
    nobody answers at its address.
    """
    name, _, where = on.partition(":")
    if name not in ("dask", "slurm", "local") or bool(where) != (name != "local"):
        raise ValueError(f"on={on!r} is not known. It must be {ENGINES}")
    if name == "dask":
        if at_once is not None or resources:
            raise ValueError(f"on={on!r}: how many runs at a time, and with what, its workers decide; leave it out")
        with _dask(where) as executor:
            yield executor
        return
    with contextlib.closing(Submitit(_submitit(name, where, Path(logs), resources or {}), at_once)) as executor:
        yield executor


@contextlib.contextmanager
def _dask(address: str) -> Iterator[Executor]:
    distributed = _extra("distributed")
    try:
        client = distributed.Client(address, timeout=20)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise DataError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        many = {worker: count for worker, count in client.nthreads().items() if count != 1}
        if many:
            worker, count = next(iter(many.items()))
            raise ValueError(
                f"Dask's worker {worker} has {count} threads; runs in threads side by side would draw from one random "
                "state. Start workers of one thread: dask worker ADDRESS --nthreads 1 --nworkers NUMBER"
            )
        yield client.get_executor(pure=False)


def _submitit(name: str, partition: str, logs: Path, resources: Mapping[str, object]) -> Any:
    executor = _extra("submitit").AutoExecutor(folder=logs, cluster=name)
    asked = {"timeout_min": MINUTES, "cpus_per_task": 1} | dict(resources)
    if name == "slurm":
        # What Slurm gives a job is what its libraries should take.
        asked = {"slurm_partition": partition, "slurm_setup": ["export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK"]} | asked
    try:
        executor.update_parameters(**asked)
    except (NameError, TypeError, ValueError) as error:  # as submitit tells of a name that it doesn't know
        raise ValueError(f"resources={dict(resources)!r} are not submitit's: {error}") from error
    return executor


def _extra(package: str) -> Any:
    try:
        return __import__(package)
    except ImportError as error:
        raise DataError(f"the package {package} is not installed: python -m pip install 'nlkit[cluster]'") from error


class Submitit(Executor):
    """submitit's executor as one of `concurrent.futures`: its jobs are looked at now and then, from a thread.

    What is submitted goes out together, as one array of jobs; with `at_once`, as many as there is room for.
    """

    def __init__(self, executor: Any, at_once: int | None = None):
        self._executor = executor
        self._at_once = None if at_once is None else check_integer("jobs", at_once, 1)
        self._waiting: list[tuple[Future, Callable, tuple, dict]] = []
        self._jobs: dict[Future, Any] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._looker = threading.Thread(target=self._look, daemon=True)
        self._looker.start()

    def submit(self, function: Callable, /, *arguments: Any, **options: Any) -> Future:
        future: Future = Future()
        with self._lock:
            self._waiting.append((future, function, arguments, options))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End, and call off what has not been done by then; `wait` waits for what has been submitted first."""
        while wait and not cancel_futures and (self._waiting or self._jobs):
            time.sleep(LOOK)
        self._ended.set()
        self._looker.join()
        with self._lock:
            for future, job in self._jobs.items():
                job.cancel()
                future.cancel()
            for future, *_ in self._waiting:
                future.cancel()
            self._jobs, self._waiting = {}, []

    def close(self) -> None:
        self.shutdown(cancel_futures=True)

    def _look(self) -> None:
        while not self._ended.wait(LOOK):
            with self._lock:
                self._send()
                for future, job in list(self._jobs.items()):
                    if future.cancelled() or job.done():
                        del self._jobs[future]
                        self._settle(future, job)

    def _send(self) -> None:
        """Submit what waits, as far as there is room for it."""
        room = ARRAY if self._at_once is None else min(ARRAY, max(0, self._at_once - len(self._jobs)))
        going, self._waiting = self._waiting[:room], self._waiting[room:]
        going = [each for each in going if not each[0].cancelled()]
        if not going:
            return
        try:
            with self._executor.batch():
                jobs = [self._executor.submit(function, *args, **options) for _, function, args, options in going]
        except Exception as error:  # such as Slurm's refusal of what is asked for: no fault of the runs
            for future, *_ in going:
                if future.set_running_or_notify_cancel():
                    future.set_exception(DataError(f"the jobs could not be submitted: {error}"))
        else:
            self._jobs |= {future: job for (future, *_), job in zip(going, jobs)}

    def _settle(self, future: Future, job: Any) -> None:
        if not future.set_running_or_notify_cancel():
            job.cancel()
            return
        try:
            future.set_result(job.result())
        except Exception as error:  # whatever became of it
            future.set_exception(error)
