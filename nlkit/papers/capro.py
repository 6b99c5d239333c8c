"""CAPro: images found by a word that means two things, and the few whose captions fit its definition.

    Qin, Chen, Shen, Fu, Gu, Li, Sun, Ji: CAPro: Webly supervised learning with cross-modality aligned prototypes.
    NeurIPS 2023, arXiv:2310.09761; program: github.com/yuleiqin/capro.

    t̂ = A t                      texts t of look-alikes are averaged; A: graph of the images, rows of sum 1
    few shots                    the K images of each class whose t̂ is nearest to the definition of their own class
    c_k                          mean of z over the few shots of class k, of length 1;  then c_y ← 0.999 c_y + 0.001 z
    b_i = Σ_j a_ij [α softmax(o'_j) + (1 - α) softmax(z_j·c / τ)],  a_ij ∝ max(z_i·z_j, 0)             over a queue
    L = L_cls(o) + L_cls(o') + CE(z·c / τ, y) + L_inst,  L_cls = (1 - β) CE(y) + β CE(b)
    s = α softmax(o) + (1 - α) softmax(z·c / τ):  y ← argmax s if max s ≥ 0.6; y stays if s_y ≥ 1/C; else left out

L_inst: like the other view of its image, unlike a queue of others (MoCo). z has length 1, o is a classifier of the
features, o' one of z; what is in the queue comes from a network that follows slowly. Few shots keep their labels. At
the end the classifier alone is tuned on what is cleaned, with mixup.

What differs: digits for WebVision, a small network for ResNet-50, 16 + 4 epochs for 60 + 15, TF-IDF for a sentence
encoder, no re-ranking of neighbours, one training for two, no reconstruction of features (nothing needs it at this
depth), and the first prototypes come from the network itself, not from the slow one, which lags in so short a run. The
authors' program was read, and none of it is used. The parts are in `nlkit.papers.capro_parts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlkit.page import Claim, Page, Trial
from nlkit.papers.capro_parts import GRAPH, IMAGE, TEXT
from nlkit.papers.capro_training import BY_TEXT, CAPRO, FEW, STANDARD, TRUE, VISUAL, Searching
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Images as they were found and as they were picked, and test accuracy by epoch."""
    from nlkit.plots.picks import picked_images

    return picked_images(records, tuple(PAGE.variants))


LAST: dict[str, Any] = {"record_every": 1000}  # one record, at the end
MORE: dict[str, Any] = {"k": 20}
HARD: dict[str, Any] = {"missing": 0.5, "mismatched": 0.35, "words": 1}  # poor captions


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    found = {CAPRO: (0.35, 0.5, 0.6, 0.7), STANDARD: (0.5,), VISUAL: (0.5, 0.6), FEW: (0.5, 0.7), BY_TEXT: (0.5, 0.7)}
    yield from ((name, {"ratio": ratio, **LAST}) for name, ratios in found.items() for ratio in ratios)
    yield TRUE, LAST
    yield from ((CAPRO, {**HARD, "picks": picks, **LAST}) for picks in (GRAPH, TEXT, IMAGE))
    yield BY_TEXT, {**HARD, **LAST}
    yield from ((CAPRO, {**change, **LAST}) for change in ({"beta": 0.0}, MORE))
    yield FEW, {**MORE, **LAST}


def at(t: Trial, name: str, number: str = "test_accuracy", **changes: Any) -> float:
    """A number at the end."""
    return t.run(name, **changes, **LAST).last(number)


def lead(t: Trial, *theirs: str, **both: Any) -> list[float]:
    return [at(t, CAPRO, **both) - at(t, name, **both) for name in theirs]


OURS, PART = "a control that the paper leaves out", "part of the method"
POINTS: dict[str, Any] = {"unit": "points"}
PAGE = Page(
    title="Cross-modality aligned prototypes (CAPro)",
    source="Qin, Chen, Shen, Fu, Gu, Li, Sun, Ji, NeurIPS 2023, arXiv:2310.09761",
    finding="Picks by text find the right meaning where half of what is found is wrong; to name every image by its "
    "text is better, if captions are good.",
    variants={name: {"method": name} for name in (STANDARD, VISUAL, FEW, BY_TEXT, CAPRO)},
    besides={TRUE: (Searching, {"method": TRUE})},
    experiment=Searching, picture=draw, grid=_grid, tiny={"length": 2, "tuning": 1},
    claims=(
        Claim("capro_picks", "Picks by text are righter than picks by image, and the graph makes them righter still.",
              PART, lambda t: [at(t, CAPRO, "picks", picks=a, **HARD) - at(t, CAPRO, "picks", picks=b, **HARD)
                               for a, b in ((TEXT, IMAGE), (GRAPH, TEXT))],
              "share of right picks, text less image and text and graph less text; poor captions", at_least=0.05,
              **POINTS),
        Claim("capro_beats", "It beats standard training and prototypes of all images, half of them wrong.", "abstract",
              lambda t: lead(t, STANDARD, VISUAL), "test accuracy, CAPro less standard, less visual; ρ = 0.5",
              at_least=0.1, **POINTS),
        Claim("capro_half", "Beyond one half only outside knowledge helps.", PART, lambda t: lead(t, VISUAL, ratio=0.6),
              "test accuracy, CAPro less visual; ρ = 0.6", at_least=0.3, **POINTS),
        Claim("capro_few", "It beats a network that learns from the picks alone.", OURS,
              lambda t: lead(t, FEW), "test accuracy, CAPro less few; ρ = 0.5", at_least=0.02, **POINTS),
        Claim("capro_further", "It does so, too, where seven images in ten are wrong.", OURS,
              lambda t: lead(t, FEW, ratio=0.7), "the same; ρ = 0.7", at_least=0.0, **POINTS,
              why="A given label stays wherever s has it above 1 / C, which it nearly always has: 96 % are kept, two "
              "in three of them wrong."),
        Claim("capro_more", "With twenty picks a class it beats them where half are wrong.", OURS,
              lambda t: lead(t, FEW, **MORE), "the same; ρ = 0.5, K = 20", at_least=0.0, **POINTS,
              why="On the mean they are level: 200 right labels teach as much as 2,000 of which a sixth is wrong."),
        Claim("capro_by_text", "It beats plain training on labels that each image's text, averaged over look-alikes, "
              "names.", OURS, lambda t: lead(t, BY_TEXT), "test accuracy, CAPro less by text; ρ = 0.5", at_least=0.0,
              **POINTS, why="Texts averaged over look-alikes name nine images in ten rightly, and picks and prototypes "
              "eight."),
        Claim("capro_poor", "With poor captions it does.", OURS, lambda t: lead(t, BY_TEXT, **HARD),
              "the same; half the captions missing, 35 % about another digit, one word", at_least=0.05, **POINTS),
        Claim("capro_bootstrapping", "Collective bootstrapping helps.", PART,
              lambda t: at(t, CAPRO) - at(t, CAPRO, beta=0.0), "test accuracy, with less without; ρ = 0.5",
              at_least=0.0, **POINTS),
    ),
)  # fmt: skip
