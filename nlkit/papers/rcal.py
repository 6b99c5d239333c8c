"""Representation calibration: features learned without labels, classes described by Gaussians, rare ones filled up.

    Zhang, Zhao, Yao, Yuan, Huang: When noisy labels meet long tail dilemmas: a representation calibration method.
    ICCV 2023, arXiv:2211.10955.

    z_i         contrastive features of the images, no label seen, kept as they are                   (contrastive.py)
    μ_k, Σ_k    of z within each given class, without its outliers; rare classes borrow     (class_gaussians.py)
    points      drawn from N(μ_k, Σ_k) until every class has as many as the largest
    L(θ) = CE over images and points + β · mean over images of ‖f(x_i) - z_i‖²

f is the encoder, from where it learned z, and goes on learning with the classifier. Wrong labels go by the sizes of the
classes (assumption 3): P(ỹ = j | y = k) = η n_j / (n - n_k), where the paper has n_j / n, own class included.

Read were abstract, assumptions, and the method in words. The tables, the constants q, γ, β, and a program were not to
be had; the formulas of borrowing are those of the paper that it follows. What differs: SimCLR for MoCo, a network
784-256-32 for a ResNet, digits for CIFAR, and no mixup. Features are divided by their standard deviation, and of each
class LOF takes out the share η, which the method is told.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from nlkit.data.load import load
from nlkit.data.long_tailed import by_falling_size, class_sizes, long_tailed
from nlkit.learning.class_gaussians import OUTLIERS, borrowed, class_gaussians, filled_up, kept_of
from nlkit.learning.contrastive import learn_features, new_encoder
from nlkit.learning.tethered import tuned
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import flips_by_size, symmetric_matrix
from nlkit.page import Claim, Page, Trial
from nlkit.papers.rcal_gaussians import World
from nlkit.randomness import seeded_generator
from nlkit.records import Measured, Step
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.data.dataset import Dataset
    from nlkit.plots import Figure

CLASSES, HEADS, TAILS = 10, 4, 3  # of the digits: how many of the largest are called head, of the smallest tail
ALPHA = 0.1  # what the variances of rare classes grow by
MOST = 40
_FEATURES: dict[tuple, nn.Sequential] = {}  # the last encoders that were learned, the same for all labels and methods


@dataclass(frozen=True)
class Digits:
    """Long-tailed digits with wrong labels, tested on as many of each class. A record is an epoch of the tuning.

    In its `numbers`: accuracy on the test set, on the four largest ("head") and the three smallest classes ("tail");
    the share of wrong labels "memorized"; how far features have "moved" (mean ‖f - z‖²). Of what describes the classes:
    the share that is wrong ("wrong_kept"), and of the tail's right labels the share left out ("tail_lost").
    """

    body: str = setting("tethered", "what becomes of the encoder", choices=("new", "free", "tethered", "frozen"))
    ratio: float = setting(0.4, "η: share of wrong labels", low=0.0, high=0.95, knob=True)
    imbalance: float = setting(50.0, "ρ: largest over smallest class", low=1.0, high=100.0, knob=True, log=True)
    noise: str = setting("by size", "where wrong labels go", choices=("by size", "uniform"), knob=True)
    tether: float = setting(1.0, "β: what holds features (tethered)", low=0.0, high=10.0, knob=True)
    gamma: float = setting(0.1, "γ: what rare classes borrow", low=0.0, high=1.0, knob=True)
    outliers: str = setting("LOF", "what describes a class: kept is all", choices=OUTLIERS, knob=True)
    sampling: bool = setting(True, "whether points are drawn for rare classes (free, tethered)", knob=True)
    q: int = setting(2, "classes that lend", low=1, high=5)
    largest: int = setting(400, "images of the largest class", low=20, high=400)
    contrastive: int = setting(60, "epochs without labels", low=1, high=300)
    epochs: int = setting(40, "epochs of tuning", low=1, high=200)
    record_every: int = setting(1, "epochs from one record to the next", low=1, high=200)
    seed: int = setting(0, "decides which classes are rare, images, noise, networks", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        class_sizes(self.largest, self.imbalance, CLASSES)

    def problem(self) -> tuple[Dataset, Tensor]:
        """The digits, and their given labels (n,). Raises a ValueError where a class has none left."""
        data = long_tailed(load("mnist5k"), self.largest, self.imbalance, self.seed)
        true = data.train_labels
        sizes = torch.bincount(true, minlength=CLASSES)
        flips = flips_by_size(sizes.tolist(), self.ratio)
        given = corrupt(
            true, flips if self.noise == "by size" else symmetric_matrix(CLASSES, self.ratio), seed=self.seed
        )
        counted = given[given == true] if self.outliers == "true" else given
        if not (left := torch.bincount(counted, minlength=CLASSES)).all():
            raise ValueError(
                f"ratio={self.ratio!r} leaves digit {int(left.argmin())}, with {sizes[left.argmin()]} images, no label "
                "to be described by; lower ratio or imbalance, or raise largest"
            )
        return data, given

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        return self._records(*self.problem(), steps)

    def _records(self, data: Dataset, given: Tensor, steps: bool) -> Iterator[Measured | Step]:
        images, true, encoder = data.train_images, data.train_labels, new_encoder(784, self.seed)
        if self.body != "new":
            key = self.imbalance, self.largest, self.contrastive, self.seed
            learning = () if key in _FEATURES else learn_features(images, epochs=self.contrastive, seed=self.seed)
            for done, learned in enumerate(learning, start=1):
                if done == self.contrastive:
                    _FEATURES[key] = learned
                if steps:
                    yield Step(1, done, self.contrastive)
            encoder = copy.deepcopy(_FEATURES[key])
            if len(_FEATURES) > MOST:
                del _FEATURES[next(iter(_FEATURES))]
        with torch.no_grad():
            z = encoder(images)
            scale = z.std(0)
            z = z / scale
        points, drawn, described = self._points(z, given, true)
        wrong, largest = given != true, by_falling_size(true, CLASSES)
        tuning = tuned(
            encoder, scale, images, z, given, (points, drawn), frozen=self.body == "frozen", epochs=self.epochs,
            tether=self.tether if self.body == "tethered" else 0.0, seed=self.seed,
        )  # fmt: skip
        for epoch, (features, head) in enumerate(tuning, start=1):
            if epoch % self.record_every and epoch < self.epochs:
                continue
            with torch.no_grad():
                now = features(images)
                said, tested = head(now).argmax(1), head(features(data.test_images)).argmax(1) == data.test_labels
            by_class = torch.stack([tested[data.test_labels == k].double().mean() for k in largest])
            numbers = described | {
                "test_accuracy": float(by_class.mean()), "head": float(by_class[:HEADS].mean()),
                "tail": float(by_class[-TAILS:].mean()), "moved": float((now - z).square().sum(1).mean()),
            }  # fmt: skip
            if wrong.any():
                numbers["memorized"] = float((said == given)[wrong].double().mean())
            shown = {
                "by_class": by_class.numpy(),
                "sizes": torch.bincount(true)[largest].numpy(),
                "digits": largest.numpy(),
            }
            yield Measured(-(-epoch // self.record_every), numbers, shown)

    def _points(self, z: Tensor, given: Tensor, true: Tensor) -> tuple[Tensor, Tensor, dict[str, float]]:
        """Features and classes of the points that are drawn, and what the classes were described by."""
        if not self.sampling or self.body in ("new", "frozen"):
            return z[:0], given[:0], {}
        features, labels, right = z.double().numpy(), given.numpy(), (given == true).numpy()
        kept = kept_of(self.outliers, features, labels, true.numpy(), self.ratio)
        of_classes = borrowed(class_gaussians(features[kept], labels[kept], CLASSES), self.gamma, self.q, ALPHA)
        counts = np.bincount(labels, minlength=CLASSES)
        points, drawn = filled_up(of_classes, counts, seeded_generator(self.seed, "points"))
        described = {"wrong_kept": float((~right[kept]).mean())}
        rare = right & np.isin(labels, by_falling_size(true, CLASSES)[-TAILS:].numpy())
        if rare.any():
            described["tail_lost"] = float((~kept[rare]).mean())
        return torch.from_numpy(points).float(), torch.from_numpy(drawn), described


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Test accuracy by class, the largest first, and memorized labels by epoch."""
    from nlkit.plots.long_tailed import by_class

    return by_class(records, LINES)


LINES = ("CE", "free", "RCAL", "frozen")
LAST: dict[str, Any] = {"record_every": 8}  # five records of forty epochs
PARTS: tuple[dict[str, Any], ...] = (
    {"outliers": "kept"}, {"outliers": "true"}, {"gamma": 0.0},
    {"outliers": "kept", "gamma": 0.0}, {"outliers": "kept", "gamma": 0.3}, {"sampling": False}, {"tether": 0.1},
)  # fmt: skip
OTHERS: tuple[dict[str, Any], ...] = ({"ratio": 0.2}, {"noise": "uniform", "ratio": 0.2})
DISTANCES, RATIOS = (1.0, 2.0, 4.0), (0.2, 0.4)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, LAST) for name in LINES)
    yield from (("RCAL", change | LAST) for change in PARTS)
    yield from ((name, change | LAST) for change in OTHERS for name in ("CE", "RCAL", "frozen"))
    yield from (("RCAL", change | {"outliers": "kept"} | LAST) for change in OTHERS)
    yield from (("Gaussians", {"distance": delta}) for delta in DISTANCES)
    yield from (("Gaussians", {"ratio": eta, "outliers": o}) for eta in RATIOS for o in ("kept", "LOF", "true"))


def _gain(t: Trial, number: str = "error 0", outliers: str = "kept", **changes: Any) -> float:
    """By which share calibration lowers the error of the rare classes' means, in the world of Gaussians."""
    before, after = (t.run("Gaussians", outliers=o, **changes) for o in ("kept", outliers))
    return 1 - after.last(number) / before.last("error 0")


def _parabola(t: Trial) -> list[float]:
    """Measured error over that of the formula, for three γ and three distances."""
    runs = [t.run("Gaussians", distance=delta) for delta in DISTANCES]
    return [run.last(f"error {g:g}") / run.last(f"formula {g:g}") for run in runs for g in (0.0, 0.3, 0.6)]


def _end(t: Trial, variant: str = "RCAL", number: str = "test_accuracy", **changes: Any) -> float:
    return t.run(variant, **changes, **LAST).last(number)


_GAUSSIANS, _DIGITS = "ten Gaussians, ρ = 50", "digits, ρ = 50, 40 % wrong"
_ABSTRACT, _ABLATION = "abstract: beats noisy-label and long-tail methods", "ablation: each part helps"
PAGE = Page(
    title="Representation calibration for noisy long tails",
    source="Zhang, Zhao, Yao, Yuan, Huang, ICCV 2023, arXiv:2211.10955",
    finding="Features learned without labels, and held, save rare classes; describing classes adds little on digits.",
    variants=dict(zip(LINES, ({"body": body} for body in ("new", "free", "tethered", "frozen")))),
    besides={"Gaussians": (World, {})},
    experiment=Digits, picture=draw, grid=_grid, needs=("package:scikit-learn",),
    tiny={"largest": 60, "imbalance": 5.0, "contrastive": 2, "epochs": 2},
    panel={"contrastive": 25, "epochs": 20},
    claims=(
        Claim("rcal_parabola", "With no label wrong, the error of a rare class that borrows is the parabola over γ.",
              "theory, in its simplest case", _parabola, f"error over formula; γ 0, 0.3, 0.6, δ 1, 2, 4; {_GAUSSIANS}",
              at_least=0.95, at_most=1.05, unit="x"),
        Claim("rcal_near", "Borrowing with γ = 0.3 helps where the neighbour is near, and harms where it is far.",
              "assumption: heads within δ",
              lambda t: [(-1 if d > 2 else 1) * _gain(t, "error 0.3", distance=d) for d in DISTANCES],
              f"error lowered at δ = 1 and 2, raised at 4; {_GAUSSIANS}", at_least=0.05),
        Claim("rcal_outliers", "LOF lowers the error of the means of rare classes by a fifth.", _ABLATION,
              lambda t: [_gain(t, ratio=eta, outliers="LOF") for eta in RATIOS],
              f"error lowered, 20 and 40 % wrong; {_GAUSSIANS}", at_least=0.2),
        Claim("rcal_leads", "It ends ten points above cross-entropy from scratch.", _ABSTRACT,
              lambda t: _end(t, "RCAL") - _end(t, "CE"), f"lead in test accuracy, {_DIGITS}", at_least=0.1,
              unit="points"),
        Claim("rcal_tether", "The tether keeps wrong labels from being memorized; without it they are.", _ABLATION,
              lambda t: (1 - _end(t, "RCAL", "memorized"), _end(t, "free", "memorized")),
              f"share not memorized with β = 1, memorized with 0, {_DIGITS}", at_least=0.85),
        Claim("rcal_lof", "On digits too, leaving out outliers helps.", _ABLATION,
              lambda t: _end(t) - _end(t, outliers="kept"), f"test accuracy, LOF less none, {_DIGITS}", at_least=0.0,
              unit="points"),
        Claim("rcal_borrows", "On digits too, borrowing helps.", _ABLATION,
              lambda t: _end(t, outliers="kept", gamma=0.3) - _end(t, outliers="kept", gamma=0.0),
              f"test accuracy, γ = 0.3 less 0, {_DIGITS}", at_least=0.0, unit="points"),
        Claim("rcal_frozen", "It beats a balanced linear classifier on the frozen features.",
              "a control that the paper leaves out", lambda t: _end(t, "RCAL") - _end(t, "frozen"),
              f"lead in test accuracy, {_DIGITS}", at_least=0.0, unit="points"),
    ),
)  # fmt: skip
