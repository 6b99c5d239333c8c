"""The training panel: pick methods, move the noise, and watch networks memorize or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets as widgets

from nlkit import plots
from nlkit.checks import check_choice
from nlkit.data.dataset import Dataset
from nlkit.live.controls import check_methods, data_of, task_controls
from nlkit.live.run_panel import check_history, racing, training_controls
from nlkit.live.session import named_curves, results_table
from nlkit.live.ticked_panel import TickedPanel
from nlkit.papers import METHODS
from nlkit.records import Record
from nlkit.tasks.task import Task

_MOST_LINES = 8  # more can't be told apart, and their names leave little room for the picture
_MOST_EARLIER, _LEAST_EARLIER = 6, 2


def training(
    data: str | Dataset | Task = "mnist5k",
    *,
    methods: str | Sequence[str] = ("standard",),
    noise: str | None = None,
    ratio: float | None = None,
    clean_per_class: int | None = None,
    epochs: int = 25,
    learning_rate: float = 6e-4,
    seed: int = 0,
    precision: str = "float32",
    histories: Mapping[str, Sequence[Record]] | None = None,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel that trains one method or several, epoch by epoch in turn, and draws their curves as they grow.

    data: the name of a data set, one of your own, or a task that is made, as one with labels of your own: then there
    is no noise to move, and what its truth would have to tell is left out. methods: the name or names of
    `nlkit.METHODS` that are ticked at first. The others: where the controls start, as `make_task` and `train` take
    them (1 to 100 epochs); unless given, symmetric noise at 80 % and 50 clean examples per class, or as many as the
    data set allows. A task is made already, so noise, ratio and clean_per_class must be left out with one.
    precision: as `train` takes it; "fast" is for processors that multiply in bfloat16, and what the course says of its
    runs was measured without it. histories:
    method -> records of a run that you have made with just these settings, for any number of epochs; the panel shows
    them until Start is pressed, and then as earlier runs. mode: how training is driven, see `nlkit.live`; left out,
    it is chosen by where the notebook runs.

    Raises a ValueError for what the data set or the registry does not have, for a start beyond the end of a slider, for
    a history without records, and for what a task is made with already.
    """
    methods = check_methods(methods, METHODS)
    for method, history in (histories or {}).items():
        check_history(check_choice("histories", method, METHODS), history)
    data = data_of(data)
    controls = task_controls(data, noise=noise, ratio=ratio, clean_per_class=clean_per_class, seed=seed)
    controls |= training_controls(epochs=epochs, learning_rate=learning_rate)
    return TrainingPanel(data, methods, controls, histories, mode, precision)


class TrainingPanel(TickedPanel):
    """See `training`."""

    def __init__(
        self,
        data: Dataset | Task,
        methods: Sequence[str],
        controls: dict[str, widgets.Widget],
        histories: Mapping[str, Sequence[Record]] | None,
        mode: str | None,
        precision: str,
    ):
        self._chance = 1 / data.num_classes
        self._measured = {"given_accuracy"} | ({"test_accuracy"} if len(data.test_labels) else set())
        self._measured |= {"memorized"} if isinstance(data, Dataset) or data.known_count else set()
        super().__init__("training", racing(data, precision), controls, "methods", METHODS, methods, histories, mode)

    def figure(self) -> plots.Figure:
        most = min(_MOST_EARLIER, max(_LEAST_EARLIER, _MOST_LINES - len(self.current)))
        earlier = self.earlier[-most:]
        names = named_curves([*earlier, *self.current])
        current = [plots.Curve(run.method, run.name, run.history) for run in self.current if run.history]
        epochs = (self.current[0].settings if self.current else self._at_first)["epochs"]
        options = {"epochs": epochs, "chance": self._chance, "measured": self._measured}
        return plots.training_curves(current, names[: len(earlier)], **options)

    def words(self) -> str:
        return results_table([*self.earlier, *self.current])
