"""MarvelOVD: a detector and one who names crops correct each other's labels, for classes of which no box was drawn.

    Wang, Cheng, Chen, Zhang, Lin, Zhou, Li: MarvelOVD: marrying object recognition and vision-language models for
    robust open-vocabulary object detection. ECCV 2024, arXiv:2407.21465; the authors' program is
    github.com/wkfdb/MarvelOVD.

    candidates: proposals that the namer calls a novel class by s_clip > 0.5, none at a base box; NMS by class
    z_i = Σ over novel classes of the detector's probabilities,   s_det,i = z_i / max of z over the image's boxes
    s_i = λ s_clip,i + (1 - λ) s_det,i                     pseudo labels: the best by s            (online mining)
    proposals go to base boxes first, and to pseudo boxes only if they matched none                 (stratified)
    weight of a proposal at a pseudo box: γ (s + 1 - b) / 2, b its probability of background       (reweighting)

Before that, in a burn-in, pseudo labels are the candidates with s_clip above a fixed threshold.

What stands in for what: for CLIP, a network of 400-96-4 that learned from tight crops of other digits of the four novel
classes alone, and so knows neither background nor what lies around; for photographs, scenes of digits: 0 to 5 have
boxes, 6 to 9 names only; for a trained generator of proposals, the true boxes with jitter, among parts and random
ones. No box regression, no second, strongly augmented view. Mining is done once an epoch and keeps a fixed number of
the best: in a training as short as this the scores drift too much for a fixed bound. Seen of the authors' work were
their program and the abstract.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.data.digit_scenes import Scenes, many_digits
from nlkit.learning.detection import (
    BASE,
    Candidates,
    average_precisions,
    base_boxes,
    candidates,
    label_quality,
    new_detector,
    proposals,
)
from nlkit.learning.optimizers import adam, descend
from nlkit.learning.ranking import area_under_curve
from nlkit.page import Claim, Page, Trial
from nlkit.papers.marvelovd_mining import assigned, joint_scores, novelty, the_best, weights
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

BATCH, RATE, IN_TRAINING, IN_TESTS = 5, 2e-3, 6, 2  # scenes a step; Adam's rate; parts of a digit among proposals
NONE, THRESHOLD, MINED, TRUE = "none", "threshold", "mined", "true"


@dataclass(frozen=True)
class Detecting:
    """A detector that learns from boxes of six classes, and of four from what a namer says. A record is an epoch.

    In its `numbers`: "novel" and "base", mean AP of their classes on test scenes; of pseudo labels in use, the share
    that is right ("precision"), and the share of novel digits that has a right one ("recall"); and how well the
    detector's z at the epoch's begin, and the namer, tell right candidates from junk: "auc" and "auc_namer".
    """

    labels: str = setting(MINED, "boxes of novel classes", choices=(NONE, THRESHOLD, MINED, TRUE))
    stratified: bool = setting(True, "whether base boxes are matched first")
    reweighted: bool = setting(True, "whether pseudo labels have weights")
    largest: bool = setting(True, "whether z is divided by the image's largest")
    parts: int = setting(2, "parts of a digit among the candidates' proposals", low=0, high=6, knob=True)
    threshold: float = setting(0.9, "least s_clip of the fixed threshold", low=0.5, high=0.99, knob=True)
    blend: float = setting(0.5, "λ: share of the namer in s", low=0.0, high=1.0, knob=True)
    share: float = setting(0.25, "labels kept, share of those above the threshold", low=0.05, high=1.0, knob=True)
    burn_in: int = setting(2, "epochs before mining", low=0, high=20, knob=True)
    gamma: float = setting(2.0, "γ: weight of pseudo labels", low=0.1, high=5.0, knob=True)
    epochs_in_all: int = setting(5, "epochs", low=1, high=50)
    scenes: int = setting(120, "scenes to learn from", low=20, high=2000)
    tested: int = setting(60, "test scenes", low=20, high=1000)
    record_every: int = setting(1, "epochs from one record to the next", low=1, high=100)
    seed: int = setting(0, "decides scenes, proposals, weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.labels == MINED and self.burn_in >= self.epochs_in_all:
            raise ValueError(f"burn_in={self.burn_in} must be below epochs_in_all={self.epochs_in_all}")

    @property
    def epochs(self) -> int:
        return -(-self.epochs_in_all // self.record_every)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        task = many_digits(self.scenes, part="scenes", seed=self.seed)
        test = many_digits(self.tested, part="test", seed=self.seed)
        return self._records(task, test, candidates(task, self.parts, self.seed))

    def _records(self, task: Scenes, test: Scenes, given: Candidates) -> Iterator[Measured]:
        detector, draw = new_detector(self.seed), seeded_generator(self.seed, "detector")
        optimizer, done = adam(detector.parameters(), RATE), 0
        asked = proposals(test, IN_TESTS, seeded_generator(self.seed, "test proposals"))
        last = self.epochs_in_all * -(-self.scenes // BATCH)
        for epoch in range(1, self.epochs_in_all + 1):
            scores, used, z = self.chosen(detector, task, given, epoch)
            seen = proposals(task, IN_TRAINING, draw)
            labels, to_pseudo, which = self.matched(seen.boxes, task, given, used)
            worth = scores.gather(1, which)
            for index in torch.randperm(self.scenes, generator=draw).split(BATCH):
                optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * done / last)) / 2
                logits = detector(task.images[index], seen.boxes[index])
                weight = seen.there[index].float()
                if self.reweighted and epoch > self.burn_in and self.labels == MINED:
                    weight = weight * weights(to_pseudo[index], worth[index], logits, self.gamma)
                losses = F.cross_entropy(logits.flatten(0, 1), labels[index].flatten(), reduction="none")
                descend(optimizer, (losses * weight.flatten()).sum() / weight.sum())
                done += 1
            if epoch % self.record_every == 0 or epoch == self.epochs_in_all:
                with torch.no_grad():
                    probabilities = detector.eval()(test.images, asked.boxes).softmax(2).transpose(1, 2)
                found = average_precisions(asked, probabilities[:, :-1], test)
                numbers = {"novel": float(found[BASE:].nanmean()), "base": float(found[:BASE].nanmean())}
                shown = self.example(task, given, scores, used, z)
                yield Measured(-(-epoch // self.record_every), numbers | self.judged(task, given, used, z), shown)

    @torch.no_grad()
    def chosen(self, detector, task: Scenes, given: Candidates, epoch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Scores s of the candidates (N, C), those in use in this epoch (N, C), and the detector's z (N, C)."""
        detector.eval()
        z = novelty(detector(task.images, given.boxes)) * given.there
        places = base_boxes(task)
        there = (places[..., 2:] > places[..., :2]).all(2)
        whole = torch.where(there[..., None], places, torch.tensor([0.0, 0, 1, 1]))
        z_base = novelty(detector(task.images, whole)) * there
        detector.train()
        above = given.scores > self.threshold
        if self.labels != MINED or epoch <= self.burn_in:
            return given.scores, above if self.labels in (THRESHOLD, MINED) else torch.zeros_like(above), z
        scores = joint_scores(given.scores, z, z_base, self.blend, largest=self.largest) * given.there
        return scores, the_best(scores, given.there, max(1, round(self.share * int(above.sum())))), z

    def matched(self, boxes: Tensor, task: Scenes, given: Candidates, used: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `assigned` gives, by the pseudo boxes in use or by all true ones."""
        if self.labels == TRUE:
            labels, _, _ = assigned(boxes, task.boxes, task.labels, task.boxes[:, :0].new_zeros(len(boxes), 1, 4),
                                    task.labels[:, :1], stratified=True)  # fmt: skip
            return labels, torch.zeros_like(labels, dtype=torch.bool), torch.zeros_like(labels)
        pseudo = given.boxes * used[..., None]
        return assigned(boxes, base_boxes(task), task.labels, pseudo, given.names, stratified=self.stratified)

    def judged(self, task: Scenes, given: Candidates, used: Tensor, z: Tensor) -> dict[str, float]:
        """How good the labels in use are, and how well z and s_clip rank all candidates."""
        right = given.right[given.there]
        areas = {name: area_under_curve(scores[given.there], right)
                 for name, scores in (("auc", z), ("auc_namer", given.scores))}  # fmt: skip
        numbers = {name: area for name, area in areas.items() if area is not None}
        if used.any():
            numbers["precision"], numbers["recall"] = label_quality(given, used, task)
        return numbers

    def example(self, task: Scenes, given: Candidates, scores: Tensor, used: Tensor, z: Tensor) -> dict[str, Any]:
        """The scene with most right candidates, its candidates, and scores of all candidates."""
        place = int(given.right.sum(1).argmax())
        there = given.there[place]
        shown: dict[str, Any] = {"scene": task.images[place, 0], "boxes": given.boxes[place, there]}
        shown |= {"right": given.right[place, there], "used": used[place, there], "names": given.names[place, there]}
        shown |= {"score": scores[place, there]}
        by = (z / z.amax(1, keepdim=True).clamp(min=1e-9))[given.there]
        return shown | {"all_sure": given.scores[given.there], "all_det": by, "all_right": given.right[given.there],
                        "all_used": used[given.there]}  # fmt: skip


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """A scene with its candidates, kept or not; all candidates by both scores; AP of novel classes by epoch."""
    from nlkit.plots.detections import candidates_and_precision

    return candidates_and_precision(records, tuple(PAGE.variants))


FULL: dict[str, Any] = {"scenes": 200, "tested": 120, "epochs_in_all": 6, "record_every": 100}
PLAIN: dict[str, Any] = {"labels": THRESHOLD, "stratified": False, "reweighted": False}
FIXED, OURS, STRICT, ALONE = "threshold", "MarvelOVD", "strict", "mining alone"
CROWDED: dict[str, Any] = {"parts": 6}
NAMER: dict[str, Any] = {"blend": 1.0}
DETECTOR: dict[str, Any] = {"blend": 0.0}
WITHOUT, ORACLE = "base boxes", "true boxes"


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, FULL) for name in PAGE.variants)
    yield from ((name, FULL | CROWDED) for name in (FIXED, OURS))
    yield from ((OURS, FULL | change) for change in (NAMER, DETECTOR, {"largest": False}))


def at(t: Trial, name: str, number: str = "novel", **changes: Any) -> float:
    """A number at the end."""
    return t.run(name, **FULL | changes).last(number)


def _purer(t: Trial) -> float:
    return at(t, OURS, "precision") / at(t, FIXED, "precision")


CONTROL, AP = "a control of this page", "mean AP of the four novel classes"
POINTS: dict[str, Any] = {"unit": "points"}
PAGE = Page(
    title="Boxes that nobody drew (MarvelOVD)",
    source="Wang, Cheng, Chen, Zhang, Lin, Zhou, Li, ECCV 2024, arXiv:2407.21465",
    finding="Five in six of the boxes that a namer of crops is sure of are junk; with the help of the detector that "
    "learns from them it is half.",
    variants={
        FIXED: PLAIN, OURS: {}, STRICT: PLAIN | {"threshold": 0.98},
        ALONE: {"stratified": False, "reweighted": False}, WITHOUT: PLAIN | {"labels": NONE},
        ORACLE: PLAIN | {"labels": TRUE},
    },
    headline="novel", experiment=Detecting, picture=draw, grid=_grid,
    tiny={"scenes": 20, "tested": 20, "epochs_in_all": 3},
    claims=(
        Claim("marvelovd_knows", "A detector that learned from junk tells it from right boxes better than who made it.",
              "the idea", lambda t: at(t, FIXED, "auc") - at(t, FIXED, "auc_namer"),
              "area under the ROC curve over all candidates, detector less namer", at_least=0.1, **POINTS),
        Claim("marvelovd_purer", "Both scores together make labels twice as pure.", "abstract", _purer,
              "precision of pseudo labels, MarvelOVD by fixed threshold", at_least=2.0, unit="x"),
        Claim("marvelovd_recall", "At no loss of digits that have a right one.", "ablation",
              lambda t: at(t, OURS, "recall") - at(t, FIXED, "recall"), "recall of pseudo labels, MarvelOVD less "
              "fixed threshold", at_least=-0.05, **POINTS, why="It keeps a quarter as many labels; digits that both "
              "scores doubt go with the junk."),
        Claim("marvelovd_novel", "The detector finds more novel digits.", "table of results",
              lambda t: at(t, OURS) - at(t, FIXED), f"{AP}, MarvelOVD less fixed threshold", at_least=0.03,
              published="4.5 points", **POINTS),
        Claim("marvelovd_strict", "A stricter threshold does not do that.", CONTROL,
              lambda t: at(t, OURS) - at(t, STRICT), f"{AP}, MarvelOVD less a threshold of 0.98", at_least=0.03,
              **POINTS),
        Claim("marvelovd_namer", "Nor do as few labels chosen by the namer alone.", CONTROL,
              lambda t: at(t, OURS) - at(t, OURS, **NAMER), f"{AP}, λ = 0.5 less λ = 1", at_least=0.03, **POINTS),
        Claim("marvelovd_crowded", "Labels get purer, too, where there are three times as many parts.", CONTROL,
              lambda t: at(t, OURS, "precision", **CROWDED) - at(t, FIXED, "precision", **CROWDED),
              "precision of pseudo labels, six parts a digit, MarvelOVD less fixed threshold", at_least=0.05,
              why="Half of all parts are then labelled, so that the detector learns that parts are novel; only a "
              "minority among its look-alikes can be outvoted.", **POINTS),
        Claim("marvelovd_parts", "Matching base boxes first, and weights, add to mining.", "ablation",
              lambda t: at(t, OURS) - at(t, ALONE), f"{AP}, MarvelOVD less mining alone", at_least=0.0, **POINTS),
        Claim("marvelovd_base", "The base classes do not suffer.", "table of results",
              lambda t: at(t, OURS, "base") - at(t, WITHOUT, "base"), "mean AP of the six base classes, MarvelOVD less "
              "base boxes alone", at_least=-0.02, **POINTS,
              why="Ten classes share what six had; true novel boxes cost two points, too."),
    ),
)  # fmt: skip
