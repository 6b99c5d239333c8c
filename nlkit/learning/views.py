"""Views: what a small digit may be turned into and still be called the same, or not.

A view takes images (B, C, H, W) and a generator on the CPU, and returns as many of the same shape. It draws from the
generator alone. What comes from outside an image continues its edge.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nlkit.learning.augment import affine_matrices, move_by_matrix, unchanged

View = Callable[[Tensor, torch.Generator], Tensor]
NOISE, HOLE = 0.5, 5  # standard deviation, where the data set's is 1; pixels a side


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by a pixel at most, to the side and up or down."""
    by = torch.randint(-1, 2, (len(images), 2), generator=generator)
    return move_by_matrix(images, torch.cat([torch.eye(2).expand(len(by), 2, 2), by[:, :, None]], 2), at_once=True)


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """White noise on every pixel, of half the data set's standard deviation."""
    return images + NOISE * torch.randn(images.shape, generator=generator).to(images)


def as_other_hands(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by up to 20°, scaled by 0.8 to 1.2, slanted by 0.3 and moved by 1.5 pixels."""
    return move_by_matrix(images, affine_matrices(len(images), generator, 2.0, pixels=0.75), at_once=True)


def strong(images: Tensor, generator: torch.Generator) -> Tensor:
    """The same by up to 25°, 0.75 to 1.25, 0.375 and 2 pixels, and a hole of 5 × 5 pixels as dark as the image gets.

    The hole is anywhere, and at an edge smaller.
    """
    moved = move_by_matrix(images, affine_matrices(len(images), generator, 2.5, pixels=0.8), at_once=True)
    inside = []
    for side in images.shape[-2:]:
        centre = torch.randint(side, (len(images), 1), generator=generator)
        inside.append((torch.arange(side) - centre).abs() <= HOLE // 2)
    hole = (inside[0][:, :, None] & inside[1][:, None]).to(images.device)[:, None]
    return torch.where(hole, moved.amin((1, 2, 3), keepdim=True), moved)


def turn(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by any angle: a 6 may become a 9."""
    angle = 2 * torch.pi * torch.rand(len(images), dtype=torch.float64, generator=generator)
    zero = torch.zeros_like(angle)
    rows = [angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero]
    return move_by_matrix(images, torch.stack(rows, 1).view(-1, 2, 3), at_once=True)


VIEWS: dict[str, View] = {
    "none": unchanged,
    "noise": noise,
    "shift": shift,
    "affine": as_other_hands,
    "strong": strong,
    "turn": turn,
}
