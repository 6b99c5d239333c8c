"""Runs at several noise ratios, one of them in full and the others faint: for a slider that moves through them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nlkit.plots.axes import draw_line, percent_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, QuickFigure, picture
from nlkit.plots.style import FATES, METHOD_STYLES, REFERENCE, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Record, best_record

_STYLES = {"test_accuracy": METHOD_STYLES["standard"], **FATES}
_TITLES = {
    "test_accuracy": "test accuracy, %",
    "memorized": "wrong labels memorized, %",
    "recovered": "wrong labels recovered, %",
}
_PLACES = {  # left, bottom, width, height in inches
    "test_accuracy": (0.45, 2.4, 4.0, 1.9),
    "memorized": (0.45, 0.48, 2.3, 1.35),
    "recovered": (3.5, 0.48, 2.3, 1.35),
}
_HEIGHT = 4.6
_BESIDE = 4.63 / PANEL_WIDTH, 4.2 / _HEIGHT  # where the chosen ratio is told, clear of every curve
_TO_COME = "a curve for each\nnoise ratio grows here\nwhen training starts"


@picture
def ratio_curves(
    histories: Mapping[float, Sequence[Record]],
    ratio: float,
    again: QuickFigure | None = None,
    *,
    epochs: int = 25,
    chance: float | None = None,
    tested: bool = True,
) -> QuickFigure:
    """The run at one noise ratio among those at others: test accuracy above, below what becomes of the wrong labels.

    histories: noise ratio -> its records so far, none at first.
    again: the picture of another ratio, or of these runs a while ago, to be changed into this one: much faster.
    epochs: how long the axis is at least. chance: the accuracy of guessing, in [0, 1], drawn for reference.
    tested: whether there is a test set; without one, its part is left out.
    """
    grown = {at: history for at, history in histories.items() if history}
    last = max([epochs, *(history[-1].epoch for history in grown.values())])
    figure = again if again and again.axes[0].get_xlim() == _limits(last) else _empty(last, tested)
    chosen = grown.pop(ratio, [])
    for ax in figure.axes:
        quantity = ax.get_label()
        style = _STYLES[quantity]
        figure.empty(ax)
        if grown:  # as one line with gaps: it is drawn in a third of the time
            faint = [point for h in grown.values() for point in (*zip(*_points(h, quantity)), (math.nan, math.nan))]
            ax.plot(*zip(*faint), color=style.color, linewidth=1.2, alpha=0.3)
        if chosen:
            draw_line(ax, *_points(chosen, quantity), style, markersize=5, linewidth=2)
    top, color = figure.axes[0], text_color(_STYLES["test_accuracy"].color)
    if not (chosen or grown):
        top.text((1 + last) / 2, 50, _TO_COME, color=REFERENCE, ha="center", va="center", fontsize=11)
    if tested and chance is not None:
        top.axhline(100 * chance, color=REFERENCE, linestyle=":")
        beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False}
        top.annotate(f"chance {100 * chance:.0f}", (1, 100 * chance), (11, 0), va="center", color=REFERENCE, **beside)
    lines = [f"{ratio:.0%} noise"]
    if tested and chosen:
        best = best_record(chosen)
        top.plot(best.epoch, 100 * best.test_accuracy, marker="*", markersize=14, color=color,
                 markeredgecolor="white", zorder=3)  # fmt: skip
        lines += [f"best {100 * best.test_accuracy:.1f}", f"in epoch {best.epoch}",
                  f"last {100 * chosen[-1].test_accuracy:.1f}"]  # fmt: skip
    top.text(*_BESIDE, "\n".join(lines), transform=figure.transFigure, color=color, va="top", linespacing=1.25)
    others = f", the others ({', '.join(f'{at:.0%}' for at in sorted(grown))}) faint" if grown else ""
    figure.alt = f"Curves by epoch at {ratio:.0%} noise{others}. {in_words(chosen)}"
    return figure


def in_words(history: Sequence[Record]) -> str:
    """A run in a sentence: its best and its last test accuracy, and what became of the wrong labels."""
    if not history:
        return "Nothing is trained here yet."
    last, told = history[-1], []
    if last.test_accuracy is not None:
        best = best_record(history)
        told = [f"test accuracy {in_percent_words(best.test_accuracy)} in epoch {best.epoch} at best, "
                f"{in_percent_words(last.test_accuracy)} after epoch {last.epoch}"]  # fmt: skip
    if last.memorized is not None and last.recovered is not None:
        told.append(
            "no label is wrong" if math.isnan(last.memorized) else
            f"then {in_percent_words(last.memorized, 0)} of the wrong labels are memorized and "
            f"{in_percent_words(last.recovered, 0)} recovered"
        )  # fmt: skip
    sentence = "; ".join(told) or f"{in_percent_words(last.given_accuracy)} of the given labels are fitted"
    return f"{sentence[0].upper()}{sentence[1:]}."


def _limits(last: int) -> tuple[float, float]:
    return 1 - 0.02 * last, 1.02 * last


def _empty(last: int, tested: bool) -> QuickFigure:
    figure = QuickFigure(figsize=(PANEL_WIDTH, _HEIGHT), dpi=PANEL_DPI)
    for quantity, (left, bottom, width, tall) in _PLACES.items():
        if quantity == "test_accuracy" and not tested:
            continue
        box = left / PANEL_WIDTH, bottom / _HEIGHT, width / PANEL_WIDTH, tall / _HEIGHT
        ax = figure.add_axes(box, label=quantity)
        percent_axis(ax, "")
        ax.set(title=_TITLES[quantity], ylabel="", xlim=_limits(last), yticks=range(0, 101, 25))
        whole_ticks(ax.xaxis, 5)
        ax.set_xlabel("" if quantity == "test_accuracy" else "epoch", labelpad=1)
    return figure


def _points(history: Sequence[Record], quantity: str) -> tuple[list[int], list[float]]:
    """Epochs and percentages; NaN, which draws nothing, where a record lacks the quantity."""
    values = (getattr(record, quantity) for record in history)
    return [record.epoch for record in history], [math.nan if v is None else 100 * v for v in values]
