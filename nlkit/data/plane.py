"""Points in the plane as a data set of the kit: two moons or two blobs, small enough that all of it can be seen.

A point is an image of two channels and one pixel, (2, 1, 1): its x and its y. So tasks, noise, networks and methods
take it as they take digits, and the classroom network has two inputs in place of 784.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.randomness import MAX_SEED, seeded_generator

CLASSES = ("circle", "square")  # as they are drawn
WINDOW = (-1.5, 2.5), (-1.1, 1.6)  # what a picture shows: x and y, from and to
_MIDDLE, _SCALE = (0.5, 0.25), (0.87, 0.5)  # mean and standard deviation of the moons' coordinates, about
_TEST = 500  # points a class, which are drawn the same way


def _moons(count: int, spread: float, draw: torch.Generator) -> Tensor:
    """(2, count, 2) two half circles of radius 1 that hook into each other, each point moved by `spread`."""
    angle = math.pi * (torch.arange(count) + torch.rand(2, count, generator=draw)) / count  # one in each equal part
    x, y = angle.cos(), angle.sin()
    arcs = torch.stack([torch.stack([x[0], y[0]], 1), torch.stack([1 - x[1], 0.5 - y[1]], 1)])
    return arcs + spread * torch.randn(2, count, 2, generator=draw)


def _blobs(count: int, spread: float, draw: torch.Generator) -> Tensor:
    """(2, count, 2) two round heaps, 1.7 apart; their standard deviation is 2.5 times `spread`."""
    middles = torch.tensor([[-0.35, 0.4], [1.35, 0.1]])
    return middles[:, None] + 2.5 * spread * torch.randn(2, count, 2, generator=draw)


PLANES = {"moons": _moons, "blobs": _blobs}


def plane(name: str = "moons", *, per_class: int = 50, spread: float = 0.13, seed: int = 0) -> Dataset:
    """Points of two classes, "circle" and "square", and 1,000 of the same kind to test on.

    name: "moons" or "blobs". per_class: training points of each class, 2 or more. spread: how far a point of a moon
    lies off its arc, as a standard deviation, above 0; arcs have a radius of 1. seed: draws them; the same seed gives
    the same points everywhere. Raises a ValueError for what is none of these.

    >>> plane("moons").train_images.shape
    torch.Size([100, 2, 1, 1])
    """
    draw_points = PLANES[check_choice("name", name, PLANES)]
    check_integer("per_class", per_class, 2)
    check_number("spread", spread, 0, above=True)
    draw = seeded_generator(check_integer("seed", seed, 0, MAX_SEED), f"points of {name}")
    parts = {}
    for part, count in (("train", per_class), ("test", _TEST)):
        points = draw_points(count, spread, draw).flatten(0, 1)  # (2 · count, 2)
        parts[f"{part}_images"] = as_images(points)
        parts[f"{part}_labels"] = torch.arange(2).repeat_interleave(count)
    return Dataset(name=name, class_names=CLASSES, **parts, mean=_MIDDLE, std=_SCALE)


def as_images(points: Tensor) -> Tensor:
    """Points (..., 2) in the plane as normalised images (N, 2, 1, 1)."""
    return ((points.reshape(-1, 2) - torch.tensor(_MIDDLE)) / torch.tensor(_SCALE))[:, :, None, None]


def as_points(images: Tensor) -> Tensor:
    """Normalised images (N, 2, 1, 1) as points (N, 2) in the plane."""
    return images.flatten(1).cpu() * torch.tensor(_SCALE) + torch.tensor(_MIDDLE)


def lattice(columns: int = 65, rows: int = 45) -> Tensor:
    """(rows, columns, 2) points in even steps over `WINDOW`, from its lower left to its upper right corner."""
    x, y = (torch.linspace(*ends, steps) for ends, steps in zip(WINDOW, (columns, rows)))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def nearest(points: Tensor, x: float, y: float) -> tuple[int, float]:
    """Place of the point of (N, 2) that is nearest to (x, y), the first of equals, and how far it is."""
    far = (points - torch.tensor([x, y])).norm(dim=1)
    place = int(far.argmin())
    return place, float(far[place])
