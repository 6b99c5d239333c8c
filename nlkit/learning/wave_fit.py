"""A curve through noisy points, fitted by a network whose last features are cut: what the first k alone draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.learning.first_features import MASKS, Masks, logits_by_cut, masked
from nlkit.learning.optimizers import build_optimizer, clear_gradients, take_step
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

ENDS, ERROR, JITTER, RATE = (-2.0, 2.0), 1.5, 0.05, 2e-3  # of x; of labels drawn anew; of all labels; of Adam
TOLD = (1, 2, 3, 4, 8, 16, 32, 64, 128)  # the cuts whose error is a number of the records


def wave(x: Tensor) -> Tensor:
    """The truth."""
    return (3 * x).sin() + 0.3 * x


def noisy_wave(points: int, ratio: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """x (n, 1) in `ENDS`, given labels y (n, 1), and which (n,) are wrong: a share `ratio`, even within ± 1.5."""
    draw = seeded_generator(seed, "wave")
    x = ENDS[0] + (ENDS[1] - ENDS[0]) * torch.rand(points, 1, generator=draw)
    y = wave(x) + JITTER * torch.randn(points, 1, generator=draw)
    anew = ERROR * (2 * torch.rand(points, 1, generator=draw) - 1)
    wrong = torch.zeros(points, dtype=torch.bool)
    wrong[torch.randperm(points, generator=draw)[: round(ratio * points)]] = True
    return x, torch.where(wrong[:, None], anew, y), wrong


@dataclass(frozen=True)
class Wave:
    """A network 1-128-128-K-1 on 150 points; the features are linear, since a ReLU's first one may die.

    In a record's `numbers`: "error k", the mean squared distance of the first k features' curve to the truth.
    """

    mask: str = setting("nested", "what is kept of the features", choices=MASKS)
    ratio: float = setting(0.3, "noise ratio: share of labels drawn anew", low=0.0, high=0.6, knob=True)
    sigma: float = setting(20.0, "σ of nested masks", low=1.0, high=200.0, knob=True, log=True)
    p: float = setting(0.5, "share that dropout takes away", low=0.0, high=0.95, knob=True)
    features: int = setting(128, "K", low=1, high=512)
    points: int = setting(150, "examples", low=10, high=1000)
    steps: int = setting(2000, "steps, each on all points", low=1, high=10_000)
    looks: int = setting(10, "records, evenly over the steps", low=1, high=100)
    seed: int = setting(0, "draws points, initial weights and masks", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return min(self.looks, self.steps)

    def network(self) -> nn.Sequential:
        with torch.random.fork_rng(devices=[]):  # torch's layers draw their weights from the global generator only
            torch.default_generator.manual_seed(self.seed)
            body = [nn.Linear(1, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, self.features)]
            return nn.Sequential(*body, nn.Linear(self.features, 1, bias=False))

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        x, y, wrong = noisy_wave(self.points, self.ratio, self.seed)
        network, masks, draw = self.network(), Masks(self.mask, self.sigma, self.p), seeded_generator(self.seed, "mask")
        optimizer, grid = build_optimizer("adam", network, RATE), torch.linspace(*ENDS, 200)[:, None]
        for look in range(1, self.epochs + 1):
            done, until = (self.steps * each // self.epochs for each in (look - 1, look))
            for _ in range(until - done):
                with masked(network[-1], masks.draw(self.points, self.features, draw)):
                    loss = F.mse_loss(network(x), y)
                clear_gradients(optimizer)
                loss.backward()
                take_step(optimizer)
            curves = torch.cat(list(logits_by_cut(network, grid)), 1).T  # (K, 200)
            errors = (curves - wave(grid).T).square().mean(1)  # (K,)
            numbers = {f"error {k}": float(errors[k - 1]) for k in {*TOLD, self.features} if k <= self.features}
            shown = {"x": x[:, 0], "y": y[:, 0], "wrong": wrong, "grid": grid[:, 0], "curves": curves, "errors": errors}
            yield Measured(look, numbers, shown | {"reach": masks.reach(self.features)})
