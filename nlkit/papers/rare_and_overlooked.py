"""COMIC: several labels an image, some of which are overlooked, and some of which are rare. Three remedies in one.

    Zhang, Liu, Zeng, Ooi, Tang, Zhuang: Learning in imperfect environment: multi-label classification with long-tailed
    distribution and partial labels. ICCV 2023, arXiv:2304.10539; the authors' program is github.com/wannature/COMIC.

M turns attention to rare classes and away from easy absent ones; C takes for a label what the network is sure of; B has
a network for what is frequent and one for what is rare teach a third. Their formulas stand in
`nlkit.papers.modify_correct_balance`. "Partial" in the paper's title means overlooked: a lost positive reads as "no".

What differs, and from what. Of the paper its abstract was read, and all of the program. As released that cannot run:
an image is asked for without its number, each network gets images of one draw and labels of another, and what lets two
teach the third is commented out. So this follows its losses and its idea. As there the worse teacher is trusted more;
"better" is the other way round. Left out: that classes occur together, cosine classifiers, ResNet-50, a choice of the
epoch by test images. Photographs became canvases of digits; those tested are balanced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nlkit.data.canvases import LABELS, Canvases, canvases, check_ticks, labelled
from nlkit.data.load import load
from nlkit.learning import multi_label
from nlkit.learning.multi_label import BATCH, average_precisions, binary_loss, f1_at, logits
from nlkit.page import Claim, Page, Trial
from nlkit.papers.modify_correct_balance import MARGIN, class_weights, found, modified, shares_of_images, taught
from nlkit.randomness import seeded_generator
from nlkit.records import Measured, Step
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

TESTED, SHOWN, BESIDE = 2000, 8, 0.2  # canvases tested, and shown; weight of L_C
GROUPS = {"many": slice(0, 3), "medium": slice(3, 7), "few": slice(7, 10)}  # of classes, the most frequent first


@dataclass(frozen=True)
class Parts:
    """A network, or three, learn from canvases with ticks. Its `numbers` are of balanced test canvases: "mAP", also of
    the "many", "medium" and "few" (three, four, three classes), F1 at ½ ("f1"); "ticks"; and of the labels that C finds
    among all canvases, or would find, the share that is "right", and the share of the overlooked ones that is "found".
    """

    modifier: bool = setting(True, "M: rare classes weigh more, easy absent ones less")
    corrector: bool = setting(True, "C: what is surely there counts as ticked")
    balancer: str = setting("worse", "B: which teacher is trusted", choices=("none", "worse", "better", "both as is"))
    drawn: str = setting("as is", "how batches of a single network are drawn", choices=("as is", "by class"))
    labels: str = setting("given", "ticks as given, as many without a gap, or all", choices=LABELS)
    place: str = setting("beside", "found labels in a loss beside, or in the main one", choices=("beside", "main"))
    ratio: float = setting(0.4, "r: share of the positives overlooked", low=0.0, high=0.9, knob=True)
    imbalance: float = setting(50.0, "ρ: most over least frequent", low=1.0, high=200.0, knob=True, log=True)
    threshold: float = setting(0.7, "from which p' on a label is found", low=0.5, high=0.95, knob=True)
    start: float = setting(0.1, "share of the training before C begins", low=0.0, high=0.5, knob=True)
    focus: float = setting(3.0, "γ₋: how little easy absent ones count", low=0.0, high=6.0, knob=True)
    clean: int = setting(0, "canvases with all ten answers besides", low=0, high=200, knob=True)
    count: int = setting(1500, "canvases to learn from", low=100, high=4000)
    epochs: int = setting(20, "epochs", low=1, high=100)
    record_every: int = setting(1, "epochs from one record to the next", low=1, high=1000)
    seed: int = setting(0, "decides canvases, ticks, weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def problem(self) -> tuple[Canvases, Canvases]:
        """What is learned from, and balanced test canvases."""
        data = load("mnist5k")
        task = canvases(data, self.count, ratio=self.ratio, imbalance=self.imbalance, seed=self.seed)
        task = labelled(task, self.labels)
        check_ticks(task.given, data.class_names or ())
        return task, canvases(data, TESTED, part="test", seed=self.seed)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        task, test = self.problem()
        extra = canvases(load("mnist5k"), self.clean, seed=self.seed + 1) if self.clean else None
        return self._records(task, test, extra, steps)

    def _records(self, task: Canvases, test: Canvases, extra: Canvases | None, steps: bool) -> Iterator[Any]:
        three, ticks = self.balancer != "none", task.given.sum(0).float()
        networks = nn.ModuleList(
            multi_label.new_network(task.cells.shape[2], len(ticks), seed=3 * self.seed + k)
            for k in range(2 * three + 1)
        )
        draw, steps_done = seeded_generator(self.seed, "draws by class"), 0
        even = shares_of_images(task.given, torch.ones_like(ticks))
        tail = torch.ones_like(even) if self.balancer == "both as is" else shares_of_images(task.given, 1 / ticks)
        seen, an_epoch = [ticks] * len(networks), self.count // BATCH

        def drawn(shares: Tensor) -> Tensor:
            return torch.multinomial(shares, BATCH, replacement=True, generator=draw)

        def own_loss(k: int, index: Tensor) -> tuple[Tensor, Tensor]:
            z = logits(networks[k], task.cells[index])
            value, new = self.loss_of(z, task.given[index], seen[k], steps_done >= self.start * self.epochs * an_epoch)
            seen[k] = seen[k] + new.sum(0)
            return z, value

        def loss(index: Tensor) -> Tensor:
            nonlocal steps_done
            if steps_done % an_epoch == 0:
                seen[:] = [ticks] * len(networks)  # what was found counts for an epoch
            index = index if three or self.drawn == "as is" else drawn(even)
            z, value = own_loss(0, index)
            if three:
                rare, index = own_loss(1, drawn(tail))[1], drawn(even)
                z, own = own_loss(2, index)
                with torch.no_grad():
                    head_z, tail_z = (logits(network, task.cells[index]) for network in networks[:2])
                soft = taught(head_z, tail_z, (value.item(), rare.item()), self.balancer)
                value = value + rare + own + binary_loss(z, soft)
            steps_done += 1
            if extra is None:
                return value
            some = torch.randint(len(extra.cells), (BATCH,), generator=draw)
            besides = [binary_loss(logits(network, extra.cells[some]), extra.present[some]) for network in networks]
            return value + torch.stack(besides).sum()

        how: dict[str, Any] = {n: getattr(self, n) for n in ("epochs", "record_every", "seed")}
        how |= {"batch": BATCH, "of": self.count, "steps": steps}
        count = len(task.cells)
        return multi_label.records(networks, count, loss, lambda: self.measured(networks[-1], task, test), **how)

    def loss_of(self, z: Tensor, ticked: Tensor, ticks: Tensor, begun: bool) -> tuple[Tensor, Tensor]:
        """A network's own loss on a batch, a mean over canvases, and what C has found there (N, K) bool."""

        def base(z: Tensor, targets: Tensor, exponent: float) -> Tensor:
            if not self.modifier:
                return binary_loss(z, targets)
            return modified(z, targets, class_weights(ticks, exponent), self.focus) / len(z)

        if not (self.corrector and begun):
            return base(z, ticked, 1 / 3), torch.zeros_like(ticked)
        new = found(z, ticked, self.threshold)
        labels = ticked | new
        if self.place == "main":
            return base(z, labels, 1 / 3), new
        beside = len(z) / labels.sum() * base(z - MARGIN * ticked, labels, 1 / 6)
        return base(z, ticked, 1 / 3) + BESIDE * beside, new

    def measured(
        self, network: nn.Module, task: Canvases, test: Canvases
    ) -> tuple[dict[str, float], dict[str, object]]:
        z = logits(network, test.cells)
        by_class = torch.tensor(average_precisions(z, test.present))[task.order]
        numbers = {"mAP": float(by_class.mean()), "f1": f1_at(z.sigmoid(), test.present, 0.5)}
        numbers |= {group: float(by_class[part].mean()) for group, part in GROUPS.items()}
        numbers["ticks"] = float(task.given.sum())
        new = found(logits(network, task.cells), task.given, self.threshold)
        if task.lost.any():
            numbers["found"] = float(new[task.lost].double().mean())
            numbers["right"] = float(task.present[new].double().mean()) if new.any() else math.nan
        lost = task.lost[:, task.order[torch.linspace(0, len(task.order) - 1, SHOWN).long()]]  # from many to few
        some = lost.int().argmax(0)[lost.any(0)]
        shown = {"by_class": by_class.tolist(), "order": task.order.tolist(), "cells": task.cells[some].numpy()}
        return numbers, shown | {"ticked": task.given[some], "lost": task.lost[some], "found": new[some]}


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Canvases with an overlooked digit, what each rival finds there, and the ten digits' average precision."""
    from nlkit.plots.canvases import rare_and_overlooked

    return rare_and_overlooked(records, tuple(PAGE.variants))


LAST: dict[str, Any] = {"record_every": 1000}  # only the last record
PLAIN: dict[str, Any] = {"modifier": False, "corrector": False, "balancer": "none"}
RATES = (0.0, 0.4, 0.7)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, LAST) for name in PAGE.variants)
    yield from ((name, {"ratio": r, **LAST}) for name in ("COMIC", "no gaps", "BCE", "BCE by class", "M + C")
                for r in (0.0, 0.7))  # fmt: skip
    yield from (("COMIC", {"balancer": teachers, **LAST}) for teachers in ("better", "both as is"))
    yield "M + C", {"place": "main", **LAST}
    yield "no gaps", {"drawn": "by class", **LAST}
    yield "BCE by class", {"labels": "true", **LAST}


def lead(t: Trial, numbers: Sequence[str], ours: str, theirs: str, **changes: Any) -> list[float]:
    """Numbers of one variant less those of another."""
    mine, others = (t.run(name, **changes, **LAST) for name in (ours, theirs))
    return [mine.last(number) - others.last(number) for number in numbers]


OURS = "a control of this page"
POINTS: dict[str, Any] = {"at_least": 0.0, "unit": "points"}
THREE = tuple(GROUPS)
PAGE = Page(
    title="Rare and overlooked: several labels, a long tail (COMIC)",
    source="Zhang, Liu, Zeng, Ooi, Tang, Zhuang, ICCV 2023, arXiv:2304.10539",
    finding="A focal loss finds four in five overlooked labels without a correction; drawing batches by class does "
    "what three networks do.",
    variants={
        "COMIC": {}, "no gaps": PLAIN | {"labels": "complete"}, "BCE": PLAIN,
        "BCE by class": PLAIN | {"drawn": "by class"},
        "M": {"corrector": False, "balancer": "none"}, "M + C": {"balancer": "none"},
        "BCE + C": {"modifier": False, "balancer": "none"}, "BCE + B": {"modifier": False, "corrector": False},
    },
    headline="mAP", experiment=Parts, picture=draw, grid=_grid,
    seeds=tuple(range(8)), tiny={"count": 300, "epochs": 1, "imbalance": 5.0},
    claims=(
        Claim("rare_and_overlooked_right", "Of the labels that M + C finds nine in ten are right.",
              "abstract: corrector", lambda t: t.run("M + C", **LAST).last("right"),
              "share that is there; 40 % overlooked", at_least=0.9),
        Claim("rare_and_overlooked_found", "It finds three in five of the overlooked ones.", "abstract: corrector",
              lambda t: t.run("M + C", **LAST).last("found"), "share that is found", at_least=0.6),
        Claim("rare_and_overlooked_focal", "The correction is what finds them.", "abstract: corrector",
              lambda t: lead(t, ["found"], "M + C", "M")[0], "share found, M + C less what M would find", at_least=0.1,
              unit="points", why="M does: easy absent ones count so little that nothing holds down what is overlooked. "
              "With BCE the correction finds a fifth."),
        Claim("rare_and_overlooked_decides", "M + C decides better than BCE at ½.", "abstract",
              lambda t: lead(t, ["f1"], "M + C", "BCE")[0], "F1, M + C less BCE", at_least=0.05, unit="points"),
        Claim("rare_and_overlooked_ranks", "It ranks better, too.", "abstract",
              lambda t: lead(t, ["mAP"], "M + C", "BCE")[0], "mAP, M + C less BCE", **POINTS),
        Claim("rare_and_overlooked_balance", "B lifts the few without lowering the many.",
              "abstract: balancer", lambda t: lead(t, ["few", "many"], "COMIC", "M + C"),
              "mAP of few and of many, COMIC less M + C", **POINTS),
        Claim("rare_and_overlooked_by_class", "Three networks are more than drawing by class.", OURS,
              lambda t: lead(t, ["mAP"], "COMIC", "BCE by class")[0], "mAP, COMIC less BCE on batches drawn by class",
              **POINTS),
        Claim("rare_and_overlooked_no_gaps", "All of it makes up for what was overlooked.", OURS,
              lambda t: lead(t, ["mAP"], "COMIC", "no gaps")[0],
              "mAP less that of BCE on as many ticks, none overlooked", **POINTS),
    ),
)  # fmt: skip
