"""Red noise from any other data set: the images that are nearest to a class in feature space, and don't belong to it.

In red noise the label stays and the image is wrong (Jiang et al. 2020, "Beyond Synthetic Noise: Deep Learning on
Controlled Noisy Labels", arXiv:1911.09781). There, a search by text and by image gave the images. Here, a small network
that has learned the true labels stands for the search engine: its last hidden layer is the feature space, and the
images of the source are ranked by the cosine between their features and the mean of the class's.

The classes take turns in picking their nearest image that is still free. So no image serves twice, and which one is
the t-th pick of a class does not depend on how many are asked for: noise that grows keeps the images that it had.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.data.dataset import Dataset
from nlkit.data.labels import check_labels
from nlkit.data.load import load
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

# How good the picks are: the probability that networks with other weights give the class. On 3,500 of Fashion-MNIST's
# images picked for mnist5k, an `mlp` gives 0.61 and a `cnn` 0.45, against 0.10 on random ones. More steps add nothing,
# four networks or distances to the nearest 10 images in place of the mean at most 0.02; the features of `cnn`, less.
_STEPS = 300
_BATCH = 128
_LEARNING_RATE = 1e-3
_CHUNK = 4096  # images brought to size and looked at together, so that 60,000 of them need little memory

_LUMA = (0.299, 0.587, 0.114)  # grey from red, green and blue, as ITU-R BT.601 and most libraries have it


class _Pool(NamedTuple):
    """The picks of one class, the nearest first."""

    name: str  # of the class
    images: Tensor  # (P, C, H, W)
    places: Tensor  # (P,)


def nearest_images(data: str | Dataset, source: str | Dataset, labels: Tensor) -> tuple[Tensor, Tensor]:
    """For each of `labels` (M,), classes of `data`, take an image of `source` that is near to the class.

    data, source: names of `nlkit.data.load.DATASETS`, or data sets of your own; their training parts are used.
    labels: each class at most as often as in `data`.

    Returns images (M, C, H, W), in the size, channels and normalisation of `data`, and their places (M,) in the
    source's training part, on the CPU. The t-th of the labels that are c gets the t-th pick of class c, so the nearest
    come first, and more labels leave the images of the earlier ones as they were. No image is taken twice.

    The picks of the last pair of data sets are kept, so that only the first call trains and searches (seconds).

    Raises a ValueError when `source` and `data` share a class, when the channels can't be matched, and when `source`
    has too few images; a DataError when a data set's files are absent.
    """
    pools = _pools(data, source)
    labels = check_labels("labels", labels, len(pools)).cpu()
    asked = torch.bincount(labels, minlength=len(pools))
    size = sum(len(pool.places) for pool in pools)
    for pool, needed in zip(pools, asked.tolist()):
        if needed > len(pool.places):
            name = source.name if isinstance(source, Dataset) else source
            raise ValueError(
                f"source={name!r} has too few images: {len(labels):,} are needed, {needed:,} of them for class "
                f"{pool.name}, and there are {size:,}, {len(pool.places):,} of them for that class; lower the ratio, "
                "or take a larger source"
            )
    images = torch.empty(len(labels), *pools[0].images.shape[1:], dtype=pools[0].images.dtype)
    places = torch.empty(len(labels), dtype=torch.long)
    for c, pool in enumerate(pools):
        images[labels == c], places[labels == c] = pool.images[: asked[c]], pool.places[: asked[c]]
    return images, places


def class_distances(dataset: Dataset, source: Dataset) -> Tensor:
    """How far each training image of `source` is from each class of `dataset`: (S, K), 1 - cosine, in [0, 1].

    Both are on the CPU. The features have a fixed seed: the search engine is the same for every seed of a task.
    """
    features = _train_features(dataset)
    own = torch.cat([_look(features, part) for part in dataset.train_images.split(_CHUNK)])  # (N, D)
    labels = dataset.train_labels
    means = F.normalize(torch.stack([own[labels == c].mean(0) for c in range(dataset.num_classes)]), dim=1)  # (K, D)
    fitted = (fit_images(part, source, dataset) for part in source.train_images.split(_CHUNK))
    return torch.cat([1 - _look(features, part) @ means.T for part in fitted])


def fit_images(images: Tensor, source: Dataset, dataset: Dataset) -> Tensor:
    """Bring `images` (M, C', H', W') of `source` to the size, channels and normalisation of `dataset`: (M, C, H, W).

    Bilinear, over all pixels that a new one covers where the image shrinks; colour becomes grey by its luma, grey the
    same in every channel. Raises a ValueError for other channels that differ.
    """
    channels, height, width = dataset.train_images.shape[1:]
    images = images * _per_channel(source.std) + _per_channel(source.mean)  # 0 to 1
    if images.shape[1] == 3 and channels == 1:
        images = (images * _per_channel(_LUMA)).sum(1, keepdim=True)
    elif images.shape[1] not in (1, channels):
        raise ValueError(
            f"source={source.name!r} has images of {images.shape[1]} channels, which can't become the {channels} of "
            f"{dataset.name}; only three can become one, and one any number"
        )
    if images.shape[2:] != (height, width):
        images = F.interpolate(images, (height, width), mode="bilinear", antialias=True)
    images = images.expand(-1, channels, -1, -1)
    return ((images - _per_channel(dataset.mean)) / _per_channel(dataset.std)).to(dataset.train_images.dtype)


@functools.lru_cache(maxsize=1)
def _pools(data: str | Dataset, source: str | Dataset) -> list[_Pool]:
    dataset, other = (d.to("cpu") if isinstance(d, Dataset) else load(d) for d in (data, source))
    shared = {name.casefold() for name in dataset.class_names} & {name.casefold() for name in other.class_names}
    if shared:
        raise ValueError(
            f"source={other.name!r} shares {len(shared)} of its classes with {dataset.name} ({min(shared)!r}), so its "
            "images could belong to the class whose label they get; take a source of other classes"
        )
    picks = _take_turns(class_distances(dataset, other), torch.bincount(dataset.train_labels))
    return [
        _Pool(name, fit_images(other.train_images[places], other, dataset), places)
        for name, places in zip(dataset.class_names, picks)
    ]


def _take_turns(distances: Tensor, counts: Tensor) -> list[Tensor]:
    """What each class picks, given distances (S, K): places in 0 … S - 1, up to `counts` (K,) of them, all different.

    Classes have turns in proportion to their counts, until each has its count or the source is empty.
    """
    when = torch.cat([(torch.arange(count) + 0.5) / count for count in counts.tolist()])
    turns = torch.arange(len(counts)).repeat_interleave(counts)[when.argsort(stable=True)][: len(distances)]
    ranked = [iter(places) for places in distances.argsort(dim=0, stable=True).T.tolist()]
    free, picks = [True] * len(distances), [[] for _ in counts]
    for c in turns.tolist():
        place = next(place for place in ranked[c] if free[place])
        free[place] = False
        picks[c].append(place)
    return [torch.tensor(places, dtype=torch.long) for places in picks]


def _train_features(dataset: Dataset) -> nn.Module:
    """The kit's `mlp` without its last layer, trained on the true labels."""
    images, labels = dataset.train_images.float(), dataset.train_labels
    model = build_model("mlp", tuple(images.shape[1:]), dataset.num_classes)
    optimizer = adam(model.parameters(), _LEARNING_RATE)
    generator = seeded_generator(0, "features")
    for _ in range(_STEPS):
        batch = torch.randint(len(labels), (_BATCH,), generator=generator)
        descend(optimizer, F.cross_entropy(model(images[batch]), labels[batch]))
    return model[:-1]


@torch.no_grad()
def _look(features: nn.Module, images: Tensor) -> Tensor:
    return F.normalize(features(images.float()), dim=1)  # (B, D)


def _per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1)
