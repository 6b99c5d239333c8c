"""Augmentation: what a training batch is turned into before the network sees it, on the device where the images are.

An augmentation takes images (B, C, H, W) and a generator on the CPU, and returns images of the same shape, type and
device. It draws from the generator alone, so that the same seed gives the same images on every device. It is applied to
what a method learns from, never to what is measured. Adding one takes a function and a line in the registry. One that
needs to know what is black, or how bright a pixel is, stands in `OF_PIXELS`, and is told the `mean` and `std` by which
the images were normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

MAX_SHIFT = 4  # pixels, as He et al. 2016 (arXiv:1512.03385, section 4.2) crop CIFAR-10
Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def unchanged(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images as they are; nothing is drawn."""
    return images


def crop_and_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image (C, H, W) moved by up to 4 pixels each way, and mirrored left to right half of the time.

    It is the crop, anywhere, of the image padded by 4 pixels. The padding continues the image as in a mirror. Zeros
    would be the data set's mean colour, since images are normalised, and frame every digit on its black background in
    grey; black is not known here. Not for digits and letters all the same, which a flip turns into other signs.
    Raises a ValueError for images with fewer than 5 pixels a side, which have nothing to mirror.
    """
    size, _, height, width = images.shape
    if min(height, width) <= MAX_SHIFT:
        raise ValueError(f"augment='crop-flip' needs images of 5×5 pixels or more, not {height}×{width}")
    down, right = torch.randint(-MAX_SHIFT, MAX_SHIFT + 1, (2, size), generator=generator)
    flip = torch.randint(2, (size,), generator=generator).bool()
    # Where each pixel of the result comes from, as row and column of its image: no padded copy, no loop over images.
    row = _mirrored(torch.arange(height) + down[:, None], height)  # (B, H)
    column = _mirrored(torch.arange(width) + right[:, None], width)  # (B, W)
    column = torch.where(flip[:, None], column.flip(1), column)
    image = torch.arange(size)
    place = [index.to(images.device) for index in (image[:, None, None], row[:, :, None], column[:, None, :])]
    return images.permute(0, 2, 3, 1)[tuple(place)].permute(0, 3, 1, 2)


def crop_flip_and_distort(
    images: Tensor, generator: torch.Generator, mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,)
) -> Tensor:
    """Each image moved by up to 2 pixels each way on black, mirrored half of the time, and its colours distorted.

    As MentorMix's release does (google-research/mentormix, cifar_data_provider.py). Of pixels in [0, 1], in this order
    or with the contrast second: brightness, up to 32/255 more or less; saturation, times 0.5 to 1.5; hue, turned by up
    to a fifth of the circle; contrast about each channel's mean, times 0.5 to 1.5. All are uniform, and what leaves
    [0, 1] is cut off. Grey images have no saturation and no hue.
    mean, std: by which the images (B, 1 or 3, H, W) were normalised.
    Raises a ValueError for images with another number of channels.
    """
    size, channels, height, width = images.shape
    if channels not in (1, 3):
        raise ValueError(f"augment='crop-flip-color' needs images of 1 or 3 channels, not {channels}")
    down, right = torch.randint(5, (2, size), generator=generator)
    flip = torch.randint(2, (size,), generator=generator).bool()
    draws = torch.rand(4, size, 1, 1, 1, generator=generator, dtype=torch.float64).to(images)
    contrast_second = torch.randint(2, (size, 1, 1, 1), generator=generator).bool().to(images.device)
    centre, scale = (torch.tensor(v, device=images.device, dtype=images.dtype).view(-1, 1, 1) for v in (mean, std))
    framed = F.pad(images * scale + centre, (2, 2, 2, 2))
    column = torch.arange(width) + right[:, None]
    column = torch.where(flip[:, None], column.flip(1), column)
    place = torch.arange(size)[:, None, None], (torch.arange(height) + down[:, None])[:, :, None], column[:, None, :]
    pixels = framed.permute(0, 2, 3, 1)[tuple(index.to(images.device) for index in place)].permute(0, 3, 1, 2)
    brightness, (saturation, contrast), turn = 2 * draws[0] - 1, 0.5 + draws[1:3], 0.2 * (2 * draws[3] - 1)
    pixels = with_contrast(pixels + 32 / 255 * brightness, contrast.where(contrast_second, 1.0))
    if channels == 3:
        pixels = with_hue_turned(with_saturation(pixels, saturation), turn)
    pixels = with_contrast(pixels, contrast.where(~contrast_second, 1.0)).clamp(0, 1)
    return (pixels - centre) / scale


def with_contrast(pixels: Tensor, factor: Tensor) -> Tensor:
    """Pixels (B, C, H, W) whose distance to the mean of their image's channel is `factor` (B, 1, 1, 1) times as far."""
    average = pixels.mean((2, 3), keepdim=True)
    return torch.lerp(average, pixels, factor)


def with_saturation(pixels: Tensor, factor: Tensor) -> Tensor:
    """Pixels (B, 3, H, W) whose saturation in HSV is `factor` (B, 1, 1, 1) times as high, at most 1."""
    value = pixels.amax(1, keepdim=True)
    chroma = value - pixels.amin(1, keepdim=True)
    most = value.clamp(min=0) / chroma.clamp(min=1e-12)  # 1 / saturation
    return value - (value - pixels) * torch.minimum(factor, most)


def with_hue_turned(pixels: Tensor, turn: Tensor) -> Tensor:
    """Pixels (B, 3, H, W) whose hue in HSV is turned by `turn` (B, 1, 1, 1), in parts of the circle."""
    red, green, blue = pixels.unbind(1)
    value, strongest = pixels.max(1)
    chroma = value - pixels.amin(1)
    sixth = torch.stack([green - blue, blue - red, red - green], 1).gather(1, strongest[:, None])[:, 0]
    hue = sixth / chroma.clamp(min=1e-12) + 2 * strongest + 6 * turn[:, 0]  # in sixths of the circle
    away = torch.tensor([5.0, 3.0, 1.0], device=pixels.device, dtype=pixels.dtype).view(3, 1, 1)
    k = (hue[:, None] + away) % 6
    return value[:, None] - chroma[:, None] * torch.minimum(k, 4 - k).clamp(0, 1)


def affine(images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Each image (C, H, W) turned by up to 10°, scaled by 0.9 to 1.1, slanted and moved by up to 0.15 and 2 pixels.

    All that is times `strength`, below 10. Slant is a shift to the side for each pixel up. All are uniform, and what
    comes from outside continues the edge.
    For digits and letters: as different as two hands write them, and still the same sign.
    """
    return move_by_matrix(images, affine_matrices(len(images), generator, strength))


def affine_matrices(count: int, generator: torch.Generator, strength: float = 1.0, pixels: float = 2.0) -> Tensor:
    """Matrices (count, 2, 3) of float64 as `move_by_matrix` takes them, drawn as `affine` says; a move of `pixels`."""
    draws = strength * (2 * torch.rand(5, count, dtype=torch.float64, generator=generator) - 1)
    angle, scale, slant = draws[0] * torch.pi / 18, 1 + 0.1 * draws[1], 0.15 * draws[2]
    rows = [
        scale * angle.cos(), scale * (slant * angle.cos() - angle.sin()), pixels * draws[3],
        scale * angle.sin(), scale * (slant * angle.sin() + angle.cos()), pixels * draws[4],
    ]  # fmt: skip
    return torch.stack(rows, 1).view(-1, 2, 3)


def move_by_matrix(images: Tensor, matrices: Tensor, *, at_once: bool = False) -> Tensor:
    """Images (B, C, H, W) whose pixel at (x, y), counted from the centre, is that of the original at M (x, y, 1).

    matrices (B, 2, 3), the last column in pixels. Between pixels: bilinear. Outside: as at the nearest edge.
    at_once: places are computed as one product, in a tenth of torch's time, and may differ in their last digit.
    """
    if not len(images):  # a clean set may be empty, and torch has no grid for nothing
        return images
    height, width = images.shape[-2:]
    matrices = matrices.to(images)
    half = torch.tensor([width / 2, height / 2], device=images.device, dtype=images.dtype)
    # torch counts from -1 to 1 across an image.
    scaled = torch.cat([matrices[:, :, :2] * half / half[:, None], matrices[:, :, 2:] / half[:, None]], 2)
    if at_once:
        x, y = (((2 * torch.arange(n) + 1) / n - 1).to(images) for n in (width, height))
        places = torch.stack([x.repeat(height), y.repeat_interleave(width), torch.ones(height * width).to(x)])
        grid = (scaled.view(-1, 3) @ places).view(-1, 2, height, width).permute(0, 2, 3, 1)
    else:
        grid = F.affine_grid(scaled, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _mirrored(index: Tensor, size: int) -> Tensor:
    """Places -4 … size + 3 folded into 0 … size - 1 as in mirrors on the first and the last place."""
    return (size - 1) - ((size - 1) - index.abs()).abs()


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": unchanged,
    "crop-flip": crop_and_flip,
    "crop-flip-color": crop_flip_and_distort,
    "affine": affine,
}
OF_PIXELS = ("crop-flip-color",)


def augmentation(name: str, mean: Sequence[float], std: Sequence[float]) -> Augmentation:
    """One of `AUGMENTATIONS`, for images that were normalised by `mean` and `std`, one number or one a channel."""
    function = AUGMENTATIONS[name]
    return partial(function, mean=mean, std=std) if name in OF_PIXELS else function
