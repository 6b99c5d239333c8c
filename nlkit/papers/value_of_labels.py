"""The value of labels where classes are imbalanced: a biased classifier labels more images; or one learns without them.

    Yang, Xu: Rethinking the value of labels for improving class-imbalanced learning. NeurIPS 2020, arXiv:2006.07529;
    the authors' program is github.com/YyzHarry/imbalanced-semi-self.

    semi    f_B ← learn from D_L;  ỹ = argmax f_B(x) for every x in D_U, once, all of them
            f   ← learn anew from D_L ∪ {(x, ỹ)}, as if all had a label
    self    f   ← learn by how many quarters an image of D_L was turned, no label seen
            f   ← with a new last layer, learn from D_L

D_L is a long tail, D_U has five times as many images and a tail of its own (data/tail_and_rest.py). Either goes with
plain cross-entropy (CE) or a class-balanced one (CB): w_c ∝ (1 - β) / (1 - β^n_c), β = 0.9999, pseudo-labels counted.
The experiment is in papers/value_of_labels_tail.py, the theory in papers/value_of_labels_gaussians.py.

What differs: a network 196-128-64-10 on digits of 14 × 14 pixels, and which digit is frequent is drawn, since digits
are not equally easy; the paper trains a ResNet-32 on CIFAR-10 and SVHN. Pseudo-labels weigh as much as labels, as in
the program; the paper's formula weighs the two parts as wholes. The program reports its best epoch by the *test* set;
here it is the last. It chooses D_U by a network that has learned from all labels; here D_U's classes are the true ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlkit.page import Claim, Page, Trial
from nlkit.papers.value_of_labels_gaussians import Shells, Threshold, balanced_error
from nlkit.papers.value_of_labels_tail import LOSSES, Tail
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Accuracy by class, the largest first; by step, that of all classes; and what as many even labels teach."""
    from nlkit.plots.tails import recall_by_class

    return recall_by_class(records, tuple(PAGE.variants))


Changes = dict[str, Any]
LAST, THIN = Changes(record_every=200), Changes(imbalance=50.0)
EVEN, UNEVEN = Changes(factor=2.0), Changes(factor=2.0, imbalance_rest=20.0)
LONGER, STRONGER, NOISY = Changes(steps=1600), Changes(views="strong"), Changes(ratio=0.4)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, world | LAST) for world in (Changes(), THIN) for name in PAGE.variants)
    yield from ((name, world | LAST) for world in (EVEN, UNEVEN) for name in ("CE + D_U", "CB + D_U"))
    yield from (("CE", {**world, **change, **LAST}) for world in (Changes(), THIN) for change in (LONGER, STRONGER))
    yield from ((name, NOISY | LAST) for name in ("CE", "CE + D_U"))
    yield from (("threshold", {"start": t, "imbalance_rest": rho}) for t in STARTS for rho in (1.0, 10.0, 50.0))
    yield from (("shells", {"dimensions": d}) for d in DIMENSIONS)


STARTS, DIMENSIONS = (0.3, 0.6), (2, 10, 50)


def end(t: Trial, variant: str, number: str = "test_accuracy", **changes: Any) -> float:
    return t.run(variant, **changes, **LAST).last(number)


def gain(t: Trial, loss: str = "CE", **world: Any) -> float:
    """Test accuracy with D_U less that of labels alone."""
    return end(t, f"{loss} + D_U", **world) - end(t, loss, **world)


def _bias(t: Trial) -> list[float]:
    curves = [t.run("threshold", start=start, imbalance_rest=1.0).curves for start in STARTS]
    return [abs(c["drawn"][0] - c["formula"][0]) for c in curves]


def _rounds(t: Trial) -> tuple[float, float]:
    errors = t.run("threshold", start=0.6, imbalance_rest=10.0).curves["error"]
    return balanced_error(0.6) - errors[0], errors[-1] - errors[0]


def _shells(t: Trial) -> list[float]:
    ends = [t.run("shells", dimensions=d) for d in DIMENSIONS[1:]]
    return [run.last("linear") - run.last("squared") for run in ends]


_TAIL, _THEORY = "balanced test accuracy, digits, ρ = 20", "theory"
POINTS = Changes(unit="points", at_least=0.0)
PAGE = Page(
    title="The value of labels in imbalanced learning",
    source="Yang, Xu, NeurIPS 2020, arXiv:2006.07529",
    finding="Pseudo-labels of a biased classifier add a point or two; as many labels, spread evenly, add seven.",
    variants={"CE": {}, "CE + D_U": {"learner": "semi"}, "CB": {"loss": "CB"},
              "CB + D_U": {"learner": "semi", "loss": "CB"}, "turns": {"learner": "self"},
              "D_U true": {"learner": "true"}},
    besides={"threshold": (Threshold, {}), "shells": (Shells, {})},
    experiment=Tail, picture=draw, grid=_grid, needs=("package:scikit-learn",), seeds=tuple(range(7)),
    tiny={"largest": 40, "imbalance": 5.0, "factor": 1.0, "steps": 50, "turning": 50},
    claims=(
        Claim("value_of_labels_bias", "Where pseudo-labels err at random, the threshold is off by ½ (p - q) (μ₁ - μ₂).",
              "theorem 1", _bias, "mean of θ̂ less the formula, from 0.3 and 0.6", at_most=0.01, unit=""),
        Claim("value_of_labels_rounds", "With ten negatives for a positive in D_U, one round of pseudo-labels helps, "
              "and seven more undo it.", "a control that the paper leaves out", _rounds,
              "fall of the error by one round, and its rise by seven more, from 0.6", at_least=0.01, unit="points"),
        Claim("value_of_labels_shells", "On ‖x‖² a rare class is told that no plane tells.", "theorems 2 and 3",
              _shells, "error of a plane less that on ‖x‖², d = 10 and 50", at_least=0.25, unit="points"),
        Claim("value_of_labels_semi", "D_U with pseudo-labels improves cross-entropy.", "abstract; table 1", gain,
              f"its gain in {_TAIL}", published="25.2 to 16.8 % error, ρ = 50", **POINTS),
        Claim("value_of_labels_thin", "It does so at ρ = 50 too, where three classes have two or three labels.",
              "abstract; table 1", lambda t: gain(t, **THIN), "the same at ρ = 50", **POINTS),
        Claim("value_of_labels_balanced", "It improves the class-balanced loss.", "table 1",
              lambda t: gain(t, "CB"), f"its gain in {_TAIL}", **POINTS),
        Claim("value_of_labels_rest", "The more even D_U is, the better.", "table 1",
              lambda t: [end(t, f"{loss} + D_U", **EVEN) - end(t, f"{loss} + D_U", **UNEVEN) for loss in LOSSES],
              "ρ_U = 1 less ρ_U = 20, twice as many images, CE and CB", **POINTS),
        Claim("value_of_labels_turns", "Telling turns first beats cross-entropy with as many steps.", "abstract",
              lambda t: end(t, "turns") - end(t, "CE", **LONGER), f"its lead in {_TAIL}", **POINTS,
              why="0, 1, 6, 8 and 9 hardly show how they are turned; as many steps on labels bring 0.8 points."),
    ),
)  # fmt: skip
