"""Memorization and influence, estimated by many models that each learned from a random subset.

    mem(i)     = P[h(x_i) = y_i  | i was learned from] − P[the same | it was not]
    infl(i, j) = P[h(x'_j) = y'_j | i was learned from] − P[the same | it was not]

Feldman, Zhang: What neural networks memorize and why. NeurIPS 2020, arXiv:2008.03703. Of t models each has seen m' of
the n examples, drawn without replacement; both numbers are a difference of two means over the t, which is a product of
matrices. Beside it kernel ridge regression without some of its examples, in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.learning.optimizers import adam, descend
from nlkit.learning.stages import logits, new_networks
from nlkit.randomness import seeded_generator

TOGETHER = 10  # models a batched product
HIDDEN, EPOCHS, BATCH, RATE = 64, 40, 50, 3e-3  # of the networks, with Adam
REMOVED, AT_RANDOM = ("nothing", "memorized", "at random", "memorized, right"), 5  # which is drawn so often
MOST_CELLS = 50_000_000  # of a table of influences: 400 MB


def draw_subsets(models: int, n: int, share: float, seed: int) -> Tensor:
    """(models, n) bool: what each learns from, round(share * n) of n examples without replacement.

    The first rows do not hang on how many there are. Raises a ValueError where a model would learn from all or none, or
    where it is likely (a chance above 5 %) that all have seen the same example, or none has.
    """
    check_integer("models", models, 1)
    check_integer("n", n, 2)
    check_number("share", share, 0, 1)
    size = round(share * n)
    if not 1 <= size < n:
        raise ValueError(f"share={share} of {n} examples is {size}; it must be 1 to {n - 1} of them")
    if models < (needed := models_needed(n, size)):
        raise ValueError(f"models={models} are too few: that an example is in all subsets of {size} of {n}, or in none,"
                         f" has a chance above 5 %; take at least {needed}")  # fmt: skip
    generator = seeded_generator(seed, "subsets")
    kept = torch.zeros(models, n, dtype=torch.bool)
    for row in kept:
        row[torch.randperm(n, generator=generator)[:size]] = True
    return kept


def models_needed(n: int, size: int) -> int:
    """So many that the expected number of n examples that are in all subsets, or in none, is at most 0.05."""
    most = max(size, n - size) / n
    return math.ceil(math.log(0.05 / n) / math.log(most))


def error_bound(models: int, share: float) -> float:
    """Feldman and Zhang's bound on the mean squared error of an estimate, from t models and p = min(share, 1 - share).

    1/(pt) + 1/((1 - p)t) + exp(-pt/16)/2.
    """
    p = min(share, 1 - share)
    return 1 / (p * models) + 1 / ((1 - p) * models) + math.exp(-p * models / 16) / 2


def effects(kept: Tensor, hits: Tensor) -> Tensor:
    """(n, J): how much likelier each of J hits is for the models that learned from example i than for the others.

    kept: (t, n) bool, what each of t models learned from. hits: (t, J) bool, whether it got thing j right. NaN in the
    rows of examples that all or none have learned from. This is infl; mem is its diagonal where hits are of the
    examples themselves, see `memorization`.
    Raises a ValueError for other shapes, or a table of more than `MOST_CELLS`.
    """
    _check_alike(kept, hits)
    if kept.shape[1] * hits.shape[1] > MOST_CELLS:
        raise ValueError(f"kept and hits ask for {kept.shape[1]:,} x {hits.shape[1]:,} influences, more than "
                         f"{MOST_CELLS:,}; hand in the hits of fewer test examples at a time")  # fmt: skip
    mask, right = kept.float(), hits.float()  # counts below 2²⁴ are exact
    return _difference(mask.T @ right, mask.sum(0)[:, None], right.sum(0), len(kept))


def memorization(kept: Tensor, hits: Tensor) -> Tensor:
    """mem (n,) from what t models learned from and got right of n examples, both (t, n) bool; NaN as in `effects`."""
    _check_alike(kept, hits)
    mask, right = kept.float(), hits.float()
    return _difference((mask * right).sum(0), mask.sum(0), right.sum(0), len(kept))


def _difference(hits_with: Tensor, seen_by: Tensor, hits: Tensor, models: int) -> Tensor:
    """Mean hits of the models that learned from an example, less that of the others."""
    return hits_with / seen_by - (hits - hits_with) / (models - seen_by)


def pairs_of(mem: Tensor, infl: Tensor, alike: Tensor, *, memorized: float = 0.25, influential: float = 0.15) -> Tensor:
    """(P, 2) places (i, j) of an example that is memorized and of what it gets right, most influence first.

    mem: (n,). infl: (n, J). alike: (n, J) bool, where both are of one class. What is NaN makes no pair.
    """
    high = (mem >= memorized)[:, None] & (infl >= influential) & alike
    return high.nonzero()[infl[high].argsort(descending=True, stable=True)]


def left_after(removed: str, mem: Tensor, threshold: float, wrong: Tensor, seed: int) -> Tensor:
    """(r, n) bool: what is left to learn from, in as many ways as it is drawn, if `removed` is taken out.

    mem: (n,); what is NaN there is left. wrong: (n,) bool, which labels are; only "memorized, right" looks at it.
    """
    high = mem >= threshold
    if check_choice("removed", removed, REMOVED) == "at random":
        generator = seeded_generator(seed, "at random")
        ranks = torch.stack([torch.randperm(len(mem), generator=generator) for _ in range(AT_RANDOM)])
        return ranks >= high.sum()
    out = {"nothing": high & False, "memorized": high, "memorized, right": high & ~wrong}
    return ~out[removed][None]


def like(examples: Tensor, given: Tensor, seed: int) -> Tensor:
    """As many other places with the same labels (n,) as `examples`, at random."""
    order = torch.randperm(len(given), generator=seeded_generator(seed, "alike"))
    order = order[~torch.isin(order, examples)]
    return torch.cat([order[given[order] == label][: (given[examples] == label).sum()] for label in given.unique()])


def _check_alike(kept: Tensor, hits: Tensor) -> None:
    if kept.ndim != 2 or hits.ndim != 2 or len(kept) != len(hits) or kept.dtype != torch.bool:
        raise ValueError(f"kept and hits must be of the same models, (t, n) bool and (t, J); their shapes are "
                         f"{tuple(kept.shape)} and {tuple(hits.shape)}")  # fmt: skip


class KernelRidge:
    """Kernel ridge regression on n examples, (K + λI) α = Y, that can forget some of them without learning anew.

    With A = (K + λI)⁻¹, what is learned from all but S is α − A[:, S] A[S, S]⁻¹ α[S], which is 0 on S: a system of |S|
    equations in place of n − |S|. For a single i it follows that y_i − f_without_i(x_i) = α_i / A_ii.
    """

    def __init__(self, kernel: Tensor, targets: Tensor, ridge: float):
        """kernel: (n, n) of float64, symmetric. targets: (n, K). ridge: λ, above 0: with 0 equal ones have no α."""
        self.penalty = check_number("ridge", ridge, 0, above=True)
        if kernel.ndim != 2 or kernel.shape != (len(targets), len(targets)):
            raise ValueError(f"kernel has shape {tuple(kernel.shape)} for {len(targets)} targets; it must be square")
        self.targets = targets
        self.inverse = torch.cholesky_inverse(
            torch.linalg.cholesky(kernel + ridge * torch.eye(len(kernel), dtype=kernel.dtype))
        )
        self.alpha = self.inverse @ targets  # (n, K)

    def without(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """t models, each learned from its row of `kept` (t, n) bool alone, of which each leaves out equally many.

        Returns their coefficients (t, n, K), and what they say of the n examples (t, n, K): targets less residuals,
        which are λ α where an example was learned from, and A[S, S]⁻¹ α[S] where it was not.
        """
        models, n = kept.shape
        out = (~kept).nonzero()[:, 1].reshape(models, -1)  # (t, q)
        system = self.inverse[out[:, :, None], out[:, None]]  # (t, q, q)
        pulled = torch.cholesky_solve(self.alpha[out], torch.linalg.cholesky(system))  # (t, q, K)
        spread = self.alpha.new_zeros(models, n, self.alpha.shape[1])
        spread.scatter_(1, out[:, :, None].expand_as(pulled), pulled)
        alpha = (self.alpha - times(self.inverse, spread)) * kept[:, :, None]
        return alpha, self.targets - self.penalty * alpha - spread

    def leave_one_out(self) -> Tensor:
        """(n, K): of each example what is said by the model that has learned from all others."""
        return self.targets - self.alpha / self.inverse.diagonal()[:, None]


def times(kernel: Tensor, coefficients: Tensor) -> Tensor:
    """(t, m, K): a matrix (m, n) times each of t (n, K), as one product."""
    models, n, width = coefficients.shape
    flat = kernel @ coefficients.movedim(0, 1).reshape(n, -1)
    return flat.reshape(len(kernel), models, width).movedim(1, 0)


def ridge_hits(
    ridge: KernelRidge, kept: Tensor, labels: Tensor, across: Tensor, answers: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Of models that learned from the rows of `kept` (t, n), `TOGETHER` at a time: hits (…, n), test hits (…, J).

    labels: (n,) of the examples. across: (J, n), the kernel between J test examples and these. answers: (J,).
    """
    for some in kept.split(TOGETHER):
        alphas, said = ridge.without(some)
        yield said.argmax(2) == labels, times(across, alphas).argmax(2) == answers


def learn_networks(images: Tensor, labels: Tensor, kept: Tensor, seed: int) -> list[Tensor]:
    """Weights of t networks with one hidden layer, each learned from its row of `kept` alone, all in one product.

    images: (n, D). labels: (n,) in 0 … K - 1. kept: (t, n) bool, equally many in each row. seed: draws initial weights
    and batches, other ones for each network. What they say is told by `nlkit.learning.stages.logits`.
    """
    sizes = (images.shape[1], HIDDEN, int(labels.max()) + 1)
    alone = [new_networks(sizes, 1, 1000 * seed + number) for number in range(len(kept))]
    weights = [torch.cat(layer).requires_grad_() for layer in zip(*alone)]
    own = kept.nonzero()[:, 1].reshape(len(kept), -1)  # (t, m')
    optimizer = adam(weights, RATE)
    generator = seeded_generator(seed, "batches")
    for _ in range(EPOCHS):
        order = own.gather(1, torch.rand(own.shape, generator=generator).argsort(1))
        for batch in order.split(BATCH, dim=1):  # (t, B)
            said = logits(weights, images[batch])
            loss = F.cross_entropy(said.flatten(0, 1), labels[batch].flatten(), reduction="sum") / batch.shape[1]
            descend(optimizer, loss)
    return [each.detach() for each in weights]
