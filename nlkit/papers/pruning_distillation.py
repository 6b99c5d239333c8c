"""Distillation on pruned data: of many examples keep a few, and with them the answers of a network that saw all.

    Ben-Baruch, Botach, Kviatkovsky, Aggarwal, Medioni: Distilling the knowledge in data pruning. ICML 2025,
    arXiv:2403.07854.

    1. A teacher learns from all N examples; z_i are its logits.
    2. A share f of the examples is kept, at random or by a score (nlkit/learning/pruning.py).
    3. A student learns from these alone:  L = (1 − α) CE(ỹ_i, softmax s_i) + α τ² KL(softmax(z_i/τ) ‖ softmax(s_i/τ))

The rule that the paper finds: the smaller f, the larger the best α. Its theorem, of ridge regression: the more the
teacher has seen, the smaller the student's bias (`ridge_errors`). Read were the abstract, the first page and public
reviews; temperature and scores are from memory.

What differs: the paper prunes CIFAR, SVHN and ImageNet for ResNets; here students and, unless said, the teacher are
196-64-32-10 on 4,000 digits of 14 × 14 pixels. All take 600 steps of Adam, whatever they keep: at equal epochs a
student of 2 % would take 50 times fewer. Scores are of four networks, EL2N after 120 of their steps. Self-supervised
prototypes and gradient norms are left out. Labels may be wrong, and the teacher has learned from them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from nlkit.learning.pruning import CCS, EASY, FORGETTING, HARD, RANDOM, RIGHT
from nlkit.page import Claim, Page, Trial
from nlkit.papers.pruning_distillation_students import KEPT, SHARES, Students, cell
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Accuracy by share, without and with the teacher, and digits that each choice keeps."""
    from nlkit.plots.pruning import accuracy_by_share

    return accuracy_by_share(records, SHARES, cell, tuple(PAGE.variants))


Changes = dict[str, Any]
CLEAN, NOISY, LAST = Changes(ratio=0.0), Changes(ratio=0.2), Changes(record_every=100)  # LAST: one record, at the end
WORLDS, ALPHAS = (CLEAN, NOISY), (0.25, 0.5, 0.75)
OF_KEPT, HARD_ANSWERS, LONG = Changes(seen=KEPT), Changes(soft=False), Changes(teacher_steps=5000)
SMALLER, LARGER = Changes(width=24), Changes(width=256)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, world | LAST) for world in WORLDS for name in PAGE.variants)
    for world in WORLDS:
        for change in (OF_KEPT, HARD_ANSWERS, SMALLER, LARGER, {"alpha": ALPHAS[0]}):
            yield RANDOM, {**world, **change, **LAST}
        yield HARD, world | HARD_ANSWERS | LAST
    yield from ((RANDOM, {**NOISY, "alpha": a, **LAST}) for a in ALPHAS[1:])
    yield from ((HARD, {**NOISY, "alpha": a, **LAST}) for a in ALPHAS)
    yield RANDOM, NOISY | LONG | LAST


def at(t: Trial, choice: str, kind: str, share: float, **changes: Any) -> float:
    """Test accuracy of the student of labels alone ("CE") or with the teacher ("KD"), of a share."""
    return t.run(choice, **changes, **LAST).last(cell(kind, share))


def gain(t: Trial, choice: str, share: float, **changes: Any) -> float:
    """What the teacher's answers add to labels alone."""
    return at(t, choice, "KD", share, **changes) - at(t, choice, "CE", share, **changes)


def _chance(t: Trial) -> list[float]:
    return [
        at(t, RANDOM, "KD", share, **world) - max(at(t, name, "KD", share, **world) for name in (HARD, FORGETTING, CCS))
        for world in WORLDS for share in SHARES[:4]
    ]  # fmt: skip


def _alpha(t: Trial) -> tuple[float, float]:
    few, many = (
        [at(t, RANDOM, "KD", share, **CLEAN, **a) for a in ({"alpha": ALPHAS[0]}, {})] for share in (0.05, 0.9)
    )
    return few[1] - few[0], many[0] - many[1]


def _half(t: Trial) -> float:
    return at(t, RANDOM, "KD", 0.5, **CLEAN) - t.run(RANDOM, **CLEAN, **LAST).last("teacher")


def _larger(t: Trial) -> tuple[float, float]:
    large, small = (t.run(RANDOM, **NOISY, **width, **LAST) for width in (LARGER, {}))
    cells = cell("KD", 0.02), "teacher"
    return small.last(cells[0]) - large.last(cells[0]), large.last(cells[1]) - small.last(cells[1])


def _soft(t: Trial) -> float:
    leads = [at(t, RANDOM, "KD", share, **CLEAN) - at(t, RANDOM, "KD", share, **CLEAN, **HARD_ANSWERS)
             for share in (0.02, 0.05)]  # fmt: skip
    return float(numpy.mean(leads))


OURS = "a control of this page"
POINTS: Changes = {"at_least": 0.0, "unit": "points"}
PAGE = Page(
    title="Distillation on pruned data",
    source="Ben-Baruch, Botach, Kviatkovsky, Aggarwal, Medioni, ICML 2025, arXiv:2403.07854",
    finding="Kept with the soft answers of a network that saw all, a few digits teach much, whichever they are and "
    "however labelled.",
    variants={name: {"choice": name} for name in (RANDOM, HARD, FORGETTING, CCS, EASY, RIGHT)},
    headline=cell("KD", 0.05), experiment=Students, picture=draw, grid=_grid,
    tiny={"steps": 20, "teacher_steps": 20},
    claims=(
        Claim("pruning_distillation_gain", "Of 5 % random digits a student learns more with the teacher's answers.",
              "abstract; figures", lambda t: [gain(t, RANDOM, 0.05, **world) for world in WORLDS],
              "test accuracy, KD less labels alone, right labels and 20 % wrong", at_least=0.05, unit="points"),
        Claim("pruning_distillation_every", "So it does at every share, also of right labels.", "abstract",
              lambda t: [gain(t, RANDOM, share, **CLEAN) for share in SHARES],
              "the same at 2 to 90 %, right labels", **POINTS),
        Claim("pruning_distillation_random", "With the teacher's answers, random digits do nearly as well as the "
              "cleverest choice.", "abstract", _chance,
              "KD of random digits less the best of three choices; 2 to 25 %, without and with noise", at_least=-0.015,
              unit="points"),
        Claim("pruning_distillation_alpha", "The fewer are kept, the more weight the teacher should have.",
              "section 4.2", _alpha, "α = 1 less α = 0.25 at 5 %, and α = 0.25 less α = 1 at 90 %", **POINTS),
        Claim("pruning_distillation_noise", "The hardest tenth of noisy data, nearly all of it wrong, teaches well as "
              "long as its labels have no say.", "the rule, where labels are wrong",
              lambda t: at(t, HARD, "KD", 0.1, **NOISY) - at(t, HARD, "KD", 0.1, alpha=0.5, **NOISY),
              "α = 1 less α = 0.5, hard, 10 %, 20 % wrong", at_least=0.3, unit="points"),
        Claim("pruning_distillation_half", "Half of the data with KD beats all of it without.",
              "abstract: ImageNet", _half, "KD at 50 % less the teacher, right labels", **POINTS,
              why="A student of answers hardly gets beyond its teacher here, who had as many steps and saw all."),
        Claim("pruning_distillation_larger", "Of 2 % a student learns less from a larger teacher, though that is "
              "better.", "abstract", _larger,
              "student's lead with a teacher 64-32 over 256-128, and that teacher's lead; 20 % wrong", **POINTS),
        Claim("pruning_distillation_soft", "It is the softness: the teacher's likeliest class alone teaches far less.",
              OURS, _soft, "logits less likeliest class, mean of 2 and 5 %, right labels", at_least=0.03,
              unit="points"),
    ),
)  # fmt: skip
