"""Optimizers and learning-rate schedules, by name, and the moving average of a network's weights."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

OPTIMIZERS: dict[str, Callable[[Iterable, float], Optimizer]] = {
    "adam": lambda parameters, lr: torch.optim.Adam(parameters, lr=lr, fused=True),
    "sgd": lambda parameters, lr: torch.optim.SGD(parameters, lr=lr),
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9),
}


_ONE = torch.ones(())
_WITHOUT_COMPILER = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)  # their step does not need it
LEARNING_RATE = 6e-4  # of those above, unless another is asked for: the tutorial's
MakeOptimizer = Callable[[list[nn.Parameter]], Optimizer]  # an optimizer of one's own


def own_optimizer(make: MakeOptimizer, network: nn.Module) -> Optimizer:
    """An optimizer of one's own for the parameters of `network` that learn.

    Raises a ValueError for what is no optimizer, is one of other parameters, or asks for the loss several times a step.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    made = make(parameters)
    if not isinstance(made, Optimizer):
        raise ValueError(f"optimizer gives a {type(made).__name__}; it must give a torch.optim.Optimizer")
    if isinstance(made, torch.optim.LBFGS):
        raise ValueError("optimizer gives LBFGS, which asks for the loss several times a step; take one that asks once")
    theirs = {id(p) for group in made.param_groups for p in group["params"]}
    if not theirs or not theirs <= {id(p) for p in parameters}:
        raise ValueError(
            "optimizer is of other parameters than those it is handed; as in lambda p: torch.optim.AdamW(p)"
        )
    return made


def build_optimizer(name: str, network: nn.Module, learning_rate: float, weight_decay: float = 0.0) -> Optimizer:
    """One of `OPTIMIZERS` for the parameters of `network`.

    weight_decay: a step's gradient is ∇L + weight_decay · θ for the weights of layers. Biases and the scales of norms
        are left out, as the authors of MentorMix do: to draw them to 0 says nothing about how simple a network is.
    """
    parameters = list(network.parameters())
    weights: dict[str, object] = {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay}
    rest: dict[str, list[Tensor]] = {"params": [p for p in parameters if p.ndim <= 1]}
    with _compiler_left_asleep():
        return OPTIMIZERS[name]([weights, rest] if weight_decay else parameters, learning_rate)


def adam(parameters: Iterable[Tensor], learning_rate: float, **options: object) -> Optimizer:
    """torch's Adam, as one kernel unless `fused=False`. options: its own, and `decoupled=True` for AdamW."""
    kind = torch.optim.AdamW if options.pop("decoupled", False) else torch.optim.Adam
    with _compiler_left_asleep():
        return kind(parameters, lr=learning_rate, **({"fused": True} | options))  # type: ignore[arg-type]


def descend(optimizer: Optimizer, loss: Tensor) -> None:
    """One step down the gradient of a loss."""
    clear_gradients(optimizer)
    loss.backward()
    take_step(optimizer)


@contextmanager
def _compiler_left_asleep() -> Iterator[None]:
    """Within it, making an optimizer doesn't import torch's compiler, which nothing here uses and takes three seconds.

    torch imports it at the first call, to have `add_param_group` left out of what is compiled.
    """
    told = getattr(Optimizer.add_param_group, "__wrapped__", None)
    if told is None or "torch._dynamo" in sys.modules or hasattr(told, "__dynamo_disable"):
        yield
        return
    told.__dynamo_disable = told
    try:
        yield
    finally:
        del told.__dynamo_disable


def _plain_step(optimizer: Optimizer) -> None:
    """`optimizer.step()`; for those of `OPTIMIZERS`, without importing torch's compiler at the first call."""
    hooked = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    if "torch._dynamo" in sys.modules or hooked or type(optimizer) not in _WITHOUT_COMPILER:
        optimizer.step()
    else:
        with torch.no_grad():
            inspect.unwrap(type(optimizer).step)(optimizer)


def clear_gradients(optimizer: Optimizer) -> None:
    """`optimizer.zero_grad()` in 2 µs instead of 40."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = None


def take_step(optimizer: Optimizer) -> None:
    """`optimizer.step()`; for the Adam of `OPTIMIZERS`, without what torch does in Python around its one kernel.

    On the classroom network the kernel takes 60 µs and what is around it 220 µs, a quarter of a training step.
    """
    groups = optimizer.param_groups
    learned = [[p for p in group["params"] if p.grad is not None] for group in groups]
    other = ("amsgrad", "maximize", "decoupled_weight_decay")  # what the call below does not do
    one_kernel = type(optimizer) is torch.optim.Adam and all(
        group["fused"] and not any(group.get(option) for option in other) for group in groups
    )
    started = all(optimizer.state.get(p) for parameters in learned for p in parameters)  # torch sets up the moments
    if not (one_kernel and started and len({p.dtype for parameters in learned for p in parameters}) == 1):
        return _plain_step(optimizer)
    for group, parameters in zip(groups, learned):
        states = [optimizer.state[p] for p in parameters]
        steps = [state["step"] for state in states]
        beta1, beta2 = group["betas"]
        with torch.no_grad():
            if all(step.is_cpu for step in steps):
                torch._foreach_add_(steps, _ONE, alpha=1.0)  # which takes a third of the time of a number
            else:
                torch._foreach_add_(steps, 1)
            torch._fused_adam_(
                parameters, [p.grad for p in parameters],
                [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states], [], steps,
                lr=group["lr"], beta1=beta1, beta2=beta2, weight_decay=group["weight_decay"], eps=group["eps"],
                amsgrad=False, maximize=False, grad_scale=None, found_inf=None,
            )  # fmt: skip


def averaged_network(model: nn.Module, decay: float) -> AveragedModel:
    """A moving average of a network's weights, with this decay a step.

    Batch norm's running statistics are averaged as well, since they belong to the averaged weights; not so where the
    network says `averages_statistics = False`: there they are those of the network as it is.
    """

    @torch.no_grad()
    def move(averages: list[Tensor], values: list[Tensor], steps: Tensor) -> None:
        # With the full decay from the start, the initial weights would fill the average for a thousand steps.
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + int(steps)) / (10 + int(steps))))
        else:  # how many batches a norm has seen
            torch._foreach_copy_(averages, values)

    return AveragedModel(model, multi_avg_fn=move, use_buffers=getattr(model, "averages_statistics", True))


def constant(progress: float) -> float:
    """Always 1."""
    return 1.0


def steps(progress: float) -> float:
    """0.9 for each 30 of 512 parts of the training that are over: 1 at first, 0.9^17 = 0.17 at the end.

    The schedule of MentorMix (arXiv:1911.09781): 200,000 steps of 128 examples are 512 epochs of CIFAR-10, and the
    learning rate falls by a tenth every 30.
    """
    return 0.9 ** int(progress * 512 / 30)


def linear(progress: float) -> float:
    """1 at first, in a straight line to 0 at the end."""
    return 1 - progress


# What the learning rate is multiplied by, given the share of the training's steps that lie behind, in [0, 1).
SCHEDULES: dict[str, Callable[[float], float]] = {"constant": constant, "steps": steps, "linear": linear}
