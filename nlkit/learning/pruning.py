"""Which examples to keep: by how hard they are, by how often they were forgotten, evenly by hardness, or at random.

    EL2N_i = ‖softmax f(x_i) − ỹ_i‖₂, mean over networks early in their training; in [0, √2]

Paul, Ganguli, Dziugaite 2021 (arXiv:2107.07075). Forgetting events: Toneva and others 2019 (arXiv:1812.05159). CCS:
coverage-centric selection, Zheng and others 2023 (arXiv:2210.15809), drops the hardest and takes equally many of each
stratum of the score.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.checks import check_choice, check_number
from nlkit.randomness import seeded_generator

CHOICES = RANDOM, HARD, FORGETTING, CCS, EASY, RIGHT = ("random", "hard", "forgetting", "CCS", "easy", "right only")
DROPPED, STRATA = 0.2, 10  # by CCS: share of the hardest; of the score, of equal width


class Scores(NamedTuple):
    hardness: Tensor  # (N,) EL2N
    forgotten: Tensor  # (N,) forgetting events
    right: Tensor  # (N,) bool, which labels are; only "right only" looks at it


def el2n(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(N,) of probabilities (M, N, K) of M networks, and given labels (N, K), one of each row 1."""
    if probabilities.shape[1:] != labels.shape:
        raise ValueError(f"probabilities has shape {tuple(probabilities.shape)} for labels {tuple(labels.shape)}; "
                         "it must be (M, N, K) for (N, K)")  # fmt: skip
    return (probabilities - labels).norm(dim=2).mean(0)


def forgetting_events(hits: Tensor) -> Tensor:
    """(N,) how often an example went from right to wrong in hits (T, …, N) bool, T looks in order; summed over (…).

    One that was never right counts as forgotten at every look.
    """
    events = (hits[:-1] & ~hits[1:]).sum(0)
    events = torch.where(hits.any(0), events, len(hits))
    return events.reshape(-1, events.shape[-1]).sum(0)


def keep(choice: str, scores: Scores, share: float, seed: int) -> Tensor:
    """Places (n,) of round(share · N) examples by one of `CHOICES`; which of equals is by the seed.

    "right only" keeps fewer where there are not as many. Raises a ValueError for a share outside [0, 1], or of none.
    """
    n = len(scores.hardness)
    count = round(check_number("share", share, 0, 1) * n)
    if count < 1:
        raise ValueError(f"share={share} of {n} examples is none; keep at least {1 / n:.2g}")
    order = torch.randperm(n, generator=seeded_generator(seed, "kept"))
    if check_choice("choice", choice, CHOICES) == RIGHT:
        return order[scores.right[order]][:count]
    if choice == CCS:
        return _covering(scores.hardness[order], count, order)
    by = {RANDOM: torch.zeros(n), HARD: scores.hardness, EASY: -scores.hardness, FORGETTING: scores.forgotten}[choice]
    return order[by[order].argsort(descending=True, stable=True)[:count]]


def _covering(hardness: Tensor, count: int, order: Tensor) -> Tensor:
    """`count` of the examples in a random `order` (N,), evenly over strata of their hardness (N,), small ones first."""
    left = hardness.argsort(stable=True)[: max(count, round((1 - DROPPED) * len(order)))]
    low, high = hardness[left].min(), hardness[left].max()
    stratum = ((hardness[left] - low) / (high - low).clamp(min=1e-12) * STRATA).long().clamp(max=STRATA - 1)
    members = sorted((left[stratum == s].sort().values for s in range(STRATA)), key=len)  # in their random order
    taken: list[Tensor] = []
    for at, some in enumerate(members):
        taken.append(some[: (count - sum(map(len, taken))) // (STRATA - at)])
    return order[torch.cat(taken)]
