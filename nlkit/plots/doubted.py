"""Pictures of labels that nobody drew: what a model of shapes makes of them, the weight of pixels, what is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.outlines import GIVEN, PREDICTED, TRUTH, draw_outlines, name_lines
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, styles_of
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_LEFT, _CURVES = 1.0, 2.45  # inches
_ROWS = {"labels": "label", "mend": "mended", "weight": "weight", "prediction": "prediction"}


@picture
def labels_and_doubts(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Images of the last of the runs with label and prediction, and where pixels are weighed, mends and weights too;
    below, judged and true quality of the first labels, and Dice by epoch for all runs.

    records: name -> its records so far, as `nlkit.papers.noisy_dice_training.Unannotated` makes them. variants: all
    names that there are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    shown: Any = list(runs.values())[-1][-1].shown if runs else {}
    rows = [row for row in _ROWS if runs and (row in ("labels", "prediction") or bool((shown["weight"] < 1).any()))]
    count = len(shown["images"]) if runs else 1
    side = (PANEL_WIDTH - _LEFT - 0.03) / count
    above = side * len(rows) + 0.35 if runs else 0.0
    figure, place = panel_figure(_CURVES + above)
    told = []
    for line, row in enumerate(rows):
        bottom = _CURVES + above - 0.05 - (line + 1) * side
        for column in range(count):
            ax = place(_LEFT + column * side, bottom + 0.02, side - 0.04, side - 0.04)
            _draw_cell(ax, row, shown, column)
        figure.text((_LEFT - 0.08) / PANEL_WIDTH, (bottom + side / 2) / figure.get_figheight(), _ROWS[row], ha="right",
                    va="center", fontsize=12)  # fmt: skip
    if runs:
        name_lines(figure, {"true": TRUTH, "label": GIVEN, "predicted": PREDICTED}, 0.55, _CURVES + 0.13)
        name, last = list(runs)[-1], list(runs.values())[-1][-1].numbers
        told.append(f"{count} images, their labels and what {name} predicts; the Dice of its labels is "
                    f"{in_percent_words(last['labels'])}.")  # fmt: skip
        told.append(_draw_quality(place(0.72, 0.5, 1.5, _CURVES - 0.95), shown))
    ax = place(2.75, 0.5, 1.85, _CURVES - 0.95) if runs else place(0.5, 0.5, 3.9, _CURVES - 0.95)
    drawn = draw_runs(ax, runs, styles, "dice")
    fitted_axis(ax, drawn.values, "")
    label_ends(ax, [1, drawn.last], drawn.ends)
    whole_ticks(ax.xaxis, 4)
    ax.set(title="Dice on new images, %")
    ax.set_xlabel("epoch", labelpad=1)
    told.append(f"Dice in test images: {', '.join(drawn.told)}." if drawn.told else "Dice by epoch. No run yet.")
    figure.alt = " ".join(told)
    return figure


def _draw_cell(ax, row: str, shown: Any, column: int) -> None:
    truth = shown["truth"][column].int(), TRUTH
    if row in ("labels", "prediction"):
        mask = shown[row][column].int(), GIVEN if row == "labels" else PREDICTED
        draw_outlines(ax, shown["images"][column], [truth, mask])
        return
    brightest = 1 if row == "mend" else 1.2  # so that a weight of 1 is told from the page
    draw_outlines(ax, shown[row][column], [truth] if row == "mend" else [], limits=(0, brightest))
    if row == "weight" and not shown["kept"][column]:
        ax.text(0.5, 0.04, "left out", fontsize=11, ha="center", va="bottom", transform=ax.transAxes)


def _draw_quality(ax, shown: Any) -> str:
    """Each label's judged quality beside its true one, those of images with an artefact as crosses; in words."""
    judged, true = (100 * numpy.asarray(shown[key]) for key in ("judged", "quality"))
    for kind, name, which in (("right", "clear", ~shown["artefacts"]), ("wrong", "artefact", shown["artefacts"])):
        style, which = KINDS_OF_LABEL[kind], numpy.asarray(which)
        look = {"s": 16, "marker": style.marker, "color": style.color, "linewidths": 0}
        ax.scatter(judged[which], true[which], label=name, **look)
    ax.legend(frameon=False, handletextpad=0, borderpad=0, borderaxespad=0.1, labelspacing=0.2)
    ax.set(title="first labels, Dice, %", ylabel="with the truth")
    ax.set_xlabel("with their mend", labelpad=1)
    return "Labels by their Dice with their mend and with the truth; crosses are of images with an artefact."


@picture
def labels_of_images(images: Any, truth: Any, labels: Any) -> Figure:
    """Images (n, H, W) in two rows: as they are, and with the outlines of what is there and of the label (n, H, W)."""
    count = len(images)
    side = PANEL_WIDTH / count
    figure, place = panel_figure(2 * side + 0.3)
    for column in range(count):
        for row, masks in enumerate(([], [(truth[column].int(), TRUTH), (labels[column].int(), GIVEN)])):
            ax = place(column * side + 0.03, 0.3 + (1 - row) * side, side - 0.06, side - 0.06)
            draw_outlines(ax, images[column], masks)
    name_lines(figure, {"true": TRUTH, "label": GIVEN}, 0.5, 0.14)
    figure.alt = f"{count} ultrasound-like images, and below each its head as it is and as the label has it."
    return figure
