"""Fewer classes to choose from: rivals of the likeliest class are struck out until it is sure among what is left.

Yang, Zhao, Qi, Qiao, Shi, Zhao: Shrinking class space for enhanced certainty in semi-supervised learning. ICCV
2023, arXiv:2308.06777.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.learning.models import seeded

REMEMBERED = 32  # batches


class Shrunk(NamedTuple):
    kept: Tensor  # (N, K) bool: the likeliest class, and the rivals that are left
    reached: Tensor  # (N,) bool: whether it is sure among these

    @property
    def struck(self) -> Tensor:
        """(N,) how many rivals are struck out."""
        return (~self.kept).sum(1)


def shrink(p: Tensor, tau: float) -> Shrunk:
    """Strike out the second class, the third … of probabilities p (N, K), until the first has a share of τ in the rest.

    The second always goes, and one rival at least stays; where that is not enough, τ is not reached.
    Raises a ValueError for fewer than three classes, or τ outside (1/K, 1).
    """
    classes = check_integer("the number of classes", p.shape[1], 3, why=": of two, none can be struck out")
    if not 1 / classes < check_number("tau", tau) < 1:
        raise ValueError(f"tau={tau} must be a number between 1/{classes}, which is chance, and 1")
    falling, order = p.sort(1, descending=True)
    tail = falling.flip(1).cumsum(1).flip(1)  # (N, K): what this rank and those after it have
    share = falling[:, :1] / (falling[:, :1] + tail[:, 2:])  # (N, K - 2) of the first, once ranks 2 … c are out
    enough = share >= tau
    reached = enough.any(1)
    out = torch.where(reached, enough.int().argmax(1) + 2, classes - 1)  # (N,) c
    rank = order.argsort(1)  # (N, K), 0 for the likeliest
    return Shrunk((rank == 0) | (rank >= out[:, None]), reached)


def restricted(logits: Tensor, labels: Tensor, kept: Tensor) -> Tensor:
    """Cross-entropy (N,) of logits (N, K) with labels (N,) among the classes that are kept (N, K), as if no others."""
    return F.cross_entropy(logits.masked_fill(~kept, float("-inf")), labels, reduction="none")


class Alignment:
    """Distribution alignment: of the last 32 batches together, each class is to be predicted equally often.

    Berthelot and others 2020, ReMixMatch, arXiv:1911.09785.
    """

    def __init__(self) -> None:
        self._means: deque[Tensor] = deque(maxlen=REMEMBERED)

    def __call__(self, p: Tensor) -> Tensor:
        """p (N, K) divided by its mean over the last batches, this one included, and normalized."""
        self._means.append(p.mean(0))
        aligned = p / torch.stack(list(self._means)).mean(0).clamp(min=1e-6)
        return aligned / aligned.sum(1, keepdim=True)


class TwoHeads(nn.Module):
    """Body and main head of a network, and an auxiliary head, to which `forward` does not listen."""

    def __init__(self, network: nn.Sequential, seed: int):
        super().__init__()
        self.body, self.main = network[:-1], network[-1]
        wide, classes = self.main.in_features, self.main.out_features

        def head() -> nn.Sequential:
            few = wide // 4
            first, second = ([nn.Linear(a, few), nn.BatchNorm1d(few), nn.LeakyReLU(0.1)] for a in (wide, few))
            return nn.Sequential(*first, *second, nn.Linear(few, classes))

        self.auxiliary = seeded(head, seed)

    def forward(self, images: Tensor) -> Tensor:
        return self.main(self.body(images))


def of_unlabelled(seen: Sequence[tuple[Tensor, Shrunk, Tensor]], hidden: Tensor, tau: float) -> dict[str, float]:
    """How many images are sure, and who is right: shares and means, by name; NaN where there are no such images.

    seen: probabilities p (N, K), smaller questions and places (N,) of images, step by step. hidden: what all images
    show. Told are "sure", and of these "sure_right"; and of the others "used" (τ is reached), "top_right" (the
    likeliest class is right), "reduced_right" (the true class is the likeliest, or is struck out: the smaller question
    has the right answer), "by_chance" (the same if as many rivals were struck out at random), "struck" (how many are).
    """
    p, kept, reached, places = map(torch.cat, zip(*((p, s.kept, s.reached, at) for p, s, at in seen)))
    certainty, likeliest = p.max(1)
    truth, sure = hidden[places], certainty >= tau
    right, others = likeliest == truth, ~sure
    struck_out = ~kept.gather(1, truth[:, None])[:, 0]
    struck = (~kept).sum(1).double()
    chance = right + ~right * struck / (kept.shape[1] - 1)
    found = {"sure": sure, "sure_right": right[sure], "used": reached[others], "top_right": right[others]}
    found |= {"reduced_right": (right | struck_out)[others], "by_chance": chance[others], "struck": struck[others]}
    return {name: each.double().mean().item() for name, each in found.items()}
