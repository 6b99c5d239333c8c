"""Compressing features: only the first k of a network's last features are kept, k drawn anew each step.

    Chen, Hu, Shen, Ai, Suykens: Compressing features for learning with noisy labels. IEEE TNNLS 2022, arXiv:2206.13140;
    the authors' program is github.com/yingyichen-cyy/Nested-Co-teaching.

    stage 1   h = features(x),  h ← h ∘ 1[j ≤ k],  P(k) ∝ exp(−(k/σ)²);  CE(W h, ỹ)         (nested dropout)
              k* = argmax_k  accuracy(k) − 1e-5 (k − 1)   on labels that are not learned from, and so the epoch
    stage 2   two such networks; a batch in halves; each keeps the ⌊(1 − r) n⌋ examples of its half with the least loss
              at k*, and learns from what the other kept of the other half; what they say is the mean of their logits

Stage 1 is the method `compress` (nested_dropout.py), stage 2 `exchange_step` (compressed_digits.py). Of the paper, its
abstract, project page and program were read. The program compares with dropout of p ≤ 0.7, chooses k and epoch for
ANIMAL-10N on its test set, and turns a best k of 1 into all features; here the clean set chooses, and 1 stays 1. Its
networks are ResNet-18 and VGG-19 with SGD, their classifier without a bias; here it is one of 64 features with Adam.
P(k) falls to nothing beyond σ, and what no step keeps stays random: k is chosen up to where a feature is kept once in a
thousand steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlkit.learning.wave_fit import Wave
from nlkit.measures import lead
from nlkit.page import Claim, Page, Trial
from nlkit.papers.compressed_digits import Digits, Pair
from nlkit.papers.nested_dropout import CompressedFeatures
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure

METHODS = {"compress": CompressedFeatures}


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Test accuracy and memorized labels by how many of the first features are heard, as the last records have them."""
    from nlkit.plots.first_features import accuracy_by_features

    return accuracy_by_features(records, tuple(PAGE.variants))


MASKS = {"standard": "none", "dropout": "dropout", "nested": "nested"}
WIDE: dict[str, Any] = {"sigma": 25.0}
STRONG: dict[str, Any] = {"p": 0.8}
CUTS = (1, 2, 3, 4)  # of the wave


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    for name in MASKS:
        yield from ((f"{kind}{name}", {}) for kind in ("wave ", "", "pair "))
    yield from [("dropout", STRONG), ("nested", WIDE), ("pair nested", WIDE)]


def _from_the_truth(t: Trial, variant: str, k: int) -> float:
    """How many times as far from the truth a wave's first k features are as the best of the first four nested ones."""
    nested = t.run("wave nested")
    return t.run(variant).last(f"error {k}") / min(nested.last(f"error {each}") for each in CUTS)


def _best(t: Trial, variant: str, *changes: Mapping[str, Any]) -> float:
    """The chosen network's test accuracy, with the best of some settings."""
    return max(t.run(variant, **change).last("kept") for change in ({}, *changes))


_AT = "digits, 40 % symmetric noise, 25 epochs"
PAGE = Page(
    title="Compressing features",
    source="Chen, Hu, Shen, Ai, Suykens, IEEE TNNLS 2022, arXiv:2206.13140",
    finding="Features that are often taken away learn what matters; in an order they do so no better than in none.",
    variants={name: {"mask": mask} for name, mask in MASKS.items()},
    besides={f"wave {name}": (Wave, {"mask": mask, "looks": 1}) for name, mask in MASKS.items()}
    | {f"pair {name}": (Pair, {"mask": mask}) for name, mask in MASKS.items()},
    experiment=Digits, picture=draw, grid=_grid, tiny={"epochs": 1},
    claims=(
        Claim("compressing_features_wave", "The best of the first four features' curves is at most half as far from "
              "the truth as a plain network's.", "toy regression figure",
              lambda t: _from_the_truth(t, "wave standard", 128),
              "error of the plain network by that of the best k ≤ 4, 30 % wrong", at_least=2, unit="x"),
        Claim("compressing_features_noise", "Later features follow the noise, those too that steps have kept.",
              "toy regression figure", lambda t: _from_the_truth(t, "wave nested", 32),
              "error with 32 nested features by that of the best k ≤ 4, 30 % wrong", at_least=1.5, unit="x",
              why="Beyond the first four, features that training reaches add little, right or wrong. Most of what is "
              "lost with all 128 comes from features that hardly any step has kept: they are as they were drawn."),
        Claim("compressing_features_memory", "Cut at k*, nested features end above standard training.",
              "table of the program", lead("nested", "standard"), f"its lead in last test accuracy, {_AT}",
              published="ANIMAL-10N: 81.3 and 79.4", at_least=0.05, unit="points"),
        Claim("compressing_features_order", "The first 8 of 64 nested features alone know most of it; of standard "
              "training's they know little.", "abstract: ordered",
              lambda t: (t.run("nested").last("first 8"), 1 - t.run("standard").last("first 8")),
              f"test accuracy of nested ones, error of standard ones, {_AT}", at_least=0.70),
        Claim("compressing_features_cut", "With all features the network is worse than at k*.", "abstract: compression",
              lambda t: t.run("nested").last("test_accuracy") - t.run("nested").last("all"),
              f"last test accuracy at k* less that of all features, {_AT}", at_least=0.01, unit="points"),
        Claim("compressing_features_dropout", "Nested features end above the same dropped in no order.",
              "table of the program", lambda t: _best(t, "nested", WIDE) - _best(t, "dropout", STRONG),
              f"lead of the better of two σ over the better of two p, epoch and k by the clean set, {_AT}",
              published="ANIMAL-10N: 81.3 and 81.3", at_least=0, unit="points",
              why="Compression is what helps, and dropout compresses too. With an order the last features learn in few "
              "steps, and a small k starves all others in most; ten classes of digits need some 13."),
        Claim("compressing_features_epoch", "A clean set that chooses the epoch of standard training does as much as "
              "one that chooses k.", "a control that the paper lacks",
              lambda t: t.run("standard").last("kept") - _best(t, "nested", WIDE),
              f"lead of standard training over the better of two σ, {_AT}", at_least=-0.01, unit="points"),
        Claim("compressing_features_pair", "Two networks that teach each other gain from nested features.",
              "title of the workshop paper", lambda t: _best(t, "pair nested", WIDE) - _best(t, "pair standard"),
              f"lead of the better of two σ over pairs without masks, then 10 epochs of stage 2, {_AT}",
              published="ANIMAL-10N: 84.1 after 81.3", at_least=0.01, unit="points",
              why="The mean of two networks does already what compression does: before stage 2, pairs without masks "
              "are at 87.8 % and nested ones (σ = 25) at 88.5, after it at 88.8 and 88.3."),
    ),
)  # fmt: skip
