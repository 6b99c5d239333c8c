"""A panel whose controls drive one picture, and nothing that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ipywidgets as widgets

from nlkit.live.any_panel import Frame, Panel, polite_line, tell
from nlkit.live.controls import columns, on_change, values_of
from nlkit.live.driver import Driver

_REST = 0.1  # seconds that a slider rests before what takes long is begun anew


class PicturePanel(Panel):
    """Draws at once, and anew when a control moves; when controls move faster, pictures in between are left out.

    draw: values of the controls by name -> (picture, a line of words about it), once; where `works`, as often as there
        is something new to be seen, the first within a second. It must not refer to the panel.
    works: whether something may have to be trained first. Then the panel is there with the first picture, and a control
        that moves takes the place of what is at work.
    """

    def __init__(
        self,
        kind: str,
        controls: dict[str, widgets.Widget],
        draw: Callable[[dict[str, object]], Iterator[tuple[Frame, str]]],
        mode: str | None,
        *,
        works: bool = False,
    ):
        self.controls, self.line = controls, polite_line()
        delay = _REST if works else 0
        self.driver = Driver(draw, self.on_event, self.on_state, mode=mode, delay=delay, patient=not works)
        parts = [columns(controls.values())] if controls else []
        super().__init__(kind, [*parts, self.line], [self.driver])
        self.on_event(next(draw(values_of(controls))))
        on_change(controls.values(), self.redraw)
        if works:
            self.driver.start(values_of(controls))

    def redraw(self, _change: object = None) -> None:
        self.driver.request(values_of(self.controls))

    def on_event(self, event: tuple[Frame, str]) -> None:
        frame, words = event
        self.show(frame)
        tell(self.line, words)

    def on_state(self) -> None:
        if self.driver.state == "failed":
            tell(self.line, f"failed: {self.driver.error}", urgent=True)
        elif self.driver.state == "done":
            self.keep_picture()
