"""Pictures of images that a model has made, in rows beside real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nlkit.plots.axes import draw_line
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, styles_of
from nlkit.records import Recorded

_GAP, _TALL, _NAMES, _NOTES = 2, 0.44, 1.75, 1.2  # pixels between images; inches a row, left and right of the images
_BELOW = 2.6  # inches: the curves


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


@picture
def made_and_distance(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Real digits, those learned from and those that each has made; below, the Fréchet distance to test digits by step.

    records: name -> its records so far, as `nlkit.papers.ambient_diffusion.Ambient` makes them. variants: all names
    that there are, in the order of their colours. Noisy digits are shown where one has learned from such.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    rows, notes, told = {}, {}, []
    for run in runs.values():
        shown, numbers = run[-1].shown, run[-1].numbers
        rows["real digits"] = shown["real"]
        if numbers["noisy"]:
            rows["noisy, to learn from"] = shown["given"]
    for name, run in runs.items():
        rows[name] = run[-1].shown["made"]
        notes[name] = " +\n".join(f"{run[-1].numbers[kind]:,.0f} {kind}" for kind in ("clean", "noisy")
                                  if run[-1].numbers[kind])  # fmt: skip
    figure, place = panel_figure(_BELOW + _TALL * (len(runs) + 2 if runs else 0))
    if rows:
        bottom = _BELOW + _TALL * (len(runs) + 2 - len(rows))
        told.append(draw_image_rows(place, bottom, rows, notes))
    told.append(_draw_distance(place(0.6, 0.5, 3.7, _BELOW - 0.95), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_distance(ax, runs, styles) -> str:
    ends, told, drawn = [], [], []
    for name, run in runs.items():
        steps, values = ([record.numbers[number] for record in run] for number in ("step", "frechet"))
        draw_line(ax, steps, values, styles[name], markersize=5)
        ends.append((values[-1], f"{name} {values[-1]:.2f}", styles[name].color))
        told.append(f"{name} {values[-1]:.2f}")
        drawn += values
    if runs:
        floor = next(iter(runs.values()))[-1].numbers["floor"]
        ax.axhline(floor, color=REFERENCE, linestyle=":")
        ends.append((floor, f"training digits {floor:.2f}", REFERENCE))
        ax.set_ylim(0, 1.1 * min(max(drawn), 4 * max(floor, *(run[-1].numbers["frechet"] for run in runs.values()))))
    last = max((run[-1].numbers["step"] for run in runs.values()), default=100.0)
    label_ends(ax, [0, max(last, 100.0)], ends)
    ax.set(title="Fréchet distance to test digits")
    ax.set_xlabel("step", labelpad=1)
    return f"Fréchet distance by step: {', '.join(told)}." if told else "Fréchet distance by step. No run yet."


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
