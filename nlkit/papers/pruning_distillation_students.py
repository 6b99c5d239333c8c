"""Students of pruned data, for `nlkit.papers.pruning_distillation`: all shares at once, without and with a teacher."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.data.load import load
from nlkit.data.tail_and_rest import CLASSES, small
from nlkit.learning import distillation, pruning
from nlkit.learning.pruning import CHOICES, RANDOM, Scores
from nlkit.learning.stages import Parameters, accuracies, logits, new_networks
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix
from nlkit.records import Measured, Step
from nlkit.settings import check_settings, setting

SHARES, EVERY = (0.02, 0.05, 0.1, 0.25, 0.5, 0.9), 50  # steps from one record to the next
TEACHERS = {12: 8, 24: 16, 64: 32, 256: 128}  # widths of its two hidden layers
SEEN = EVERYTHING, KEPT = ("everything", "what is kept")
EARLY, SCORERS, LOOK = 120, 4, 30  # steps before EL2N, networks that score, steps from one look to the next
SHOWN, SHOWN_AT = 12, SHARES.index(0.05)  # kept digits in the picture


class Pruned(NamedTuple):
    """4,000 digits with given labels, others to test on, and what is known of each to choose by."""

    images: Tensor  # (N, 196)
    given: Tensor  # (N,)
    true: Tensor  # (N,)
    tested: Tensor  # (M, 196)
    answers: Tensor  # (M,)
    scores: Scores

    @property
    def labels(self) -> Tensor:
        """(N, K) given labels, one of each row 1."""
        return F.one_hot(self.given, CLASSES).float()


def networks(width: int, count: int, seed: int) -> Parameters:
    """`count` different networks with hidden layers of a width of `TEACHERS`, and of what goes with it."""
    drawn = [new_networks((196, width, TEACHERS[width], CLASSES), 1, 1000 * seed + k) for k in range(count)]
    return [torch.cat(layer) for layer in zip(*drawn)]


@functools.lru_cache(maxsize=2)  # choices that race have the same scores
def world(ratio: float, seed: int, steps: int) -> Pruned:
    """Digits of which a share `ratio` has a wrong label, scored by four networks that learn from all of them."""
    data = load("mnist5k")
    images, true = small(data.train_images).flatten(1), data.train_labels
    given = corrupt(true, noise_matrix("symmetric", CLASSES, ratio), seed=seed)
    labels, all_places = F.one_hot(given, CLASSES).float(), torch.arange(len(given)).expand(SCORERS, -1)
    learning = distillation.learn(
        networks(64, SCORERS, seed + 1), images, labels, all_places, torch.tensor([len(given)] * SCORERS),
        steps=max(steps, EARLY), seed=seed, every=LOOK,
    )  # fmt: skip
    hits, hardness = [], torch.zeros(len(given))
    for look, weights in enumerate(learning, start=1):
        with torch.no_grad():
            said = logits(weights, images)
        hits.append(said.argmax(2) == given)
        if look * LOOK == EARLY:
            hardness = pruning.el2n(said.softmax(2), labels)
    scores = Scores(hardness, pruning.forgetting_events(torch.stack(hits)), given == true)
    return Pruned(images, given, true, small(data.test_images).flatten(1), data.test_labels, scores)


@functools.lru_cache(maxsize=2)
def teacher(ratio: float, seed: int, scored: int, width: int, steps: int) -> tuple[Tensor, float]:
    """Logits (N, K) of a teacher that has learned from all given labels, and its test accuracy."""
    at = world(ratio, seed, scored)
    (found,), accuracy = _taught(
        at, torch.arange(len(at.given))[None], torch.tensor([len(at.given)]), width, steps, seed
    )
    return found, accuracy[0]


def _taught(
    at: Pruned, places: Tensor, counts: Tensor, width: int, steps: int, seed: int
) -> tuple[Tensor, list[float]]:
    """Logits (R, N, K) of R teachers that learned from the labels at `places` (R, n), and their test accuracies."""
    start = [p.expand(len(places), *p.shape[1:]).contiguous() for p in networks(width, 1, seed)]
    *_, weights = distillation.learn(start, at.images, at.labels, places, counts, steps=steps, seed=seed, every=steps)
    return logits(weights, at.images).detach(), accuracies(weights, at.tested, at.answers)


@dataclass(frozen=True)
class Students:
    """Twelve students: from each of `SHARES` one of labels alone, and one of a teacher's answers. A record is 50 steps.

    In its `numbers`, by `cell`: test accuracies of both ("CE 5 %", "KD 5 %"), which share of the kept labels is wrong
    ("wrong 5 %"), how many classes are among them ("classes 5 %"), and the accuracy of the "teacher".
    """

    choice: str = setting(RANDOM, "which digits are kept", choices=CHOICES)
    ratio: float = setting(0.2, "noise ratio, also of what the teacher learned", low=0.0, high=0.6, knob=True)
    alpha: float = setting(1.0, "α: weight of the teacher's answers", low=0.0, high=1.0, knob=True)
    tau: float = setting(4.0, "τ: temperature", low=0.5, high=20.0, knob=True, log=True)
    width: int = setting(64, "of the teacher's first layer", choices=tuple(TEACHERS), knob=True)
    teacher_steps: int = setting(600, "of the teacher's training", low=20, high=5000, knob=True, log=True)
    seen: str = setting(EVERYTHING, "what the teacher learned from", choices=SEEN, knob=True)
    soft: bool = setting(True, "whether it gives logits, or only its likeliest class", knob=True)
    steps: int = setting(600, "training steps of a student", low=10, high=2000)
    record_every: int = setting(1, "looks, of 50 steps, from one record to the next", low=1, high=100)
    seed: int = setting(0, "decides wrong labels, scores, what is kept, weights, batches", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def looks(self) -> int:
        return -(-self.steps // EVERY)

    @property
    def epochs(self) -> int:
        return -(-self.looks // self.record_every)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        at = world(self.ratio, self.seed, self.steps)
        kept = [pruning.keep(self.choice, at.scores, share, self.seed) for share in SHARES]
        places = torch.nn.utils.rnn.pad_sequence(kept, batch_first=True)  # (6, n)
        counts = torch.tensor([len(some) for some in kept])
        known: dict[str, float] = {}
        if self.seen == EVERYTHING:
            answers, accuracy = teacher(self.ratio, self.seed, self.steps, self.width, self.teacher_steps)
            answers, known["teacher"] = answers.expand(len(kept), -1, -1), accuracy
        else:
            answers, each = _taught(at, places, counts, self.width, self.teacher_steps, self.seed)
            known["teacher"] = max(each)
        for share, some in zip(SHARES, kept):
            known[cell("wrong", share)] = (~at.scores.right[some]).double().mean().item()
            known[cell("classes", share)] = float(len(at.true[some].unique()))
        few = kept[SHOWN_AT][:SHOWN]
        shown = {"images": at.images[few].unflatten(1, (14, 14)).numpy(), "given": at.given[few].numpy(),
                 "true": at.true[few].numpy()}  # fmt: skip
        for look, weights in enumerate(self.learning(at, places, counts, answers), start=1):
            if steps:
                yield Step(1, look, self.looks)
            if look % self.record_every == 0 or look == self.looks:
                found = accuracies(weights, at.tested, at.answers)
                names = [cell(kind, share) for kind in ("CE", "KD") for share in SHARES]
                yield Measured(-(-look // self.record_every), dict(zip(names, found)) | known, shown)

    def learning(self, at: Pruned, places: Tensor, counts: Tensor, answers: Tensor) -> Iterator[Parameters]:
        """Students of the labels at `places` (6, n), and as many with answers (6, N, K) besides; all begin alike."""
        count, labels = len(places), at.labels.expand(len(places), -1, -1)
        start = networks(64, 1, self.seed + 2)
        start = [p.expand(2 * count, *p.shape[1:]).contiguous() for p in start]
        both: dict[str, Any] = {"steps": self.steps, "seed": self.seed + 1, "every": EVERY}
        twice = (places.repeat(2, 1), counts.repeat(2))
        if not self.soft:
            told = (1 - self.alpha) * labels + self.alpha * F.one_hot(answers.argmax(2), CLASSES)
            return distillation.learn(start, at.images, torch.cat([labels, told]), *twice, **both)
        alpha = torch.tensor([0.0, self.alpha]).repeat_interleave(count)
        return distillation.learn(
            start, at.images, at.labels, *twice, answers=answers.repeat(2, 1, 1), alpha=alpha, tau=self.tau, **both
        )


def cell(kind: str, share: float) -> str:
    """How a run's numbers name what is told of a share."""
    return f"{kind} {100 * share:g} %"


def ridge_errors(x: Tensor, theta: Tensor, seen: int, kept: int, alpha: float, ridge: float) -> tuple[float, float]:
    """Squared bias of a ridge regression that learns from another's answers, and its variance at unit noise.

    x: (n, d); the teacher has learned from the first `seen` rows, the student from the first `kept` of them, with
    targets α X θ_t + (1 − α) y. theta: (d,), the truth, y = X θ + noise. ridge: λ, of both.
    Raises a ValueError unless 1 ≤ kept ≤ seen ≤ n.
    """
    check_number("alpha", alpha, 0, 1)
    if not 1 <= kept <= seen <= len(x):
        raise ValueError(f"kept={kept} must be at least 1 and at most seen={seen}, and that at most {len(x)}, the rows")
    eye = ridge * torch.eye(x.shape[1], dtype=x.dtype)

    def fit(rows: int) -> Tensor:  # (d, rows): from targets to coefficients
        return torch.linalg.solve(x[:rows].T @ x[:rows] + eye, x[:rows].T)

    own = F.pad(fit(kept), (0, seen - kept))  # (d, seen): from labels of all rows that the teacher saw
    whole = alpha * fit(kept) @ x[:kept] @ fit(seen) + (1 - alpha) * own
    return float((whole @ x[:seen] @ theta - theta).square().sum()), float(whole.square().sum())
