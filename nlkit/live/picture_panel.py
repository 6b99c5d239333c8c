"""A panel whose controls drive one picture, and nothing that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ipywidgets as widgets

from nlkit.live.any_panel import Frame, Panel, polite_line, tell
from nlkit.live.controls import columns, on_change, values_of
from nlkit.live.driver import Driver


class PicturePanel(Panel):
    """Draws at once, and anew when a control moves; when controls move faster, pictures in between are left out.

    draw: values of the controls by name -> (picture, a line of words about it), once. It must not refer to the panel.
    """

    def __init__(
        self,
        kind: str,
        controls: dict[str, widgets.Widget],
        draw: Callable[[dict[str, object]], Iterator[tuple[Frame, str]]],
        mode: str | None,
    ):
        self.controls, self.line = controls, polite_line()
        self.driver = Driver(draw, self.on_event, self.on_state, mode=mode, delay=0, patient=True)
        parts = [columns(controls.values())] if controls else []
        super().__init__(kind, [*parts, self.line], [self.driver])
        for event in draw(values_of(controls)):
            self.on_event(event)
        on_change(controls.values(), self.redraw)

    def redraw(self, _change: object = None) -> None:
        self.driver.start(values_of(self.controls))

    def on_event(self, event: tuple[Frame, str]) -> None:
        frame, words = event
        self.show(frame)
        tell(self.line, words)

    def on_state(self) -> None:
        if self.driver.state == "failed":
            tell(self.line, f"failed: {self.driver.error}", urgent=True)
        elif self.driver.state == "done":
            self.keep_picture()
