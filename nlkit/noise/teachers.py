"""A teacher that answers questions about a pool, and is sometimes wrong: by itself, at random, or where it hurts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_choice, check_number
from nlkit.data.tail_and_rest import CLASSES
from nlkit.learning.frozen import endless_batches
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import adam, descend
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix
from nlkit.randomness import seeded_generator

ERRORS = OWN, AT_RANDOM, OPPONENT = ("its own", "at random", "where it hurts")
STEPS, BATCH, RATE = 240, 32, 2e-3  # of a teacher's training, with Adam


class Answered(NamedTuple):
    """What a teacher says of n images, should it be asked."""

    soft: Tensor  # (n, K) probabilities
    right: Tensor  # (n,) bool: whether the likeliest class is the true one


def teacher(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """A network of two convolutions that has learned from all the labels (n,) of images (n, 1, H, W) there are."""
    network = build_model("cnn", tuple(images.shape[1:]), CLASSES, seed=seed)
    optimizer = adam(network.parameters(), RATE)
    batches = endless_batches(len(images), seeded_generator(seed, "teacher"), BATCH)
    for _ in range(STEPS):
        batch = next(batches)
        descend(optimizer, F.cross_entropy(network(images[batch]), labels[batch]))
    return network.eval()


def answered(errors: str, own: Tensor | None, true: Tensor, share: float, unsure: Tensor, seed: int) -> Answered:
    """What is said of n images: a teacher's `own` probabilities (n, K), or true labels (n,) with wrong ones among them.

    share: ν in [0, 1], how many of those are wrong: drawn at random, or where `unsure` (n,) is largest. A wrong one is
    of any other class, and as sure as a right one. Raises a ValueError for a share outside [0, 1].
    """
    check_number("share", share, 0, 1)
    if check_choice("errors", errors, ERRORS) == OWN:
        if own is None:
            raise ValueError(f"own=None can't be, if errors={OWN!r}; hand in the probabilities that a teacher gives")
        soft = own
    else:
        ratio = share if errors == AT_RANDOM else 1.0
        given = corrupt(true, noise_matrix("symmetric", CLASSES, ratio), seed=seed)
        if errors == OPPONENT:
            hurt = torch.zeros(len(true), dtype=torch.bool)
            hurt[unsure.argsort(descending=True, stable=True)[: round(share * len(true))]] = True
            given = torch.where(hurt, given, true)
        soft = F.one_hot(given, CLASSES).float()
    return Answered(soft, soft.argmax(1) == true)
