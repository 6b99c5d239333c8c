"""Boundary noise: the nearer an image is to another class, the more often it gets that class's label.

In "instance" noise (`nlkit.noise.instance`) the image only decides where a wrong label goes. Here it decides which
labels go wrong as well: the flip rate grows towards the border between two classes, and a wrong label is that of the
class beyond it. The field calls such noise boundary-consistent (Menon, van Rooyen, Natarajan 2018, "Learning from
binary labels with instance-dependent noise", Machine Learning 107) and, with more than two classes, margin-diminishing
(Zhang, Zheng, Wu, Goswami, Chen 2021, "Learning with feature-dependent label noise: a progressive approach", ICLR).
Both state it by the class probabilities; this is the kit's own way to a ratio that can be asked for:

m_i = s_i[y_i] - max_j s_i[j]             margin: score of the true class over the best other one, the rival
w_i = exp(4 u_i)                          u_i in (0, 1): rank by margin, the smallest margin next to 1
P(label i is wrong) = 1 - exp(-t w_i)     t such that the mean is the noise ratio; given label = the rival

At a ratio of 20 %, 57 % of the hardest tenth of the images get a wrong label, and 2 % of the easiest tenth.

The scores come from ridge regression on random features, each example's from a fit to all others. Leaving one out has a
closed form (Allen 1974, "The relationship between variable selection and data augmentation", Technometrics 16), so
nothing is trained, and in float64 the same seed gives the same labels on every machine.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.data.labels import check_labels
from nlkit.data.load import load
from nlkit.randomness import seeded_generator

# On mnist5k the scores name the true class of 92 % of the left-out images, on 10,000 of CIFAR-10 of 42 %. Twice the
# features add a point and take three times as long.
_FEATURES = 500
_SIDE = 14  # pixels of the longest side that the scores look at
_RIDGE = 1e-4  # of the features' whole variance
_STEEPNESS = 4.0  # the hardest image has e^4 = 55 times the weight of the easiest
_CHUNK = 4096


def boundary_labels(data: str | Dataset, index: Tensor, ratio: float, *, seed: int = 0, exact: bool = True) -> Tensor:
    """Draw given labels (N,) for the training examples of `data` at the places `index` (N,).

    data: a name of `nlkit.data.load.DATASETS`, or a data set of your own with two classes or more.
    ratio: share of labels to make wrong, in [0, 1]. Nested: what is wrong at a lower ratio is wrong at a higher one,
        with the same label.
    exact: make exactly that share wrong; otherwise each label is drawn by itself.

    The margins of the last data set are kept, so that only the first call works them out: 0.3 s for mnist5k, 4 s for
    MNIST's 60,000 and 8 s for CIFAR-10's 50,000 images on one core. Raises a ValueError that names the argument.
    """
    ratio = check_number("ratio", ratio, 0, 1)
    labels, margins, rivals = _margins_of(data)
    index = check_labels("index", index, len(labels)).cpu()
    return _draw(labels[index], margins[index], rivals[index], ratio, seed, exact)


def class_margins(images: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """By how much the score of its true class exceeds the best other one's, for each image, and which class that is.

    images: (N, C, H, W), in any scale. labels: (N,), the true ones. num_classes: 2 or more; a class that has no example
    is nobody's rival unless there is no other.

    Returns margins (N,), float64, below 0 where the rest of the images speaks for another class, and rivals (N,).
    """
    check_integer("num_classes", num_classes, 2)
    labels = check_labels("labels", labels, num_classes).cpu()
    if not len(labels):
        return torch.empty(0, dtype=torch.float64), labels
    features = _features(images)  # (N, D)
    targets = F.one_hot(labels, num_classes).double()  # (N, K)
    centred = targets - targets.mean(0)
    gram = features.T @ features
    gram.diagonal().add_(_RIDGE * gram.trace() + 1e-9)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(gram), features.T, upper=False)  # (D, N)
    leverage = white.square().sum(0) + 1 / len(labels)  # how much an example pulls its own score
    residuals = (centred - white.T @ (white @ centred)) / (1 - leverage).clamp(min=1e-9)[:, None]
    scores = targets - residuals  # what a fit to all other examples says
    true = scores.gather(1, labels[:, None])[:, 0]
    absent = torch.bincount(labels, minlength=num_classes) == 0
    scores[:, absent] = torch.finfo(scores.dtype).min / 4
    best, rivals = scores.scatter(1, labels[:, None], -torch.inf).max(1)
    return true - best, rivals


def _features(images: Tensor) -> Tensor:
    """Random features (N, D) of images (N, C, H, W), float64, with a mean of 0; the pixels' scale is no matter."""
    sides = [min(side, _SIDE) for side in images.shape[2:]]
    parts = [F.adaptive_avg_pool2d(part.cpu().double(), sides).flatten(1) for part in images.split(_CHUNK)]
    pixels = torch.cat(parts)
    pixels -= pixels.mean(0)
    pixels /= pixels.square().sum(1).mean().sqrt().clamp(min=1e-12)
    generator = seeded_generator(0, "boundary")  # fixed: which images are hard does not hang on the task's seed
    weights = torch.randn(pixels.shape[1], _FEATURES, dtype=torch.float64, generator=generator)
    offsets = torch.randn(_FEATURES, dtype=torch.float64, generator=generator)
    features = torch.addmm(offsets, pixels, weights).clamp_(min=0)
    return features.sub_(features.mean(0))


@functools.lru_cache(maxsize=1)
def _margins_of(data: str | Dataset) -> tuple[Tensor, Tensor, Tensor]:
    dataset = data if isinstance(data, Dataset) else load(data)
    labels = dataset.train_labels.cpu()
    return labels, *class_margins(dataset.train_images, labels, dataset.num_classes)


def _draw(labels: Tensor, margins: Tensor, rivals: Tensor, ratio: float, seed: int, exact: bool) -> Tensor:
    count = len(labels)
    rank = margins.argsort(descending=True, stable=True).argsort().double()  # 0 for the largest margin
    weights = (_STEEPNESS * (rank + 0.5) / count).exp()
    # Exponential clocks: label i goes wrong when its clock of rate w_i rings. Stopped at the n-th ring, they are a
    # weighted draw without replacement (Efraimidis & Spirakis 2006); stopped at a time, independent draws.
    draws = torch.rand(count, dtype=torch.float64, generator=seeded_generator(seed, "noise"))
    rings = -torch.log1p(-draws) / weights
    wrong = torch.zeros(count, dtype=torch.bool)
    if exact:
        wrong[rings.argsort(stable=True)[: int(ratio * count + 0.5)]] = True
    else:
        wrong = rings < _time_for(weights, ratio)
    return torch.where(wrong, rivals, labels)


def _time_for(weights: Tensor, ratio: float) -> float:
    """The time by which a share `ratio` of clocks with these rates (N,) has rung on average; for 1 it is infinite."""
    if ratio in (0, 1) or not len(weights):
        return torch.inf if ratio == 1 else 0.0
    low, high = -30.0, 30.0  # of its logarithm: a share of 1 in 10^12 to all but as little, whatever the ratio between
    for _ in range(60):
        middle = (low + high) / 2
        rung = -torch.expm1(-weights * torch.tensor(middle, dtype=torch.float64).exp())
        low, high = (middle, high) if rung.mean() < ratio else (low, middle)
    return torch.tensor(high, dtype=torch.float64).exp().item()
