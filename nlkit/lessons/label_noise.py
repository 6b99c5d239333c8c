"""Lesson 1, label noise: what the kinds of noise are, by counting. The digits themselves are enough."""

from __future__ import annotations

from nlkit.lessons.sources import TUTORIAL
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix
from nlkit.page import Claim, Page, Trial


def _doubled(t: Trial) -> float:
    """The largest share of a class's wrong labels over the mean of the others."""
    confusion = t.task(noise="symmetric-doubled", ratio=0.8).confusion.double().fill_diagonal_(0)
    rivals = confusion.sort(dim=1, descending=True).values[:, :9]  # the nine wrong labels of each class
    return (rivals[:, 0] / rivals[:, 1:].mean(1)).mean().item()


def _nested(t: Trial) -> float:
    true = t.task(ratio=0.0).true_labels.cpu()
    at_30, at_40 = (corrupt(true, noise_matrix("symmetric", 10, ratio), seed=t.seed) for ratio in (0.3, 0.4))
    return (at_40 == at_30)[at_30 != true].double().mean().item()


PAGE = Page(
    title="Label noise",
    source="Patrini et al. 2017; Han et al. 2018; and how the kit draws noise",
    finding="A noise ratio means what its definition says, and definitions differ: 80 % may be 72 %.",
    claims=(
        Claim(
            "exact_ratio",
            "Asked for 80 % symmetric noise, 80 % of the labels are wrong.",
            "definition",
            lambda t: t.task(noise="symmetric", ratio=0.8).realized_ratio,
            "wrong labels among the noisy set",
            at_least=0.799,
            at_most=0.801,
            published="80 %",
        ),
        Claim(
            "own_class",
            "Symmetric noise that may draw the own class is weaker than its name: 80 % is really 72 %.",
            "0.8 · 9/10, by hand",
            lambda t: t.task(noise="symmetric-own", ratio=0.8).realized_ratio,
            "wrong labels among the noisy set",
            at_least=0.719,
            at_most=0.721,
            published="72 %",
        ),
        Claim(
            "doubled_class",
            "Sending draws that hit the own class to one other class gives that one twice its share.",
            TUTORIAL,
            _doubled,
            "largest share of a class's wrong labels over the mean of the others",
            at_least=1.9,
            at_most=2.1,
            published="—",
            unit="x",
        ),
        Claim(
            "asymmetric_half",
            "Asymmetric noise of 40 % on half of the classes changes 20 % of all labels.",
            "Patrini et al. 2017",
            lambda t: t.task(noise="asymmetric", ratio=0.4).realized_ratio,
            "wrong labels among the noisy set",
            at_least=0.199,
            at_most=0.201,
            published="20 %",
        ),
        Claim(
            "nested",
            "Every label that is wrong at 30 % is wrong at 40 % too, with the same given label.",
            "how the kit draws noise",
            _nested,
            "share of the labels wrong at 30 %",
            at_least=1.0,
            published="—",
        ),
    ),
    variants={"standard": {"method": "standard"}},
    headline="test_accuracy",
)
