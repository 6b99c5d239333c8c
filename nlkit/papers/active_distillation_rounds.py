"""Rounds of questions to a teacher, for `nlkit.papers.active_distillation`: who knows what, who answers, who asks."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.learning import distillation
from nlkit.learning.models import evaluate
from nlkit.learning.stages import Parameters, accuracies, logits, new_networks
from nlkit.noise.few_labels import CLASSES, FewLabels, few_labels
from nlkit.noise.teachers import ERRORS, OPPONENT, OWN, Answered, answered, teacher
from nlkit.papers.active_distillation_game import STRATEGIES, chances_to_ask, gains
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

RATE, SIZES = 2e-3, (196, 48, CLASSES)  # of the student


class Beginning(NamedTuple):
    """What there is before the first question."""

    world: FewLabels
    images: Tensor  # (n_A + n + h, 196): A, the pool, and what is held out of A
    given: Tensor  # (n_A,) labels of A
    true: Tensor  # (n + h,) what the pool and the held-out images show
    held: Tensor  # (h,) given labels of what is held out
    student: Parameters  # which has learned from A alone


def learned(images: Tensor, labels: Tensor, places: Tensor, steps: int, seed: int) -> Parameters:
    """A student, from scratch, of the images (N, 196) at some places, with labels (N, K) as probabilities."""
    *_, student = distillation.learn(
        new_networks(SIZES, 1, seed), images, labels, places[None], torch.tensor([len(places)]),
        steps=steps, seed=seed, rate=RATE, every=steps,
    )  # fmt: skip
    return student


@functools.lru_cache(maxsize=2)  # strategies that race begin alike
def beginning(per_class: int, ratio: float, held_out: int, steps: int, seed: int) -> Beginning:
    world = few_labels(per_class, ratio, seed=seed)
    order = torch.randperm(len(world.images), generator=seeded_generator(seed, "held out"))
    held, known = order[:held_out], order[held_out:].sort().values
    images = torch.cat([world.images[known], world.unlabelled, world.images[held]]).flatten(1)
    given, true = world.given[known], torch.cat([world.hidden, world.true[held]])
    labels = torch.zeros(len(images), CLASSES)  # the others have none
    labels[: len(given)] = F.one_hot(given, CLASSES)
    student = learned(images, labels, torch.arange(len(known)), steps, seed)
    return Beginning(world, images, given, true, world.given[held], student)


@functools.lru_cache(maxsize=2)
def own_answers(per_class: int, ratio: float, held_out: int, steps: int, seed: int) -> Tensor:
    """(n + h, K) probabilities of a teacher that has learned from A."""
    at = beginning(per_class, ratio, held_out, steps, seed)
    images = at.images.unflatten(1, at.world.images.shape[1:])
    return evaluate(teacher(images[: len(at.given)], at.given, seed), images[len(at.given) :]).softmax(1)


@dataclass(frozen=True)
class Questions:
    """Rounds of questions. A record is a student, the first of A alone; in its `numbers`: "test_accuracy", how many
    answers it had ("asked"), which share of them is "right", what they gained, g · [right], on average ("useful"; both
    NaN before any was asked), and "wrong", the share of the pool of which the teacher would say a wrong class.
    """

    strategy: str = setting("RAD", "what is asked", choices=STRATEGIES)
    errors: str = setting(OPPONENT, "where the teacher errs", choices=ERRORS, knob=True)
    share: float = setting(0.1, "ν: share of wrong answers, unless its own", low=0.0, high=0.6, knob=True)
    ratio: float = setting(0.0, "noise ratio of A", low=0.0, high=0.6, knob=True)
    per_class: int = setting(10, "labels a class in A", low=5, high=50, knob=True)
    count: int = setting(100, "b: questions a round", low=20, high=300, knob=True)
    told: float = setting(1.0, "m that is told, in units of m", low=0.0, high=1.5, knob=True)
    held_out: int = setting(0, "labels of A that count m; 0: it is known", low=0, high=40, knob=True)
    soft: bool = setting(True, "whether the teacher gives probabilities")
    rounds: int = setting(3, "rounds of questions", low=1, high=10)
    steps: int = setting(250, "training steps of a student, each round anew", low=10, high=2000)
    seed: int = setting(0, "decides A, its noise, teacher, wrong answers, students, questions", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return self.rounds + 1

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        at = beginning(self.per_class, self.ratio, self.held_out, self.steps, self.seed)
        known, size = len(at.given), len(at.world.unlabelled)
        student, tested = at.student, at.world.tested.flatten(1)
        says = self.answers(at)
        right, labels = says.right[:size], torch.cat([F.one_hot(at.given, CLASSES).float(), says.soft])
        left, draw = torch.ones(size, dtype=torch.bool), seeded_generator(self.seed, "questions")
        useful = torch.zeros(size, dtype=torch.float64)
        shown: dict[str, object] = {}
        for number in range(1, self.epochs + 1):
            asked = (~left).nonzero().flatten()
            if number > 1:
                student = learned(
                    at.images, labels, torch.cat([torch.arange(known), known + asked]), self.steps, self.seed
                )
            numbers = {
                "test_accuracy": accuracies(student, tested, at.world.answers)[0], "asked": float(len(asked)),
                "right": right[asked].double().mean().item() if len(asked) else math.nan,
                "useful": useful[asked].mean().item() if len(asked) else math.nan,
                "wrong": (~right).double().mean().item(),
            }  # fmt: skip
            yield Measured(number, numbers, shown)
            if number == self.epochs:
                return
            p, pool = logits(student, at.images[known : known + size])[0].softmax(1), left.nonzero().flatten()
            missed = ~right[pool] if not len(at.held) else says.soft[size:].argmax(1) != at.held
            m = min(self.told * missed.double().mean().item() * len(pool), len(pool) - 1)
            chances = chances_to_ask(self.strategy, p[pool], m, self.count, right[pool])
            new = torch.multinomial(chances, self.count, generator=draw)
            g = gains(p[pool])
            shown = seen_by_gain(g, chances, right[pool], new)
            useful[pool] = g * right[pool]
            left[pool[new]] = False

    def answers(self, at: Beginning) -> Answered:
        """What the teacher says of the pool and of what is held out. Where it hurts is decided before any question."""
        unsure = gains(logits(at.student, at.images[len(at.given) :])[0].softmax(1))
        own = None
        if self.errors == OWN:
            own = own_answers(self.per_class, self.ratio, self.held_out, self.steps, self.seed)
        says = answered(self.errors, own, at.true, self.share, unsure, self.seed)
        return says if self.soft else says._replace(soft=F.one_hot(says.soft.argmax(1), CLASSES).float())


def seen_by_gain(g: Tensor, chances: Tensor, right: Tensor, new: Tensor) -> dict[str, object]:
    """Gains, chances, right answers and what was asked, all (n,), with the largest gain first."""
    order = g.argsort(descending=True, stable=True)
    asked = torch.zeros_like(right).index_fill(0, new, True)
    parts = {"gains": g, "chances": chances, "right": right, "asked": asked}
    return {name: part[order].numpy() for name, part in parts.items()}
