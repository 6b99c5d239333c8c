"""Digits turned by a known angle: the angle is what is to be told, as a number or as a class.

An angle counts from how the digit was written, counterclockwise, in degrees. So people's slant is a noise in it that is
there from the start. (Images turned by quarters, as a question that needs no label: `nlkit.learning.turned`.)
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.load import load
from nlkit.data.purchases import pooled
from nlkit.randomness import seeded_generator

WHICH = ("any", *map(str, range(10)))


class Turned(NamedTuple):
    """N turned digits."""

    pixels: Tensor  # (N, 196) of 14 × 14 means, normalized as the digits are
    degrees: Tensor  # (N,) by which each was turned


def turn(images: Tensor, degrees: Tensor) -> Tensor:
    """Images (N, C, H, H), each turned counterclockwise by so many degrees (N,) about its centre.

    Between pixels: bilinear. What comes from outside continues the edge.
    """
    if not len(images):
        return images
    angle = torch.deg2rad(degrees.to(images))
    cos, sin, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    to_source = torch.stack([cos, -sin, none, sin, cos, none], 1).view(-1, 2, 3)  # rows of an image count downwards
    grid = F.affine_grid(to_source, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _some(part: str, which: str, count: int, seed: int) -> Tensor:
    """`count` images of a part ("train" or "test") of mnist5k, of one digit or of any."""
    data = load("mnist5k", device="cpu")
    images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
    if check_choice("which", which, WHICH) != "any":
        images = images[labels == int(which)]
    check_integer("count", count, 1, len(images), why=f": there are no more {part} images")
    return images[torch.randperm(len(images), generator=seeded_generator(seed, f"digits to {part}"))[:count]]


@functools.lru_cache(maxsize=8)
def at_any_angle(part: str, count: int, seed: int, reach: float = 90.0) -> Turned:
    """`count` digits of mnist5k, each turned by an angle that is uniform in ±`reach` degrees.

    Those of fewer are among those of more, at the same angles. Raises a ValueError for more than there are.
    """
    images = _some(part, "any", count, seed)
    check_number("reach", reach, 0, 180, above=True)
    drawn = torch.rand(count, generator=seeded_generator(seed, f"angles to {part}"), dtype=torch.float64)
    degrees = (reach * (2 * drawn - 1)).float()
    return Turned(pooled(turn(images, degrees)), degrees)


@functools.lru_cache(maxsize=8)
def at_angles(part: str, which: str, count: int, angles: Sequence[float], each: int, seed: int) -> Turned:
    """`count` digits of one kind of mnist5k ("any", or "0" to "9"), each at `each` different ones of the angles.

    angles: a tuple, in degrees. Raises a ValueError for more digits than there are, or more angles a digit.
    """
    images = _some(part, which, count, seed)
    check_integer("each", each, 1, len(angles), why=f", as there are {len(angles)} angles")
    chances = torch.rand(count, len(angles), generator=seeded_generator(seed, f"angles to {part}"))
    degrees = torch.tensor(angles, dtype=torch.float32)[chances.argsort(1)[:, :each]].flatten()
    return Turned(pooled(turn(images.repeat_interleave(each, 0), degrees)), degrees)
