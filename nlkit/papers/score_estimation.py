"""Learning the score of a diffusion model is a regression on noisy labels, and is to be stopped early like any other.

    Han, Razaviyayn, Xu: Neural network-based score estimation in diffusion models: optimization and generalization.
    ICLR 2024, arXiv:2401.15604.

    X_t = α X₀ + √h ε,  α = e^(-t/2),  h = 1 - e^(-t),  ε ~ N(0, I)
    ∇ log p_t(x) = (α f*(t, x) - x) / h,  f*(t, x) = E[X₀ | X_t = x]
    h²/α² E‖s - ∇ log p_t‖² = E‖f - f*‖² = E‖f(t, X_t) - X₀‖² - E‖f* - X₀‖²      for s = (α f - x)/h

So X₀ is the label of the input (t, X_t), right on average only. n examples (t_j, X_j, X_{0,j}), one draw of noise each,
t_j ~ U[T₀, T]; a network of two layers, the first one trained by gradient descent on all examples. If it is wide, its
course is that of a kernel, and a rule says when to stop (`nlkit/learning/tangent_kernel.py`).

What differs. The paper proves; its version of 2024 has no experiment, and it was read in part (abstracts, summaries):
no rate of it is compared here. The population is one whose f* is known, a mixture of three Gaussians, one a species of
iris (`nlkit/data/petals.py`). A constant 1 in the input and neurons in pairs of opposite sign are ours; so are the
controls: fresh noise in each step, and digits made by a diffusion model (`nlkit/papers/score_estimation_digits.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlkit.data.petals import START, Examples, draw_examples, inputs, noised
from nlkit.learning.tangent_kernel import MOST_STEPS, KernelPath, TwoLayers, stopping_step
from nlkit.page import Claim, Page, Trial
from nlkit.papers.score_estimation_digits import FRESH, ONCE, DigitScores
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

TESTED, LOOKS = 2000, 60  # inputs on which the error is taken; records up to 20,000 steps
KERNEL, NETWORK, FRESH_NETWORK = "kernel", "network", "fresh noise"
Score = Callable[[Tensor], Tensor]  # inputs (N, d + 2) -> (N, d)


def error(score: Score, test: Examples) -> float:
    """E‖f - f*‖² over the inputs of `test`: against what is expected, not against labels."""
    return (score(test.z) - test.expected).square().sum(1).mean().item()


@dataclass(frozen=True)
class Regression:
    """A network or its kernel learns what X₀ to expect. A record is the next of some 60 steps, at equal factors.

    In its `numbers`: "step"; "error" E‖f - f*‖², "best" the lowest so far and "best_step"; "training", the mean squared
    error on the labels; "stop", the step at which the rule stops, and "at_rule", the error there (NaN before it);
    "zero", the error of always 0; "noise_share", the share of the labels' variance that is noise; and "gap", of a
    network, the root mean squared difference from its kernel at the same step.
    """

    by: str = setting(NETWORK, "what learns", choices=(KERNEL, NETWORK, FRESH_NETWORK))
    horizon: float = setting(2.0, "T: noise up to this time", low=0.5, high=4.0, knob=True)
    count: int = setting(200, "n: examples", low=30, high=800, knob=True, log=True)
    width: int = setting(512, "m: neurons, an even number", low=32, high=4096, knob=True, log=True)
    steps: int = setting(2000, "gradient steps", low=1, high=20_000, knob=True, log=True)
    dimension: int = setting(1, "d: petal length, or length and width", choices=(1, 2), knob=True)
    record_every: int = setting(1, "looks from one record to the next", low=1, high=1000)
    seed: int = setting(0, "decides flowers, noise and initial weights", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        object.__setattr__(self, "width", self.width + self.width % 2)  # a slider need not know of pairs

    @property
    def looks(self) -> list[int]:
        """The steps after which there is a look."""
        points = {round(20_000 ** (k / (LOOKS - 1))) for k in range(LOOKS)}
        return sorted({step for step in points if step < self.steps} | {self.steps})

    @property
    def epochs(self) -> int:
        return -(-len(self.looks) // self.record_every)

    def examples(self, count: int = 0, purpose: str = "examples") -> Examples:
        return draw_examples(count or self.count, self.dimension, self.horizon, self.seed, purpose)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        given, test = self.examples(), self.examples(TESTED, "test")
        path, noise = KernelPath(given.z, given.labels), (test.labels - test.expected).square().mean().item()
        total = (test.labels - test.labels.mean(0)).square().mean().item()
        stop = min(stopping_step(path.eigenvalues, math.sqrt(noise), path.rate), MOST_STEPS)
        fixed = {"stop": float(stop), "zero": error(lambda z: torch.zeros(len(z), self.dimension), test)}
        fixed["noise_share"] = noise / total
        lowest, best_step, at_rule, looks = math.inf, 0, fixed["zero"] if not stop else math.nan, self.looks
        for step, score in self.course(given, path, sorted({*looks, min(max(stop, 1), self.steps)})):
            now = error(score, test)
            lowest, best_step = min((lowest, best_step), (now, step))
            at_rule = now if step == stop else at_rule
            if step not in looks or ((look := looks.index(step) + 1) % self.record_every and step < self.steps):
                continue
            off = (score(given.z) - given.labels).square().sum(1).mean().item()
            numbers = {"step": float(step), "error": now, "best": lowest, "best_step": float(best_step)}
            numbers |= {"training": off, "at_rule": at_rule} | fixed
            if self.by == NETWORK:
                apart = score(test.z) - path(test.z, step)
                numbers["gap"] = apart.square().sum(1).mean().sqrt().item()
            shown = {"examples": given, "score": score, "horizon": self.horizon, "test": test}
            yield Measured(-(-look // self.record_every), numbers, shown)

    def course(self, given: Examples, path: KernelPath, looks: Sequence[int]) -> Iterator[tuple[int, Score]]:
        """(step, what it has learned by then), at each of the looks."""
        if self.by == KERNEL:
            yield from ((step, lambda z, step=step: path(z, step)) for step in looks)
            return
        network, step = TwoLayers(self.dimension + 2, self.dimension, self.width, self.seed), 0
        z, labels, generator = given.z.float(), given.labels.float(), seeded_generator(self.seed, "fresh noise")
        for look in looks:
            while step < look:
                if self.by == FRESH_NETWORK:
                    t = START + (self.horizon - START) * torch.rand(self.count, 1, generator=generator)
                    z = inputs(noised(labels, t, torch.randn(labels.shape, generator=generator)), t)
                network.descend(z, labels, path.rate)
                step += 1
            frozen = network.copy()
            yield look, lambda z, frozen=frozen: frozen(z.float()).double()  # type: ignore[misc]


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """What is learned beside what is expected, and the error by step."""
    from nlkit.plots.scores import score_and_error

    return score_and_error(records, tuple(PAGE.variants))


LAST: dict[str, Any] = {"record_every": 1000}  # one record, at the end
LONG: dict[str, Any] = {"steps": 20_000}
SOME: dict[str, Any] = {"steps": 5_000}
NARROW: dict[str, Any] = {"width": 64, "count": 100}
WIDE: dict[str, Any] = {"width": 4096, "count": 100}
DIGITS_ONCE, DIGITS_FRESH = "digits, one draw", "digits, fresh noise"


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((KERNEL, {"count": n, "dimension": d, **LONG, **LAST}) for d in (1, 2) for n in (50, 200, 800))
    yield from ((KERNEL, {"horizon": T, **LONG, **LAST}) for T in (0.5, 1.0, 4.0))
    yield from ((by, {**SOME, **LAST}) for by in (NETWORK, FRESH_NETWORK))
    yield from ((by, {}) for by in PAGE.variants)
    yield from ((NETWORK, {**width, "steps": steps, **LAST}) for width in (NARROW, WIDE) for steps in (100, 2000))
    yield from ((digits, {"count": n}) for digits in (DIGITS_ONCE, DIGITS_FRESH) for n in (200, 1000, 4000))


def at(t: Trial, by: str, number: str, **changes: Any) -> float:
    """A number at the end."""
    return t.run(by, **changes, **LAST).last(number)


def over(t: Trial, upper: str, lower: str, **changes: Any) -> list[float]:
    """One number of the kernel over another after 20,000 steps, d = 1 and 2."""
    runs = [t.run(KERNEL, dimension=d, count=200, **changes, **LONG, **LAST) for d in (1, 2)]
    return [run.last(upper) / run.last(lower) for run in runs]


def more(t: Trial) -> list[float]:
    """The best error with 50 examples over that with 800."""
    few, many = ([at(t, KERNEL, "best", count=n, dimension=d, **LONG) for d in (1, 2)] for n in (50, 800))
    return [a / b for a, b in zip(few, many)]


def digits(t: Trial, which: str, count: int, upper: str = "energy", lower: str = "best") -> float:
    run = t.run(which, count=count)
    return run.last(upper) / run.last(lower)


THEORY, OURS = "the paper's theorem", "a control that the paper leaves out"
X: dict[str, Any] = {"unit": "x"}
PAGE = Page(
    title="The score of a diffusion model: a regression on noisy labels",
    source="Han, Razaviyayn, Xu, ICLR 2024, arXiv:2401.15604",
    finding="Flawless data are noisy labels to a diffusion model: with one draw of noise it must be stopped early, "
    "with fresh noise it need not.",
    variants={by: {"by": by} for by in (NETWORK, KERNEL, FRESH_NETWORK)},
    besides={DIGITS_ONCE: (DigitScores, {"noise": ONCE}), DIGITS_FRESH: (DigitScores, {"noise": FRESH})},
    headline="error", experiment=Regression, picture=draw, grid=_grid, needs=("package:scikit-learn",),
    tiny={"steps": 10, "width": 32, "count": 30},
    claims=(
        Claim("score_estimation_noise", "Trained on, the kernel learns the noise of its labels by heart.", THEORY,
              lambda t: over(t, "error", "best"), "error to f* after 20,000 steps over the lowest, d = 1 and 2",
              at_least=3.0, **X),
        Claim("score_estimation_more", "Stopped in time, more examples give a better score.", THEORY, more,
              "lowest error, 50 examples over 800, d = 1 and 2", at_least=2.0, **X),
        Claim("score_estimation_width", "Early on, a wide network follows its kernel.", THEORY,
              lambda t: at(t, NETWORK, "gap", **NARROW, steps=100) / at(t, NETWORK, "gap", **WIDE, steps=100),
              "gap at step 100, 64 neurons over 4,096 (√64 = 8 predicted)", at_least=4.0, **X),
        Claim("score_estimation_late", "It still does after 2,000 steps.", OURS,
              lambda t: at(t, NETWORK, "gap", **NARROW, steps=2000) / at(t, NETWORK, "gap", **WIDE, steps=2000),
              "the same at step 2,000", at_least=4.0, why="By then the weights have left their start, and the kernel "
              "with it; the network learns less noise by heart than the kernel.", **X),
        Claim("score_estimation_rule", "The rule stops where the error is at most twice the lowest.", THEORY,
              lambda t: over(t, "at_rule", "best"), "error at its stop over the lowest, d = 1 and 2", at_most=2.0,
              why="It stops 10 to 20 times too soon: its constants are those of a worst case, and it has one σ for "
              "noise that grows with t.", **X),
        Claim("score_estimation_prudent", "It at least halves the error of training on.", THEORY,
              lambda t: over(t, "at_rule", "error"), "error at its stop over that after 20,000 steps, d = 1 and 2",
              at_most=0.5, **X),
        Claim("score_estimation_fresh", "With fresh noise in each step nothing is left to be stopped.", OURS,
              lambda t: at(t, FRESH_NETWORK, "error", **SOME) / at(t, NETWORK, "best", **SOME),
              "error after 5,000 steps, over the lowest with one draw of noise", at_most=0.5, **X),
        Claim("score_estimation_digits", "Digits made by a diffusion model get worse if it trains on.", OURS,
              lambda t: digits(t, DIGITS_ONCE, 1000), "energy distance after 1,500 steps over the lowest, 1,000 digits",
              at_least=3.0, **X),
        Claim("score_estimation_copies", "With fresh noise it makes digits that it knows.", OURS,
              lambda t: t.run(DIGITS_FRESH, count=200).last("nearer"), "share of made digits that are nearer to one "
              "of 200 learned from than to any of 200 others (½: no copying)", at_least=0.75),
    ),
)  # fmt: skip
