"""Where words go once a figure is laid out: titles within its edge, names of lines and marks of peaks in the clear."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import matplotlib
import matplotlib.lines
import matplotlib.patheffects
import numpy
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox

from nlkit.plots.style import text_color
from nlkit.plots.words import end_of, peak_of

_END, _PEAK = "end of a line", "mark of a peak"  # ids of texts that are moved when the layout is known
_GAP = 11  # points between the end of a line and its name, where a leader joins them if the name had to move
_LINE = 1.25  # height of a line of text, in font sizes


def label_ends(ax, x: Sequence[float], ends: Iterable[tuple[float, str, str]]) -> None:
    """Name lines at their right ends: (value, text, colour) each. `spread_labels` keeps the names apart.

    A line that ends early, in NaN, is named at the height of its last value; one without any value stays unnamed. Where
    there are more names than room, they stand below the axes instead.
    """
    named = [end for end in ends if not math.isnan(end[0])]
    width, box = ax.figure.get_figwidth(), ax.get_position()
    if ax.figure.get_layout_engine():
        letters = round(3.1 * width) if len(ax.figure.axes) < 3 else 18
        names = [_broken(text, letters) for _, text, _ in named]
    else:  # then the axes stay where they are
        names = [broken_at_end(text, (1 - box.x1) * width) for _, text, _ in named]
    named = [(value, name, color) for (value, _, color), name in zip(named, names)]
    if height_at_ends(names) > box.height * ax.figure.get_figheight():
        _name_below(ax, named)
    else:
        for value, text, color in named:
            place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False}
            label = ax.annotate(text, (1, value), (_GAP, 0), va="center", color=text_color(color), linespacing=1.05,
                                **place)  # fmt: skip
            label.set_gid(_END)
    if ax.get_xscale() == "log":
        ax.set_xlim(x[0] / 1.1, x[-1] * 1.1)
    else:
        margin = 0.02 * (x[-1] - x[0]) or 0.5
        ax.set_xlim(x[0] - margin, x[-1] + margin)


def broken_at_end(text: str, room: float) -> str:
    """A text as `label_ends` breaks it where so many inches are left beside the axes."""
    room, size = room - (_GAP + 2) / 72, matplotlib.rcParams["font.size"]
    letters = [math.floor(len(line) * room / max(room, _width(line, size))) for line in text.split("\n")]
    return "\n".join(textwrap.fill(line, max(1, n)) for line, n in zip(text.split("\n"), letters) if line)


def height_at_ends(names: Iterable[str]) -> float:
    """How many inches these names take, one above the other, at the ends of lines."""
    return sum(name.count("\n") + 1 for name in names) * 12 * _LINE / 72


def _width(text: str, size: float) -> float:
    """Inches that a line of text takes."""
    return text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)[0] / 72


def _broken(text: str, letters: int) -> str:
    return "\n".join(textwrap.fill(line, letters) for line in text.split("\n"))


def _name_below(ax, named: Sequence[tuple[float, str, str]]) -> None:
    """A legend under all axes, for which the figure is made taller."""
    figure, left, handles = ax.figure, list(ax.lines), []
    for _, _, color in named:
        line = next((one for one in left if one.get_color() == color), None)
        left = [one for one in left if one is not line]
        handles.append(line or matplotlib.lines.Line2D([], [], color=color))
    texts = [" ".join(text.split()) for _, text, _ in named]
    columns = max(1, min(5, int(figure.get_figwidth() / (0.6 + 0.1 * max(map(len, texts))))))
    below = 0.27 * math.ceil(len(texts) / columns)
    if figure.get_layout_engine():
        figure.set_figheight(figure.get_figheight() + below)
        figure.legend(handles, texts, loc="outside lower center", ncols=columns, frameon=False)
        return
    before, after = figure.get_figheight(), figure.get_figheight() + below
    figure.set_figheight(after)
    for part in figure.axes:  # which nobody else moves out of the way
        left_edge, bottom, wide, tall = part.get_position().bounds
        part.set_position((left_edge, (bottom * before + below) / after, wide, tall * before / after))
    for text in figure.texts:
        text.set_y((text.get_position()[1] * before + below) / after)
    figure.legend(handles, texts, loc="lower center", bbox_to_anchor=(0.5, 0), ncols=columns, frameon=False)


def mark_peak(ax, x: float, y: float, text: str, color: str) -> None:
    """A star at the highest point of a line, and its value, which `place_marks` puts where there is room."""
    ax.plot(x, y, marker="*", markersize=15, color=color, markeredgecolor="white", zorder=3)
    name_point(ax, x, y, text, color)


def name_point(ax, x: float, y: float, text: str, color: str) -> None:
    """A few words beside a point, which `place_marks` puts where there is room."""
    label = ax.annotate(
        text, (x, y), (4, 9), textcoords="offset points", color=text_color(color), annotation_clip=False
    )
    label.set_gid(_PEAK)
    label.set_path_effects([matplotlib.patheffects.withStroke(linewidth=2.5, foreground="white")])


def mark_if_it_fell(ax, x: Sequence[float], percent: Sequence[float], color: str) -> None:
    """Mark the peak of a line that ends more than a point below it."""
    top = peak_of(percent)
    if top is not None and percent[top] - end_of(percent) > 1:
        mark_peak(ax, x[top], percent[top], f"best {percent[top]:.1f}", color)


def spread_labels(figure) -> None:
    """Move the names at the ends of lines apart, and join each that was moved with its line."""
    for ax in figure.axes:
        labels = sorted((t for t in ax.texts if t.get_gid() == _END), key=lambda t: t.xy[1])
        box, pixel = ax.bbox, figure.dpi / 72
        at = [min(max(ax.transData.transform((1, t.xy[1]))[1], box.y0), box.y1) for t in labels]
        halves = [(t.get_text().count("\n") + 1) * t.get_fontsize() * _LINE * pixel / 2 for t in labels]
        places = _apart(at, halves, box.y0, box.y1)
        for label, value, place in zip(labels, at, places):
            data = ax.transData.transform((1, label.xy[1]))[1]
            label.set_position((_GAP, (place - data) / pixel))
            if abs(place - value) > 3 * pixel:
                _join(figure, box.x1, value, box.x1 + (_GAP - 2) * pixel, place, label.get_color())


def _apart(wishes: Sequence[float], halves: Sequence[float], low: float, high: float) -> list[float]:
    """Places as near to the wishes, in rising order, as labels of these half heights can be without touching."""
    groups: list[
        tuple[int, float, float]
    ] = []  # labels that touch: how many, sum of their wished bottoms, height so far
    starts = [0.0, *itertools.accumulate(2 * half for half in halves)]  # of each label, if all stood on each other
    for wish, half, start in zip(wishes, halves, starts):
        count, total = 1, wish - half - start
        while groups and groups[-1][1] / groups[-1][0] > total / count:
            others, before = groups.pop()
            count, total = count + others, total + before
        groups.append((count, total))
    bottoms = [total / count for count, total in groups for _ in range(count)]
    highest = high + (halves[-1] if halves else 0) - starts[-1]  # of the bottom of all, if they reach up to the top
    lowest = low - (halves[0] if halves else 0)
    return [max(min(b, highest), lowest) + start + half for b, start, half in zip(bottoms, starts, halves)]


def _join(figure, left: float, low: float, right: float, high: float, color: str) -> None:
    """A thin line between two points of the figure, in pixels."""
    (x0, y0), (x1, y1) = figure.transFigure.inverted().transform([(left + 2, low), (right, high)])
    leader = matplotlib.lines.Line2D([x0, x1], [y0, y1], color=color, linewidth=0.8, transform=figure.transFigure)
    figure.add_artist(leader)


def place_marks(figure) -> None:
    """Put the value beside each star where it covers no other text, and as little of the lines as may be."""
    marks = [t for ax in figure.axes for t in ax.texts if t.get_gid() == _PEAK]
    if not marks:
        return
    renderer = figure.canvas.get_renderer()
    # A tick at the edge of a picture has a text that is empty until it is drawn; those stand outside the axes anyway.
    taken = [_extent(t, renderer) for t in figure.findobj(Text) if t not in marks and t.get_text() and t.get_visible()]
    for mark in marks:
        dots = numpy.concatenate([_dots(line) for line in mark.axes.lines if len(line.get_xdata())])
        found = []
        for place, (x, y, side) in enumerate(_around()):
            mark.set_position((x, y))
            mark.set_ha(side)
            box = _extent(mark, renderer)
            outside = box.x0 < 2 or box.x1 > figure.bbox.width - 2 or box.y1 > figure.bbox.height - 2
            low = box.y0 < mark.axes.bbox.y0 or box.x0 < mark.axes.bbox.x0
            over = sum(box.overlaps(other) for other in taken)
            covered = ((dots > box.min) & (dots < box.max)).all(1).sum()
            found.append((over + outside + low, 10 * covered + place, (x, y, side), box))
        _, _, (x, y, side), box = min(found, key=lambda one: one[:2])
        mark.set_position((x, y))
        mark.set_ha(side)
        taken.append(box)


def _around() -> Iterator[tuple[float, float, str]]:
    """Places around a star, the nearest above it first: (x, y) in points, and the side on which the text is held."""
    for far in (9, 22, 35, 48, 61):
        for y, side in itertools.product((far, -far - 10), ("left", "right")):
            yield (4.0 if side == "left" else -4.0), float(y), side
    for y, side in itertools.product((-4, -18, 10), ("left", "right")):
        yield (12.0 if side == "left" else -12.0), float(y), side


def _extent(text: Text, renderer) -> Bbox:
    return text.get_window_extent(renderer)


def _dots(line) -> numpy.ndarray:
    """Points along a line, in pixels, dense enough that a word on it covers some."""
    at = line.get_transform().transform(numpy.column_stack([line.get_xdata(), line.get_ydata()]))
    at = at[numpy.isfinite(at).all(1)]
    if len(at) < 2:
        return at
    steps = numpy.linspace(0, len(at) - 1, max(200, len(at)))
    return numpy.column_stack([numpy.interp(steps, range(len(at)), at[:, i]) for i in range(2)])


def break_titles(figure) -> bool:
    """Break titles and names of axes that are longer than their room; whether there was one."""
    renderer, broken = figure.canvas.get_renderer(), False
    width, height = figure.bbox.width, figure.bbox.height
    rooms = ((figure._suptitle, 0.98 * width), (figure._supxlabel, 0.98 * width), (figure._supylabel, height))
    for text, room in rooms:
        broken |= text is not None and _fit(text, room, renderer)
    boxes = {ax: ax.bbox for ax in figure.axes}
    for ax, box in boxes.items():
        beside = [b for b in boxes.values() if b is not box and b.y0 < box.y1 and b.y1 > box.y0]
        right = min((b.x0 for b in beside if b.x0 >= box.x1), default=width)
        left = max((b.x1 for b in beside if b.x1 <= box.x0), default=0)
        above = [b for b in boxes.values() if b is not box and b.x0 < box.x1 and b.x1 > box.x0]
        top = min((b.y0 for b in above if b.y0 >= box.y1), default=height)
        bottom = max((b.y1 for b in above if b.y1 <= box.y0), default=0)
        for title in (ax.title, ax._left_title):
            broken |= _fit(title, right - box.x0 - 6, renderer)
        across, up = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        broken |= _fit(ax.xaxis.label, 2 * min(right - across, across - left) - 4, renderer)
        broken |= _fit(ax.yaxis.label, 2 * min(top - up, up - bottom) - 4, renderer)
    return broken


def _fit(text: Text, room: float, renderer) -> bool:
    words = text.get_text()
    if not words:
        return False
    box = text.get_window_extent(renderer)
    long = box.height if text.get_rotation() == 90 else box.width
    if long <= room:
        return False
    letters = max(map(len, words.split("\n"))) * room / long
    text.set_text(_broken(words, max(8, math.floor(letters))))
    return True
