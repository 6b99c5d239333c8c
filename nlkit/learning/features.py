"""What a network makes of images before its last linear layer: its features, for methods that do more with them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nlkit.learning.models import evaluate


def head_of(network: nn.Module, images: Tensor, num_classes: int) -> nn.Linear:
    """The linear layer that a network ends in: the last that images (B, C, H, W) go through, if it gives K numbers.

    Raises a ValueError for a network that ends otherwise.
    """
    called: list[nn.Linear] = []
    hooks = [each.register_forward_hook(_noted(called)) for each in network.modules() if isinstance(each, nn.Linear)]
    try:
        evaluate(network, images)
    finally:
        for hook in hooks:
            hook.remove()
    if not called or called[-1].out_features != num_classes:
        raise ValueError(f"model={type(network).__name__} must end in a linear layer of {num_classes} classes")
    return called[-1]


def _noted(called: list[nn.Linear]) -> Callable[[nn.Module, object, object], None]:
    return lambda layer, given, out: called.append(layer)  # type: ignore[arg-type]


def with_features(network: nn.Module, head: nn.Linear, images: Tensor) -> tuple[Tensor, Tensor]:
    """What a network says of images, (B, K), and what went into its head for that, (B, D)."""
    caught: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda layer, given: caught.append(given[0]))
    try:
        logits = network(images)
    finally:
        hook.remove()
    return logits, caught[-1].to(logits.dtype)


def second_head(head: nn.Linear) -> nn.Linear:
    """A linear layer of the same shape and kind, as torch draws it."""
    return nn.Linear(head.in_features, head.out_features).to(head.weight)


def said_by(head: tuple[Tensor, Tensor], features: Tensor) -> Tensor:
    """(B, K) of a head's weight (K, D) and bias (K,), and features (B, D)."""
    return torch.addmm(head[1], features, head[0].T)
