"""A collection: examples with labels that may be wrong, whatever kind of file they were read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas
    from scipy.sparse import csr_matrix


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
    notes: tuple[str, ...] = field(default=())  # what was left out, or taken otherwise than it stands

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


def check_outside(folder: Path, path: Path, argument: str) -> None:
    """A ValueError for a folder to write to that is the data's own folder, or within it."""
    inside = path.resolve()
    if path.is_dir() and (folder.resolve() == inside or inside in folder.resolve().parents):
        raise ValueError(
            f"{argument}{str(folder)!r} is within the data; name a folder outside, so that they stay as they are"
        )


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
