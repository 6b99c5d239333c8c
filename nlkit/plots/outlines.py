"""Pictures of masks as outlines upon their image: true, given, predicted, corrected, each with a line of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import contourpy
import numpy
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from nlkit.data.masked_scenes import ORGANS
from nlkit.plots.axes import GRID, draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import FATES, KINDS_OF_LABEL, REFERENCE, Style, styles_of
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

TRUTH, GIVEN = KINDS_OF_LABEL["right"], KINDS_OF_LABEL["wrong"]
PREDICTED = Style(FATES["memorized"].color, "h", ":")
CORRECTED = Style(KINDS_OF_LABEL["clean"].color, "s", "-.")
FITTED = Style(REFERENCE, "", "-.")  # agreement with the masks as given
_EDGE = [Stroke(linewidth=3.2, foreground="white"), Normal()]  # so that a line is seen on dark and on bright pixels
_CLASS_ROW, _CURVES = 1.95, 2.2  # inches


def draw_outlines(
    ax, image: Any, masks: Sequence[tuple[Any, Style]], limits: tuple[float, float] | None = None
) -> None:
    """An image (H, W) in grey, and upon it the outline of every class of each mask (H, W), in the mask's line.

    limits: what is black and what is white; if None, a little below the darkest pixel, and the brightest.
    """
    image = numpy.asarray(image)
    low, high = limits or (1.25 * image.min() - 0.25 * image.max(), image.max())
    ax.imshow(image, cmap="gray", vmin=low, vmax=high)
    for mask, style in masks:
        classes, lines = numpy.asarray(mask), []
        for which in range(1, int(classes.max()) + 1):
            lines += contourpy.contour_generator(z=classes == which).lines(0.5)
        look = {"colors": style.color, "linestyles": [style.line], "linewidths": 1.7, "path_effects": _EDGE}
        ax.add_collection(LineCollection(lines, **look), autolim=False)
    ax.set_axis_off()


def name_lines(figure: Figure, names: Mapping[str, Style], middle: float, height: float) -> None:
    """What each line means, in a row, its middle `height` inches above the foot of the figure."""
    handles = [Line2D([], [], color=style.color, linestyle=style.line, linewidth=1.8) for style in names.values()]
    figure.legend(handles, list(names), loc="center", bbox_to_anchor=(middle, height / figure.get_figheight()),
                  ncols=len(names), frameon=False, fontsize=11, handlelength=2.6, columnspacing=1.4,
                  borderaxespad=0)  # fmt: skip


@picture
def given_outlines(images: Any, truth: Any, given: Any, titles: Sequence[str] = ()) -> Figure:
    """Images (n, H, W) in a row with the outlines of two masks (n, H, W) each, the truth and the one that was given."""
    count, names = len(images), {"true": TRUTH, "given": GIVEN}
    side = PANEL_WIDTH / count
    figure, place = panel_figure(side + 0.28 + 0.25 * bool(titles))
    for column in range(count):
        ax = place(column * side + 0.03, 0.28, side - 0.06, side - 0.06)
        draw_outlines(ax, images[column], [(truth[column], TRUTH), (given[column], GIVEN)])
        if titles:
            ax.set_title(titles[column], fontsize=11, loc="center", pad=2)
    name_lines(figure, names, 0.5, 0.14)
    told = f": {', '.join(titles)}" if titles else ""
    figure.alt = f"{count} images, each with the outlines of what is there and those that were given{told}."
    return figure


@picture
def outlines_and_curves(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """One image with its outlines; what the last of the runs says of each class, by epoch; IoU on test images.

    records: name -> its records so far, as `nlkit.papers.adele_training.Segmenting` makes them. variants: all names
    that there are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    cells = _cells(runs)
    side = (PANEL_WIDTH - 0.05) / max(4, len(cells)) if cells else 0.0
    below = _CURVES + (_CLASS_ROW + 0.1 if runs else 0.0)
    figure, place = panel_figure(below + (side + 0.55 if cells else 0.0))
    told = []
    if runs:
        lines = {"true": TRUTH, "given": GIVEN, "predicted": PREDICTED}
        for column, (title, image, masks) in enumerate(cells):
            ax = place(column * side + 0.05, below + 0.27, side - 0.06, side - 0.06)
            draw_outlines(ax, image, masks)
            ax.set_title(title, fontsize=11, loc="center", pad=3)
            if title.endswith("corrected"):
                lines["corrected"] = CORRECTED
        name_lines(figure, lines, 0.5, below + 0.12)
        name = list(runs)[-1]
        told.append(_draw_classes(figure, place, name, runs[name]))
    ax = place(0.5, 0.5, 3.9, _CURVES - 0.9)
    drawn = draw_runs(ax, runs, styles, "iou")
    fitted_axis(ax, drawn.values, "")
    label_ends(ax, [1, drawn.last], drawn.ends)
    whole_ticks(ax.xaxis)
    ax.set(title="IoU of the organs in test images, %")
    ax.set_xlabel("epoch", labelpad=1)
    told.append(f"IoU in test images: {', '.join(drawn.told)}." if drawn.told else "IoU by epoch. No run yet.")
    figure.alt = " ".join(told)
    return figure


def _cells(runs: Mapping[str, Sequence[Recorded]]) -> list[tuple[str, Any, list[tuple[Any, Style]]]]:
    """Title, image and masks of each small picture: as given, as two runs predict, as the last one corrects."""
    cells: list[tuple[str, Any, list[tuple[Any, Style]]]] = []
    for name, run in [*runs.items()][-2:]:
        shown: Any = run[-1].shown
        truth = shown["truth"], TRUTH
        if not cells:
            cells.append(("as given", shown["image"], [truth, (shown["given mask"], GIVEN)]))
        cells.append((name, shown["image"], [truth, (shown["prediction"], PREDICTED)]))
    if runs and (shown["corrected"] != shown["given mask"]).any():
        cells.append(("corrected", shown["image"], [truth, (shown["corrected"], CORRECTED)]))
    return cells


def _draw_classes(figure: Figure, place: Any, name: str, run: Sequence[Recorded]) -> str:
    """A small picture of each organ: IoU with the masks given, and on wrong pixels with the truth and with them."""
    epochs, shown = [record.epoch for record in run], [record.shown for record in run]
    low, wide = _CURVES + 0.62, (PANEL_WIDTH - 0.5) / len(ORGANS)
    told = []
    for organ, title in enumerate(ORGANS):
        ax = place(0.45 + organ * wide, low, wide - 0.12, _CLASS_ROW - 1.05)
        for key, style, width in (("fit", FITTED, 1.2), ("true", TRUTH, 2), ("given", GIVEN, 2)):
            values = [100 * each[key][organ] for each in shown]  # type: ignore[index]
            ax.plot(epochs, values, color=style.color, linestyle=style.line, linewidth=width)
        onset = run[-1].numbers.get(f"onset, {title}", math.nan)
        rises: Any = shown[-1]["rises"]
        if organ in rises:
            before, rise = rises[organ]
            t = numpy.arange(1, int(epochs[-1] if math.isnan(onset) else onset) - before + 1)
            ax.plot(t + before, [100 * rise.at(x) for x in t], color="black", linestyle=":", linewidth=2)
        if not math.isnan(onset):
            ax.axvline(onset, color="black", linewidth=1)
            told.append(f"{title} from epoch {onset:.0f}")
        ax.set(ylim=(0, 100), xlim=(0.5, max(2, epochs[-1]) + 0.5), yticks=(0, 50, 100))
        ax.set_title(title if math.isnan(onset) else f"{title}, {onset:.0f}", fontsize=11, pad=3)
        ax.grid(axis="y", color=GRID, linewidth=0.6)
        whole_ticks(ax.xaxis, 3)
        if organ:
            ax.tick_params(labelleft=False)
    words = f"{name}: IoU in training images, %{', and epoch of the first correction' if told else ''}"
    figure.text(0.05 / PANEL_WIDTH, (low + _CLASS_ROW - 0.72) / figure.get_figheight(), words, fontsize=12)
    fit = {"fit": Style("black", "", ":")} if shown[-1]["rises"] else {}
    lines = {"with masks": FITTED, **fit, "wrong pixels: truth": TRUTH, "masks": GIVEN}
    name_lines(figure, lines, 0.5, _CURVES + 0.17)
    numbers = run[-1].numbers
    said = f"{name}: no pixel is wrong."
    if "true" in numbers:
        with_truth, with_masks = (in_percent_words(numbers[key], 0) for key in ("true", "given"))
        said = f"{name}, on wrong pixels: IoU with the truth {with_truth} and with masks {with_masks}."
    return f"{said} Corrected: {', '.join(told)}." if told else said
