"""Cheap labels put right by a few that were drawn by a known design; see `nlkit.papers.dsl` for the paper."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from nlkit.checks import check_integer
from nlkit.learning.moments import Estimate, solve_moments

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def check_design(y: ArrayLike, X: Any, chance: ArrayLike) -> tuple[tuple[str, ...], NDArray, NDArray, NDArray, NDArray]:
    """Names (d,), X (n, d) with a column of ones first, y (n,), where it is known (n,), and the chances (n,).

    y: NaN where it is not known. Raises a ValueError for what can't be, see `dsl`.
    """
    check_rows_alike(X=X, y=y, chance=chance)
    names = tuple(map(str, X.columns)) if hasattr(X, "columns") else None
    try:
        design, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"X and y must be numbers; make columns of 0 and 1 of what is not: {error}") from error
    if y.ndim != 1 or design.ndim != 2 or len(design) != len(y):
        raise ValueError(f"X of shape {design.shape} and y of shape {y.shape} must be (n, d) and (n,)")
    if not np.isfinite(design).all():
        raise ValueError("X has values that are missing or infinite; leave those rows out, or fill them")
    names = ("intercept", *(names or (f"x{i}" for i in range(1, design.shape[1] + 1))))
    design = np.column_stack([np.ones(len(design)), design])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError("X has columns that follow from the others (or are constant); leave one of them out")
    chance = np.broadcast_to(np.asarray(chance, dtype=float), y.shape)
    if not ((chance > 0) & (chance <= 1)).all():  # NaN is in no range
        raise ValueError("chance must be in (0, 1], of every document; no design draws what has no chance to be drawn")
    known = ~np.isnan(y)
    if np.isinf(y).any():
        raise ValueError("y has infinite values; it must be numbers, and NaN where there is no right label")
    if known.sum() < 2:
        raise ValueError(f"y has {known.sum()} right labels; it must have at least 2, and NaN where there is none")
    if lacking := int((~known & (chance == 1)).sum()):
        raise ValueError(f"y lacks {lacking} right labels of documents whose chance to be drawn is 1")
    return names, design, y, known, chance


def check_rows_alike(**columns: Any) -> None:
    """A ValueError where two of pandas' columns name their rows differently: by place, they would be mixed up."""
    named = {name: column.index for name, column in columns.items() if hasattr(column, "iloc")}
    for name, index in list(named.items())[1:]:
        first = next(iter(named))
        if not index.equals(named[first]):
            raise ValueError(f"{name} and {first} name their rows differently; bring them into one order: reindex them")


def pseudo_outcomes(y: NDArray, drawn: NDArray, chance: NDArray, predicted: NDArray) -> NDArray:
    """Ỹ (n,): predictions (n,), each corrected by its own error over the chance where the document was drawn."""
    return predicted + np.where(drawn, (np.where(drawn, y, 0) - predicted) / chance, 0)


def cross_fitted(
    y: NDArray, drawn: NDArray, features: NDArray, *, folds: int = 5, regressor: Any = None, seed: int = 0
) -> NDArray:
    """ĝ (n,): for the documents of each fold what `regressor` says, fitted on the drawn ones of all other folds.

    regressor: of scikit-learn; unless given, logistic regression where y is 0 or 1, else least squares. A classifier
    needs such a y, and gives the probability of 1. Where the other folds have fewer than two right labels, or all
    alike, it is their mean, and a warning says so.
    """
    from sklearn.base import clone, is_classifier
    from sklearn.linear_model import LinearRegression, LogisticRegression

    binary = bool(np.isin(y[drawn], (0, 1)).all())
    if regressor is None:
        regressor = LogisticRegression() if binary else LinearRegression()
    elif is_classifier(regressor) and not binary:
        raise ValueError(
            f"regressor={regressor!r} tells classes, and y is not of 0 and 1; take one that predicts numbers"
        )
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
        classes = is_classifier(model)
        found[here] = model.predict_proba(features[here])[:, 1] if classes else model.predict(features[here])
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

    Raises a ValueError for a chance that can't be, a y without labels or beyond what the model takes, regressors that
    depend on each other, rows in different orders, and where right labels are too few for a solution.
    """
    check_rows_alike(X=X, y=y, cheap=cheap, chance=chance, further=further)
    names, design, y, drawn, chance = check_design(y, X, chance)
    if model == "logistic" and not ((y[drawn] >= 0) & (y[drawn] <= 1)).all():
        raise ValueError(
            "y must be within 0 and 1 for a logistic regression; name the classes 0 and 1, or take 'linear'"
        )
    for name, more in (("cheap", cheap), ("further", further)):
        if more is not None and len(more) != len(y):  # type: ignore[arg-type]
            raise ValueError(f"{name} has {len(more)} rows, and y has {len(y)}")  # type: ignore[arg-type]
        if more is not None and not np.isfinite(np.asarray(more, dtype=float)).all():
            raise ValueError(f"{name} has values that are missing or infinite; leave those rows out, or fill them")
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
