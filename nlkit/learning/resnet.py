"""ResNet-32 for small images.

    He, Zhang, Ren, Sun: Deep residual learning for image recognition. CVPR 2016, arXiv:1512.03385, section 4.2.

    3×3 convolution, 16 channels
    three stages of five blocks with 16, 32, 64 channels; the second and third stage halve height and width
    block:  y = relu(F(x) + shortcut(x)),  F = norm ∘ 3×3 convolution ∘ relu ∘ norm ∘ 3×3 convolution
    mean over the positions, linear layer

The shortcut has no parameters (option A of the paper): where a block halves the image and doubles the channels, it
takes every second pixel and fills the new channels with zeros.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS_A_STAGE = 5  # two layers a block, three stages, the first convolution and the last linear layer: 32 layers


class Block(nn.Module):
    """(B, C_in, H, W) -> (B, C_out, ⌈H / stride⌉, ⌈W / stride⌉): two convolutions beside a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: int):
        super().__init__()
        self.conv1, self.norm1 = convolution(channels_in, channels_out, stride), nn.BatchNorm2d(channels_out)
        self.conv2, self.norm2 = convolution(channels_out, channels_out), nn.BatchNorm2d(channels_out)
        self.stride, self.new_channels = stride, channels_out - channels_in

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))

    def shortcut(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            return x
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


def convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """A 3×3 convolution without bias (the norm after it has one), its weights drawn as He et al. 2015 do."""
    layer = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


def resnet32(shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """ResNet-32 for images of `shape` (C, H, W), 8×8 or larger: 464,154 parameters for 3×32×32 and ten classes."""
    channels, height, width = shape
    if min(height, width) < 8:
        raise ValueError(f"shape={shape!r} is too small for model 'resnet32', which needs 8×8 pixels; take 'mlp'")
    stages = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
    blocks = [
        Block(channels_out if number else channels_in, channels_out, 1 if number else stride)
        for channels_in, channels_out, stride in stages
        for number in range(BLOCKS_A_STAGE)
    ]
    return nn.Sequential(
        convolution(channels, 16),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *blocks,  # (B, 64, ⌈H / 4⌉, ⌈W / 4⌉)
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),  # (B, 64)
        nn.Linear(64, num_classes),
    )
