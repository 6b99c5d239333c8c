"""Checks for the exercises: what was expected, what came, and where to look, without a traceback."""

from __future__ import annotations

import numpy as np


class NotYet(AssertionError):
    """An answer is not right yet. A notebook shows its message alone: the traceback would be of the check."""

    def _render_traceback_(self) -> list[str]:  # what IPython shows in place of a traceback
        return str(self).splitlines()


def expect(what: str, came: object, expected: object, hint: str, *, within: float = 1e-6) -> None:
    """Compare an answer with what it should be; raise a `NotYet` that says both, and where to look.

    came, expected: numbers, truth values, tensors or arrays (same shape, NaN equal to NaN), or anything with `==`.
    within: largest difference allowed, in units of the largest expected number or of 1, whichever is larger.
    """
    if came is None:
        raise NotYet(_report(what, expected, "nothing: a function without `return` gives None", hint))
    numbers = _as_numbers(expected)
    if numbers is None:
        if came != expected:
            raise NotYet(_report(what, expected, repr(came), hint))
        return
    answer = _as_numbers(came)
    if answer is None:
        raise NotYet(_report(what, expected, f"{came!r}, which is not made of numbers", hint))
    if answer.shape != numbers.shape:
        shapes = f"{_in_words(came)}, of shape {answer.shape} where {numbers.shape} was expected"
        raise NotYet(_report(what, expected, shapes, hint))
    allowed = within * max(1.0, float(np.abs(np.nan_to_num(numbers)).max(initial=0)))
    if not np.allclose(answer, numbers, rtol=0, atol=allowed, equal_nan=True):
        raise NotYet(_report(what, expected, _in_words(came), hint))


def _as_numbers(value: object) -> np.ndarray | None:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _in_words(value: object) -> str:
    numbers = _as_numbers(value)
    if numbers is None or isinstance(value, bool):
        return repr(value)
    if (np.abs(numbers) < 1e9).all() and (numbers == numbers.round()).all():
        numbers = numbers.astype(int)
    return np.array2string(numbers, precision=4, threshold=20, separator=", ", suppress_small=True)


def _report(what: str, expected: object, came: str, hint: str) -> str:
    return f"Not yet: {what}\n  expected: {_in_words(expected)}\n  came:     {came}\n  look at:  {hint}"
