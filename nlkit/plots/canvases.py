"""Pictures of canvases: which digits are on them, which of them were ticked, and which a network finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from torch import Tensor

from nlkit.plots.axes import draw_line, fitted_axis
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, styles_of, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_LINE, _CURVES = 0.24, 2.3  # inches: of a line of words, of the curves
_RIGHT, _WRONG = (text_color(KINDS_OF_LABEL[kind].color) for kind in ("right", "wrong"))


def one_image(cells: numpy.ndarray) -> numpy.ndarray:
    """Cells (4, 196), row by row, as one image (28, 28)."""
    side = int(cells.shape[1] ** 0.5)
    return cells.reshape(2, 2, side, side).transpose(0, 2, 1, 3).reshape(2 * side, 2 * side)


def digits_of(marked: Tensor) -> str:
    """The classes of a row (K,) bool in words."""
    return " ".join(str(digit) for digit in marked.nonzero().flatten().tolist())


@picture
def ticked_canvases(cells: Tensor, ticked: Tensor, present: Tensor) -> Figure:
    """Canvases in a row, what is ticked below each, and what was overlooked or is not there.

    cells: (n, 4, 196). ticked, present: (n, K) bool.
    """
    count = len(cells)
    figure = Figure(figsize=(10, 10 / count + 0.75))
    width, height = 1 / count, (10 / count + 0.75)
    told = []
    for place in range(count):
        ax = figure.add_axes((place * width + 0.005, 0.72 / height, width - 0.01, 10 / count / height - 0.02))
        _show(ax, cells[place].numpy())
        lost, wrong = present[place] & ~ticked[place], ticked[place] & ~present[place]
        _below(ax, 0, f"ticked {digits_of(ticked[place] & ~wrong) or '–'}", _RIGHT)
        words = [f"lost {digits_of(lost)}" if lost.any() else "", f"wrong {digits_of(wrong)}" if wrong.any() else ""]
        _below(ax, 1, " ".join(filter(None, words)), _WRONG)
        told.append(f"{digits_of(present[place])} (ticked: {digits_of(ticked[place]) or 'nothing'})")
    figure.alt = f"{count} canvases of 2 by 2 cells, with the digits {'; '.join(told)}."
    return figure


def _show(ax, cells: numpy.ndarray) -> None:
    ax.imshow(one_image(cells), cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=REFERENCE, linewidth=0.8)


def _below(ax, line: int, words: str, color: str, x: float = 0.5, align: str = "center") -> None:
    ax.annotate(words, (x, 0), (0, -4 - 72 * _LINE * line), xycoords="axes fraction", textcoords="offset points",
                ha=align, va="top", color=color, annotation_clip=False)  # fmt: skip


@picture
def rare_and_overlooked(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Canvases with an overlooked digit and what each rival finds there; below, average precision from many to few.

    records: name -> its records so far, as `nlkit.papers.rare_and_overlooked.Parts` makes them; the last one of each is
    drawn. variants: all names that there are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run[-1] for name, run in records.items() if run}
    first: Any = next(iter(runs.values())).shown if runs else {"cells": ()}
    finders = {name: record for name, record in runs.items() if "found" in record.numbers}
    shown: Any = next(iter(finders.values())).shown if finders else first
    count, left = len(shown["cells"]), 1.3
    side = (PANEL_WIDTH - left) / max(1, count)
    above = side + _LINE * (1.2 + len(finders)) + 0.1 if count else 0.1
    height = above + _CURVES
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    told = []
    for place in range(count):
        box = (left + place * side, height - side - 0.05, side - 0.06, side - 0.06)
        ax = figure.add_axes([part / (height if k % 2 else PANEL_WIDTH) for k, part in enumerate(box)])
        _show(ax, shown["cells"][place])
        _below(ax, 0, digits_of(shown["lost"][place]), _WRONG)
        for line, record in enumerate(finders.values(), start=1):
            new, lost = record.shown["found"][place], record.shown["lost"][place]  # type: ignore[index]
            right, wrong = digits_of(new & lost), digits_of(new & ~lost)
            _below(
                ax, line, right or ("" if wrong else "–"), _RIGHT if right else REFERENCE, 0.5 if not wrong else 0.35
            )
            _below(ax, line, wrong and f"✗{wrong}", _WRONG, 0.95, "right")
        if not place:
            _below(ax, 0, "lost", _WRONG, -0.12, "right")
            for line, name in enumerate(finders, start=1):
                _below(ax, line, name, text_color(styles[name].color), -0.12, "right")
    for name, record in finders.items():
        told.append(f"{name} finds {in_percent_words(record.numbers['found'], 0)} of what was overlooked, "
                    f"{in_percent_words(record.numbers['right'], 0)} of what it finds is there.")  # fmt: skip
    ax = figure.add_axes((0.45 / PANEL_WIDTH, 0.5 / height, 3.8 / PANEL_WIDTH, (_CURVES - 0.95) / height))
    told.append(_draw_precision(ax, runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_precision(ax, runs: Mapping[str, Recorded], styles: Mapping[str, Any]) -> str:
    ends, told, drawn = [], [], []
    for name, record in runs.items():
        values = [100 * value for value in record.shown["by_class"]]  # type: ignore[attr-defined]
        draw_line(ax, range(1, len(values) + 1), values, styles[name], markersize=5)
        ends.append((values[-1], f"{name} {100 * record.numbers['mAP']:.1f}", styles[name].color))
        told.append(f"{name} {in_percent_words(record.numbers['mAP'])} from {int(record.numbers['ticks']):,} ticks")
        drawn += values
    fitted_axis(ax, drawn, "")
    counts = sorted({int(record.numbers["ticks"]) for record in runs.values()})
    ax.set(
        title=f"average precision and its mean, %, of {' or '.join(f'{count:,}' for count in counts)} ticks", ylabel=""
    )
    if runs:
        order: Any = next(iter(runs.values())).shown["order"]
        ax.set_xticks(range(1, len(order) + 1), [str(digit) for digit in order])
        label_ends(ax, [1, len(order)], ends)
    ax.set_xlabel("digits, from the most frequent to the rarest", labelpad=1)
    return f"Mean average precision: {', '.join(told)}." if told else "No run yet."
