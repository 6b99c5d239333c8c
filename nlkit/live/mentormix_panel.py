"""The MentorMix panel: move percentile and alpha, and see one real batch weighted and mixed anew."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import ipywidgets as widgets
import torch
from torch import nn
from torch.nn import functional as F

from nlkit import plots
from nlkit.checks import check_integer
from nlkit.learning.models import build_model
from nlkit.live.any_panel import Frame, drawn
from nlkit.live.controls import check_left_out, percent_slider, scale_slider
from nlkit.live.picture_panel import PicturePanel
from nlkit.papers.mentormix import draw_mixture
from nlkit.randomness import seeded_generator
from nlkit.tasks.make import make_task
from nlkit.tasks.task import Task
from nlkit.training.train import train

_ALPHAS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_EPOCHS = 3  # of training before the batch is looked at, for the panel that makes its own task


def mentormix(
    task: Task | None = None,
    model: nn.Module | None = None,
    *,
    percentile: float = 0.4,
    alpha: float = 2.0,
    ratio: float | None = None,
    batch_size: int = 128,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel with sliders for percentile and alpha over the four steps of MentorMix on one batch of `task`.

    model: the network whose losses decide, best one that has trained for a few epochs. Without task and model the panel
        makes its own: mnist5k with symmetric noise and a slider for its ratio, and a network that it trains for three
        epochs. ratio: where that slider starts, 0.6 unless given; with a task, which has its own, it must be left out.
    batch_size: examples in the batch, from 8 to as many as the task has. mode: how pictures are drawn, see
        `nlkit.live.driver`.

    Raises a ValueError for a task without model, or where a slider can't start.
    """
    if (task is None) != (model is None):
        missing = "model" if model is None else "task"
        raise ValueError(f"{missing}=None; give both task and model, or neither, and the panel makes its own")
    check_integer("batch_size", batch_size, 8)
    if task is not None and task.noisy_count < 8:
        raise ValueError(f"task has {task.noisy_count} noisy examples; a batch to look at needs 8 or more")
    if task is not None:
        check_left_out(task, ratio=ratio)
    ratio = 0.6 if ratio is None else ratio
    controls = {
        "percentile": percent_slider("percentile p", percentile, 0.05, 0.95, argument="percentile"),
        "alpha": scale_slider("alpha", alpha, _ALPHAS),
    }
    if task is None:
        controls = {"ratio": percent_slider("noise ratio", ratio, 0.0, 0.9, argument="ratio")} | controls
        prepare = functools.lru_cache(maxsize=20)(trained)
    else:
        prepare = functools.partial(_given, task, model)
    return PicturePanel("mentormix", controls, functools.partial(_draw, prepare, batch_size), mode)


def _draw(prepare: Callable, batch_size: int, values: dict[str, float]) -> Iterator[tuple[Frame, str]]:
    task, model = prepare(values.get("ratio"))
    batch = mixed(task, model, values["percentile"], values["alpha"], batch_size)
    figure = plots.mentormix_steps(task, batch.picks, batch.losses, batch.threshold, batch.partner, batch.lam, batch.v)
    yield drawn(figure), in_words(task, batch.picks, batch.v, batch.partner)


class Mixed(NamedTuple):
    """A batch, weighed and mixed: places in the noisy set (B,), losses (B,), partners (B,), own shares (B,), v (B,)."""

    picks: torch.Tensor
    losses: torch.Tensor
    threshold: float
    partner: torch.Tensor
    lam: torch.Tensor
    v: torch.Tensor


def mixed(task: Task, model: nn.Module, percentile: float, alpha: float, batch_size: int = 128) -> Mixed:
    """The batch that the panel shows, with these settings."""
    generator = seeded_generator(task.seed, "a batch to look at")
    picks = torch.randperm(task.noisy_count, generator=generator)[:batch_size]
    with torch.no_grad():
        logits = model(task.noisy_images[picks])
        losses = F.cross_entropy(logits, task.given_labels[picks], reduction="none").cpu()
    threshold = losses.quantile(percentile).item()
    v = (losses < threshold).float()
    partner, lam = draw_mixture(v, alpha, seeded_generator(task.seed, "the mixture to look at"))
    return Mixed(picks, losses, threshold, partner, lam, v)


def in_words(task: Task, picks: torch.Tensor, v: torch.Tensor, partner: torch.Tensor) -> str:
    """Whom the mentor trusts, and who is mixed with whom, as far as it is known whose label is right."""
    right, known = task.right.cpu()[picks], task.known.cpu()[picks]
    told = f"{int(v.sum())} of {len(v)} examples have weight 1"
    if not known.any():
        return f"{told}; whose label is right is not known"
    trusted, partners = (v == 1) & known, known[partner]
    of_them = "them" if known.all() else f"{int(trusted.sum())} verified ones"
    told += f", {int((trusted & right).sum())} of {of_them} rightly labelled"
    of_partners = f"{len(v)} partners" if known.all() else f"{int(partners.sum())} verified partners"
    return f"{told}; {int((right[partner]).sum())} of {of_partners} have a right label"


def _given(task: Task, model: nn.Module, _ratio: None) -> tuple[Task, nn.Module]:
    return task, model


def trained(ratio: float) -> tuple[Task, nn.Module]:
    """The panel's own task with this noise ratio, and a network that has trained on it for three epochs."""
    task = make_task("mnist5k", ratio=ratio, clean_per_class=0, device="cpu")
    model = build_model("mlp", tuple(task.images.shape[1:]), task.num_classes)
    for _ in train(task, model=model, epochs=_EPOCHS):
        pass
    return task, model
