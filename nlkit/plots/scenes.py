"""Pictures of scenes: crops of one as frames, the labels that they get, and a map of what is where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.patches
import numpy

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, faded, styles_of, text_color
from nlkit.records import Recorded

_SCENE, _BARS, _CURVES, _MOST = 1.75, 2.0, 2.1, 3  # inches: the scene, crops with their bars, curves; runs with bars
_DASHES, _HATCHES = ("-", "--", ":", "-."), ("", "////", "....")


def show_scene(ax, image: Any) -> None:
    """A canvas (S, S) in an axis whose ends are 0 and 1, left to right and top to bottom, as boxes are counted."""
    ax.imshow(numpy.asarray(image), cmap="gray_r", vmin=-0.3, vmax=1.1, extent=(0, 1, 1, 0))
    ax.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(1, 0))
    for spine in ax.spines.values():
        spine.set(visible=True, color=REFERENCE, linewidth=0.8)


def frame(ax, box: Sequence[float], **look: Any) -> None:
    """A box (left, top, right, bottom) as a rectangle without a filling."""
    left, top, right, bottom = (float(side) for side in box)
    ax.add_patch(matplotlib.patches.Rectangle((left, top), right - left, bottom - top, fill=False, **look))


@picture
def crops_of_scene(scene: Any, crops: Sequence[Sequence[float]], seen: Sequence[Any], words: Sequence[str]) -> Figure:
    """A scene (S, S) with crops (n, 4) as frames, and each of them enlarged (n, s, s) with words below."""
    count = len(seen)
    side = (PANEL_WIDTH - _SCENE - 0.3) / count
    figure, place = panel_figure(_SCENE + 0.1)
    _draw_frames(place(0.05, 0.05, _SCENE, _SCENE), scene, crops)
    for at, (image, line) in enumerate(zip(seen, words)):
        ax = place(_SCENE + 0.25 + at * side, 0.05 + (_SCENE - side) / 2, side - 0.1, side - 0.1)
        show_scene(ax, image)
        ax.set_title(f"{at + 1}", pad=3)
        ax.set_xlabel(line, labelpad=4, fontsize=11)
    figure.alt = f"A scene with {count} crops as frames; below the crops: {'; '.join(words)}."
    return figure


def _draw_frames(ax, scene: Any, crops: Sequence[Sequence[float]]) -> None:
    show_scene(ax, scene)
    for number, box in enumerate(crops, start=1):
        frame(ax, box, linestyle=_DASHES[(number - 1) % len(_DASHES)], color="#8B1A8B", linewidth=1.6)
        ax.text(float(box[0]) + 0.015, float(box[1]) + 0.01, str(number), ha="left", va="top", fontsize=11,
                color="#8B1A8B", weight="bold",
                zorder=4, bbox={"facecolor": "white", "linewidth": 0, "pad": 0.6})  # fmt: skip


@picture
def crops_and_accuracy(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """A scene with four crops, what the annotator sees where, the targets of each crop, and accuracy by epoch.

    records: name -> its records so far, as `nlkit.papers.relabel.Cropped` makes them: `shown` has "scene" (S, S),
    "digits" (2,) on it, "crops" (4, 4), what is "seen" in each (4, s, s), "targets" (4, K), and where there is an
    annotator its "map" (K, h, w). Bars are of the first three runs. variants: all the names that there are, in the
    order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    height = _CURVES + (_SCENE + _BARS + 0.45 if runs else 0.0)
    figure, place = panel_figure(height)
    told = []
    if runs:
        shown: Any = max(runs.values(), key=len)[-1].shown
        alike = {
            n: r[-1] for n, r in list(runs.items())[:_MOST] if numpy.allclose(r[-1].shown["crops"], shown["crops"])
        }
        top = height - _SCENE - 0.3
        ax = place(0.1, top, _SCENE, _SCENE)
        _draw_frames(ax, shown["scene"], shown["crops"])
        large, small = (int(digit) for digit in shown["digits"])
        ax.set_title(f"a {large}, and a small {small}" if small >= 0 else f"a {large}", pad=4, fontsize=12)
        told.append(f"A scene with a {large}" + (f" and a small {small}." if small >= 0 else "."))
        maps = next((run[-1].shown["map"] for run in runs.values() if "map" in run[-1].shown), None)
        _draw_maps(place, top, maps)
        told += _draw_targets(place, top - _BARS - 0.05, shown, alike, styles)
    told.append(_draw_accuracy(place(0.5, 0.5, 3.9, _CURVES - 0.95), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_maps(place, bottom: float, maps: Any) -> None:
    """Ten heat maps of how likely each class is at each place, in two rows."""
    if maps is None:
        return
    likely = numpy.asarray(maps.softmax(0))
    title = place(_SCENE + 0.4, bottom, PANEL_WIDTH - _SCENE - 0.45, _SCENE)
    title.set_axis_off()
    title.set_title("how likely each class is, place by place", pad=4, fontsize=12)
    side = (PANEL_WIDTH - _SCENE - 0.45) / 5
    tall = min(side - 0.1, _SCENE / 2 - 0.24)
    for digit, values in enumerate(likely):
        row, column = divmod(digit, 5)
        ax = place(_SCENE + 0.4 + column * side, bottom + (1 - row) * _SCENE / 2 + 0.03, tall, tall)
        ax.imshow(values, cmap="gray_r", vmin=0, vmax=1, extent=(0, 1, 1, 0), interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_title(str(digit), pad=2, fontsize=11)
        for spine in ax.spines.values():
            spine.set(visible=True, color=REFERENCE, linewidth=0.6)


def _draw_targets(place, bottom: float, shown: Any, runs: Mapping[str, Recorded], styles: Mapping) -> list[str]:
    """The crops in a row, below each the probabilities that its target gives to the classes; in words."""
    width, told, handles = (PANEL_WIDTH - 0.55) / len(shown["seen"]), [], []
    for number, image in enumerate(shown["seen"]):
        left = 0.5 + number * width
        ax = place(left + (width - 1.05) / 2 - 0.05, bottom + 1.0, 0.95, 0.95)
        show_scene(ax, image)
        ax.set_ylabel(str(number + 1), rotation=0, labelpad=7, va="center", weight="bold", color="#8B1A8B")
        bars = place(left, bottom + 0.2, width - 0.12, 0.7)
        for at, (name, record) in enumerate(runs.items()):
            target = numpy.asarray(record.shown["targets"][number])  # type: ignore[index]
            x = numpy.arange(len(target)) + 0.8 * ((at + 0.5) / len(runs) - 0.5)
            color = styles[name].color
            drawn = bars.bar(x, target, 0.8 / len(runs), color=faded(color, 0.9 if not at else 0.35), edgecolor=color,
                             hatch=_HATCHES[at], linewidth=0.6)  # fmt: skip
            if not number:
                handles.append(drawn)
            told.append(f"{name} calls crop {number + 1} a {int(target.argmax())} by {target.max():.0%}.")
        bars.set(xlim=(-0.7, 9.7), ylim=(0, 1.02), yticks=[0, 1] if not number else [], xticks=range(0, 10))
        bars.tick_params(axis="x", length=0, pad=2)
        bars.set_xticks(range(10), [str(d) if d % 3 == 0 else "" for d in range(10)])
        if not number and handles:
            legend = bars.legend(handles, list(runs), loc="upper left", bbox_to_anchor=(-0.15, -0.28), ncols=3,
                                 frameon=False, borderpad=0, handlelength=1.4, columnspacing=1.2)  # fmt: skip
            for text, name in zip(legend.get_texts(), runs):
                text.set_color(text_color(styles[name].color))
    return told


def _draw_accuracy(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping) -> str:
    drawn = draw_runs(ax, runs, styles, "accuracy")
    asked = [run[-1].numbers["annotator"] for run in runs.values() if "annotator" in run[-1].numbers]
    if asked:
        drawn.control(ax, asked[0], "annotator")
    fitted_axis(ax, drawn.values, "")
    label_ends(ax, [1, drawn.last], drawn.ends)
    whole_ticks(ax.xaxis, 6)
    ax.set(title="large digit named, on whole test scenes, %")
    ax.set_xlabel("epoch", labelpad=1)
    return f"The large digit named: {', '.join(drawn.told)}." if drawn.told else "Accuracy by epoch. No run yet."
