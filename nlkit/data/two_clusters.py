"""Two clusters in many dimensions with partly wrong labels, and from how many dimensions on a plane fits them all."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nlkit.randomness import seeded_generator


def two_clusters(n: int, p: int, sigma: float, wrong: float, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x (n, p), true and given clusters (n,) of -1 and 1, and v (p,): round(wrong · n) of the given ones are wrong."""
    draw = seeded_generator(seed, "two clusters")
    v = torch.randn(p, generator=draw, dtype=torch.float64)
    v /= v.norm()
    true = 2.0 * torch.randint(2, (n,), generator=draw) - 1
    x = true[:, None] * (v - sigma * torch.randn(n, p, generator=draw, dtype=torch.float64))
    given = true.clone()
    given[torch.randperm(n, generator=draw)[: round(wrong * n)]] *= -1
    return x, true.double(), given.double(), v


def all_can_be_fitted_from(wrong: float, sigma: float) -> float:
    """h(q, σ): from this p/n on, a plane fits all given labels of large clusters of which a share `wrong` is wrong.

    Candès, Sur: The phase transition for the existence of the maximum likelihood estimate in high-dimensional logistic
    regression. 2018, arXiv:1804.09753; applied to these clusters. wrong: q, 0 to 0.5. sigma: σ, above 0.
    """
    from scipy.optimize import minimize_scalar
    from scipy.stats import norm

    def expected(t: float) -> float:
        scale = math.sqrt(1 + t * t)  # of Z − tM given its sign, whose mean is ∓t/σ
        return sum(
            share * ((m * m + scale * scale) * norm.cdf(m / scale) + m * scale * norm.pdf(m / scale))
            for share, m in ((1 - wrong, -t / sigma), (wrong, t / sigma))
        )

    return float(minimize_scalar(expected, bounds=(0, 10 * sigma), method="bounded").fun)


def a_plane_fits(x: Tensor, labels: Tensor) -> bool:
    """Whether some plane through 0 has all x (n, p) with label 1 on one side and those with -1 on the other."""
    from scipy.optimize import linprog

    sides = (x * labels[:, None]).numpy()  # (n, p); a direction with a positive product with each is asked for
    return linprog([0.0] * sides.shape[1], -sides, [-1.0] * len(sides), bounds=(None, None)).status == 0
