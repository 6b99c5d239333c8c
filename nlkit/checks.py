"""Errors that explain: each check names the argument, the value and what is allowed, before any work starts."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable

MANY, FEW_LIKE = 100, 5  # names that an error lists, and of more than that, those that are most alike


class DataError(RuntimeError):
    """Something that the kit needs is missing, broken or can't be fetched; the message says what, where, what to do."""


def shown(value: object, most: int = 120) -> str:
    """`value` as an error shows it: an exception in its own words, the rest as Python writes it, neither at length."""
    words = str(value) if isinstance(value, Exception) else repr(value)
    words = " ".join(words.split()) if "\n" in words else words
    return words if len(words) <= most else f"{words[: most // 2]} … {words[-most // 4 :]}"


def check_choice(argument: str, value: object, known: Iterable[str]) -> str:
    """Return `value` if it is one of `known`; otherwise a ValueError that suggests the nearest one.

    It names all that are known, or the `FEW_LIKE` nearest where there are hundreds.
    """
    known = sorted(known)
    if isinstance(value, str) and value in known:
        return value
    near = difflib.get_close_matches(str(value)[:60].lower(), known, n=FEW_LIKE, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    told = ", ".join(known)
    if len(known) > MANY:
        told = f"{', '.join(near or known[:FEW_LIKE])}, and {len(known) - (len(near) or FEW_LIKE)} more"
    raise ValueError(f"{argument}={shown(value)} is not known{hint} Known: {told}")


def check_number(
    argument: str, value: object, low: float = -math.inf, high: float = math.inf, *, above: bool = False
) -> float:
    """Return `value` as a float in [low, high], or in (low, high] with `above`; otherwise a ValueError."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        finite = number and math.isfinite(value)
    except OverflowError:  # a whole number too long for a float
        finite = False
    if not finite or not low <= value <= high or (above and value == low):
        raise ValueError(f"{argument}={shown(value)} must be a number {_span(low, high, above)}")
    return float(value)


def check_integer(argument: str, value: object, low: int, high: float = math.inf, *, why: str = "") -> int:
    """Return `value` as an int in [low, high]; otherwise a ValueError that ends in `why`."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise ValueError(f"{argument}={shown(value)} must be a whole number {_span(low, high)}{why}")
    return int(value)


def check_flag(argument: str, value: object) -> bool:
    """Return `value` as a bool if it is True or False, numpy's included; otherwise a ValueError."""
    numpys = getattr(value, "dtype", None) == "bool" and value.shape == ()
    if not isinstance(value, bool) and not numpys:
        raise ValueError(f"{argument}={shown(value)} must be True or False")
    return bool(value)


def _span(low: float, high: float, above: bool = False) -> str:
    if above:
        return f"above {low}" if high == math.inf else f"above {low} and at most {high}"
    return f"of at least {low}" if high == math.inf else f"from {low} to {high}"
