"""Cheap labels put right by a few that were drawn by a known design; see `nlkit.papers.dsl` for the paper."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from nlkit.checks import check_integer
from nlkit.learning.moments import Estimate, check_design, solve_moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pseudo_outcomes(y: NDArray, drawn: NDArray, chance: NDArray, predicted: NDArray) -> NDArray:
    """Ỹ (n,): predictions (n,), each corrected by its own error over the chance where the document was drawn."""
    return predicted + np.where(drawn, (np.where(drawn, y, 0) - predicted) / chance, 0)


def cross_fitted(
    y: NDArray, drawn: NDArray, features: NDArray, *, folds: int = 5, regressor: Any = None, seed: int = 0
) -> NDArray:
    """ĝ (n,): for the documents of each fold what `regressor` says, fitted on the drawn ones of all other folds.

    regressor: of scikit-learn, with or without `predict_proba`; logistic regression unless given. Where the other folds
    have fewer than two right labels, or all alike, it is their mean, and a warning says so.
    """
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression

    regressor = LogisticRegression() if regressor is None else regressor
    fold, found = np.random.default_rng(seed).permutation(len(y)) % folds, np.empty(len(y))
    for k in range(folds):
        here, others = fold == k, drawn & (fold != k)
        if len(np.unique(y[others])) < 2:
            warnings.warn(
                f"fold {k}: too few right labels in the others to learn from; their mean is taken", stacklevel=2
            )
            found[here] = y[others].mean() if others.any() else 0.5
            continue
        model = clone(regressor).fit(features[others], y[others])
        says = (
            model.predict_proba(features[here])[:, 1]
            if hasattr(model, "predict_proba")
            else model.predict(features[here])
        )
        found[here] = says
    return found


def dsl(
    y: ArrayLike, X: Any, cheap: ArrayLike, chance: ArrayLike, *, further: ArrayLike | None = None,
    model: str = "logistic", folds: int = 5, splits: int = 1, regressor: Any = None, seed: int = 0,
) -> Estimate:  # fmt: skip
    """A regression of an outcome that is known of few documents, on a data frame or arrays of one's own.

    y: (n,) right labels, NaN where there is none. X: (n, d) regressors, a frame or an array; a column of ones is put
    before them. cheap: (n,) or (n, q) labels of all. chance: that a document was drawn for a right label, a number or
    (n,), in (0, 1]. further: (n, w) more to predict from. model: "logistic" or "linear". splits: of how many splits
    into folds the median is taken. regressor: see `cross_fitted`.

    Raises a ValueError for a chance that can't be, a y without labels, regressors that depend on each other, and where
    right labels are too few for a solution.
    """
    names, design, y, drawn, chance = check_design(y, X, chance)
    check_integer("splits", splits, 1)
    check_integer("folds", folds, 2, max(int(drawn.sum()), 2))
    features = np.column_stack([cheap, design[:, 1:], *([] if further is None else [further])])
    found = []
    for split in range(splits):
        how: dict[str, Any] = {"folds": folds, "regressor": regressor, "seed": seed + split}
        outcome = pseudo_outcomes(y, drawn, chance, cross_fitted(y, drawn, features, **how))
        found.append(solve_moments(outcome, design, names, model=model))
    beta = np.median([e.beta for e in found], axis=0)
    variance = np.median([e.se**2 + (e.beta - beta) ** 2 for e in found], axis=0)
    return Estimate(names, beta, np.sqrt(variance))
