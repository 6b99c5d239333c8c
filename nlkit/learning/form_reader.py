"""A small network that reads a form: of each token its class, from what it says, what is beside it and where it stands.

A token is told by its own word and shape, by those of its neighbours (the two to its left in its line, the one above
it), by its amount of money, and by its place. A place is told by waves, sin and cos of 2π f x and 2π f y for
f = ½, 1, 2, 4, 8: the product of two such vectors hangs on how far apart the places are, and attention is made of
products. So one layer of `nlkit.learning.transformer` can look for what stands elsewhere on the page.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.data.forms import CLASSES, OTHER, SAME_LINE, SHAPES, WORDS, Forms
from nlkit.learning.models import seeded
from nlkit.learning.transformer import Transformer

WIDTH, LAYERS, HEADS = 32, 1, 2
WAVES = 2.0 ** torch.arange(-1, 4)
LEFT, LEFT_OF_LEFT, ABOVE = range(3)
SAME_COLUMN = 0.08  # x of two tokens of one column differ by less
WORDS_END = 4 * len(WORDS)  # the columns of features that are about words; the rest is about looks
FEATURES = WORDS_END + 3 * len(SHAPES) + 4 * len(WAVES) + 2


def neighbours(forms: Forms) -> Tensor:
    """(D, N, 3) the places of the tokens to the left in the line, to the left of that, and above; -1 for none.

    Above is the lowest of the tokens that stand higher, in the same column.
    """
    x, y = forms.at.unbind(2)
    right, down = x[:, :, None] - x[:, None], y[:, :, None] - y[:, None]  # [i, j]: how far i is from j
    both = forms.there[:, :, None] & forms.there[:, None]
    before = both & (down.abs() < SAME_LINE) & (right > 0)
    higher = both & (down >= SAME_LINE) & (right.abs() < SAME_COLUMN)
    found = [_nearest(right, before), _second(right, before), _nearest(down, higher)]
    return torch.stack(found, 2)


def _nearest(distance: Tensor, allowed: Tensor) -> Tensor:
    least, place = distance.masked_fill(~allowed, torch.inf).min(2)
    return torch.where(least < torch.inf, place, -1)


def _second(distance: Tensor, allowed: Tensor) -> Tensor:
    first = _nearest(distance, allowed)
    return _nearest(distance, allowed.scatter(2, first.clamp(min=0)[:, :, None], False))


def features(forms: Forms) -> Tensor:
    """(D, N, F) all that a reader is told of each token: words of four tokens, shapes of three, waves, amounts."""
    beside = neighbours(forms)
    none = beside < 0
    words, shapes = F.one_hot(forms.words, len(WORDS)), F.one_hot(forms.shapes, len(SHAPES))

    def of(which: int, what: Tensor) -> Tensor:
        place = beside[:, :, which].clamp(min=0)[:, :, None].expand(-1, -1, what.shape[2])
        return what.gather(1, place).masked_fill(none[:, :, which, None], 0)

    angle = (2 * torch.pi * forms.at[..., None] * WAVES).flatten(2)
    money, largest = forms.amounts, forms.amounts.amax(1, keepdim=True).clamp(min=0.01)
    parts = [words, of(LEFT, words), of(LEFT_OF_LEFT, words), of(ABOVE, words)]
    parts += [shapes, of(LEFT, shapes), of(ABOVE, shapes)]
    parts += [angle.sin(), angle.cos(), torch.stack([money.log1p() / 5, money / largest], 2)]
    return torch.cat([part.float() for part in parts], 2)


class Told(NamedTuple):
    """Forms as a reader gets them, and what is to be said of them."""

    features: Tensor  # (D, N, F)
    there: Tensor  # (D, N) bool
    labels: Tensor  # (D, N)

    def some(self, which: Tensor) -> Told:
        return Told(*(part[which] for part in self))


def told(forms: Forms) -> Told:
    return Told(features(forms), forms.there, forms.labels)


class FormReader(nn.Module):
    """Features (D, N, F) and where tokens are (D, N) to logits (D, N, K); where none is, they mean nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.tell = nn.Linear(FEATURES, WIDTH)
        self.body = Transformer(WIDTH, LAYERS, HEADS)
        self.say = nn.Linear(WIDTH, len(CLASSES))

    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        return self.say(self.body(self.tell(features), there[:, None, None]))


def new_reader(seed: int) -> FormReader:
    """One with random weights; torch's global random state stays as it was."""
    return seeded(FormReader, seed)


def f1_scores(said: Tensor, labels: Tensor) -> list[float]:
    """F1 of each class but "other", of tokens (n,): 2 TP / (2 TP + FP + FN); 0 for a class that nobody names or has."""
    scores = []
    for k in range(len(CLASSES)):
        if k != CLASSES.index(OTHER):
            named, has = said == k, labels == k
            both = int(named.sum() + has.sum())
            scores.append(2 * int((named & has).sum()) / both if both else 0.0)
    return scores
