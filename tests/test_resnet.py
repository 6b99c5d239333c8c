"""ResNet-32: its size by counting, its shortcut and its blocks by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nlkit import build_model
from nlkit.learning.resnet import Block, resnet32


def test_it_has_the_layers_and_the_parameters_of_the_paper():
    """He et al., section 4.2: 6n + 2 layers for n = 5; table 6 says 0.46 million parameters."""
    network = build_model("resnet32", (3, 32, 32), 10)
    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 32
    convolutions = [(3, 16), *10 * [(16, 16)], (16, 32), *9 * [(32, 32)], (32, 64), *9 * [(64, 64)]]
    by_hand = sum(9 * i * o + 2 * o for i, o in convolutions) + 64 * 10 + 10  # a norm has a scale and an offset
    assert sum(p.numel() for p in network.parameters()) == by_hand == 464_154


@pytest.mark.parametrize("height, width", [(32, 32), (28, 28), (8, 8), (9, 13)])
def test_the_image_is_halved_twice(height, width):
    network, sizes = resnet32((3, height, width), 7), []
    for layer in network:
        layer.register_forward_hook(lambda _layer, _input, output: sizes.append(tuple(output.shape[1:])))
    assert network(torch.zeros(2, 3, height, width)).shape == (2, 7)
    half, quarter = (-(-height // 2), -(-width // 2)), (-(-height // 4), -(-width // 4))
    assert sizes[3:18] == [*5 * [(16, height, width)], *5 * [(32, *half)], *5 * [(64, *quarter)]]


@pytest.mark.parametrize("channels_in, channels_out, stride", [(4, 4, 1), (4, 8, 2)])
def test_a_block_that_adds_nothing_is_its_shortcut(channels_in, channels_out, stride):
    """Every second pixel, and zeros in the new channels, read pixel by pixel."""
    block = Block(channels_in, channels_out, stride)
    nn.init.zeros_(block.norm2.weight)
    images = torch.randn(3, channels_in, 7, 6, generator=torch.Generator().manual_seed(0))
    result = block(images)
    assert result.shape == (3, channels_out, -(-7 // stride), -(-6 // stride))
    for example, channel, y, x in torch.cartesian_prod(*map(torch.arange, result.shape)).tolist():
        passed = images[example, channel, stride * y, stride * x].item() if channel < channels_in else 0.0
        assert result[example, channel, y, x].item() == max(passed, 0.0)


def test_a_block_is_the_formula():
    torch.manual_seed(0)
    block, images = Block(4, 8, 2).double(), torch.randn(5, 4, 6, 6, dtype=torch.float64)

    def normed(x, norm):
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
        return (x - mean) / (variance + norm.eps).sqrt() * norm.weight.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)

    inner = normed(F.conv2d(images, block.conv1.weight, stride=2, padding=1), block.norm1).clamp(min=0)
    added = normed(F.conv2d(inner, block.conv2.weight, padding=1), block.norm2)
    shortcut = torch.cat([images[:, :, ::2, ::2], torch.zeros(5, 4, 3, 3)], 1)
    torch.testing.assert_close(block(images), (added + shortcut).clamp(min=0))


def test_the_weights_are_drawn_so_that_the_signal_keeps_its_size():
    """He et al. 2015: variance 2 / (9 · channels in)."""
    weight = build_model("resnet32", (3, 32, 32), 10)[-4].conv2.weight
    assert weight.var().item() == pytest.approx(2 / (9 * 64), rel=0.05)


def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match=r"shape=\(1, 7, 28\).*'resnet32'.*8×8"):
        build_model("resnet32", (1, 7, 28), 10)
