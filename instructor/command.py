"""How a module of this folder is run as a command: it makes something in a folder, or says in a line why it can't."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path


def run(main: Callable[[Path], None], folder: str, failed: str) -> None:
    """Call `main` with the folder that the command line names, or else with `folder`.

    failed: what is said before the reason, on an OSError or a ValueError, which end in exit code 1.
    """
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else folder))
    except (OSError, ValueError) as error:
        sys.exit(f"{failed}: {error}")
