"""Canvases: images with several digits, whose label is the set of those on them, ticked by somebody who overlooks some.

A canvas has 2 × 2 cells of 14 × 14 pixels; 1 to 3 of them show a digit, the others nothing. Nobody says which shows
what: a label is ten answers to "is this digit on it?". Three things may be wrong with the answers, each of them drawn
answer by answer, and nested: whoever loses more positives loses those that others lose, and more.

- **lost positives**: a digit that is there is overlooked, and reads as "no";
- **wrong positives**: a digit that is not there is ticked;
- **partial labels**: an answer is not known at all, and said to be so (`known`). In some papers "partial" means the
  first of the three; here it is always this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.data.purchases import pooled
from nlkit.randomness import seeded_generator

SIDE, CELLS, MOST = 14, 4, 3  # pixels along a cell, cells of a canvas, digits on it at most


class Canvases(NamedTuple):
    """N canvases with ten answers each. `given` is what is ticked: a positive that is known, and was not overlooked."""

    cells: Tensor  # (N, 4, 196) pixels of the cells, row by row; normalized as the digits are
    present: Tensor  # (N, K) bool: the truth
    given: Tensor  # (N, K) bool: what is ticked
    known: Tensor  # (N, K) bool: whether there is an answer
    order: Tensor  # (K,) the classes, the most frequent first

    @property
    def lost(self) -> Tensor:
        """(N, K) bool: there, and read as "no"."""
        return self.present & self.known & ~self.given


def shares_of_classes(imbalance: float, classes: int = 10) -> Tensor:
    """(K,) how often a class is drawn, the most frequent first: ∝ ρ^(-k / (K - 1)). imbalance: ρ, at least 1."""
    check_integer("classes", classes, 2)
    check_number("imbalance", imbalance, 1)
    weights = float(imbalance) ** (-torch.arange(classes, dtype=torch.float64) / (classes - 1))
    return weights / weights.sum()


def canvases(
    data: Dataset, count: int, *, part: str = "train", ratio: float = 0.0, imbalance: float = 1.0, wrong: float = 0.0,
    known: float = 1.0, seed: int = 0,
) -> Canvases:  # fmt: skip
    """`count` canvases of the digits of one part ("train" or "test") of a data set like `mnist5k`.

    ratio: r, the probability that a positive is lost, from 0 to below 1; whatever is shown (selected completely at
    random within a class). imbalance: ρ of `shares_of_classes`; which class is rare is drawn by the seed. wrong: the
    probability that what is absent is ticked. known: that an answer is known. A class is drawn for each cell that shows
    one, and twice the same counts once. Raises a ValueError for anything else.
    """
    check_integer("count", count, 1)
    if check_number("ratio", ratio, 0, 1) == 1:
        raise ValueError("ratio=1 must be below 1: every positive would be lost, and nothing said of any class")
    check_number("wrong", wrong, 0, 1)
    check_number("known", known, 0, 1, above=True)
    shares = shares_of_classes(imbalance, data.num_classes)
    cells, present, order = _drawn(data, part, count, shares, seed)
    lost = _draws(present, seed, "lost positives") < ratio
    ticked = _draws(present, seed, "wrong positives") < wrong
    seen = _draws(present, seed, "known answers") < known
    given = seen & torch.where(present, ~lost, ticked)
    return Canvases(cells, present, given, seen, order)


def _drawn(data: Dataset, part: str, count: int, shares: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    images, labels = getattr(data, f"{part}_images").cpu(), getattr(data, f"{part}_labels").cpu()
    order = torch.randperm(len(shares), generator=seeded_generator(seed, "which digit is rare"))
    draw = seeded_generator(seed, f"canvases to {part}")
    shown = torch.randint(1, MOST + 1, (count, 1), generator=draw) > torch.arange(MOST)  # (N, 3)
    digits = order[torch.multinomial(shares, count * MOST, replacement=True, generator=draw).view(count, MOST)]
    places = torch.rand(count, CELLS, generator=draw).argsort(1)[:, :MOST]
    by_class, sizes = labels.argsort(stable=True), torch.bincount(labels, minlength=len(shares))
    within = (torch.rand(count, MOST, generator=draw, dtype=torch.float64) * sizes[digits]).long()
    chosen = by_class[(sizes.cumsum(0) - sizes)[digits] + within]  # (N, 3) images
    pixels = pooled(images)
    cells = pixels.min().expand(count, CELLS, pixels.shape[1]).clone()
    rows = torch.arange(count)[:, None].expand(-1, MOST)
    cells[rows[shown], places[shown]] = pixels[chosen[shown]]
    present = torch.zeros(count, len(shares), dtype=torch.bool)
    present[rows[shown], digits[shown]] = True
    return cells, present, order


def _draws(like: Tensor, seed: int, purpose: str) -> Tensor:
    return torch.rand(like.shape, generator=seeded_generator(seed, purpose), dtype=torch.float64)


def check_ticks(given: Tensor, names: Sequence[str]) -> Tensor:
    """Given labels (N, K) bool, if each class is ticked somewhere; otherwise a ValueError that names one that isn't."""
    if len(empty := (~given.any(0)).nonzero().flatten()):
        raise ValueError(
            f"class {names[int(empty[0])]} is ticked on none of {len(given):,} canvases, so nothing says what it looks "
            "like: lower ratio or imbalance, or raise known or count"
        )
    return given


LABELS = ("given", "complete", "true")


def labelled(full: Canvases, labels: str) -> Canvases:
    """The canvases with their ticks as "given"; as many ticks "complete", on fewer canvases; or all the "true" ones."""
    if check_choice("labels", labels, LABELS) == "given":
        return full
    return as_many_complete(full, int((full.given if labels == "complete" else full.present).sum()))


def as_many_complete(full: Canvases, ticks: int) -> Canvases:
    """The first canvases, with every answer known and right, that have so many ticks in all (or the fewest above it).

    What the same number of ticks is worth where nothing is overlooked. Raises a ValueError where there are not so many.
    """
    counted = full.present.sum(1).cumsum(0)
    check_integer("ticks", ticks, 1, int(counted[-1]))
    count = int((counted < ticks).sum()) + 1
    part = Canvases(*(each[:count] for each in full[:4]), full.order)
    return part._replace(given=part.present, known=torch.ones_like(part.known))
