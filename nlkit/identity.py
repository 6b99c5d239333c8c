"""The identity of an experiment: every setting that decides its result, in plain values, so that results are found."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import NamedTuple

from nlkit.checks import check_choice
from nlkit.experiment import Experiment
from nlkit.files import to_json
from nlkit.methods import METHODS, build_method
from nlkit.settings import plain

SETTINGS = tuple(f.name for f in fields(Experiment))

# Settings that are younger than stored results: a field of `Experiment`, or "METHOD.OPTION" -> the value that runs had
# before there was one. Say here what a new setting was, and results from before it are found under it; of one that is
# not named here they are not taken for runs that have it, at whatever value.
BEFORE: dict[str, object] = {
    "mentornet.mentor": "threshold",
    "mentormix.mentor": "threshold",
    "reweight.look_ahead": "optimizer",
}


def identity(experiment: Experiment) -> dict[str, object]:
    """Every setting of an experiment, in plain values: what the recipe of the network supplies is filled in, and so are
    the options of the method at their defaults. Two experiments with the same identity are the same run.

    The device is the one that was asked for, "auto" included: results made elsewhere are found again, and which device
    it was stands with each result.
    Raises a ValueError for an unknown network or method, or a setting that no file can hold.
    """
    filled = experiment.resolved()
    found = {f.name: _as_meant(getattr(filled, f.name), f.type) for f in fields(Experiment) if f.name != "options"}
    return found | {"options": with_defaults(experiment.method, experiment.options)}


def with_defaults(method: str, options: Mapping[str, object]) -> dict[str, object]:
    """The options of a method in plain values; those that are left out are at their defaults.

    Raises a ValueError for an unknown method or option.
    """
    build_method(method, dict(options))
    arguments = _arguments(METHODS[method])
    found = {name: argument.default for name, argument in arguments.items()} | dict(options)
    return {name: _as_meant(value, arguments[name].annotation) for name, value in found.items()}


def explicit(experiment: Experiment) -> Experiment:
    """The same experiment with nothing left to a default: made of its `identity`."""
    return Experiment(**identity(experiment))


def key(settings: Experiment | Mapping[str, object]) -> str:
    """An identity as text, to look results up by."""
    return to_json(identity(settings) if isinstance(settings, Experiment) else settings, sort_keys=True)


class Complete(NamedTuple):
    """The settings of a run, from a file."""

    known: dict[str, object]  # with those of `BEFORE`
    filled: dict[str, object]  # with today's defaults for what is still missing
    lacks: frozenset[str]  # what that is: names, or "METHOD.OPTION"


def complete(settings: Mapping[str, object]) -> Complete:
    """Make an identity that was kept in a file one of today, which may have settings that are younger.

    Raises a ValueError for a setting, a method or a network that is not known today, a KeyError where it has none.
    """
    for name in settings:
        check_choice("setting", name, SETTINGS)
    method = settings["method"]
    today = _of_today(method, settings["model"], METHODS[check_choice("method", method, METHODS)])
    known = {name: BEFORE[name] for name in today if name in BEFORE} | dict(settings)
    before = {name: BEFORE[f"{method}.{name}"] for name in today["options"] if f"{method}.{name}" in BEFORE}
    known["options"] = before | dict(settings["options"])
    filled = today | known | {"options": with_defaults(method, known["options"])}
    lacks = [name for name in today if name not in known]
    lacks += [f"{method}.{name}" for name in today["options"] if name not in known["options"]]
    return Complete(known, filled, frozenset(lacks))


@cache
def _of_today(method: str, model: str, algorithm: type) -> dict[str, object]:
    return identity(Experiment(method=method, model=model))


def _as_meant(value: object, annotation: object) -> object:
    """`value` in plain values; a whole number where a float is meant becomes one, since 0 and 0.0 are alike."""
    value = plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} can't be a setting; it must be a number")
    return float(value) if type(value) is int and str(annotation).startswith("float") else value


@cache
def _arguments(method: type) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(method).parameters
