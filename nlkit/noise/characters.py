"""Characters that resemble digits, and the lines at their centres, from the type faces that matplotlib carries."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# Digit -> letters and signs that resemble it, and that a good classifier of digits seldom takes for it. Chosen by hand
# out of 1,393 characters: mostly those that networks read as the digit in less than a fifth of the cases, and yet put
# among its three likeliest more often than lot would. Others resemble more, but are read as the digit more often than
# not, and so are not red: O Q for 0, l I | for 1, Z for 2, A for 4, S $ for 5, T ? for 7, B for 8. No character serves
# two digits.
LOOK_ALIKES: dict[int, str] = {
    0: "Ɵϑ¢e℮єæⅇ",
    1: "T:;τΓĩ",
    2: "∠∟αR∝œℓ¿",
    3: "$≈ɘℬꟻ}≶♂ßB",
    4: "∪hX∧ωћλ^",
    5: "G€CJ[ɕtK",
    6: "δkƃς@ϕεϐ",
    7: "PVYFґ)∇ϡ+",
    8: "&§∞ð∅©y",
    9: "¶?ϙŋQpηρΩ",
}


# Files that matplotlib carries, so that the faces are the same everywhere.
FACES = (
    "DejaVuSans", "DejaVuSans-Oblique", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono",
    "STIXGeneral", "STIXGeneralItalic", "STIXGeneralBolIta", "cmr10", "cmmi10", "cmss10", "cmti10", "cmtt10",
)  # fmt: skip


CELL = 40  # side of the square in which a character is thinned, in pixels


def centre_lines() -> tuple[Tensor, list[tuple[str, str]]]:
    """Centre lines (G, CELL, CELL) bool of all characters in all faces that have them, and the names of both."""
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(get_data_path()) / "fonts" / "ttf"
    files = {face: str(folder / f"{face}.ttf") for face in FACES}
    tables = {face: FT2Font(file) for face, file in files.items()}
    fonts = {face: ImageFont.truetype(file, 64, layout_engine=ImageFont.Layout.BASIC) for face, file in files.items()}
    cells, names = [], []
    for character in "".join(LOOK_ALIKES.values()):
        for face in FACES:
            # The Computer Modern files have other characters than letters at the places of others.
            if face.startswith("cm") and character not in string.ascii_letters:
                continue
            if tables[face].get_char_index(ord(character)) == 0:
                continue
            glyph = Image.new("L", (128, 128))
            ImageDraw.Draw(glyph).text((24, 16), character, fill=255, font=fonts[face])
            glyph = glyph.crop(glyph.getbbox())
            scale = (CELL - 4) / max(glyph.size)
            size = [max(1, round(side * scale)) for side in glyph.size]
            cell = Image.new("L", (CELL, CELL))
            cell.paste(glyph.resize(size, Image.Resampling.BOX), [(CELL - side) // 2 for side in size])
            cells.append(np.asarray(cell) > 90)
            names.append((character, face))
    return torch.from_numpy(thin(np.stack(cells))), names


def thin(ink: np.ndarray) -> np.ndarray:
    """Thin images (G, S, S) bool, empty at the border, to lines of one pixel (Zhang & Suen 1984)."""
    # The eight neighbours of a pixel, clockwise from the north, are the bits of a number; two tables say if it goes.
    bits = np.arange(256)[:, None] >> np.arange(8) & 1  # (256, 8)
    north, east, south, west = bits[:, ::2].T
    removable = (bits.sum(1) >= 2) & (bits.sum(1) <= 6) & ((bits < np.roll(bits, -1, 1)).sum(1) == 1)
    tables = (
        removable & (north * east * south == 0) & (east * south * west == 0),
        removable & (north * east * west == 0) & (north * south * west == 0),
    )
    steps = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
    ink, before = ink.astype(np.uint8), ink.size + 1
    while ink.sum() < before:
        before = ink.sum()
        for table in tables:
            ink = ink & ~table[sum(np.roll(ink, step, (1, 2)) << bit for bit, step in enumerate(steps))]
    return ink.astype(bool)
