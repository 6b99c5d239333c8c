"""A picture of early learning on a linear model: accuracy, memorized labels, and how hard labels pull."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.plots.axes import draw_line, percent_axis
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, Style, styles_of
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_HEIGHT = 5.0  # inches
_TICKS = (1, 10, 100, 1000, 10_000)


@picture
def early_learning(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Over the steps of descent: accuracy on new examples, share of memorized wrong labels, and the squared pull.

    records: name -> its records so far, as `nlkit.papers.elr.Linear` makes them; names without any are left out. The
    pull is drawn for the first of them. variants: all the names that there are, in the order of their colours.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), dpi=PANEL_DPI)
    places = [(0.45, 2.95, 3.9, 1.7), (0.45, 0.5, 2.3, 1.6), (3.5, 0.5, 1.9, 1.6)]  # inches
    tops = [
        figure.add_axes((left / PANEL_WIDTH, bottom / _HEIGHT, wide / PANEL_WIDTH, tall / _HEIGHT))
        for left, bottom, wide, tall in places
    ]
    steps = max([10, *(_steps(run)[-1] for run in runs.values())])
    told = [_draw_shares(tops[0], runs, styles, steps), _draw_shares(tops[1], runs, styles, steps, "memorized")]
    _draw_pulls(tops[2], runs, steps)
    tops[0].set_xlabel("steps of gradient descent", labelpad=1)
    figure.alt = " ".join(told)
    return figure


def _draw_shares(
    ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style], steps: float, number: str = "test_accuracy"
) -> str:
    """A line a run, and where each ends in words; of accuracies also the best."""
    title = {"test_accuracy": "test accuracy", "memorized": "wrong labels memorized"}[number]
    ends, told = [], []
    for name, run in runs.items():
        if number not in run[-1].numbers:  # no label is wrong
            continue
        values = [100 * record.numbers[number] for record in run]
        draw_line(ax, _steps(run), values, styles[name], markersize=5)
        ends.append((values[-1], f"{name} {values[-1]:.0f}", styles[name].color))
        told.append(f"{name} {in_percent_words(values[-1] / 100)}")
        if number == "test_accuracy" and max(values) > values[-1]:
            told[-1] += f" (at best {in_percent_words(max(values) / 100)})"
    percent_axis(ax, "")
    ax.set(title=f"{title}, %", ylabel="", yticks=range(0, 101, 25))
    if number == "test_accuracy":
        label_ends(ax, [0.8, steps], ends)
    _scale(ax, steps)
    return f"After {steps:.0f} steps, {title}: {', '.join(told)}."


def _draw_pulls(ax, runs: Mapping[str, Sequence[Recorded]], steps: float) -> None:
    ax.set(title="squared pull of labels", ylim=(0, 4.1))
    ends = []
    for name, run in list(runs.items())[:1]:
        ax.set_title(f"squared pull, {name}")
        for kind in ("right", "wrong"):
            if f"pull_{kind}" in run[-1].numbers:
                values = [record.numbers[f"pull_{kind}"] for record in run]
                draw_line(ax, _steps(run), values, KINDS_OF_LABEL[kind], markersize=5)
                ends.append((values[-1], kind, KINDS_OF_LABEL[kind].color))
    label_ends(ax, [0.8, steps], ends)
    _scale(ax, steps)


def _steps(run: Sequence[Recorded]) -> list[float]:
    return [max(0.8, record.numbers["step"]) for record in run]  # 0 has no place on a logarithmic axis


def _scale(ax, steps: float) -> None:
    ax.set_xscale("log")
    ax.set_xlim(0.7, 1.1 * steps)
    ticks = [tick for tick in _TICKS if tick <= steps]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
