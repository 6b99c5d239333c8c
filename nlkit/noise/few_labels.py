"""A task with few labels, some of them wrong, and many images without any."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.data.load import load
from nlkit.data.tail_and_rest import CLASSES, SIDE, small
from nlkit.learning.frozen import check_rows, some_of_each
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix


class FewLabels(NamedTuple):
    """Images (…, 1, H, W), normalized: n with labels, m without any, and others to test on."""

    images: Tensor  # (n, 1, H, W)
    given: Tensor  # (n,) their labels
    true: Tensor  # (n,)
    unlabelled: Tensor  # (m, 1, H, W)
    hidden: Tensor  # (m,) what they show: to measure with, and not to learn from
    tested: Tensor  # (M, 1, H, W)
    answers: Tensor  # (M,)


def few_labels(
    per_class: int, ratio: float = 0.0, *, seed: int = 0, elsewhere: tuple[Tensor, Tensor] | None = None
) -> FewLabels:
    """Digits of 14 × 14 pixels, `per_class` of each with a label, of which a share `ratio` is wrong.

    All other training digits are without a label; or, in their place, images of another source are: `elsewhere` is
    (m, 1, 14, 14), normalized as these, and what they show (m,). Labelled digits of fewer are among those of more, and
    wrong labels of a lower ratio among those of a higher one.
    Raises a ValueError for less than 1 or more than 400 a class, a ratio outside [0, 1], or images of another shape.
    """
    data = load("mnist5k")
    labelled = some_of_each(data.train_labels, per_class, seed=seed)
    images, true = small(data.train_images), data.train_labels
    rest = torch.ones(len(true), dtype=torch.bool)
    rest[labelled] = False
    unlabelled, hidden = (images[rest], true[rest]) if elsewhere is None else elsewhere
    check_rows("elsewhere", hidden, unlabelled, least=0)
    if unlabelled.shape[1:] != images.shape[1:]:
        shape = tuple(unlabelled.shape[1:])
        raise ValueError(f"elsewhere has images of shape {shape}; they must be (1, {SIDE}, {SIDE}), as `small` makes")
    given = corrupt(true[labelled], noise_matrix("symmetric", CLASSES, ratio), seed=seed)
    return FewLabels(
        images[labelled], given, true[labelled], unlabelled, hidden, small(data.test_images), data.test_labels
    )
