"""Recommendations from votes: two tables of factors that are learned pair by pair, and how good a ranking is.

    R = U Wᵀ,  P(like) = σ(R);     γ = P Qᵀ,  P(not voted | like) = σ(γ)

A pair is a vote (u, i) and an item j, drawn of those that u did not vote for. A step adds up the directions of all
pairs of a batch; a direction by R_ui is one by U_u and W_i times the other of the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from nlkit.checks import check_integer, check_number
from nlkit.randomness import seeded_generator

BATCH, SLOWER = 5000, 0.99  # votes a step; what the rate is multiplied by after an epoch
Direction = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]
# R_ui, γ_ui, R_uj, γ_uj of pairs, (B, S) each, to the directions by the four


def check_votes(votes: Tensor) -> Tensor:
    """Votes (M, N) as booleans; a ValueError unless they are 0 and 1, and every customer has both."""
    votes = torch.as_tensor(votes)
    if votes.ndim != 2 or not ((votes == 0) | (votes == 1)).all():
        raise ValueError(f"votes has shape {tuple(votes.shape)}; it must be customers × items, of 0 and 1 alone")
    votes = votes.bool()
    for which, lacking in (("vote", ~votes.any(1)), ("item left without one", votes.all(1))):
        if lacking.any():
            at = int(lacking.nonzero()[0])
            raise ValueError(f"votes: customer {at} has no {which}; leave out the {int(lacking.sum())} of the kind")
    return votes


def pairs_of(
    votes: Tensor, samples: int, epochs: int, generator: torch.Generator
) -> Iterator[list[tuple[Tensor, Tensor, Tensor]]]:
    """Of each epoch, batches: customers (B,), items they voted for (B,), `samples` each that they did not (B, S)."""
    customers, items = votes.nonzero(as_tuple=True)
    free = (~votes).sum(1)
    unvoted = votes.int().argsort(dim=1, stable=True)  # those without a vote come first
    for _ in range(epochs):
        batches = []
        for batch in torch.randperm(len(items), generator=generator).split(BATCH):
            u = customers[batch]
            drawn = torch.rand(len(u), samples, generator=generator, dtype=torch.float64) * free[u, None]
            batches.append((u, items[batch], unvoted[u[:, None], drawn.long()]))
        yield batches


def step_of_batch(
    direction: Direction, tables: tuple[Tensor, Tensor], u: Tensor, i: Tensor, j: Tensor
) -> tuple[Tensor, Tensor]:
    """The summed directions (M, N) by R and by γ, of R and γ (M, N) and pairs u (B,), i (B,), j (B, S).

    What is said of an item i is counted once for each of its S pairs.
    """
    u, i = u[:, None].expand_as(j), i[:, None].expand_as(j)
    found = direction(tables[0][u, i], tables[1][u, i], tables[0][u, j], tables[1][u, j])
    summed = torch.zeros(2, tables[0].numel(), dtype=tables[0].dtype)
    for place, (at, by) in enumerate(((i, 0), (i, 1), (j, 0), (j, 1))):
        summed[by].index_add_(0, (u * tables[0].shape[1] + at).flatten(), found[place].flatten())
    return summed[0].view_as(tables[0]), summed[1].view_as(tables[0])


def fit(
    votes: Tensor, direction: Direction, *, flips: Tensor | float | None = None, factors: int = 20, rate: float = 0.05,
    decay: float = 1.0, flip_decay: float = 5.0, epochs: int = 40, samples: int = 4, seed: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:  # fmt: skip
    """R and γ (M, N) after each epoch of steps along `direction`.

    votes: (M, N) of 0 and 1. flips: P(not voted | like), (M, N) or what goes with it, and then not learned. factors: K
    of either table. decay, flip_decay: λ of U, W and of P, Q; a step takes rate · λ of them away. samples: items that
    are drawn for each vote. Raises a ValueError, at the call, for a customer without votes or with nothing else, or a
    number that is out of its range.
    """
    votes = check_votes(votes)
    for name, value in (("factors", factors), ("epochs", epochs), ("samples", samples)):
        check_integer(name, value, 1)
    check_number("rate", rate, 0, above=True)
    for name, value in (("decay", decay), ("flip_decay", flip_decay)):
        check_number(name, value, 0, 1 / rate)
    if flips is not None:
        flips = torch.as_tensor(flips, dtype=torch.float32)
        if not ((flips >= 0) & (flips <= 1)).all():
            raise ValueError(f"flips has values from {flips.min():.3g} to {flips.max():.3g}; they must be in [0, 1]")
        flips = torch.logit(flips, eps=1e-6).expand(votes.shape)
    return _epochs(votes, direction, flips, factors, rate, (decay, flip_decay), epochs, samples, seed)


def _epochs(votes, direction, flips, factors, rate, decays, epochs, samples, seed):
    drawn, pairs = seeded_generator(seed, "factors"), seeded_generator(seed, "pairs")
    start = [torch.rand(n, factors, generator=drawn) / factors**0.5 for n in 2 * votes.shape]
    tables = [start[:2], [5 * start[2], -5 * start[3]]]  # γ is about -6 at first, and σ(γ) next to nothing

    def both() -> tuple[Tensor, Tensor]:
        return tables[0][0] @ tables[0][1].T, tables[1][0] @ tables[1][1].T if flips is None else flips

    for batches in pairs_of(votes, samples, epochs, pairs):
        for u, i, j in batches:
            for by, slope in enumerate(step_of_batch(direction, both(), u, i, j)):
                if by == 0 or flips is None:
                    ours, theirs = tables[by]
                    steps = slope @ theirs - decays[by] * ours, slope.T @ ours - decays[by] * theirs
                    tables[by] = [ours + rate * steps[0], theirs + rate * steps[1]]
        rate *= SLOWER
        yield both()


def ranked(scores: Tensor, votes: Tensor, most: int) -> Tensor:
    """The `most` items without a vote (M, most) of the highest scores (M, N), the highest first."""
    check_integer("most", most, 1, int((~votes).sum(1).min()))
    return scores.masked_fill(votes, -torch.inf).topk(most, dim=1).indices


def f1_and_ndcg(scores: Tensor, votes: Tensor, hidden: Tensor, short: int, most: int) -> tuple[float, float]:
    """F1 of `short` items that are recommended and NDCG of `most`, means over customers who have a hidden like (M, N).

    Raises a ValueError where a hidden like has a vote, or nobody has one.
    """
    if (hidden & votes).any() or not hidden.any():
        raise ValueError(f"hidden has {int((hidden & votes).sum())} likes with a vote and {int(hidden.sum())} in all; "
                         "it must have some, and none with a vote")  # fmt: skip
    check_integer("short", short, 1, most)
    some = hidden.any(1)
    hits = hidden.gather(1, ranked(scores, votes, most))[some].double()
    count = hidden.sum(1)[some].double()
    gains = 1 / torch.arange(2, most + 2, dtype=torch.float64).log2()
    best = gains.cumsum(0)[count.clamp(max=most).long() - 1]
    return (2 * hits[:, :short].sum(1) / (short + count)).mean().item(), (hits @ gains / best).mean().item()
