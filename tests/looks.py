"""What is seen of a picture: which texts were drawn, where and on what, and the colours and ticks around them.

And what may be wrong with that: text cut off, or on other text; colours that can't be told apart or read.
"""

from collections.abc import Iterator
from typing import NamedTuple

import matplotlib.axes
import matplotlib.collections
import matplotlib.patches
import numpy
from matplotlib.colors import to_rgb
from matplotlib.text import Text


class Seen(NamedTuple):
    """A text as it was drawn: its words, size in points, colour, its corners in pixels (4, 2), what is behind it."""

    words: str
    points: float
    color: tuple
    corners: numpy.ndarray
    behind: tuple | None


class Look(NamedTuple):
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
        canvas = figure.drawn()
    finally:
        Text.draw = draw
    renderer = canvas.get_renderer()
    pixels = numpy.asarray(renderer.buffer_rgba())[..., :3].astype(numpy.int32)
    packed = (pixels[..., 0] << 16) + (pixels[..., 1] << 8) + pixels[..., 2]
    texts = tuple(seen(text, renderer, packed) for text in drawn.values())
    artists = figure.findobj()
    return Look(
        figure.alt, (packed.shape[1], packed.shape[0]), texts, tuple(counted(artists, drawn)),
        frozenset(colors(artists)), tuple(full_lines(artists)),
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


def counted(artists, drawn) -> Iterator[tuple[str, str]]:
    """Ticks of axes that count. An axis without a name counts what another one of the picture along it does."""
    axes = [artist for artist in artists if isinstance(artist, matplotlib.axes.Axes)]
    for side in ("xaxis", "yaxis"):
        names = [getattr(ax, side).get_label_text() for ax in axes]
        shared = next((name for name in names if name.startswith(COUNTED)), "")
        for ax, name in zip(axes, names):
            name = name or (shared if side == "xaxis" else "")
            if name.startswith(COUNTED):
                for tick in getattr(ax, side).get_majorticklabels():
                    if id(tick) in drawn:
                        yield name, tick.get_text()


def colors(artists) -> Iterator[tuple]:
    for artist in artists:
        if isinstance(artist, matplotlib.lines.Line2D):
            if len(artist.get_xdata()) and (
                artist.get_linestyle() != "None" or artist.get_marker() not in ("None", "")
            ):
                yield to_rgb(artist.get_color())
        elif isinstance(artist, matplotlib.patches.Patch):
            filled, edged = artist.get_fill(), artist.get_linewidth()
            for color, there in ((artist.get_facecolor(), filled), (artist.get_edgecolor(), edged)):
                if there and color[3]:
                    yield tuple(color[:3])
        elif isinstance(artist, matplotlib.collections.Collection) and artist.axes.get_label() != "<colorbar>":
            for found in (artist.get_facecolor(), artist.get_edgecolor()):
                yield from (tuple(color[:3]) for color in found if color[3])
        elif isinstance(artist, Text) and artist.get_text().strip():
            yield to_rgb(artist.get_color())


def full_lines(artists) -> Iterator[list[tuple]]:
    """For each axes the looks of its lines and steps, earlier runs, ends of error bars and keys left out."""
    for ax in (artist for artist in artists if isinstance(artist, matplotlib.axes.Axes)):
        # What lies behind all (a zero line) and single points (a star at a peak) are no lines that must be told apart.
        lines = [line for line in ax.lines if line.get_marker() not in ("_", "|") and len(line.get_xdata()) > 1]
        lines = [line for line in lines if line.get_zorder() > 0]
        looks = [
            (to_rgb(line.get_color()), str(line._unscaled_dash_pattern), line.get_marker())
            for line in lines
            if (line.get_alpha() or 1) == 1
        ]
        steps = [
            patch for patch in ax.patches if isinstance(patch, matplotlib.patches.StepPatch) and not patch.get_fill()
        ]
        yield looks + [(to_rgb(step.get_edgecolor()), step.get_linestyle(), "") for step in steps]


def faults_of_text(look: Look) -> list[tuple]:
    """Texts that are too small, cut off by the edge of the picture, or on each other."""
    width, height = look.size
    found: list[tuple] = [("small", text.words) for text in look.texts if text.points < 11]
    for text in look.texts:
        (x0, y0), (x1, y1) = text.corners.min(0), text.corners.max(0)
        if min(x0, y0) < -0.5 or x1 > width + 0.5 or y1 > height + 0.5:
            found.append(("cut off", text.words))
    boxes = [(*text.corners.min(0), *text.corners.max(0)) for text in look.texts]
    for i, one in enumerate(boxes):
        for j, other in enumerate(boxes[:i]):
            near = one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
            if near and overlap(look.texts[i].corners, look.texts[j].corners, spared=2.5):
                found.append(("on each other", look.texts[i].words, look.texts[j].words))
    return found


def linear(color) -> numpy.ndarray:
    """Amounts of light, from the channels of a colour on a screen."""
    channels = numpy.array(to_rgb(color))
    return numpy.where(channels > 0.04045, ((channels + 0.055) / 1.055) ** 2.4, channels / 12.92)


def luminance(color) -> float:
    return float(linear(color) @ (0.2126, 0.7152, 0.0722))


def contrast(one, other) -> float:
    """As WCAG 2 defines it: from 1, the same, to 21, black on white."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


SEEN_AS = {  # what is left of the light for those who lack a kind of cones (Machado et al. 2009), or in a print
    "": numpy.eye(3),
    "protanopia": numpy.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": numpy.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "grey": numpy.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}
TO_CONES = numpy.array(  # Ottosson's Oklab, in which equal distances look about equal
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
TO_LAB = numpy.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def distance(one, other, way: str = "") -> float:
    """How different two colours look, 100 being black from white; about 2 can just be told apart side by side."""
    labs = [TO_LAB @ numpy.cbrt(TO_CONES @ (SEEN_AS[way] @ linear(color)).clip(0, 1)) for color in (one, other)]
    return 100 * float(numpy.linalg.norm(labs[0] - labs[1]))
