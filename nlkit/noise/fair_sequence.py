"""Turns that are fair: which class's label goes wrong next, and to which class, so that exact counts are nested."""

from __future__ import annotations

import functools
import heapq
import math
import threading
from collections.abc import Sequence

import torch
from torch import Tensor


def fair_targets(shares: Tensor, ties: Tensor, length: int) -> Tensor:
    """The first `length` of the fair sequence of these shares (K,) without limits."""
    sharing = shares.nonzero().flatten()
    if (1 / shares[sharing] - len(sharing)).abs().max() * length < 1e-7:  # equal shares: round by round, as ties say
        turn = sharing[ties[sharing].argsort(stable=True)]
        return turn.repeat(length // len(turn) + 1)[:length]
    return FairSequence(shares.tolist(), ties.tolist()).first(length)


class FairSequence:
    """A sequence of classes in which every prefix holds each class in proportion to its share, within 1.

    The k-th turn of a class may come from position ⌊(k - 1) / share⌋ on and is due at ⌈k / share⌉; the earliest due one
    goes first, and among equals the one that is lower in `ties`. These are the windows of proportionate-fair scheduling
    (Baruah et al. 1996, Algorithmica 15).

    shares, ties (K,). limits (K,): the most turns of each class. A longer prefix goes on from a shorter one.
    """

    def __init__(self, shares: Sequence[float], ties: Sequence[float], limits: Sequence[int] | None = None):
        self._every = [1 / share if share > 0 else math.inf for share in shares]
        self._classes = sorted(range(len(shares)), key=lambda c: (ties[c], c))  # by rank
        self._rank = {c: rank for rank, c in enumerate(self._classes)}
        self._most = [math.inf] * len(shares) if limits is None else limits
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._turns, self._ready, self._sequence = [0] * len(self._every), [], []
        # A position and a class (waiting), or its rank (ready), are one whole number each, which a heap sorts faster.
        self._waiting = [c for c, gap in enumerate(self._every) if gap < math.inf and self._most[c] > 0]

    def first(self, length: int) -> Tensor:
        """The first `length` of the sequence, as (length,) classes."""
        with self._lock:
            try:
                self._go_on(length)
            except BaseException:  # Ctrl-C, most likely, which may have come in the middle of a turn
                self._begin()
                raise
            return torch.tensor(self._sequence[:length], dtype=torch.long)

    def _go_on(self, length: int) -> None:
        every, classes, rank, most = self._every, self._classes, self._rank, self._most
        turns, ready, sequence, waiting = self._turns, self._ready, self._sequence, self._waiting
        count = len(turns)
        for position in range(len(sequence), length):
            while waiting and (waiting[0] < (position + 1) * count or not ready):
                c = heapq.heappop(waiting) % count
                heapq.heappush(ready, math.ceil((turns[c] + 1) * every[c] - 1e-6) * count + rank[c])
            c = classes[heapq.heappop(ready) % count]
            sequence.append(c)
            turns[c] += 1
            if turns[c] < most[c]:
                heapq.heappush(waiting, math.floor(turns[c] * every[c] + 1e-6) * count + c)


@functools.lru_cache(maxsize=1)
def turns_of_classes(shares: tuple[float, ...], ties: tuple[float, ...], counts: tuple[int, ...]) -> FairSequence:
    """The last such sequence is kept: a slider's next ratio takes more of it, or less."""
    return FairSequence(shares, ties, counts)
