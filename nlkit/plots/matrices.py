"""Pictures of the noise: transition matrices, and a task at a glance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nlkit.plots.examples import draw_labelled, kinds_of_label, picks_by_class
from nlkit.plots.style import (
    KINDS_OF_LABEL,
    PANEL_DPI,
    PANEL_WIDTH,
    Figure,
    QuickFigure,
    class_ticks,
    contrast_on_white,
    picture,
    text_color,
)
from nlkit.tasks.own_labels import OWN_LABELS
from nlkit.tasks.task import Task

_MOST_NUMBERED = 13  # classes: beyond, a number is wider than its cell


@picture
def transition_matrices(matrices: Mapping[str, Tensor], class_names: Sequence[str]) -> Figure:
    """Transition matrices (K, K) side by side under their titles; with their numbers where there is room for them.

    Raises a ValueError for a matrix that is None, as that of labels whose truth is not known.
    """
    if not matrices:
        raise ValueError("matrices is empty; hand in at least one")
    for title, matrix in matrices.items():
        if matrix is None or tuple(matrix.shape) != (len(class_names), len(class_names)):
            found = "None: how labels go wrong is not known" if matrix is None else f"of shape {tuple(matrix.shape)}"
            raise ValueError(f"matrices has {title!r}, which is {found}; it must be ({len(class_names)}, …)")
    few = len(matrices) <= 2
    figure = Figure(figsize=(10, 5.1 if few else 11.5 / len(matrices)), layout="constrained")
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    room = 4.0 if few else 7.5 / len(matrices)
    for ax, (title, matrix) in zip(panels, matrices.items()):
        _draw_matrix(ax, matrix, class_names, title, numbers=few and len(class_names) <= _MOST_NUMBERED, room=room)
        if ax is not panels[0]:
            ax.set_ylabel("")
    figure.alt = "Heatmaps of T[true, given], the share of each true class that carries each given label. " + "; ".join(
        f"{title}: {matrix.diagonal().nanmean():.0%} right on average, largest wrong entry {_largest_wrong(matrix):.0%}"
        for title, matrix in matrices.items()
    )
    return figure


@picture
def noise_overview(task: Task, again: QuickFigure | None = None) -> QuickFigure:
    """A task at a glance, for a slider to drive: images with given labels, the matrix asked for and realised, counts.

    again: the picture of another task with the same classes, to be changed into that of this one: much faster.
    Everything has its fixed place, since finding places takes longer than drawing. Labels of one's own have no matrix
    that was asked for, and none that is realised unless some truth is known.
    """
    figure = again or _empty_overview(task)
    axes = {ax.get_label(): ax for ax in figure.axes}
    figure.empty(axes["sheet"])
    rows, columns = (1, 6) if _long_names(task) else (3, 10)
    picks = picks_by_class(task, rows, min(columns, task.num_classes))
    draw_labelled(axes["sheet"], task, picks, fontsize=11)
    for title, matrix in _matrices(task).items():
        axes[title].images[0].set_data(100 * matrix.numpy())
    counts = {kind: (int(mask.sum()), style) for kind, style, mask in kinds_of_label(task)}
    counts["clean"] = len(task.clean_labels), KINDS_OF_LABEL["clean"]
    bars = axes["bars"]
    figure.empty(bars)
    for row, (kind, (count, style)) in enumerate(counts.items()):
        bars.barh(row, count, height=0.42, color=style.color)
        color = text_color(style.color)
        bars.text(0, row - 0.27, f"{count:,} {kind}", color=color, va="bottom", fontsize=13)
    bars.set(xlim=(0, len(task.given)), ylim=(max(3, len(counts)) - 0.6, -0.75))
    told = [f"{count:,} {kind}" for kind, (count, _) in counts.items() if kind != "clean"]
    if "wrong" in counts:
        of_known = "the noisy set" if task.known_count == task.noisy_count else f"{task.known_count:,} known"
        told[0] = f"{counts['right'][0]:,} right labels"
        told[1] += f" ({task.realized_ratio:.1%} of {of_known})"
    what = task.noise if task.noise == OWN_LABELS else f"{task.noise} noise"
    figure.alt = f"{what} on {task.dataset}: {', '.join(told)}, {counts['clean'][0]:,} in the clean set."
    return figure


def _matrices(task: Task) -> dict[str, Tensor]:
    """The matrices that a task has, by title."""
    asked = None if task.noise == OWN_LABELS else task.matrix
    both = {"asked for": asked, "realised": task.realized_matrix}
    return {title: matrix for title, matrix in both.items() if matrix is not None}


def _empty_overview(task: Task) -> QuickFigure:
    figure = QuickFigure(figsize=(PANEL_WIDTH, 4.55), dpi=PANEL_DPI)
    figure.add_axes((0.005, 0.485, 0.99, 0.515), label="sheet")
    every, empty = 2 if _long_names(task) else 1, torch.zeros(task.num_classes, task.num_classes)
    for i, title in enumerate(_matrices(task)):
        ax = figure.add_axes((0.1 + 0.34 * i, 0.12, 0.26, 0.31), anchor="NW", label=title)
        of_known = "" if task.known_count == task.noisy_count else f", {task.known_count:,} known"
        _draw_matrix(ax, empty, task.class_names, title + of_known, numbers=False, every=every, room=1.41)
        if i:
            ax.set_ylabel("")
    figure.add_axes((0.76, 0.09, 0.23, 0.37), label="bars").axis("off")
    if task.known_count:
        color = text_color(KINDS_OF_LABEL["wrong"].color)
        figure.text(0.99, 0.02, "✗ given (true)", color=color, fontsize=11, ha="right")
    return figure


def _long_names(task: Task) -> bool:
    return max(map(len, task.class_names)) > 3


def _draw_matrix(
    ax, matrix: Tensor, names: Sequence[str], title: str, *, numbers: bool, room: float, every: int = 1
) -> None:
    """room: inches of a side, for the names of the classes."""
    percent = 100 * matrix
    ax.imshow(percent.numpy(), cmap="Blues", vmin=0, vmax=100)
    class_ticks(ax, "xy", names, room, every)
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
    return (matrix - matrix.diagonal().diag()).nan_to_num(0).max().item()
