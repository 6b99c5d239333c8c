"""Scenes with masks: small medical images whose every pixel has a class that is known.

Generators, since no small real set with masks comes in a package that can be relied on. A **chest slice** has a body,
two lungs and four organs of unlike size and contrast, as the CT slices of SegTHOR do (Lambert and others, 2020). A
**fetal head**, as in ultrasound, is one bright ellipse among speckle; in some images there is an artefact. Light grows
or fades slowly across an image, and outlines are a little blurred.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.randomness import seeded_generator

SIDE = 32  # pixels
ORGANS = ("heart", "aorta", "trachea", "oesophagus")  # classes 1 to 4 of a chest slice; 0 is all else
_CHEST = {  # (centre y, x), (radius y, x), in pixels; how far both spread; brightness
    "body": ((16.0, 15.5), (13.5, 15.0), (0.5, 0.4), 0.5),
    "left lung": ((15.0, 7.5), (8.0, 4.6), (0.5, 0.4), 0.2),
    "right lung": ((15.0, 23.8), (8.0, 4.6), (0.5, 0.4), 0.2),
    "heart": ((11.0, 16.2), (4.6, 5.4), (0.8, 0.7), 0.78),
    "aorta": ((21.0, 19.4), (3.0, 3.0), (0.7, 0.35), 0.75),
    "trachea": ((18.8, 12.6), (2.7, 2.7), (0.5, 0.3), 0.3),
    "oesophagus": ((24.2, 13.8), (2.4, 2.6), (0.5, 0.3), 0.62),
}
SHADE, ECHO = ARTEFACTS = ("shadow or patch", "echo")


class Scenes(NamedTuple):
    """N images and, for each, the class of every pixel."""

    images: Tensor  # (N, 1, 32, 32), of about mean 0 and spread 1
    masks: Tensor  # (N, 32, 32) whole numbers; 0 is background


class Heads(NamedTuple):
    """N images of a head, class 1 of every mask, and in which of them something misleads."""

    images: Tensor  # (N, 1, 32, 32), of about mean 0 and spread 1
    masks: Tensor  # (N, 32, 32) of 0 and 1, whole numbers
    artefacts: Tensor  # (N,) bool


def ellipses(y: Tensor, x: Tensor, tall: Tensor, wide: Tensor, angle: Tensor, side: int = SIDE) -> Tensor:
    """(N, side, side) bool: the pixels within ellipses, of centres, radii (pixels) and angles (radians) (N,)."""
    down, across = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    y, x, tall, wide, angle = (part[:, None, None] for part in (y, x, tall, wide, angle))
    along, aside = down - y, across - x
    turned = along * angle.cos() + aside * angle.sin(), aside * angle.cos() - along * angle.sin()
    return (turned[0] / tall) ** 2 + (turned[1] / wide) ** 2 <= 1


@functools.lru_cache(maxsize=16)
def chest_slices(part: str, count: int, seed: int = 0) -> Scenes:
    """`count` slices of chests; its classes are background and `ORGANS`. No two parts ("train", "test") share one.

    Raises a ValueError for fewer than one.
    """
    check_integer("count", count, 1)
    draw = seeded_generator(seed, f"chests to {part}")
    canvas, masks = torch.full((count, SIDE, SIDE), 0.05), torch.zeros(count, SIDE, SIDE, dtype=torch.long)
    move = _normal(draw, count, 2)  # the whole chest
    for name, (centre, radii, (moves, spread), bright) in _CHEST.items():
        y, x = (torch.tensor(centre) + 0.6 * move + moves * _normal(draw, count, 2)).T
        tall, wide = (torch.tensor(radii) + spread * _normal(draw, count, 2)).T
        inside = ellipses(y, x, tall, wide, 0.25 * _normal(draw, count))
        shade = bright + 0.03 * _normal(draw, count)
        canvas = torch.where(inside, shade[:, None, None], canvas)
        if name in ORGANS:
            masks[inside] = ORGANS.index(name) + 1
    images = _blurred(canvas) + 0.15 * _slow_light(draw, count) + 0.04 * torch.randn(canvas.shape, generator=draw)
    return Scenes(_scaled(images), masks)


@functools.lru_cache(maxsize=16)
def fetal_heads(part: str, count: int, share: float, artefact: str = SHADE, seed: int = 0) -> Heads:
    """`count` heads, class 1; round(share · count) of the images, at random, have an artefact.

    artefact: "shadow or patch", by a coin a dark band across the head or something as bright that touches it; "echo",
    the head once more, brighter and five pixels off: a fault of a possible shape. Images with artefacts are nested in
    the share. Raises a ValueError for a share outside [0, 1], and for fewer than one image.
    """
    check_integer("count", count, 1)
    check_number("share", share, 0, 1)
    check_choice("artefact", artefact, ARTEFACTS)
    draw = seeded_generator(seed, f"heads to {part}")
    centre = 15.5 + 1.5 * _normal(draw, count, 2)
    tall, wide = 6.3 + 0.7 * _normal(draw, count), 8.3 + 0.8 * _normal(draw, count)
    angle = 0.5 * _normal(draw, count)
    head = ellipses(*centre.T, tall, wide, angle)
    hit = torch.zeros(count, dtype=torch.bool)
    hit[torch.randperm(count, generator=draw)[: round(share * count)]] = True
    way, side = math.tau * torch.rand(count, generator=draw), torch.rand(count, generator=draw)
    away = torch.stack([way.sin(), way.cos()], 1)  # from the head's centre
    light = 0.7
    if artefact == ECHO:
        light, bright = 1.2, ellipses(*(centre + 5 * away).T, tall, wide, angle)
        dark = torch.zeros_like(bright)
    else:
        bright = ellipses(*(centre + 9.5 * away).T, 3.5 + side, 2.5 + 2 * side.flip(0), way)
        off = 6 * (side - 0.5)
        dark = ellipses(*(centre + off[:, None] * away).T, 2.0 + side, torch.full((count,), 30.0), way)
        dark, bright = dark & (side < 0.5)[:, None, None], bright & (side >= 0.5)[:, None, None]
    bright, dark = bright & hit[:, None, None], dark & hit[:, None, None]
    canvas = torch.where(bright, light, torch.where(head, 0.7, 0.3))
    canvas = torch.where(dark, 0.25, canvas) * (1 + 0.18 * torch.randn(canvas.shape, generator=draw))  # speckle
    return Heads(_scaled(_blurred(canvas) + 0.15 * _slow_light(draw, count)), head.long(), hit)


def _normal(draw: torch.Generator, *shape: int) -> Tensor:
    """Normal numbers, those beyond two standard deviations drawn in."""
    return torch.randn(shape, generator=draw).clamp(-2, 2)


def _slow_light(draw: torch.Generator, count: int) -> Tensor:
    """(N, 32, 32) a smooth hill and hollow in [-½, ½] or so across each image."""
    coarse = 0.4 * _normal(draw, count, 1, 3, 3)
    return F.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=True)[:, 0]


def _blurred(canvas: Tensor) -> Tensor:
    """(N, H, W) each pixel mixed with its neighbours, ¼ ½ ¼ along both sides."""
    line = torch.tensor([0.25, 0.5, 0.25])
    padded = F.pad(canvas[:, None], (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, (line[:, None] * line)[None, None])[:, 0]


def _scaled(images: Tensor) -> Tensor:
    return ((images - 0.4) / 0.25)[:, None]
