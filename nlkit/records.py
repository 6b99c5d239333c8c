"""What training reports: one record an epoch, and on demand how far it is within one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Record:
    """The state of a run at the end of one epoch. Shares and accuracies are in [0, 1].

    The four shares about the noisy set are of the network as it stands at the end of the epoch, over all N examples.
    """

    epoch: int  # 1 for the first
    loss: float  # mean training loss of the epoch's steps, as the method defines it
    given_accuracy: float  # noisy set: share predicted as its given label
    true_accuracy: float  # noisy set: share predicted as its true label, of the images that have one
    test_accuracy: float
    memorized: float  # of the wrong labels: share predicted as that wrong label; NaN when no label is wrong
    recovered: float  # of those whose image is of a class: share predicted as that class all the same; NaN likewise
    seconds: float  # time in the training steps, evaluation left out
    examples_per_second: float
    extra: dict[str, float] = field(default_factory=dict)  # what the method wants to show
    example_weights: Tensor | None = field(default=None, repr=False, compare=False)
    # (N,) the weight that each noisy example had in this epoch, 1 being its equal share; None if the method has no
    # weights. Too large for a table, so `as_row` leaves it out.

    def as_row(self) -> dict[str, object]:
        """The record as a dictionary of plain values, `extra` nested, ready for JSON."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "example_weights"}


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
    return max(records, key=lambda record: record.test_accuracy)
