"""Digits that are learned from with partly wrong labels, as many to test on, and a kernel between them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.data.load import load
from nlkit.learning.random_subsets import KernelRidge
from nlkit.noise.annotator import split_by_class
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix

WIDTH = 0.003  # exp(-0.003 d²) between images whose pixels have mean 0 and standard deviation 1


class NoisyDigits(NamedTuple):
    """Digits to learn from, (n, 784) with given and true labels (n,), and as many to test on, with true labels."""

    images: Tensor
    given: Tensor
    true: Tensor
    tested: Tensor
    answers: Tensor

    @property
    def wrong(self) -> Tensor:
        return self.given != self.true

    def ridge(self, penalty: float) -> tuple[KernelRidge, Tensor]:
        """Kernel ridge regression of the given labels, and the kernel (J, n) between test digits and the others."""
        kernel, across = self.kernels()
        return KernelRidge(kernel, one_hot(self.given), penalty), across

    def hits(self, penalty: float, kept: Tensor) -> Tensor:
        """(J,) bool: which test digits are named right by who learns, anew, from those in `kept` (n,) alone."""
        kernel, across = self.kernels()
        learner = KernelRidge(kernel[kept][:, kept], one_hot(self.given[kept]), penalty)
        return (across[:, kept] @ learner.alpha).argmax(1) == self.answers

    def kernels(self) -> tuple[Tensor, Tensor]:
        """(n, n) between the digits to learn from, (J, n) between test digits and these."""
        from sklearn.metrics.pairwise import rbf_kernel

        learned, tested = self.images.double().numpy(), self.tested.double().numpy()
        kernel, across = (torch.from_numpy(rbf_kernel(x, learned, gamma=WIDTH)) for x in (learned, tested))
        return kernel, across


def one_hot(labels: Tensor) -> Tensor:
    """(n, 10) targets, which sum to 0."""
    return F.one_hot(labels, 10).double() - 0.1


def noisy_digits(size: int, ratio: float, seed: int) -> NoisyDigits:
    """`size` digits a class to learn from, a share `ratio` of them with another label, and as many to test on."""
    images, true, part = map(torch.from_numpy, split_by_class(load("mnist5k"), (size, size), seed))
    given = corrupt(true[part == 0], noise_matrix("symmetric", 10, ratio), seed=seed)
    return NoisyDigits(images[part == 0], given, true[part == 0], images[part == 1], true[part == 1])
