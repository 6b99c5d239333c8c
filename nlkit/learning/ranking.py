"""The order of scores: of a network's classes, of those that are best for a loss, and of wrong labels before right."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator


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


def best_scores(
    losses: Callable[[Tensor], Tensor], shares: Tensor, *, starts: int = 1, seed: int = 0, steps: int = 400
) -> Tensor:
    """The scores (S, K) of one image that make the expected loss smallest, from S random starts.

    By Adam at a rate that falls to 0. losses: scores (S, K) -> the loss (S, K) under each label. shares: (K,) how
    likely each label is; float64 is best.
    """
    generator = seeded_generator(seed, "scores")
    f = torch.randn(starts, len(shares), generator=generator, dtype=torch.float64).to(shares.dtype).requires_grad_()
    optimizer = adam([f], 0.2, fused=False)
    with torch.enable_grad():
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = 0.2 * (1 - step / steps)
            descend(optimizer, (losses(f) @ shares).sum())
    return f.detach()
