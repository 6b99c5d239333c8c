"""Words and numbers as pictures and their alternative texts have them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def end_of(values: Sequence[float]) -> float:
    """The last value that is a number; NaN if none is."""
    return next((value for value in reversed(values) if not math.isnan(value)), math.nan)


def peak_of(values: Sequence[float]) -> int | None:
    """The place of the highest value, the first of equals; None if none is a number."""
    places = [place for place, value in enumerate(values) if not math.isnan(value)]
    return max(places, key=lambda place: values[place]) if places else None


def told_line(
    name: str, x: Sequence[float], values: Sequence[float], xlabel: str = "epoch", digits: int = 1, half: float = 0
) -> str:
    """A line of shares in words: where it begins, its highest value and where that is, and where it ends.

    half: of the interval at the end, if there is one.
    """
    top = peak_of(values)
    if top is None:
        return f"{name}: no value"
    first, last = next(value for value in values if not math.isnan(value)), end_of(values)
    end = in_percent_words(last, digits) + (f" ± {100 * half:.1f}" if half and not math.isnan(half) else "")
    if values[top] <= max(first, last):
        return f"{name}: {in_percent_words(first, digits)} to {end}"
    where = f"{xlabel} {x[top]:g}" if xlabel == "epoch" else f"{x[top]:g}"
    best = in_percent_words(values[top], digits)
    return f"{name}: {in_percent_words(first, digits)}, best {best} at {where}, then {end}"


def in_percent_words(share: float, digits: int = 1) -> str:
    """A share in [0, 1] in words; one that is not defined is a dash."""
    return "–" if math.isnan(share) else f"{share:.{digits}%}"


def short_name(name: str, most: int = 10) -> str:
    """The name of a class where there is little room: its ends, since names often differ in their last letters."""
    return name if len(name) <= most else f"{name[: most - 5]}…{name[-4:]}"


def first_letters(name: str, kept: int = 5) -> str:
    """The name of a class where there is hardly any room, as on the axes of a small matrix."""
    return name if len(name) <= kept + 1 else f"{name[:kept]}…"


def rounded_to_whole(shares: Sequence[float], digits: int = 0) -> list[float]:
    """Percentages rounded so that the sum stays what it was: the largest remainders are rounded up.

    digits: after the point. What is rounded away from one entry is given to another, so that the row of a matrix that
    sums to 100 is printed as one that does.
    """
    steps = [share * 10**digits for share in shares]
    floors = [math.floor(step + 1e-9) for step in steps]
    missing = round(sum(steps)) - sum(floors)
    for place in sorted(range(len(steps)), key=lambda i: floors[i] - steps[i])[:missing]:
        floors[place] += 1
    return [floor / 10**digits for floor in floors]
