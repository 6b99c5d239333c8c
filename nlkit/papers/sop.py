"""SOP: every example has an offset of its own, so parametrized that it stays near 0 unless its label does not fit.

    Liu, Zhu, Qu, You: Robust training under label noise by over-parameterization. ICML 2022, arXiv:2202.14026.

    s_i = u_i² e_ỹ - v_i ∘ v_i ∘ (1 - e_ỹ)                     u_i a number, v_i in R^K, both near 0 at first
    q_i = max(p_i + s_i, 10⁻⁴), made to sum to 1
    θ, u: gradient steps on 1/B Σ_i CE(q_i, ỹ_i)               v: on 1/B Σ_i ‖e_{argmax p_i} + s_i - e_ỹ‖²

Where the label fits, u_i has next to no gradient and stays at 0, and the network is asked for all. Where it does not,
u_i² grows into what is missing, exponentially and so late: a label has to be at odds with the network for many steps.
The squares favour sparse offsets as gradient descent finds them, whence the name.

u and v have plain gradient steps of their own, rates 10 for both as the authors have for CIFAR-10 with symmetric noise
(1 and 10 for CIFAR-100); they start at normal draws of 10⁻⁸, and their squares are held in [0, 1). The authors' program
(shengliu66/SOP) multiplies the loss of v by 100, and so here; its u is not felt by the loss of v, nor v by that of u.
SOP+ (sop_plus.py) adds consistency under augmentation and even classes. Clean examples have no offset.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult

V_LOSS = 100.0


class SOP:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, rate_u: float = 10.0, rate_v: float = 10.0, start: float = 1e-8):
        """rate_u, rate_v: 0 or more. start: standard deviation of the first offsets, above 0. Else a ValueError."""
        self.rate_u, self.rate_v = check_number("rate_u", rate_u, 0), check_number("rate_v", rate_v, 0)
        self.start = check_number("start", start, 0, above=True)
        self.state: dict[str, Tensor] = {}

    def step(self, run: Run, batch: Batch) -> StepResult:
        return self.explain(run, batch, run.logits(batch.images))

    def explain(
        self, run: Run, batch: Batch, logits: Tensor, besides: Callable[[Tensor], Tensor] | None = None
    ) -> StepResult:
        """The step from what the network says, (B, K). besides: what is added to the loss, made of q (B, K)."""
        if not self.state:
            for name, width in (("u", 1), ("v", run.num_classes)):
                draw = torch.randn(run.num_examples, width, generator=run.generator) * self.start
                self.state[name] = draw.to(logits)
        noisy = run.noisy(batch)[:, None]
        u, v = (self.state[name][batch.index].requires_grad_() for name in "uv")
        given = F.one_hot(batch.labels, run.num_classes).to(logits)
        missing, excess = ((each.square() * where).clamp(0, 1 - 1e-4) for each, where in ((u, given), (v, 1 - given)))
        missing, excess = missing * noisy, excess * noisy
        q = explained(logits, missing - excess.detach())
        loss = F.nll_loss(q.log(), batch.labels) + (besides(q) if besides else 0.0)
        said = F.one_hot(logits.argmax(1), run.num_classes).to(logits)
        gap = (said + missing.detach() - excess - given).square().sum(1).mean()
        (slope,) = torch.autograd.grad(V_LOSS * gap, [v])
        run.descend(loss)
        with torch.no_grad():
            assert u.grad is not None
            self.state["u"][batch.index] -= self.rate_u * u.grad
            self.state["v"][batch.index] -= self.rate_v * slope
        return StepResult(loss.detach())


def explained(logits: Tensor, offsets: Tensor) -> Tensor:
    """q (B, K): probabilities with offsets (B, K), held above 10⁻⁴ before and after they are made to sum to 1."""
    q = (logits.softmax(1) + offsets).clamp(min=1e-4)
    return (q / q.sum(1, keepdim=True)).clamp(min=1e-4)
