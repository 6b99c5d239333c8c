"""What is left of it when images are made: a small diffusion model on digits, with one draw of noise, or fresh noise.

`nlkit/learning/diffusion.py` is the model. Its denoiser D(x, σ) is f* of the paper: X_t/α has noise of strength √h/α.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from nlkit.data.digit_components import digit_components
from nlkit.learning.diffusion import energy_distance, learn, nearer, new_denoiser, sample
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

ONCE, FRESH = "once", "fresh"
DIMENSION, MADE, COMPARED, LOOKS = 16, 1000, 500, (25, 50, 100, 200, 400, 800, 1500, 3000)


@dataclass(frozen=True)
class DigitScores:
    """A denoiser learns from digits in 16 principal components; after 25, 50, 100 … steps it makes 1,000 new ones.

    In a record's `numbers`: "step"; "energy", the energy distance of what it makes to 1,000 test digits, "best", the
    lowest so far; "learned", that distance of the digits learned from; and "nearer", the share of made digits that are
    nearer to one learned from than to any of as many (at most 500) test digits.
    """

    noise: str = setting(ONCE, "noise of a digit", choices=(ONCE, FRESH))
    count: int = setting(1000, "digits to learn from", low=20, high=4000)
    steps: int = setting(1500, "training steps", low=25, high=3000)
    seed: int = setting(0, "decides digits, noise, initial weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def looks(self) -> list[int]:
        """The steps after which there is a record."""
        return [step for step in LOOKS if step < self.steps] + [self.steps]

    @property
    def epochs(self) -> int:
        return len(self.looks)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        world = digit_components(DIMENSION)
        given, best = world.some(self.count, self.seed), float("inf")
        compared = min(self.count, COMPARED)
        order = torch.randperm(len(world.test), generator=seeded_generator(self.seed, "unseen digits"))
        unseen, learned = world.test[order[:compared]], energy_distance(given, world.test)
        denoiser = new_denoiser(DIMENSION, self.seed)
        learning = learn(denoiser, given, steps=self.steps, seed=self.seed, once=self.noise == ONCE)
        for step, (_, average) in enumerate(learning, start=1):
            if step not in self.looks:
                continue
            made = sample(average, MADE, DIMENSION, seeded_generator(self.seed, "made digits"))
            energy = energy_distance(made, world.test)
            best = min(best, energy)
            numbers = {"step": float(step), "energy": energy, "best": best, "learned": learned}
            numbers["nearer"] = nearer(made, given[:compared], unseen)
            shown = {"made": made, "given": given}
            yield Measured(self.looks.index(step) + 1, numbers, shown)
