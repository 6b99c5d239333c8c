"""Augmentation: against slices of padded images, one image at a time."""

import itertools

import numpy as np
import pytest
import scipy.ndimage
import torch
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from torch.nn import functional as F

from nlkit.learning.augment import (
    AUGMENTATIONS,
    affine,
    augmentation,
    crop_and_flip,
    crop_flip_and_distort,
    move_by_matrix,
)


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


@pytest.mark.slow
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
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_same_seed_gives_the_same_images_on_the_gpu(name):
    """Where they are only moved, to the last bit; colours to the last digits."""
    images = numbered(64, height=32, width=32) / 200_000
    moved = AUGMENTATIONS[name](images.cuda(), generator())
    assert moved.is_cuda
    torch.testing.assert_close(moved.cpu(), AUGMENTATIONS[name](images, generator()), atol=1e-5, rtol=1e-5)
    if name == "crop-flip":
        assert torch.equal(moved.cpu(), crop_and_flip(images, generator()))


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 10, 16)])
def test_moving_by_a_matrix_is_scipy_s_affine_transform(shape):
    draw = generator()
    images = torch.rand(4, *shape, generator=draw, dtype=torch.float64)
    matrices = torch.tensor([[1.0, 0.2, 1.5], [-0.1, 0.9, -0.5]], dtype=torch.float64).repeat(4, 1, 1)
    matrices += 0.05 * torch.rand(matrices.shape, generator=draw, dtype=torch.float64)
    moved = move_by_matrix(images, matrices)
    centre = (np.array(shape[1:]) - 1) / 2
    for image, matrix, ours in zip(images.numpy(), matrices.numpy(), moved.numpy()):
        turned = matrix[::-1, 1::-1]  # scipy counts rows first
        offset = centre - turned @ centre + matrix[::-1, 2]
        for channel, seen in zip(image, ours):
            theirs = scipy.ndimage.affine_transform(channel, turned, offset, order=1, mode="nearest")
            np.testing.assert_allclose(seen, theirs, atol=1e-9)


def test_affine_stays_within_its_ranges_and_uses_them():
    """A lone pixel off the centre tells where it went; a flat image stays flat."""
    images = torch.zeros(2000, 1, 29, 29)
    images[:, :, 14, 14] = 1  # the centre
    moved = affine(images, generator())[:, 0]
    place = torch.arange(29.0) - 14
    total = moved.sum((1, 2))
    x, y = ((moved * p).sum((1, 2)) / total for p in (place, place[:, None]))
    reach = torch.stack([x, y]).abs().max(1).values
    assert ((reach > 1.8) & (reach < 2.8)).all()  # 2 pixels, at a scale of 0.9 and a slant of 0.15
    assert x.mean().abs() < 0.1 and y.mean().abs() < 0.1
    assert total.std() > 0.05  # scaled
    torch.testing.assert_close(affine(torch.full((5, 1, 8, 8), 0.3), generator()), torch.full((5, 1, 8, 8), 0.3))
    again = affine(images[:3], generator(5)), affine(images[:3], generator(5))
    assert torch.equal(*again)


# Colours


def distorted(image: np.ndarray, down: int, right: int, flip: int, draws: list[float], second: int):
    """An image (3, H, W) in [0, 1] on a black frame, cut out, mirrored, its colours changed by matplotlib's HSV.

    None where pixels leave [0, 1] before their hue is asked for: matplotlib has none to compare.
    """
    height, width = image.shape[1:]
    cut = np.pad(image, ((0, 0), (2, 2), (2, 2)))[:, down : down + height, right : right + width]
    brighter, saturation, contrast, turn = draws

    def in_contrast(p):
        average = p.mean((0, 1))
        return average + contrast * (p - average)

    pixels = (cut[:, :, ::-1] if flip else cut).transpose(1, 2, 0) + brighter
    pixels = in_contrast(pixels) if second else pixels
    if pixels.min() < 0 or pixels.max() > 1:
        return None
    hsv = rgb_to_hsv(pixels)
    hsv[..., 1] = np.clip(saturation * hsv[..., 1], 0, 1)
    hsv[..., 0] = (hsv[..., 0] + turn) % 1
    pixels = hsv_to_rgb(hsv)
    return (pixels if second else in_contrast(pixels)).clip(0, 1).transpose(2, 0, 1)


def test_colours_are_distorted_as_matplotlib_s_hsv_has_it():
    images = 0.15 + 0.7 * torch.rand(80, 3, 10, 12, generator=generator(4), dtype=torch.float64)
    found = crop_flip_and_distort(images, generator(3))
    draws = generator(3)
    moves = torch.randint(5, (2, 80), generator=draws).T.tolist()
    flips = torch.randint(2, (80,), generator=draws).tolist()
    shares = torch.rand(4, 80, generator=draws, dtype=torch.float64).T
    seconds = torch.randint(2, (80,), generator=draws).tolist()
    amounts = shares * torch.tensor([64 / 255, 1, 1, 0.4]) + torch.tensor([-32 / 255, 0.5, 0.5, -0.2])
    compared = set()
    for image, result, move, flip, amount, second in zip(images, found, moves, flips, amounts.tolist(), seconds):
        expected = distorted(image.numpy(), *move, flip, amount, second)
        if expected is not None:
            np.testing.assert_allclose(result.numpy(), expected, atol=1e-6)
            compared.add((flip, second))
    assert compared == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_grey_stays_grey_and_black_is_what_the_data_set_calls_black():
    grey = torch.full((40, 1, 8, 8), 0.5)
    found = crop_flip_and_distort(grey, generator(1))
    assert found.shape == grey.shape and found.min() == 0 and found.max() <= 1
    three = crop_flip_and_distort(grey.expand(-1, 3, -1, -1), generator(1))
    torch.testing.assert_close(three, found.expand(-1, 3, -1, -1))
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    m, s = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))
    images = torch.rand(30, 3, 8, 8, generator=generator(2))
    ours = augmentation("crop-flip-color", mean, std)((images - m) / s, generator(1))
    torch.testing.assert_close(ours * s + m, crop_flip_and_distort(images, generator(1)), atol=1e-5, rtol=1e-5)


def test_colours_of_images_with_two_channels_are_refused():
    with pytest.raises(ValueError, match="augment='crop-flip-color'.*1 or 3 channels, not 2"):
        crop_flip_and_distort(torch.zeros(2, 2, 8, 8), generator())
