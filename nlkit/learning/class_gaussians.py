"""Each class as a Gaussian in feature space: without outliers, rare classes helped by large ones, points drawn.

    μ_k, Σ_k: mean and covariance of the features of class k, of those that are kept
    μ'_k = (1 - γ) μ_k + γ Σ_c ω_c μ_c,   Σ'_k likewise, + α I                                    for a small class k

c are the q large classes whose means are nearest, ω_c their shares of the examples. Let v be the variance of μ_k, and δ
how far the large class is that lends. Then the error is a parabola, with its least value at γ* = v / (v + δ²):

    E‖μ'_k - μ_k*‖² = (1 - γ)² v + γ² δ²

The larger half of the classes are the large ones. After Yang, Liu, Xu: Free lunch for few-shot learning, ICLR 2021,
arXiv:2101.06395, and Zhang et al., arXiv:2211.10955.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nlkit.checks import check_choice, check_integer, check_number

FEW, SHARE, LEAST = 8, 0.25, 1e-6  # a smaller class is left as it is; neighbours, of a class; least variance of a draw


class Gaussians(NamedTuple):
    means: NDArray  # (K, m)
    covariances: NDArray  # (K, m, m)
    sizes: NDArray  # (K,) examples of each


def local_outlier_factor(features: NDArray, share: float = SHARE) -> NDArray:
    """How much less dense it is around each point (n,) than around its neighbours: about 1 within, more for outliers.

    features: (n, m) of one class. share: the neighbours, as a share of the class; of fewer than `FEW` points all get 1.
    Breunig et al., SIGMOD 2000, as scikit-learn computes it. Raises a ValueError for a share outside (0, 1].
    """
    from sklearn.neighbors import LocalOutlierFactor

    check_number("share", share, 0, 1, above=True)
    if len(features) < FEW:
        return np.ones(len(features))
    neighbors = min(max(2, round(share * len(features))), len(features) - 1)
    with warnings.catch_warnings():  # of duplicates, around which it is as dense as can be
        warnings.simplefilter("ignore", UserWarning)
        return -LocalOutlierFactor(n_neighbors=neighbors).fit(features).negative_outlier_factor_


def distance_to_median(features: NDArray) -> NDArray:
    """How far each of the points (n, m) of one class lies from their median, coordinate by coordinate."""
    return np.linalg.norm(features - np.median(features, axis=0), axis=1)


OUTLIERS = ("kept", "LOF", "median", "neighbours", "true")  # what may describe a class, see `kept_of`
SCORES: dict[str, Callable[[NDArray], NDArray]] = {"LOF": local_outlier_factor, "median": distance_to_median}


def outlying(features: NDArray, labels: NDArray, score: str) -> NDArray:
    """How outlying each example (n,) is among those with its label; the higher, the more.

    features: (n, m). labels: (n,) in 0 … K - 1. score: "LOF" or "median", within a class; "neighbours": the share of
    the 20 nearest of all that have another label.
    """
    check_choice("score", score, (*SCORES, "neighbours"))
    if score == "neighbours":
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=min(20, len(features) - 1)).fit(features).kneighbors(return_distance=False)
        return (labels[near] != labels[:, None]).mean(1)
    found = np.zeros(len(features))
    for label in np.unique(labels):
        found[labels == label] = SCORES[score](features[labels == label])
    return found


def without_outliers(scores: NDArray, labels: NDArray, share: float) -> NDArray:
    """Which examples (n,) are kept if in each class the highest `share` of the scores is left out, rounded down.

    Classes of fewer than `FEW` are left as they are. Raises a ValueError for a share outside [0, 1].
    """
    check_number("share", share, 0, 1)
    kept = np.ones(len(labels), dtype=bool)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        leave = int(share * len(places) + 1e-9) if len(places) >= FEW else 0
        kept[places[np.argsort(-scores[places], kind="stable")[: min(leave, len(places) - 1)]]] = False
    return kept


def kept_of(outliers: str, features: NDArray, given: NDArray, true: NDArray, share: float) -> NDArray:
    """Which examples (n,) describe their given class, by one of `OUTLIERS`.

    "kept": all. "true": the rightly labelled ones, which nobody knows. Else all but the share that a score finds.
    """
    check_choice("outliers", outliers, OUTLIERS)
    if outliers in ("kept", "true"):
        return np.ones(len(given), dtype=bool) if outliers == "kept" else given == true
    return without_outliers(outlying(features, given, outliers), given, share)


def class_gaussians(features: NDArray, labels: NDArray, classes: int) -> Gaussians:
    """Mean and covariance of each class; of a class with one example the covariance is 0.

    features: (n, m). labels: (n,) in 0 … K - 1. Raises a ValueError that names a class without an example.
    """
    sizes = np.bincount(labels, minlength=classes)
    if not sizes.all():
        raise ValueError(
            f"labels have no example of class {int(sizes.argmin())}, so it has no mean; each class needs one"
        )
    own = [features[labels == label] for label in range(classes)]
    spread = [np.cov(x.T) if len(x) > 1 else np.zeros((x.shape[1],) * 2) for x in own]
    return Gaussians(np.stack([x.mean(0) for x in own]), np.stack(spread), sizes)


def borrowed(gaussians: Gaussians, gamma: float, q: int = 1, alpha: float = 0.0) -> Gaussians:
    """The Gaussians after the smaller half of the classes has borrowed from the larger half.

    gamma: γ, in [0, 1]. q: how many large classes lend, from 1 to half of all. alpha: α, 0 or above.
    Raises a ValueError for anything else.
    """
    means, covariances, sizes = (each.copy() for each in gaussians)
    check_number("gamma", gamma, 0, 1)
    check_number("alpha", alpha, 0)
    check_integer("q", q, 1, (len(sizes) + 1) // 2)
    order = np.argsort(-sizes, kind="stable")
    large, small = np.split(order, [(len(sizes) + 1) // 2])
    for k in small:
        near = large[np.argsort(np.linalg.norm(gaussians.means[large] - gaussians.means[k], axis=1))[:q]]
        weights = sizes[near] / sizes[near].sum()
        means[k] = (1 - gamma) * means[k] + gamma * weights @ gaussians.means[near]
        lent = np.tensordot(weights, gaussians.covariances[near], 1)
        covariances[k] = (1 - gamma) * covariances[k] + gamma * lent + alpha * np.eye(len(lent))
    return Gaussians(means, covariances, sizes)


def filled_up(gaussians: Gaussians, counts: NDArray, generator: torch.Generator) -> tuple[NDArray, NDArray]:
    """Points (p, m) and their classes (p,), drawn until each class has as many as the largest.

    counts: (K,) examples that each class has already. A covariance may be singular, as one of few points is.
    """
    points, labels = [], []
    for k, missing in enumerate(counts.max() - counts):
        values, vectors = np.linalg.eigh(gaussians.covariances[k])
        drawn = torch.randn(int(missing), len(values), generator=generator, dtype=torch.float64)
        root = vectors * np.sqrt(np.maximum(values, LEAST))
        points.append(gaussians.means[k] + drawn.numpy() @ root.T)
        labels.append(np.full(missing, k))
    return np.concatenate(points), np.concatenate(labels)


def expected_error(gamma: float, variance: float, distance: float, lender: float = 0.0) -> float:
    """E‖μ'_k - μ_k*‖² of a class that borrows from one at this distance; variance, lender: E‖μ - μ*‖² of the two."""
    return (1 - gamma) ** 2 * variance + gamma**2 * (distance**2 + lender)
