"""Masks that nobody drew: an image is smoothed and cut at a threshold of its own. They err where the image misleads.

Otsu: A threshold selection method from gray-level histograms. IEEE Transactions on Systems, Man, and Cybernetics, 1979.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def otsu(values: Tensor) -> Tensor:
    """(N,) the threshold of each row of values (N, P) that parts it into two classes with the least variance within.

    A value belongs to the upper class if it is above its threshold, which is one of the values. Every value is tried,
    so there is no histogram. Raises a ValueError for rows of fewer than two values.
    """
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"values has shape {tuple(values.shape)}; it must be (N, P), at least two values a row")
    ordered = values.double().sort(1).values
    count = torch.arange(1, values.shape[1])
    below, total = ordered.cumsum(1)[:, :-1], ordered.sum(1, keepdim=True)
    left = values.shape[1] - count
    between = count * left * (below / count - (total - below) / left) ** 2  # of the variance, up to a factor
    return ordered.gather(1, between.argmax(1, keepdim=True))[:, 0].to(values.dtype)


def thresholded(images: Tensor) -> Tensor:
    """(N, H, W) bool: what is bright in images (N, 1, H, W), smoothed by a mean of 3×3, by Otsu's threshold."""
    smooth = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)[:, 0]
    return smooth > otsu(smooth.flatten(1))[:, None, None]
