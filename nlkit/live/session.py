"""Runs that are looked at while they go on: the race between them, and what is remembered of each. No widgets."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nlkit.data.dataset import Dataset
from nlkit.plots import Curve
from nlkit.records import Measured, Record, Recorded, Step, best_record
from nlkit.tasks.make import make_task
from nlkit.tasks.task import Task
from nlkit.training.classification import Experiment

_SHORT = {
    "noise": lambda v: f"{v['noise']} noise",
    "ratio": lambda v: f"{v['ratio']:.0%}",
    "clean_per_class": lambda v: f"{v['clean_per_class']} clean",
    "epochs": lambda v: f"{v['epochs']} epochs",
    "learning_rate": lambda v: f"rate {v['learning_rate']:.2g}",
    "seed": lambda v: f"seed {v['seed']}",
}  # how a setting is named where it differs between runs


@dataclass
class Seen:
    """One run of a method, or of a variant of a page: its number, the settings of the panel, and its records."""

    number: int
    method: str
    settings: dict[str, object]
    history: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.number} {self.method.replace('_', ' ')}"

    @property
    def seconds(self) -> float:
        return sum(record.seconds or 0.0 for record in self.history)


def race(
    data: Dataset | Task, task_arguments: dict[str, object], training: dict[str, object], methods: Sequence[str]
) -> Iterator[Task | tuple[int, Record | Step]]:
    """Train several methods on one task, epoch by epoch in turn: first the task, then (place of the method, event)."""
    if not methods:
        raise ValueError("methods=() is empty; pick at least one")
    task = data if isinstance(data, Task) else make_task(data, **task_arguments)
    yield task
    yield from in_turn(Experiment(method=method, **training).run(task, steps=True) for method in methods)


def in_turn(runs: Iterable[Iterator[Recorded | Step]]) -> Iterator[tuple[int, Any]]:
    """Runs of any kind, record by record in turn until all are over: (place of the run, what it yields).

    A record that doesn't say how long it took is told what it took here.
    """
    going = dict(enumerate(runs))
    while going:
        for place, run in list(going.items()):
            began = time.perf_counter()
            for event in run:
                if isinstance(event, Step):
                    yield place, event
                    continue
                if isinstance(event, Measured) and event.seconds is None:
                    event = replace(event, seconds=time.perf_counter() - began)
                yield place, event
                break
            else:
                del going[place]


def named_curves(runs: Sequence[Seen]) -> list[Curve]:
    """Curves of the runs that have begun, each named by its number, its method and the settings that differ."""
    differ = [key for key in _SHORT if len({run.settings.get(key) for run in runs}) > 1]
    return [
        Curve(run.method, ", ".join([run.name, *(_SHORT[key](run.settings) for key in differ)]), run.history)
        for run in runs
        if run.history
    ]


def table_of_numbers(runs: Sequence[Seen], number: str, at_first: Mapping[str, object]) -> str:
    """Runs of a page as an HTML table, the latest first: the settings that were moved, and one number, best and last.

    at_first: setting -> where it started, of those that a panel lets be moved.
    """
    seen = [run for run in reversed(runs) if run.history]
    if not seen:
        return ""
    moved = [name for name, start in at_first.items() if any(run.settings[name] != start for run in seen)]
    rows = []
    for run in seen:
        values = [record.numbers[number] for record in run.history]
        ends = {f"{number.replace('_', ' ')}, last": f"{values[-1]:.4g}", "highest": f"{max(values):.4g}"}
        settings = {name.replace("_", " "): _brief(run.settings[name]) for name in moved}
        rows.append({"run": run.name, **settings, **ends, "seconds": f"{run.seconds:.1f}"})
    return _as_table(list(rows[0]), rows)


def _brief(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


_COLUMNS = ("run", "noise", "ratio", "clean per class", "best", "final", "fits given labels", "memorized", "seconds")


def results_table(runs: Sequence[Seen]) -> str:
    """The runs as an HTML table, the latest first; empty without runs. A column that no run has is left out."""
    if not any(run.history for run in runs):
        return ""
    cells_by_name = [_row(run) for run in reversed(runs) if run.history]
    head = [name for name in _COLUMNS if any(name in row for row in cells_by_name)]
    return _as_table(head, cells_by_name)


def _as_table(head: Sequence[str], named_cells: Sequence[Mapping[str, str]]) -> str:
    rows = [[row.get(name, "") for name in head] for row in named_cells]
    cells = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    names = "".join(f'<th scope="col">{name}</th>' for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table>"


def _row(run: Seen) -> dict[str, str]:
    last, settings = run.history[-1], run.settings
    stopped = "" if last.epoch == settings["epochs"] else f" (epoch {last.epoch})"
    row = {"run": run.name}
    if "noise" in settings:  # a task that was made beforehand has nothing to choose
        its_own = str(settings["noise"]).startswith("human:")
        row |= {
            "noise": str(settings["noise"]),
            "ratio": "its own" if its_own else f"{settings['ratio']:.0%}",
            "clean per class": str(settings["clean_per_class"]),
        }
    if last.test_accuracy is None:
        row["fits given labels"] = f"{last.given_accuracy:.1%}{stopped}"
    else:
        row["best"] = f"{best_record(run.history).test_accuracy:.1%}"
        row["final"] = f"{last.test_accuracy:.1%}{stopped}"
    if last.memorized is not None:
        of_known = "" if last.known is None else f" of {last.known:,} known"
        row["memorized"] = (
            "–" if last.memorized != last.memorized else f"{last.memorized:.1%}{of_known}"
        )  # NaN: no wrong
    return row | {"seconds": f"{run.seconds:.1f}"}
