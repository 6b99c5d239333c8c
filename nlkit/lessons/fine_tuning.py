"""Lesson 5's second experiment: a network that knows five digits goes on with the five others, under noise."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from nlkit.data.load import load
from nlkit.learning.models import build_model, with_new_head
from nlkit.records import Record, Step
from nlkit.settings import check_settings, setting
from nlkit.tasks.make import make_task
from nlkit.training.train import train

STARTS = ("fine-tuned", "from scratch")
_SHAPE = (1, 28, 28)


@dataclass(frozen=True)
class FineTuning:
    """Standard training on the digits 5 to 9 under noise: after training on 0 to 4, labels right, or from scratch."""

    start: str = setting("fine-tuned", "what the network begins with", choices=STARTS)
    noise: str = setting("symmetric", "noise on the digits 5 to 9", choices=("symmetric", "red"))
    ratio: float = setting(0.4, "share of wrong examples", low=0.0, high=0.9)
    seed: int = setting(0, "decides noise, weights and batches", low=0)

    kept = ("test_accuracy",)
    epochs = 15

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Record | Step]:
        digits = load("mnist5k", device="cpu").of_classes("56789")
        task = make_task(digits, noise=self.noise, ratio=self.ratio, clean_per_class=0, seed=self.seed, device="cpu")
        network = build_model("mlp", _SHAPE, 5, seed=self.seed)
        if self.start == "fine-tuned":
            network = with_new_head(_pretrained(self.seed), 5, seed=self.seed)
        return train(task, model=network, epochs=self.epochs, seed=self.seed, yield_steps=steps)


@functools.lru_cache(maxsize=1)  # the runs of a seed follow each other
def _pretrained(seed: int) -> nn.Module:
    """A network after ten epochs on the digits 0 to 4, all labels true."""
    digits = load("mnist5k", device="cpu").of_classes("01234")
    network = build_model("mlp", _SHAPE, 5, seed=seed)
    for _ in train(make_task(digits, ratio=0.0, clean_per_class=0, device="cpu"), model=network, epochs=10, seed=seed):
        pass
    return network
