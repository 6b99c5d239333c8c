"""What is to be audited, read from where it is: images by class, a table, or feature arrays. Nothing is written there.

A trusted part may come with it, `clean`: rows whose labels somebody has checked. It is

- a text or CSV file of the rows' ids, one a line, as the report names them (an image's path below the folder, a row's
  number counted from 0); a second column may hold the label that was found right, where it is not the given one; or
- the name of a column of the table, in which 1, true, yes and clean mark what is trusted.

A file of ids was chosen over a second folder, since it names what is in the collection already: nothing has to be
copied or matched, the CSV that the audit writes can be cut down to it, and a label can be put right in it.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nlkit.audit.arrays import from_arrays, read_arrays
from nlkit.audit.collection import Collection, at
from nlkit.audit.duplicates import same_features
from nlkit.audit.folders import read_folder
from nlkit.audit.tables import from_frame, read_table
from nlkit.checks import DataError, check_choice, check_integer, shown
from nlkit.data.labels import few

if TYPE_CHECKING:
    import pandas

LEAST = 5  # examples that a class needs, so that each of five parts has one
SIZE = 32  # pixels of a side to which images are scaled for the model


def collect(
    path: str | Path | pandas.DataFrame | tuple[np.ndarray, np.ndarray],
    labels: str | None = None,
    clean: str | Path | None = None,
    *,
    size: int = SIZE,
) -> Collection:
    """Read what is to be audited. Files are only ever opened to be read.

    path: a folder that has a folder of images for each class (as torchvision's ImageFolder); a `.csv` or `.parquet`
        table; an `.npz` archive with the arrays `X` and `y`; or an `.npy` array of features (N, D), or of images
        (N, H, W), (N, H, W, C) or (N, C, H, W). What is in memory goes in as a pandas frame or as a pair (X, y).
    labels: of a table, the column that has them (needed); of an `.npz`, the array that has them ("y" unless given); of
        an `.npy`, a file with one label for each row (`.npy`, or a text with one a line; needed). Folders have theirs.
    clean: the trusted part, see above.
    size: pixels of a side to which images are scaled for the model, 8 to 64.

    Images that can't be read, rows without a label, columns of which nothing is to be learned and classes with fewer
    than five examples are left out, and `notes` say so. Raises a ValueError that names the argument when what is asked
    for makes no sense or leaves fewer than two classes, a DataError when there is nothing to read, or not all at once.
    """
    check_integer("size", size, 8, 64)
    if isinstance(path, tuple):
        return _checked(from_arrays(*path), clean)
    if hasattr(path, "columns"):
        return _checked(from_frame(path, labels, None if clean is None else str(clean)), clean)
    path = Path(path).expanduser()
    if not path.exists():
        raise ValueError(f"path={str(path)!r} does not exist; name a folder of images, a table or an array of features")
    if path.is_dir():
        if labels is not None:
            raise ValueError(
                f"labels={labels!r} must be left out for a folder: the names of its folders are the labels; for a "
                "flat folder, make a table with a column of features instead"
            )
        found = read_folder(path, size)
    elif path.suffix.lower() in (".csv", ".parquet"):
        found = read_table(path, labels, str(clean) if clean is not None else None)
    elif path.suffix.lower() in (".npy", ".npz"):
        found = read_arrays(path, labels)
    else:
        raise ValueError(f"path={str(path)!r} must be a folder, or end in .csv, .parquet, .npy or .npz")
    return _checked(found, clean)


def _checked(found: Collection, clean: str | Path | None) -> Collection:
    """With what a file says is trusted, unless a column has said so, and without classes too small to be compared."""
    if clean is not None and not found.clean.any():
        found = with_trusted(found, read_trusted(clean))
    return without_small_classes(check_clean(found))


def read_trusted(file: str | Path) -> dict[str, str | None]:
    """The ids in a file of trusted rows, and the label of those that have one; a first line `id…` is its heading.

    Raises a ValueError for a file that isn't there, has no ids, or tells two labels of one row.
    """
    file = Path(file).expanduser()
    if not file.is_file():
        raise ValueError(f"clean={str(file)!r} is neither a file of ids nor a column of the table")
    told: dict[str, str | None] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = [[cell.strip() for cell in line] for line in csv.reader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"clean={str(file)!r} can't be read: {shown(error)}") from error
    for number, line in enumerate(lines):
        if not line or not line[0] or (not number and line[0].lower() in ("id", "row", "path", "file")):
            continue
        label = line[1] if len(line) > 1 and line[1] else None
        if told.get(line[0], label) != label:
            raise ValueError(f"clean={str(file)!r} tells two labels of {line[0]}: {told[line[0]]!r} and {label!r}")
        told[line[0]] = label
    if not told:
        raise ValueError(f"clean={str(file)!r} names no row; write one id a line, as the report names them")
    return told


def with_trusted(found: Collection, told: dict[str, str | None]) -> Collection:
    """The collection with these rows trusted: ids, and the right label of those that have one.

    Raises a ValueError for an id or a label that it does not have.
    """
    place = {id: number for number, id in enumerate(found.ids)}
    if unknown := [id for id in told if id not in place]:
        raise ValueError(
            f"clean names {few(map(repr, unknown))}, and {found.source} has no such row; ids are like "
            f"{found.ids[0]!r} (one that was left out can't be trusted either)"
        )
    trusted = found.trusted.copy()
    for id, label in told.items():
        if label is not None:
            check_choice(f"clean's label of {id}", label, found.class_names)
        trusted[place[id]] = found.given[place[id]] if label is None else found.class_names.index(label)
    return replace(found, trusted=trusted)


def check_clean(found: Collection) -> Collection:
    """The collection as it is; a ValueError where two trusted examples are alike and their labels are not."""
    places = np.flatnonzero(found.clean)
    for group in same_features(found.features[places]):
        members = places[group]
        if len(set(found.trusted[members].tolist())) > 1:
            told = few(f"{found.ids[i]} ({found.class_names[found.trusted[i]]})" for i in members)
            raise ValueError(f"clean contradicts itself: these are the same, and their labels are not: {told}")
    return found


def without_small_classes(found: Collection) -> Collection:
    """Without the classes of fewer than five examples; a ValueError where fewer than two are left."""
    counts = np.bincount(found.believed, minlength=found.num_classes)
    counts = np.minimum(counts, np.bincount(found.given, minlength=found.num_classes))
    keep = counts >= LEAST
    if keep.sum() < 2:
        raise ValueError(
            f"{found.source} has {keep.sum()} class(es) of at least {LEAST} examples, among {found.num_classes}: "
            f"{few(f'{name} ({count})' for name, count in zip(found.class_names, counts))}; an audit compares classes, "
            "and needs two"
        )
    if keep.all():
        return found
    small = few(f"{name} ({count})" for name, count, kept in zip(found.class_names, counts, keep) if not kept)
    new = np.cumsum(keep) - 1
    rows = keep[found.given] & keep[found.believed]
    note = f"left out: {(~rows).sum():,} examples of classes with fewer than {LEAST}: {small}"
    trusted = np.where(found.clean, new[found.believed], -1)[rows]
    names = tuple(name for name, kept in zip(found.class_names, keep) if kept)
    left = at(found, np.flatnonzero(rows), note)
    return replace(left, class_names=names, given=new[found.given][rows], trusted=trusted)
