"""Nine small models from stiff to flexible, by which a benchmark can be tried: class means to a network of 256."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

MODELS = (
    "class means", "linear ridge", "kernel ridge 30", "15 neighbours", "kernel ridge 3", "network of 8", "1 neighbour",
    "kernel ridge 0.01", "network of 256",
)  # fmt: skip
PENALTIES = {"kernel ridge 30": 30.0, "kernel ridge 3": 3.0, "kernel ridge 0.01": 0.01}
WIDTH = 0.002  # exp(-0.002 d²) between images whose pixels have mean 0 and standard deviation 1
RIDGE = 3000.0
EPOCHS, BATCH, RATE = 40, 128, 1e-3  # of the networks, with Adam


def predictions(
    images: np.ndarray, labels: np.ndarray, tested: np.ndarray, ridges: Mapping[str, np.ndarray], *, seed: int = 0
) -> Iterator[tuple[str, np.ndarray]]:
    """The name of each model, and the classes (n,) that it gives the tested images; a model is fitted when asked for.

    images: (N, D), pixels with mean 0 and standard deviation 1. labels: (N,) in 0 … K - 1, each at least once.
    tested: (n, D). ridges: what `KernelRidges` makes of the three. seed: draws the networks' weights and batches.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import pairwise_distances_argmin
    from sklearn.neighbors import KNeighborsClassifier

    means = np.stack([images[labels == label].mean(0) for label in np.unique(labels)])
    make = {
        "class means": lambda: pairwise_distances_argmin(tested, means),
        "linear ridge": lambda: RidgeClassifier(RIDGE).fit(images, labels).predict(tested),
        "15 neighbours": lambda: KNeighborsClassifier(15).fit(images, labels).predict(tested),
        "1 neighbour": lambda: KNeighborsClassifier(1).fit(images, labels).predict(tested),
        "network of 8": lambda: _network(images, labels, tested, 8, seed),
        "network of 256": lambda: _network(images, labels, tested, 256, seed),
    }
    for name in MODELS:
        yield name, ridges[name].argmax(1) if name in ridges else make[name]()


class KernelRidges:
    """What kernel ridge regression of each penalty needs of the images alone: it serves any labels that they have."""

    def __init__(self, images: np.ndarray, tested: np.ndarray):
        """images (N, D) to learn from, tested (n, D)."""
        from scipy.linalg import cho_factor
        from sklearn.metrics.pairwise import rbf_kernel

        kernel, self._between = (
            rbf_kernel(x.astype(np.float64), images.astype(np.float64), WIDTH) for x in (images, tested)
        )
        self._factors = {name: cho_factor(kernel + p * np.eye(len(kernel))) for name, p in PENALTIES.items()}

    def scores(self, labels: np.ndarray) -> dict[str, np.ndarray]:
        """By penalty, scores (n, K) of the tested images: about 1 for the class that labels (N,) teach, else 0."""
        from scipy.linalg import cho_solve

        wanted = np.eye(labels.max() + 1)[labels]
        return {name: self._between @ cho_solve(factor, wanted) for name, factor in self._factors.items()}


def _network(images: np.ndarray, labels: np.ndarray, tested: np.ndarray, width: int, seed: int) -> np.ndarray:
    generator = seeded_generator(seed, "batches")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = nn.Sequential(nn.Linear(images.shape[1], width), nn.ReLU(), nn.Linear(width, int(labels.max()) + 1))
    optimizer = adam(network.parameters(), RATE)
    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(inputs), generator=generator).split(BATCH):
            descend(optimizer, F.cross_entropy(network(inputs[batch]), targets[batch]))
    with torch.inference_mode():
        return network(torch.from_numpy(tested)).argmax(1).numpy()
