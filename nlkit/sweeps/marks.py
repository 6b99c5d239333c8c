"""Who is at which run: a mark beside its file, so that two sweeps in one folder share the work.

A mark is kept fresh as long as its process lives. One that is stale, or whose process on this machine has ended, counts
for nothing. Should two take over the same one at the same moment, both make the run, and either result will do.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nlkit.files import to_json
from nlkit.settings import Runnable
from nlkit.sweeps.folder import name_of
from nlkit.sweeps.results import in_short

FRESH = 90.0  # seconds that a mark counts without being renewed
_RENEWED = 15.0
_UNFINISHED = re.compile(r"[0-9a-f]{20}\.[0-9a-f]{8}(\.partial)?")  # see `nlkit.sweeps.folder.keep_run`


@dataclass(frozen=True)
class Running:
    """A run that somebody is at."""

    name: str  # as in its file's
    experiment: str  # in short
    host: str
    began: float  # seconds since 1970


@contextlib.contextmanager
def marked(folder: Path, experiment: Runnable) -> Iterator[bool]:
    """Mark a run as being made here, until the block ends; whether that worked, and nobody else is at it.

    Where no mark can be written, such as on a full disk, the run is made without.
    """
    mark = folder / f"{name_of(experiment)}.running"
    told = {"experiment": in_short(experiment), "host": socket.gethostname(), "pid": os.getpid(), "began": time.time()}
    try:
        free = _made(mark, to_json(told))
    except OSError:
        yield True
        return
    if not free:
        yield False
        return
    done = threading.Event()
    keeper = threading.Thread(target=_keep_fresh, args=(mark, done), daemon=True)
    keeper.start()
    try:
        yield True
    finally:
        done.set()
        keeper.join()
        remove_mark(folder, experiment)


def remove_mark(folder: Path, experiment: Runnable) -> None:
    with contextlib.suppress(OSError):
        (folder / f"{name_of(experiment)}.running").unlink(missing_ok=True)


def running_in(folder: Path) -> list[Running]:
    """What somebody is at in a folder, the longest first."""
    found = [_read(mark) for mark in folder.glob("*.running")]
    return sorted((running for running in found if running), key=lambda running: running.began)


def clear_marks(folder: Path) -> None:
    """Take away what those left behind who were killed: marks that count no more, and files that were being written."""
    for mark in folder.glob("*.running"):
        if not _read(mark):
            mark.unlink(missing_ok=True)
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if _UNFINISHED.fullmatch(file.name) and time.time() - file.stat().st_mtime > FRESH:
                file.unlink()


def _made(mark: Path, content: str) -> bool:
    """Make a mark unless there is one that counts. An OSError where none can be written."""
    if mark.exists() and not _read(mark):
        mark.unlink(missing_ok=True)
    try:
        stream = mark.open("x", encoding="utf-8")
    except FileExistsError:
        return False
    with stream:
        stream.write(content)
    return True


def _read(mark: Path) -> Running | None:
    """What a mark says; None if it doesn't count."""
    try:
        if time.time() - mark.stat().st_mtime > FRESH:
            return None
        told = json.loads(mark.read_text(encoding="utf-8") or "{}")  # empty for the moment before it is written
        if told.get("host") == socket.gethostname() and not _alive(told["pid"]):
            return None
        return Running(mark.stem, told.get("experiment", ""), told.get("host", ""), told.get("began", time.time()))
    except (OSError, ValueError, KeyError):  # gone meanwhile, or half-written by one that was killed
        return None


def _alive(pid: int) -> bool:
    if os.name == "nt":  # where asking would end it; the mark goes stale by itself
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    try:  # one that was killed, and that its parent has not taken note of, is still listed
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):  # no such list, as on a Mac
        return True


def _keep_fresh(mark: Path, done: threading.Event) -> None:
    while not done.wait(_RENEWED):
        with contextlib.suppress(OSError):
            os.utime(mark)
