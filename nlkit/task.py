"""A task is data and nothing else: a noisy training set, a clean set, a test set, and which labels are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from nlkit.boundary_noise import boundary_labels
from nlkit.checks import check_choice, check_integer, check_number, shown
from nlkit.clean_set import clean_sizes, draw_clean, split
from nlkit.data import DATASETS, Dataset, load, normalize
from nlkit.devices import pick_device
from nlkit.gather import Gathered, arranged
from nlkit.human import HUMAN_LABEL_SETS, human_labels
from nlkit.instance_noise import instance_labels, remembered_noise
from nlkit.labels import UNKNOWN, check_labels
from nlkit.look_alikes import draw_look_alikes
from nlkit.nearest_images import nearest_images
from nlkit.noise import (
    NOISE_TYPES,
    confusion_counts,
    corrupt,
    moving_order,
    noise_matrix,
    ratios_by_class,
    realized_matrix,
)
from nlkit.own_labels import OWN_LABELS, TrueLabels, own_labels
from nlkit.randomness import MAX_SEED

# All that `make_task` takes by name: transition matrices, and what looks at the images or at other people's labels.
TASK_NOISE_TYPES = (
    *NOISE_TYPES,
    "instance",
    "instance-boundary",
    "red",
    *(f"red:{name}" for name in DATASETS),
    *(f"human:{which}" for which in HUMAN_LABEL_SETS),
)


@dataclass(frozen=True, eq=False)
class Task:
    """A noisy-label problem. Everything that training may see, and what only measurement may.

    The N noisy examples come first in `images`, `given` and `true`, the M examples of the clean set after them, so that
    the two together and each alone are views of one tensor.

    What is counted of labels (`wrong`, `realized_ratio`, `confusion` …) follows `given` and `true`, also in a copy with
    other labels by `dataclasses.replace`; there, `noise` and `matrix` still say what was asked for at first. Where true
    labels are known of some examples only, it is counted over those; where of none, it is None.
    """

    dataset: str
    class_names: tuple[str, ...]
    noise: str  # noise type, "matrix" or "mapping"; "red:" and its name for a source of one's own; "own labels"
    images: Tensor  # (N + M, C, H, W) float, normalised
    given: Tensor  # (N + M,) given labels; those of the clean set are true
    true: Tensor  # (N + M,) true labels, for measurement only, never for training; -1: of no class, -2: not known
    noisy_count: int  # N
    index: Tensor  # (N + M,) place of each example in the data set's training part
    test_images: Tensor  # (L, C, H, W)
    test_labels: Tensor  # (L,)
    matrix: Tensor | None  # (K, K) transition matrix that was asked for, or that the noise has where none can be asked
    # for; None for labels of one's own unless the true ones are all known
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    wrong: Tensor = field(init=False)  # (N,) bool: the noisy examples whose given label is known to be wrong

    def __post_init__(self):
        count = len(self.images)
        check_integer("noisy_count", self.noisy_count, 1, count)
        for name, lowest in (("given", 0), ("true", UNKNOWN)):
            labels = check_labels(name, getattr(self, name), self.num_classes, lowest)
            if len(labels) != count:
                raise ValueError(f"{name} has {len(labels)} labels for {count} images")
        object.__setattr__(self, "wrong", self.known & (self.given_labels != self.true_labels))

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def device(self) -> torch.device:
        return self.images.device

    @property
    def noisy_images(self) -> Tensor:  # (N, C, H, W)
        return self.images[: self.noisy_count]

    @property
    def given_labels(self) -> Tensor:  # (N,)
        return self.given[: self.noisy_count]

    @property
    def true_labels(self) -> Tensor:  # (N,)
        return self.true[: self.noisy_count]

    @property
    def clean_images(self) -> Tensor:  # (M, C, H, W)
        return self.images[self.noisy_count :]

    @property
    def clean_labels(self) -> Tensor:  # (M,)
        return self.given[self.noisy_count :]

    @property
    def known(self) -> Tensor:  # (N,) bool: the noisy examples of which the truth is known, be it that they have none
        return self.true_labels != UNKNOWN

    @property
    def right(self) -> Tensor:  # (N,) bool: the noisy examples whose given label is known to be right
        return self.known & ~self.wrong

    @property
    def known_count(self) -> int:
        """Of how many noisy examples the truth is known, 0 … N."""
        return int(self.known.sum())

    @property
    def realized_ratio(self) -> float | None:
        """Share of the known noisy examples whose given label is wrong, in [0, 1]."""
        return self.wrong.double().sum().item() / self.known_count if self.known_count else None

    @property
    def realized_matrix(self) -> Tensor | None:
        """(K, K) transition matrix that the given labels of images of a known class really have."""
        of_a_class = self.true_labels >= 0
        if not self.known_count:
            return None
        return realized_matrix(self.true_labels[of_a_class], self.given_labels[of_a_class], self.num_classes)

    @property
    def confusion(self) -> Tensor | None:
        """(K, K) counts `[true, given]` of the noisy set, as far as its images are of a known class."""
        of_a_class = self.true_labels >= 0
        if not self.known_count:
            return None
        return confusion_counts(self.true_labels[of_a_class], self.given_labels[of_a_class], self.num_classes)

    def __repr__(self) -> str:
        known, wrong = self.known_count, int(self.wrong.sum())
        told = f"{wrong:,} of them with a wrong label ({self.realized_ratio:.1%}, {self.noise})" if known else (
            f"how many of them with a wrong label is not known ({self.noise})"
        )  # fmt: skip
        if 0 < known < self.noisy_count:
            told = f"{wrong:,} of {known:,} known ones with a wrong label ({self.realized_ratio:.1%}, {self.noise})"
        return (
            f"Task({self.dataset}: {self.noisy_count:,} noisy examples, {told}; {len(self.clean_labels):,} clean; "
            f"{len(self.test_labels):,} test)"
        )


def make_task(
    data: str | Dataset = "mnist5k",
    *,
    noise: str | Mapping[int, int] | Tensor = "symmetric",
    ratio: float | Mapping[str | int, float] | Sequence[float] | None = None,
    clean_per_class: int | Mapping[str | int, int] | Sequence[int] | None = None,
    seed: int = 0,
    exact: bool = True,
    source: Dataset | None = None,
    given: Tensor | np.ndarray | Sequence | None = None,
    true: TrueLabels = "train_labels",
    clean: Tensor | np.ndarray | Sequence[int] | None = None,
    device: str | torch.device = "auto",
) -> Task:
    """Make a noisy-label problem out of a data set: by drawing wrong labels, or with labels of your own.

    data: a name (see `nlkit.data.DATASETS`) or a `Dataset` of your own, of which the task gets copies.
    noise: one of `TASK_NOISE_TYPES`, a mapping {true: given}, or a (K, K) transition matrix. Under
        "instance" the image decides what a wrong label says, under "instance-boundary" also how often it is wrong (the
        nearer to another class, the more often); "red" keeps the labels and replaces images of digits by look-alikes,
        letters and signs of which a good classifier reads one in eight as the digit; "red:cifar10" and so on replace
        images of any data by those of that data set which are nearest to the class in feature space
        (`nlkit.nearest_images`), the very nearest first, so that a higher ratio brings in less near ones;
        "human:worst" and so on take CIFAR-10N's labels.
    ratio: share of labels to make wrong, in [0, 1]; left out for a matrix or human labels, which have their own. With a
        noise that has a name, also one for each class: a mapping from names of classes, or their numbers, in which a
        class that is left out has 0; or a sequence.
    clean_per_class: size of the clean set a class, 0 to one less than the smallest class; 50 unless given. By class, it
        is a mapping or a sequence as `ratio` is. The clean set is drawn first, and nested: that of 10 a class is part
        of that of 20. Noise falls on what is left.
    exact: exact counts (the default), which is stratified sampling; or every label drawn by itself, as in most papers
        (see `nlkit.noise.corrupt` for what that changes).
    source: with "red", a `Dataset` of your own whose images are taken; it may share no class with `data`.
    device: "auto" takes CUDA, then MPS, then the CPU.

    For labels that are noisy already, there is nothing to draw, and `noise`, `ratio`, `exact`, `source` are left out:

    given: (n,) a label for each training image of `data`, by name or number: what the methods learn from.
    true: what is known of the truth, which only measures: (n,) labels, or a mapping from the places of a few verified
        images to their labels. Among them, -1 stands for an image of no class, and -2 or None for one whose true label
        nobody knows. None: it is known of none. Left out, the data set's own `train_labels` are true.
    clean: places of examples that you trust, or (n,) bool: the clean set. A trusted example's label is that of `true`,
        and the given one where that is not known. Instead, `clean_per_class` (0 unless given) draws from those whose
        true class is known.

    What needs the truth is then measured over the examples where it is known; if there is none, it is absent from
    records, tables and pictures. The same seed gives the same task everywhere. Raises a ValueError that names the
    argument before anything is made.
    """
    if not isinstance(data, Dataset):
        check_choice("data", data, DATASETS)
    check_integer("seed", seed, 0, MAX_SEED)
    device = pick_device(device)
    dataset = data.to(device) if isinstance(data, Dataset) else load(data, device=device)
    if given is not None:
        drawn = {"noise": not _is(noise, "symmetric"), "ratio": ratio is not None, "exact": not exact, "source": source}
        return _with_own_labels(dataset, given, true, clean, clean_per_class, seed, [k for k, v in drawn.items() if v])
    for argument, left_out in (("true", _is(true, "train_labels")), ("clean", clean is None)):
        if not left_out:
            raise ValueError(f"{argument} is for labels of your own; hand them in as given, or leave {argument} out")
    return _corrupted(data, dataset, noise, ratio, clean_per_class, seed, exact, source)


def glance(dataset: Dataset, *, noise: str, ratio: float | None, clean_per_class: int, seed: int) -> Task:
    """The task of `make_task` on the CPU, for a picture of a few examples: its `images` are no tensor, and not copied.

    They are gathered, and look-alikes are drawn, when they are asked for by their places: so 50,000 need not be put in
    order to show 30. Images of other data sets can't stand in for them.
    """
    if noise.startswith("red:"):
        raise ValueError(f"noise={noise!r} replaces images all together; take make_task")
    return _corrupted(dataset, dataset, noise, ratio, clean_per_class, seed, exact=True, source=None, gather=Gathered)


def _corrupted(
    data: str | Dataset,
    dataset: Dataset,
    noise: object,
    ratio: object,
    clean_per_class: object,
    seed: int,
    exact: bool,
    source: Dataset | None,
    gather: type[Gathered] | None = None,
) -> Task:
    device = dataset.train_images.device
    labels = dataset.train_labels.cpu()
    ratio = ratios_by_class(ratio, dataset.class_names) or ratio
    matrix = _asked_for(noise, ratio, dataset, source)
    sizes = clean_sizes(
        50 if clean_per_class is None else clean_per_class, labels, dataset.class_names, dataset=dataset.name, spare=1
    )
    index, noisy_count = split(draw_clean(labels, sizes, seed))
    kind = noise if isinstance(noise, str) else "mapping" if isinstance(noise, Mapping) else "matrix"
    if gather:
        images = gather(dataset.train_images, index)
    else:
        by_name = not isinstance(data, Dataset)
        images = arranged(dataset.train_images, index.to(device), noisy_count, in_place=by_name)
    true = labels[index]
    given, noisy = true.clone(), slice(noisy_count)
    if kind.startswith("red"):
        # Which images are replaced: those whose label symmetric noise would move, so counted and nested as it is.
        share = noise_matrix("symmetric", dataset.num_classes, ratio)
        replaced = corrupt(true[noisy], share, seed=seed, exact=exact) != true[noisy]
        if kind == "red" and source is None:
            places = replaced.nonzero().flatten()
            digits = torch.tensor([int(name) for name in dataset.class_names])[given[noisy]]

            def draw(which: Tensor) -> Tensor:
                drawn = draw_look_alikes(digits, seed=seed, only=which[:noisy_count])
                return normalize(drawn, dataset.mean, dataset.std)

            if gather:
                images.replace(replaced, draw)
            else:
                images[places.to(device)] = draw(replaced).to(device, images.dtype)
        else:
            order = moving_order(noisy_count, seed=seed)
            places = order[replaced[order]]  # the first to be replaced get the nearest images, whatever the ratio
            fresh, _ = nearest_images(data, source or kind.removeprefix("red:"), given[places])
            kind = f"red:{source.name}" if source else kind
            images[places.to(device)] = fresh.to(device, images.dtype)
        true[places] = -1
    elif kind == "instance" and gather:
        given[noisy] = remembered_noise(dataset, images, index, true[noisy], seed).given(ratio)
    elif kind == "instance":
        given[noisy] = instance_labels(images[noisy], true[noisy], dataset.num_classes, ratio, seed=seed, exact=exact)
    elif kind == "instance-boundary":
        given[noisy] = boundary_labels(data, index[noisy], ratio, seed=seed, exact=exact)
    elif kind.startswith("human:"):
        given[noisy] = human_labels(kind.removeprefix("human:"))[index[noisy]]
    else:
        given[noisy] = corrupt(true[noisy], matrix, seed=seed, exact=exact)
    if matrix is None:
        matrix = realized_matrix(labels[index], given, dataset.num_classes)
    copy_test = isinstance(data, Dataset) and not gather
    return _task(dataset, kind, images, given, true, noisy_count, index, matrix, seed, copy_test)


def _with_own_labels(
    dataset: Dataset, given: object, true: object, clean: object, clean_per_class: object, seed: int, drawn: list[str]
) -> Task:
    if drawn:
        raise ValueError(f"{drawn[0]} is for labels that are drawn; leave it out with labels of your own in given")
    if clean is not None and clean_per_class is not None:
        raise ValueError("clean_per_class must be left out when clean names the examples of the clean set")
    given, true, trusted = own_labels(dataset, given, true, clean)
    if trusted is None:
        spare = int((true != UNKNOWN).all())  # else, those whose truth is not known stay noisy
        sizes = clean_sizes(
            0 if clean_per_class is None else clean_per_class, true[true >= 0], dataset.class_names,
            dataset=dataset.name, spare=spare,
        )  # fmt: skip
        trusted = draw_clean(true, sizes, seed)
        given = given.where(~trusted, true)
    index, noisy_count = split(trusted)
    matrix, of_a_class = None, true >= 0
    if (true != UNKNOWN).all():
        matrix = realized_matrix(true[of_a_class], given[of_a_class], dataset.num_classes)
    images = dataset.train_images[index.to(dataset.train_images.device)]
    return _task(dataset, OWN_LABELS, images, given[index], true[index], noisy_count, index, matrix, seed, True)


def _task(dataset, noise, images, given, true, noisy_count, index, matrix, seed, copy_test) -> Task:
    device = dataset.train_images.device
    tests = dataset.test_images, dataset.test_labels
    test_images, test_labels = (t.clone() for t in tests) if copy_test else tests  # what the user has stays as it is
    return Task(
        dataset=dataset.name,
        class_names=dataset.class_names,
        noise=noise,
        images=images,
        given=given.to(device),
        true=true.to(device),
        noisy_count=noisy_count,
        index=index,
        test_images=test_images,
        test_labels=test_labels,
        matrix=matrix,
        mean=dataset.mean,
        std=dataset.std,
        seed=seed,
    )


def _asked_for(noise: object, ratio: float | None, dataset: Dataset, source: Dataset | None) -> Tensor | None:
    """The transition matrix that is asked for, or None where images or people decide; refuses what can't be."""
    if not isinstance(source, Dataset | None):
        hint = "a data set of the kit goes by its name, as in noise='red:cifar10'"
        raise ValueError(f"source={source!r} must be a Dataset of your own; {hint}")
    if source is not None and not (isinstance(noise, str) and noise == "red"):
        raise ValueError(f"source={source.name!r} must be left out unless noise='red', without a name of its own")
    if not isinstance(noise, str) or noise in NOISE_TYPES:
        return noise_matrix(noise, dataset.num_classes, ratio, dataset.name)
    check_choice("noise", noise, TASK_NOISE_TYPES)
    if noise.startswith("human:"):
        if dataset.name != "cifar10":
            raise ValueError(f"noise={noise!r} has human labels of cifar10 only, not of {dataset.name}")
        if ratio is not None:
            raise ValueError(f"ratio={shown(ratio)} must be left out for noise={noise!r}, which has its own ratio")
        return None
    if not isinstance(ratio, list):  # those by class are checked
        check_number("ratio", ratio, 0, 1)
    elif noise == "instance-boundary":
        raise ValueError(f"ratio={shown(ratio)} must be one number for noise={noise!r}: the images share it out")
    if noise.startswith("red"):
        if noise == "red" and source is None and not _has_digits(dataset):
            raise ValueError(
                f"noise='red' draws look-alikes of digits; {dataset.name} is not a set of 28×28 digits. Take images of "
                "other data: noise='red:cifar10' or the like, or a source of your own"
            )
        return torch.eye(dataset.num_classes, dtype=torch.float64)  # every label stays as it is
    return None


def _is(value: object, word: str) -> bool:
    return isinstance(value, str) and value == word  # an array would compare its entries


def _has_digits(dataset: Dataset) -> bool:
    return set(dataset.class_names) <= set("0123456789") and tuple(dataset.train_images.shape[1:]) == (1, 28, 28)
