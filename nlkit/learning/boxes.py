"""Boxes, and what lies within them: crops of images and of maps, how far boxes overlap, boxes at random.

A box is (left, top, right, bottom) in shares of the side of the image that it lies on: x before y.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number

ASPECT = 4 / 3  # of a crop at random: width over height is between its inverse and this


def check_boxes(argument: str, boxes: Tensor, where: Tensor | None = None) -> Tensor:
    """The boxes (…, 4), if each lies within [0, 1] and is not empty; otherwise a ValueError that shows one.

    where: (…) bool, which are looked at; all unless given.
    """
    if boxes.shape[-1:] != (4,):
        raise ValueError(f"{argument} has shape {tuple(boxes.shape)}; the last axis must be left, top, right, bottom")
    inside = (boxes >= 0).all(-1) & (boxes <= 1).all(-1) & (boxes[..., :2] < boxes[..., 2:]).all(-1)
    bad = ~inside if where is None else ~inside & where
    if bad.any():
        raise ValueError(
            f"{argument} has {[round(v, 4) for v in boxes[bad][0].tolist()]}; left, top, right and bottom must be in "
            "[0, 1], left below right and top below bottom"
        )
    return boxes


def random_boxes(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """(count, 4) boxes as a random resized crop has them: area U[low, high], the logarithm of width over height uniform
    between those of 3/4 and 4/3, at a uniform place. A side longer than the image is cut to it.

    Raises a ValueError unless 0 < low <= high <= 1.
    """
    check_integer("count", count, 1)
    check_number("high", high, 0, 1, above=True)
    check_number("low", low, 0, high, above=True)
    area, aspect, x, y = torch.rand(4, count, generator=generator)
    area, aspect = low + (high - low) * area, ASPECT ** (2 * aspect - 1)
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    left, top = x * (1 - width), y * (1 - height)
    return torch.stack([left, top, left + width, top + height], 1).clamp(0, 1)


def cut(images: Tensor, boxes: Tensor, size: int, samples: int = 1) -> Tensor:
    """What lies in one box (B, 4) of each of the images or maps (B, C, H, W): (B, C, size, size); see `cut_each`."""
    return cut_each(images, boxes[:, None], size, samples)[:, 0]


def cut_each(images: Tensor, boxes: Tensor, size: int, samples: int = 1) -> Tensor:
    """What lies in each of R boxes (B, R, 4) of the images or maps (B, C, H, W): (B, R, C, size, size).

    Each of size x size cells is the mean of `samples` x `samples` points on a regular grid, interpolated linearly
    between pixels whose centres lie half a pixel from the border, as RoIAlign does (He and others, Mask R-CNN, ICCV
    2017, with `aligned=True`). Raises a ValueError for boxes that are empty or leave the image.
    """
    check_integer("size", size, 1)
    check_integer("samples", samples, 1)
    check_boxes("boxes", boxes)
    count, (n, each) = size * samples, boxes.shape[:2]
    along = ((torch.arange(count, device=boxes.device) + 0.5) / count)[:, None]
    at = 2 * (boxes[:, :, None, :2] + (boxes[:, :, None, 2:] - boxes[:, :, None, :2]) * along) - 1  # (B, R, count, 2)
    x, y = (at[:, :, None, :, 0].expand(-1, -1, count, -1), at[:, :, :, None, 1].expand(-1, -1, -1, count))
    grid = torch.stack([x, y], -1).view(n, each * count, count, 2)
    found = F.grid_sample(images, grid, align_corners=False, padding_mode="border")  # (B, C, R * count, count)
    found = found.view(n, -1, each, count, count).transpose(1, 2)
    return F.avg_pool2d(found.flatten(0, 1), samples).view(n, each, -1, size, size) if samples > 1 else found


def areas(boxes: Tensor) -> Tensor:
    """(…) the areas of boxes (…, 4), in shares of the image; 0 for one whose right is not beyond its left."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def shared_area(boxes: Tensor, others: Tensor) -> Tensor:
    """(…) the area that boxes (…, 4) have in common with others (…, 4); shapes are broadcast."""
    low, high = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
    return areas(torch.cat([low, high], -1))


def overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """(…, R, M) intersection over union of boxes (…, R, 4) and others (…, M, 4); 0 where one of them is empty."""
    shared = shared_area(boxes[..., :, None, :], others[..., None, :, :])
    union = areas(boxes)[..., :, None] + areas(others)[..., None, :] - shared
    return shared / union.clamp(min=1e-12)


def parts_of(boxes: Tensor, generator: torch.Generator) -> Tensor:
    """A part of each box (…, 4): 45 to 75 % of its width and of its height, anywhere within it."""
    size = boxes[..., 2:] - boxes[..., :2]
    share = 0.45 + 0.3 * torch.rand(size.shape, generator=generator)
    low = boxes[..., :2] + torch.rand(size.shape, generator=generator) * size * (1 - share)
    return torch.cat([low, low + share * size], -1)
