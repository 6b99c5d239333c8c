"""What judges the labels of a task of which the truth is known, each part worked out once, when it is first asked for.

So a panel or a lesson can ask for estimates of the noise, and for lists of suspects, over and over: what takes long are
the trainings behind them, and these are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from nlkit.audit import evidence
from nlkit.audit.dynamics import FOLDS, Course, course, epochs_for, learned_features, of_part
from nlkit.audit.noise_rates import Rates, by_clusterability
from nlkit.audit.space import neighbours, space_of
from nlkit.data.load import load
from nlkit.tasks.make import make_task
from nlkit.tasks.task import Task


class Judged:
    """The noisy labels of a task, and what a small network and the labels of the neighbours say of them.

    The clean set of the task is left out. seed: decides parts, initial weights and batches. epochs: of each training,
    `nlkit.audit.dynamics.epochs_for` unless given.
    """

    def __init__(self, task: Task, *, seed: int = 0, epochs: int | None = None):
        self.task, self.seed, self.classes = task, seed, task.num_classes
        self.images = task.noisy_images.cpu()
        self.given, self.true = task.given_labels.cpu().numpy(), task.true_labels.cpu().numpy()
        self.wrong = task.wrong.cpu().numpy()  # (N,) bool
        self.epochs = epochs or epochs_for(len(self.given))
        self.parts_done = 0
        self.held_out = np.zeros((self.epochs, len(self.given), self.classes), np.float32)
        self._asked = np.zeros(len(self.given), bool)
        self._near: dict[int, np.ndarray] = {}
        self._clustered: dict[int, Rates] = {}

    def work(self) -> Iterator[int]:
        """Cross-validate from where it was left; yields how many of the five parts are done, after each."""
        while self.parts_done < FOLDS:
            settings = {"seed": self.seed, "epochs": self.epochs}
            places, of_epochs = of_part(self.images, self.given, self.classes, self.parts_done, **settings)
            for epoch, probabilities in enumerate(of_epochs):
                self.held_out[epoch, places] = probabilities
            self._asked[places] = True
            self.parts_done += 1
            yield self.parts_done

    @property
    def asked(self) -> np.ndarray:
        """(N,) bool: the examples of the parts that are done, of which a network that did not learn them was asked."""
        return self._asked.copy()

    def probabilities(self, first: int = 1, last: int | None = None) -> np.ndarray:
        """Held-out probabilities (n, K) of the `asked` ones in float64: the mean over epochs `first` to `last`."""
        mean = self.held_out[first - 1 : last or self.epochs, self._asked].mean(0, dtype=np.float64)
        return mean / mean.sum(1, keepdims=True)

    @functools.cached_property
    def course(self) -> Course:
        return course(self.images, self.given, self.classes, seed=self.seed, epochs=self.epochs)

    @functools.cached_property
    def near_by_features(self) -> np.ndarray:
        """(N, k) places of the nearest in what a network has learned from the noisy labels, early on."""
        learned = learned_features(self.images, self.given, self.classes, seed=self.seed, epochs=self.epochs)
        return neighbours(space_of(learned, self.seed), evidence.NEIGHBOURS, self.seed)[0]

    def near(self, dimensions: int = 50) -> np.ndarray:
        """(N, k) places of the nearest in so many dimensions of the pixels, see `nlkit.audit.space.space_of`."""
        if dimensions not in self._near:
            space = space_of(self.images.flatten(1).numpy(), self.seed, dimensions)
            self._near[dimensions] = neighbours(space, evidence.NEIGHBOURS, self.seed)[0]
        return self._near[dimensions]

    def by_clusterability(self, dimensions: int = 50) -> Rates:
        """T and the shares of the true classes by an example's two nearest in so many dimensions; no part is needed."""
        if dimensions not in self._clustered:
            triples = np.column_stack([self.given, self.given[self.near(dimensions)[:, :2]]])
            self._clustered[dimensions] = by_clusterability(triples, self.classes)
        return self._clustered[dimensions]

    def knows(self, dimensions: int = 50) -> bool:
        """Whether the neighbours in so many dimensions have been looked for."""
        return dimensions in self._near


def judged_digits(noise: str, ratio: float, per_class: int = 400, seed: int = 0, epochs: int = 20) -> Judged:
    """The first so many training digits a class of mnist5k, with planted noise and no clean set; one and the same
    object each time it is asked for."""
    return _kept(noise, float(ratio), per_class, seed, epochs)


@functools.lru_cache(maxsize=24)
def _kept(noise: str, ratio: float, per_class: int, seed: int, epochs: int) -> Judged:
    data = load("mnist5k")
    rank = torch.cat([torch.arange(int(count)) for count in data.train_labels.bincount()])  # they stand class by class
    few = rank < per_class
    part = replace(data, train_images=data.train_images[few], train_labels=data.train_labels[few])
    task = make_task(part, noise=noise, ratio=ratio, clean_per_class=0, seed=seed, device="cpu")
    return Judged(task, seed=seed, epochs=epochs)
