"""NMTune: wrong labels in pretraining change the shape of features; a light head on the frozen body shapes them back.

    Chen, Wang, Shah, Tao, Wei, Xie, Sugiyama, Raj: Understanding and mitigating the label noise in pre-training on
    downstream tasks. ICLR 2024, arXiv:2309.17002; the authors' program is github.com/Hhhhhhao/Noisy-Model-Learning.

    s_i  = σ_i / Σ_j σ_j            σ_1 ≥ … ≥ σ_D: singular values of features F (n, D) of test images
    SVE  = -Σ_i s_i log s_i         singular value entropy: how many directions are used
    LSVR = -log s_1                 "largest singular value ratio": large when the largest is small, despite its name
    z    = f + a ⊙ MLP(f)           MLP: Linear(D, 4D), batch normalization, ReLU, Linear(4D, D); a starts at 1
    L    = CE + w_M mean (z/‖z‖ - f/‖f‖)² + w_C 1/D Σ_{i≠j} C_ij² - w_S 1/k Σ_{i≤k} s_i(Z)     C: covariance of a batch

LP is a linear head on f, MLP is z with cross-entropy alone, NMTune is all of it. The paper prints one weight of 0.01
for the three and k = 1; the program has 1, 0.04, 0.001 and k = 5, the defaults here. SVE and LSVR are those of plain
features; the program takes rows of length 1 less their own mean over features.

What differs: the paper pretrains a ResNet-50 on ImageNet with up to 30 % flipped labels and tests 14 other data sets;
here 784-256-64 learns 4,000 digits, and what comes after is *the same ten digits* with a few right labels. There is one
view of an image, so no augmentation, and an epoch of tuning has 60 steps, however few labels there are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.data.load import load
from nlkit.data.shifts import SHIFTS, all_test_sets
from nlkit.learning import frozen
from nlkit.learning.feature_shape import correlated, entropy, largest_ratio, moved, not_dominant, spectrum
from nlkit.learning.frozen import accuracy
from nlkit.learning.models import evaluate, seeded
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

HEADS, BODIES = ("LP", "MLP", "NMTune"), ("pretrained", "untrained", "raw pixels")
RATES = {"LP": 1e-2, "MLP": 1e-3, "NMTune": 1e-3}


class Shaping(nn.Module):
    """z = f + a ⊙ MLP(f) of features f (B, D)."""

    def __init__(self, features: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(features, 4 * features), nn.BatchNorm1d(4 * features), nn.ReLU(),
            nn.Linear(4 * features, features),
        )  # fmt: skip
        self.a = nn.Parameter(torch.ones(features))

    def forward(self, f: Tensor) -> Tensor:
        return f + self.a * self.mlp(f)


def new_head(name: str, features: int, num_classes: int, *, seed: int = 0) -> nn.Sequential:
    """One of `HEADS` on so many features: what shapes them, and a linear layer without bias (Kaiming)."""

    def make() -> nn.Sequential:
        linear = nn.Linear(features, num_classes, bias=False)
        nn.init.kaiming_normal_(linear.weight)
        return nn.Sequential(nn.Identity() if name == "LP" else Shaping(features), linear)

    return seeded(make, seed)


def loss_of(mse: float = 0.0, cov: float = 0.0, svd: float = 0.0, top: int = 5) -> frozen.Loss:
    """L with the weights w_M, w_C and w_S; a term of weight 0 is not computed."""

    def loss(head: nn.Module, f: Tensor, labels: Tensor) -> Tensor:
        z = head[0](f)  # type: ignore[index]
        total = F.cross_entropy(head[1](z), labels)  # type: ignore[index]
        total = total + mse * moved(f, z) if mse else total
        total = total + cov * correlated(z) if cov else total
        return total + svd * not_dominant(z, top) if svd else total

    return loss


@dataclass(frozen=True)
class Transfer:
    """Pretraining on noisy labels, then a head on a few right ones. A record an epoch of the one, then of the other.

    In its `numbers` are test accuracies of the head (at first the network's own): on digits as in training ("id"), and
    later also on the mean of four shifts and on other writers' digits ("other"); "sve" and "lsvr" of z on test digits,
    and "fits", the share of the given labels that the pretrained network predicts. NaN is what can't be told yet.
    """

    head: str = setting("LP", "what learns on top of the frozen body", choices=HEADS)
    ratio: float = setting(0.3, "noise ratio of pretraining", low=0.0, high=0.6, knob=True)
    pretraining: int = setting(8, "epochs of pretraining", low=1, high=40, knob=True)
    clean: int = setting(100, "right labels a class for the head", low=1, high=400, knob=True)
    mse: float = setting(1.0, "w_M of NMTune: stay near the old features", low=0.0, high=10.0, knob=True)
    cov: float = setting(0.04, "w_C of NMTune: no two features alike", low=0.0, high=1.0, knob=True)
    svd: float = setting(0.001, "w_S of NMTune: keep a dominant direction", low=0.0, high=10.0, knob=True)
    top: int = setting(5, "k: singular values that w_S is about", low=1, high=64)
    body: str = setting("pretrained", "what features are made by", choices=BODIES)
    draws: int = setting(1, "draws of right labels, whose heads are averaged", low=1, high=20)
    tuning: int = setting(8, "epochs of tuning, of 60 steps", low=1, high=100)
    seed: int = setting(0, "decides wrong labels, right ones, weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        rows = min(frozen.BATCH, 10 * self.clean)
        if self.head == "NMTune" and self.svd and self.top > rows:
            raise ValueError(f"top={self.top} must be at most {rows}, the examples of a batch; raise clean, or put "
                             "svd at 0")  # fmt: skip
        if self.body == "raw pixels" and self.head != "LP":
            raise ValueError(f"head={self.head!r} needs features; of body='raw pixels' take head='LP'")

    @property
    def epochs(self) -> int:
        return self.tuning + (self.pretraining if self.body == "pretrained" else 0)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        data = load("mnist5k")
        matrix = noise_matrix("symmetric", data.num_classes, self.ratio)
        given = corrupt(data.train_labels, matrix, seed=self.seed)
        places = [frozen.some_of_each(data.train_labels, self.clean, seed=self.seed, draw=k) for k in range(self.draws)]
        return self._records(data, given, places)

    def _records(self, data, given: Tensor, places: Sequence[Tensor]) -> Iterator[Measured]:
        body: nn.Module = nn.Flatten()
        common: dict[str, float] = {}
        done = 0
        if self.body == "untrained":
            body = frozen.frozen_body(frozen.new_network(784, 10, seed=self.seed))
        if self.body == "pretrained":
            key = ("mnist5k", self.ratio, self.pretraining, self.seed)
            learning = frozen.pretrain(data.train_images, given, 10, epochs=self.pretraining, seed=self.seed)
            for done, network in enumerate(frozen.told_again(key, learning), start=1):
                common = {"fits": accuracy(network, data.train_images, given) if done == self.pretraining else math.nan}
                numbers = dict.fromkeys(("shifts", "other", "sve", "lsvr"), math.nan) | common
                yield Measured(done, numbers | {"id": accuracy(network, data.test_images, data.test_labels)})
            body = frozen.frozen_body(network)
        tests = {name: (evaluate(body, images), labels) for name, (images, labels) in _tests().items()}
        s = spectrum(tests["id"][0])
        tuning = (self._tuned(evaluate(body, data.train_images[at]), data.train_labels[at]) for at in places)
        for number, heads in enumerate(zip(*tuning), start=done + 1):
            shares = {name: fmean(accuracy(head, *test) for head in heads) for name, test in tests.items()}
            s = s if self.head == "LP" else spectrum(evaluate(heads[0][0], tests["id"][0]))
            numbers = common | {"id": shares["id"], "other": shares["other"], "sve": entropy(s)}
            numbers |= {"shifts": fmean(shares[name] for name in SHIFTS), "lsvr": largest_ratio(s)}
            yield Measured(number, numbers, {"spectrum": s.tolist()})

    def _tuned(self, features: Tensor, labels: Tensor) -> Iterator[nn.Module]:
        head = new_head(self.head, features.shape[1], 10, seed=self.seed)
        weights = {"mse": self.mse, "cov": self.cov, "svd": self.svd} if self.head == "NMTune" else {}
        how: dict[str, Any] = {"epochs": self.tuning, "rate": RATES[self.head], "seed": self.seed}
        return frozen.tune(head, features, labels, loss_of(**weights, top=self.top), **how)


@functools.lru_cache(maxsize=1)
def _tests() -> dict[str, tuple[Tensor, Tensor]]:
    return all_test_sets(load("mnist5k"))


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Accuracy by epoch, three tests of each head, and spectra."""
    from nlkit.plots.transfer import heads_on_a_body

    return heads_on_a_body(records, HEADS)


RATIOS, FEW = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5), {"clean": 5, "draws": 3}
LONG = {**FEW, "pretraining": 25}  # until wrong labels are learned by heart
IN_USE = (0.1, 0.3)  # noise ratios at which heads race
COVARIANCE: dict[str, Any] = {"mse": 0.0, "svd": 0.0}
TERMS: dict[str, dict[str, Any]] = {
    "COV alone": COVARIANCE, "without COV": {"cov": 0.0},
    "as printed": {"mse": 0.01, "cov": 0.01, "svd": 0.01, "top": 1},
}  # fmt: skip


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from (("LP", {"ratio": ratio, **FEW}) for ratio in RATIOS)
    yield from ((head, {"ratio": ratio}) for head in HEADS for ratio in IN_USE)
    yield from (("NMTune", {"ratio": 0.3, **changes}) for changes in TERMS.values())
    yield from (("LP", {"ratio": ratio, **LONG}) for ratio in (0.0, 0.1))
    yield from (("LP", {"ratio": 0.0, "body": body, **FEW}) for body in BODIES[1:])


def cost(t: Trial, number: str, ratio: float, **changes: Any) -> float:
    """A number of the linear probe after pretraining at a noise ratio, less that at 0; 5 right labels a class."""
    noisy, right = (t.run("LP", ratio=r, **{**FEW, **changes}).last(number) for r in (ratio, 0.0))
    return noisy - right


def gain(t: Trial, number: str, ratio: float = 0.3, over: str = "MLP", **changes: Any) -> float:
    """A number of NMTune less that of another head, 100 right labels a class."""
    return t.run("NMTune", ratio=ratio, **changes).last(number) - t.run(over, ratio=ratio).last(number)


def worth(t: Trial) -> list[float]:
    """Accuracy on features less that on raw pixels, on all three tests."""
    known, raw = (t.run("LP", ratio=0.0, **FEW, **change) for change in ({}, {"body": "raw pixels"}))
    return [known.last(number) - raw.last(number) for number in TESTS]


TESTS = ("id", "shifts", "other")
OURS, MEAN = "a control that the paper lacks", "mean over 10 and 30 %, 100 labels a class"
POINTS: dict[str, Any] = {"unit": "points", "at_least": 0.0}
PAGE = Page(
    title="Noise in pretraining, tuned away (NMTune)",
    source="Chen, Wang, Shah, Tao, Wei, Xie, Sugiyama, Raj, ICLR 2024, arXiv:2309.17002",
    finding="Wrong labels in pretraining cost more elsewhere than on like data, where a few even help; a light head "
    "wins back half a point.",
    variants={head: {"head": head} for head in HEADS},
    headline="id", experiment=Transfer, picture=draw, grid=_grid, needs=("package:scikit-learn",),
    tiny={"pretraining": 1, "clean": 5, "tuning": 2},
    claims=(
        Claim("nmtune_spectrum", "Wrong labels in pretraining raise SVE and LSVR.", "figure 3",
              lambda t: [cost(t, number, 0.3) for number in ("sve", "lsvr")], "rise at 30 % noise", at_least=0.1,
              unit=""),
        Claim("nmtune_worth", "Features pretrained on right labels beat raw pixels on all three tests.", OURS, worth,
              "linear probe, features less pixels, three tests", at_least=0.1, unit="points"),
        Claim("nmtune_slight", "Five per cent wrong labels in pretraining help on digits of the same kind.",
              "figures 1 and 2", lambda t: cost(t, "id", 0.05), "test accuracy less that at 0 %, 5 labels a class",
              **POINTS),
        Claim("nmtune_elsewhere", "Five to twenty per cent, taken together, harm on other writers' digits.",
              "figure 2: any noise", lambda t: fmean(cost(t, "other", r) for r in RATIOS[1:4]),
              "the same on these, mean over 5, 10 and 20 %", at_most=0.0, unit="points"),
        Claim("nmtune_memorized", "Once learned by heart, ten per cent wrong labels harm on the same digits too.", OURS,
              lambda t: cost(t, "id", 0.1, **LONG), "the same at 10 %, 25 epochs of pretraining", at_most=0.0,
              unit="points"),
        Claim("nmtune_tuned", "NMTune beats the head without its terms, on the same digits and on shifted ones.",
              "abstract", lambda t: [fmean(gain(t, n, r) for r in IN_USE) for n in TESTS[:2]], f"its lead, {MEAN}",
              published="about a point", **POINTS),
        Claim("nmtune_tuned_elsewhere", "It does so on other writers' digits.", "abstract",
              lambda t: fmean(gain(t, "other", r) for r in IN_USE), f"its lead, {MEAN}", **POINTS),
        Claim("nmtune_covariance", "The covariance term alone does as much.", OURS,
              lambda t: [gain(t, n, **COVARIANCE) - gain(t, n) for n in TESTS[:2]], "less all three terms, 30 %",
              at_least=-0.002, at_most=0.002, unit="points"),
    ),
)  # fmt: skip
