"""Networks that are cut at their last features: which ones a step keeps, and what the first k alone say.

Rippel, Gelbart, Adams: Learning ordered representations with nested dropout. ICML 2014, arXiv:1402.0915.

P(k) ∝ exp(−(k/σ)²),  k = 1 … K;   h ← h ∘ 1[j ≤ k],  one k for the whole batch, without rescaling
logits at k:  b + Σ_{j ≤ k} h_j w_j       (a running sum, so that all K cost little more than one)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.learning.models import evaluate

MASKS = ("nested", "dropout", "none")
REACH = 1e-3  # share of the steps in which a feature must be kept for it to count as trained
PRICE = 1e-5  # in accuracy, of one more feature: the smaller of two cuts wins near-ties


def cut_probabilities(features: int, sigma: float) -> Tensor:
    """P(k) of k = 1 … K, (K,) doubles. features: K, 1 or more; sigma: σ, above 0. Raises a ValueError otherwise."""
    check_integer("features", features, 1)
    check_number("sigma", sigma, 0, above=True)
    k = torch.arange(1, features + 1, dtype=torch.float64)
    weights = torch.exp((1 - k.square()) / sigma**2)  # divided by that of k = 1, lest a small σ leave only zeros
    return weights / weights.sum()


def reach(probabilities: Tensor) -> int:
    """The largest k whose feature is kept in at least `REACH` of the steps. Those after it are all but untrained."""
    return int((probabilities.flip(0).cumsum(0).flip(0) >= REACH).sum())


class Masks:
    """What a step keeps of the last features.

    "nested": the first k, k drawn anew each step; "dropout": each of an example's with 1 − p, divided by that; "none":
    all. Raises a ValueError for another kind, a σ that is not above 0, or a p that is not from 0 to 0.99.
    """

    def __init__(self, kind: str, sigma: float, p: float):
        self.kind = check_choice("mask", kind, MASKS)
        self.sigma = check_number("sigma", sigma, 0, above=True)
        self.p = check_number("p", p, 0, 0.99)
        self._probabilities = torch.empty(0)

    def probabilities(self, features: int) -> Tensor:
        """P(k), (K,), worked out once."""
        if len(self._probabilities) != features:
            self._probabilities = cut_probabilities(features, self.sigma)
        return self._probabilities

    def reach(self, features: int) -> int:
        """Up to which of the K features the network may be cut."""
        return reach(self.probabilities(features)) if self.kind == "nested" else features

    def draw(self, batch: int, features: int, generator: torch.Generator) -> Tensor | None:
        """What a batch's features (B, K) are multiplied by: (K,), (B, K), or None for all of them as they are."""
        if self.kind == "none":
            return None
        if self.kind == "dropout":
            return (torch.rand(batch, features, generator=generator) >= self.p) / (1 - self.p)
        return first(draw_cut(self.probabilities(features), generator), features)


def draw_cut(probabilities: Tensor, generator: torch.Generator) -> int:
    """One k from 1 to K."""
    return 1 + int(torch.multinomial(probabilities, 1, generator=generator))


def first(k: int, features: int) -> Tensor:
    """1[j ≤ k] of the features j = 1 … K, (K,)."""
    return (torch.arange(1, features + 1) <= k).float()


def last_layer(model: nn.Module) -> nn.Linear:
    """The linear layer whose inputs are a network's last features. Raises a ValueError where it ends in another way."""
    for inner in ("module", "network"):  # of an averaged network, and of one that computes in bfloat16
        model = getattr(model, inner, model)
    if not isinstance(model, nn.Sequential) or not len(model) or type(model[-1]) is not nn.Linear:
        raise ValueError(f"model={type(model).__name__} must be a Sequential that ends in a Linear layer, to be cut")
    return model[-1]


@contextmanager
def masked(layer: nn.Linear, mask: Tensor | None) -> Iterator[None]:
    """Within it, what goes into the layer is multiplied by the mask, (K,) or (B, K)."""
    if mask is None:
        yield
        return
    hook = layer.register_forward_pre_hook(lambda _, given: (given[0] * mask.to(given[0]),))
    try:
        yield
    finally:
        hook.remove()


def features_of(model: nn.Module, images: Tensor) -> Tensor:
    """The last features (N, K) of images (N, C, H, W), in evaluation mode."""
    passed: list[Tensor] = []
    hook = last_layer(model).register_forward_pre_hook(lambda _, given: passed.append(given[0]))
    try:
        evaluate(model, images)
    finally:
        hook.remove()
    return torch.cat(passed)


def logits_at(model: nn.Module, images: Tensor, k: int) -> Tensor:
    """The logits (N, C) of images (N, …) by the first k features alone, in evaluation mode."""
    layer = last_layer(model)
    with masked(layer, first(k, layer.in_features)):
        return evaluate(model, images)


@torch.no_grad()
def logits_by_cut(model: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """The logits (N, C) of images (N, …) by the first k features alone, for k = 1 … K in turn."""
    layer, features = last_layer(model), features_of(model, images)
    weight = layer.weight.detach()
    logits = features.new_zeros(len(features), len(weight))
    if layer.bias is not None:
        logits = logits + layer.bias.detach()
    for j in range(features.shape[1]):
        logits = torch.addr(logits, features[:, j], weight[:, j])
        yield logits


def accuracy_by_cut(model: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """The share of images that the first k features give their labels (N,), for k = 1 … K."""
    found = [(logits.argmax(1) == labels).double().mean() for logits in logits_by_cut(model, images)]
    return torch.stack(found).tolist()


def best_cut(accuracies: Sequence[float]) -> int:
    """k*, from 1: of the largest accuracy less `PRICE` for each feature more."""
    return 1 + max(range(len(accuracies)), key=lambda place: accuracies[place] - PRICE * place)


def cut_state(model: nn.Module, k: int) -> dict[str, Tensor]:
    """A copy of the network's state in which the last layer hears its first k features alone."""
    own = last_layer(model).weight
    name = next(name for name, p in model.named_parameters() if p is own)
    state = {key: value.detach().clone() for key, value in model.state_dict().items()}
    state[name][:, k:] = 0
    return state
