"""How well each kind of evidence finds wrong labels: errors that people found, people's labels, and planted ones.

The tasks:

- "mnist errors", "cifar10 errors": the test sets of MNIST and CIFAR-10, 10,000 images each, audited as they are. Five
  people judged the labels that confident learning had doubted with a large network (`nlkit.data.verdicts`, which says
  which of them count as wrong). Nobody looked at the others, so what is measured is how well the judged ones are told
  apart, 100 and 275 of them. That they were chosen by confident learning narrows its range, and may speak against it.
- "cifar10n": 5,000 images of CIFAR-10 with the labels that people gave them, right where they are CIFAR-10's own.
- "mnist5k" and "fashion_mnist": 4,000 images with planted noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from nlkit.audit import evidence
from nlkit.audit.audit import Audit, audit
from nlkit.audit.collection import Collection
from nlkit.checks import DataError, check_integer
from nlkit.data.dataset import Dataset
from nlkit.data.load import load
from nlkit.data.verdicts import load_suspicions, load_verdicts
from nlkit.noise.human import human_labels
from nlkit.noise.matrices import matrix_error
from nlkit.records import Measured
from nlkit.settings import check_settings, setting
from nlkit.tasks.make import make_task
from nlkit.tasks.task import Task

PLANTED, ERRORS, PEOPLE = ("mnist5k", "fashion_mnist"), ("mnist errors", "cifar10 errors"), "cifar10n"
NOISES = ("none", "symmetric", "pair", "asymmetric", "instance", "aggregate", "random1", "random3", "worst")
PLAIN, MARGIN, ALL = "cleanlab", "cleanlab, normalized margin", "all together"
IMAGES, FIRST = 4_000, 50  # images with planted noise; how far down the list precision is taken
HELD_BACK, OF_PEOPLE = 5_000, 5_000  # images of CIFAR-10 on which rules were chosen, and those that are audited


@dataclass(frozen=True)
class AuditRun:
    """One audit of labels of which the truth is known: average precision and precision among the first, by kind."""

    data: str = setting("mnist5k", "what is audited", choices=(*PLANTED, *ERRORS, PEOPLE), knob=True)
    noise: str = setting("symmetric", "which labels are wrong", choices=NOISES, knob=True)
    ratio: float = setting(0.2, "share of planted wrong labels", low=0.0, high=0.9, knob=True)
    clean_per_class: int = setting(0, "trusted examples of each class", low=0, high=100, knob=True)
    model: str = setting("mlp", "the network", choices=("mlp", "cnn"))
    images: int = setting(IMAGES, "images with planted noise, at most", low=100, high=50_000)
    seed: int = setting(0, "decides noise, clean set, folds, weights and batches", low=0)
    epochs = 1

    def __post_init__(self) -> None:
        check_settings(self)
        kinds = NOISES[1:5] if self.data in PLANTED else NOISES[5:] if self.data == PEOPLE else NOISES[:1]
        if self.noise not in kinds:
            raise ValueError(f"noise={self.noise!r} is not of data={self.data!r}, which has {', '.join(kinds)}")

    def where(self) -> str:
        return "cpu"

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        """One record: `numbers` has "ap …", "precision …" and, where all is known, "ratio …" and "error …" of T."""
        collection, wrong, judged, others, truth = self._collected()
        found = audit(collection, seed=self.seed, model=self.model)
        scores = suspicions(found) | others
        judged = judged & ~collection.clean
        numbers = {"wrong": float(wrong[judged].mean()), "accuracy": found.accuracy, "flagged": found.flagged.mean()}
        for name, suspicion in scores.items():
            numbers[f"ap {name}"] = average_precision(wrong[judged], suspicion[judged])
            numbers[f"precision {name}"] = precision_among_first(wrong[judged], suspicion[judged], FIRST)
        if truth is not None:
            for way, estimate in found.estimates.items():
                numbers[f"ratio {way}"] = estimate.ratio
                numbers[f"error {way}"] = matrix_error(estimate.matrix, truth)
        yield Measured(1, numbers, {"audit": found, "wrong": wrong})

    def _collected(self):
        """Collection, which labels are wrong, which are judged, other rankings, and the matrix (None: not known)."""
        if self.data in ERRORS:
            return _judged(self.data.partition(" ")[0])
        task = self._task()
        wrong = (task.given != task.true).numpy()
        matrix = task.realized_matrix
        return collection_of(task), wrong, np.ones(len(wrong), bool), {}, None if matrix is None else matrix.numpy()

    def _task(self) -> Task:
        settings = {"clean_per_class": self.clean_per_class, "seed": self.seed, "device": "cpu"}
        if self.data == PEOPLE:
            return labelled_by_people(self.noise, OF_PEOPLE, **settings)
        dataset = load(self.data)
        if len(dataset.train_labels) > self.images:
            chosen = torch.from_numpy(np.random.default_rng(0).permutation(len(dataset.train_labels))[: self.images])
            dataset = _part(dataset, chosen)
        return make_task(dataset, noise=self.noise, ratio=self.ratio, **settings)


def labelled_by_people(
    which: str, images: int, block: int = 0, *, clean_per_class: int = 0, seed: int = 0, device: str = "cpu"
) -> Task:
    """So many images of CIFAR-10 with one of the label sets of CIFAR-10N, of which CIFAR-10's own labels are the truth.

    block: 0 to 8, which images; those of two blocks have none in common, up to 5,000 each, nor with the 5,000 on which
    the audit's rules were chosen. Raises a DataError where the files are not found.
    """
    first = HELD_BACK + OF_PEOPLE * check_integer("block", block, 0, 50_000 // OF_PEOPLE - 2)
    chosen = torch.from_numpy(np.random.default_rng(1).permutation(50_000)[first : first + images])
    settings = {"clean_per_class": clean_per_class, "seed": seed, "device": device}
    return make_task(_part(load("cifar10"), chosen), given=human_labels(which)[chosen], **settings)


def grid() -> list[AuditRun]:
    """The audits whose numbers the package carries."""
    planted = [("symmetric", 0.2), ("symmetric", 0.4), ("pair", 0.3), ("instance", 0.3)]
    cells = [(data, noise, ratio) for data in PLANTED for noise, ratio in planted]
    cells = [*cells, ("mnist5k", "asymmetric", 0.3)]
    with_clean = [(data, noise, 0.3, 10) for data in PLANTED for noise in ("pair", "instance")]
    return [
        *(AuditRun(data=data, noise="none") for data in ERRORS),
        *(AuditRun(data=PEOPLE, noise=noise) for noise in ("aggregate", "random1", "worst")),
        *(AuditRun(*cell) for cell in [*cells, *with_clean]),
    ]


def collection_of(task: Task) -> Collection:
    """A noisy-label task as a collection to audit, its clean set trusted; the true labels of the others stay out."""
    images = task.images.cpu().float().numpy()
    trusted = np.full(len(images), -1)
    trusted[task.noisy_count :] = task.true[task.noisy_count :].cpu().numpy()
    return Collection(
        source=task.dataset,
        kind="arrays",
        features=images.reshape(len(images), -1),
        given=task.given.cpu().numpy(),
        class_names=task.class_names,
        ids=tuple(map(str, task.index.tolist())),
        trusted=trusted,
        shape=tuple(images.shape[1:]),
    )


def suspicions(found: Audit) -> dict[str, np.ndarray]:
    """Every ranking that is compared: `cleanlab` alone in two of its ways, each kind of evidence, and all together."""
    labels, even = found.collection.believed, found.probabilities.astype(np.float64)
    even /= even.sum(1, keepdims=True)
    margin = evidence.held_out_margin(even, labels)
    kinds = {PLAIN if kind == "confident learning" else kind: scores for kind, scores in found.scores.items()}
    return {**kinds, MARGIN: margin, ALL: found.suspicion}


def average_precision(wrong: np.ndarray, suspicion: np.ndarray) -> float:
    """The mean, over the wrong labels, of the share of wrong ones among those at least as suspicious; in [0, 1]."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(wrong, suspicion))


def precision_among_first(wrong: np.ndarray, suspicion: np.ndarray, count: int) -> float:
    """The share of wrong labels among the `count` most suspicious, or among as many as are wrong if that is fewer."""
    first = np.argsort(-suspicion, kind="stable")[: min(count, int(wrong.sum()))]
    return float(wrong[first].mean())


def _judged(name: str):
    """A test set with its own labels, and what people said of those that were doubted."""
    verdicts, (original, probabilities) = load_verdicts(name), load_suspicions(name)
    dataset = load(name)
    labels = dataset.test_labels
    if not np.array_equal(original, labels.numpy()):
        raise DataError(
            f"the verdicts are on labels of another {name} test set than the one that was found; fetch both"
        )
    wrong, judged = np.zeros(len(labels), bool), np.zeros(len(labels), bool)
    wrong[verdicts.places], judged[verdicts.places] = verdicts.errors, True
    images = dataset.test_images
    tests = Dataset(name, dataset.class_names, images, labels, images[:0], labels[:0])
    theirs = {"cleanlab, the authors' network": evidence.confident_learning(probabilities, original)}
    return collection_of(make_task(tests, given=labels, true=None)), wrong, judged, theirs, None


def _part(dataset: Dataset, chosen: torch.Tensor) -> Dataset:
    images, labels = dataset.train_images[chosen], dataset.train_labels[chosen]
    return Dataset(dataset.name, dataset.class_names, images, labels, images[:0], labels[:0], dataset.mean, dataset.std)
