"""Fill the README's leaderboard from the stored grid: `python -m benchmarks.leaderboard`.

Nothing is measured here: `nlkit sweep leaderboard` does that.
"""

from __future__ import annotations

from benchmarks.report import FOLDER, fill_readme
from nlkit.reproductions.how_far import readme
from nlkit.sweep import load_sweep

MARKS = "<!-- leaderboard -->", "<!-- /leaderboard -->"

if __name__ == "__main__":
    fill_readme(FOLDER.parent / "README.md", readme(load_sweep("leaderboard")), MARKS)
