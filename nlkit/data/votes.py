"""A shop whose truth is known: customers are digits, goods are pixels, and a digit likes the pixels that are lit in it.

Some likes are hidden: the customer never came by those goods, so that there is no vote. A recommendation is a picture:
which pixels are missing?
"""

from __future__ import annotations

from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.load import load
from nlkit.randomness import seeded_generator

HIDINGS = ("by chance", "by item")
LIT, LEAST = 0.5, 0.05  # of white, from where on a pixel is liked; share of customers who like an item, at least


class Shop(NamedTuple):
    """M customers, N items."""

    likes: Tensor  # (M, N) bool, the truth
    votes: Tensor  # (M, N) bool, those of the likes that are seen
    hiding: Tensor  # (N,) the chance that a like of an item is hidden
    places: Tensor  # (N,) of the items among the 784 pixels


def shop(customers: int, ratio: float, hiding: str, seed: int) -> Shop:
    """Customers who are digits of `mnist5k`, and the pixels that one in twenty of them likes.

    ratio: share of the likes that is hidden, in [0, 0.95]; of each item alike ("by chance"), or "by item": then some
    items lie on the counter and others in the cellar, like with like, by chances to be seen in proportion to exp(2 z),
    z standard normal, at most 1. What is hidden at one ratio is hidden at higher ones too. A customer of whom nothing
    would be seen shows one like. Raises a ValueError for anything else, or more customers than digits.
    """
    check_number("ratio", ratio, 0, 0.95)
    check_choice("hiding", hiding, HIDINGS)
    data = load("mnist5k")
    images = torch.cat([data.train_images, data.test_images])
    check_integer("customers", customers, 20, len(images))
    drawn = torch.randperm(len(images), generator=seeded_generator(seed, "customers"))[:customers]
    lit = (images[drawn].flatten(1) * data.std[0] + data.mean[0]) > LIT
    places = (lit.sum(0) >= LEAST * customers).nonzero().flatten()
    likes = lit[:, places]
    weights = torch.randn(len(places), generator=seeded_generator(seed, "items"), dtype=torch.float64)
    weights = torch.exp(2 * weights) if hiding == "by item" else torch.ones_like(weights)
    seen = _scaled(weights, likes.sum(0).double(), 1 - ratio)
    luck = torch.rand(likes.shape, generator=seeded_generator(seed, "hidden likes"), dtype=torch.float64)
    votes = likes & (luck < seen)
    first = torch.where(likes, luck / seen, numpy.inf).argmin(1)  # the like that is seen most easily
    votes[range(customers), first] |= likes[range(customers), first]
    return Shop(likes, votes, 1 - seen, places)


def _scaled(weights: Tensor, counts: Tensor, share: float) -> Tensor:
    """min(1, s · weights), with the s for which the mean over likes, `counts` of each item, is the share."""
    low, high = 0.0, 1 / weights.min().item()
    for _ in range(60):
        middle = (low + high) / 2
        short = ((middle * weights).clamp(max=1) * counts).sum() < share * counts.sum()
        low, high = (middle, high) if short else (low, middle)
    return (high * weights).clamp(max=1)
