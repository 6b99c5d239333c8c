"""The figure itself: drawn without pyplot, under the kit's own settings, laid out once, with words for those who hear.

Whatever is drawn, `picture` sees to it that titles break where they would leave the figure, and that names of lines and
marks of peaks keep clear of each other.
"""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable

import matplotlib
import matplotlib.artist
import matplotlib.figure
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nlkit.plots.places import break_titles, place_marks, spread_labels

PANEL_WIDTH, PANEL_DPI = 6.1, 162  # inches and dots an inch: where a page has room for 588 pixels, as JupyterLab on a
# screen of 768, points are shown as points, and on a wider one larger and still sharp, up to 988 pixels
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


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself in a notebook without pyplot, with alternative text."""

    alt = ""

    def __init__(self, **options):
        super().__init__(**options)
        self._canvas = FigureCanvasAgg(self)

    def drawn(self) -> FigureCanvasAgg:
        """The canvas with the picture on it."""
        self._canvas.draw()
        return self._canvas

    def png(self) -> bytes:
        """The picture as PNG bytes."""
        return _as_png(self.drawn())

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {
            "image/png": base64.b64encode(with_fewer_colors(self.png())).decode(),
            "text/plain": f"Picture: {self.alt}",
        }
        return data, {"image/png": {"alt": self.alt}}


def panel_figure(height: float) -> tuple[Figure, Callable[[float, float, float, float], Axes]]:
    """A figure as wide as a panel and so many inches tall, and what adds axes to it by left, bottom, width and height,
    in inches."""
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)

    def place(left: float, bottom: float, width: float, tall: float) -> Axes:
        return figure.add_axes((left / PANEL_WIDTH, bottom / height, width / PANEL_WIDTH, tall / height))

    return figure, place


class QuickFigure(Figure):
    """A figure for a slider: what is within its axes may be drawn anew, all around it (ticks, names) is drawn once."""

    def __init__(self, **options):
        super().__init__(**options)
        self._around = None
        self._shown: dict = {}  # axes -> what they were said to show
        self._pieces: dict = {}  # axes -> the pixels within them, once they have been drawn

    def empty(self, ax) -> None:
        """Take out what is within the axes, to draw it anew."""
        for artist in _within(ax):
            artist.remove()

    def keeps(self, ax, shown: object) -> bool:
        """Whether the axes show the same as before, so that their pixels stay; if not, they are emptied.

        shown: what they are to show, anything that can be compared. Nothing of other axes may lie within them.
        """
        if ax in self._shown and self._shown[ax] == shown:
            return True
        self._shown[ax] = shown
        self._pieces.pop(ax, None)
        self.empty(ax)
        return False

    def png(self) -> bytes:
        """The picture as PNG bytes: where it has no photographs, with 256 colours, which takes a third of the time."""
        photographs = any(image.get_array().ndim == 3 for ax in self.axes for image in ax.images)
        return _as_png(self.drawn(), few_colors=not photographs)

    def drawn(self) -> FigureCanvasAgg:
        if self._around is None:
            for ax in self.axes:
                for artist in _within(ax):
                    artist.set_animated(True)  # which keeps it out of `draw`
            self._canvas.draw()
            self._around = self._canvas.copy_from_bbox(self.bbox)
        self._canvas.restore_region(self._around)
        for ax in self.axes:
            if ax in self._pieces:
                self._canvas.restore_region(self._pieces[ax])
                continue
            for artist in sorted(_within(ax), key=lambda a: a.zorder):
                ax.draw_artist(artist)
            if ax in self._shown:
                self._pieces[ax] = self._canvas.copy_from_bbox(ax.bbox)
        return self._canvas


def _within(ax) -> list[matplotlib.artist.Artist]:
    return [*ax.images, *ax.collections, *ax.patches, *ax.lines, *ax.texts]


def _as_png(canvas: FigureCanvasAgg, *, few_colors: bool = False) -> bytes:
    """What is on the canvas as a PNG, packed fast rather than tight."""
    from PIL import Image

    seen = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    buffer = io.BytesIO()
    (_few_colors(seen) if few_colors else seen).save(buffer, format="png", compress_level=3)
    return buffer.getvalue()


def with_fewer_colors(png: bytes) -> bytes:
    """The picture with at most 256 colours: a third of the bytes, for what a notebook keeps."""
    from PIL import Image

    seen, buffer = Image.open(io.BytesIO(png)), io.BytesIO()
    if seen.mode == "P":  # it has no more
        return png
    _few_colors(seen.convert("RGB")).save(buffer, format="png")
    return buffer.getvalue()


def _few_colors(image):
    from PIL import Image

    return image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def picture(draw):
    """Run a drawing function under the kit's own settings, whatever the reader's matplotlib is set to."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Figure:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_SETTINGS)
            figure = draw(*args, **kwargs)
            _lay_out(figure)
            spread_labels(figure)
            place_marks(figure)
        return figure

    return drawn


def _lay_out(figure) -> None:
    """Lay the figure out once and for all: otherwise it would be laid out, and drawn for that, again at each save."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        if break_titles(figure):
            engine.execute(figure)
        figure.set_layout_engine(None)
