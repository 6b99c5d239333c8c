"""Lines of shares over anything: what a notebook has measured itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nlkit.plots.axes import draw_line, fitted_axis, percent_axis, whole_ticks
from nlkit.plots.figure import Figure, picture
from nlkit.plots.places import label_ends, mark_if_it_fell
from nlkit.plots.style import METHOD_STYLES, REFERENCE, styles_of
from nlkit.plots.words import end_of, in_percent_words, told_line

_FEW = 8  # values of x that have a tick each


@picture
def lines(
    x: Sequence[float],
    values: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    fit: bool = False,
    apart: bool = False,
    points: Mapping[str, tuple[float, float]] | None = None,
    variants: Sequence[str] = (),
) -> Figure:
    """Lines of shares in [0, 1] over x, each named at its end; methods in their own styles.

    Over epochs the best value of a line that falls again is marked. fit: the axis goes from the lowest value to the
    highest, not from 0 to 100. apart: each line has a panel of its own with such an axis, one above the other, for
    lines whose courses are alike and whose levels are not. points: name -> (x, share) of single results to compare
    with, as a diamond on a dotted line. variants: all names that several pictures share, in the order of their colours.
    """
    styles, panels = styles_of(list(values), variants), [[name] for name in values] if apart else [list(values)]
    figure = Figure(figsize=(10, 1.0 + 2.2 * len(panels) if apart else 4.2), layout="constrained")
    axes, told = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0], []
    for ax, names in zip(axes, panels):
        ends, drawn = [], []
        for name in names:
            percent = [100 * value for value in values[name]]
            draw_line(ax, x, percent, styles[name])
            if xlabel == "epoch":
                mark_if_it_fell(ax, x, percent, styles[name].color)
            ends.append(
                (end_of(percent), name.replace("_", " ") if name in METHOD_STYLES else name, styles[name].color)
            )
            told.append(told_line(name, x, values[name], xlabel))
            drawn += percent
        for name, (at, share) in (points or {}).items():
            ax.axhline(100 * share, color=REFERENCE, linestyle=":")
            ax.plot(at, 100 * share, color=REFERENCE, marker="D", markersize=10)
            ends.append((100 * share, name, REFERENCE))
            told.append(f"{name}: {in_percent_words(share)} at {at:g}")
            drawn.append(100 * share)
        label_ends(ax, x, ends)
        if fit or apart:
            fitted_axis(ax, drawn, ylabel)
        else:
            percent_axis(ax, ylabel)
            if (lowest := min((value for value in drawn if not math.isnan(value)), default=0)) < 0:
                ax.set_ylim(lowest, 100)
                ax.axhline(0, color=REFERENCE, linestyle=":")
    if len(x) <= _FEW:
        axes[-1].set_xticks(x, [f"{at:g}" for at in x])
    elif all(float(at).is_integer() for at in x):
        whole_ticks(axes[-1].xaxis)
    axes[-1].set_xlabel(xlabel)
    axes[0].set_title(title)
    figure.alt = f"{ylabel} by {xlabel}. From first to last: {'; '.join(told)}"
    return figure
