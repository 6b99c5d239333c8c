"""One number of runs of any kind, by epoch: what a page without a picture of its own shows, and the index of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.patheffects

from nlkit.intervals import over_seeds
from nlkit.plots.axes import draw_line, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import styles_of
from nlkit.plots.words import end_of, peak_of
from nlkit.records import Recorded


@picture
def headline_curves(
    current: Mapping[str, tuple[str, Sequence[Recorded]]],
    earlier: Mapping[str, tuple[str, Sequence[Recorded]]],
    number: str,
    variants: Sequence[str],
    *,
    records: int = 1,
) -> Figure:
    """Runs as they grow: one number by epoch, a line for each; earlier runs are faint.

    current, earlier: name of a run -> its variant and its records so far. variants: all there are, in the order of
    their colours. records: how long the axis is at least.
    """
    figure = Figure(figsize=(PANEL_WIDTH, 3.4), dpi=PANEL_DPI, layout="constrained")
    ax, styles, ends, told = figure.subplots(), styles_of(variants), [], []
    last = max([records, 2, *(len(history) for _, history in [*current.values(), *earlier.values()])])
    for variant, history in earlier.values():
        ax.plot([r.epoch for r in history], [r.numbers[number] for r in history], color=styles[variant].color,
                linewidth=1.3, alpha=0.45, linestyle=(0, (4, 2)))  # fmt: skip
    for name, (variant, history) in current.items():
        style, x, y = styles[variant], [r.epoch for r in history], [r.numbers[number] for r in history]
        draw_line(ax, x, y, style, markersize=5, linewidth=2)
        ends.append((end_of(y), f"{name} {y[-1]:.3g}", style.color))
        told.append(_tell_run(name, x, y))
    ax.set(xlim=(1 - 0.02 * last, 1.02 * last), xlabel="epoch", title=number.replace("_", " "))
    whole_ticks(ax.xaxis, 5)
    if ends:
        label_ends(ax, [1, last], ends)
    else:
        ax.text(0.5, 0.5, "a curve for each variant grows here\nwhen Start is pressed", ha="center", va="center",
                transform=ax.transAxes)  # fmt: skip
    runs = "; ".join(told) or "No run yet"
    figure.alt = f"{number.replace('_', ' ')} by epoch. {runs}. Earlier runs drawn faintly: {len(earlier)}."
    return figure


def _tell_run(name: str, epochs: Sequence[int], values: Sequence[float]) -> str:
    top = peak_of(values)
    highest = "" if top is None else f", highest {values[top]:.3g} at epoch {epochs[top]}"
    return f"{name}: {values[-1]:.3g} at epoch {epochs[-1]}{highest}"


@picture
def nothing_yet() -> Figure:
    """What stands where a page's own picture will be."""
    figure = Figure(figsize=(PANEL_WIDTH, 1.2), dpi=PANEL_DPI, layout="constrained")
    ax = figure.subplots()
    ax.set_axis_off()
    ax.text(0.5, 0.5, "a picture grows here when Start is pressed", ha="center", va="center")
    figure.alt = "Nothing yet: a picture grows here when Start is pressed."
    return figure


@picture
def headline_bars(values: Mapping[str, Sequence[float]], number: str) -> Figure:
    """Where the variants of a page end: one number, mean over seeds with its 95 % interval, and a dot for each seed.

    values: variant -> its last value by seed, in the order of their colours.
    """
    figure = Figure(figsize=(8, 0.8 + 0.42 * len(values)), layout="constrained")
    ax, styles, told = figure.subplots(), styles_of(list(values)), []
    for y, (name, by_seed) in enumerate(values.items()):
        interval, color = over_seeds(list(by_seed)), styles[name].color
        half = 0.0 if math.isnan(interval.half) else interval.half
        ax.barh(y, interval.mean, color=color, height=0.5)
        bar = ax.errorbar(interval.mean, y, xerr=half, color="#333333", capsize=5, linewidth=2)
        for line in (*bar.lines[1], *bar.lines[2]):  # which would not be seen on a dark bar
            line.set_path_effects([matplotlib.patheffects.withStroke(linewidth=4, foreground="white")])
        seeds = {"color": "#333333", "markeredgecolor": "white", "markeredgewidth": 0.6, "markersize": 5}
        ax.plot(by_seed, [y - 0.36] * len(by_seed), "o", **seeds)
        told.append(f"{name} {interval.mean:.3g}")
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    ax.set_xlabel(number.replace("_", " "))
    figure.alt = f"{number.replace('_', ' ')} at the end, mean over seeds: {', '.join(told)}."
    return figure
