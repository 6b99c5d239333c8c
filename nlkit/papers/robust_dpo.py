"""Robust DPO: a loss for preferences some of which are turned round, whose mean over the flips is the clean one.

    Ray Chowdhury, Kini, Natarajan: Provably robust DPO: aligning language models with noisy feedback. ICML 2024,
    PMLR 235, arXiv:2403.00409.

A policy π_θ answers x; a reference π_ref is what it was before. Of a pair, w is said to be preferred to l. β > 0, and

    h   = β [log π_θ(w|x) / π_ref(w|x) - log π_θ(l|x) / π_ref(l|x)]                          the margin of the pair
    DPO   -log σ(h)
    cDPO  (1-ε) (-log σ(h)) + ε (-log σ(-h))              = DPO + ε h                        label smoothing
    rDPO  [(1-ε) (-log σ(h)) - ε (-log σ(-h))] / (1-2ε)   = DPO - ε/(1-2ε) h

ε in [0, ½) is the flip rate: each preference is turned round with that probability. Over the flips, rDPO is on average
DPO on the pairs as they were. Its pull σ(-h) + ε/(1-2ε) never falls below ε/(1-2ε): rDPO of a pair has no lower bound.
Compared with IPO (Azar et al., arXiv:2310.12036) and the hinge of SLiC (Zhao et al., arXiv:2305.10425).
What differs: the paper's policies write texts (IMDb; Anthropic's HH; β = 0.1, 1,000 steps of 16 pairs); here one names
digits, so that its reward can be computed: P(true name), the mean over the answers that it would draw. The paper's
theorem has log-linear policies with ‖θ‖ ≤ B; `nlkit.learning.preferences.fit_linear` bounds each |θ_j| instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice
from nlkit.data.load import DATASETS, load
from nlkit.data.preferences import NETWORKS, check_flip_rate, naming_task
from nlkit.learning.devices import pick_device
from nlkit.learning.preferences import from_the_truth, learn, margins, worth
from nlkit.measures import lead
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured, Recorded, Step
from nlkit.settings import check_settings, setting


def dpo(h: Tensor) -> Tensor:
    """The loss (N,) of margins h (N,)."""
    return -F.logsigmoid(h)


def cdpo(h: Tensor, epsilon: float) -> Tensor:
    """As `dpo`, its labels smoothed. Raises a ValueError for a flip rate outside [0, ½)."""
    check_flip_rate("epsilon", epsilon)
    return (1 - epsilon) * dpo(h) + epsilon * dpo(-h)


def rdpo(h: Tensor, epsilon: float) -> Tensor:
    """As `dpo` on average over flips; a single loss may be negative. Raises a ValueError as `cdpo` does."""
    check_flip_rate("epsilon", epsilon)
    return ((1 - epsilon) * dpo(h) - epsilon * dpo(-h)) / (1 - 2 * epsilon)


LOSSES = {
    "dpo": lambda h, epsilon, beta: dpo(h),
    "rdpo": lambda h, epsilon, beta: rdpo(h, epsilon),
    "cdpo": lambda h, epsilon, beta: cdpo(h, epsilon),
    "ipo": lambda h, epsilon, beta: (h / beta - 1 / (2 * beta)) ** 2,
    "slic": lambda h, epsilon, beta: F.relu(1 - h),
}


def resting_margin(loss: str, epsilon: float, told: float) -> float:
    """Where a loss that is told a flip rate, on average over flips at rate ε, no longer pulls the margin of a pair.

    Of a pair in its right order. Infinite where it is pulled for ever: by rDPO, unless it is told too little.
    """
    if check_choice("loss", loss, LOSSES) in ("ipo", "slic"):
        return (1 - 2 * epsilon) / 2 if loss == "ipo" else 1.0
    smoothed = (1 - epsilon) * told + epsilon * (1 - told)
    wrong = {"dpo": epsilon, "cdpo": smoothed, "rdpo": (epsilon - told) / (1 - 2 * told)}[loss]
    return math.log((1 - wrong) / wrong) if wrong > 0 else math.inf  # of (1 - wrong) (-log σ(h)) + wrong (-log σ(-h))


@dataclass(frozen=True)
class Preferences:
    """A policy that names digits learns from preferences: image, name said to be better, name said to be worse."""

    loss: str = setting("rdpo", "Loss", choices=tuple(LOSSES))
    flip_rate: float = setting(0.3, "ε: share of the preferences turned round", low=0, high=0.45, knob=True)
    told_off: float = setting(0.0, "ε that the loss is told, minus the true one", low=-0.45, high=0.45, knob=True)
    beta: float = setting(0.5, "β: the smaller, the further from the reference", low=0.01, high=1, knob=True, log=True)
    labelled: int = setting(5, "Labelled images per class, for the reference", low=1, high=50, knob=True)
    pairs: int = setting(4000, "Preferences", low=500, high=8000, knob=True)
    epochs: int = setting(8, "Passes through the preferences", low=1, high=30, knob=True)
    network: str = setting("linear", "Linear in the pixels, or with 64 hidden units", choices=NETWORKS, knob=True)
    data: str = setting("mnist5k", "Data set", choices=DATASETS)
    batch_size: int = setting(64, "Preferences a step", low=1)
    learning_rate: float = setting(1e-3, "Adam's", low=1e-6, high=1)
    device: str = setting("auto", "Where to compute")
    seed: int = setting(0, "Decides all that is drawn", low=0)

    kept = ("reward", "greedy", "margin", "reference")

    def __post_init__(self):
        check_settings(self)
        pick_device(self.device)
        check_flip_rate(f"told_off={self.told_off}: flip_rate + told_off", self.told)

    @property
    def told(self) -> float:
        """The flip rate that the loss is told."""
        return round(self.flip_rate + self.told_off, 12)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        data = load(self.data, device=pick_device(self.device))
        task = naming_task(data, self.network, self.labelled, self.pairs, self.flip_rate, self.seed)
        loss, rest = LOSSES[self.loss], resting_margin(self.loss, self.flip_rate, self.told)
        how: dict[str, Any] = {n: getattr(self, n) for n in ("beta", "epochs", "batch_size", "learning_rate", "seed")}
        before, epoch = worth(task.reference(data.test_images), data.test_labels)[0], 0
        for done in learn(task, lambda h: loss(h, self.told, self.beta), **how):
            if not isinstance(done, Step):
                with torch.no_grad():
                    h = margins(done(task.images).log_softmax(1), task.log_reference, *task.pairs[1:3], self.beta)
                    reward, greedy = worth(done(data.test_images), data.test_labels)
                numbers = {"reward": reward, "greedy": greedy, "margin": h.abs().mean().item(), "reference": before}
                shown = {"margins": h.cpu().numpy(), "flipped": task.pairs.flipped.cpu().numpy(), "rest": rest}
                yield Measured(epoch := epoch + 1, numbers, shown)
            elif steps:
                yield done


SIZES, BETAS = (1_000, 3_000, 10_000, 30_000), (0.5, 0.25, 0.1, 0.05, 0.02, 0.01)  # SIZES: pairs of the known truth


def known_truth(loss: str, flip_rate: float, seed: int) -> numpy.ndarray:
    """‖θ̂ - θ*‖ and the cosine of the two, (2, sizes), for each of `SIZES`, where people prefer as the theory says."""
    return from_the_truth(LOSSES[loss], SIZES, flip_rate, seed)


def _slope(errors: numpy.ndarray) -> float:
    return float(numpy.polyfit(numpy.log(SIZES), numpy.log(errors), 1)[0])


def _tuned(t: Trial, loss: str) -> float:
    return max(t.run(loss, beta=beta).last("reward") for beta in BETAS)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((loss, {}) for loss in LOSSES)
    yield from ((loss, {"beta": beta}) for loss in ("dpo", "rdpo") for beta in BETAS[1:])
    yield from ((loss, {"flip_rate": rate}) for loss in ("dpo", "cdpo", "rdpo") for rate in (0.1, 0.2, 0.4))
    yield from (("rdpo", {"told_off": off}) for off in (-0.2, -0.1, 0.1))
    yield from ((loss, {"epochs": 30}) for loss in ("dpo", "rdpo"))
    yield "dpo", {"flip_rate": 0.0}


def _picture(runs: Mapping[str, Sequence[Recorded]]) -> Any:
    from nlkit.plots.margins import preference_margins

    return preference_margins(runs, tuple(LOSSES))


OURS, PAPER = "this page", "Ray Chowdhury et al. 2024"
PAGE = Page(
    title="Robust DPO: preferences, some of them turned round",
    source="Ray Chowdhury, Kini, Natarajan. ICML 2024, arXiv:2403.00409",
    finding="Told the rate, rDPO undoes what flips do to DPO. A smaller β, which needs no telling, does as well here.",
    variants={loss: {"loss": loss} for loss in LOSSES},
    headline="reward", experiment=Preferences, picture=_picture,
    grid=_grid, seeds=tuple(range(10)), tiny={"pairs": 500, "epochs": 2},
    claims=(
        Claim("robust_dpo_rate", "At 30 % flips rDPO's error falls as one over the root of the number of preferences.",
              PAPER, lambda t: _slope(known_truth("rdpo", 0.3, t.seed)[0]),
              "known truth: slope of log ‖θ̂ - θ*‖ over log n, from 1,000 to 30,000 preferences",
              at_least=-0.65, at_most=-0.35, unit="", published="-0.5"),
        Claim("robust_dpo_floor", "DPO's error does not fall: more preferences don't help it.",
              OURS, lambda t: float(known_truth("dpo", 0.3, t.seed)[0][-1] / known_truth("dpo", 0.3, t.seed)[0][0] - 1),
              "known truth: change of DPO's ‖θ̂ - θ*‖ from 1,000 to 30,000 preferences", at_least=-0.05, at_most=0.05),
        Claim("robust_dpo_direction", "Yet DPO and rDPO find the same direction: flips cost DPO its confidence.",
              OURS, lambda t: abs(known_truth("dpo", 0.3, t.seed)[1] - known_truth("rdpo", 0.3, t.seed)[1]).tolist(),
              "known truth: difference of their cosines to θ*, for four numbers of preferences", at_most=0.01, unit=""),
        Claim("robust_dpo_beats_dpo", "At 30 % flips, with one β for all, rDPO gets more reward than DPO.",
              PAPER, lead("rdpo", "dpo", "reward"), "digits, β = 0.5: reward of rDPO minus that of DPO",
              at_least=0, unit="points"),
        Claim("robust_dpo_smoothing_hurts",
              "At 30 % flips, with one β for all, smoothed labels (cDPO) get less reward than plain DPO.",
              PAPER, lead("dpo", "cdpo", "reward"), "digits, β = 0.5: reward of DPO minus that of cDPO",
              at_least=0, unit="points"),
        Claim("robust_dpo_beats_tuned_dpo", "Also where each has its best β, rDPO gets more reward than DPO.",
              OURS, lambda t: _tuned(t, "rdpo") - _tuned(t, "dpo"),
              "digits, the best of six β for each: reward of rDPO minus that of DPO", at_least=0.02, unit="points",
              why="Chance flips shrink DPO's margins and leave their order. A smaller β stretches them again."),
        Claim("robust_dpo_grows", "Trained for longer, rDPO's margins go on growing.",
              OURS, lambda t: t.run("rdpo", epochs=30).last("margin") / t.run("rdpo").last("margin"),
              "digits: mean |margin| after 30 epochs over that after 8", at_least=1.5, unit="x"),
        Claim("robust_dpo_falls", "And rDPO's reward falls from its best: unbiased is not safe.",
              OURS, lambda t: t.run("rdpo", epochs=30).highest("reward") - t.run("rdpo", epochs=30).last("reward"),
              "digits, 30 epochs: best reward of rDPO minus the last", at_least=0.02, unit="points"),
    ),
)  # fmt: skip
