"""What a method is handed: the run (network, optimizer, clean set, randomness) and one batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Batch(NamedTuple):
    index: Tensor  # (B,) places in the examples that the method learns from; the noisy set comes first
    images: Tensor  # (B, C, H, W)
    labels: Tensor  # (B,) given labels


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
    progress: float = 0.0  # share of the training's steps that lie behind, in [0, 1)

    def descend(self, loss: Tensor) -> None:
        """One optimizer step down the gradient of `loss`."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def clean_batch(self, size: int) -> tuple[Tensor, Tensor]:
        """`size` examples of the clean set (all of it, if it is smaller), drawn afresh without replacement."""
        chosen = torch.randperm(len(self.clean_labels), generator=self.generator)[:size].to(self.clean_labels.device)
        return self.clean_images[chosen], self.clean_labels[chosen]


def normalize_weights(weights: Tensor) -> Tensor:
    """Weights (B,) made a distribution: negative ones become 0, the rest sum to 1 (or all stay 0)."""
    positive = weights.clamp(min=0)
    total = positive.sum()
    return torch.where(total > 0, positive / total, positive)
