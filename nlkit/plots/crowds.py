"""Pictures of a network that adapts where it is used: its confidence before and now, and accuracy by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, OF_UNKNOWN_TRUTH, REFERENCE, styles_of, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_SQUARE, _CURVES, _GAP = 1.9, 2.6, 0.25  # inches: side of a scatter, height of the curves, between two scatters
_KINDS = {"unknown": OF_UNKNOWN_TRUTH, "right": KINDS_OF_LABEL["right"], "wrong": KINDS_OF_LABEL["wrong"]}
_PLACES = ("right", "wrong", "unknown")  # of a kind in the records


@picture
def confidence_and_accuracy(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """For up to three runs a point an image: how sure the source was of its answer, and is now; below, accuracy.

    records: name -> its records so far, as `nlkit.papers.open_set_tta.Arriving` makes them: `shown` has "kind" (n,), 0
    right, 1 wrong, 2 unknown, and the probabilities "before" and "now" (n,). variants: all the names that there are, in
    the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    above = _SQUARE + 0.75 if runs else 0.0
    height = above + _CURVES
    figure, place = panel_figure(height)
    told = []
    side = min(_SQUARE, (PANEL_WIDTH - 0.65 - 2 * _GAP) / 3)
    for at, (name, run) in enumerate(list(runs.items())[:3]):
        ax = place(0.55 + at * (side + _GAP), _CURVES + 0.4, side, side)
        told.append(_draw_points(ax, run[-1], first=at == 0))
        ax.set_title(name, color=text_color(styles[name].color), pad=3)
        told[-1] = f"{name}: {told[-1]}"
    if runs:
        _name_kinds(place(0.55 + min(len(runs), 3) * (side + _GAP), _CURVES + 0.4, side, side), len(runs))
    told.append(_draw_accuracy(place(0.55, 0.5, 3.6, _CURVES - 0.9), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_points(ax, record: Recorded, *, first: bool) -> str:
    """The images of the last visit, and the diagonal above which confidence has not fallen; in words."""
    kind, before, now = (numpy.asarray(record.shown[name]) for name in ("kind", "before", "now"))
    for name, style in _KINDS.items():
        which = kind == _PLACES.index(name)
        ax.plot(before[which], now[which], style.marker, color=style.color, markersize=3.5, alpha=0.55, mew=0)
    ax.plot([0, 1], [0, 1], color=REFERENCE, linewidth=1.2)
    ax.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), yticks=(0, 0.5, 1) if first else ())
    ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
    ax.set_xlabel("confidence before", labelpad=1)
    if first:
        ax.set_ylabel("and now", labelpad=1)
    shares = [
        f"{in_percent_words(record.numbers[f'up_{name}'], 0)} of {name}" for name in _PLACES
        if f"up_{name}" in record.numbers
    ]  # fmt: skip
    return f"{', '.join(shares)} answers lie on or above the diagonal."


def _name_kinds(ax, runs: int) -> None:
    """The names of the marks beside the scatters, or within the last one where there is no room beside."""
    ax.set_axis_off()
    if runs < 3:
        for line, name in enumerate(_PLACES):
            style = _KINDS[name]
            ax.plot(0.04, 0.85 - 0.17 * line, style.marker, color=style.color, markersize=6, clip_on=False)
            ax.text(0.12, 0.85 - 0.17 * line, name, color=text_color(style.color), va="center")
        ax.text(0.0, 0.2, "above the line:\nthe crowd keeps it", va="center", linespacing=1.1)
        ax.set(xlim=(0, 1), ylim=(0, 1))


def _draw_accuracy(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping) -> str:
    """Accuracy on known digits by batch, and that of the source as a control; in words."""
    ends, told, drawn, last = draw_runs(ax, runs, styles, "accuracy", by="batches")
    if runs:
        longest = max(runs.values(), key=len)
        values = [100 * record.numbers["unadapted"] for record in longest]
        ax.plot([record.numbers["batches"] for record in longest], values, ":", color=REFERENCE, linewidth=1.6)
        ends.append((values[-1], f"no step {values[-1]:.1f}", REFERENCE))
        told.append(f"without a step {in_percent_words(values[-1] / 100)}")
        drawn.extend(values)
    fitted_axis(ax, drawn, "")
    label_ends(ax, [0, last], ends)
    whole_ticks(ax.xaxis, 6)
    ax.set(title="accuracy on known digits, %, over the last round")
    ax.set_xlabel("batch", labelpad=1)
    return f"Accuracy on known digits: {', '.join(told)}." if told else "Accuracy by batch. No run yet."
