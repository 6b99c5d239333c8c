"""What a network of two classes says everywhere in the plane."""

from __future__ import annotations

from torch import Tensor, nn

from nlkit.data.plane import as_images
from nlkit.learning.models import evaluate


def field(model: nn.Module, points: Tensor) -> Tensor:
    """The probability (...) that `model` gives the second class at `points` (..., 2); its boundary is where it is 1/2.

    model: a network of two logits for images of points (see `nlkit.data.plane`), on the CPU; it stays as it is.
    """
    return evaluate(model, as_images(points)).softmax(1)[:, 1].view(points.shape[:-1])
