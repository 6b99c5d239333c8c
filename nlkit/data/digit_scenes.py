"""Scenes: real digits of many sizes in places that are known, on one canvas, which is noisy.

A box is (left, top, right, bottom) in shares of the canvas's side, from 0 to 1: x before y.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.data.load import load
from nlkit.randomness import seeded_generator

WRITTEN = 20  # pixels of a side of the square that a digit of 28 x 28 is written into
SIDE, WIDE, BLUR = 32, 48, 0.15  # pixels along a canvas, and along one with many digits; deviation of the noise
NONE = -1  # the label of a place that shows nothing
PARTS = ("scenes", "elsewhere", "test")  # whose digits: half of the training digits, the other half, or those for tests


class Scenes(NamedTuple):
    """N scenes with up to M digits each."""

    images: Tensor  # (N, 1, S, S) ink from 0 to 1, and noise
    labels: Tensor  # (N, M) class of each digit, or NONE
    boxes: Tensor  # (N, M, 4) its box; all 0 where there is none


def digits_of(part: str, data: Dataset | None = None) -> tuple[Tensor, Tensor]:
    """Digits (n, 20, 20), ink from 0 to 1, and their labels (n,); no digit is in two parts of `PARTS`."""
    check_choice("part", part, PARTS)
    data = data or load("mnist5k")
    images, labels = (data.test_images, data.test_labels) if part == "test" else (data.train_images, data.train_labels)
    margin = (images.shape[-1] - WRITTEN) // 2
    ink = (images[:, 0] * data.std[0] + data.mean[0])[:, margin : margin + WRITTEN, margin : margin + WRITTEN]
    if part == "test":
        return ink, labels
    order = torch.randperm(len(labels), generator=seeded_generator(0, "digits of scenes"))
    half = order[: len(order) // 2] if part == "scenes" else order[len(order) // 2 :]
    return ink[half], labels[half]


def paste(pieces: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Each of the pieces (R, h, w), stretched over its box (R, 4), on an empty canvas of its own: (R, side, side)."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    centres = (torch.arange(side) + 0.5) / side
    at = 2 * (centres[None, :, None] - low) / (high - low) - 1  # (R, side, 2) x and y, from -1 to 1 within the box
    grid = torch.stack([at[:, None, :, 0].expand(-1, side, -1), at[:, :, None, 1].expand(-1, -1, side)], -1)
    return F.grid_sample(pieces[:, None], grid, align_corners=False)[:, 0]


def one_digit(digits: Tensor, generator: torch.Generator) -> Tensor:
    """Each of the digits (R, 20, 20) on a noisy canvas of its own (R, 1, 32, 32): of any size that a scene's digits
    have, at any place."""
    size = 0.30 + 0.25 * torch.rand(len(digits), 1, generator=generator)
    low = torch.rand(len(digits), 2, generator=generator) * (1 - size)
    return noisy(paste(digits, torch.cat([low, low + size], 1), SIDE), generator)


def noisy(ink: Tensor, generator: torch.Generator) -> Tensor:
    """Canvases (N, S, S) with noise, as images (N, 1, S, S)."""
    return (ink + BLUR * torch.randn(ink.shape, generator=generator))[:, None]


def two_digits(count: int, *, both: float, part: str, seed: int) -> Scenes:
    """`count` scenes with a large digit and, in a share `both` of them, a smaller one in the quadrant across.

    A large one takes 45 to 55 % of the side of 32 pixels, a small one 30 to 42 %. part: whose digits, of `PARTS`.
    labels and boxes: the large one first (M = 2). Raises a ValueError for what is out of range.
    """
    check_integer("count", count, 1)
    check_number("both", both, 0, 1)
    digits, labels = digits_of(part)
    draw = seeded_generator(seed, f"two digits: {part}")
    chosen = torch.randint(len(digits), (count, 2), generator=draw)
    sizes = torch.tensor([0.45, 0.30]) + torch.tensor([0.10, 0.12]) * torch.rand(count, 2, generator=draw)
    quadrant = torch.randint(2, (count, 1, 2), generator=draw)
    far = torch.cat([quadrant, 1 - quadrant], 1)  # (N, 2, 2) 0 if it lies at the low end along x, and along y
    offset = torch.rand(count, 2, 2, generator=draw) * (0.5 - sizes).clamp(min=0)[:, :, None]
    low = torch.where(far == 1, 1 - sizes[:, :, None] - offset, offset)
    there = torch.stack([torch.ones(count), (torch.rand(count, generator=draw) < both).float()], 1).bool()
    boxes = torch.cat([low, low + sizes[:, :, None]], 2) * there[:, :, None]
    images = torch.zeros(count, SIDE, SIDE)
    for place in range(2):
        rows = there[:, place].nonzero().flatten()
        ink = paste(digits[chosen[rows, place]], boxes[rows, place], SIDE)
        images[rows] = torch.maximum(images[rows], ink)
    return Scenes(noisy(images, draw), labels[chosen].masked_fill(~there, NONE), boxes)


def many_digits(count: int, *, part: str, seed: int, strokes: bool = True) -> Scenes:
    """`count` scenes of 48 x 48 pixels with two to four digits, a quadrant each, and two to five loose strokes.

    A digit takes 31 to 43 % of the side. strokes: whether there are any: parts of digits, half of one along each
    side, that lie anywhere and in no box. part: whose digits, of `PARTS`. labels and boxes: M = 4, the empty last.
    """
    check_integer("count", count, 1)
    digits, labels = digits_of(part)
    draw = seeded_generator(seed, f"many digits: {part}")
    there = torch.arange(4) < 2 + torch.randint(3, (count, 1), generator=draw)
    quadrant = torch.rand(count, 4, generator=draw).argsort(1)
    chosen = torch.randint(len(digits), (count, 4), generator=draw)
    size = (0.31 + 0.12 * torch.rand(count, 4, generator=draw))[:, :, None]
    low = torch.stack([quadrant % 2, quadrant // 2], -1) / 2 + torch.rand(count, 4, 2, generator=draw) * (0.5 - size)
    boxes = torch.cat([low, low + size], 2) * there[:, :, None]
    images = torch.zeros(count, WIDE, WIDE)

    def put(rows: Tensor, pieces: Tensor, where: Tensor) -> None:
        images[rows] = torch.maximum(images[rows], paste(pieces, where, WIDE))

    for place in range(4):
        rows = there[:, place].nonzero().flatten()
        put(rows, digits[chosen[rows, place]], boxes[rows, place])
    loose = 2 + torch.randint(4, (count,), generator=draw)
    for number in range(5 if strokes else 0):
        rows = (loose > number).nonzero().flatten()
        corner = torch.randint(WRITTEN // 2 + 1, (2,), generator=draw).tolist()
        pieces = digits[torch.randint(len(digits), (len(rows),), generator=draw)]
        pieces = pieces[:, corner[0] : corner[0] + WRITTEN // 2, corner[1] : corner[1] + WRITTEN // 2]
        small = 0.12 + 0.1 * torch.rand(len(rows), 1, generator=draw)
        at = torch.rand(len(rows), 2, generator=draw) * (1 - small)
        put(rows, pieces, torch.cat([at, at + small], 1))
    return Scenes(noisy(images, draw), labels[chosen].masked_fill(~there, NONE), boxes)
