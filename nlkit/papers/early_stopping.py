"""Early stopping: standard training that keeps the weights of its best epoch, found without one true label.

    Prechelt: Early stopping, but when? In: Neural networks: tricks of the trade. Springer 1998; on noisy labels: Li,
    Soltanolkotabi, Oymak: Gradient descent with early stopping is provably robust to label noise. AISTATS 2020,
    arXiv:1903.11680.

A share h of the *given* labels is held out and never learned from. At the end of each epoch e the network is asked for
them, and the epoch with the most hits keeps its weights:

    a_e = 1/|H| Σ_{i in H} [ argmax f_θe(x_i) = ỹ_i ],    θ* = θ of the first epoch with the largest a_e

For symmetric noise of ratio r among K classes, a network with the accuracy t on true labels hits a share
t (1 - r) + (1 - t) r / (K - 1) of held-out labels: a rising line in t as long as r < 1 - 1/K, so that both peak in the
same epoch. Chen, Ye, Chen, Zhao, Heng: Robustness of accuracy metric and its inspirations in learning with noisy
labels. AAAI 2021, arXiv:2012.04193.

Training goes on to its last epoch, so that one sees what stopping saved; what is measured, epoch by epoch, is the
network whose weights are kept until then. Like standard training it learns from the clean set as well.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nlkit.checks import check_flag, check_number
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import predict
from nlkit.settings import setting


class EarlyStopping:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True
    kept = ("held_out_accuracy", "kept_epoch")  # numbers that sweeps keep
    knobs = {"held_out": setting(0.1, "Share of the given labels that is held out.", low=0.01, high=0.5)}

    def __init__(self, held_out: float = 0.1, learn_clean: bool = True):
        """held_out: h, in (0, 1). Raises a ValueError for any other value, or if it leaves nothing on one side."""
        self.share = check_number("held_out", held_out, 0, 1, above=True)
        if self.share == 1:
            raise ValueError("held_out=1 must be below 1: nothing would be left to learn from")
        if not check_flag("learn_clean", learn_clean):
            self.learns_from = "noisy"
        self.places = torch.empty(0, dtype=torch.long)
        self.state: dict[str, Any] = {}

    @property
    def weights(self) -> Mapping[str, Tensor] | None:
        """The state of the network after its best epoch so far."""
        return self.state.get("weights")

    def hold_out(self, run: Run) -> Tensor:
        """Places (H,) in the noisy set, drawn from the method's own generator, that no batch is to have."""
        count = len(run.given_labels)
        held = round(self.share * count)
        if not 0 < held < count:
            raise ValueError(f"held_out={self.share:g} holds out {held} of {count} given labels; it must be 1 or more")
        self.places = torch.randperm(count, generator=run.generator)[:held].to(run.given_labels.device)
        return self.places

    def step(self, run: Run, batch: Batch) -> StepResult:
        return StepResult(run.learn(batch.images, batch.labels).mean())

    def after_epoch(self, run: Run, network: nn.Module) -> dict[str, float]:
        """Ask the network of this epoch for the labels that are held out, and keep its weights if it is the best."""
        hits = predict(network, run.noisy_images[self.places]) == run.given_labels[self.places]
        accuracy = hits.double().mean().item()
        if accuracy > self.state.get("accuracy", -1.0):
            epoch = run.steps_done // run.steps_an_epoch + 1
            self.state.update(accuracy=accuracy, epoch=epoch, weights=copy.deepcopy(network.state_dict()))
        return {"held_out_accuracy": accuracy, "kept_epoch": float(self.state["epoch"])}
