"""Pictures of classes that have a distance: which is named for which, how far off, and arrows on turned digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import GRID, draw_line
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import METHOD_STYLES, REFERENCE, styles_of, text_color
from nlkit.records import Recorded

_CURVES, _GAP, _MOST = 2.9, 0.28, 1.7  # inches: lower picture; between maps; along a map at most
_HIT, _MISS = METHOD_STYLES["mentormix"].color, METHOD_STYLES["gce"].color


@picture
def arrows_on_digits(images: numpy.ndarray, degrees: Mapping[str, Sequence[float]]) -> Figure:
    """Turned digits (n, H, W), a row for each name, with an arrow to where "up" is said to be; the first is the truth.

    degrees: name -> (n,) counterclockwise. Arrows of another row are dashed where they are more than 15° off.
    """
    figure = Figure(figsize=(10, 1.25 * len(degrees) + 0.2), layout="constrained")
    axes, told = figure.subplots(len(degrees), len(images), squeeze=False), []
    truth = next(iter(degrees.values()))
    middle, length = (images.shape[1] - 1) / 2, images.shape[1] * 0.48
    for line, (name, said) in zip(axes, degrees.items()):
        off = [abs((a - b + 180) % 360 - 180) > 15 for a, b in zip(said, truth)]
        for ax, image, angle, wrong in zip(line, images, numpy.deg2rad(said), off):
            ax.imshow(image, cmap="gray_r", vmin=images.min(), vmax=images.max(), interpolation="nearest")
            tip = middle - length * numpy.sin(angle), middle - length * numpy.cos(angle)
            look = {"arrowstyle": "-|>", "mutation_scale": 13, "linewidth": 2.2, "linestyle": "--" if wrong else "-",
                    "color": _MISS if wrong else _HIT}  # fmt: skip
            ax.annotate("", tip, (middle, middle), arrowprops=look)
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel(f"{numpy.rad2deg(angle):.0f}°".replace("-", "−"), fontsize=11, labelpad=1)
            for spine in ax.spines.values():
                spine.set(visible=True, color="#BBBBBB")
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        told.append(f"{name}: {', '.join(f'{angle:.0f}°' for angle in said)}")
    figure.alt = f"{len(images)} turned digits with arrows to where up is. {'; '.join(told)}."
    return figure


@picture
def named_and_distance(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """For each run how often each class is named for each; below, the distance by how many classes were seen.

    records: name -> its records so far, as `nlkit.papers.loki.Angles` makes them: `shown` has "counts" (K, K) and
    "known", the seen classes. variants: all the names that there are, in the order of their colours. A name without a
    record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    side = min(_MOST, (PANEL_WIDTH - 0.5 - _GAP * (len(runs) - 1)) / max(1, len(runs)))
    above = side + 0.8 if runs else 0.0
    height = above + _CURVES
    figure, place = panel_figure(height)
    told = []
    for at, (name, run) in enumerate(runs.items()):
        ax = place(0.35 + at * (side + _GAP), _CURVES + 0.4, side, side)
        told.append(_draw_counts(ax, name, run[-1], text_color(styles[name].color)))
        ax.set_ylabel("" if at else "true class", labelpad=3)
    told.append(_draw_distances(place(0.6, 0.5, 3.6, _CURVES - 0.9), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_counts(ax, name: str, record: Recorded, color: str) -> str:
    """Rows: true classes, columns: named ones, each row by its own sum; seen classes are marked. In words."""
    counts, known = (numpy.asarray(record.shown[each]) for each in ("counts", "known"))
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    ax.imshow(shares, cmap="Greys", vmin=0, vmax=0.8, interpolation="nearest")
    ax.plot(known, numpy.full(len(known), len(counts) - 0.1), "^", color=REFERENCE, markersize=4, clip_on=False)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color="#BBBBBB")
    ax.set_title(name, color=color, pad=3)
    ax.set_xlabel("named; ▲ seen", labelpad=5, fontsize=11)
    return f"{name}: {record.numbers['named']:.0f} different classes are named, {len(known)} were seen."


def _draw_distances(ax, runs: Mapping[str, Sequence[Recorded]], styles) -> str:
    """Mean squared distance by the number of seen classes, and the best that naming only these could give; in words."""
    ends, told = [], []
    for name, run in runs.items():
        seen, values = ([record.numbers[each] for record in run] for each in ("seen", "distance"))
        draw_line(ax, seen, values, styles[name], markersize=5)
        ends.append((values[-1], f"{name} {values[-1]:.1f}", styles[name].color))
        told.append(f"{name} {values[-1]:.1f}")
    longest = max(runs.values(), key=len, default=[])
    seen = [record.numbers["seen"] for record in longest]
    bound = [max(record.numbers["bound"], 0.1) for record in longest]  # 0 has no place on such an axis
    ax.set_yscale("log")
    if seen:
        ax.plot(seen, bound, ":", color=REFERENCE, linewidth=1.4)
        ends.append((bound[-1], "nearest seen class", REFERENCE))
        told.append(f"always the nearest seen class {longest[-1].numbers['bound']:.1f}")
        ax.set_xticks(seen, [f"{count:.0f}" for count in seen])
        ax.minorticks_off()
        ax.set_yticks([0.1, 0.3, 1, 3, 10, 30, 100], ["0.1", "0.3", "1", "3", "10", "30", "100"])
        values = [record.numbers["distance"] for run in runs.values() for record in run]
        ax.set_ylim(0.75 * min(values + bound), 1.35 * max(values + bound))
    label_ends(ax, [2, max(seen, default=3)], ends)
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set(title="mean squared distance, classes²")
    ax.set_xlabel("classes seen in training", labelpad=1)
    return f"Mean squared distance: {', '.join(told)}." if told else "Mean squared distance. No run yet."
