"""A folder of images by class: the names of its folders are the labels, as in torchvision's ImageFolder."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nlkit.audit.collection import Collection
from nlkit.checks import DataError
from nlkit.data.images import open_square
from nlkit.data.labels import few

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def read_folder(folder: Path, size: int) -> Collection:
    """All images below a folder's folders, scaled whole to `size` by `size` pixels; grey where all of them are.

    Images that can't be read are left out and named in the notes. Raises a ValueError for a folder that has no folders
    with images, a DataError where it can't be listed, or where not one image can be read.
    """
    files, empty = image_files(folder)
    if not files:
        loose = any(entry.suffix.lower() in ENDINGS for entry in folder.iterdir())
        hint = "the images lie in it without a folder for each class" if loose else "it has no images"
        raise ValueError(f"path={str(folder)!r} must have a folder of images for each class, and {hint}")
    pixels = np.empty((len(files), size, size, 3), np.uint8)

    def decode(i: int) -> str:
        try:
            pixels[i] = open_square(folder / files[i][1], size)
        except Exception as error:  # each of Pillow's formats fails in its own ways
            return type(error).__name__
        return ""

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # Pillow decodes without holding the GIL
        broken = list(pool.map(decode, range(len(files))))
    if all(broken):
        raise DataError(f"none of the {len(files):,} images of {folder} can be read, as {files[0][1]} ({broken[0]})")
    read = [i for i, error in enumerate(broken) if not error]
    unread = [f"{files[i][1]} ({error})" for i, error in enumerate(broken) if error]
    notes = [f"left out: {len(unread):,} images that can't be read: {few(unread)}"] if unread else []
    notes += [f"left out: folders without images: {few(empty)}"] if empty else []
    names = sorted({files[i][0] for i in read})
    pixels = pixels[read] if unread else pixels
    if (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all():
        pixels = pixels[..., :1]
    features, shape = as_features(pixels.transpose(0, 3, 1, 2))
    return Collection(
        source=str(folder),
        kind="images",
        features=features,
        given=np.array([names.index(files[i][0]) for i in read], np.int64),
        class_names=tuple(names),
        ids=tuple(files[i][1] for i in read),
        trusted=np.full(len(read), -1),
        shape=shape,
        notes=tuple(notes),
    )


def image_files(folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """(class, path below the folder) of each image, in the order of their names, and the folders that have none."""
    files, empty = [], []
    try:
        classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        for name in classes:
            found = [
                (name, (Path(at) / file).relative_to(folder).as_posix())
                for at, _, inside in os.walk(folder / name)
                for file in inside
                if Path(file).suffix.lower() in ENDINGS and not file.startswith(".")
            ]
            files += sorted(found)
            empty += [] if found else [name]
    except OSError as error:
        raise DataError(f"path={str(folder)!r} can't be read: {error.strerror or error}") from error
    return files, empty


def as_features(pixels: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Images (N, C, H, W) of any numbers as features (N, D) float32 of mean 0 and deviation 1 a channel, and a shape.

    Pixels that are not numbers count as the mean.
    """
    pixels = pixels.astype(np.float32)
    for channel in range(pixels.shape[1]):
        part = pixels[:, channel]
        part[~np.isfinite(part)] = np.nan
        mean, deviation = np.nanmean(part, dtype=np.float64), np.nanstd(part, dtype=np.float64)
        pixels[:, channel] = np.nan_to_num((part - mean) / (deviation or 1))
    return pixels.reshape(len(pixels), -1), tuple(int(side) for side in pixels.shape[1:])
