"""Keep a run of `nlkit reproduce` with the package, and fill the book's tables from it.

`python -m benchmarks.claims FOLDER` takes the report of that folder; without one, that which the package has already.
Claims that the run left out (`--only`) stay as they are kept, with the date on which they were measured.
Nothing is measured here: run `nlkit reproduce --folder FOLDER` first.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from benchmarks.report import BOOK, fill_page
from nlkit.claims import stored_report
from nlkit.claims.report import STORED, Report, load_report
from nlkit.claims.tables import in_markdown
from nlkit.contents import LESSONS, PAGE_OF

PAGE = BOOK / "claims.md"
MARKS = "<!-- claims -->", "<!-- /claims -->"


def keep(report: Report) -> None:
    """Store the report, and fill the book's page. Raises a ValueError for a quick run, or a claim never measured."""
    report = report.over(stored_report())
    kept = tuple(outcome for outcome in report.outcomes if PAGE_OF[outcome.id] in LESSONS)  # a paper has its own file
    if missing := {id for id, page in PAGE_OF.items() if page in LESSONS} - {outcome.id for outcome in kept}:
        raise ValueError(f"these claims are still to be measured: {', '.join(sorted(missing))}")
    report = dataclasses.replace(report, outcomes=kept)
    report.save(STORED)
    fill_page(PAGE, in_markdown(report), MARKS)


if __name__ == "__main__":
    keep(load_report(Path(sys.argv[1]) / "report.json") if sys.argv[1:] else stored_report())
