"""Pictures of examples: images with their labels, what was said of them, and the weight that they got."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nlkit.data.labels import NO_CLASS
from nlkit.plots.figure import Figure, picture
from nlkit.plots.style import KINDS_OF_LABEL, text_color
from nlkit.plots.tiles import (
    NONE,
    cell_size,
    draw_below,
    draw_labelled,
    label_room,
    name_rows,
    tile_side,
    top_of_labels,
)
from nlkit.plots.words import short_name
from nlkit.tasks.task import Task


@picture
def labelled_images(
    task: Task,
    *,
    rows: int = 3,
    columns: int = 10,
    per_class: bool = True,
    picks: Tensor | None = None,
    marked: bool = True,
) -> Figure:
    """Noisy examples with their given labels; a wrong one is framed, crossed, and tells its true label.

    per_class: one column for each class (of true labels) as long as there are classes; otherwise in the order of the
    task. picks: places in the noisy set, any shape, to be shown instead, in rows of `columns`. marked: False shows
    labels as a learner sees them, with nothing said of which are wrong.
    """
    if picks is not None:
        picks, columns = picks.flatten().cpu(), min(columns, picks.numel())
        picks = picks[: picks.numel() // columns * columns].reshape(-1, columns)
    elif per_class:
        picks = picks_by_class(task, rows, min(columns, task.num_classes))
    else:  # as many as there are
        columns = min(columns, task.noisy_count)
        rows = min(rows, task.noisy_count // columns)
        picks = torch.arange(rows * columns).reshape(rows, columns)
    rows, columns = picks.shape
    side = min(9.9 / (1.12 * columns), 1.5)  # of an image, in inches
    figure = Figure(figsize=(10, 0.45 + (1 + label_room(task)) * side * rows), layout="constrained")
    draw_labelled(figure.subplots(), task, picks, letters=_letters(columns), marked=marked)
    picked = picks.flatten().to(task.device)
    wrong, known = int(task.wrong[picked].sum()), int(task.known[picked].sum())
    key, told = "above each image: its given label", f"{rows} rows of {columns} images from {task.dataset}"
    figure.alt = f"{told} with their given labels, of which none shown here is verified."
    if not marked:
        figure.alt = f"{told} with their given labels; which of them are wrong is not shown."
    elif known:
        key += ";  ✗ and a frame: it is wrong (true label in brackets)"
        if (task.true[picked] == NO_CLASS).any():
            key += f";  {NONE if label_room(task) < 0.5 else 'none'}: of none of these classes"
        of_them = picks.numel() if known == picks.numel() else f"{known} verified ones"
        figure.alt = (
            f"{told} with their given labels; {wrong} of {of_them} are wrong, framed in orange and crossed, with the "
            "true label in brackets."
        )
    figure.supxlabel(key, fontsize=12)
    return figure


@picture
def predictions_over_time(task: Task, picks: Sequence[int], predicted: Mapping[str, Tensor]) -> Figure:
    """A row of noisy examples, and under each what the network said about it at several times.

    picks: places in the noisy set. predicted: a time in words -> predicted classes (N,) of the noisy set.
    """
    picks = torch.as_tensor(picks)
    side = min(9.8 / (1.5 + 1.12 * len(picks)), 1.2)  # of an image, in inches
    height_in_tiles = 1.08 + label_room(task) + 0.34 * len(predicted)
    figure = Figure(figsize=(10, side * height_in_tiles + 0.1), layout="constrained")
    ax = figure.subplots()
    draw_labelled(ax, task, picks[None], letters=_letters(len(picks) + 2))
    height = width = tile_side(task)
    step_x = cell_size(task)[1]
    for row, (time, classes) in enumerate(predicted.items()):
        y = height * (1.17 + 0.34 * row)
        ax.text(-0.1 * width, y, time, ha="right", va="center")
        for column, pick in enumerate(picks.tolist()):
            said = int(classes[pick])
            kind = "right" if said == task.true[pick] else "wrong" if said == task.given[pick] else None
            if not task.known[pick]:
                kind = None  # whether that is right, nobody knows
            text = short_name(task.class_names[said]) + {"right": " ✓", "wrong": " ✗", None: ""}[kind]
            color = text_color(KINDS_OF_LABEL[kind].color if kind else "#333333")
            ax.text(column * step_x + 0.5 * width, y, text, ha="center", va="center", color=color)
    ax.set_ylim(height * (1.05 + 0.34 * len(predicted)), top_of_labels(task))
    ax.set_xlim(-1.5 * width, len(picks) * step_x)
    true, given, known = task.true.cpu()[picks], task.given.cpu()[picks], task.known.cpu()[picks]
    told = []
    for time, said in ((time, classes.cpu()[picks]) for time, classes in predicted.items()):
        of_known = "" if known.all() else f" (of {int(known.sum())} verified)"
        as_true = f"{int((said == true).sum())} predicted as the true class{of_known}, " if known.any() else ""
        told.append(f"{time}: {as_true}{int((said == given).sum())} as given")
    wrongly = "wrongly labelled images" if task.wrong.cpu()[picks].all() else "labelled images"
    figure.alt = f"{len(picks)} {wrongly} and the network's answers. " + "; ".join(told)
    return figure


@picture
def weighted_images(
    task: Task, picks: Tensor, weights: Tensor, *, columns: int = 10, caption: str | None = None
) -> Figure:
    """The examples of a batch with the most weight (first row) and with the least (second row).

    picks (B,): places in the noisy set. weights (B,): their weights, shown with 1 as the equal share. caption: what
    stands below; unless given, what the rows are, or that all weigh the same.
    """
    weights = weights.detach().cpu().double()
    weights = weights * len(weights) / weights.sum().clamp(min=1e-30)
    order, columns = weights.argsort(descending=True, stable=True), min(columns, (len(weights) + 1) // 2)
    shown, equal = torch.stack([order[:columns], order[-columns:]]), bool((weights - weights[0]).abs().max() < 1e-6)
    room = label_room(task) + 0.3
    side = min(9.9 / (1.12 * columns + 0.75), 1.3)  # of an image, in inches
    figure = Figure(figsize=(10, 0.5 + 2 * (1 + room) * side), layout="constrained")
    ax = figure.subplots()
    draw_labelled(ax, task, picks.cpu()[shown], letters=_letters(9 / side), below=0.3)
    draw_below(ax, task, [[f"{weights[place]:.1f}" for place in row] for row in shown.tolist()], below=0.3)
    if not equal:
        name_rows(ax, task, ("most", "least"), below=0.3)
        ax.set_xlim(left=-0.75 * tile_side(task))
    words = "all weights are equal" if equal else "first row: most weight,  second row: least"
    figure.supxlabel(caption or f"below each image: its weight, 1 being an equal share;  {words}", fontsize=12)
    most, least = (wrongly_labelled(task, picks.cpu()[row]) for row in shown)
    figure.alt = f"The {columns} images of a batch with the most weight{most}, and the {columns} with the least{least}."
    if equal:
        wrong = wrongly_labelled(task, picks.cpu()[shown.unique()])
        figure.alt = f"{shown.unique().numel()} images of a batch, which all have the same weight{wrong}."
    return figure


def _letters(columns: float) -> int:
    """How many letters of a class's name there is room for above one of so many images across the page."""
    return max(6, min(10, int(9.9 / columns / 0.088) - 3))


def wrongly_labelled(task: Task, places: Tensor) -> str:
    """How many of these noisy examples are wrongly labelled, in words, as far as that is known; empty if it isn't."""
    known, wrong = int(task.known.cpu()[places].sum()), int(task.wrong.cpu()[places].sum())
    if not known:
        return ""
    return f", {wrong} of {'them' if known == places.numel() else f'{known} verified ones'} wrongly labelled"


def picks_by_class(task: Task, rows: int, columns: int) -> Tensor:
    """(rows, columns) places of noisy examples: each column from one true class, the same images at every ratio.

    Where the true class isn't known, or is none, the given label stands for it. Classes without examples are left out,
    so that there may be fewer columns.
    """
    labels = task.true_labels.where(task.true_labels >= 0, task.given_labels).cpu()
    places = (found for c in range(task.num_classes) if len(found := (labels == c).nonzero().flatten()))
    spread = [p[torch.linspace(0, len(p) - 1, rows).long()] for p in itertools.islice(places, columns)]
    return torch.stack(spread, dim=1)
