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
The engine "layers" takes the same inner product layer by layer, for networks in which no example sees another; there
it is faster. "auto" takes it where it can.

In the paper the clean set guides the weights and is never trained on. With `learn_clean` its examples are among those
that are weighed and learned from, as in the baseline, which trains on the two sets together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.nn import functional as F
from torch.optim import Optimizer

from nlkit.batch_norm import OwnTangents
from nlkit.checks import check_choice, check_flag, check_integer
from nlkit.look_ahead import look_ahead, torch_eps
from nlkit.run import Batch, Run, StepResult, normalize_weights, spare_buffers

Examples = tuple[Tensor, Tensor]  # images (B, C, H, W) and labels (B,)


class Reweight:
    learns_from = "noisy"
    needs_clean = True

    def __init__(self, engine: str = "auto", clean_batch_size: int = 128, learn_clean: bool = False):
        check_choice("engine", engine, ENGINES)
        self.engine = engine
        if check_flag("learn_clean", learn_clean):
            self.learns_from = "noisy and clean"
        self.clean_batch_size = check_integer("clean_batch_size", clean_batch_size, 1)

    def step(self, run: Run, batch: Batch) -> StepResult:
        clean = run.clean_batch(self.clean_batch_size)
        help_, losses = ENGINES[self.engine](run.model, run.optimizer, (batch.images, batch.labels), clean)
        weights = normalize_weights(help_)
        loss = (weights * losses).sum()
        run.descend(loss)
        return StepResult(loss, weights)


def help_by_higher(model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples) -> tuple[Tensor, Tensor]:
    """u (B,) by differentiating through the look-ahead step with `higher`, and the losses (B,) with their graph."""
    import higher

    images, labels = noisy
    clean_images, clean_labels = clean
    with higher.innerloop_ctx(model, optimizer, override=torch_eps(optimizer)) as (ahead_model, ahead_optimizer):
        for state in (state for group in ahead_optimizer.state for state in group.values() if "step" in state):
            state["step"] = int(state["step"])  # a count, and not a float32 tensor, which rounds βᵗ
        losses = F.cross_entropy(ahead_model(images), labels, reduction="none")  # (B,)
        eps = torch.zeros_like(losses, requires_grad=True)
        ahead_optimizer.step((eps * losses).sum())
        clean_loss = F.cross_entropy(ahead_model(clean_images), clean_labels)
        (gradient,) = torch.autograd.grad(clean_loss, eps)
    return -gradient.detach(), F.cross_entropy(model(images), labels, reduction="none")


def help_by_jvp(model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples) -> tuple[Tensor, Tensor]:
    """u (B,) by one forward-mode product, and the losses (B,) with their graph, out of the same forward pass."""
    images, labels = noisy
    direction = clean_direction(model, optimizer, clean)
    with forward_ad.dual_level(), OwnTangents():
        dual = {name: forward_ad.make_dual(p, direction[p]) for name, p in model.named_parameters()}
        outputs = functional_call(model, dual, (images,))
        losses, help_ = forward_ad.unpack_dual(F.cross_entropy(outputs, labels, reduction="none"))
    return help_.detach(), losses


def help_by_layers(model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples) -> tuple[Tensor, Tensor]:
    """u (B,) by one inner product a layer, and the losses (B,) with their graph, out of the same forward pass.

    With the direction d in place of its parameters, a layer that gives out z_i for example i gives out z'_i; and
    ⟨∇ℓ_i, d⟩ is the sum of ⟨∂ℓ_i/∂z_i, z'_i⟩ over the layers. Only where no example sees another: a ValueError for
    other networks than those of which `acts_alone` is true.
    """
    if not acts_alone(model):
        raise ValueError("engine='layers' needs a Sequential of plain layers, without batch norm; take engine='auto'")
    images, labels = noisy
    direction = clean_direction(model, optimizer, clean)
    passed = []  # (layer, what went in, what came out)
    hooks = [
        layer.register_forward_hook(lambda layer, given, out: passed.append((layer, given[0], out)))
        for layer in model
        if isinstance(layer, LINEAR_IN_PARAMETERS)
    ]
    losses = F.cross_entropy(model(images), labels, reduction="none")
    for hook in hooks:
        hook.remove()
    slopes = torch.autograd.grad(losses.sum(), [out for _, _, out in passed], retain_graph=True)
    help_ = torch.zeros_like(losses)
    with torch.no_grad():
        for (layer, given, _), slope in zip(passed, slopes):
            tangent = pass_with(layer, given, *(direction[p] for p in layer.parameters()))
            help_ += tangent.mul_(slope).sum(tuple(range(1, slope.ndim)))
    return help_, LossesBySlopes.apply(losses.detach(), passed, slopes, *model.parameters())


class LossesBySlopes(torch.autograd.Function):
    """The losses (B,), with a shorter way back to the parameters: the slopes ∂ℓ_i/∂z_i of the layers are at hand.

    A layer's gradient of Σ w_i ℓ_i is that of Σ ⟨w_i ∂ℓ_i/∂z_i, z_i⟩: one product a layer, none between the layers.
    """

    @staticmethod
    def forward(ctx, losses: Tensor, passed: list, slopes: tuple[Tensor, ...], *parameters: Tensor) -> Tensor:
        ctx.passed, ctx.slopes = passed, slopes
        return losses

    @staticmethod
    def backward(ctx, w: Tensor) -> tuple[Tensor | None, ...]:
        gradients = []
        for (layer, _, out), slope in zip(ctx.passed, ctx.slopes):
            weighted = slope * w.view(-1, *[1] * (slope.ndim - 1))
            gradients += torch.autograd.grad(out, list(layer.parameters()), weighted, retain_graph=True)
        return None, None, None, *gradients


LINEAR_IN_PARAMETERS = (nn.Linear, nn.Conv2d)
WITHOUT_PARAMETERS = (nn.Flatten, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Identity)


def acts_alone(model: nn.Module) -> bool:
    """Whether `model` is a plain sequence of layers, no two of which share parameters, that treat each example by
    itself, as batch norm does not."""
    known = (*LINEAR_IN_PARAMETERS, *WITHOUT_PARAMETERS)
    if type(model) is not nn.Sequential:
        return False
    parameters = [p for layer in model for p in layer.parameters()]
    own = len({id(p) for p in parameters}) == len(parameters) and all(p.requires_grad for p in parameters)
    return own and all(type(layer) in known and not getattr(layer, "inplace", False) for layer in model)


def pass_with(layer: nn.Linear | nn.Conv2d, given: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What a layer gives out with other parameters in place of its own."""
    return F.linear(given, weight, bias) if type(layer) is nn.Linear else layer._conv_forward(given, weight, bias)


def help_by_fastest(model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples) -> tuple[Tensor, Tensor]:
    """By layers where that is exact, and by one forward-mode product elsewhere."""
    return (help_by_layers if acts_alone(model) else help_by_jvp)(model, optimizer, noisy, clean)


def clean_direction(model: nn.Module, optimizer: Optimizer, clean: Examples) -> dict[nn.Parameter, Tensor]:
    """P ∘ ∇L_clean(θ̂), by parameter: along it a noisy example's loss is asked for its slope."""
    images, labels = clean
    moved, scale = look_ahead(optimizer)
    ahead = {name: moved[p].requires_grad_() for name, p in model.named_parameters()}  # θ̂ at ε = 0
    clean_loss = F.cross_entropy(functional_call(model, ahead | spare_buffers(model), (images,)), labels)
    gradients = torch.autograd.grad(clean_loss, list(ahead.values()))
    return {p: gradient.mul_(scale[p]) for p, gradient in zip(model.parameters(), gradients)}


ENGINES = {"auto": help_by_fastest, "layers": help_by_layers, "jvp": help_by_jvp, "higher": help_by_higher}
