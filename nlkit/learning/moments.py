"""Regressions as moment equations, with the variance that holds whatever the outcome's distribution is.

    logistic:  Σ_i w_i (y_i − expit(X_iᵀ β)) X_i = 0        linear:  Σ_i w_i (y_i − X_iᵀ β) X_i = 0

An outcome may be any number: libraries' logistic regressions refuse those outside 0 and 1.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nlkit.checks import check_choice

if TYPE_CHECKING:
    import pandas
    from numpy.typing import ArrayLike, NDArray

Z = 1.959964  # of a 95 % interval


class Estimate(NamedTuple):
    """Coefficients (d,) of a regression, the intercept first, with their standard errors (d,)."""

    names: tuple[str, ...]
    beta: NDArray
    se: NDArray

    @property
    def low(self) -> NDArray:
        """The lower ends (d,) of the 95 % intervals."""
        return self.beta - Z * self.se

    @property
    def high(self) -> NDArray:
        return self.beta + Z * self.se

    def table(self) -> pandas.DataFrame:
        """A row a coefficient: estimate, standard error, and the ends of the 95 % interval."""
        import pandas

        columns = {"estimate": self.beta, "standard error": self.se, "95 % from": self.low, "to": self.high}
        return pandas.DataFrame(columns, index=list(self.names))


def check_design(y: ArrayLike, X: Any, chance: ArrayLike) -> tuple[tuple[str, ...], NDArray, NDArray, NDArray, NDArray]:
    """Names (d,), X (n, d) with a column of ones first, y (n,), where it is known (n,), and the chances (n,).

    y: NaN where it is not known. Raises a ValueError for what can't be, see `nlkit.papers.dsl.dsl`.
    """
    names = tuple(map(str, X.columns)) if hasattr(X, "columns") else None
    design, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
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


def solve_moments(
    y: NDArray, design: NDArray, names: tuple[str, ...], *, weights: NDArray | None = None, model: str = "logistic"
) -> Estimate:
    """β and its sandwich standard errors. y: (n,) any numbers. weights: (n,), 0 or above; all 1 unless given.

    Raises a ValueError where no β solves the equations.
    """
    from scipy.special import expit

    check_choice("model", model, ("logistic", "linear"))
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    mean = expit if model == "logistic" else lambda eta: eta
    beta = np.zeros(design.shape[1])
    moment = functools.partial(_moment, y, design, w, mean)
    size = np.linalg.norm(moment(beta))
    scale = max(size, 1.0)
    for _ in range(100):
        if size < 1e-10 * scale:
            break
        try:
            step = np.linalg.solve(_slope(design, w, mean(design @ beta), model), moment(beta))
        except np.linalg.LinAlgError:
            raise ValueError(NO_SOLUTION) from None
        length, shrunk = 1.0, np.inf
        while length > 1e-6 and (shrunk := np.linalg.norm(moment(beta + length * step))) > (1 - 1e-4 * length) * size:
            length /= 2
        if not shrunk < size:
            raise ValueError(NO_SOLUTION)
        beta, size = beta + length * step, shrunk
    if size > 1e-6 * scale or np.abs(beta).max() > 1e3:
        raise ValueError(NO_SOLUTION)
    p = mean(design @ beta)
    bread = np.linalg.inv(_slope(design, w, p, model))
    meat = (design * (w * (y - p))[:, None] ** 2).T @ design
    return Estimate(names, beta, np.sqrt(np.diag(bread @ meat @ bread)))


NO_SOLUTION = (
    "no coefficients solve the regression's equations: the outcome, as corrected, has a mean outside its range, or a "
    "class stands apart; there are too few right labels"
)


def _moment(y, design, w, mean, beta):
    return design.T @ (w * (y - mean(design @ beta)))


def _slope(design: NDArray, w: NDArray, p: NDArray, model: str) -> NDArray:
    spread = w * p * (1 - p) if model == "logistic" else w
    return (design * spread[:, None]).T @ design
