"""The usual way, written plainly: a `DataLoader` with transforms image by image, and an inner loop by `higher`.

This is what the tutorials of PyTorch and the followers of Ren et al. 2018 write. It is here to be measured against.
"""

from __future__ import annotations

from collections.abc import Iterator

import higher
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

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


def forever(loader: DataLoader) -> Iterator[Examples]:
    """Batches of a loader, pass after pass."""
    while True:
        yield from loader


def standard_step(model: nn.Module, optimizer: Optimizer, noisy: Examples) -> Tensor:
    """One step of standard training; returns its loss."""
    images, labels = noisy
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def reweight_step(model: nn.Module, optimizer: Optimizer, noisy: Examples, clean: Examples) -> Tensor:
    """One step of Ren et al. 2018, differentiating through a recorded step; returns its weighted loss."""
    images, labels = noisy
    clean_images, clean_labels = clean
    with higher.innerloop_ctx(model, optimizer) as (meta_model, meta_optimizer):
        losses = F.cross_entropy(meta_model(images), labels, reduction="none")
        eps = torch.zeros_like(losses, requires_grad=True)
        meta_optimizer.step((eps * losses).sum())
        clean_loss = F.cross_entropy(meta_model(clean_images), clean_labels)
        (gradient,) = torch.autograd.grad(clean_loss, eps)
    weights = (-gradient.detach()).clamp(min=0)
    weights = weights / weights.sum() if weights.sum() > 0 else weights
    loss = (weights * F.cross_entropy(model(images), labels, reduction="none")).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def torchopt_step(model: nn.Module, optimizer: object, noisy: Examples, clean: Examples) -> Tensor:
    """The same step by TorchOpt, whose `MetaAdam` or `MetaSGD` is `optimizer`."""
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
    weights = (-gradient.detach()).clamp(min=0)
    weights = weights / weights.sum() if weights.sum() > 0 else weights
    loss = (weights * F.cross_entropy(model(images), labels, reduction="none")).sum()
    optimizer.step(loss)
    torchopt.stop_gradient(model)
    torchopt.stop_gradient(optimizer)
    return loss.detach()
