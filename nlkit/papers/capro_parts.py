"""CAPro's parts, each a function of arrays. Their formulas stand in `nlkit.papers.capro`, and the training in
`nlkit.papers.capro_training`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.data.captioned import CLASSES, DEFINITIONS, Web, text_features
from nlkit.learning.models import seeded

HIDDEN, FEATURES, PROJECTED, TAU, NEIGHBOURS = 256, 128, 32, 0.1, 10
GRAPH, TEXT, IMAGE = PICKS = ("text and graph", "text", "image")


class Network(nn.Module):
    """Encoder q 784-256-128, projection z of length 1, and two classifiers, o of q and o' of z."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, FEATURES), nn.ReLU()
        )
        self.project = nn.Linear(FEATURES, PROJECTED)
        self.of_q, self.of_z = nn.Linear(FEATURES, CLASSES), nn.Linear(PROJECTED, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z (B, 32), o and o' (B, C)."""
        q = self.encoder(images)
        z = F.normalize(self.project(q), dim=1)
        return z, self.of_q(q), self.of_z(z)


def new_network(seed: int) -> Network:
    """One with random weights; torch's global random state stays as it was."""
    return seeded(Network, seed)


def graph(features: Tensor, k: int = NEIGHBOURS) -> Tensor:
    """(N, N) A: each image joined to itself and the k most similar by cosine, whoever names whom; rows of sum 1."""
    check_integer("k", k, 0, len(features) - 1)
    f = F.normalize(features, dim=1)
    nearest = (f @ f.T).fill_diagonal_(2).topk(k + 1, dim=1).indices
    joined = torch.zeros(len(f), len(f)).scatter_(1, nearest, 1.0)
    joined = torch.maximum(joined, joined.T)
    return joined / joined.sum(1, keepdim=True)


def few_shots(closeness: Tensor, given: Tensor, k: int) -> Tensor:
    """(N,) bool: the K images of each class whose closeness (N,) to it is greatest; all, of a class with fewer."""
    check_integer("k", k, 1)
    chosen = torch.zeros(len(given), dtype=torch.bool)
    for c in given.unique():
        places = (given == c).nonzero().flatten()
        chosen[places[closeness[places].argsort(descending=True, stable=True)[:k]]] = True
    return chosen


def closeness(world: Web, features: Tensor, picks: str) -> Tensor:
    """(N,) how close each image is to the class that it was found by, by one of `PICKS`."""
    if picks == IMAGE:
        f = F.normalize(features, dim=1)
        means = torch.stack([f[world.given == c].mean(0) for c in range(CLASSES)])
        return (f * F.normalize(means, dim=1)[world.given]).sum(1)
    texts = text_features(world.captions, world.captions)
    if picks == GRAPH:
        texts = graph(features) @ texts
    return F.cosine_similarity(texts, text_features(DEFINITIONS, world.captions)[world.given], dim=1)


def prototypes(z: Tensor, labels: Tensor, those: Tensor) -> Tensor:
    """(C, 32) of length 1: the mean of z over those images, class by class."""
    return F.normalize(torch.stack([z[those & (labels == c)].sum(0) for c in range(CLASSES)]), dim=1)


def instance_loss(z: Tensor, other: Tensor, queue: Tensor, tau: float = TAU) -> Tensor:
    """L_inst: z (B, D) is to be like the other view (B, D) of its image, and unlike all of the queue (Q, D)."""
    scores = torch.cat([(z * other).sum(1, keepdim=True), z @ queue.T], 1) / tau
    return F.cross_entropy(scores, torch.zeros(len(z), dtype=torch.long))


def bootstrapped(z: Tensor, queue: Tensor, said: Tensor) -> Tensor:
    """(B, C) b: what is said (Q, C) of those in the queue (Q, D), each by its likeness max(z·z_j, 0), of sum 1."""
    likeness = (z @ queue.T).clamp(min=0) + 1e-8
    return likeness / likeness.sum(1, keepdim=True) @ said


class Cleaned(NamedTuple):
    labels: Tensor  # (N,)
    kept: Tensor  # (N,) bool


def clean(s: Tensor, given: Tensor, few: Tensor, threshold: float) -> Cleaned:
    """The labels after cleaning, and which are kept: few shots as they are; else argmax s if max s is high enough; else
    the given one if s has it above 1 / C; else dropped. s: (N, C) probabilities."""
    check_number("threshold", threshold, 0, 1)
    top, likeliest = s.max(1)
    sure = (top >= threshold) & ~few
    fair = s.gather(1, given[:, None])[:, 0] >= 1 / s.shape[1]
    return Cleaned(torch.where(sure, likeliest, given), few | sure | fair)


def mixed(images: Tensor, targets: Tensor, generator: torch.Generator, a: float = 0.8) -> tuple[Tensor, Tensor]:
    """Mixup: each image and its target (B, C) with those of another of the batch, by one share from Beta(a, a)."""
    one, other = (torch._standard_gamma(torch.tensor([a]), generator=generator) for _ in range(2))
    share, order = one / (one + other), torch.randperm(len(images), generator=generator)
    return share * images + (1 - share) * images[order], share * targets + (1 - share) * targets[order]


def moved(images: Tensor, generator: torch.Generator, most: int = 2) -> Tensor:
    """Each image (B, 1, H, W) moved by up to `most` pixels, to the side and up or down; the edge goes on."""
    padded, size = F.pad(images, (most,) * 4, mode="replicate")[:, 0], images.shape[-1]
    by = torch.randint(2 * most + 1, (2, len(images), 1), generator=generator) + torch.arange(size)
    return padded[torch.arange(len(images))[:, None, None], by[0][:, :, None], by[1][:, None]][:, None]


def named_by_text(world: Web, features: Tensor) -> Tensor:
    """(N,) the class whose definition is nearest to the text of each image, after step 1."""
    texts = graph(features) @ text_features(world.captions, world.captions)
    return (texts @ text_features(DEFINITIONS, world.captions).T).argmax(1)
