"""Each example's inner product with a direction, layer by layer: the fast engine of papers/reweight.py.

It takes networks in which no example sees another, as those without batch norm are.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from nlkit.learning import by_hand
from nlkit.learning.by_hand import LINEAR_IN_PARAMETERS, LossesWithSlopes, acts_alone, linear_layers
from nlkit.learning.engine_trial import Examples
from nlkit.learning.look_ahead import clean_direction


def help_by_layers(
    model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples, ahead: str = "optimizer"
) -> tuple[Tensor, Tensor]:
    """u (B,) by one inner product a layer, and the losses (B,) with their graph, out of the same forward pass.

    With the direction d in place of its parameters, a layer that gives out z_i for example i gives out z'_i; and
    ⟨∇ℓ_i, d⟩ is the sum of ⟨∂ℓ_i/∂z_i, z'_i⟩ over the layers. Only where no example sees another: a ValueError for
    other networks than those of which `acts_alone` is true.
    """
    layers = linear_layers(model)
    if not layers and not acts_alone(model):
        raise ValueError(
            "engine='layers' needs a Sequential of plain layers that all learn, without batch norm or hooks; "
            "take engine='auto'"
        )
    images, labels = noisy
    direction = clean_direction(model, optimizer, clean, ahead)
    if layers:
        return _by_hand(layers, direction, images, labels)
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

    def back(w: Tensor) -> Iterator[Tensor]:
        for (layer, _, out), slope in zip(passed, slopes):
            weighted = slope * w.view(-1, *[1] * (slope.ndim - 1))
            yield from torch.autograd.grad(out, list(layer.parameters()), weighted, retain_graph=True)

    return help_, LossesWithSlopes.apply(losses.detach(), back, *model.parameters())


@torch.no_grad()
def _by_hand(
    layers: list[nn.Linear], direction: dict[Tensor, Tensor], images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """The same for a network of linear layers and ReLU, of which each pass is gone through by hand."""
    own = by_hand.parameters(layers)
    inputs, logits = by_hand.forward(own, images)
    losses, last = by_hand.cross_entropy(logits, labels)
    slopes = by_hand.slopes(own, inputs, last)
    tangents = [torch.addmm(direction[b], given, direction[w].t()) for (w, b), given in zip(own, inputs)]
    help_ = torch.stack([tangent.mul_(slope).sum(1) for tangent, slope in zip(tangents, slopes)]).sum(0)

    def back(w: Tensor) -> Iterator[Tensor]:
        for layer in by_hand.gradients(inputs, [slope * w[:, None] for slope in slopes]):
            yield from layer

    with torch.enable_grad():
        return help_, LossesWithSlopes.apply(losses, back, *(p for layer in own for p in layer))


def pass_with(layer: nn.Linear | nn.Conv2d, given: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What a layer gives out with other parameters in place of its own."""
    if isinstance(layer, nn.Linear):
        return F.linear(given, weight, bias)
    return layer._conv_forward(given, weight, bias)
