"""What a budget for labels buys: maps of accuracy by purchase, and the accuracy to expect by split."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy
from matplotlib.patches import Rectangle

from nlkit.plots.axes import draw_line, fitted_axis
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, faded, styles_of, text_color

if TYPE_CHECKING:
    from nlkit.planner import Plan

_COLOR = "#0072B2"


@picture
def accuracy_maps(
    maps: Mapping[str, Sequence[Sequence[float]]],
    rows: Sequence[object],
    columns: Sequence[object],
    *,
    xlabel: str,
    ylabel: str,
    left_over: Mapping[str, Collection[int]] | None = None,
) -> Figure:
    """A map a name: accuracy in percent of each purchase, the darker the higher, and the best of each row in a frame.

    maps: name -> (rows, columns) accuracies in [0, 1], or NaN. left_over: name -> rows in which money is left over for
        want of examples; they have a star.
    Raises a ValueError where there is no map.
    """
    if not maps:
        raise ValueError("maps is empty; there is nothing to draw before the first record")
    across = min(len(maps), 2)
    down = math.ceil(len(maps) / 2)
    figure = Figure(figsize=(PANEL_WIDTH, 0.5 + down * (0.75 + 0.27 * len(rows))), dpi=PANEL_DPI, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharey=True).flat
    lowest = min(float(numpy.nanmin(accuracy)) for accuracy in maps.values())
    starred = {row for some in (left_over or {}).values() for row in some}
    told = []
    for ax, (name, accuracy) in zip(axes, maps.items()):
        best = _draw_map(ax, numpy.asarray(accuracy, float), lowest)
        ax.set(xlim=(0, len(columns)), ylim=(0, len(rows)), title=name)
        ax.set_xticks([x + 0.5 for x in range(len(columns))], [str(column) for column in columns])
        ax.set_yticks(
            [y + 0.5 for y in range(len(rows))], [f"{row}{'*' if y in starred else ''}" for y, row in enumerate(rows)]
        )
        if max(len(str(column)) for column in columns) * len(columns) > 28:  # letters that fit below a map
            ax.tick_params(axis="x", rotation=45)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        told.append(
            f"{name}: "
            + ", ".join(f"{columns[b]} at {row} ({accuracy[y][b]:.0%})" for y, (row, b) in enumerate(zip(rows, best)))
        )
    for ax in list(axes):
        ax.set_axis_off()
    figure.supxlabel(xlabel, fontsize=12)
    figure.supylabel(ylabel + ("  (*: money left over)" if starred else ""), fontsize=12)
    figure.alt = f"Test accuracy in percent by {ylabel} and {xlabel}; the best of each row. " + "; ".join(told)
    return figure


def _draw_map(ax, accuracy: numpy.ndarray, lowest: float) -> list[int]:
    """Fill the axes from the bottom up; where the best of each row is."""
    best = [int(numpy.nanargmax(row)) for row in accuracy]
    for (y, x), value in numpy.ndenumerate(accuracy):
        if math.isnan(value):
            continue
        strength = 0.05 + 0.5 * (value - lowest) / max(1 - lowest, 1e-9)
        ax.add_patch(Rectangle((x, y), 1, 1, facecolor=faded(_COLOR, strength), edgecolor="white", linewidth=0.5))
        weight = "bold" if x == best[y] else "normal"
        ax.text(x + 0.5, y + 0.5, f"{100 * value:.0f}", ha="center", va="center", fontsize=11, weight=weight)
    for y, x in enumerate(best):
        ax.add_patch(Rectangle((x + 0.04, y + 0.06), 0.92, 0.88, fill=False, edgecolor="black", linewidth=1.8))
    return best


@picture
def splits_of_a_budget(plan: Plan) -> Figure:
    """The accuracy to expect by the share of a budget that goes to clean labels, a line for each recipe.

    The belt is where 95 % of single runs should be; the mark is the best split.
    """
    figure = Figure(figsize=(PANEL_WIDTH, 3.5), dpi=PANEL_DPI, layout="constrained")
    ax, styles, ends, told = figure.subplots(), styles_of(list(plan.expected)), [], []
    x = [100 * share for share in plan.shares]
    heights: list[float] = []
    for name, found in plan.expected.items():
        style, mean = styles[name], (100 * found.mean).tolist()
        ax.fill_between(x, 100 * found.low, 100 * found.high, color=style.color, alpha=0.15, linewidth=0)
        draw_line(ax, x, mean, style, markersize=5)
        heights += [*(100 * found.low), *(100 * found.high)]
        ends.append((mean[-1], name, style.color))
        told.append(
            f"{name}: {mean[0]:.0f} % at the noisy end, {max(mean):.0f} % at best, {mean[-1]:.0f} % at the clean one"
        )
    spent = x[int(numpy.flatnonzero((plan.purchases[:, :2] == (plan.noisy, plan.clean)).all(1))[0])]
    ax.axvline(spent, color=REFERENCE, linestyle=":", zorder=0)
    ax.plot(
        [spent],
        [100 * plan.accuracy],
        "*",
        markersize=17,
        color=KINDS_OF_LABEL["clean"].color,
        markeredgecolor="white",
        zorder=5,
    )
    label_ends(ax, x, ends)
    fitted_axis(ax, heights, "test accuracy")
    ax.set_xlabel("share of the budget for clean labels, %")
    ax.set_title(f"best: {plan.clean:,} clean + {plan.noisy:,} noisy, {plan.recipe}")
    ax.title.set_color(text_color(KINDS_OF_LABEL["clean"].color))
    figure.alt = f"Accuracy to expect by split of the budget. Best: {plan}. {'; '.join(told)}."
    return figure
