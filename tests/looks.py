"""What is seen of a picture: which texts were drawn, where and on what, and the colours and ticks around them."""

import io
from collections.abc import Iterator
from typing import NamedTuple

import matplotlib.axes
import matplotlib.collections
import matplotlib.patches
import numpy
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image


class Seen(NamedTuple):
    """A text as it was drawn: its words, size in points, colour, its corners in pixels (4, 2), what is behind it."""

    words: str
    points: float
    color: tuple
    corners: numpy.ndarray
    behind: tuple | None


class Look(NamedTuple):
    png: bytes
    alt: str
    size: tuple[int, int]
    texts: tuple[Seen, ...]
    counted: tuple[tuple[str, str], ...]  # (name of the axis, text of a tick) of axes that count something
    colors: frozenset  # of lines, bars, areas and texts
    lines: tuple  # (colour, dashes, marker) of full lines, for each axes


def look_at(figure) -> Look:
    """Draw the figure once, and keep what was seen."""
    drawn, draw = {}, Text.draw

    def noticed(text, renderer, *args, **kwargs):
        if text.get_visible() and text.get_text().strip():
            drawn[id(text)] = text
        return draw(text, renderer, *args, **kwargs)

    Text.draw = noticed
    try:
        png = figure.png()
    finally:
        Text.draw = draw
    renderer = figure.canvas.get_renderer()
    pixels = numpy.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(numpy.int32)
    packed = (pixels[..., 0] << 16) + (pixels[..., 1] << 8) + pixels[..., 2]
    texts = tuple(seen(text, renderer, packed) for text in drawn.values())
    return Look(
        png, figure.alt, (packed.shape[1], packed.shape[0]), texts, tuple(counted(figure, drawn)),
        frozenset(colors(figure)), tuple(full_lines(figure)),
    )  # fmt: skip


def seen(text: Text, renderer, packed: numpy.ndarray) -> Seen:
    box = text.get_window_extent(renderer)
    angle = text.get_rotation()
    if angle % 90:  # the box around a slanted text holds much that is not of it
        text.set_rotation(0)
        flat = text.get_window_extent(renderer)
        text.set_rotation(angle)
        half = numpy.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (flat.width / 2, flat.height / 2)
        turn = numpy.deg2rad(angle)
        around = numpy.array([[numpy.cos(turn), -numpy.sin(turn)], [numpy.sin(turn), numpy.cos(turn)]])
        corners = (box.min + box.max) / 2 + half @ around.T
    else:
        corners = numpy.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])
    height = packed.shape[0]
    part = packed[max(0, int(height - box.y1)) : int(height - box.y0), max(0, int(box.x0)) : int(box.x1)]
    behind = None
    if part.size and not angle % 90:
        values, counts = numpy.unique(part, return_counts=True)
        most = int(values[counts.argmax()])  # most of a text's box is what is behind it
        behind = (most >> 16) / 255, (most >> 8 & 255) / 255, (most & 255) / 255
    return Seen(text.get_text(), text.get_fontsize(), to_rgb(text.get_color()), corners, behind)


def overlap(one: numpy.ndarray, other: numpy.ndarray, spared: float) -> bool:
    """Whether two rectangles of any angle share more than a rim of `spared` pixels: some axis keeps others apart."""
    for corners in (one, other):
        for side in (corners[1] - corners[0], corners[2] - corners[1]):
            axis = side / max(numpy.linalg.norm(side), 1e-9)
            a, b = one @ axis, other @ axis
            if min(a.max(), b.max()) - max(a.min(), b.min()) <= spared:
                return False
    return True


COUNTED = ("epoch", "examples", "passes", "clean examples", "number of")


def counted(figure, drawn) -> Iterator[tuple[str, str]]:
    """Ticks of axes that count. An axis without a name counts what another one of the picture along it does."""
    axes = figure.findobj(matplotlib.axes.Axes)
    for side in ("xaxis", "yaxis"):
        names = [getattr(ax, side).get_label_text() for ax in axes]
        shared = next((name for name in names if name.startswith(COUNTED)), "")
        for ax, name in zip(axes, names):
            name = name or (shared if side == "xaxis" else "")
            if name.startswith(COUNTED):
                for tick in getattr(ax, side).get_majorticklabels():
                    if id(tick) in drawn:
                        yield name, tick.get_text()


def colors(figure) -> Iterator[tuple]:
    for line in figure.findobj(matplotlib.lines.Line2D):
        if len(line.get_xdata()) and (line.get_linestyle() != "None" or line.get_marker() not in ("None", "")):
            yield to_rgb(line.get_color())
    for patch in figure.findobj(matplotlib.patches.Patch):
        for color, there in ((patch.get_facecolor(), patch.get_fill()), (patch.get_edgecolor(), patch.get_linewidth())):
            if there and color[3]:
                yield tuple(color[:3])
    for collection in figure.findobj(matplotlib.collections.Collection):
        for found in (collection.get_facecolor(), collection.get_edgecolor()):
            yield from (tuple(color[:3]) for color in found if color[3])
    yield from (to_rgb(text.get_color()) for text in figure.findobj(Text) if text.get_text().strip())


def full_lines(figure) -> Iterator[list[tuple]]:
    """For each axes the looks of its lines and steps, earlier runs, ends of error bars and keys left out."""
    for ax in figure.findobj(matplotlib.axes.Axes):
        lines = [line for line in ax.lines if line.get_marker() not in ("_", "|") and len(line.get_xdata())]
        looks = [
            (to_rgb(line.get_color()), str(line._unscaled_dash_pattern), line.get_marker())
            for line in lines
            if (line.get_alpha() or 1) == 1
        ]
        steps = [patch for patch in ax.patches if isinstance(patch, matplotlib.patches.StepPatch)]
        yield looks + [(to_rgb(step.get_edgecolor()), step.get_linestyle(), "") for step in steps]
