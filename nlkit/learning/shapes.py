"""A model of shapes, learned from masks alone: a variational autoencoder that mends what is broken.

Kingma, Welling: Auto-encoding variational Bayes. ICLR 2014, arXiv:1312.6114. A plain one tells a fault back as it is;
this one sees a mask with a fault and is asked for the mask as it was.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer
from nlkit.data.masked_scenes import ellipses
from nlkit.learning.frozen import endless_batches
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

HIDDEN, CODE, BATCH, RATE, SHIFT, FEWEST, FAULTS = 128, 6, 64, 2e-3, 2, 5, 1000


class ShapeModel(nn.Module):
    """Masks of P pixels: P-128 to the mean and the log variance of six numbers, and from these 128-P back."""

    def __init__(self, side: int, seed: int = 0):
        super().__init__()
        self.side = side
        made = seeded(lambda: _parts(side * side), seed)
        self.encoder, self.decoder = made

    def encode(self, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (N, 6) of the code of masks (N, H, W)."""
        mean, log_variance = self.encoder(masks.flatten(1).float()).chunk(2, 1)
        return mean, log_variance

    def decode(self, code: Tensor) -> Tensor:
        """(N, H, W) logits of each pixel."""
        return self.decoder(code).view(-1, self.side, self.side)

    @torch.no_grad()
    def mend(self, masks: Tensor) -> Tensor:
        """(N, H, W) r(ŷ): the probability of each pixel, for the mean of the code of masks (N, H, W)."""
        return self.decode(self.encode(masks)[0]).sigmoid()


def _parts(pixels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Linear(pixels, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * CODE)),
        nn.Sequential(nn.Linear(CODE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, pixels)),
    )


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(N,) KL(N(mean, variance) ‖ N(0, 1)), summed over the numbers of a code (N, D)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)


class Faults(NamedTuple):
    """What may break a mask; all (N, H, W) bool, and each fault is one of the two."""

    cut: Tensor  # a band that is taken away
    added: Tensor  # a disc

    def of(self, places: Tensor) -> Faults:
        """Those at some places."""
        return Faults(self.cut[places], self.added[places])

    def broken(self, masks: Tensor) -> Tensor:
        """Masks (N, H, W) bool, each with its fault."""
        return (masks | self.added) & ~self.cut


def random_faults(count: int, side: int, draw: torch.Generator) -> Faults:
    """So many: by a coin a band 2 to 7 pixels wide or a disc of radii from 2 to 6, at random places and angles."""
    place = side * (0.2 + 0.6 * torch.rand(count, 2, generator=draw))
    way, size, coin = (torch.rand(count, generator=draw) for _ in range(3))
    band = ellipses(*place.T, 1 + 2.5 * size, torch.full((count,), 2.0 * side), math.pi * way, side)
    disc = ellipses(*place.T, 2 + 4 * size, 2 + 4 * size.flip(0), math.pi * way, side)
    cuts = (coin < 0.5)[:, None, None]
    return Faults(band & cuts, disc & ~cuts)


def shifted(masks: Tensor, draw: torch.Generator, most: int = SHIFT) -> Tensor:
    """The masks (N, H, W), all moved by one step of up to `most` pixels along each side, what comes in being empty."""
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=draw).tolist()
    height, width = masks.shape[-2:]
    return F.pad(masks, (most, most, most, most))[..., down : down + height, right : right + width]


def learn_shapes(masks: Tensor, *, steps: int = 1000, mending: bool = True, seed: int = 0) -> ShapeModel:
    """A model of the shapes of masks (N, H, W) bool, square. mending: whether it sees them broken, or as they are.

    A step takes 64 masks, each with one of a thousand faults. Raises a ValueError for fewer than five masks, and for
    what is not square and of two values.
    """
    check_integer("steps", steps, 1)
    if masks.ndim != 3 or masks.dtype != torch.bool or masks.shape[1] != masks.shape[2] or len(masks) < FEWEST:
        raise ValueError(f"masks has shape {tuple(masks.shape)} and type {masks.dtype}; it must be (N, S, S) bool, at "
                         f"least {FEWEST} of them")  # fmt: skip
    side = masks.shape[-1]
    model, draw = ShapeModel(side, seed), seeded_generator(seed, "shapes")
    faults = random_faults(FAULTS, side, draw)
    optimizer, batches = adam(model.parameters(), RATE), endless_batches(len(masks), draw, BATCH)
    for _ in range(steps):
        whole = shifted(masks[next(batches)], draw)
        some = faults.of(torch.randint(FAULTS, (len(whole),), generator=draw))
        mean, log_variance = model.encode(some.broken(whole) if mending else whole)
        code = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=draw)
        told = F.binary_cross_entropy_with_logits(model.decode(code), whole.float(), reduction="none").sum((1, 2))
        descend(optimizer, (told + divergence(mean, log_variance)).mean())
    return model
