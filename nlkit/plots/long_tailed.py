"""Pictures of long tails: accuracy class by class, the largest first, and the error of a mean that borrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.plots.axes import GRID, draw_line, percent_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, styles_of
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_HEIGHT = 5.2  # inches
_PLACES = [(0.45, 3.15, 4.3, 1.75), (0.45, 0.5, 1.95, 1.55), (3.0, 0.5, 1.75, 1.55)]  # inches
_BELOW = {"test_accuracy": "test accuracy, %", "memorized": "memorized, %"}


@picture
def by_class(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Test accuracy of each class as it is now, the largest first; below, of all classes and memorized labels by epoch.

    records: name -> its records so far, as `nlkit.papers.rcal.Digits` makes them; names without any are left out.
    variants: all the names that there are, in the order of their colours.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), dpi=PANEL_DPI)
    above, *below = [
        figure.add_axes((left / PANEL_WIDTH, bottom / _HEIGHT, wide / PANEL_WIDTH, tall / _HEIGHT))
        for left, bottom, wide, tall in _PLACES
    ]
    ends, told = [], []
    for name, run in runs.items():
        now = [100 * share for share in run[-1].shown["by_class"]]
        draw_line(above, range(len(now)), now, styles[name])
        ends.append((now[-1], f"{name} {now[-1]:.0f}", styles[name].color))
        told.append(f"{name} {now[0]:.0f} % of the largest class and {now[-1]:.0f} % of the smallest")
    if runs:
        sizes = next(iter(runs.values()))[-1].shown["sizes"]
        above.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        label_ends(above, range(len(sizes)), ends)
    percent_axis(above, "")
    above.set(title="test accuracy by class, %", yticks=range(0, 101, 25))
    above.set_xlabel("training images of the class", labelpad=1)
    epochs = max([2, *(run[-1].epoch for run in runs.values())])
    for ax, (number, title) in zip(below, _BELOW.items()):
        told += _draw_course(ax, runs, styles, number, epochs, named=number == "memorized")
        ax.set(title=title)
    figure.alt = f"Accuracy by class: {'; '.join(told)}."
    return figure


def _draw_course(ax, runs, styles, number: str, epochs: int, *, named: bool) -> list[str]:
    """A line a run by epoch; in words, where each is now."""
    ends, told = [], []
    for name, run in runs.items():
        if number in run[-1].numbers:  # without a wrong label nothing can be memorized
            values = [100 * record.numbers[number] for record in run]
            draw_line(ax, [record.epoch for record in run], values, styles[name], markersize=5)
            ends.append((values[-1], f"{name} {values[-1]:.0f}", styles[name].color))
            told.append(f"{name} {number.replace('_', ' ')} {in_percent_words(values[-1] / 100)}")
    percent_axis(ax, "")
    ax.set(yticks=range(0, 101, 25), xlim=(1 - 0.02 * epochs, 1.02 * epochs))
    whole_ticks(ax.xaxis, 4)
    ax.set_xlabel("epoch of tuning", labelpad=1)
    if named:
        label_ends(ax, [1, epochs], ends)
    return told


@picture
def errors_when_borrowing(
    gammas: Sequence[float], measured: Mapping[str, Sequence[float]], formula: Mapping[str, Sequence[float]]
) -> Figure:
    """The squared error of a mean by γ, the share that it borrows: measured as marks, by the formula as lines.

    measured, formula: name -> a value for each of `gammas`; a formula may be lacking. A star is where a line is lowest.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    ax, ends, told, styles = figure.subplots(), [], [], styles_of(list(measured))
    top = 2.2 * max(values[0] for values in measured.values())
    for name, values in measured.items():
        style, lines = styles[name], formula.get(name, values)
        ax.plot(gammas, lines, color=style.color, linestyle="-" if name in formula else ":")
        ax.plot(gammas, values, style.marker, color=style.color, markersize=8)
        lowest = min(range(len(gammas)), key=lambda k: lines[k])
        ax.plot(gammas[lowest], lines[lowest], "*", markersize=17, color=style.color, markeredgecolor="white", zorder=3)
        ends.append((min(values[-1], top), f"{name}: {values[-1]:.2f}", style.color))
        told.append(f"{name}: {values[0]:.2f} without, lowest {lines[lowest]:.2f} at γ = {gammas[lowest]:g}")
    ax.set(ylim=(0, top), xlabel="γ: share that is borrowed", ylabel="mean ‖error‖² of rare means")
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    label_ends(ax, gammas, ends)
    ax.set_title("lines: formula, marks: measured, star: lowest", color=REFERENCE)
    figure.alt = f"Squared error of the means of rare classes by what they borrow. {'; '.join(told)}."
    return figure
