"""Settings as plain values: what a checkpoint or a file of results holds, and what two runs are compared by."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Mapping
from typing import Any


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
