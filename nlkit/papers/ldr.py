"""Label-distributionally robust losses: an adversary may shift weight from the given label, and pays λ a nat for it.

    Zhu, Ying, Yang: Label distributionally robust losses for multi-class classification: consistency, robustness and
    adaptivity. ICML 2023, arXiv:2112.14869; the authors' program is github.com/Optimization-AI/ICML2023_LDR.

    f ∈ R^K scores of an example, y its given label, d_k = f_k - f_y + c·1[k ≠ y], c the margin

    LDR-KL    ψ_λ(f, y) = max_p Σ_k p_k d_k - λ KL(p ‖ 1/K) = λ log( 1/K Σ_k exp(d_k / λ) )
    ALDR-KL   with a λ_i for each example: λ_i ← λ₀ (1 - KL(p ‖ 1/K) / (α log K)),  p = softmax(f / λ_i)
              ℓ(f, y) = ψ_{λ_i}(f, y) - a/2 (λ_i - λ₀)²,  a = α log K / λ₀

λ → 0 is the largest d_k (Crammer and Singer's support vector machine), λ = 1 without margin cross entropy less log K,
λ → ∞ the mean of d_k, which is symmetric: summed over all labels it is a constant. λ_i starts at λ₀, moves by one step
a visit without a gradient, and stays within [λ₀ (1 - 1/α), λ₀]; the label does not enter it.

Scores are bounded before that, which the losses' names don't say: in the program ALDR divides them by mean_k |f_k|
("l1"; 1e-6 more here, lest all be 0), LDR takes softplus(f) over its mean. Either takes either here. The
program adds 1e-5 to p; here log p comes straight from the scores.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_flag, check_number, shown
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.ranking import best_scores
from nlkit.measures import end, lead
from nlkit.page import Claim, Page, Trial
from nlkit.settings import setting

BOUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {  # scores (B, K) -> scores (B, K) whose sizes have a mean of 1
    "none": lambda f: f,
    "l1": lambda f: f / (f.abs().mean(1, keepdim=True) + 1e-6),
    "softplus": lambda f: F.softplus(f) / F.softplus(f).mean(1, keepdim=True).clamp(min=1e-30),
}
SMALLEST, LARGEST = 1e-6, 1e6  # λ; beyond them there are 0 and ∞


def ldr_losses(scores: Tensor, labels: Tensor, lam: float | Tensor, margin: float = 0.0) -> Tensor:
    """ψ_λ (B,) of scores (B, K) and labels (B,). lam: λ, one number, 0 or `math.inf`; or one above 0 each (B,)."""
    d = (scores - scores.gather(1, labels[:, None]) + margin).scatter(1, labels[:, None], 0.0)  # (B, K)
    if isinstance(lam, Tensor):
        lam = lam[:, None]
    elif lam == 0:
        return d.amax(1)
    elif lam == math.inf:
        return d.mean(1)
    top = d.detach().amax(1, keepdim=True)  # taken out, so that no exponential overflows; its gradient cancels
    return (top + lam * torch.expm1((d - top) / lam).mean(1, keepdim=True).log1p()).squeeze(1)


def next_lambdas(scores: Tensor, lambdas: Tensor, start: float, alpha: float) -> Tensor:
    """λ_i (B,) after one more visit to examples with scores (B, K). start: λ₀."""
    log_p = (scores / lambdas[:, None]).log_softmax(1)
    certainty = 1 + (log_p.exp() * log_p).sum(1) / math.log(scores.shape[1])  # KL(p ‖ 1/K) / log K, in [0, 1]
    return start * (1 - certainty.clamp(0, 1) / alpha)


def under_each_label(lam: float | Tensor, margin: float = 0.0, bounding: str = "none") -> Callable[[Tensor], Tensor]:
    """ψ_λ of scores (S, K) under each label (S, K), for `best_scores`. lam: λ, or one above 0 for each of (S · K,)."""

    def losses(f: Tensor) -> Tensor:
        scores, labels = BOUNDINGS[bounding](f).repeat_interleave(f.shape[1], 0), torch.arange(f.shape[1])
        return ldr_losses(scores, labels.repeat(len(f)), lam, margin).view_as(f)

    return losses


class LabelDistributionallyRobust:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True
    kept = ("lambda_auc",)  # of how well λ_i tells wrong labels from right ones
    knobs = {
        "lam": setting(10.0, "λ: what the adversary pays a nat.", low=0.05, high=100, knob=True, log=True),
        "alpha": setting(2.0, "α: how far λ_i may move, if adaptive.", low=1.1, high=5, knob=True),
        "margin": setting(0.1, "c: by how much the given label should lead.", low=0, high=5, knob=True),
        "bounding": setting("l1", "How scores are bounded.", choices=tuple(BOUNDINGS), knob=True),
    }

    def __init__(
        self, lam: float | str = 10.0, alpha: float = 2.0, margin: float = 0.1, bounding: str = "l1",
        adaptive: bool = False,
    ):  # fmt: skip
        """lam: λ, or λ₀ if `adaptive`: 0, from 1e-6 to 1e6, or "inf", which a file can hold. alpha: above 1, only for
        `adaptive`. margin: 0 or more. bounding: one of `BOUNDINGS`. Raises a ValueError for any other value.
        """
        self.adaptive = check_flag("adaptive", adaptive)
        self.lam = _check_lambda(lam, self.adaptive)
        self.alpha = check_number("alpha", alpha, 1, above=True)
        self.margin = check_number("margin", margin, 0)
        self.bounding = check_choice("bounding", bounding, BOUNDINGS)
        self.state: dict[str, Tensor] = {}

    def step(self, run: Run, batch: Batch) -> StepResult:
        scores = BOUNDINGS[self.bounding](run.logits(batch.images))  # (B, K)
        lam: Any = self.lam
        paid: Any = 0.0
        if self.adaptive:
            if "lambdas" not in self.state:
                self.state["lambdas"] = scores.detach().new_full((run.num_examples,), self.lam)
            kept, at = self.state["lambdas"], batch.index
            lam = kept[at] = next_lambdas(scores.detach(), kept[at], self.lam, self.alpha)  # (B,)
            paid = self.alpha * math.log(scores.shape[1]) / self.lam / 2 * (lam - self.lam).square()
        loss = (ldr_losses(scores, batch.labels, lam, self.margin) - paid).mean()
        run.descend(loss)
        return StepResult(loss, shown={"lambda": lam} if isinstance(lam, Tensor) else None)


def _check_lambda(lam: Any, adaptive: bool) -> float:
    number = isinstance(lam, numbers.Real) and not isinstance(lam, bool)
    at_an_end = isinstance(lam, str) and lam == "inf" or number and lam in (0, math.inf)
    if not (at_an_end and not adaptive or number and SMALLEST <= lam <= LARGEST):
        limits = "" if adaptive else "0, 'inf' or "
        raise ValueError(f"lam={shown(lam)} must be {limits}a number from {SMALLEST:g} to {LARGEST:g}")
    return float(lam)


METHODS = {"ldr": LabelDistributionallyRobust}
SHARES = (0.4, 0.25, 0.2, 0.1, 0.05)  # of the labels of one image
CE = "cross entropy"
PAIR: dict[str, object] = {"noise": "pair", "ratio": 0.3, "epochs": 15}
LONG = PAIR | {"epochs": 40}
CURVE = (1.0, 2.0, 3.0, 5.0, 10.0, 30.0, "inf")  # λ, along which LDR goes from cross entropy to the symmetric mean
RAW: dict[str, Any] = {"bounding": "none"}
AS_CE: dict[str, Any] = {"lam": 1.0, "margin": 0.0}  # with which LDR is cross entropy of the bounded scores
MACHINE = {"lam": 0.0, "margin": 1.0, "bounding": "none"}  # Crammer and Singer's
WIDE = MACHINE | {"margin": 5.0}
_COMMON = {"ratio": 0.4, "clean_per_class": 0, "epochs": 30, "learning_rate": 1e-3}
_SYMMETRIC, _PAIR = "40 % symmetric noise, 30 epochs", "30 % pair noise, 15 epochs"
_CONTROL, _SECOND = "a control that the paper lacks", "abstract: consistent for top-k"


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    for noise in ({}, PAIR):
        yield from ((name, noise) for name in PAGE.variants)
        controls = (RAW, {"bounding": "softplus"}, AS_CE, MACHINE, WIDE, {"lam": 3.0}, {"lam": "inf"})
        yield from [("LDR", noise | changes) for changes in controls] + [("ALDR", noise | {"lam": 3.0})]
    yield from (("LDR", PAIR | {"lam": lam}) for lam in CURVE if lam not in (3.0, 10.0, "inf"))
    yield from [(name, LONG) for name in (CE, "MAE", "LDR")] + [("LDR", LONG | WIDE)]


def _gaps(t: Trial) -> list[float]:
    """How far the best scores of one image are from λ log q, at three λ."""
    q, lambdas = torch.tensor(SHARES).double(), torch.tensor([0.3, 1.0, 3.0]).double()
    f = best_scores(under_each_label(lambdas.repeat_interleave(len(q))), q, starts=3, seed=t.seed)  # (3, 5)
    exact = lambdas[:, None] * (q / q.max()).log()
    return (f - f.amax(1, keepdim=True) - exact).abs().amax(1).tolist()


PAGE = Page(
    title="Label-distributionally robust losses",
    source="Zhu, Ying, Yang, ICML 2023, arXiv:2112.14869",
    finding="One number leads from a loss that keeps the order of the classes to one that resists wrong labels. A λ "
    "for each example hardly escapes the choice.",
    variants={
        CE: {**_COMMON, "method": "standard"},
        "LDR": {**_COMMON, "method": "ldr"},
        "ALDR": {**_COMMON, "method": "ldr", "adaptive": True},
        "GCE": {**_COMMON, "method": "gce", "q": 0.7},
        "MAE": {**_COMMON, "method": "gce", "q": 1.0},
    },
    grid=_grid,
    tiny={"epochs": 1},
    claims=(
        Claim("ldr_order", "For λ above 0 the best scores of an image are λ log q: they keep the order of the labels.",
              _SECOND, _gaps, "largest distance from λ log q, at λ = 0.3, 1, 3", at_most=0.02, unit=""),
        Claim("ldr_robust", "At λ = 10 LDR resists symmetric noise.", "abstract: robust", lead("LDR", CE),
              f"last test accuracy, LDR less cross entropy, {_SYMMETRIC}", at_least=0.10, unit="points"),
        Claim("ldr_bounded_ce", "Bounded scores alone do nothing for cross entropy.", _CONTROL,
              lead("LDR", CE, **AS_CE), f"the same with λ = 1 and no margin, {_SYMMETRIC}",
              at_least=-0.03, at_most=0.03, unit="points"),
        Claim("ldr_raw", "Under pair noise a large λ alone does little: on raw scores, less than 5 points.", _CONTROL,
              lead("LDR", CE, both=PAIR, **RAW), f"last test accuracy, LDR on raw scores less cross entropy, {_PAIR}",
              at_most=0.05, unit="points"),
        Claim("ldr_second_ce", "Cross entropy learns which wrong label is likeliest.", _SECOND,
              end(CE, "runner_up", **PAIR), f"runner-up is the next class, cross entropy, {_PAIR}", at_least=0.85),
        Claim("ldr_second_mae", "The mean absolute error does not learn which wrong label is likeliest.", _SECOND,
              end("MAE", "runner_up", **PAIR),
              f"the same, mean absolute error, {_PAIR}", at_most=0.30),
        Claim("ldr_second_ldr", "LDR, where it is robust, does not learn it either.", _SECOND,
              end("LDR", "runner_up", **PAIR),
              f"the same, LDR, {_PAIR}", at_most=0.50),
        Claim("ldr_adaptive", "A λ for each example adds nothing at the published λ₀ = 10.", "abstract: adaptive",
              lead("ALDR", "LDR"), f"last test accuracy, ALDR less LDR, {_SYMMETRIC}",
              at_least=-0.01, at_most=0.01, unit="points"),
        Claim("ldr_lambda", "And yet λ_i is larger where a label is wrong.", "abstract: adapts to the noise of a label",
              end("ALDR", "lambda_auc"), f"area under the ROC curve of λ_i, {_SYMMETRIC}", at_least=0.6, unit=""),
    ),
)  # fmt: skip
