"""The network of MentorMix's release: its size, its blocks against formulas, its averaged network, a few steps."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nlkit import make_task, train
from nlkit.data.dataset import Dataset
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import averaged_network
from nlkit.learning.wide_resnet import PreActivation
from nlkit.training.classification import Experiment

SETTINGS = {"batch_size": 15, "optimizer": "momentum", "learning_rate": 0.05, "weight_decay": 2e-4}


def small_images(count: int = 80) -> Dataset:
    draws = torch.Generator().manual_seed(0)
    images, labels = torch.rand(count, 3, 8, 8, generator=draws), torch.arange(count) % 10
    return Dataset("small", tuple("abcdefghij"), images, labels, images[:10], labels[:10], (0.5,), (0.25,))


def test_it_has_32_layers_with_weights_and_as_many_as_the_channels_make():
    network = build_model("wide-resnet32", (3, 32, 32), 10)
    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 32
    kernels = 3 * 64 + 64 * 128 + 9 * 128**2 + 128 * 256 + 9 * 256**2 + 256 * 512 + 9 * 512**2
    norms = 64 + 128 + 8 * 128 + (128 + 256) + 8 * 256 + (256 + 512) + 8 * 512 + 512
    assert sum(p.numel() for p in network.parameters()) == 9 * kernels + 2 * norms + 5130 == 29_442_378


def test_weights_are_drawn_by_the_number_of_outgoing_channels():
    network = build_model("wide-resnet32", (3, 32, 32), 10)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * layer.out_channels)), rel=0.05)
    last = network[-1]
    assert last.weight.abs().max() <= math.sqrt(3 / 512) < 1.05 * last.weight.abs().max()
    assert not last.bias.any()


@pytest.mark.parametrize("shape", [(32, 32), (28, 28), (9, 11)])
def test_images_of_any_even_or_odd_size_go_through(shape):
    network = build_model("wide-resnet32", (1, *shape), 7).eval()
    maps = []
    network[-3].register_forward_hook(lambda layer, inputs, output: maps.append(inputs[0].shape))
    with torch.no_grad():
        assert network(torch.zeros(2, 1, *shape)).shape == (2, 7)
    assert maps == [(2, 512, -(-shape[0] // 4), -(-shape[1] // 4))]


def test_images_too_small_to_be_halved_twice_are_refused():
    with pytest.raises(ValueError, match=r"shape=\(1, 7, 28\).*'wide-resnet32'.*8×8"):
        build_model("wide-resnet32", (1, 7, 28), 10)


@pytest.mark.parametrize("shared", [False, True])
def test_a_block_is_its_formula(shared):
    """With the norms as they are at first, in evaluation mode: x / √(1 + ε)."""
    block = PreActivation(4, 4, 1, shared=shared).double().eval()
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def leak(v):
        return torch.where(v < 0, 0.1 * v, v)

    def normed(v):
        return v / math.sqrt(1.001)

    start = normed(leak(x)) if shared else leak(normed(x))
    path = F.conv2d(start, block.conv1.weight, padding=1)
    path = F.conv2d(leak(normed(path)), block.conv2.weight, padding=1)
    torch.testing.assert_close(block(x), path + (start if shared else x))


def test_the_shortcut_takes_means_of_four_pixels_and_zeros_on_either_side():
    block = PreActivation(4, 8, 2)
    nn.init.zeros_(block.conv2.weight)
    x = torch.arange(4 * 16.0).view(1, 4, 4, 4)
    found = block(x)
    assert found.shape == (1, 8, 2, 2)
    assert not found[:, [0, 1, 6, 7]].any()
    assert found[0, 2].tolist() == [[2.5, 4.5], [10.5, 12.5]]  # of 0 1 4 5, of 2 3 6 7, …


def test_its_averaged_network_has_the_running_statistics_of_the_trained_one():
    network = build_model("wide-resnet32", (3, 8, 8), 10)
    averaged = averaged_network(network, 0.5)
    for _ in range(2):
        network(torch.rand(4, 3, 8, 8))
        with torch.no_grad():
            network[-1].bias += 1.0
        averaged.update_parameters(network)
    assert averaged.module[-1].bias[0].item() == pytest.approx(
        1 + (1 - 2 / 11), abs=1e-6
    )  # starts fast, see `averaged_network`
    for name, buffer in network.named_buffers():
        assert torch.equal(buffer, dict(averaged.module.named_buffers())[name]), name
    assert network[1].norm1.running_mean.any()


@pytest.mark.slow
def test_its_recipe_takes_a_few_steps_with_mentormix_and_goes_on_from_a_checkpoint(tmp_path):
    """What runs for hours on a GPU, on 30 images of 8×8 pixels: the same numbers, whether broken off or not."""
    recipe = Experiment(model="wide-resnet32", epochs=2).resolved()
    assert (recipe.augment, recipe.schedule) == ("crop-flip-color", "steps")
    assert recipe.weight_average == pytest.approx(1 - 0.0512 / 2)
    task = make_task(small_images(40), noise="symmetric", ratio=0.4, clean_per_class=1, device="cpu")
    options = SETTINGS | {
        "model": "wide-resnet32", "augment": recipe.augment, "schedule": recipe.schedule, "weight_average": 0.9,
        "percentile": 0.6, "alpha": 8.0, "mentor": "schedule",
    }  # fmt: skip
    whole = list(train(task, "mentormix", epochs=2, **options))
    first = train(task, "mentormix", epochs=2, checkpoint=tmp_path / "run.pt", **options)
    next(first)
    first.close()
    resumed = list(train(task, "mentormix", epochs=2, checkpoint=tmp_path / "run.pt", **options))
    assert [record.loss for record in resumed] == [record.loss for record in whole]
    assert all(math.isfinite(record.loss) for record in whole)
