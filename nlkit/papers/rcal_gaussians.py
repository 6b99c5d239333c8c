"""A world in which the assumption of representation calibration is true: Gaussians of one shape, rare near large ones.

    Zhang et al., arXiv:2211.10955, assumption 3.1: z | y = k ~ N(μ_k, I), wrong labels by the sizes of the classes,
    each rare class within δ of a large one.

There the error of a mean that borrows is known in a line (`nlkit.learning.class_gaussians.expected_error`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlkit.data.long_tailed import class_sizes
from nlkit.learning.class_gaussians import OUTLIERS, Gaussians, borrowed, class_gaussians, expected_error, kept_of
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import flips_by_size
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

CLASSES, DIMENSIONS, LARGEST = 10, 16, 400
GAMMAS = tuple(k / 10 for k in range(9))
DIMENSIONS = 16


@dataclass(frozen=True)
class World:
    """The assumption come true: ten Gaussians, five large classes, and near each of them a small one.

    A record is `DRAWS` draws more. In its `numbers`, means over the draws: "error γ", the squared distance of the small
    classes' calibrated means from the true ones, and "formula γ", what it is to be where no label is wrong.
    """

    distance: float = setting(1.0, "δ: from a rare class to its neighbour", low=0.5, high=5.0)
    ratio: float = setting(0.0, "η: share of wrong labels", low=0.0, high=0.5)
    imbalance: float = setting(50.0, "ρ: largest over smallest class", low=1.0, high=100.0)
    outliers: str = setting("kept", "what describes a class", choices=OUTLIERS)
    seed: int = setting(0, "draws the Gaussians, examples and wrong labels", low=0)
    epochs, draws = 4, 25

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        sizes = class_sizes(LARGEST, self.imbalance, CLASSES)
        return self._records(sizes, seeded_generator(self.seed, "world"))

    def _records(self, sizes: list[int], generator: torch.Generator) -> Iterator[Measured]:
        half, found = CLASSES // 2, []
        variances = DIMENSIONS / np.array(sizes)
        for epoch in range(1, self.epochs + 1):
            for draw in range((epoch - 1) * self.draws, epoch * self.draws):
                means = torch.randn(CLASSES, DIMENSIONS, generator=generator, dtype=torch.float64).numpy()
                aside = means[half:] / np.linalg.norm(means[half:], axis=1, keepdims=True)
                means[half:] = means[:half] + self.distance * aside
                estimated = self._estimated(means, torch.tensor(sizes), generator, 1000 * self.seed + draw)
                calibrated = [borrowed(estimated, gamma).means[half:] for gamma in GAMMAS]
                found.append([float(((m - means[half:]) ** 2).sum(1).mean()) for m in calibrated])
            numbers = dict(zip((f"error {gamma:g}" for gamma in GAMMAS), np.mean(found, 0).tolist()))
            pairs = list(zip(variances[half:], variances[:half]))
            numbers |= {
                f"formula {g:g}": float(np.mean([expected_error(g, v, self.distance, w) for v, w in pairs]))
                for g in GAMMAS
            }
            yield Measured(epoch, numbers)

    def _estimated(self, means: Any, sizes: Tensor, generator: torch.Generator, seed: int) -> Gaussians:
        true = torch.arange(CLASSES).repeat_interleave(sizes)
        noise = torch.randn(len(true), DIMENSIONS, generator=generator, dtype=torch.float64).numpy()
        features = means[true] + noise
        given = corrupt(true, flips_by_size(sizes.tolist(), self.ratio), seed=seed).numpy()
        kept = kept_of(self.outliers, features, given, true.numpy(), self.ratio)
        return class_gaussians(features[kept], given[kept], CLASSES)
