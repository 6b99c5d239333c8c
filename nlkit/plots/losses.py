"""Pictures of losses by kind of label: of one batch with its threshold, and early and late in a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nlkit.plots.axes import percent_axis, whole_ticks
from nlkit.plots.figure import Figure, picture
from nlkit.plots.style import KINDS_OF_LABEL, OF_UNKNOWN_TRUTH, REFERENCE, Style, text_color
from nlkit.plots.words import in_percent_words

Kind = tuple[str, Style, Tensor]  # what it is called, how it looks, which examples (B,) are of it


@picture
def losses_and_threshold(
    losses: Tensor, wrong: Tensor | None, threshold: float, *, title: str = "", blends: bool = False
) -> Figure:
    """Losses (B,) of a batch, those of right and wrong labels (B,) apart, and the threshold below which they count.

    wrong: None where it is not known of any label; then the losses are drawn together. blends: whether the losses are
    of blends, and `wrong` is of the label that each has most of.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    ax = figure.subplots()
    figure.alt = draw_losses(ax, losses, _kinds(losses, wrong), threshold, blends=blends)
    ax.set_title(title)
    return figure


@picture
def losses_over_time(losses: Mapping[str, Tensor], wrong: Tensor, *, title: str = "") -> Figure:
    """The losses (N,) of the same examples at several times, those of right and of wrong labels (N,) apart.

    losses: a time in words -> the losses. Above each panel stands how often a wrong label has a larger loss than a
    right one, if one of either kind is drawn at random: the area under the ROC curve, 50 % being chance.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    axes, told = figure.subplots(1, len(losses), sharex=True, sharey=True, squeeze=False)[0], []
    every = torch.cat([at.detach().cpu().double() for at in losses.values()])
    end = max(1.0, every[every.isfinite()].quantile(0.99).item())
    edges, wrong = torch.linspace(0, end, 31).double(), wrong.cpu()
    for ax, (time, at) in zip(axes, losses.items()):
        at = at.detach().cpu().double()
        for place, (kind, style, mask) in enumerate(_kinds(at, wrong)):
            mine = at[mask & at.isfinite()]
            share = 100 * torch.histogram(mine.clamp(max=end - 1e-9), edges).hist / max(1, len(mine))
            ax.stairs(share.tolist(), edges.tolist(), color=style.color, linestyle=style.line, linewidth=2.2)
            beside = {"transform": ax.transAxes, "ha": "right", "va": "top"}
            ax.text(0.98, 0.97 - 0.1 * place, f"{kind} labels", color=text_color(style.color), **beside)
        apart = _told_apart(at, wrong)
        ax.set_title(f"{time}: told apart {in_percent_words(apart, 0)}")
        told.append(
            f"{time}: a wrong label has a larger loss than a right one in {in_percent_words(apart, 0)} of pairs"
        )
        percent_axis(ax, "share of their kind" if ax is axes[0] else "")
        ax.set(xlabel="loss of an example", xlim=(0, end))
    top = max(patch.get_data().values.max() for ax in axes for patch in ax.patches)
    axes[0].set_ylim(0, min(100, 1.15 * top))
    figure.suptitle(title, x=0.01, ha="left")
    figure.alt = f"Losses by kind of label. {'; '.join(told)}."
    return figure


def _told_apart(losses: Tensor, wrong: Tensor) -> float:
    """How often a wrong label has a larger loss than a right one; ties count a half; NaN without one of either."""
    mine = losses[wrong].nan_to_num(torch.inf)
    others = losses[~wrong].nan_to_num(torch.inf).sort().values
    if not len(mine) or not len(others):
        return float("nan")
    below, upto = (torch.searchsorted(others, mine, right=side) for side in (False, True))
    return ((below + upto).double().mean() / 2 / len(others)).item()


def _kinds(losses: Tensor, wrong: Tensor | None) -> list[Kind]:
    if wrong is None:
        return [("all labels", OF_UNKNOWN_TRUTH, torch.ones(len(losses), dtype=torch.bool))]
    wrong = wrong.cpu()
    return [("right", KINDS_OF_LABEL["right"], ~wrong), ("wrong", KINDS_OF_LABEL["wrong"], wrong)]


def draw_losses(
    ax, losses: Tensor, kinds: Sequence[Kind], threshold: float, *, blends: bool = False, below: float | None = None
) -> str:
    """Draw the histograms of each kind of label, and say the same in words.

    below: where the words begin under the axes, in heights of these; beside the axes unless given.
    """
    losses = losses.detach().cpu().double()
    finite = losses[losses.isfinite()]
    edges = torch.linspace(0, max([1.0, *finite.tolist()]), 31).double()
    told, words = [], []
    for kind, style, mask in kinds:
        mine = losses[mask.cpu()]
        counts = torch.histogram(mine[mine.isfinite()], edges).hist
        kept = int((mine < threshold).sum())
        ax.stairs(counts.tolist(), edges.tolist(), color=style.color, linestyle=style.line, linewidth=2.2)
        name = kind if kind == "all labels" else f"{kind} labels" if kind in KINDS_OF_LABEL else f"truth {kind}"
        name = f"mostly a {kind} label" if blends and kind in KINDS_OF_LABEL else name
        words.append((f"{name}:{' ' if below else chr(10)}{kept} of {len(mine)} kept", text_color(style.color)))
        told.append(f"{kept} of {len(mine)} {'wrong ones' if name == 'wrong labels' else name}")
    ax.axvline(threshold, color=REFERENCE, linestyle=":")
    words.append((f"dotted: threshold{' ' if below else chr(10)}{threshold:.2f}", REFERENCE))
    for place, (text, color) in enumerate(words):
        at = (-0.33, below - 0.15 * place) if below else (1.01, 0.98 - 0.98 / max(3, len(words)) * place)
        ax.text(*at, text, transform=ax.transAxes, color=color, va="top", fontsize=11 if below else 12)
    ax.set(xlabel="loss of an example", ylabel="" if below else "examples", xlim=(0, edges[-1].item()))
    if below:
        ax.set_ylabel("examples", labelpad=1)
    whole_ticks(ax.yaxis, 5)
    return f"Histogram of {len(losses)} losses. Below the threshold of {threshold:.2f} lie {' and '.join(told)}."
