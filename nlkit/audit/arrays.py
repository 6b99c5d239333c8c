"""Feature arrays: what a network of yours makes of your data (the best that an audit can get), or images as numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nlkit.audit.collection import Collection, as_numbers
from nlkit.audit.folders import as_features
from nlkit.checks import DataError, shown
from nlkit.data.labels import few

FEATURES, LABELS = ("X", "features", "images", "x"), ("y", "labels", "label")  # names of arrays: the first there is


def read_arrays(path: Path, labels: str | None) -> Collection:
    """The features and labels of an `.npz`, or of an `.npy` and a file of labels; see `collect`."""
    if path.suffix.lower() == ".npz":
        arrays = load_arrays(path)
        features = arrays[_name("X", FEATURES, arrays, path)]
        given = arrays[_name("labels", (labels,) if labels else LABELS, arrays, path)]
    else:
        if labels is None:
            raise ValueError(f"labels must name the file with a label for each row of {path.name}: .npy, or a text")
        features, given = load_arrays(path)[""], read_labels(Path(labels).expanduser())
    return from_arrays(features, given, str(path))


def from_arrays(features: np.ndarray, given: np.ndarray, source: str = "arrays") -> Collection:
    """Features (N, D), or images (N, H, W), (N, H, W, C) or (N, C, H, W), with a label (N,) for each.

    Neither array is changed. Raises a ValueError that says which of them makes no sense.
    """
    features, given = np.asarray(features), np.asarray(given)
    if features.dtype.kind not in "fiub" or features.ndim not in (2, 3, 4) or not features.size:
        raise ValueError(
            f"{source} has {features.shape} of {features.dtype}; features must be numbers (N, D), or images (N, H, W), "
            "(N, H, W, C) or (N, C, H, W)"
        )
    if given.ndim != 1 or len(given) != len(features):
        raise ValueError(f"labels has shape {given.shape} for {len(features):,} rows; it must be one label a row")
    missing = _missing(given)
    if missing.all():
        raise ValueError(f"labels has no label (NaN or empty) in all {len(given):,} places")
    keep = np.flatnonzero(~missing)
    notes = [f"left out: {missing.sum():,} rows without a label"] if missing.any() else []
    features, shape = features[keep], None
    if features.ndim > 2:
        features, shape = as_features(_channels_first(features, source))
    else:
        features, more = standard(features)
        notes += more
    numbers, names = as_numbers(given[keep].tolist() if given.dtype.kind == "O" else given[keep])
    return Collection(
        source=source,
        kind="arrays",
        features=features,
        given=numbers,
        class_names=names,
        ids=tuple(map(str, keep.tolist())),
        trusted=np.full(len(keep), -1),
        shape=shape,
        notes=tuple(notes),
    )


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; that of an `.npy` has the name "". Nothing in it is run. Raises a DataError."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except Exception as error:  # a broken archive fails in many ways
        raise DataError(f"{path} can't be read as an array of numbers or texts: {shown(error)}") from error


def read_labels(file: Path) -> np.ndarray:
    """A label for each row, from an `.npy` or from a text with one a line."""
    if not file.is_file():
        raise ValueError(f"labels={str(file)!r} does not exist; name a file with a label for each row")
    if file.suffix.lower() == ".npy":
        return load_arrays(file)[""]
    try:
        return np.array([line.strip() for line in file.read_text(encoding="utf-8").splitlines()])
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"labels={str(file)!r} can't be read: {shown(error)}") from error


def standard(features: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Columns (N, D) at mean 0 and deviation 1, gaps at the mean, without those that tell nothing; and notes.

    Raises a ValueError where no column tells anything.
    """
    features = features.astype(np.float32)
    features[~np.isfinite(features)] = np.nan
    gaps = np.isnan(features)
    filled = ~gaps.all(0)
    features, gaps = features[:, filled], gaps[:, filled]
    mean, deviation = (np.asarray(f(features, axis=0, dtype=np.float64)) for f in (np.nanmean, np.nanstd))
    varies = deviation > 1e-12
    if not varies.any():
        raise ValueError("features has no column that varies; there is nothing to learn from")
    notes = [f"left out: {(~filled).sum():,} columns without any number"] if not filled.all() else []
    notes += [f"left out: {(~varies).sum():,} columns that are the same in every row"] if not varies.all() else []
    if count := int(gaps.any(1).sum()):
        notes.append(f"{count:,} rows have gaps (NaN or infinity): each gap counts as its column's mean")
    features = (features[:, varies] - mean[varies]) / deviation[varies]
    return np.nan_to_num(features).astype(np.float32), notes


def _channels_first(images: np.ndarray, source: str) -> np.ndarray:
    if images.ndim == 3:
        return images[:, None]
    if images.shape[1] in (1, 3, 4):
        return images
    if images.shape[3] in (1, 3, 4):
        return images.transpose(0, 3, 1, 2)
    raise ValueError(f"{source} has images of shape {images.shape[1:]}; one side must be 1, 3 or 4 channels")


def _missing(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind == "f":
        return ~np.isfinite(labels)
    return np.array([not text.strip() for text in labels.astype(str)]) if labels.dtype.kind in "US" else np.zeros(
        len(labels), bool
    )  # fmt: skip


def _name(argument: str, asked: tuple[str, ...], arrays: dict[str, np.ndarray], path: Path) -> str:
    for name in asked:
        if name in arrays:
            return name
    raise ValueError(f"{argument}={asked[0]!r} is no array of {path.name}, which has {few(map(repr, arrays))}")
