"""Processes of our own that work side by side: one that dies takes only its task with it, and none outlives us."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar, cast

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")

# A forked process would share the threads' locks of this one's torch.
SPAWN = multiprocessing.get_context("spawn")


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Died(Exception):
    """A worker's process ended while it was at a task."""


class _Worker:
    """A process that does one task after another, and says first that it is ready."""

    def __init__(self, work: Callable[[Task], Outcome], threads: int):
        self.end, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=_serve, args=(work, theirs), daemon=True)
        with _unheeded_interrupts(), _computing_with(threads):
            self.process.start()
        theirs.close()
        self.task: Any = None
        self.ready = False

    def give(self, task: object) -> None:
        self.task = task
        # A process that has just died can't be told so; that it is dead is noticed when its answer is awaited.
        with contextlib.suppress(BrokenPipeError):
            self.end.send(task)

    def died(self) -> Died:
        """What became of its task; a RuntimeError if it never got as far as one."""
        self.process.join()
        how = _how(self.process.exitcode)
        if not self.ready:
            raise RuntimeError(
                f"a process that should do the runs could not start: {how}. A script must call this only below "
                "`if __name__ == '__main__':`; otherwise, do the runs one at a time, with jobs=1"
            )
        return Died(how)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.end.close()


def in_processes(
    work: Callable[[Task], Outcome], tasks: Sequence[Task], jobs: int
) -> Iterator[tuple[Task, Outcome | Died]]:
    """Do the tasks, `jobs` at a time, and yield each with its outcome as they come; of two, the shorter may come first.

    work, tasks and outcomes must be such that they can be pickled. Each process computes with its share of the cores.
    Where one dies at its task, which is what happens when the memory is full, the outcome is a `Died`, and another
    process takes its place. They are killed when the last task is done, and when whoever drives it stops asking or is
    interrupted.

    Raises a RuntimeError when no process can start.
    """
    waiting, workers = list(reversed(tasks)), []
    jobs = min(jobs, len(tasks))
    threads = max(1, cores() // max(1, jobs))
    try:
        workers += [_Worker(work, threads) for _ in range(jobs)]
        while workers:
            for end in cast(list[Connection], wait([worker.end for worker in workers])):
                worker = next(w for w in workers if w.end is end)
                try:
                    answer = end.recv()
                except (EOFError, ConnectionError):
                    answer = worker.died()
                    workers.remove(worker)
                    worker.kill()
                    workers += [_Worker(work, threads)] if waiting else []
                    yield worker.task, answer
                    continue
                if worker.ready:
                    yield worker.task, answer
                worker.ready = True
                if waiting:
                    worker.give(waiting.pop())
                else:
                    workers.remove(worker)
                    worker.kill()
    finally:
        for worker in workers:  # all at once, so that a second Ctrl-C finds none at work
            worker.process.kill()
        for worker in workers:
            worker.kill()


def _serve(work: Callable[[Task], Outcome], end: Connection) -> None:
    end.send("ready")
    with contextlib.suppress(EOFError, ConnectionError):  # the one who asks is gone
        while True:
            end.send(work(end.recv()))


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = ", as it happens when the memory is full" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with exit code {code}"


@contextlib.contextmanager
def _computing_with(threads: int) -> Iterator[None]:
    """Processes that are started here compute with so many threads."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)  # which NumPy and torch read when they are loaded
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


@contextlib.contextmanager
def _unheeded_interrupts() -> Iterator[None]:
    """Processes that are started here do not heed Ctrl-C, which a terminal sends to all: we end them ourselves."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
