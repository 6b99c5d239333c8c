"""Labels that can be bought: real digits, a question about them, and cheap labels that a weak model gives."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.randomness import seeded_generator

QUESTIONS: dict[str, tuple[int, ...]] = {  # name -> the digits of which the answer is yes
    "5 or more": (5, 6, 7, 8, 9),
    "has a loop": (0, 6, 8, 9),
}
KNOWN = 1000  # images of whose digits the body, and the weak labeller, may learn


def split(budget: float, share: float, price: float) -> tuple[int, int]:
    """How many (weak, oracle) labels a budget buys: ⌊f B⌋ oracle labels at 1, and weak ones at c for the rest.

    budget: B, at least 2. share: f, in [0, 1]. price: c, above 0. Raises a ValueError for anything else.
    """
    check_number("budget", budget, 2)
    check_number("share", share, 0, 1)
    check_number("price", price, 0, above=True)
    oracle = math.floor(share * budget + 1e-9)
    return math.floor((budget - oracle) / price + 1e-9), oracle


class Market(NamedTuple):
    """Images whose labels are for sale, and some whose digits are known."""

    known: Tensor  # (1000, 196)
    digits: Tensor  # (1000,) of the known images
    images: Tensor  # (N, 196) whose labels can be bought
    answers: Tensor  # (N,) 1 for yes, 0 for no
    order: Tensor  # (N,) in which they are bought
    cheap: Tensor  # (N, 2) what the weak labeller says, as probabilities


def pooled(images: Tensor, side: int = 14) -> Tensor:
    """Images (N, C, H, W), of each `side` × `side` means, flat: (N, C · side²)."""
    return F.adaptive_avg_pool2d(images, side).flatten(1)


def answer(digits: Tensor, question: str) -> Tensor:
    """1 where the answer to one of `QUESTIONS` is yes for a digit (N,), 0 where it is no."""
    return torch.isin(digits, torch.tensor(QUESTIONS[check_choice("question", question, QUESTIONS)])).long()


def digit_market(data: Dataset, question: str, labelled: int, seed: int) -> Market:
    """1,000 training images of known digits, and all others for sale; a weak model labels these.

    labelled: how many of the known images the weak labeller, a logistic regression on 7 × 7 pixels, has learned from.
    Raises a ValueError for an unknown question, and for fewer than 10 or more than 1,000 images.
    """
    from sklearn.linear_model import LogisticRegression

    check_integer("labelled", labelled, 10, KNOWN)
    answers = answer(data.train_labels, question)
    places = torch.randperm(len(answers), generator=seeded_generator(seed, "known and for sale"))
    known, sold = places[:KNOWN], places[KNOWN:]
    coarse = pooled(data.train_images, 7).numpy()
    teachers = known[:labelled]
    weak = LogisticRegression(max_iter=1000).fit(coarse[teachers], answers[teachers])
    cheap = torch.from_numpy(weak.predict_proba(coarse[sold])).float()
    images = pooled(data.train_images)
    order = torch.randperm(len(sold), generator=seeded_generator(seed, "order of purchase"))
    return Market(images[known], data.train_labels[known], images[sold], answers[sold], order, cheap)


def shuffled_errors(cheap: Tensor, answers: Tensor, seed: int) -> Tensor:
    """The cheap labels (N, 2) with the probabilities of the true answers (N,) dealt out anew among the images.

    As many are wrong as before, and by as much; only which ones is now a matter of chance.
    """
    right = cheap.gather(1, answers[:, None])[torch.randperm(len(cheap), generator=seeded_generator(seed, "dealt out"))]
    return torch.empty_like(cheap).scatter_(1, answers[:, None], right).scatter_(1, 1 - answers[:, None], 1 - right)


def flipped(answers: Tensor, ratio: float, seed: int) -> Tensor:
    """Hard labels (N, 2) of which exactly a share `ratio` of the answers (N,) is turned round, nested in the ratio."""
    count = round(ratio * len(answers))
    turned = torch.randperm(len(answers), generator=seeded_generator(seed, "flips"))[:count]
    given = answers.clone()
    given[turned] = 1 - given[turned]
    return F.one_hot(given, 2).float()
