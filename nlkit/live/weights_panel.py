"""The weights panel: which examples a method listens to, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from nlkit import plots
from nlkit.data.dataset import Dataset
from nlkit.live.any_panel import drawn, tell
from nlkit.live.controls import (
    choice,
    data_of,
    on_change,
    task_controls,
    task_settings,
    values_of,
    whole_slider,
)
from nlkit.live.driver import Driver
from nlkit.live.run_panel import RunPanel, check_history, racing, training_controls
from nlkit.papers import METHODS
from nlkit.records import Record
from nlkit.tasks.make import make_task
from nlkit.tasks.task import Task


def weights(
    data: str | Dataset | Task = "mnist5k",
    *,
    method: str = "reweight",
    noise: str | None = None,
    ratio: float | None = None,
    clean_per_class: int | None = None,
    epochs: int = 25,
    learning_rate: float = 6e-4,
    seed: int = 0,
    history: Sequence[Record] | None = None,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel that trains a method that weighs its examples, and shows whom it gives weight, while it trains and after.

    method: one of those that weigh examples (see `weighing_methods`). history: records of a run that you have made with
    just these settings; the panel shows them until Start is pressed. The other arguments are those of `live.training`.

    Raises a ValueError for what is not offered, and for a history that is not of such a run.
    """
    data = data_of(data)
    controls = {"method": choice("method", weighing_methods(), method)}
    controls |= task_controls(data, noise=noise, ratio=ratio, clean_per_class=clean_per_class, seed=seed)
    controls |= training_controls(epochs=epochs, learning_rate=learning_rate)
    task = data if isinstance(data, Task) else make_task(data, **task_settings(values_of(controls)))
    if history is not None:
        _check_weights(check_history(method, history), task)
    return WeightsPanel(data, task, controls, history, mode)


def weighing_methods() -> tuple[str, ...]:
    """The methods that weigh their examples."""
    return tuple(name for name, method in METHODS.items() if method.weighs)  # type: ignore[attr-defined]


class WeightsPanel(RunPanel):
    """See `weights`."""

    def __init__(
        self,
        data: Dataset | Task,
        task_at_first: Task,
        controls: dict[str, widgets.Widget],
        history: Sequence[Record] | None,
        mode: str | None,
    ):
        self._task_at_first = task_at_first
        self.look_at = whole_slider("look at epoch", 1, 1, 1, argument="epoch")
        self.look_at.disabled, self._follows = True, False
        self.painter = Driver(_paint, self.show, self.on_painted, mode=mode, delay=0, patient=True)
        histories = {} if history is None else {controls["method"].value: history}
        super().__init__("weights", racing(data), controls, below=[self.look_at], histories=histories, mode=mode)
        self.drivers = (self.driver, self.painter)
        on_change([self.look_at], self.look_back)

    def methods(self) -> list[str]:
        return [self.controls["method"].value]

    def figure(self) -> plots.Figure:
        history = self.current[0].history if self.current else []
        return plots.weights_now(history, self.task or self._task_at_first)

    def draw(self) -> None:
        super().draw()
        history = self.current[0].history if self.current else []
        self._follows = True
        self.look_at.max = max(1, len(history))
        self.look_at.value = self.look_at.max
        self._follows = False
        self.look_at.disabled = self.driver.busy or not history

    def on_state(self) -> None:
        self.painter.stop()  # a picture of an epoch that is over must not come after those of a new run
        super().on_state()

    def on_painted(self) -> None:
        if self.painter.state == "failed":
            tell(self.line, f"failed: {self.painter.error}", urgent=True)
        elif self.painter.state == "done":
            self.keep_picture()

    def look_back(self, _change: object) -> None:
        """Show an epoch of the run that is over."""
        with self.driver.lock:
            if self._follows or self.driver.busy or not self.current or not self.current[0].history:
                return
            task = self.task or self._task_at_first
            self.painter.start((list(self.current[0].history), task, self.look_at.value))


def _check_weights(history: Sequence[Record], task: Task) -> None:
    weights = history[-1].example_weights
    if weights is None or len(weights) != task.noisy_count:
        found = "no weights of examples" if weights is None else f"weights of {len(weights):,} examples"
        raise ValueError(
            f"history has {found}; it must come from a method that weighs examples, trained with the settings that "
            f"this panel starts with, on {task.noisy_count:,} noisy examples"
        )


def _paint(what):
    history, task, epoch = what
    yield drawn(plots.weights_now(history, task, epoch=epoch))
