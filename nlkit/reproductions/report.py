"""What a study found: a value a seed for each claim, its interval, its verdict; as JSON, with where it comes from."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nlkit.checks import check_choice
from nlkit.claims import CLAIMS, Claim
from nlkit.intervals import Interval, mean_interval

STORED = Path(__file__).parent.parent / "results" / "reproduce.json"


@dataclass(frozen=True)
class Outcome:
    """A claim beside what was measured, one value a seed."""

    id: str
    values: tuple[float, ...]

    @property
    def claim(self) -> Claim:
        return CLAIMS[self.id]

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)

    @property
    def interval(self) -> Interval | None:
        """The mean and its 95 % interval over seeds; None with one seed, which has none."""
        return mean_interval(self.values) if len(self.values) > 1 else None

    @property
    def holds(self) -> bool:
        """By the mean, or by the lower end of the interval where the claim asks for that."""
        return self.claim.holds(self.interval.low if self.claim.lower_end and self.interval else self.mean)

    @property
    def clear(self) -> bool:
        """Whether all of the interval is on one side of the bound, so that other seeds would hardly say otherwise."""
        if self.interval is None:
            return False
        low, high = self.interval.low, self.interval.high
        inside = self.claim.holds(low) and self.claim.holds(high)
        below = self.claim.at_least is not None and high < self.claim.at_least
        above = self.claim.at_most is not None and low > self.claim.at_most
        return inside or below or above

    @property
    def verdict(self) -> str:
        return f"{'holds' if self.holds else 'does not hold'}{'' if self.clear else ' (open)'}"

    def show(self) -> str:
        """The mean with its interval, in the claim's unit."""
        shown = self.claim.show(self.mean)
        if self.interval is None:
            return shown
        if self.claim.unit == "x":
            return f"{shown} ± {self.interval.half:.1g}"
        return f"{self.interval.percent()} {self.claim.unit}"


@dataclass(frozen=True)
class Report:
    """The outcomes of a study, what it left out and why, some of its curves, and where all of it comes from."""

    made: Mapping[str, object]
    outcomes: tuple[Outcome, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)  # claim id -> reason
    curves: Mapping[str, Mapping[str, dict]] = field(default_factory=dict)  # see `Study.curves`

    def changed_from(self, other: Report) -> list[str]:
        """The claims whose verdict is not that of `other`, where that one was clear. Times don't count."""
        before = {outcome.id: outcome for outcome in other.outcomes}
        return [
            outcome.id
            for outcome in self.outcomes
            if outcome.id in before
            and before[outcome.id].clear
            and not outcome.claim.timed
            and outcome.holds != before[outcome.id].holds
        ]

    def save(self, file: Path) -> None:
        """Write the report as JSON, one claim a line."""
        claims = [
            {
                "id": o.id, "values": [float(f"{v:.6g}") for v in o.values], "mean": float(f"{o.mean:.6g}"),
                "half": None if o.interval is None else float(f"{o.interval.half:.6g}"),
                "holds": o.holds, "clear": o.clear,
            }
            for o in self.outcomes
        ]  # fmt: skip
        curves = {part: {name: json.dumps(c) for name, c in rows.items()} for part, rows in self.curves.items()}
        text = (
            f'{{"made": {json.dumps(self.made, indent=1)},\n"claims": [\n'
            + ",\n".join(json.dumps(row, allow_nan=False) for row in claims)
            + f'\n],\n"skipped": {json.dumps(self.skipped, indent=1)},\n"curves": {{'
            + ",".join(
                f"\n{json.dumps(part)}: {{\n" + ",\n".join(f"{json.dumps(n)}: {c}" for n, c in rows.items()) + "\n}"
                for part, rows in curves.items()
            )
            + "}}\n"
        )
        partial = file.with_name(file.name + ".partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, file)


def load_report(file: str | Path) -> Report:
    """The report that a file holds. Raises a ValueError when it holds none, or one of claims that are not known."""
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        rows = [Outcome(check_choice("claim", row["id"], CLAIMS), tuple(row["values"])) for row in content["claims"]]
        return Report(content["made"], tuple(rows), content["skipped"], content["curves"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{str(file)!r} is not a report of reproductions: {error}") from error


def stored_report() -> Report:
    """The report of the full run that the package carries."""
    return load_report(STORED)


def where_made(**more: object) -> dict[str, object]:
    """Date, versions, processor, threads and load of this machine now; `more` is added to it."""
    import torch

    versions = {name: importlib.metadata.version(name) for name in ("nlkit", "torch", "numpy", "higher", "scipy")}
    return {
        "date": datetime.date.today().isoformat(),
        "versions": {**versions, "Python": platform.python_version()},
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        **more,
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
