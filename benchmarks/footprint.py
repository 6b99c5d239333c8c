"""Memory, and how long one waits: for the import, for the first point in a panel, for a notebook. Each in a process of
its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.timing import Row, single
from nlkit.data.load import find_dataset

ROOT = Path(__file__).parent.parent

MEMORY = """
from nlkit import make_task, train
task = make_task({data!r}, ratio=0.8, clean_per_class=50, seed=0, device="cpu")
list(train(task, {method!r}, epochs=1, seed=0))
from benchmarks.footprint import peak_memory
print(peak_memory())
"""
GRAPH = """
import numpy, torch
from scipy.sparse import csr_array
from benchmarks.footprint import peak_memory
from nlkit.learning.coding_rate import coding_rate, coding_rate_of_classes
from nlkit.learning.graph_attention import AttentionEncoder, edges_of
from nlkit.learning.label_propagation import propagate
nodes, rng = {nodes}, numpy.random.default_rng(0)
start, end = rng.integers(nodes, size=(2, 4 * nodes))
edges = csr_array((numpy.ones(4 * nodes), (start, end)), shape=(nodes, nodes))
edges = csr_array(((edges + edges.T) > 0).astype(float))
edges.setdiag(0)
edges.eliminate_zeros()
labels = torch.as_tensor(propagate(numpy.eye(10)[numpy.arange(nodes) % 10], edges, 0.6, 5).argmax(1))
z = AttentionEncoder(32, 64, unit=True)(torch.rand(nodes, 32), edges_of(edges))
(coding_rate_of_classes(z, labels, 0.05, 10) - 2 * coding_rate(z, 0.05)).backward()
print(peak_memory())
"""
TORCH_ALONE = """
import torch
from benchmarks.footprint import peak_memory
print(peak_memory())
"""
# What the names of the first example must import is torch (which brings numpy along).
IMPORT = """
import json, time
began = time.perf_counter()
import nlkit
alone = time.perf_counter() - began
import torch
began = time.perf_counter()
from nlkit import make_task, train
print(json.dumps([1e3 * alone, 1e3 * (time.perf_counter() - began)]))
"""
PANEL = """
import json, time
began = time.perf_counter()
from nlkit import live
panel = live.training(epochs=25, mode="thread")
shown = time.perf_counter()
panel.start()
while not (panel.current and panel.current[0].history):
    time.sleep(0.001)
first = time.perf_counter()
panel.close()
print(json.dumps([shown - began, first - shown]))
"""


def fresh(program: str):
    """What a program prints in a Python of its own, as JSON."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory() -> float:
    """The most memory, in MB, that this process held at a time."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `ru_maxrss` would count what the process that started this one held
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measure_memory(rounds: int = 3, data: str | None = None) -> list[Row]:
    """The first part of 6 in the list of run.py: what other work on the machine has no part in."""
    data = data or ("mnist" if find_dataset("mnist") else "mnist5k")
    rows = [single("memory", "peak memory", "import torch", [fresh(TORCH_ALONE) for _ in range(rounds)], "MB")]
    for method in ("standard", "reweight", "mentormix"):
        peaks = [fresh(MEMORY.format(data=data, method=method)) for _ in range(rounds)]
        rows.append(single("memory", "peak memory", f"{method}, {data}", peaks, "MB"))
    for nodes in (10_000, 100_000):  # any matrix of all pairs of the larger graph would take 40 GB
        peak = [fresh(GRAPH.format(nodes=nodes))]
        rows.append(single("memory", "peak memory", f"a step of ERASE, {nodes:,} nodes", peak, "MB"))
    return rows


def measure(rounds: int = 5) -> list[Row]:
    """The rest of part 6, but for the notebooks."""
    rows = []
    alone, beyond = zip(*(fresh(IMPORT) for _ in range(rounds)))
    rows.append(single("footprint", "import", "import nlkit", list(alone), "ms"))
    rows.append(single("footprint", "import", "from nlkit import make_task, train, beyond torch", list(beyond), "ms"))
    shown, first = zip(*(fresh(PANEL) for _ in range(rounds)))
    rows.append(single("footprint", "live panel", "imports and first picture", list(shown), "s"))
    rows.append(single("footprint", "live panel", "from Start to the first point", list(first), "s"))
    return rows


def measure_notebooks() -> list[Row]:
    """Each notebook from top to bottom, once."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return [single("notebooks", "top to bottom", path.stem, [notebook_seconds(path)], "s") for path in paths]


def notebook_seconds(path: Path) -> float:
    """How long a notebook takes from top to bottom, its kernel's start included."""
    import nbformat
    from nbclient import NotebookClient

    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(path.parent)}}).execute()
    return time.perf_counter() - began
