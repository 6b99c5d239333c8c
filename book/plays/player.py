"""What a player is: controls, the points that they ask for, charts, and where all this is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlkit.made import in_words

from .charts import Chart
from .tables import Knob, Stored


@dataclass(frozen=True)
class Point:
    """A point at which runs are stored: its places on the knobs, its name, and what the runs there say in lines."""

    at: tuple[int, ...]
    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Player:
    """Controls, the points that they ask for, and charts. files: what it was made of."""

    title: str
    about: str
    knobs: tuple[Knob, ...]
    points: tuple[Point, ...]
    charts: tuple[Chart, ...]
    files: tuple[Path, ...]

    @property
    def starts(self) -> list[int]:
        return [knob.place(knob.start) for knob in self.knobs]


def about(stored: Sequence[Stored], note: str = "") -> str:
    """How many runs are stored, when, with what and where they were made, and a note."""
    runs = {run.key: run for one in stored for run in one.runs}
    return f"{len(runs)} runs, stored: {in_words(run.made for run in runs.values())}. {note}".rstrip()
