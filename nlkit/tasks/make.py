"""Making a task: wrong labels are drawn for a data set, or labels of one's own are taken as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import check_choice, check_integer
from nlkit.data.dataset import Dataset
from nlkit.data.gather import Gathered, arranged
from nlkit.data.labels import UNKNOWN
from nlkit.data.load import DATASETS, load
from nlkit.learning.devices import pick_device
from nlkit.noise.draws import realized_matrix
from nlkit.noise.kinds import NOISES, Draft, pick_noise
from nlkit.noise.matrices import ratios_by_class
from nlkit.randomness import MAX_SEED
from nlkit.tasks.clean_set import clean_sizes, draw_clean, split
from nlkit.tasks.own_labels import OWN_LABELS, TrueLabels, own_labels
from nlkit.tasks.task import Task


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

    data: a name (see `nlkit.data.load.DATASETS`) or a `Dataset` of your own, of which the task gets copies.
    noise: one of `nlkit.noise.kinds.NOISES`, a mapping {true: given}, or a (K, K) transition matrix. Under
        "instance" the image decides what a wrong label says, under "instance-boundary" also how often it is wrong (the
        nearer to another class, the more often); "red" keeps the labels and replaces images of digits by look-alikes,
        letters and signs of which a good classifier reads one in eight as the digit; "red:cifar10" and so on replace
        images of any data by those of that data set which are nearest to the class in feature space
        (`nlkit.noise.nearest_images`), the very nearest first, so that a higher ratio brings in less near ones;
        "human:worst" and so on take CIFAR-10N's labels.
    ratio: share of labels to make wrong, in [0, 1]; left out for a matrix or human labels, which have their own. With a
        noise that has a name, also one for each class: a mapping from names of classes, or their numbers, in which a
        class that is left out has 0; or a sequence.
    clean_per_class: size of the clean set a class, 0 to one less than the smallest class; 50 unless given. By class, it
        is a mapping or a sequence as `ratio` is. The clean set is drawn first, and nested: that of 10 per class is part
        of that of 20. Noise falls on what is left.
    exact: exact counts (the default), which is stratified sampling; or every label drawn by itself, as in most papers
        (see `nlkit.noise.draws.corrupt` for what that changes).
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


def glance(dataset: Dataset, *, noise: str, ratio: float | None, clean_per_class: int | None, seed: int) -> Task:
    """The task of `make_task` on the CPU, for a picture of a few examples: its `images` are no tensor, and not copied.

    They are gathered, and look-alikes are drawn, when they are asked for by their places: so 50,000 need not be put in
    order to show 30. Images of other data sets can't stand in for them.
    """
    if not NOISES[check_choice("noise", noise, NOISES)].at_a_glance:
        raise ValueError(f"noise={noise!r} replaces images all together; take make_task")
    return _corrupted(dataset, dataset, noise, ratio, clean_per_class, seed, exact=True, source=None, gather=Gathered)


def tasks_at(
    ratios: Iterable[float],
    data: str | Dataset = "mnist5k",
    *,
    noise: str = "symmetric",
    clean_per_class: int | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
) -> list[Task]:
    """The tasks that `make_task` makes with each of these noise ratios, all with the same tensor of images.

    Raises a ValueError for no ratio, what `make_task` refuses, and noise that replaces images, which then differ.
    """
    ratios = list(ratios)
    if not ratios:
        raise ValueError("ratios is empty; name at least one")
    dataset = load(check_choice("data", data, DATASETS)) if isinstance(data, str) else data
    settings = {"noise": noise, "clean_per_class": clean_per_class, "seed": seed}
    first = make_task(dataset, **settings, ratio=ratios[0], device=device)
    tasks, on_cpu = [], dataset.to("cpu")
    for ratio in ratios:
        seen = glance(on_cpu, **settings, ratio=ratio)
        if not torch.equal(seen.true, first.true.cpu()):
            raise ValueError(f"noise={noise!r} replaces images, so that tasks can't share them; take make_task")
        tasks.append(replace(first, given=seen.given.to(first.device), matrix=seen.matrix))
    return tasks


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
    kind = pick_noise(noise, ratio, dataset, source)
    matrix = kind.matrix(dataset, ratio)
    sizes = clean_sizes(
        50 if clean_per_class is None else clean_per_class, labels, dataset.class_names, dataset=dataset.name, spare=1
    )
    index, noisy_count = split(draw_clean(labels, sizes, seed))
    if gather:
        images = gather(dataset.train_images, index)
    else:
        by_name = not isinstance(data, Dataset)
        images = arranged(dataset.train_images, index.to(device), noisy_count, in_place=by_name)
    true = labels[index]
    draft = Draft(data, dataset, images, true.clone(), true, index, noisy_count, ratio, seed, exact)
    kind.apply(draft)
    if matrix is None:
        matrix = realized_matrix(labels[index], draft.given, dataset.num_classes)
    copy_test = isinstance(data, Dataset) and not gather
    name = f"red:{source.name}" if source else _name_of(noise)
    return _task(dataset, name, images, draft.given, draft.true, noisy_count, index, matrix, seed, copy_test)


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


def _name_of(noise: object) -> str:
    return noise if isinstance(noise, str) else "mapping" if isinstance(noise, Mapping) else "matrix"


def _is(value: object, word: str) -> bool:
    return isinstance(value, str) and value == word  # an array would compare its entries
