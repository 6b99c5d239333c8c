"""Detecting digits in scenes: boxes that are proposed, a detector that names them, and how good it is.

The proposals are made from the truth, with jitter, and beside them lie parts of digits and boxes at random, as those of
a generator that knows of no class. So nothing has to be learned about where boxes end; all is about what they show.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.data.digit_scenes import BLUR, WRITTEN, Scenes, digits_of
from nlkit.learning.boxes import cut, cut_each, overlaps, parts_of
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

BASE, CLASSES = 6, 10  # classes 0 to 5 have boxes, 6 to 9 have names only; the last output is background
TIGHT, RANDOM, JITTER = 3, 6, 0.07  # proposals at a digit and at random; deviation of its sides, in shares of them
MATCH, APART, LEAST = 0.5, 0.5, 0.03  # IoU of a find, and of two that are one; shortest side of a proposal
NAMING = (96, 12, 2e-3, 0.05)  # hidden units, epochs and rate of the namer; jitter of its crops


class Proposals(NamedTuple):
    """R boxes in each of N scenes; those that are not `there` fill up the rows."""

    boxes: Tensor  # (N, R, 4)
    there: Tensor  # (N, R) bool


def proposals(scenes: Scenes, parts: int, generator: torch.Generator) -> Proposals:
    """Three jittered boxes and so many parts of each digit, and six at random; those with a very short side are left
    out."""
    check_integer("parts", parts, 0)
    boxes, seen = scenes.boxes, scenes.labels >= 0
    size = (boxes[..., 2:] - boxes[..., :2]).repeat(1, 1, 2)
    found = [boxes + JITTER * size * torch.randn(boxes.shape, generator=generator) for _ in range(TIGHT)]
    found += [parts_of(boxes, generator) for _ in range(parts)]
    side = 0.15 + 0.3 * torch.rand(len(boxes), RANDOM, 2, generator=generator)
    low = torch.rand(side.shape, generator=generator) * (1 - side)
    every = torch.cat([*found, torch.cat([low, low + side], -1)], 1).clamp(0, 1)
    there = torch.cat([seen.repeat(1, TIGHT + parts), torch.ones(side.shape[:2], dtype=torch.bool)], 1)
    there &= (every[..., 2:] - every[..., :2]).amin(-1) >= LEAST
    return Proposals(torch.where(there[..., None], every, torch.tensor([0.0, 0, 1, 1])), there)


class Detector(nn.Module):
    """Four convolutions with batch norm, the last of them dilated so that it sees around a box; 5 x 5 cells of the box,
    a hidden layer, and logits of the classes and of background."""

    def __init__(self, width: int = 16, cells: int = 5, hidden: int = 96):
        super().__init__()

        def block(inputs: int, outputs: int, size: int, stride: int = 1, gap: int = 1) -> list[nn.Module]:
            layer = nn.Conv2d(inputs, outputs, size, stride, gap * (size // 2), gap, bias=False)
            return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]

        wide = 2 * width
        self.cells = cells
        self.body = nn.Sequential(
            *block(1, width, 5, 2), *block(width, wide, 3, 2), *block(wide, wide, 3), *block(wide, wide, 3, gap=2)
        )
        self.head = nn.Sequential(nn.Linear(wide * cells**2, hidden), nn.ReLU(), nn.Linear(hidden, CLASSES + 1))

    def forward(self, images: Tensor, boxes: Tensor) -> Tensor:
        """Logits (B, R, 11) of boxes (B, R, 4) in images (B, 1, S, S)."""
        return self.head(cut_each(self.body(images), boxes, self.cells).flatten(2))


def new_detector(seed: int) -> Detector:
    """An untrained one; torch's global random state stays as it was."""
    return seeded(lambda: Detector(), seed)  # type: ignore[arg-type, return-value]


@functools.lru_cache(maxsize=4)
def namer(seed: int) -> nn.Module:
    """What names crops (B, 1, 20, 20) by the four novel names, and knows no other: no base class, no background, and
    nothing of what lies around. It learned from tight crops of whole digits of another source."""
    hidden, epochs, rate, jitter = NAMING
    digits, labels = digits_of("elsewhere")
    digits, labels = digits[labels >= BASE], labels[labels >= BASE] - BASE
    network = seeded(
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(WRITTEN**2, hidden), nn.ReLU(), nn.Linear(hidden, CLASSES - BASE)
        ),
        seed,
    )
    optimizer, draw = adam(network.parameters(), rate), seeded_generator(seed, "namer")
    around = F.pad(digits, (4, 4, 4, 4))[:, None]
    whole = torch.tensor([4.0, 4, 24, 24]) / 28
    for _ in range(epochs):
        for batch in torch.randperm(len(labels), generator=draw).split(32):
            boxes = whole + jitter * WRITTEN / 28 * torch.randn(len(batch), 4, generator=draw)
            seen = cut(around[batch], boxes.clamp(0, 1), WRITTEN)
            seen = seen + BLUR * torch.randn(seen.shape, generator=draw)
            descend(optimizer, F.cross_entropy(network(seen), labels[batch]))
    return network.eval().requires_grad_(False)


def kept_apart(boxes: Tensor, scores: Tensor, most: float) -> Tensor:
    """(N, K, R) bool: non-maximum suppression within each class. boxes: (N, R, 4), scores: (N, K, R), -inf for none.

    From the highest score down, a box stays unless one that stays overlaps it by an IoU above `most`.
    """
    check_number("most", most, 0, 1)
    over = (overlaps(boxes, boxes) > most)[:, None]
    order = scores.argsort(2, descending=True)
    kept, gone = torch.zeros_like(scores, dtype=torch.bool), scores == -math.inf
    for place in order.unbind(2):
        at = place[..., None]
        stays = ~gone.gather(2, at)
        kept.scatter_(2, at, stays)
        row = over.expand(-1, scores.shape[1], -1, -1).gather(2, at[..., None].expand(-1, -1, 1, over.shape[3]))
        gone |= row.squeeze(2) & stays
    return kept


def finds(boxes: Tensor, scores: Tensor, kept: Tensor, scenes: Scenes) -> Tensor:
    """(N, K, R) bool: from the highest score down, a kept box is a find if a digit of its class that has not been found
    overlaps it by an IoU of a half or more; of several the one with the largest."""
    over = overlaps(boxes, scenes.boxes)  # (N, R, M)
    mine = scenes.labels[:, None] == torch.arange(scores.shape[1])[:, None]  # (N, K, M)
    hit, used = torch.zeros_like(kept), torch.zeros_like(mine)
    for place in scores.argsort(2, descending=True).unbind(2):
        at = place[..., None]
        by = over.gather(1, at.expand(-1, -1, over.shape[2])) * (mine & ~used)  # (N, K, M)
        best, which = by.max(2, keepdim=True)
        found = kept.gather(2, at) & (best >= MATCH)
        hit.scatter_(2, at, found)
        used |= torch.zeros_like(used).scatter_(2, which, found)
    return hit


def average_precisions(given: Proposals, scores: Tensor, scenes: Scenes, least: float = 0.02) -> Tensor:
    """(K,) AP at an IoU of a half: the mean precision at the digits of a class, 0 at those never found; NaN for a class
    that is in no scene. scores: (N, K, R) probabilities; below `least` nothing is reported."""
    scores = scores.masked_fill(~given.there[:, None] | (scores < least), -math.inf)
    kept = kept_apart(given.boxes, scores, APART)
    hit = finds(given.boxes, scores, kept, scenes)
    found = []
    for number in range(scores.shape[1]):
        total = int((scenes.labels == number).sum())
        order = scores[:, number][kept[:, number]].argsort(descending=True)
        hits = hit[:, number][kept[:, number]][order].double()
        precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
        found.append(float((precision * hits).sum()) / total if total else math.nan)
    return torch.tensor(found)


class Candidates(NamedTuple):
    """C boxes in each of N scenes that the namer is sure of; those that are not `there` fill up the rows."""

    boxes: Tensor  # (N, C, 4)
    there: Tensor  # (N, C) bool
    names: Tensor  # (N, C) novel class, 6 to 9
    scores: Tensor  # (N, C) its probability among the four names, 0 if not there
    right: Tensor  # (N, C) bool: a digit of that class is there, IoU a half or more


def base_boxes(scenes: Scenes) -> Tensor:
    """(N, M, 4) the boxes of the digits of base classes, the others empty."""
    return scenes.boxes * ((scenes.labels >= 0) & (scenes.labels < BASE))[..., None]


def candidates(scenes: Scenes, parts: int, seed: int) -> Candidates:
    """What the namer calls a novel digit with a probability above a half, among the proposals for scenes: the best of
    those of one name that overlap by more than 0.6, and none that overlaps a base box by a half."""
    given = proposals(scenes, parts, seeded_generator(seed, "candidates"))
    seen = cut_each(scenes.images, given.boxes, WRITTEN)
    sure, name = namer(seed)(seen.flatten(0, 1)).softmax(1).view(*given.there.shape, -1).max(2)
    there = given.there & (sure > 0.5) & (overlaps(given.boxes, base_boxes(scenes)).amax(2) < MATCH)
    by_name = F.one_hot(name, CLASSES - BASE).transpose(1, 2).bool() & there[:, None]
    there = kept_apart(given.boxes, torch.where(by_name, sure[:, None], -math.inf), 0.6).any(1)
    order = (~there).int().argsort(dim=1, stable=True)[:, : max(1, int(there.sum(1).max()))]
    boxes = given.boxes.gather(1, order[..., None].expand(-1, -1, 4))
    there, sure, name = (each.gather(1, order) for each in (there, sure, name))
    same = scenes.labels[:, None] == (BASE + name)[..., None]
    right = there & ((overlaps(boxes, scenes.boxes) >= MATCH) & same).any(2)
    return Candidates(boxes, there, BASE + name, sure * there, right)


def label_quality(given: Candidates, used: Tensor, scenes: Scenes) -> tuple[float, float]:
    """Precision and recall of the candidates that are `used` (N, C): the share that is right, and of the novel digits
    the share that has a right one. NaN where there is nothing to count."""
    hit = (overlaps(given.boxes, scenes.boxes) >= MATCH) & (used & given.right)[..., None]
    hit &= scenes.labels[:, None] == given.names[..., None]
    novel = scenes.labels >= BASE
    precision = (used & given.right).sum() / used.sum()
    return float(precision), float((hit.any(1) & novel).sum() / novel.sum())
