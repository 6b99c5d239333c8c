"""Where a training step would lead, and how it scales a small gradient: what meta-learning by one step differentiates.

There are two look-aheads. "optimizer" is the step that the trainer's own optimizer takes next, momentum, moments and
weight decay included. "paper" is a plain gradient step at θ, whatever optimizer trains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from nlkit.learning import by_hand
from nlkit.learning.learner import call_with, spare_buffers


def look_ahead(optimizer: Optimizer) -> tuple[dict[Tensor, Tensor], dict[Tensor, Tensor | float]]:
    """Where the next step leads on a loss of 0, and how it scales a small gradient, by parameter: θ̂ and P.

    With g → 0, what is left of the gradient is the weight decay's share d = decay·θ.
    SGD steps to θ - lr·(μ·m + d) and scales by lr.
    Adam, with its moments m, v and its count t of steps (the coming one included), takes m̂ = (β1 m + (1 - β1) d) /
    (1 - β1ᵗ), v̂ = (β2 v + (1 - β2) d²) / (1 - β2ᵗ) and D = √v̂ + eps, steps to θ - lr·m̂ / D and scales by
    lr·[(1 - β1) / (1 - β1ᵗ) / D - m̂ / D² · (1 - β2) / (1 - β2ᵗ) · d / √v̂], the last term because v̂ moves with g too.
    What requires no gradient is not moved by a step, and left out.
    Raises a ValueError for an optimizer or an option that these formulas leave out.
    """
    check_formula(optimizer)
    moved, scale = {}, {}
    for group in optimizer.param_groups:
        learned = [p for p in group["params"] if p.requires_grad]
        states = [optimizer.state.get(p, {}) for p in learned]
        ahead = _sgd_ahead if type(optimizer) is torch.optim.SGD else _adam_ahead
        if ahead is _adam_ahead and learned and not group["weight_decay"] and len({_count(s) for s in states}) == 1:
            found = _adam_ahead_together([p.detach() for p in learned], states, group)
        else:
            found = [ahead(p.detach(), state, group) for p, state in zip(learned, states)]
        for p, of in zip(learned, found):
            moved[p], scale[p] = of
    return moved, scale


def check_formula(optimizer: Optimizer) -> None:
    """A ValueError for an optimizer, or an option of it, whose step `look_ahead` does not follow."""
    kind = type(optimizer)
    if kind not in (torch.optim.SGD, torch.optim.Adam):
        raise ValueError(
            f"optimizer={kind.__name__} has no look-ahead formula here; take SGD or Adam, or look_ahead='paper'"
        )
    for group in optimizer.param_groups:
        for option in ("dampening", "nesterov", "amsgrad", "maximize", "decoupled_weight_decay"):
            if group.get(option):
                raise ValueError(
                    f"optimizer has {option}={group[option]!r}, which its look-ahead formula leaves out; do without, "
                    "or take look_ahead='paper'"
                )


def plain_step(optimizer: Optimizer) -> tuple[dict[Tensor, Tensor], dict[Tensor, Tensor | float]]:
    """θ̂ and P of a plain gradient step, by parameter: θ itself, and 1, as weights are scaled to sum to 1 anyway."""
    learned = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    return {p: p.detach() for p in learned}, dict.fromkeys(learned, 1.0)


LOOK_AHEADS = {"optimizer": look_ahead, "paper": plain_step}


def clean_direction(
    model: nn.Module, optimizer: Optimizer, clean: tuple[Tensor, Tensor], ahead: str = "optimizer"
) -> dict[Tensor, Tensor]:
    """P ∘ ∇L_clean(θ̂), by parameter: the direction along which each noisy loss is differentiated.

    Parameters that do not learn, or that the loss does not reach, are left out. Raises a ValueError when none is left.
    """
    images, labels = clean
    moved, scale = LOOK_AHEADS[ahead](optimizer)
    if layers := by_hand.linear_layers(model):
        with torch.no_grad():
            there = [tuple(moved.get(p, p) for p in (layer.weight, layer.bias)) for layer in layers]
            inputs, logits = by_hand.forward(there, images)
            last = by_hand.cross_entropy(logits, labels)[1].div_(len(labels))
            found = by_hand.gradients(inputs, by_hand.slopes(there, inputs, last))
            pairs = [(p, g) for layer, of in zip(layers, found) for p, g in zip((layer.weight, layer.bias), of)]
            return {p: gradient.mul_(scale[p]) for p, gradient in pairs if p in moved}
    moved = {p: there.requires_grad_() for p, there in moved.items()}  # θ̂ at ε = 0
    clean_loss = F.cross_entropy(call_with(model, moved | spare_buffers(model), images), labels)
    if not clean_loss.requires_grad:
        raise ValueError(f"model={type(model).__name__} has no parameter that learns; set requires_grad of some")
    gradients = torch.autograd.grad(clean_loss, list(moved.values()), allow_unused=True)
    return {p: gradient * scale[p] for p, gradient in zip(moved, gradients) if gradient is not None}


def _sgd_ahead(p: Tensor, state: dict, group: dict) -> tuple[Tensor, float]:
    velocity = state.get("momentum_buffer")
    drift = 0 if velocity is None else group["momentum"] * velocity
    return p - group["lr"] * (drift + group["weight_decay"] * p), group["lr"]


def _count(state: dict) -> int:
    """t, the coming step included."""
    return int(state.get("step", 0)) + 1


def _adam_ahead_together(values: list[Tensor], states: list[dict], group: dict) -> Iterator[tuple[Tensor, Tensor]]:
    """`_adam_ahead` without weight decay, of parameters of one age: four passes over all of them.

    With D = unit·(√v + eps / unit). Each pass costs as much as an example or two.
    """
    (beta1, beta2), t = group["betas"], _count(states[0])
    rate, unit = group["lr"] / (1 - beta1**t), math.sqrt(beta2 / (1 - beta2**t))
    if not states[0]:
        states = [{"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)} for p in values]
    root = torch._foreach_sqrt([state["exp_avg_sq"] for state in states])
    torch._foreach_add_(root, group["eps"] / unit)
    moved = torch._foreach_addcdiv(values, [state["exp_avg"] for state in states], root, value=-rate * beta1 / unit)
    torch._foreach_reciprocal_(root)
    torch._foreach_mul_(root, rate * (1 - beta1) / unit)
    return zip(moved, root)


def _adam_ahead(p: Tensor, state: dict, group: dict) -> tuple[Tensor, Tensor]:
    (beta1, beta2), t = group["betas"], _count(state)
    m, v = (state["exp_avg"], state["exp_avg_sq"]) if state else (torch.zeros_like(p), torch.zeros_like(p))
    rate, decay, eps = group["lr"] / (1 - beta1**t), group["weight_decay"], group["eps"]
    d, share = decay * p, (1 - beta2) / (1 - beta2**t)
    pull = rate * (beta1 * m + (1 - beta1) * d)  # lr·m̂
    square = v * (beta2 / (1 - beta2**t)) + share * d**2  # v̂
    slope = share * (d / square.sqrt()).nan_to_num()  # of √v̂ along g; where v̂ is 0, so is d
    denominator = square.sqrt() + eps
    return p - pull / denominator, rate * (1 - beta1) / denominator - pull * slope / denominator**2


def torch_eps(optimizer: Optimizer) -> dict[str, list[Tensor]] | None:
    """What to override so that `higher`'s Adam steps as torch's does; None for other optimizers.

    torch divides by √(v / (1 - β2ᵗ)) + eps, `higher` 0.2.1 by (√v + eps) / √(1 - β2ᵗ). An eps that is √(1 - β2ᵗ) times
    as large makes them equal. It matters where v is 0 so far (pixels that no batch has lit): there eps is all there is.
    The development version of `higher` divides as torch does, so that a later release would need no override.
    """
    if not isinstance(optimizer, torch.optim.Adam):
        return None
    eps = []
    for group in optimizer.param_groups:
        steps = max((int(optimizer.state.get(p, {}).get("step", 0)) for p in group["params"]), default=0)
        eps.append(torch.tensor(group["eps"] * math.sqrt(1 - group["betas"][1] ** (steps + 1)), dtype=torch.float64))
    return {"eps": eps}
