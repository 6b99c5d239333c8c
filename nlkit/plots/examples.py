"""Pictures of examples: images with their labels, what was said of them, and the weight that they got."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import matplotlib.collections
import matplotlib.patches
import torch
from torch import Tensor

from nlkit.plots.style import KINDS_OF_LABEL, Figure, picture, text_color
from nlkit.task import Task


@picture
def labelled_images(task: Task, *, rows: int = 3, columns: int = 10, per_class: bool = True) -> Figure:
    """Noisy examples with their given labels; a wrong one is framed, crossed, and tells its true label.

    per_class: one column a class (of true labels) as long as there are classes; otherwise in the order of the task.
    """
    columns = min(columns, task.num_classes) if per_class else columns
    picks = picks_by_class(task, rows, columns) if per_class else torch.arange(rows * columns).reshape(rows, columns)
    figure = Figure(figsize=(10, (3.3 + 9.1 * (0.64 + label_room(task))) / columns * rows + 0.3), layout="constrained")
    draw_labelled(figure.subplots(), task, picks)
    wrong = int(task.wrong[picks.flatten().to(task.device)].sum())
    figure.supxlabel(
        "above each image: its given label;  ✗ and a frame: it is wrong (true label in brackets)", fontsize=12
    )
    figure.alt = (
        f"{rows} rows of {columns} images from {task.dataset} with their given labels; {wrong} of {picks.numel()} are "
        "wrong, framed in orange and crossed, with the true label in brackets."
    )
    return figure


@picture
def predictions_over_time(task: Task, picks: Sequence[int], predicted: Mapping[str, Tensor]) -> Figure:
    """A row of noisy examples, and under each what the network said about it at several times.

    picks: places in the noisy set. predicted: a time in words -> predicted classes (N,) of the noisy set.
    """
    picks = torch.as_tensor(picks)
    figure = Figure(figsize=(10, 1.9 + 0.3 * len(predicted)), layout="constrained")
    ax = figure.subplots()
    draw_labelled(ax, task, picks[None])
    height, width = task.images.shape[-2:]
    step_x = cell_size(task)[1]
    for row, (time, classes) in enumerate(predicted.items()):
        y = height * (1.15 + 0.3 * row)
        ax.text(-0.1 * width, y, time, ha="right", va="center")
        for column, pick in enumerate(picks.tolist()):
            said = int(classes[pick])
            kind = "right" if said == task.true[pick] else "wrong" if said == task.given[pick] else None
            text = task.class_names[said] + {"right": " ✓", "wrong": " ✗", None: ""}[kind]
            color = text_color(KINDS_OF_LABEL[kind].color if kind else "#333333")
            ax.text(column * step_x + 0.5 * width, y, text, ha="center", va="center", color=color)
    ax.set_ylim(height * (1.05 + 0.3 * len(predicted)), top_of_labels(task))
    ax.set_xlim(-1.5 * width, len(picks) * step_x)
    true, given = task.true.cpu()[picks], task.given.cpu()[picks]
    told = [
        f"{time}: {int((said == true).sum())} predicted as the true class, {int((said == given).sum())} as given"
        for time, said in ((time, classes.cpu()[picks]) for time, classes in predicted.items())
    ]
    figure.alt = f"{len(picks)} wrongly labelled images and the network's answers. " + "; ".join(told)
    return figure


@picture
def weighted_images(task: Task, picks: Tensor, weights: Tensor, *, columns: int = 10) -> Figure:
    """The examples of a batch with the most weight (first row) and with the least (second row).

    picks (B,): places in the noisy set. weights (B,): their weights, shown with 1 as the equal share.
    """
    weights = weights.detach().cpu() * len(weights) / weights.sum().clamp(min=1e-30).cpu()
    order = weights.argsort(descending=True, stable=True)
    shown = torch.stack([order[:columns], order[-columns:]])
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    ax = figure.subplots()
    draw_labelled(ax, task, picks.cpu()[shown])
    height, width = task.images.shape[-2:]
    step_y, step_x = cell_size(task)
    for (row, column), place in zip(itertools.product(range(2), range(columns)), shown.flatten().tolist()):
        corner = column * step_x + 0.96 * width, row * step_y + 0.96 * height
        box = {"facecolor": "white", "alpha": 0.85, "pad": 1, "linewidth": 0}
        ax.text(*corner, f"{weights[place]:.1f}", ha="right", va="bottom", bbox=box)
    figure.supxlabel(
        "in the corner: the weight, 1 being an equal share;  first row: most,  second row: least", fontsize=12
    )
    wrong = [int(task.wrong[picks[row].to(task.device)].sum()) for row in shown]
    figure.alt = (
        f"The {columns} images of a batch with the most weight, {wrong[0]} of them wrongly labelled, and the {columns} "
        f"with the least, {wrong[1]} of them wrongly labelled."
    )
    return figure


def image_array(task: Task, images: Tensor) -> Tensor:
    """Normalised images (…, C, H, W) as they are seen: (…, H, W, C) in [0, 1]."""
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (task.mean, task.std))
    return (images.cpu() * std + mean).clamp(0, 1).movedim(-3, -1)


def cell_size(task: Task) -> tuple[int, int]:
    """Height and width of the place of a labelled image, in pixels of the image, its label and the gaps included."""
    height, width = task.images.shape[-2:]
    return round((1 + label_room(task)) * height), round(1.12 * width)


def label_room(task: Task) -> float:
    """Room for the label above an image, in heights of an image: two lines where class names are long."""
    return 0.36 if max(map(len, task.class_names)) < 4 else 0.62


def top_of_labels(task: Task) -> float:
    """Where the labels above a first row of images end, in pixels of an image; the images begin at 0."""
    return (0.02 - label_room(task)) * task.images.shape[-2]


def draw_labelled(ax, task: Task, picks: Tensor, fontsize: float = 13) -> None:
    """Images in one axes, (rows, columns) places of noisy examples: many small axes would be slow for a slider."""
    draw_images(ax, image_array(task, task.images[picks.to(task.device)]), *cell_size(task))
    height, width = task.images.shape[-2:]
    step_y, step_x = cell_size(task)
    frames, wrongs = [], task.wrong.cpu()[picks].flatten().tolist()
    for (row, column), pick, wrong in zip(
        itertools.product(*map(range, picks.shape)), picks.flatten().tolist(), wrongs
    ):
        left, top = column * step_x, row * step_y
        frames.append(matplotlib.patches.Rectangle((left, top), width, height))
        name, true = task.class_names[int(task.given[pick])], int(task.true[pick])
        true_name = task.class_names[true] if true >= 0 else "none"
        between = " " if label_room(task) < 0.5 else "\n"
        label = f"✗ {name}{between}({true_name})" if wrong else name
        ax.text(left + width / 2, top - 0.04 * height, label, ha="center", va="bottom",
                fontsize=fontsize if label_room(task) < 0.5 else 11, linespacing=1,
                color=text_color(KINDS_OF_LABEL["wrong" if wrong else "right"].color))  # fmt: skip
    ax.add_collection(matplotlib.collections.PatchCollection(
        frames, facecolor="none", edgecolor=[KINDS_OF_LABEL["wrong"].color if wrong else "#BBBBBB" for wrong in wrongs],
        linewidth=[3 if wrong else 1 for wrong in wrongs],
    ))  # fmt: skip
    ax.set(xlim=(-2, picks.shape[1] * step_x), ylim=(picks.shape[0] * step_y - 0.3 * height, top_of_labels(task)))
    ax.axis("off")


def draw_images(ax, images: Tensor, step_y: int, step_x: int, top: int = 0) -> None:
    """Draw (rows, columns, H, W, C) images in [0, 1] as one picture, each at a multiple of the steps: that is fast."""
    rows, columns, height, width, channels = images.shape
    sheet = torch.full((rows, step_y, columns, step_x, channels), 1.0 if channels == 3 else 0.0)
    sheet[:, :height, :, :width] = images.movedim(1, 2)
    box = (0, columns * step_x, top + rows * step_y, top)
    pixels = sheet.reshape(rows * step_y, columns * step_x, channels).numpy()
    ax.imshow(pixels, cmap="gray_r", vmin=0, vmax=1, extent=box)


def picks_by_class(task: Task, rows: int, columns: int) -> Tensor:
    """(rows, columns) places of noisy examples: each column from one true class, the same images at every ratio."""
    labels = task.true_labels.where(task.true_labels >= 0, task.given_labels).cpu()
    places = [(labels == c).nonzero().flatten() for c in range(columns)]
    spread = [p[torch.linspace(0, len(p) - 1, rows).long()] for p in places]
    return torch.stack(spread, dim=1)
