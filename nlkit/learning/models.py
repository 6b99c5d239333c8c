"""Networks: two small enough that training follows a slider, and two for a GPU."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import nn

from nlkit.checks import check_choice, check_integer
from nlkit.learning.devices import has_convolutions
from nlkit.learning.resnet import resnet32
from nlkit.learning.wide_resnet import wide_resnet32
from nlkit.randomness import MAX_SEED

Made = TypeVar("Made")


def mlp(shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """The classroom network: pixels-128-64-K with ReLU, 109,386 parameters on 28×28 images and ten classes."""
    channels, height, width = shape
    return nn.Sequential(
        nn.Flatten(),  # (B, C, H, W) -> (B, C·H·W)
        nn.Linear(channels * height * width, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
    )


def cnn(shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """A small convolutional network: two 3×3 convolutions of 16 and 32 channels, each halved by pooling."""
    channels, height, width = shape
    if min(height, width) < 4:
        raise ValueError(f"shape={shape!r} is too small for model 'cnn', which halves it twice; take 'mlp'")
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 16, H/2, W/2)
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 32, H/4, W/4)
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), num_classes),
    )


MODELS: dict[str, Callable[[tuple[int, int, int], int], nn.Module]] = {
    "mlp": mlp,
    "cnn": cnn,
    "resnet32": resnet32,
    "wide-resnet32": wide_resnet32,
}


def build_model(name: str, shape: tuple[int, int, int], num_classes: int, *, seed: int = 0) -> nn.Module:
    """Build a network by name for images of `shape` (C, H, W), its weights drawn from `seed`, on the CPU.

    The global random state of torch is left as it was. Raises a ValueError for an unknown name.
    """
    check_choice("model", name, MODELS)
    return seeded(lambda: MODELS[name](shape, num_classes), seed)


def seeded(make: Callable[[], Made], seed: int) -> Made:
    """What `make` gives, its weights drawn from `seed`; torch's global random state stays as it was.

    Raises a ValueError for what is no seed.
    """
    check_integer("seed", seed, 0, MAX_SEED)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw their weights from the global generator only
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every device there is
        return make()


def with_new_head(model: nn.Sequential, num_classes: int, *, seed: int = 0) -> nn.Sequential:
    """A copy of a trained network whose last, linear layer is drawn anew for other classes: the start of fine-tuning.

    Raises a ValueError when the network does not end in a linear layer.
    """
    check_integer("num_classes", num_classes, 1)
    if not isinstance(model, nn.Sequential) or not isinstance(model[-1], nn.Linear):
        raise ValueError(f"model={type(model).__name__} must be a Sequential that ends in a Linear layer")
    copied = copy.deepcopy(model)
    copied[-1] = seeded(lambda: nn.Linear(model[-1].in_features, num_classes), seed).to(next(model.parameters()))
    return copied


def predict(model: nn.Module, images: torch.Tensor, batch_size: int | None = None) -> torch.Tensor:
    """The class (N,) that `model` gives each of `images` (N, C, H, W)."""
    return evaluate(model, images, batch_size).argmax(1)


@torch.no_grad()
def evaluate(model: nn.Module, images: torch.Tensor, batch_size: int | None = None) -> torch.Tensor:
    """The logits (N, K) that `model` gives `images` (N, C, H, W) in evaluation mode, which it leaves again.

    Raises a ValueError when the model changes the images in place: they are the task's, and every later run's.
    """
    if batch_size is None:
        # On a CPU the maps of a large batch leave the cache, and their memory is asked of the system anew each time:
        # 256 images at once take a third of the time that 4096 take.
        batch_size = 256 if images.device.type == "cpu" and has_convolutions(model) else 4096
    version = _version(images)
    with in_evaluation_mode(model):
        logits = torch.cat([model(part) for part in images.split(batch_size)])
    if _version(images) != version:
        raise ValueError(f"model={type(model).__name__} changes the images that it is given, in place")
    return logits


def _version(images: torch.Tensor) -> int:
    """How often a tensor was changed in place, its parts included; torch does not count it for inference tensors."""
    return 0 if images.is_inference() else images._version


@contextlib.contextmanager
def in_evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Within it `model` is in evaluation mode; after it, each of its modules is in the mode in which it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
