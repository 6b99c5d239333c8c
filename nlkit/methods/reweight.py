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
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.nn import functional as F
from torch.optim import Optimizer

from nlkit.checks import check_choice, check_integer
from nlkit.run import Batch, Run, StepResult, normalize_weights, spare_buffers

Examples = tuple[Tensor, Tensor]  # images (B, C, H, W) and labels (B,)


class Reweight:
    learns_from = "noisy"
    needs_clean = True

    def __init__(self, engine: str = "jvp", clean_batch_size: int = 128):
        check_choice("engine", engine, ENGINES)
        self.engine = engine
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
    clean_images, clean_labels = clean
    parameters = dict(model.named_parameters())
    moved, scale = look_ahead(optimizer)
    ahead = {name: moved[p].requires_grad_() for name, p in parameters.items()}  # θ̂ at ε = 0
    clean_logits = functional_call(model, ahead | spare_buffers(model), (clean_images,))
    clean_loss = F.cross_entropy(clean_logits, clean_labels)
    gradients = torch.autograd.grad(clean_loss, list(ahead.values()))
    with forward_ad.dual_level():
        dual = {
            name: forward_ad.make_dual(p, scale[p] * gradient)
            for (name, p), gradient in zip(parameters.items(), gradients)
        }
        outputs = functional_call(model, dual, (images,))
        losses, help_ = forward_ad.unpack_dual(F.cross_entropy(outputs, labels, reduction="none"))
    return help_.detach(), losses


ENGINES = {"jvp": help_by_jvp, "higher": help_by_higher}


def look_ahead(optimizer: Optimizer) -> tuple[dict[Tensor, Tensor], dict[Tensor, Tensor | float]]:
    """Where the next step leads on a loss of 0, and how it scales a small gradient, by parameter: θ̂ and P.

    With g → 0, what is left of the gradient is the weight decay's share d = decay·θ.
    SGD steps to θ - lr·(μ·m + d) and scales by lr.
    Adam, with its moments m, v and its count t of steps (the coming one included), takes m̂ = (β1 m + (1 - β1) d) /
    (1 - β1ᵗ), v̂ = (β2 v + (1 - β2) d²) / (1 - β2ᵗ) and D = √v̂ + eps, steps to θ - lr·m̂ / D and scales by
    lr·[(1 - β1) / (1 - β1ᵗ) / D - m̂ / D² · (1 - β2) / (1 - β2ᵗ) · d / √v̂], the last term because v̂ moves with g too.
    Raises a ValueError for an optimizer or an option that these formulas leave out.
    """
    kind = type(optimizer)
    if kind not in (torch.optim.SGD, torch.optim.Adam):
        raise ValueError(f"optimizer={kind.__name__} has no look-ahead formula here; take SGD or Adam")
    moved, scale = {}, {}
    for group in optimizer.param_groups:
        for option in ("dampening", "nesterov", "amsgrad", "maximize", "decoupled_weight_decay"):
            if group.get(option):
                raise ValueError(f"optimizer has {option}={group[option]!r}, which its look-ahead formula leaves out")
        ahead = _sgd_ahead if kind is torch.optim.SGD else _adam_ahead
        for p in group["params"]:
            moved[p], scale[p] = ahead(p.detach(), optimizer.state.get(p, {}), group)
    return moved, scale


def _sgd_ahead(p: Tensor, state: dict, group: dict) -> tuple[Tensor, float]:
    velocity = state.get("momentum_buffer")
    drift = 0 if velocity is None else group["momentum"] * velocity
    return p - group["lr"] * (drift + group["weight_decay"] * p), group["lr"]


def _adam_ahead(p: Tensor, state: dict, group: dict) -> tuple[Tensor, Tensor]:
    (beta1, beta2), t = group["betas"], int(state.get("step", 0)) + 1
    m, v = state.get("exp_avg", torch.zeros_like(p)), state.get("exp_avg_sq", torch.zeros_like(p))
    rate, decay = group["lr"] / (1 - beta1**t), group["weight_decay"]
    pull, square = rate * beta1 * m, beta2 * v / (1 - beta2**t)  # lr·m̂ and v̂
    if decay:
        d, share = decay * p, (1 - beta2) / (1 - beta2**t)
        pull, square = pull + rate * (1 - beta1) * d, square + share * d**2
    denominator = square.sqrt() + group["eps"]
    scale = rate * (1 - beta1) / denominator
    if decay:
        slope = share * (d / square.sqrt()).nan_to_num()  # of √v̂ along g; where v̂ is 0, so is d
        scale = scale - pull * slope / denominator**2
    return p - pull / denominator, scale


def torch_eps(optimizer: Optimizer) -> dict[str, list[Tensor]] | None:
    """What to override so that `higher`'s Adam steps as torch's does; None for other optimizers.

    torch divides by √(v / (1 - β2ᵗ)) + eps, `higher` by (√v + eps) / √(1 - β2ᵗ). An eps that is √(1 - β2ᵗ) times as
    large makes them equal. It matters where v is 0 so far (pixels that no batch has lit): there eps is all there is.
    """
    if not isinstance(optimizer, torch.optim.Adam):
        return None
    eps = []
    for group in optimizer.param_groups:
        steps = max((int(optimizer.state.get(p, {}).get("step", 0)) for p in group["params"]), default=0)
        eps.append(torch.tensor(group["eps"] * math.sqrt(1 - group["betas"][1] ** (steps + 1)), dtype=torch.float64))
    return {"eps": eps}
