"""A long tail of labelled digits, and beside it many more digits whose labels are not told, with a tail of their own.

    n_c = n_1 ρ^(-(c - 1) / (K - 1)),   n^U_c ∝ ρ_U^(-(c - 1) / (K - 1)),   Σ_c n^U_c = factor · Σ_c n_c

As in Yang and Xu 2020 (arXiv:2006.07529): the class that is rarest with a label is rarest without one too.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.checks import check_number
from nlkit.data.load import load
from nlkit.data.long_tailed import class_sizes, tail_order
from nlkit.data.purchases import pooled

SIDE, CLASSES = 14, 10  # pixels; digits


class TailAndRest(NamedTuple):
    """Digits of 14 × 14 pixels, normalised; the test part has as many of each class as of another."""

    images: Tensor  # (n, 1, 14, 14) with a label
    labels: Tensor  # (n,)
    rest: Tensor  # (m, 1, 14, 14) without one
    hidden: Tensor  # (m,) what they show: to measure with, and for the control that learns from it
    missing: int  # how many images the rest should have had, and the data have not
    order: Tensor  # (10,) the classes, the largest first
    tested: Tensor  # (M, 1, 14, 14)
    answers: Tensor  # (M,)


def tail_and_rest(largest: int, imbalance: float, factor: float, imbalance_rest: float, seed: int) -> TailAndRest:
    """Digits of `mnist5k`: a labelled tail of `class_sizes`, and `factor` times as many others without a label.

    Which digit is rare, and which images are drawn, is by the seed: the labelled ones are the same whatever the rest
    is, and those of a smaller rest are among those of a larger one. Where a class has too few images, all that are left
    are taken, and `missing` tells how many are not there. Raises a ValueError for a factor below 0, an imbalance below
    1, or sizes that `class_sizes` refuses.
    """
    check_number("factor", factor, 0)
    check_number("imbalance_rest", imbalance_rest, 1)
    data, sizes = load("mnist5k"), class_sizes(largest, imbalance, CLASSES)
    rank, order = tail_order(len(data.train_labels), CLASSES, seed)
    shares = float(imbalance_rest) ** (-torch.arange(CLASSES, dtype=torch.float64) / (CLASSES - 1))
    asked = (factor * sum(sizes) * shares / shares.sum()).round().long()
    labelled, rest, missing = [], [], 0
    for label in rank.argsort().tolist():  # the largest first
        places, place = order[data.train_labels[order] == label], int(rank[label])
        labelled.append(places[: sizes[place]])
        rest.append(places[sizes[place] :][: asked[place]])
        missing += int(asked[place]) - len(rest[-1])
        if len(labelled[-1]) < sizes[place]:
            raise ValueError(f"largest={largest} is more than the {len(places)} images of digit {label}; lower it")
    ours, others = torch.cat(labelled), torch.cat(rest)
    images, true = small(data.train_images), data.train_labels
    return TailAndRest(images[ours], true[ours], images[others], true[others], missing, rank.argsort(),
                       small(data.test_images), data.test_labels)  # fmt: skip


def small(images: Tensor) -> Tensor:
    """Images (N, 1, H, W) of 14 × 14 means, (N, 1, 14, 14)."""
    return pooled(images, SIDE).view(-1, 1, SIDE, SIDE)
