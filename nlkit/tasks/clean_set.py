"""The clean set: how many examples of each class it is to have, and which ones."""

from __future__ import annotations

import torch
from torch import Tensor

from nlkit.checks import check_integer
from nlkit.data.labels import by_class
from nlkit.randomness import seeded_generator


def clean_sizes(asked: object, labels: Tensor, class_names: tuple[str, ...], *, dataset: str, spare: int) -> list[int]:
    """How many clean examples of each class are asked for, of `labels`, of which `spare` a class must stay noisy."""
    counts = torch.bincount(labels, minlength=len(class_names)).tolist()
    stays = ", and one must stay noisy" if spare else ""
    sizes = by_class("clean_per_class", asked, class_names)
    if sizes is None:
        smallest = min(counts)
        why = f": the smallest class of {dataset} has {smallest} training examples{stays}"
        return [check_integer("clean_per_class", asked, 0, max(0, smallest - spare), why=why)] * len(class_names)
    for name, size, count in zip(class_names, sizes, counts):
        why = f": {dataset} has {count} training examples of this class{stays}"
        check_integer(f"clean_per_class of class {name}", size, 0, max(0, count - spare), why=why)
    return list(map(int, sizes))


def draw_clean(labels: Tensor, sizes: list[int], seed: int) -> Tensor:
    """Which examples (n,) are drawn for the clean set: of each class as many as `sizes` says, in a fixed order."""
    order = torch.randperm(len(labels), generator=seeded_generator(seed, "clean set"))
    is_clean = torch.zeros(len(labels), dtype=torch.bool)
    for c, size in enumerate(sizes):
        is_clean[order[labels[order] == c][:size]] = True
    return is_clean


def split(is_clean: Tensor) -> tuple[Tensor, int]:
    """Places of the noisy examples, then of the clean ones, and how many are noisy."""
    return torch.cat([(~is_clean).nonzero().flatten(), is_clean.nonzero().flatten()]), int((~is_clean).sum())
