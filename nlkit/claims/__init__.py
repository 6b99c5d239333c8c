"""Claims: what the course and the atlas say, measured over seeds, and a report of what holds.

    trial.py    one seed of a page, which has its runs made or finds them
    study.py    runs the measures, from where it was broken off
    report.py   outcomes with their intervals and verdicts, kept as JSON
    checked.py  the table at the end of a notebook
    tables.py   the same for the terminal and for the book
    html.py     the same as a page to read

Each claim stands on the page of its lesson or paper, with its sentence, its measure and its bound, and is measured by
that one function wherever it is shown. `nlkit reproduce` does all of it; the package carries what a full run found.
"""

from nlkit.claims.checked import CheckedClaims, claims_of, recorded
from nlkit.claims.report import Outcome, Report, stored_report
from nlkit.claims.study import Study
from nlkit.contents import CLAIMS
from nlkit.page import Claim

__all__ = ["CLAIMS", "CheckedClaims", "Claim", "Outcome", "Report", "Study", "claims_of", "recorded", "stored_report"]
