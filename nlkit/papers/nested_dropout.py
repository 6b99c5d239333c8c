"""Features that are cut while a network learns: the first stage of `nlkit.papers.compressing_features`, as a method.

    Rippel, Gelbart, Adams: Learning ordered representations with nested dropout. ICML 2014, arXiv:1402.0915;
    Chen, Hu, Shen, Ai, Suykens: Compressing features for learning with noisy labels. IEEE TNNLS 2022, arXiv:2206.13140.

Each step keeps the first k of the last features, or of each example's every one with 1 − p (dropout), or all. Of the
epochs, and of all k that training reaches, that is measured which has most hits among labels that are not learned from:
the clean set, which does nothing else here, or, where there is none, a tenth of the given labels.

The paper's classifier has no bias; the kit's networks have one, which is heard at every k. σ is in features: of 10,
the paper takes them for a network of 512.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_choice
from nlkit.learning.first_features import PRICE, Masks, accuracy_by_cut, best_cut, cut_state, last_layer, masked
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.settings import setting

KEPT = {"best": "the best k of the best epoch", "cut": "the best k of each epoch", "all": "all features of each epoch"}
JUDGES = ("any", "clean", "held out")
HELD_OUT = 0.1  # share of the given labels


class CompressedFeatures:
    learns_from = "noisy"
    needs_clean = False
    weighs = False
    sees_noise = True
    kept = ("cut", "kept_epoch")
    knobs = {
        "sigma": setting(12.0, "σ: how many features nested masks keep.", low=1, high=200, knob=True, log=True),
        "p": setting(0.5, "p: share of features that dropout takes away.", low=0, high=0.95, knob=True),
    }

    def __init__(
        self, mask: str = "nested", sigma: float = 12.0, p: float = 0.5, keep: str = "best", judge: str = "any"
    ):
        """mask, sigma, p: see `nlkit.learning.first_features.Masks`. keep: what is measured, one of `KEPT`. judge: the
        labels that choose: "clean", "held out", or "any", which is clean where there is a clean set. Raises a
        ValueError for any other value; so does training, before its first step, where there is nothing to judge by.
        """
        self.masks = Masks(mask, sigma, p)
        self.keep, self.judge = check_choice("keep", keep, KEPT), check_choice("judge", judge, JUDGES)
        self.judged: tuple[Tensor, Tensor] | None = None  # images and labels that choose
        self.held = torch.empty(0, dtype=torch.long)  # their places, where they are given ones
        self.state: dict[str, Any] = {}

    @property
    def weights(self) -> Mapping[str, Tensor] | None:
        """The state of the network that is measured."""
        return self.state.get("weights")

    def prepare(self, run: Run) -> None:
        """A ValueError for a network that can't be cut, and for a judge that there is not."""
        last_layer(run.model)
        if self.judge == "clean" and self.keep != "all" and not len(run.clean_labels):
            raise ValueError(
                "judge='clean' needs a clean set to choose k; make the task with clean_per_class=1 or more, or take "
                "judge='held out'"
            )

    def hold_out(self, run: Run) -> Tensor:
        """Places (H,) in the noisy set whose given labels judge, drawn from the method's own generator; often none."""
        if self.keep != "all" and len(run.clean_labels) and self.judge != "held out":
            self.judged = run.clean_images, run.clean_labels
        elif self.keep != "all":
            count = len(run.given_labels)
            held = round(HELD_OUT * count)
            if not 0 < held < count:
                raise ValueError(f"judge={self.judge!r} would hold out {held} of {count} given labels; take keep='all'")
            self.held = torch.randperm(count, generator=run.generator)[:held]
            self.judged = run.noisy_images[self.held], run.given_labels[self.held]
        return self.held.to(run.given_labels.device)

    def step(self, run: Run, batch: Batch) -> StepResult:
        layer = last_layer(run.model)
        mask = self.masks.draw(len(batch.labels), layer.in_features, run.generator)
        if mask is None:
            return StepResult(run.learn(batch.images, batch.labels).mean())
        with masked(layer, mask):
            loss = F.cross_entropy(run.model(batch.images), batch.labels)
        run.descend(loss)
        return StepResult(loss)

    def after_epoch(self, run: Run, network: nn.Module) -> dict[str, float]:
        """Choose k, and keep the cut network if it is the best so far."""
        if self.judged is None:
            return {}
        cut, score = self.choose(network, *self.judged)
        if self.keep == "cut" or score > self.state.get("score", -1.0):
            epoch = run.steps_done // run.steps_an_epoch + 1
            uncut = last_layer(network).weight.detach().clone()
            self.state.update(score=score, cut=cut, epoch=epoch, weights=cut_state(network, cut), uncut=uncut)
        return {"cut": float(self.state["cut"]), "kept_epoch": float(self.state["epoch"])}

    def choose(self, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[int, float]:
        """k* by these images and labels, and what it scores. Only nested masks leave a choice: else it is K."""
        found = accuracy_by_cut(network, images, labels)
        cut = best_cut(found[: self.masks.reach(len(found))]) if self.masks.kind == "nested" else len(found)
        return cut, found[cut - 1] - PRICE * (cut - 1)
