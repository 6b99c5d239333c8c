"""Pictures of vectors by class: the cosines of any two nodes, in the order of their classes, and accuracy by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, Style, styles_of, text_color
from nlkit.records import Recorded

_CURVES, _GAP, _SIDE = 3.0, 0.15, 1.75  # inches: the lower row, between two maps, and the largest map
_SHORT = 17  # letters of a name above a map


@picture
def cosines_and_accuracy(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """For each run a map of cosines, dark where two nodes point the same way; below, accuracy by step.

    records: name -> its records so far, as `nlkit.papers.erase.Nodes` makes them: `shown` has "cosines" (m, m) of nodes
    in the order of their classes, as many of each, and "classes", how many there are. variants: all the names that
    there are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    side = min(_SIDE, (PANEL_WIDTH - 0.3 - _GAP * (len(runs) - 1)) / max(1, len(runs)))
    above = side + 1.05 if runs else 0.0
    height = above + _CURVES
    figure, place = panel_figure(height)
    told = []
    for at, (name, run) in enumerate(runs.items()):
        told.append(_draw_map(place(0.15 + at * (side + _GAP), _CURVES, side, side), name, run[-1], styles[name]))
    if runs:
        words = "cosines of nodes, by class; mean within : between classes"
        figure.text(0.15 / PANEL_WIDTH, 1 - 0.1 / height, words, va="top", fontsize=11, color=REFERENCE)
    told.append(_draw_accuracy(place(0.5, 0.5, 3.3, _CURVES - 1.0), runs, styles))
    figure.alt = " ".join(told)
    return figure


def draw_cosines(ax, cosines: numpy.ndarray, classes: int) -> None:
    """The map (m, m) from 0, white, to 1, black; ticks name the classes."""
    count = len(cosines)
    ax.imshow(numpy.clip(cosines, 0, 1), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    middles = (numpy.arange(classes) + 0.5) * count / classes - 0.5
    every = 1 if classes <= 10 else -(-classes // 10)
    ax.set_xticks(middles[::every], [str(k) for k in range(0, classes, every)])
    ax.set_yticks([])
    ax.tick_params(length=0, pad=1)


def _draw_map(ax, name: str, record: Recorded, style: Style) -> str:
    draw_cosines(ax, numpy.asarray(record.shown["cosines"]), int(str(record.shown["classes"])))
    within, between = record.numbers["within"], record.numbers["between"]
    words = name.replace(", ", ",\n") if len(name) > _SHORT else name
    ax.set_title(f"{words}\n{within:.2f} : {between:.2f}", color=text_color(style.color), fontsize=11, pad=3)
    return f"{name}: mean cosine {within:.2f} within a class, {between:.2f} between two."


def _draw_accuracy(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """Accuracy by step, and that of labels which only spread as a line across; their values in words."""
    ends, told, drawn, last = lines = draw_runs(ax, runs, styles, "accuracy", by="step")
    if runs:
        share = next(iter(runs.values()))[-1].numbers["propagation"]
        lines.control(ax, share, "labels that spread", told="labels that spread, without a network,")
    fitted_axis(ax, drawn, "")
    label_ends(ax, [0, last], ends)
    whole_ticks(ax.xaxis, 5)
    ax.set(title="accuracy on nodes without a label, %")
    ax.set_xlabel("training step", labelpad=1)
    return f"Accuracy: {', '.join(told)}." if told else "Accuracy by training step. No run yet."
