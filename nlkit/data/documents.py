"""Digits as documents to be counted: an outcome, regressors, and cheap labels whose mistakes have a side.

The 5,000 digits that the kit carries stand for a survey's texts. The outcome is whether a digit has a loop. A survey
draws documents with replacement from them, so that the regression on all 5,000 is exactly what it estimates.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.load import load

LOOPS = (0, 6, 8, 9)
REGRESSORS = ("ink", "slant", "width")
TAUGHT = 100  # digits that the weak classifier has learned from
DRAWINGS = ("at random", "more where a label says yes", "the easy ones")
_MORE = 3.0  # times as likely, where a cheap label says yes


class Documents(NamedTuple):
    """Some documents with all that is known of them."""

    outcome: NDArray  # (n,) 0 or 1: whether the digit has a loop
    regressors: NDArray  # (n, 3) ink, slant and width, of mean 0 and variance 1 over all 5,000
    pixels: NDArray  # (n, 49) each the mean of 4×4


@functools.cache
def all_documents() -> Documents:
    """The 5,000 digits: mean pixel, minus the second moment xy over yy, and the root of the second moment xx."""
    data = load("mnist5k", device="cpu")
    images = np.concatenate([data.train_images, data.test_images])[:, 0].astype(float)
    images = (images - images.min()) / np.ptp(images)  # as they were before they were brought to mean 0
    labels = np.concatenate([data.train_labels, data.test_labels])
    down, right = np.mgrid[: images.shape[1], : images.shape[2]]
    mass = images.sum((1, 2))

    def mean(values: NDArray) -> NDArray:
        return (images * values).sum((1, 2)) / mass

    across, along = right - mean(right)[:, None, None], down - mean(down)[:, None, None]
    raw = np.stack([images.mean((1, 2)), -mean(across * along) / mean(along**2), np.sqrt(mean(across**2))], 1)
    pooled = images.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(len(images), 49)
    return Documents(np.isin(labels, LOOPS).astype(float), (raw - raw.mean(0)) / raw.std(0), pooled)


def draw_documents(count: int, rng: np.random.Generator) -> Documents:
    """`count` of the 5,000 at random, with replacement."""
    check_integer("count", count, 1)
    rows = rng.integers(0, len(all_documents().outcome), count)
    return Documents(*(column[rows] for column in all_documents()))


def cheap_labels(documents: Documents, ratio: float, tilt: float, rng: np.random.Generator) -> NDArray:
    """(n,) the outcome, of which a share `ratio` is wrong, each wrong one told by the ink with the weight `tilt`.

    tilt 0: any is as likely to be wrong. Above 0 loops are overlooked where there is little ink, and seen where there
    is much; below 0 the other way round.
    """
    check_number("ratio", ratio, 0, 1)
    outcome = documents.outcome
    score = rng.gumbel(size=len(outcome)) + tilt * documents.regressors[:, 0] * np.where(outcome == 1, -1, 1)
    wrong = np.argsort(-score)[: round(ratio * len(outcome))]
    found = outcome.copy()
    found[wrong] = 1 - found[wrong]
    return found


@functools.lru_cache(maxsize=8)
def _weak_classifier(seed: int):
    from sklearn.linear_model import LogisticRegression

    documents = all_documents()
    rows = np.random.default_rng(seed).permutation(len(documents.outcome))[:TAUGHT]
    return LogisticRegression(max_iter=1000).fit(documents.pixels[rows], documents.outcome[rows])


def classified(documents: Documents, seed: int) -> NDArray:
    """(n,) what a logistic regression says of 49 pixels, taught by 100 of the 5,000."""
    return _weak_classifier(seed).predict(documents.pixels)


def draw_for_checking(
    documents: Documents, cheap: NDArray, count: int, drawing: str, rng: np.random.Generator
) -> tuple[NDArray, NDArray]:
    """Which documents (n,) get a right label, and the chance (n,) of each to be drawn, as it is told.

    drawing: "at random"; "more where a label says yes", three times as likely, with the true chances; or "the easy
    ones", of the half with the smallest slant alone, told as if they were drawn at random, which is wrong.
    """
    check_choice("drawing", drawing, DRAWINGS)
    n, chosen = len(cheap), np.zeros(len(cheap), bool)
    check_integer("count", count, 1, n)
    chance = np.full(n, count / n)
    if drawing == "at random":
        chosen[rng.permutation(n)[:count]] = True
    elif drawing == "the easy ones":
        easy = np.argsort(np.abs(documents.regressors[:, 1]))[: max(n // 2, count)]
        chosen[rng.permutation(easy)[:count]] = True
    else:
        yes = np.flatnonzero(cheap == 1), np.flatnonzero(cheap != 1)
        share = _MORE * len(yes[0]) / (_MORE * len(yes[0]) + len(yes[1]))
        of_yes = min(round(share * count), len(yes[0]))
        for places, wanted in zip(yes, (of_yes, min(count - of_yes, len(yes[1])))):
            chosen[rng.permutation(places)[:wanted]] = True
            chance[places] = wanted / max(len(places), 1)
    return chosen, chance
