"""Digits as they come elsewhere: of other writers and another scanner, or turned, moved, blurred and noisy."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.data.dataset import Dataset, normalize
from nlkit.randomness import seeded_generator

ANGLE, NOISE, BLUR, MOVE = 25, 1.0, 5, (2, 3)  # degrees; standard deviations; pixels a side; pixels down and right
SHIFTS = ("turned", "noisy", "blurred", "moved")


@functools.lru_cache(maxsize=2)
def other_writers(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Images (1797, 1, 28, 28), normalized by mean and standard deviation, and labels (1797,): scikit-learn's digits.

    They are 8 × 8, scanned in Turkey in the nineties; here enlarged to 20 × 20 and padded, as MNIST's are.
    Source: Alpaydin, Kaynak: Optical recognition of handwritten digits. UCI Machine Learning Repository, 1998.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    small = torch.from_numpy(images).float().view(-1, 1, 8, 8) * 255 / 16
    large = F.interpolate(small, size=(20, 20), mode="bilinear", align_corners=False)
    return normalize(F.pad(large, (4, 4, 4, 4)), mean, std), torch.from_numpy(labels).long()


def shifted(images: Tensor, shift: str, *, seed: int = 0) -> Tensor:
    """Normalized images (N, C, H, W) after one of `SHIFTS`; what comes from outside continues the edge.

    seed: draws the noise, in units of the data set's standard deviation.
    """
    from scipy import ndimage

    if shift == "noisy":
        return images + NOISE * torch.randn(images.shape, generator=seeded_generator(seed, "shift"))
    pixels = images.numpy()
    if shift == "turned":
        moved = ndimage.rotate(pixels, ANGLE, axes=(3, 2), reshape=False, order=1, mode="nearest")
    elif shift == "blurred":
        moved = ndimage.uniform_filter(pixels, (1, 1, BLUR, BLUR), mode="nearest")
    else:
        moved = ndimage.shift(pixels, (0, 0, *MOVE), order=0, mode="nearest")
    return torch.from_numpy(moved)


def all_test_sets(data: Dataset) -> dict[str, tuple[Tensor, Tensor]]:
    """Images and labels: its own test digits ("id"), those shifted in each way, and other writers' ("other")."""
    sets = {"id": (data.test_images, data.test_labels)}
    sets |= {shift: (shifted(data.test_images, shift), data.test_labels) for shift in SHIFTS}
    return sets | {"other": other_writers(data.mean, data.std)}
