"""A network that adapts where it is used: by the batch at hand, and by growing surer of its own answers.

    L = mean over kept i of H(ŷ_i) − λ_max H(ȳ),   H(p) = −Σ p log p,   ȳ = mean of all ŷ of the batch

Only scales and shifts of its batch norms learn, as in TENT (Wang and others, ICLR 2021, arXiv:2006.10726), where all
are kept and λ_max = 0.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.data.streams import KNOWN, known_digits
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import build_optimizer, descend
from nlkit.randomness import seeded_generator

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
BATCH, RATE = 64, 2e-3  # of the training of the source, with Adam


def new_network(seed: int) -> nn.Sequential:
    """Three convolutions with batch norm, for 14 × 14 pixels and seven classes; 120 weights are those of norms."""

    def block(inputs: int, maps: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(inputs, maps, 3, stride, padding=1, bias=False), nn.BatchNorm2d(maps), nn.ReLU()]

    return seeded(
        lambda: nn.Sequential(
            *block(1, 12, 2), *block(12, 24), nn.MaxPool2d(2), *block(24, 24), nn.Flatten(), nn.Linear(24 * 9, KNOWN)
        ),
        seed,
    )


@functools.lru_cache(maxsize=4)
def source_network(epochs: int, seed: int) -> nn.Sequential:
    """A network after so many epochs on the 2,800 clean digits from 0 to 6, in evaluation mode; copy it to change it.

    seed: draws weights and batches.
    """
    network, (images, labels) = new_network(seed), known_digits()
    optimizer, order = build_optimizer("adam", network, RATE), seeded_generator(seed, "batches")
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=order).split(BATCH):
            descend(optimizer, F.cross_entropy(network(images[batch]), labels[batch]))
    return network.eval().requires_grad_(False)


def by_batch_statistics(network: nn.Module) -> nn.Module:
    """A copy that normalises by mean and variance of each batch, of which the weights of batch norms alone can learn.

    It is in evaluation mode, so that dropout is off, and stays so. Raises a ValueError for a network that has no batch
    norm with weights.
    """
    found = copy.deepcopy(network).eval().requires_grad_(False)
    norms = [layer for layer in found.modules() if isinstance(layer, NORMS) and layer.affine]
    if not norms:
        kinds = ", ".join(sorted({type(layer).__name__ for layer in network.modules()}))
        raise ValueError(f"network has no batch norm with weights, and nothing else is adapted; its layers are {kinds}")
    for norm in norms:
        norm.running_mean = norm.running_var = None
        norm.requires_grad_(True)
    return found


Keep = Callable[[Tensor, Tensor], Tensor]  # of ŷ and ỹ, (B, K) each: which to learn from, (B,) bool


def entropy(p: Tensor) -> Tensor:
    """H (…) of probabilities (…, K), in nats."""
    return -(p * p.clamp(min=1e-12).log()).sum(-1)


def adaptation_loss(now: Tensor, keep: Tensor, strength: float) -> Tensor:
    """L of probabilities ŷ (B, K) and of those that are kept, (B,) bool. strength: λ_max."""
    alone = (entropy(now) * keep).sum() / keep.sum().clamp(min=1)
    return alone - strength * entropy(now.mean(0))


class Answers(NamedTuple):
    """What is said of a batch, before anything was learned from it."""

    now: Tensor  # (B, K) ŷ
    source: Tensor  # (B, K) ỹ
    keep: Tensor  # (B,) bool: learned from


def adapt(
    network: nn.Module, batches: Iterable[Tensor], *, keep: Keep, strength: float = 0.5, rate: float = 1e-2
) -> Iterator[Answers]:
    """Answer batches of images (B, …) one by one, and after each adapt a copy of the network, which gives logits.

    keep: whom to learn from. strength: λ_max. rate: Adam's; 0 leaves the weights alone. Raises a ValueError, at the
    call, for a network without batch norm or a negative strength or rate; and for a batch of fewer than 16 when it
    comes.
    """
    check_number("strength", strength, 0)
    check_number("rate", rate, 0)
    return _answers(by_batch_statistics(network), by_batch_statistics(network), batches, keep, strength, rate)


def _answers(adapted, original, batches, keep, strength, rate):
    optimizer = build_optimizer("adam", adapted, rate)
    for images in batches:
        check_batch(images)
        with torch.no_grad():
            source = original(images).softmax(1)
        now = adapted(images).softmax(1)
        kept = keep(now.detach(), source)
        yield Answers(now.detach(), source, kept)
        if rate and (kept.any() or strength):
            descend(optimizer, adaptation_loss(now, kept, strength))


def check_batch(images: Tensor, least: int = 16) -> None:
    """Raise a ValueError for a batch too small for statistics of its own."""
    if len(images) < least:
        raise ValueError(f"a batch has {len(images)} images; it must have at least {least} to be normalised by itself")
