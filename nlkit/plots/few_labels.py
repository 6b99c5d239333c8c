"""Pictures of learning from few labels: a digit and its changed copies, what networks say of each, accuracy by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, Style, styles_of, text_color
from nlkit.records import Recorded

_IMAGE, _BARS, _WORD, _CURVES = 0.72, 0.34, 0.24, 2.5  # inches: images, bars, a line of words, and what is below
_LEFT, _STEP = 0.98, 0.72  # inches: room for names of rows, and from one copy to the next


@picture
def rows_of_views(rows: Mapping[str, numpy.ndarray]) -> Figure:
    """Images and what becomes of them: name of a view -> (n, H, W) of the same n images, a row each.

    The first row sets the scale of grey.
    """
    first = next(iter(rows.values()))
    figure = Figure(figsize=(10, 0.78 * len(rows) + 0.1), layout="constrained")
    axes = figure.subplots(len(rows), len(first), squeeze=False)
    for line, (name, images) in zip(axes, rows.items()):
        for ax, image in zip(line, images):
            ax.imshow(image, cmap="gray_r", vmin=first.min(), vmax=first.max(), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.alt = f"{len(first)} images in {len(rows)} rows: {', '.join(rows)}."
    return figure


@picture
def copies_and_accuracy(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """A digit as it is and changed, the probabilities that each network gives the classes, and accuracy by step.

    records: name -> its records so far, as `nlkit.papers.uda.Consistency` makes them: `shown` has "copies" (n, H, W),
    the first as it is, and "said" (n, K); the copies of the first name are seen. variants: all the names that there
    are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    above = (0.25 + _IMAGE + (_BARS + _WORD) * len(runs)) if runs else 0.0
    height = above + _CURVES
    figure, place = panel_figure(height)
    told = []
    if runs:
        copies = numpy.asarray(next(iter(runs.values()))[-1].shown["copies"])
        top = height - 0.22 - _IMAGE
        for at, copy in enumerate(copies):
            ax = place(_LEFT + _STEP * at + 0.03, top, _STEP - 0.08, _IMAGE)
            ax.imshow(copy, cmap="gray_r", vmin=copies[0].min(), vmax=copies[0].max(), interpolation="nearest")
            ax.set_axis_off()
            if at < 2:
                ax.set_title("as it is" if at == 0 else "changed", fontsize=11, pad=2)
        for row, (name, run) in enumerate(runs.items(), start=1):
            bottom = top - row * (_BARS + _WORD)
            said = numpy.asarray(run[-1].shown["said"])
            axes = [place(_LEFT + _STEP * at + 0.03, bottom + _WORD, _STEP - 0.1, _BARS) for at in range(len(said))]
            told.append(_draw_said(axes, name, said, styles[name].color))
    told.append(draw_accuracy(place(0.5, 0.5, 3.9, _CURVES - 0.9), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_said(axes, name: str, said: numpy.ndarray, color: str) -> str:
    """A row of bars for each copy, and the likeliest class below them; the row in words."""
    for ax, p in zip(axes, said):
        ax.bar(range(len(p)), p, color=color, width=0.8)
        ax.set(xlim=(-0.6, len(p) - 0.4), ylim=(0, 1), yticks=[], xticks=[])
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(f"{p.argmax()}: {100 * p.max():.0f}", color=text_color(color), fontsize=11, labelpad=1)
    words = name.replace(", ", ",\n").replace(" ", "\n", 1) if len(name) > 9 else name
    axes[0].text(-0.12, 0.4, words, color=text_color(color), ha="right", va="center", transform=axes[0].transAxes,
                 fontsize=11, linespacing=1)  # fmt: skip
    likeliest = ", ".join(f"{p.argmax()} ({p.max():.0%})" for p in said)
    return f"{name} says of a digit, and of it changed: {likeliest}."


def draw_accuracy(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    """Test accuracy by step, and in the title how many labels are used; the curves in words."""
    ends, told, drawn, last = draw_runs(ax, runs, styles, "test_accuracy", by="step")
    fitted_axis(ax, drawn, "")
    label_ends(ax, [0, last], ends)
    whole_ticks(ax.xaxis, 5)
    used = {f"{run[-1].numbers['labels']:,.0f}" for run in runs.values()}
    ax.set(title=f"test accuracy, %, from {' or '.join(sorted(used))} labels" if used else "test accuracy, %")
    ax.set_xlabel("training step", labelpad=1)
    ax.axhline(10, color=REFERENCE, linestyle=":", zorder=0) if drawn and min(drawn) < 20 else None
    return f"Test accuracy: {', '.join(told)}." if told else "Test accuracy by step. No run yet."
