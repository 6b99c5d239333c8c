"""Lesson 9, a budget for labels: what is a clean label worth, and which split of a budget between noisy and clean?

The 4,000 training digits of `mnist5k`, pooled to 14 × 14. A noisy label is wrong at the noise ratio, symmetrically. For
each of many purchases, so many noisy and so many clean labels of different images, a network 196-64-32-10 learns

- "two stages": from the noisy labels, then from the clean ones (Mallen, Belrose 2024, arXiv:2410.13215);
- "one pot": from all of them in one shuffled set, for as many steps as both stages.

300 steps of 32 a stage, Adam at 1e-3. A fifth of a stage's own labels decides which weights are kept, where that is ten
labels or more. Nothing else is held out, and no label is looked at that was not paid for.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch.nn import functional as F

from nlkit.data.load import load
from nlkit.data.purchases import pooled
from nlkit.learning import stages
from nlkit.learning.stages import RECIPES
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import symmetric_matrix
from nlkit.page import Claim, Page, Trial
from nlkit.planner import Expected, Surface, fit_surface
from nlkit.randomness import seeded_generator
from nlkit.records import Measured, Recorded, Step
from nlkit.settings import check_settings, setting
from nlkit.sweeps.run import load_sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlkit.plots import Figure

NOISY, CLEAN, RATIOS = (0, 50, 200, 800, 3000), (0, 10, 30, 100, 300, 1000), (0.0, 0.2, 0.4, 0.6, 0.8)  # to fit to
HELD_NOISY, HELD_CLEAN, HELD_RATIOS = (1600,), (60, 500), (0.3, 0.7)  # to check with
CELLS = tuple((n, c) for n in sorted(NOISY + HELD_NOISY) for c in sorted(CLEAN + HELD_CLEAN) if n + c)
TRUSTED = 10  # held-out labels, of which fewer decide nothing


def cell(noisy: int, clean: int) -> str:
    """How a run's numbers name a purchase."""
    return f"{noisy} + {clean}"


@dataclass(frozen=True)
class Purchases:
    """All of `CELLS` at one noise ratio, by one recipe. In its `numbers`: the test accuracy of each, by `cell`."""

    recipe: str = setting("two stages", "How noisy and clean labels are learned from", choices=tuple(RECIPES))
    ratio: float = setting(0.4, "Noise ratio: share of wrong labels among the noisy ones", low=0, high=0.9, knob=True)
    steps: int = setting(300, "Training steps a stage", low=20, high=1000, knob=True)
    record_every: int = setting(1, "Looks (of 20 steps) from one record to the next", low=1, high=1000)
    seed: int = setting(0, "Decides flips, order of purchase, initial weights, batches", low=0)

    kept = (*(cell(*pair) for pair in CELLS), "test_accuracy")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-stages.looks(self.recipe, self.steps) // self.record_every)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        data = load("mnist5k")
        images, test = pooled(data.train_images), pooled(data.test_images)
        given = corrupt(data.train_labels, symmetric_matrix(10, self.ratio), seed=self.seed)
        noisy, clean = (F.one_hot(labels, 10).float() for labels in (given, data.train_labels))
        order = torch.randperm(len(images), generator=seeded_generator(self.seed, "order of purchase"))
        start = stages.new_networks((images.shape[1], 64, 32, 10), 1, self.seed)
        learning = RECIPES[self.recipe](
            start, images, noisy, clean, order, torch.tensor(CELLS), steps=self.steps, seed=self.seed, trusted=TRUSTED
        )
        last = stages.looks(self.recipe, self.steps)
        for look, networks in enumerate(learning, start=1):
            if steps:
                yield Step(1, look, last)
            if look % self.record_every == 0 or look == last:
                found = stages.accuracies(networks, test, data.test_labels)
                numbers = dict(zip(self.kept, [*found, found[-1]]))  # the last cell has most of both
                yield Measured(-(-look // self.record_every), numbers)


LAST: dict[str, Any] = {"record_every": 1000}  # only the last record
FITTED = tuple((n, c, r) for r in RATIOS for n, c in CELLS if n in NOISY and c in CLEAN)
HELD = tuple((n, c, r) for r in sorted(RATIOS + HELD_RATIOS) for n, c in CELLS if (n, c, r) not in FITTED)


@functools.cache
def surface(without: int | None = None) -> Surface:
    """What the package's runs say of all purchases between those of `FITTED`; without those of one seed, if named."""
    sweep = load_sweep("clean-label-budget")
    seeds = [seed for seed in PAGE.seeds if seed != without]

    def measured(recipe: str) -> list[list[float]]:
        runs = {(r, s): sweep.run(Purchases(recipe, r, seed=s, **LAST)) for r in RATIOS for s in seeds}
        return [[runs[r, seed].last(cell(n, c)) for seed in seeds] for n, c, r in FITTED]

    return fit_surface(FITTED, {recipe: measured(recipe) for recipe in RECIPES})


def on_held(t: Trial) -> dict[str, tuple[Expected, numpy.ndarray]]:
    """Recipe -> what is expected of the purchases `HELD`, by all other seeds, and what was measured with this one."""
    known = surface(t.seed)
    return {
        recipe: (
            known.expect(recipe, HELD),
            numpy.array([t.run(recipe, ratio=r, **LAST).last(cell(n, c)) for n, c, r in HELD]),
        )
        for recipe in RECIPES
    }


def surface_error(t: Trial) -> float:
    """Mean distance of what was expected of held-out purchases from what was measured."""
    return float(numpy.mean([abs(found.mean - seen) for found, seen in on_held(t).values()]))


def floor(t: Trial) -> float:
    """The same of the mean of the other seeds at the very same purchases: what no surface can do away with."""
    sweep, found = load_sweep("clean-label-budget"), []
    for recipe, (_, seen) in on_held(t).items():
        runs = {
            (r, s): sweep.run(Purchases(recipe, r, seed=s, **LAST)) for s in PAGE.seeds for r in {h[2] for h in HELD}
        }
        others = [[runs[r, s].last(cell(n, c)) for s in PAGE.seeds if s != t.seed] for n, c, r in HELD]
        found.append(abs(numpy.mean(others, axis=1) - seen))
    return float(numpy.mean(found))


def covered(t: Trial) -> float:
    """The share of held-out purchases within their intervals."""
    return float(numpy.mean([(found.low <= seen) & (seen <= found.high) for found, seen in on_held(t).values()]))


PRICES, BUDGETS = (2, 10, 30), (30, 100, 300)  # noisy labels for the price of a clean one; budgets in clean labels


def regrets(t: Trial, choose: Callable[[Surface, NDArray], tuple[str, int]]) -> list[float]:
    """By how much the best of the measured purchases is ahead of a chosen one, for prices, budgets, held-out ratios.

    choose: by the surface without this seed, from rows (noisy, clean, ratio) that the budget pays for, recipe and row.
    The best is that with this seed, luck included, so that no choice made beforehand has no regret.
    """
    found = []
    for ratio, price, budget in itertools.product(HELD_RATIOS, PRICES, BUDGETS):
        paid = numpy.array([(n, c, ratio) for n, c in CELLS if c + n / price <= budget])
        seen = {
            name: [t.run(name, ratio=ratio, **LAST).last(cell(int(n), int(c))) for n, c, _ in paid] for name in RECIPES
        }
        recipe, row = choose(surface(t.seed), paid)
        found.append(max(map(max, seen.values())) - seen[recipe][row])
    return found


def planned(known: Surface, paid: NDArray) -> tuple[str, int]:
    """The purchase and the recipe of which the surface expects most, as `nlkit.planner.plan` chooses."""
    expected = {recipe: known.expect(recipe, paid).mean for recipe in RECIPES}
    recipe = max(expected, key=lambda name: expected[name].max())
    return recipe, int(expected[recipe].argmax())


def clean_alone(known: Surface, paid: NDArray) -> tuple[str, int]:
    """As many clean labels as the budget pays for, and no other."""
    return "one pot", int(numpy.where(paid[:, 0] == 0, paid[:, 1], -1).argmax())


def noisy_alone(known: Surface, paid: NDArray) -> tuple[str, int]:
    """As many noisy labels as the budget pays for, and no other."""
    return "one pot", int(numpy.where(paid[:, 1] == 0, paid[:, 0], -1).argmax())


RULES = {"the planner": planned, "clean alone": clean_alone, "noisy alone": noisy_alone}


def _best(t: Trial, noisy: int, clean: int, ratio: float) -> float:
    """Test accuracy of a purchase by the better recipe."""
    return max(t.run(recipe, ratio=ratio, **LAST).last(cell(noisy, clean)) for recipe in RECIPES)


def _by_rule(t: Trial) -> float:
    means = {name: float(numpy.mean(regrets(t, rule))) for name, rule in RULES.items()}
    return min(mean for name, mean in means.items() if name != "the planner") - means["the planner"]


def _spoilt(t: Trial) -> float:
    run = t.run("two stages", ratio=0.4, **LAST)
    return run.last(cell(3000, 10)) - run.last(cell(3000, 0))


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((recipe, {"ratio": r, **LAST}) for r in sorted(RATIOS + HELD_RATIOS) for recipe in RECIPES)


def _picture(runs: Mapping[str, Sequence[Recorded]]) -> Figure:
    from nlkit.plots.budgets import accuracy_maps

    sides = sorted(NOISY + HELD_NOISY), sorted(CLEAN + HELD_CLEAN)
    maps = {
        name: [[records[-1].numbers.get(cell(n, c), math.nan) for c in sides[1]] for n in sides[0]]
        for name, records in runs.items()
    }
    return accuracy_maps(maps, *sides, xlabel="clean labels", ylabel="noisy labels")


OURS = "measured here"
PAGE = Page(
    title="A budget for labels",
    source="Mallen, Belrose 2024, arXiv:2410.13215, asked of ten digits",
    finding="What a clean label is worth hangs on how many one has, of which kind, and on the noise: so plan it.",
    variants={recipe: {"recipe": recipe} for recipe in RECIPES},
    experiment=Purchases, picture=_picture, grid=_grid, needs=("package:scikit-learn",), tiny={"steps": 20},
    claims=(
        Claim("budget_surface", "At purchases that it was not fitted to, the surface is off by 3 points at most on "
              "average.", OURS, surface_error, f"mean distance at {len(HELD)} held-out purchases × 2 recipes, by the "
              "surface without this seed", at_most=0.03, unit="points",
              why="Runs of different seeds differ by nearly as much at one and the same purchase."),
        Claim("budget_intervals", "Its 95 % intervals hold what was measured there nine times in ten or more.", OURS,
              covered, "share of the held-out purchases within the interval of a single run", at_least=0.9,
              why="With five seeds the share is known to six points only."),
        Claim("budget_floor", "Of that, less than a point is the surface's: two means of the very same purchase differ "
              "nearly as much.", "control: no surface", lambda t: surface_error(t) - floor(t),
              "its mean distance less that of the other seeds' mean at the same purchases", at_most=0.01,
              unit="points"),
        Claim("budget_regret", "The planned purchase is at most 3 points behind the best that the budget could buy.",
              OURS, lambda t: float(numpy.mean(regrets(t, planned))),
              "regret, mean of 18 tasks at 30 and 70 % noise: the best measured, luck included, less the planned",
              at_most=0.03, unit="points"),
        Claim("budget_rules", "The planner beats the better of two rules: all on clean labels, all on noisy ones.",
              "control: no planner", _by_rule, "mean regret of the better rule less that of the planner, 18 tasks",
              at_least=0.0, unit="points"),
        Claim("budget_worth", "At 40 % noise a hundred clean labels alone are worth more than eight hundred noisy.",
              OURS, lambda t: _best(t, 0, 100, 0.4) - _best(t, 800, 0, 0.4),
              "test accuracy, 100 clean labels less 800 noisy ones", at_least=0.0, unit="points",
              why="The two are about equal there, and five seeds can't tell which is ahead."),
        Claim("budget_spoilt", "Ten clean labels in a stage of their own spoil what 3,000 noisy ones have taught.",
              OURS, _spoilt, "test accuracy at 40 % noise, two stages: with 10 clean labels less without",
              at_most=-0.05, unit="points"),
    ),
)  # fmt: skip
