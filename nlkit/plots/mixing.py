"""Pictures of one MentorMix batch: whose loss is small, and what is mixed with what."""

from __future__ import annotations

import matplotlib.patches
import matplotlib.ticker
import torch
from torch import Tensor

from nlkit.plots.examples import (
    cell_size,
    draw_images,
    draw_labelled,
    image_tiles,
    kinds_of_label,
    label_room,
    tile_side,
    top_of_labels,
)
from nlkit.plots.style import (
    KINDS_OF_LABEL,
    OF_UNKNOWN_TRUTH,
    PANEL_DPI,
    PANEL_WIDTH,
    REFERENCE,
    Figure,
    Style,
    first_letters,
    picture,
    text_color,
)
from nlkit.tasks.task import Task


@picture
def losses_and_threshold(losses: Tensor, wrong: Tensor | None, threshold: float, *, title: str = "") -> Figure:
    """Losses (B,) of a batch, those of right and wrong labels (B,) apart, and the threshold below which they count.

    wrong: None where it is not known of any label; then the losses are drawn together.
    """
    if wrong is None:
        kinds = [("all labels", OF_UNKNOWN_TRUTH, torch.ones(len(losses), dtype=torch.bool))]
    else:
        kinds = [("right", KINDS_OF_LABEL["right"], ~wrong), ("wrong", KINDS_OF_LABEL["wrong"], wrong)]
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    ax = figure.subplots()
    figure.alt = _draw_losses(ax, losses, kinds, threshold)
    ax.set_title(title)
    return figure


@picture
def mentormix_steps(
    task: Task, picks: Tensor, losses: Tensor, threshold: float, partner: Tensor, lam: Tensor, v: Tensor
) -> Figure:
    """The steps of MentorMix on one batch, for sliders to drive: whose loss is small, and what is mixed with what.

    picks (B,): places in the noisy set. losses (B,). The rest as for `losses_and_threshold` and `mixed_batch`.
    """
    figure = Figure(figsize=(PANEL_WIDTH, 6.7), dpi=PANEL_DPI)
    above = figure.add_axes((0.1, 0.745, 0.62, 0.21))
    kinds = [(kind, style, mask.cpu()[picks.cpu()]) for kind, style, mask in kinds_of_label(task)]
    losses_told = _draw_losses(above, losses, kinds, threshold)
    above.set_title("1. weight: small losses count")
    below = figure.add_axes((0.01, 0.0, 0.98, 0.615))
    blends_told = _draw_blends(below, task, picks, partner, lam, v, columns=5, letters=8)
    figure.text(0.1, 0.63, "2. a partner, 3. a blend; 4. weigh it again if asked", fontsize=13)
    figure.alt = f"{losses_told} {blends_told}"
    return figure


def _draw_losses(ax, losses: Tensor, kinds: list[tuple[str, Style, Tensor]], threshold: float) -> str:
    """Draw the histograms of each kind of label, and say the same in words."""
    losses = losses.detach().cpu().double()
    finite = losses[losses.isfinite()]
    edges = torch.linspace(0, max([1.0, *finite.tolist()]), 31)
    told, apart = [], 0.35 if len(kinds) < 3 else 0.27
    for place, (kind, style, mask) in enumerate(kinds):
        mine = losses[mask.cpu()]
        counts = torch.histogram(mine[mine.isfinite()].float(), edges.float()).hist
        kept = int((mine < threshold).sum())
        ax.stairs(counts.tolist(), edges.tolist(), color=style.color, linestyle=style.line, linewidth=2.2)
        words = kind if kind == "all labels" else f"{kind} labels" if kind in KINDS_OF_LABEL else f"truth {kind}"
        ax.text(1.01, 0.95 - apart * place, f"{words}:\n{kept} of {len(mine)} kept",
                transform=ax.transAxes, color=text_color(style.color), va="top")  # fmt: skip
        told.append(f"{kept} of {len(mine)} {words if kind != 'wrong' else 'wrong ones'}")
    ax.axvline(threshold, color=REFERENCE, linestyle=":")
    ax.text(
        1.01,
        0.2 if len(kinds) < 3 else 0.95 - 3 * apart,
        f"dotted: threshold\n{threshold:.2f}",
        transform=ax.transAxes,
        color=REFERENCE,
        va="top",
    )
    ax.set(xlabel="loss of an example", ylabel="examples", xlim=(0, edges[-1].item()))
    if ax.get_ylim()[1] < 10:
        ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
    return f"Histogram of {len(losses)} losses. Below the threshold of {threshold:.2f} lie {' and '.join(told)}."


@picture
def mixed_batch(
    task: Task, picks: Tensor, partner: Tensor, lam: Tensor, v: Tensor | None = None, *, columns: int = 8
) -> Figure:
    """Examples of a batch, their partners, and the blends: the first trusted ones (weight 1), then the others.

    picks (B,): places in the noisy set. partner (B,): places in the batch. lam (B,): own shares. v (B,): weights; None
    where nobody is weighed, as in plain mixup.
    """
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    figure.alt = _draw_blends(figure.subplots(), task, picks, partner, lam, v, columns, letters=10)
    return figure


def _draw_blends(
    ax, task: Task, picks: Tensor, partner: Tensor, lam: Tensor, weights: Tensor | None, columns: int, letters: int
) -> str:
    """Draw the rows of images, and say the same in words."""
    v = torch.ones(len(picks)) if weights is None else weights
    picks, partner, lam, v = (t.cpu() for t in (picks, partner, lam, v))
    columns = min(columns, len(picks))
    trusted, others = (v >= 0.5).nonzero().flatten(), (v < 0.5).nonzero().flatten()
    half = max(columns // 2, columns - len(others))
    shown = torch.cat([trusted[:half], others])[:columns]
    draw_labelled(ax, task, torch.stack([picks[shown], picks[partner[shown]]]), letters=letters)
    height = width = tile_side(task)
    step_y, step_x = cell_size(task)
    top = 2 * step_y
    own, other = task.images[picks[shown]].cpu(), task.images[picks[partner[shown]]].cpu()
    blends = other.lerp(own, lam[shown].view(-1, 1, 1, 1))
    draw_images(ax, image_tiles(task, blends)[None], step_y, step_x, top)
    for column, place in enumerate(shown.tolist()):
        left, share = column * step_x, lam[place].item()
        ax.add_patch(matplotlib.patches.Rectangle((left, top), width, height, fill=False, edgecolor="#BBBBBB"))
        names = (
            first_letters(task.class_names[int(task.given[picks[i]])], letters - 5) for i in (place, partner[place])
        )
        first, second = names
        plus = "+" if label_room(task) < 0.5 else "\n+ "
        blend = f"{share:.1f}·{first}{plus}{1 - share:.1f}·{second}"
        ax.text(left + width / 2, top - 0.04 * height, blend, ha="center", va="bottom", fontsize=11, linespacing=1)
        if weights is not None:
            weight = "weight 1" if v[place] >= 0.5 else "weight 0"
            ax.text(left + width / 2, top + 1.06 * height, weight, ha="center", va="top", fontsize=12)
    for row, name in enumerate(("itself", "partner", "blend")):
        ax.text(-0.12 * width, row * step_y + 0.5 * height, name, ha="right", va="center", fontsize=12)
    ax.set_ylim(3 * step_y - 0.05 * height, top_of_labels(task))
    ax.set_xlim(-0.75 * width, columns * step_x)
    partners = task.right.cpu()[picks[partner]], task.known.cpu()[picks[partner]]
    rightly, known = (int(which.sum()) for which in partners)
    of_known = f"all {len(partner)}" if known == len(partner) else f"{known} verified"
    told = f"; {rightly} of {of_known} partners have a right label" if known else ""
    kept = [
        f"{who} keep {lam[places].mean():.0%} of themselves on average"
        for who, places in (
            ("all examples" if weights is None else "trusted examples", trusted),
            ("doubtful examples", others),
        )
        if len(places)
    ]
    return f"{len(shown)} examples of a batch, their partners and their blends{told}. In the batch, {', '.join(kept)}."
