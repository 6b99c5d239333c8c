"""Keep a full run of `nlkit reproduce` with the package, and fill the README's tables from it.

`python -m benchmarks.claims FOLDER` takes the report of that folder; without one, that which the package has already.
Nothing is measured here: run `nlkit reproduce --folder FOLDER` first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.report import FOLDER, fill_readme
from nlkit.claims import CLAIMS
from nlkit.reproductions import stored_report
from nlkit.reproductions.report import STORED, Report, load_report
from nlkit.reproductions.tables import readme

README = FOLDER.parent / "README.md"
MARKS = "<!-- claims -->", "<!-- /claims -->"


def keep(report: Report) -> None:
    """Store the report, and fill the README. Raises a ValueError unless it is that of a full run of every claim."""
    missing = CLAIMS.keys() - {outcome.id for outcome in report.outcomes}
    if report.made["quick"] or missing:
        raise ValueError(f"a full run of every claim is to be kept; this one is quick or lacks {sorted(missing)}")
    report.save(STORED)
    fill_readme(README, readme(report), MARKS)


if __name__ == "__main__":
    keep(load_report(Path(sys.argv[1]) / "report.json") if sys.argv[1:] else stored_report())
