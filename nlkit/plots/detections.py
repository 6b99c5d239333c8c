"""Pictures of boxes that somebody named: which of them are right, which are taken for labels, and by which scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from nlkit.plots.axes import draw_runs, percent_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.scenes import frame, show_scene
from nlkit.plots.style import KINDS_OF_LABEL, styles_of, text_color
from nlkit.records import Recorded

_SCENE, _SCATTER, _CURVES, _BOXES, _POINTS = 2.3, 1.4, 1.95, 7, 250  # inches; boxes in a scene, points in a scatter
_WORD = (0.235, 0.093)  # width and height of a name with its score, in shares of the scene


@picture
def named_boxes(scene: Any, boxes: Any, names: Any, scores: Any, right: Any, used: Any) -> Figure:
    """A scene (S, S) with boxes (n, 4), each with its name and score, beside it what the lines mean.

    names (n,) classes, scores (n,) in [0, 1], right (n,) and used (n,) bool.
    """
    figure, place = panel_figure(_SCENE + 0.15)
    shown = {"scene": scene, "boxes": boxes, "names": names, "score": scores, "right": right, "used": used}
    figure.alt = "A scene with boxes that somebody named: " + _draw_boxes(place(0.05, 0.07, _SCENE, _SCENE), shown)
    ax = place(_SCENE + 0.3, 0.07, PANEL_WIDTH - _SCENE - 0.35, _SCENE)
    _name_lines(ax)
    return figure


def _name_lines(ax) -> None:
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    rows = {"right, taken for a label": ("right", 2.6), "right, not taken": ("right", 1.0),
            "junk, taken for a label": ("wrong", 2.6), "junk, not taken": ("wrong", 1.0)}  # fmt: skip
    for line, (words, (kind, wide)) in enumerate(rows.items()):
        look = KINDS_OF_LABEL[kind]
        ax.plot([0.0, 0.18], [0.85 - 0.13 * line] * 2, look.line, color=look.color, linewidth=wide)
        ax.text(0.24, 0.85 - 0.13 * line, words, va="center")
    ax.text(0.0, 0.22, "at each box: the name\nit was given, and how\nsure of it", va="center")


def _draw_boxes(ax, shown: Mapping[str, Any]) -> str:
    """The boxes with the highest scores in their scene, each with its name and score; in words."""
    show_scene(ax, shown["scene"])
    boxes, scores = numpy.asarray(shown["boxes"]), numpy.asarray(shown["score"])
    told, taken = [], []
    for at in scores.argsort()[::-1][:_BOXES]:
        right, used = bool(shown["right"][at]), bool(shown["used"][at])
        look = KINDS_OF_LABEL["right" if right else "wrong"]
        frame(ax, boxes[at], linestyle=look.line, color=look.color, linewidth=2.6 if used else 1.0)
        words = f"{int(shown['names'][at])} {scores[at]:.2f}".replace(" 0.", " .")
        told.append(f"{words}, {'right' if right else 'junk'}{', taken' if used else ''}")
        if spot := _free_spot(boxes[at], taken):
            taken.append(spot)
            ax.text(*spot, words, ha="left", va="top", fontsize=11, color=text_color(look.color), zorder=4,
                    bbox={"facecolor": "white", "linewidth": 0, "pad": 0.5})  # fmt: skip
    return "; ".join(told) + "."


def _free_spot(box: numpy.ndarray, taken: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Where, left and top, a name fits at a corner of its box without lying on another one."""
    wide, tall = _WORD
    left, top, right, bottom = (float(side) for side in box)
    spots = [(left, top), (right - wide, bottom - tall), (right - wide, top), (left, bottom - tall),
             (left, top - tall), (left, bottom), (right - wide, bottom), (left, (top + bottom - tall) / 2)]  # fmt: skip
    for x, y in spots:
        x, y = min(max(x, 0.01), 0.99 - wide), min(max(y, 0.02), 0.98 - tall)
        if all(abs(x - a) > wide + 0.01 or abs(y - b) > tall + 0.01 for a, b in taken):
            return x, y
    return None


@picture
def candidates_and_precision(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """For up to two runs a scene with named boxes and all candidates by the two scores; below, AP of novel classes.

    records: name -> its records so far, as `nlkit.papers.marvelovd.Detecting` makes them: `shown` has a "scene" with
    "boxes", "names", "score", "right" and "used", and of all candidates "all_sure", "all_det", "all_right", "all_used".
    variants: all the names that there are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    height = _CURVES + (_SCENE + _SCATTER + 0.65 if runs else 0.0)
    figure, place = panel_figure(height)
    told = []
    if runs:
        key = place(2 * _SCENE + 0.3, height - _SCENE - 0.3, PANEL_WIDTH - 2 * _SCENE - 0.3, _SCENE)
        key.set_axis_off()
        key.text(0, 0.98, "whole, ●:\nright\n\ndashed, ✗:\njunk\n\nthick, filled:\ntaken for\na label", va="top",
                 fontsize=11)  # fmt: skip
    for at, (name, run) in enumerate(list(runs.items())[:2]):
        left = 0.08 + at * (_SCENE + 0.12)
        ax = place(left, height - _SCENE - 0.3, _SCENE, _SCENE)
        told.append(f"{name}, boxes of a scene: {_draw_boxes(ax, run[-1].shown)}")
        ax.set_title(name, color=text_color(styles[name].color), pad=4)
        below = place(left + 0.5, height - _SCENE - _SCATTER - 0.25, _SCENE - 0.6, _SCATTER - 0.35)
        told.append(_draw_scores(below, run[-1], first=not at))
    told.append(_draw_precision(place(0.5, 0.5, 3.9, _CURVES - 0.95), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_scores(ax, record: Recorded, *, first: bool) -> str:
    """Candidates by how sure the namer is, along x, and how novel they are to the detector; those taken are filled."""
    shown: Any = record.shown
    x, y, right, used = (numpy.asarray(shown[n])[:_POINTS] for n in ("all_sure", "all_det", "all_right", "all_used"))
    for kind, those in (("wrong", ~right), ("right", right)):
        look = KINDS_OF_LABEL[kind]
        for full in (False, True):
            which = those & (used == full)
            ax.plot(x[which], y[which], look.marker, color=look.color, markersize=4.5 if full else 3.5, mew=0.7,
                    markerfacecolor=look.color if full else "none", alpha=0.9 if full else 0.55)  # fmt: skip
    ax.set(xlim=(0.48, 1.02), ylim=(-0.04, 1.06), yticks=(0, 0.5, 1) if first else ())
    ax.set_xlabel("namer is sure", labelpad=1)
    if first:
        ax.set_ylabel("detector: novel", labelpad=1)
    numbers = record.numbers
    if "precision" not in numbers:
        return "No box is taken for a label."
    ax.set_title(f"labels: {numbers['precision']:.0%} right", pad=3, fontsize=12)
    return f"Of the labels {numbers['precision']:.0%} are right."


def _draw_precision(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping) -> str:
    drawn = draw_runs(ax, runs, styles, "novel")
    percent_axis(ax, "")
    label_ends(ax, [1, drawn.last], drawn.ends)
    whole_ticks(ax.xaxis, 6)
    ax.set(title="novel digits found: mean AP of 6 to 9, %")
    ax.set_xlabel("epoch", labelpad=1)
    return f"Mean AP of novel classes: {', '.join(drawn.told)}." if drawn.told else "AP by epoch. No run yet."
