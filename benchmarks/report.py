"""What a run of the benchmarks leaves behind: results.json, RESULTS.md, and the short table in the book."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import textwrap
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmarks.timing import Row
from benchmarks.ways import TUTORIAL, WAYS

FOLDER = Path(__file__).parent
METHODS = {"standard": "standard training", "reweight": "reweighting"}
BOOK = FOLDER.parent / "book"  # whose pages hold the short tables
README = FOLDER.parent / "README.md"
MARKS = "<!-- benchmarks -->", "<!-- /benchmarks -->"
SPEED_MARKS = "<!-- speed -->", "<!-- /speed -->"  # of the README
TITLES = {
    "epochs": "One epoch: the kit against every other way to do the same work",
    "settings": "How each way was tried, and the settings that it was then given: the base of each case",
    "reweighting": "A reweighting step, 128 noisy examples, by engine and size of the clean batch",
    "mentormix": "A MentorMix step, and what it is made of",
    "losses": "A step with another loss than cross-entropy",
    "features": "A step with features that are taken away (`compress`)",
    "floor": "The arithmetic floor: the bare matrix products and convolutions of the same steps",
    "ideas": "Ideas: the step as it is, against the step without one of them, or by torch.compile",
    "scaling": "How the cost of reweighting grows (MLP)",
    "many": "Many networks at once: noise ratios as one batched product, whole trainings",
    "memory": "Memory: one epoch, in a process of its own",
    "sweeps": "Sweeps: two processes against one, and what Dask adds to a run",
    "footprint": "Import, live panel",
    "notebooks": "Notebooks",
}


ABOUT = {
    "epochs": [
        "- nlkit: `train`, as it is called.",
        *(f"- {name}: {way.told}" for name, way in WAYS.items()),
        "",
        "The ways other than the kit run in one process of their own, with torch's own way for threads to wait "
        "(`OMP_WAIT_POLICY` unset).",
        "",
    ],
    "sweeps": [
        "Whole sweeps, one thread a run. Processes of our own are started by each sweep, and that is part of its time; "
        "Dask's two workers wait.",
        "",
    ],
    "settings": ["A few batches of an epoch in each setting, in turn, scaled to an epoch.", ""],
}


def machine() -> dict[str, object]:
    """Where and when a run was made."""
    versions = {}
    for package in ("torch", "torchvision", "higher", "torchopt", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "unset"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **versions,
        "date": datetime.date.today().isoformat(),
    }


def write(where: dict[str, object], rows: list[Row], folder: Path = FOLDER) -> None:
    """Write results.json and RESULTS.md. Parts that `rows` lacks are kept as an earlier run left them."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    measured, kept = {row.part: f"{where['date']}{load}" for row in rows}, []
    if (folder / "results.json").exists():
        earlier, kept = read(folder)
        kept = [row for row in kept if row.part not in measured]
        measured = earlier["measured"] | measured
    where = where | {"measured": measured}
    rows = sorted([*kept, *rows], key=lambda row: list(TITLES).index(row.part))
    lines = [json.dumps(dataclasses.asdict(row)) for row in rows]
    text = f'{{"machine": {json.dumps(where, indent=1)},\n"rows": [\n' + ",\n".join(lines) + "\n]}\n"
    (folder / "results.json").write_text(text, encoding="utf-8")
    (folder / "RESULTS.md").write_text(table(where, rows), encoding="utf-8")


def read(folder: Path = FOLDER) -> tuple[dict[str, object], list[Row]]:
    """The machine and the rows of results.json."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return results["machine"], [Row(**row) for row in results["rows"]]


def table(where: dict[str, object], rows: list[Row]) -> str:
    """RESULTS.md: one table a part."""
    text = ["# Benchmarks", "", "Written by `make bench`; what is measured stands at the top of `run.py`.", ""]
    text += [f"- {name}: {value}" for name, value in where.items() if name != "measured"]
    text += ["", "Median, with quartiles in brackets. The sides of a case are timed in turn, and a ratio is the median",
             "over the rounds of a side's time by that of its base in the same round."]  # fmt: skip
    for part, title in TITLES.items():
        of_part = [row for row in rows if row.part == part]
        if of_part:
            text += ["", f"## {title}", "", f"Measured {where['measured'][part]} at the end.", ""]
            text += ABOUT.get(part, [])
            text += ["| case | side | median | ratio |", "|---|---|---|---|"]
            text += [_line(row) for row in of_part]
    return "\n".join(text) + "\n"


def short_table(where: dict[str, object], rows: list[Row]) -> str:
    """The book's short table."""
    by_name = {(row.part, row.case, row.side): row for row in rows}
    text = ["| | | as many times as long |", "|---|---|---|"]
    for method, what in METHODS.items():
        own, others = epochs_of(rows, method)
        told = "; ".join(f"{other.ratio:.1f} {_way(other)}" for other in others)
        text.append(f"| an epoch of {what} on `{_data(own)}`, MLP | {own.median:.2g} s | {told} |")
    for name in ("mlp", "cnn", "resnet32"):
        exact = by_name["reweighting", f"{name}, 128 clean", "auto"]
        higher = by_name["reweighting", f"{name}, 128 clean", "higher"]
        mentormix = by_name["mentormix", name, "mentormix"]
        standard = _two_digits(by_name["mentormix", name, "standard"].median)
        text.append(
            f"| a step, `{name}` | {standard} ms, standard | reweighting: {exact.ratio:.1f}; by `higher`: "
            f"{higher.ratio:.1f}; MentorMix: {mentormix.ratio:.1f} |"
        )
    peak = max(row.median for row in rows if row.part == "memory")
    text += [
        "",
        f"Peak memory {peak:.0f} MB. {where['processor']}, {where['cores']} cores, torch {where['torch']}; "
        f"epochs measured {where['measured']['epochs']} at the end, steps {where['measured']['reweighting']} "
        "(a load above 0 is other work).",
    ]
    return "\n".join(text)


def epochs_of(rows: list[Row], method: str) -> tuple[Row, list[Row]]:
    """The row of the kit's epoch, and those of the other ways, the fastest first."""
    of_method = [row for row in rows if row.part == "epochs" and row.case.startswith(method)]
    (own,) = [row for row in of_method if row.side == row.base]
    return own, sorted((row for row in of_method if row is not own), key=lambda row: row.ratio)


def sentence(rows: list[Row]) -> str:
    """What the README says of speed: how much longer the fastest other way takes, and the tutorial's loops."""
    fastest, tutorials = [], []
    for method, what in METHODS.items():
        own, others = epochs_of(rows, method)
        (tutorial,) = [row for row in others if row.side.startswith(TUTORIAL)]
        fastest.append(f"{others[0].ratio:.1f} times as long as `train` for {what} ({_way(others[0])})")
        tutorials.append(f"{tutorial.ratio:.1f}")
    text = (
        f"The fastest other way that we know to write an epoch on `{_data(own)}` takes {' and '.join(fastest)}. "
        f"The loops of the tutorial that the course starts from take {' and '.join(tutorials)} times as long, "
        "with the best number of workers: [all ways, measured in turn](book/speed.md)."
    )
    return textwrap.fill(text, 128, break_on_hyphens=False, break_long_words=False)


def _data(row: Row) -> str:
    return row.case.partition(", ")[2]


def _way(row: Row) -> str:
    """Its name without its settings."""
    return row.side.partition(":")[0]


def _two_digits(value: float) -> str:
    """As %.2g has it, without its exponents."""
    return f"{float(f'{value:.2g}'):g}"


def fill_page(path: Path, content: str, marks: tuple[str, str] = MARKS) -> None:
    """Put `content` between the marks of a page."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(marks[0])
    path.write_text(f"{before}{marks[0]}\n{content}\n{marks[1]}{rest.split(marks[1])[1]}", encoding="utf-8")


def _line(row: Row) -> str:
    digits = 3 if row.high < 10 else 1 if row.high < 1000 else 0
    median, low, high = (f"{value:,.{digits}f}" for value in (row.median, row.low, row.high))
    spread = f"{median} {row.unit}" if row.repeats == 1 else f"{median} [{low}, {high}] {row.unit}"
    if row.ratio is None:
        ratio = ""
    elif row.side == row.base:
        ratio = "1"
    else:
        ratio = f"{row.ratio:.2f} [{row.ratio_low:.2f}, {row.ratio_high:.2f}]"
    return f"| {row.case} | {row.side} | {spread} | {ratio} |"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
