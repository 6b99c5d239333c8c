"""Long tails: classes whose sizes fall from the first to the last by a constant factor, which class first by chance.

    n_k = n_1 ρ^(-(k - 1) / (K - 1)),   ρ = n_1 / n_K: the imbalance ratio

as in Cui et al. 2019 (arXiv:1901.05555, section 5) and in most papers since. Noise is laid over it as over any other
data set: `make_task(long_tailed(load("mnist5k"), 400, 50), noise=flips_by_size(sizes, 0.4), clean_per_class=0)`.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nlkit.checks import check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.randomness import seeded_generator


def class_sizes(largest: int, imbalance: float, classes: int) -> list[int]:
    """K sizes, the largest first, each the one before it over the same factor, rounded; all alike at imbalance 1.

    Raises a ValueError for an imbalance below 1, fewer than two classes, or one that would have fewer than 2 examples.
    """
    check_integer("classes", classes, 2)
    check_integer("largest", largest, 2)
    check_number("imbalance", imbalance, 1)
    sizes = [round(largest * imbalance ** (-k / (classes - 1))) for k in range(classes)]
    if sizes[-1] < 2:
        raise ValueError(
            f"imbalance={imbalance!r} leaves the smallest class {sizes[-1]} of {largest} examples; it must have 2 or "
            "more: lower imbalance, or raise largest"
        )
    return sizes


def long_tailed(dataset: Dataset, largest: int, imbalance: float, seed: int = 0) -> Dataset:
    """The data set with fewer training images: classes of `class_sizes`, which of them is large drawn by the seed.

    Images of a class are drawn likewise, and their order is mixed. The test part stays as it is. The same seed leaves
    the order of the classes, and of the images in them, the same at any imbalance: smaller classes are part of larger.
    Raises a ValueError where a class has fewer than `largest` images, and for what `class_sizes` refuses.
    """
    labels, classes = dataset.train_labels.cpu(), dataset.num_classes
    sizes, has = class_sizes(largest, imbalance, classes), torch.bincount(labels, minlength=classes)
    if has.min() < largest:
        short = int(has.argmin())
        raise ValueError(
            f"largest={largest} is more than the {int(has[short])} images of class {dataset.class_names[short]}, which "
            "may become the largest; lower it"
        )
    rank, order = tail_order(len(labels), classes, seed)
    taken = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(classes):
        taken[order[labels[order] == label][: sizes[rank[label]]]] = True
    index = order[taken[order]].to(dataset.train_labels.device)
    return replace(dataset, train_images=dataset.train_images[index], train_labels=dataset.train_labels[index])


def tail_order(count: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """The rank (K,) of each class, 0 for the one that is to be the largest, and the order (N,) of drawing images."""
    generator = seeded_generator(seed, "long tail")
    return torch.randperm(classes, generator=generator), torch.randperm(count, generator=generator)


def by_falling_size(labels: Tensor, classes: int) -> Tensor:
    """The classes (K,), the most frequent among labels (N,) first; of equals that of the lower number."""
    return torch.bincount(labels, minlength=classes).argsort(descending=True, stable=True)
