"""A loss as a curve over the probability of the given label, read off a method's own step.

A loss decides how hard each example pulls. To see it, a method is handed a network that says nothing but K scores, and
one example; what its step makes of them is a point of the curve. So no formula stands here that a method has already.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nlkit.checks import check_choice, check_integer
from nlkit.learning.learner import Batch, Method, Run

RESTS = ("spread over the others", "most of it on one other")  # the probability that is left


class LossCurve(NamedTuple):
    given: Tensor  # (S,) probabilities of the given label
    losses: Tensor  # (S,) of one example each
    pulls: Tensor  # (S,) -∂ℓ/∂f of the given label's score f: how hard a step pulls it up; below 0 it pushes it down


class _Scores(nn.Module):
    """A network that says the same of every image: its scores (K,), which are all that it learns."""

    def __init__(self, scores: Tensor):
        super().__init__()
        self.scores = nn.Parameter(scores)

    def forward(self, images: Tensor) -> Tensor:
        return self.scores.expand(len(images), -1)


def loss_curve(method: Method, given: Tensor, *, classes: int = 10, rest: str = RESTS[0]) -> LossCurve:
    """What a step of `method` makes of one noisy example whose label has the probabilities `given` (S,), in (0, 1).

    The training is at its end: a burn-in, where there is one, is over. The scores are the logarithms of the
    probabilities, less their mean. classes: K, 2 or more. rest: one of `RESTS`. The example is alone in its batch, so
    this is of use for losses that take each example by itself. Raises a ValueError for other arguments.
    """
    check_integer("classes", classes, 2)
    check_choice("rest", rest, RESTS)
    given = given.detach().double()
    if given.ndim != 1 or not ((given > 0) & (given < 1)).all():
        raise ValueError("given must be probabilities (S,) between 0 and 1, both left out")
    found = [_point(method, _scores(p, classes, rest)) for p in given]
    losses, pulls = (torch.stack(each) for each in zip(*found))
    return LossCurve(given, losses, pulls)


def _scores(p: Tensor, classes: int, rest: str) -> Tensor:
    """(K,) whose softmax gives `p` to class 0."""
    shares = torch.full((classes - 1,), 1 / (classes - 1), dtype=torch.float64)
    if rest == RESTS[1] and classes > 2:
        shares = torch.tensor([0.9, *[0.1 / (classes - 2)] * (classes - 2)], dtype=torch.float64)
    log_p = torch.cat([p[None], (1 - p) * shares]).log()
    return log_p - log_p.mean()


def _point(method: Method, scores: Tensor) -> tuple[Tensor, Tensor]:
    network, image, nobody = _Scores(scores), torch.zeros(1, 1, 1, 1), torch.zeros(0, dtype=torch.long)
    run = Run(
        model=network, optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        clean_images=image[:0], clean_labels=nobody, generator=torch.Generator(), num_classes=len(scores),
        num_examples=1, progress=1 - 1e-9, steps_done=10**6,
    )  # fmt: skip
    step = method.step(run, Batch(torch.zeros(1, dtype=torch.long), image, torch.zeros(1, dtype=torch.long)))
    assert network.scores.grad is not None
    return step.loss.detach().double(), -network.scores.grad[0]
