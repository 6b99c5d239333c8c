"""Wrong labels drawn under a transition matrix, and the counts of what was drawn."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nlkit.data.labels import check_labels
from nlkit.noise.fair_sequence import fair_targets, turns_of_classes
from nlkit.noise.matrices import check_matrix
from nlkit.randomness import seeded_generator


def corrupt(labels: Tensor, matrix: Tensor | np.ndarray, *, seed: int = 0, exact: bool = True) -> Tensor:
    """Draw given labels (N,) for true `labels` (N,) under the transition matrix.

    exact: hold the counts to the matrix. The number of labels that move is exactly the matrix's, rounded once over
        all labels; each class has its share of it within about one label, and each of its target classes within two.
        Otherwise each label is drawn by itself, and the counts scatter as they do in binomial draws.

    Exact is *stratified* sampling: the chances of one label are the matrix's, but labels are not independent. Counts do
    not scatter from seed to seed, and the matrix that the labels really have is the one asked for, which hands whoever
    estimates it a set without sampling error. Papers draw each label by itself (Co-teaching, Patrini et al.), as
    `exact=False` does, or fix how many labels move and draw where to (ELR, DivideMix). One mean hardly tells the
    difference; a spread over seeds is narrower than theirs.

    Either way the noise is nested: for matrices that differ in their ratio only, the labels that move at a lower ratio
    also move at a higher one, and to the same class.
    """
    matrix = check_matrix(matrix)
    device = labels.device if isinstance(labels, Tensor) else "cpu"
    labels = check_labels("labels", labels, len(matrix)).cpu()
    rates = 1 - matrix.diagonal()  # (K,) share of each class that moves
    targets = matrix.clone().fill_diagonal_(0)  # (K, K) where it moves to, rows summing to 1 (or to 0)
    targets /= targets.sum(1, keepdim=True).clamp(min=1e-300)
    draws, generator = _first_draws(len(labels), seed)
    draw_labels = _exact_labels if exact else _binomial_labels
    return draw_labels(labels, rates, targets, draws, generator).to(device)


def moving_order(count: int, *, seed: int = 0) -> Tensor:
    """The order (count,) in which `corrupt` moves labels as the ratio grows: those of one class move one after another.

    It says nothing about labels of different classes, which take turns when counts are exact.
    """
    return _first_draws(count, seed)[0].argsort(stable=True)


def _first_draws(count: int, seed: int) -> tuple[Tensor, torch.Generator]:
    generator = seeded_generator(seed, "noise")
    return torch.rand(count, dtype=torch.float64, generator=generator), generator


def _exact_labels(labels: Tensor, rates: Tensor, targets: Tensor, draws: Tensor, generator: torch.Generator) -> Tensor:
    given, classes = labels.clone(), len(rates)
    moving = int(torch.floor(rates[labels].sum() + 0.5 + 1e-9))
    if moving == 0:
        return given
    # A ratio scales all rates alike, so the shares of the classes, and with them this sequence, do not depend on it: a
    # higher ratio only takes more of the sequence. Hence the noise is nested.
    counts = torch.bincount(labels, minlength=classes)
    expected = rates / rates.max() * counts
    ties = torch.rand(classes + 1, classes, dtype=torch.float64, generator=generator)  # so that no class is favoured
    shares = expected / expected.sum()
    turns = turns_of_classes(*(tuple(t.tolist()) for t in (shares, ties[-1], counts))).first(moving)
    moved = torch.bincount(turns, minlength=classes)
    order = draws.argsort(stable=True)
    by_class = order[labels[order].argsort(stable=True)].split(counts.tolist())
    skip = torch.randint(0, 10 * classes, (classes,), generator=generator)  # so that small counts favour no target
    for true in moved.nonzero().flatten().tolist():
        members = by_class[true][: moved[true]]
        given[members] = fair_targets(targets[true], ties[true], int(skip[true]) + len(members))[skip[true] :]
    return given


def _binomial_labels(
    labels: Tensor, rates: Tensor, targets: Tensor, draws: Tensor, generator: torch.Generator
) -> Tensor:
    point = torch.rand(len(labels), 1, dtype=torch.float64, generator=generator)
    reached = targets.cumsum(1)
    reached = reached / reached[:, -1:]  # ends in exactly 1; a class that never moves gets NaN, and is not looked at
    target = (point >= reached[labels]).sum(1)
    return torch.where(draws < rates[labels], target, labels)


def confusion_counts(true: Tensor, given: Tensor, num_classes: int) -> Tensor:
    """(K, K) counts `[true, given]`: how often each true class carries each given label."""
    true, given = check_labels("true", true, num_classes), check_labels("given", given, num_classes)
    if len(true) != len(given):
        raise ValueError(f"true has {len(true)} labels and given has {len(given)}; they must be as many")
    return torch.bincount(true * num_classes + given, minlength=num_classes**2).reshape(num_classes, num_classes).cpu()


def realized_matrix(true: Tensor, given: Tensor, num_classes: int) -> Tensor:
    """(K, K) transition matrix that the labels really have; the row of a class without examples is NaN."""
    counts = confusion_counts(true, given, num_classes).double()
    return counts / counts.sum(1, keepdim=True)
