"""The folder of a sweep while it runs: a small file for each run, written whole by whoever made it.

A file goes by the hash of its run's identity and holds all that is known of it, so that a sweep that is killed at any
moment has lost nothing, and several may work in one folder. `grid.json` beside them tells what was asked for last.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nlkit.files import to_json, write_whole
from nlkit.identity import complete, identity, key
from nlkit.settings import Runnable
from nlkit.sweeps.files import (
    FORM,
    UNREADABLE,
    ReadRun,
    check_form,
    outcome_of,
    read_sweep,
    reason,
    run_of,
    sweep_of,
    write_sweep,
)
from nlkit.sweeps.results import Failure, Result, Sweep

GRID = "grid.json"
_NAME = re.compile(r"[0-9a-f]{20}")  # of a run


def name_of(settings: Runnable | Mapping[str, object]) -> str:
    """How a run is called in a folder: the first 20 hexadecimal digits of the SHA-256 of its identity."""
    return hashlib.sha256(key(settings).encode()).hexdigest()[:20]


def file_of(folder: Path, settings: Runnable | Mapping[str, object]) -> Path:
    return folder / f"{name_of(settings)}.json"


def keep_run(folder: Path, run: Result | Failure) -> None:
    """Write the file of a run, whole or not at all; what became of it before is replaced. An OSError if it can't be."""
    row = {"form": FORM, "settings": run.settings, "made": run.made, **outcome_of(run)}
    _put(file_of(folder, run.settings), to_json(row) + "\n")


def _put(file: Path, text: str) -> None:
    """Write a file whole, also where another sweep writes the same one: the last to be done takes the name."""
    own = file.with_suffix(f".{uuid.uuid4().hex[:8]}")
    write_whole(own, text)
    os.replace(own, file)


def read_folder(folder: str | Path) -> Sweep:
    """The runs that a folder holds, in the order of its grid; what is no run's file is left alone.

    Warns as `nlkit.sweeps.files.read_sweep` does. Raises a ValueError for a file that can't be read.
    """
    folder = Path(folder)
    place = {name_of(experiment): number for number, experiment in enumerate(grid_in(folder))}
    files = [file for file in folder.glob("*.json") if _NAME.fullmatch(file.stem)]
    files.sort(key=lambda file: (place.get(file.stem, len(place)), file.stem))
    sweep = sweep_of([_read_run(file) for file in files], str(folder))
    return Sweep(sweep.results, tuple(failure for failure in sweep.failed if failure.key not in sweep.by_key))


def read_one(folder: Path, experiment: Runnable) -> Result | Failure | None:
    """What became of one run, if its file is there."""
    file = file_of(folder, experiment)
    return _read_run(file).run if file.exists() else None


def _read_run(file: Path) -> ReadRun:
    try:
        row = json.loads(file.read_text(encoding="utf-8"))
        check_form(row["form"])
        return run_of(row["settings"], row["made"], row)
    except UNREADABLE as error:
        raise ValueError(f"{str(file)!r} is not a run's file: {reason(error)}") from error


def keep_grid(folder: Path, experiments: Iterable[Runnable]) -> None:
    """Write down what is asked for. An OSError if it can't be."""
    rows = ",\n".join(to_json(identity(experiment)) for experiment in experiments)
    _put(folder / GRID, f'{{"form": {FORM}, "grid": [\n{rows}\n]}}\n')


def grid_in(folder: Path) -> list[Any]:
    """The experiments that were asked for last in a folder; none where there is no such list."""
    file = folder / GRID
    if not file.exists():
        return []
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        check_form(content["form"])
        return [complete(settings)[0] for settings in content["grid"]]
    except UNREADABLE as error:
        raise ValueError(f"{str(file)!r} is not the grid of a sweep: {reason(error)}") from error


def pack(folder: str | Path, file: str | Path, grid: Iterable[Runnable] | None = None) -> Sweep:
    """Put the runs of a folder into one file, with those that the file has; of a run in both, the folder's is taken.

    The folder stays as it is. grid: these runs alone, and the new ones in this order; all runs otherwise.
    Returns what was written. Raises a ValueError for a file that holds no sweep, an OSError when it can't be written.
    """
    before, new = read_sweep(file) if Path(file).exists() else Sweep(), read_folder(folder)
    results = before.by_key | new.by_key
    failed = {run.key: run for run in (*before.failed, *new.failed) if run.key not in results}
    if grid is not None:
        asked = list(map(key, grid))
        order = dict.fromkeys([name for name in before.by_key if name in set(asked)] + asked)
        results = {name: results[name] for name in order if name in results}
        failed = {name: failed[name] for name in order if name in failed}
    packed = Sweep(tuple(results.values()), tuple(failed.values()))
    write_sweep(file, packed)
    return packed
