"""Pictures of the leaderboard: where its rows stand, what each part of a method is worth, how a label is explained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from nlkit.data.labels import UNKNOWN
from nlkit.intervals import Interval, counted, in_percent, over_seeds
from nlkit.plots.axes import GRID, class_ticks
from nlkit.plots.figure import Figure, picture
from nlkit.plots.style import KINDS_OF_LABEL, OF_UNKNOWN_TRUTH, REFERENCE, Style, text_color
from nlkit.plots.tiles import draw_labelled
from nlkit.tasks.task import Task

if TYPE_CHECKING:
    from nlkit.lessons.standings import Standing

_TICKS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)  # errors
_NOTHING = (Style("#000000", "^", "-"), "told nothing")
_CLEAN = (KINDS_OF_LABEL["clean"], "told clean labels")
_MORE = (Style("#9A7D00", "o", "-"), "told something of the noise")


@picture
def leaderboard(board: Mapping[str, Standing], *, clean: bool | None = None, title: str = "") -> Figure:
    """Rows below each other: last test error (filled) with its 95 % interval, and that of the best epoch (open).

    A tick marks the worst of its seeds: a mean over runs of which some lost a class is a result that no run had.

    board: as `nlkit.lessons.standings.standings` gives it. Its rows of true labels become lines from top to bottom,
    and its ablations are left out. clean: only the rows that own clean labels (True), or only those that don't (False).
    """
    rows = [s for s in board.values() if s.row.part == "methods" and clean in (None, bool(s.row.clean_per_class))]
    marks = [s for s in board.values() if s.row.part == "marks"]
    if not rows:
        raise ValueError("board has no methods; hand in what `standings` returns")
    figure = Figure(figsize=(10, 2.1 + 0.47 * len(rows)), layout="constrained")
    ax = figure.subplots()
    beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False}
    for y, standing in enumerate(rows):
        style, final = _told(standing)[0], standing.final
        _dot(ax, y, final, style, _of_errors)
        ring = {"markerfacecolor": "none", "markersize": 12, "markeredgewidth": 1.6}
        ax.plot(_of_errors(standing.best.mean), y, marker=style.marker, color=style.color, **ring)
        ax.plot(_of_errors(standing.lowest), y, marker="|", color="#333333", markersize=15, markeredgewidth=1.8)
        ax.annotate(standing.row.name, (0, y), (-8, 7), ha="right", va="center", **beside)
        knows = {"fontsize": 11, "color": text_color(style.color)}
        ax.annotate(f"told: {standing.row.knows}", (0, y), (-8, -8), ha="right", va="center", **beside, **knows)
        ax.annotate(in_percent(final), (1, y), (8, 7), ha="left", va="center", **beside)
        lowest = f"lowest {100 * standing.lowest:.1f}" if len(standing.runs) > 1 else "one seed"
        ax.annotate(lowest, (1, y), (8, -8), ha="left", va="center", fontsize=11, color="#333333", **beside)
    ax.annotate("accuracy, %", (1, -0.6), (8, 4), ha="left", va="bottom", **beside)
    ends = [v for s in (*rows, *marks) for v in (s.lowest, s.final.mean, s.best.mean)]
    for side, mark in enumerate(sorted(marks, key=lambda s: s.final.mean)):
        at = _of_errors(mark.final.mean)
        ax.axvline(at, color=REFERENCE, linestyle=("--", ":")[side % 2], zorder=0, linewidth=1.8)
        place = {"xycoords": ("data", "axes fraction"), "va": "bottom", "annotation_clip": False}
        name = f"{mark.row.name} {100 * (1 - mark.final.mean):.1f}"  # one line each: marks may stand close together
        if side:
            place |= {"textcoords": "offset points"}
        ax.annotate(name, (at, 1), (0, 20) if side else None, ha="right", **place)
    for style, words in dict.fromkeys(_told(s) for s in rows):
        ax.plot([], [], marker=style.marker, color=style.color, linestyle="none", markersize=9, label=words)
    ax.plot([], [], "o", color="#333333", markersize=8, label="at the end (bar: 95 % interval)")
    ax.plot([], [], "o", color="#333333", markersize=10, markerfacecolor="none", label="best epoch")
    ax.plot([], [], "|", color="#333333", markersize=13, markeredgewidth=1.8, label="worst seed")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, handletextpad=0.2)
    errors = 1 - max(ends), 1 - min(ends)
    ticks = [t for t in _TICKS if 0.9 * errors[0] < t < 1.1 * errors[1]]
    ax.set_xticks([_of_errors(1 - t) for t in ticks], [f"{100 * t:g}" for t in ticks])
    ax.set(ylim=(len(rows) - 0.4, -0.6), yticks=[], xlabel="wrong on the test set, % (on a logarithmic axis)")
    ax.set_xlim(_of_errors(min(ends)) - 0.07, _of_errors(max(ends)) + 0.07)
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    seeds = counted(len(s.runs) for s in (*rows, *marks))
    figure.suptitle(f"{title or 'test error'}: {seeds}", x=0.01, ha="left")
    told = "; ".join(
        f"{s.row.name} (told: {s.row.knows}) {in_percent(s.final)}, best epoch {100 * s.best.mean:.1f}, "
        f"lowest {100 * s.lowest:.1f}"
        for s in (*marks, *rows)
    )
    figure.alt = f"Test accuracy at the end, mean and 95 % interval over {seeds} and the lowest, in percent: {told}."
    return figure


@picture
def worth(lost: Mapping[str, Sequence[float]], *, title: str = "") -> Figure:
    """What is lost when one part is taken away: the difference of each seed as a ring, the mean as a diamond on a bar.

    lost: part -> accuracy with it minus without it, one a seed, in [-1, 1].
    """
    if not lost:
        raise ValueError("lost is empty; hand in at least one part with its differences")
    rows = sorted(lost.items(), key=lambda item: sum(item[1]) / len(item[1]), reverse=True)
    figure = Figure(figsize=(10, 1.5 + 0.5 * len(rows)), layout="constrained")
    ax = figure.subplots()
    beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False}
    told = []
    for y, (part, differences) in enumerate(rows):
        mean = over_seeds(list(differences))
        rings = [100 * d for d in differences]
        ax.plot(rings, [y] * len(rings), "o", color="#333333", markerfacecolor="none", markersize=7)
        _dot(ax, y, mean, Style("#000000", "D", "-"), lambda share: 100 * share)
        ax.annotate(part, (0, y), (-8, 0), ha="right", va="center", **beside)
        ax.annotate(in_percent(mean, signed=True).replace("-", "−"), (1, y), (8, 0), ha="left", va="center", **beside)
        told.append(f"{part} {in_percent(mean, signed=True)} points")
    ax.axvline(0, color=REFERENCE, linestyle=":", linewidth=1.8)
    ax.set(ylim=(len(rows) - 0.5, -0.5), yticks=[])
    ax.set_xlabel("points of test accuracy (ring: one seed; diamond and bar: mean, 95 % interval)")
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    figure.suptitle(title, x=0.01, ha="left")
    figure.alt = f"Test accuracy with a part minus without it, mean and 95 % interval over seeds: {'; '.join(told)}."
    return figure


@picture
def explained_labels(task: Task, picks: Sequence[int], said: Mapping[str, Tensor], *, title: str = "") -> Figure:
    """A few noisy examples, and beside each what is said of its true class, as bars: the true and the given are marked.

    picks: places in the noisy set, n of them. said: in words, who says it -> probabilities (n, K), rows summing to 1
    or not.
    """
    figure = Figure(figsize=(10, 0.9 + 2.2 * len(picks)), layout="constrained")
    grid = figure.subplots(len(picks), 1 + len(said), squeeze=False, width_ratios=[0.55, *[1] * len(said)])
    told, knows = [], [bool(task.known[pick]) for pick in picks]
    for axes, place, pick in zip(grid, range(len(picks)), picks):
        draw_labelled(axes[0], task, task.true.new_tensor([[pick]]).cpu(), fontsize=14)
        true, given = int(task.true[pick]), int(task.given[pick])
        for ax, (who, probabilities) in zip(axes[1:], said.items()):
            percent = (100 * probabilities[place]).tolist()
            _draw_bars(ax, percent, true, given)
            ax.set(ylim=(0, 118), yticks=[0, 50, 100] if ax is axes[1] else [])
            class_ticks(ax, "x", task.class_names, room=10 / (0.55 + len(said)) - 0.5)
            if place == 0:
                ax.set_title(who, fontsize=12)
            as_true = f"true class {percent[true]:.0f} %, " if true >= 0 else ""
            told.append(f"image {place + 1}, {' '.join(who.split())}: {as_true}given {percent[given]:.0f} %")
        axes[1].set_ylabel("%")
    key = "class;  blue: the true one,  orange and hatched: the given label"
    if not all(knows):
        key += ",  grey and hatched: a given label that nobody has verified"
    figure.supxlabel(key if any(knows) else "class;  hatched: the given label, which nobody has verified", fontsize=12)
    figure.suptitle(title, x=0.01, ha="left")
    wrongly = "Wrongly labelled images" if task.wrong.cpu()[list(picks)].all() else "Labelled images"
    true_class = "each one's true class" if all(knows) else "each one's class"
    figure.alt = f"{wrongly}, and what is said of {true_class}. " + "; ".join(told) + "."
    return figure


def _draw_bars(ax, percent: Sequence[float], true: int, given: int) -> None:
    """A bar a class, the given label hatched; blue if it is true, orange if it is wrong, grey if nobody knows."""
    colors, hatches = ["#8A8A8A"] * len(percent), [""] * len(percent)
    if true >= 0:
        colors[true] = KINDS_OF_LABEL["right"].color
    if given != true:
        colors[given] = KINDS_OF_LABEL["wrong"].color if true != UNKNOWN else OF_UNKNOWN_TRUTH.color
        hatches[given] = "///"
    ax.bar(range(len(percent)), percent, color=colors, hatch=hatches, edgecolor="white", width=0.85)
    for k in {given} | ({true} if true >= 0 else set()):
        ax.text(k, percent[k] + 2, f"{percent[k]:.0f}", ha="center", va="bottom", fontsize=11)


def _told(standing: Standing) -> tuple[Style, str]:
    """Colour and marker by what a row was told, and that in words."""
    if standing.row.knows == "nothing":
        return _NOTHING
    return _CLEAN if standing.row.clean_per_class and "," not in standing.row.knows else _MORE


def _of_errors(accuracy: float) -> float:
    """Where an accuracy lies on an axis on which ten times fewer errors are always one step to the right."""
    return -math.log10(max(1 - accuracy, 1e-4))


def _dot(ax, y: float, mean: Interval, style: Style, place) -> None:
    """A mean with its bar, where it has an interval."""
    if not math.isnan(mean.half):
        ax.plot([place(mean.low), place(mean.high)], [y, y], color="#777777", linewidth=3, solid_capstyle="butt")
    ax.plot(place(mean.mean), y, marker=style.marker, color=style.color, markersize=8)
