"""Pictures that a panel draws again and again while a network trains. Everything has its fixed place: that is fast."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import matplotlib.lines
import matplotlib.ticker
import torch

from nlkit.plots.examples import cell_size, draw_labelled, kinds_of_label, label_room, tile_side, wrongly_labelled
from nlkit.plots.style import (
    KINDS_OF_LABEL,
    PANEL_DPI,
    PANEL_WIDTH,
    REFERENCE,
    Figure,
    end_of,
    in_percent_words,
    label_ends,
    marker_every,
    method_style,
    percent_axis,
    picture,
    text_color,
)
from nlkit.randomness import seeded_generator
from nlkit.records import Record, best_record
from nlkit.tasks.task import Task

# dashes that tell earlier runs of a method apart
_EARLIER_LINES = (
    (0, (4, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)), (0, (2, 3)), (0, (9, 2)), (0, (4, 1.5, 1, 1.5, 1, 1.5)),
)  # fmt: skip

_LEGEND_ROW = 0.235  # inches
_TO_COME = {
    "test_accuracy": "how many test images it gets right:\na curve for each method grows here\nwhen training starts",
    "given_accuracy": "how many labels\nit repeats as given,\nright and wrong ones",
    "memorized": "how many wrong labels\nit has learned by heart:\nthe fewer, the better",
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
_KEY = "above: given label, ✗ if wrong (then true label); in the corner: weight"
_KEY_WITHOUT_TRUTH = "above: given label; in the corner: weight"


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
    legend_columns = 1 if any(len(run.name) > 27 for run in earlier) else 2
    rows = -(-len(earlier) // legend_columns)  # of the legend
    below = _LEGEND_ROW * rows
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
        ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
        for run, line in zip(earlier, dashes):
            style = method_style(run.method)
            x, y = [r.epoch for r in run.history], _percents(run.history, quantity)
            ax.plot(x, y, color=style.color, linestyle=line, linewidth=1.3, alpha=0.55)
        for run in current:
            style = method_style(run.method)
            x, y = [r.epoch for r in run.history], _percents(run.history, quantity)
            ax.plot(x, y, color=style.color, linestyle=style.line, marker=style.marker, markersize=5, linewidth=2,
                    markevery=marker_every(x))  # fmt: skip
        ax.set_xlabel("" if quantity == "test_accuracy" else "epoch", labelpad=1)
    if "test_accuracy" in axes:
        _name_ends(axes["test_accuracy"], current, chance, last)
    if not records:
        for quantity, ax in axes.items():
            middle = 55 if quantity == "test_accuracy" else 50
            ax.text((1 + last) / 2, middle, _TO_COME[quantity], color=REFERENCE, ha="center", va="center",
                    bbox={"facecolor": "white", "linewidth": 0})  # fmt: skip
    handles = [
        matplotlib.lines.Line2D([], [], color=method_style(run.method).color, alpha=0.7,
                                linestyle=line)
        for run, line in zip(earlier, dashes)
    ]  # fmt: skip
    if earlier:
        figure.legend(handles, [run.name for run in earlier], loc="lower left", bbox_to_anchor=(0.03, 0),
                      ncols=legend_columns, frameon=False, fontsize=11, labelspacing=0.25, handlelength=2.6,
                      borderpad=0.1)  # fmt: skip
    figure.alt = _tell(current, earlier, parts)
    return figure


def _percents(history: Sequence[Record], quantity: str) -> list[float]:
    """NaN, which draws nothing, where a record lacks the quantity."""
    values = (getattr(record, quantity) for record in history)
    return [math.nan if value is None else 100 * value for value in values]


def _name_ends(ax, current: Sequence[Curve], chance: float | None, last: int) -> None:
    ends = []
    for run in current:
        if not run.history or run.history[0].test_accuracy is None:
            continue
        color, best, final = method_style(run.method).color, best_record(run.history), run.history[-1]
        top, end = 100 * best.test_accuracy, 100 * final.test_accuracy
        ax.plot(best.epoch, top, marker="*", markersize=14, color=color, markeredgecolor="white", zorder=3)
        name = f"{run.name}\n{end:.1f} (best {top:.1f})" if len(current) < 4 else f"{run.name} {end:.1f}"
        ends.append((end, name, color))
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
        best = best_record(history).test_accuracy
        told = [f"test accuracy {last.test_accuracy:.1%} after epoch {last.epoch}", f"best {best:.1%}"]
    else:
        told = [f"fits {last.given_accuracy:.1%} of the given labels after epoch {last.epoch}"]
    if last.memorized is not None:
        of_known = "" if last.known is None else f" of the wrong ones of {last.known:,} known"
        memorized = "nothing" if math.isnan(last.memorized) else f"{last.memorized:.0%}"
        told.append(f"memorized {memorized}{of_known}")
    return ", ".join(told)


@picture
def weights_now(history: Sequence[Record], task: Task, *, epoch: int | None = None) -> Figure:
    """The weights of one epoch: by kind of label, the share on wrong labels so far, and who got most and least.

    history: records of a method that weighs its examples; empty before training, when all weights are equal.
    epoch: which, from 1; the last unless given. A weight of 1 is an example's equal share.
    """
    if history and history[0].example_weights is None:
        raise ValueError("history has no example weights; take a run of a method that weighs its examples")
    epoch, count, knows = len(history) if epoch is None else epoch, task.noisy_count, task.known_count > 0
    weights = history[epoch - 1].example_weights if epoch else torch.ones(count)
    long = label_room(task) > 0.5  # names of classes take room, above images and beside each other
    columns, tall = (6, 3.2) if long else (8, 2.05) if max(map(len, task.class_names)) < 2 else (6, 2.6)
    columns = min(columns, count)
    height = tall + 2.4
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    bottom, above = (tall + 0.55) / height, 1.5 / height
    _draw_histogram(figure.add_axes((0.08, bottom, 0.38 if knows else 0.9, above)), weights, task, epoch)
    if knows:
        shares = [task.realized_ratio, *(record.extra["weight_on_wrong"] for record in history)]  # from epoch 0
        of_known = "" if task.known_count == count else f" of {task.known_count:,} known"
        _draw_share(figure.add_axes((0.6, bottom, 0.38, above)), shares, epoch, of_known)
    mixed = torch.randperm(len(weights), generator=seeded_generator(task.seed, "equal weights"))  # else class by class
    order = mixed[weights[mixed].argsort(descending=True, stable=True)]
    shown = torch.stack([order[:columns], order[-columns:].flip(0)])
    ax = figure.add_axes((0.09, 0.25 / height, 0.9, (tall - 0.25) / height), anchor="N")
    figure.text(0.02, 0.06 / height, _KEY if knows else _KEY_WITHOUT_TRUTH, fontsize=11)
    draw_labelled(ax, task, shown, fontsize=12, letters=8)
    side, (step_y, step_x) = tile_side(task), cell_size(task)
    box = {"facecolor": "white", "alpha": 0.85, "pad": 1, "linewidth": 0}
    for row, name in enumerate(("most", "least")):
        ax.text(-0.12 * side, row * step_y + 0.5 * side, name, ha="right", va="center")
        for column, place in enumerate(shown[row].tolist()):
            corner = column * step_x + 0.92 * side, row * step_y + 0.94 * side
            ax.text(*corner, f"{weights[place]:.1f}", ha="right", va="bottom", bbox=box)
    carried = f"Weights in epoch {epoch}: {count:,} labels, of which none is verified."
    if knows:
        carried = (
            f"Weights in epoch {epoch}: {shares[0]:.0%} of the labels{of_known} are wrong, and they carry "
            f"{in_percent_words(shares[epoch], 0)} of the weight."
        )
    figure.alt = f"{carried} {_tell_shown(task, shown)}"
    return figure


def _tell_shown(task: Task, shown: torch.Tensor) -> str:
    columns, places = shown.shape[1], shown.flatten()
    if not task.known.cpu()[places].all():
        most, least = (wrongly_labelled(task, row) for row in shown)
        return f"Below, the {columns} images with the most weight{most}, and the {columns} with the least{least}."
    most, least = task.wrong.cpu()[shown].sum(1).tolist()
    return (
        f"Of the {columns} images with the most weight {most} are wrongly labelled, of the {columns} with the least "
        f"{least}."
    )


def _draw_histogram(ax, weights: torch.Tensor, task: Task, epoch: int) -> None:
    edges = torch.linspace(0, 5, 21)
    for row, (kind, style, mask) in enumerate(kinds_of_label(task)):
        mine = weights[mask.cpu()]
        share = 100 * torch.histogram(mine[mine.isfinite()].clamp(max=4.99), edges).hist / max(1, len(mine))
        ax.stairs(share.tolist(), edges.tolist(), color=style.color, linestyle=style.line, linewidth=2.2)
        zero = 100 * (mine == 0).double().mean().item() if len(mine) else 0
        ax.text(0.98, 0.95 - 0.15 * row, f"{kind}: {zero:.0f} % at 0", color=text_color(style.color), ha="right",
                va="top", transform=ax.transAxes)  # fmt: skip
    percent_axis(ax, "")
    ax.set(title=f"% of labels, epoch {epoch}", ylabel="", xlim=(0, 5))
    ax.set_xlabel("weight (1 = equal share)", labelpad=1)
    ax.set_xticks(range(6), ["0", "1", "2", "3", "4", "5+"])


def _draw_share(ax, shares: Sequence[float], epoch: int, of_known: str) -> None:
    style, x, percent = KINDS_OF_LABEL["wrong"], range(len(shares)), [100 * share for share in shares]
    ax.plot(x, percent, color=style.color, marker=style.marker, markevery=marker_every(x))
    ax.plot(epoch, percent[epoch], "o", markersize=12, markerfacecolor="none", markeredgecolor=style.color,
            clip_on=False)  # fmt: skip
    ax.axhline(percent[0], color=REFERENCE, linestyle=":")
    percent_axis(ax, "")
    title = f"on wrong ones{of_known}, %" if of_known else "weight on wrong ones, %"
    ax.set(title=title, ylabel="", xlim=(-0.5, max(len(shares) - 0.5, 5)))
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
    at_right = {"ha": "right", "transform": ax.get_yaxis_transform()}
    high, far = percent[0] > 85, percent[0] - end_of(percent) > 25  # room for words above the line, and below it
    ax.text(0.98, percent[0] + (-3 if high else 2), f"equal weights {percent[0]:.0f}", color=REFERENCE,
            va="top" if high else "bottom", **at_right)  # fmt: skip
    ax.text(0.98, end_of(percent) + (8 if far else -8), f"epoch {epoch}: {percent[epoch]:.0f}",
            color=text_color(style.color), va="bottom" if far else "top", **at_right)  # fmt: skip
    ax.set_xlabel("epoch", labelpad=1)
