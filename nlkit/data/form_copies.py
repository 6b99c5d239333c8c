"""Synthetic forms, made from a few real ones whose labels are known: other values, other places, fewer lines and words.

Each is one of the given receipts, changed: all its amounts are multiplied by one number, so that what adds up still
does; a line in which nothing is sought is left out with probability 0.2, and what is below moves up; the page is moved
by about 0.02 both ways; 10 % of the words are lost. Nothing is used that the receipt itself does not say.
"""

from __future__ import annotations

import torch

from nlkit.checks import check_integer
from nlkit.data.forms import CLASSES, OTHER, SAME_LINE, UNKNOWN, Forms
from nlkit.randomness import seeded_generator

_SPREAD, _LINE_LOST, _MOVED, _WORD_LOST = 0.5, 0.2, 0.02, 0.1  # spread of the logarithm of the factor of amounts


def synthetic(forms: Forms, count: int, seed: int) -> Forms:
    """`count` receipts made from those given, with their labels. A ValueError if none is given or asked for."""
    check_integer("forms", len(forms.words), 1)
    check_integer("count", count, 1)
    generator = seeded_generator(seed, "synthetic forms")
    made = forms.some(torch.randint(len(forms.words), (count,), generator=generator))
    y, shape = made.at[:, :, 1], made.words.shape
    gap = y.diff(dim=1, prepend=y[:, :1])
    begins = gap > SAME_LINE  # a line, but the first
    line = begins.cumsum(1)
    sought = torch.zeros(shape).scatter_add(1, line, (made.labels != CLASSES.index(OTHER)).float())  # a number a line
    kept = (sought > 0) | (torch.rand(shape, generator=generator) >= _LINE_LOST)
    kept = kept.gather(1, line)
    up = (gap * (begins & ~kept.roll(1, 1))).cumsum(1)
    at = made.at + _MOVED * torch.randn(count, 1, 2, generator=generator)
    factor = (_SPREAD * torch.randn(count, 1, generator=generator)).exp()
    lost = torch.rand(shape, generator=generator) < _WORD_LOST
    return Forms(
        made.words.masked_fill(lost, UNKNOWN), made.shapes, at - torch.stack([torch.zeros_like(up), up], 2),
        made.amounts * factor, made.labels, made.there & kept,
    )  # fmt: skip
