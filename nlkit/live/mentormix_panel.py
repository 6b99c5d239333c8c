"""The MentorMix panel: move percentile and alpha, and see one real batch weighted and mixed anew."""

from __future__ import annotations

import ipywidgets as widgets
import torch
from torch import nn
from torch.nn import functional as F

from nlkit import plots
from nlkit.methods.mentormix import draw_mixture
from nlkit.randomness import seeded_generator
from nlkit.task import Task

_WIDE = {"description_width": "9em"}


def mentormix(task: Task, model: nn.Module, *, percentile: float = 0.4, alpha: float = 2.0, batch_size: int = 128):
    """A panel with sliders for percentile and alpha over the losses and the blends of one batch of `task`.

    model: the network whose losses decide, best one that has trained for a few epochs.
    """
    picks = torch.randperm(len(task.wrong), generator=seeded_generator(task.seed, "a batch to look at"))[:batch_size]
    with torch.no_grad():
        images, labels = task.noisy_images[picks], task.given_labels[picks]
        losses = F.cross_entropy(model(images), labels, reduction="none").cpu()
    layout = widgets.Layout(width="97%")
    keep = widgets.FloatSlider(percentile, min=0.05, max=0.95, step=0.05, readout_format=".0%",
                               description="percentile p", style=_WIDE, layout=layout)  # fmt: skip
    mixing = widgets.FloatLogSlider(alpha, base=10, min=-1, max=1.5, step=0.1, readout_format=".2g",
                                    description="alpha", style=_WIDE, layout=layout)  # fmt: skip
    pictures = [widgets.Image(format="png", layout=widgets.Layout(width="100%", max_width="1000px")) for _ in range(2)]

    def show(_change: object = None) -> None:
        threshold = losses.quantile(keep.value).item()
        v = (losses < threshold).float()
        partner, lam = draw_mixture(v, mixing.value, seeded_generator(task.seed, "a batch to look at"))
        title = "1. weight: small losses count"
        pictures[0].value = plots.losses_and_threshold(losses, task.wrong[picks], threshold, title=title).png()
        pictures[1].value = plots.mixed_batch(task, picks, partner, lam, v).png()

    for control in (keep, mixing):
        control.observe(show, names="value")
    show()
    return widgets.VBox([keep, mixing, *pictures], layout=widgets.Layout(max_width="1020px"))
