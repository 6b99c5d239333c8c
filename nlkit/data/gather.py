"""Images in the order of a task: copied all together, or a few at a time where only a few are looked at."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Gathered:
    """Images (n, C, H, W) in an order of their own, of which only those that are asked for are copied, or drawn."""

    def __init__(self, images: Tensor, index: Tensor):
        self.images, self.index = images, index
        self.shape, self.device, self.dtype = images.shape, images.device, images.dtype
        self._replaced, self._draw = torch.zeros(len(index), dtype=torch.bool), None  # none of them, to begin with

    def __len__(self) -> int:
        return len(self.index)

    def replace(self, replaced: Tensor, draw: Callable[[Tensor], Tensor]) -> None:
        """Let others stand in for the first `len(replaced)` images, where it says so.

        draw: bool like `replaced` (N,), of those that are asked for -> their images, in order.
        """
        self._replaced[: len(replaced)], self._draw = replaced, draw

    def __getitem__(self, places: Tensor | slice) -> Tensor:
        found, others = self.images[self.index[places]], self._replaced[places]
        if others.any():
            wanted = torch.arange(len(self))[places][others]
            asked = torch.zeros_like(self._replaced)
            asked[wanted] = True
            number = asked.cumsum(0) - 1  # of each in what is drawn
            found[others] = self._draw(asked)[number[wanted]].to(self.device, self.dtype)
        return found


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
