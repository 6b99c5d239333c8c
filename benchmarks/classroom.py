"""What a student costs a shared server: memory and processor time of each notebook's kernel, and of JupyterLab itself.

    python -m benchmarks.classroom     # ten minutes; writes benchmarks/classroom.json and the table of book/guide.md

Every kernel runs with one thread, as the guide advises where many share a machine. Memory is the most that a process
held at a time; processor time is the process's own, so that other work on the machine does not count.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.report import FOLDER, fill_readme, machine

ROOT = FOLDER.parent
RESULTS, GUIDE = FOLDER / "classroom.json", ROOT / "book" / "guide.md"
LAB = "JupyterLab itself, with no notebook open"
RACES = "the training panel: five races of three methods"
PLAY = """
from nlkit import live
panel = live.training(methods=("standard", "reweight", "mentormix"), mode="blocking")
for ratio in (0.2, 0.4, 0.5, 0.6, 0.8):
    panel.controls["ratio"].value = ratio
    panel.start()
assert len(panel.current[0].history) == 25
"""
TELL = """
import json, time
from benchmarks.footprint import peak_memory
print(json.dumps([peak_memory(), time.process_time()]))
"""


def cost_of(notebook, folder: Path) -> tuple[float, float]:
    """Run a notebook from top to bottom. Peak memory of its kernel in MB, and its processor time in seconds."""
    import nbformat
    from nbclient import NotebookClient

    notebook.cells.append(nbformat.v4.new_code_cell(TELL))
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(folder)}}).execute()
    return tuple(json.loads(notebook.cells[-1].outputs[-1]["text"]))


def cost_of_lab() -> tuple[float, float]:
    """The same of a JupyterLab that has served its page."""
    import psutil

    from nlkit.commands.lab import lab_command
    from tests.browser import served

    with tempfile.TemporaryDirectory() as folder:
        command = lab_command(("--no-browser",), Path(folder))
        with served(command, r"http://127\.0\.0\.1:\d+/lab\?token=\w+", Path(folder) / "log") as url:
            urllib.request.urlopen(url).read()
            time.sleep(2)
            (lab,) = [p for p in psutil.Process().children() if "jupyterlab" in p.cmdline()]
            spent = lab.cpu_times()
            return lab.memory_info().rss / 2**20, spent.user + spent.system


def measure() -> dict[str, list[float]]:
    """What is measured -> memory in MB and processor seconds."""
    import nbformat

    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    costs = {LAB: cost_of_lab()}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        costs[path.stem] = cost_of(nbformat.read(path, as_version=4), path.parent)
    play = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PLAY)])
    costs[RACES] = cost_of(play, ROOT)
    return {name: [round(value, 1) for value in cost] for name, cost in costs.items()}


def table(measured: dict) -> str:
    """The guide's table of what was measured."""
    where = measured["machine"]
    rows = [f"| {name} | {memory:.0f} MB | {seconds:.0f} s |" for name, (memory, seconds) in measured["costs"].items()]
    return "\n".join(
        [
            "| | memory, at most | processor time |",
            "|---|---|---|",
            *rows,
            "",
            f"Measured {where['date']} on {where['processor']}, one thread a kernel, torch {where['torch']}.",
        ]
    )


if __name__ == "__main__":
    measured = {"machine": machine(), "costs": measure()}
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    fill_readme(GUIDE, table(measured))
