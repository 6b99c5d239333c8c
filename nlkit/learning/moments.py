"""Regressions as moment equations, with the variance that holds whatever the outcome's distribution is.

    logistic:  Σ_i w_i (y_i − expit(X_iᵀ β)) X_i = 0        linear:  Σ_i w_i (y_i − X_iᵀ β) X_i = 0

An outcome may be any number: libraries' logistic regressions refuse those outside 0 and 1.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nlkit.checks import check_choice

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

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
