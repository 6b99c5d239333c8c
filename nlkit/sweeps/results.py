"""What is kept of runs: for each every setting, its numbers or its error, and where and when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from nlkit.checks import check_choice
from nlkit.identity import identity, key
from nlkit.made import in_words
from nlkit.settings import Runnable, plain


class _Run:
    """What results and failures have in common: the settings of a run, by which it is found."""

    experiment: Any
    made: Mapping[str, object]
    recorded: Mapping[str, object] | None

    @cached_property
    def settings(self) -> dict[str, object]:
        """Every setting of the run, and its "kind"; what is older than a setting may lack it: see `read_sweep`."""
        return identity(self.experiment) if self.recorded is None else dict(self.recorded)

    @cached_property
    def key(self) -> str:
        return key(self.settings)


@dataclass(frozen=True)
class Result(_Run):
    """What is kept of a run: its settings, and its numbers by epoch."""

    experiment: Any
    curves: Mapping[str, tuple[float, ...]]  # NaN where there was nothing to measure
    seconds: float  # in the training steps, where that was measured; otherwise of the whole run
    made: Mapping[str, object] = field(default_factory=dict)  # day, versions and machine, see `nlkit.made`
    recorded: Mapping[str, object] | None = field(default=None, repr=False, compare=False)  # settings, from a file

    def last(self, number: str) -> float:
        """A number at the end of the run."""
        return self._curve(number)[-1]

    def highest(self, number: str) -> float:
        return max(self._curve(number))

    def at_best(self, number: str) -> float:
        """A number at the epoch of the best test accuracy, the first of equals."""
        accuracy = self._curve("test_accuracy")
        return self._curve(number)[accuracy.index(max(accuracy))]

    @property
    def final(self) -> float:
        """The last test accuracy."""
        return self.last("test_accuracy")

    @property
    def best(self) -> float:
        """The best test accuracy, which takes test labels to find."""
        return self.highest("test_accuracy")

    def _curve(self, number: str) -> tuple[float, ...]:
        return self.curves[check_choice("number", number, self.curves)]

    def has(self, setting: str, value: object) -> bool:
        """Whether the run had a setting at `value`, or at what None or a mapping that lacks something stands for."""
        if setting not in self.settings:
            return False
        if not _stands_for_more(value):
            return self.settings[setting] == plain(value)
        try:
            meant = identity(replace(self.experiment, **{setting: value}))[setting]
        except ValueError:  # no value that this run could have had, such as options of another method
            return False
        return self.settings[setting] == meant


def _stands_for_more(value: object) -> bool:
    """Whether a value of a setting is one that the experiment fills in: None, or a mapping that may lack something."""
    return value is None or isinstance(value, Mapping)


@dataclass(frozen=True)
class Failure(_Run):
    """A run that ended in an error."""

    experiment: Any
    error: str  # its type and message
    made: Mapping[str, object] = field(default_factory=dict)
    recorded: Mapping[str, object] | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{in_short(self.experiment)}: {self.error}"


def in_short(experiment: Runnable) -> str:
    """The settings of an experiment that are not what they would be if left out, and its seed, in one line."""
    differ = []
    for f in fields(experiment):  # type: ignore[arg-type]
        default = f.default if f.default_factory is MISSING else f.default_factory()
        try:
            usual = identity(replace(experiment, **{f.name: default}))[f.name]  # type: ignore[type-var]
        except ValueError:  # the others can't be without it
            usual = default
        if f.name != "seed" and plain(getattr(experiment, f.name)) != usual:
            differ.append(f"{f.name}={getattr(experiment, f.name)!r}")
    return ", ".join([type(experiment).__name__, *differ, f"seed={experiment.seed}"])


@dataclass(frozen=True)
class Sweep:
    """Results, and the runs that failed."""

    results: tuple[Result, ...] = ()
    failed: tuple[Failure, ...] = ()

    @property
    def made(self) -> str:
        """Day, versions and machine in one line; where they differ, with how many results are from each."""
        return in_words(result.made for result in self.results)

    @cached_property
    def _settings(self) -> set[str]:
        kinds = {type(result.experiment) for result in self.results}
        return {f.name for kind in kinds for f in fields(kind)}

    @cached_property
    def by_key(self) -> dict[str, Result]:
        return {result.key: result for result in self.results}

    def run(self, experiment: Runnable) -> Result | None:
        """The result of an experiment, if it is here."""
        return self.by_key.get(key(experiment))

    def where(self, **settings: object) -> list[Result]:
        """The results whose experiments have these settings; a ValueError when there are none.

        `options={}` are a method's defaults, and None what the recipe of the network supplies.
        """
        for name in settings:
            check_choice("setting", name, self._settings)
        alike = {name: plain(value) for name, value in settings.items() if not _stands_for_more(value)}
        found = [r for r in self.results if all(n in r.settings and r.settings[n] == v for n, v in alike.items())]
        found = [r for r in found if all(r.has(name, settings[name]) for name in settings.keys() - alike.keys())]
        if not found:
            raise ValueError(f"no run of this sweep has {', '.join(f'{k}={v!r}' for k, v in settings.items())}")
        return found
