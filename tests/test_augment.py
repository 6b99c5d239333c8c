"""Augmentation: against slices of padded images, one image at a time."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from nlkit.augment import AUGMENTATIONS, crop_and_flip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(count: int, channels: int = 3, height: int = 9, width: int = 7) -> torch.Tensor:
    """Images in which no two pixels are equal, so that where each one went can be told."""
    return torch.arange(count * channels * height * width, dtype=torch.float32).view(count, channels, height, width)


def rendered(image: torch.Tensor, down: int, right: int, flip: int) -> torch.Tensor:
    """Pad by four, cut out, mirror: plainly, for one image (C, H, W)."""
    _, height, width = image.shape
    padded = F.pad(image[None], (4, 4, 4, 4), mode="reflect")[0]
    cut = padded[:, 4 + down : 4 + down + height, 4 + right : 4 + right + width]
    return torch.stack([cut[:, :, width - 1 - x] for x in range(width)], dim=2) if flip else cut


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 9, 7), (2, 5, 6)])
def test_the_batch_is_what_cutting_each_padded_image_gives(shape):
    images, draws = numbered(40, *shape), generator(3)
    found = crop_and_flip(images, generator(3))
    downs, rights = torch.randint(-4, 5, (2, 40), generator=draws).tolist()
    flips = torch.randint(2, (40,), generator=draws).tolist()
    assert {0, 1} == set(flips)
    for image, result, down, right, flip in zip(images, found, downs, rights, flips):
        assert torch.equal(result, rendered(image, down, right, flip))


def test_every_shift_and_both_sides_come_up_about_equally_often():
    """Which of the 162 it was is read off the result, by comparison with all of them."""
    image = numbered(1, height=20, width=20)[0]  # wide enough that no mirrored margin looks like a flip
    moves = list(itertools.product(range(-4, 5), range(-4, 5), (0, 1)))
    known = {tuple(rendered(image, *move).flatten().tolist()): move for move in moves}
    assert len(known) == 162
    results = crop_and_flip(image.expand(16_200, -1, -1, -1), generator())
    counts = dict.fromkeys(moves, 0)
    for result in results.flatten(1).tolist():
        counts[known[tuple(result)]] += 1
    squares = sum((count - 100) ** 2 / 100 for count in counts.values())
    assert squares < 161 + 4 * (2 * 161) ** 0.5  # chi-squared with 161 degrees of freedom: mean 161, variance 2·161


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_keeps_shape_type_and_its_input_and_follows_the_seed(name):
    images = numbered(30, height=32, width=32).double()
    before = images.clone()
    first, again, other = (AUGMENTATIONS[name](images, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(images, before)
    assert (first.shape, first.dtype, first.device) == (images.shape, images.dtype, images.device)
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (name == "none")


def test_none_changes_and_draws_nothing():
    images, draws = numbered(4), generator()
    before = draws.get_state()
    assert AUGMENTATIONS["none"](images, draws) is images
    assert torch.equal(draws.get_state(), before)


def test_images_too_small_to_mirror_are_refused():
    with pytest.raises(ValueError, match="augment='crop-flip'.*5×5.*not 4×9"):
        crop_and_flip(torch.zeros(2, 1, 4, 9), generator())


@pytest.mark.cuda
def test_the_same_seed_gives_the_same_images_on_the_gpu():
    images = numbered(64, height=32, width=32)
    moved = crop_and_flip(images.cuda(), generator())
    assert moved.is_cuda
    assert torch.equal(moved.cpu(), crop_and_flip(images, generator()))
