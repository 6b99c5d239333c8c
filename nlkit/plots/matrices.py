"""Pictures of the noise: transition matrices, and a task at a glance."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence

from torch import Tensor

from nlkit.plots.examples import draw_labelled, picks_by_class
from nlkit.plots.style import KINDS_OF_LABEL, Figure, picture
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
def noise_overview(task: Task) -> Figure:
    """A task at a glance, for a slider to drive: images and given labels, the realised matrix, how many of what."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.7, 1])
    draw_labelled(left.subplots(), task, picks_by_class(task, 4, min(7, task.num_classes)))
    matrix_axes, bar = right.subplots(2, 1, height_ratios=[9, 1])
    _draw_matrix(matrix_axes, task.realized_matrix, task.class_names, "realised T[true, given]", numbers=False)
    counts = {"right": int((~task.wrong).sum()), "wrong": int(task.wrong.sum()), "clean": len(task.clean_labels)}
    start, total = 0, sum(counts.values())
    for kind, count in counts.items():
        bar.barh(0, count, left=start, color=KINDS_OF_LABEL[kind].color, edgecolor="white", linewidth=2)
        if count > 0.09 * total:
            bar.text(
                start + count / 2, 0, f"{count:,}\n{kind}", ha="center", va="center", color="white", linespacing=1.0
            )
        start += count
    bar.set(xlim=(0, total), yticks=[], xticks=[])
    bar.spines[:].set_visible(False)
    bar.set_xlabel(", ".join(f"{count:,} {kind}" for kind, count in counts.items()))
    figure.alt = (
        f"{task.noise} noise on {task.dataset}: {counts['right']:,} right labels, {counts['wrong']:,} wrong "
        f"({task.realized_ratio:.1%} of the noisy set), {counts['clean']:,} in the clean set."
    )
    return figure


def _draw_matrix(ax, matrix: Tensor, names: Sequence[str], title: str, numbers: bool = True) -> None:
    percent = 100 * matrix
    ax.imshow(percent.numpy(), cmap="Blues", vmin=0, vmax=100)
    short = [textwrap.shorten(n, 6, placeholder="…") if len(n) > 6 else n for n in names]
    ax.set_xticks(range(len(names)), short, rotation=0 if max(map(len, names)) < 4 else 60)
    ax.set_yticks(range(len(names)), short)
    ax.set(xlabel="given label", ylabel="true label")
    ax.set_title(f"{title}, %")
    ax.spines[:].set_visible(False)
    if numbers:
        for i, j in itertools.product(range(len(names)), repeat=2):
            value = percent[i, j].item()
            if value >= 0.5:
                ax.text(j, i, f"{value:.0f}", ha="center", va="center", color="white" if value > 55 else "black")


def _largest_wrong(matrix: Tensor) -> float:
    return (matrix - matrix.diagonal().diag()).max().item()
