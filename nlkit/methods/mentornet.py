"""MentorNet in its simplest form: learn from the examples whose loss is small.

    Jiang, Zhou, Leung, Li, Fei-Fei: MentorNet: Learning data-driven curriculum for very deep neural networks on
    corrupted labels. ICML 2018, arXiv:1712.05055. The thresholding form is that of MentorMix (arXiv:1911.09781).

    ℓ_p = the p-th percentile of the batch's losses           γ ← ½ γ + ½ ℓ_p
    v_i = 1[ℓ_i < γ]                                          (all 1 during the burn-in)
    L(θ) = 1/B Σ_i v_i ℓ_i

p is the share of examples to keep, best near the share of right labels. That share is seldom known. Left out, it is
estimated from the labels that one has: at the end of the burn-in a network recovers most true classes and has memorized
little, so the share of given labels that it agrees with is about the share that is right.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.run import Batch, Run, StepResult, normalize_weights


class MentorNet:
    learns_from = "noisy"
    needs_clean = False

    def __init__(self, percentile: float | None = None, burn_in: float = 0.1):
        self.mentor = Mentor(percentile, burn_in)
        self.state = self.mentor.state

    def step(self, run: Run, batch: Batch) -> StepResult:
        logits = run.model(batch.images)
        losses = F.cross_entropy(logits, batch.labels, reduction="none")
        self.mentor.watch(run, logits, batch.labels)
        v = self.mentor.weigh(run, losses)
        loss = (v * losses).mean()
        run.descend(loss)
        return StepResult(loss, normalize_weights(v))


class Mentor:
    """Weights by a threshold on the loss. It remembers a moving percentile for each kind of loss, and the agreement."""

    def __init__(self, percentile: float | None, burn_in: float):
        self.percentile = percentile if percentile is None else check_number("percentile", percentile, 0, 1)
        self.burn_in = check_number("burn_in", burn_in, 0, 1)
        if percentile is None and burn_in == 0:
            raise ValueError(f"burn_in={burn_in!r} leaves nothing to estimate the percentile from; give percentile too")
        self.state: dict[str, Tensor] = {}

    def watch(self, run: Run, logits: Tensor, labels: Tensor) -> None:
        """During the burn-in: follow the share of given labels that the network agrees with."""
        if run.progress < self.burn_in:
            agrees = (logits.argmax(1) == labels).double().mean()
            self._average("agreement", agrees, decay=0.9)

    def weigh(self, run: Run, losses: Tensor, name: str = "threshold") -> Tensor:
        """v (B,) of 0 and 1 for `losses` (B,). Each `name` has a moving average γ of its own."""
        losses = losses.detach()
        keep = self.state["agreement"] if self.percentile is None else torch.as_tensor(self.percentile)
        percentile = torch.quantile(losses, keep.to(losses))
        threshold = self._average(name, percentile, decay=0.5)
        return torch.ones_like(losses) if run.progress < self.burn_in else (losses < threshold).to(losses.dtype)

    def _average(self, name: str, value: Tensor, decay: float) -> Tensor:
        before = self.state.get(name, value)
        self.state[name] = decay * before + (1 - decay) * value
        return self.state[name]
