"""The algorithm of C-Mixup (`nlkit.papers.c_mixup`): partners by labels, blends, and a network that learns from them.

    P(j | i) = exp(-‖y_i - y_j‖² / 2σ²) / Σ_k exp(-‖y_i - y_k‖² / 2σ²)
    x̃ = λ x_i + (1 - λ) x_j        ỹ = λ y_i + (1 - λ) y_j        λ ~ Beta(α, α), one for the batch

All of it works on any table of numbers. Chances are computed a batch at a time, (b, n) in place of (n, n).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy
import torch
from torch import Tensor, nn

from nlkit.checks import check_integer, check_number
from nlkit.data.regression import as_rows
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.papers.mixup import draw_beta
from nlkit.randomness import seeded_generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

WIDTH, SLOPE = 128, 0.1  # of two hidden layers with leaky ReLU


def partner_chances(alike: Tensor, sigma: float, rows: Tensor | None = None) -> Tensor:
    """P (b, n): how likely each of n examples is to be the partner of those at `rows` (b,), of all unless given.

    alike: (n, q) what partners are to have alike, labels for C-Mixup. sigma: σ, above 0, in its unit; may be infinite.
    """
    squared = torch.cdist(alike if rows is None else alike[rows], alike).square()
    return (-squared / (2 * sigma**2)).softmax(1)  # which takes out the row's least first: nothing underflows


def draw_partners(chances: Tensor, uniform: Tensor) -> Tensor:
    """Partners (b,) by the inverse of each row of P (b, n), at uniform numbers (b,) in [0, 1)."""
    reached = chances.cumsum(1, dtype=torch.float64)
    return torch.searchsorted(reached, (uniform * reached[:, -1])[:, None], right=True)[:, 0].clamp(
        max=chances.shape[1] - 1
    )


def blend(own: Tensor, partner: Tensor, lam: float) -> Tensor:
    """λ of the one and 1 - λ of the other; what is its own partner stays as it is, to the last digit."""
    return partner + lam * (own - partner)


def c_mixup(
    x: ArrayLike, y: ArrayLike, *, sigma: float | None = 0.2, alike: ArrayLike | None = None, alpha: float = 2.0,
    hidden: bool = False, epochs: int = 60, batch: int = 64, rate: float = 1e-3, decay: float = 0.0, seed: int = 0,
) -> Iterator[Callable[[ArrayLike], NDArray]]:  # fmt: skip
    """Regress y (n,) or (n, q) on x (n, d) with a network d-128-128-q, and yield after each epoch what it predicts by.

    That is a function from x (m, d) to (m,) or (m, q), in the unit of y; it changes when it goes on.
    x: as it is to be seen; bring columns to one scale before. sigma: σ in standard deviations of y; `math.inf` blends
    with anybody, None not at all. alike: (n, …) what partners are to have alike, in place of y, in its own unit.
    decay: of the weights, by AdamW. A last batch that is not full is left out, unless it is the only one.
    Raises a ValueError, at the call, for less than two examples, values that are missing, or settings out of range.
    """
    inputs, labels = as_rows("x", x), as_rows("y", y)
    wanted = None if alike is None else as_rows("alike", alike)
    for name, other in (("y", labels), ("alike", wanted)):
        if other is not None and len(other) != len(inputs):
            raise ValueError(f"{name} has {len(other)} rows and x has {len(inputs)}; give one for each example")
    if sigma is not None and sigma != math.inf:
        check_number("sigma", sigma, 0, above=True)
    check_number("alpha", alpha, 0, above=True)
    check_number("rate", rate, 0, above=True)
    check_number("decay", decay, 0)
    check_integer("epochs", epochs, 1)
    mean, spread = labels.mean(0), labels.std(0).clamp(min=1e-9)
    targets = (labels - mean) / spread
    wanted = targets if wanted is None else wanted
    network = seeded(lambda: _layers(inputs.shape[1], targets.shape[1]), seed)
    how = (sigma, alpha, hidden, epochs, min(check_integer("batch", batch, 1), len(inputs)))

    def predict(more: ArrayLike) -> NDArray:
        with torch.no_grad():
            said = network(as_rows("x", more, least=0)) * spread + mean
        return (said[:, 0] if numpy.ndim(y) == 1 else said).numpy()

    optimizer = adam(network.parameters(), rate, weight_decay=decay, decoupled=True)
    return (predict for _ in _train(network, optimizer, inputs, targets, wanted, *how, seed))


def _train(network, optimizer, inputs, targets, alike, sigma, alpha, hidden, epochs, batch, seed) -> Iterator[None]:
    draws = {purpose: seeded_generator(seed, purpose) for purpose in ("batches", "partners", "shares")}
    below, above = (network[:2], network[2:]) if hidden else (nn.Identity(), network)
    for _ in range(epochs):
        order = torch.randperm(len(inputs), generator=draws["batches"])
        for rows in order[: len(order) // batch * batch].split(batch):
            lam = float(draw_beta(alpha, 1, draws["shares"]))
            uniform = torch.rand(batch, generator=draws["partners"], dtype=torch.float64)
            partners = rows if sigma is None else draw_partners(partner_chances(alike, sigma, rows), uniform)
            mixed = blend(below(inputs[rows]), below(inputs[partners]), lam)
            loss = (above(mixed) - blend(targets[rows], targets[partners], lam)).square().mean()
            descend(optimizer, loss)
        yield


def _layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, WIDTH), nn.LeakyReLU(SLOPE), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(SLOPE),
                         nn.Linear(WIDTH, outputs))  # fmt: skip
