"""PES: progressive early stopping, part by part of the network; then learning from the labels that it would give too.

    Bai, Yang, Han, Yang, Li, Mao, Niu, Liu: Understanding and improving early stopping for learning with noisy labels.
    NeurIPS 2021, arXiv:2106.15853.

    1   the whole network learns every given label, for T₁ epochs
    2   its last two parts are drawn anew and learn every given label, for T₂ epochs; those before them rest
    3   its last part is drawn anew and learns every given label, for T₃ epochs; those before it rest
    4   D = { i : argmax p(x_i) = ỹ_i }, found anew each epoch;    w_k = mean_j |D_j| / |D_k|,   D_k: those of label k
        L(θ) = Σ_{i ∈ D} w_ỹi CE(p(x_i), ỹ_i) / Σ_{i ∈ D} w_ỹi

Later layers take up wrong labels sooner than earlier ones, so each part is to be stopped at a time of its own: the
earlier the part, the longer it learns. Weights w make up for classes of which few labels are confirmed.

For CIFAR-10 the authors have T₁, T₂, T₃ = 25, 7, 5 epochs of about 211, with SGD in the first stage and Adam at 10⁻⁴ in
the next two. Here they are shares of the training, `first`, `second` and `third`, with a floor of 2.5 epochs, 1 and 1
(see burn_in.py); the run's own optimizer takes all steps, and forgets what it knew of a part that is drawn anew. A
layer that is drawn anew has to learn in a hundredth of the authors' steps, whence the larger shares. The three linear
layers of the classroom's network are its parts; the authors' last two of a ResNet-18 are its last four convolutions and
its head.

In the authors' program (tmllab/2021_NeurIPS_PES) the optimizer of stage 4 goes on with the parameters that it was given
at first, and the renewed layers are not among them: they rest from then on. Here everything learns, as the paper tells.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.burn_in import FEWEST_EPOCHS, FEWEST_STEPS
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import predict
from nlkit.learning.restart import begins_epoch, check_renewable, descend_last, renew


class PES:
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True
    renewed: tuple[int, ...] = (2, 1)  # how many parts are drawn anew after the first stage, and the next
    heaviest = float("inf")  # what a class weighs at most

    def __init__(self, first: float = 0.2, second: float = 0.2, third: float = 0.16):
        """first, second, third: T₁, T₂, T₃ as shares of the training, in [0, 0.4], with a floor. Else a ValueError."""
        given = {"first": first, "second": second, "third": third}
        self.lengths = [check_number(name, value, 0, 0.4) for name, value in given.items()]
        self.state: dict[str, Any] = {"stage": 0}

    def prepare(self, run: Run) -> None:
        check_renewable(run)

    def step(self, run: Run, batch: Batch) -> StepResult:
        if self.state["stage"] < self._stage(run):
            self.state["stage"] += 1
            if self.state["stage"] <= len(self.renewed):
                renew(run, self.renewed[self.state["stage"] - 1])
        stage = self.state["stage"]
        if stage > len(self.renewed):
            return self.learn_confident(run, batch)
        loss = F.cross_entropy(run.logits(batch.images), batch.labels)
        descend_last(run, loss, self.renewed[stage - 1] if stage else None)
        return StepResult(loss.detach(), torch.full_like(batch.labels, 1 / len(batch.labels), dtype=loss.dtype))

    def learn_confident(self, run: Run, batch: Batch) -> StepResult:
        """One step on the batch's examples of D."""
        confident, of_classes = self.confident(run)
        losses = F.cross_entropy(run.logits(batch.images), batch.labels, reduction="none")
        confident = confident[batch.index]
        weights = (confident * of_classes[batch.labels]).to(losses.dtype)
        weights = weights / weights.sum().clamp(min=1e-12)
        loss = (weights * losses).sum()
        if confident.any():
            run.descend(loss)
        return StepResult(loss.detach(), weights)

    def confident(self, run: Run) -> tuple[Tensor, Tensor]:
        """Which examples are of D, (N,), found at the start of each epoch; and w (K,), 0 for a class without any."""
        if "confident" not in self.state or begins_epoch(run):
            self.state["confident"] = predict(run.model, run.noisy_images) == run.given_labels
        confident = self.state["confident"]
        counts = torch.bincount(run.given_labels[confident], minlength=run.num_classes).float()
        mean = counts.sum() / (counts > 0).sum().clamp(min=1)
        return confident, torch.where(counts > 0, (mean / counts).clamp(max=self.heaviest), 0.0)

    def _stage(self, run: Run) -> int:
        """How many stages lie behind, by their ends in steps: each as long as its share, or its floor."""
        whole = run.steps_done / run.progress if run.progress else float("inf")  # the training's steps
        epoch = max(run.steps_an_epoch, FEWEST_STEPS)
        ends, end = 0, 0.0
        for share, fewest in zip(self.lengths, (FEWEST_EPOCHS, 1, 1)[: len(self.renewed) + 1]):
            end += max(share * whole, fewest * epoch) if run.progress else fewest * epoch
            ends += run.steps_done >= end
        return ends
