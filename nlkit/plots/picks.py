"""Pictures of images found by a word: as they were found, and as they were picked; and test accuracy by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy
from matplotlib.patches import Rectangle

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, styles_of, text_color
from nlkit.records import Recorded

_ROW, _LEFT, _HEAD, _CURVES = 0.5, 1.6, 0.32, 2.7  # inches: a row of images, its name, a title, accuracy


@picture
def rows_of_images(rows: Mapping[str, tuple[numpy.ndarray, Sequence[bool]]], title: str = "") -> Figure:
    """Rows of images, name -> images (n, 28, 28) and whether each is right; a wrong one is framed and crossed."""
    head = _HEAD if title else 0.05
    height = _ROW * len(rows) + head
    figure, place = panel_figure(height)
    figure.alt = _draw_rows(figure, place, height - head, rows, title)
    return figure


@picture
def picked_images(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """What was found and what was picked, of the last run that picks; below, test accuracy by epoch.

    records: name -> its records so far, as `nlkit.papers.capro_training.Searching` makes them: `shown` has rows of
    images, name -> images (n, 28, 28) and whether each is right. variants: all the names that there are, in the
    order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    pickers = {name: run for name, run in runs.items() if len(run[-1].shown) > 1} or runs
    above, told = 0.0, []
    if runs:
        name, run = list(pickers.items())[-1]
        above = _ROW * len(run[-1].shown) + _HEAD
    height = above + _CURVES
    figure, place = panel_figure(height)
    if runs:
        title = f"asked for an 8; framed and crossed: not an 8 ({name})"
        told.append(_draw_rows(figure, place, height - _HEAD, run[-1].shown, title))
    ax = place(0.5, 0.5, 3.7, _CURVES - 0.9)
    drawn = draw_runs(ax, runs, styles, "test_accuracy")
    fitted_axis(ax, drawn.values, "")
    label_ends(ax, [1, drawn.last], drawn.ends)
    whole_ticks(ax.xaxis, 5)
    ax.set(title="test accuracy, %", ylabel="")
    ax.set_xlabel("epoch", labelpad=1)
    told.append(f"Test accuracy: {', '.join(drawn.told)}." if runs else "Test accuracy by epoch. No run yet.")
    figure.alt = " ".join(told)
    return figure


def _draw_rows(figure, place, top: float, rows, title: str) -> str:
    """The rows from a height in inches downwards; how many are wrong, in words."""
    told = []
    if title:
        figure.text(0.02, (top + 0.08) / figure.get_figheight(), title, fontsize=12)
    for row, (name, (images, right)) in enumerate(rows.items(), start=1):
        ax = place(_LEFT, top - _ROW * row, PANEL_WIDTH - _LEFT - 0.1, _ROW - 0.04)
        ax.set(xlim=(0, 9.7), ylim=(0, 1))
        ax.set_axis_off()
        for at, (image, good) in enumerate(zip(images, right)):
            box = (at * 1.02, at * 1.02 + 0.96, 0.02, 0.98)
            ax.imshow(image, cmap="gray_r", extent=box, aspect="auto")
            if not good:
                look = KINDS_OF_LABEL["wrong"].color
                ax.add_patch(Rectangle((box[0], 0.02), 0.96, 0.96, fill=False, edgecolor=look, linewidth=2))
                ax.plot([box[0], box[1]], [0.02, 0.98], color=look, linewidth=1.2)
        ax.set(xlim=(0, 9.7), ylim=(0, 1))
        wrong = sum(not good for good in right)
        ax.text(-0.15, 0.5, name, ha="right", va="center", fontsize=11)
        color = KINDS_OF_LABEL["wrong" if wrong else "right"].color
        ax.text(9.7, 0.5, f"{wrong} wrong", ha="right", va="center", fontsize=11, color=text_color(color))
        told.append(f"{name}: {wrong} of {len(right)} wrong")
    return f"Rows of images. {'; '.join(told)}."
