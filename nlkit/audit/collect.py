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
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nlkit.checks import DataError, check_choice, check_integer, shown
from nlkit.data.labels import few

if TYPE_CHECKING:
    import pandas
    from scipy.sparse import csr_matrix

LEAST = 5  # examples that a class needs, so that each of five parts has one
SIZE = 32  # pixels of a side to which images are scaled for the model


@dataclass(frozen=True, eq=False)
class Collection:
    """Examples with labels that may be wrong, as they were found."""

    source: str  # the path that was named
    kind: str  # "images", "table" or "arrays"
    features: np.ndarray | csr_matrix  # (N, D) float32, all finite
    given: np.ndarray  # (N,) int64, 0 … K - 1
    class_names: tuple[str, ...]
    ids: tuple[str, ...]  # of each example: its path below the folder, or its row counted from 0
    trusted: np.ndarray  # (N,) int64: the label that somebody has checked, or -1
    shape: tuple[int, int, int] | None = None  # (C, H, W) of which the features are the pixels; None: no images
    rows: pandas.DataFrame | None = None  # of a table: what was read, without the labels
    notes: tuple[str, ...] = field(default=())  # what was left out, and why

    @property
    def count(self) -> int:
        return len(self.given)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def clean(self) -> np.ndarray:  # (N,) bool
        return self.trusted >= 0

    @property
    def believed(self) -> np.ndarray:  # (N,) the checked label where there is one, and else the given one
        return np.where(self.clean, self.trusted, self.given)

    def file_of(self, place: int) -> Path | None:
        """The image file of an example, where it has one."""
        return Path(self.source) / self.ids[place] if self.kind == "images" else None


def collect(path: str | Path, labels: str | None = None, clean: str | Path | None = None, *, size: int = SIZE) -> (
    Collection
):  # fmt: skip
    """Read what is to be audited. Files are only ever opened to be read.

    path: a folder that has a folder of images for each class (as torchvision's ImageFolder); a `.csv` or `.parquet`
        table; an `.npz` archive with the arrays `X` and `y`; or an `.npy` array of features (N, D), or of images
        (N, H, W), (N, H, W, C) or (N, C, H, W).
    labels: of a table, the column that has them (needed); of an `.npz`, the array that has them ("y" unless given); of
        an `.npy`, a file with one label for each row (`.npy`, or a text with one a line; needed). Folders have theirs.
    clean: the trusted part, see above.
    size: pixels of a side to which images are scaled for the model, 8 to 64.

    Images that can't be read, rows without a label, columns of which nothing is to be learned and classes with fewer
    than five examples are left out, and `notes` say so. Raises a ValueError that names the argument when what is asked
    for makes no sense or leaves fewer than two classes, a DataError when there is nothing to read, or not all at once.
    """
    from nlkit.audit.arrays import read_arrays
    from nlkit.audit.folders import read_folder
    from nlkit.audit.tables import read_table

    check_integer("size", size, 8, 64)
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
        found = read_arrays(path, labels, size)
    else:
        raise ValueError(f"path={str(path)!r} must be a folder, or end in .csv, .parquet, .npy or .npz")
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
    from nlkit.audit.duplicates import same_features

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
    note = f"{(~rows).sum():,} examples of classes with fewer than {LEAST}: {small}"
    trusted = np.where(found.clean, new[found.believed], -1)[rows]
    names = tuple(name for name, kept in zip(found.class_names, keep) if kept)
    left = at(found, np.flatnonzero(rows), note)
    return replace(left, class_names=names, given=new[found.given][rows], trusted=trusted)


def at(found: Collection, places: np.ndarray, note: str = "") -> Collection:
    """The examples at these places alone."""
    return replace(
        found,
        features=found.features[places],
        given=found.given[places],
        trusted=found.trusted[places],
        ids=tuple(found.ids[place] for place in places.tolist()),
        rows=None if found.rows is None else found.rows.iloc[places],
        notes=(*found.notes, note) if note else found.notes,
    )


def as_numbers(labels: Sequence[object]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of any kind as numbers (N,) int64, and the names of the classes in their order: numbers by size."""
    values = np.asarray(labels)
    names, numbers = np.unique(values if values.dtype.kind in "biuf" else values.astype(str), return_inverse=True)
    if values.dtype.kind == "f" and (names == np.round(names)).all():
        names = names.astype(np.int64)  # whole numbers, of a column that had gaps
    return numbers.astype(np.int64), tuple(str(name) for name in names.tolist())
