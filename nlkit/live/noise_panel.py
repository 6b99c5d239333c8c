"""The noise panel: move the noise ratio or the size of the clean set, and see which labels go wrong."""

from __future__ import annotations

import functools
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
    return PicturePanel("noise", controls, functools.partial(_draw, dataset), mode)


def _draw(dataset: Dataset, values: dict[str, object]) -> Iterator[tuple[Frame, str]]:
    settings = task_settings(values)
    task = make_task(dataset, **settings, device="cpu")
    asked = "" if settings["ratio"] is None else f"asked for {settings['ratio']:.0%}, "
    counts = f"{int(task.wrong.sum()):,} of {len(task.wrong):,} given labels are wrong"
    clean = f"{len(task.clean_labels):,} examples are clean"
    yield drawn(plots.noise_overview(task)), f"{asked}realised {task.realized_ratio:.1%}: {counts}; {clean}"
