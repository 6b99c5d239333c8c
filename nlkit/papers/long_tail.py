"""Must a learner memorize? The cost of not learning rare things by heart, and a measure of what was learned so.

    Feldman: Does learning require memorization? A short tale about a long tail. STOC 2020, arXiv:1906.05271.
    Feldman, Zhang: What neural networks memorize and why. NeurIPS 2020, arXiv:2008.03703;
    github.com/google-research/heldout-influence-estimation.

    τ_ℓ = E[α^(ℓ+1) (1 − α)^(n−ℓ)] / E[α^ℓ (1 − α)^(n−ℓ)]       (share of the test data of a point seen ℓ times)
    error ≥ optimum + Σ_ℓ τ_ℓ · (points seen ℓ times that are not fitted, as errors beyond the optimum's)
    refusing what was seen fewer than k times costs  Σ_{1≤ℓ<k} τ_ℓ M_ℓ (1 − 1/m − η)      (M_ℓ such points, m labels)

    mem(i)     = P[h(x_i) = y_i  | i learned from] − P[… | not]         (memorized: mem ≥ 0.25)
    infl(i, j) = P[h(x'_j) = y'_j | i learned from] − P[… | not]         (a pair: and infl ≥ 0.15, labels alike)

η is the chance of a wrong label; for k > 3 the formula is for η = 0. The first three lines are computed in
`nlkit/data/long_tail.py`, the last two in `nlkit/learning/random_subsets.py`. The authors train 2,000 to 4,000
networks, each on 70 % of MNIST, CIFAR-100 or ImageNet. Here 200 kernel ridge regressions, K = exp(−0.003 |x − x'|²),
learn from 700 of 1,000 digits; what they learn without the other 300 has a closed form. Wrong labels, and removing
digits at random or right ones only, are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlkit.data.long_tail import Tail
from nlkit.data.purchases import pooled
from nlkit.learning.random_subsets import (
    REMOVED,
    TOGETHER,
    KernelRidge,
    draw_subsets,
    effects,
    learn_networks,
    left_after,
    like,
    memorization,
    pairs_of,
    ridge_hits,
    times,
)
from nlkit.learning.stages import logits
from nlkit.noise.noisy_digits import NoisyDigits, noisy_digits
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

MEMORIZED, RIDGES = 0.25, (0.01, 1.0, 5.0, 20.0)


@dataclass(frozen=True)
class Digits:
    """Which digits are memorized. A record is ten more models, and a learner without the digits that they point at.

    In its `numbers`: test accuracy after removing what `removed` says; shares that are "memorized", and of these
    "wrong"; how well mem ("auc") and exact leave-one-out ("loo_auc") tell wrong labels; and for networks how their mem
    correlates with that of the kernel ridge regressions on the same subsets ("agreement").
    """

    removed: str = setting("nothing", "what is taken out before learning", choices=REMOVED)
    learner: str = setting("kernel ridge", "whose memory", choices=("kernel ridge", "networks"))
    ratio: float = setting(0.0, "noise ratio", low=0.0, high=0.4, knob=True)
    ridge: float = setting(0.01, "λ: the more, the less is fitted", low=0.001, high=20.0, knob=True, log=True)
    models: int = setting(200, "t: models", low=50, high=500, knob=True)
    threshold: float = setting(MEMORIZED, "mem of a memorized digit", low=0.1, high=0.9, knob=True)
    share: float = setting(0.7, "share of the digits that a model sees", low=0.3, high=0.9)
    size: int = setting(100, "digits a class to learn from, and as many to test on", low=10, high=200)
    record_every: int = setting(1, "tens of models from one record to the next", low=1, high=50)
    seed: int = setting(0, "decides digits, noise, subsets and networks", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        draw_subsets(self.models, 10 * self.size, self.share, self.seed)  # refuses too few

    @property
    def epochs(self) -> int:
        return -(-self.models // (TOGETHER * self.record_every))

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        digits = noisy_digits(self.size, self.ratio, self.seed)
        ridge, across = digits.ridge(self.ridge)
        kept, hits, tested = draw_subsets(self.models, len(digits.given), self.share, self.seed), [], []
        of_networks: list[Tensor] = []
        for batch, (hit, test_hit) in enumerate(ridge_hits(ridge, kept, digits.given, across, digits.answers)):
            seen = kept[: (batch + 1) * TOGETHER]
            hits.append(hit)
            tested.append(test_hit)
            if self.learner == "networks":
                small = pooled(digits.images.reshape(-1, 1, 28, 28))
                weights = learn_networks(small, digits.given, seen[-len(hit) :], 1000 * self.seed + batch)
                of_networks.append(logits(weights, small).argmax(2) == digits.given)
            if (batch + 1) % self.record_every and len(seen) < self.models:
                continue
            mem, numbers = memorization(seen, torch.cat(hits)), {}
            if of_networks:
                mem, others = memorization(seen, torch.cat(of_networks)), mem
                both = torch.stack([mem, others])[:, mem.isfinite()]
                numbers["agreement"] = float(torch.corrcoef(both)[0, 1])
            numbers |= self._numbers(digits, ridge, across, mem)
            shown = digits._asdict() | {"mem": mem, "influence": effects(seen, torch.cat(tested)), "models": len(seen)}
            yield Measured(-(-(batch + 1) // self.record_every), numbers, shown)

    def _numbers(self, digits: NoisyDigits, ridge: KernelRidge, across: Tensor, mem: Tensor) -> dict[str, float]:
        left, wrong = left_after(self.removed, mem, self.threshold, digits.wrong, self.seed), digits.wrong
        says = times(across, ridge.without(left)[0]).argmax(2)  # (r, J)
        high = mem >= self.threshold
        numbers = {"test_accuracy": says.eq(digits.answers), "memorized": high, "removed": ~left}
        numbers |= {"wrong": wrong[high]} if high.any() else {}
        found = {name: float(value.double().mean()) for name, value in numbers.items()}
        if wrong.any():
            from sklearn.metrics import roc_auc_score

            alone = ridge.leave_one_out().gather(1, digits.given[:, None])[:, 0]
            found |= {"auc": roc_auc_score(wrong, mem.nan_to_num()), "loo_auc": roc_auc_score(wrong, -alone)}
        return {name: float(value) for name, value in found.items()}


@dataclass(frozen=True)
class Pairs:
    """Test digits that hang on memorized ones: what becomes of them without these, and if less is fitted. One record.

    Pairs are chosen by one set of models and looked at by a second. In its `numbers`: how many "pairs" and test digits
    of theirs there are, "tail" and "rest", accuracy on these and on the others; the same without the memorized digits
    of the pairs, without as many of the same classes at random, and with other ridges.
    """

    models: int = setting(500, "t: models of each of the two sets", low=50, high=2000)
    size: int = setting(100, "digits a class to learn from, and as many to test on", low=10, high=200)
    seed: int = setting(0, "decides digits and subsets", low=0)
    epochs = 1

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        digits = noisy_digits(self.size, 0.0, self.seed)
        (ridge, across), alike = digits.ridge(RIDGES[0]), digits.given[:, None] == digits.answers
        tables, found = [], []
        for kept in draw_subsets(2 * self.models, len(alike), 0.7, self.seed).split(self.models):
            hits, tested = map(torch.cat, zip(*ridge_hits(ridge, kept, digits.given, across, digits.answers)))
            tables.append(effects(kept, tested))
            found.append(pairs_of(memorization(kept, hits), tables[-1], alike))
        yield Measured(1, self._numbers(digits, found[0], found[1], tables[1]), digits._asdict() | {"pairs": found[0]})

    def _numbers(self, digits: NoisyDigits, first: Tensor, second: Tensor, again: Tensor) -> dict[str, float]:
        ours, theirs = (set(map(tuple, found.tolist())) for found in (first, second))
        numbers = {"pairs": float(len(first)), "found_again": len(ours & theirs) / max(1, len(ours | theirs))}
        if not len(first):
            return numbers
        examples, (tests, pairs) = first[:, 0].unique(), first[:, 1].unique(return_counts=True)
        numbers |= {"tests": float(len(tests)), "on_one": float((pairs == 1).double().mean())}
        numbers["influence_again"] = float(again[first[:, 0], first[:, 1]].mean())
        tail, kept = torch.zeros(len(digits.answers), dtype=torch.bool), torch.ones(len(digits.given), dtype=torch.bool)
        tail[tests] = True
        without = {"": examples[:0], " without": examples, " random": like(examples, digits.given, self.seed)}
        ways = [(name, RIDGES[0], kept.index_fill(0, out, False)) for name, out in without.items()]
        for name, ridge, left in ways + [(f" {ridge:g}", ridge, kept) for ridge in RIDGES[1:]]:
            hit = digits.hits(ridge, left).double()
            numbers |= {f"tail{name}": float(hit[tail].mean()), f"rest{name}": float(hit[~tail].mean())}
        return numbers


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Test accuracy without what was removed, and the digits with most memorization and influence."""
    from nlkit.plots.long_tail import what_is_memorized

    return what_is_memorized(records, REMOVED)


RATIOS, LAST = (0.0, 0.05, 0.1, 0.2, 0.4), {"record_every": 50}  # LAST: only the last record
TAILS: dict[str, dict[str, Any]] = {
    "1/rank": {},
    "2,000 equal": {"exponent": 0.0},
    "100 equal": {"exponent": 0.0, "subpopulations": 100},
}
OFTEN = (1, 2, 3, 5)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, {"ratio": ratio, **LAST}) for ratio in RATIOS for name in REMOVED)
    yield from (("memorized", {"ratio": ratio, "threshold": 0.75, **LAST}) for ratio in RATIOS)
    yield from (("nothing", {"ratio": 0.2, "ridge": ridge, **LAST}) for ridge in RIDGES[1:])
    yield from (("networks", {"ratio": 0.1, **LAST}), ("pairs", {}))
    yield from (
        ("tail", {**tail, "ratio": ratio, "least": k}) for tail in TAILS.values() for ratio in (0.0, 0.2) for k in OFTEN
    )


def _off(t: Trial) -> list[float]:
    """By how much, of what it should be, the cost of refusing is off the formula."""
    runs = [t.run("tail", ratio=0.0, least=k) for k in OFTEN[1:]]
    return [abs(run.last("cost") / run.last("formula") - 1) for run in runs]


def _best(t: Trial) -> float:
    """What the learner of the lowest test error has memorized of the wrong labels."""
    return min((t.run("tail", ratio=0.2, least=k) for k in OFTEN), key=lambda r: r.last("test_error")).last("memorized")


def gain(t: Trial, over: str, ratio: float) -> float:
    """Test accuracy without the memorized digits less that without others."""
    ours, theirs = (t.run(name, ratio=ratio, **LAST).last("test_accuracy") for name in ("memorized", over))
    return ours - theirs


_KERNEL = "200 kernel ridge regressions on 700 of 1,000 digits"
PAGE = Page(
    title="Does learning require memorization?",
    source="Feldman, STOC 2020, arXiv:1906.05271; Feldman, Zhang, NeurIPS 2020, arXiv:2008.03703",
    finding="With a long tail learning by heart pays, wrong labels included; the memorized are part rare, part wrong.",
    variants={name: {"removed": name} for name in REMOVED},
    besides={"networks": (Digits, {"learner": "networks", "models": 100}), "pairs": (Pairs, {}), "tail": (Tail, {})},
    experiment=Digits, picture=draw, grid=_grid, needs=("package:scikit-learn",), tiny={"size": 10, "models": 50},
    claims=(
        Claim("long_tail_formula", "Refusing labels seen fewer than 2, 3 or 5 times costs what the formula says.",
              "theorem 2.3", _off, "off by so much of it, 2,000 points, tail 1/rank, no noise", at_most=0.03),
        Claim("long_tail_best", "With 20 % wrong labels the best learner has memorized many of them.",
              "abstract: memorization is necessary", _best,
              "wrong labels that the learner of the lowest error has memorized, tail 1/rank", at_least=0.2),
        Claim("long_tail_rare", "Without wrong labels, removing memorized digits harms more than as many at random.",
              "figure 2 (2020b)", lambda t: gain(t, "at random", 0.0), f"its lead, {_KERNEL}", at_most=-0.005,
              unit="points", published="ImageNet: −3.4 and −2.6 points"),
        Claim("long_tail_noise", "With 20 % wrong labels, removing them helps.", "ours: the same score",
              lambda t: gain(t, "nothing", 0.2), "test accuracy, memorized digits removed less nothing removed",
              at_least=0.01, unit="points"),
        Claim("long_tail_ranks", "Wrong labels have the highest memorization.", "section 3.2: outliers, mislabeled",
              lambda t: [t.run("nothing", ratio=r, **LAST).last("auc") for r in (0.05, 0.1, 0.2)],
              "area under the ROC curve, 5, 10 and 20 % wrong", at_least=0.95),
        Claim("long_tail_pairs", "Test digits hang on single memorized ones: without these they are lost.",
              "section 3.3", lambda t: (r := t.run("pairs")).last("tail random") - r.last("tail without"),
              "accuracy on the test digits of pairs, as many removed at random less the pairs' own removed",
              at_least=0.2, unit="points", published="CIFAR-100: 72.1 to 45.4 %"),
        Claim("long_tail_limited", "A learner that fits less loses those test digits, and few others.", "abstract",
              lambda t: ((r := t.run("pairs")).last("tail") - r.last("tail 5")) - (r.last("rest") - r.last("rest 5")),
              "loss on the test digits of pairs, ridge 5 in place of 0.01, less the loss on the rest", at_least=0.2,
              unit="points"),
        Claim("long_tail_networks", "Networks memorize the same digits as the kernel.", "a control",
              lambda t: t.run("networks", ratio=0.1, **LAST).last("agreement"),
              "correlation of mem, 100 networks and 100 kernel ridge regressions, 10 % wrong", at_least=0.7, unit=""),
    ),
)  # fmt: skip
