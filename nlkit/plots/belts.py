"""Pictures of many runs: means over seeds with their confidence intervals, and what becomes of the classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.ticker

from nlkit.intervals import Interval, mean_interval
from nlkit.plots.axes import class_ticks, draw_line, percent_axis, whole_ticks
from nlkit.plots.figure import Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, styles_of
from nlkit.plots.words import end_of, told_line

_MOST_TICKS = 5  # values of x that have a tick each
_LEAST_SPREAD = 25  # points: lines that lie within less are drawn on a scale of their own
_MOST_NUMBERED = 26  # classes: beyond, the numbers over their bars would touch


def interval_or_nan(values: Sequence[float]) -> Interval:
    """The mean with its interval; NaN as soon as one run has ended, since a mean of those that go on is another one."""
    ended = any(math.isnan(value) for value in values)
    return Interval(math.nan, math.nan) if ended else mean_interval(values)


@picture
def belts(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    x: Sequence[float],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    log_x: bool = False,
    variants: Sequence[str] = (),
) -> Figure:
    """Panels side by side; in each, lines of shares in [0, 1] over x: the mean as a line, its 95 % interval as a belt.

    panels: title -> name of a line (a method, or "blue" and "red") -> two or more runs, each a value for each x.
    log_x: x, all above 0, on a logarithmic axis with a tick at each that there is room for. variants: all the names
    that several pictures share, in the order of their colours. Lines that lie close together get a scale of their own,
    the same in all panels; others are drawn from 0 to 100 %.
    """
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    styles, told = styles_of([name for lines in panels.values() for name in lines], variants), []
    heights: list[float] = []  # of all belts, in percent
    for ax, (panel, lines) in zip(axes, panels.items()):
        ends = []
        if log_x:
            ax.set_xscale("log")
            kept = _with_room(x, 8.0 if len(panels) == 1 else 5.0 / len(panels))
            ax.set_xticks(kept, [f"{at:g}" for at in kept])
            ax.minorticks_off()
        elif len(x) <= _MOST_TICKS:
            ax.set_xticks(x, [f"{at:g}" for at in x])
        elif all(float(at).is_integer() for at in x):
            whole_ticks(ax.xaxis, 6 if len(panels) < 3 else 4)
        for name, runs in lines.items():
            style, belt = styles[name], [interval_or_nan(at) for at in zip(*runs, strict=True)]
            mean, words = [100 * i.mean for i in belt], name.replace("_", " ")
            heights += [100 * height for i in belt for height in (i.low, i.high, i.mean) if not math.isnan(height)]
            ax.fill_between(
                x, [100 * i.low for i in belt], [100 * i.high for i in belt], color=style.color, alpha=0.2, linewidth=0
            )
            draw_line(ax, x, mean, style)
            ends.append((end_of(mean), words, style.color))
            at_end = next((i for i in reversed(belt) if not math.isnan(i.mean)), belt[-1])
            told.append(told_line(f"{panel}, {words}", x, [i.mean for i in belt], xlabel, half=at_end.half))
        label_ends(ax, x, ends)
        percent_axis(ax, ylabel if ax is axes[0] else "")
        ax.set_xlabel(xlabel)
        ax.set_title(panel)
    if heights and max(heights) - min(heights) < _LEAST_SPREAD:
        low, high = min(heights), max(heights)
        room = max(0.12 * (high - low), 1)
        axes[0].set_ylim(max(low - room, 0), min(high + room, 100))  # of all: they share it
    figure.suptitle(title, x=0.01, ha="left")
    figure.alt = f"{ylabel} by {xlabel}, mean over runs, with the 95 % interval at the end. {'; '.join(told)}"
    return figure


def _with_room(x: Sequence[float], inches: float) -> list[float]:
    """Those of the values above 0 whose names don't touch on a logarithmic axis of so many inches; the last stays."""
    per_inch, kept = math.log(max(x) / min(x) or 1) / inches, []
    for at in reversed(x):
        if not kept or math.log(kept[-1] / at) > per_inch * (0.06 + 0.05 * (len(f"{at:g}") + len(f"{kept[-1]:g}"))):
            kept.append(at)
    return kept[::-1]


@picture
def predicted_classes(shares: Mapping[str, Sequence[float]], class_names: Sequence[str], *, title: str = "") -> Figure:
    """How often networks predict each class: network -> share in [0, 1] of its predictions, class by class."""
    figure = Figure(figsize=(10, 1.1 + 1.5 * len(shares)), layout="constrained")
    axes = figure.subplots(len(shares), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    highest = 100 * max(max(share) for share in shares.values())
    for ax, (name, share) in zip(axes, shares.items()):
        percent = [100 * value for value in share]
        ax.axhline(100 / len(percent), color=REFERENCE, linestyle=":", zorder=0)
        ax.bar(range(len(percent)), percent, color="#6B7B8C", width=0.7)
        for c, value in enumerate(percent if len(percent) <= _MOST_NUMBERED else []):
            box = {"facecolor": "white", "linewidth": 0, "pad": 0.6}  # the dotted line ends at a number
            ax.text(c, value + 0.04 * highest, f"{value:.0f}", ha="center", va="bottom", fontsize=11, bbox=box)
        ax.set_title(name)
    axes[0].set_ylim(0, 1.35 * highest)
    axes[0].yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
    class_ticks(axes[-1], "x", class_names, room=9.0)
    axes[-1].set_xlabel("predicted class (dotted: equal shares)")
    figure.supylabel("% of predictions")
    figure.suptitle(title, x=0.01, ha="left")
    figure.alt = "Share of the predictions that go to each class. " + "; ".join(
        f"{name}: {sum(v < 0.02 for v in share)} of {len(share)} classes get less than 2 %, the most frequent "
        f"{max(share):.0%}" for name, share in shares.items()
    )  # fmt: skip
    return figure
