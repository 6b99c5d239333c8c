"""Open-set test-time adaptation: a network grows surer of its answers where it is used, and heeds those who agree.

    Lee, Das, Choo, Choi: Towards open-set test-time adaptation utilizing the wisdom of crowds in entropy minimization.
    ICCV 2023, arXiv:2308.06879. It selects for TENT: Wang, Shelhamer, Liu, Olshausen, Darrell, ICLR 2021,
    arXiv:2006.10726.

    ỹ = softmax f(x; θ_o),  ŷ = softmax f(x; θ_a)            source network, and the one that adapts; both (B, K)
    keep_i = 1 if ŷ_i[c_i] ≥ ỹ_i[c_i],  c_i = argmax ỹ_i      has the confidence in the source's answer not fallen?
    L = mean over kept i of H(ŷ_i) − λ_max H(ȳ),   H(p) = −Σ p log p,   ȳ = mean of all ŷ of the batch

A step of Adam on L for each batch that arrives, after it was answered. θ_a begins as θ_o; only scales and shifts of
batch norms learn, and both networks normalise by the batch. TENT keeps all, and λ_max = 0. Every answer pulls the same
few weights. Right answers pull together; who loses confidence while the loss would raise it is out of step with them.

No program of the authors was found; of that of UniEnt (CVPR 2024) the part that re-implements it was read. It takes a
mean over nobody, NaN, where nobody is kept; here that term is then 0. λ_max = 0.5 is its default. The paper's stream is
CIFAR-C with SVHN, up to 50 times over, and its rate 1e-3; here digits 0 to 6 are known, 7 to 9 not, at a rate of 1e-2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlkit.data.streams import CORRUPTIONS, UNKNOWN, VISIT, stream
from nlkit.learning.adaptation import Keep, adapt, entropy, source_network
from nlkit.page import Claim, Page, Trial
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure


def with_the_crowd(now: Tensor, source: Tensor) -> Tensor:
    """The paper's choice (B,): where the probability (B, K) of the source's answer has not fallen."""
    answer = source.argmax(1, keepdim=True)
    return (now.gather(1, answer) >= source.gather(1, answer)).squeeze(1)


KEPT = ("all", "crowd", "sure", "random", "right")


@dataclass(frozen=True)
class Arriving:
    """A network in use: a record after each visit to a corruption, of 7 batches. In its `numbers`, over the last round

    "accuracy" on known digits, "unadapted" of the source by batch statistics, mean "confidence", "spread", which is
    H(ȳ) / log K, and of "right", "wrong" and "unknown" answers, which share has not lost confidence ("up_…").
    """

    keep: str = setting("crowd", "who is learned from", choices=KEPT)
    spread: bool = setting(True, "whether answers are held apart (λ_max)")
    unknown: float = setting(0.5, "share of digits it was never told of", low=0.0, high=0.8, knob=True)
    severity: float = setting(0.7, "severity of the corruptions", low=0.0, high=1.0, knob=True)
    rate: float = setting(1e-2, "Adam's rate", low=1e-4, high=0.1, knob=True, log=True)
    strength: float = setting(0.5, "λ_max, where answers are held apart", low=0.0, high=2.0, knob=True)
    sure: float = setting(0.9, "least confidence, if the sure are kept", low=0.0, high=1.0, knob=True)
    rounds: int = setting(6, "how often all six corruptions come", low=1, high=50, knob=True)
    record_every: int = setting(1, "visits from one record to the next", low=1, high=300)
    training: int = setting(6, "epochs of the source network", low=1, high=50)
    seed: int = setting(0, "decides network, images, corruptions, and who is random", low=0)

    kept = ("accuracy", "unadapted", "confidence", "spread", "up_right", "up_wrong", "up_unknown")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-self.rounds * len(CORRUPTIONS) // self.record_every)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        arriving = stream(self.unknown, self.severity, self.seed)
        labels = arriving.labels.repeat(self.rounds, 1)  # (batches, B)
        answers = adapt(
            source_network(self.training, self.seed), [*arriving.images] * self.rounds,
            keep=self.choice(labels), strength=self.strength * self.spread, rate=self.rate,
        )  # fmt: skip
        visits: list[tuple[Tensor, ...]] = []
        for number, true in enumerate(labels.split(VISIT), start=1):
            now, source, _ = (torch.cat(parts) for parts in zip(*islice(answers, VISIT)))
            visits = [*visits[1 - len(CORRUPTIONS) :], (now, source, true.flatten())]
            if number % self.record_every and number < len(labels) // VISIT:
                continue
            numbers, _ = measured(*(torch.cat(parts) for parts in zip(*visits)))
            numbers["batches"] = float(number * VISIT)
            yield Measured(-(-number // self.record_every), numbers, measured(*visits[-1])[1])

    def choice(self, labels: Tensor) -> Keep:
        """Whom to learn from. labels: (batches, B) true ones, which only the choice of who is right looks at."""
        generator, truth = seeded_generator(self.seed, "random ones"), iter(labels)
        choices: dict[str, Keep] = {
            "all": lambda now, source: torch.ones(len(now), dtype=torch.bool),
            "crowd": with_the_crowd,
            "sure": lambda now, source: now.amax(1) >= self.sure,
            "random": lambda now, source: with_the_crowd(now, source)[torch.randperm(len(now), generator=generator)],
            "right": lambda now, source: now.argmax(1) == next(truth),
        }
        return choices[self.keep]


def measured(now: Tensor, source: Tensor, true: Tensor) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Numbers of `Arriving`, by ŷ and ỹ (N, K) and labels (N,); and each image's kind, confidence before and now."""
    answer, known, right = source.argmax(1), true != UNKNOWN, now.argmax(1) == true
    shares = {"accuracy": right[known], "unadapted": (answer == true)[known], "confidence": now.amax(1)}
    kinds = {"right": right, "wrong": known & ~right, "unknown": ~known}
    up = with_the_crowd(now, source)
    shares |= {f"up_{kind}": up[which] for kind, which in kinds.items() if which.any()}
    numbers = {name: share.double().mean().item() for name, share in shares.items()}
    numbers["spread"] = entropy(now.mean(0)).item() / math.log(now.shape[1])
    kind = torch.where(known, (~right).long(), 2)  # a place in `kinds`
    before, after = (p.gather(1, answer[:, None])[:, 0] for p in (source, now))
    return numbers, {"kind": kind, "before": before, "now": after}


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Confidence in the source's answers, before and now, and accuracy by batch."""
    from nlkit.plots.crowds import confidence_and_accuracy

    return confidence_and_accuracy(records, tuple(PAGE.variants))


ROUND = {"record_every": len(CORRUPTIONS)}  # a record a round
SHARES, FIRST = (0.0, 0.3, 0.7), {"rounds": 1}
RIVALS = ("λ_max alone", "at random")


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, ROUND) for name in (*PAGE.variants, *PAGE.besides))
    yield "TENT", FIRST | ROUND
    yield from ((name, {"unknown": share, **ROUND}) for name in ("TENT", "crowd", RIVALS[0]) for share in SHARES)


def ahead(t: Trial, ours: str, theirs: str) -> float:
    """Accuracy in the last round: ours less theirs."""
    return t.run(ours, **ROUND).last("accuracy") - t.run(theirs, **ROUND).last("accuracy")


def first_up(t: Trial, kind: str) -> float:
    """Under TENT in its first round: the share of a kind of answer that has not lost confidence."""
    return t.run("TENT", **FIRST, **ROUND).last(f"up_{kind}")


def _fallen(t: Trial) -> float:
    return t.run("TENT", **FIRST, **ROUND).last("accuracy") - t.run("TENT", **ROUND).last("accuracy")


def _over_unadapted(t: Trial) -> float:
    return (run := t.run("crowd", **ROUND)).last("accuracy") - run.last("unadapted")


AFTER, OURS = "accuracy on known digits in the sixth round", "a control that the paper leaves out"
POINTS: dict[str, Any] = {"unit": "points", "at_least": 0.0}
PAGE = Page(
    title="Open-set test-time adaptation by the wisdom of crowds",
    source="Lee, Das, Choo, Choi, ICCV 2023, arXiv:2308.06879",
    finding="Made surer of all that arrives, half of it unknown, a network ruins itself; the crowd saves it, and so "
    "does a spread of answers alone.",
    variants={
        "TENT": {"keep": "all", "spread": False}, "crowd": {"keep": "crowd"}, RIVALS[0]: {"keep": "all"},
        "crowd alone": {"keep": "crowd", "spread": False}, "the sure": {"keep": "sure"}, RIVALS[1]: {"keep": "random"},
    },
    besides={"right ones": (Arriving, {"keep": "right"})},
    headline="accuracy", experiment=Arriving, picture=draw, grid=_grid, seeds=tuple(range(10)),
    tiny={"rounds": 1, "training": 1},
    claims=(
        Claim("open_set_tta_falls", "Where half of what arrives is unknown, TENT loses ten points in six rounds.",
              "abstract; long-term table", _fallen, "TENT, accuracy on known digits: first round less sixth",
              at_least=0.1, unit="points"),
        Claim("open_set_tta_holds", "The crowd and λ_max together keep it from falling.", "abstract",
              lambda t: ahead(t, "crowd", "TENT"), f"{AFTER}: crowd less TENT", at_least=0.1, unit="points",
              published="49 % less error"),
        Claim("open_set_tta_sign", "Under TENT right answers keep their confidence more often than wrong ones.",
              "figure 1", lambda t: first_up(t, "right") - first_up(t, "wrong"),
              "first round: share that has not lost confidence, right less wrong", at_least=0.15, unit="points"),
        Claim("open_set_tta_lose", "Most wrong answers, and most to unknown digits, lose confidence.",
              "introduction: they decrease", lambda t: (first_up(t, "wrong"), first_up(t, "unknown")),
              "the same share, of wrong and of unknown", at_most=0.5,
              why="The few weights raise most confidences alike; most wrong ones fall only once TENT has gone wrong."),
        Claim("open_set_tta_choice", "Beside λ_max, the crowd's choice is better than to keep all, and than as many at "
              "random.", OURS, lambda t: tuple(ahead(t, "crowd", rival) for rival in RIVALS),
              f"{AFTER}: crowd less all, and less random", **POINTS),
        Claim("open_set_tta_threshold", "It is better than to keep who is 90 % sure.", "figure 1",
              lambda t: ahead(t, "crowd", "the sure"), f"{AFTER}: crowd less the sure", **POINTS),
        Claim("open_set_tta_weights", "It is better than batch statistics alone, without a step.", OURS,
              _over_unadapted, f"{AFTER}: crowd less source network by batch statistics", **POINTS),
        Claim("open_set_tta_room", "To learn from right answers alone, which needs the truth, would be better still.",
              OURS, lambda t: ahead(t, "right ones", "crowd"), f"{AFTER}: the right less crowd", at_least=0.02,
              unit="points"),
    ),
)  # fmt: skip
