"""A paper is one module, one notebook and one line: one is thrown into a copy of the tree, and nothing else edited."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
MODULE = '''"""How often a coin shows heads: a paper that was never written.

    x = heads / throws
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nlkit.page import Claim, Page
from nlkit.records import Measured
from nlkit.settings import check_settings, setting


@dataclass(frozen=True)
class Coin:
    """A coin that is thrown."""

    heads: float = setting(0.5, "How likely heads is.", low=0, high=1, knob=True)
    throws: int = setting(100, "Throws an epoch.", low=1, high=1000, knob=True, log=True)
    epochs: int = setting(5, "Epochs.", low=1, high=20)
    seed: int = setting(0, "Seed of the throws.", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        generator, seen = np.random.default_rng(self.seed), 0
        for epoch in range(1, self.epochs + 1):
            seen += int((generator.random(self.throws) < self.heads).sum())
            yield Measured(epoch, {"share": seen / (epoch * self.throws)})


PAGE = Page(
    title="How often a coin shows heads",
    source="Nobody, never",
    finding="A fair coin shows heads half of the time, and a bent one does not.",
    claims=(
        Claim("coin_half", "A fair coin shows heads half of the time.", "by hand",
              lambda t: t.run("fair").last("share"),
              "share of heads", at_least=0.4, at_most=0.6),
        Claim("coin_bent", "A bent one shows heads as often.", "by hand",
              lambda t: t.run("bent").last("share") - t.run("fair").last("share"), "share of heads, bent minus fair",
              at_least=0.0, unit="points", why="It is bent."),
    ),
    variants={"fair": {"heads": 0.5}, "bent": {"heads": 0.2}},
    headline="share",
    experiment=Coin,
    tiny={"epochs": 2},
)
'''  # fmt: skip
CELLS = [
    "from nlkit import live\nfrom nlkit.claims import claims_of",
    'live.panel("coin")',
    'checked = claims_of("coin")\nchecked',
    "checked.print_verdicts()",
]
BEGIN = """# How often a coin shows heads

**You will learn** nothing new.

**Predict.** How often? **Explain.** As often as not.

## Play"""
END = """## What we claimed, and what we measured

**Three questions for the panel.** None. **Read on.** Nowhere."""
END_OF_COMMAND = "--- the end of a command ---\n"
COMMANDS = f"""
import sys
from nlkit.commands.main import main
for command in sys.argv[1:]:
    try:
        main(command.split())
    except SystemExit as end:
        assert not end.code, (command, end.code)
    print({END_OF_COMMAND!r}, end="", flush=True)
"""
LOOK = """
import json
from nlkit import live
panel = live.panel("coin", mode="blocking", throws=10)
controls = list(panel.controls)
panel.start()
print(json.dumps([controls, panel.driver.state, [run.name for run in panel.current], panel.frame.alt]))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree, with one paper more."""
    folder = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "nlkit" / "papers" / "coin.py").write_text(MODULE, encoding="utf-8")
    registry = folder / "nlkit" / "papers" / "__init__.py"
    text = registry.read_text(encoding="utf-8")
    assert text.count("PAPERS: tuple[str, ...] = (\n") == 1
    registry.write_text(text.replace("PAPERS: tuple[str, ...] = (\n", 'PAPERS: tuple[str, ...] = (\n    "coin",\n'))
    first, *code = map(nbformat.v4.new_code_cell, CELLS)
    begin, end = map(nbformat.v4.new_markdown_cell, (BEGIN, END))
    cells = [begin, first, code[0], end, *code[1:]]
    cells[-1].metadata["tags"] = ["nbval-check-output"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "notebooks" / "atlas" / "coin.ipynb")
    return folder


def inside(tree: Path, *command: str, **more: str) -> str:
    """What a command prints that runs Python in the copy."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"} | more
    done = subprocess.run([sys.executable, *command], cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kit(tree: Path, *commands: str) -> list[str]:
    """What these commands of the kit print, one after the other."""
    printed = inside(tree, "-c", COMMANDS, *commands)
    return printed.split(END_OF_COMMAND)[:-1]


def run_notebooks(tree: Path, *names: str) -> list[list]:
    """Their outputs, one list a code cell."""
    paths = [f"notebooks/atlas/{name}" for name in names]
    command = ["-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace", *paths]
    inside(tree, *command, "--ExecutePreprocessor.store_widget_state=False", NLKIT_PANELS="still")
    notebooks = [nbformat.read(tree / path, as_version=4) for path in paths]
    return [[cell.outputs for cell in notebook.cells if cell.cell_type == "code"] for notebook in notebooks]


def test_a_new_paper_is_picked_up_everywhere(tree):
    # The command line: it is listed, swept, and reproduced.
    papers, swept, packed, report = kit(
        tree, "papers --json", "sweep coin", "sweep pack coin", "reproduce --only coin --folder new"
    )
    told = [json.loads(line) for line in papers.splitlines()]
    (coin,) = [entry for entry in told if entry["name"] == "coin"]
    assert coin["notebook"] == "notebooks/atlas/coin.ipynb" and coin["claims"] == ["coin_half", "coin_bent"]
    assert swept.startswith("10 runs: ") and packed.startswith("10 results: ")
    assert (tree / "nlkit" / "results" / "coin.json").is_file()
    assert "holds" in report and "does not hold" in report and "A bent one shows heads as often." in report

    # The panel: knobs are what tells the variants apart not, and the rest of what may be moved.
    controls, state, runs, alt = json.loads(inside(tree, "-c", LOOK).splitlines()[-1])
    assert controls == ["throws", "seed"] and state == "done" and runs == ["1 fair", "1 bent"]
    assert alt.startswith("share by epoch. 1 fair: 0.")

    # Its notebook, and the index.
    (*_, verdicts), index = run_notebooks(tree, "coin.ipynb", "00_index.ipynb")
    assert [line.split("  ")[0] for line in verdicts[0].text.splitlines()] == ["holds", "does not hold"]
    shown = json.dumps(index)
    assert "How often a coin shows heads" in shown and "a bent one does not" in shown

    # The generic tests, and the pages of the book.
    tests = ["tests/test_pages.py", "tests/test_packaging.py", "tests/test_notebooks.py"]
    command = ["-m", "pytest", "-o", "addopts=", "-q", "-k", "coin or folder", *tests]
    assert " passed" in inside(tree, *command, NLKIT_DATA="")
    for notebook in [*(tree / "notebooks").glob("*.ipynb"), *(tree / "notebooks" / "atlas").glob("*.ipynb")]:
        if notebook.stem not in ("coin", "00_index"):
            notebook.unlink()  # it has nothing to do with the new one
    inside(tree, "-m", "sphinx", "--quiet", "book", "built")
    assert "How often a coin shows heads" in (tree / "built" / "atlas" / "coin.html").read_text(encoding="utf-8")
    assert "atlas/coin.html" in (tree / "built" / "index.html").read_text(encoding="utf-8")
    assert "bent" in (tree / "built" / "searchindex.js").read_text(encoding="utf-8")
