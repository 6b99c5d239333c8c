"""Settings as plain values: what a checkpoint or a file of results holds, and what two runs are compared by."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any


def plain(value: object) -> Any:
    """`value` as JSON would give it back: numbers of NumPy and torch as Python's, arrays and tensors as lists.

    A function or a class goes by its name and where it is from. Raises a ValueError for what has no plain form.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        # A subclass, as numpy.float64 is one of float, becomes the plain type itself.
        return next((kind(value) for kind in (bool, int, float, str) if isinstance(value, kind)), None)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, functools.partial):
        return [plain(value.func), plain(value.args), plain(value.keywords)]
    if inspect.isroutine(value) or inspect.isclass(value):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "tolist"):  # arrays, tensors, and the scalars of both
        return plain(value.tolist())
    raise ValueError(f"{value!r} is a {type(value).__name__}, which can't be kept as a setting")
