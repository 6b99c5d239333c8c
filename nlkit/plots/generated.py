"""Pictures of images that a model has made, in rows beside real ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture

_GAP, _TALL, _NAMES, _NOTES = 2, 0.44, 1.75, 0.95  # pixels between images; inches a row, left and right of the images


@picture
def image_rows(rows: Mapping[str, Tensor], notes: Mapping[str, str] | None = None, *, title: str = "") -> Figure:
    """Rows of grey images, each with its name to the left and a few words to the right.

    rows: name -> (K, H, W) in [0, 1], black on white, as many a row. notes: name -> words. Raises a ValueError where
    there is no row.
    """
    if not rows:
        raise ValueError("rows has none; there is nothing to draw")
    figure, place = panel_figure(_TALL * len(rows) + (0.4 if title else 0.06))
    figure.alt = draw_image_rows(place, 0.03, rows, notes or {}, title)
    return figure


def draw_image_rows(place, bottom: float, rows: Mapping[str, Tensor], notes: Mapping[str, str], title: str = "") -> str:
    """The rows in axes that `place` makes, from `bottom` inches up; what they are in words."""
    wide, tall = PANEL_WIDTH - _NAMES - (_NOTES if notes else 0.1), _TALL * len(rows)
    ax = place(_NAMES, bottom, wide, tall)
    height, width = next(iter(rows.values())).shape[1:]
    columns = int(wide * (height + 2 * _GAP) / (_TALL * (width + _GAP)))
    sheet = torch.zeros(len(rows) * (height + 2 * _GAP), columns * (width + _GAP))
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(images[:columns]):
            top, left = row * (height + 2 * _GAP) + _GAP, column * (width + _GAP)
            sheet[top : top + height, left : left + width] = image
    ax.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ax.set_axis_off()
    for row, name in enumerate(rows):
        middle = (row + 0.5) * (height + 2 * _GAP)
        ax.text(-4, middle, name, ha="right", va="center", fontsize=11, linespacing=1.05)
        ax.text(sheet.shape[1] + 4, middle, notes.get(name, ""), va="center", fontsize=11, linespacing=1.05)
    if title:
        ax.set_title(title, fontsize=12)
    told = (f"{name}{f' ({notes[name]})' if name in notes else ''}" for name in rows)
    return f"Rows of images: {'; '.join(' '.join(each.split()) for each in told)}."
