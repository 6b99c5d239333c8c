"""What a run reports: records, one an epoch or a pass, and on demand how far it is within one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import pandas
    from torch import Tensor


class Recorded(Protocol):
    """What panels, sweeps and pictures know of a record."""

    @property
    def epoch(self) -> int: ...  # 1 for the first

    @property
    def numbers(self) -> Mapping[str, float]: ...  # by name; kept by sweeps, drawn, claimed

    @property
    def shown(self) -> Mapping[str, object]: ...  # arrays for pictures; never stored

    @property
    def seconds(self) -> float | None: ...  # in the training steps, where that is measured


@dataclass(frozen=True)
class Measured:
    """A record of a run of any kind: the numbers that it measured, and what a picture of it needs."""

    epoch: int  # 1 for the first
    numbers: Mapping[str, float]
    shown: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    seconds: float | None = None


@dataclass(frozen=True)
class Record:
    """The state of a training at the end of one epoch. Shares and accuracies are in [0, 1].

    The four shares about the noisy set are of the network as it stands at the end of the epoch, over all N examples, or
    over those of which the truth is known. What can't be measured is None, and absent from rows: without a test set the
    test accuracy, and without any true label what needs it.
    """

    epoch: int  # 1 for the first
    loss: float  # mean training loss of the epoch's steps, as the method defines it
    given_accuracy: float  # noisy set: share predicted as its given label
    true_accuracy: float | None  # noisy set: share predicted as its true label, of the images that have one
    test_accuracy: float | None
    memorized: float | None  # of the wrong labels: share predicted as that wrong label; NaN when no label is wrong
    recovered: (
        float | None
    )  # of those with an image of a class: share predicted as that class all the same; NaN likewise
    seconds: float  # time in the training steps, evaluation left out
    examples_per_second: float
    known: int | None = None  # of how many noisy examples the truth is known; None if of all
    extra: dict[str, float] = field(default_factory=dict)  # what the method wants to show, and what the noise lets ask
    example_weights: Tensor | None = field(default=None, repr=False, compare=False)
    # (N,) the weight that each noisy example had in this epoch, 1 being its equal share; None if the method has no
    # weights. Too large for a table, so `as_row` leaves it out.
    example_values: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)
    # name -> (N,) a number of each noisy example that the method wants to show, NaN where it gave none; no part of rows

    @property
    def numbers(self) -> dict[str, Any]:
        """All that was measured, what the method shows included, by name."""
        row = self.as_row()
        return {name: value for name, value in row.items() if name not in ("epoch", "seconds", "extra")} | self.extra

    @property
    def shown(self) -> Mapping[str, object]:
        """The examples' weights and other numbers of theirs, where the method has any."""
        weights = {} if self.example_weights is None else {"example_weights": self.example_weights}
        return weights | self.example_values

    def as_row(self) -> dict[str, Any]:
        """The record as a dictionary of plain values, `extra` nested, for JSON; what was not measured is absent."""
        names = [f.name for f in dataclasses.fields(self) if not f.name.startswith("example_")]
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


class Step(NamedTuple):
    """A training step that is done: number `step` of the `steps` of epoch `epoch`, both counted from 1."""

    epoch: int
    step: int
    steps: int


def records_frame(records: Iterable[Record]) -> pandas.DataFrame:
    """Records as a pandas frame: one row an epoch, what the method shows as columns of their own."""
    import pandas

    rows = [record.as_row() for record in records]
    return pandas.DataFrame([{**{k: v for k, v in row.items() if k != "extra"}, **row["extra"]} for row in rows])


def best_record(records: Iterable[Record]) -> Record:
    """The record with the highest test accuracy, the first of equals.

    Picking an epoch by its test accuracy is not something a practitioner can do: report it beside the last one, and
    say what it is.
    """
    records = list(records)
    if not records:
        raise ValueError("records=[] is empty; the best of no records is not defined")
    if records[0].test_accuracy is None:
        raise ValueError(
            "records have no test accuracy, since the task has no test set; no epoch can be called the best"
        )
    return max(records, key=lambda record: record.test_accuracy)  # type: ignore
