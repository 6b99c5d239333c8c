"""Take the stored grids into the README and the stored report: `python -m benchmarks.leaderboard`.

Nothing is measured here: `nlkit sweep leaderboard` and `nlkit sweep reweight-or-clean` do that.
"""

from __future__ import annotations

import dataclasses

from benchmarks.claims import keep
from benchmarks.report import FOLDER, fill_readme
from nlkit.claims import CLAIMS
from nlkit.reproductions import Outcome, Report, how_far, noisy_or_clean, stored_report
from nlkit.standings import standings
from nlkit.sweep import load_sweep

MARKS = "<!-- leaderboard -->", "<!-- /leaderboard -->"


def with_the_grids_claims(report: Report) -> Report:
    """The report with the claims of the stored grids as they have them, in the registry's order."""
    found = {outcome.id: outcome for outcome in report.outcomes}
    board, sizes = load_sweep("leaderboard"), load_sweep(noisy_or_clean.GRID)
    for sweep, values in ((board, how_far.by_seed(standings(board))), (sizes, noisy_or_clean.by_seed(sizes))):
        date = max(result.made["date"] for result in sweep.results)
        found |= {id: Outcome(id, v, date) for id, v in values.items() if id not in found or found[id].values != v}
    return dataclasses.replace(report, outcomes=tuple(found[id] for id in CLAIMS if id in found))


if __name__ == "__main__":
    fill_readme(FOLDER.parent / "README.md", how_far.readme(load_sweep("leaderboard")), MARKS)
    keep(with_the_grids_claims(stored_report()))
