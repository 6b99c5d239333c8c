"""A suspected label: the example, what each kind of evidence says of it, and what decisions have come to so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.style import METHOD_STYLES, REFERENCE

_FEWEST = 10  # judged, to which the lower axes go at least


@picture
def suspect_and_course(
    ranks: Mapping[str, float],
    course: Sequence[tuple[int, float, float, float, float]],
    *,
    title: str,
    image: numpy.ndarray | None = None,
) -> Figure:
    """Above, the example where it is an image, and how suspicious each kind of evidence finds its label; below, the
    estimated share of wrong labels and a model's accuracy by the number of labels judged.

    ranks: kind of evidence -> its rank in (0, 1], 1 the most suspicious of all; NaN where it says nothing.
    course: of each number of judged labels, that number, the share, the ends of its interval, and the accuracy; in
        [0, 1]. image: (H, W, 3) or (H, W), in [0, 1] or uint8.
    """
    figure = Figure(figsize=(PANEL_WIDTH, 2.4 + 0.27 * len(ranks)), dpi=PANEL_DPI, layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(0.75 + 0.27 * len(ranks), 1.75)).tolist()  # type: ignore
    if image is None:
        bars = upper.subplots()
    else:
        example, bars = upper.subplots(1, 2, width_ratios=(1, 2.2))
        example.imshow(image, cmap="gray", interpolation="nearest")
        example.set_axis_off()
    told = _draw_ranks(bars, ranks, title)
    share, accuracy = lower.subplots(1, 2)
    if course:
        judged = [at[0] for at in course]
        share.fill_between(
            judged,
            [100 * at[2] for at in course],
            [100 * at[3] for at in course],
            color=REFERENCE,
            alpha=0.3,
            linewidth=0,
        )
        _draw_course(share, judged, [100 * at[1] for at in course], [100 * end for at in course for end in at[2:4]])
        _draw_course(accuracy, judged, [100 * at[4] for at in course], [])
        last = course[-1]
        told += (
            f" After {last[0]} judged, an estimated {last[1]:.1%} of the labels are wrong ({last[2]:.1%} to "
            f"{last[3]:.1%}; {course[0][1]:.1%} at first), and a quick model predicts {last[4]:.1%} of them "
            f"({course[0][4]:.1%} at first)."
        )
    for ax, name in ((share, "labels wrong, estimated"), (accuracy, "quick model's accuracy")):
        ax.set_xlim(0, max([_FEWEST, *(at[0] for at in course)]))
        ax.set_title(name, fontsize=12)
        ax.set_xlabel("labels judged")
        whole_ticks(ax.xaxis, 5)
        if not course:
            ax.set_yticks([])
    figure.alt = f"{title}. {told}"
    return figure


def _draw_ranks(ax, ranks: Mapping[str, float], title: str) -> str:
    names = list(ranks)[::-1]
    percent = [100 * ranks[name] if math.isfinite(ranks[name]) else 0 for name in names]
    ax.barh(names, percent, color=METHOD_STYLES["mentormix"].color, height=0.6)
    ax.axvline(50, color=REFERENCE, linestyle=":")
    ax.set(xlim=(0, 100), title=title, xlabel="more suspicious than, % of all labels")
    ax.tick_params(axis="y", length=0)
    said = ", ".join(f"{name} {p:.0f} %" for name, p in zip(names[::-1], percent[::-1]))
    return f"More suspicious than so many of all labels, by kind of evidence: {said}."


def _draw_course(ax, judged: list[int], values: list[float], ends: list[float]) -> None:
    ax.plot(judged, values, color="black", marker="o", markersize=4)
    known = [value for value in [*values, *ends] if math.isfinite(value)]
    if known:
        fitted_axis(ax, known, "")
        ax.set_ylabel("%")
