"""ReLabel: a crop has the label of its image, whatever it shows; labels from a map of what is where.

    Yun, Oh, Heo, Han, Choe, Chun: Re-labeling ImageNet: from single to multi-labels, from global to localized labels.
    CVPR 2021, arXiv:2101.05022; the authors' program is github.com/naver-ai/relabel_imagenet.

    M = the annotator's logits at each place of an image: no mean over places, its last layer a 1 x 1 convolution
    t = softmax(mean of M within the crop's box b)                       L = -Σ_c t_c log p_c(crop)

The annotator is a network that was trained before, on more data, and is asked once an image. A student is trained on
random crops with targets t; the labels of the images are not used again.

What differs: in place of EfficientNet-L2, trained on 300 million photographs and tuned on ImageNet, the annotator is a
network of the student's own kind that learned from digits of another source, one on a canvas, and was then tuned on the
scenes as wholes with their labels, so that it knows which of two digits is meant. Maps are kept whole; the program
keeps the five highest logits of a place and puts 0 for the rest. No colour jitter, flip or CutMix. Ours are the
targets by true areas, the annotator asked anew at each crop, and the annotator without another source. The program
makes boxes row first and gives them to a function that wants x first, unless its maps are stored the other way; here
x is before y throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.data.digit_scenes import Scenes, two_digits
from nlkit.learning.boxes import areas, cut, random_boxes, shared_area
from nlkit.learning.label_maps import BATCH, CLASSES, annotator, new_network, pooled, shown_area, train
from nlkit.page import Claim, Page, Trial
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

TESTED, SEEN, LOOKED_AT = 1000, 20, 2000  # test scenes; pixels of a student's crop; crops by which labels are judged
SINGLE, RELABEL, GLOBAL, HARD = "single", "ReLabel", "global", "local hard"
SMOOTHED, ASKED, TRUE = "smoothed", "asked anew", "true areas"
KINDS = (SINGLE, RELABEL, GLOBAL, HARD, SMOOTHED, ASKED, TRUE)
SMOOTHING = 0.1


@dataclass(frozen=True)
class Cropped:
    """A student that learns from random crops of scenes. A record is an epoch.

    In its `numbers`, of 1,000 test scenes as wholes: "accuracy", the large digit is named; "any", one that is there;
    "alone", the same of scenes with one digit. Of 2,000 crops: "absent", the share that shows less than a quarter of
    the large digit's box; "other", that shows more of the small one; "off", half the L1 distance of the targets from
    the shares of the area shown. And "annotator", its accuracy where one is asked.
    """

    labels: str = setting(RELABEL, "what a crop is labelled with", choices=KINDS)
    both: float = setting(0.8, "share of scenes with a second digit", low=0.0, high=1.0, knob=True)
    smallest: float = setting(0.05, "smallest crop, share of the area", low=0.02, high=0.5, knob=True)
    largest: float = setting(0.6, "largest crop, share of the area", low=0.1, high=1.0, knob=True)
    extra: int = setting(640, "digits of another source for the annotator", low=0, high=2000, knob=True)
    epochs_of_student: int = setting(4, "epochs of the student", low=1, high=30, knob=True)
    scenes: int = setting(800, "scenes to learn from", low=BATCH, high=5000)
    epochs_of_annotator: int = setting(4, "epochs of the annotator on the other digits", low=1, high=30)
    tuning: int = setting(1, "epochs of the annotator on the scenes", low=1, high=30)
    record_every: int = setting(1, "epochs from one record to the next", low=1, high=100)
    seed: int = setting(0, "decides scenes, weights, crops", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.smallest > self.largest:
            raise ValueError(f"smallest={self.smallest} must not be above largest={self.largest}: areas of crops")
        if 0 < self.extra < BATCH:
            raise ValueError(f"extra={self.extra} must be 0, or at least {BATCH}, which is a batch")

    @property
    def epochs(self) -> int:
        return -(-self.epochs_of_student // self.record_every)

    def problem(self) -> tuple[Scenes, Scenes]:
        """The scenes to learn from, and those for tests."""
        parts = ((self.scenes, "scenes"), (TESTED, "test"))
        task, test = (two_digits(count, both=self.both, part=part, seed=self.seed) for count, part in parts)
        return task, test

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        task, test = self.problem()
        network, draw = new_network(self.seed), seeded_generator(self.seed, "crops")
        targets = Targets(self, task)

        def batch(places: Tensor) -> tuple[Tensor, Tensor]:
            crops = random_boxes(len(places), self.smallest, self.largest, draw)
            return cut(task.images[places], crops, SEEN), targets(places, crops)

        fixed = targets.judged(test)
        epochs = train(network, self.scenes, batch, epochs=self.epochs_of_student, generator=draw)
        for epoch, _ in enumerate(epochs, start=1):
            if epoch % self.record_every and epoch < self.epochs_of_student:
                continue
            with torch.no_grad():
                numbers = right(network(test.images), test)
            place = -(-epoch // self.record_every)
            yield Measured(place, numbers | fixed, targets.example(place))


class Targets:
    """Gives each crop of the scenes its target, of the kind that is asked for."""

    def __init__(self, asked: Cropped, task: Scenes):
        self.kind, self.task, self.asked = asked.labels, task, asked
        self.annotator, self.maps = None, None
        if self.kind in (RELABEL, GLOBAL, HARD, ASKED):
            self.annotator = annotator(asked.scenes, asked.both, asked.extra, asked.epochs_of_annotator, asked.tuning,
                                       asked.seed)  # fmt: skip
            with torch.no_grad():
                self.maps = self.annotator.label_map(task.images)

    @torch.no_grad()
    def __call__(self, places: Tensor, crops: Tensor) -> Tensor:
        """(B, 10) probabilities for crops (B, 4) of the scenes at these places (B,)."""
        if self.kind in (SINGLE, SMOOTHED):
            certain = F.one_hot(self.task.labels[places, 0], CLASSES).float()
            return certain if self.kind == SINGLE else (1 - SMOOTHING) * certain + SMOOTHING / CLASSES
        if self.kind == TRUE:
            return shown_area(self.task.labels[places], self.task.boxes[places], crops)
        if self.kind == ASKED:
            images = self.task.images[places]
            return self.annotator(cut(images, crops, images.shape[-1])).softmax(1)  # type: ignore[misc]
        maps = self.maps[places]  # type: ignore[index]
        if self.kind == GLOBAL:
            return maps.mean((2, 3)).softmax(1)
        soft = pooled(maps, crops)
        return soft if self.kind == RELABEL else F.one_hot(soft.argmax(1), CLASSES).float()

    def judged(self, test: Scenes) -> dict[str, float]:
        """How well these labels fit the crops, and the annotator's accuracy where there is one."""
        draw = seeded_generator(self.asked.seed, "crops to judge labels by")
        places = torch.randint(self.asked.scenes, (LOOKED_AT,), generator=draw)
        crops = random_boxes(LOOKED_AT, self.asked.smallest, self.asked.largest, draw)
        labels, boxes = self.task.labels[places], self.task.boxes[places]
        large, small = shared_area(crops[:, None], boxes).unbind(1)
        shares = {"absent": large < areas(boxes[:, 0]) / 4, "other": small > large}
        numbers = {name: share.double().mean().item() for name, share in shares.items()}
        off = (self(places, crops) - shown_area(labels, boxes, crops)).abs().sum(1) / 2
        numbers["off"] = off.mean().item()
        if self.annotator is not None:
            with torch.no_grad():
                numbers["annotator"] = right(self.annotator(test.images), test)["accuracy"]
        return numbers

    def example(self, number: int) -> dict[str, Any]:
        """Four crops of the first scene with two digits, others each time, with their targets, and its map."""
        place = int((self.task.labels[:, 1] >= 0).int().argmax())
        draw = seeded_generator(number, f"crops to be seen: {self.asked.seed}")
        crops = random_boxes(4, self.asked.smallest, self.asked.largest, draw)
        places = torch.full((4,), place)
        shown = {"scene": self.task.images[place, 0], "digits": self.task.labels[place], "crops": crops}
        shown |= {"seen": cut(self.task.images[places], crops, SEEN)[:, 0], "targets": self(places, crops)}
        return shown if self.maps is None else shown | {"map": self.maps[place]}


def right(logits: Tensor, scenes: Scenes) -> dict[str, float]:
    """Shares of scenes of which logits (N, 10) name the large digit, any digit, and the only one where it is alone."""
    named = logits.argmax(1)
    large, alone = named == scenes.labels[:, 0], scenes.labels[:, 1] < 0
    shares = {"accuracy": large, "any": (named[:, None] == scenes.labels).any(1)}
    shares |= {"alone": large[alone]} if alone.any() else {}
    return {name: share.double().mean().item() for name, share in shares.items()}


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """A scene with four crops, the targets that they have, the map that these are from, and accuracy by epoch."""
    from nlkit.plots.scenes import crops_and_accuracy

    return crops_and_accuracy(records, tuple(PAGE.variants))


FULL: dict[str, Any] = {  # what claims are measured at; the defaults are for a panel
    "scenes": 2000, "extra": 1500, "epochs_of_annotator": 8, "tuning": 2, "epochs_of_student": 6, "record_every": 100,
}  # fmt: skip
WHOLE: dict[str, Any] = {"smallest": 0.3, "largest": 1.0}
ALONE: dict[str, Any] = {"extra": 0}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, FULL) for name in PAGE.variants)
    yield RELABEL, FULL | ALONE
    yield from ((name, FULL | WHOLE) for name in (SINGLE, RELABEL, GLOBAL))


def ahead(t: Trial, rival: str, number: str = "accuracy", ours: str = RELABEL, **changes: Any) -> float:
    """A number of ours less that of a rival."""
    settings = FULL | changes
    return t.run(ours, **settings).last(number) - t.run(rival, **settings).last(number)


def _without_another_source(t: Trial) -> float:
    return t.run(RELABEL, **FULL | ALONE).last("accuracy") - t.run(SINGLE, **FULL).last("accuracy")


NAMED, OURS = "accuracy on the large digit", "a control that the paper leaves out"
POINTS: dict[str, Any] = {"unit": "points"}
PAGE = Page(
    title="Labels of crops from a map (ReLabel)",
    source="Yun, Oh, Heo, Han, Choe, Chun, CVPR 2021, arXiv:2101.05022",
    finding="A crop's label pooled from a map is as far from what it shows as its scene's own label, and teaches "
    "thirteen points more.",
    variants={name: {"labels": name} for name in KINDS},
    headline="accuracy", experiment=Cropped, picture=draw, grid=_grid,
    tiny={"scenes": 32, "extra": 32, "epochs_of_student": 1, "epochs_of_annotator": 1, "tuning": 1},
    claims=(
        Claim("relabel_single", "Labels pooled from a map beat the scenes' single labels.", "table of results",
              lambda t: ahead(t, SINGLE), f"{NAMED}: ReLabel less single", at_least=0.05, published="1.4 points",
              **POINTS),
        Claim("relabel_smoothed", "It is not that they are soft: smoothed labels do not do it.", "table of results",
              lambda t: ahead(t, SMOOTHED), f"{NAMED}: ReLabel less smoothed", at_least=0.05, published="0.9 points",
              **POINTS),
        Claim("relabel_both", "Both count: where in the scene the crop lies, and several classes.", "ablation",
              lambda t: (ahead(t, GLOBAL), ahead(t, HARD)), f"{NAMED}: ReLabel less global, and less local hard",
              at_least=0.0, published="0.4 and 0.5 points", **POINTS),
        Claim("relabel_crops", "It mends what crops do: with large crops the gain is smaller by three points.",
              "the idea",
              lambda t: ahead(t, SINGLE) - ahead(t, SINGLE, **WHOLE),
              "gain over single, crops of 5 to 60 % of the scene less crops of 30 to 100 %", at_least=0.03, **POINTS),
        Claim("relabel_nearer", "Its labels are nearer to what a crop shows than the single ones.", OURS,
              lambda t: -ahead(t, SINGLE, "off"), "distance from the shares of the area shown, single less ReLabel",
              at_least=0.02, **POINTS, why="They are off by as much, but elsewhere: somewhat in nearly every crop; "
              "single labels are right in most and wholly wrong in the others."),
        Claim("relabel_areas", "Labels by the true areas in each crop do no better.", OURS,
              lambda t: ahead(t, TRUE), f"{NAMED}: ReLabel less true areas", at_least=0.0, **POINTS),
        Claim("relabel_source", "It gains without another source, too: with an annotator taught by the same scenes.",
              OURS, _without_another_source, f"{NAMED}: ReLabel with such an annotator less single", at_least=0.0,
              **POINTS),
        Claim("relabel_asked", "To ask the annotator anew at each crop, at many times the cost, is no better.",
              "argument of cost", lambda t: ahead(t, ASKED), f"{NAMED}: ReLabel less asked anew", at_least=0.0,
              **POINTS),
    ),
)  # fmt: skip
