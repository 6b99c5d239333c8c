"""Label quantity against label quality: for one budget many cheap labels, a few right ones, or first these, then those?

    Mallen, Belrose: Balancing label quantity and quality for scalable elicitation. 2024, arXiv:2410.13215; the authors'
    program is github.com/EleutherAI/scalable-elicitation.

    n_oracle = ⌊f B⌋,  n_weak = ⌊(B - n_oracle) / c⌋   B: budget in oracle labels, f: their share, c: a weak one's price
    θ₁ from θ₀ by steps on 1/|W| Σ_{i ∈ W} CE(ỹ_i, p_θ(x_i)),   ỹ_i: probabilities that a weak model gives
    θ₂ from θ₁ by steps on the same over the oracle labels, with a new optimizer

A fifth of a stage's own labels, at least two, is held out and decides which of its weights are kept, the start among
them; with fewer than two labels a stage is skipped. No right label is looked at for free, but for those that the weak
model has learned from: the paper does not charge for them, and a claim here does.

What differs: its body was not to be had, so this is by its abstract, the program, and what public reviews quote. There
language models of up to 70 billion weights answer yes or no; here digits are asked "5 or more?", of a network
196-64-32-2 that has learned to tell 1,000 of them. The weak model is a logistic regression on 49 pixels. A stage has
300 steps of 32 for 30,000 examples, Adam keeps its rate, and the held-out loss decides for the area under the ROC
curve. Left out: few-shot prompts, the log-confidence loss, choosing what is labelled.
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

from nlkit.data.load import load
from nlkit.data.purchases import KNOWN, QUESTIONS, Market, answer, digit_market, flipped, pooled, shuffled_errors, split
from nlkit.learning import stages
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured, Step
from nlkit.settings import check_settings, setting

BUDGETS, SHARES = (16, 32, 64, 128, 256, 1024), (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
ERRORS = ("weak model", "shuffled", "flips")


@dataclass(frozen=True)
class Elicitation:
    """The whole map of `BUDGETS` × `SHARES`. In its `numbers`: the test accuracy of each cell, and their `crossing`."""

    errors: str = setting("weak model", "Errors: a weak model's, the same dealt out anew, or flips", choices=ERRORS)
    order: str = setting("two stages", "Weak, then oracle labels, or both in one set", choices=tuple(stages.RECIPES))
    question: str = setting("5 or more", "What is asked of a digit", choices=tuple(QUESTIONS), knob=True)
    ratio: float = setting(0.25, "Noise ratio of flips", low=0.0, high=0.5, knob=True)
    labelled: int = setting(200, "True labels that the weak model learned from", low=10, high=KNOWN, knob=True)
    price: float = setting(0.1, "c: price of a weak label, in oracle labels", low=0.02, high=1.0, knob=True, log=True)
    pretrained: bool = setting(True, "Whether the network can tell digits before it is asked", knob=True)
    steps: int = setting(300, "Training steps a stage", low=20, high=1000)
    record_every: int = setting(1, "Looks (of 20 steps) from one record to the next", low=1, high=1000)
    seed: int = setting(0, "Decides images, order of purchase, initial weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-stages.looks(self.order, self.steps) // self.record_every)

    def bought(self, for_sale: int) -> Tensor:
        """(36, 2) weak and oracle labels of each cell, of no more images than there are."""
        pairs = [split(budget, share, self.price) for budget in BUDGETS for share in SHARES]
        return torch.tensor([(min(weak, for_sale - oracle), oracle) for weak, oracle in pairs])

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        data = load("mnist5k")
        market = digit_market(data, self.question, self.labelled, self.seed)
        test, answers = pooled(data.test_images), answer(data.test_labels, self.question)
        weak, bought = self.weak_labels(market), self.bought(len(market.images))
        right = F.one_hot(market.answers, 2).float()
        learning = stages.RECIPES[self.order](
            self.body(market), market.images, weak, right, market.order, bought, steps=self.steps, seed=self.seed
        )
        left_over = [i for i, budget in enumerate(BUDGETS) if split(budget, 0, self.price)[0] > len(market.images)]
        quality = (weak.argmax(1) == market.answers).double().mean().item()
        last = stages.looks(self.order, self.steps)
        for look, networks in enumerate(learning, start=1):
            if steps:
                yield Step(1, look, last)
            if look % self.record_every == 0 or look == last:
                found = numpy.array(stages.accuracies(networks, test, answers)).reshape(len(BUDGETS), len(SHARES))
                numbers = {cell(b, f): float(found[i, j]) for i, b in enumerate(BUDGETS) for j, f in enumerate(SHARES)}
                numbers |= {"crossing": crossing(found[:, -1] - found[:, 0]), "weak_right": quality}
                yield Measured(-(-look // self.record_every), numbers, {"map": found, "left_over": left_over})

    def weak_labels(self, market: Market) -> Tensor:
        if self.errors == "flips":
            return flipped(market.answers, self.ratio, self.seed)
        return shuffled_errors(market.cheap, market.answers, self.seed) if self.errors == "shuffled" else market.cheap

    def body(self, market: Market) -> stages.Parameters:
        """One network with a new head, below it what telling the known digits has taught; or nothing, if untaught."""
        inputs = market.images.shape[1]
        body = stages.new_networks((inputs, 64, 32, 10), 1, self.seed)
        if self.pretrained:
            digits, everything = F.one_hot(market.digits, 10).float(), torch.arange(KNOWN)[None]
            how: dict[str, Any] = {"seed": self.seed, "trusted": 1, "purpose": "telling digits"}
            *_, body = stages.learn(body, market.known, digits, everything, torch.tensor([KNOWN]), steps=300, **how)
        return body[:-2] + stages.new_networks((32, 2), 1, self.seed)


def cell(budget: int, share: float) -> str:
    """How a run's numbers name a place in the map."""
    return f"B {budget} f {share:g}"


def crossing(leads: Sequence[float]) -> float:
    """The budget from which on oracle labels alone are ahead of weak ones alone, on a line between two in log B.

    leads: by budget, oracle less weak. The smallest or largest budget where one of them is ahead all along.
    """
    last = max((place for place, lead in enumerate(leads) if lead < 0), default=-1)
    if last in (-1, len(BUDGETS) - 1):
        return float(BUDGETS[max(last, 0)])
    return float(math.exp(numpy.interp(0, leads[last : last + 2], numpy.log(BUDGETS[last : last + 2]))))


def draw(runs: Mapping[str, Sequence[Measured]]) -> Any:
    """The map of each variant as it is now."""
    from nlkit.plots.budgets import accuracy_maps

    last = {name: records[-1].shown for name, records in runs.items()}
    return accuracy_maps(
        {name: shown["map"] for name, shown in last.items()}, BUDGETS, [f"{share:g}" for share in SHARES],
        xlabel="share f of the budget for oracle labels", ylabel="budget B",
        left_over={name: shown["left_over"] for name, shown in last.items()},
    )  # fmt: skip


LAST: dict[str, Any] = {"record_every": 1000}  # only the last record
CONTROLS: tuple[dict[str, Any], ...] = (
    {"question": "has a loop"}, {"pretrained": False}, {"steps": 600}, {"labelled": 1000}, {"price": 0.5},
)  # fmt: skip


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((variant, LAST) for variant in PAGE.variants)
    yield from (("weak model", {**change, **LAST}) for change in CONTROLS)


def at(t: Trial, budget: int, share: float, variant: str = "weak model", **changes: Any) -> float:
    """Test accuracy of a place in the map."""
    return t.run(variant, **changes, **LAST).last(cell(budget, share))


def _later(t: Trial) -> float:
    return t.run("shuffled errors", **LAST).last("crossing") / t.run("weak model", **LAST).last("crossing")


def _mixed(t: Trial, variant: str) -> list[float]:
    return [at(t, 64, 0.75, variant) - at(t, 64, end, variant) for end in (0, 1)]


def _order(t: Trial) -> float:
    leads = [at(t, b, f) - at(t, b, f, "one pot") for b in (256, 1024) for f in SHARES[2:5]]
    return float(numpy.mean(leads))


ABSTRACT, OURS = "abstract: three regimes", "a control that the paper leaves out"
PAGE = Page(
    title="Label quantity against label quality",
    source="Mallen, Belrose, 2024, arXiv:2410.13215",
    finding="Poor, buy many labels of a weak model; rich, buy right ones. Where to change depends on whether its "
    "errors repeat themselves.",
    variants={"weak model": {"errors": "weak model"}, "shuffled errors": {"errors": "shuffled"},
              "flips": {"errors": "flips"}, "one pot": {"order": "one pot"}},
    headline="crossing", experiment=Elicitation, picture=draw, grid=_grid, needs=("package:scikit-learn",),
    seeds=tuple(range(8)), tiny={"steps": 20},
    claims=(
        Claim("quantity_quality_poor", "For a budget of 16, weak labels alone beat oracle labels alone.", ABSTRACT,
              lambda t: at(t, 16, 0) - at(t, 16, 1), "test accuracy, 160 weak labels less 16 oracle labels",
              at_least=0.05, unit="points"),
        Claim("quantity_quality_rich", "For a budget of 256, oracle labels alone beat weak labels alone.", ABSTRACT,
              lambda t: at(t, 256, 1) - at(t, 256, 0), "test accuracy, 256 oracle labels less 2,560 weak labels",
              at_least=0.05, unit="points"),
        Claim("quantity_quality_mixed", "For a budget of 64, first weak, then oracle labels beat either alone.",
              ABSTRACT, lambda t: _mixed(t, "weak model"),
              "test accuracy, 160 weak and 48 oracle labels less weak alone, and less oracle alone", at_least=0.0,
              unit="points"),
        Claim("quantity_quality_pot", "In one shuffled set such a mixture beats either alone.", OURS,
              lambda t: _mixed(t, "one pot"), "the same, both kinds in one pot", at_least=0.0, unit="points"),
        Claim("quantity_quality_errors", "Dealt out anew among the images, the same errors are good for at least twice "
              "the budget.", OURS, _later, "budget from which on oracle labels are ahead: errors shuffled, over those "
              "of the weak model", at_least=2.0, unit="x"),
        Claim("quantity_quality_flat", "Of the weak model, 3,000 labels teach no more than 160.", OURS,
              lambda t: at(t, 1024, 0) - at(t, 16, 0), "test accuracy, 3,000 less 160", at_most=0.02, unit="points"),
        Claim("quantity_quality_bill", "With the weak model's own 200 true labels on the bill, oracle labels alone win "
              "at less than the same cost.", OURS, lambda t: at(t, 128, 1) - at(t, 16, 0),
              "test accuracy, 128 oracle labels less 160 weak ones, which then cost 216", at_least=0.0, unit="points"),
        Claim("quantity_quality_stages", "Where oracle labels are many, two stages beat one shuffled set.", OURS,
              _order, "test accuracy, two stages less one pot of as many steps, six mixtures of budgets 256 and 1,024",
              at_least=0.0, unit="points"),
    ),
)  # fmt: skip
