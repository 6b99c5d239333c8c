"""Where the rows of the leaderboard stand, by the stored runs: means over seeds, intervals, paired differences.

Everything here works with as many seeds as a sweep holds, and says how many these are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlkit.identity import key
from nlkit.intervals import Interval, over_seeds
from nlkit.lessons.rows import NOISES, ROWS, Row
from nlkit.papers import METHODS
from nlkit.sweeps.results import Result, Sweep


@dataclass(frozen=True)
class Standing:
    """One row at one noise level: its runs by seed."""

    row: Row
    runs: Mapping[int, Result]

    @property
    def final(self) -> Interval:
        """Last test accuracy: mean and interval over seeds; the half width is NaN where there is one run."""
        return over_seeds([run.final for run in self.runs.values()])

    @property
    def best(self) -> Interval:
        """Test accuracy at the best epoch of each run, which takes test labels to find."""
        return over_seeds([run.best for run in self.runs.values()])

    @property
    def lowest(self) -> float:
        """The lowest last test accuracy of any seed: where a class dies out in some runs, no run ends at the mean."""
        return min(run.final for run in self.runs.values())

    def ahead_of(self, other: Standing) -> dict[int, float]:
        """Its last test accuracy minus that of another row, seed by seed, for the seeds that both have."""
        return {seed: run.final - other.runs[seed].final for seed, run in self.runs.items() if seed in other.runs}


def standings(
    sweep: Sweep,
    noise: str = NOISES[0][0],
    ratio: float = NOISES[0][1],
    *,
    data: str = "mnist",
    rows: Sequence[Row] = ROWS,
) -> dict[str, Standing]:
    """Those of `rows` that were run on `data` at a noise level, by name, the highest last accuracy first.

    Raises a ValueError when the sweep has no such runs.
    """
    known = sweep.by_key
    seeds = sorted({result.experiment.seed for result in sweep.results})
    found = []
    for row in rows:
        # What sees no noise is run at one level of each data set.
        unmoved = row.part == "marks" or not METHODS[row.method].sees_noise  # type: ignore[attr-defined]
        at = NOISES[0] if unmoved and data == "mnist" else (noise, ratio)
        experiments = (row.experiment(*at, seed, data) for seed in seeds)
        runs = {e.seed: known[name] for e in experiments if (name := key(e)) in known}
        if runs:
            found.append(Standing(row, runs))
    held = {(r.experiment.data, r.experiment.noise, r.experiment.ratio) for r in sweep.results}
    if (data, noise, ratio) not in held:
        raise ValueError(f"no run of this sweep has data={data!r}, noise={noise!r}, ratio={ratio!r}")
    return {s.row.name: s for s in sorted(found, key=lambda s: s.final.mean, reverse=True)}
