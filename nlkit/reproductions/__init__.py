"""Reproductions: every claim of the registry measured over seeds, and a report of what holds.

    measures.py   how the claims of the notebooks are measured, on 5,000 digits
    full_size.py  the tutorial's experiment on all of MNIST, with the controls that it lacks
    how_far.py    the leaderboard on all of MNIST: its claims, and its tables for the README
    study.py      runs the measures, from where it was broken off
    report.py     outcomes with their intervals and verdicts, kept as JSON
    page.py       the same to read: an HTML page, and the README's tables

`nlkit reproduce` does all of it; the package carries the outcomes of a full run.
"""

from nlkit.reproductions.report import Outcome, Report, stored_report
from nlkit.reproductions.study import Study

__all__ = ["Outcome", "Report", "Study", "stored_report"]
