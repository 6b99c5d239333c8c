"""Files: where things are, whole-file writes that leave nothing half-written, and JSON without NaN."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from nlkit.settings import plain


def kit_folder() -> Path | None:
    """The kit's own checkout, with `notebooks/` and `data/`; None when only the package is installed."""
    folder = Path(__file__).resolve().parent.parent
    return folder if (folder / "notebooks").is_dir() else None


def data_folders() -> list[Path]:
    """Where data sets are looked for: $NLKIT_DATA first, then the kit's `data/`. A download lands in the first."""
    named = os.environ.get("NLKIT_DATA")
    own = (kit_folder() or Path.cwd()) / "data"
    # expanduser leaves `~nobody` as it is, and realpath a loop of links: both are folders that aren't there.
    return [Path(os.path.realpath(os.path.expanduser(named))), own] if named else [own]


def write_whole(path: str | Path, content: str | bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all: what was there before is replaced at once, when all of `content` is written.

    content: text (as UTF-8), bytes, or a function that writes into the binary stream that it is given, such as
        `lambda stream: torch.save(state, stream)`.
    It is written beside the file, under its name and `.partial`, which is removed when anything goes wrong. A device or
    a pipe, which nothing can take the place of, is written to directly.

    Raises an OSError, of one line with path and reason, when the file can't be written (a full disk, no permission);
    whatever else `content` raises is passed on.
    """
    path = Path(os.path.realpath(path))  # behind a link, the file is replaced, and not the link
    if isinstance(content, str):
        content = content.encode()
    special = path.exists() and not path.is_file()
    partial = path if special else _partial(path)
    try:
        try:
            with partial.open("wb") as stream:
                content(stream) if callable(content) else stream.write(content)
            if not special:
                os.replace(partial, path)
        except BaseException:
            if not special:
                partial.unlink(missing_ok=True)
            raise
    except Exception as error:
        # Libraries that write through the stream may raise an error of their own after the stream's.
        if (cause := _os_error(error)) is None:
            raise
        raise OSError(f"{path} could not be written: {cause.strerror or cause}") from error


def check_writable(path: str | Path, argument: str = "file") -> Path:
    """The path of a file that `write_whole` can write, as far as that can be told; nothing is left behind.

    argument: how the message calls it.
    Raises a ValueError for a folder, or a file in a folder that doesn't exist; an OSError where nothing can be written.
    """
    path, real = Path(path), Path(os.path.realpath(path))
    if real.is_dir():
        raise ValueError(f"{argument}={str(path)!r} is a folder; it must be a file")
    if not real.parent.is_dir():
        raise ValueError(f"{argument}={str(path)!r} is in a folder that does not exist: {real.parent}")
    if real.exists() and not real.is_file():  # a device or a pipe: opening it might wait for a reader
        return path
    partial = _partial(real)
    try:
        there = partial.exists()
        partial.open("ab").close()
        if not there:
            with contextlib.suppress(FileNotFoundError):  # another process may check the same file
                partial.unlink()
    except OSError as error:
        raise OSError(f"{argument}={str(path)!r} can't be written: {error.strerror or error}") from error
    return path


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _os_error(error: BaseException | None) -> OSError | None:
    """The OSError that `error` is or came from."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def to_json(value: object, indent: int | None = None, sort_keys: bool = False) -> str:
    """JSON of plain values (see `nlkit.settings.plain`), with null for NaN and infinity, which JSON does not have."""
    return json.dumps(_without_nan(plain(value)), allow_nan=False, indent=indent, sort_keys=sort_keys)


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
