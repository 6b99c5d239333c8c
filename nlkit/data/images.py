"""Image files: many of them into one uint8 tensor, decoded in parallel, and kept in one file if asked for."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import DataError
from nlkit.files import write_whole


def read_images(folder: Path, files: list[str], size: int, *, cache: Path | None = None, hint: str = "") -> Tensor:
    """Read image files as (n, 3, size, size) uint8 in RGB, in the order of `files`, which are relative to `folder`.

    The whole image is scaled to the square: by area average, or bilinearly if a side is shorter than `size`.
    cache: a file that keeps the decoded images by their names in `files`; those that it has are not opened, and those
        that it lacks are added. It holds one folder's images at one size; remove it when the images change.
    hint: what to do about missing images, for the error.
    Raises a DataError that counts and names the missing or the broken images, or says that the cache is broken, and a
    ValueError when the cache is for another size.
    """
    known, pixels = _read_cache(cache, size) if cache and cache.exists() else ([], np.empty((0, 3, size, size), "u1"))
    place = {file: i for i, file in enumerate(known)}
    fresh = [file for file in dict.fromkeys(files) if file not in place]
    if fresh:
        known, pixels = known + fresh, np.concatenate([pixels, _decode(folder, fresh, size, hint)])
        place = {file: i for i, file in enumerate(known)}
        if cache:
            write_whole(cache, lambda stream: np.savez(stream, files=np.array(known), images=pixels))
    return torch.from_numpy(pixels[[place[file] for file in files]])


def check_cache(cache: str | Path) -> Path:
    """Return `cache` as a path at which a file can be; otherwise a ValueError."""
    path = Path(cache).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"cache={str(cache)!r} must be a file, in a folder that exists")
    return path


def _read_cache(cache: Path, size: int) -> tuple[list[str], np.ndarray]:
    try:
        with np.load(cache, allow_pickle=False) as saved:
            files, images = saved["files"].tolist(), saved["images"]
        if images.dtype != np.uint8 or images.ndim != 4 or len(files) != len(images):
            raise ValueError(f"images {images.shape} of {images.dtype} for {len(files)} files")
    except Exception as error:  # a broken archive fails in many ways
        raise DataError(f"cache {cache} can't be read ({error}). Remove it, and it will be made anew.") from error
    if images.shape[1:] != (3, size, size):
        side = images.shape[-1]
        raise ValueError(f"cache={str(cache)!r} holds images of {side} by {side}; size={size} needs a file of its own")
    return files, images


def _decode(folder: Path, files: list[str], size: int, hint: str) -> np.ndarray:
    if missing := [file for file in files if not (folder / file).is_file()]:
        raise DataError(f"{_count(missing, files)} missing from {folder}: {_first(missing)}. {hint}".rstrip())
    pixels = np.empty((len(files), 3, size, size), np.uint8)

    def decode(i: int) -> str | None:
        try:
            pixels[i] = open_square(folder / files[i], size).transpose(2, 0, 1)
        except Exception as error:  # each of PIL's formats fails in its own ways
            return f"{files[i]} ({type(error).__name__})"

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # PIL decodes and scales without holding the GIL
        broken = [message for message in pool.map(decode, range(len(files))) if message]
    if broken:
        raise DataError(f"{_count(broken, files)} broken in {folder}: {_first(broken)}. Fetch them anew.")
    return pixels


def open_square(path: Path, size: int) -> np.ndarray:
    """One image in RGB, scaled whole to a square: (size, size, 3) uint8. It raises what Pillow does."""
    from PIL import Image

    with Image.open(path) as image:
        image = image.convert("RGB")
    resampling = Image.Resampling.BOX if min(image.size) >= size else Image.Resampling.BILINEAR
    return np.asarray(image.resize((size, size), resampling))


def _count(some: list[str], files: list[str]) -> str:
    return f"{len(some):,} of {len(files):,} images {'is' if len(some) == 1 else 'are'}"


def _first(items: list[str]) -> str:
    return ", ".join(items[:3]) + (f" and {len(items) - 3:,} more" if len(items) > 3 else "")
