"""Digits as points with few coordinates: their first principal components, from which an image can be drawn again."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.checks import check_integer
from nlkit.data.load import load
from nlkit.randomness import seeded_generator

SPREAD, SIDE = 0.5, 28  # standard deviation of a coordinate, on average; pixels


class DigitComponents(NamedTuple):
    """The digits of mnist5k in k coordinates. x = (image - mean) basis scale, and so back again."""

    train: Tensor  # (4000, k)
    test: Tensor  # (1000, k)
    train_labels: Tensor  # (4000,)
    test_labels: Tensor  # (1000,)
    mean: Tensor  # (784,) of the training images, with pixels in [0, 1]
    basis: Tensor  # (784, k) orthonormal columns, the direction of most variance first
    scale: float
    kept: float  # share of the variance of the pixels

    def images(self, points: Tensor) -> Tensor:
        """(N, k) points as images (N, 28, 28) with pixels in [0, 1]; what lies outside is cut off."""
        pixels = points @ self.basis.T / self.scale + self.mean
        return pixels.clamp(0, 1).reshape(-1, SIDE, SIDE)

    def some(self, count: int, seed: int) -> Tensor:
        """(count, k) training digits at random. Fewer of the same seed are the first of more.

        Raises a ValueError for less than 1 and for more than there are.
        """
        check_integer("count", count, 1, len(self.train))
        return self.train[torch.randperm(len(self.train), generator=seeded_generator(seed, "some digits"))[:count]]


@functools.lru_cache(maxsize=4)
def digit_components(count: int = 16) -> DigitComponents:
    """The training and test digits of mnist5k in `count` principal components (1 to 784) of the training digits."""
    check_integer("count", count, 1, SIDE**2)
    data = load("mnist5k", device="cpu")
    train, test = ((part * data.std[0] + data.mean[0]).flatten(1) for part in (data.train_images, data.test_images))
    mean = train.mean(0)
    values, directions = torch.linalg.eigh(torch.cov(train.T))
    basis, variances = directions.flip(1)[:, :count].contiguous(), values.flip(0)[:count]
    scale = float(SPREAD / variances.mean().sqrt())
    points = [(part - mean) @ basis * scale for part in (train, test)]
    kept = float(variances.sum() / values.sum())
    return DigitComponents(*points, data.train_labels, data.test_labels, mean, basis, scale, kept)
