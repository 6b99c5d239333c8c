"""Results as a table: one pandas frame, or a Parquet file that other programs read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlkit.checks import DataError
from nlkit.files import check_writable, write_whole
from nlkit.sweeps.results import Result, Sweep

if TYPE_CHECKING:
    import pandas


def to_frame(sweep: Sweep) -> pandas.DataFrame:
    """A row for each epoch of each result: every setting, "epoch" from 1 on, every number kept, "seconds" of the run.

    Options of a method are columns of their own, and so are "date", "nlkit" (its version), "processor", "cores" and
    "device", where they are known; what a run does not have is missing. `frame[frame.epoch == frame.epochs]` are the
    ends of trainings.
    Lists and mappings among the settings stay what they are.
    """
    import pandas

    return pandas.DataFrame([row for result in sweep.results for row in _rows(result)])


def write_parquet(file: str | Path, sweep: Sweep) -> None:
    """Write `to_frame` as a Parquet file, whole or not at all; settings that are lists or mappings become texts.

    Raises a DataError without the package pyarrow, a ValueError or an OSError for a file that can't be written.
    """
    check_writable(file)
    try:
        import pyarrow  # noqa: F401  (what pandas writes with)
    except ImportError as error:
        raise DataError(
            "Parquet needs the package pyarrow, which is not installed: python -m pip install 'nlkit[cluster]'"
        ) from error
    frame = to_frame(sweep)
    for name in [name for name, kind in frame.dtypes.items() if kind.name == "object"]:
        if all(isinstance(value, bool) for value in frame[name].dropna()):
            frame[name] = frame[name].astype("boolean")
        else:  # texts, with lists and mappings among them
            frame[name] = frame[name].map(str, na_action="ignore")
    write_whole(file, lambda stream: frame.to_parquet(stream, index=False))


def _rows(result: Result) -> list[dict[str, Any]]:
    settings = dict(result.settings)
    options = settings.pop("options", {})
    made = {name: result.made[name] for name in ("date", "processor", "cores", "device") if name in result.made}
    versions: Any = result.made.get("versions", {})
    # The device that was asked for is a setting; the one that it was made on says more.
    fixed = {**settings, **(options if isinstance(options, Mapping) else {}), **made}
    fixed |= {"nlkit": versions["nlkit"]} if "nlkit" in versions else {}
    epochs = max(map(len, result.curves.values()), default=0)
    return [
        {**fixed, "seconds": result.seconds, "epoch": epoch + 1}
        | {name: curve[epoch] for name, curve in result.curves.items() if epoch < len(curve)}
        for epoch in range(epochs)
    ]
