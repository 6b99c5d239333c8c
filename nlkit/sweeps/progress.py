"""How far a sweep is: what is done, who is at what, what failed, and how long the rest may take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from nlkit.identity import key
from nlkit.sweeps.folder import GRID, grid_in, name_of, read_folder
from nlkit.sweeps.marks import Running, running_in
from nlkit.sweeps.results import Failure


@dataclass(frozen=True)
class Progress:
    """How far the runs are that were asked for."""

    total: int
    done: int
    running: tuple[Running, ...]
    failed: tuple[Failure, ...]
    seconds: float  # that a run takes, as far as some are done: their mean; NaN before

    @property
    def waiting(self) -> int:
        return self.total - self.done - len(self.running) - len(self.failed)

    @property
    def seconds_left(self) -> float:
        """At the pace of those that are done, with as many at a time as there are now; NaN while none is done."""
        left = (self.waiting + len(self.running)) * self.seconds / max(1, len(self.running))
        return left if self.waiting or self.running else 0.0

    def __str__(self) -> str:
        parts = {"done": self.done, "running": len(self.running), "failed": len(self.failed), "waiting": self.waiting}
        lines = [f"{self.total} runs: " + ", ".join(f"{count} {what}" for what, count in parts.items())]
        if self.waiting or self.running:
            lines.append(f"time left: {self._time_left()}")
        now = time.time()
        lines += [f"running for {in_time(now - r.began)} on {r.host}: {r.experiment}" for r in self.running]
        return "\n".join([*lines, *(f"failed: {failure}" for failure in self.failed)])

    def _time_left(self) -> str:
        if math.isnan(self.seconds):
            return "not known before a run is done"
        pace = f"{in_time(self.seconds)} a run, {max(1, len(self.running))} at a time"
        return f"{in_time(self.seconds_left)} ({pace}{'' if self.running else '; none is at work now'})"


def progress(folder: str | Path) -> Progress:
    """How far the runs are that were asked for last in a folder.

    Raises a ValueError for a folder that holds no sweep, or a file in it that can't be read.
    """
    folder = Path(folder)
    asked = {key(experiment): name_of(experiment) for experiment in grid_in(folder)}
    if not asked:
        raise ValueError(f"folder={str(folder)!r} holds no sweep: it has no {GRID}")
    sweep = read_folder(folder)
    done = [result for name, result in sweep.by_key.items() if name in asked]
    failed = tuple(failure for failure in sweep.failed if failure.key in asked)
    not_yet = {asked[name] for name in asked.keys() - {run.key for run in (*done, *failed)}}
    running = tuple(running for running in running_in(folder) if running.name in not_yet)
    seconds = fmean(result.seconds for result in done) if done else math.nan
    return Progress(len(asked), len(done), running, failed, seconds)


def in_time(seconds: float) -> str:
    """A span in the unit in which it has one to three digits: "40 s", "3 min", "2.5 h"."""
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.3g} h"
