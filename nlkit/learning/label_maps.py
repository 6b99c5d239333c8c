"""A network that can say where on an image it sees which class, and targets for crops that are made of what it says.

    M = W * f(x) + b     (1 x 1 convolution of the features f, before their mean over places is taken)   label map
    mean of M over all places = the network's logits, since the last layer is linear
    t = softmax_c( mean of M_c within the crop )                                                       label pooling

Yun and others: Re-labeling ImageNet. CVPR 2021, arXiv:2101.05022.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer
from nlkit.data.digit_scenes import digits_of, one_digit, two_digits
from nlkit.learning.boxes import cut, shared_area
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

CLASSES, WIDTH, BATCH, RATE = 10, 16, 32, 6e-3
TUNING, SAMPLES = 1e-3, 8  # rate of the annotator's last epochs; points along a crop's side at which a map is read


class Placed(nn.Module):
    """Four convolutions with batch norm, the mean over places, a linear layer; for images of any size, a quarter of it
    being the side of its maps."""

    def __init__(self, width: int = WIDTH, classes: int = CLASSES):
        super().__init__()

        def block(inputs: int, outputs: int, size: int, stride: int) -> list[nn.Module]:
            layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
            return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]

        self.features = nn.Sequential(
            *block(1, width, 5, 2), *block(width, 2 * width, 3, 2), *block(2 * width, 3 * width, 3, 1),
            *block(3 * width, 3 * width, 3, 1),
        )  # fmt: skip
        self.head = nn.Linear(3 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K) of images (B, 1, H, W)."""
        return self.head(self.features(images).mean((2, 3)))

    def label_map(self, images: Tensor) -> Tensor:
        """M (B, K, H/4, W/4): the logits of each place.

        Raises a ValueError in training mode, where they would depend on the other images.
        """
        if self.training:
            raise ValueError("label_map needs the network in evaluation mode: call eval() first")
        return F.conv2d(self.features(images), self.head.weight[:, :, None, None], self.head.bias)


def new_network(seed: int) -> Placed:
    """An untrained one, channels last, which is a fifth faster; torch's global random state stays as it was."""
    return seeded(lambda: Placed().to(memory_format=torch.channels_last), seed)  # type: ignore[arg-type, return-value]


def train(
    network: nn.Module, count: int, batch: Callable[[Tensor], tuple[Tensor, Tensor]], *, epochs: int,
    generator: torch.Generator, rate: float = RATE,
) -> Iterator[None]:  # fmt: skip
    """Adam on cross-entropy, its rate falling by a cosine; yields after each epoch, in evaluation mode.

    batch: places (32,) among `count` examples -> images and targets, classes or probabilities. What does not fill a
    batch is left out for an epoch. Raises a ValueError for fewer examples than a batch has, or no epoch.
    """
    check_integer("count", count, BATCH)
    check_integer("epochs", epochs, 1)
    return _training(network, count, batch, epochs, generator, rate)


def _training(network, count, batch, epochs, generator, rate):
    optimizer, done, steps = adam(network.parameters(), rate), 0, count // BATCH
    for _ in range(epochs):
        network.train()
        for places in torch.randperm(count, generator=generator)[: steps * BATCH].split(BATCH):
            optimizer.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * done / (epochs * steps))) / 2
            images, targets = batch(places)
            descend(optimizer, F.cross_entropy(network(images), targets))
            done += 1
        network.eval()
        yield


@functools.lru_cache(maxsize=4)
def annotator(scenes: int, both: float, extra: int, epochs: int, tuning: int, seed: int) -> Placed:
    """A network in evaluation mode that learned `epochs` epochs from `extra` digits of another source, on canvases
    drawn anew each time, and then `tuning` epochs from the scenes as wholes, with their single labels.

    Without extra digits it learns from the scenes alone, as many epochs as both together, at the first rate.
    """
    network, generator = new_network(seed + 1), seeded_generator(seed, "annotator")
    task = two_digits(scenes, both=both, part="scenes", seed=seed)
    if extra:
        digits, labels = (every[:extra] for every in digits_of("elsewhere"))
        for _ in train(network, len(digits), lambda i: (one_digit(digits[i], generator), labels[i]), epochs=epochs,
                       generator=generator):  # fmt: skip
            pass
    last, rate = (tuning, TUNING) if extra else (epochs + tuning, RATE)
    for _ in train(network, scenes, lambda i: (task.images[i], task.labels[i, 0]), epochs=last, generator=generator,
                   rate=rate):  # fmt: skip
        pass
    return network.requires_grad_(False)


def pooled(maps: Tensor, boxes: Tensor) -> Tensor:
    """t (B, K): label pooling of maps (B, K, h, w) within crops (B, 4). Raises a ValueError for maps with NaN."""
    if maps.isnan().any():
        raise ValueError("maps have NaN; every place needs logits")
    return cut(maps, boxes, 1, SAMPLES)[:, :, 0, 0].softmax(1)


def shown_area(labels: Tensor, boxes: Tensor, crops: Tensor, classes: int = CLASSES) -> Tensor:
    """(B, K) by how much of the area of each class's digits a crop shows, in shares; uniform where it shows none.

    labels (B, M), boxes (B, M, 4) of the digits; crops (B, 4).
    """
    area = shared_area(crops[:, None], boxes) * (labels >= 0)
    by_class = torch.zeros(len(labels), classes).scatter_add_(1, labels.clamp(min=0), area)
    total = by_class.sum(1, keepdim=True)
    return torch.where(total > 0, by_class / total.clamp(min=1e-12), 1 / classes)
