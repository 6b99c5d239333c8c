"""Pictures of blends: what is mixed with what in a batch, and the steps of MentorMix on one."""

from __future__ import annotations

import matplotlib.patches
import torch
from torch import Tensor

from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.losses import draw_losses
from nlkit.plots.tiles import (
    cell_size,
    draw_images,
    draw_labelled,
    image_tiles,
    kinds_of_label,
    label_room,
    name_rows,
    tile_side,
    top_of_labels,
)
from nlkit.plots.words import first_letters
from nlkit.tasks.task import Task


@picture
def mixed_batch(
    task: Task,
    picks: Tensor,
    partner: Tensor,
    lam: Tensor,
    v: Tensor | None = None,
    *,
    columns: int = 8,
    caption: str = "",
) -> Figure:
    """Examples of a batch, their partners, and the blends: the first trusted ones (weight 1), then the others.

    Those are shown whose partners are right as often as those of all, from the largest own share to the smallest.
    picks (B,): places in the noisy set. partner (B,): places in the batch. lam (B,): own shares. v (B,): weights, or
    None where nobody weighs. caption: what stands below.
    """
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    figure.alt = _draw_blends(figure.subplots(), task, picks, partner, lam, v, columns, letters=8, lift=0.16, left=0.85)
    figure.supxlabel(caption, fontsize=12)
    return figure


@picture
def mentormix_steps(
    task: Task, picks: Tensor, losses: Tensor, threshold: float, partner: Tensor, lam: Tensor, v: Tensor
) -> Figure:
    """The steps of MentorMix on one batch, for sliders to drive: whose loss is small, and what is mixed with what.

    picks (B,): places in the noisy set. losses (B,). The rest as for `losses_and_threshold` and `mixed_batch`.
    """
    long = label_room(task) > 0.5
    height = 4.7 if long else 3.8
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    left = figure.add_axes((0.105, 1 - 2.0 / height, 0.255, 1.6 / height))
    kinds = [(kind, style, mask.cpu()[picks.cpu()]) for kind, style, mask in kinds_of_label(task)]
    losses_told = draw_losses(left, losses, kinds, threshold, below=-0.42)
    left.set_title("1. small losses count", fontsize=12)
    figure.text(0.42, 1 - 0.3 / height, "2. partner, 3. blend (4. weigh it again)", fontsize=12)
    right = figure.add_axes((0.385, 0.0, 0.61, 1 - 0.36 / height), anchor="NW")
    columns = 3 if long else 4
    blends_told = _draw_blends(
        right, task, picks, partner, lam, v, columns, letters=6, lift=0.0 if long else 0.3, left=1.1
    )
    figure.alt = f"{losses_told} {blends_told}"
    return figure


def _draw_blends(
    ax,
    task: Task,
    picks: Tensor,
    partner: Tensor,
    lam: Tensor,
    v: Tensor | None,
    columns: int,
    letters: int,
    lift: float,
    left: float,
) -> str:
    """Draw the rows of images, and say the same in words. lift, left: more room above the blends and beside the images,
    in sides of one.
    """
    picks, partner, lam = picks.cpu(), partner.cpu(), lam.cpu()
    trusted = torch.ones(len(picks), dtype=torch.bool) if v is None else v.cpu() >= 0.5
    columns = min(columns, len(picks))
    right, known = task.right.cpu()[picks[partner]], int(task.known.cpu()[picks[partner]].sum())
    shown = telling_blends(trusted, right, lam, columns)
    pairs = torch.stack([picks[shown], picks[partner[shown]]])
    draw_labelled(ax, task, pairs, letters=letters, fontsize=12)
    side = tile_side(task)
    step_y, step_x = cell_size(task)
    top = round(2 * step_y + lift * side)
    own, other = task.images[pairs].cpu()
    draw_images(ax, image_tiles(task, other.lerp(own, lam[shown].view(-1, 1, 1, 1)))[None], step_y, step_x, top)
    for column, place in enumerate(shown.tolist()):
        at, share = column * step_x, round(100 * lam[place].item())
        ax.add_patch(matplotlib.patches.Rectangle((at, top), side, side, fill=False, edgecolor="#BBBBBB"))
        names = (first_letters(task.class_names[int(task.given[p])], letters - 3) for p in pairs[:, column])
        first, second = (name if len(name) > 1 else f"“{name}”" for name in names)
        words = f"{share}% {first}\n{100 - share}% {second}"
        ax.text(at + side / 2, top - 0.03 * side, words, ha="center", va="bottom", fontsize=11, linespacing=1)
        if v is not None:
            ax.text(at + side / 2, top + 1.04 * side, f"weight {int(trusted[place])}", ha="center", va="top",
                    fontsize=11)  # fmt: skip
    name_rows(ax, task, ("itself", "partner"))
    ax.text(-0.12 * side, top + 0.5 * side, "blend", ha="right", va="center", fontsize=12)
    ax.set(
        xlim=(-left * side, columns * step_x), ylim=(top + (1.02 if v is None else 1.32) * side, top_of_labels(task))
    )
    of_known = f"all {len(partner)}" if known == len(partner) else f"{known} verified"
    told = f"; {int(right.sum())} of {of_known} partners have a right label" if known else ""
    kinds = (("trusted", trusted), ("doubtful", ~trusted)) if v is not None else (("the", trusted),)
    kept = [f"{who} examples keep {lam[of].mean():.0%} of themselves on average" for who, of in kinds if of.any()]
    return f"{len(shown)} examples of a batch, their partners and their blends{told}. In the batch, {', '.join(kept)}."


def telling_blends(trusted: Tensor, right: Tensor, lam: Tensor, columns: int) -> Tensor:
    """The places in a batch that pictures of it show: half of the `columns` of trusted examples, if there are as many.

    trusted (B,): who has weight 1. right (B,): whose partner is rightly labelled. lam (B,): own shares.
    """
    half = min(max(columns - columns // 2, columns - int((~trusted).sum())), int(trusted.sum()))
    return torch.cat([_telling(trusted, right, lam, half), _telling(~trusted, right, lam, columns - half)])


def _telling(among: Tensor, right: Tensor, lam: Tensor, count: int) -> Tensor:
    """`count` places of those that `among` (B,) marks, as typical of them as so few can be.

    Partners with a right label are as frequent as among all of them, and of each kind own shares go from the largest to
    the smallest.
    """
    chosen, left = [], count
    total = int(among.sum())
    for kind in (right, ~right):
        places = (among & kind).nonzero().flatten()
        of_kind = min(len(places), left if kind is not right else round(count * len(places) / max(1, total)))
        sorted_places = places[lam[places].argsort(descending=True, stable=True)]
        chosen.append(sorted_places[torch.linspace(0, max(len(places) - 1, 0), of_kind).round().long()])
        left -= of_kind
    found = torch.cat(chosen)
    return found[lam[found].argsort(descending=True, stable=True)]
