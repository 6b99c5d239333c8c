"""Ambient diffusion: noisy images teach a diffusion model the coarse part, and a few clean ones the fine part.

    Daras, Cherapanamjeri, Daskalakis: How much is a noisy image worth? Data scaling laws for ambient diffusion. ICLR
    2025, arXiv:2411.02780; the authors' program is github.com/giannisdaras/ambient-laws.

    data: y = x₀ + σₙ ε', drawn once; σₙ = 0 for clean ones          (N digits, a share of them noisy)
    ln σ ~ N(-1.2, 1.2²), then σ ← max(σ, σₙ);   x = y + √(σ² - σₙ²) ε
    E[y | x] = (1 - σₙ²/σ²) E[x₀ | x] + (σₙ²/σ²) x                    (Tweedie's formula, twice)
    loss = w(σ) ‖(1 - σₙ²/σ²) D(x, σ) + (σₙ²/σ²) x - y‖²,  w(σ) = (σ² + ½²)/(σ/2)²

Its minimum is D = E[x₀ | x] for all σ > σₙ, although nobody has seen x₀. Loss, network and sampler are those of
`nlkit/learning/diffusion.py`. What a noisy image is worth where one can compute it: `ambient_diffusion_price`.

What differs: the authors train on CIFAR-10, CelebA and ImageNet; here it is digits in 16 principal components, a small
network, and 1,800 steps for every arm. Quality is a Fréchet distance as theirs, of features of a small classifier. Read
were abstract, program and its table; their consistency loss, off by default, is left out. The arm that takes noisy
digits for clean ones is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlkit.data.digit_components import digit_components
from nlkit.learning.diffusion import energy_distance, learn, new_denoiser, sample
from nlkit.learning.frechet import FEATURES, DigitFeatures, frechet_distance
from nlkit.page import Claim, Page, Trial
from nlkit.papers.ambient_diffusion_price import Price
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

DIMENSION, MADE, FIRST, LOOK = 16, 1000, 50, 300  # components; samples that are measured; steps to looks
ALL_CLEAN, FEW, NOISY, MIX, NAIVE = "all clean", "few clean", "all noisy", "mix", "mix, naive"
ARMS = (MIX, FEW, NOISY, ALL_CLEAN, NAIVE)


@dataclass(frozen=True)
class Ambient:
    """A diffusion model learns from digits of which some are noisy. A record at step 50, and every 300.

    In its `numbers`: "step"; of 1,000 samples "frechet", the Fréchet distance to 1,000 test digits, "best", its lowest
    so far, and "energy", their energy distance in components; the Fréchet distances of the digits that it learns from,
    "given" (33 or more), and of all clean training digits, "floor"; how many digits are "clean" and "noisy".
    """

    learns: str = setting(MIX, "from what", choices=ARMS)
    ratio: float = setting(0.95, "share of the digits that is noisy", low=0.0, high=1.0, knob=True)
    strength: float = setting(0.3, "σₙ: their noise (a coordinate varies by 0.5)", low=0.0, high=0.6, knob=True)
    count: int = setting(4000, "N: digits, clean and noisy", low=100, high=4000, knob=True, log=True)
    steps: int = setting(1800, "training steps", low=50, high=3000, knob=True, log=True)
    seed: int = setting(0, "decides digits, noise, initial weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.clean and self.learns == FEW:
            raise ValueError(f"ratio={self.ratio} must leave a clean digit of {self.count} where few clean ones are "
                             "all that is learned from")  # fmt: skip

    @property
    def clean(self) -> int:
        """How many of the N digits are clean."""
        return self.count - round(self.ratio * self.count)

    @property
    def looks(self) -> list[int]:
        """The steps after which there is a record."""
        return sorted({step for step in (FIRST, *range(LOOK, self.steps, LOOK)) if step < self.steps} | {self.steps})

    @property
    def epochs(self) -> int:
        return len(self.looks)

    def data(self) -> tuple[Tensor, Tensor]:
        """(n, 16) what there is to learn from, and (n,) the strength of the noise that is in each, truly."""
        digits = digit_components(DIMENSION).some(self.count, self.seed)
        drawn = torch.randn(digits.shape, generator=seeded_generator(self.seed, "noise of digits"))
        clean = {ALL_CLEAN: self.count, NOISY: 0}.get(self.learns, self.clean)
        had = torch.where(torch.arange(self.count) < clean, 0.0, self.strength)
        noisy = digits + had[:, None] * drawn  # once: y never changes
        return (noisy[:clean], had[:clean]) if self.learns == FEW else (noisy, had)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        world, (given, had), features = digit_components(DIMENSION), self.data(), DigitFeatures()
        test = features(world.test)
        clean = int((had == 0).sum())
        fixed = {"clean": float(clean), "noisy": float(len(had) - clean), "best": float("inf")}
        compared = {"floor": world.train} | ({"given": given} if len(given) > FEATURES else {})
        fixed |= {name: frechet_distance(features(x), test) for name, x in compared.items()}
        learning = learn(
            new_denoiser(DIMENSION, self.seed), given, steps=self.steps, seed=self.seed,
            had=None if self.learns == NAIVE else had,
        )  # fmt: skip
        epoch, looks = 0, self.looks
        for step, (_, average) in enumerate(learning, start=1):
            if step != looks[epoch]:
                continue
            epoch += 1
            made = sample(average, MADE, DIMENSION, seeded_generator(self.seed, "samples"))
            numbers = {"step": float(step), "frechet": frechet_distance(features(made), test)}
            fixed["best"] = min(fixed["best"], numbers["frechet"])
            numbers["energy"] = energy_distance(made, world.test)
            spoiled = given[had > 0] if clean < len(had) else given
            shown: dict[str, Any] = {"made": world.images(made[:8]), "given": world.images(spoiled[:8])}
            shown |= {"real": world.images(world.test[50::125]), "denoise": average}
            yield Measured(epoch, numbers | fixed, shown)


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Made digits beside real and noisy ones, and the Fréchet distance by step."""
    from nlkit.plots.generated import made_and_distance

    return made_and_distance(records, tuple(PAGE.variants))


MORE_CLEAN: dict[str, Any] = {"ratio": 0.9}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((arm, {}) for arm in ARMS)
    yield from ((arm, MORE_CLEAN) for arm in (MIX, FEW))
    yield "price", {}


def end(t: Trial, arm: str, number: str = "frechet") -> float:
    return t.run(arm).last(number)


def repaired(t: Trial) -> float:
    """Of the way from few clean to all clean, the share that is left."""
    few, mix, best = (end(t, arm) for arm in (FEW, MIX, ALL_CLEAN))
    return (mix - best) / (few - best)


def prices(t: Trial) -> list[float]:
    """How many times more noisy samples a clean one is worth with each further component."""
    found = t.run("price").curves["price"]
    return [after / before for before, after in zip(found, found[1:])]


TABLE, OURS = "Table 1", "a control that the paper leaves out"
X: dict[str, Any] = {"unit": "x"}
PAGE = Page(
    title="Ambient diffusion: how much is a noisy image worth?",
    source="Daras, Cherapanamjeri, Daskalakis, ICLR 2025, arXiv:2411.02780",
    finding="Noisy digits and a few clean ones make far better digits together than either alone, if the loss knows "
    "which are noisy.",
    variants={arm: {"learns": arm} for arm in ARMS},
    besides={"price": (Price, {})},
    headline="frechet", experiment=Ambient, picture=draw, grid=_grid,
    tiny={"steps": 50, "count": 200}, panel={"steps": 1500},
    claims=(
        Claim("ambient_diffusion_few", "200 clean digits and 3,800 noisy ones beat the 200 clean ones alone.", TABLE,
              lambda t: end(t, MIX) / end(t, FEW), "Fréchet distance, mix over few clean", at_most=0.75,
              published="2.81 over 17.30", **X),
        Claim("ambient_diffusion_noisy", "They beat 4,000 noisy digits, too.", TABLE,
              lambda t: end(t, MIX) / end(t, NOISY), "Fréchet distance, mix over all noisy", at_most=0.75,
              published="2.81 over 11.93", **X),
        Claim("ambient_diffusion_best", "They beat the 200 clean ones even if these are stopped at their best.", OURS,
              lambda t: end(t, MIX) / end(t, FEW, "best"), "Fréchet distance, mix over the lowest of few clean",
              at_most=0.75, **X),
        Claim("ambient_diffusion_loss", "It is the loss that does it, not the further digits.", OURS,
              lambda t: end(t, MIX) / end(t, NAIVE), "Fréchet distance, over that of taking all for clean",
              at_most=0.6, **X),
        Claim("ambient_diffusion_repair", "Two thirds of the way from few clean to all clean are made up for.", TABLE,
              repaired, "share of the way that is left", at_most=0.35, published="5 %",
              why="There are but 200 clean digits, one in twenty of what is seen, and 1,800 steps: the mix is still "
              "getting better."),
        Claim("ambient_diffusion_price", "Alone, a noisy sample's worth falls exponentially in the number of groups.",
              "theory: mixtures of Gaussians", prices, "price of a clean sample, k + 1 groups over k, k = 1 to 4",
              at_least=1.5, **X),
        Claim("ambient_diffusion_cure", "One clean sample in twenty cures that.", "theory: mixtures of Gaussians",
              lambda t: t.run("price").last("cut"), "risk of all noisy over risk with 5 % clean, 5 groups",
              at_least=5.0, **X),
    ),
)  # fmt: skip
