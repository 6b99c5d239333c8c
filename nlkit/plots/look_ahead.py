"""A drawing of the look-ahead step: where each noisy example would pull the network, and where the clean set would."""

from __future__ import annotations

import matplotlib.collections
import torch
from torch import Tensor

from nlkit.plots.axes import GRID
from nlkit.plots.figure import Figure, picture
from nlkit.plots.style import KINDS_OF_LABEL, faded, text_color


@picture
def look_ahead_steps(gradients: Tensor, clean_gradient: Tensor, wrong: Tensor, *, title: str = "") -> Figure:
    """The step that each noisy example would take by itself, as seen from the direction that the clean set asks for.

    gradients (B, P): of each example's loss. clean_gradient (P,): of the clean loss, not 0. wrong (B,): of its labels.
    Each step goes as far to the right as it lowers the clean loss, and up (right labels) or down (wrong ones) as far as
    it goes elsewhere; lengths are those of the gradients over that of the longest. What points to the left gets weight
    0, what points to the right a weight by how far it gets: the inner product of the two gradients (Ren et al. 2018).
    """
    if gradients.ndim != 2 or clean_gradient.shape != gradients.shape[1:] or wrong.shape != gradients.shape[:1]:
        shapes = ", ".join(f"{tuple(t.shape)}" for t in (gradients, clean_gradient, wrong))
        raise ValueError(
            f"gradients, clean_gradient and wrong have shapes {shapes}; they must be (B, P), (P,) and (B,)"
        )
    steps, down = -gradients.detach().cpu().double(), -clean_gradient.detach().cpu().double()
    along = steps @ (down / down.norm().clamp(min=1e-30))  # (B,)
    across = (steps.norm(dim=1) ** 2 - along**2).clamp(min=0).sqrt()
    longest, wrong = steps.norm(dim=1).max().clamp(min=1e-30), wrong.cpu()
    along, across = along / longest, across / longest
    far = max(along.abs().max().item(), 0.05) * 1.12
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    ax = figure.subplots()
    ax.axvspan(-far, 0, color="#EEEEEE", linewidth=0, zorder=0)
    ax.axhline(0, color=GRID, linewidth=0.8, zorder=0)
    told = []
    for kind, mask, side in (("right", ~wrong, 1), ("wrong", wrong, -1)):
        style, x, y = KINDS_OF_LABEL[kind], along[mask], side * across[mask]
        rays = [[(0, 0), end] for end in zip(x.tolist(), y.tolist())]
        ax.add_collection(matplotlib.collections.LineCollection(rays, colors=faded(style.color, 0.35), linewidths=0.8))
        ax.plot(x, y, marker=style.marker, color=style.color, linestyle="none", markersize=5)
        helping = int((x > 0).sum())
        words = f"{kind} labels: {helping} of {len(x)} would help"
        ax.text(0.99, 0.97 if side > 0 else 0.03, words, transform=ax.transAxes, color=text_color(style.color),
                ha="right", va="top" if side > 0 else "bottom")  # fmt: skip
        told.append(
            f"of {len(x)} {kind} labels {helping} point to lower clean loss, by {torch.relu(x).sum():.2f} in all"
        )
    ax.annotate("", (0.96 * far, 0), (0, 0), arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 2.5})
    ax.text(0.99, 0.53, "where the clean set pulls", transform=ax.transAxes, ha="right", va="bottom")
    ax.text(0.01, 0.47, "weight 0", transform=ax.transAxes, color="#333333", va="top")
    reach = max(across.max().item(), 0.1) * 1.3
    ax.set(xlim=(-far, far), ylim=(-reach, reach), yticks=[], title=title)
    ax.set_xlabel("how far a step on this example alone goes the way of the clean set")
    ax.spines["left"].set_visible(False)
    figure.alt = f"Steps of single examples against the direction of the clean set: {'; '.join(told)}."
    return figure
