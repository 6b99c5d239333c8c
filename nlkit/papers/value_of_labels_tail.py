"""A long tail of digits: learn from its labels, label more images by what was learned, or first learn without labels.

    Yang, Xu, arXiv:2006.07529; see papers/value_of_labels.py.

    semi    f_B ← learn from D_L;  ỹ = argmax f_B(x) for every x in D_U, once, all of them
            f   ← learn anew from D_L ∪ {(x, ỹ)}, as if all had a label
    self    f   ← learn by how many quarters an image of D_L was turned, no label seen
            f   ← with a new last layer, learn from D_L

Either goes with plain cross-entropy (CE) or a class-balanced one (CB), whose weights count pseudo-labels too. The
network is 196-128-64-10, on digits of 14 × 14 pixels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nlkit.data.load import load
from nlkit.data.long_tailed import class_sizes
from nlkit.data.tail_and_rest import CLASSES, SIDE, TailAndRest, small, tail_and_rest
from nlkit.learning.frozen import some_of_each
from nlkit.learning.models import predict
from nlkit.learning.turned import TURNS, VIEWS, class_weights, learn, learn_turns, new_head, new_network, views_of
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import symmetric_matrix
from nlkit.records import Measured, Step
from nlkit.settings import check_settings, setting

HEADS = TAILS = 3  # of the largest and of the smallest classes
LOSSES, EVERY = ("CE", "CB"), 50  # EVERY: steps a record


@dataclass(frozen=True)
class Tail:
    """Digits with a long tail. A record is 50 steps of the network that is tested.

    In its `numbers`: test accuracy on as many of each class, and on the three largest ("head") and smallest ("tail");
    how many labels were "told", and "even", what as many of them teach that are spread evenly over the classes (NaN
    until the end); "missing", images that D_U should have had. Where there are pseudo-labels: the share that is "right"
    of all, of the tail's images ("tail_right"), and of those that are called a tail class ("tail_precise").
    """

    learner: str = setting("labels", "what is done with more images", choices=("labels", "semi", "self", "true"))
    loss: str = setting("CE", "plain or class-balanced cross-entropy", choices=LOSSES)
    imbalance: float = setting(20.0, "ρ: largest over smallest class", low=1.0, high=50.0, knob=True, log=True)
    imbalance_rest: float = setting(1.0, "ρ_U: the same of D_U", low=1.0, high=100.0, knob=True, log=True)
    factor: float = setting(5.0, "images in D_U, for each with a label", low=0.0, high=5.0, knob=True)
    ratio: float = setting(0.0, "share of labels that are wrong", low=0.0, high=0.5, knob=True)
    turning: int = setting(800, "steps of telling turns (self)", low=50, high=2000, knob=True)
    views: str = setting("shift", "how images are varied", choices=VIEWS)
    largest: int = setting(100, "labels of the largest class", low=40, high=400)
    steps: int = setting(800, "training steps", low=50, high=4000)
    record_every: int = setting(1, "times 50 steps from one record to the next", low=1, high=200)
    seed: int = setting(0, "decides which digits are rare, images, wrong labels, weights", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        class_sizes(self.largest, self.imbalance, CLASSES)

    @property
    def epochs(self) -> int:
        return -(-self.steps // (EVERY * self.record_every))

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        which = self.largest, self.imbalance, self.factor, self.imbalance_rest, self.seed
        return self._records(tail_and_rest(*which), steps)

    def _records(self, problem: TailAndRest, steps: bool) -> Iterator[Measured | Step]:
        images, labels, found = problem.images, self._given(problem), {"missing": float(problem.missing)}
        network = new_network(SIDE**2, CLASSES, self.seed)
        if self.learner == "self":
            views, turning = views_of(images, self.views, self.seed), new_network(SIDE**2, TURNS, self.seed)
            for done, _ in enumerate(learn_turns(turning, views, steps=self.turning, every=EVERY, seed=self.seed), 1):
                if steps:
                    yield Step(1, done, -(-self.turning // EVERY))
            network = new_head(turning, CLASSES, self.seed)
        if self.learner in ("semi", "true"):
            rest = problem.hidden
            if self.learner == "semi":
                plain = replace(self, learner="labels", factor=0.0, imbalance_rest=1.0, turning=50, record_every=1)
                rest = predict(_labeller(plain), problem.rest)
                found |= judged(rest, problem)
            images, labels = torch.cat([images, problem.rest]), torch.cat([labels, rest])
        told = len(images) if self.learner == "true" else len(problem.labels)
        last = -(-self.steps // EVERY)
        for number, learned in enumerate(self.learned(network, images, labels), start=1):
            if number % self.record_every == 0 or number == last:
                right = predict(learned, problem.tested) == problem.answers
                by_class = torch.stack([right[problem.answers == k].double().mean() for k in problem.order])
                even = _even(told, self.ratio, self.steps, self.seed) if number == last else math.nan
                numbers = {"test_accuracy": float(by_class.mean()), "head": float(by_class[:HEADS].mean()),
                           "tail": float(by_class[-TAILS:].mean()), "told": float(told), "even": even}  # fmt: skip
                sizes = torch.bincount(problem.labels)[problem.order]
                shown = {"by_class": by_class.numpy(), "sizes": sizes.numpy(), "step": min(EVERY * number, self.steps)}
                yield Measured(-(-number // self.record_every), numbers | found, shown)

    def _given(self, problem: TailAndRest) -> Tensor:
        return corrupt(problem.labels, symmetric_matrix(CLASSES, self.ratio), seed=self.seed)

    def learned(self, network: nn.Sequential, images: Tensor, labels: Tensor) -> Iterator[nn.Sequential]:
        """The network after every 50 steps; weights of the classes, if any, by all the labels that it learns from."""
        weights = class_weights(torch.bincount(labels, minlength=CLASSES)) if self.loss == "CB" else None
        views = views_of(images, self.views, self.seed)
        return learn(network, views, labels, steps=self.steps, every=EVERY, weights=weights, seed=self.seed)


@functools.lru_cache(maxsize=64)  # which all that is done with D_U shares
def _labeller(plain: Tail) -> nn.Sequential:
    """The classifier that has learned from the labels alone."""
    problem = tail_and_rest(plain.largest, plain.imbalance, 0.0, 1.0, plain.seed)
    network = new_network(SIDE**2, CLASSES, plain.seed)
    *_, network = plain.learned(network, problem.images, plain._given(problem))
    return network


@functools.lru_cache(maxsize=64)
def _even(told: int, ratio: float, steps: int, seed: int) -> float:
    """The control: test accuracy of the same network with as many labels, spread evenly over the classes."""
    data = load("mnist5k")
    at = some_of_each(data.train_labels, min(max(round(told / CLASSES), 1), 400), seed=seed)
    given = corrupt(data.train_labels[at], symmetric_matrix(CLASSES, ratio), seed=seed)
    network = new_network(SIDE**2, CLASSES, seed)
    *_, network = Tail(steps=steps, seed=seed).learned(network, small(data.train_images[at]), given)
    return float((predict(network, small(data.test_images)) == data.test_labels).double().mean())


def judged(pseudo: Tensor, problem: TailAndRest) -> dict[str, float]:
    """Shares of pseudo-labels (m,) that are right: of all, of the tail's images, and of those called a tail class."""
    right, tail = pseudo == problem.hidden, problem.order[-TAILS:]
    of = {"right": right, "tail_right": right[torch.isin(problem.hidden, tail)],
          "tail_precise": right[torch.isin(pseudo, tail)]}  # fmt: skip
    return {name: float(values.double().mean()) for name, values in of.items()}
