"""Pictures of blends in regression: two turned digits, their blend and what its label says, and errors by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_line, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import METHOD_STYLES, styles_of, text_color
from nlkit.records import Recorded

_CURVES, _GAP, _NAME, _WORD = 2.9, 0.14, 0.27, 0.24  # inches: lower picture; between groups; lines of words
_MOST = 0.75  # inches along an image at most
_LABEL = METHOD_STYLES["mentormix"].color  # of the arrow that says where a label has "up"


@picture
def blended_pairs(rows: Mapping[str, Mapping[str, object]]) -> Figure:
    """A row for each name: an example, its partner, their even blend, each with an arrow to where its label has "up".

    rows: name -> "images" (3, H, W), and "labels", three numbers in degrees, as
    `nlkit.papers.c_mixup.farther_pair` finds them.
    """
    figure = Figure(figsize=(6.6, 1.75 * len(rows) + 0.1), layout="constrained")
    axes, told = figure.subplots(len(rows), 3, squeeze=False), []
    for line, (name, row) in zip(axes, rows.items()):
        told.append(_draw_pair(line, name, row))
        line[0].text(-0.25, 0.5, name, transform=line[0].transAxes, ha="right", va="center")
    for ax, what in zip(axes[0], ("example", "partner", "blend")):
        ax.set_title(what, loc="center")
    figure.alt = " ".join(told)
    return figure


def _draw_pair(axes, name: str, row: Mapping[str, object], head: int = 14) -> str:
    """Three images with the arrows of their labels, and these in degrees below; in words."""
    images, labels = numpy.asarray(row["images"]), numpy.asarray(row["labels"])
    middle, length = (images.shape[1] - 1) / 2, images.shape[1] * 0.48
    for ax, image, label in zip(axes, images, labels):
        ax.imshow(image, cmap="gray_r", vmin=images[0].min(), vmax=images[0].max(), interpolation="nearest")
        angle = math.radians(label)
        tip = middle - length * math.sin(angle), middle - length * math.cos(angle)
        look = {"arrowstyle": "-|>", "mutation_scale": head, "color": _LABEL, "linewidth": head / 8}
        ax.annotate("", tip, (middle, middle), arrowprops=look)
        ax.set(xticks=[], yticks=[], xlim=(-0.5, 2 * middle + 0.5), ylim=(2 * middle + 0.5, -0.5))
        ax.set_xlabel(f"{round(label)}°".replace("-", "−"), fontsize=11, labelpad=1)
        for spine in ax.spines.values():
            spine.set(visible=True, color="#BBBBBB")
    own, other, both = labels
    return f"{name}: a digit labelled {own:.0f}° and one labelled {other:.0f}° are blended to {both:.0f}°."


@picture
def pairs_and_error(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """For each run that blends images one pair; below, the test error by epoch.

    records: name -> its records so far, as `nlkit.papers.c_mixup.CMixup` makes them. variants: all the names that there
    are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    seen = {name: run[-1].shown for name, run in runs.items() if _blends(run[-1].shown)}
    group = (PANEL_WIDTH - 0.1 - _GAP * (len(seen) - 1)) / max(1, len(seen))
    side = min(_MOST, group / 3 - 0.03)
    above = side + _NAME + _WORD + 0.05 if seen else 0.0
    height = above + _CURVES
    figure, place = panel_figure(height)
    told = []
    for at, (name, shown) in enumerate(seen.items()):
        left = 0.05 + at * (group + _GAP)
        axes = [place(left + k * (side + 0.03), _CURVES + _WORD, side, side) for k in range(3)]
        told.append(_draw_pair(axes, name, shown, head=9))
        axes[0].set_title(name, color=text_color(styles[name].color), pad=3, fontsize=12)
    told.append(_draw_errors(place(0.55, 0.5, 3.6, _CURVES - 0.9), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _blends(shown: Mapping[str, object]) -> bool:
    labels = numpy.asarray(shown["labels"])
    return "images" in shown and bool(numpy.ptp(labels))


def _draw_errors(ax, runs: Mapping[str, Sequence[Recorded]], styles) -> str:
    """Test error by epoch, in the unit of the labels; in words."""
    ends, told, last, values = [], [], 2.0, []
    for name, run in runs.items():
        epochs, errors = ([record.numbers[number] for record in run] for number in ("epoch", "rmse"))
        draw_line(ax, epochs, errors, styles[name], markersize=5)
        ends.append((errors[-1], f"{name} {errors[-1]:.3g}", styles[name].color))
        told.append(f"{name} {errors[-1]:.3g}")
        values.extend(errors[len(errors) // 10 :])  # the first epochs of long runs are far above
        last = max(last, epochs[-1])
    unit = next((str(run[-1].shown["unit"]) for run in runs.values()), "")
    if values:
        room = 0.08 * (max(values) - min(values)) or 0.1
        ax.set_ylim(min(values) - room, max(values) + room)
    label_ends(ax, [1, last], ends)
    whole_ticks(ax.xaxis, 5)
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    ax.set(title=f"root mean squared error on the test set, {unit}" if unit else "error on the test set")
    ax.set_xlabel("epoch", labelpad=1)
    return f"Test error at the end, {unit}: {', '.join(told)}." if told else "Test error by epoch. No run yet."
