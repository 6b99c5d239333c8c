"""Preferences while a policy learns from them: the margins of the pairs, and what the policy is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.ticker
import numpy

from nlkit.plots.axes import GRID, draw_line, whole_ticks
from nlkit.plots.belts import interval_or_nan
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, Style, faded, styles_of, text_color
from nlkit.records import Recorded

_BINS = 81
_ROW, _ABOVE, _BELOW = 0.72, 0.62, 0.52  # inches


@picture
def preference_margins(runs: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """A row for each run: its margins h as they are now, right and flipped pairs apart; beside them rewards by epoch.

    runs: name -> its records so far; those that have none yet are left out. Their `shown` has "margins" (N,), "flipped"
        (N,) bool, and "rest", the margin at which the mean loss pulls no more (infinite if it always does); their
        numbers are "reward" and "reference", in [0, 1].
    variants: all the names that there are, in the order of their colours.
    Raises a ValueError where no run has a record.
    """
    styles = styles_of(list(runs), variants)
    runs = {name: records for name, records in runs.items() if records}
    if not runs:
        raise ValueError("runs has no record; there is nothing to draw before the first epoch is over")
    rows, within = len(runs), _ROW * max(len(runs), 3)
    height = _ABOVE + within + _BELOW
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    ax = figure.add_axes((0.035, _BELOW / height, 0.535, within / height))
    limit = _limit([records[-1].shown["margins"] for records in runs.values()])
    for place, (name, records) in enumerate(runs.items(), start=1):
        _draw_margins(ax, name, records[-1].shown, rows - place, limit, styles[name])
    ax.axvline(0, color="#BBBBBB", linewidth=0.8, zorder=0)
    ax.set(xlim=(-limit, limit), ylim=(0, rows), yticks=[])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    ax.set_xlabel("margin h of the order that is said", labelpad=1)
    top = (height - 0.2) / height
    figure.text(0.02, top, "pairs said right", color=text_color(KINDS_OF_LABEL["right"].color), fontsize=11)
    figure.text(
        0.25, top, "hatched: said the wrong way round", color=text_color(KINDS_OF_LABEL["wrong"].color), fontsize=11
    )
    figure.text(
        0.02, (height - 0.42) / height, "dotted: where the mean loss pulls no more", color=REFERENCE, fontsize=11
    )
    _draw_rewards(figure.add_axes((0.64, _BELOW / height, 0.17, within / height)), runs, styles)
    last = {name: records[-1] for name, records in runs.items()}
    figure.alt = "Margins of the pairs, and rewards. " + "; ".join(
        f"{name} after epoch {r.epoch}: mean margin {_mean(r, False):.2f} of pairs said right, {_mean(r, True):.2f} of "
        f"flipped ones, reward {r.numbers['reward']:.1%}" for name, r in last.items()
    )  # fmt: skip
    return figure


def _mean(record: Recorded, flipped: bool) -> float:
    margins = numpy.asarray(record.shown["margins"])[numpy.asarray(record.shown["flipped"]) == flipped]
    return float(margins.mean()) if len(margins) else math.nan


def _limit(margins: Sequence[numpy.ndarray]) -> float:
    """How far the axis goes: a power of two, so that it seldom changes, with 99 % of each run's margins."""
    far = max(float(numpy.quantile(numpy.abs(m), 0.99)) for m in margins)
    return 2.0 ** max(1, math.ceil(math.log2(far or 1)))


def _draw_margins(ax, name: str, shown: Mapping[str, object], floor: float, limit: float, style: Style) -> None:
    """A row of the picture, 1 high, from `floor` up: histograms, and words above them."""
    edges = numpy.linspace(-limit, limit, _BINS + 1)
    h = numpy.clip(shown["margins"], edges[0], edges[-1])
    flipped = numpy.asarray(shown["flipped"])
    right, wrong = (numpy.histogram(h[flipped == kind], edges)[0] for kind in (False, True))
    scale = 0.62 / max(right.max(), wrong.max(), 1)
    blue, red = KINDS_OF_LABEL["right"].color, KINDS_OF_LABEL["wrong"].color
    row = {"baseline": floor, "fill": True}
    ax.stairs(floor + scale * right, edges, color=faded(blue, 0.45), **row)
    ax.stairs(
        floor + scale * wrong, edges, facecolor=faded(red, 0.35), edgecolor=red, hatch="////", linewidth=0.8, **row
    )
    ax.axhline(floor, color="black", linewidth=0.8)
    words = {"va": "center", "y": floor + 0.8}
    ax.text(x=-0.99 * limit, s=name, color=text_color(style.color), fontweight="bold", **words)
    rest = float(shown["rest"])
    if rest <= limit:
        ax.vlines([-rest, rest], floor, floor + 0.68, color=REFERENCE, linestyle=":")
    else:
        ax.text(x=0.99 * limit, s="pulls for ever →", ha="right", color=REFERENCE, fontsize=11, **words)


def _draw_rewards(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> None:
    ends, last = [], max(records[-1].epoch for records in runs.values())
    reference = 100 * next(iter(runs.values()))[-1].numbers["reference"]
    lowest, highest = reference, reference
    for name, records in runs.items():
        style, x = styles[name], [r.epoch for r in records]
        y = [100 * r.numbers["reward"] for r in records]
        draw_line(ax, x, y, style, markersize=5)
        ends.append((y[-1], f"{name} {y[-1]:.1f}", style.color))
        lowest, highest = min(lowest, *y), max(highest, *y)
    ax.axhline(reference, color=REFERENCE, linestyle=":")
    ends.append((reference, f"ref. {reference:.1f}", REFERENCE))
    label_ends(ax, [1, max(last, 2)], ends)
    ax.set(ylim=(10 * math.floor(lowest / 10), 10 * math.ceil(highest / 10 + 0.01)))
    whole_ticks(ax.xaxis, 3)
    whole_ticks(ax.yaxis, 5)
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_title("reward, %", fontsize=12)
    ax.set_xlabel("epoch", labelpad=1)


@picture
def errors_by_size(
    errors: Mapping[str, Sequence[Sequence[float]]],
    sizes: Sequence[int],
    *,
    title: str = "",
    variants: Sequence[str] = (),
) -> Figure:
    """How far estimates are from the truth, by the number of examples, both on logarithmic axes; with 95 % intervals.

    errors: name of a line -> two or more runs, each a value for each of `sizes`. A dotted line falls as 1/√n does.
    variants: all the names that there are, in the order of their colours.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    ax, ends, styles = figure.subplots(), [], styles_of(list(errors), variants)
    ax.set(xscale="log", yscale="log", xlabel="number of preferences n", ylabel="‖θ̂ − θ*‖", title=title)
    belts = {name: [interval_or_nan(at) for at in zip(*runs, strict=True)] for name, runs in errors.items()}
    for name, belt in belts.items():
        style, mean = styles[name], [i.mean for i in belt]
        ax.fill_between(sizes, [i.low for i in belt], [i.high for i in belt], color=style.color, alpha=0.2, linewidth=0)
        draw_line(ax, sizes, mean, style)
        ends.append((mean[-1], f"{name} {mean[-1]:.2f}", style.color))
    lowest = min(belts.values(), key=lambda belt: belt[-1].mean)[0].mean
    root = [0.75 * lowest * math.sqrt(sizes[0] / n) for n in sizes]
    ax.plot(sizes, root, color=REFERENCE, linestyle=":")
    box = {"facecolor": "white", "linewidth": 0, "pad": 1}
    ax.annotate("1/√n", (sizes[0], root[0]), (4, -24), textcoords="offset points", color=REFERENCE, bbox=box)
    label_ends(ax, sizes, ends)
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ax.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    ax.minorticks_off()
    figure.alt = "Distance of estimates from the truth by number of preferences, mean of runs. " + "; ".join(
        f"{name}: {belt[0].mean:.2f} at {sizes[0]:,}, {belt[-1].mean:.2f} at {sizes[-1]:,}"
        for name, belt in belts.items()
    )
    return figure
