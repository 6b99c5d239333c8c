"""Losses, the judge of labels, and rounds of pseudo labels. The formulas stand in `nlkit.papers.noisy_dice`."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.data.masked_scenes import ARTEFACTS, SHADE, Heads, fetal_heads
from nlkit.learning.optimizers import adam, descend
from nlkit.learning.segmentation import MaskNetwork, dice
from nlkit.learning.shapes import FEWEST, ShapeModel, learn_shapes
from nlkit.noise.thresholded import thresholded
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

RATE, BATCH, TESTED, SHOWN, EPSILON = 3e-3, 20, 100, 6, 1.0
ENTROPY, DICE, ROBUST, WEIGHTED, MENDED, TRUE = WAYS = (
    "cross-entropy", "Dice", "noise-robust Dice", "noise-weighted Dice", "mended labels", "true labels",
)  # fmt: skip


def weighted_dice(p: Tensor, label: Tensor, w: Tensor | float = 1.0, epsilon: float = EPSILON) -> Tensor:
    """(B,) 1 - (2 Σ w p ŷ + ε) / (Σ w p + Σ w ŷ + ε), image by image; the Dice loss where w = 1. All (B, H, W)."""
    both, either = (w * p * label).sum((1, 2)), (w * (p + label)).sum((1, 2))
    return 1 - (2 * both + epsilon) / (either + epsilon)


def robust_dice(p: Tensor, label: Tensor, gamma: float = 1.5, epsilon: float = EPSILON) -> Tensor:
    """(B,) Σ |p - ŷ|^γ / (Σ p² + Σ ŷ² + ε), image by image. Raises a ValueError for γ outside [1, 2]."""
    check_number("gamma", gamma, 1, 2)
    away = (p - label).abs().clamp(min=1e-6) ** gamma
    return away.sum((1, 2)) / ((p**2 + label**2).sum((1, 2)) + epsilon)


class Judged(NamedTuple):
    """What the shape model says of labels (N, H, W)."""

    mend: Tensor  # (N, H, W) r(ŷ): probabilities
    quality: Tensor  # (N,) Dice of a label and its mend
    weight: Tensor  # (N, H, W) 1 - |ŷ - r(ŷ)|


def judge(model: ShapeModel, labels: Tensor) -> Judged:
    """Labels (N, H, W) bool beside what they look like mended; that sees no truth and no image.

    An empty label has quality 0.
    """
    mend, told = model.mend(labels), labels.float()
    quality = 2 * (mend * told).sum((1, 2)) / (mend + told).sum((1, 2))
    return Judged(mend, quality.nan_to_num(0), 1 - (told - mend).abs())


def selected(quality: Tensor, keep: float) -> Tensor:
    """Places of the round(keep · N) labels of the highest quality (N,), one at least."""
    return quality.argsort(descending=True, stable=True)[: max(1, round(keep * len(quality)))]


def renewed(model: ShapeModel, p: Tensor) -> Tensor:
    """New labels (N, H, W): where predictions p and the mend of p > ½ are on average above ½."""
    return (p + model.mend(p > 0.5)) / 2 > 0.5


def ranks_agree(one: Tensor, other: Tensor) -> float:
    """Spearman's correlation of the ranks of two rows of numbers (N,), equals having the mean of theirs."""
    return float(torch.corrcoef(torch.stack([_ranks(one), _ranks(other)]))[0, 1])


def _ranks(values: Tensor) -> Tensor:
    _, which, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts - 1) / 2).double()[which]


@functools.lru_cache(maxsize=4)
def shape_model(auxiliary: int, steps: int, mending: bool, seed: int) -> ShapeModel:
    """The shapes of so many heads of other patients, of whom there are no images."""
    masks = fetal_heads("shapes", auxiliary, 0.0, seed=seed).masks
    return learn_shapes(masks.bool(), steps=steps, mending=mending, seed=seed)


@dataclass(frozen=True)
class Unannotated:
    """A network learns to outline a head from labels that nobody drew. A record is an epoch; rounds follow each other.

    In its `numbers`: "dice", the mean Dice of 100 test images, "misled", that of those with an artefact, half of them;
    "labels", the mean Dice with the truth of the labels that it learns from; "threshold", the Dice of Otsu's masks of
    the test images; "judge", Spearman's correlation of the judged and the true quality of the first labels.
    """

    method: str = setting(WEIGHTED, "what the network learns from, and by which loss", choices=WAYS)
    ratio: float = setting(0.6, "noise ratio: share of the images with an artefact", low=0.0, high=1.0, knob=True)
    artefact: str = setting(SHADE, "what the artefact is", choices=ARTEFACTS, knob=True)
    auxiliary: int = setting(200, "clean masks of others, no images", low=FEWEST, high=500, knob=True, log=True)
    keep: float = setting(0.8, "share of the labels that is kept", low=0.3, high=1.0, knob=True)
    rounds: int = setting(3, "rounds, each with new labels", low=1, high=5, knob=True)
    weighing: bool = setting(True, "whether pixels are weighed")
    mending: bool = setting(True, "whether the shape model has learned to mend")
    shape_steps: int = setting(200, "steps of the shape model", low=10, high=5000)
    count: int = setting(100, "images, without any annotation", low=20, high=500)
    length: int = setting(30, "epochs, of all rounds together", low=1, high=200)
    seed: int = setting(0, "decides images, masks, weights, batches", low=0)

    kept = ("dice", "misled", "labels", "threshold", "judge")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return self.length

    def problem(self) -> tuple[Heads, Heads]:
        """Images to learn from, the masks of which are only used to score; and test images, half with an artefact."""
        world = fetal_heads("train", self.count, self.ratio, self.artefact, self.seed)
        return world, fetal_heads("test", TESTED, 0.5, self.artefact, self.seed)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        world, tested = self.problem()
        truth, labels = world.masks.bool(), thresholded(world.images)
        model = shape_model(self.auxiliary, self.shape_steps, self.mending, self.seed)
        judged, quality = judge(model, labels), dice(labels, truth)
        fixed = {"judge": ranks_agree(judged.quality, quality),
                 "threshold": float(dice(thresholded(tested.images), tested.masks.bool()).mean())}  # fmt: skip
        first = {"judged": judged.quality, "quality": quality, "artefacts": world.artefacts}
        labels = truth if self.method == TRUE else judged.mend > 0.5 if self.method == MENDED else labels
        network, draw = MaskNetwork(2, self.seed), seeded_generator(self.seed, "batches of heads")
        optimizer, rounds = adam(network.parameters(), RATE), self.rounds if self.method == WEIGHTED else 1
        starts = {1 + math.ceil(k * self.length / rounds) for k in range(rounds)}
        places, weight = torch.arange(self.count), torch.ones(labels.shape)
        pictured = (~world.artefacts).int().argsort(stable=True)[:SHOWN]  # those with an artefact first
        for epoch in range(1, self.length + 1):
            if self.method == WEIGHTED and epoch in starts:
                if epoch > 1:
                    labels = renewed(model, probability(network, world.images))
                    judged = judge(model, labels)
                places, weight = selected(judged.quality, self.keep), judged.weight if self.weighing else weight
            for some in places[torch.randperm(len(places), generator=draw)].split(BATCH):
                descend(optimizer, self._loss(network, world.images[some], labels[some].float(), weight[some]))
            scores = dice(probability(network, tested.images) > 0.5, tested.masks.bool())
            numbers = fixed | {"dice": float(scores.mean()), "misled": float(scores[tested.artefacts].mean()),
                               "labels": float(dice(labels, truth).nan_to_num(0).mean())}  # fmt: skip
            now = {"images": world.images[:, 0], "truth": truth, "labels": labels, "mend": judged.mend,
                   "weight": weight, "kept": torch.isin(torch.arange(self.count), places)}  # fmt: skip
            now = {name: values[pictured] for name, values in now.items()}
            now["prediction"] = probability(network, world.images[pictured]) > 0.5
            yield Measured(epoch, {name: round(value, 5) for name, value in numbers.items()}, first | now)

    def _loss(self, network: MaskNetwork, images: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
        logits = network(images)
        if self.method == ENTROPY:
            return F.cross_entropy(logits, labels.long())
        p = logits.softmax(1)[:, 1]
        return (robust_dice(p, labels) if self.method == ROBUST else weighted_dice(p, labels, weight)).mean()


@torch.no_grad()
def probability(network: MaskNetwork, images: Tensor) -> Tensor:
    """(N, H, W) of the head, for each pixel of images (N, 1, H, W)."""
    return torch.cat([network(some).softmax(1)[:, 1] for some in images.split(100)])
