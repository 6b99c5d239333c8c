"""A task is data and nothing else: a noisy training set, a clean set, a test set, and which labels are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nlkit.boundary_noise import boundary_labels
from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data import DATASETS, Dataset, load, normalize
from nlkit.devices import pick_device
from nlkit.human import HUMAN_LABEL_SETS, human_labels
from nlkit.instance_noise import instance_labels
from nlkit.look_alikes import draw_look_alikes
from nlkit.nearest_images import nearest_images
from nlkit.noise import (
    NOISE_TYPES,
    confusion_counts,
    corrupt,
    moving_order,
    noise_matrix,
    realized_matrix,
    symmetric_matrix,
)
from nlkit.randomness import MAX_SEED, seeded_generator

# All that `make_task` takes by name: transition matrices, and what looks at the images or at other people's labels.
TASK_NOISE_TYPES = (
    *NOISE_TYPES,
    "instance",
    "instance-boundary",
    "red",
    *(f"red:{name}" for name in DATASETS),
    *(f"human:{which}" for which in HUMAN_LABEL_SETS),
)


@dataclass(frozen=True, eq=False)
class Task:
    """A noisy-label problem. Everything that training may see, and what only measurement may.

    The N noisy examples come first in `images`, `given` and `true`, the M examples of the clean set after them, so that
    the two together and each alone are views of one tensor.
    """

    dataset: str
    class_names: tuple[str, ...]
    noise: str  # name of the noise type, "matrix" or "mapping"; "red:" and its name for a source of one's own
    images: Tensor  # (N + M, C, H, W) float, normalised
    given: Tensor  # (N + M,) given labels; those of the clean set are true
    true: Tensor  # (N + M,) true labels, -1 where the image is of no class: for measurement only, never for training
    wrong: Tensor  # (N,) bool: the noisy examples whose given label is wrong
    index: Tensor  # (N + M,) place of each example in the data set's training part
    test_images: Tensor  # (L, C, H, W)
    test_labels: Tensor  # (L,)
    matrix: Tensor  # (K, K) transition matrix that was asked for, or that the noise has where none can be asked for
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def device(self) -> torch.device:
        return self.images.device

    @property
    def noisy_images(self) -> Tensor:  # (N, C, H, W)
        return self.images[: len(self.wrong)]

    @property
    def given_labels(self) -> Tensor:  # (N,)
        return self.given[: len(self.wrong)]

    @property
    def true_labels(self) -> Tensor:  # (N,)
        return self.true[: len(self.wrong)]

    @property
    def clean_images(self) -> Tensor:  # (M, C, H, W)
        return self.images[len(self.wrong) :]

    @property
    def clean_labels(self) -> Tensor:  # (M,)
        return self.given[len(self.wrong) :]

    @property
    def realized_ratio(self) -> float:
        """Share of the noisy examples whose given label is wrong, in [0, 1]."""
        return self.wrong.double().mean().item()

    @property
    def realized_matrix(self) -> Tensor:
        """(K, K) transition matrix that the given labels of images of a class really have."""
        of_a_class = self.true_labels >= 0
        return realized_matrix(self.true_labels[of_a_class], self.given_labels[of_a_class], self.num_classes)

    @property
    def confusion(self) -> Tensor:
        """(K, K) counts `[true, given]` of the noisy set, as far as its images are of a class."""
        of_a_class = self.true_labels >= 0
        return confusion_counts(self.true_labels[of_a_class], self.given_labels[of_a_class], self.num_classes)

    def __repr__(self) -> str:
        return (
            f"Task({self.dataset}: {len(self.wrong):,} noisy examples, {int(self.wrong.sum()):,} of them with a wrong "
            f"label ({self.realized_ratio:.1%}, {self.noise}); {len(self.clean_labels):,} clean; "
            f"{len(self.test_labels):,} test)"
        )


def make_task(
    data: str | Dataset = "mnist5k",
    *,
    noise: str | Mapping[int, int] | Tensor = "symmetric",
    ratio: float | None = None,
    clean_per_class: int = 50,
    seed: int = 0,
    exact: bool = True,
    source: Dataset | None = None,
    device: str | torch.device = "auto",
) -> Task:
    """Make a noisy-label problem out of a data set.

    data: a name (see `nlkit.data.DATASETS`) or a `Dataset` of your own.
    noise: one of `TASK_NOISE_TYPES`, a mapping {true: given}, or a (K, K) transition matrix. Under
        "instance" the image decides what a wrong label says, under "instance-boundary" also how often it is wrong (the
        nearer to another class, the more often); "red" keeps the labels and replaces images of digits by look-alikes,
        letters and signs of which a good classifier reads one in eight as the digit; "red:cifar10" and so on replace
        images of any data by those of that data set which are nearest to the class in feature space
        (`nlkit.nearest_images`), the very nearest first, so that a higher ratio brings in less near ones;
        "human:worst" and so on take CIFAR-10N's labels.
    ratio: share of labels to make wrong, in [0, 1]; left out for a matrix or human labels, which have their own.
    clean_per_class: size of the clean set a class, 0 to one less than the smallest class. It is drawn first, and
        nested: the clean set of 10 a class is part of that of 20. Noise falls on what is left.
    exact: exact counts (the default), or every label drawn by itself.
    source: with "red", a `Dataset` of your own whose images are taken; it may share no class with `data`.
    device: "auto" takes CUDA, then MPS, then the CPU.

    The same seed gives the same task everywhere. Raises a ValueError that names the argument before anything is made.
    """
    if not isinstance(data, Dataset):
        check_choice("data", data, DATASETS)
    check_integer("seed", seed, 0, MAX_SEED)
    device = pick_device(device)
    dataset = data.to(device) if isinstance(data, Dataset) else load(data, device=device)
    labels = dataset.train_labels.cpu()
    matrix = _asked_for(noise, ratio, dataset, source)
    smallest = int(torch.bincount(labels, minlength=dataset.num_classes).min())
    check_integer(
        "clean_per_class", clean_per_class, 0, smallest - 1,
        why=f": the smallest class of {dataset.name} has {smallest} training examples, and one must stay noisy",
    )  # fmt: skip
    order = torch.randperm(len(labels), generator=seeded_generator(seed, "clean set"))
    is_clean = torch.zeros(len(labels), dtype=torch.bool)
    for c in range(dataset.num_classes):
        is_clean[order[labels[order] == c][:clean_per_class]] = True
    index = torch.cat([(~is_clean).nonzero().flatten(), is_clean.nonzero().flatten()])
    noisy_count = int((~is_clean).sum())
    kind = noise if isinstance(noise, str) else "mapping" if isinstance(noise, Mapping) else "matrix"
    images = _arranged(dataset.train_images, index.to(device), noisy_count, in_place=not isinstance(data, Dataset))
    true = labels[index]
    given, noisy = true.clone(), slice(noisy_count)
    if kind.startswith("red"):
        # Which images are replaced: those whose label symmetric noise would move, so counted and nested as it is.
        share = symmetric_matrix(dataset.num_classes, ratio)
        replaced = corrupt(true[noisy], share, seed=seed, exact=exact) != true[noisy]
        if kind == "red" and source is None:
            places = replaced.nonzero().flatten()
            digits = torch.tensor([int(name) for name in dataset.class_names])[given[noisy]]
            drawn = draw_look_alikes(digits, seed=seed, only=replaced)
            fresh = normalize(drawn, dataset.mean, dataset.std)
        else:
            order = moving_order(noisy_count, seed=seed)
            places = order[replaced[order]]  # the first to be replaced get the nearest images, whatever the ratio
            fresh, _ = nearest_images(data, source or kind.removeprefix("red:"), given[places])
            kind = f"red:{source.name}" if source else kind
        images[places.to(device)] = fresh.to(images)
        true[places] = -1
    elif kind == "instance":
        given[noisy] = instance_labels(images[noisy], true[noisy], dataset.num_classes, ratio, seed=seed, exact=exact)
    elif kind == "instance-boundary":
        given[noisy] = boundary_labels(data, index[noisy], ratio, seed=seed, exact=exact)
    elif kind.startswith("human:"):
        given[noisy] = human_labels(kind.removeprefix("human:"))[index[noisy]]
    else:
        given[noisy] = corrupt(true[noisy], matrix, seed=seed, exact=exact)
    wrong = given[noisy] != true[noisy]
    return Task(
        dataset=dataset.name,
        class_names=dataset.class_names,
        noise=kind,
        images=images,
        given=given.to(device),
        true=true.to(device),
        wrong=wrong.to(device),
        index=index,
        test_images=dataset.test_images,
        test_labels=dataset.test_labels,
        matrix=realized_matrix(labels[index], given, dataset.num_classes) if matrix is None else matrix,
        mean=dataset.mean,
        std=dataset.std,
        seed=seed,
    )


def _arranged(images: Tensor, index: Tensor, noisy_count: int, in_place: bool) -> Tensor:
    """`images[index]`; in place for a data set that was loaded for the task alone: full MNIST is 190 MB."""
    if not in_place:
        return images[index]
    clean = images[index[noisy_count:]]
    places = torch.arange(noisy_count, device=index.device)
    for to, taken in zip(places.split(4096), index[:noisy_count].split(4096)):
        images[to] = images[taken]  # both ascend, and nothing is taken from where an earlier part was put
    images[noisy_count:] = clean
    return images


def _asked_for(noise: object, ratio: float | None, dataset: Dataset, source: Dataset | None) -> Tensor | None:
    """The transition matrix that is asked for, or None where images or people decide; refuses what can't be."""
    if not isinstance(source, Dataset | None):
        hint = "a data set of the kit goes by its name, as in noise='red:cifar10'"
        raise ValueError(f"source={source!r} must be a Dataset of your own; {hint}")
    if source is not None and not (isinstance(noise, str) and noise == "red"):
        raise ValueError(f"source={source.name!r} must be left out unless noise='red', without a name of its own")
    if not isinstance(noise, str) or noise in NOISE_TYPES:
        return noise_matrix(noise, dataset.num_classes, ratio, dataset.name)
    check_choice("noise", noise, TASK_NOISE_TYPES)
    if noise.startswith("human:"):
        if dataset.name != "cifar10":
            raise ValueError(f"noise={noise!r} has human labels of cifar10 only, not of {dataset.name}")
        if ratio is not None:
            raise ValueError(f"ratio={ratio!r} must be left out for noise={noise!r}, which has its own ratio")
        return None
    check_number("ratio", ratio, 0, 1)
    if noise.startswith("red"):
        if noise == "red" and source is None and not _has_digits(dataset):
            raise ValueError(
                f"noise='red' draws look-alikes of digits; {dataset.name} is not a set of 28×28 digits. Take images of "
                "other data: noise='red:cifar10' or the like, or a source of your own"
            )
        return torch.eye(dataset.num_classes, dtype=torch.float64)  # every label stays as it is
    return None


def _has_digits(dataset: Dataset) -> bool:
    return set(dataset.class_names) <= set("0123456789") and tuple(dataset.train_images.shape[1:]) == (1, 28, 28)
