"""Pictures of verdicts: where, on a grid of settings, one method beats another."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from nlkit.intervals import Interval
from nlkit.plots.figure import Figure, picture
from nlkit.plots.style import contrast_on_white, faded, method_style
from nlkit.plots.words import short_name

MARKS = {1: "▲", 0: "≈", -1: "▼"}
_FULL = 0.2  # a difference from which on a cell has its full colour: 20 points


@picture
def win_map(
    differences: Sequence[Sequence[Interval]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    ours: str,
    theirs: str,
    xlabel: str,
    ylabel: str,
    title: str = "",
) -> Figure:
    """A grid of differences of two shares in [0, 1]: each cell says who is ahead, by how many points, and how surely.

    differences: for each of `rows`, from the bottom up, and each of `columns` the paired difference of the methods
        `ours` minus `theirs`. A cell whose interval contains 0 is a tie.
    """
    figure = Figure(figsize=(10, 1.9 + 0.56 * len(rows)), layout="constrained")
    ax = figure.subplots()
    for y, row in enumerate(differences):
        for x, cell in enumerate(row):
            ax.add_patch(Rectangle((x, y), 1, 1, facecolor=color_of_lead(cell, ours, theirs), edgecolor="white"))
            points = f"{100 * cell.mean:+.1f}".replace("-", "−")
            large = {"fontsize": 13 if len(columns) < 9 else 11, "weight": "bold" if cell.sign else "normal"}
            ax.text(x + 0.5, y + 0.66, f"{MARKS[cell.sign]} {points}", ha="center", va="center", **large)
            ax.text(x + 0.5, y + 0.26, f"± {100 * cell.half:.1f}", ha="center", va="center", fontsize=11)
    _draw_borders(ax, differences)
    ax.set(xlim=(0, len(columns)), ylim=(0, len(rows)), xlabel=xlabel, ylabel=ylabel)
    short = [short_name(str(name), max(6, round(70 / len(columns)))) for name in columns]
    ax.set_xticks([x + 0.5 for x in range(len(columns))], short)
    ax.set_yticks([y + 0.5 for y in range(len(rows))], rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    first, second = ours.replace("_", " "), theirs.replace("_", " ")
    figure.suptitle(title, x=0.01, ha="left")
    ax.set_title(f"▲ {first} is ahead     ≈ a tie     ▼ {second} is ahead", fontsize=12)
    figure.alt = (
        f"{first} minus {second}, in points, by {ylabel} and {xlabel}; ahead, behind, or a tie where the 95 % interval "
        "contains 0. "
    ) + ". ".join(f"{name}: {_in_words(row, columns)}" for name, row in zip(rows, differences))
    return figure


def _draw_borders(ax, differences: Sequence[Sequence[Interval]]) -> None:
    """A black line between neighbours of different verdicts."""
    signs = [[cell.sign for cell in row] for row in differences]
    for y, row in enumerate(signs):
        for x, sign in enumerate(row):
            if x + 1 < len(row) and row[x + 1] != sign:
                ax.plot([x + 1, x + 1], [y, y + 1], color="black", linewidth=2.5)
            if y + 1 < len(signs) and signs[y + 1][x] != sign:
                ax.plot([x, x + 1], [y + 1, y + 1], color="black", linewidth=2.5)


def color_of_lead(cell: Interval, ours: str, theirs: str) -> str:
    """The colour of who is ahead, the stronger the larger the difference; a tie is grey."""
    if not cell.sign:
        return "#EEEEEE"
    color = method_style(ours if cell.sign > 0 else theirs).color
    darkest = 0.85  # of which a dark hue has less, so that black text can be read on it
    while contrast_on_white(to_rgb(faded(color, darkest))) > 3:
        darkest -= 0.05
    return faded(color, 0.25 + (darkest - 0.25) * min(abs(cell.mean) / _FULL, 1))


def _in_words(row: Sequence[Interval], columns: Sequence[str]) -> str:
    """Such as "ahead at 1, 2, 5; tie at 10; behind at 20"."""
    kinds = {"ahead": 1, "tie": 0, "behind": -1}
    found = {word: [c for c, cell in zip(columns, row) if cell.sign == sign] for word, sign in kinds.items()}
    return "; ".join(f"{word} at {', '.join(where)}" for word, where in found.items() if where)
