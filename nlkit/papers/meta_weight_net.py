"""Meta-Weight-Net: learn, on the clean set, the function that turns an example's loss into its weight.

    Shu, Xie, Yi, Zhao, Zhou, Xu, Meng: Meta-Weight-Net: Learning an explicit mapping for sample weighting. NeurIPS
    2019, arXiv:1902.07379, algorithm 1.

    V(ℓ; Θ) a network 1-100-1 with ReLU and, at its end, a sigmoid
    θ̂(Θ) = θ - α/B Σ_i V(ℓ_i; Θ) ∇ℓ_i(θ)                   a look ahead
    Θ ← Θ - Adam's step on L_clean(θ̂(Θ))                    ∂L_clean/∂V_i = -α/B ⟨∇ℓ_i(θ), ∇L_clean(θ̂)⟩
    θ ← the optimizer's step on 1/B Σ_i V(ℓ_i; Θ) ℓ_i(θ)     with the new Θ

Meta-reweighting has a number an example, forgotten after the step; here a function of the loss alone is kept and goes
on learning: it can come to prefer small losses, where labels are wrong, or large ones, where classes are rare.
The inner product is the slope in v of Σ_i v_i ∇ℓ_i along the clean gradient at θ̂, as one engine of reweight.py has it.

Θ has Adam at 10⁻³ with weight decay 10⁻⁴, and α is 0.1, as in the authors' program, where it is the network's own rate
too; here it is the same at every step, whatever optimizer and schedule the network has.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer

from nlkit.checks import check_integer, check_number
from nlkit.learning.engine_trial import Examples
from nlkit.learning.learner import Batch, Run, StepResult, call_with, in_passing, normalize_weights, spare_buffers
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.papers.reweight import along

RATE, DECAY = 1e-3, 1e-4


class MetaWeightNet:
    learns_from = "noisy"
    needs_clean = True
    weighs = True
    sees_noise = True

    def __init__(self, look_ahead: float = 0.1, hidden: int = 100, clean_batch_size: int = 128):
        """look_ahead: α, above 0. hidden: width of V, 1 or more. clean_batch_size: 1 or more. Else a ValueError."""
        self.look_ahead = check_number("look_ahead", look_ahead, 0, above=True)
        self.hidden = check_integer("hidden", hidden, 1)
        self.clean_batch_size = check_integer("clean_batch_size", clean_batch_size, 1)
        self.state: dict[str, Any] = {}
        self.made: tuple[nn.Module, Optimizer] | None = None
        self.met = False  # whether V has been in a step

    def prepare(self, run: Run) -> None:
        """Make V, drawn from the method's own generator."""
        seed = int(torch.randint(2**62, (), generator=run.generator))
        weigher = seeded(
            lambda: nn.Sequential(nn.Linear(1, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 1), nn.Sigmoid()), seed
        ).to(next(run.model.parameters()))
        self.made = weigher, adam(weigher.parameters(), RATE, weight_decay=DECAY)

    def step(self, run: Run, batch: Batch) -> StepResult:
        weigher, optimizer = self._weigher(run)
        examples, clean = (batch.images, batch.labels), run.clean_batch(self.clean_batch_size)
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels of attention have no second derivative
            help_, losses = along(run.model, examples, self._clean_gradient(run, examples, clean, weigher))
        inputs = losses.detach()[:, None]
        descend(optimizer, -(self.look_ahead * help_ * weigher(inputs)[:, 0]).mean())
        self.state["weigher"], self.state["weigher's optimizer"] = weigher.state_dict(), optimizer.state_dict()
        with torch.no_grad():
            v = weigher(inputs)[:, 0]
        loss = (v * losses).mean()
        run.descend(loss)
        return StepResult(loss.detach(), normalize_weights(v))

    def _clean_gradient(
        self, run: Run, examples: Examples, clean: Examples, weigher: nn.Module
    ) -> dict[Tensor, Tensor]:
        """∇L_clean at θ̂, by parameter."""
        model, (images, labels) = run.model, examples
        learned = [p for p in model.parameters() if p.requires_grad]
        losses = F.cross_entropy(in_passing(model, images), labels, reduction="none")
        v = weigher(losses.detach()[:, None])[:, 0].detach()
        slopes = torch.autograd.grad((v * losses).mean(), learned, allow_unused=True)
        here: dict[Tensor, Tensor] = {p: g for p, g in zip(learned, slopes) if g is not None}
        ahead: dict[Tensor, Tensor] = {p: (p.detach() - self.look_ahead * g).requires_grad_() for p, g in here.items()}
        instead = ahead | spare_buffers(model)
        loss = F.cross_entropy(call_with(model, instead, clean[0]), clean[1])
        found = torch.autograd.grad(loss, list(ahead.values()), allow_unused=True)
        return {p: g for p, g in zip(ahead, found) if g is not None}

    def _weigher(self, run: Run) -> tuple[nn.Module, Optimizer]:
        if self.made is None:
            self.prepare(run)
        assert self.made is not None
        if "weigher" in self.state and not self.met:  # of a checkpoint
            self.made[0].load_state_dict(self.state["weigher"])
            self.made[1].load_state_dict(self.state["weigher's optimizer"])
        self.met = True
        return self.made
