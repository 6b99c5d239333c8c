"""Pictures of examples: images with their labels, what was said of them, and the weight that they got."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import matplotlib.collections
import matplotlib.patches
import torch
from torch import Tensor

from nlkit.plots.style import KINDS_OF_LABEL, OF_UNKNOWN_TRUTH, Figure, Style, picture, short_name, text_color
from nlkit.tasks.task import Task

_LEAST_SIDE = 24  # pixels


@picture
def labelled_images(task: Task, *, rows: int = 3, columns: int = 10, per_class: bool = True) -> Figure:
    """Noisy examples with their given labels; a wrong one is framed, crossed, and tells its true label.

    per_class: one column a class (of true labels) as long as there are classes; otherwise in the order of the task.
    """
    if per_class:
        picks = picks_by_class(task, rows, min(columns, task.num_classes))
    else:  # as many as there are
        columns = min(columns, task.noisy_count)
        rows = min(rows, task.noisy_count // columns)
        picks = torch.arange(rows * columns).reshape(rows, columns)
    rows, columns = picks.shape
    figure = Figure(figsize=(10, (3.3 + 9.1 * (0.64 + label_room(task))) / columns * rows + 0.3), layout="constrained")
    draw_labelled(figure.subplots(), task, picks)
    picked = picks.flatten().to(task.device)
    wrong, known = int(task.wrong[picked].sum()), int(task.known[picked].sum())
    key, told = "above each image: its given label", f"{rows} rows of {columns} images from {task.dataset}"
    figure.alt = f"{told} with their given labels, of which none shown here is verified."
    if known:
        key += ";  ✗ and a frame: it is wrong (true label in brackets)"
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
    figure = Figure(figsize=(10, 1.9 + 0.3 * len(predicted)), layout="constrained")
    ax = figure.subplots()
    draw_labelled(ax, task, picks[None])
    height = width = tile_side(task)
    step_x = cell_size(task)[1]
    for row, (time, classes) in enumerate(predicted.items()):
        y = height * (1.15 + 0.3 * row)
        ax.text(-0.1 * width, y, time, ha="right", va="center")
        for column, pick in enumerate(picks.tolist()):
            said = int(classes[pick])
            kind = "right" if said == task.true[pick] else "wrong" if said == task.given[pick] else None
            if not task.known[pick]:
                kind = None  # whether that is right, nobody knows
            text = short_name(task.class_names[said]) + {"right": " ✓", "wrong": " ✗", None: ""}[kind]
            color = text_color(KINDS_OF_LABEL[kind].color if kind else "#333333")
            ax.text(column * step_x + 0.5 * width, y, text, ha="center", va="center", color=color)
    ax.set_ylim(height * (1.05 + 0.3 * len(predicted)), top_of_labels(task))
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
def weighted_images(task: Task, picks: Tensor, weights: Tensor, *, columns: int = 10) -> Figure:
    """The examples of a batch with the most weight (first row) and with the least (second row).

    picks (B,): places in the noisy set. weights (B,): their weights, shown with 1 as the equal share.
    """
    weights = weights.detach().cpu() * len(weights) / weights.sum().clamp(min=1e-30).cpu()
    order, columns = weights.argsort(descending=True, stable=True), min(columns, len(weights))
    shown = torch.stack([order[:columns], order[-columns:]])
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    ax = figure.subplots()
    draw_labelled(ax, task, picks.cpu()[shown])
    height = width = tile_side(task)
    step_y, step_x = cell_size(task)
    for (row, column), place in zip(itertools.product(range(2), range(columns)), shown.flatten().tolist()):
        corner = column * step_x + 0.96 * width, row * step_y + 0.96 * height
        box = {"facecolor": "white", "alpha": 0.85, "pad": 1, "linewidth": 0}
        ax.text(*corner, f"{weights[place]:.1f}", ha="right", va="bottom", bbox=box)
    figure.supxlabel(
        "in the corner: the weight, 1 being an equal share;  first row: most,  second row: least", fontsize=12
    )
    most, least = (wrongly_labelled(task, picks.cpu()[row]) for row in shown)
    figure.alt = f"The {columns} images of a batch with the most weight{most}, and the {columns} with the least{least}."
    return figure


def wrongly_labelled(task: Task, places: Tensor) -> str:
    """How many of these noisy examples are wrongly labelled, in words, as far as that is known; empty if it isn't."""
    known, wrong = int(task.known.cpu()[places].sum()), int(task.wrong.cpu()[places].sum())
    if not known:
        return ""
    return f", {wrong} of {'them' if known == places.numel() else f'{known} verified ones'} wrongly labelled"


def kinds_of_label(task: Task) -> list[tuple[str, Style, Tensor]]:
    """(name, style, which of the N noisy examples) of each kind of label that can be told: right, wrong, unknown."""
    kinds, known = [], task.known_count
    if known:
        kinds = [("right", KINDS_OF_LABEL["right"], task.right), ("wrong", KINDS_OF_LABEL["wrong"], task.wrong)]
    if known < task.noisy_count:
        kinds.append(("not known" if known else "all labels", OF_UNKNOWN_TRUTH, ~task.known))
    return kinds


def image_array(task: Task, images: Tensor) -> Tensor:
    """Normalised images (…, C, H, W) as they are seen: (…, H, W, C) in [0, 1]."""
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (task.mean, task.std))
    return (images.cpu() * std + mean).clamp(0, 1).movedim(-3, -1)


def tile_side(task: Task) -> int:
    """Side of the square in which an image is drawn, in pixels: tiny images are enlarged until a label fits above."""
    longest = max(task.images.shape[-2:])
    return longest * _enlarged(longest)


def image_tiles(task: Task, images: Tensor) -> Tensor:
    """Images (…, C, H, W) as they are drawn: (…, S, S, 1 or 3) in [0, 1], centred on a white square.

    Of four channels or more the first three are seen, of two their mean.
    """
    seen = image_array(task, images)  # (…, H, W, C)
    channels = seen.shape[-1]
    seen = seen.mean(-1, keepdim=True) if channels == 2 else seen[..., : 3 if channels > 3 else channels]
    height, width = seen.shape[-3:-1]
    times = _enlarged(max(height, width))
    seen = seen.repeat_interleave(times, -3).repeat_interleave(times, -2)
    side, (height, width) = tile_side(task), seen.shape[-3:-1]
    tile = seen.new_full((*seen.shape[:-3], side, side, seen.shape[-1]), _white(seen))
    top, left = (side - height) // 2, (side - width) // 2
    tile[..., top : top + height, left : left + width, :] = seen
    return tile


def _enlarged(longest: int) -> int:
    return math.ceil(_LEAST_SIDE / longest)


def _white(images: Tensor) -> float:
    return 1.0 if images.shape[-1] == 3 else 0.0  # grey ones are drawn black on white


def cell_size(task: Task) -> tuple[int, int]:
    """Height and width of the place of a labelled image, in pixels of its tile, its label and the gaps included."""
    side = tile_side(task)
    return round((1 + label_room(task)) * side), round(1.12 * side)


def label_room(task: Task) -> float:
    """Room for the label above an image, in sides of its tile: two lines where class names are long."""
    return 0.36 if max(map(len, task.class_names)) < 4 else 0.62


def top_of_labels(task: Task) -> float:
    """Where the labels above a first row of images end, in pixels of a tile; the images begin at 0."""
    return (0.02 - label_room(task)) * tile_side(task)


def draw_labelled(ax, task: Task, picks: Tensor, fontsize: float = 13, letters: int = 10) -> None:
    """Images in one axes, (rows, columns) places of noisy examples: many small axes would be slow for a slider.

    letters: how many of a class's name there is room for.
    """
    draw_images(ax, image_tiles(task, task.images[picks.to(task.device)]), *cell_size(task))
    side = tile_side(task)
    step_y, step_x = cell_size(task)
    frames, wrongs = [], task.wrong.cpu()[picks].flatten().tolist()
    places, knowns = itertools.product(*map(range, picks.shape)), task.known.cpu()[picks].flatten().tolist()
    for (row, column), pick, wrong, known in zip(places, picks.flatten().tolist(), wrongs, knowns):
        left, top = column * step_x, row * step_y
        frames.append(matplotlib.patches.Rectangle((left, top), side, side))
        name, true = short_name(task.class_names[int(task.given[pick])], letters), int(task.true[pick])
        true_name = short_name(task.class_names[true], min(letters, 9)) if true >= 0 else "none"
        between = " " if label_room(task) < 0.5 else "\n"
        label = f"✗ {name}{between}({true_name})" if wrong else name
        style = KINDS_OF_LABEL["wrong" if wrong else "right"] if known else OF_UNKNOWN_TRUTH
        ax.text(left + side / 2, top - 0.04 * side, label, ha="center", va="bottom",
                fontsize=fontsize if label_room(task) < 0.5 else 11, linespacing=1,
                color=text_color(style.color))  # fmt: skip
    ax.add_collection(matplotlib.collections.PatchCollection(
        frames, facecolor="none", edgecolor=[KINDS_OF_LABEL["wrong"].color if wrong else "#BBBBBB" for wrong in wrongs],
        linewidth=[3 if wrong else 1 for wrong in wrongs],
    ))  # fmt: skip
    ax.set(xlim=(-2, picks.shape[1] * step_x), ylim=(picks.shape[0] * step_y - 0.3 * side, top_of_labels(task)))
    ax.axis("off")


def draw_images(ax, images: Tensor, step_y: int, step_x: int, top: int = 0) -> None:
    """Draw (rows, columns, S, S, C) tiles in [0, 1] as one picture, each at a multiple of the steps: that is fast."""
    rows, columns, height, width, channels = images.shape
    sheet = torch.full((rows, step_y, columns, step_x, channels), _white(images))
    sheet[:, :height, :, :width] = images.movedim(1, 2)
    box = (0, columns * step_x, top + rows * step_y, top)
    pixels = sheet.reshape(rows * step_y, columns * step_x, channels).numpy()
    ax.imshow(pixels, cmap="gray_r", vmin=0, vmax=1, extent=box)


def picks_by_class(task: Task, rows: int, columns: int) -> Tensor:
    """(rows, columns) places of noisy examples: each column from one true class, the same images at every ratio.

    Where the true class isn't known, or is none, the given label stands for it. Classes without examples are left out,
    so that there may be fewer columns.
    """
    labels = task.true_labels.where(task.true_labels >= 0, task.given_labels).cpu()
    places = (found for c in range(task.num_classes) if len(found := (labels == c).nonzero().flatten()))
    spread = [p[torch.linspace(0, len(p) - 1, rows).long()] for p in itertools.islice(places, columns)]
    return torch.stack(spread, dim=1)
