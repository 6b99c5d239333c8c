"""Lesson 10, robust losses at a glance: one line of a method changed, and how hard each example pulls with it.

Thirteen losses race at 40 % symmetric noise, at 40 % pair noise, and at none; beside them cross-entropy that stops in
time, on noisy labels held out. But for the negative rate, which undoes 40 % symmetric noise, they are told the noisy
labels and nothing else, and each stands where the kit's method stands by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch

from nlkit.learning.learner import Method
from nlkit.learning.loss_curves import LossCurve, loss_curve
from nlkit.measures import lead
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


def _of(method: str, option: str = "", **options: object) -> Callable[[float], Method]:
    """A method of the kit whose `option`, if it has one here, is the knob's value."""
    return lambda value: build_method(method, options | ({option: value} if option else {}))


def _told(method: str) -> Callable[[float], Method]:
    """A method that is told the matrix of symmetric noise, whose ratio is the knob's value."""
    return lambda ratio: build_method(method, {"matrix": symmetric_matrix(10, ratio)})


def _average_peer(alpha: float) -> Method:
    """Peer loss, averaged over peers whose labels are spread evenly: a method of the same pull, up to a factor.

    Cross-entropy less `alpha` times its mean over all labels has the target y - alpha / K. Smoothing at the rate
    -alpha / (1 - alpha) has that, divided by 1 - alpha; at alpha = 1 it is LDR at an infinite lambda, without margin.
    """
    if alpha == 1:
        return build_method("ldr", {"lam": "inf", "margin": 0.0, "bounding": "none"})
    return build_method("label_smoothing", {"rate": -alpha / (1 - alpha)})


# Name -> its knob, if it has one, and the method at a value of the knob.
FAMILY: dict[str, tuple[Knob | None, Callable[[float], Method]]] = {
    CE: (None, _of("standard")),
    "MAE": (None, _of("gce", q=1.0)),
    "generalized": (Knob("power q", _SHARES, 0.7), _of("gce", "q")),
    "symmetric": (Knob("alpha", (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0), 0.01), _of("sce", "alpha")),
    "active+passive": (Knob("beta", (0.0, 0.1, 0.3, 1, 3, 10), 10), _of("active_passive", "beta")),
    "LDR": (Knob("lambda", (0.5, 1, 2, 3, 5, 10, 20), 10), _of("ldr", "lam", bounding="none")),
    "soft bootstrap": (Knob("beta", (0.0, *_SHARES), 0.95), _of("bootstrapping", "beta", kind="soft")),
    "hard bootstrap": (Knob("beta", (0.0, *_SHARES), 0.8), _of("bootstrapping", "beta", kind="hard")),
    "smoothing": (Knob("rate", (-2, -1, -0.8, -0.5, *_RATIOS), 0.5), _of("label_smoothing", "rate")),
    "forward": (Knob("noise ratio", _RATIOS, 0.4), _told("forward")),
    "backward": (Knob("noise ratio", _RATIOS, 0.4), _told("backward")),
    "peer loss": (Knob("alpha", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), 1.0), _average_peer),
}


def member(name: str, knob: float | None = None) -> Method:
    """The method behind a loss of `FAMILY`, its knob at a value, or where it usually stands.

    LDR stands without the bounding of scores that it trains with: a bounded score has another pull at every size.
    """
    own, make = FAMILY[name]
    return make(own.usual if knob is None and own else knob or 0.0)


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
    sums = torch.stack([loss_curve(member("MAE"), each).losses.sum() for each in p])
    return (sums.max() - sums.min()).item()


def _negative_rate_is_backward(t: Trial) -> float:
    """Largest distance of the pulls of smoothing at the rate -0.8 from those of backward correction, told 40 %."""
    return (curve("smoothing", -0.8).pulls - curve("backward", 0.4).pulls).abs().max().item()


PAGE = Page(
    title="Robust losses",
    source="Zhang, Sabuncu 2018; Wang et al. 2019; Ma et al. 2020; Patrini et al. 2017; and others",
    finding="Losses that let unlikely labels pull less hold out against symmetric noise, and so does stopping in time; "
    "pair noise is another matter.",
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
        Claim("losses_hold", "At 40 % symmetric noise losses that let unlikely labels pull less keep what "
              "cross-entropy loses.",
              "Zhang, Sabuncu 2018; Wang et al. 2019; Ma et al. 2020", leads(LESS_WHERE_UNLIKELY),
              "last test accuracy less that of cross-entropy, the least of four losses", at_least=0.1, unit="points"),
        Claim("losses_blend", "Targets blended with the network's own belief keep less than 5 points of it.",
              "Reed et al. 2015", leads(BLENDED),
              "last test accuracy less that of cross-entropy, the larger of soft and hard bootstrapping",
              at_most=0.05, unit="points"),
        Claim("losses_stopped", "They end no more than 2 points above the epoch at which cross-entropy is best.",
              "a control", _above_its_best,
              "last test accuracy less the best of cross-entropy, the largest of four losses", at_most=0.02,
              unit="points"),
        Claim("losses_stop_told", "And yet they end above cross-entropy that stops in time on held-out noisy labels.",
              "a control", leads(LESS_WHERE_UNLIKELY, "stopped"),
              "last test accuracy less that of cross-entropy stopped, the least of four losses",
              at_least=0.0, unit="points"),
        Claim("losses_pair", "Under pair noise generalized cross-entropy gains less than half of what it does "
              "under symmetric noise.", "measured here",
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
