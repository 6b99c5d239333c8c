"""Pictures of runs: accuracies and what becomes of wrong labels, by epoch and by noise ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from nlkit.checks import check_choice
from nlkit.plots.axes import draw_line, percent_axis, whole_ticks
from nlkit.plots.figure import Figure, picture
from nlkit.plots.places import label_ends, mark_if_it_fell
from nlkit.plots.style import FATES, METHOD_STYLES, REFERENCE, styles_of
from nlkit.plots.words import end_of, in_percent_words, peak_of, told_line
from nlkit.records import Record, best_record

_OF_TRUTH = ("true_accuracy", "memorized", "recovered")  # shares of a record that are measured where the truth is known
_SHARES = ("given_accuracy", "test_accuracy", *_OF_TRUTH)
_MOST_PEAKS = 14  # lines whose best epoch is marked and numbered: of more there is no room
_ACCURACIES = {  # of a record's numbers, as the picture of overfitting names them
    "given_accuracy": ("given labels, trained on", METHOD_STYLES["mentormix"]),
    "held_out_accuracy": ("held-out given labels", METHOD_STYLES["early_stopping"]),
    "test_accuracy": ("test set, true labels", METHOD_STYLES["standard"]),
}


@picture
def memorization_curves(history: Sequence[Record], *, title: str = "") -> Figure:
    """One run: test accuracy above, and below it what becomes of the wrong labels (memorized or recovered).

    What the records lack is left out: the lower part where no true label is known, the upper one without a test set.
    """
    check_history(history)
    tested, knows = history[0].test_accuracy is not None, history[0].memorized is not None
    if not (tested or knows):
        raise ValueError("history has neither test accuracies nor shares of wrong labels; there is nothing to draw")
    figure = Figure(figsize=(10, 0.6 + 2.9 * (tested + knows)), layout="constrained")
    axes = figure.subplots(tested + knows, 1, sharex=True, squeeze=False)[:, 0]
    told = []
    if tested:
        style = {"test accuracy": METHOD_STYLES["standard"]}
        _draw_runs(axes[0], {"test accuracy": [history]}, style, "test_accuracy")
        best = best_record(history)
        told.append(
            f"Test accuracy peaks at {best.test_accuracy:.1%} in epoch {best.epoch} and ends at "
            f"{in_percent_words(history[-1].test_accuracy)}."
        )
    if knows:
        _draw_wrong_labels(axes[-1], history)
        told.append(
            f"At the end {in_percent_words(history[-1].memorized)} of the wrong labels are memorized, "
            f"{in_percent_words(history[-1].recovered)} recovered."
        )
        highest = peak_of([r.recovered for r in history])
        if highest is not None:
            most = history[highest]
            told.append(f"Most are recovered in epoch {most.epoch}: {in_percent_words(most.recovered)}.")
    axes[-1].set_xlabel("epoch")
    whole_ticks(axes[-1].xaxis)
    shown = ["test accuracy"] * tested + ["what the network makes of the wrong labels"] * knows
    axes[0].set_title(title or ", and ".join(shown))
    figure.alt = " ".join(told)
    return figure


def _draw_wrong_labels(ax, history: Sequence[Record]) -> None:
    epochs, ends = [r.epoch for r in history], []
    lines = {
        "recovered": "recovered\n(predicted as the true class)",
        "memorized": "memorized\n(predicted as the wrong label)",
    }
    for fate, label in lines.items():
        style, values = FATES[fate], [100 * getattr(r, fate) for r in history]
        draw_line(ax, epochs, values, style)
        ends.append((end_of(values), label, style.color))
    label_ends(ax, epochs, ends)
    known = history[0].known
    percent_axis(ax, "share of wrong labels" if known is None else f"share of wrong ones of {known:,} known")


@picture
def overfitting(history: Sequence[Record], *, title: str = "") -> Figure:
    """One run: accuracy on the given labels that it learns from, on given labels held out, and on the test set.

    The line of held-out labels is there for a method that holds some out, such as "early_stopping"; that of the test
    set where there is one.
    """
    check_history(history)
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    ax, epochs, ends, told = figure.subplots(), [r.epoch for r in history], [], []
    for number, (name, style) in _ACCURACIES.items():
        if number not in history[0].numbers:
            continue
        shares = [record.numbers.get(number, math.nan) for record in history]
        percent = [100 * share for share in shares]
        draw_line(ax, epochs, percent, style)
        mark_if_it_fell(ax, epochs, percent, style.color)
        ends.append((end_of(percent), f"{name} {end_of(percent):.1f}", style.color))
        told.append(told_line(name, epochs, shares))
    label_ends(ax, epochs, ends)
    percent_axis(ax, "accuracy")
    whole_ticks(ax.xaxis)
    ax.set(xlabel="epoch", title=title)
    figure.alt = f"Accuracy by epoch. {'; '.join(told)}."
    return figure


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
    told = _draw_runs(ax, histories, styles_of(list(histories)), quantity, references)
    most = max(map(len, histories.values()))
    ax.set_xlabel("epoch" if most < 2 else f"epoch (line: mean of {most} runs, band: lowest to highest)")
    whole_ticks(ax.xaxis)
    ax.set_title(title)
    figure.alt = f"{quantity.replace('_', ' ')} by epoch. {'; '.join(told)}."
    return figure


@picture
def by_ratio(histories: Mapping[float, Sequence[Record]], *, title: str = "") -> Figure:
    """Best and final test accuracy of one run for each noise ratio, and the gap between them."""
    if not histories:
        raise ValueError("histories is empty; hand in at least one run")
    for history in histories.values():
        check_history(history)
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    ax, color = figure.subplots(), METHOD_STYLES["standard"].color
    ratios = sorted(histories)
    best = [100 * best_record(histories[r]).test_accuracy for r in ratios]
    final = [100 * histories[r][-1].test_accuracy for r in ratios]
    x = [100 * r for r in ratios]
    ax.fill_between(x, final, best, color="#E6E6E6", linewidth=0)
    ax.plot(x, best, color=color, marker="*", markersize=13, linestyle="-")
    ax.plot(x, final, color=color, marker="o", linestyle="--")
    for at, top, bottom in zip(x, best, final):
        if top - bottom >= 8 and len(x) <= 12:  # else there is no room between the lines
            beside = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(f"−{top - bottom:.0f}", (at, (top + bottom) / 2), **beside)
    label_ends(
        ax, x, [(best[-1], f"best epoch {best[-1]:.0f}", color), (final[-1], f"last epoch {final[-1]:.0f}", color)]
    )
    percent_axis(ax, "test accuracy")
    every = max(1, len(x) // 10)
    ax.set_xticks(x[::every], [f"{v:.0f} %" for v in x[::every]])
    ax.set_xlabel("noise ratio")
    ax.set_title(title)
    figure.alt = "Test accuracy, best and final, by noise ratio: " + "; ".join(
        f"{r:.0%}: {b:.0f} % in epoch {best_record(histories[r]).epoch} and {f:.0f} %"
        for r, b, f in zip(ratios, best, final)
    )
    return figure


def _draw_runs(ax, histories, styles, quantity, references=None) -> list[str]:
    """Draw a line for each method, with its name and its peak, and say the same in words."""
    ends, last, told = [], 1, []
    for name, runs in histories.items():
        if not runs:
            raise ValueError(f"histories has no run of {name!r}; leave the name out, or train for an epoch first")
        for run in runs:
            check_history(run)
            if getattr(run[0], quantity) is None:
                needs = "the task has no test set" if quantity == "test_accuracy" else "no true label is known"
                raise ValueError(f"quantity={quantity!r} is not in the records of {name!r}: {needs}")
        x = [r.epoch for r in max(runs, key=len)]
        lines = [[100 * getattr(r, quantity) for r in run] for run in runs]
        values = torch.tensor([line + [math.nan] * (len(x) - len(line)) for line in lines], dtype=torch.float64)
        mean, color, words = values.mean(0).tolist(), styles[name].color, name.replace("_", " ")
        if len(runs) > 1:
            low, high = values.amin(0).tolist(), values.amax(0).tolist()
            ax.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        draw_line(ax, x, mean, styles[name])
        if len(histories) <= _MOST_PEAKS:
            mark_if_it_fell(ax, x, mean, color)
        ends.append((end_of(mean), f"{words} {end_of(mean):.1f}", color))
        told.append(told_line(words, x, [value / 100 for value in mean]))
        last = max(last, x[-1])
    for name, level in (references or {}).items():
        ax.axhline(100 * level, color=REFERENCE, linestyle=":")
        ends.append((100 * level, f"{name} {100 * level:.0f}", REFERENCE))
    label_ends(ax, [1, last], ends)
    known = {run[0].known for runs in histories.values() for run in runs} if quantity in _OF_TRUTH else {None}
    of_known = "" if known == {None} else f" ({', '.join(f'{k:,}' for k in sorted(known - {None}))} known)"
    percent_axis(ax, quantity.replace("_", " ") + of_known)
    return told


def check_history(history: Sequence[Record]) -> None:
    if not history:
        raise ValueError("history is empty; train for an epoch first")
