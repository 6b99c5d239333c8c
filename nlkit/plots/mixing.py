"""Pictures of one MentorMix batch: whose loss is small, and what is mixed with what."""

from __future__ import annotations

import matplotlib.patches
import torch
from torch import Tensor

from nlkit.plots.examples import LABEL_ROOM, draw_labelled, image_array
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, Figure, picture, text_color
from nlkit.task import Task


@picture
def losses_and_threshold(losses: Tensor, wrong: Tensor, threshold: float, *, title: str = "") -> Figure:
    """Losses (B,) of a batch, those of right and wrong labels (B,) apart, and the threshold below which they count."""
    losses, wrong = losses.detach().cpu().double(), wrong.cpu()
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    ax = figure.subplots()
    edges = torch.linspace(0, max(1.0, losses.max().item()), 31)
    for kind, mask in (("right", ~wrong), ("wrong", wrong)):
        style = KINDS_OF_LABEL[kind]
        counts = torch.histogram(losses[mask].float(), edges.float()).hist
        kept = int((losses[mask] < threshold).sum())
        ax.stairs(counts.tolist(), edges.tolist(), color=style.color, linestyle=style.line, linewidth=2.2)
        ax.text(1.01, 0.95 if kind == "right" else 0.6, f"{kind} labels:\n{kept} of {int(mask.sum())} kept",
                transform=ax.transAxes, color=text_color(style.color), va="top")  # fmt: skip
    ax.axvline(threshold, color=REFERENCE, linestyle=":")
    ax.text(1.01, 0.2, f"dotted: threshold\n{threshold:.2f}", transform=ax.transAxes, color=REFERENCE, va="top")
    ax.set(xlabel="loss of an example", ylabel="examples", xlim=(0, edges[-1].item()))
    ax.set_title(title)
    figure.alt = (
        f"Histogram of {len(losses)} losses. Below the threshold of {threshold:.2f} lie "
        f"{int((losses[~wrong] < threshold).sum())} of {int((~wrong).sum())} right labels and "
        f"{int((losses[wrong] < threshold).sum())} of {int(wrong.sum())} wrong ones."
    )
    return figure


@picture
def mixed_batch(task: Task, picks: Tensor, partner: Tensor, lam: Tensor, v: Tensor, *, columns: int = 8) -> Figure:
    """Examples of a batch, their partners, and the blends: the first trusted ones (weight 1), then the others.

    picks (B,): places in the noisy set. partner (B,): places in the batch. lam (B,): own shares. v (B,): weights.
    """
    picks, partner, lam, v = (t.cpu() for t in (picks, partner, lam, v))
    trusted, others = (v >= 0.5).nonzero().flatten(), (v < 0.5).nonzero().flatten()
    half = max(columns // 2, columns - len(others))
    shown = torch.cat([trusted[:half], others])[:columns]
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    ax = figure.subplots()
    draw_labelled(ax, task, torch.stack([picks[shown], picks[partner[shown]]]))
    height, width = task.images.shape[-2:]
    step_x, step_y = 1.12 * width, LABEL_ROOM * height
    for column, place in enumerate(shown.tolist()):
        own, other, share = task.images[picks[place]], task.images[picks[partner[place]]], lam[place].item()
        pixels = image_array(task, other.lerp(own, share)).numpy()
        left, top = column * step_x, 2 * step_y
        box = (left, left + width, top + height, top)
        ax.imshow(pixels, cmap="gray_r", vmin=0, vmax=1, extent=box)
        ax.add_patch(matplotlib.patches.Rectangle((left, top), width, height, fill=False, edgecolor="#BBBBBB"))
        names = (task.class_names[int(task.given[picks[i]])] for i in (place, partner[place]))
        first, second = names
        ax.text(left + width / 2, top - 0.04 * height, f"{share:.1f}·{first} + {1 - share:.1f}·{second}", ha="center",
                va="bottom", fontsize=11)  # fmt: skip
        weight = "weight 1" if v[place] >= 0.5 else "weight 0"
        ax.text(left + width / 2, top + 1.06 * height, weight, ha="center", va="top", fontsize=12)
    for row, name in enumerate(("itself", "partner", "blend")):
        ax.text(-0.12 * width, (row * LABEL_ROOM + 0.5) * height, name, ha="right", va="center", fontsize=12)
    ax.set_ylim(3 * step_y - 0.05 * height, -0.34 * height)
    ax.set_xlim(-0.75 * width, columns * step_x)
    rightly = int((~task.wrong.cpu()[picks[partner]]).sum())
    figure.alt = (
        f"{len(shown)} examples of a batch, their partners and their blends; {rightly} of all {len(partner)} partners "
        f"have a right label. Trusted examples keep {lam[trusted].mean():.0%} of themselves on average, the others "
        f"{lam[others].mean():.0%}."
    )
    return figure
