"""Intervals of many surveys, one above the other, beside the truth that they are to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.style import METHOD_STYLES, REFERENCE

_HIT, _MISS = METHOD_STYLES["mentormix"].color, METHOD_STYLES["gce"].color
_SHOWN = 60  # of the latest


@picture
def stacked_intervals(
    found: Mapping[str, Sequence[tuple[float, float, float]]], truth: float, *, xlabel: str
) -> Figure:
    """A column for each name, with a line from low to high for each (low, estimate, high), the first one on top.

    Intervals that miss the truth are dashed and marked by a cross; above a column stands how many hold it. Raises a
    ValueError without any interval.
    """
    if not found or not all(found.values()):
        raise ValueError("found has a column without intervals; hand in at least one for each name")
    figure = Figure(figsize=(PANEL_WIDTH, 3.9), dpi=PANEL_DPI, layout="constrained")
    axes, told = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0], []
    most = max(len(intervals[-_SHOWN:]) for intervals in found.values())
    for ax, (name, intervals) in zip(axes, found.items()):
        hits = sum(low <= truth <= high for low, _, high in intervals)
        for row, (low, at, high) in enumerate(intervals[-_SHOWN:]):
            holds = low <= truth <= high
            ax.plot(
                (low, high), (row, row), color=_HIT if holds else _MISS, linewidth=1.4, linestyle="-" if holds else "--"
            )
            ax.plot(at, row, "." if holds else "x", color=_HIT if holds else _MISS, markersize=4 if holds else 5)
        ax.axvline(truth, color=REFERENCE, linewidth=1.2, zorder=0)
        words = name.replace(" ", "\n", 1) if " " in name else name.replace("-", "-\n", 1)
        ax.set_title(f"{words}\n{hits} of {len(intervals)}", fontsize=11)
        ax.spines["left"].set_visible(False)
        ax.set_yticks([])
        told.append(f"{name}: {hits} of {len(intervals)} hold it")
    axes[0].set_ylim(max(most, 10) - 0.4, -0.6)
    figure.supxlabel(f"{xlabel}: 95 % intervals. Line: the truth; dashed, ×: missed", fontsize=11)
    figure.alt = f"95 % intervals of the {xlabel} beside the truth, {truth:.2f}. {'; '.join(told)}."
    return figure
