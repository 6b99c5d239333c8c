"""Where things are: the kit's checkout, and the folders in which data sets are looked for."""

from __future__ import annotations

import os
from pathlib import Path


def kit_folder() -> Path | None:
    """The kit's own checkout, with `notebooks/` and `data/`; None when only the package is installed."""
    folder = Path(__file__).resolve().parent.parent
    return folder if (folder / "notebooks").is_dir() else None


def data_folders() -> list[Path]:
    """Where data sets are looked for: $NLKIT_DATA first, then the kit's `data/`. A download lands in the first."""
    named = os.environ.get("NLKIT_DATA")
    own = (kit_folder() or Path.cwd()) / "data"
    return [Path(named).expanduser().resolve(), own] if named else [own]
