"""What the order of scores tells: of a network's classes, and of numbers that are to tell wrong labels from right."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def runner_up_share(scores: Tensor, labels: Tensor, matrix: Tensor) -> float | None:
    """Does a network know which wrong label is the likeliest? Of images, the share of which it does.

    It does if its first choice, the true class left out, is the label that the noise most often gives in the true
    one's place. By chance that is 1 of K - 1.

    scores: (N, K) of images. labels: (N,) their true classes. matrix: (K, K), T[i, j] = P(given = j | true = i).
    Counted are images of classes for which the matrix names one such label, and not several alike; None without any.
    """
    others = matrix.to("cpu", torch.float64).clone().fill_diagonal_(-1)
    if len(others) < 3:
        return None  # there is but one wrong class
    (first, second), likeliest = others.sort(1, descending=True)[0].T[:2], others.argmax(1)
    named, likeliest = ((first - second) > 1e-9).to(labels.device), likeliest.to(labels.device)
    counted = named[labels]
    if not counted.any():
        return None
    choice = scores.scatter(1, labels[:, None], -math.inf).argmax(1)
    return (choice == likeliest[labels])[counted].double().mean().item()


def area_under_curve(values: Tensor, positive: Tensor) -> float | None:
    """The area under the ROC curve: how often a number of a positive is above one of a negative, ties counting half.

    values: (N,) numbers. positive: (N,) bool. None where all are positive, or none is, or a number is NaN.
    """
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs or values.isnan().any():
        return None
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0).double() - (counts.double() - 1) / 2)[place]  # of equals, the middle one; from 1
    return (ranks[positive].sum().item() - ups * (ups + 1) / 2) / (ups * downs)
