"""Pictures of the weights that a method gives its examples: by kind of label, by epoch, and under the images."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nlkit.plots.axes import draw_line, percent_axis, whole_ticks
from nlkit.plots.curves import check_history
from nlkit.plots.examples import wrongly_labelled
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, text_color
from nlkit.plots.tiles import draw_below, draw_labelled, kinds_of_label, label_room, name_rows
from nlkit.plots.words import end_of, in_percent_words, told_line
from nlkit.randomness import seeded_generator
from nlkit.records import Record
from nlkit.tasks.task import Task

_KEY = "above: given label, ✗ if wrong (then true label); below: weight"
_KEY_WITHOUT_TRUTH = "above: given label; below: weight"


@picture
def weights_part(history: Sequence[Record], task: Task, *, epochs: Sequence[int] | None = None) -> Figure:
    """How a method's weights of right and wrong labels part: histograms at a few epochs, and the share by epoch.

    A weight of 1 is an example's equal share. epochs: which to show as histograms; the first, a middle one and the last
    unless given.
    """
    check_history(history)
    if history[0].example_weights is None:
        raise ValueError(
            "history has no example weights; take a run of a method that weighs examples, such as 'reweight'"
        )
    chosen = list(epochs or sorted({1, (len(history) + 1) // 2, len(history)}))
    knows = task.known_count > 0
    figure = Figure(figsize=(10, 6.6 if knows else 3.3), layout="constrained")
    grid = figure.add_gridspec(1 + knows, len(chosen), height_ratios=[1, 1.05][: 1 + knows])
    panels = [figure.add_subplot(grid[0, place]) for place in range(len(chosen))]
    for ax, epoch in zip(panels, chosen):
        _draw_histogram(ax, history[epoch - 1].example_weights, task)
        ax.set_title(f"epoch {epoch}")
        ax.set_xlabel("weight (1 = equal share)")
    panels[0].set_ylabel("% of their kind")
    if not knows:
        last = history[-1].example_weights
        unheard = (last == 0).double().mean().item()
        figure.alt = f"Weights of {len(last):,} labels, of which none is verified: {unheard:.0%} have none in the end."
        return figure
    ax = figure.add_subplot(grid[1, :])
    x = [r.epoch for r in history]
    style = KINDS_OF_LABEL["right"]
    shares = [100 * r.extra["weight_on_right"] for r in history]
    draw_line(ax, x, shares, style)
    equal = 100 * (1 - task.realized_ratio)
    ax.axhline(equal, color=REFERENCE, linestyle=":")
    end = end_of(shares)
    label_ends(ax, x, [(end, f"{end:.0f} % of the weight\non right labels", style.color),
                        (equal, f"{equal:.0f} %: equal weights", REFERENCE)])  # fmt: skip
    known = history[0].known
    percent_axis(ax, "weight on right labels" if known is None else f"weight on right ones of {known:,} known")
    ax.set_xlabel("epoch")
    whole_ticks(ax.xaxis)
    course = told_line("share of the weight that they carry", x, [share / 100 for share in shares], digits=0)
    figure.alt = f"Weights by label: {equal:.0f} % of the labels are right; {course}."
    return figure


def _draw_histogram(ax, weights: torch.Tensor, task: Task) -> None:
    """The shares of right and of wrong labels, each of their own kind, by weight; and how many have none."""
    edges = torch.linspace(0, 5, 21)
    for place, (kind, style, mask) in enumerate(kinds_of_label(task)):
        mine = weights[mask.cpu()]
        share = 100 * torch.histogram(mine[mine.isfinite()].clamp(max=4.99), edges).hist / max(1, len(mine))
        ax.stairs(share.tolist(), edges.tolist(), color=style.color, linestyle=style.line, linewidth=2.2)
        zero = f"{100 * (mine == 0).double().mean().item():.0f} % at 0" if len(mine) else "none"
        beside = {"transform": ax.transAxes, "ha": "right", "va": "top"}
        ax.text(0.98, 0.95 - 0.16 * place, f"{kind}: {zero}", color=text_color(style.color), **beside)
    percent_axis(ax, "")
    ax.set_xlim(0, 5)
    ax.set_xticks(range(6), ["0", "1", "2", "3", "4", "5+"])


@picture
def weights_now(history: Sequence[Record], task: Task, *, epoch: int | None = None) -> Figure:
    """The weights of one epoch: by kind of label, the share on right labels so far, and who got most and least.

    history: records of a method that weighs its examples; empty before training, when all weights are equal.
    epoch: which, from 1; the last unless given. A weight of 1 is an example's equal share.
    """
    if history and history[0].example_weights is None:
        raise ValueError("history has no example weights; take a run of a method that weighs its examples")
    epoch, count, knows = len(history) if epoch is None else epoch, task.noisy_count, task.known_count > 0
    weights = history[epoch - 1].example_weights if epoch else torch.ones(count)
    long = label_room(task) > 0.5  # names of classes take room, above images and beside each other
    columns, tall = (6, 3.5) if long else (8, 2.3) if max(map(len, task.class_names)) < 2 else (6, 3.0)
    columns = min(columns, count)
    height = tall + 2.4
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    bottom, above = (tall + 0.55) / height, 1.5 / height
    ax = figure.add_axes((0.08, bottom, 0.38 if knows else 0.9, above))
    _draw_histogram(ax, weights, task)
    ax.set(title=f"% of labels, epoch {epoch}", yticks=range(0, 101, 25))
    ax.set_xlabel("weight (1 = equal share)", labelpad=1)
    if knows:
        shares = [1 - task.realized_ratio, *(record.extra["weight_on_right"] for record in history)]  # from epoch 0
        of_known = "" if task.known_count == count else f" of {task.known_count:,} known"
        _draw_share(figure.add_axes((0.6, bottom, 0.38, above)), shares, epoch, of_known)
    mixed = torch.randperm(len(weights), generator=seeded_generator(task.seed, "equal weights"))  # else class by class
    order = mixed[weights[mixed].argsort(descending=True, stable=True)]
    shown = torch.stack([order[:columns], order[-columns:].flip(0)])
    ax = figure.add_axes((0.09, 0.25 / height, 0.9, (tall - 0.25) / height), anchor="N")
    figure.text(0.02, 0.06 / height, _KEY if knows else _KEY_WITHOUT_TRUTH, fontsize=11)
    draw_labelled(ax, task, shown, fontsize=12, letters=7, below=0.34)
    draw_below(ax, task, [[f"{weights[place]:.1f}" for place in row] for row in shown.tolist()], below=0.34)
    name_rows(ax, task, ("most", "least"), below=0.34)
    carried = f"Weights in epoch {epoch}: {count:,} labels, of which none is verified."
    if knows:
        carried = (
            f"Weights in epoch {epoch}: {shares[0]:.0%} of the labels{of_known} are right, and they carry "
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


def _draw_share(ax, shares: Sequence[float], epoch: int, of_known: str) -> None:
    style, x, percent = KINDS_OF_LABEL["right"], range(len(shares)), [100 * share for share in shares]
    draw_line(ax, x, percent, style)
    ring = {"marker": "o", "markersize": 12, "markerfacecolor": "none", "clip_on": False}
    ax.plot(epoch, percent[epoch], color=style.color, **ring)
    ax.axhline(percent[0], color=REFERENCE, linestyle=":")
    percent_axis(ax, "")
    ax.set(title="weight on right ones, %", xlim=(-0.5, max(len(shares) - 0.5, 5)))
    whole_ticks(ax.xaxis, 5)
    end = end_of(percent)
    place = {"x": 0.98, "ha": "right", "va": "center", "transform": ax.get_yaxis_transform()}
    for y, words, color in zip(
        _apart(end, percent[0]),
        (f"epoch {epoch}: {percent[epoch]:.0f}", f"equal weights {percent[0]:.0f}"),
        (text_color(style.color), REFERENCE),
    ):
        ax.text(y=y, s=words, color=color, **place)
    ax.set_xlabel(f"epoch ({of_known.strip()})" if of_known else "epoch", labelpad=1)


def _apart(end: float, equal: float, high: float = 16) -> tuple[float, float]:
    """Where on an axis of percentages to name two lines, so that neither is on its line or on the other's name."""
    side = 1 if end >= equal else -1
    first = min(max(end + side * 9, high / 2), 100 - high / 2)
    second = min(max(equal - side * 9, high / 2), 100 - high / 2)
    if abs(first - second) < high:
        second = first - side * high
        if not high / 2 <= second <= 100 - high / 2:
            first, second = first + side * high, first
    return first, second
