"""Each example's inner product with a direction, layer by layer: the fast engine of papers/reweight.py.

It takes networks in which no example sees another, as those without batch norm are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from nlkit.learning.engine_trial import Examples
from nlkit.learning.look_ahead import clean_direction

LINEAR_IN_PARAMETERS = (nn.Linear, nn.Conv2d)


WITHOUT_PARAMETERS = (nn.Flatten, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Identity)


def help_by_layers(
    model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples, ahead: str = "optimizer"
) -> tuple[Tensor, Tensor]:
    """u (B,) by one inner product a layer, and the losses (B,) with their graph, out of the same forward pass.

    With the direction d in place of its parameters, a layer that gives out z_i for example i gives out z'_i; and
    ⟨∇ℓ_i, d⟩ is the sum of ⟨∂ℓ_i/∂z_i, z'_i⟩ over the layers. Only where no example sees another: a ValueError for
    other networks than those of which `acts_alone` is true.
    """
    if not acts_alone(model):
        raise ValueError(
            "engine='layers' needs a Sequential of plain layers that all learn, without batch norm or hooks; "
            "take engine='auto'"
        )
    images, labels = noisy
    direction = clean_direction(model, optimizer, clean, ahead)
    passed = []  # (layer, what went in, what came out)
    hooks = [
        layer.register_forward_hook(lambda layer, given, out: passed.append((layer, given[0], out)))
        for layer in model.children()
        if isinstance(layer, LINEAR_IN_PARAMETERS)
    ]
    try:
        losses = F.cross_entropy(model(images), labels, reduction="none")
    finally:
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
        gradients: list[Tensor] = []
        for (layer, _, out), slope in zip(ctx.passed, ctx.slopes):
            weighted = slope * w.view(-1, *[1] * (slope.ndim - 1))
            gradients += torch.autograd.grad(out, list(layer.parameters()), weighted, retain_graph=True)
        return None, None, None, *gradients


def acts_alone(model: nn.Module) -> bool:
    """Whether `model` is a plain sequence of layers, no two of which share parameters, that treat each example by
    itself, as batch norm does not; and whether nothing else acts on what they give out or on their gradients."""
    known = (*LINEAR_IN_PARAMETERS, *WITHOUT_PARAMETERS)
    if type(model) is not nn.Sequential or any(hooked(layer) for layer in (model, *model)):
        return False
    parameters = [p for layer in model for p in layer.parameters()]
    own = len({id(p) for p in parameters}) == len(parameters)
    plain = all(p.requires_grad and not p._backward_hooks for p in parameters)
    return own and plain and all(type(layer) in known and not getattr(layer, "inplace", False) for layer in model)


def hooked(layer: nn.Module) -> bool:
    """Whether anything is called before, after or in place of a layer's own forward and backward pass."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    everywhere = [f"_global{kind}" for kind in kinds]
    return (
        "forward" in vars(layer)
        or any(getattr(layer, kind) for kind in kinds)
        or any(getattr(nn.modules.module, kind) for kind in everywhere)
    )


def pass_with(layer: nn.Linear | nn.Conv2d, given: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What a layer gives out with other parameters in place of its own."""
    if isinstance(layer, nn.Linear):
        return F.linear(given, weight, bias)
    return layer._conv_forward(given, weight, bias)
