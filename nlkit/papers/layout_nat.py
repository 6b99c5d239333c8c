"""NAT: reading forms, taught by a few that people labelled, and by many that other readers labelled and may doubt.

    Sarkhel, Ren, Beltrao Costa, Su, Perot, Xie, Koukoumidis, Nandi: Noise-aware training of layout-aware language
    models. 2024, arXiv:2404.00488.

H: receipts labelled by people, few. U: receipts of the same vendors with weak labels ŷ and confidence c, many.
    1. start: a reader that was trained on receipts of a simpler type, from other vendors
    2. L = [Σ_{i∈H} CE(i, y_i) + Σ_{i∈U} c_i CE(i, ŷ_i)] / [|H| + Σ_{i∈U} c_i]       tokens i of a batch
    3. the same on H and synthetic receipts made from H, all weights 1, at a quarter of the learning rate
The paper's baseline, transfer, is 1 and then H alone.

What differs: of the paper its abstract, its first page and summaries were read. Neither the formula of the confidence
nor the tables were to be had, so c is what the readers' mean probability says of its own label, the plainest thing that
fits the text (nlkit/noise/weak_readers.py). Receipts are made (nlkit/data/forms.py), and the reader has one layer
(nlkit/learning/form_reader.py) where the paper has LayoutLMv2 and FormNet. Ours: that each batch has five receipts of H
and ten of U, since without it U drowns H; that all variants take equally many steps; and all controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlkit.page import Claim, Page, Trial
from nlkit.papers.layout_nat_training import EQUAL, NONE, ORACLE, SHUFFLED, THRESHOLD, TRUE, Reading
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """A receipt with its weak labels and what they weigh, and F1 by step."""
    from nlkit.plots.forms import receipt_and_f1

    return receipt_and_f1(records, tuple(PAGE.variants))


LAST: dict[str, Any] = {"record_every": 1000}  # one record, at the end
FEW = (2, 4, 8, 16)
HURT: dict[str, Any] = {"misread": 0.4}
BLIND: dict[str, Any] = {"misread": 0.4, "told": False}
SHARP: dict[str, Any] = {"power": 4.0}
TRANSFER, UNWEIGHTED, WEIGHTED, COPIED, ALL_BUT, NAT = (
    "transfer", "unweighted", "weighted", "copies alone", "no weights", "NAT",
)  # fmt: skip
CONTROLS = {"shuffled": SHUFFLED, "threshold": THRESHOLD, "oracle": ORACLE, "true labels": TRUE}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, {"labelled": n, **LAST}) for n in FEW for name in (TRANSFER, WEIGHTED, COPIED, NAT))
    yield TRANSFER, {"labelled": 12, **LAST}
    yield from ((name, LAST) for name in (UNWEIGHTED, ALL_BUT, *CONTROLS))
    yield from ((name, {**HURT, **LAST}) for name in (UNWEIGHTED, WEIGHTED, ALL_BUT, NAT))
    yield from ((name, {**how, **SHARP, **LAST}) for how in ({}, HURT) for name in (WEIGHTED, "shuffled", NAT))
    yield from ((name, {**BLIND, **LAST}) for name in (WEIGHTED, NAT))
    yield from ((name, {"labelled": 16, **LAST}) for name in (UNWEIGHTED, ALL_BUT))


def f1(t: Trial, name: str, **changes: Any) -> float:
    """F1 at the end."""
    return t.run(name, **changes, **LAST).last("f1")


def lead(t: Trial, ours: str, theirs: str, **both: Any) -> float:
    return f1(t, ours, **both) - f1(t, theirs, **both)


ABSTRACT, OURS = "abstract", "a control that the paper leaves out"
POINTS: dict[str, Any] = {"unit": "points"}
PAGE = Page(
    title="Noise-aware training of layout-aware models (NAT)",
    source="Sarkhel, Ren, Beltrao Costa, Su, Perot, Xie, Koukoumidis, Nandi, 2024, arXiv:2404.00488",
    finding="Copies and weak labels together lift four labelled receipts by 16 points; weights by confidence matter "
    "where documents are misread.",
    variants={
        TRANSFER: {"weights": NONE, "copies": False}, UNWEIGHTED: {"weights": EQUAL, "copies": False},
        WEIGHTED: {"copies": False}, COPIED: {"weights": NONE}, ALL_BUT: {"weights": EQUAL}, NAT: {},
    },
    besides={name: (Reading, {"weights": kind, "copies": False}) for name, kind in CONTROLS.items()},
    headline="f1", experiment=Reading, picture=draw, grid=_grid,
    tiny={"steps": 3, "last": 2},
    claims=(
        Claim("layout_nat_transfer", "With four labelled receipts NAT is six points above transfer.", ABSTRACT,
              lambda t: lead(t, NAT, TRANSFER), "F1, NAT less transfer", at_least=0.06,
              published="up to 6 %", **POINTS),
        Claim("layout_nat_half", "With four it is as good as transfer with eight.", ABSTRACT,
              lambda t: f1(t, NAT) - f1(t, TRANSFER, labelled=8), "F1, NAT with 4 less transfer with 8", at_least=0.0,
              **POINTS),
        Claim("layout_nat_labelling", "With four it is as good as transfer with sixteen.", ABSTRACT,
              lambda t: f1(t, NAT) - f1(t, TRANSFER, labelled=16), "F1, NAT with 4 less transfer with 16",
              at_least=-0.01, published="up to 73 % less", **POINTS,
              why="On the mean it lies between transfer with eight and with twelve: it saves half of them, or more."),
        Claim("layout_nat_robust", "Weak labels do not make a reader worse.", ABSTRACT,
              lambda t: [lead(t, NAT, COPIED, labelled=n) for n in FEW],
              "F1, NAT less copies alone; 2, 4, 8, 16 labelled", at_least=-0.01, **POINTS,
              why="Beside sixteen labelled receipts they cost four seeds of five some points: these teach more "
              "than weak labels of F1 76 %."),
        Claim("layout_nat_weak", "Beside two or four labelled receipts and their copies they help.", ABSTRACT,
              lambda t: [lead(t, NAT, COPIED, labelled=n) for n in (2, 4)], "F1, the same; 2 and 4 labelled",
              at_least=0.02, **POINTS),
        Claim("layout_nat_plain", "Weights by confidence are better than none.", "part of the method",
              lambda t: lead(t, WEIGHTED, UNWEIGHTED), "F1, weighted less unweighted; nothing misread", at_least=0.01,
              **POINTS, why="Whether a label of one of the six is right, confidence hardly tells (AUC 62 %); what it "
              "tells is that other is sure. So right labels of what is sought weigh no more than wrong ones."),
        Claim("layout_nat_misread", "They are where two documents in five are misread, and confidence knows.",
              "part of the method", lambda t: lead(t, WEIGHTED, UNWEIGHTED, **HURT), "the same; 40 % misread",
              at_least=0.0, **POINTS),
        Claim("layout_nat_knowledge", "It is what confidence knows, and not that weak labels count less.", OURS,
              lambda t: lead(t, WEIGHTED, "shuffled", **HURT, **SHARP), "F1, c⁴ less c⁴ shuffled; 40 % misread",
              at_least=0.05, **POINTS),
        Claim("layout_nat_after", "The weights still show after the synthetic receipts.", OURS,
              lambda t: lead(t, NAT, ALL_BUT, **HURT), "F1, NAT less the same without weights; 40 % misread",
              at_least=0.01, **POINTS, why="Fifty steps on copies of what people labelled mend what misread receipts "
              "taught, weighted or not. c⁴ still shows, by 3 points."),
        Claim("layout_nat_copies", "Synthetic receipts alone bring more than weak labels alone.", OURS,
              lambda t: [lead(t, COPIED, WEIGHTED, labelled=n) for n in (4, 8)],
              "F1, copies alone less weighted; 4, 8 labelled", at_least=0.0, **POINTS),
    ),
)  # fmt: skip
