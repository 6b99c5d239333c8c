"""Turned digits as a classification: angles are classes, of which a model has seen some, with wrong labels among them.

In a half circle there are 19 angles, -90° to 90°, which form a path; in a full one 20, which form a ring.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from nlkit.data.class_metrics import cycle, path
from nlkit.data.turned_digits import Turned, at_angles
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import noise_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF, FULL = "half circle", "full circle"
ANGLES = {HALF: tuple(range(-90, 91, 10)), FULL: tuple(range(-180, 180, 18))}
SPACES = {HALF: path(len(ANGLES[HALF])), FULL: cycle(len(ANGLES[FULL]))}
TRAIN, TEST, EACH = 400, 100, 3  # digits to learn from and to test on, and at how many angles each is seen
_RIDGES = np.logspace(0, 4, 9)


def digits_to_test(space: str, digit: str, seed: int) -> Turned:
    """300 test digits: 100 of one kind ("0" to "9", or "any"), each at three of the angles of a space."""
    return at_angles("test", digit, TEST, ANGLES[space], EACH, seed)


def classes_of(digits: Turned, space: str) -> NDArray:
    """(n,) the places of their angles among those of the space."""
    return np.searchsorted(ANGLES[space], digits.degrees.numpy())


def taught(space: str, digit: str, known: tuple[int, ...], ratio: float, seed: int) -> tuple[NDArray, NDArray]:
    """Pixels (n, 196) of the training digits at angles of the classes `known`, and their given labels (n,).

    A label is a place in `known`. A share `ratio` of them is wrong: another one of these.
    """
    digits = at_angles("train", digit, TRAIN, ANGLES[space], EACH, seed)
    true = classes_of(digits, space)
    seen = np.isin(true, known)
    places = torch.from_numpy(np.searchsorted(known, true[seen]))
    given = corrupt(places, noise_matrix("symmetric", len(known), ratio), seed=seed)
    return digits.pixels.numpy()[seen], given.numpy()


@functools.lru_cache(maxsize=64)
def probabilities(space: str, digit: str, known: tuple[int, ...], ratio: float, seed: int, C: float) -> NDArray:
    """P (300, k) that a logistic regression, taught the classes `known` (k,) in rising order, gives the test digits."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    x, given = taught(space, digit, known, ratio, seed)
    with warnings.catch_warnings():  # of large C, with which a last bit of the loss is still to be had
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=C, max_iter=300).fit(x, given)
    return model.predict_proba(digits_to_test(space, digit, seed).pixels.numpy())


def ridge_angles(space: str, digit: str, known: tuple[int, ...], ratio: float, seed: int) -> NDArray:
    """(300,) the classes nearest to what a ridge regression says of the test digits, its penalty by leave-one-out.

    In a half circle it is taught the number of the class, in a full one the sine and cosine of the angle.
    """
    from sklearn.linear_model import RidgeCV

    x, given = taught(space, digit, known, ratio, seed)
    classes = np.asarray(known)[given]
    test = digits_to_test(space, digit, seed).pixels.numpy()
    if space == HALF:
        said = RidgeCV(_RIDGES).fit(x, classes).predict(test)
        return said.round().clip(0, len(ANGLES[HALF]) - 1).astype(int)
    around = np.exp(1j * np.deg2rad(ANGLES[FULL]))
    said = RidgeCV(_RIDGES).fit(x, np.stack([around.real, around.imag], 1)[classes]).predict(test)
    return (said @ np.stack([around.real, around.imag])).argmax(1)
