"""A study: claims, seeds and a folder in which all that was measured is kept, so that a broken-off study goes on."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from nlkit.checks import DataError, check_choice, check_integer
from nlkit.claims import CLAIMS
from nlkit.cnwl import LEVELS
from nlkit.data import find_dataset
from nlkit.devices import pick_device
from nlkit.experiment import Experiment
from nlkit.files import check_writable, to_json, write_whole
from nlkit.identity import key
from nlkit.made import in_words, made_here
from nlkit.reproductions import full_size, how_far, noisy_or_clean
from nlkit.reproductions.measures import CURVES, MEASURES, QUICK_LEVELS, Measure, Trial, from_grid
from nlkit.reproductions.report import Outcome, Report, where_made
from nlkit.result import Result, Sweep
from nlkit.sweep import load_sweep, run_sweep

LARGE: dict[str, dict[str, Measure]] = {  # they need all of MNIST
    "The tutorial at full size": full_size.MEASURES,
    "How far": how_far.MEASURES,
}
CHAPTERS: dict[str, dict[str, Measure]] = {**MEASURES, "Noisy or clean": noisy_or_clean.MEASURES, **LARGE}
LARGE_CLAIMS = [id for chapter in LARGE.values() for id in chapter]
ALL_MEASURES: dict[str, Measure] = {id: measure for chapter in CHAPTERS.values() for id, measure in chapter.items()}
SEEDS, QUICK_SEEDS = 5, 3
FORM = 2  # of values.json; in the first one, values did not say where they were made


class Study:
    """Claims measured over seeds, one (claim, seed) at a time: whoever drives it may stop at any of them.

    >>> study = Study("reproduced", only=["exact_ratio"], seeds=2)  # doctest: +SKIP
    >>> for id, seed in study.plan: study.measure(id, seed)  # doctest: +SKIP
    >>> study.report().outcomes[0].verdict  # doctest: +SKIP
    'holds'

    folder: where runs.json (a sweep's file) and values.json are kept; made unless it exists.
    only: ids of the claims to measure; all of them unless given.
    seeds: how many, from 0 on; 5, or 3 for a quick study.
    quick: on 5,000 digits alone, and at two of the ten noise levels.

    Raises a ValueError for bad arguments, and a DataError when no claim is left since their data was not found.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        only: Iterable[str] = (),
        seeds: int | None = None,
        device: str = "auto",
        quick: bool = False,
    ):
        only = [check_choice("claim", id, CLAIMS) for id in only]
        self.seeds = check_integer("seeds", (QUICK_SEEDS if quick else SEEDS) if seeds is None else seeds, 1)
        self.device, self.quick = str(pick_device(device)), quick
        self.levels = QUICK_LEVELS if quick else LEVELS
        self.skipped = {id: reason for id in LARGE_CLAIMS if (reason := self._lacks()) and id in (only or CLAIMS)}
        self.claims = [id for id in ALL_MEASURES if id in (only or CLAIMS) and id not in self.skipped]
        if not self.claims:
            raise DataError(f"nothing can be measured of {', '.join(only)}: {next(iter(self.skipped.values()))}")
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        for file in (self.runs_file, self.values_file):
            check_writable(file)
        self._read_runs()
        self._values = _read_values(self.values_file)
        self._taken: dict[str, Mapping[str, object]] = {}  # where what was measured comes from
        self.failed: dict[str, str] = {}  # claims that could not be measured, and why
        self.on_run: Callable[[Experiment], None] = lambda experiment: None  # told of each run before it starts

    def _lacks(self) -> str | None:
        if self.quick:
            return "needs all of MNIST, which --quick leaves out"
        found = find_dataset(full_size.SETTING["data"])
        return None if found else "mnist was not found: `nlkit data mnist`, or set NLKIT_DATA to a folder that has it"

    @property
    def runs_file(self) -> Path:
        return self.folder / "runs.json"

    @property
    def values_file(self) -> Path:
        return self.folder / "values.json"

    @property
    def plan(self) -> list[tuple[str, int]]:
        """Claim and seed of all that is to be measured, in order: the small data first, seed by seed."""
        large = [id for id in self.claims if id in LARGE_CLAIMS]
        small = [id for id in self.claims if id not in LARGE_CLAIMS]
        return [(id, seed) for claims in (small, large) for seed in range(self.seeds) for id in claims]

    def measure(self, id: str, seed: int) -> float:
        """The value of a claim for a seed: from the runs it asks for, each made once for all claims, or directly."""
        kept = self._values.setdefault(self.device, {}).setdefault(id, {})
        if str(seed) in kept:
            self._take(kept[str(seed)]["made"])
            return kept[str(seed)]["value"]
        asked = []

        def take(experiment: Experiment, result: Result | None) -> Result | None:
            if result is not None:
                asked.append(experiment)
                self._take(result.made)
            return result

        def train(experiment: Experiment) -> Result:
            return take(experiment, self._known(experiment) or self._run(experiment))

        def look_up(grid: str, experiment: Experiment) -> Result | None:
            return take(experiment, from_grid(grid, experiment))

        value = ALL_MEASURES[id](Trial(seed, self.device, train, self.levels, look_up))
        if not asked:  # what was measured by hand is in no run's file
            kept[str(seed)] = {"value": value, "made": made_here(device=self.device)}
            self._take(kept[str(seed)]["made"])
            write_whole(self.values_file, to_json({"form": FORM, "values": self._values}))
        return value

    def attempt(self, id: str, seed: int) -> None:
        """Measure a claim for a seed; where that fails, `failed` tells why, and the other claims go on.

        What stops all is passed on: data that was not found, and files that can't be written.
        """
        if id in self.failed:
            return
        try:
            self.measure(id, seed)
        except (DataError, OSError):
            raise
        except Exception as error:  # whatever it is
            self.failed[id] = " ".join(f"failed with seed {seed}: {type(error).__name__}: {error}".split())

    def _take(self, made: Mapping[str, object]) -> None:
        self._taken[to_json(made, sort_keys=True)] = made

    def _read_runs(self) -> None:
        sweep = load_sweep(self.runs_file) if self.runs_file.exists() else Sweep()
        self._runs = {run.key: run for run in sweep.results}

    def _known(self, experiment: Experiment) -> Result | None:
        return self._runs.get(key(experiment))

    def _run(self, experiment: Experiment) -> Result:
        self.on_run(experiment)
        list(run_sweep([experiment], self.runs_file, keep=CURVES))
        self._read_runs()  # also what another study put there meanwhile
        return self._known(experiment)

    def report(self) -> Report:
        """What was found; measures whatever is still missing. Claims that failed are among what it leaves out."""
        for id, seed in self.plan:
            self.attempt(id, seed)
        claims = [id for id in self.claims if id not in self.failed]
        today = datetime.date.today().isoformat()
        outcomes = [Outcome(id, tuple(self.measure(id, seed) for seed in range(self.seeds)), today) for id in claims]
        more = {"quick": self.quick, "seeds": self.seeds, "levels": list(self.levels)}
        made = where_made(device=self.device, **more, runs=in_words(self._taken.values()))
        return Report(made, tuple(outcomes), self.skipped | self.failed, self.curves())

    def curves(self) -> dict[str, dict[str, dict[str, list]]]:
        """Part -> name of a line -> "test" and "given" accuracy, runs by epoch, and "seconds" an epoch, by run.

        Of the tutorial at full size, and of the same comparison on 5,000 digits, as far as the claims asked for it.
        """
        small = {
            "standard training": {},
            "reweighting": {"method": "reweight"},
            "clean set alone": {"method": "clean_only"},
        }
        parts = {
            "mnist5k": small,
            "mnist": {name: full_size.SETTING | settings for name, settings in full_size.ROWS.items()},
        }
        return {part: found for part, rows in parts.items() if (found := self._curves_of(rows))}

    def _curves_of(self, rows: dict[str, dict[str, object]]) -> dict[str, dict[str, list]]:
        curves = {}
        for name, settings in rows.items():
            experiments = [Experiment(seed=seed, device=self.device, **settings) for seed in range(self.seeds)]
            runs = [self._known(experiment) for experiment in experiments]
            if all(runs):
                curves[name] = {
                    "test": [list(run.test_accuracy) for run in runs],
                    "given": [list(run.more["given_accuracy"]) for run in runs],
                    "seconds": [round(run.seconds / len(run.test_accuracy), 3) for run in runs],
                }
        return curves


def _read_values(file: Path) -> dict[str, dict[str, dict[str, dict]]]:
    """Device -> claim -> seed -> "value", and where it was "made"."""
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("form") != FORM:
            raise ValueError("it is in the form of another version of nlkit. Move it away, and it is made anew")
        return content["values"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{str(file)!r} does not hold the values of a study: {error}") from error
