"""Networks of linear layers and ReLU, gone through by hand: the same operations as torch's graph makes, without it.

Of a small network's step, the graph's own calls are a good part. What comes out is the same to the last bit, and a test
holds it to that. Networks of any other kind go through torch's graph.

    z_k = a_k W_kᵀ + b_k,  a_{k+1} = max(z_k, 0);   s_k = ∂L/∂z_k:  s_{k-1} = (s_k W_k) ∘ 1[a_k > 0]
    ∂L/∂W_k = s_kᵀ a_k,  ∂L/∂b_k = Σ_i s_k,i
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Layer = tuple[Tensor, Tensor]  # weight (out, in) and bias (out,)

LINEAR_IN_PARAMETERS = (nn.Linear, nn.Conv2d)
WITHOUT_PARAMETERS = (nn.Flatten, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Identity)
_KNOWN = frozenset((*LINEAR_IN_PARAMETERS, *WITHOUT_PARAMETERS))
_GLOBAL_HOOKS = [f"_global_{when}_hooks" for when in ("forward", "forward_pre", "backward", "backward_pre")]


class Passes:
    """Passes of networks that a loss will be taken back through."""

    def __init__(self) -> None:
        self._open: list[tuple[list[nn.Linear], list[Tensor], Tensor]] = []

    def logits(self, model: nn.Module, images: Tensor) -> Tensor:
        """What the network says of images, (B, K), for a loss of which `backward` is asked."""
        layers = linear_layers(model)
        if not layers or not torch.is_grad_enabled() or images.requires_grad:
            return model(images)
        with torch.no_grad():
            inputs, logits = forward(parameters(layers), images)
        self._open.append((layers, inputs, logits.requires_grad_()))
        return logits

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of `loss`, and of nothing else, to the parameters' `grad`, as `loss.backward()` does."""
        passes, self._open = self._open, []
        loss.backward()
        with torch.no_grad():
            for layers, inputs, logits in passes:
                if logits.grad is not None:
                    _fill(layers, inputs, logits.grad)


class LossesWithSlopes(torch.autograd.Function):
    """Losses (B,) with a short way back to the parameters.

    back: the gradients of Σ_i w_i ℓ_i, one a parameter, from w (B,). `fill_weighted` takes them without torch's graph.
    """

    @staticmethod
    def forward(ctx, losses: Tensor, back: Callable[[Tensor], Iterable[Tensor]], *parameters: Tensor) -> Tensor:
        ctx.back, ctx.parameters = back, parameters
        return losses

    @staticmethod
    def backward(ctx, w: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.back(w)


def fill_weighted(losses: Tensor, weights: Tensor) -> bool:
    """Make the gradient of Σ_i w_i ℓ_i that of the parameters, for such losses; False for others, and nothing done."""
    back = getattr(losses.grad_fn, "back", None)
    if back:
        with torch.no_grad():
            for p, gradient in zip(losses.grad_fn.parameters, back(weights)):
                p.grad = gradient
    return back is not None


def fill_cross_entropy(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor | None:
    """Make the gradient of the mean cross-entropy that of the parameters, and give the losses (B,).

    None for a network that is not made of linear layers and ReLU, and nothing done.
    """
    layers = linear_layers(model)
    if not layers:
        return None
    with torch.no_grad():
        inputs, logits = forward(parameters(layers), images)
        losses, last = cross_entropy(logits, labels, 1 / len(labels))
        _fill(layers, inputs, last)
    return losses


def _fill(layers: list[nn.Linear], inputs: list[Tensor], last: Tensor) -> None:
    """Add to the parameters' `grad` the gradient of what has the slope `last` (B, K) at the logits."""
    own = parameters(layers)
    for layer, found in zip(own, gradients(inputs, slopes(own, inputs, last))):
        for p, gradient in zip(layer, found):
            p.grad = gradient if p.grad is None else p.grad.add_(gradient)


def linear_layers(model: nn.Module) -> list[nn.Linear]:
    """The linear layers of a network that is made of them, with ReLU between them and `Flatten` before; else none."""
    if not acts_alone(model) or not len(model):
        return []
    first, *rest = model._modules.values()
    linear, between = rest[::2], rest[1::2]
    plain = type(first) is nn.Flatten and (first.start_dim, first.end_dim) == (1, -1)
    plain = plain and all(type(each) is nn.Linear and each._parameters["bias"] is not None for each in linear)
    return linear if plain and len(rest) % 2 and all(type(each) is nn.ReLU for each in between) else []


def parameters(layers: Sequence[nn.Linear]) -> list[Layer]:
    """(weight, bias) of each, out of where a layer keeps them: to ask for `layer.weight` takes ten times as long."""
    return [(layer._parameters["weight"], layer._parameters["bias"]) for layer in layers]  # type: ignore[misc]


def forward(layers: Sequence[Layer], images: Tensor) -> tuple[list[Tensor], Tensor]:
    """What goes into each layer, (B, in), and the logits (B, K)."""
    passing, inputs = images.flatten(1), []
    for weight, bias in layers:
        inputs.append(passing if not inputs else passing.relu_())
        passing = torch.addmm(bias, inputs[-1], weight.t())
    return inputs, passing


def cross_entropy(logits: Tensor, labels: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
    """ℓ (B,) of logits (B, K) and labels (B,); and of Σ_i w ℓ_i the slope w (p_i - y_i) at the logits, (B, K)."""
    log_p = logits.log_softmax(1)
    losses = F.nll_loss(log_p, labels, reduction="none")
    of_log_p = torch.zeros_like(log_p).scatter_(1, labels[:, None], -weight)
    return losses, torch.ops.aten._log_softmax_backward_data(of_log_p, log_p, 1, log_p.dtype)


def slopes(layers: Sequence[Layer], inputs: Sequence[Tensor], last: Tensor) -> list[Tensor]:
    """s (B, out) at what each layer gives out, from that of the logits (B, K), `last`, back to the first layer's."""
    found = [last]
    for (weight, _), given in zip(reversed(layers[1:]), reversed(inputs[1:])):
        found.append(torch.ops.aten.threshold_backward(found[-1] @ weight, given, 0))
    return found[::-1]


def gradients(inputs: Sequence[Tensor], slopes: Sequence[Tensor]) -> list[Layer]:
    """Of each layer's weight and bias."""
    return [(slope.t() @ given, slope.sum(0)) for given, slope in zip(inputs, slopes)]


def acts_alone(model: nn.Module) -> bool:
    """Whether `model` is a plain sequence of layers, no two of which share parameters, that treat each example by
    itself, as batch norm does not; and whether nothing else acts on what they give out or on their gradients."""
    if type(model) is not nn.Sequential or hooked(model) or any(map(vars(nn.modules.module).get, _GLOBAL_HOOKS)):
        return False
    layers = model._modules.values()
    if not all(type(layer) in _KNOWN and not hooked(layer) and not vars(layer).get("inplace") for layer in layers):
        return False
    own = [p for layer in layers for p in layer._parameters.values() if p is not None]
    plain = all(p.requires_grad and not p._backward_hooks and not p._post_accumulate_grad_hooks for p in own)
    return plain and len(set(map(id, own))) == len(own)


def hooked(layer: nn.Module) -> bool:
    """Whether anything is called before, after or in place of a layer's own forward and backward pass."""
    own = vars(layer)
    hooks = own["_forward_hooks"] or own["_forward_pre_hooks"] or own["_backward_hooks"] or own["_backward_pre_hooks"]
    return bool(hooks) or "forward" in own
