"""A table with a column of labels: numbers, categories and texts become features."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nlkit.audit.collection import Collection, as_numbers
from nlkit.checks import DataError, check_choice, shown
from nlkit.data.labels import few

if TYPE_CHECKING:
    import pandas

MOST_CATEGORIES = 50  # of a column: beyond, the rarest are one category together
MOST_CLASSES = 200
MOST_TERMS = 20_000  # of a column of texts
TRUE = {"1", "1.0", "true", "yes", "clean", "trusted"}
FALSE = {"0", "0.0", "false", "no", "", "nan", "none", "<na>"}


def read_table(path: Path, labels: str | None, clean: str | None = None) -> Collection:
    """A `.csv` or `.parquet` table; `clean` may name a column, and is for `collect` to read where it names none."""
    return from_frame(_open(path), labels, clean, str(path))


def from_frame(
    frame: pandas.DataFrame, labels: str | None, clean: str | None = None, source: str = "a table"
) -> Collection:
    """A frame with a column of labels, and perhaps one that marks what is trusted; it is not changed."""
    if labels is None:
        raise ValueError(f"labels must name the column that has the labels; {source} has {few(frame.columns, 12)}")
    check_choice("labels", labels, frame.columns)
    missing = frame[labels].isna() | (frame[labels].astype(str).str.strip() == "")
    if frame[labels].dtype.kind == "f":
        missing |= np.isinf(frame[labels])
    if missing.all():
        raise ValueError(f"labels={labels!r} is empty in all {len(frame):,} rows of {source}")
    unlabelled = few(map(str, np.flatnonzero(missing)))
    notes = [f"left out: {missing.sum():,} rows without a label: {unlabelled}"] if missing.any() else []
    places = np.flatnonzero(~missing)
    frame = frame.iloc[places].reset_index(drop=True)
    column = frame.pop(labels)
    given, names = as_numbers(column.astype(str) if column.dtype.kind not in "biuf" else column.to_numpy())
    if len(names) > MOST_CLASSES or (column.dtype.kind == "f" and len(names) > max(20, len(column) // 20)):
        raise ValueError(f"labels={labels!r} has {len(names):,} different values; an audit is of classes, not measures")
    trusted = np.full(len(frame), -1)
    if clean is not None and clean in frame.columns:
        trusted = np.where(_marked(frame.pop(clean), clean), given, -1)
    features, more = as_features(frame)
    return Collection(
        source=source,
        kind="table",
        features=features,
        given=given,
        class_names=names,
        ids=tuple(map(str, places.tolist())),
        trusted=trusted,
        rows=frame,
        notes=(*notes, *more),
    )


def as_features(frame: pandas.DataFrame):
    """Columns as features (N, D) float32, dense or sparse, and notes of what was left out.

    A number is brought to mean 0 and deviation 1, its gaps to the median; a category becomes a column for each of its
    values; texts become TF-IDF of words and of pairs of words. A column of texts that differ in every row and have no
    spaces is a name of the row and is left out, and so is one that is empty or the same everywhere.
    Raises a ValueError where no column is left.
    """
    from scipy import sparse
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    kinds = {str(name): kind_of(frame[name]) for name in frame.columns}
    frame = frame.set_axis(list(kinds), axis=1)
    numbers = [name for name, kind in kinds.items() if kind == "number"]
    categories = [name for name, kind in kinds.items() if kind == "category"]
    texts = [name for name, kind in kinds.items() if kind == "text"]
    notes = [
        f"left out: columns that {what}: {few(left)}"
        for what in ("are empty", "are the same in every row", "only name their row")
        if (left := [name for name, kind in kinds.items() if kind == what])
    ]
    if not numbers and not categories and not texts:
        why = "; ".join(notes) or "none at all"
        raise ValueError(f"the table has no column to learn from beside the labels: {why}")
    ready = frame.copy()
    for name in numbers:
        column = ready[name]
        ready[name] = (column.astype("int64") if column.dtype.kind in "mM" else column).astype(np.float64)
        ready[name] = ready[name].where(np.isfinite(ready[name]))
    for name in categories + texts:
        ready[name] = ready[name].astype(str).where(ready[name].notna(), "")
    gaps = int(ready[numbers].isna().any(axis=1).sum()) if numbers else 0
    if gaps:
        notes.append(f"{gaps:,} rows have gaps (NaN or infinity): each gap counts as its column's median")
    parts = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("categories", OneHotEncoder(max_categories=MOST_CATEGORIES, dtype=np.float32), categories),
        *((f"text {name}", _words(TfidfVectorizer), name) for name in texts),
    ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a column of words that are all stop words, which the next line tells
        features = parts.fit_transform(ready)
    if sparse.issparse(features) and features.shape[1] <= 512:
        features = features.toarray()
    return (features.tocsr() if sparse.issparse(features) else features).astype(np.float32), notes


def kind_of(column: pandas.Series) -> str:
    """What a column is: "number", "category" or "text", or why it is left out."""
    filled = column.dropna()
    if column.dtype.kind == "f":
        filled = filled[np.isfinite(filled)]
    distinct = filled.nunique() if column.dtype.kind != "O" else filled.astype(str).nunique()
    if not len(filled):
        return "are empty"
    if distinct == 1 and (len(filled) == len(column) or column.dtype.kind in "fmM"):
        return "are the same in every row"
    if column.dtype.kind in "biufmM" and str(column.dtype) != "category":
        return "number"
    words = filled.astype(str).str.split().str.len().mean()
    if words > 3 or (distinct > MOST_CATEGORIES and words > 1.5 and distinct > len(filled) // 2):
        return "text"
    return "only name their row" if distinct == len(filled) and len(filled) > MOST_CATEGORIES else "category"


def _words(vectorizer):
    return vectorizer(
        max_features=MOST_TERMS, min_df=1, ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b",
        dtype=np.float32,
    )  # fmt: skip


def _marked(column: pandas.Series, name: str) -> np.ndarray:
    """Which rows a column marks as trusted; a ValueError for a value that is neither yes nor no."""
    values = column.astype(str).str.strip().str.lower()
    if strange := sorted(set(values) - TRUE - FALSE):
        raise ValueError(f"clean={name!r} is a column with {few(map(repr, strange))}; it must mark rows by 1 and 0")
    if not values.isin(TRUE).any():
        raise ValueError(f"clean={name!r} is a column that marks no row by 1; leave it out, or mark what is trusted")
    return values.isin(TRUE).to_numpy()


def _open(path: Path) -> pandas.DataFrame:
    import pandas

    try:
        if path.suffix.lower() == ".parquet":
            _need_pyarrow()
            frame = pandas.read_parquet(path)
        else:
            frame = pandas.read_csv(path, low_memory=False)
    except DataError:
        raise
    except Exception as error:  # each reader fails in its own ways
        raise DataError(f"path={str(path)!r} can't be read as a table: {shown(error)}") from error
    if not len(frame):
        raise ValueError(f"path={str(path)!r} is a table without rows")
    return frame


def _need_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise DataError(
            "Parquet needs the package pyarrow: python -m pip install 'nlkit[audit]'; or name a .csv"
        ) from error
