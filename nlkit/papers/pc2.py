"""PC²: pseudo-classes and pseudo-captions, where images came with the captions of other images.

    Duan, Gu, Ying, Qi, Meng, Shi: PC²: Pseudo-classification based pseudo-captioning for noisy correspondence learning
    in cross-modal retrieval. ACM Multimedia 2024, arXiv:2408.01349; program: github.com/alipay/PC2-NoiseofWeb.

    L_i  = [α_i - S_ii + max_{j≠i} S_ij]₊ + [α_i - S_ii + max_{j≠i} S_ji]₊,  α_i = α (10^{y_i} - 1) / 9        (triplet)
    L_pc = mean_i CE(p_i^I, argmax p_i^T) - λ H(mean_i p_i^I)                                                (classes)
    o_i  = KL(p_i^now ‖ p_i^before)                                                                          (unrest)
    y_i  = w_i + (1 - w_i) v_i [v_i > ½]                                                    (clean pairs: w_i > ½)
    k(i) = argmax_k cos(p_i^I, p_k^I) over the clean pairs of the batch, y_i = that cosine, 0 if < ½  (pseudo-caption)

S are cosines of images and captions of a batch, p^I and p^T what one head says of each: a class that nobody named. w is
the probability that the loss of a pair is of the lower part of a mixture, v the same for its unrest. There are two
networks, and each is trained on the pairs that the other one calls clean. In the warm-up, and where pairs are scored,
the mean over j stands for the maximum, and y = 1. The score is that of both networks' mean similarity.

What differs: halves of digits and small towers for photographs, sentences and SGRAF, 20 epochs for 50, no clipping. The
program adds a sum over the triplets of a batch and a mean over its classes; here both are means, and η is the weight of
the second: 1/128 there. A pair is scored among 500, not among a batch. The program takes the mean entropy of single
predictions for H, the margin of pair j for one of the two hinges, and for p^before what was said when it last lent.
As there, two images that borrow one caption are each other's negatives, and the captions' tower learns from a loan.

The parts and the training are in `nlkit.papers.pc2_training`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlkit.page import Claim, Page, Trial
from nlkit.papers.pc2_training import (
    CAPTIONS,
    CLASSES,
    DIVIDED,
    GIVEN,
    PC2,
    PSEUDO,
    SAME,
    STANDARD,
    TRUE,
    WAYS,
    Correspondence,
)
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Mismatched halves with what they came with, what they are lent and what belongs to them, and recall by epoch."""
    from nlkit.plots.pairs import glued_halves

    return glued_halves(records, WAYS)


LAST: dict[str, Any] = {"record_every": 100}  # only the last record
LENT: dict[str, dict[str, Any]] = {
    "none": {"weight": 0.0}, **{source: {"captions": source} for source in CAPTIONS},
    "pseudo, weight 1": {"weight": 1.0},
}  # fmt: skip


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield STANDARD, LAST
    yield from ((name, {"ratio": ratio, **LAST}) for name in (DIVIDED, CLASSES) for ratio in (0.0, 0.2, 0.4))
    yield CLASSES, {"eta": 1.0, **LAST}
    yield from ((PC2, {**how, **LAST}) for how in LENT.values())


def recall(t: Trial, name: str, number: str = "recall", **changes: Any) -> float:
    return t.run(name, **changes, **LAST).last(number)


def _lead(t: Trial, *ratios: float, number: str = "recall") -> list[float]:
    """Of the class head over co-dividing without it."""
    return [recall(t, CLASSES, number, ratio=r) - recall(t, DIVIDED, number, ratio=r) for r in ratios]


def _lent(t: Trial, ours: str, theirs: str) -> float:
    """Recall of PC² with captions from one source less that with captions from another."""
    return recall(t, PC2, **LENT[ours]) - recall(t, PC2, **LENT[theirs])


OURS, PART = "a control that the paper leaves out", "part of the method"
POINTS: dict[str, Any] = {"at_least": 0.0, "unit": "points"}
PAGE = Page(
    title="Pseudo-classes and pseudo-captions (PC²)",
    source="Duan, Gu, Ying, Qi, Meng, Shi, ACM Multimedia 2024, arXiv:2408.01349",
    finding="Classes that nobody named help to tell wrong pairs from right ones; to lend captions is worse than to "
    "leave wrong pairs out.",
    variants={name: {"method": name} for name in WAYS},
    headline="recall", experiment=Correspondence, picture=draw, grid=_grid,
    needs=("package:scikit-learn",), panel={"length": 12, "borrow": 8},
    tiny={"pairs": 128, "length": 3, "warm_up": 1, "borrow": 3},
    claims=(
        Claim("pc2_classes", "Classes that nobody named help where pairs are wrong.", PART,
              lambda t: _lead(t, 0.2, 0.4), "recall, class head less co-divided; 20 and 40 % shuffled", **POINTS),
        Claim("pc2_split", "They tell right pairs from wrong ones more often.", PART,
              lambda t: _lead(t, 0.4, number="split"), "pairs split rightly, the same; 40 %", **POINTS),
        Claim("pc2_free", "Where all pairs are right they cost less than two points.", OURS, lambda t: _lead(t, 0.0),
              "recall, the same; nothing shuffled", at_least=-0.02, unit="points"),
        Claim("pc2_unrest", "To mind unrest helps besides.", PART,
              lambda t: recall(t, PC2, **LENT["none"]) - recall(t, CLASSES),
              "recall, PC² that lends nothing less class head; 40 %", **POINTS),
        Claim("pc2_given", "A wrong pair is better off with the caption of a similar image than with its own.", PART,
              lambda t: _lent(t, PSEUDO, GIVEN), "recall, pseudo-captions less given ones; 40 %", **POINTS),
        Claim("pc2_left_out", "To lend captions is better than to leave wrong pairs out.", "abstract",
              lambda t: _lent(t, PSEUDO, "none"), "recall, pseudo-captions less none; 40 %", **POINTS,
              why="Of the captions that are lent 77 % are of another digit; and who looks for one image's caption is "
              "misled by another's, even if it is of the same digit."),
        Claim("pc2_weight", "It is so, too, where lent captions weigh as much as given ones.", "the authors' program",
              lambda t: _lent(t, "pseudo, weight 1", "none"), "the same, at weight 1", **POINTS,
              why="The vectors of all halves draw together, so that all pairs have nearly one loss; in four seeds of "
              "five the split then calls few of them clean."),
        Claim("pc2_same_digit", "Captions that are always of the same digit do not help either; true ones do.", OURS,
              lambda t: (-_lent(t, SAME, "none"), _lent(t, TRUE, "none")),
              "recall, none less same digit, and true less none; 40 %", **POINTS),
    ),
)  # fmt: skip
