"""The noise panel: move the noise ratio or the size of the clean set, and see which labels go wrong."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets as widgets

from nlkit import plots
from nlkit.data.dataset import Dataset
from nlkit.live.any_panel import Frame, drawn
from nlkit.live.controls import data_of, task_controls, task_settings
from nlkit.live.picture_panel import PicturePanel
from nlkit.tasks.make import glance
from nlkit.tasks.task import Task


def noise(
    data: str | Dataset | Task = "mnist5k",
    *,
    noise: str | None = None,
    ratio: float | None = None,
    clean_per_class: int | None = None,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel with controls for noise type, noise ratio, clean-set size and seed over a live picture of the task.

    data: the name of a data set, one of your own, or a task that is made, as one with labels of your own:
    it is shown as it is, without controls. noise, ratio, clean_per_class: where the controls start, unless
    given at symmetric noise, 40 %, and 50 clean examples per class or as many as the data set allows. mode: how
    pictures are drawn, see `nlkit.live.driver`.

    Pictures are drawn one after another; when the controls move faster, those in between are left out. Raises a
    ValueError for a start that the data set does not have, and for one that a task is given, since it is made.
    """
    data = data_of(data)
    controls = task_controls(data, noise=noise, ratio=ratio, clean_per_class=clean_per_class, usual_ratio=0.4)
    return PicturePanel("noise", {} if isinstance(data, Task) else controls, _Drawing(data), mode)


class _Drawing:
    """Draws the task that is asked for into one figure: what stays the same is drawn once."""

    def __init__(self, data: Dataset | Task):
        self.data, self.figure = data if isinstance(data, Task) else data.to("cpu"), None

    def __call__(self, values: dict[str, object]) -> Iterator[tuple[Frame, str]]:
        settings = task_settings(values)
        task = self.data if isinstance(self.data, Task) else glance(self.data, **settings)
        self.figure = plots.noise_overview(task, self.figure)
        ratio, known = settings.get("ratio"), task.known_count
        asked = "" if ratio is None else f"asked for {ratio:.0%}, "
        of_them = f"{task.noisy_count:,} given" if known == task.noisy_count else f"{known:,} known"
        counts = f"{int(task.wrong.sum()):,} of {of_them} labels are wrong"
        told = f"realised {task.realized_ratio:.1%}: {counts}" if known else "how many labels are wrong is not known"
        yield drawn(self.figure), f"{asked}{told}; {len(task.clean_labels):,} examples are clean"
