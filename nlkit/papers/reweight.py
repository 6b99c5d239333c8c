"""Meta-reweighting: weigh each noisy example by whether learning from it would help on the clean set.

    Ren, Zeng, Yang, Urtasun: Learning to reweight examples for robust deep learning. ICML 2018, arXiv:1803.09050.

One step on a noisy batch, with weights ε that start at 0:

    θ̂(ε) = one optimizer step from θ on  Σ_i ε_i ℓ_i(θ)                      (look ahead)
    u_i  = -∂ L_clean(θ̂(ε)) / ∂ε_i  at ε = 0                                 (would example i help?)
    w_i  = max(u_i, 0) / Σ_j max(u_j, 0)                                     (only help counts)
    θ    = one optimizer step from θ on  Σ_i w_i ℓ_i(θ)                      (learn)

The engine "higher" does exactly this: it records the look-ahead step and differentiates through it. The engine "jvp" is
the same number without the second-order graph. At ε = 0 the step moves by -P ∘ Σ_i ε_i ∇ℓ_i to first order, P being the
optimizer's own scale of a small gradient, so that

    u_i = ⟨∇ℓ_i(θ), P ∘ ∇L_clean(θ̂)⟩

which is the derivative of ℓ_i along the direction P ∘ ∇L_clean(θ̂): one forward-mode product gives it for all i at once,
and the losses ℓ_i that the last line needs come out of the same pass. With batch norm each ℓ_i depends on the whole
batch, and the product is exact all the same: it is the derivative of all losses together, as functions of θ.
The engine "layers" takes the same inner product layer by layer, for networks in which no example sees another; there it
is faster (learning/layer_by_layer.py). The engine "double-backward" takes it by differentiating Σ_i v_i ∇ℓ_i along the
direction with respect to v, which asks less of a network's operators and costs more. That is how the authors' program
for CIFAR has it (github.com/uber-research/learning-to-reweight-examples, `legacy=False`): the inner product is theirs,
and so is seeing that the step need not be taken to differentiate it. "auto" takes the first of "layers", "jvp" and
"double-backward" that is exact for the network. Which one that is, is found out once, when `train` is called
(learning/engine_trial.py).

Two look-aheads. Above stands the one of the tutorial that the course starts from, look_ahead="optimizer": θ̂ is where
the trainer's own optimizer would step, with its momentum, moments and weight decay. In the paper (algorithm 1) and in
both of the authors' programs, whatever optimizer trains, the look-ahead is a plain gradient step, so that P = 1 and at
ε = 0 θ̂ = θ: look_ahead="paper". It needs nothing of the optimizer, so that any will do. Notebook 03 compares the two.

θ̂ takes every parameter that the clean loss reaches for one that the step moves. Where a network decides by the batch
which of its layers to use, and only there, "higher" alone is exact about the momentum of those that a batch leaves out.
With dropout, the clean pass and the pass that is learned from draw masks of their own, and "higher" a third for the
weights, so that the engines are then not the same run. The masks come from torch's global generator.

In the paper the clean set guides the weights and is never trained on. With `learn_clean` its examples are among those
that are weighed and learned from, as in the baseline, which trains on the two sets together.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.optim import Optimizer

from nlkit.checks import check_choice, check_flag, check_integer
from nlkit.learning.batch_norm import OwnTangents
from nlkit.learning.engine_trial import Engine, Examples, first_exact
from nlkit.learning.layer_by_layer import help_by_layers
from nlkit.learning.learner import Batch, Run, StepResult, call_with, normalize_weights
from nlkit.learning.look_ahead import LOOK_AHEADS, check_formula, clean_direction, torch_eps


class Reweight:
    learns_from = "noisy"
    needs_clean = True
    weighs = True
    sees_noise = True

    def __init__(
        self,
        engine: str = "auto",
        clean_batch_size: int = 128,
        learn_clean: bool = False,
        look_ahead: str = "optimizer",
    ):
        check_choice("engine", engine, ENGINES)
        check_choice("look_ahead", look_ahead, LOOK_AHEADS)
        self.engine, self.look_ahead = engine, look_ahead
        if check_flag("learn_clean", learn_clean):
            self.learns_from = "noisy and clean"
        self.clean_batch_size = check_integer("clean_batch_size", clean_batch_size, 1)
        self.taken = ""  # the name of the engine that weighs
        self._help: Engine | None = None

    def prepare(self, run: Run) -> None:
        """Find the engine for this network; a ValueError where there is none, a warning where it is not a usual one."""
        clean = run.clean_images, run.clean_labels
        self.taken, self._help = first_exact(ENGINES, self.engine, run.model, run.optimizer, clean, self.look_ahead)

    def step(self, run: Run, batch: Batch) -> StepResult:
        if self._help is None:
            self.prepare(run)
        clean = run.clean_batch(self.clean_batch_size)
        assert self._help is not None
        help_, losses = self._help(run.model, run.optimizer, (batch.images, batch.labels), clean, self.look_ahead)
        weights = normalize_weights(help_)
        loss = run.descend_weighted(losses, weights)
        return StepResult(loss, weights)


def help_by_higher(
    model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples, ahead: str = "optimizer"
) -> tuple[Tensor, Tensor]:
    """u (B,) by differentiating through the look-ahead step with `higher`, and the losses (B,) with their graph."""
    import higher

    images, labels = noisy
    clean_images, clean_labels = clean
    if ahead == "paper":
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    else:
        check_formula(optimizer)  # `higher` has no other steps, or passes over their options
    with higher.innerloop_ctx(model, optimizer, override=torch_eps(optimizer)) as (ahead_model, ahead_optimizer):
        for state in (state for group in ahead_optimizer.state for state in group.values() if "step" in state):
            state["step"] = int(state["step"])  # a count, and not a float32 tensor, which rounds βᵗ
        losses = F.cross_entropy(ahead_model(images), labels, reduction="none")  # (B,)
        eps = torch.zeros_like(losses, requires_grad=True)
        ahead_optimizer.step((eps * losses).sum())
        clean_loss = F.cross_entropy(ahead_model(clean_images), clean_labels)
        (gradient,) = torch.autograd.grad(clean_loss, eps)
    return -gradient.detach(), F.cross_entropy(model(images), labels, reduction="none")


def help_by_jvp(
    model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples, ahead: str = "optimizer"
) -> tuple[Tensor, Tensor]:
    """u (B,) by one forward-mode product, and the losses (B,) with their graph, out of the same forward pass."""
    images, labels = noisy
    direction = clean_direction(model, optimizer, clean, ahead)
    with forward_ad.dual_level(), OwnTangents():
        dual = {p: forward_ad.make_dual(p, d) for p, d in direction.items()}
        losses = F.cross_entropy(call_with(model, dual, images), labels, reduction="none")
        losses, help_ = forward_ad.unpack_dual(losses)
    return torch.zeros_like(losses) if help_ is None else help_.detach(), losses


def help_by_double_backward(
    model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples, ahead: str = "optimizer"
) -> tuple[Tensor, Tensor]:
    """u (B,) as the slope in v of Σ_i v_i ∇ℓ_i along the direction, and the losses (B,) with their graph."""
    return along(model, noisy, clean_direction(model, optimizer, clean, ahead))


def along(model: nn.Module, examples: Examples, direction: Mapping[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """⟨∇ℓ_i, d⟩ (B,) along a direction in the parameters, and the losses ℓ (B,) with their graph."""
    images, labels = examples
    losses = F.cross_entropy(model(images), labels, reduction="none")
    v = torch.ones_like(losses, requires_grad=True)
    gradients = torch.autograd.grad(losses, list(direction), v, create_graph=True, allow_unused=True)
    reached = [(g, d) for g, d in zip(gradients, direction.values()) if g is not None]
    if not reached:
        return torch.zeros_like(losses), losses
    along = [torch.stack([(g * d).sum() for g, d in reached]).sum()]
    (help_,) = torch.autograd.grad(along, v, retain_graph=True)
    return help_, losses


def help_by_fastest(
    model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples, ahead: str = "optimizer"
) -> tuple[Tensor, Tensor]:
    """u (B,) and the losses (B,) with their graph, by the first engine that is exact for the network."""
    _, engine = first_exact(ENGINES, "auto", model, optimizer, clean, ahead)
    return engine(model, optimizer, noisy, clean, ahead)


ENGINES: dict[str, Engine] = {
    "auto": help_by_fastest,
    "layers": help_by_layers,
    "jvp": help_by_jvp,
    "double-backward": help_by_double_backward,
    "higher": help_by_higher,
}
