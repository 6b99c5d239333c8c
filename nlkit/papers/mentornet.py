"""MentorNet in its simplest form: learn from the examples whose loss is small.

    Jiang, Zhou, Leung, Li, Fei-Fei: MentorNet: Learning data-driven curriculum for very deep neural networks on
    corrupted labels. ICML 2018, arXiv:1712.05055. The thresholding form is that of MentorMix (arXiv:1911.09781).

    ℓ_p = the p-th percentile of the batch's losses           γ ← ½ γ + ½ ℓ_p
    v_i = 1[ℓ_i < γ]                                          (all 1 during the burn-in, see burn_in.py)
    L(θ) = 1/B Σ_i v_i ℓ_i

p is the share of examples to keep, best near the share of right labels. That share is seldom known. Left out, it is
estimated from the labels that one has: at the end of the burn-in a network recovers most true classes and has memorized
little, so the share of given labels that it agrees with is about the share that is right.

The authors' mentor is a small network that was taught a curriculum. Here it is a rule, one of three (`mentor`):

    "threshold"  v = 1[ℓ < γ]
    "soft"       v = 1 up to γ, and from there falls in a line to 0 at γ + 1 (nats)
    "schedule"   all 1 in the first 18 % of the training, then "threshold", and "soft" in the last 10 %: the curriculum
                 that the authors teach theirs (google/mentornet, `vstar_mentornet_pd`)

Their release also leaves examples out at random (half of them in the first 17 % of the training, one in twenty after
that) and scales the weight decay by the mean of v; its average starts at 0, and its percentile is the nearest loss.

One threshold for all classes keeps more of those that the network knows best, which it then knows better still; at high
noise the other classes die out. `by_class` holds each given class against a threshold of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_flag, check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult, normalize_weights

MENTORS = ("threshold", "schedule", "soft")
ALL_UNTIL, SOFT_FROM = 0.18, 0.9  # parts of the training, in the authors' schedule


class MentorNet:
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True

    def __init__(
        self,
        percentile: float | None = None,
        burn_in: float = 0.1,
        by_class: bool = False,
        mentor: str = "threshold",
    ):
        """percentile: p, in [0, 1]. burn_in: share of the training, in [0, 1], with a floor (see burn_in.py).

        Raises a ValueError for any other value, and where burn_in=0 leaves nothing to estimate p from.
        """
        self.mentor = Mentor(percentile, burn_in, by_class, mentor)
        self.state = self.mentor.state

    def step(self, run: Run, batch: Batch) -> StepResult:
        logits = run.logits(batch.images)
        losses = F.cross_entropy(logits, batch.labels, reduction="none")
        self.mentor.watch(run, logits, batch.labels)
        v = self.mentor.weigh(run, losses, batch.labels)
        loss = (v * losses).mean()
        run.descend(loss)
        return StepResult(loss, normalize_weights(v))


class Mentor:
    """Weights by the loss. It remembers a moving percentile for each kind of loss, and the agreement."""

    def __init__(self, percentile: float | None, burn_in: float, by_class: bool = False, kind: str = "threshold"):
        self.percentile = None if percentile is None else check_number("percentile", percentile, 0, 1)
        self.burn_in = check_number("burn_in", burn_in, 0, 1)
        self.by_class = check_flag("by_class", by_class)
        self.kind = check_choice("mentor", kind, MENTORS)
        if self.percentile is None and self.burn_in == 0:
            raise ValueError(f"burn_in={burn_in!r} leaves nothing to estimate the percentile from; give percentile too")
        self.state: dict[str, Tensor] = {}

    def burnt_in(self, run: Run) -> float:
        """How much of the burn-in lies behind, from 0 to 1, which is all of it."""
        return burnt_in(run, self.burn_in)

    def watch(self, run: Run, logits: Tensor, labels: Tensor) -> None:
        """During the burn-in: follow the share of given labels that the network agrees with."""
        if self.burnt_in(run) < 1:
            agrees = (logits.argmax(1) == labels).double().mean()
            self._average("agreement", agrees, decay=0.9)

    @property
    def keep(self) -> Tensor:
        """The share of examples to keep: told, or the agreement so far."""
        return self.state["agreement"] if self.percentile is None else torch.as_tensor(self.percentile)

    def weigh(self, run: Run, losses: Tensor, labels: Tensor, name: str = "threshold") -> Tensor:
        """v (B,) in [0, 1] for `losses` (B,) of examples of the classes `labels` (B,).

        Each `name` has a moving average γ of its own.
        """
        losses, keep = losses.detach(), self.keep.to(losses)
        if self.by_class:
            percentiles = class_percentiles(losses, labels, keep, run.num_classes)
            threshold = self._average(name, percentiles, decay=0.5)[labels]
        else:
            threshold = self._average(name, quantile(losses, keep), decay=0.5)
        scheduled = self.kind == "schedule"
        if self.burnt_in(run) < 1 or (scheduled and run.progress < ALL_UNTIL):
            return torch.ones_like(losses)
        if self.kind == "soft" or (scheduled and run.progress >= SOFT_FROM):
            return (1 - (losses - threshold)).clamp(0, 1)
        return (losses < threshold).to(losses.dtype)

    def _average(self, name: str, value: Tensor, decay: float) -> Tensor:
        before = self.state.get(name, value)
        if value.ndim:  # one for each class, NaN where nothing was seen of it
            before, value = before.where(~before.isnan(), value), value.where(~value.isnan(), before)
        self.state[name] = value.lerp(before, decay)
        return self.state[name]


def quantile(values: Tensor, share: Tensor) -> Tensor:
    """The `share`-th quantile of `values` (B,), as `torch.quantile` has it, which takes much longer for a batch."""
    place = share * (len(values) - 1)
    low, high = values.sort().values.take(torch.stack((place.floor(), place.ceil())).long())
    return low.lerp(high, place.frac())


def class_percentiles(losses: Tensor, labels: Tensor, share: Tensor, num_classes: int) -> Tensor:
    """(K,) the `share`-th quantile of the losses (B,) of each class, NaN for a class that `labels` (B,) lacks."""
    order = losses.argsort()
    order = order[labels[order].argsort(stable=True)]  # by class, and by loss within each
    counts = torch.bincount(labels, minlength=num_classes)
    place = counts.cumsum(0) - counts + share * (counts - 1).clamp(min=0)  # between two neighbours in that order
    low, high = (losses[order][at.long().clamp(max=len(losses) - 1)] for at in (place.floor(), place.ceil()))
    return low.lerp(high, place.frac()).where(counts > 0, torch.nan)
