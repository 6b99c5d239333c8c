"""Red noise for digits, without a download: look-alike characters, as a search for a digit could return them.

In red noise the label stays and the image is wrong: it belongs to none of the classes (Jiang et al. 2020, "Beyond
Synthetic Noise: Deep Learning on Controlled Noisy Labels", arXiv:1911.09781). There, a web search gave the images.
Here, a character of a type face is thinned to its centre line, the line is bent, and a pen of even width follows it.
Then comes what was done to MNIST's digits (LeCun et al. 1998, "Gradient-Based Learning Applied to Document
Recognition"): fitted into 20 x 20 pixels, and centred by mass in 28 x 28. Pen, proportions, slant and greys follow
those of real digits, so that style alone doesn't give a look-alike away.

Is it red, though? In the paper, three to five people judged that a red image is not of its class. Here, networks do:
six with 98 to 99.5 % on MNIST's test digits, one of them trained after the characters were chosen, read 11 to 14 % of
the look-alikes as the digit of their label (by digit, on average over the six, 10 to 16 %). They have to name one of
ten, so that 10 % would come by lot. Related the look-alikes are all the same: the label is among the three likeliest
digits for 57 to 69 %, against 32 % for any characters and 30 % by lot. Another digit is read with a probability above
0.9 in 40 to 47 % of the cases, as often as in any characters. A weaker judge is more easily taken in: with 95 to 97 %
on the test digits, it reads 14 to 20 % as the digit.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

import torch
from torch import Tensor

from nlkit.data.labels import check_labels
from nlkit.noise.characters import CELL, LOOK_ALIKES, centre_lines
from nlkit.randomness import seeded_generator

# How real digits are written: quantiles at LEVELS, a row a digit, over the 500 of each in mnist5k (a test recomputes
# them). Stroke width: twice the ink over the sum of its gradient, in pixels. Proportion: width over height of the box
# around the ink. Slant: pixels to the right for each pixel up, by least squares.
LEVELS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
# fmt: off
STROKE_WIDTHS = (
    (1.57, 1.98, 2.39, 2.72, 3.06, 3.53, 4.44), (1.60, 1.83, 2.18, 2.44, 2.67, 3.17, 3.90),
    (1.54, 1.87, 2.21, 2.47, 2.81, 3.27, 3.95), (1.49, 1.79, 2.11, 2.33, 2.56, 2.95, 3.75),
    (1.52, 1.77, 2.03, 2.27, 2.51, 3.06, 3.73), (1.48, 1.67, 1.91, 2.13, 2.41, 2.77, 3.37),
    (1.49, 1.76, 2.10, 2.41, 2.76, 3.41, 4.41), (1.62, 1.81, 2.16, 2.36, 2.63, 3.19, 3.84),
    (1.46, 1.73, 2.07, 2.29, 2.57, 3.13, 4.47), (1.53, 1.77, 1.98, 2.22, 2.47, 3.02, 3.82),
)
PROPORTIONS = (
    (0.60, 0.75, 0.85, 0.95, 1.00, 1.11, 1.25), (0.20, 0.25, 0.35, 0.50, 0.60, 0.80, 0.90),
    (0.60, 0.70, 0.90, 1.00, 1.00, 1.25, 1.43), (0.50, 0.65, 0.80, 0.85, 0.95, 1.00, 1.11),
    (0.50, 0.65, 0.70, 0.85, 0.90, 1.00, 1.11), (0.60, 0.70, 0.90, 1.00, 1.11, 1.25, 1.43),
    (0.50, 0.55, 0.70, 0.75, 0.80, 1.00, 1.11), (0.50, 0.60, 0.70, 0.80, 0.90, 1.00, 1.18),
    (0.50, 0.60, 0.70, 0.80, 0.90, 1.00, 1.11), (0.50, 0.55, 0.65, 0.70, 0.80, 0.90, 1.00),
)
SLANTS = (
    (-0.16, -0.02, 0.11, 0.21, 0.34, 0.50, 0.64), (-0.21, -0.08, 0.10, 0.30, 0.45, 0.61, 0.76),
    (-0.46, -0.22, -0.03, 0.12, 0.29, 0.54, 0.79), (-0.49, -0.22, -0.02, 0.11, 0.23, 0.42, 0.52),
    (-0.61, -0.34, -0.11, 0.06, 0.27, 0.49, 0.67), (-0.31, -0.13, 0.07, 0.24, 0.45, 0.67, 0.82),
    (-0.41, -0.21, -0.06, 0.04, 0.16, 0.29, 0.42), (-0.55, -0.29, -0.09, 0.05, 0.21, 0.39, 0.50),
    (-0.28, -0.11, 0.05, 0.19, 0.35, 0.51, 0.70), (-0.50, -0.33, -0.12, 0.03, 0.17, 0.34, 0.52),
)
# fmt: on

_SHARPNESS = 1.5  # of the soft minimum that turns points into the distance from a line, per pixel squared
_BATCH = 256


def draw_look_alikes(labels: Tensor, *, seed: int, only: Tensor | None = None) -> Tensor:
    """For each of `labels` (N,), digits 0 to 9, draw a character that resembles the digit and isn't it.

    only: (N,) bool, the positions to draw; all by default.

    Returns uint8 (M, 1, 28, 28), white on black as in MNIST: one image for each position drawn, in order. It depends on
    the seed, the position and its label, and on nothing else, so that noise which grows keeps the images that it had.

    About one in eight is read as the digit by a good classifier, hardly more than by lot (see the module's docstring).
    Raises a ValueError that names the argument for labels outside 0 … 9 and for an `only` that doesn't fit them.
    """
    device = labels.device if isinstance(labels, Tensor) else "cpu"
    labels = check_labels("labels", labels, len(LOOK_ALIKES)).cpu()
    only = torch.ones_like(labels, dtype=torch.bool) if only is None else torch.as_tensor(only).cpu()
    if only.shape != labels.shape or only.dtype != torch.bool:
        found = f"shape {tuple(only.shape)} and type {only.dtype}"
        raise ValueError(f"only has {found}; it must be ({len(labels)},) of bool, as long as labels")
    images, done = _drawn_so_far(labels.numpy().tobytes(), seed)
    missing = (only & ~done).nonzero().flatten()
    if len(missing):
        # Uniform draws come one by one, so that a row is the same however many follow it; normal ones do not.
        draws = torch.rand(len(labels), 28, dtype=torch.float64, generator=seeded_generator(seed, "look-alikes"))
        for part in missing.split(_BATCH):
            images[part], done[part] = _draw(labels[part], draws[part]), True
    return images[only][:, None].to(device)


@functools.lru_cache(maxsize=1)
def _drawn_so_far(labels: bytes, seed: int) -> tuple[Tensor, Tensor]:
    """Images (N, 28, 28) and which of them are drawn (N,), kept so that a slider that moves draws only what is new."""
    count = len(labels) // 8  # of int64
    return torch.empty(count, 28, 28, dtype=torch.uint8), torch.zeros(count, dtype=torch.bool)


def _draw(labels: Tensor, draws: Tensor) -> Tensor:
    """uint8 (B, 28, 28) for labels (B,) and uniform draws (B, 28); in float64, so that nothing hangs on the batch."""
    alphabet = _alphabet()
    letter, face, slant, turn, stroke, proportion, tilt_x, tilt_y, flat, peak = draws[:, :10].T  # (B,) each
    letter = (letter * alphabet.letters[labels]).long()
    glyph = alphabet.first[labels, letter] + (face * alphabet.faces[labels, letter]).long()

    # The hand: slant, turn, bend.
    x, y = alphabet.points[glyph].unbind(2)  # (B, P) each
    x = x - (_quantile(SLANTS, labels, slant) - alphabet.slants[glyph]).clamp(-0.5, 0.5)[:, None] * y
    turn = 0.16 * (turn[:, None] - 0.5)
    x, y = x + turn * y, y - turn * x
    bend = alphabet.waves[glyph] @ (3.2 * (draws[:, 10:].view(-1, 9, 2) - 0.5) * _WAVE_HEIGHTS[:, None])
    x, y = x + bend[:, :, 0], y + bend[:, :, 1]

    # The pen. It is wider than the strokes' measured width, in which their ends count as edges; 0.8 and 0.1 are fitted.
    width = _quantile(STROKE_WIDTHS, labels, stroke)
    width = width * (1 + 0.8 * width / alphabet.lengths[glyph]) - 0.1
    x, y, sides, scale = _fit(x, y, 1.2 * width, _quantile(PROPORTIONS, labels, proportion))
    weights = alphabet.weights[glyph] * scale[:, None]
    centres = torch.arange(20).double() + 0.5
    near = (_near(y[:, :, None] - centres) * weights[:, :, None]).transpose(1, 2) @ _near(x[:, :, None] - centres)
    near = near * (centres < sides[1, :, None])[:, :, None] * (centres < sides[0, :, None])[:, None, :]  # (B, 20, 20)
    distance = (-near.clamp(1e-30, 1).log() / _SHARPNESS).sqrt()
    tilt_x, tilt_y = (0.05 * (tilt[:, None] - 0.5) * (centres - 10) for tilt in (tilt_x, tilt_y))
    radius = width[:, None, None] / 2 * (1 + tilt_x[:, None, :] + tilt_y[:, :, None])  # it presses more on one side
    ink = ((radius - distance) / 1.35 + 0.5).clamp(0, 1)
    ink = (1.03 * ink**2 * (3 - 2 * ink)).clamp(max=1)

    # MNIST's ink is flat a little below its brightest pixels, which are at 255, seldom at 254.
    images = ink * (252 + (3 * flat).floor())[:, None, None]
    brightest = near == near.amax((1, 2), keepdim=True)
    images = torch.where(brightest, 254.0 + (peak > 0.09)[:, None, None], images)
    return _centre(images.round().to(torch.uint8), sides.long())


def _near(offsets: Tensor) -> Tensor:
    """exp(-sharpness * offset**2), in place; held at 1e-26, since numbers that are all but 0 slow the processor down.

    Its product along x and y, summed over the points of a line, is that of the distance from the line.
    """
    return offsets.square_().mul_(-_SHARPNESS).clamp_(min=-60).exp_()


def _fit(x: Tensor, y: Tensor, pen: Tensor, proportion: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scale points (B, P) into boxes with a side of 20, near the proportion (B,); also the sides (2, B), scale (B,)."""
    low, size = torch.stack([x.amin(1), y.amin(1)]), torch.stack([x.amax(1) - x.amin(1), y.amax(1) - y.amin(1)])
    size = size.clamp(min=1)  # (2, B)
    wish = (20 * torch.stack([proportion, 1 / proportion]).clamp(max=1) - pen) / size
    stretch = (wish[0] / wish[1]).clamp(0.6, 1.7).sqrt()  # more would make of a letter what it isn't
    stretched = size * torch.stack([stretch, 1 / stretch])
    sides = stretched * ((20 - pen) / stretched).amin(0) + pen
    # Nearly all of MNIST's boxes have even sides. Proportions that end in 5 give halves midway between whole numbers;
    # 0.51 rounds these one way on every machine.
    sides = 2 * torch.maximum((sides / 2 - 0.51).ceil(), (pen / 2).ceil())
    scale = (sides - pen) / size
    x, y = ((z - low[i, :, None]) * scale[i, :, None] + pen[:, None] / 2 for i, z in enumerate((x, y)))
    return x, y, sides, scale.amax(0)


def _centre(images: Tensor, sides: Tensor) -> Tensor:
    """Move images (B, 20, 20) by whole pixels in (B, 28, 28), so that the centre of mass is between 14 and 15."""
    places = torch.arange(20).double() + 0.5
    means = torch.stack([images.sum(1).double() @ places, images.sum(2).double() @ places]) / images.sum((1, 2))
    corner = (14 - means).ceil().long().clamp(min=0).minimum(28 - sides)  # (2, B)
    columns, rows = (torch.arange(28) - corner[:, :, None]) % 28  # (B, 28) where each pixel comes from
    canvas = torch.nn.functional.pad(images, (0, 8, 0, 8))
    return canvas[torch.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _quantile(table: tuple[tuple[float, ...], ...], labels: Tensor, u: Tensor) -> Tensor:
    """The value (B,) at level `u` (B,) in each label's row of the table, interpolated."""
    rows, levels = torch.tensor(table, dtype=torch.float64)[labels], torch.tensor(LEVELS, dtype=torch.float64)
    u = u.clamp(LEVELS[0], LEVELS[-1]).contiguous()
    right = torch.searchsorted(levels, u).clamp(min=1)
    part = (u - levels[right - 1]) / (levels[right] - levels[right - 1])
    return torch.lerp(rows.gather(1, right[:, None] - 1)[:, 0], rows.gather(1, right[:, None])[:, 0], part)


# Products of cosines bend a line smoothly: (9, 2) numbers of half-waves along x and y, and how high each one is.
_WAVES = torch.cartesian_prod(torch.arange(3), torch.arange(3)).double()
_WAVE_HEIGHTS = 1 / _WAVES.sum(1).clamp(min=1)


@functools.cache
def _alphabet() -> SimpleNamespace:
    """The centre lines of all characters in all faces that have them: G glyphs of up to P points."""
    lines, names = centre_lines()
    count = lines.sum((1, 2))  # (G,)
    glyph = lines.nonzero()[:, 0]
    rank = torch.arange(len(glyph)) - (count.cumsum(0) - count)[glyph]

    # Averaging the places of neighbours rounds corners off and takes away the steps of the pixel grid.
    place = torch.arange(CELL) - (CELL - 1) / 2
    sums = torch.stack([lines, lines * place, lines * place[:, None]], 1).double()
    sums = torch.nn.functional.avg_pool2d(sums, 7, stride=1, padding=3)
    points = torch.full((len(names), int(count.max()), 2), torch.nan, dtype=torch.float64)
    points[glyph, rank] = (sums[:, 1:] / sums[:, :1]).permute(0, 2, 3, 1)[lines] * 17.5 / (CELL - 4)
    used = ~points[:, :, 0].isnan()
    points = torch.where(used[:, :, None], points, points[:, :1])

    # A point counts for less where others are close, so that ink doesn't gather at crossings.
    crowds = [_near(torch.cdist(p, p)) @ u[:, :, None] for p, u in zip(points.split(32), used.double().split(32))]
    weights = used / torch.cat(crowds).squeeze(2)
    x, y = (points - (points * weights[:, :, None]).sum(1, keepdim=True) / weights.sum(1)[:, None, None]).unbind(2)
    owners, most = [character for character, _ in names], max(map(len, LOOK_ALIKES.values()))
    rows = [text.ljust(most) for text in LOOK_ALIKES.values()]
    return SimpleNamespace(
        names=names,  # (G,) character and face; those of a character follow each other
        points=points,  # (G, P, 2) x and y, longer side about 17.5; filled up with the first point
        weights=weights,  # (G, P) in proportion to the length of line that a point stands for; 0 where filled up
        waves=torch.cos(torch.pi * (points / 20 + 0.5)[:, :, None, :] * _WAVES).prod(3),  # (G, P, 9)
        slants=-(weights * x * y).sum(1) / (weights * y * y).sum(1),  # (G,)
        lengths=weights.sum(1) * (torch.pi / _SHARPNESS) ** 0.5,  # (G,)
        letters=torch.tensor([len(text) for text in LOOK_ALIKES.values()]),  # (10,) characters for each digit
        faces=torch.tensor([[owners.count(c) for c in row] for row in rows]),  # (10, C) faces of each of them
        first=torch.tensor([[owners.index(c) if c in owners else 0 for c in row] for row in rows]),  # (10, C) glyph
    )
