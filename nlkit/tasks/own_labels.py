"""Labels that came with the images, as people, a search engine or a sensor gave them: what is known of their truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import shown
from nlkit.data.dataset import Dataset
from nlkit.data.labels import NO_CLASS, UNKNOWN, check_labels, few, find_classes, find_truth

OWN_LABELS = "own labels"  # the noise type of a task with such labels

TrueLabels = str | Tensor | np.ndarray | Sequence | Mapping[int, int | str] | None  # what `make_task` takes as `true`


def own_labels(
    dataset: Dataset, given: object, true: TrueLabels, clean: object
) -> tuple[Tensor, Tensor, Tensor | None]:
    """What `make_task` is told of own labels, as numbers in the order of the data set's training part, on the CPU.

    Returns the given labels (n,), the true ones (n,) with -1 and -2 as in `Task.true`, and bool (n,) which examples are
    the clean set, or None where `clean` is None. In the clean set a label is the true one where that is known; where it
    is not, the given one is trusted, and is taken for true.
    """
    count, names = len(dataset.train_images), dataset.class_names
    given = _of_length(count, "given", find_classes("given", given, names).cpu()).clone()
    true = _true_labels(dataset, given, true)
    if clean is None:
        return given, true, None
    trusted = _places("clean", clean, count)
    if (true[trusted] == NO_CLASS).any():
        of_none = few(map(str, (trusted & (true == NO_CLASS)).nonzero().flatten().tolist()))
        raise ValueError(f"clean has images that true says are of no class, at {of_none}; leave them out")
    if trusted.all():
        raise ValueError(f"clean has all {count:,} examples; at least one must be left for the noisy set")
    true = true.where(~trusted | (true != UNKNOWN), given)
    return given.where(~trusted, true), true, trusted


def _true_labels(dataset: Dataset, given: Tensor, true: TrueLabels) -> Tensor:
    count, names = len(given), dataset.class_names
    if isinstance(true, str):
        if true != "train_labels":
            raise ValueError(f"true={shown(true)} must be labels, None where none is known, or left out")
        labels = dataset.train_labels.cpu()
        if torch.equal(labels, given):
            raise ValueError(
                "given has the labels that the data set calls true, so none would be wrong; when the truth is not "
                "known, say true=None, or give what is known of it"
            )
        return labels.clone()
    if true is None:
        return torch.full((count,), UNKNOWN)
    if isinstance(true, Mapping):
        verified = torch.full((count,), UNKNOWN)
        places = check_labels("true's places", list(true), count)
        verified[places] = find_truth("true", list(true.values()), names)
        return verified
    return _of_length(count, "true", find_truth("true", true, names).cpu()).clone()


def _places(argument: str, places: object, count: int) -> Tensor:
    """Places in the training part, or a bool for each of its examples, as bool (n,)."""
    mask = places if isinstance(places, Tensor) else np.asarray(places)
    if mask.dtype in (torch.bool, np.bool_):
        return _of_length(count, argument, torch.as_tensor(mask).cpu().flatten())
    found = check_labels(argument, places, count).cpu()
    if len(found.unique()) < len(found):
        twice = few(map(str, (found.bincount() > 1).nonzero().flatten().tolist()))
        raise ValueError(f"{argument} has places more than once: {twice}")
    return torch.zeros(count, dtype=torch.bool).index_fill(0, found, True)


def _of_length(count: int, argument: str, labels: Tensor) -> Tensor:
    if len(labels) != count:
        raise ValueError(f"{argument} has {len(labels):,} entries for {count:,} training images")
    return labels
