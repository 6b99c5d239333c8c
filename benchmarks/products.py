"""The arithmetic floor: the bare matrix products and convolutions of a step, and nothing else of it.

A step needs of a layer with parameters: its output; the gradient of its parameters; and, but for the first layer, the
gradient of what went in. Counted with the first layer's exception, the classroom network's standard step is about two
products of its first layer, reweighting five (clean: output and gradient; noisy: output, tangent, gradient), and
MentorMix three.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

from nlkit.learning.by_hand import LINEAR_IN_PARAMETERS, acts_alone

Product = Callable[[], Tensor]


def bare_products(model: nn.Module, images: Tensor) -> dict[str, Product]:
    """For each method a function that computes the products of one step on `images` (B, C, H, W), on random slopes."""
    outputs, parameters, inputs = _products(model, images)
    standard = outputs + parameters + inputs
    # With a tangent: out of the parameters' direction, and where an example sees others also of what went in.
    tangent = outputs if acts_alone(model) else outputs + outputs[1:]
    lists = {
        "standard": standard,
        "reweight": standard + outputs + tangent + inputs + parameters,
        "mentormix": outputs + standard,
    }
    return {name: lambda products=products: [product() for product in products] for name, products in lists.items()}


@torch.no_grad()
def _products(model: nn.Module, images: Tensor) -> tuple[list[Product], list[Product], list[Product]]:
    """Outputs, gradients of parameters, and gradients of inputs (without the first layer's)."""
    passed = []
    layers = [layer for layer in model.modules() if isinstance(layer, LINEAR_IN_PARAMETERS)]
    hooks = [
        layer.register_forward_hook(lambda layer, given, out: passed.append((layer, given[0], torch.randn_like(out))))
        for layer in layers
    ]
    model(images)
    for hook in hooks:
        hook.remove()
    made = [(_linear if isinstance(layer, nn.Linear) else _convolution)(layer, *rest) for layer, *rest in passed]
    outputs, parameters, inputs = (list(kind) for kind in zip(*made))
    return outputs, parameters, inputs[1:]


def _linear(layer: nn.Linear, given: Tensor, slope: Tensor) -> tuple[Product, Product, Product]:
    weight = layer.weight.detach()
    return lambda: F.linear(given, weight), lambda: slope.T @ given, lambda: slope @ weight


def _convolution(layer: nn.Conv2d, given: Tensor, slope: Tensor) -> tuple[Product, Product, Product]:
    weight, form = layer.weight.detach(), (layer.stride, layer.padding, layer.dilation, layer.groups)
    return (
        lambda: F.conv2d(given, weight, None, *form),
        lambda: conv2d_weight(given, weight.shape, slope, *form),
        lambda: conv2d_input(given.shape, weight, slope, *form),
    )
