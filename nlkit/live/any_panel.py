"""What all panels share: their look, a line that tells the state, a picture that stays, and an end."""

from __future__ import annotations

import base64
import contextlib
import html
import os
import sys
import weakref
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import ipywidgets as widgets
import traitlets

from nlkit.live.driver import Driver
from nlkit.plots import Figure
from nlkit.plots.figure import with_fewer_colors

_WIDTH, _LEAST_WIDTH = 988, 588  # of the pictures, in pixels; where there is less room, they move sideways
_TWO_COLUMNS = 860  # pixels: the least width at which controls stand beside the picture
_BARS = 124  # pixels: what JupyterLab's own bars take of the window's height
# ipywidgets names no slider to a screen reader, and reads a place in a list for its value; nor has it an element that
# lives on while its words change, which is what a screen reader listens to. Nothing is lost where scripts are off.
_SCRIPT = """
const panel = this.closest('.nlkit-panel');
const set = (element, key, value) => element.getAttribute(key) == value || element.setAttribute(key, value);
const name = () => {
  for (const slider of panel.querySelectorAll('.widget-slider')) {
    const [handle, label, readout] = ['.noUi-handle', '.widget-label', '.widget-readout'].map(
      part => slider.querySelector(part));
    if (!handle || !label || !readout) continue;
    set(handle, 'aria-label', label.textContent);
    set(handle, 'aria-valuetext', readout.textContent);
  }
  for (const table of panel.querySelectorAll('.nlkit-table')) {
    if (table.scrollHeight <= table.clientHeight + 1) continue;
    for (const [key, value] of [['tabindex', '0'], ['role', 'region'], ['aria-label', 'runs']]) set(table, key, value);
  }
  for (const line of panel.querySelectorAll('.nlkit-polite > .widget-html-content')) set(line, 'aria-live', 'polite');
};
const seen = {subtree: true, childList: true, characterData: true, attributeFilter: ['aria-valuetext']};
new MutationObserver(name).observe(panel, seen);
name();
"""
# Beside the live panel, its still would be the same picture twice: it is the output right behind the panel's.
_STYLE = f"""<style onload="{_SCRIPT}">
.jp-OutputArea-child:has(.nlkit-panel) + .jp-OutputArea-child:has(img) {{ display: none; }}
.nlkit-panel {{ container-type: inline-size; }}
.nlkit-panel .nlkit-sides {{ flex-direction: column; }}
.nlkit-panel .nlkit-frame {{ overflow: auto; }}
.nlkit-panel .widget-image {{
  width: 100%; min-width: {_LEAST_WIDTH}px; max-width: {_WIDTH}px; object-fit: contain; object-position: left top;
}}
.jp-Notebook .nlkit-panel .widget-image {{ max-height: max(440px, 100vh - {_BARS}px); }}
.nlkit-panel .widget-label {{ min-width: 7.5em; }}
.nlkit-panel table {{ border-collapse: collapse; }}
.nlkit-panel th, .nlkit-panel td {{
  padding: 0.2em 0.7em 0.2em 0; text-align: left; font-variant-numeric: tabular-nums; white-space: nowrap;
}}
.nlkit-panel .widget-html-content {{ line-height: 1.4; }}
@container (min-width: {_TWO_COLUMNS}px) {{
  .nlkit-panel .nlkit-beside {{
    display: grid; grid-template-columns: minmax(300px, 5fr) 8fr; grid-gap: 0 16px; align-items: start;
  }}
  .nlkit-panel .nlkit-beside .nlkit-ticks > .widget-label {{ min-width: 0; margin-right: 0.8em; }}
  .nlkit-beside .nlkit-ticks .widget-checkbox {{ height: 24px; line-height: 24px; }}
  .jp-Notebook .nlkit-beside .nlkit-ticks > .widget-hbox {{ max-height: max(116px, 100vh - 500px); overflow: auto; }}
  .jp-Notebook .nlkit-panel .nlkit-beside .nlkit-view {{ max-height: max(360px, 100vh - {_BARS}px); }}
  .nlkit-panel .nlkit-beside .nlkit-view {{ overflow: visible; min-width: 0; }}
  .nlkit-beside .nlkit-frame {{ display: contents; }}
  .jp-Notebook .nlkit-panel .nlkit-beside .widget-image {{
    flex: 0 1 auto; min-width: 0; min-height: 0; max-height: none;
  }}
  .nlkit-beside .nlkit-view > :not(.nlkit-frame) {{ flex: none; }}
  .jp-Notebook .nlkit-beside .nlkit-table {{ max-height: 98px; }}
}}
</style>"""
# In a notebook that was saved and opened again there is no live panel, and JupyterLab says "Error displaying widget".
_AFTERWARDS = """<style class="nlkit-afterwards">
.jp-OutputArea-child:has(.nlkit-afterwards) { display: none; }
.jp-OutputArea-child:has(.nlkit-afterwards) + .jp-OutputArea-child > .jp-OutputArea-output.jupyter-widgets {
  font-size: 0;
}
.jp-OutputArea-child:has(.nlkit-afterwards) + .jp-OutputArea-child > .jp-OutputArea-output.jupyter-widgets::after {
  content: "%s"; font-size: var(--jp-ui-font-size1);
}
</style>"""
_STILL_AFTER = 0.4  # seconds
_UNSEEN = "A panel with sliders: run this cell to use it. Its last picture:"
_shown: dict[tuple[str, str], tuple[int, weakref.WeakSet[Panel]]] = {}  # kind and cell -> execution, its panels


class Frame(NamedTuple):
    """A picture as it is shown: PNG bytes, and the same in words."""

    png: bytes
    alt: str


def drawn(figure: Figure) -> Frame:
    """Make a figure ready to be shown. It takes most of the time of a picture."""
    return Frame(figure.png(), figure.alt)


class Picture(widgets.Image):
    """An image with alternative text: `tooltip` becomes its title, which names an image that has no `alt`."""

    description = traitlets.Unicode("").tag(sync=True)  # the browser asks for it before it sets the title


class Panel(widgets.VBox):
    """A panel of a notebook. `close()` ends what it runs and takes it away; running its cell again does that too.

    parts: its controls and lines of words, which stand beside the picture where the page is wide, else above it.
    below: what stands under the picture. Beside its controls the picture is never taller than what JupyterLab has room
    for, so that both are seen at once, on a projector as well.

    Below the live panel stands its last picture as a plain image, hidden as long as the panel is there. So a notebook
    that is opened without a kernel, on a website or in print still shows it. Where nobody is there to move a slider, as
    when the course is run from top to bottom to be kept, NLKIT_PANELS=still in the environment leaves the panel out.
    """

    drivers: tuple[Driver, ...] = ()  # none yet, should a subclass fail before it gets here
    _still_driver: Driver | None = None

    def __init__(
        self,
        kind: str,
        parts: Iterable[widgets.Widget],
        drivers: Iterable[Driver],
        below: Iterable[widgets.Widget] = (),
    ):
        self.drivers = tuple(drivers)
        mode = self.drivers[0].mode if self.drivers else None
        self._still_driver = Driver(_once, self._bring_up_to_date, mode=mode, delay=_STILL_AFTER)
        self.picture = Picture(format="png")
        self.still: object = None  # the handle of the plain image, once the panel is displayed
        self.frame: Frame | None = None
        frame = widgets.Box([self.picture]).add_class("nlkit-frame")
        view = widgets.VBox([frame, *below]).add_class("nlkit-view")
        sides = widgets.Box([widgets.VBox(list(parts)), view]).add_class("nlkit-sides")
        if len(sides.children[0].children) > 1:  # more than a line of words
            sides.add_class("nlkit-beside")
        style = widgets.HTML(_STYLE, layout=widgets.Layout(display="none"))
        super().__init__([style, sides], layout=widgets.Layout(width="100%", max_width=f"{_WIDTH + 420}px"))
        self.add_class("nlkit-panel").add_class(f"nlkit-{kind}")
        _close_those_of_an_earlier_run(self, kind)

    def show(self, frame: Frame) -> None:
        """Show a picture and tell its alternative text."""
        self.frame = frame
        with self.picture.hold_sync():  # in one message
            self.picture.value, self.picture.tooltip = frame.png, frame.alt

    def keep_picture(self) -> None:
        """Bring the plain image up to date, once nothing more has moved for a moment: it takes as long as a picture."""
        if self.still and self.frame:
            self._still_driver.request()

    def _bring_up_to_date(self, _event: object) -> None:
        if self.still and self.frame:
            data, metadata = _still_of(self.frame)
            self.still.update(data, metadata=metadata, raw=True)

    def close(self) -> None:
        """End what the panel runs, and remove its widgets."""
        for driver in filter(None, (*self.drivers, self._still_driver)):
            driver.close()
        _close_all_below(self)
        super().close()

    def _ipython_display_(self) -> None:
        from IPython.display import DisplayHandle, display

        if os.environ.get("NLKIT_PANELS") == "still":
            display({"text/plain": _UNSEEN}, raw=True)
        else:
            display({"text/html": _AFTERWARDS % _UNSEEN, "text/plain": ""}, raw=True)
            display({**super()._repr_mimebundle_(), "text/plain": _UNSEEN}, raw=True)
        if self.frame:
            self.still = DisplayHandle()
            data, metadata = _still_of(self.frame)
            self.still.display(data, metadata=metadata, raw=True)


def _once(_settings: object) -> Iterator[None]:
    yield None


def polite_line() -> widgets.HTML:
    """A line of words which screen readers read out when the user pauses."""
    return widgets.HTML().add_class("nlkit-polite")


def tell(line: widgets.HTML, text: str, *, urgent: bool = False) -> None:
    """Say something in a line.

    The front end puts a new element in place of the old one. Many screen readers read such a one out only if it is
    urgent, or if the line is polite. What a user waits for should be one of these; progress, of which they would never
    stop reading, should not.
    """
    role = "alert" if urgent else "status"
    line.value = f'<div role="{role}">{html.escape(text)}</div>'


def _still_of(frame: Frame) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    alt = f"Last picture of this panel: {frame.alt}"
    return (
        {"image/png": base64.b64encode(with_fewer_colors(frame.png)).decode(), "text/plain": alt},
        {"image/png": {"alt": alt, "width": _WIDTH}},
    )


def _close_all_below(widget: widgets.Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close_all_below(child)
        child.close()


def _close_those_of_an_earlier_run(panel: Panel, kind: str) -> None:
    """Jupyter keeps a cell's last value, and widgets are kept by a table of their own: nothing would be collected."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    cell = None
    with contextlib.suppress(AttributeError):  # no shell, or one that has no kernel
        cell = shell.get_parent().get("metadata", {}).get("cellId")
    if cell is None:
        return
    execution, panels = _shown.get((kind, cell), (None, weakref.WeakSet()))
    if execution != shell.execution_count:
        for older in list(panels):
            older.close()
        panels = weakref.WeakSet()
    panels.add(panel)
    _shown[kind, cell] = shell.execution_count, panels
