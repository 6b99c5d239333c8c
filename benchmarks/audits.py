"""How well audits find wrong labels: `python -m benchmarks.audits` runs what the grid lacks, and fills the book.

It takes CIFAR-10, CIFAR-10N, Fashion-MNIST, MNIST and people's verdicts (see `nlkit.audit.proof`), and half an hour.
"""

from __future__ import annotations

import sys

from benchmarks.report import BOOK, fill_page
from nlkit.audit.proof import grid
from nlkit.audit.standings import in_markdown
from nlkit.sweeps.folder import pack
from nlkit.sweeps.run import load_sweep, run_sweep, stored

PAGE = BOOK / "your_own_data.md"
MARKS = "<!-- audits -->", "<!-- /audits -->"
FOLDER = "sweeps/audit"


def measure() -> None:
    """Run what the stored results lack of the grid, and put it with them; broken off, it goes on."""
    from tqdm import tqdm

    runs = run_sweep(grid(), FOLDER, known=load_sweep("audit"))
    for _ in tqdm(runs, unit="audit", file=sys.stderr, disable=None):
        pass
    pack(FOLDER, stored("audit"), grid())


if __name__ == "__main__":
    measure()
    fill_page(PAGE, in_markdown(load_sweep("audit")), MARKS)
