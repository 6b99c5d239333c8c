"""ShrinkMatch: of an image that the network is not sure of, ask a smaller question, of which it is.

    Yang, Zhao, Qi, Qiao, Shi, Zhao: Shrinking class space for enhanced certainty in semi-supervised learning. ICCV
    2023, arXiv:2308.06777; the authors' program and logs: github.com/LiheYoung/ShrinkMatch.

    p_i = softmax g(f(w_i)), aligned, a constant;  sure_i = [max p_i ≥ τ]         w, s: weak and strong view of image i
    L_x = mean CE(g(f(x)), y)
    L_u = 1/U Σ_i sure_i CE(p_i, g(f(s_i)))                                                    (these two are FixMatch)
    L_s = 1/U Σ_i (1 − sure_i) reached_i max p_i CE(likeliest class, h(f(s_i)) among the classes that are kept)
    L   = L_x + L_u + r L_s,   r ← 0.999 r + 0.001 mean(sure)                           (r: at first that of a batch)

Which classes are kept, and whether τ is reached, is told by `nlkit.learning.class_space.shrink`. f is the body, g the
main head, h an auxiliary one that learns from uncertain images alone and is dropped after training. Every mean is over
all U images. p in L_u is soft, as in the program for CIFAR; that for STL-10 and SVHN has hard labels.

What differs: the paper trains Wide ResNets for a million steps, and reports the best epoch by test accuracy. Here
196-128-64 learns digits in 1,500 steps (750 in the panel), and the last one counts. Strong is
`nlkit.learning.views.strong` in place of RandAugment. The program for CIFAR starts r anew at each epoch; here there is
one. Of the paper's text the introduction was read, and the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.learning import few_labels as learning
from nlkit.learning.class_space import Alignment, Shrunk, TwoHeads, of_unlabelled, restricted, shrink
from nlkit.learning.frozen import accuracy
from nlkit.learning.models import evaluate
from nlkit.learning.views import VIEWS
from nlkit.noise.few_labels import CLASSES, few_labels
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from nlkit.plots import Figure

LABELS_ALONE, *_ = ASKED = ("no unlabelled digits", "left out", "shrunk", "likeliest")
WATCHED = 200  # unlabelled digits of which one is shown, as long as it is uncertain


@dataclass
class Objective:
    """The loss L, and what it says of the unlabelled images of each step: one is made for a run, since r is kept.

    uncertain: what is asked of uncertain images: "shrunk" questions, their "likeliest" class among all, or nothing if
    they are "left out". head: who is asked. by_certainty: whether an image has the weight max p; by_progress: whether
    all have r. aligned: whether classes are to be predicted equally often. In `seen`: p, shrunk, places, step by step.
    """

    uncertain: str = "shrunk"
    head: str = "auxiliary"
    tau: float = 0.95
    by_certainty: bool = True
    by_progress: bool = True
    aligned: bool = True
    progress: float | None = None  # r
    seen: list[tuple[Tensor, Shrunk, Tensor]] = field(default_factory=list)
    align: Alignment = field(default_factory=Alignment)

    def __call__(self, network: TwoHeads, batch: learning.Batch) -> Tensor:
        loss = F.cross_entropy(network(batch.images), batch.labels)
        if not len(batch.weak):
            return loss
        with torch.no_grad():
            p = network(batch.weak).softmax(1)
            p = self.align(p) if self.aligned else p
        features = network.body(batch.strong)
        said, (certainty, likeliest) = network.main(features), p.max(1)
        sure, shrunk = certainty >= self.tau, shrink(p, self.tau)
        share = sure.double().mean().item()
        self.progress = share if self.progress is None else 0.999 * self.progress + 0.001 * share
        self.seen.append((p, shrunk, batch.places))
        loss = loss + (sure * F.cross_entropy(said, p, reduction="none")).mean()
        if self.uncertain == "left out":
            return loss
        shrinks = self.uncertain == "shrunk"
        answers = network.auxiliary(features) if self.head == "auxiliary" else said
        asked = restricted(answers, likeliest, shrunk.kept | (not shrinks))
        weight = ~sure * (shrunk.reached | (not shrinks)) * (certainty if self.by_certainty else 1.0)
        return loss + (self.progress if self.by_progress else 1.0) * (weight * asked).mean()


@dataclass(frozen=True)
class Shrinking:
    """Digits, a few of them labelled. A record after every so many looks.

    In its `numbers`: "test_accuracy" of the averaged network after so many a "step", "labels", how many are used, and
    of the unlabelled digits of the steps since the last record what `of_unlabelled` tells.
    """

    uncertain: str = setting("shrunk", "what is asked of digits that it is not sure of", choices=ASKED)
    head: str = setting("auxiliary", "who is asked", choices=("auxiliary", "main"))
    per_class: int = setting(2, "labels a class", low=1, high=20, knob=True)
    ratio: float = setting(0.0, "noise ratio of the labels", low=0.0, high=0.5, knob=True)
    tau: float = setting(0.95, "τ: how sure is sure", low=0.6, high=0.99, knob=True)
    by_certainty: bool = setting(True, "whether an image weighs as much as it is certain", knob=True)
    by_progress: bool = setting(True, "whether all weigh more, the more are sure", knob=True)
    aligned: bool = setting(True, "whether classes are to be predicted equally often", knob=True)
    steps: int = setting(750, "training steps", low=1, high=10_000)
    record_every: int = setting(1, "looks, of 25 steps, from one record to the next", low=1, high=400)
    seed: int = setting(0, "decides labelled digits, wrong labels, weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-learning.looks(self.steps) // self.record_every)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        world = few_labels(self.per_class, self.ratio, seed=self.seed)
        network = TwoHeads(learning.new_network(world.images.shape[1:], CLASSES, self.seed), self.seed)
        names = ("uncertain", "head", "tau", "by_certainty", "by_progress", "aligned")
        objective = Objective(**{name: getattr(self, name) for name in names})
        alone = self.uncertain == LABELS_ALONE
        views = learning.Views(VIEWS["strong" if alone else "shift"], VIEWS["shift"], VIEWS["strong"])
        others = world.unlabelled[:0] if alone else world.unlabelled
        looks = learning.learn(network, (world.images, world.given), others, objective, views,
                               steps=self.steps, seed=self.seed)  # fmt: skip
        watched = 0
        for number, averaged in enumerate(looks, start=1):
            if number % self.record_every and number < learning.looks(self.steps):
                continue
            numbers = {"test_accuracy": accuracy(averaged, world.tested, world.answers), "labels": len(world.given)}
            numbers["step"] = min(number * learning.EVERY, self.steps)
            shown: dict[str, object] = {}
            if not alone:
                numbers |= of_unlabelled(objective.seen, world.hidden, self.tau)
                objective.seen.clear()
                p = evaluate(averaged, world.unlabelled[:WATCHED]).softmax(1)
                watched = next((k for k in range(watched, len(p)) if p[k].max() < self.tau), len(p) - 1)
                one = shrink(p[[watched]], self.tau)
                shown = {"image": world.unlabelled[watched, 0].numpy(), "p": p[watched].numpy(),
                         "kept": one.kept[0].numpy(), "tau": self.tau}  # fmt: skip
            yield Measured(-(-number // self.record_every), numbers, shown)


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """A digit that is not sure, and its smaller question; how many are sure, and who is right; accuracy by step."""
    from nlkit.plots.class_space import smaller_questions

    return smaller_questions(records, tuple(PAGE.variants))


FOUR: dict[str, Any] = {"per_class": 4}
WRONG, MORE = {**FOUR, "ratio": 0.3}, (4, 10)  # MORE: labels a class, of the learner without unlabelled digits


LAST = {"steps": 1500, "record_every": 400}  # what is stored: one record, of the whole training


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    runs: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in PAGE.variants]
    runs += [(name, change) for change in (FOUR, WRONG) for name in ("FixMatch", "ShrinkMatch", "no threshold")]
    runs += [("labels alone", {"per_class": n}) for n in MORE] + [("ShrinkMatch", {"head": "main"})]
    yield from ((name, {**change, **LAST}) for name, change in runs)


def leads(t: Trial, *over: str, **changes: Any) -> list[float]:
    """Test accuracy of ShrinkMatch less that of others."""
    ours, *theirs = (t.run(name, **changes, **LAST).last("test_accuracy") for name in ("ShrinkMatch", *over))
    return [ours - each for each in theirs]


def right(t: Trial, less: str) -> float:
    """How often smaller questions have the right answer over the whole training of ShrinkMatch, less another share."""
    run = t.run("ShrinkMatch", **LAST)
    return run.last("reduced_right") - run.last(less)


OURS = "a control that the paper leaves out"
POINTS: dict[str, Any] = {"unit": "points", "at_least": 0.0}
PAGE = Page(
    title="Shrinking class space (ShrinkMatch)",
    source="Yang, Zhao, Qi, Qiao, Shi, Zhao, ICCV 2023, arXiv:2308.06777",
    finding="A network that is not sure of an image is sure of a smaller question, and right; with ten classes plain "
    "guesses teach as much.",
    variants={
        "labels alone": {"uncertain": LABELS_ALONE},
        "FixMatch": {"uncertain": "left out"},
        "ShrinkMatch": {"uncertain": "shrunk"},
        "hard labels": {"uncertain": "likeliest"},
        "no threshold": {"uncertain": "likeliest", "head": "main"},
    },
    experiment=Shrinking, picture=draw, grid=_grid, tiny={"steps": 50},
    claims=(
        Claim("shrinkmatch_right", "Of digits that it is not sure of, the smaller question is right far more often "
              "than the likeliest class.", "introduction",
              lambda t: right(t, "top_right"),
              "share right, smaller question less likeliest class, whole training", at_least=0.25, unit="points"),
        Claim("shrinkmatch_chance", "More often, too, than if as many rivals were struck out at random.", OURS,
              lambda t: right(t, "by_chance"),
              "the same less chance", at_least=0.1, unit="points"),
        Claim("shrinkmatch_sure", "It is right nearly as often as what the network is sure of.", "introduction",
              lambda t: right(t, "sure_right"), "the same less sure digits",
              at_least=-0.07, unit="points"),
        Claim("shrinkmatch_used", "Of nearly every uncertain digit a smaller question can be asked.", "abstract",
              lambda t: t.run("ShrinkMatch", **LAST).last("used"), "share used, whole training", at_least=0.95),
        Claim("shrinkmatch_gain", "ShrinkMatch beats FixMatch with the same alignment.", "tables",
              lambda t: leads(t, "FixMatch"), "its lead, 2 labels a class", published="+2.2 points (CIFAR-100, 400)",
              **POINTS),
        Claim("shrinkmatch_worth", "With 2 labels a class it does as well as 4 a class do without unlabelled digits.",
              OURS, lambda t: t.run("ShrinkMatch", **LAST).last("test_accuracy")
              - t.run("labels alone", per_class=4, **LAST).last("test_accuracy"),
              "its lead over twice the labels, augmented", **POINTS),
        Claim("shrinkmatch_why", "It is the shrinking that helps: guesses among all classes, in the same head or "
              "without a threshold, teach less.", "ablations in the authors' logs",
              lambda t: leads(t, "hard labels", "no threshold"), "its lead over both, 2 labels a class", **POINTS,
              why="A smaller question doesn't teach to tell the likeliest class from its rivals, and with ten classes "
              "that is most of what is left to learn. Guesses that are right half of the time teach it."),
        Claim("shrinkmatch_wrong", "Where 30 % of the labels are wrong, it still beats FixMatch.", OURS,
              lambda t: leads(t, "FixMatch", **WRONG), "its lead, 4 labels a class", **POINTS),
    ),
)  # fmt: skip
