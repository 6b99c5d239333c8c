"""The noise panel: move the noise ratio or the size of the clean set, and see which labels go wrong."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets as widgets

from nlkit import plots
from nlkit.data import Dataset, load
from nlkit.live.controls import task_controls, task_settings
from nlkit.live.panel import Frame, drawn
from nlkit.live.picture_panel import PicturePanel
from nlkit.task import make_task


def noise(
    data: str | Dataset = "mnist5k",
    *,
    noise: str = "symmetric",
    ratio: float = 0.4,
    clean_per_class: int = 50,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel with controls for noise type, noise ratio, clean-set size and seed over a live picture of the task.

    data: a name of `nlkit.data.DATASETS`, or a data set of your own. noise, ratio, clean_per_class: where the controls
    start. mode: how pictures are drawn, see `nlkit.live.driver`.

    Pictures are drawn one after another; when the controls move faster, those in between are left out.
    """
    dataset = load(data) if isinstance(data, str) else data
    controls = task_controls(dataset, noise=noise, ratio=ratio, clean_per_class=clean_per_class)
    return PicturePanel("noise", controls, _Drawing(dataset), mode)


class _Drawing:
    """Draws the task that is asked for into one figure: what stays the same is drawn once."""

    def __init__(self, dataset: Dataset):
        self.dataset, self.figure = dataset, None

    def __call__(self, values: dict[str, object]) -> Iterator[tuple[Frame, str]]:
        settings = task_settings(values)
        task = make_task(self.dataset, **settings, device="cpu")
        self.figure = plots.noise_overview(task, self.figure)
        asked = "" if settings["ratio"] is None else f"asked for {settings['ratio']:.0%}, "
        counts = f"{int(task.wrong.sum()):,} of {len(task.wrong):,} given labels are wrong"
        clean = f"{len(task.clean_labels):,} examples are clean"
        yield drawn(self.figure), f"{asked}realised {task.realized_ratio:.1%}: {counts}; {clean}"
