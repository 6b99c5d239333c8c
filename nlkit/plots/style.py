"""The look of every picture: colours, sizes, the figure itself, and what several pictures draw alike.

Colours are Okabe and Ito's, which colour-blind readers can tell apart, with sky blue and orange darkened until a line
stands out from white (a contrast of 3, as WCAG 2 asks); each has a marker or a line style of its own.
"""

from __future__ import annotations

import base64
import functools
import io
import math
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import matplotlib.artist
import matplotlib.colors
import matplotlib.figure
from matplotlib.backends.backend_agg import FigureCanvasAgg


class Style(NamedTuple):
    color: str
    marker: str
    line: str


KINDS_OF_LABEL = {
    "right": Style("#0072B2", "o", "-"),
    "wrong": Style("#D55E00", "X", "--"),
    "clean": Style("#009E73", "s", "-."),
}
OF_UNKNOWN_TRUTH = Style("#5E5E5E", "d", ":")  # a label that nobody has verified, beside those that are right or wrong
METHOD_STYLES = {
    "standard": Style("#000000", "o", "-"),
    "clean_only": Style("#009E73", "s", "-."),
    "reweight": Style("#CC79A7", "D", "-"),
    "mixup": Style("#4A9BC8", "v", ":"),
    "mentornet": Style("#C48700", "^", "--"),
    "mentormix": Style("#0072B2", "P", "-"),
    "co-teaching": Style("#009E73", "<", ":"),
    "forward": Style("#D55E00", "p", "-."),
    "gce": Style("#C48700", "h", ":"),
    "elr": Style("#4A9BC8", "*", "-"),
    "em": Style("#D55E00", ">", "-"),
    "plain": Style("#000000", "o", "-"),  # diffusions in a graph
    "weighted": Style("#0072B2", "P", "-"),
    "weighted sweep": Style("#CC79A7", "D", "-"),
    "labels alone": Style("#D55E00", "X", ":"),
    "majority vote": Style("#C48700", "^", "--"),
    # losses for preferences
    "dpo": Style("#000000", "o", "-"),
    "cdpo": Style("#D55E00", "v", "--"),
    "rdpo": Style("#0072B2", "P", "-"),
    "ipo": Style("#C48700", "^", ":"),
    "slic": Style("#009E73", "s", "-."),
}
KINDS_OF_NOISE = {
    "blue": Style("#0072B2", "o", "-"),
    "red": Style("#D55E00", "X", "--"),
}
SPARE_STYLES = [
    Style("#D55E00", "X", "-."),
    Style("#4A9BC8", "h", "--"),
    Style("#C48700", "*", ":"),
    Style("#000000", "d", ":"),
]
_END_LABEL = "end of a line"
PANEL_WIDTH, PANEL_DPI = 6.1, 162  # inches and dots an inch: where a page has room for 588 pixels, as JupyterLab on a
# screen of 768, points are shown as points, and on a wider one larger and still sharp, up to 988 pixels
REFERENCE = "#767676"  # grey of 4.5:1 contrast on white, for marks that are measured against
_SETTINGS = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "figure.dpi": 100,
}


def method_style(method: str) -> Style:
    """Colour, marker and line style of a method, the same in every picture, also for one this file has not heard of."""
    return (
        METHOD_STYLES.get(method)
        or KINDS_OF_NOISE.get(method)
        or SPARE_STYLES[zlib.crc32(method.encode()) % len(SPARE_STYLES)]
    )


def styles_of(names: Sequence[str]) -> dict[str, Style]:
    """A style for each variant of a page: a method has its own, the others take what is left, in order."""
    taken = {method_style(name).color + method_style(name).line for name in names if name in METHOD_STYLES}
    left = [style for style in METHOD_STYLES.values() if style.color + style.line not in taken]
    free = iter(left * (1 + len(names) // max(1, len(left))))
    return {name: METHOD_STYLES.get(name) or next(free) for name in names}


def text_color(color: str) -> str:
    """The colour, darkened until text in it can be read on white (a contrast of 4.5, as WCAG 2 asks)."""
    rgb = matplotlib.colors.to_rgb(color)
    while contrast_on_white(rgb) < 4.5:
        rgb = tuple(0.95 * channel for channel in rgb)
    return matplotlib.colors.to_hex(rgb)


def contrast_on_white(rgb: tuple[float, float, float]) -> float:
    """As WCAG 2 defines it: from 1 for white to 21 for black."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def faded(color: str, share: float) -> str:
    """The colour mixed with white, of which there is 1 - `share`."""
    return matplotlib.colors.to_hex([1 - share * (1 - channel) for channel in matplotlib.colors.to_rgb(color)])


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself in a notebook without pyplot, with alternative text."""

    alt = ""

    def png(self) -> bytes:
        """The picture as PNG bytes."""
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        return _as_png(canvas)

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {
            "image/png": base64.b64encode(with_fewer_colors(self.png())).decode(),
            "text/plain": f"Picture: {self.alt}",
        }
        return data, {"image/png": {"alt": self.alt}}


class QuickFigure(Figure):
    """A figure for a slider: what is within its axes may be drawn anew, all around it (ticks, names) is drawn once."""

    def __init__(self, **options):
        super().__init__(**options)
        self._canvas, self._around = FigureCanvasAgg(self), None

    def empty(self, ax) -> None:
        """Take out what is within the axes, to draw it anew."""
        for artist in _within(ax):
            artist.remove()

    def png(self) -> bytes:
        if self._around is None:
            for ax in self.axes:
                for artist in _within(ax):
                    artist.set_animated(True)  # which keeps it out of `draw`
            self._canvas.draw()
            self._around = self._canvas.copy_from_bbox(self.bbox)
        self._canvas.restore_region(self._around)
        for ax in self.axes:
            for artist in sorted(_within(ax), key=lambda a: a.zorder):
                ax.draw_artist(artist)
        return _as_png(self._canvas)


def _within(ax) -> list[matplotlib.artist.Artist]:
    return [*ax.images, *ax.collections, *ax.patches, *ax.lines, *ax.texts]


def _as_png(canvas: FigureCanvasAgg) -> bytes:
    """What is on the canvas as a PNG, packed fast rather than tight."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB").save(
        buffer, format="png", compress_level=3
    )
    return buffer.getvalue()


def with_fewer_colors(png: bytes) -> bytes:
    """The picture with at most 256 colours: a third of the bytes, for what a notebook keeps."""
    from PIL import Image

    buffer = io.BytesIO()
    colors = {"method": Image.Quantize.FASTOCTREE, "dither": Image.Dither.NONE}
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, **colors).save(buffer, format="png")
    return buffer.getvalue()


def picture(draw):
    """Run a drawing function under the kit's own settings, whatever the reader's matplotlib is set to."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Figure:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_SETTINGS)
            figure = draw(*args, **kwargs)
            _lay_out(figure)
            _spread_labels(figure)
        return figure

    return drawn


def percent_axis(ax, label: str) -> None:
    ax.set(ylim=(0, 100), ylabel=f"{label}, %")
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)


def label_ends(ax, x, ends: Sequence[tuple[float, str, str]]) -> None:
    """Name lines at their right ends: (value, text, colour) each. `_spread_labels` keeps the names apart.

    A line that ends early, in NaN, is named at the height of its last value; one without any value stays unnamed.
    """
    for value, text, color in ends:
        if math.isnan(value):
            continue
        place = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False, "linespacing": 1.05}
        ax.annotate(text, (1.01, value), color=text_color(color), **place).set_gid(_END_LABEL)
    if ax.get_xscale() == "log":
        return ax.set_xlim(x[0] / 1.1, x[-1] * 1.1)
    margin = 0.02 * (x[-1] - x[0]) or 1
    ax.set_xlim(x[0] - margin, x[-1] + margin)


def _lay_out(figure) -> None:
    """Lay the figure out once and for all: otherwise it would be laid out, and drawn for that, again at each save."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)


def _spread_labels(figure) -> None:
    """Move the names at the ends of lines apart, now that the layout tells how high the axes are."""
    for ax in figure.axes:
        labels = sorted((t for t in ax.texts if t.get_gid() == _END_LABEL), key=lambda t: t.xy[1])
        low, high = ax.get_ylim()
        unit = (high - low) / ax.bbox.height  # of the y axis, in one pixel
        halves = [unit * (t.get_text().count("\n") + 1) * t.get_fontsize() * 1.25 * figure.dpi / 144 for t in labels]
        places, bottom = [], low
        for label, half in zip(labels, halves):
            places.append(max(label.xy[1], bottom + half))
            bottom = places[-1] + half
        top = high  # what was pushed beyond it goes down again, and pushes others
        for i in reversed(range(len(labels))):
            places[i] = min(places[i], top - halves[i])
            top = places[i] - halves[i]
            labels[i].set_position((labels[i].xy[0], places[i]))


def end_of(values: Sequence[float]) -> float:
    """The last value that is a number; NaN if none is."""
    return next((value for value in reversed(values) if not math.isnan(value)), math.nan)


def in_percent_words(share: float, digits: int = 1) -> str:
    """A share in [0, 1] in words; one that is not defined is a dash."""
    return "–" if math.isnan(share) else f"{share:.{digits}%}"


def short_name(name: str, most: int = 10) -> str:
    """The name of a class where there is little room: its ends, since names often differ in their last letters."""
    return name if len(name) <= most else f"{name[: most - 5]}…{name[-4:]}"


def first_letters(name: str, kept: int = 5) -> str:
    """The name of a class where there is hardly any room, as on the axes of a small matrix."""
    return name if len(name) <= kept + 1 else f"{name[:kept]}…"


def class_ticks(ax, sides: str, names: Sequence[str], room: float, every: int = 1) -> None:
    """Name the classes 0 … K - 1 along the sides ("x", "y" or "xy") of axes that are `room` inches long there.

    All in full if that fits along "x"; else as many as there is room for, at equal steps, long ones shortened to what
    tells them apart.
    """
    if sides == "x" and 0.1 * (sum(map(len, names)) + len(names)) < room:  # inches that a letter takes
        ax.set_xticks(range(len(names)), names)
        return
    every = max(every, math.ceil(0.14 * len(names) / room))  # inches that a line of text takes
    first, last = [first_letters(n) for n in names], [n if len(n) <= 6 else f"…{n[-5:]}" for n in names]
    short = first if len(set(first)) >= len(set(last)) else last
    for side in sides:
        axis = ax.xaxis if side == "x" else ax.yaxis
        axis.set_ticks(range(0, len(names), every), short[::every])
    if "x" in sides:
        longest = max(map(len, names))
        fits = longest < 4 and 0.085 * longest * len(names) / every < room
        ax.tick_params(axis="x", rotation=0 if fits else 60)


def marker_every(epochs: Sequence[int]) -> int:
    return max(1, len(epochs) // 10)
