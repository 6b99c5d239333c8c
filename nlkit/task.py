"""A task is data and nothing else: a noisy training set, a clean set, a test set, and which labels are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nlkit.checks import check_choice, check_integer
from nlkit.data import DATASETS, Dataset, load
from nlkit.devices import pick_device
from nlkit.noise import confusion_counts, corrupt, noise_matrix, realized_matrix
from nlkit.randomness import MAX_SEED, seeded_generator


@dataclass(frozen=True, eq=False)
class Task:
    """A noisy-label problem. Everything that training may see, and what only measurement may.

    The N noisy examples come first in `images`, `given` and `true`, the M examples of the clean set after them, so that
    the two together and each alone are views of one tensor.
    """

    dataset: str
    class_names: tuple[str, ...]
    noise: str  # name of the noise type, or "matrix", or "mapping"
    images: Tensor  # (N + M, C, H, W) float, normalised
    given: Tensor  # (N + M,) given labels; those of the clean set are true
    true: Tensor  # (N + M,) true labels: for measurement only, never for training
    wrong: Tensor  # (N,) bool: the noisy examples whose given label is wrong
    index: Tensor  # (N + M,) place of each example in the data set's training part
    test_images: Tensor  # (L, C, H, W)
    test_labels: Tensor  # (L,)
    matrix: Tensor  # (K, K) transition matrix that was asked for
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
        """(K, K) transition matrix that the given labels really have."""
        return realized_matrix(self.true_labels, self.given_labels, self.num_classes)

    @property
    def confusion(self) -> Tensor:
        """(K, K) counts `[true, given]` of the noisy set."""
        return confusion_counts(self.true_labels, self.given_labels, self.num_classes)

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
    device: str | torch.device = "auto",
) -> Task:
    """Make a noisy-label problem out of a data set.

    data: a name (see `nlkit.data.DATASETS`) or a `Dataset` of your own.
    noise: one of `nlkit.noise.NOISE_TYPES`, a mapping {true: given}, or a (K, K) transition matrix.
    ratio: share of labels to move, in [0, 1]; required unless noise is a matrix, which says it by itself.
    clean_per_class: size of the clean set a class, 0 to one less than the smallest class. It is drawn first, and
        nested: the clean set of 10 a class is part of that of 20. Noise falls on what is left.
    exact: exact counts (the default), or every label drawn by itself.
    device: "auto" takes CUDA, then MPS, then the CPU.

    The same seed gives the same task everywhere. Raises a ValueError that names the argument before anything is made.
    """
    if not isinstance(data, Dataset):
        check_choice("data", data, DATASETS)
    check_integer("seed", seed, 0, MAX_SEED)
    device = pick_device(device)
    dataset = data.to(device) if isinstance(data, Dataset) else load(data, device=device)
    labels = dataset.train_labels.cpu()
    matrix = noise_matrix(noise, dataset.num_classes, ratio, dataset.name)
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
    true = labels[index]
    given = torch.cat([corrupt(true[:noisy_count], matrix, seed=seed, exact=exact), true[noisy_count:]])
    return Task(
        dataset=dataset.name,
        class_names=dataset.class_names,
        noise=noise if isinstance(noise, str) else "mapping" if isinstance(noise, Mapping) else "matrix",
        images=dataset.train_images[index.to(device)],
        given=given.to(device),
        true=true.to(device),
        wrong=(given != true)[:noisy_count].to(device),
        index=index,
        test_images=dataset.test_images,
        test_labels=dataset.test_labels,
        matrix=matrix,
        mean=dataset.mean,
        std=dataset.std,
        seed=seed,
    )
