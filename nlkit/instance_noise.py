"""Instance-dependent noise of the usual kind: the image decides what a wrong label says, not that it is wrong.

Xia, Liu, Han, Wang, Gong, Liu, Niu, Tao, Sugiyama: Part-dependent label noise: Towards instance-dependent label
noise. NeurIPS 2020, arXiv:2006.07836, algorithm 2 (the generator that later papers use).

q_i ~ N(r, 0.1²) cut to [0, 1]              the flip rate of example i, around the noise ratio r
p_i = q_i · softmax(x_i W_{y_i})            over the other classes; W_y is (pixels, K), standard normal
p_i[y_i] = 1 - q_i                          given label ~ p_i

The rates q_i are drawn without a look at x_i: put random dots in the place of the images, and the same labels go wrong.
For noise that hits hard images more often see `nlkit.boundary_noise`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from nlkit.checks import check_integer, check_number
from nlkit.noise import check_labels
from nlkit.randomness import seeded_generator

_SPREAD = 0.1  # standard deviation of the flip rates
_STEPS = 40  # halvings in the search below: a precision of 1e-12


def instance_labels(
    images: Tensor,
    labels: Tensor,
    num_classes: int,
    ratio: float | Sequence[float],
    *,
    seed: int = 0,
    exact: bool = True,
) -> Tensor:
    """Draw given labels (N,) for `images` (N, C, H, W) with true `labels` (N,) in 0 … num_classes - 1, of 2 or more.

    images: as the network sees them. The classes that wrong labels go to depend on their scale: the larger the pixels,
        the fewer targets an image has.
    ratio: share of labels to move, in [0, 1]; nested: what is wrong at a lower ratio is wrong at a higher one, with the
        same label. Or one ratio for each class, of its own examples.
    exact: move exactly that share; otherwise each label is drawn by itself, as in the paper. The cut pushes the mean of
        its rates away from the ends: 10 % at a ratio of 5 %, 13 % at 10 %, 92 % at 100 %; at 0 none is moved.

    Raises a ValueError that names the argument.
    """
    several = isinstance(ratio, (list, tuple))
    ratios, device = [check_number("ratio", r, 0, 1) for r in (ratio if several else [ratio])], labels.device
    check_integer("num_classes", num_classes, 2)
    labels, pixels = check_labels("labels", labels, num_classes).cpu(), images.cpu().flatten(1).double()
    generator = seeded_generator(seed, "noise")
    flip, level, target = torch.rand(3, len(labels), dtype=torch.float64, generator=generator)
    falls_at = _falls_at(flip, level)
    order = torch.argsort(falls_at, stable=True)
    groups = [order[labels[order] == c] for c in range(num_classes)] if several else [order]
    parts = [
        group[: int(r * len(group) + 0.5) if exact else int((falls_at[group] < r).sum())]
        for group, r in zip(groups, ratios, strict=True)
    ]
    moving = torch.cat(parts)
    given = labels.clone()
    for true in range(num_classes):
        weights = torch.randn(pixels.shape[1], num_classes, dtype=torch.float64, generator=generator)
        mine = moving[labels[moving] == true]
        scores = pixels[mine].double() @ weights  # (n, K)
        scores[:, true] = -torch.inf
        reached = scores.softmax(1).cumsum(1)
        given[mine] = (target[mine, None] * reached[:, -1:] >= reached).sum(1)
    return given.to(device)


def _falls_at(flip: Tensor, level: Tensor) -> Tensor:
    """The ratio (N,) from which on each label is wrong: where its flip rate, growing with the ratio, passes `flip`."""
    low, high = torch.zeros_like(flip), torch.ones_like(flip)
    for _ in range(_STEPS):
        ratio = (low + high) / 2
        bottom, top = ndtr(-ratio / _SPREAD), ndtr((1 - ratio) / _SPREAD)
        rate = ratio + _SPREAD * ndtri(bottom + level * (top - bottom))  # quantile `level` of the cut normal
        wrong = rate > flip
        low, high = torch.where(wrong, low, ratio), torch.where(wrong, ratio, high)
    return high
