"""Learning to read forms from a few labels of people and many weak ones: the loss, the weights, and the training.

The steps stand in `nlkit.papers.layout_nat`; weak labels come from `nlkit.noise.weak_readers`.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice
from nlkit.data.form_copies import synthetic
from nlkit.data.forms import CLASSES, Forms, draw_forms, draw_vendors
from nlkit.learning.form_reader import FormReader, Told, f1_scores, new_reader, told
from nlkit.learning.optimizers import adam, descend
from nlkit.noise.weak_readers import Weak, misread, opinions, pooled
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

VENDORS, UNLABELLED, TESTED, OTHERS, MOST, COPIES = 12, 150, 150, 60, 30, 60
OF_H, BESIDE, START, LOOK, RATE = 5, 10, 80, 25, 5e-3
NONE, EQUAL, CONFIDENCE, SHUFFLED, THRESHOLD, ORACLE, TRUE = WEIGHTS = (
    "none", "equal", "confidence", "shuffled", "threshold", "oracle", "true labels",
)  # fmt: skip


def noise_aware_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """L = Σ w_i CE(i) / Σ w_i of tokens: logits (n, K), labels (n,), weights (n,), 1 for those of H.

    Raises a ValueError for weights that are negative, not a number, or all 0.
    """
    if not (weights >= 0).all() or not 0 < weights.sum() < torch.inf:
        raise ValueError("weights must be numbers from 0, and not all of them 0")
    return (weights * F.cross_entropy(logits, labels, reduction="none")).sum() / weights.sum()


def weights_of(kind: str, weak: Weak, unlabelled: Told, power: float, seed: int) -> Tensor:
    """(D, N) the weight of each weak label by one of `WEIGHTS`: c^power, that shuffled, [c > 0.7], [it is right], 1."""
    c = weak.confidence**power
    if check_choice("weights", kind, WEIGHTS) == SHUFFLED:
        values = c[unlabelled.there]
        order = torch.randperm(len(values), generator=seeded_generator(seed, "shuffled"))
        return c.index_put((unlabelled.there,), values[order])
    if kind == THRESHOLD:
        return (weak.confidence > 0.7).float()
    if kind == ORACLE:
        return (weak.labels == unlabelled.labels).float()
    if kind == NONE:
        return torch.zeros_like(c)
    return c if kind == CONFIDENCE else torch.ones_like(c)


def told_apart(scores: Tensor, right: Tensor) -> float:
    """The area under the ROC curve: how often what is right has a higher score than what isn't; ties count ½."""
    wrong = scores[~right].sort().values
    below = torch.searchsorted(wrong, scores[right]) + torch.searchsorted(wrong, scores[right], right=True)
    return below.double().mean().item() / (2 * len(wrong)) if 0 < len(wrong) < len(scores) else math.nan


def about_weak_labels(weak: Weak, unlabelled: Told, weights: Tensor) -> dict[str, float]:
    """How right they are, and what they weigh; see `Reading`."""
    there = unlabelled.there
    labels, true, w = weak.labels[there], unlabelled.labels[there], weights[there]
    right, scores = labels == true, f1_scores(labels, true)
    return {
        "weak_f1": sum(scores) / len(scores), "weak_right": right.double().mean().item(),
        "auc": told_apart(weak.confidence[there], right),
        "on_right": w[right].mean().item(), "on_wrong": w[~right].mean().item(),
    }  # fmt: skip


def shown_receipt(unlabelled: Forms, weak: Weak, weights: Tensor) -> dict[str, object]:
    """The first receipt that is misread, or else has a wrong weak label, with labels and weights; for the picture."""
    wrong = ((weak.labels != unlabelled.labels) & unlabelled.there).any(1)
    d = int((weak.misread if weak.misread.any() else wrong).int().argmax())
    return {"forms": unlabelled.some(torch.tensor([d])), "labels": weak.labels[d], "weights": weights[d]}


class World(NamedTuple):
    """The receipts of one seed's vendors: those that people may label, U, and those that are tested."""

    people: Forms
    unlabelled: Forms
    U: Told  # as a reader gets them
    test: Told


@functools.lru_cache(maxsize=4)
def world(seed: int) -> World:
    vendors = draw_vendors(VENDORS, seed)
    purposes = (("labelled by people", MOST), ("U", UNLABELLED), ("test", TESTED))
    people, unlabelled, test = (draw_forms(vendors, count, seed, purpose) for purpose, count in purposes)
    return World(people, unlabelled, told(unlabelled), told(test))


@functools.lru_cache(maxsize=4)
def _start(seed: int) -> FormReader:
    """The reader of step 1."""
    others = draw_forms(draw_vendors(VENDORS, seed, "other vendors"), OTHERS, seed, "a simpler type", simple=True)
    reader, receipts, generator = new_reader(seed), told(others), seeded_generator(seed, "start")
    optimizer = adam(reader.parameters(), RATE)
    for _ in range(START):
        batch = receipts.some(torch.randint(OTHERS, (OF_H + BESIDE,), generator=generator))
        logits = reader(batch.features, batch.there)
        descend(optimizer, F.cross_entropy(logits[batch.there], batch.labels[batch.there]))
    return reader


@functools.lru_cache(maxsize=8)
def _opinions(seed: int, knows: int) -> Tensor:
    return opinions(world(seed).U, knows, seed)


@dataclass(frozen=True)
class Reading:
    """A reader learns to find six things on receipts; a record is a look at it every 25 steps.

    In its `numbers`: "f1", the mean of the F1 of six classes on 150 receipts ("other" is none of them), and that of
    each by its name. Of the weak labels: "weak_f1"; "weak_right", the share that is right, "other" among them; "auc",
    how well confidence tells right ones from wrong ones; "on_right" and "on_wrong", their mean weights.
    """

    weights: str = setting(CONFIDENCE, "how much weak labels count", choices=WEIGHTS)
    copies: bool = setting(True, "whether it ends with synthetic receipts")
    labelled: int = setting(4, "receipts labelled by people", low=1, high=MOST, knob=True)
    misread: float = setting(0.0, "noise ratio: share of U misread as a whole", low=0.0, high=0.8, knob=True)
    told: bool = setting(True, "confidence falls where U is misread", knob=True)
    knows: int = setting(6, "vendors that each weak reader knows", low=1, high=12, knob=True)
    power: float = setting(1.0, "power of the confidence; 0 is none of it", low=0.0, high=10.0, knob=True)
    steps: int = setting(250, "training steps at the full rate", low=1, high=5000)
    last: int = setting(50, "then steps at a quarter of it", low=1, high=5000)
    record_every: int = setting(1, "looks (of 25 steps) from one record to the next", low=1, high=1000)
    seed: int = setting(0, "decides vendors, receipts, readers, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-(self.steps + self.last) // (LOOK * self.record_every))

    def weak(self) -> Weak:
        """What is said of U."""
        labels, confidence = pooled(_opinions(self.seed, self.knows))
        return misread(labels, confidence, self.misread, told=self.told, seed=self.seed)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        people, unlabelled, U, test = world(self.seed)
        few = people.some(torch.arange(self.labelled))
        H, made, weak = told(few), told(synthetic(few, COPIES, self.seed)), self.weak()
        weights = weights_of(self.weights, weak, U, self.power, self.seed)
        beside = (U if self.weights == TRUE else U._replace(labels=weak.labels), weights)
        if self.weights == NONE:  # then a whole batch is of H
            beside = (H, torch.ones(H.there.shape))
        said = about_weak_labels(weak, U, weights)
        reader, generator = copy.deepcopy(_start(self.seed)), seeded_generator(self.seed, "batches")
        optimizer, every = adam(reader.parameters(), RATE), LOOK * self.record_every
        for step in range(1, self.steps + self.last + 1):
            if step > self.steps:
                optimizer.param_groups[0]["lr"] = RATE / 4
                beside = (made, torch.ones(made.there.shape)) if self.copies else beside
            first = H.some(torch.randint(self.labelled, (OF_H,), generator=generator))
            those = torch.randint(len(beside[1]), (BESIDE,), generator=generator)
            batch = Told(*(torch.cat(parts) for parts in zip(first, beside[0].some(those))))
            w = torch.cat([torch.ones(first.there.shape), beside[1][those]])
            logits, there = reader(batch.features, batch.there), batch.there
            descend(optimizer, noise_aware_loss(logits[there], batch.labels[there], w[there]))
            if step % every == 0 or step == self.steps + self.last:
                with torch.no_grad():
                    named = reader(test.features, test.there).argmax(2)
                scores = f1_scores(named[test.there], test.labels[test.there])
                numbers = said | dict(zip(CLASSES, scores)) | {"step": float(step), "f1": sum(scores) / len(scores)}
                yield Measured(-(-step // every), numbers, shown_receipt(unlabelled, weak, weights))
