"""What is kept of runs, and the file that holds it: for each run every setting, and where and when it was made."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from nlkit.checks import check_choice
from nlkit.experiment import Experiment
from nlkit.files import plain, to_json, write_whole
from nlkit.identity import SETTINGS, complete, identity, key, with_defaults
from nlkit.made import in_words

FORM = 2  # of the file; the first one held only settings that differed from the defaults of the day


@dataclass(frozen=True)
class Result:
    """What is kept of a run: its settings, and curves by epoch, in [0, 1]: two, and others where they are asked for."""

    experiment: Experiment
    test_accuracy: tuple[float, ...]
    memorized: tuple[float, ...]  # NaN where no label is wrong
    seconds: float  # in the training steps
    more: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # further curves, see `nlkit.sweep.run_sweep`
    made: Mapping[str, object] = field(default_factory=dict)  # day, versions and machine, see `nlkit.made`
    recorded: Mapping[str, object] | None = field(default=None, repr=False, compare=False)  # settings, from a file

    @property
    def best(self) -> float:
        return max(self.test_accuracy)

    @property
    def final(self) -> float:
        return self.test_accuracy[-1]

    def at_end(self, curve: str) -> float:
        """The last value of one of the further curves."""
        return self.more[curve][-1]

    def at_best(self, curve: str) -> float:
        """Its value at the epoch of the best test accuracy, the first of equals."""
        return self.more[curve][self.test_accuracy.index(self.best)]

    @cached_property
    def settings(self) -> dict[str, object]:
        """Every setting of the run; a result that is older than a setting may lack it, see `read_sweep`."""
        return identity(self.experiment) if self.recorded is None else dict(self.recorded)

    @cached_property
    def key(self) -> str:
        return key(self.settings)

    def has(self, setting: str, value: object) -> bool:
        """Whether the run had a setting at `value`, or at what None or missing options stand for."""
        if setting not in self.settings:
            return False
        if setting == "options":
            try:
                value = with_defaults(self.experiment.method, value)
            except ValueError:  # options of another method
                return False
        elif value is None:
            value = identity(replace(self.experiment, **{setting: None}))[setting]
        return self.settings[setting] == plain(value)


@dataclass(frozen=True)
class Failure:
    """A run that ended in an error."""

    experiment: Experiment
    error: str  # its type and message
    made: Mapping[str, object] = field(default_factory=dict)
    recorded: Mapping[str, object] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def settings(self) -> dict[str, object]:
        return identity(self.experiment) if self.recorded is None else dict(self.recorded)

    @cached_property
    def key(self) -> str:
        return key(self.settings)

    def __str__(self) -> str:
        e = self.experiment
        return f"{e.method} on {e.data}, {e.noise} noise, ratio {e.ratio}, seed {e.seed}: {self.error}"


@dataclass(frozen=True)
class Sweep:
    """Results, and the runs that failed."""

    results: tuple[Result, ...] = ()
    failed: tuple[Failure, ...] = ()

    @property
    def made(self) -> str:
        """Day, versions and machine in one line; where they differ, with how many results are from each."""
        return in_words(result.made for result in self.results)

    def where(self, **settings: object) -> list[Result]:
        """The results whose experiments have these settings; a ValueError when there are none.

        `options={}` are a method's defaults, and None what the recipe of the network supplies.
        """
        for name in settings:
            check_choice("setting", name, SETTINGS)
        found = [r for r in self.results if all(r.has(name, value) for name, value in settings.items())]
        if not found:
            raise ValueError(f"no run of this sweep has {', '.join(f'{k}={v!r}' for k, v in settings.items())}")
        return found


def write_sweep(file: str | Path, sweep: Sweep) -> None:
    """Keep a sweep in a file (JSON, a line a run): settings that all runs share are told once, and so are places."""
    runs = [*sweep.results, *sweep.failed]
    made = list({to_json(run.made, sort_keys=True): run.made for run in runs}.values())
    shared = dict(runs[0].settings) if runs else {}
    for run in runs:
        shared = {name: value for name, value in shared.items() if name in run.settings and run.settings[name] == value}
    lists = {"results": [], "failed": []}
    for run in runs:
        row = {"settings": {name: value for name, value in run.settings.items() if name not in shared}}
        row["made"] = made.index(run.made)
        if isinstance(run, Failure):
            lists["failed"].append(row | {"error": run.error})
        else:
            row |= {"test_accuracy": run.test_accuracy, "memorized": run.memorized, "seconds": run.seconds}
            lists["results"].append(row | ({"more": run.more} if run.more else {}))
    head = [f'"form": {FORM}', _lines("made", made), f'"shared": {to_json(shared)}']
    write_whole(file, "{" + ",\n".join([*head, *(_lines(name, rows) for name, rows in lists.items())]) + "}\n")


def read_sweep(file: str | Path) -> Sweep:
    """The sweep that a file holds.

    A warning tells of results that are older than a setting, when `nlkit.identity.BEFORE` does not say what they had:
    `where` finds them by their other settings, and they are not taken for any run that has it.
    Raises a ValueError for a file that holds no sweep, or one in the form of an earlier version.
    """
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        if "form" not in content and isinstance(content["made"], dict) and isinstance(content["results"], list):
            raise ValueError(
                "it is in the form of an earlier version, in which a run did not hold all of its settings. Move it "
                "away, or name another file, and the runs are made anew"
            )
        if content["form"] != FORM:
            raise ValueError(f"its form is {content['form']}, which this version of nlkit does not know; it is {FORM}")
        made, shared = content["made"], content["shared"]
        results, failed, lacks = [], [], set()
        for row in content["results"]:
            settings = complete(shared | row["settings"])
            lacks |= settings.lacks
            curves = {name: _with_nan(curve) for name, curve in row.get("more", {}).items()}
            results.append(
                Result(Experiment(**settings.filled), tuple(row["test_accuracy"]), _with_nan(row["memorized"]),
                       row["seconds"], curves, made[row["made"]], settings.known)
            )  # fmt: skip
        for row in content["failed"]:
            settings = complete(shared | row["settings"])
            failed.append(Failure(Experiment(**settings.filled), row["error"], made[row["made"]], settings.known))
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"{str(file)!r} is not a sweep's file: {_reason(error)}") from error
    if lacks:
        warnings.warn(
            f"results of {file} are older than the settings {', '.join(sorted(lacks))}, and are not taken for runs "
            "that have them, whatever their values: nlkit.identity.BEFORE does not say what they had",
            stacklevel=2,
        )
    return Sweep(tuple(results), tuple(failed))


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _lines(name: str, rows: Iterable[object]) -> str:
    lines = ",\n".join(map(to_json, rows))
    return f'"{name}": [\n{lines}\n]' if lines else f'"{name}": []'


def _with_nan(curve: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if v is None else v for v in curve)
