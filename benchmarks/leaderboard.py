"""Take the stored grids into the book and the stored report: `python -m benchmarks.leaderboard`.

Nothing is measured here: `nlkit sweep NAME` does that.
"""

from __future__ import annotations

import dataclasses

from benchmarks.claims import keep
from benchmarks.report import BOOK, fill_page
from nlkit.claims import CLAIMS, Report, claims_of, stored_report
from nlkit.lessons import board_tables
from nlkit.sweeps.run import load_sweep

PAGE = BOOK / "leaderboard.md"
MARKS = "<!-- leaderboard -->", "<!-- /leaderboard -->"
ON_CLOTHES = "<!-- clothes -->", "<!-- /clothes -->"
GRIDS = ("leaderboard", "leaderboard-clothes", "reweight-or-clean", "human-labels")


def with_the_grids_claims(report: Report) -> Report:
    """The report with the claims of the stored grids as they have them, in the order of the contents."""
    found = {outcome.id: outcome for outcome in report.outcomes}
    for name in GRIDS:
        sweep = load_sweep(name)
        date = max(str(result.made["date"]) for result in sweep.results)
        for id, outcome in claims_of(name, sweep).outcomes.items():
            if id not in found or found[id].values != outcome.values:
                found[id] = dataclasses.replace(outcome, date=date)
    return dataclasses.replace(report, outcomes=tuple(found[id] for id in CLAIMS if id in found))


if __name__ == "__main__":
    fill_page(PAGE, board_tables.on_digits(load_sweep("leaderboard")), MARKS)
    fill_page(PAGE, board_tables.on_clothes(load_sweep("leaderboard-clothes")), ON_CLOTHES)
    keep(with_the_grids_claims(stored_report()))
