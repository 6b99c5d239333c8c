"""Unsupervised data augmentation: say the same of an unlabelled image when it is changed.

    Xie, Dai, Hovy, Luong, Le: Unsupervised data augmentation for consistency training (UDA). NeurIPS 2020,
    arXiv:1904.12848; the authors' program is github.com/google-research/uda.

    L     = L_sup + λ L_u
    L_sup = mean of CE(y_i, softmax z(x_i)) over the labelled x_i of a batch that give their label at most η_t
    p_j   = softmax(z(u_j) / τ)                                                            (a constant: no gradient)
    L_u   = 1/U Σ_j [max softmax z(u_j) > β] KL(p_j ‖ softmax z(q(u_j)))                   (the mask: before sharpening)
    η_t   = a_t (1 − 1/K) + 1/K,  a_t: t/T (linear), exp(5(t/T − 1)) (exp), 1 − exp(−5t/T) (log)       (TSA, optional)

z are logits, u_j unlabelled images, q changes an image at random. The mean is over all U images of a batch, masked or
not. β = 0.8 and τ = 0.4 are the program's for CIFAR-10, which has no TSA.

What differs: the paper trains a Wide ResNet-28-2 for 500,000 steps on CIFAR-10 and SVHN, and BERT on texts that are
translated there and back. Here 196-128-64-10 learns digits in 1,500 steps (750 in the panel). x and u are seen moved by
up to a pixel, q is one of `VIEWS` in place of RandAugment and cutout, drawn anew at every step, and the three passes
through the network are three: without batch normalization they needn't be one. Batches are drawn with replacement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_choice, check_number
from nlkit.learning import few_labels as learning
from nlkit.learning.frozen import accuracy
from nlkit.learning.models import evaluate
from nlkit.learning.views import VIEWS
from nlkit.noise.few_labels import CLASSES, few_labels
from nlkit.page import Claim, Page, Trial
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

ALONE, AUGMENTED, UDA = LEARNERS = ("labels alone", "augmented", "UDA")
ANNEALING = {
    "none": lambda done: 1.0,
    "linear": lambda done: done,
    "log": lambda done: 1 - math.exp(-5 * done),
    "exp": lambda done: math.exp(5 * (done - 1)),
}
COPIES = 6  # of the digit that is shown


def threshold(annealing: str, done: float, classes: int) -> float:
    """η_t: how sure of its label a labelled image may be and still teach. done: t/T. "none": any."""
    a = ANNEALING[check_choice("annealing", annealing, ANNEALING)](done)
    return a * (1 - 1 / classes) + 1 / classes


def supervised(logits: Tensor, labels: Tensor, eta: float) -> Tensor:
    """L_sup of logits (B, K) and labels (B,); 0 where every image is surer of its label than η."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    kept = (-losses.detach()).exp() <= eta  # (B,)
    return (losses * kept).sum() / kept.sum().clamp(min=1)


def consistency(weak: Tensor, strong: Tensor, beta: float, tau: float) -> tuple[Tensor, Tensor]:
    """L_u of logits z(u) and z(q(u)), both (U, K), and the mask (U,) bool. No gradient reaches the first.

    Raises a ValueError for β outside [0, 1], or τ that is not above 0.
    """
    check_number("beta", beta, 0, 1)
    check_number("tau", tau, 0, above=True)
    weak = weak.detach()
    mask = weak.softmax(1).amax(1) > beta
    target, said = (weak / tau).softmax(1), strong.log_softmax(1)
    return (mask * F.kl_div(said, target, reduction="none").sum(1)).mean(), mask


@dataclass(frozen=True)
class Consistency:
    """Digits, a few of them labelled. A record after every so many looks.

    In its `numbers`: "test_accuracy" of the averaged network after so many a "step", "labels", how many are used, and
    for UDA the share of the unlabelled digits that passed the mask since the last record ("used"), and of these the
    share whose likeliest class is right ("used_right"; NaN where none passed).
    """

    method: str = setting(UDA, "what is learned from", choices=LEARNERS)
    augmentation: str = setting("affine", "q: how a digit is changed", choices=tuple(VIEWS), knob=True)
    per_class: int = setting(5, "labels a class", low=1, high=400, knob=True, log=True)
    ratio: float = setting(0.0, "noise ratio of the labels", low=0.0, high=0.6, knob=True)
    beta: float = setting(0.8, "β: how sure the network must be", low=0.0, high=1.0, knob=True)
    tau: float = setting(0.4, "τ: the smaller, the sharper the target", low=0.1, high=1.0, knob=True)
    strength: float = setting(1.0, "λ: weight of unlabelled digits", low=0.0, high=5.0, knob=True)
    annealing: str = setting("none", "TSA: labels that are known rest", choices=tuple(ANNEALING), knob=True)
    steps: int = setting(750, "training steps", low=1, high=10_000)
    record_every: int = setting(1, "looks, of 25 steps, from one record to the next", low=1, high=400)
    seed: int = setting(0, "decides labelled digits, wrong labels, weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.method == UDA and self.per_class == 400:
            raise ValueError("per_class=400 leaves no digit unlabelled; UDA takes at most 399")

    @property
    def epochs(self) -> int:
        return -(-learning.looks(self.steps) // self.record_every)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        world = few_labels(self.per_class, self.ratio, seed=self.seed)
        network = learning.new_network(world.images.shape[1:], CLASSES, self.seed)
        passed: list[tuple[Tensor, Tensor]] = []  # of each step: the mask, and who of the masked are right

        def loss(network: nn.Module, batch: learning.Batch) -> Tensor:
            eta = threshold(self.annealing, batch.progress, CLASSES)
            total = supervised(network(batch.images), batch.labels, eta)
            if self.method != UDA:
                return total
            with torch.no_grad():
                weak = network(batch.weak)
            consistent, mask = consistency(weak, network(batch.strong), self.beta, self.tau)
            passed.append((mask, weak.argmax(1)[mask] == world.hidden[batch.places[mask]]))
            return total + self.strength * consistent

        q = VIEWS[self.augmentation]
        views = learning.Views(q if self.method == AUGMENTED else VIEWS["shift"], VIEWS["shift"], q)
        others = world.unlabelled if self.method == UDA else world.unlabelled[:0]
        looks = learning.learn(network, (world.images, world.given), others, loss, views,
                               steps=self.steps, seed=self.seed)  # fmt: skip
        one = world.tested[world.answers == (self.seed + 4) % CLASSES][:1]  # of a class that goes by the seed
        copies = torch.cat([one, q(one.expand(COPIES, -1, -1, -1), seeded_generator(self.seed, "shown"))])
        for number, averaged in enumerate(looks, start=1):
            if number % self.record_every and number < learning.looks(self.steps):
                continue
            numbers = {"test_accuracy": accuracy(averaged, world.tested, world.answers), "labels": len(world.given)}
            numbers["step"] = min(number * learning.EVERY, self.steps)
            if passed:
                mask, right = (torch.cat(each).double() for each in zip(*passed))
                numbers |= {"used": mask.mean().item(), "used_right": right.mean().item()}
                passed.clear()
            said = evaluate(averaged, copies).softmax(1)
            yield Measured(
                -(-number // self.record_every), numbers, {"copies": copies[:, 0].numpy(), "said": said.numpy()}
            )


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """One digit and its changed copies, what is said of each, and accuracy by step."""
    from nlkit.plots.few_labels import copies_and_accuracy

    return copies_and_accuracy(records, LEARNERS)


SOFT: dict[str, Any] = {"beta": 0.0, "tau": 1.0}
MORE, ALL = (10, 20, 50), {"per_class": 400}  # MORE: labels a class, of learners without unlabelled digits
LAST = {"steps": 1500, "record_every": 400}  # what is stored: one record, at the end
WRONG: dict[str, Any] = {"per_class": 10, "ratio": 0.3}


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    runs: list[tuple[str, dict[str, Any]]] = [(ALONE, {}), (AUGMENTED, WRONG)]
    runs += [(UDA, {"augmentation": name}) for name in VIEWS]
    runs += [(AUGMENTED, {"augmentation": name, **labels}) for labels in ({}, ALL) for name in VIEWS]
    runs += [(AUGMENTED, {"per_class": n}) for n in MORE]
    runs += [(UDA, change) for change in (SOFT, {"beta": 0.0}, {"tau": 1.0}, {"per_class": 10}, WRONG)]
    runs += [(UDA, {"annealing": name}) for name in ANNEALING if name != "none"]
    yield from ((name, {**change, **LAST}) for name, change in runs)


def at(t: Trial, learner: str, augmentation: str = "affine", **changes: Any) -> float:
    """Test accuracy at the end."""
    return t.run(learner, augmentation=augmentation, **changes, **LAST).last("test_accuracy")


def agreement(t: Trial) -> float:
    """Kendall's rank correlation of the augmentations: UDA with 50 labels, and learning from all 4,000."""
    from scipy.stats import kendalltau

    few, many = ([at(t, who, q, **labels) for q in VIEWS] for who, labels in ((UDA, {}), (AUGMENTED, ALL)))
    return float(kendalltau(few, many).statistic)


OURS = "a control that the paper leaves out"
POINTS: dict[str, Any] = {"unit": "points", "at_least": 0.0}
PAGE = Page(
    title="Unsupervised data augmentation (UDA)",
    source="Xie, Dai, Hovy, Luong, Le, NeurIPS 2020, arXiv:1904.12848",
    finding="Fifty labels, and the wish that a changed digit be called the same, do what two hundred do alone, if the "
    "change is like another hand's.",
    variants={name: {"method": name} for name in LEARNERS},
    experiment=Consistency, picture=draw, grid=_grid, tiny={"steps": 50},
    claims=(
        Claim("uda_gain", "UDA beats learning from the same labels with the same augmentation.", "abstract",
              lambda t: [at(t, UDA, q) - at(t, AUGMENTED, q) for q in ("affine", "strong")],
              "its lead, affine and strong, 5 labels a class", **POINTS),
        Claim("uda_worth", "With 5 labels a class it does as well as 20 a class do without unlabelled digits.", OURS,
              lambda t: at(t, UDA) - at(t, AUGMENTED, per_class=20), "its lead over four times the labels, augmented",
              **POINTS),
        Claim("uda_order", "The better the augmentation, the better UDA: noise, then moves, then other hands.",
              "its table of augmentations", lambda t: [at(t, UDA, b) - at(t, UDA, a) for a, b in
                                              (("noise", "shift"), ("shift", "affine"))],
              "shift less noise, affine less shift", at_least=0.05, unit="points",
              why="The target is made of the digit moved by a pixel, so a move is in play whatever q is, and noise is "
              "as good as a shift."),
        Claim("uda_same_order", "What helps a learner with all labels helps UDA: the order is the same.",
              "its table of augmentations", agreement, "rank correlation of six augmentations, 50 and 4,000 labels",
              at_least=0.9, unit="", published="1 (three of them)",
              why="With all labels there are hands enough, and what hides or blurs strokes costs a small network more "
              "than it brings; with few labels other hands are what is missing."),
        Claim("uda_noise", "White noise helps with all labels, and makes UDA worse than no unlabelled digits at all.",
              OURS, lambda t: (at(t, AUGMENTED, "noise", **ALL) - at(t, AUGMENTED, "none", **ALL),
                               at(t, ALONE) - at(t, UDA, "noise")),
              "gain with 4,000 labels; labels alone less UDA with noise", **POINTS,
              why="So it was in a prototype. Here the target is of a moved digit, and UDA with noise gains a little."),
        Claim("uda_invalid", "An augmentation that changes the class costs ten points.", "valid augmentation",
              lambda t: at(t, UDA, "affine") - at(t, UDA, "turn"), "UDA, affine less turn", at_least=0.1,
              unit="points"),
        Claim("uda_annealing", "Annealing the training signal helps where labels are few.", "training signal annealing",
              lambda t: [at(t, UDA, annealing=name) - at(t, UDA) for name in ("linear", "log", "exp")],
              "with TSA less without, three schedules", **POINTS,
              why="A network that may not be sure of its labels is sure of few other digits: over the training 57, 34 "
              "and 6 % pass the mask (log, linear, exp) in place of 76 %."),
        Claim("uda_plain", "Neither the mask nor the sharpening is needed.", OURS,
              lambda t: at(t, UDA, **SOFT) - at(t, UDA), "β = 0 and τ = 1 less both as set", at_least=-0.015,
              unit="points"),
    ),
)  # fmt: skip
