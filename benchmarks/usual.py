"""Steps of standard training and of reweighting as people write them without the kit, and where batches come from.

They are here to be measured against (`ways.py` says who writes what), and share nothing with the kit's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import higher
import torch
from PIL import Image
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.utils.data import Dataset

from nlkit.data.load import import_torchvision

Examples = tuple[Tensor, Tensor]  # images (B, C, H, W) and labels (B,)


class Pictures(Dataset):
    """Grey images as bytes (N, H, W) with labels, read as `torchvision.datasets.MNIST` reads its own."""

    def __init__(self, pixels: Tensor, labels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]):
        import_torchvision()
        from torchvision import transforms

        self.pixels, self.labels = pixels, labels.tolist()
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.pixels[place].numpy(), mode="L")
        return self.transform(image), self.labels[place]


@dataclass
class Shuffled:
    """Batches of examples in memory, in a new order each time that one goes through them."""

    images: Tensor
    labels: Tensor
    size: int

    def __iter__(self) -> Iterator[Examples]:
        for index in torch.randperm(len(self.labels)).split(self.size):
            yield self.images.index_select(0, index), self.labels[index]  # images[index] takes 0.1 ms more

    def __len__(self) -> int:
        return -(-len(self.labels) // self.size)


def drawn(images: Tensor, labels: Tensor, size: int) -> Iterator[Examples]:
    """Batches of examples in memory without end, each drawn afresh."""
    while True:
        index = torch.randperm(len(labels))[:size]
        yield images.index_select(0, index), labels[index]


def standard_step(model: nn.Module, optimizer: Optimizer, noisy: Examples) -> Tensor:
    """One step of standard training; returns the scores (B, K) of the batch."""
    images, labels = noisy
    optimizer.zero_grad()
    scores = model(images)
    F.cross_entropy(scores, labels).backward()
    optimizer.step()
    return scores.detach()


def reweight_step(model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples) -> Tensor:
    """One step of Ren et al. 2018, differentiating through a recorded step; returns the scores (B, K) of the batch."""
    images, labels = noisy
    clean_images, clean_labels = clean
    with higher.innerloop_ctx(model, optimizer) as (meta_model, meta_optimizer):
        losses = F.cross_entropy(meta_model(images), labels, reduction="none")
        eps = torch.zeros_like(losses, requires_grad=True)
        meta_optimizer.step((eps * losses).sum())
        clean_loss = F.cross_entropy(meta_model(clean_images), clean_labels)
        (gradient,) = torch.autograd.grad(clean_loss, eps)
    weights = _distribution(-gradient)
    scores = model(images)
    optimizer.zero_grad()
    (weights * F.cross_entropy(scores, labels, reduction="none")).sum().backward()
    optimizer.step()
    return scores.detach()


def forward_mode_step(model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples) -> Tensor:
    """The same step without a recorded one, by somebody who knows calculus and torch.func; returns its losses (B,).

    At weights of 0 Adam's step is linear in them, so that what an example's weight is worth is one forward-mode
    derivative, along the clean gradient times Adam's rates. It comes with the losses that are then learned from.
    """
    parameters, ahead, rates = dict(model.named_parameters()), {}, {}
    lr, (beta1, beta2), tiny = (optimizer.param_groups[0][name] for name in ("lr", "betas", "eps"))
    for name, p in parameters.items():
        state = optimizer.state.get(p) or {"exp_avg": 0 * p.detach(), "exp_avg_sq": 0 * p.detach(), "step": 0}
        count = float(state["step"]) + 1
        rate = lr / (1 - beta1**count) / ((state["exp_avg_sq"] * (beta2 / (1 - beta2**count))).sqrt() + tiny)
        ahead[name], rates[name] = p.detach() - rate * beta1 * state["exp_avg"], rate * (1 - beta1)
    gradient = grad(lambda q: F.cross_entropy(functional_call(model, q, clean[0]), clean[1]))(ahead)
    direction = {name: gradient[name] * rates[name] for name in gradient}

    def each_loss(q: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(functional_call(model, q, noisy[0]), noisy[1], reduction="none")

    losses, worth = jvp(each_loss, (parameters,), (direction,))
    optimizer.zero_grad()
    (_distribution(worth.detach()) * losses).sum().backward()
    optimizer.step()
    return losses.detach()


def torchopt_step(model: nn.Module, optimizer: object, noisy: Examples, clean: Examples) -> Tensor:
    """The same step by TorchOpt, whose `MetaAdam` or `MetaSGD` is `optimizer`; returns its losses (B,)."""
    import torchopt

    images, labels = noisy
    clean_images, clean_labels = clean
    before = torchopt.extract_state_dict(model), torchopt.extract_state_dict(optimizer)
    losses = F.cross_entropy(model(images), labels, reduction="none")
    eps = torch.zeros_like(losses, requires_grad=True)
    optimizer.step((eps * losses).sum())
    clean_loss = F.cross_entropy(model(clean_images), clean_labels)
    (gradient,) = torch.autograd.grad(clean_loss, eps)
    for part, state in zip((model, optimizer), before):
        torchopt.recover_state_dict(part, state)
    losses = F.cross_entropy(model(images), labels, reduction="none")
    optimizer.step((_distribution(-gradient) * losses).sum())
    torchopt.stop_gradient(model)
    torchopt.stop_gradient(optimizer)
    return losses.detach()


def meta_adam(model: nn.Module, learning_rate: float) -> object:
    """TorchOpt's Adam that can be differentiated through. Without `eps_root`, weights of 0 have a slope of NaN."""
    import torchopt

    return torchopt.MetaAdam(model, learning_rate, eps_root=1e-16)


def counting_right_ones(step: Callable[..., Tensor]) -> Callable[..., int]:
    """A step that returns scores (B, K), and then counts the labels that they get right, as the tutorial's loops do."""

    def take(model: nn.Module, optimizer: Optimizer, noisy: Examples, *clean: Examples) -> int:
        scores = step(model, optimizer, noisy, *clean)
        return int((scores.argmax(1) == noisy[1]).sum())

    return take


def _distribution(worth: Tensor) -> Tensor:
    weights = worth.detach().clamp(min=0)
    total = weights.sum()
    return weights / total if total > 0 else weights
