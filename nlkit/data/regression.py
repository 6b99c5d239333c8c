"""Small regressions on real data, with an exact truth: a training set some of whose labels changed places."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.turned_digits import at_any_angle
from nlkit.randomness import seeded_generator

DIGITS, CARS = "turned digits", "cars"
UNITS = {DIGITS: "degrees", CARS: "miles a gallon"}
VALID, TEST, CARS_LEFT = 300, 500, 200  # turned digits that are held out and tested; cars to learn from


class Regression(NamedTuple):
    """Inputs (…, d) as they are to be seen, and labels in their own unit."""

    x: Tensor  # (n, d)
    given: Tensor  # (n,) of which some are in the wrong place
    true: Tensor  # (n,)
    x_valid: Tensor  # (V, d)
    y_valid: Tensor  # (V,) all right
    x_test: Tensor  # (M, d)
    y_test: Tensor  # (M,)


def exchanged(y: Tensor, ratio: float, *, seed: int = 0) -> Tensor:
    """Labels (n,) of which round(ratio · n), drawn at random, have changed places: each has that of another one.

    So mean and spread stay what they were. One alone has nobody to change with, and none moves. What moves at a lower
    ratio moves at a higher one too. Raises a ValueError for a ratio outside [0, 1].
    """
    count = round(check_number("ratio", ratio, 0, 1) * len(y))
    moved = torch.randperm(len(y), generator=seeded_generator(seed, "exchanged labels"))[:count]
    given = y.clone()
    given[moved] = y[moved.roll(1)]
    return given


def regression(data: str = DIGITS, train: int = 600, ratio: float = 0.0, *, seed: int = 0) -> Regression:
    """Turned digits, of which the angle is to be told, or cars, of which it is how far a gallon takes them.

    train: examples to learn from, 20 to 3,000 digits; of the 392 cars it is 200, or fewer if asked for.
    ratio: share of them whose label is another one's. Validation and test labels are all right.
    """
    if check_choice("data", data, UNITS) == DIGITS:
        check_integer("train", train, 20, 3000)
        here = at_any_angle("train", train + VALID, seed)  # the first are held out: the same, however many are learned
        other = at_any_angle("test", TEST, seed)
        x, y = here.pixels[VALID:], here.degrees[VALID:]
        rest = (here.pixels[:VALID], here.degrees[:VALID], other.pixels, other.degrees)
        return Regression(x, exchanged(y, ratio, seed=seed), y, *rest)
    check_integer("train", train, 20)
    columns, miles = (torch.from_numpy(each).float() for each in cars())
    order = torch.randperm(len(miles), generator=seeded_generator(seed, "cars"))
    use, valid, test = order[:CARS_LEFT][:train], order[CARS_LEFT:292], order[292:]
    mean, spread = columns[use].mean(0), columns[use].std(0).clamp(min=1e-6)
    x, y = (columns - mean) / spread, miles
    return Regression(x[use], exchanged(y[use], ratio, seed=seed), y[use], x[valid], y[valid], x[test], y[test])


@functools.cache
def cars() -> tuple[NDArray, NDArray]:
    """Seven numbers of each of 392 cars (392, 7), and miles a gallon (392,), as mlxtend carries them.

    Cylinders, displacement, horsepower, weight, acceleration, year, origin. The eighth column, the name, is empty.
    Source: Quinlan: Auto MPG. UCI Machine Learning Repository, 1993.
    """
    from mlxtend.data import autompg_data

    table, miles = autompg_data()
    return numpy.ascontiguousarray(table[:, :7]), miles


def as_rows(name: str, values: ArrayLike | Tensor, *, least: int = 2) -> Tensor:
    """(n, q) float32 of a table: an array, a frame, or one column. A ValueError for what is missing or no number."""
    try:
        rows = torch.as_tensor(values if isinstance(values, Tensor) else numpy.array(values, dtype=float)).float()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers ({error}); encode what has names, for example one-hot") from error
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or len(rows) < least or not rows.isfinite().all():
        raise ValueError(
            f"{name} has shape {tuple(rows.shape)}; it must be {least} rows or more of finite numbers, none missing"
        )
    return rows
