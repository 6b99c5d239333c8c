"""Pictures that a panel draws again and again while a network trains. Everything has its fixed place: that is fast."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import matplotlib.lines

from nlkit.plots.axes import draw_line, percent_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import broken_at_end, height_at_ends, label_ends
from nlkit.plots.style import REFERENCE, method_style
from nlkit.plots.words import in_percent_words
from nlkit.records import Record, best_record

# dashes that tell earlier runs of a method apart
_EARLIER_LINES = (
    (0, (4, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)), (0, (2, 3)), (0, (9, 2)), (0, (4, 1.5, 1, 1.5, 1, 1.5)),
)  # fmt: skip

_LEGEND_ROW = 0.19  # inches
_TO_COME = {
    "test_accuracy": "how many test images it gets right:\na curve for each method grows here\nwhen training starts",
    "given_accuracy": "how many labels\nit repeats as given,\nright and wrong ones",
    "memorized": "of the wrong labels,\nhow many it predicts\njust as they are given",
}
_TITLES = {
    "test_accuracy": "test accuracy, %",
    "given_accuracy": "fits given labels, %",
    "memorized": "wrong ones memorized, %",
}
_PLACES = {  # left, bottom, width, height in inches
    "test_accuracy": (0.45, 2.4, 4.0, 1.9),
    "given_accuracy": (0.45, 0.48, 2.3, 1.35),
    "memorized": (3.5, 0.48, 2.3, 1.35),
}


_PARTS = tuple(_TITLES)


class Curve(NamedTuple):
    """A run to draw: its method, what it is called in the legend, and its records so far."""

    method: str
    name: str
    history: Sequence[Record]


@picture
def training_curves(
    current: Sequence[Curve],
    earlier: Sequence[Curve] = (),
    *,
    epochs: int = 25,
    chance: float | None = None,
    measured: Collection[str] = _PARTS,
) -> Figure:
    """Runs as they grow: test accuracy above, below it the accuracy on given labels and the share that is memorized.

    current: the runs at work, in the colours of their methods, with best and last point named. Without any run, words
        in the axes say what will be seen there.
    earlier: runs to compare with, faint, the latest last; their names are in the legend.
    epochs: how long the axis is at least. chance: the accuracy of guessing, in [0, 1], drawn for reference.
    measured: which of "test_accuracy", "given_accuracy" and "memorized" the runs' task lets be measured; what the
        records lack is left out in any case.
    """
    records = [run.history[0] for run in [*current, *earlier] if run.history]
    parts = [p for p in _PARTS if p in measured and (not records or any(getattr(r, p) is not None for r in records))]
    in_key = [] if _fit_beside(current, chance) else list(current)
    keys = [(runs, _legend_columns(runs)) for runs in (earlier, in_key) if runs]
    below = _LEGEND_ROW * sum(math.ceil(len(runs) / columns) for runs, columns in keys)
    height = 4.6 + below
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)

    def place(left: float, bottom: float, width: float, tall: float):  # in inches, above the legend
        box = left / PANEL_WIDTH, (bottom + below) / height, width / PANEL_WIDTH, tall / height
        return figure.add_axes(box)

    axes = {part: place(*_PLACES[part]) for part in parts}
    methods = [run.method for run in earlier]
    dashes = [_EARLIER_LINES[methods[:i].count(m) % len(_EARLIER_LINES)] for i, m in enumerate(methods)]
    known = next((r.known for r in records if r.known), None)
    titles = _TITLES if known is None else _TITLES | {"memorized": f"memorized, % ({known:,} known)"}
    last = max([epochs, *(run.history[-1].epoch for run in [*current, *earlier] if run.history)])
    for quantity, ax in axes.items():
        percent_axis(ax, "")
        ax.set(title=titles[quantity], ylabel="", xlim=(1 - 0.02 * last, 1.02 * last), yticks=range(0, 101, 25))
        whole_ticks(ax.xaxis, 5)
        for run, line in zip(earlier, dashes):
            style = method_style(run.method)
            x, y = [r.epoch for r in run.history], _percents(run.history, quantity)
            ax.plot(x, y, color=style.color, linestyle=line, linewidth=1.3, alpha=0.55)
        for run in current:
            style = method_style(run.method)
            x, y = [r.epoch for r in run.history], _percents(run.history, quantity)
            draw_line(ax, x, y, style, markersize=5, linewidth=2)
        ax.set_xlabel("" if quantity == "test_accuracy" else "epoch", labelpad=1)
    if "test_accuracy" in axes:
        _name_ends(axes["test_accuracy"], current, chance, last, named=not in_key)
    if not records:
        for quantity, ax in axes.items():
            middle = 55 if quantity == "test_accuracy" else 50
            ax.text((1 + last) / 2, middle, _TO_COME[quantity], color=REFERENCE, ha="center", va="center",
                    bbox={"facecolor": "white", "linewidth": 0})  # fmt: skip
    faint = [
        matplotlib.lines.Line2D([], [], color=method_style(run.method).color, alpha=0.7, linestyle=line)
        for run, line in zip(earlier, dashes)
    ]
    full = []
    for run in in_key:
        style = method_style(run.method)
        full.append(matplotlib.lines.Line2D([], [], color=style.color, linestyle=style.line, marker=style.marker))
    for (runs, columns), handles in zip(keys, [each for each in (faint, full) if each]):
        figure.legend(handles, [run.name for run in runs], loc="upper left", bbox_to_anchor=(0.03, below / height),
                      ncols=columns, frameon=False, fontsize=11, labelspacing=0.15, handlelength=2.2,
                      columnspacing=1.2, borderpad=0.1, borderaxespad=0)  # fmt: skip
        below -= _LEGEND_ROW * math.ceil(len(runs) / columns)
    figure.alt = _tell(current, earlier, parts)
    return figure


def _percents(history: Sequence[Record], quantity: str) -> list[float]:
    """NaN, which draws nothing, where a record lacks the quantity."""
    values = (getattr(record, quantity) for record in history)
    return [math.nan if value is None else 100 * value for value in values]


def _at_end(run: Curve, runs: int) -> str:
    """What stands at the end of one of so many curves: its name, its last value, and its best one if there is room."""
    end, top = (100 * record.test_accuracy for record in (run.history[-1], best_record(run.history)))
    return f"{run.name}\n{end:.1f} (best {top:.1f})" if runs < 4 else f"{run.name} {end:.1f}"


def _fit_beside(current: Sequence[Curve], chance: float | None) -> bool:
    """Whether there is room for the names of all these at the ends of their curves."""
    left, _, wide, tall = _PLACES["test_accuracy"]
    drawn = [run for run in current if run.history and run.history[0].test_accuracy is not None]
    if len(drawn) < len(current):
        return False
    names = [broken_at_end(_at_end(run, len(current)), PANEL_WIDTH - left - wide) for run in drawn]
    return height_at_ends([*names, *([""] if chance is not None else [])]) <= tall


def _legend_columns(runs: Sequence[Curve]) -> int:
    """In how many columns these runs are named below: as many as there is room for, up to three."""
    longest = max(len(run.name) for run in runs)
    return 3 if longest <= 16 else 2 if longest <= 24 else 1


def _name_ends(ax, current: Sequence[Curve], chance: float | None, last: int, *, named: bool) -> None:
    ends = []
    for run in current:
        if not run.history or run.history[0].test_accuracy is None:
            continue
        color, best, final = method_style(run.method).color, best_record(run.history), run.history[-1]
        top, end = 100 * best.test_accuracy, 100 * final.test_accuracy
        ax.plot(best.epoch, top, marker="*", markersize=14, color=color, markeredgecolor="white", zorder=3)
        if named:
            ends.append((end, _at_end(run, len(current)), color))
    if chance is not None:
        ax.axhline(100 * chance, color=REFERENCE, linestyle=":")
        ends.append((100 * chance, f"chance {100 * chance:.0f}", REFERENCE))
    if ends:
        label_ends(ax, [1, last], ends)


def _tell(current: Sequence[Curve], earlier: Sequence[Curve], parts: Sequence[str]) -> str:
    runs = [run for run in current if run.history]
    if not runs:
        names = {"test_accuracy": "test accuracy", "given_accuracy": "agreement with given labels",
                 "memorized": "memorized wrong labels"}  # fmt: skip
        *first, last = [names[part] for part in parts]
        named = f"{', '.join(first)} and {last}" if first else last
        return f"Empty axes for {named} by epoch: a curve for each method grows here when training starts."
    told = "; ".join(f"{run.name}: {_tell_run(run.history)}" for run in runs)
    return f"Curves by epoch. {told}. Earlier runs drawn faintly: {len(earlier)}."


def _tell_run(history: Sequence[Record]) -> str:
    last, told = history[-1], []
    if last.test_accuracy is not None:
        best = best_record(history)
        told = [
            f"test accuracy {in_percent_words(last.test_accuracy)} after epoch {last.epoch}",
            f"best {in_percent_words(best.test_accuracy)} after epoch {best.epoch}",
        ]
    else:
        told = [f"fits {last.given_accuracy:.1%} of the given labels after epoch {last.epoch}"]
    if last.memorized is not None:
        of_known = "" if last.known is None else f" of the wrong ones of {last.known:,} known"
        memorized = "nothing" if math.isnan(last.memorized) else f"{last.memorized:.0%}"
        told.append(f"memorized {memorized}{of_known}")
    return ", ".join(told)
