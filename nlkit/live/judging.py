"""What panels share that show how the labels of a task are judged, part by part of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nlkit.audit.dynamics import FOLDS
from nlkit.audit.judged import Judged
from nlkit.learning.devices import threads
from nlkit.live.any_panel import Frame


def as_it_is_judged(judged: Judged, draw: Callable[[], tuple[Frame, str]]) -> Iterator[tuple[Frame, str]]:
    """What is known so far, drawn now and after each part that is still to be done; networks train on one thread."""
    work, part = judged.work(), 0
    while part is not None:
        with threads(1):
            shown = draw()
        yield shown
        with threads(1):
            part = next(work, None)


def parts_in_words(judged: Judged) -> str:
    """How many parts are done, in brackets; empty when all are."""
    return f" (part {judged.parts_done} of {FOLDS} is done)" if judged.parts_done < FOLDS else ""
