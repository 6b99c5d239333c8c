"""No image is annotated: labels from a threshold, judged and weighed by what is known of the shape.

    Wang, Guo, Wang, Zhang: Annotation-efficient learning for medical image segmentation based on noisy pseudo labels
    and adversarial learning. IEEE Transactions on Medical Imaging 40, 2021, arXiv:2012.14584. No program was found.

    L = 1 - (2 Σ_i w_i p_i ŷ_i + ε) / (Σ_i w_i p_i + Σ_i w_i ŷ_i + ε)                       (noise-weighted Dice)
    r(ŷ): the label as a model of shapes tells it back, learned from masks of other patients
    quality = Dice(ŷ, r(ŷ)): the better 80 % of the labels are kept;  w_i = 1 - |ŷ_i - r(ŷ)_i|
    train, then ŷ ← (p + r(p > ½)) / 2 > ½, judge and weigh anew, in rounds

p is what the network says of a pixel, ŷ its label. Beside it stands the loss of a relative, the noise-robust Dice of
COPLE-Net (Wang and others, IEEE Transactions on Medical Imaging 39, 2020): Σ |p - ŷ|^γ / (Σ p² + Σ ŷ² + ε), γ = 1.5.

What differs: the paper makes its pseudo labels by a CycleGAN from unpaired masks, with a discriminator on codes of a
variational autoencoder and one that scales the generator's channels. That takes hours, and is left out. Its product,
labels whose faults depend on the image, comes here from a threshold (Otsu's), which fails where an artefact is. How the
paper computes quality and weights could not be read: what stands below the loss is **ours**, and so is a shape model
that has learned to mend broken masks, which a plain one does less well. Heads are generated, as ultrasound shows them
(nlkit/data/masked_scenes.py), and the network has 23,000 parameters (nlkit/learning/segmentation.py).

The parts and the training are in `nlkit.papers.noisy_dice_training`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlkit.data.masked_scenes import ECHO
from nlkit.measures import end, lead
from nlkit.page import Claim, Measure, Page
from nlkit.papers.noisy_dice_training import DICE, MENDED, ROBUST, WAYS, WEIGHTED, Unannotated
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Six images with their labels, what the shape model makes of them, weights and predictions; quality; Dice."""
    from nlkit.plots.doubted import labels_and_doubts

    return labels_and_doubts(records, WAYS)


FULL: dict[str, Any] = {"count": 150, "length": 36, "shape_steps": 1000}
PLAIN: dict[str, Any] = {"mending": False}
ONCE: dict[str, Any] = {"rounds": 1}
EVENLY: dict[str, Any] = {"weighing": False}
ALL: dict[str, Any] = {"keep": 1.0}
FEW: dict[str, Any] = {"auxiliary": 20}
LIKELY: dict[str, Any] = {"artefact": ECHO}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, FULL) for name in WAYS)
    yield from ((WEIGHTED, {**change, **FULL}) for change in (ONCE, EVENLY, ALL, PLAIN, FEW, LIKELY))
    yield DICE, {**LIKELY, **FULL}


def _over(**changes: Any) -> Measure:
    """How far noise-weighted Dice ends above itself with some settings changed."""
    return lambda t: t.run(WEIGHTED, **FULL).last("dice") - t.run(WEIGHTED, **FULL, **changes).last("dice")


ABSTRACT, OURS = "abstract", "a control that the paper leaves out"
POINTS: dict[str, Any] = {"unit": "points"}
PAGE = Page(
    title="Noisy pseudo labels, and a model of shapes",
    source="Wang, Guo, Wang, Zhang, IEEE Transactions on Medical Imaging 2021, arXiv:2012.14584",
    finding="Knowing the shape gains 3.8 points of Dice on labels that nobody drew; whether weights by pixel add to it "
    "is open, and a robust loss alone does not help.",
    variants={name: {"method": name} for name in WAYS},
    headline="dice", experiment=Unannotated, picture=draw, grid=_grid,
    tiny={"count": 20, "length": 3, "shape_steps": 20}, panel={"length": 24},
    claims=(
        Claim("noisy_dice_judge", "Labels can be ranked by quality without any truth.", ABSTRACT,
              end(WEIGHTED, "judge", **FULL), "Spearman's correlation of judged and true Dice",
              at_least=0.7, unit=""),
        Claim("noisy_dice_weighted", "Noise-weighted Dice, in rounds, beats Dice on the same labels.", ABSTRACT,
              lead(WEIGHTED, DICE, "dice", both=FULL), "test Dice, noise-weighted less plain",
              at_least=0.015, **POINTS),
        Claim("noisy_dice_misled", "It gains most on images with an artefact.", OURS,
              lead(WEIGHTED, DICE, "misled", both=FULL), "the same, images with an artefact",
              at_least=0.05, **POINTS),
        Claim("noisy_dice_rounds", "Rounds add to weights and selection.", ABSTRACT,
              _over(**ONCE), "test Dice, three rounds less one",
              at_least=0.0, **POINTS),
        Claim("noisy_dice_weights", "Weights add to rounds and selection.", OURS,
              _over(**EVENLY), "test Dice, weights less w = 1",
              at_least=0.0, **POINTS,
              why="Weights are low along every outline: images with an artefact gain a point by them, clear ones "
              "lose two. What is broken has been mended by rounds and left out by selection."),
        Claim("noisy_dice_prior", "It beats the shape model alone: its mended labels, learned with plain Dice.", OURS,
              lead(WEIGHTED, MENDED, "dice", both=FULL), "test Dice, noise-weighted less mended labels",
              at_least=0.0, **POINTS,
              why="All that is gained comes from the shape model, and its mends are as good as what three rounds make "
              "of the labels: their Dice with the truth is 92.5 and 92.3 %."),
        Claim("noisy_dice_robust", "A robust loss alone helps against such labels.", "COPLE-Net",
              lead(ROBUST, DICE, "dice", both=FULL), "test Dice, noise-robust less plain", at_least=0.01, **POINTS,
              why="Errors that come from the image are no outliers: a network learns them as it learns the truth, "
              "whatever the power of the loss."),
        Claim("noisy_dice_echo", "Faults of a possible shape are found as well.", OURS,
              lead(WEIGHTED, DICE, "dice", both=FULL | LIKELY), "test Dice, noise-weighted less plain, echoes",
              at_least=0.01, **POINTS,
              why="Such a label is of a head, only not of the one that is there. The judge finds little to doubt (rank "
              "correlation 0.4), and labels get worse from round to round."),
    ),
)  # fmt: skip
