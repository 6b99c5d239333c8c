"""Pictures of clusters found in a graph: the nodes that were reached first, and F1 by pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.collections
import matplotlib.colors
import numpy

from nlkit.plots.axes import draw_line, percent_axis
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, Style, faded, styles_of, text_color
from nlkit.plots.words import in_percent_words, peak_of
from nlkit.records import Recorded

_COLUMNS, _SIDE, _GAP = 30, 8, 1  # thumbnails in a row; pixels of one where nodes have no image, and between two
_LINE, _WORDS, _BELOW = 0.2, 0.42, 2.4  # inches: a row of thumbnails, the words above each two, the curves
_CONTROLS = {"f1_labels": "labels alone", "f1_vote": "majority vote"}
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@picture
def clusters_found(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """For each diffusion the nodes that it reached first, wrong ones framed and struck through; below, F1 by pass.

    records: name -> its records so far, as `nlkit.papers.local_clustering` makes them. In the `numbers` of each are
    "f1", "passes", "reached", "f1_labels" and "f1_vote"; `shown` has "right" (nodes,), whether each of the first nodes
    is in the cluster, and "images" (nodes, height, width) in [0, 1], or None. A name without a record is left out.
    variants: all the names that there are, in the order of their colours.
    """
    styles = styles_of(list(records), variants)
    runs = {name: run for name, run in records.items() if run}
    above = (2 * _LINE + _WORDS) * len(runs)
    figure, place = panel_figure(above + _BELOW)
    told = [_draw_first(place(0.1, _BELOW, PANEL_WIDTH - 0.2, above), runs, styles)] if runs else []
    told.append(_draw_f1(place(0.45, 0.48, 3.8, _BELOW - 0.9), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_first(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """Two rows of thumbnails a run, and words above them, which are given back."""
    told, lines = [], []
    block = 2 * _LINE + _WORDS
    ax.set(xlim=(0, _COLUMNS * _LINE), ylim=(len(runs) * block, 0))
    ax.set_axis_off()
    for number, (name, run) in enumerate(runs.items()):
        record, top = run[-1], number * block + _WORDS - 0.05
        right, reached = numpy.asarray(record.shown["right"]), int(record.numbers["reached"])
        ax.imshow(_sheet(right, record.shown["images"]), extent=(0, _COLUMNS * _LINE, top + 2 * _LINE, top),
                  interpolation="nearest", aspect="auto")  # fmt: skip
        for at in numpy.flatnonzero(~right):
            (row, column), side = divmod(int(at), _COLUMNS), 0.92 * _LINE
            x, y = column * _LINE, top + row * _LINE
            corners = [(x, y + side), (x, y), (x + side, y), (x + side, y + side), (x, y + side), (x + side, y)]
            lines.append(corners)
        words = f"{name}: {reached} node{'s' * (reached != 1)} reached"
        if reached > 1:
            words += f", {int((~right).sum())} of the first {len(right)} wrong"
        ax.text(0, top - 0.05, words, color=text_color(styles[name].color), va="bottom")
        told.append(f"{words}.")
    ax.add_collection(
        matplotlib.collections.LineCollection(lines, colors=KINDS_OF_LABEL["wrong"].color, linewidths=1.3)
    )
    return " ".join(told)


def _sheet(right: numpy.ndarray, images: numpy.ndarray | None) -> numpy.ndarray:
    """Two rows of thumbnails (height, width, 3): black on blue paper for nodes of the cluster, on orange for others."""
    strength = 0.35 if images is None else 0.12  # of the colour, which is all there is to see without images
    images = numpy.zeros((len(right), _SIDE, _SIDE)) if images is None else numpy.asarray(images)
    tall, wide = images.shape[1:]
    sheet = numpy.ones((2, tall + _GAP, _COLUMNS, wide + _GAP, 3))
    for at, (image, fits) in enumerate(zip(images, right)):
        paper = matplotlib.colors.to_rgb(faded(KINDS_OF_LABEL["right" if fits else "wrong"].color, strength))
        sheet[at // _COLUMNS, :tall, at % _COLUMNS, :wide] = paper * (1 - image[..., None])
    return sheet.reshape(2 * (tall + _GAP), -1, 3)


def _draw_f1(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """Curves by pass, and what needs no diffusion as lines across; their last values in words."""
    last = max(2, *(run[-1].numbers["passes"] for run in runs.values())) if runs else 2
    ends, told = [], []
    ax.set_xscale("log")
    for name, run in runs.items():
        style, f1 = styles[name], [100 * record.numbers["f1"] for record in run]
        passes = [record.numbers["passes"] for record in run]
        draw_line(ax, passes, f1, style, markersize=5)
        ends.append((f1[-1], f"{name} {f1[-1]:.0f}", style.color))
        told.append(f"{name} {in_percent_words(f1[-1] / 100)} after {passes[-1]:.0f} passes")
        if (top := peak_of(f1)) is not None and f1[top] > f1[-1]:
            told[-1] += f", best {in_percent_words(f1[top] / 100)} after {passes[top]:.0f}"
    numbers = next(iter(runs.values()))[-1].numbers if runs else {}
    for control, words in _CONTROLS.items():
        if control in numbers:
            value = 100 * numbers[control]
            ax.axhline(value, color=REFERENCE, linestyle=":" if control == "f1_labels" else "--", linewidth=1.3)
            ends.append((value, f"{words} {value:.0f}", REFERENCE))
            told.append(f"{words} {in_percent_words(value / 100)}")
    label_ends(ax, [1, last], ends)
    percent_axis(ax, "")
    ax.set(title="F1, %", ylabel="", yticks=range(0, 101, 25))
    ticks = [tick for tick in _TICKS if tick <= last]
    ax.set_xticks(ticks, map(str, ticks))
    ax.minorticks_off()
    ax.set_xlabel("passes of the solver", labelpad=1)
    return f"F1: {', '.join(told)}." if told else "F1 of the cluster found, by pass of the solver. No run yet."
