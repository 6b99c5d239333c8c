"""What a method is handed: the run (network, optimizer, clean set, randomness) and one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nlkit.augment import unchanged
from nlkit.optimizers import clear_gradients, take_step


class Batch(NamedTuple):
    index: Tensor  # (B,) places in the examples that the method learns from; the noisy set comes first
    images: Tensor  # (B, C, H, W), augmented
    labels: Tensor  # (B,) given labels
    originals: Tensor | None = None  # (B, C, H, W) the images as they were before they were augmented


class StepResult(NamedTuple):
    loss: Tensor  # scalar, detached or not
    weights: Tensor | None = None  # (B,) weights of the batch's examples, summing to 1 (or all 0)


@dataclass
class Run:
    """One training run as its method sees it. There are no true labels and no test set in here."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    clean_images: Tensor  # (M, C, H, W)
    clean_labels: Tensor  # (M,)
    generator: torch.Generator  # on the CPU, for the method's own draws
    num_classes: int
    num_examples: int  # N + M, noisy and clean: the places that a batch's index can name
    progress: float = 0.0  # share of the training's steps that lie behind, in [0, 1)
    steps_done: int = 0  # training steps that lie behind, over all epochs
    steps_an_epoch: int = 1
    augment: Callable[[Tensor, torch.Generator], Tensor] = unchanged  # for clean batches; a `Batch` comes augmented
    noisy_images: Tensor | None = None  # (N, C, H, W) as they are, for a pass through all of them
    averaged: nn.Module | None = None  # the network whose weights are averaged over the steps, if the run has one

    def descend(self, loss: Tensor) -> None:
        """One optimizer step down the gradient of `loss`."""
        clear_gradients(self.optimizer)
        loss.backward()
        take_step(self.optimizer)

    def clean_batch(self, size: int) -> tuple[Tensor, Tensor]:
        """`size` examples of the clean set (all of it, if it is smaller), drawn afresh without replacement.

        They are augmented as the noisy ones are: what helps on them should not hang on where in the image things are.
        """
        chosen = torch.randperm(len(self.clean_labels), generator=self.generator)[:size].to(self.clean_labels.device)
        return self.augment(self.clean_images.index_select(0, chosen), self.generator), self.clean_labels[chosen]


def spare_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Copies of a network's buffers by name, for `functional_call` to write to in place of the network's own.

    With batch norm every pass in training mode moves the running statistics, which only evaluation reads. A step is to
    move them once, by the pass that it learns from; a pass that only looks ahead, or only weighs, gets spare ones.
    """
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


def in_passing(model: nn.Module, images: Tensor) -> Tensor:
    """What a network in training mode says of images, without a trace in its buffers."""
    buffers = spare_buffers(model)
    return functional_call(model, buffers, (images,)) if buffers else model(images)  # the latter takes 50 µs less


def normalize_weights(weights: Tensor) -> Tensor:
    """Weights (B,) made a distribution: negative ones become 0, the rest sum to 1 (or all stay 0)."""
    positive = weights.clamp(min=0)
    total = positive.sum()
    return torch.where(total > 0, positive / total, positive)
