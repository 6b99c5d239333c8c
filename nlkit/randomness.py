"""Randomness: every draw in the kit comes from a generator made here, from a seed and the name of its purpose."""

from __future__ import annotations

import hashlib

import torch

from nlkit.checks import check_integer

MAX_SEED = 2**64 - 1  # the largest that torch takes


def seeded_generator(seed: int, purpose: str) -> torch.Generator:
    """A generator on the CPU for one purpose (``"noise"``, ``"batches"``, …).

    Streams of different purposes are independent, so that drawing more for one (a method that samples a clean batch)
    leaves the others (the order of the batches) as they were: two methods with one seed see the same batches.
    The draws are the same on every platform and for every device that the tensors are later moved to.
    """
    check_integer("seed", seed, 0, MAX_SEED)
    digest = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
