"""A task is data and nothing else: a noisy training set, a clean set, a test set, and which labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from nlkit.checks import check_integer
from nlkit.data.labels import UNKNOWN, check_labels
from nlkit.noise.draws import confusion_counts, realized_matrix


@dataclass(frozen=True, eq=False)
class Task:
    """A noisy-label problem. Everything that training may see, and what only measurement may.

    The N noisy examples come first in `images`, `given` and `true`, the M examples of the clean set after them, so that
    the two together and each alone are views of one tensor.

    What is counted of labels (`wrong`, `realized_ratio`, `confusion` …) follows `given` and `true`, also in a copy with
    other labels by `dataclasses.replace`; there, `noise` and `matrix` still say what was asked for at first. Where true
    labels are known of some examples only, it is counted over those; where of none, it is None.
    """

    dataset: str
    class_names: tuple[str, ...]
    noise: str  # noise type, "matrix" or "mapping"; "red:" and its name for a source of one's own; "own labels"
    images: Tensor  # (N + M, C, H, W) float, normalised
    given: Tensor  # (N + M,) given labels; those of the clean set are true
    true: Tensor  # (N + M,) true labels, for measurement only, never for training; -1: of no class, -2: not known
    noisy_count: int  # N
    index: Tensor  # (N + M,) place of each example in the data set's training part
    test_images: Tensor  # (L, C, H, W)
    test_labels: Tensor  # (L,)
    matrix: Tensor | None  # (K, K) transition matrix that was asked for, or that the noise has where none can be asked
    # for; None for labels of one's own unless the true ones are all known
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    wrong: Tensor = field(init=False)  # (N,) bool: the noisy examples whose given label is known to be wrong

    def __post_init__(self):
        count = len(self.images)
        check_integer("noisy_count", self.noisy_count, 1, count)
        for name, lowest in (("given", 0), ("true", UNKNOWN)):
            labels = check_labels(name, getattr(self, name), self.num_classes, lowest)
            if len(labels) != count:
                raise ValueError(f"{name} has {len(labels)} labels for {count} images")
        object.__setattr__(self, "wrong", self.known & (self.given_labels != self.true_labels))

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def device(self) -> torch.device:
        return self.images.device

    @property
    def noisy_images(self) -> Tensor:  # (N, C, H, W)
        return self.images[: self.noisy_count]

    @property
    def given_labels(self) -> Tensor:  # (N,)
        return self.given[: self.noisy_count]

    @property
    def true_labels(self) -> Tensor:  # (N,)
        return self.true[: self.noisy_count]

    @property
    def clean_images(self) -> Tensor:  # (M, C, H, W)
        return self.images[self.noisy_count :]

    @property
    def clean_labels(self) -> Tensor:  # (M,)
        return self.given[self.noisy_count :]

    @property
    def known(self) -> Tensor:  # (N,) bool: the noisy examples of which the truth is known, be it that they have none
        return self.true_labels != UNKNOWN

    @property
    def right(self) -> Tensor:  # (N,) bool: the noisy examples whose given label is known to be right
        return self.known & ~self.wrong

    @property
    def known_count(self) -> int:
        """Of how many noisy examples the truth is known, 0 … N."""
        return int(self.known.sum())

    @property
    def realized_ratio(self) -> float | None:
        """Share of the known noisy examples whose given label is wrong, in [0, 1]."""
        return self.wrong.double().sum().item() / self.known_count if self.known_count else None

    @property
    def realized_matrix(self) -> Tensor | None:
        """(K, K) transition matrix that the given labels of images of a known class really have."""
        of_a_class = self.true_labels >= 0
        if not self.known_count:
            return None
        return realized_matrix(self.true_labels[of_a_class], self.given_labels[of_a_class], self.num_classes)

    @property
    def confusion(self) -> Tensor | None:
        """(K, K) counts `[true, given]` of the noisy set, as far as its images are of a known class."""
        of_a_class = self.true_labels >= 0
        if not self.known_count:
            return None
        return confusion_counts(self.true_labels[of_a_class], self.given_labels[of_a_class], self.num_classes)

    def __repr__(self) -> str:
        known, wrong = self.known_count, int(self.wrong.sum())
        told = f"{wrong:,} of them with a wrong label ({self.realized_ratio:.1%}, {self.noise})" if known else (
            f"how many of them with a wrong label is not known ({self.noise})"
        )  # fmt: skip
        if 0 < known < self.noisy_count:
            told = f"{wrong:,} of {known:,} known ones with a wrong label ({self.realized_ratio:.1%}, {self.noise})"
        return (
            f"Task({self.dataset}: {self.noisy_count:,} noisy examples, {told}; {len(self.clean_labels):,} clean; "
            f"{len(self.test_labels):,} test)"
        )
