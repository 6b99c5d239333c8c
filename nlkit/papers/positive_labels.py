"""PU-MLC: forget every "no", keep the "yes" labels, and learn several labels an image from positive and unlabeled ones.

    Yuan, Zhang, Huang: Positive label is all you need for multi-label classification. ICME 2024, arXiv:2306.16016; the
    authors' program is github.com/TAKELAMAG/PU-MLC. The bound: Chen, Liu, Wang, Zhao, Wu: A variational approach for
    learning from positive and unlabeled data. NeurIPS 2020, arXiv:1906.05500.

    τ_c   = min(1, α std_i z_ic),  Φ_ic = σ(z_ic / τ_c)              z: logits (N, K) of a batch; no gradient into τ
    w_c   = (mean_i Φ_ic)^γ                                          re-balance factor; no gradient
    L_var = Σ_c [ w_c log mean_i Φ_ic - mean_{i ∈ P_c} log Φ_ic ]    P_c: where class c is ticked; i: the whole batch
    x̃     = λ x + (1 - λ) x',  t̃ = λ t + (1 - λ) t'                 halves of the batch; t: 1 if ticked, σ(z) if not
    L_reg = Σ_c mean_i (log t̃_ic - log σ(z(x̃))_ic)²                 λ ~ Beta(0.3, 0.3), one a batch
    L     = L_var + L_reg

At w = 1 the sum is smallest where Φ ∝ P(y_c = 1 | x), and c Φ is as good as Φ: the scale is free. w < 1 fixes it, and
so does L_reg. It is assumed that positives are overlooked at random within a class (SCAR), and that some images are
surely of it. A class without a tick in a batch has no second term there, as in the program; then it only pulls down.

What differs: photographs (COCO, VOC), a pretrained ResNet-101 with a graph network and its own convolutions became
canvases of digits and a small network (`nlkit.learning.multi_label`). The temperature is off unless asked for (α = 0):
it takes std z, which is 0.05 before anything is learned, for a scale. τ is at least 0.001. Plain networks and last
epochs are tested, at ½ unless said; the authors report the best epoch, and F1 at the threshold best for the test set.
The page read the program and the abstract; the tables of the paper were not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.data.canvases import LABELS, Canvases, canvases, check_ticks, labelled
from nlkit.data.load import load
from nlkit.learning import multi_label
from nlkit.learning.multi_label import asymmetric, binary_loss, f1_at, logits
from nlkit.page import Claim, Page, Trial
from nlkit.papers.mixup import draw_beta
from nlkit.randomness import seeded_generator
from nlkit.records import Measured, Step
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

TESTED, MIXED, LEAST = 2000, 0.3, 1e-10  # test canvases; of λ; below which no logarithm is taken


def tempered(z: Tensor, alpha: float) -> Tensor:
    """τ (K,) of logits (N, K): min(1, α std), at least 0.001; 1 where alpha is 0, which switches it off."""
    check_number("alpha", alpha, 0)
    return (alpha * z.detach().std(0, correction=0)).clamp(1e-3, 1) if alpha else torch.ones_like(z[0])


def variational_loss(z: Tensor, ticked: Tensor, gamma: float, alpha: float = 0.0) -> Tensor:
    """L_var of logits z (N, K) and ticks (N, K) bool. gamma: γ, 0 for no re-balancing. alpha: see `tempered`."""
    log_phi = F.logsigmoid(z / tempered(z, alpha))
    log_mean = log_phi.logsumexp(0) - torch.tensor(float(len(z))).log()
    weight = (gamma * log_mean.detach()).exp()
    of_ticked = (log_phi * ticked).sum(0) / ticked.sum(0).clamp(min=1)
    return (weight * log_mean - of_ticked).sum()


def mixed_loss(z: Tensor, z_mixed: Tensor, ticked: Tensor, halves: Sequence[Tensor], lam: float) -> Tensor:
    """L_reg of logits z (N, K) and ticks (N, K) bool, and of the logits of mixed canvases (N / 2, K).

    halves: places of what was mixed, the first with the share lam: λ in [0, 1]. The targets carry a gradient, as in the
    authors' program.
    """
    targets = torch.where(ticked, 1.0, z.sigmoid())
    target = lam * targets[halves[0]] + (1 - lam) * targets[halves[1]]
    return (target.clamp(min=LEAST).log() - F.logsigmoid(z_mixed)).square().mean(0).sum()


@dataclass(frozen=True)
class Ticks:
    """A network learns from canvases with ticks. Of the test canvases its `numbers` have mAP ("mAP"), F1 at ½ ("f1"),
    at the best threshold ("f1_best") and at (1 - r)/2, which takes r to know ("f1_told"); and "ticks": how many it had.
    """

    loss: str = setting("PU", "what learns", choices=("PU", "BCE", "ASL"))
    labels: str = setting("given", "ticks as given, as many without a gap, or all", choices=LABELS)
    unknown: str = setting("no", "what BCE takes unknown answers for", choices=("no", "left out"))
    ratio: float = setting(0.8, "r: share of the positives overlooked", low=0.0, high=0.95, knob=True)
    wrong: float = setting(0.0, "share of the absent ones ticked", low=0.0, high=0.1, knob=True)
    known: float = setting(1.0, "share of the answers that are known", low=0.05, high=1.0, knob=True)
    clean: int = setting(0, "canvases with all ten answers besides", low=0, high=200, knob=True)
    gamma: float = setting(0.55, "γ of the re-balance factor; 0: none", low=0.0, high=2.0, knob=True)
    alpha: float = setting(0.0, "α of the temperature; 0: none", low=0.0, high=4.0, knob=True)
    mixup: bool = setting(True, "whether PU has L_reg", knob=True)
    count: int = setting(2000, "canvases to learn from", low=100, high=4000)
    epochs: int = setting(20, "epochs", low=1, high=100)
    batch: int = setting(64, "canvases a step", low=2, high=100)
    record_every: int = setting(1, "epochs from one record to the next", low=1, high=1000)
    seed: int = setting(0, "decides canvases, ticks, weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def problem(self) -> tuple[Canvases, Canvases]:
        """What is learned from, and the test canvases."""
        data = load("mnist5k")
        how: dict[str, Any] = {"ratio": self.ratio, "wrong": self.wrong, "known": self.known, "seed": self.seed}
        task = canvases(data, self.count, **how)
        check_ticks(task.given, data.class_names or ())
        return labelled(task, self.labels), canvases(data, TESTED, part="test", seed=self.seed)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        task, test = self.problem()
        extra = canvases(load("mnist5k"), self.clean, seed=self.seed + 1) if self.clean else None
        return self._records(task, test, extra, steps)

    def _records(self, task: Canvases, test: Canvases, extra: Canvases | None, steps: bool) -> Iterator[Any]:
        network = multi_label.new_network(task.cells.shape[2], task.given.shape[1], seed=self.seed)
        draw = seeded_generator(self.seed, "mixing")

        def loss(index: Tensor) -> Tensor:
            total = self.loss_of(network, task.cells[index], task.given[index], task.known[index], draw)
            if extra is None:
                return total
            some = torch.randint(len(extra.cells), (self.batch,), generator=draw)
            return total + binary_loss(logits(network, extra.cells[some]), extra.present[some])

        def measure() -> tuple[dict[str, float], dict[str, object]]:
            scores = logits(network, test.cells).sigmoid()
            numbers = multi_label.measured(scores, test.present) | {"ticks": float(task.given.sum())}
            numbers["f1_told"] = f1_at(scores, test.present, (1 - self.ratio) / 2)
            return numbers, {"there": scores[test.present].numpy(), "absent": scores[~test.present].numpy()}

        how: dict[str, Any] = {n: getattr(self, n) for n in ("epochs", "record_every", "seed", "batch")}
        return multi_label.records(network, len(task.cells), loss, measure, of=self.count, steps=steps, **how)

    def loss_of(self, network: Any, cells: Tensor, ticked: Tensor, known: Tensor, draw: Any) -> Tensor:
        """The loss of a batch, by what learns. Of an odd batch the last canvas is left out of the mixing."""
        if self.loss == "BCE":
            return binary_loss(logits(network, cells), ticked, known if self.unknown == "left out" else None)
        if self.loss == "ASL":
            return asymmetric(logits(network, cells), ticked).sum() / len(cells)
        if not self.mixup:
            return variational_loss(logits(network, cells), ticked, self.gamma, self.alpha)
        half = len(cells) // 2
        halves, lam = (torch.randperm(half, generator=draw), torch.arange(half, 2 * half)), draw_beta(MIXED, 1, draw)
        mixed = torch.lerp(cells[halves[1]], cells[halves[0]], lam.item())
        z, z_mixed = logits(network, torch.cat([cells, mixed])).split([len(cells), half])  # one pass for both
        value = variational_loss(z, ticked, self.gamma, self.alpha)
        return value + mixed_loss(z, z_mixed, ticked, halves, lam.item())


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Scores of what is there and of what is not, for each rival, and mAP by epoch."""
    from nlkit.plots.heaps import heaps_of_scores

    return heaps_of_scores(records, tuple(PAGE.variants))


LAST: dict[str, Any] = {"record_every": 1000}  # only the last record
RATES, KNOWN, WRONG = (0.0, 0.3, 0.6, 0.8, 0.9), (0.1, 0.3), (0.02, 0.05)
NOTHING_LOST: dict[str, Any] = {"ratio": 0.0}
PARTS: dict[str, dict[str, Any]] = {
    "without w": {"gamma": 0.0}, "without L_reg": {"mixup": False}, "without both": {"gamma": 0.0, "mixup": False},
}  # fmt: skip


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((name, {"ratio": r, **LAST}) for name in ("PU-MLC", "no gaps", "BCE", "ASL") for r in RATES)
    yield from (("PU-MLC", {"ratio": r, "alpha": a, **LAST}) for r in (0.6, 0.9) for a in (1.0, 4.0))
    yield from (("PU-MLC", {"ratio": 0.9, **part, **LAST}) for part in PARTS.values())
    for name in ("PU-MLC", "BCE", "BCE, unknown left out"):
        yield from ((name, {**NOTHING_LOST, "known": share, **LAST}) for share in KNOWN)
    yield from ((name, {"ratio": 0.6, "wrong": share, **LAST}) for name in ("PU-MLC", "BCE") for share in WRONG)
    yield "all ticks", LAST


def lead(t: Trial, number: str, over: str, changes: Sequence[Mapping[str, Any]], ours: str = "PU-MLC") -> list[float]:
    """A number of one variant less that of another, for each of several changes."""
    both = ([t.run(name, **change, **LAST).last(number) for change in changes] for name in (ours, over))
    return [mine - theirs for mine, theirs in zip(*both)]


def _part(t: Trial, number: str, ratio: float, **changes: Any) -> float:
    """A number of PU-MLC less that with some settings changed."""
    runs = (t.run("PU-MLC", ratio=ratio, **LAST, **change).last(number) for change in ({}, changes))
    return next(runs) - next(runs)


def _made_up(t: Trial, ratio: float) -> float:
    """How much of the lead of PU-MLC in F1 is BCE's once its threshold is (1 - r) / 2."""
    pu, bce = (t.run(name, ratio=ratio, **LAST) for name in ("PU-MLC", "BCE"))
    return (bce.last("f1_told") - bce.last("f1")) / (pu.last("f1") - bce.last("f1"))


def _at(*ratios: float) -> list[dict[str, float]]:
    return [{"ratio": ratio} for ratio in ratios]


OURS = "a control of this page"
POINTS: dict[str, Any] = {"at_least": 0.0, "unit": "points"}
PAGE = Page(
    title="Positive labels are all you need (PU-MLC)",
    source="Yuan, Zhang, Huang, ICME 2024, arXiv:2306.16016",
    finding="Missing ticks cost BCE its scale, hardly its order. Learning from ticks alone mends it; as many ticks "
    "without gaps do as well.",
    variants={"PU-MLC": {"loss": "PU"}, "no gaps": {"loss": "BCE", "labels": "complete"}, "BCE": {"loss": "BCE"},
              "ASL": {"loss": "ASL"}, "all ticks": {"loss": "BCE", "labels": "true"}},
    besides={"BCE, unknown left out": (Ticks, {"loss": "BCE", "unknown": "left out"})},
    headline="mAP", experiment=Ticks, picture=draw, grid=_grid,
    tiny={"count": 200, "epochs": 2},
    claims=(
        Claim("positive_labels_scale", "With most positives overlooked PU-MLC decides at ½, and BCE says next to "
              "nothing.", "abstract", lambda t: lead(t, "f1", "BCE", _at(0.6, 0.8, 0.9)),
              "F1 at ½, PU-MLC less BCE; 60, 80 and 90 % overlooked", at_least=0.2, unit="points"),
        Claim("positive_labels_order", "It ranks canvases better, too.", "abstract",
              lambda t: lead(t, "mAP", "BCE", _at(0.8, 0.9)), "mAP, PU-MLC less BCE; 80 and 90 %", **POINTS),
        Claim("positive_labels_few_lost", "And it does so where little or nothing is overlooked.",
              "abstract: full labels", lambda t: lead(t, "mAP", "BCE", _at(0.0, 0.3)), "the same; 0 and 30 %",
              why="Then most of the answers that it leaves out are right.", **POINTS),
        Claim("positive_labels_threshold", "Told r, BCE makes up for half of the lead in F1 by another threshold.",
              OURS, lambda t: [_made_up(t, r) for r in (0.6, 0.8)],
              "share of the lead that is BCE's at (1 - r)/2; 60 and 80 %", at_least=0.5),
        Claim("positive_labels_no_gaps", "Its ticks with gaps are worth more than as many without, on fewer canvases.",
              OURS, lambda t: lead(t, "mAP", "no gaps", _at(0.6, 0.8, 0.9)),
              "mAP less that of BCE on as many ticks, none overlooked; 60, 80 and 90 %", **POINTS),
        Claim("positive_labels_no", "Where answers are right but few, leaving out every \"no\" costs nothing.",
              "title", lambda t: lead(t, "mAP", "BCE, unknown left out", [{**NOTHING_LOST, "known": s} for s in KNOWN]),
              "mAP less that of BCE on known answers; 10 and 30 % known",
              why="A \"no\" that is right says as much about a class as most ticks do.", **POINTS),
        Claim("positive_labels_temperature", "The temperature helps.", "part of the method",
              lambda t: [-_part(t, "mAP", r, alpha=1.0) for r in (0.6, 0.9)], "mAP, α = 1 less none; 60 and 90 %",
              why="Logits of an untrained network hardly differ; stretched to a spread of 1, classes are at 0 or 1 "
              "before anything is learned.", **POINTS),
        Claim("positive_labels_balance", "The re-balance factor is what puts the scale right.", "part of the method",
              lambda t: _part(t, "f1", 0.9, gamma=0.0), "F1 at ½ less that without w; 90 %", at_least=0.2,
              unit="points"),
    ),
)  # fmt: skip
