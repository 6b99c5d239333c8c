"""Pictures of a smaller class space: the rivals that are struck out, and how often the smaller question is right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_line, percent_axis, whole_ticks
from nlkit.plots.few_labels import draw_accuracy
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, faded, styles_of, text_color
from nlkit.plots.words import end_of, in_percent_words
from nlkit.records import Recorded

_HEIGHT = 6.3  # inches
_SHARES = {"sure": "sure", "sure_right": "sure: right", "top_right": "not sure: right",
           "reduced_right": "smaller: right", "by_chance": "by chance"}  # fmt: skip


@picture
def smaller_questions(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """An uncertain digit with its probabilities, rivals struck out; shares by step of one run; accuracy of all.

    records: name -> its records so far, as `nlkit.papers.shrinkmatch.Shrinking` makes them; `shown` has "image" (H, W),
    "p" (K,), "kept" (K,) bool and "tau" where unlabelled digits are learned from. The last name of which that is so is
    the run that is looked into. variants: all the names that there are, in the order of their colours. A name without a
    record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), dpi=PANEL_DPI)
    image, bars, shares, curves = (
        figure.add_axes((left / PANEL_WIDTH, bottom / _HEIGHT, wide / PANEL_WIDTH, tall / _HEIGHT))
        for left, bottom, wide, tall in (
            (0.1, 4.75, 1.1, 1.1), (1.5, 4.75, 4.3, 1.1), (0.5, 2.55, 3.9, 1.45), (0.5, 0.5, 3.9, 1.35),
        )
    )  # fmt: skip
    looked_into = [name for name, run in runs.items() if run[-1].shown]
    told = []
    if looked_into:
        name = looked_into[-1]
        told.append(_draw_question(image, bars, runs[name][-1].shown, styles[name].color))
        told.append(_draw_shares(shares, name, runs[name], variants))
    else:
        for ax in (image, bars, shares):
            ax.set_axis_off()
    told.append(draw_accuracy(curves, runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_question(image, bars, shown: Mapping[str, object], color: str) -> str:
    """The digit, and the probabilities of its classes: those that are struck out are hatched and pale."""
    p, kept, tau = numpy.asarray(shown["p"]), numpy.asarray(shown["kept"]), float(shown["tau"])  # type: ignore
    image.imshow(numpy.asarray(shown["image"]), cmap="gray_r", interpolation="nearest")
    image.set_axis_off()
    for which, look in ((kept, {"color": color}),
                        (~kept, {"color": faded(color, 0.25), "hatch": "////", "edgecolor": color})):  # fmt: skip
        bars.bar(numpy.flatnonzero(which), 100 * p[which], width=0.75, **look)
    top = int(p.argmax())
    share, out = p[top] / p[kept].sum(), numpy.flatnonzero(~kept)
    names = ", ".join(map(str, out))
    bars.set(xlim=(-0.6, len(p) - 0.4), ylim=(0, 100), yticks=(0, 50, 100), xticks=range(len(p)))
    bars.set_title(f"{top} has {100 * p[top]:.0f} %; without {names}: {100 * share:.0f} %", fontsize=12)
    for k in range(len(p)):
        if not kept[k]:
            bars.text(k, 100 * p[k] + 3, "✗", ha="center", va="bottom", fontsize=11, color=text_color(color))
    enough = "which is enough" if share >= tau else "which is not enough"
    return f"Of a digit {top} has {p[top]:.0%}. With {names} struck out it has {share:.0%}, {enough} for {tau:.0%}."


def _draw_shares(ax, name: str, run: Sequence[Recorded], variants: Sequence[str]) -> str:
    """How many digits are sure, and who is right, by step; in colours that no variant has."""
    styles = styles_of([], [*variants, *_SHARES.values()])
    ends, told, x = [], [], [record.numbers["step"] for record in run]
    for number, words in _SHARES.items():
        values = [100 * record.numbers[number] for record in run]
        style = styles[words]
        color = REFERENCE if number == "by_chance" else style.color
        draw_line(ax, x, values, style._replace(color=color), markersize=4)
        last = end_of(values)
        if not math.isnan(last):
            ends.append((last, f"{words} {last:.0f}", color))
        told.append(f"{words} {in_percent_words(last / 100, 0)}")
    percent_axis(ax, "")
    ax.set(title=f"unlabelled digits, % ({name})", yticks=range(0, 101, 25))
    whole_ticks(ax.xaxis, 5)
    label_ends(ax, [0, max(x[-1], 2)], ends)
    return f"Unlabelled digits, {name}: {', '.join(told)}."
