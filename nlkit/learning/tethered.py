"""Tuning of learned features with a classifier on top: free, tethered to where they were, or frozen.

    L = CE over images and points + β · mean over images of ‖f(x_i) / s - z_i‖²

f is the encoder, s the standard deviation of its features before tuning, and z_i what f(x_i) / s was then; it stays.
Points are features without an image; they teach the classifier alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

BATCH, RATE = 256, 1e-3  # with Adam

Features = Callable[[Tensor], Tensor]


def tuned(
    encoder: nn.Module, scale: Tensor, images: Tensor, z: Tensor, labels: Tensor, points: tuple[Tensor, Tensor],
    *, frozen: bool, tether: float, epochs: int, seed: int,
) -> Iterator[tuple[Features, nn.Linear]]:  # fmt: skip
    """After each epoch: the features as a function of images, divided by scale, and the classifier of them.

    scale: s (m,). images: (N, C, H, W). z: (N, m). labels: (N,), each class at least once. points: features (p, m) and
    their classes (p,), p may be 0. tether: β, 0 or above. frozen: the encoder stays as it is, points are left out, and
    every class is drawn as often as any other. seed: draws initial weights and batches.
    Raises a ValueError, at the call, for a negative tether or no epoch.
    """
    check_number("tether", tether, 0)
    check_integer("epochs", epochs, 1)
    return _epochs(encoder, scale, images, z, labels, points, frozen, tether, epochs, seed)


def _epochs(encoder, scale, images, z, given, points, frozen, tether, epochs, seed):
    classes, generator = int(given.max()) + 1, seeded_generator(seed, "batches")
    with torch.random.fork_rng(devices=[]):  # torch's layers draw their weights from the global generator only
        torch.default_generator.manual_seed(seed)
        head = nn.Linear(z.shape[1], classes)
    optimizer = adam([*head.parameters(), *(() if frozen else encoder.parameters())], RATE)
    counts, labels = torch.bincount(given), torch.cat([given, points[1]])
    balance = 1 / counts[given].double()

    def features(x: Tensor) -> Tensor:
        return encoder(x) / scale

    for _ in range(epochs):
        order = torch.randperm(len(labels), generator=generator)
        if frozen:
            order = torch.multinomial(balance, int(counts.max()) * classes, replacement=True, generator=generator)
        for batch in order.split(BATCH):
            real, unreal = batch[batch < len(images)], batch[batch >= len(images)]
            own = z[real] if frozen else features(images[real])
            said = head(torch.cat([own, points[0][unreal - len(images)]]))
            loss = F.cross_entropy(said, torch.cat([labels[real], labels[unreal]]))
            if tether and len(real):
                loss = loss + tether * (own - z[real]).square().sum(1).mean()
            descend(optimizer, loss)
        yield features, head
