"""Pictures of recall in a long tail: class by class, the largest first, and over all classes by step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nlkit.plots.axes import draw_line, fitted_axis, percent_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, Style, styles_of, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_HEIGHT = 5.6  # inches
_COLUMNS = {"head": ("three\nlargest", 0.57), "tail": ("three\nsmallest", 0.83), "test_accuracy": ("all\nten", 1.0)}


@picture
def recall_by_class(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Test accuracy of each class as it is now; below, of all classes by step, and a row of numbers for each run.

    records: name -> its records so far, as `nlkit.papers.value_of_labels_tail` makes them; names without any are left
    out. variants: all the names that there are, in the order of their colours.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), dpi=PANEL_DPI)
    above, left, right = (
        figure.add_axes((x / PANEL_WIDTH, y / _HEIGHT, wide / PANEL_WIDTH, tall / _HEIGHT))
        for x, y, wide, tall in ((0.45, 3.35, 4.0, 1.9), (0.45, 0.5, 1.7, 1.9), (2.5, 0.1, 3.5, 2.6))
    )
    told = [_draw_classes(above, runs, styles), _draw_course(left, runs, styles), _draw_rows(right, runs, styles)]
    figure.alt = " ".join(words for words in told if words)
    return figure


def _draw_classes(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """A line of marks a run over the classes, the largest first."""
    ends, told, sizes = [], [], []
    for name, run in runs.items():
        now, sizes = [100 * share for share in run[-1].shown["by_class"]], list(run[-1].shown["sizes"])
        draw_line(ax, range(len(now)), now, styles[name])
        ends.append((now[-1], name, styles[name].color))
        told.append(f"{name} {now[0]:.0f} % of the largest class and {now[-1]:.0f} % of the smallest")
    ax.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    percent_axis(ax, "")
    ax.set(title="test accuracy by class, %", yticks=range(0, 101, 25))
    ax.set_xlabel("labels of the class", labelpad=1)
    label_ends(ax, [0, max(1, len(sizes) - 1)], ends)
    return f"Accuracy by class: {'; '.join(told)}." if told else "No run yet."


def _draw_course(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """Accuracy over all classes by step; a dotted line where as many labels lead that are spread evenly."""
    drawn, told, last = [], [], 2
    for name, run in runs.items():
        values = [100 * record.numbers["test_accuracy"] for record in run]
        steps = [record.shown["step"] for record in run]
        draw_line(ax, steps, values, styles[name], markersize=4)
        drawn += values
        last = max(last, steps[-1])
        told.append(f"{name} {in_percent_words(values[-1] / 100)}")
    for even in {run[-1].numbers["even"] for run in runs.values() if not math.isnan(run[-1].numbers["even"])}:
        ax.axhline(100 * even, color=REFERENCE, linestyle=":")
        drawn.append(100 * even)
    fitted_axis(ax, drawn, "")
    ax.set(title="all ten classes, %", ylabel="", xlim=(0, last))
    whole_ticks(ax.xaxis, 4)
    ax.set_xlabel("step (dotted: even)", labelpad=1)
    return f"Over all classes: {', '.join(told)}." if told else ""


def _draw_rows(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """Numbers of each run, and of as many labels that are spread evenly; below, what there is to say of D_U."""
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()
    lines = [(name, styles[name].color, {n: run[-1].numbers[n] for n in _COLUMNS}) for name, run in runs.items()]
    evens = {run[-1].numbers["told"]: run[-1].numbers["even"] for run in runs.values()}
    shown = [(told, even) for told, even in evens.items() if not math.isnan(even)]
    lines += [(f"{told:,.0f} labels, even", REFERENCE, {"test_accuracy": even}) for told, even in shown]
    for words, x in _COLUMNS.values() if lines else ():
        ax.text(x, 1, words, ha="right", va="top", fontsize=11, linespacing=1.05)
    for place, (name, color, numbers) in enumerate(lines):
        y = 0.8 - 0.095 * place
        ax.text(0, y, name, color=text_color(color), va="top", fontsize=11)
        for number, (_, x) in _COLUMNS.items():
            if number in numbers:
                ax.text(x, y, f"{100 * numbers[number]:.1f}", color=text_color(color), ha="right", va="top",
                        fontsize=11)  # fmt: skip
    missing = max((run[-1].numbers["missing"] for run in runs.values()), default=0)
    if missing:
        ax.text(0, 0.0, f"{missing:.0f} images of D_U are not there", color=REFERENCE, fontsize=11)
    words = [f"{told:.0f} labels spread evenly: {in_percent_words(even)}" for told, even in shown]
    words += [f"{missing:.0f} images of D_U are not there"] * bool(missing)
    return f"{'; '.join(words)}." if words else ""
