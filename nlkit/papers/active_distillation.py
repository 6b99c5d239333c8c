"""Robust active distillation (RAD): a small student asks a large teacher, who is most often wrong where it helps most.

    Baykal, Trinh, Iliopoulos, Menghani, Vee: Robust active distillation. ICLR 2023, arXiv:2210.01213.

A student has learned from a few labels A. In each round it asks a teacher for soft labels of b images of a pool, drawn
without replacement by the chances that solve a game against an opponent, who makes m of the teacher's answers wrong
(`nlkit.papers.active_distillation_game` has the formulas); then it learns anew from A and all answers, by cross-entropy
with soft labels. m is the size of the pool times the share of held-out labels that the teacher gets wrong, so that
nothing is left to tune.

What was read is the abstract and the first page. From memory are the game, the gain, and where m is from; the closed
form was derived anew, and agrees with a linear program. How a batch is drawn, with k* among k ≥ b, is ours. The paper
has CIFAR, SVHN and ImageNet, and ResNets for students and teachers; here 196-48-10 learns for 250 steps a round, from
scratch, and asks a network of two convolutions that has learned from A as well. Two other teachers are right but for a
share ν of the pool, at random, or where the student of A alone is least sure: the game's opponent, though he has to
choose before the first round. m is known unless labels are held out of A to count it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlkit.noise.teachers import AT_RANDOM, OWN
from nlkit.page import Claim, Page, Trial
from nlkit.papers.active_distillation_game import CONFIDENT, ENTROPY, MARGIN, ORACLE, RAD, RANDOM, SUPPORT
from nlkit.papers.active_distillation_rounds import Questions
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """What each strategy asked last, the pool sorted by gain, and test accuracy by number of answers."""
    from nlkit.plots.questions import questions_and_accuracy

    return questions_and_accuracy(records, tuple(PAGE.variants))


Changes = dict[str, Any]
TENTH, THIRD = Changes(share=0.1), Changes(share=0.3)  # of the pool, wrong where it hurts
NATURAL, SCATTERED = Changes(errors=OWN), Changes(errors=AT_RANDOM, share=0.3)
NOISY_A, HALF_M, COUNTED = Changes(errors=OWN, ratio=0.3), Changes(told=0.5), Changes(held_out=20)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    for world in (TENTH, THIRD, NATURAL, SCATTERED, NOISY_A):
        yield from ((name, world) for name in (RANDOM, MARGIN, RAD, ORACLE))
    for world in (TENTH, THIRD, NATURAL):
        yield from ((name, world) for name in (SUPPORT, CONFIDENT, ENTROPY))
        yield from ((RAD, world | change) for change in (HALF_M, COUNTED))
    yield SUPPORT, SCATTERED
    yield from ((name, NATURAL | Changes(soft=False)) for name in (MARGIN, RAD))


def at(t: Trial, strategy: str, world: Mapping[str, Any], number: str = "test_accuracy") -> float:
    """A number of the student at the end."""
    return t.run(strategy, **world).last(number)


def leads(over: str, *worlds: Mapping[str, Any], number: str = "test_accuracy") -> Any:
    """RAD's lead over another strategy at the end, a number a world."""
    return lambda t: [at(t, RAD, world, number) - at(t, over, world, number) for world in worlds]


def _worse(t: Trial) -> list[float]:
    curves = [t.run(MARGIN, **world).curves["test_accuracy"] for world in (TENTH, THIRD)]
    return [curve[0] - curve[1] for curve in curves]


def _worth(t: Trial) -> list[float]:
    curves = [t.run(RAD, **world).curves["test_accuracy"] for world in (TENTH, THIRD)]
    return [curve[-1] - curve[0] for curve in curves]


OPPONENTS, OURS = "300 answers, wrong for 10 and for 30 % of the pool where it hurts", "a control of this page"
POINTS: Changes = {"at_least": 0.0, "unit": "points"}
PAGE = Page(
    title="Robust active distillation (RAD)",
    source="Baykal, Trinh, Iliopoulos, Menghani, Vee, ICLR 2023, arXiv:2210.01213",
    finding="Asked what the student is least sure of, a teacher that errs there does harm; chances that solve a game "
    "keep off most of it.",
    variants={name: {"strategy": name} for name in (RAD, MARGIN, RANDOM, ORACLE, CONFIDENT)},
    besides={name: (Questions, {"strategy": name}) for name in (SUPPORT, ENTROPY)},
    experiment=Questions, picture=draw, grid=_grid, seeds=tuple(range(8)),
    tiny={"rounds": 1, "count": 20, "steps": 50},
    claims=(
        Claim("active_distillation_opponent", "Against the opponent RAD beats margin sampling.", "abstract; theorem",
              leads(MARGIN, TENTH, THIRD), f"its lead in test accuracy, {OPPONENTS}", at_least=0.05, unit="points"),
        Claim("active_distillation_random", "There it is no worse than questions at random.", "abstract; theorem",
              leads(RANDOM, TENTH, THIRD), "the same over random questions", **POINTS),
        Claim("active_distillation_worse", "There the first hundred questions of margin sampling leave the student "
              "worse than it was.", OURS, _worse, "fall of test accuracy by 100 answers, 10 and 30 %", at_least=0.05,
              unit="points"),
        Claim("active_distillation_worth", "RAD's answers leave it better than it was.", OURS, _worth,
              f"gain in test accuracy over A alone, {OPPONENTS}", why="At 30 % two in five of the answers it gets are "
              "wrong, more than a student can bear that A alone has taught to be right three times in four.", **POINTS),
        Claim("active_distillation_right", "Of a real teacher RAD gets right answers more often than margin sampling.",
              "the idea", leads(MARGIN, NATURAL, number="right"), "share of 300 answers, RAD less margin",
              at_least=0.05, unit="points"),
        Claim("active_distillation_natural", "And of a real teacher its student learns more.", "abstract; tables",
              leads(MARGIN, NATURAL, NOISY_A), "lead over margin sampling in test accuracy, 300 answers; A right, and "
              "30 % wrong", **POINTS),
        Claim("active_distillation_scattered", "Where 30 % of the answers are wrong at random it is no worse than "
              "margin sampling.", OURS, leads(MARGIN, SCATTERED), "its lead in test accuracy, 300 answers",
              why="It asks what teaches less, to keep off errors that are everywhere alike.", **POINTS),
        Claim("active_distillation_half", "m has to be right: told half of it, RAD loses its lead over random "
              "questions.", OURS,
              lambda t: at(t, RAD, THIRD | HALF_M) - at(t, RANDOM, THIRD), "test accuracy less that of random "
              "questions, 300 answers, 30 % wrong where it hurts", at_most=0.0, unit="points"),
    ),
)  # fmt: skip
