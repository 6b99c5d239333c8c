"""Pictures of runs: accuracies, memorization and weights by epoch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import torch

from nlkit.checks import check_choice
from nlkit.plots.examples import kinds_of_label
from nlkit.plots.style import (
    KINDS_OF_LABEL,
    METHOD_STYLES,
    REFERENCE,
    SPARE_STYLES,
    Figure,
    Style,
    end_of,
    in_percent_words,
    label_ends,
    marker_every,
    method_style,
    percent_axis,
    picture,
    text_color,
)
from nlkit.records import Record, best_record
from nlkit.tasks.task import Task

_OF_TRUTH = ("true_accuracy", "memorized", "recovered")  # shares of a record that are measured where the truth is known
_SHARES = ("given_accuracy", "test_accuracy", *_OF_TRUTH)


@picture
def lines(
    x: Sequence[float], values: Mapping[str, Sequence[float]], *, xlabel: str, ylabel: str, title: str = ""
) -> Figure:
    """Lines of shares in [0, 1] over x, each named at its end; methods in their own styles."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    ax = figure.subplots()
    ends = []
    for (name, line), spare in zip(values.items(), itertools.cycle([*KINDS_OF_LABEL.values(), *SPARE_STYLES])):
        style = METHOD_STYLES.get(name, spare)
        percent = [100 * v for v in line]
        ax.plot(x, percent, color=style.color, linestyle=style.line, marker=style.marker, markevery=marker_every(x))
        ends.append((end_of(percent), name, style.color))
    label_ends(ax, x, ends)
    percent_axis(ax, ylabel)
    lowest = min((value for line in values.values() for value in line if value == value), default=0)
    if lowest < 0:
        ax.set_ylim(100 * lowest, 100)
        ax.axhline(0, color=REFERENCE, linestyle=":")
    ax.set_xlabel(xlabel)
    ax.set_title(title)
    figure.alt = f"{ylabel} by {xlabel}. From first to last: " + "; ".join(
        f"{name}: {line[0]:.0%} to {end_of(line):.0%}" for name, line in values.items()
    )
    return figure


@picture
def memorization_curves(history: Sequence[Record], *, title: str = "") -> Figure:
    """One run: test accuracy above, and below it what becomes of the wrong labels (memorized or recovered).

    What the records lack is left out: the lower part where no true label is known, the upper one without a test set.
    """
    _check_history(history)
    tested, knows = history[0].test_accuracy is not None, history[0].memorized is not None
    if not (tested or knows):
        raise ValueError("history has neither test accuracies nor shares of wrong labels; there is nothing to draw")
    figure = Figure(figsize=(10, 0.6 + 2.9 * (tested + knows)), layout="constrained")
    axes = figure.subplots(tested + knows, 1, sharex=True, squeeze=False)[:, 0]
    told = []
    if tested:
        _draw_runs(
            axes[0], {"test accuracy": [history]}, {"test accuracy": Style("#000000", "o", "-")}, "test_accuracy"
        )
        best = best_record(history)
        told.append(
            f"Test accuracy peaks at {best.test_accuracy:.1%} in epoch {best.epoch} and ends at "
            f"{history[-1].test_accuracy:.1%}."
        )
    if knows:
        _draw_wrong_labels(axes[-1], history)
        told.append(
            f"At the end {in_percent_words(history[-1].memorized)} of the wrong labels are memorized, "
            f"{in_percent_words(history[-1].recovered)} recovered."
        )
    axes[-1].set_xlabel("epoch")
    shown = ["test accuracy"] * tested + ["what the network makes of the wrong labels"] * knows
    axes[0].set_title(title or ", and ".join(shown))
    figure.alt = " ".join(told)
    return figure


def _draw_wrong_labels(ax, history: Sequence[Record]) -> None:
    epochs, ends = [r.epoch for r in history], []
    lines = {
        "recovered\n(predicted as the true class)": ("recovered", KINDS_OF_LABEL["right"]),
        "memorized\n(predicted as the wrong label)": ("memorized", KINDS_OF_LABEL["wrong"]),
    }
    for label, (name, style) in lines.items():
        values = [100 * getattr(r, name) for r in history]
        ax.plot(
            epochs, values, color=style.color, linestyle=style.line, marker=style.marker, markevery=marker_every(epochs)
        )
        ends.append((end_of(values), label, style.color))
    label_ends(ax, epochs, ends)
    known = history[0].known
    percent_axis(ax, "share of wrong labels" if known is None else f"share of wrong ones of {known:,} known")


@picture
def compare_methods(
    histories: Mapping[str, Sequence[Sequence[Record]]],
    *,
    quantity: str = "test_accuracy",
    references: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """Several methods, each with one run or more (seeds): the mean as a line, lowest to highest as a band.

    histories: method name (see `nlkit.METHODS`) -> runs, each a sequence of records of the same length.
    quantity: a field of `Record` in [0, 1]. A run that breaks off, or a value that is NaN, ends the line there.
    references: levels in [0, 1] to draw as grey lines, such as {"chance": 0.1}.
    """
    check_choice("quantity", quantity, _SHARES)
    if not histories:
        raise ValueError("histories is empty; hand in at least one method with its runs")
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    ax = figure.subplots()
    _draw_runs(ax, histories, {name: method_style(name) for name in histories}, quantity, references)
    ax.set_xlabel("epoch")
    ax.set_title(title)
    finals = {m: sum(getattr(run[-1], quantity) for run in runs) / len(runs) for m, runs in histories.items()}
    figure.alt = f"{quantity.replace('_', ' ')} by epoch. At the end: " + ", ".join(
        f"{name.replace('_', ' ')} {in_percent_words(value)}" for name, value in finals.items()
    )
    return figure


@picture
def by_ratio(histories: Mapping[float, Sequence[Record]], *, title: str = "") -> Figure:
    """Best and final test accuracy of one run a noise ratio, and the gap between them."""
    if not histories:
        raise ValueError("histories is empty; hand in at least one run")
    for history in histories.values():
        _check_history(history)
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    ax = figure.subplots()
    ratios = sorted(histories)
    best = [100 * best_record(histories[r]).test_accuracy for r in ratios]
    final = [100 * histories[r][-1].test_accuracy for r in ratios]
    x = [100 * r for r in ratios]
    ax.fill_between(x, final, best, color="#D55E00", alpha=0.15, linewidth=0)
    ax.plot(x, best, color="#0072B2", marker="o", linestyle="-")
    ax.plot(x, final, color="#D55E00", marker="X", linestyle="--")
    for at, top, bottom in zip(x, best, final):
        if top - bottom >= 1:
            ax.annotate(
                f"−{top - bottom:.0f}", (at, (top + bottom) / 2), xytext=(7, 0), textcoords="offset points", va="center"
            )
    label_ends(ax, x, [(best[-1], "best epoch", "#0072B2"), (final[-1], "last epoch", "#D55E00")])
    percent_axis(ax, "test accuracy")
    ax.set_xticks(x, [f"{v:.0f} %" for v in x])
    ax.set_xlabel("noise ratio")
    ax.set_title(title)
    figure.alt = "Test accuracy, best and final, by noise ratio: " + "; ".join(
        f"{r:.0%}: {b:.0f} and {f:.0f} %" for r, b, f in zip(ratios, best, final)
    )
    return figure


@picture
def weights_part(history: Sequence[Record], task: Task, *, epochs: Sequence[int] | None = None) -> Figure:
    """How a method's weights of right and wrong labels part: histograms at a few epochs, and the share by epoch.

    A weight of 1 is an example's equal share. epochs: which to show as histograms; the first, a middle one and the last
    unless given.
    """
    _check_history(history)
    if history[0].example_weights is None:
        raise ValueError(
            "history has no example weights; take a run of a method that weighs examples, such as 'reweight'"
        )
    chosen = list(epochs or sorted({1, (len(history) + 1) // 2, len(history)}))
    knows = task.known_count > 0
    figure = Figure(figsize=(10, 6.6 if knows else 3.3), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.05]) if knows else (figure, None)
    _draw_weights(above.subplots(1, len(chosen), sharey=True, squeeze=False)[0], history, task, chosen)
    if not knows:
        last = history[-1].example_weights
        unheard = (last == 0).double().mean().item()
        figure.alt = f"Weights of {len(last):,} labels, of which none is verified: {unheard:.0%} have none in the end."
        return figure
    ax = below.subplots()
    x = [r.epoch for r in history]
    style = KINDS_OF_LABEL["right"]
    shares = [100 * r.extra["weight_on_right"] for r in history]
    ax.plot(x, shares, color=style.color, marker=style.marker, markevery=marker_every(x))
    equal = 100 * (1 - task.realized_ratio)
    ax.axhline(equal, color=REFERENCE, linestyle=":")
    end = end_of(shares)
    label_ends(ax, x, [(end, f"{end:.0f} % of the weight\non right labels", style.color),
                        (equal, f"{equal:.0f} %: equal weights", REFERENCE)])  # fmt: skip
    known = history[0].known
    percent_axis(ax, "weight on right labels" if known is None else f"weight on right ones of {known:,} known")
    ax.set_xlabel("epoch")
    figure.alt = (
        f"Weights by label: {equal:.0f} % of the labels are right; they carry {shares[0]:.0f} % of the "
        f"weight in the first epoch and {end:.0f} % in the last."
    )
    return figure


def _draw_weights(panels, history: Sequence[Record], task: Task, chosen: Sequence[int]) -> None:
    edges = torch.linspace(0, 5, 21)
    for ax, epoch in zip(panels, chosen):
        weights = history[epoch - 1].example_weights
        for place, (kind, style, mask) in enumerate(kinds_of_label(task)):
            mine = weights[mask.cpu()]
            share = 100 * torch.histogram(mine[mine.isfinite()].clamp(max=4.99), edges).hist / max(1, len(mine))
            ax.stairs(share.tolist(), edges.tolist(), color=style.color, linestyle=style.line, linewidth=2.2)
            zero = f"{100 * (mine == 0).double().mean().item():.0f} % at 0" if len(mine) else "none"
            beside = {"transform": ax.transAxes, "ha": "right", "va": "top", "fontsize": 12}
            ax.text(0.97, 0.92 - 0.16 * place, f"{kind}: {zero}", color=text_color(style.color), **beside)
        ax.set_title(f"epoch {epoch}")
        ax.set_xlabel("weight (1 = equal share)")
        ax.set_xticks(range(6), ["0", "1", "2", "3", "4", "5+"])
    panels[0].set_ylabel("% of their kind")


def _draw_runs(ax, histories, styles, quantity, references=None) -> None:
    ends, last, named = [], 1, []
    for name, runs in histories.items():
        if not runs:
            raise ValueError(f"histories has no run of {name!r}; leave the name out, or train for an epoch first")
        for run in runs:
            _check_history(run)
            if getattr(run[0], quantity) is None:
                needs = "the task has no test set" if quantity == "test_accuracy" else "no true label is known"
                raise ValueError(f"quantity={quantity!r} is not in the records of {name!r}: {needs}")
        style = styles[name]
        x = [r.epoch for r in max(runs, key=len)]
        lines = [[100 * getattr(r, quantity) for r in run] for run in runs]
        values = torch.tensor([line + [math.nan] * (len(x) - len(line)) for line in lines])
        mean = values.mean(0).tolist()
        if len(runs) > 1:
            ax.fill_between(
                x, values.amin(0).tolist(), values.amax(0).tolist(), color=style.color, alpha=0.15, linewidth=0
            )
        ax.plot(
            x,
            mean,
            color=style.color,
            linestyle=style.line,
            marker=style.marker,
            markevery=marker_every(x),
            markersize=6,
        )
        end = end_of(mean)
        top = max(range(len(mean)), key=lambda epoch: -math.inf if math.isnan(mean[epoch]) else mean[epoch])
        if mean[top] - end > 1:
            ax.plot(x[top], mean[top], marker="*", markersize=15, color=style.color, markeredgecolor="white")
            beside = sum(abs(x[top] - at) < 0.15 * len(x) and abs(mean[top] - y) < 10 for at, y in named)
            named.append((x[top], mean[top]))
            place = {"xytext": (4, 9 + 16 * beside), "textcoords": "offset points"}
            ax.annotate(f"best {mean[top]:.1f}", (x[top], mean[top]), color=text_color(style.color), **place)
        ends.append((end, f"{name.replace('_', ' ')} {end:.1f}", style.color))
        last = max(last, x[-1])
    for name, level in (references or {}).items():
        ax.axhline(100 * level, color=REFERENCE, linestyle=":")
        ends.append((100 * level, f"{name} {100 * level:.0f}", REFERENCE))
    label_ends(ax, [1, last], ends)
    known = {run[0].known for runs in histories.values() for run in runs} if quantity in _OF_TRUTH else {None}
    of_known = "" if known == {None} else f" ({', '.join(f'{k:,}' for k in sorted(known - {None}))} known)"
    percent_axis(ax, quantity.replace("_", " ") + of_known)


def _check_history(history: Sequence[Record]) -> None:
    if not history:
        raise ValueError("history is empty; train for an epoch first")
