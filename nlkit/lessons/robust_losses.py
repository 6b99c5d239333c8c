"""Lesson 10, robust losses at a glance: one line of a method changed, and how hard each example pulls with it.

Thirteen losses, told nothing but the noisy labels, race at 40 % symmetric noise, at 40 % pair noise, and at none; and
beside them cross-entropy that stops in time, on noisy labels held out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch

from nlkit.learning.learner import Method
from nlkit.learning.loss_curves import LossCurve, loss_curve
from nlkit.measures import end, lead
from nlkit.noise.matrices import symmetric_matrix
from nlkit.page import Claim, Page, Trial
from nlkit.papers import build_method
from nlkit.randomness import seeded_generator

GIVEN = torch.cat([torch.logspace(-3, -1.3, 8), torch.linspace(0.08, 0.98, 25)]).double()  # where curves have points
CE = "cross-entropy"


class Knob(NamedTuple):
    """The one number of a loss that a slider moves."""

    name: str
    steps: tuple[float, ...]
    usual: float


_SHARES = tuple(each / 20 for each in range(1, 21))
_RATIOS = (0.0, *_SHARES[:17])


def _matrix(ratio: float) -> dict[str, object]:
    return {"matrix": symmetric_matrix(10, ratio)}


# Name -> method, its knob if it has one, and the options of the method at a value of the knob.
FAMILY: dict[str, tuple[str, Knob | None, Callable[[float], dict[str, object]]]] = {
    CE: ("standard", None, lambda _: {}),
    "generalized": ("gce", Knob("q", _SHARES, 0.7), lambda q: {"q": q}),
    "symmetric": ("sce", Knob("alpha", (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0), 0.01), lambda a: {"alpha": a}),
    "active+passive": ("active_passive", Knob("beta", (0.0, 0.1, 0.3, 1, 3, 10), 10), lambda beta: {"beta": beta}),
    "soft bootstrap": ("bootstrapping", Knob("beta", (0.0, *_SHARES), 0.95), lambda b: {"kind": "soft", "beta": b}),
    "hard bootstrap": ("bootstrapping", Knob("beta", (0.0, *_SHARES), 0.8), lambda b: {"kind": "hard", "beta": b}),
    "smoothing": ("label_smoothing", Knob("rate", (-2, -1, -0.8, -0.5, *_RATIOS), 0.5), lambda rate: {"rate": rate}),
    "forward": ("forward", Knob("noise ratio", _RATIOS, 0.4), _matrix),
    "backward": ("backward", Knob("noise ratio", _RATIOS, 0.4), _matrix),
    "LDR": ("ldr", Knob("lambda", (0.5, 1, 2, 3, 5, 10, 20), 10), lambda lam: {"lam": lam, "bounding": "none"}),
}


def member(name: str, knob: float | None = None) -> Method:
    """The method behind a loss of `FAMILY`, its knob at a value, or where it usually stands."""
    method, own, options = FAMILY[name]
    return build_method(method, options(own.usual if knob is None and own else knob or 0.0))


def curve(name: str, knob: float | None = None, rest: str = "spread over the others") -> LossCurve:
    """Its curve at `GIVEN`, scaled so that the hardest pull is 1: to Adam a loss and a multiple of it are the same."""
    found = loss_curve(member(name, knob), GIVEN, rest=rest)
    scale = found.pulls.abs().max()
    return LossCurve(found.given, (found.losses - found.losses[-1]) / scale, found.pulls / scale)


NOISES: dict[str, dict[str, object]] = {"symmetric": {}, "pair": {"noise": "pair"}, "none": {"ratio": 0.0}}
LESS_WHERE_UNLIKELY = ("MAE", "generalized", "symmetric", "active+passive")  # pull less where the label is unlikely
BLENDED = ("soft bootstrap", "hard bootstrap")
_COMMON = {"ratio": 0.4, "clean_per_class": 0, "epochs": 30, "learning_rate": 1e-3}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    for noise in NOISES.values():
        yield from ((name, noise) for name in PAGE.variants)


def leads(names: tuple[str, ...], over: str = CE, **noise: object) -> Callable[[Trial], list[float]]:
    """By how much each of these losses ends above another variant: test accuracy, one number a loss."""
    return lambda t: [lead(name, over, both=noise)(t) for name in names]  # type: ignore[misc]


def _above_its_best(t: Trial) -> list[float]:
    """How far each of `LESS_WHERE_UNLIKELY` ends above the best epoch of cross-entropy."""
    return [t.run(name).final - t.run(CE).best for name in LESS_WHERE_UNLIKELY]


def _sums_over_labels(t: Trial) -> float:
    """How far the losses of one prediction, summed over all labels, lie apart: mean absolute error, 200 predictions."""
    p = (3 * torch.randn(200, 10, generator=seeded_generator(t.seed, "predictions")).double()).softmax(1)
    sums = torch.stack([loss_curve(member("generalized", 1.0), each).losses.sum() for each in p])
    return (sums.max() - sums.min()).item()


def _negative_rate_is_backward(t: Trial) -> float:
    """Largest distance of the pulls of smoothing at the rate -0.8 from those of backward correction, told 40 %."""
    return (curve("smoothing", -0.8).pulls - curve("backward", 0.4).pulls).abs().max().item()


PAGE = Page(
    title="Robust losses",
    source="Zhang, Sabuncu 2018; Wang et al. 2019; Ma et al. 2020; Patrini et al. 2017; and others",
    finding="Losses that let unlikely labels pull less hold out against symmetric noise, and so does stopping in time; pair "
    "noise is another matter.",
    variants={
        CE: {**_COMMON, "method": "standard"},
        "MAE": {**_COMMON, "method": "gce", "q": 1.0},
        "generalized": {**_COMMON, "method": "gce"},
        "symmetric": {**_COMMON, "method": "sce"},
        "active+passive": {**_COMMON, "method": "active_passive"},
        "LDR": {**_COMMON, "method": "ldr"},
        "soft bootstrap": {**_COMMON, "method": "bootstrapping", "kind": "soft"},
        "hard bootstrap": {**_COMMON, "method": "bootstrapping"},
        "smoothing": {**_COMMON, "method": "label_smoothing"},
        "negative rate": {**_COMMON, "method": "label_smoothing", "rate": -0.8},
        "forward": {**_COMMON, "method": "forward"},
        "backward": {**_COMMON, "method": "backward"},
        "peer loss": {**_COMMON, "method": "peer_loss"},
        "stopped": {**_COMMON, "method": "early_stopping"},
    },
    grid=_grid,
    keep=("memorized",),
    tiny={"epochs": 1},
    claims=(
        Claim("losses_hold", "At 40 % symmetric noise losses that let unlikely labels pull less keep what cross-entropy loses.",
              "Zhang, Sabuncu 2018; Wang et al. 2019; Ma et al. 2020", leads(LESS_WHERE_UNLIKELY),
              "last test accuracy less that of cross-entropy, the least of four losses", at_least=0.1, unit="points"),
        Claim("losses_blend", "Targets blended with the network's own belief keep less than 5 points of it.",
              "Reed et al. 2015", leads(BLENDED),
              "last test accuracy less that of cross-entropy, the larger of soft and hard bootstrapping",
              at_most=0.05, unit="points"),
        Claim("losses_stopped", "They end no more than 2 points above the epoch at which cross-entropy is best.",
              "a control", _above_its_best,
              "last test accuracy less the best of cross-entropy, the largest of four losses", at_most=0.02, unit="points"),
        Claim("losses_stop_told", "And yet they end above cross-entropy that stops in time on held-out noisy labels.",
              "a control", leads(LESS_WHERE_UNLIKELY, "stopped"),
              "last test accuracy less that of cross-entropy stopped, the least of four losses",
              at_least=0.0, unit="points"),
        Claim("losses_pair", "Under pair noise generalized cross-entropy gains less than half of what it does under symmetric noise.",
              "measured here",
              lambda t: leads(("generalized",))(t)[0] / 2 - leads(("generalized",), noise="pair")(t)[0],
              "half of its lead under symmetric noise, less its lead under pair noise", at_least=0.0, unit="points"),
        Claim("losses_matrix", "There an estimated transition matrix in front of cross-entropy (forward) gains more.",
              "Patrini et al. 2017", lead("forward", "generalized", both={"noise": "pair"}),
              "last test accuracy, forward correction less generalized cross-entropy, pair noise",
              at_least=0.05, unit="points"),
        Claim("losses_free", "Without noise, they cost less than a point.", "measured here",
              leads(LESS_WHERE_UNLIKELY, ratio=0.0),
              "last test accuracy less that of cross-entropy, the least of four losses, no noise",
              at_least=-0.01, unit="points"),
        Claim("losses_constant", "Summed over all labels, the mean absolute error is the same whatever is predicted.",
              "Ghosh, Kumar, Sastry 2017", _sums_over_labels, "largest less smallest sum", at_most=1e-9, unit=""),
        Claim("losses_same", "Label smoothing by a negative rate is backward correction of symmetric noise.",
              "Wei et al. 2022", _negative_rate_is_backward, "largest distance of their pulls", at_most=1e-6, unit=""),
    ),
)  # fmt: skip
