"""Digits as they arrive where a network is used: in bad light and weather, and among them some it was never told of.

Digits 0 to 6 are known, 7, 8 and 9 unknown. A stream goes through six corruptions, one after the other, in batches.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_number
from nlkit.data.load import load
from nlkit.data.tail_and_rest import small
from nlkit.randomness import seeded_generator

CORRUPTIONS = ("noise", "pepper and salt", "blur", "low contrast", "stripes", "fog")
KNOWN, UNKNOWN = 7, -1  # how many digits are known; the label of all others
BATCH, VISIT = 100, 7  # images a batch, batches of a corruption before the next one


class Stream(NamedTuple):
    """Batches in the order in which they arrive, `VISIT` of each of `CORRUPTIONS`."""

    images: Tensor  # (42, 100, 1, 14, 14), pixels normalised as those that the network learned from
    labels: Tensor  # (42, 100) 0 to 6, or UNKNOWN: to measure with


@functools.lru_cache(maxsize=1)
def known_digits() -> tuple[Tensor, Tensor]:
    """(2800, 1, 14, 14) clean training images of the digits 0 to 6, normalised, and their labels (2800,)."""
    data = load("mnist5k")
    known = data.train_labels < KNOWN
    return small(data.train_images[known]), data.train_labels[known]


def corrupted(pixels: Tensor, kind: str, severity: float, generator: torch.Generator) -> Tensor:
    """Images (N, 1, H, W) of pixels in [0, 1] after one of `CORRUPTIONS`, back in [0, 1]; at severity 0 as they were.

    severity: in [0, 1]. generator: draws what is random. Raises a ValueError for a kind or a severity there is not.
    """
    from scipy import ndimage

    check_choice("kind", kind, CORRUPTIONS)
    check_number("severity", severity, 0, 1)
    count, _, height, width = pixels.shape
    if kind == "noise":
        found = pixels + 0.6 * severity * torch.randn(pixels.shape, generator=generator)
    elif kind == "pepper and salt":
        hit, white = torch.rand((2, *pixels.shape), generator=generator)
        found = torch.where(hit < 0.4 * severity, (white < 0.5).float(), pixels)
    elif kind == "blur":
        found = torch.from_numpy(ndimage.gaussian_filter(pixels.numpy(), (0, 0, 2 * severity, 2 * severity)))
    elif kind == "low contrast":
        found = 0.5 + (1 - 0.9 * severity) * (pixels - 0.5)
    elif kind == "stripes":
        found = pixels + 0.8 * severity * (torch.arange(width) % 4 < 2)
    else:  # a bright haze that is thicker here and thinner there
        haze = torch.rand((count, 1, 3, 3), generator=generator)
        haze = F.interpolate(haze, (height, width), mode="bicubic", align_corners=True)
        found = (1 - 0.6 * severity) * pixels + severity * haze
    return found.clamp(0, 1)


@functools.lru_cache(maxsize=4)
def stream(unknown: float, severity: float, seed: int) -> Stream:
    """A stream of which a share `unknown` of each batch, in [0, 0.9], are digits that the network was never told of.

    Known ones are from the 700 test images of digits 0 to 6, a corruption seeing none of them twice; unknown ones are
    from all 1,500 images of 7, 8 and 9. Raises a ValueError for another share or severity.
    """
    check_number("unknown", unknown, 0, 0.9)
    data = load("mnist5k")
    images, labels = torch.cat([data.test_images, data.train_images]), torch.cat([data.test_labels, data.train_labels])
    tested, strange = (data.test_labels < KNOWN).nonzero().flatten(), (labels >= KNOWN).nonzero().flatten()
    of_unknown = round(unknown * BATCH)
    low, high = (float((value - data.mean[0]) / data.std[0]) for value in (0, 1))
    order, draws = seeded_generator(seed, "order of arrival"), seeded_generator(seed, "corruptions")
    batches, shown = [], []
    for kind in CORRUPTIONS:
        ours = tested[torch.randperm(len(tested), generator=order)][: VISIT * (BATCH - of_unknown)]
        others = strange[torch.randperm(len(strange), generator=order)][: VISIT * of_unknown]
        places = torch.cat([ours.view(VISIT, -1), others.view(VISIT, -1)], 1)
        pixels = (small(images[places.flatten()]) - low) / (high - low)
        seen = corrupted(pixels, kind, severity, draws) * (high - low) + low
        batches.append(seen.view(VISIT, BATCH, *seen.shape[1:]))
        shown.append(torch.where(labels[places] < KNOWN, labels[places], UNKNOWN))
    return Stream(torch.cat(batches), torch.cat(shown))
