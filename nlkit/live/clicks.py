"""Clicks on a panel's picture, which ipywidgets' images do not tell of: a few lines of script hand them on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import ipywidgets as widgets

# The picture may be smaller than its element, in whose upper left corner it then stands. A text that is the same twice
# would not be sent, so the time goes with it. Where scripts are off, the keyboard's way is left.
_SCRIPT = """
const panel = this.closest('.nlkit-panel');
panel.addEventListener('click', event => {
  const image = event.target.closest('.widget-image'), line = panel.querySelector('.nlkit-clicked input');
  if (!image || !line) return;
  const box = image.getBoundingClientRect();
  const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
  const across = (event.clientX - box.left) / (scale * image.naturalWidth);
  const down = (event.clientY - box.top) / (scale * image.naturalHeight);
  line.value = [across.toFixed(5), down.toFixed(5), Date.now()].join(' ');
  line.dispatchEvent(new Event('input', {bubbles: true}));
});
"""
_STYLE = f"""<style onload="{_SCRIPT}">
.nlkit-panel .nlkit-clicked {{ display: none; }}
.nlkit-panel:has(.nlkit-clicked) .widget-image {{ cursor: crosshair; }}
</style>"""


def clicks(act: Callable[[float, float], None]) -> widgets.Widget:
    """What a panel must hold so that `act` is called with each click on its picture; it shows nothing.

    act: (across, down), shares of the picture's width and height from its upper left corner. Outside of [0, 1] lies
        what is beside the picture.
    """
    line = widgets.Text(description="clicked", continuous_update=True).add_class("nlkit-clicked")

    def clicked(change: dict[str, str]) -> None:
        with contextlib.suppress(ValueError):  # what no click has sent
            across, down, _time = map(float, change["new"].split())
            act(across, down)

    line.observe(clicked, names="value")
    return widgets.Box([widgets.HTML(_STYLE), line], layout=widgets.Layout(height="0", overflow="hidden", margin="0"))
