"""Settings: the fields of an experiment that know their range, and their plain values, which files hold.

An **experiment** is settings that can be run: a frozen dataclass whose fields are made by `setting`, and which `run`s.
Panels, sweeps, claims and the command line know nothing else of it.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import numbers
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from nlkit.checks import check_choice, check_flag, check_integer, check_number

if TYPE_CHECKING:
    from nlkit.records import Recorded, Step


@runtime_checkable
class Runnable(Protocol):
    """An experiment: a frozen dataclass of settings. `seed` decides all that is drawn.

    `run` yields a record after each part of the run, an epoch or a pass, and with `steps=True` steps in between. It
    trains only when it is asked for the next one, so whoever drives it may stop at any time. A class may also have

    - `epochs`: how many records there will be at most, as a field or a property; panels show their progress by it;
    - `identity()` and the class method `complete(settings)`, where settings left out stand for something else;
    - `where()`: the device that it runs on, which is kept beside its result;
    - `kept`: the names of the numbers that sweeps keep; all of them otherwise;
    - `BEFORE`: setting -> the value that runs had before there was such a setting.
    """

    seed: int

    def run(self, *, steps: bool = False) -> Iterator[Recorded | Step]: ...


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[object] | None = None,
    knob: bool = False,
    log: bool = False,
) -> Any:
    """A field of an experiment that knows what it may be: `check_settings` holds it to that, and panels show it.

    help: what it is, in a few words, with its unit. low, high: of a number, both included; a whole number where the
    default is one. choices: of what has names, or a few numbers. knob: whether a panel lets it be moved. log: whether
    its slider goes by factors.
    """
    told = {"help": help, "low": low, "high": high, "choices": choices, "knob": knob, "log": log}
    return dataclasses.field(default=default, metadata=told)


def check_settings(experiment: object) -> None:
    """Hold every field that was made by `setting` to its range, and make its value a plain one; for `__post_init__`.

    Raises a ValueError that names the setting, its value and what is allowed.
    """
    for f in dataclasses.fields(experiment):  # type: ignore[arg-type]
        if "choices" in f.metadata:
            object.__setattr__(experiment, f.name, check_setting(f, getattr(experiment, f.name)))


def check_setting(field: dataclasses.Field, value: object) -> object:
    """The value as a plain one, if the field may have it; otherwise a ValueError."""
    told = field.metadata
    low, high = told["low"], told["high"]
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if told["choices"] is not None:
        value = plain(value)
        if value not in told["choices"]:
            if all(isinstance(choice, str) for choice in told["choices"]):
                return check_choice(field.name, value, told["choices"])
            raise ValueError(f"{field.name}={value!r} must be one of {', '.join(map(str, told['choices']))}")
        return value
    if isinstance(field.default, bool):
        return check_flag(field.name, value)
    if isinstance(field.default, int):
        return check_integer(field.name, plain(value), low, high)  # type: ignore[arg-type]
    if isinstance(field.default, float):
        return check_number(field.name, plain(value), low, high)
    return plain(value)


def knobs(experiment_class: type) -> dict[str, dataclasses.Field]:
    """The settings that a panel lets be moved, by name, in the order of the class; the seed comes last."""
    found = {f.name: f for f in dataclasses.fields(experiment_class) if f.metadata.get("knob")}
    return {name: field for name, field in found.items() if name != "seed"}


def plain(value: object) -> Any:
    """`value` in the types of JSON: numbers of NumPy and torch become Python's, arrays and tensors lists.

    Of a float with less precision than Python's, the number that it prints as is taken: numpy.float32(0.4) becomes 0.4.
    A function or a class goes by its name and where it is from. Raises a ValueError for what has no plain form.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        short = hasattr(value, "dtype") and not isinstance(value, float)
        return float(str(value)) if short else float(value)
    if isinstance(value, functools.partial):
        return [plain(value.func), plain(value.args), plain(value.keywords)]
    if inspect.isroutine(value) or inspect.isclass(value):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "tolist"):  # arrays and tensors, on whatever device, and numpy's own True
        return plain(value.tolist())
    raise ValueError(
        f"{value!r} can't be kept as a setting; it must be made of numbers, texts, lists, mappings and functions"
    )
