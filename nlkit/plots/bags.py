"""Pictures of bags: what is believed of each example, how far messages still move, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.colors
import numpy

from nlkit.plots.axes import GRID, draw_line
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.style import METHOD_STYLES, REFERENCE, Style, styles_of, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_ACROSS, _TALL, _WORDS, _BELOW = 3, 1.45, 0.3, 2.25  # maps in a row; inches of a map, of its title, of what is below
_YES, _NO = METHOD_STYLES["co-teaching"].color, METHOD_STYLES["elr"].color  # blue and orange are right and wrong
_BELIEVED = matplotlib.colors.LinearSegmentedColormap.from_list("believed", [_NO, "#D0D0D0", _YES])
_LEAST = 1e-3  # change of a message that is drawn


@picture
def beliefs_by_round(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """A map for each run, of all its examples in the colour of what is believed; below, changes by round, and results.

    records: name -> its records so far, as `nlkit.papers.label_proportions` makes them. In the `numbers` of each are
    "right", "auc", "change", "round", "told", "auc_single"; `shown` has "x" (n, d), which is laid out along its two
    main directions, and "said" (n,), a probability each. A name without a record is left out.
    variants: all the names that there are, in the order of their colours.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    rows = math.ceil(len(runs) / _ACROSS)
    height = rows * (_TALL + _WORDS) + 0.25 + _BELOW
    figure, place = panel_figure(height)
    told, wide = [], (PANEL_WIDTH - 0.2) / _ACROSS
    for number, (name, run) in enumerate(runs.items()):
        row, column = divmod(number, _ACROSS)
        ax = place(0.1 + column * wide, height - (row + 1) * (_TALL + _WORDS), wide - 0.1, _TALL)
        _draw_map(ax, run[-1])
        ax.set_title(name, color=text_color(styles[name].color), pad=3)
        numbers = run[-1].numbers
        told.append(f"{name}: {in_percent_words(numbers['right'])} right, test AUC {in_percent_words(numbers['auc'])}")
    figure.text(0.15 / PANEL_WIDTH, (_BELOW + 0.06) / height, "surely positive", color=text_color(_YES), fontsize=11)
    figure.text(1.4 / PANEL_WIDTH, (_BELOW + 0.06) / height, "surely not", color=text_color(_NO), fontsize=11)
    figure.text(2.35 / PANEL_WIDTH, (_BELOW + 0.06) / height, "grey: can't tell", color=REFERENCE, fontsize=11)
    told.append(_draw_changes(place(0.6, 0.45, 2.2, 1.35), runs, styles))
    told.append(_draw_results(place(3.15, 0.1, PANEL_WIDTH - 3.25, 1.95), runs, styles))
    figure.alt = ". ".join(words for words in told if words) + "."
    return figure


def _draw_map(ax, record: Recorded) -> None:
    from sklearn.decomposition import PCA

    at = PCA(2, svd_solver="covariance_eigh").fit_transform(numpy.asarray(record.shown["x"]))
    said = numpy.asarray(record.shown["said"])
    ax.scatter(*at.T, c=said, cmap=_BELIEVED, vmin=0, vmax=1, s=5, linewidths=0)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _draw_changes(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """The largest change of a message by round, as long as messages are sent."""
    told, last = [], 2.0
    for name, run in runs.items():
        changes = {record.numbers["round"]: record.numbers["change"] for record in run}
        if not any(map(math.isnan, changes)):
            draw_line(ax, list(changes), [max(c, _LEAST) for c in changes.values()], styles[name], markersize=4)
            last = max(last, *changes)
            told.append(f"{name} {run[-1].numbers['change']:.3g} after round {run[-1].numbers['round']:.0f}")
    ax.set_yscale("log")
    ax.set(xlim=(0, last), ylim=(_LEAST, 100), title="change of a message")
    ax.minorticks_off()
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_xlabel("round", labelpad=1)
    return f"Largest change of a message: {', '.join(told)}" if told else ""


def _draw_results(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """A row of numbers a run, and one for as many ordinary labels."""
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()
    if not runs:
        return ""
    numbers = next(iter(runs.values()))[-1].numbers
    rows = [(name, styles[name].color, run[-1].numbers["right"], run[-1].numbers["auc"]) for name, run in runs.items()]
    rows.append((f"{numbers['told']:.0f} single labels", REFERENCE, math.nan, numbers["auc_single"]))
    for x, words in ((0.72, "right, %"), (1.0, "AUC, %")):
        ax.text(x, 1, words, ha="right", va="top", fontsize=11)
    for place, (name, color, *values) in enumerate(rows):
        y = 0.83 - 0.16 * place
        ax.text(0, y, name, color=text_color(color), va="top", fontsize=11)
        for x, value in zip((0.72, 1.0), values):
            words = "–" if math.isnan(value) else f"{100 * value:.1f}"
            ax.text(x, y, words, color=text_color(color), ha="right", va="top", fontsize=11)
    return f"{numbers['told']:.0f} ordinary labels: test AUC {in_percent_words(numbers['auc_single'])}"
