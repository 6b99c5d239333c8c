"""People's verdicts on suspected label errors in the test sets of MNIST, CIFAR-10 and CIFAR-100.

Northcutt, Athalye, Mueller: Pervasive label errors in test sets destabilize machine learning benchmarks. NeurIPS 2021
Datasets and Benchmarks, arXiv:2103.14749. The files are those of github.com/cleanlab/label-errors (Apache-2.0), read
from the folder `label-errors` in a folder where the kit looks for data, under their names there; and for a second crowd
those of github.com/jcpeterson/cifar-10h, from `cifar-10h`.

A worker saw an image and chose the given label, the one that a model guessed, both, or neither.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlkit.checks import DataError, check_choice
from nlkit.files import data_folders

TEST_SETS = ("mnist", "cifar10", "cifar100")
_CHOICES = ("given", "guessed", "both", "neither")
MOST_GIVEN = 0.4  # a label is an error if at most this share of its votes are for it: two of five


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What people said of the suspects of one test set, in the order of the file."""

    places: np.ndarray  # (S,) places in the test set
    given: np.ndarray  # (S,) labels that came with it
    guessed: np.ndarray  # (S,) labels that a model guessed
    votes: np.ndarray  # (S, 4) how many chose given, guessed, both, neither

    @property
    def errors(self) -> np.ndarray:
        """(S,) bool: the labels that the authors count as wrong."""
        return self.votes[:, 0] <= MOST_GIVEN * self.votes.sum(1) + 1e-9

    @property
    def agreed(self) -> np.ndarray:
        """(S,) what most chose, as text; of errors without a majority "nothing", of the others "given"."""
        most = self.votes * 2 > self.votes.sum(1, keepdims=True)
        chosen = np.where(most[:, 1:].any(1), most[:, 1:].argmax(1) + 1, len(_CHOICES))
        return np.array([*_CHOICES, "nothing"])[np.where(self.errors, chosen, 0)]


def load_verdicts(test_set: str) -> Verdicts:
    """The verdicts on one of `TEST_SETS`. Raises a DataError when the file is absent or is something else."""
    check_choice("test_set", test_set, TEST_SETS)
    path = find_file(f"label-errors/{test_set}_mturk.json")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        votes = [[row["mturk"].get(choice, 0) for choice in _CHOICES] for row in rows]
        numbers = [[row[name] for row in rows] for name in ("id", "given_original_label", "our_guessed_label")]
        return Verdicts(*(np.array(each, dtype=np.int64) for each in numbers), np.array(votes, dtype=np.int64))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path} does not hold verdicts as the authors publish them: {error!r}") from error


def load_suspicions(test_set: str) -> tuple[np.ndarray, np.ndarray]:
    """A test set's labels (n,) and what the authors' models said of it out of sample, (n, K); not for CIFAR-100."""
    check_choice("test_set", test_set, TEST_SETS[:2])
    names = (f"label-errors/{test_set}_test_set_{what}.npy" for what in ("original_labels", "pyx"))
    labels, probabilities = (np.load(find_file(name), allow_pickle=False) for name in names)
    return labels.astype(np.int64), probabilities


def load_crowd() -> np.ndarray:
    """(10000, 10) how many of some fifty people gave an image of CIFAR-10's test set each label (CIFAR-10H)."""
    return np.load(find_file("cifar-10h/cifar10h-counts.npy"), allow_pickle=False)


def find_file(name: str) -> Path:
    """A file below the data folders. Raises a DataError that says where it comes from when it is in none."""
    for folder in data_folders():
        if os.path.isfile(folder / name):
            return folder / name
    looked = ", ".join(str(folder) for folder in data_folders())
    home = "jcpeterson/cifar-10h" if name.startswith("cifar-10h") else "cleanlab/label-errors"
    raise DataError(
        f"{name} was not found: looked in {looked}. Get it from github.com/{home} and put it there, or set NLKIT_DATA "
        "to a folder that has it"
    )
