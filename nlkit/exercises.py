"""Checks for the exercises: what was expected, what came, and where to look, without a traceback."""

from __future__ import annotations

import contextlib
import functools
import linecache
import textwrap
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_MOST_LETTERS = 300  # of an answer, or an error, that is told in a message


class NotYet(AssertionError):
    """An answer is not right yet. A notebook shows its message alone: the traceback would be of the check."""

    def _render_traceback_(self) -> list[str]:  # what IPython shows in place of a traceback
        return str(self).splitlines()


@contextlib.contextmanager
def check(done: str, hint: str) -> Iterator[Callable[..., None]]:
    """What a check cell is in: gives `expect` with a hint to fall back on, and prints `done` if nothing was found.

    Whatever goes wrong in it, in the answer or with what the answer returned, becomes a `NotYet` of a few lines. An
    error within the answer is told with the answer's own line.
    """
    try:
        yield functools.partial(expect, hint=hint)
    except NotYet:
        raise
    except Exception as error:
        raise NotYet(_told(error, hint)) from error
    print(done)


def expect(what: str, came: object, expected: object, hint: str, *, within: float = 1e-6) -> None:
    """Compare an answer with what it should be; raise a `NotYet` that says both, and where to look.

    came, expected: numbers, truth values, tensors or arrays (same shape, NaN equal to NaN), or anything with `==`.
    within: largest difference allowed, in units of the largest expected number or of 1, whichever is larger.
    """
    if came is None:
        raise NotYet(_report(what, expected, "nothing: a function without `return` gives None", hint))
    numbers = _as_numbers(expected)
    if numbers is None:
        if not _equal(came, expected):
            raise NotYet(_report(what, expected, _short(repr(came)), hint))
        return
    answer = _as_numbers(came)
    if answer is None:
        raise NotYet(_report(what, expected, f"{_short(repr(came))}, which is not made of numbers", hint))
    if answer.shape != numbers.shape:
        shapes = f"{_in_words(came)}, of shape {answer.shape} where {numbers.shape} was expected"
        raise NotYet(_report(what, expected, shapes, hint))
    allowed = within * max(1.0, float(np.abs(np.nan_to_num(numbers)).max(initial=0)))
    if not np.allclose(answer, numbers, rtol=0, atol=allowed, equal_nan=True):
        raise NotYet(_report(what, expected, _in_words(came), hint))


def as_tensor(came: object) -> Tensor:
    """An answer as a tensor on the CPU, be it a tensor, an array, a number or a list of such.

    Raises a ValueError or a TypeError when it is none of them.
    """
    import torch

    if came is None:
        raise ValueError("nothing came: a function without `return` gives None")
    if isinstance(came, torch.Tensor):
        return came.detach().cpu()
    if isinstance(came, list | tuple):
        return torch.stack([as_tensor(part) for part in came]) if came else torch.tensor([])
    return torch.as_tensor(np.array(came))  # a copy, since torch takes no array that runs backwards


def _as_numbers(value: object) -> np.ndarray | None:
    """The same as an array of float64; None where it is not made of numbers."""
    if isinstance(value, str) or value is None:  # NumPy would read a number in it
        return None
    if isinstance(value, list | tuple):
        value = [_as_numbers(part) for part in value]
        if any(part is None for part in value):
            return None
    try:
        return value.detach().cpu().double().numpy() if hasattr(value, "detach") else np.array(value, dtype=np.float64)
    except Exception:  # whatever an answer is, it is compared, and not a reason to stop
        return None


def _equal(came: object, expected: object) -> bool:
    try:
        return bool(came == expected)
    except Exception:
        return False


def _told(error: Exception, hint: str) -> str:
    """What went wrong within a check, by whose line, in words."""
    frames = [frame for frame in traceback.walk_tb(error.__traceback__) if frame[0].f_code.co_filename != __file__]
    notebook = frames[0][0].f_globals.get("__name__")  # the first frame is the check's
    checked_in = frames[0][0].f_code.co_filename
    said = _short(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    if isinstance(error, NotImplementedError) and str(error):
        return f"Not yet: {error}"
    if isinstance(error, NameError) and frames[-1][0].f_code.co_filename == checked_in:
        return f"Not yet: `{error.name}` is not there\n  look at:  the cells above: run each, your answer's too"
    named = [(frame.f_globals.get("__name__"), frame.f_code.co_filename) for frame, _ in frames]
    answers = [frame for frame, (name, file) in zip(frames, named) if name == notebook and file != checked_in]
    frame, number = answers[0] if answers else frames[0]
    line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    who = f"`{frame.f_code.co_name}` stopped" if answers else "what came can't be used: the check stopped"
    return f"Not yet: {who} with {said}\n  its line: {line or number}\n  look at:  {hint}"


def _short(text: str) -> str:
    return textwrap.shorten(text, _MOST_LETTERS, placeholder=" …")


def _in_words(value: object) -> str:
    numbers = _as_numbers(value)
    if numbers is None or isinstance(value, bool):
        return _short(repr(value))
    if (np.abs(numbers) < 1e9).all() and (numbers == numbers.round()).all():
        numbers = numbers.astype(int)
    return np.array2string(numbers, precision=4, threshold=20, separator=", ", suppress_small=True)


def _report(what: str, expected: object, came: str, hint: str) -> str:
    return f"Not yet: {what}\n  expected: {_in_words(expected)}\n  came:     {came}\n  look at:  {hint}"
