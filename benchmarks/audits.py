"""How well audits find wrong labels: `python -m benchmarks.audits` runs what the grid lacks, and fills the book.

It takes CIFAR-10, CIFAR-10N, Fashion-MNIST, MNIST and people's verdicts (see `nlkit.audit.proof`), and half an hour.
"""

from __future__ import annotations

import sys

from benchmarks.report import BOOK, fill_page
from nlkit.audit.proof import grid
from nlkit.audit.standings import in_markdown
from nlkit.sweeps.run import load_sweep, run_sweep, stored

PAGE = BOOK / "your_own_data.md"
MARKS = "<!-- audits -->", "<!-- /audits -->"


if __name__ == "__main__":
    from tqdm import tqdm

    for _ in tqdm(run_sweep(grid(), stored("audit")), unit="audit", file=sys.stderr, disable=None):
        pass
    fill_page(PAGE, in_markdown(load_sweep("audit")), MARKS)
