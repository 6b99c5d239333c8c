"""Bags: examples of two classes in groups, and of each group nothing is told but how many are positive.

The examples are real: scikit-learn's digits of 8 × 8 pixels (odd or even?) and its tumours (malignant or benign?), and
the kit's own digits at 14 × 14 pixels. Labels are turned round *before* they are counted.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy
import torch

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.load import load
from nlkit.data.purchases import flipped, pooled
from nlkit.randomness import seeded_generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DATA = ("digits", "tumours", "mnist5k")
TEST_SHARE, OF_MNIST = 0.3, 2500  # OF_MNIST: as many of mnist5k are drawn, 1,750 of them to learn from


class Bags(NamedTuple):
    """Groups of examples. No example is in two of them."""

    places: NDArray[numpy.int64]  # (B, k) who is in each bag; -1 where a bag has fewer than k
    counts: NDArray[numpy.int64]  # (B,) how many of each are positive, as far as is told

    @property
    def inside(self) -> NDArray[numpy.bool_]:
        """(B, k) where there is somebody."""
        return self.places >= 0

    @property
    def proportions(self) -> NDArray[numpy.float64]:
        """(B,) the share of each bag that is positive."""
        return self.counts / self.inside.sum(1)

    def spread(self, of_bags: ArrayLike, count: int) -> NDArray[numpy.float64]:
        """(count,) what is told of each bag (B,), or of each place in it (B, k), by example; 0 for others."""
        values = numpy.asarray(of_bags, dtype=float)
        values = numpy.broadcast_to(values if values.ndim == 2 else values[:, None], self.places.shape)
        found = numpy.zeros(count)
        found[self.places[self.inside]] = values[self.inside]
        return found


class Problem(NamedTuple):
    """What is to be learned from counts, and the truth, by which only results are judged."""

    x: NDArray[numpy.float64]  # (n, d) to learn from, each feature of mean 0 and deviation 1
    true: NDArray[numpy.int64]  # (n,) 0 or 1
    given: NDArray[numpy.int64]  # (n,) the labels that were counted, some of them turned round
    bags: Bags
    known: NDArray[numpy.int64]  # (m,) single examples whose true label is told besides
    test_x: NDArray[numpy.float64]  # (t, d) on the same scale
    test_true: NDArray[numpy.int64]  # (t,)


def random_bags(count: int, size: int, seed: int) -> NDArray[numpy.int64]:
    """(B, size) places of `count` examples dealt out at random; what is left over is a smaller bag, ended by -1.

    Raises a ValueError for fewer than one example a bag, or more than there are.
    """
    check_integer("count", count, 1)
    check_integer("size", size, 1, count, why=f": there are {count} examples")
    order = torch.randperm(count, generator=seeded_generator(seed, "bags")).numpy()
    return numpy.pad(order, (0, -count % size), constant_values=-1).reshape(-1, size)


def counted(places: NDArray[numpy.int64], labels: ArrayLike) -> Bags:
    """The bags (B, k) with the number of positives among the labels (n,), 0 or 1, of their members."""
    labels = numpy.asarray(labels)
    return check_bags(Bags(places, numpy.where(places >= 0, labels[places], 0).sum(1)), len(labels))


def check_bags(bags: Bags, count: int) -> Bags:
    """The bags, if each of `count` examples is in one of them and every count is possible; otherwise a ValueError."""
    places, counts = bags.places[bags.inside], numpy.asarray(bags.counts)
    if bags.places.ndim != 2 or counts.shape != bags.places.shape[:1] or not bags.inside.any(1).all():
        raise ValueError(f"bags has places of shape {bags.places.shape} and counts of shape {counts.shape}; there must "
                         "be a row of places, with somebody in it, and one count for each bag")  # fmt: skip
    if places.size and places.max() >= count:
        raise ValueError(f"bags names example {places.max()}, and there are {count}, from 0 on")
    held = numpy.bincount(places, minlength=count)
    if (held > 1).any():
        raise ValueError(f"bags overlap: {(held > 1).sum()} examples are in more than one; deal them out anew")
    if (held == 0).any():
        raise ValueError(f"bags leave out {(held == 0).sum()} of {count} examples; a last, smaller bag may have them")
    sizes = bags.inside.sum(1)
    if len(off := numpy.flatnonzero((counts < 0) | (counts > sizes) | (counts != numpy.round(counts)))):
        raise ValueError(f"counts[{off[0]}]={counts[off[0]]} must be a whole number from 0 to {sizes[off[0]]}, the "
                         "members of the bag")  # fmt: skip
    return bags


@functools.lru_cache(maxsize=4)
def proportions_problem(data: str, size: int, ratio: float, known: int, seed: int) -> Problem:
    """Seven tenths of the data in random bags of `size`, the rest to test on.

    ratio: share of the labels that is turned round before they are counted; those of a smaller one are among them.
    known: how many single true labels are told. Shared by all who ask for it: leave its arrays as they are.
    Raises a ValueError for unknown data, and for what can't be.
    """
    check_number("ratio", ratio, 0, 0.5)
    x, labels = _examples(check_choice("data", data, DATA))
    order = torch.randperm(len(x), generator=seeded_generator(seed, "test set")).numpy()
    split = round(TEST_SHARE * len(x))
    test, train = order[:split], order[split:]
    check_integer("known", known, 0, len(train))
    mean, spread = x[train].mean(0), x[train].std(0)
    scaled = (x - mean) / numpy.where(spread > 0, spread, 1)  # a pixel that is always black stays 0
    true = labels[train]
    given = flipped(torch.from_numpy(true), ratio, seed)[:, 1].long().numpy()
    told = torch.randperm(len(true), generator=seeded_generator(seed, "known")).numpy()[:known]
    bags = counted(random_bags(len(true), size, seed), given)
    return Problem(scaled[train], true, given, bags, told, scaled[test], labels[test])


def single_labels(problem: Problem) -> Bags:
    """The control: one label for each bag there is, and the known ones; ordinary labels are bags of one."""
    bags, known = problem.bags, problem.known
    other = (bags.inside & ~numpy.isin(bags.places, known)).argmax(1)  # the first of each bag that isn't known anyway
    ones = bags.places[numpy.arange(len(other)), other]
    labels = numpy.concatenate([problem.given[ones], problem.true[known]])
    return Bags(numpy.concatenate([ones, known])[:, None], labels)


@functools.lru_cache(maxsize=len(DATA))
def _examples(data: str) -> tuple[NDArray[numpy.float64], NDArray[numpy.int64]]:
    """All features (N, d) and labels (N,), 1 for odd digits and benign tumours."""
    from sklearn.datasets import load_breast_cancer, load_digits

    if data == "tumours":
        return load_breast_cancer(return_X_y=True)
    if data == "digits":
        x, digits = load_digits(return_X_y=True)
        return x, digits % 2
    images = load("mnist5k")
    every = torch.randperm(len(images.train_labels), generator=seeded_generator(0, "of mnist5k"))[:OF_MNIST]
    return pooled(images.train_images[every]).double().numpy(), (images.train_labels[every] % 2).numpy()
