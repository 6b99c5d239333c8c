"""ADELE: masks are corrected, class by class, from when a network begins to learn their errors by heart.

    Liu, Liu, Zhu, Shen, Fernandez-Granda: Adaptive early-learning correction for segmentation from noisy annotations.
    CVPR 2022, arXiv:2110.03740; program: github.com/Kangningthu/ADELE.

    f(t) = a (1 - exp(-t^b / c)),  0 ≤ a, b ≤ 1, c > 0      fitted to the IoU of a class with the masks as given
    start when |f'(1) - f'(t)| / |f'(1)| > r                class by class; once on, always on
    ỹ_i ← argmax q_i where max q_i > τ                      if ỹ_i and argmax q_i are background or classes that are on,
                                                            and the mask of that image has the new class somewhere
    L = mean_k CE(p_k, ỹ) + λ mean_i [max q_i > ρ] Σ_k KL(p_ik ‖ q_i),   q = mean_k p_k      (consistency over scales)

p_k is what the network says of an image made smaller or larger and told back at its own size. IoU is that of the
predictions made during an epoch, over all pixels of the training images.

What differs: generated chest slices of 32×32 and a network of 25,000 parameters (nlkit/data/masked_scenes.py and
nlkit/learning/segmentation.py) for CT and a U-Net; Adam for SGD, scales ¾, 1, 1¼ for 0.7, 1, 1.5, r = 0.95 and τ = 0.8
for 0.9 and 0.7. As in the program for VOC, masks are corrected after each epoch anew from those as given; the program
for SegTHOR does it every ten epochs on top of what is corrected. A class's curve begins where its IoU exceeds 0.1, and
steps of the noise are 3 to 6, for 2 to 4. In the program whole batches pass the limit ρ or none of it, since it takes
the maximum over pixels too, and logits are divided by three before cross-entropy; here neither is so.

The parts and the training are in `nlkit.papers.adele_training`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlkit.page import Claim, Page, Trial
from nlkit.papers.adele_training import ADELE, CONSISTENCY, CORRECTION, STANDARD, WAYS, Segmenting
from nlkit.records import Measured

if TYPE_CHECKING:
    from nlkit.plots import Figure


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """One image with outlines as given, as predicted and as corrected; each class's curves; IoU on test images."""
    from nlkit.plots.outlines import outlines_and_curves

    return outlines_and_curves(records, WAYS)


FULL: dict[str, Any] = {"count": 100, "batch": 10, "length": 60}
CLEAN: dict[str, Any] = {"ratio": 0.0}
COMMON = (8, 16)  # epochs


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, FULL) for name in WAYS)
    yield STANDARD, {**CLEAN, **FULL}
    yield from ((CORRECTION, {"start": start, **FULL}) for start in COMMON)


def end(t: Trial, name: str, number: str = "settled", **changes: Any) -> float:
    """A number at the end."""
    return t.run(name, **changes, **FULL).last(number)


def best(t: Trial, name: str, number: str) -> float:
    """A number in the epoch in which it was highest."""
    return t.run(name, **FULL).highest(number)


ABSTRACT, OURS = "abstract", "a control that the paper leaves out"
POINTS: dict[str, Any] = {"unit": "points"}
PAGE = Page(
    title="Correcting masks in time (ADELE)",
    source="Liu, Liu, Zhu, Shen, Fernandez-Granda, CVPR 2022, arXiv:2110.03740",
    finding="Correcting masks keeps most of their errors from being learned by heart; on new images consistency over "
    "scales alone does as much.",
    variants={name: {"method": name} for name in WAYS},
    headline="iou", experiment=Segmenting, picture=draw, grid=_grid,
    tiny={"count": 10, "length": 3},
    claims=(
        Claim("adele_early", "Where masks are wrong a network first agrees with the truth, and later does not.",
              "figure 3", lambda t: best(t, STANDARD, "true") - end(t, STANDARD, "true"),
              "IoU with the truth on wrong pixels, standard, best epoch less last", at_least=0.2, **POINTS),
        Claim("adele_classes", "Its classes slow down at different times, three epochs apart or more.", ABSTRACT,
              lambda t: end(t, ADELE, "apart"), "epochs from the first organ corrected to the last",
              at_least=3, unit=""),
        Claim("adele_better", "ADELE ends above standard training.", ABSTRACT,
              lambda t: end(t, ADELE) - end(t, STANDARD), "test IoU over the last five epochs, ADELE less standard",
              at_least=0.0, **POINTS),
        Claim("adele_masks", "Corrected masks are nearer the truth than those given.", ABSTRACT,
              lambda t: end(t, ADELE, "masks") - end(t, STANDARD, "masks"), "IoU with the truth, corrected less given",
              at_least=0.05, **POINTS),
        Claim("adele_parts", "Consistency and correction both add to it.", OURS,
              lambda t: (end(t, ADELE) - end(t, CORRECTION), end(t, ADELE) - end(t, CONSISTENCY)),
              "test IoU, ADELE less correction alone, and less consistency alone", at_least=0.0, **POINTS,
              why="Consistency alone keeps errors from being learned: edges on which three sizes disagree are not told "
              "surely. And what is corrected cements what the network was sure of, right or wrong."),
        Claim("adele_own_time", "To correct each class in its own time is better than all at one epoch.", OURS,
              lambda t: [end(t, CORRECTION) - end(t, CORRECTION, start=start) for start in COMMON],
              "test IoU, correction alone, own times less epochs 8 and 16", at_least=0.0, **POINTS,
              why="τ holds back as well: before its time hardly a pixel of a class is sure enough to be changed."),
        Claim("adele_stopped", "It ends no lower than standard training does if stopped when best.", OURS,
              lambda t: end(t, ADELE) - best(t, STANDARD, "settled"),
              "test IoU over five epochs, ADELE's last less the best of standard training", at_least=0.0, **POINTS,
              why="Most errors stay in the masks (IoU 0.56 before, 0.69 after): at an edge that was drawn now inside "
              "and now outside the organ no network is sure."),
    ),
)  # fmt: skip
