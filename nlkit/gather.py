"""Images in the order of a task: copied all together, or a few at a time where only a few are looked at."""

from __future__ import annotations

import torch
from torch import Tensor


class Gathered:
    """Images in an order (n,) of their own, some replaced, of which only those that are asked for are copied."""

    def __init__(self, images: Tensor, index: Tensor):
        self.images, self.index = images, index
        self.shape, self.device, self.dtype = images.shape, images.device, images.dtype
        self._fresh, self._which = images[:0], torch.full((len(index),), -1)  # none of them, to begin with

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, places: Tensor | slice) -> Tensor:
        found, which = self.images[self.index[places]], self._which[places]
        found[which >= 0] = self._fresh[which[which >= 0]]
        return found

    def __setitem__(self, places: Tensor, fresh: Tensor) -> None:
        self._fresh, self._which[places] = fresh, torch.arange(len(fresh))


def arranged(images: Tensor, index: Tensor, noisy_count: int, in_place: bool) -> Tensor:
    """`images[index]`; in place for a data set that was loaded for the task alone: full MNIST is 190 MB."""
    if not in_place:
        return images[index]
    clean = images[index[noisy_count:]]
    places = torch.arange(noisy_count, device=index.device)
    for to, taken in zip(places.split(4096), index[:noisy_count].split(4096)):
        images[to] = images[taken]  # both ascend, and nothing is taken from where an earlier part was put
    images[noisy_count:] = clean
    return images
