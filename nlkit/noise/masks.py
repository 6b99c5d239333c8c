"""Noise in masks: outlines too narrow, too wide or shifted, and classes that are taken for one another.

Too narrow and too wide as in the program of ADELE (Liu and others, arXiv:2110.03740): an organ is enlarged to some
1,000 pixels, so that a step takes the same share of a small one as of a large one; it is eroded or dilated by a square
of 3×3 so many times, and made small again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.randomness import seeded_generator

PIXELS = 1000  # of an enlarged organ, at least
OUTLINES, SHIFTED, SWAPPED = KINDS = ("outlines", "shifted", "swapped")


def check_masks(name: str, masks: Tensor, images: Tensor | None = None, classes: int | None = None) -> None:
    """Raise a ValueError unless masks are (N, H, W) whole numbers from 0, below `classes`, and of the images' size."""
    kind = f"{name} has shape {tuple(masks.shape)} and type {masks.dtype}"
    if masks.ndim != 3 or masks.is_floating_point() or masks.dtype == torch.bool:
        raise ValueError(f"{kind}; it must be (N, H, W), the class of each pixel as a whole number from 0")
    if images is not None and (images.ndim != 4 or images.shape[0::2] != masks.shape[:2] or
                               images.shape[3] != masks.shape[2]):  # fmt: skip
        raise ValueError(f"{kind} for images of shape {tuple(images.shape)}; both must be of one number and size")
    most = math.inf if classes is None else classes - 1
    if masks.numel() and not 0 <= int(masks.min()) <= int(masks.max()) <= most:
        raise ValueError(f"{name} has classes from {int(masks.min())} to {int(masks.max())}; they must be from 0 to "
                         f"{'K - 1' if classes is None else most}")  # fmt: skip


def grown(organ: Tensor, steps: int) -> Tensor:
    """(H, W) bool: an organ (H, W) dilated by so many steps at 1,000 pixels; eroded, if `steps` is below 0.

    An organ that is absent stays absent.
    """
    if not steps or not organ.any():
        return organ
    factor, reach = math.ceil(math.sqrt(PIXELS / int(organ.sum()))), abs(steps)
    window = tuple(_span(organ.any(1 - side), math.ceil(reach / factor) + 1) for side in (0, 1))
    large = organ[window].float().repeat_interleave(factor, 0).repeat_interleave(factor, 1)[None, None]
    kernel = 2 * reach + 1, 1, reach  # as many squares of 3×3, one after another
    moved = F.max_pool2d(large, *kernel) if steps > 0 else 1 - F.max_pool2d(1 - large, *kernel)
    result = torch.zeros_like(organ)
    result[window] = F.avg_pool2d(moved, factor)[0, 0] > 0.5
    return result


def _span(line: Tensor, room: int) -> slice:
    """From the first to the last place that is True in `line`, and so much beyond on both sides."""
    places = line.nonzero()
    return slice(max(0, int(places[0]) - room), int(places[-1]) + 1 + room)


def noisy_masks(
    masks: Tensor, share: float, kind: str = OUTLINES, fewest: int = 3, most: int = 6, seed: int = 0
) -> Tensor:
    """Masks (N, H, W) as hurried annotators draw them: round(share · N) of the images, at random, are hit.

    kind: "outlines", all organs of an image too narrow or, by a coin, too wide, by `fewest` to `most` steps (`grown`);
    a wider organ covers no other one. "shifted", all organs of an image moved by one or two pixels along each side.
    "swapped", two organs of an image take each other's class. Images that are hit are nested in the share. Raises a
    ValueError for a share outside [0, 1], steps that can't be, and what are no masks.
    """
    check_number("share", share, 0, 1)
    check_choice("kind", kind, KINDS)
    check_integer("fewest", fewest, 1)
    check_integer("most", most, fewest)
    check_masks("masks", masks)
    draw = seeded_generator(seed, f"noisy masks, {kind}")
    order, coins = torch.randperm(len(masks), generator=draw), torch.rand(len(masks), 4, generator=draw)
    noisy = masks.clone()
    for image in order[: round(share * len(masks))].tolist():
        noisy[image] = _SPOIL[kind](masks[image], coins[image].tolist(), fewest, most)
    return noisy


def _outlines(mask: Tensor, coins: list[float], fewest: int, most: int) -> Tensor:
    steps = fewest + int(coins[1] * (most - fewest + 1))
    noisy, free = torch.zeros_like(mask), mask == 0
    for organ in _organs(mask):
        own = mask == organ
        noisy[grown(own, steps if coins[0] < 0.5 else -steps) & (own | free)] = organ
        free = free & (noisy == 0)
    return noisy


def _shifted(mask: Tensor, coins: list[float], *_: int) -> Tensor:
    down, right = ((1 if length < 0.5 else 2) * (1 if way < 0.5 else -1) for length, way in zip(coins[:2], coins[2:]))
    height, width = mask.shape
    return F.pad(mask, (2, 2, 2, 2))[2 - down : 2 - down + height, 2 - right : 2 - right + width]


def _swapped(mask: Tensor, coins: list[float], *_: int) -> Tensor:
    organs = _organs(mask)
    if len(organs) < 2:
        return mask
    one = int(coins[0] * len(organs))
    other = (one + 1 + int(coins[1] * (len(organs) - 1))) % len(organs)
    renamed = torch.arange(int(mask.max()) + 1)
    renamed[organs[one]], renamed[organs[other]] = organs[other], organs[one]
    return renamed[mask]


def _organs(mask: Tensor) -> list[int]:
    return [organ for organ in mask.unique().tolist() if organ]


_SPOIL: dict[str, Callable[..., Tensor]] = {OUTLINES: _outlines, SHIFTED: _shifted, SWAPPED: _swapped}
