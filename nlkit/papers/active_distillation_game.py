"""The game of robust active distillation: which questions to ask a teacher that an opponent makes err.

    g_i = 1 − (P_i(1) − P_i(2))                          gain of a question: 1 less the student's margin
    max_p min_q Σ_i p_i g_i (1 − q_i),   0 ≤ q_i ≤ 1,   Σ_i q_i = m        p: chances to ask; q: answers made wrong
    H_k = Σ_{i≤k} 1/g_i,   F_k = (k − m)/H_k,   k* = argmax F_k            g_1 ≥ g_2 ≥ …
    p_i = 1/(g_i H_k*) for i ≤ k*, else 0;   value F_k*

A wrong answer gains nothing. What is surer than the value is never asked; what is asked is worth the same to the
opponent wherever it strikes, so of that the most telling is asked least. Asked for b answers at a time, k* is sought
among k ≥ b: m = 0 then gives exactly the b largest gains, which is margin sampling.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.checks import check_choice, check_integer, check_number

RANDOM, MARGIN, ENTROPY, RAD, SUPPORT, ORACLE, CONFIDENT = STRATEGIES = (
    "random", "margin", "entropy", "RAD", "RAD's set, evenly", "oracle", "confident",
)  # fmt: skip
LEAST = 1e-6  # a gain: what is quite sure is 1/g = ∞ otherwise


class Solution(NamedTuple):
    chances: Tensor  # (n,) p, which sum to 1
    value: float  # what a question gains at least, on average
    asked: int  # k*: how many may be asked


def gains(probabilities: Tensor) -> Tensor:
    """g (n,) in [0, 1] of probabilities (n, K): 1 less the margin between the two likeliest classes."""
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or not probabilities.isfinite().all():
        shape = tuple(probabilities.shape)
        raise ValueError(f"probabilities of shape {shape} must be (n, K) with K of at least 2, and no NaN among them")
    first, second = probabilities.double().topk(2, 1).values.T
    return (1 - first + second).clamp(0, 1)


def solve(g: Tensor, m: float, at_least: int = 1) -> Solution:
    """The game's chances for gains g (n,) in [0, 1], if `m` answers of the n are wrong, m in [0, n).

    at_least: b, how many questions must have a chance. Raises a ValueError for anything else.
    """
    if g.ndim != 1 or not ((g >= 0) & (g <= 1)).all():
        raise ValueError(f"g of shape {tuple(g.shape)} must be gains, one a question, each in [0, 1]")
    n = len(g)
    check_integer("at_least", at_least, 1, n, why=f": the pool has {n}")
    if check_number("m", m, 0) >= n:
        raise ValueError(f"m={m} must be below {n}, the questions that there are: a number, and not a share")
    ordered, order = g.double().clamp(min=LEAST).sort(descending=True, stable=True)
    total = (1 / ordered).cumsum(0)  # H
    values = (torch.arange(1, n + 1, dtype=torch.float64) - m) / total  # F
    k = at_least + int(values[at_least - 1 :].argmax())
    chances = torch.zeros(n, dtype=torch.float64)
    chances[order[:k]] = 1 / (ordered[:k] * total[k - 1])
    return Solution(chances, float(values[k - 1]), k)


def chances_to_ask(strategy: str, probabilities: Tensor, m: float, count: int, right: Tensor) -> Tensor:
    """(n,) the chances that one of `STRATEGIES` gives questions, of which `count` will be drawn.

    probabilities: (n, K) of the student. m: how many answers are thought to be wrong. right: (n,) bool, which are not;
    only the oracle looks at it.
    """
    g = gains(probabilities)
    check_integer("count", count, 1, len(g), why=f": the pool has {len(g)}")
    if check_choice("strategy", strategy, STRATEGIES) == RANDOM:
        return torch.full_like(g, 1 / len(g))
    if strategy in (RAD, SUPPORT):
        p = solve(g, m, count).chances
        return p if strategy == RAD else (p > 0) / (p > 0).sum().double()
    score = {
        MARGIN: g, CONFIDENT: -g, ORACLE: g - 2.0 * ~right,
        ENTROPY: torch.special.entr(probabilities.double()).sum(1),
    }[strategy]  # fmt: skip
    chosen = score.argsort(descending=True, stable=True)[:count]
    return torch.zeros_like(g).index_fill(0, chosen, 1 / count)
