"""What the panels that run something have in common: Start, Stop, Reset, progress, and the runs that were seen."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from nlkit.checks import check_choice
from nlkit.data.dataset import Dataset
from nlkit.learning.devices import PRECISIONS
from nlkit.live.any_panel import Panel, drawn, tell
from nlkit.live.controls import columns, on_change, rows, scale_slider, task_settings, values_of, whole_slider
from nlkit.live.driver import Driver
from nlkit.live.session import Seen, race
from nlkit.plots import Figure
from nlkit.records import Record, Step
from nlkit.tasks.task import Task

PICTURES_A_SECOND = 6
_EMPTY_AFTER = 0.5  # seconds without a record, after which a run's picture without any curve is drawn
_MOST_KEPT = 12  # earlier runs
LEARNING_RATES = (1e-5, 3e-5, 6e-5, 1e-4, 2e-4, 3e-4, 6e-4, 1e-3, 2e-3, 3e-3, 6e-3, 0.01, 0.03, 0.1)


class RunPanel(Panel):
    """A panel whose controls say what to run. Subclasses say which methods, and draw.

    make: (names of methods, values of the controls) -> events of a race: ("run", (methods, settings, task or None))
        first, then ("step", (place, record or `Step`)). It must not refer to the panel.

    While a run is on, moving a control runs anew with the new setting. What is overtaken so is forgotten; what ended or
    was stopped is kept as an earlier run.

    histories: method -> records of a run that was made elsewhere, with the settings at which the controls start. They
        are run 1, and what is seen first, so that a page that nobody has pressed Start on is not empty.
    """

    def __init__(
        self,
        kind: str,
        make: Callable[[tuple[list[str], dict[str, object]]], Iterator[tuple[str, object]]],
        controls: dict[str, widgets.Widget],
        *,
        above: Iterable[widgets.Widget] = (),
        below: Iterable[widgets.Widget] = (),
        histories: Mapping[str, Sequence[Record]] | None = None,
        mode: str | None = None,
    ):
        self.controls, self._at_first, self._histories = controls, values_of(controls), dict(histories or {})
        self.earlier: list[Seen] = []
        self.current: list[Seen] = []
        self.task: Task | None = None
        self._next_picture, self._shows_current = 0.0, True
        self._set_back()
        self._began: float | None = None  # when the run began to train; None while its data are made
        self.line = widgets.HTML()
        self.progress = widgets.FloatProgress(0, min=0, max=1, layout=widgets.Layout(flex="1 1 12em", min_width="8em"))
        self.buttons = {
            "Start": widgets.Button(description="Start", icon="play", button_style="primary"),
            "Stop": widgets.Button(description="Stop", icon="stop"),
            "Reset": widgets.Button(description="Reset", icon="undo"),
        }
        for name, act in (("Start", self.start), ("Stop", self.stop), ("Reset", self.reset)):
            self.buttons[name].on_click(act)
            self.buttons[name].layout.width = "7em"
        self.driver = Driver(make, self.on_event, self.on_state, mode=mode)
        says = widgets.Box([self.line], layout=widgets.Layout(flex="1 1 16em"))
        bar = rows([*self.buttons.values(), self.progress, says])
        bar.layout.align_items = "center"
        super().__init__(kind, [*above, columns(controls.values()), bar], [self.driver], below)
        on_change(controls.values(), self.changed)
        self.on_state()
        self.draw()

    doing = "training"  # what a run is, in the line of words
    at_once = 1  # how many records make the first picture of a run, which none before it should hold up

    def methods(self) -> list[str]:
        """Names of the methods to train."""
        raise NotImplementedError

    def figure(self) -> Figure:
        """The picture of the runs as they are."""
        raise NotImplementedError

    def watched(self, record: Any) -> float:
        """The number of a record that is no longer one when a run has diverged."""
        return record.loss

    def asked(self) -> tuple:
        """What `make` is handed."""
        return self.methods(), values_of(self.controls)

    def start(self, _button: object = None) -> None:
        self.driver.start(self.asked())

    def stop(self, _button: object = None) -> None:
        self.driver.stop()

    def changed(self, _change: object = None) -> None:
        with self.driver.lock:
            if self.driver.busy:
                self.driver.request(self.asked())

    def reset(self, _button: object = None) -> None:
        """Forget all runs of one's own, and set the controls back to where they were at first."""
        with self.driver.lock:
            self.driver.stop()
            self._set_back()
            for name, value in self._at_first.items():
                self.controls[name].value = value
            self.driver.state = "idle"
            self.on_state()

    def _set_back(self) -> None:
        self.earlier, self.task = [], None
        self.current = [
            Seen(1, method, self._at_first | {"epochs": len(history)}, list(history))
            for method, history in self._histories.items()
        ]
        self._keeps_current, self._number = bool(self.current), len(self.current[:1])

    def on_event(self, event: tuple[str, object]) -> None:
        kind, what = event
        if kind == "run":
            methods, settings, self.task = what
            if self._keeps_current:
                self.earlier = [*self.earlier, *(run for run in self.current if run.history)][-_MOST_KEPT:]
            if self._keeps_current or not self.current:
                self._number += 1
            self.current = [Seen(self._number, method, settings) for method in methods]
            self._keeps_current, self._began = False, time.monotonic()
            self._next_picture, self._shows_current = self._began + _EMPTY_AFTER, False
            return
        place, step = what
        if isinstance(step, Step):
            self._show_progress(place, step)
            if not self._shows_current and time.monotonic() >= self._next_picture:
                self.draw()
            return
        self.current[place].history.append(step)
        if not isinstance(step, Record):  # a run of another kind need not tell of its steps
            self._show_progress(place, Step(step.epoch, 1, 1))
        first = sum(len(run.history) for run in self.current) == self.at_once
        if first or time.monotonic() >= self._next_picture:
            self.draw()

    def on_state(self) -> None:
        state = self.driver.state
        if self.driver.busy:
            self._began = None
        for name, disabled in (("Start", self.driver.busy), ("Stop", not self.driver.busy)):
            self.buttons[name].disabled = disabled
        if state in ("stopped", "done", "failed"):
            self._keeps_current = True
            if state == "done":
                self.progress.value = 1
        elif state == "idle":
            self.progress.value = 0
        before = "run 1 is from before; " if self.current else ""
        words = {
            "idle": f"idle: {before}press Start",
            "waiting": "waiting for the controls to rest",
            "running": f"{self.doing}: making the data",
            "stopped": f"stopped after epoch {self.epoch}"
            if self._began and self.epoch
            else "stopped before the first epoch",
            "done": "done" + self._diverged(),
            "failed": f"failed: {self.driver.error}",
        }
        tell(self.line, words[state], urgent=state in ("stopped", "done", "failed"))
        if not self.driver.busy and self.frame:
            with contextlib.suppress(Exception if state == "failed" else ()):  # it may be the drawing that failed
                self.draw()
            self.keep_picture()

    def _diverged(self) -> str:
        """Which of the current runs have no loss any more, in words."""
        lost = [run.name for run in self.current if any(not math.isfinite(self.watched(r)) for r in run.history)]
        return f"; {', '.join(lost)} diverged and means nothing; take a lower learning rate" if lost else ""

    @property
    def epoch(self) -> int:
        """The last epoch that all current runs have ended."""
        return min((len(run.history) for run in self.current), default=0)

    def draw(self) -> None:
        """Draw the runs as they are; the next picture waits until drawing takes a quarter of the time at most."""
        began = time.monotonic()
        self.show(drawn(self.figure()))
        self._shows_current = True
        now = time.monotonic()
        self._next_picture = now + max(1 / PICTURES_A_SECOND, 3 * (now - began))

    def epochs(self) -> int:
        """How many records each of the current runs will have at most."""
        return self.current[0].settings["epochs"]

    def _show_progress(self, place: int, step: Step) -> None:
        epochs = self.epochs()
        done = ((step.epoch - 1) * len(self.current) + place + step.step / step.steps) / (epochs * len(self.current))
        if done - self.progress.value < 0.01 and done > self.progress.value:
            return
        self.progress.value = done
        left = (time.monotonic() - self._began) * (1 - done) / done
        about = f"about {left:.0f} s left" if left >= 1 else "less than a second left"
        tell(self.line, f"{self.doing}: epoch {step.epoch} of {epochs}, {about}")


def training_controls(*, epochs: int, learning_rate: float) -> dict[str, widgets.Widget]:
    """Controls for what `train` takes, by the names of its arguments."""
    return {
        "epochs": whole_slider("epochs", epochs, 1, 100, argument="epochs"),
        "learning_rate": scale_slider("learning rate", learning_rate, LEARNING_RATES),
    }


def check_history(method: str, history: Sequence[Record]) -> Sequence[Record]:
    """The records of a run that was made elsewhere; a ValueError if there are none."""
    if not history:
        raise ValueError(f"the history of {method!r} is empty; give the records that `train` yields, at least one")
    return history


def racing(
    data: Dataset | Task, precision: str = "float32"
) -> Callable[[tuple[list[str], dict[str, object]]], Iterator[tuple[str, object]]]:
    """What a panel of methods on the kit's own task runs; a ValueError for a precision that `train` does not have."""
    return functools.partial(_run, data, check_choice("precision", precision, PRECISIONS))


def _run(
    data: Dataset | Task, precision: str, asked: tuple[list[str], dict[str, object]]
) -> Iterator[tuple[str, object]]:
    """Events of a race: ("run", (methods, settings, task)) first, then ("step", (place, Step or Record))."""
    methods, settings = asked
    training = {name: settings[name] for name in ("epochs", "learning_rate", "seed")} | {"precision": precision}
    events = race(data, task_settings(settings), training, methods)
    yield "run", (methods, settings, next(events))
    for event in events:
        yield "step", event
