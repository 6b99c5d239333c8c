"""What a small network makes of each label: held out from training, in the course of training, and by the clean set."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nlkit.data.dataset import Dataset
from nlkit.learning.features import head_of, with_features
from nlkit.learning.models import build_model, evaluate
from nlkit.tasks.make import make_task
from nlkit.training.train import train

FOLDS = 5
ENOUGH = 20_000  # examples up to which a training has all of its epochs
EPOCHS, FEWEST = 20, 5

Told = Callable[[str], None]  # is told after each unit of work what it was


@dataclass(frozen=True, eq=False)
class Course:
    """What a network gave the label of each example at the end of each epoch, E of them."""

    own: np.ndarray  # (E, N) probability of the label, in [0, 1]
    other: np.ndarray  # (E, N) the highest probability of another class

    @property
    def right(self) -> np.ndarray:  # (E, N) bool: the label was predicted
        return self.own > self.other


def epochs_for(count: int) -> int:
    """How many epochs a training on so many examples has."""
    return max(FEWEST, round(EPOCHS * min(1.0, ENOUGH / count)))


def batch_for(count: int) -> int:
    """Examples a batch: 128, and fewer of a small collection, so that its epochs have forty steps or so."""
    return int(np.clip(count // 40, 16, 128))


def as_images(features: np.ndarray, shape: tuple[int, int, int] | None) -> Tensor:
    """Features (N, D) as images (N, C, H, W), which the kit's networks take; if they are none, of one row of pixels."""
    return torch.from_numpy(features).reshape(len(features), *(shape or (1, 1, features.shape[1])))


def trained(
    images: Tensor, labels: np.ndarray, classes: int, looked_at: Tensor, *, seed: int, epochs: int, model: str
) -> Iterator[np.ndarray]:
    """The probabilities (M, K) that the network gives `looked_at` (M, C, H, W) at the end of each epoch of training."""
    for network in _networks(images, labels, classes, seed=seed, epochs=epochs, model=model):
        yield torch.softmax(evaluate(network, looked_at), 1).numpy()


def _networks(
    images: Tensor, labels: np.ndarray, classes: int, *, seed: int, epochs: int, model: str
) -> Iterator[nn.Module]:
    """The network as it stands at the end of each epoch: one and the same."""
    names, given = tuple(map(str, range(classes))), torch.from_numpy(labels)
    with_all = torch.cat([given, torch.arange(classes)])  # a data set has an example of every class, a part may not
    filled = torch.cat([images, images.new_zeros(classes, *images.shape[1:])]) if _lacks(given, classes) else images
    given = with_all if len(filled) > len(images) else given
    dataset = Dataset("audited", names, filled, given, images[:0], given[:0])
    task = make_task(dataset, given=given, true=None, device="cpu")
    network = build_model(model, tuple(images.shape[1:]), classes, seed=seed)
    for _ in train(task, "standard", model=network, epochs=epochs, batch_size=batch_for(len(labels)), seed=seed):
        yield network


def cross_validated(
    images: Tensor, labels: np.ndarray, classes: int, *, seed: int = 0, model: str = "mlp", told: Told | None = None
) -> np.ndarray:
    """Probabilities (N, K) of each example from a network that was not trained on it: the mean over its epochs.

    The parts are five, with the same shares of the classes. A mean over the epochs needs no epoch to be chosen: early
    ones know little, and late ones have learned the wrong labels of their own part.
    """
    found = np.zeros((len(labels), classes), np.float32)
    for fold in range(FOLDS):
        held_out, of_epochs = of_part(images, labels, classes, fold, seed=seed, model=model)
        for probabilities in of_epochs:
            found[held_out] += probabilities
            if told:
                told(f"cross-validation, part {fold + 1} of {FOLDS}")
    return found / found.sum(1, keepdims=True)


def of_part(
    images: Tensor, labels: np.ndarray, classes: int, fold: int, *, seed: int = 0, model: str = "mlp",
    epochs: int | None = None,
) -> tuple[np.ndarray, Iterator[np.ndarray]]:  # fmt: skip
    """The places (M,) of one of the five parts, 0 to 4, and what a network that learns the other four says of it.

    That is (M, K) at the end of each epoch; the network is trained as it is asked for. epochs: `epochs_for` unless
    given.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels)
    learned, held_out = next(itertools.islice(folds, fold, None))
    epochs = epochs or epochs_for(len(labels))
    run = trained(images[learned], labels[learned], classes, images[held_out], seed=seed, epochs=epochs, model=model)
    return held_out, run


def course(
    images: Tensor, labels: np.ndarray, classes: int, *, seed: int = 0, model: str = "mlp", told: Told | None = None,
    epochs: int | None = None,
) -> Course:  # fmt: skip
    """What a network that is trained on all labels gives them, epoch by epoch; `epochs_for` of them unless given."""
    epochs, places = epochs or epochs_for(len(labels)), np.arange(len(labels))
    own, other = (np.empty((epochs, len(labels)), np.float32) for _ in range(2))
    for epoch, probabilities in enumerate(
        trained(images, labels, classes, images, seed=seed, epochs=epochs, model=model)
    ):
        own[epoch] = probabilities[places, labels]
        probabilities[places, labels] = -1
        other[epoch] = probabilities.max(1)
        if told:
            told("training on all labels")
    return Course(own, other)


def learned_features(
    images: Tensor, labels: np.ndarray, classes: int, *, seed: int = 0, model: str = "mlp", epochs: int | None = None
) -> np.ndarray:
    """(N, D) what goes into the last layer of a network that has learned all labels for a quarter of the epochs.

    That is before it has learned many wrong ones by heart; `epochs` are all of them, `epochs_for` unless given.
    """
    early = max(1, (epochs or epochs_for(len(labels))) // 4)
    *_, network = _networks(images, labels, classes, seed=seed, epochs=early, model=model)
    network.eval()
    head = head_of(network, images[:1], classes)
    with torch.no_grad():
        return torch.cat([with_features(network, head, part)[1] for part in images.split(1000)]).numpy()


def weights_by_clean_set(
    images: Tensor,
    labels: np.ndarray,
    classes: int,
    clean: np.ndarray,
    *,
    seed: int = 0,
    model: str = "mlp",
    told: Told | None = None,
) -> np.ndarray:
    """The mean weight (N,) that reweighting by the clean set (Ren et al. 2018) gave each example; 1 is an equal share.

    clean: (N,) bool. Its examples guide, and have NaN themselves.
    """
    names, given = tuple(map(str, range(classes))), torch.from_numpy(labels)
    data = Dataset("audited", names, images, given, images[:0], given[:0])
    task = make_task(data, given=given, true=None, clean=torch.from_numpy(clean), device="cpu")
    network, total, epochs = build_model(model, tuple(images.shape[1:]), classes, seed=seed), 0, epochs_for(len(labels))
    batch = batch_for(len(labels))
    for record in train(task, "reweight", model=network, epochs=epochs, batch_size=batch, seed=seed):
        total = total + record.example_weights
        if told:
            told("reweighting by the clean set")
    weights = np.full(len(labels), np.nan, np.float32)
    weights[~clean] = (total / epochs).numpy()
    return weights


def _lacks(labels: Tensor, classes: int) -> bool:
    return bool((torch.bincount(labels, minlength=classes) == 0).any())
