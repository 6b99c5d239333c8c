"""The identity of an experiment: every setting that decides its result, in plain values, so that results are found."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from nlkit.files import to_json
from nlkit.settings import Runnable, plain


def identity(experiment: Runnable) -> dict[str, object]:
    """Every setting of an experiment in plain values, and its "kind": module and class.

    Two experiments with the same identity are the same run. A class whose settings may be left out fills them in by its
    own `identity()`. The device is the one that was asked for, "auto" included: results made elsewhere are found again,
    and which device it was stands with each result.
    Raises a ValueError for a setting that no file can hold.
    """
    own = getattr(experiment, "identity", None)
    found = own() if own else {f.name: plain(getattr(experiment, f.name)) for f in fields(experiment)}  # type: ignore
    return {"kind": kind(type(experiment)), **found}


def kind(experiment_class: type) -> str:
    """How files name a class of experiments: "nlkit.papers.erase:Nodes"."""
    return f"{experiment_class.__module__}:{experiment_class.__qualname__}"


def explicit(experiment: Runnable) -> Any:
    """The same experiment with nothing left to a default: made of its `identity`."""
    return type(experiment)(**{name: value for name, value in identity(experiment).items() if name != "kind"})


def key(settings: Runnable | Mapping[str, object]) -> str:
    """An identity as text, to look results up by."""
    return to_json(settings if isinstance(settings, Mapping) else identity(settings), sort_keys=True)


class Complete(NamedTuple):
    """The settings of a run, from a file."""

    known: dict[str, object]  # with those that its class says were so before they were settings
    filled: dict[str, object]  # with today's defaults for what is still missing
    lacks: frozenset[str]  # what that is


def complete(settings: Mapping[str, object]) -> tuple[Any, Complete]:
    """The experiment that an identity from a file stands for, and what it had to be completed with.

    Raises a ValueError for a kind, a setting or a value that is not known today, a KeyError where it has none.
    """
    told = dict(settings)
    name = str(told.pop("kind"))
    experiment_class = _class_of(name)
    own = getattr(experiment_class, "complete", None)
    known, filled, lacks = own(told) if own else _complete(experiment_class, told)
    return experiment_class(**filled), Complete({"kind": name, **known}, filled, frozenset(lacks))


def _complete(experiment_class: Any, told: Mapping[str, object]) -> Complete:
    defaults = {f.name: plain(f.default) for f in fields(experiment_class)}
    if strange := told.keys() - defaults.keys():
        raise ValueError(f"{experiment_class.__name__} has no setting {', '.join(sorted(strange))}")
    before = {n: v for n, v in getattr(experiment_class, "BEFORE", {}).items() if n not in told}
    known = {**told, **before}
    return Complete(known, defaults | known, frozenset(defaults.keys() - known.keys()))


def _class_of(name: str) -> type:
    """A class of experiments by its name. Of a file's word, only the kit's modules are imported, and none run."""
    module, _, qualname = name.partition(":")
    if module not in sys.modules:
        if module.partition(".")[0] != "nlkit":
            raise ValueError(f"its runs are of {name}, which is not the kit's; import {module} first")
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise ValueError(f"its runs are of {name}, which this version of nlkit does not have") from error
    found: Any = sys.modules[module]
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type) or not hasattr(found, "run"):
        raise ValueError(f"its runs are of {name}, which is no class of experiments")
    return found
