"""Pairs of an image and its caption, of which a share is mismatched: the caption is that of another image.

Two halves of a digit stand for image and caption: the left 14 columns of a digit of mnist5k are the image, the right 14
columns of the *same* digit its caption. As with photographs and sentences, many captions go with an image a little, and
one was made for it. The truth is known.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.checks import check_integer, check_number
from nlkit.data.load import load
from nlkit.randomness import seeded_generator

FEWEST = 64  # pairs


class Pairs(NamedTuple):
    """N images and N captions; caption i was made for image i."""

    images: Tensor  # (N, P) features of the images
    captions: Tensor  # (N, Q) features of the captions
    labels: Tensor  # (N,) what is on them
    given: Tensor  # (N,) places of the captions that came with the images

    @property
    def mismatched(self) -> Tensor:
        """(N,) bool: the image came with the caption of another one."""
        return self.given != torch.arange(len(self.given))


def mismatch(count: int, ratio: float, seed: int) -> Tensor:
    """(N,) which caption each of `count` images comes with: round(ratio · N) of them, at random, are shuffled.

    A few of those keep their own, as in the papers. Which are shuffled is nested in the ratio. Raises a ValueError for
    a ratio outside [0, 1].
    """
    check_integer("count", count, 1)
    check_number("ratio", ratio, 0, 1)
    generator = seeded_generator(seed, "mismatched pairs")
    among = torch.randperm(count, generator=generator)[: round(ratio * count)]
    given = torch.arange(count)
    given[among] = among[torch.randperm(len(among), generator=generator)]
    return given


@functools.lru_cache(maxsize=8)
def halves(part: str, count: int, ratio: float = 0.0, seed: int = 0) -> Pairs:
    """Left and right halves (N, 392) of `count` digits of one part ("train" or "test") of mnist5k, normalized.

    Raises a ValueError for a ratio outside [0, 1], for fewer than 64 pairs, and for more than there are digits.
    """
    data = load("mnist5k", device="cpu")
    images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
    check_integer("count", count, FEWEST, len(images), why=f": there are {len(images):,} {part} digits")
    some = torch.randperm(len(images), generator=seeded_generator(seed, f"pairs to {part}"))[:count]
    left, right = images[some, 0].tensor_split(2, dim=2)
    return Pairs(left.flatten(1), right.flatten(1), labels[some], mismatch(count, ratio, seed))
