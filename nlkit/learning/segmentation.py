"""A small network that names the class of every pixel, and how its masks are scored.

Masks are (N, H, W) whole numbers; class 0 is background. Overlaps are counted over all pixels of a set, never as a mean
over images, in which an image with a few pixels of a class would weigh as much as one with many.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer
from nlkit.learning.models import seeded

DIVISOR = 4  # of the sides of images that the network takes


class MaskNetwork(nn.Module):
    """26,000 parameters: images (N, 1, H, W) -> logits (N, K, H, W), for sides that four divides.

    A U in small: features at half and at a quarter of the size, joined at half of it; four pixels are told from each
    place there. Groups are normalized within an image, so that training and evaluation see the same.
    """

    def __init__(self, classes: int, seed: int = 0):
        """Weights come from the seed. Raises a ValueError for fewer than two classes."""
        super().__init__()
        check_integer("classes", classes, 2)
        made = seeded(lambda: _parts(classes), seed)
        self.fine, self.coarse, self.told = made

    def forward(self, images: Tensor) -> Tensor:
        fine = self.fine(F.pixel_unshuffle(images, 2))  # (N, 16, H/2, W/2)
        coarse = F.interpolate(self.coarse(F.max_pool2d(fine, 2)), scale_factor=2)
        return F.pixel_shuffle(self.told(torch.cat([fine, coarse], 1)), 2)


def _parts(classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(*_layer(4, 16), *_layer(16, 16)),
        nn.Sequential(*_layer(16, 32), *_layer(32, 32), nn.Conv2d(32, 16, 1)),
        nn.Sequential(*_layer(32, 16), nn.Conv2d(16, 4 * classes, 3, padding=1)),
    )


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.ReLU()]


@torch.no_grad()
def predicted(network: nn.Module, images: Tensor) -> Tensor:
    """(N, H, W) the likeliest class of each pixel of images (N, 1, H, W)."""
    return torch.cat([likeliest(network(some)) for some in images.split(100)])


def likeliest(scores: Tensor) -> Tensor:
    """(N, H, W) the class of the highest of scores (N, K, H, W)."""
    return scores.max(1).indices  # an eighth of the time of argmax


def overlaps(one: Tensor, other: Tensor, classes: int, where: Tensor | None = None) -> list[float]:
    """IoU of each class but background: shared pixels / pixels of either, over all of both masks (N, H, W).

    where: (N, H, W) bool, the pixels that are looked at; all, if None. NaN for a class that neither has there.
    """
    if where is not None:
        one, other = one[where], other[where]
    pairs = torch.bincount((one * classes + other).flatten(), minlength=classes**2).view(classes, classes)
    both, either = pairs.diagonal(), pairs.sum(0) + pairs.sum(1) - pairs.diagonal()
    return [int(b) / int(e) if e else math.nan for b, e in zip(both[1:], either[1:])]


def dice(one: Tensor, other: Tensor) -> Tensor:
    """(N,) 2 · shared pixels / (pixels of one + of the other), image by image, of bool masks (N, H, W).

    NaN where both are empty.
    """
    one, other = one.flatten(1), other.flatten(1)
    return 2 * (one & other).sum(1) / (one.sum(1) + other.sum(1))
