"""The one file that holds a sweep, which is what the package carries, and how a run stands in a file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from nlkit.files import to_json, write_whole
from nlkit.identity import complete
from nlkit.sweeps.results import Failure, Result, Sweep

FORM = 3  # of the file; the first held only settings that differed from the defaults, the second runs of one kind


def write_sweep(file: str | Path, sweep: Sweep) -> None:
    """Keep a sweep in a file (JSON, a line a run): settings that all runs share are told once, and so are places."""
    runs: list[Result | Failure] = [*sweep.results, *sweep.failed]
    made = list({to_json(run.made, sort_keys=True): run.made for run in runs}.values())
    shared = dict(runs[0].settings) if runs else {}
    for run in runs:
        shared = {name: value for name, value in shared.items() if name in run.settings and run.settings[name] == value}
    lists: dict[str, list] = {"results": [], "failed": []}
    for run in runs:
        own = {name: value for name, value in run.settings.items() if name not in shared}
        row = {"settings": own, "made": made.index(run.made), **outcome_of(run)}
        lists["failed" if isinstance(run, Failure) else "results"].append(row)
    head = [f'"form": {FORM}', _lines("made", made), f'"shared": {to_json(shared)}']
    write_whole(file, "{" + ",\n".join([*head, *(_lines(name, rows) for name, rows in lists.items())]) + "}\n")


def outcome_of(run: Result | Failure) -> dict[str, object]:
    """What became of a run, as files have it."""
    return {"error": run.error} if isinstance(run, Failure) else {"curves": run.curves, "seconds": run.seconds}


def read_sweep(file: str | Path) -> Sweep:
    """The sweep that a file holds.

    A warning tells of results that are older than a setting, when the `BEFORE` of their class does not say what they
    had: `where` finds them by their other settings, and they are not taken for any run that has it.
    Raises a ValueError for a file that holds no sweep, or one in the form of an earlier version.
    """
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        form = content.get("form", 1)
        if form in (1, 2) and isinstance(content["results"], list):
            raise ValueError(
                "it is in the form of an earlier version. Move it away or name another file, and its runs are made anew"
            )
        check_form(form)
        made, shared = content["made"], content["shared"]
        rows = [row for name in ("results", "failed") for row in content[name]]
        return sweep_of([run_of(shared | row["settings"], made[row["made"]], row) for row in rows], str(file))
    except UNREADABLE as error:
        raise ValueError(f"{str(file)!r} is not a sweep's file: {reason(error)}") from error


UNREADABLE = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError)  # what a strange file may raise


def check_form(form: object) -> None:
    if form != FORM:
        raise ValueError(f"its form is {form}, which this version of nlkit does not know; it is {FORM}")


class ReadRun(NamedTuple):
    """A run as it was read, and the settings that it is older than."""

    run: Result | Failure
    lacks: frozenset[str]


def run_of(settings: Mapping[str, object], made: Mapping[str, object], outcome: Mapping) -> ReadRun:
    """A run from what files say of it: one of `UNREADABLE` if they say something strange."""
    experiment, completed = complete(settings)
    if "error" in outcome:
        return ReadRun(Failure(experiment, outcome["error"], made, completed.known), frozenset())
    curves = {name: _with_nan(curve) for name, curve in outcome["curves"].items()}
    return ReadRun(Result(experiment, curves, outcome["seconds"], made, completed.known), completed.lacks)


def sweep_of(read: Iterable[ReadRun], where: str) -> Sweep:
    """The sweep of these runs; with the warning of `read_sweep`, in which they are from `where`."""
    runs: list[Result | Failure] = []
    lacks: set[str] = set()
    for one in read:
        runs.append(one.run)
        lacks |= one.lacks
    if lacks:
        warnings.warn(
            f"results of {where} are older than the settings {', '.join(sorted(lacks))}, and are not taken for runs "
            "that have them, whatever their values: the BEFORE of their class does not say what they had",
            stacklevel=3,
        )
    return Sweep(
        tuple(run for run in runs if isinstance(run, Result)), tuple(run for run in runs if isinstance(run, Failure))
    )


def reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _lines(name: str, rows: Iterable[object]) -> str:
    lines = ",\n".join(map(to_json, rows))
    return f'"{name}": [\n{lines}\n]' if lines else f'"{name}": []'


def _with_nan(curve: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if v is None else v for v in curve)
