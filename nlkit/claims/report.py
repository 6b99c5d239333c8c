"""What a study found: a value a seed for each claim, its interval, its verdict; as JSON, with where it comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nlkit.checks import check_choice
from nlkit.contents import CLAIMS, CURVES
from nlkit.files import to_json, write_whole
from nlkit.intervals import Interval, mean_interval
from nlkit.made import PACKAGES, made_here
from nlkit.page import Claim, Value

HOLDS, OPEN, FAILS = VERDICTS = ("holds", "open", "does not hold")
MARKS = {HOLDS: "✓", OPEN: "?", FAILS: "✗"}
STORED = Path(__file__).parent.parent / "results" / "reproduce.json"


@dataclass(frozen=True)
class Outcome:
    """A claim beside what was measured, one value a seed; or one a cell, of which all must be in the claim's bounds.

    Each cell is averaged over the seeds before they are compared: the worst of many single runs is worse than any cell.
    """

    id: str
    values: tuple[float | tuple[float, ...], ...]
    date: str = ""  # when it was measured, as ISO has it

    @property
    def claim(self) -> Claim:
        return CLAIMS[self.id]

    @property
    def cells(self) -> tuple[tuple[float, ...], ...]:
        """The values by seed, of each cell."""
        return tuple(zip(*((v if isinstance(v, tuple) else (v,)) for v in self.values), strict=True))

    @property
    def means(self) -> float | tuple[float, ...]:
        """The mean over seeds, or one a cell."""
        means = tuple(sum(cell) / len(cell) for cell in self.cells)
        return means if isinstance(self.values[0], tuple) else means[0]

    @property
    def worst(self) -> tuple[float, ...]:
        """The values by seed of the cell whose mean speaks most against the claim: the one that is shown."""
        return min(self.cells, key=lambda cell: self.claim.margin(sum(cell) / len(cell)))

    @property
    def mean(self) -> float:
        return sum(self.worst) / len(self.worst)

    @property
    def interval(self) -> Interval | None:
        """The mean and its 95 % interval over seeds; None with one seed, which has none."""
        return mean_interval(self.worst) if len(self.values) > 1 else None

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`, by the 95 % intervals over seeds; with one seed, which has none, by the value.

        It holds where the intervals of all cells lie within the bounds, and does not where all of the interval of one
        lies outside. Else it is open: more seeds might say either.
        """
        if len(self.values) < 2:
            return HOLDS if self.by_mean else FAILS
        claim, intervals = self.claim, [mean_interval(cell) for cell in self.cells]
        if all(claim.holds(i.low) and claim.holds(i.high) for i in intervals):
            return HOLDS
        below = claim.at_least is not None and any(i.high < claim.at_least for i in intervals)
        above = claim.at_most is not None and any(i.low > claim.at_most for i in intervals)
        return FAILS if below or above else OPEN

    @property
    def by_mean(self) -> bool:
        """Whether the mean lies within the bounds, in every cell: what the study says, clearly or not."""
        return self.claim.holds(self.means)

    def show(self) -> str:
        """The mean with its interval, in the claim's unit."""
        shown = self.claim.show(self.mean)
        if self.interval is None:
            return shown
        if self.claim.unit in ("x", ""):
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
        """The claims whose mean lies on the other side of what `other` had clearly found. Times don't count."""
        before = {outcome.id: outcome for outcome in other.outcomes}
        return [
            outcome.id
            for outcome in self.outcomes
            if outcome.id in before
            and not outcome.claim.timed
            and before[outcome.id].verdict == (FAILS if outcome.by_mean else HOLDS)
        ]

    def over(self, earlier: Report) -> Report:
        """This report, with what it did not measure from an earlier one, each claim with its own date.

        Raises a ValueError when the two have not the same seeds or precision, or one of them is quick.
        """
        for setting in ("quick", "seeds", "precision"):
            ours, theirs = self.made.get(setting), earlier.made.get(setting)
            if ours != theirs or self.made["quick"]:
                raise ValueError(f"two reports must be full and alike to be one; {setting} is {ours} and {theirs}")
        found = {o.id: o for report in (earlier, self) for o in report.outcomes}
        outcomes = tuple(found[id] for id in CLAIMS if id in found)
        skipped = {id: why for id, why in {**earlier.skipped, **self.skipped}.items() if id not in found}
        curves = {}
        for part, lines in CURVES.items():
            both = {**earlier.curves.get(part, {}), **self.curves.get(part, {})}
            if both:
                curves[part] = {line: both[line] for line in lines if line in both}
        return Report(self.made, outcomes, skipped, curves)

    @property
    def dates(self) -> str:
        """When its claims were measured: a day, or the first and the last."""
        days = sorted({o.date or self.made["date"] for o in self.outcomes} or {self.made["date"]})
        return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"

    def save(self, file: Path) -> None:
        """Write the report as JSON, one claim a line; means and intervals are those of the values that are written."""
        claims = [
            {
                "id": o.id, "values": o.values, "mean": _rounded(o.mean),
                "half": None if o.interval is None else _rounded(o.interval.half),
                "verdict": o.verdict, "date": o.date or self.made["date"],
            }
            for o in (Outcome(o.id, _rounded(o.values), o.date) for o in self.outcomes)
        ]  # fmt: skip
        curves = {part: {name: json.dumps(c) for name, c in rows.items()} for part, rows in self.curves.items()}
        text = (
            f'{{"made": {json.dumps(self.made, indent=1)},\n"claims": [\n'
            + ",\n".join(map(to_json, claims))
            + f'\n],\n"skipped": {json.dumps(self.skipped, indent=1)},\n"curves": {{'
            + ",".join(
                f"\n{json.dumps(part)}: {{\n" + ",\n".join(f"{json.dumps(n)}: {c}" for n, c in rows.items()) + "\n}"
                for part, rows in curves.items()
            )
            + "}}\n"
        )
        write_whole(file, text)


def load_report(file: str | Path) -> Report:
    """The report that a file holds. Raises a ValueError when it holds none, or one of claims that are not known."""
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        rows = [
            Outcome(
                check_choice("claim", row["id"], CLAIMS),
                tuple(tuple(v) if isinstance(v, list) else v for v in row["values"]),
                row.get("date", content["made"]["date"]),
            )
            for row in content["claims"]
        ]
        return Report(content["made"], tuple(rows), content["skipped"], content["curves"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{str(file)!r} is not a report of reproductions: {error}") from error


def stored_report() -> Report:
    """The report of the full run that the package carries."""
    return load_report(STORED)


def where_made(**more: object) -> dict[str, object]:
    """Date, versions, processor, threads and load of this machine now; `more` is added to it."""
    import torch

    return made_here(
        (*PACKAGES, "higher", "scipy"),
        threads=torch.get_num_threads(),
        load=round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        **more,
    )


def _rounded(value: float | tuple) -> float | tuple:
    return tuple(map(_rounded, value)) if isinstance(value, tuple) else float(f"{value:.6g}")


def as_value(value: object) -> Value:
    """What a measure returned, in Python's own numbers, to six digits: what is shown is what files hold."""
    return _rounded(tuple(map(float, value)) if isinstance(value, (list, tuple)) else float(value))  # type: ignore
