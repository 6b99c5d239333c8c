"""A task at a glance, for a slider to drive: what of it stays as it was is not drawn again."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from nlkit.data.labels import NO_CLASS
from nlkit.plots.axes import class_ticks
from nlkit.plots.examples import picks_by_class
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, QuickFigure, picture
from nlkit.plots.matrices import colors_of_percent, draw_matrix, largest
from nlkit.plots.style import KINDS_OF_LABEL, text_color
from nlkit.plots.tiles import cell_size, draw_labelled, kinds_of_label, tile_side, top_of_labels
from nlkit.tasks.own_labels import OWN_LABELS
from nlkit.tasks.task import Task


@picture
def noise_overview(task: Task, again: QuickFigure | None = None) -> QuickFigure:
    """A task at a glance, for a slider to drive: images with given labels, the matrix asked for and realised, counts.

    again: the picture of another task with the same classes, to be changed into that of this one: much faster.
    Everything has its fixed place, since finding places takes longer than drawing. Labels of one's own have no matrix
    that was asked for, and none that is realised unless some truth is known.
    """
    figure = again or _empty_overview(task)
    axes = {ax.get_label(): ax for ax in figure.axes}
    picks = picks_by_class(task, *_size_of_sheet(task))
    looked_at = [of[picks.to(task.device)].cpu().numpy() for of in (task.images, task.given, task.true)]
    for row, column in itertools.product(*map(range, picks.shape)):  # a move changes the label of one or two
        ax = axes[f"image {row} {column}"]
        if not figure.keeps(ax, tuple(of[row, column].tobytes() for of in looked_at)):
            limits = {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}
            draw_labelled(ax, task, picks[row : row + 1, column : column + 1], fontsize=11, letters=9)
            ax.set(aspect="auto", **limits)
            for words in ax.texts:
                words.set_clip_on(True)
    for title, matrix in _matrices(task).items():
        axes[title].images[0].set_data(100 * matrix.numpy())
        axes[title].images[0].set_norm(colors_of_percent(max(largest(m) for m in _matrices(task).values())))
    counts = {kind: (int(mask.sum()), style) for kind, style, mask in kinds_of_label(task)}
    counts["clean"] = len(task.clean_labels), KINDS_OF_LABEL["clean"]
    bars = axes["bars"]
    figure.empty(bars)
    for row, (kind, (count, style)) in enumerate(counts.items()):
        bars.barh(row, count, height=0.42, color=style.color)
        color = text_color(style.color)
        bars.text(0, row - 0.27, f"{count:,} {kind.removeprefix('all ')}", color=color, va="bottom", fontsize=13)
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
    _add_places_of_images(figure, task, (0.005, 0.485, 0.99, 0.515))
    every, empty = 2 if _long_names(task) else 1, torch.zeros(task.num_classes, task.num_classes)
    for i, title in enumerate(_matrices(task)):
        ax = figure.add_axes((0.1 + 0.34 * i, 0.12, 0.26, 0.31), anchor="NW", label=title)
        of_known = "" if task.known_count == task.noisy_count else f", {task.known_count:,} known"
        draw_matrix(ax, empty, task.class_names, title + of_known, norm=None, numbers=False, every=every, room=1.41)
        if not i:
            beyond = _beyond_edges(figure, ax)
        _move_in(ax, beyond, lambda room, ax=ax: class_ticks(ax, "xy", task.class_names, room, every))
        if i:
            ax.set_ylabel("")
    figure.add_axes((0.76, 0.09, 0.23, 0.37), label="bars").axis("off")
    if task.known_count:
        color = text_color(KINDS_OF_LABEL["wrong"].color)
        none = ", –: none" if (task.true == NO_CLASS).any() and max(map(len, task.class_names)) < 2 else ""
        figure.text(0.99, 0.02, f"✗ given (true{none})", color=color, fontsize=11, ha="right")
    return figure


def _size_of_sheet(task: Task) -> tuple[int, int]:
    """Rows and columns of images for which the overview has room: fewer, where class names are long."""
    longest = max(map(len, task.class_names))
    rows, columns = (1, 5) if longest > 3 else (2, 10) if longest > 1 else (3, 10)
    return rows, min(columns, task.num_classes)


def _add_places_of_images(figure: QuickFigure, task: Task, box: tuple[float, float, float, float]) -> None:
    """Axes for each labelled image, in rows, as large as a box of the figure has room for.

    They begin and end between two dots of the figure, so that none has a share in what another shows.
    """
    rows, columns = _size_of_sheet(task)
    (step_y, step_x), side = cell_size(task), tile_side(task)
    edge, top = (step_x - side) / 2, top_of_labels(task) + 0.018 * side  # frames are wide, and end above the next row
    ends = [*((row + 1) * step_y + top for row in range(rows - 1)), rows * step_y - 0.3 * side]
    across, up = figure.bbox.width, figure.bbox.height
    dots = min(box[2] * across / (columns * step_x), box[3] * up / (ends[-1] - top))  # for a pixel of a tile
    wide, talls = int(dots * step_x), [int(dots * (end - above)) for above, end in zip([top, *ends], ends)]
    left = round(box[0] * across + (box[2] * across - columns * wide) / 2)
    low = round(box[1] * up + (box[3] * up + sum(talls)) / 2)
    for row, (above, end, tall) in enumerate(zip([top, *ends], ends, talls)):
        low -= tall
        for column in range(columns):
            place = (left + column * wide) / across, low / up, wide / across, tall / up
            ax = figure.add_axes(place, label=f"image {row} {column}")
            ax.set(xlim=(-edge, step_x - edge), ylim=(end - row * step_y, above - row * step_y))
            ax.axis("off")


def _beyond_edges(figure: QuickFigure, ax) -> tuple[float, float]:
    """By how much names around the axes lie beyond the left and the lower edge of the figure, as shares of it."""
    box, margin = ax.get_tightbbox(figure.canvas.get_renderer()), 0.04 * figure.dpi
    return max(0, margin - box.x0) / figure.bbox.width, max(0, margin - box.y0) / figure.bbox.height


def _move_in(ax, beyond: tuple[float, float], name_classes: Callable[[float], None]) -> None:
    """Make room at the left and below for what lies beyond; the upper edge stays where it is.

    name_classes: names the classes along sides of so many inches, which are shorter then.
    """
    if not any(beyond):
        return
    (left, below), place = beyond, ax.get_position(original=True)
    ax.set_position((place.x0 + left, place.y0 + below, place.width, place.height - below))
    name_classes(min(place.width * ax.figure.get_figwidth(), (place.height - below) * ax.figure.get_figheight()))


def _long_names(task: Task) -> bool:
    return max(map(len, task.class_names)) > 3
