"""Labels as people have them (names, numbers, columns of a table), and as the kit has them: whole numbers from 0."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable, Iterable, Mapping, Set

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import shown

NO_CLASS = -1  # the true label of an image that belongs to none of the classes
UNKNOWN = -2  # in place of a true label that nobody knows


def check_labels(argument: str, labels: object, num_classes: int, lowest: int = 0) -> Tensor:
    """Return `labels` as an (N,) int64 tensor with values in `lowest` … K - 1, or raise a ValueError.

    Any whole numbers will do: signed or not, in either order of bytes, in a tensor, an array, a list or a column.
    """
    labels = labels if isinstance(labels, Tensor) else _as_tensor(argument, labels)
    labels = labels if labels.numel() else labels.long()  # an empty list has no type of its own
    kind = labels.dtype
    if labels.ndim != 1 or labels.is_floating_point() or labels.is_complex() or kind == torch.bool:
        lost = int(labels.isnan().sum()) if labels.is_floating_point() or labels.is_complex() else 0
        nan = f", and is NaN in {lost:,} of {labels.numel():,} places" if lost else ""
        raise ValueError(f"{argument} has shape {tuple(labels.shape)} and type {kind}{nan}; it must be (N,) of int")
    labels = labels.long()
    if len(labels) and not lowest <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise ValueError(
            f"{argument} has values from {int(labels.min())} to {int(labels.max())}; with {num_classes} classes they "
            f"must be from {lowest} to {num_classes - 1}"
        )
    return labels


def find_classes(argument: str, labels: object, class_names: tuple[str, ...]) -> Tensor:
    """Labels (N,) as numbers: names are looked up in `class_names`, numbers are checked.

    Raises a ValueError that counts the labels that are missing, or names those that are no class.
    """
    names = _names_in(argument, labels)
    if names is None:
        return check_labels(argument, labels, len(class_names))
    lost = _which(names, _is_missing)
    if lost.any():
        raise ValueError(f"{argument} has no label (None or NaN) in {int(lost.sum()):,} of {len(names):,} places")
    place = {name: number for number, name in enumerate(class_names)}
    distinct, inverse = np.unique(names.astype(str), return_inverse=True)
    if unknown := [name for name in distinct.tolist() if name not in place]:
        near = difflib.get_close_matches(unknown[0][:40], class_names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"the classes are {few(class_names)}"
        raise ValueError(f"{argument} has {few(map(repr, unknown))}, which is no class; {hint}")
    return torch.from_numpy(np.array([place[name] for name in distinct.tolist()], np.int64)[inverse])


def find_truth(argument: str, labels: object, class_names: tuple[str, ...]) -> Tensor:
    """As `find_classes`, of labels (N,) among which -1 is an image of no class, and -2, None or NaN an unknown one."""
    if isinstance(labels, Tensor) and not labels.is_floating_point():
        return check_labels(argument, labels, len(class_names), UNKNOWN)
    array = _objects(labels.cpu().numpy() if isinstance(labels, Tensor) else labels)
    if array.ndim != 1:
        raise ValueError(f"{argument}={shown(labels)} must be (N,) labels")
    array[_which(array, _is_missing)] = UNKNOWN
    text = _which(array, lambda label: isinstance(label, str))
    whole = [int(n) if isinstance(n, float) and n.is_integer() else n for n in array[~text]]  # a column with gaps
    found = np.empty(len(array), np.int64)
    found[~text] = check_labels(argument, whole, len(class_names), UNKNOWN).numpy()
    found[text] = find_classes(argument, array[text], class_names).numpy()
    return torch.from_numpy(found)


def check_class_names(names: object) -> tuple[str, ...]:
    """The names of classes as a tuple of text, numbers among them written out; otherwise a ValueError."""
    if isinstance(names, (str, bytes, Mapping, Set)) or not isinstance(names, Iterable):
        raise ValueError(
            f"class_names={shown(names)} must be names in the order of their classes, as in ('cat', 'dog')"
        )
    checked = []
    for name in names:
        if isinstance(name, (bool, np.bool_)) or not isinstance(name, (str, numbers.Real)) or name != name:
            raise ValueError(f"class_names has {shown(name)}; each name must be text, or a number to be written out")
        checked.append(str(name))
    twice = sorted({name for name in checked if checked.count(name) > 1})
    if twice or not checked:
        what = f"names {few(twice)} more than once" if twice else "is empty"
        raise ValueError(f"class_names {what}; each class needs a name of its own")
    return tuple(checked)


def derive_class_names(**parts: object) -> tuple[str, ...]:
    """The names that occur in labels, given by argument, sorted; or the numbers from 0 to the highest, written out."""
    named = {argument: _names_in(argument, labels) for argument, labels in parts.items()}
    if all(names is None for names in named.values()):
        numbered = [check_labels(argument, labels, np.iinfo(np.int64).max) for argument, labels in parts.items()]
        highest = max((int(labels.max()) for labels in numbered if len(labels)), default=-1)
        if highest > sum(map(len, numbered)):
            raise ValueError(
                f"class_names=None does not go with labels up to {highest:,}; give the names of the classes"
            )
        return tuple(map(str, range(highest + 1)))
    if numbered := [argument for argument, names in named.items() if names is None and len(parts[argument])]:
        raise ValueError(f"{numbered[0]} has numbers, and others have names; give class_names, or names everywhere")
    names = {name for labels in named.values() if labels is not None for name in labels if not _is_missing(name)}
    return tuple(sorted(map(str, names)))


def by_class(argument: str, value: object, class_names: tuple[str, ...]) -> list | None:
    """What a mapping or a sequence says of each of K classes, in their order; None for anything else, such as a number.

    A mapping goes from names of classes, or their numbers, to values; a class that it leaves out has 0. A sequence has
    one value a class. The values are not looked at.
    Raises a ValueError for a class that does not exist or is there twice, and for a sequence of another length.
    """
    if isinstance(value, Mapping):
        values: dict[int, object] = {}
        for key, what in value.items():
            number = class_names.index(key) if isinstance(key, str) and key in class_names else key
            whole = isinstance(number, numbers.Integral) and not isinstance(number, bool)
            if not whole or not 0 <= number < len(class_names):
                known = f"the classes are {few(class_names)}, or 0 to {len(class_names) - 1}"
                raise ValueError(f"{argument}={shown(value)} has {shown(key)}, which is no class; {known}")
            if number in values:
                raise ValueError(f"{argument}={shown(value)} has class {class_names[number]} twice")
            values[int(number)] = what
        return [values.get(number, 0) for number in range(len(class_names))]
    if isinstance(value, (list, tuple)) or (isinstance(value, (np.ndarray, Tensor)) and value.ndim == 1):
        several = value.tolist() if isinstance(value, (np.ndarray, Tensor)) else list(value)
        if len(several) != len(class_names):
            fits = f"a sequence for the {len(class_names)} classes, and has {len(several)}"
            what = "a number from 0 to 1" if argument == "ratio" else "a whole number"
            raise ValueError(f"{argument}={shown(value)} must be {what}, or {fits}")
        return several
    return None


def few(items: Iterable[str], most: int = 5) -> str:
    """The first items of a list in words, none of them long: an error should fit on a page."""
    items = [item if len(item) <= 40 else f"{item[:37]}…" for item in items]
    return ", ".join(items[:most]) + (f" and {len(items) - most:,} more" if len(items) > most else "")


def _names_in(argument: str, labels: object) -> np.ndarray | None:
    """Labels as an (N,) array of objects if there is text among them, else None."""
    if isinstance(labels, Tensor) or (isinstance(labels, np.ndarray) and labels.dtype.kind not in "OUST"):
        return None
    array = _objects(labels)
    if array.ndim != 1:
        return None
    text = _which(array, lambda label: isinstance(label, str))
    if not text.any():
        return None
    others = ~text & ~_which(array, _is_missing)
    if others.any():
        count = f"{int(others.sum()):,} of {len(array):,} are no text, such as {shown(array[others][0], 40)}"
        raise ValueError(f"{argument} must be all names or all numbers; {count}")
    return array


def _objects(labels: object) -> np.ndarray:
    """Labels as a new array of objects. Of its own accord, numpy would make ["1", "cat"] of [1, "cat"]."""
    if isinstance(labels, (list, tuple)):
        array = np.empty(len(labels), object)
        for i, label in enumerate(labels):
            array[i] = label
        return array
    array = np.asarray(labels)
    return (array.astype(str) if array.dtype.kind == "S" else array).astype(object)


def _is_missing(label: object) -> bool:
    """Whether it is None, NaN, or what pandas has in its place."""
    not_a_number = isinstance(label, float) and label != label
    return label is None or not_a_number or type(label).__name__ in ("NAType", "NaTType")


def _which(array: np.ndarray, holds: Callable[[object], bool]) -> np.ndarray:
    return np.fromiter(map(holds, array), bool, len(array))


def _as_tensor(argument: str, labels: object) -> Tensor:
    try:
        array = np.array(labels)
        if array.dtype.kind == "O" and array.ndim == 1:
            if lost := int(_which(array, _is_missing).sum()):
                raise ValueError(f"{lost:,} of {len(array):,} are None or NaN")
            if _which(array, lambda label: isinstance(label, numbers.Integral) and not isinstance(label, bool)).all():
                array = array.astype(np.int64)
        if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
            raise ValueError(f"its highest number is {array.max()}")
        kind = np.int64 if array.dtype.kind in "iu" else array.dtype.newbyteorder("=")
        return torch.from_numpy(array.astype(kind))
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{argument}={shown(labels)} is not an array of numbers: {shown(error)}") from error
