"""Pictures of the noise: transition matrices, and a task at a glance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nlkit.plots.examples import draw_labelled, picks_by_class
from nlkit.plots.style import (
    KINDS_OF_LABEL,
    PANEL_DPI,
    PANEL_WIDTH,
    Figure,
    QuickFigure,
    contrast_on_white,
    picture,
    text_color,
)
from nlkit.task import Task


@picture
def transition_matrices(matrices: Mapping[str, Tensor], class_names: Sequence[str]) -> Figure:
    """Transition matrices (K, K) side by side under their titles; with their numbers when there are one or two."""
    few = len(matrices) <= 2
    figure = Figure(figsize=(10, 5.1 if few else 11.5 / len(matrices)), layout="constrained")
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (title, matrix) in zip(panels, matrices.items()):
        _draw_matrix(ax, matrix, class_names, title, numbers=few)
        if ax is not panels[0]:
            ax.set_ylabel("")
    figure.alt = "Heatmaps of T[true, given], the share of each true class that carries each given label. " + "; ".join(
        f"{title}: {matrix.diagonal().mean():.0%} right on average, largest wrong entry {_largest_wrong(matrix):.0%}"
        for title, matrix in matrices.items()
    )
    return figure


@picture
def noise_overview(task: Task, again: QuickFigure | None = None) -> QuickFigure:
    """A task at a glance, for a slider to drive: images with given labels, the matrix asked for and realised, counts.

    again: the picture of another task with the same classes, to be changed into that of this one: much faster.
    Everything has its fixed place, since finding places takes longer than drawing.
    """
    figure = again or _empty_overview(task)
    sheet, asked, realized, bars = figure.axes
    figure.empty(sheet)
    rows, columns = (1, 6) if _long_names(task) else (3, min(10, task.num_classes))
    draw_labelled(sheet, task, picks_by_class(task, rows, columns), fontsize=11)
    for ax, matrix in ((asked, task.matrix), (realized, task.realized_matrix)):
        ax.images[0].set_data(100 * matrix.numpy())
    counts = {"right": int((~task.wrong).sum()), "wrong": int(task.wrong.sum()), "clean": len(task.clean_labels)}
    figure.empty(bars)
    for row, (kind, count) in enumerate(counts.items()):
        bars.barh(row, count, height=0.42, color=KINDS_OF_LABEL[kind].color)
        color = text_color(KINDS_OF_LABEL[kind].color)
        bars.text(0, row - 0.27, f"{count:,} {kind}", color=color, va="bottom", fontsize=13)
    bars.set(xlim=(0, sum(counts.values())), ylim=(2.4, -0.75))
    figure.alt = (
        f"{task.noise} noise on {task.dataset}: {counts['right']:,} right labels, {counts['wrong']:,} wrong "
        f"({task.realized_ratio:.1%} of the noisy set), {counts['clean']:,} in the clean set."
    )
    return figure


def _empty_overview(task: Task) -> QuickFigure:
    figure = QuickFigure(figsize=(PANEL_WIDTH, 4.55), dpi=PANEL_DPI)
    figure.add_axes((0.005, 0.485, 0.99, 0.515))
    every, empty = 2 if _long_names(task) else 1, torch.zeros_like(task.matrix)
    for left, title in ((0.1, "asked for"), (0.44, "realised")):
        ax = figure.add_axes((left, 0.12, 0.26, 0.31), anchor="NW")
        _draw_matrix(ax, empty, task.class_names, title, numbers=False, every=every)
    ax.set_ylabel("")
    figure.add_axes((0.76, 0.09, 0.23, 0.37)).axis("off")
    figure.text(0.99, 0.02, "✗ given (true)", color=text_color(KINDS_OF_LABEL["wrong"].color), fontsize=11, ha="right")
    return figure


def _long_names(task: Task) -> bool:
    return max(map(len, task.class_names)) > 3


def _draw_matrix(ax, matrix: Tensor, names: Sequence[str], title: str, numbers: bool = True, every: int = 1) -> None:
    percent = 100 * matrix
    ax.imshow(percent.numpy(), cmap="Blues", vmin=0, vmax=100)
    short = [f"{n[:5]}…" if len(n) > 6 else n for n in names]
    named = range(0, len(names), every)
    ax.set_xticks(named, short[::every], rotation=0 if max(map(len, names)) < 4 else 60)
    ax.set_yticks(named, short[::every])
    ax.set(xlabel="given label", ylabel="true label")
    ax.set_title(f"{title}, %")
    ax.spines[:].set_visible(False)
    if numbers:
        blues = ax.images[0].get_cmap()
        for i, j in itertools.product(range(len(names)), repeat=2):
            value = percent[i, j].item()
            if value >= 0.5:
                dark = contrast_on_white(blues(value / 100)[:3]) >= 4.5
                ax.text(j, i, f"{value:.0f}", ha="center", va="center", color="white" if dark else "black")


def _largest_wrong(matrix: Tensor) -> float:
    return (matrix - matrix.diagonal().diag()).max().item()
