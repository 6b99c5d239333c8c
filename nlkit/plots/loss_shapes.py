"""A family of losses at a glance: what one example costs, and how hard it pulls, by the probability of its label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from nlkit.plots.axes import draw_line
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, styles_of

_UNSURE, _MIDDLE = 0.02, 0.5  # probabilities at which the words tell the pulls
_HEIGHT = 6.2  # inches, however many names there are


class Shape(Protocol):
    """A curve, as `nlkit.learning.loss_curves` reads it off a method."""

    @property
    def given(self) -> Tensor: ...  # (S,) probabilities of the given label, rising

    @property
    def losses(self) -> Tensor: ...  # (S,)

    @property
    def pulls(self) -> Tensor: ...  # (S,)


@picture
def loss_and_pull(shapes: Mapping[str, Shape], *, variants: Sequence[str] = (), title: str = "") -> Figure:
    """Above the losses, below how hard a step pulls the given label's score up, by the label's probability.

    shapes: a loss's name -> its curve. variants: all the names that several pictures share, in the order of their
    looks. Raises a ValueError if there is nothing to draw.
    """
    if not shapes:
        raise ValueError("shapes is empty; there is nothing to draw")
    styles = styles_of(list(shapes), variants)
    figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), dpi=PANEL_DPI, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for ax, of in ((above, "losses"), (below, "pulls")):
        for name, shape in shapes.items():
            draw_line(ax, shape.given.tolist(), getattr(shape, of).tolist(), styles[name], markersize=4, linewidth=1.8)
        ax.axhline(0, color=REFERENCE, linestyle=":", linewidth=1)
    label_ends(below, [0, 1], [(shape.pulls[-1].item(), name, styles[name].color) for name, shape in shapes.items()])
    figure.set_figheight(_HEIGHT)  # names that stand below take their room from the axes
    above.set(ylabel="loss", title=title)
    below.set(ylabel="pull of the example", xlabel="probability of the given label", xlim=(-0.01, 1.0))
    told = "; ".join(map(_tell, shapes, shapes.values()))
    figure.alt = f"Losses and pulls by the probability of the given label. {told}."
    return figure


def _tell(name: str, shape: Shape) -> str:
    pulls = [shape.pulls[(shape.given - at).abs().argmin()].item() for at in (_UNSURE, _MIDDLE)]
    return f"{name}: pull {pulls[0]:.2f} where the label is unlikely, {pulls[1]:.2f} at one half"
