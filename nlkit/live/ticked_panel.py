"""A panel in which several methods, or variants of a page, are ticked and race; below its picture stands a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from nlkit.live.controls import on_change
from nlkit.live.run_panel import RunPanel


class TickedPanel(RunPanel):
    """See `RunPanel`. what: what is ticked, in a word. names: all that can be; ticked: those that are at first.

    more: what stands between the picture and the table.
    """

    def __init__(
        self,
        kind: str,
        make: Callable[[tuple[list[str], dict[str, object]]], Iterator[tuple[str, object]]],
        controls: dict[str, widgets.Widget],
        what: str,
        names: Iterable[str],
        ticked: Iterable[str],
        histories: Mapping[str, Sequence[Any]] | None,
        mode: str | None,
        more: Iterable[widgets.Widget] = (),
    ):
        self._ticked_at_first = tuple(ticked)
        layout = {"width": "auto", "margin": "2px 1.2em 2px 0"}
        self.ticks = {
            name: widgets.Checkbox(
                name in self._ticked_at_first, description=name.replace("_", " "), indent=False,
                layout=widgets.Layout(**layout),
            )
            for name in names
        }  # fmt: skip
        self.table = widgets.HTML(layout=widgets.Layout(overflow="auto")).add_class("nlkit-table")
        ticks = widgets.HBox(list(self.ticks.values()), layout=widgets.Layout(flex_flow="row wrap", flex="1 1 0"))
        picks = widgets.HBox([widgets.Label(what), ticks]).add_class("nlkit-ticks")
        super().__init__(kind, make, controls, above=[picks], below=[*more, self.table], histories=histories, mode=mode)
        on_change(self.ticks.values(), self.changed)

    def methods(self) -> list[str]:
        return [name for name, tick in self.ticks.items() if tick.value]

    def words(self) -> str:
        """The table of the runs, in HTML."""
        raise NotImplementedError

    def reset(self, _button: object = None) -> None:
        with self.driver.lock:
            for name, tick in self.ticks.items():
                tick.value = name in self._ticked_at_first
            super().reset()

    def draw(self) -> None:
        super().draw()
        self.table.value = self.words()
