"""Contrastive features: what is alike in two views of an image, and unlike in views of others. No label is seen.

    Chen, Kornblith, Norouzi, Hinton: A simple framework for contrastive learning of visual representations (SimCLR).
    ICML 2020, arXiv:2002.05709, equation 1.

    ℓ(i) = -log  exp(s(i, i') / τ) / Σ_{j ≠ i} exp(s(i, j) / τ),   s: cosine of two projections, i': the other view of i

averaged over the 2B views of a batch; j runs over all of them but i itself. After training, the projection head is
thrown away, and the encoder before it gives the features.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.learning.augment import affine
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

WIDTH, FEATURES, PROJECTED = 256, 32, 32  # units of the hidden layer, of what it gives, and of the projection
TEMPERATURE, RATE, BATCH = 0.2, 2e-3, 256
STRENGTH = 2.0  # views: turned by up to 20°, scaled by 0.8 to 1.2, slanted by 0.3, moved by 4 pixels


def new_encoder(pixels: int, seed: int) -> nn.Sequential:
    """An untrained network from images (B, C, H, W) to features (B, 32); torch's global state stays as it was."""
    with torch.random.fork_rng(devices=[]):  # torch's layers draw their weights from the global generator only
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(pixels, WIDTH), nn.ReLU(), nn.Linear(WIDTH, FEATURES))


def contrastive_loss(first: Tensor, second: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """The mean of ℓ over the views; first, second: projections (B, D) of two views of the same B images.

    Raises a ValueError for one image, which has no other to be unlike, or for views of different shapes.
    """
    check_number("temperature", temperature, 0, above=True)
    if first.shape != second.shape or len(first) < 2:
        raise ValueError(
            f"first and second have shapes {tuple(first.shape)} and {tuple(second.shape)}; they must be two views of "
            "the same images, of two or more"
        )
    views = F.normalize(torch.cat([first, second]), dim=1)
    scores = views @ views.T / temperature
    scores = scores.masked_fill(torch.eye(len(views), dtype=torch.bool, device=views.device), float("-inf"))
    other = torch.arange(len(views), device=views.device).roll(len(first))
    return F.cross_entropy(scores, other)


def learn_features(images: Tensor, *, epochs: int, seed: int) -> Iterator[nn.Sequential]:
    """The encoder after each epoch; it is one and the same, and changes when it goes on.

    images: (N, C, H, W), normalised, two or more. seed: draws initial weights, batches and views.
    Raises a ValueError, at the call, for fewer images or epochs.
    """
    check_integer("epochs", epochs, 1)
    check_integer("the number of images", len(images), 2)
    return _epochs(images, epochs, seed)


def _epochs(images: Tensor, epochs: int, seed: int) -> Iterator[nn.Sequential]:
    encoder, generator = new_encoder(images[0].numel(), seed), seeded_generator(seed, "views")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed + 1)
        head = nn.Sequential(nn.Linear(FEATURES, 64), nn.ReLU(), nn.Linear(64, PROJECTED))
    optimizer = adam([*encoder.parameters(), *head.parameters()], RATE)
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            if len(batch) > 1:  # a last batch of one has nothing to be unlike
                views = head(encoder(affine(images[batch.repeat(2)], generator, STRENGTH)))
                loss = contrastive_loss(*views.chunk(2))
                descend(optimizer, loss)
        yield encoder
