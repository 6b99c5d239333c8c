"""Human label noise: CIFAR-10N, labels that people gave to CIFAR-10's training images.

Wei, Zhu, Cheng, Liu, Niu and Liu, "Learning with Noisy Labels Revisited: A Study Using Real-World Human Annotations",
ICLR 2022, arXiv:2110.12088; github.com/UCSC-REAL/cifar-10-100n. Three people labelled each image: "random1" to
"random3" are their labels, "aggregate" the majority of the three, and "worst" a wrong one wherever there was one.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import DataError, check_choice
from nlkit.data.labels import check_labels
from nlkit.files import data_folders

_KEYS = {
    "aggregate": "aggre_label",
    "random1": "random_label1",
    "random2": "random_label2",
    "random3": "random_label3",
    "worst": "worse_label",
    "clean": "clean_label",
}  # their names in both files
HUMAN_LABEL_SETS = tuple(_KEYS)

# How often each class of CIFAR-10 (rows: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck) has each
# label in "worst", of 5,000 images: counted from the file.
_WORST = (
    (3251, 328, 359, 96, 97, 114, 94, 83, 423, 155),
    (215, 2961, 76, 132, 87, 77, 68, 68, 79, 1237),
    (277, 183, 3160, 229, 297, 238, 249, 166, 118, 83),
    (198, 172, 396, 2436, 213, 1028, 235, 119, 106, 97),
    (197, 163, 350, 201, 2441, 532, 195, 758, 105, 58),
    (165, 141, 264, 915, 202, 2901, 137, 147, 61, 67),
    (190, 191, 420, 379, 254, 288, 2968, 143, 102, 65),
    (199, 140, 121, 110, 256, 309, 115, 3608, 87, 55),
    (409, 364, 109, 72, 105, 93, 82, 109, 3417, 240),
    (208, 1410, 87, 103, 88, 88, 60, 72, 131, 2753),
)  # fmt: skip

_FILES = ("cifar-10n/cifar10n_labels.npz", "cifar-10n/CIFAR-10_human.pt")


def human_labels(which: str) -> Tensor:
    """One of CIFAR-10N's label sets: (50000,) int64 in 0 … 9, in the order of CIFAR-10's training set, on the CPU.

    which: "aggregate" (9.01 % wrong), "random1" (17.23 %), "random2" (18.12 %), "random3" (17.64 %), "worst" (40.21 %),
        or "clean", CIFAR-10's own labels.

    Read from `cifar-10n/CIFAR-10_human.pt`, the file that the authors publish, or from `cifar-10n/cifar10n_labels.npz`,
    the same arrays by the same names, in a folder where the kit looks for data. Raises a ValueError for an unknown
    name, a DataError when the file is absent or broken.
    """
    check_choice("which", which, HUMAN_LABEL_SETS)
    path = find_human_labels()
    if path is None:
        folders = data_folders()
        raise DataError(
            f"CIFAR-10N's human labels were not found: looked for {' and '.join(_FILES)} in "
            f"{' and '.join(map(str, folders))}. The kit does not download them, since their licence (CC BY-NC 4.0) is "
            "for you to accept: take data/CIFAR-10_human.pt from github.com/UCSC-REAL/cifar-10-100n and copy it to "
            f"{folders[0] / _FILES[1]}."
        )
    try:
        labels = check_labels(_KEYS[which], _read(path, _KEYS[which]), num_classes=10)
        if len(labels) != 50_000:
            raise ValueError(f"{len(labels):,} labels instead of 50,000")
    except Exception as error:  # a broken archive fails in many ways
        raise DataError(
            f"{path} is broken: {which!r} can't be read ({type(error).__name__}: {error}). Replace it by the "
            "data/CIFAR-10_human.pt of github.com/UCSC-REAL/cifar-10-100n, or remove it if there is another copy."
        ) from error
    return labels


def human_matrix() -> Tensor:
    """The transition matrix (10, 10) of CIFAR-10N's "worst" labels, T[i, j] = P(given = j | true = i), in float64.

    40.21 % of these labels are wrong. It is known here without the file.
    """
    counts = torch.tensor(_WORST, dtype=torch.float64)
    return counts / counts.sum(1, keepdim=True)


def find_human_labels() -> Path | None:
    """The first file of CIFAR-10N in the data folders, or None; it is not opened."""
    paths = (folder / file for folder in data_folders() for file in _FILES)
    return next((path for path in paths if os.path.isfile(path)), None)


def _read(path: Path, key: str) -> np.ndarray:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[key]
    # The file is a pickle of numpy arrays; only what rebuilds an array is let through, by its name before numpy 2 too.
    rebuild = np._core.multiarray._reconstruct
    allowed = [rebuild, (rebuild, "numpy.core.multiarray._reconstruct"), np.ndarray, np.dtype, np.dtypes.Int64DType]
    with torch.serialization.safe_globals(allowed):
        return torch.load(path, weights_only=True)[key]
