"""Pictures of planes that unlabelled points push about: where these lie across the plane, and accuracy by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, Style, faded, styles_of, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_CROWD, _CURVES, _GAP = 1.75, 2.75, 0.2  # inches: height of the upper and of the lower row, and between two pictures
_CONTROLS = {"labels_alone": (":", "{} labels alone"), "ten_times": ("--", "{} labels"), "axis": ("-.", "axis, {}")}


@picture
def crossed_and_accuracy(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """For each run how unlabelled points spread across its plane, and the tent over it; below, accuracy by step.

    records: name -> its records so far, as `nlkit.papers.out_of_domain.OutOfDomain` makes them: `shown` has the counts
    "right" and "wrong" (bins,), of points that get their label and that don't, the "edges" (bins + 1,), and the tent's
    "half" width. variants: all the names that there are, in the order of their colours. A name without a record is
    left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    above = _CROWD if runs else 0.0
    height = above + _CURVES
    figure, place = panel_figure(height)
    told = []
    width = (PANEL_WIDTH - 0.2 - _GAP * (len(runs) - 1)) / max(2, len(runs))
    for at, (name, run) in enumerate(runs.items()):
        ax = place(0.1 + at * (width + _GAP), _CURVES + 0.45, width, _CROWD - 0.75)
        told.append(_draw_crowd(ax, name, run[-1], styles[name]))
    told.append(_draw_accuracy(place(0.5, 0.5, 3.7, _CURVES - 0.9), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_crowd(ax, name: str, record: Recorded, style: Style) -> str:
    """Points by ⟨θ, x'⟩, those that get their label below those that don't, and the tent; in words."""
    right, wrong, edges = (numpy.asarray(record.shown[each]) for each in ("right", "wrong", "edges"))
    top = max(1, (right + wrong).max())
    for kind, low, high in (("right", 0 * right, right), ("wrong", right, right + wrong)):
        look = KINDS_OF_LABEL[kind]
        ax.stairs(high, edges, baseline=low, fill=True, facecolor=faded(look.color, 0.5), edgecolor=look.color)
    half = numpy.asarray(record.shown["half"]).item()
    ax.plot([-half, 0, half], [0, top, 0], color=REFERENCE, linewidth=1.6)
    ax.axvline(0, color=REFERENCE, linewidth=0.8, linestyle=":")
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.08 * top), yticks=[], xticks=(-2, 0, 2))
    ax.spines["left"].set_visible(False)
    ax.set_title(name, color=text_color(style.color), pad=3)
    ax.set_xlabel("⟨θ, x′⟩", labelpad=0)
    count = int((right + wrong).sum())
    if not count:
        return f"{name}: no point is unlabelled."
    middle = (right + wrong)[abs(edges[:-1] + edges[1:]) < 0.5].sum() / count
    share = in_percent_words(wrong.sum() / count)
    return f"{name}: {in_percent_words(middle, 0)} of unlabelled points lie near the plane, {share} get a wrong label."


def _draw_accuracy(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """Accuracy by step, and the controls of the first run as lines across; their values in words."""
    ends, told, drawn, last = lines = draw_runs(ax, runs, styles, "accuracy", by="step")
    first = next(iter(runs), "")
    numbers = runs[first][-1].numbers if runs else {}
    for control, (line, words) in _CONTROLS.items():
        if control in numbers:  # they are the same for all runs, but for the axis
            labels = f"{numbers['labels'] * (10 if control == 'ten_times' else 1):.0f}"
            lines.control(ax, numbers[control], words.format(first if control == "axis" else labels), line)
    fitted_axis(ax, drawn, "")
    label_ends(ax, [0, last], ends)
    whole_ticks(ax.xaxis, 5)
    ax.set(title="accuracy, %")
    ax.set_xlabel("step", labelpad=1)
    return f"Accuracy: {', '.join(told)}." if told else "Accuracy by step. No run yet."
