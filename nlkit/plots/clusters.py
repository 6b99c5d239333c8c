"""Pictures of clusters found in a graph: the nodes that were reached first, and how much of the cluster is among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.collections
import numpy

from nlkit.plots.style import (
    KINDS_OF_LABEL,
    PANEL_DPI,
    PANEL_WIDTH,
    REFERENCE,
    Figure,
    faded,
    in_percent_words,
    label_ends,
    marker_every,
    method_style,
    percent_axis,
    picture,
    text_color,
)
from nlkit.records import Recorded

_COLUMNS, _SIDE, _GAP = 30, 8, 1  # thumbnails in a row; pixels of one where nodes have no image, and between two
_ROW, _WORDS, _BELOW = 0.44, 0.34, 2.55  # inches: two lines of thumbnails, the words above them, the curves
_CONTROLS = {"f1_labels": "labels alone", "f1_vote": "majority vote"}


@picture
def clusters_found(records: Mapping[str, Sequence[Recorded]]) -> Figure:
    """For each diffusion the nodes that it reached first, wrong ones framed and struck through; below, F1 by pass.

    records: name -> its records so far, as `nlkit.papers.local_clustering` makes them. In the `numbers` of each are
    "f1", "passes", "reached", "f1_labels" and "f1_vote"; `shown` has "right" (nodes,), whether each of the first nodes
    is in the cluster, and "images" (nodes, height, width) in [0, 1], or None. A name without a record is left out.
    """
    runs = {name: run for name, run in records.items() if run}
    height = (_ROW + _WORDS) * max(len(runs), 1) + _BELOW
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    told = []
    for place, (name, run) in enumerate(runs.items()):
        top = height - place * (_ROW + _WORDS) - _WORDS
        ax = figure.add_axes((0.02, (top - _ROW) / height, 0.96, _ROW / height))
        told.append(_draw_first(ax, name, run[-1]))
    ax = figure.add_axes((0.55 / PANEL_WIDTH, 0.5 / height, 3.7 / PANEL_WIDTH, (_BELOW - 0.9) / height))
    figure.alt = " ".join([*told, _draw_f1(ax, runs)])
    return figure


def _draw_first(ax, name: str, record: Recorded) -> str:
    """Thumbnails in lines, and the words above them and for the alternative text."""
    right = numpy.asarray(record.shown["right"])
    images = record.shown["images"]
    images = numpy.zeros((len(right), _SIDE, _SIDE)) if images is None else numpy.asarray(images)
    tall, wide = images.shape[1] + _GAP, images.shape[2] + _GAP
    sheet = numpy.ones((2 * tall, _COLUMNS * wide, 3))
    lines = []
    for at, (image, fits) in enumerate(zip(images, right)):
        y, x = at // _COLUMNS * tall, at % _COLUMNS * wide
        style = KINDS_OF_LABEL["right" if fits else "wrong"]
        paper = numpy.array(
            matplotlib.colors.to_rgb(faded(style.color, 0.3 if record.shown["images"] is None else 0.1))
        )
        sheet[y : y + tall - _GAP, x : x + wide - _GAP] = paper * (1 - image[..., None])
        if not fits:
            left, low, end, high = x - 0.7, y - 0.7, x + wide - _GAP - 0.3, y + tall - _GAP - 0.3
            lines += [[(left, low), (end, low), (end, high), (left, high), (left, low)], [(left, high), (end, low)]]
    ax.imshow(sheet, interpolation="nearest")
    ax.add_collection(
        matplotlib.collections.LineCollection(lines, colors=KINDS_OF_LABEL["wrong"].color, linewidths=1.3)
    )
    ax.set_axis_off()
    wrong, reached = int((~right).sum()), int(record.numbers["reached"])
    words = f"{name}: {reached} nodes reached, {wrong} of the first {len(right)} wrong"
    ax.set_title(words, fontsize=12, pad=3, color=text_color(method_style(name).color))
    return f"{words}."


def _draw_f1(ax, runs: Mapping[str, Sequence[Recorded]]) -> str:
    """Curves by pass, with what needs no diffusion as lines across, and words for the alternative text."""
    last = max((run[-1].numbers["passes"] for run in runs.values()), default=1)
    ends, told = [], []
    ax.set_xscale("log")
    for name, run in runs.items():
        style, f1 = method_style(name), [100 * record.numbers["f1"] for record in run]
        passes = [record.numbers["passes"] for record in run]
        ax.plot(passes, f1, color=style.color, linestyle=style.line, marker=style.marker, markevery=marker_every(f1))
        ends.append((f1[-1], f"{name} {f1[-1]:.0f}", style.color))
        told.append(f"{name} {in_percent_words(f1[-1] / 100)} after {passes[-1]:.0f} passes")
    numbers = next(iter(runs.values()))[-1].numbers if runs else {}
    for control, words in _CONTROLS.items():
        if control in numbers:
            value = 100 * numbers[control]
            ax.axhline(value, color=REFERENCE, linestyle=":" if control == "f1_labels" else "--", linewidth=1.3)
            ends.append((value, f"{words} {value:.0f}", REFERENCE))
            told.append(f"{words} {in_percent_words(value / 100)}")
    label_ends(ax, [1, max(last, 2)], ends)
    percent_axis(ax, "F1")
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if tick <= max(last, 2)]
    ax.set_xticks(ticks, map(str, ticks))
    ax.minorticks_off()
    ax.set_xlabel("passes of the solver", labelpad=1)
    return f"F1: {', '.join(told)}."
