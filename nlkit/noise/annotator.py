"""One annotator who has seen a few images of each class, and names all others by the nearest of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from nlkit.data.dataset import Dataset
from nlkit.randomness import seeded_generator


def split_by_class(data: Dataset, sizes: Sequence[int], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (n, D), their labels (n,) and the part (n,) that each is of, 0 … P - 1, with `sizes` (P,) a class.

    Within a part, places are in random order. Raises a ValueError where a class has fewer images.
    """
    images = torch.cat([data.train_images, data.test_images]).flatten(1).numpy()
    labels = torch.cat([data.train_labels, data.test_labels]).numpy()
    order = torch.randperm(len(labels), generator=seeded_generator(seed, "split")).numpy()
    part = np.full(len(labels), -1)
    for label in range(data.num_classes):
        of_it = order[labels[order] == label]
        if len(of_it) < sum(sizes):
            raise ValueError(f"sizes={tuple(sizes)} ask for {sum(sizes)} images of a class that has {len(of_it)}")
        part[of_it[: sum(sizes)]] = np.repeat(np.arange(len(sizes)), sizes)
    taken = order[part[order] >= 0]
    return images[taken], labels[taken], part[taken]


def annotate(images: np.ndarray, labels: np.ndarray, reserve: np.ndarray, seen: int) -> np.ndarray:
    """Labels (n,) that the annotator gives, who has seen the first `seen` a class of the `reserve` (n,) bool."""
    from sklearn.neighbors import KNeighborsClassifier

    known = [place for label in np.unique(labels) for place in np.flatnonzero(reserve & (labels == label))[:seen]]
    return KNeighborsClassifier(1).fit(images[known], labels[known]).predict(images)
