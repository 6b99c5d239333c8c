"""The losses panel: tick losses, move the one number that each has, and see how hard an example pulls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ipywidgets as widgets

from nlkit.checks import check_choice
from nlkit.learning.loss_curves import RESTS, LossCurve
from nlkit.lessons.robust_losses import CE, FAMILY, curve
from nlkit.live.any_panel import Frame, drawn
from nlkit.live.controls import choice, on_change, scale_slider
from nlkit.live.picture_panel import PicturePanel
from nlkit.plots.loss_shapes import loss_and_pull


def losses(
    ticked: Sequence[str] = (CE, "generalized", "forward"), *, rest: str = RESTS[0], mode: str | None = None
) -> widgets.Widget:
    """A panel with a tick and a slider for each loss of lesson 10, over their curves.

    ticked: names of losses that are drawn at first (`nlkit.lessons.robust_losses.FAMILY`). rest: where the probability
    is that the given label does not have. mode: how pictures are drawn, see `nlkit.live.driver`. Nothing is trained.
    Raises a ValueError for a name that there is not.
    """
    for name in ticked:
        check_choice("ticked", name, FAMILY)
    controls: dict[str, widgets.Widget] = {}
    for name, (knob, _) in FAMILY.items():
        controls[name] = widgets.Checkbox(name in ticked, description=name, indent=False)
        if knob:
            slider = controls[f"{name}: {knob.name}"] = scale_slider(knob.name, knob.usual, knob.steps)
            _show_where_ticked(slider, controls[name])
    controls["rest"] = choice("rest", RESTS, rest)
    return PicturePanel("losses", controls, _Drawing(), mode)


def _show_where_ticked(slider: widgets.Widget, tick: widgets.Checkbox) -> None:
    """Only the slider of a loss that is drawn takes room: all of them are taller than a screen."""

    def follow(_change: object = None) -> None:
        slider.layout.display = None if tick.value else "none"

    on_change([tick], follow)
    follow()


class _Drawing:
    """Draws the ticked losses; a curve is read off its method once for each place of its slider."""

    def __init__(self) -> None:
        self.known: dict[tuple[object, ...], LossCurve] = {}

    def __call__(self, values: dict[str, object]) -> Iterator[tuple[Frame, str]]:
        shapes = {}
        for name, (knob, _) in FAMILY.items():
            if values[name]:
                asked = (name, values[f"{name}: {knob.name}"] if knob else None, values["rest"])
                if asked not in self.known:
                    self.known[asked] = curve(*asked)  # type: ignore[arg-type]
                shapes[name] = self.known[asked]
        if not shapes:
            raise ValueError("no loss is ticked; pick at least one")
        figure = loss_and_pull(shapes, variants=tuple(FAMILY))
        unsure = {name: shape.pulls[0].item() for name, shape in shapes.items()}
        least = min(unsure, key=lambda name: unsure[name])
        words = f"an example with an all but impossible label pulls least with {least}: {unsure[least]:.2f}"
        yield drawn(figure), words
