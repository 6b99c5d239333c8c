"""Pictures of questions to a teacher: which images of a pool were asked about, what was said, and what it brought."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, Style, faded, styles_of, text_color
from nlkit.records import Recorded

_ROW, _ABOVE, _CURVES = 0.74, 0.3, 2.6  # inches: a strategy, words above all, and accuracy below
_NAME, _RIGHT = 1.0, 1.25  # inches: names of rows at the left, counts at the right


@picture
def questions_and_accuracy(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """A row for each strategy: the pool by gain, its chances, and what it asked last; below, test accuracy.

    records: name -> its records so far, as `nlkit.papers.active_distillation_rounds.Questions` makes them: after a
    round `shown` has "gains", "chances", "right" and "asked", each (n,), the largest gain first. variants: all the
    names that there are, in the order of their colours.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    rows = {name: run[-1].shown for name, run in runs.items() if run[-1].shown}
    above = _ABOVE + _ROW * len(rows) + 0.5 if rows else 0.0
    height = above + _CURVES
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    told = []
    for place, (name, shown) in enumerate(rows.items(), start=1):
        bottom = height - _ABOVE - _ROW * place + 0.08
        box = (_NAME / PANEL_WIDTH, bottom / height, 1 - (_NAME + _RIGHT) / PANEL_WIDTH, (_ROW - 0.12) / height)
        told.append(_draw_row(figure.add_axes(box), name, shown, styles[name], last=place == len(rows)))
    if rows:
        words = "dots: asked;  grey: gain of an answer;  filled: chance to be asked"
        figure.text(0.02, 1 - 0.2 / height, words, fontsize=11)
    ax = figure.add_axes((0.6 / PANEL_WIDTH, 0.5 / height, 3.7 / PANEL_WIDTH, (_CURVES - 0.9) / height))
    told.append(_draw_accuracy(ax, runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_row(ax, name: str, shown: Mapping[str, object], style: Style, *, last: bool) -> str:
    """Gain and chance along the pool, and what was asked, right above wrong; the row in words."""
    g, chances, right, asked = (numpy.asarray(shown[part]) for part in ("gains", "chances", "right", "asked"))
    x = numpy.arange(1, len(g) + 1)
    ax.fill_between(x, chances / chances.max(), step="mid", color=faded(style.color, 0.3), linewidth=0)
    ax.plot(x, g, color=REFERENCE, linewidth=1.2)
    for kind, at, of in (("right", 0.72, right), ("wrong", 0.3, ~right)):
        look = KINDS_OF_LABEL[kind]
        where = x[asked & of]
        up = at + 0.22 * (numpy.arange(len(where)) % 3 - 1) / 2  # so that neighbours do not hide each other
        ax.plot(where, up, look.marker, color=look.color, markersize=3.4, markeredgewidth=0, linestyle="")
        ax.text(1.02, at, f"{len(where)} {kind}", color=text_color(look.color), va="center",
                transform=ax.get_yaxis_transform(), fontsize=11)  # fmt: skip
    ax.set(xscale="log", xlim=(0.9, 1.1 * len(g)), ylim=(0, 1.05), yticks=[])
    ax.spines["left"].set_visible(False)
    ticks = [10**k for k in range(1 + int(math.log10(len(g))))]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks] if last else [])
    ax.minorticks_off()
    if last:
        ax.set_xlabel("images of the pool, by gain: 1 is where the student is least sure", labelpad=1)
    ax.text(-0.02, 0.5, name, color=text_color(style.color), ha="right", va="center", transform=ax.transAxes)
    return f"{name} asked {asked.sum()} images: {(asked & right).sum()} answers right, {(asked & ~right).sum()} wrong."


def _draw_accuracy(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    ends, told, drawn, last = draw_runs(ax, runs, styles, "test_accuracy", by="asked")
    fitted_axis(ax, drawn, "")
    label_ends(ax, [0, last], ends)
    whole_ticks(ax.xaxis, 5)
    if drawn:
        ax.axhline(drawn[0], color=REFERENCE, linestyle=":", zorder=0)
    ax.set(title="test accuracy, %; dotted: before any question")
    ax.set_xlabel("answers of the teacher", labelpad=1)
    return f"Test accuracy: {', '.join(told)}." if told else "Test accuracy by answers of the teacher. No run yet."
