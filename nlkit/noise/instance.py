"""Instance-dependent noise of the usual kind: the image decides what a wrong label says, not that it is wrong.

Xia, Liu, Han, Wang, Gong, Liu, Niu, Tao, Sugiyama: Part-dependent label noise: Towards instance-dependent label
noise. NeurIPS 2020, arXiv:2006.07836, algorithm 2 (the generator that later papers use).

q_i ~ N(r, 0.1²) cut to [0, 1]              the flip rate of example i, around the noise ratio r
p_i = q_i · softmax(x_i W_{y_i})            over the other classes; W_y is (pixels, K), standard normal
p_i[y_i] = 1 - q_i                          given label ~ p_i

The rates q_i are drawn without a look at x_i: put random dots in the place of the images, and the same labels go wrong.
For noise that hits hard images more often see `nlkit.noise.boundary`.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from nlkit.checks import check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.data.labels import check_labels
from nlkit.randomness import seeded_generator

_SPREAD = 0.1  # standard deviation of the flip rates
_STEPS = 40  # halvings in the search below: a precision of 1e-12
_CHUNK = 1024  # images at a time, which take eight bytes a pixel


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
    ratios = [check_number("ratio", r, 0, 1) for r in (ratio if several else [ratio])]
    noise = InstanceNoise(images, labels, num_classes, seed=seed)
    return noise.given(ratios if several else ratios[0], exact=exact).to(labels.device)


class InstanceNoise:
    """The noise of one seed on these images. What the ratio has no part in is worked out once, and when it is needed.

    The arguments are those of `instance_labels`; of the images, those are looked up by their places whose labels move.
    """

    def __init__(self, images: Tensor, labels: Tensor, num_classes: int, *, seed: int = 0):
        self._images, self._classes, self._seed = images, check_integer("num_classes", num_classes, 2), seed
        self._labels = check_labels("labels", labels, num_classes).cpu()
        flip, level, self._target = self._draws()[0]
        self._falls_at = _falls_at(flip, level)
        self._order = torch.argsort(self._falls_at, stable=True)
        self._moved = torch.full_like(self._labels, -1)  # (N,) where each goes when it moves; -1: not known yet

    def given(self, ratio: float | Sequence[float], *, exact: bool = True) -> Tensor:
        """Given labels (N,) at a ratio in [0, 1], or at one for each class."""
        groups, ratios = [self._order], [ratio]
        if isinstance(ratio, (list, tuple)):
            groups, ratios = [self._order[self._labels[self._order] == c] for c in range(self._classes)], ratio
        parts = [
            group[: int(r * len(group) + 0.5) if exact else int((self._falls_at[group] < r).sum())]
            for group, r in zip(groups, ratios, strict=True)
        ]
        moving = torch.cat(parts)
        self._look_at(moving[self._moved[moving] < 0])
        given = self._labels.clone()
        given[moving] = self._moved[moving]
        return given

    def _draws(self) -> tuple[Tensor, torch.Generator]:
        generator = seeded_generator(self._seed, "noise")
        return torch.rand(3, len(self._labels), dtype=torch.float64, generator=generator), generator

    def _look_at(self, places: Tensor) -> None:
        """Work out where these examples move to."""
        if not len(places):
            return
        pixels, generator = math.prod(self._images.shape[1:]), self._draws()[1]
        for true in range(self._classes):
            weights = torch.randn(pixels, self._classes, dtype=torch.float64, generator=generator)
            for mine in places[self._labels[places] == true].split(_CHUNK):
                scores = self._images[mine].cpu().flatten(1).double() @ weights  # (n, K)
                scores[:, true] = -torch.inf
                reached = scores.softmax(1).cumsum(1)
                self._moved[mine] = (self._target[mine, None] * reached[:, -1:] >= reached).sum(1)


# Of each data set that was glanced at: the seed and the order of its examples at the last glance, and their noise.
_last: weakref.WeakKeyDictionary[Dataset, tuple[int, Tensor, InstanceNoise]] = weakref.WeakKeyDictionary()


def remembered_noise(dataset: Dataset, images: Tensor, index: Tensor, true: Tensor, seed: int) -> InstanceNoise:
    """The noise of one seed on `images`, those of `dataset` at the places `index`; of true labels (N,), as they come.

    It is that of the last call, which knows where labels move, as long as data set, places and seed are the same.
    """
    if dataset in _last:
        last_seed, last_index, noise = _last[dataset]
        if last_seed == seed and torch.equal(last_index, index):
            return noise
    noise = InstanceNoise(images, true, dataset.num_classes, seed=seed)
    _last[dataset] = seed, index, noise
    return noise


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
