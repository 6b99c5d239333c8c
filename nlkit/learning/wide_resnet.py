"""The "ResNet-32" of MentorMix's release: pre-activation, 128 to 512 channels, ReLUs that leak.

    Jiang, Huang, Liu, Yang: Beyond synthetic noise. ICML 2020, arXiv:1911.09781; what is said here was read off their
    code (google-research/mentormix, resnet_model.py).
    Of pre-activation: He, Zhang, Ren, Sun: Identity mappings in deep residual networks. ECCV 2016, arXiv:1603.05027.

    3×3 convolution, 64 channels
    three stages of five blocks with 128, 256, 512 channels; the second and third stage halve height and width
    block:  y = F(x) + shortcut(x),  F = convolution ∘ leak ∘ norm ∘ convolution ∘ leak ∘ norm
            in the very first block the leak comes before the norm, and the shortcut begins after both
    norm, leak, mean over the positions, linear layer

leak(x) = max(x, 0.1 x). The shortcut has no parameters: where a block halves the image it takes the mean of each 2×2
pixels, and new channels are zeros, half of them on either side. That it takes the layers of a ResNet-32 and the
channels of a wide one makes it 63 times as large as the ResNet-32 of He et al. (resnet.py).
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.learning.resnet import BLOCKS_A_STAGE

LEAK = 0.1
FIRST, STAGES = 64, (128, 256, 512)


class WideResNet32(nn.Sequential):
    averages_statistics = False  # its averaged network keeps the norms' running statistics of the trained one


class PreActivation(nn.Module):
    """(B, C_in, H, W) -> (B, C_out, ⌈H / stride⌉, ⌈W / stride⌉): two convolutions beside a shortcut.

    shared: the shortcut begins after the first leak and norm, which are then in this order.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, *, shared: bool = False):
        super().__init__()
        self.norm1, self.conv1 = norm(channels_in), convolution(channels_in, channels_out, stride)
        self.norm2, self.conv2 = norm(channels_out), convolution(channels_out, channels_out)
        self.stride, self.new_channels, self.shared = stride, channels_out - channels_in, shared

    def forward(self, x: Tensor) -> Tensor:
        if self.shared:
            x = y = self.norm1(leak(x))
        else:
            y = leak(self.norm1(x))
        y = self.conv2(leak(self.norm2(self.conv1(y))))
        return y + self.shortcut(x)

    def shortcut(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        return F.pad(x, (0, 0, 0, 0, self.new_channels // 2, self.new_channels // 2)) if self.new_channels else x


def leak(x: Tensor) -> Tensor:
    """max(x, 0.1 x)."""
    return F.leaky_relu(x, LEAK)


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with the release's ε of 0.001."""
    return nn.BatchNorm2d(channels, eps=1e-3)


def convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """A 3×3 convolution without bias, its weights drawn from a normal distribution of variance 2 / (9 C_out)."""
    layer = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


def wide_resnet32(shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """The network of the release for images of `shape` (C, H, W), 8×8 or larger; 29,442,378 parameters on CIFAR-10.

    Raises a ValueError for smaller images.
    """
    channels, height, width = shape
    if min(height, width) < 8:
        raise ValueError(f"shape={shape!r} is too small for model 'wide-resnet32', which needs 8×8 pixels; take 'mlp'")
    blocks, wide = [], FIRST
    for stage, channels_out in enumerate(STAGES):
        for number in range(BLOCKS_A_STAGE):
            stride = 2 if stage and not number else 1
            blocks.append(PreActivation(wide, channels_out, stride, shared=not blocks))
            wide = channels_out
    last = nn.Linear(wide, num_classes)
    nn.init.uniform_(last.weight, -math.sqrt(3 / wide), math.sqrt(3 / wide))
    nn.init.zeros_(last.bias)
    return WideResNet32(
        convolution(channels, FIRST),
        *blocks,  # (B, 512, ⌈H / 4⌉, ⌈W / 4⌉)
        norm(wide),
        nn.LeakyReLU(LEAK),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),  # (B, 512)
        last,
    )
