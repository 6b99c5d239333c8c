"""Images as they are drawn: squares in one sheet, with words above and below each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import matplotlib.collections
import matplotlib.patches
import torch
from torch import Tensor

from nlkit.plots.style import KINDS_OF_LABEL, OF_UNKNOWN_TRUTH, Style, text_color
from nlkit.plots.words import short_name
from nlkit.tasks.task import Task

_LEAST_SIDE = 24  # pixels
NONE = "–"  # in place of a true label, where names have one letter and there is room for no more


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


def cell_size(task: Task, below: float = 0) -> tuple[int, int]:
    """Height and width of the place of a labelled image, in pixels of its tile, its label and the gaps included.

    below: room for words under it, in sides of its tile.
    """
    side = tile_side(task)
    return round((1 + label_room(task) + below) * side), round(1.12 * side)


def label_room(task: Task) -> float:
    """Room for the label above an image, in sides of its tile: two lines where class names have several letters."""
    return 0.36 if max(map(len, task.class_names)) < 2 else 0.62


def top_of_labels(task: Task) -> float:
    """Where the labels above a first row of images end, in pixels of a tile; the images begin at 0."""
    return (0.02 - label_room(task)) * tile_side(task)


def draw_labelled(
    ax, task: Task, picks: Tensor, *, fontsize: float = 13, letters: int = 10, below: float = 0, marked: bool = True
) -> None:
    """Images in one axes, (rows, columns) places of noisy examples: many small axes would be slow for a slider.

    letters: how many of a class's name there is room for. below: room under each image, see `cell_size`. marked:
    whether wrong labels are told from right ones.
    """
    side = tile_side(task)
    step_y, step_x = cell_size(task, below)
    draw_images(ax, image_tiles(task, task.images[picks.to(task.device)]), step_y, step_x)
    wrongs, knowns = (((mask.cpu()[picks] & marked).flatten().tolist()) for mask in (task.wrong, task.known))
    between, none = (" ", NONE) if label_room(task) < 0.5 else ("\n", "none")
    frames, places = [], itertools.product(*map(range, picks.shape))
    for (row, column), pick, wrong, known in zip(places, picks.flatten().tolist(), wrongs, knowns):
        left, top = column * step_x, row * step_y
        frames.append(matplotlib.patches.Rectangle((left, top), side, side))
        name, true = short_name(task.class_names[int(task.given[pick])], letters), int(task.true[pick])
        true_name = short_name(task.class_names[true], min(letters, 9)) if true >= 0 else none
        label = f"✗ {name}{between}({true_name})" if wrong else name
        style = KINDS_OF_LABEL["wrong" if wrong else "right"] if known else OF_UNKNOWN_TRUTH
        ax.text(left + side / 2, top - 0.04 * side, label, ha="center", va="bottom",
                fontsize=fontsize if label_room(task) < 0.5 else 11, linespacing=1,
                color=text_color(style.color))  # fmt: skip
    ax.add_collection(matplotlib.collections.PatchCollection(
        frames, facecolor="none", edgecolor=[KINDS_OF_LABEL["wrong"].color if wrong else "#BBBBBB" for wrong in wrongs],
        linewidth=[3 if wrong else 1 for wrong in wrongs],
    ))  # fmt: skip
    end = picks.shape[0] * step_y - (0.02 if below else 0.3) * side
    ax.set(xlim=(-2, picks.shape[1] * step_x), ylim=(end, top_of_labels(task)))
    ax.axis("off")


def draw_below(ax, task: Task, words: Sequence[Sequence[str]], below: float) -> None:
    """Words under the images that `draw_labelled` has drawn with the same room below, row by row."""
    side = tile_side(task)
    step_y, step_x = cell_size(task, below)
    for row, line in enumerate(words):
        for column, word in enumerate(line):
            at = column * step_x + side / 2, row * step_y + 1.03 * side
            ax.text(*at, word, ha="center", va="top", fontsize=11)


def name_rows(ax, task: Task, names: Sequence[str], below: float = 0) -> None:
    """What the rows of images are, in words to their left."""
    side, step_y = tile_side(task), cell_size(task, below)[0]
    for row, name in enumerate(names):
        ax.text(-0.12 * side, row * step_y + 0.5 * side, name, ha="right", va="center", fontsize=12)


def draw_images(ax, images: Tensor, step_y: int, step_x: int, top: int = 0) -> None:
    """Draw (rows, columns, S, S, C) tiles in [0, 1] as one picture, each at a multiple of the steps: that is fast."""
    rows, columns, height, width, channels = images.shape
    sheet = torch.full((rows, step_y, columns, step_x, channels), _white(images))
    sheet[:, :height, :, :width] = images.movedim(1, 2)
    box = (0, columns * step_x, top + rows * step_y, top)
    pixels = sheet.reshape(rows * step_y, columns * step_x, channels).numpy()
    ax.imshow(pixels, cmap="gray_r", vmin=0, vmax=1, extent=box)
