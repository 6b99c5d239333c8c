"""The plane with its points, and behind them what networks say of every place in it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib.lines
import numpy
import torch
from torch import Tensor

from nlkit.data.plane import WINDOW, as_points, lattice
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, QuickFigure, picture
from nlkit.plots.style import KINDS_OF_LABEL, METHOD_STYLES, Style, faded
from nlkit.tasks.task import Task

MOST = 4  # fields of one picture
CLASS_STYLES = (Style(METHOD_STYLES["elr"].color, "o", ""), Style(METHOD_STYLES["mentornet"].color, "s", ""))
_STEPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
_SHADES = [faded(CLASS_STYLES[0].color, share) for share in (0.42, 0.28, 0.14)]
_SHADES += [faded(CLASS_STYLES[1].color, share) for share in (0.14, 0.3, 0.5)]
_TITLE, _KEY, _EDGE, _GAP = 0.5, 0.52, 0.1, 0.12  # inches: two lines above a field, the key below all, margins
_ALONE = 5.5  # inches: width of a field that is alone
_FULL, _SMALL = 8.0, 6.0  # points: size of a point in a field that is alone, and in one of several


@picture
def decision_boundaries(
    task: Task,
    fields: Mapping[str, Tensor],
    again: QuickFigure | None = None,
    *,
    words: Mapping[str, str] = {},  # noqa: B006
    chosen: int | None = None,
) -> QuickFigure:
    """The points of a task in the plane by given label, and behind them the fields of one network or up to four.

    Circles and squares are the two given labels; a ring is round a wrong one, a frame round one of the clean set. The
    shade behind them is the probability of a class, in six steps, and the line where both are equally likely.

    task: of `nlkit.data.plane`. fields: name -> (rows, columns) probability of the second class at the points of
        `lattice(columns, rows)`; 1 to 4 of them. words: name -> a line about it. chosen: place of a point to point at.
    again: a picture of as many fields, to be changed into this one: much faster. Raises a ValueError for other counts.
    """
    if not 1 <= len(fields) <= MOST:
        raise ValueError(f"fields has {len(fields)} networks; a picture has room for 1 to {MOST}")
    figure = again if again and len(again.axes) == len(fields) else _empty(len(fields), task.class_names)
    points, size = as_points(task.images).numpy(), _FULL if len(fields) == 1 else _SMALL
    told = []
    for ax, (name, values) in zip(figure.axes, fields.items()):
        figure.empty(ax)
        x, y = lattice(*reversed(values.shape)).numpy().transpose(2, 0, 1)
        ax.contourf(x, y, values.numpy(), _STEPS, colors=_SHADES, zorder=0)
        ax.contour(x, y, values.numpy(), [0.5], colors="black", linewidths=2.2, zorder=1)
        _draw_points(ax, task, points, size)
        if chosen is not None:
            ax.plot(*points[[chosen]].T, "D", color="black", markersize=2.4 * size, markerfacecolor="none", zorder=5)
        title = f"{name}\n{words[name]}" if name in words else name
        ax.text(0, 1.02, title, transform=ax.transAxes, va="bottom", linespacing=1.2, fontsize=11)
        told.append(f"{name}: {words[name]}, " if name in words else f"{name}: ")
        told[-1] += f"{_share(values)} of the plane is {task.class_names[1]}"
    wrong = int(task.wrong.sum())
    figure.alt = (
        f"{len(points)} points in the plane, {wrong or 'none'} of {task.noisy_count} noisy ones with a wrong label, "
        f"and the decision boundary of each network. {'; '.join(told)}."
    )
    return figure


def point_at(count: int, across: float, down: float) -> tuple[float, float] | None:
    """The point (x, y) of the plane that a picture of `count` fields shows at a place of it, None if no field is there.

    across, down: shares of the picture's width and height, from its upper left corner.
    """
    height, boxes = _layout(count)
    at = across * PANEL_WIDTH, (1 - down) * height
    for left, bottom, wide, tall in boxes:
        shares = (at[0] - left) / wide, (at[1] - bottom) / tall
        if all(0 <= share <= 1 for share in shares):
            x, y = (low + share * (high - low) for share, (low, high) in zip(shares, WINDOW))
            return x, y
    return None


def _layout(count: int) -> tuple[float, list[tuple[float, float, float, float]]]:
    """Height of the picture in inches, and (left, bottom, width, height) of each field; two stand side by side."""
    columns = min(count, 2)
    wide = _ALONE if columns == 1 else (PANEL_WIDTH - 2 * _EDGE - _GAP) / 2
    (left, right), (low, high) = WINDOW
    tall = wide * (high - low) / (right - left)
    rows = math.ceil(count / columns)
    height = _KEY + rows * (tall + _TITLE)
    return height, [
        (_EDGE + (at % columns) * (wide + _GAP), height - (at // columns + 1) * (tall + _TITLE), wide, tall)
        for at in range(count)
    ]


def _empty(count: int, class_names: tuple[str, ...]) -> QuickFigure:
    height, boxes = _layout(count)
    figure = QuickFigure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    for left, bottom, wide, tall in boxes:
        ax = figure.add_axes((left / PANEL_WIDTH, bottom / height, wide / PANEL_WIDTH, tall / height))
        ax.set(xlim=WINDOW[0], ylim=WINDOW[1], xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="#999999")
    none = {"linestyle": "none", "markersize": _FULL}
    ring = {**none, "markersize": 12, "markerfacecolor": "none", "markeredgewidth": 2}
    keys = {f"labelled {name}": {**none, "marker": s.marker, "color": s.color}
            for name, s in zip(class_names, CLASS_STYLES)}  # fmt: skip
    keys |= {
        "wrong label": {**ring, "marker": "o", "color": KINDS_OF_LABEL["wrong"].color},
        "clean set": {**ring, "marker": "s", "color": KINDS_OF_LABEL["clean"].color},
        "boundary": {"color": "black", "linewidth": 2.2},
    }
    keys = {name: keys[name] for name in (*list(keys)[:2], "wrong label", "clean set", "boundary")}
    handles = [matplotlib.lines.Line2D([], [], **look) for look in keys.values()]
    figure.legend(handles, list(keys), loc="lower left", bbox_to_anchor=(0.01, 0), ncols=3, frameon=False,
                  fontsize=11, labelspacing=0.3, columnspacing=1.6, borderpad=0.1, borderaxespad=0.2)  # fmt: skip
    return figure


def _draw_points(ax, task: Task, points: numpy.ndarray, size: float) -> None:
    given = task.given.cpu()
    for label, style in enumerate(CLASS_STYLES):
        ax.plot(*points[(given == label).numpy()].T, style.marker, color=style.color, markersize=size,
                markeredgecolor="white", markeredgewidth=0.8, zorder=3)  # fmt: skip
    clean = torch.arange(len(points)) >= task.noisy_count
    wrong = torch.cat([task.wrong.cpu(), torch.zeros(int(clean.sum()), dtype=torch.bool)])
    for kind, which, marker in (("wrong", wrong, "o"), ("clean", clean, "s")):
        ax.scatter(*points[which.numpy()].T, s=(1.7 * size) ** 2, marker=marker, facecolors="none", linewidths=1.8,
                   edgecolors=KINDS_OF_LABEL[kind].color, zorder=4)  # fmt: skip


def _share(values: Tensor) -> str:
    return f"{(values > 0.5).double().mean().item():.0%}"
