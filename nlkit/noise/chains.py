"""Chains of thought whose truth is known: a sum or a maximum written out state by state, and two ways to spoil them.

    s_t = f(s_{t−1}, x_t)                                        right states; f: max, or sum modulo K; s_0 = 0
    hit_t ~ Bernoulli(p),  off_t uniform in 1 … K − 1            in a share c of the chains
    static:   write (s_t + off_t hit_t) mod K, carry s_t,          answer s_T
    dynamic:  r_t = (f(r_{t−1}, x_t) + off_t hit_t) mod K, write r_t, carry r_t,   answer r_T

Static noise spoils what is written, dynamic noise what goes on. A chain shows every m-th state, and then the answer.
Noise is drawn once a chain: whoever sees it again sees the same mistake. It is nested in p and in c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.randomness import seeded_generator

KINDS = CLEAN, STATIC, DYNAMIC = ("clean", "static", "dynamic")
FUNCTIONS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "max": lambda state, x, base: torch.maximum(state, x),
    "sum": lambda state, x, base: (state + x) % base,
}


class Chains(NamedTuple):
    prompts: Tensor  # (N, T) numbers in 0 … K − 1
    right: Tensor  # (N, T) states as they should be
    written: Tensor  # (N, T) as they would be written, if all were shown
    answers: Tensor  # (N,) as the chain gives them

    def chain(self, every: int) -> Tensor:
        """(N, T / every + 1) the states that are shown, and the answer. A ValueError unless `every` divides T."""
        shown = self.written[:, every - 1 :: check_every(every, self.prompts.shape[1])]
        return torch.cat([shown, self.answers[:, None]], 1)


def check_every(every: int, length: int) -> int:
    """`every` if it divides `length`; otherwise a ValueError."""
    if length % check_integer("every", every, 1, length):
        raise ValueError(f"every={every} must divide the length of a chain, {length}")
    return every


def draw_chains(
    count: int, *, length: int = 8, base: int = 10, function: str = "max", kind: str = CLEAN, intensity: float = 0.4,
    contamination: float = 1.0, seed: int = 0, purpose: str = "chains",
) -> Chains:  # fmt: skip
    """`count` chains of `length` T numbers below `base` K, noised by one of `KINDS`.

    intensity: p, chance of a hit for each state of a noised chain. contamination: c, chance of a chain to be noised.
    purpose: chains of different purposes are independent. Raises a ValueError for what is out of range.
    """
    check_integer("count", count, 1)
    check_integer("length", length, 1)
    check_integer("base", base, 2)
    check_choice("kind", kind, KINDS)
    check_number("intensity", intensity, 0, 1)
    check_number("contamination", contamination, 0, 1)
    step = FUNCTIONS[check_choice("function", function, FUNCTIONS)]
    generator = seeded_generator(seed, purpose)
    prompts = torch.randint(base, (count, length), generator=generator)
    hits = torch.rand(count, length, generator=generator, dtype=torch.float64) < intensity
    hits &= torch.rand(count, 1, generator=generator, dtype=torch.float64) < contamination
    off = hits * torch.randint(1, base, (count, length), generator=generator)
    right = _states(prompts, torch.zeros_like(off), step, base)
    if kind == DYNAMIC:
        written = _states(prompts, off, step, base)
        return Chains(prompts, right, written, written[:, -1])
    written = (right + off) % base if kind == STATIC else right
    return Chains(prompts, right, written, right[:, -1])


def _states(prompts: Tensor, off: Tensor, step: Callable[[Tensor, Tensor, int], Tensor], base: int) -> Tensor:
    """(N, T) each state made of the one before, number and offset (N, T)."""
    states, state = [], torch.zeros_like(prompts[:, 0])
    for x, error in zip(prompts.T, off.T):
        state = (step(state, x, base) + error) % base
        states.append(state)
    return torch.stack(states, 1)


def chances(state: Tensor, numbers: Tensor, base: int, function: str, intensity: float) -> Tensor:
    """(N, K) of the state after `numbers` (N, m), from `state` (N,), under dynamic noise: exact, number by number."""
    step, now = FUNCTIONS[function], F.one_hot(state, base).double()
    to_others = torch.full((base, base), intensity / (base - 1), dtype=torch.float64)
    to_others.fill_diagonal_(1 - intensity)
    for x in numbers.T:
        moved = step(torch.arange(base).expand(len(x), base), x[:, None], base)  # (N, K) where each state would go
        now = torch.zeros_like(now).scatter_add(1, moved, now) @ to_others
    return now


def likeliest_answers(
    prompts: Tensor, *, every: int, base: int = 10, function: str = "max", intensity: float = 0.4,
    contamination: float = 1.0,
) -> Tensor:  # fmt: skip
    """(N,) what a reader of endlessly many dynamic chains would answer, who writes the likeliest line after the last.

    Each line is foretold from the last one and the numbers between, as if whether a chain is noised were drawn anew
    for each; with one line a chain (`every` = T) that is no matter.
    """
    state = torch.zeros_like(prompts[:, 0])
    for numbers in prompts.split(check_every(every, prompts.shape[1]), 1):
        right = chances(state, numbers, base, function, 0.0)
        noised = chances(state, numbers, base, function, intensity)
        state = ((1 - contamination) * right + contamination * noised).argmax(1)
    return state
