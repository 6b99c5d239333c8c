"""Controlled Noisy Web Labels: Mini-ImageNet with wrong images from the web (red) or with flipped labels (blue).

Jiang, Huang, Liu and Yang, "Beyond Synthetic Noise: Deep Learning on Controlled Noisy Labels", ICML 2020,
arXiv:1911.09781; google.github.io/controlled-noisy-web-labels. The kit does not download it. The official layout:

    split/{red,blue}_noise_nl_{level}   training sets, a line "image_name label" an image: about 50,000 red, 60,000 blue
    split/clean_validation              ImageNet's own validation images of the classes, 50 each, in the same form
    all_images/                         the training images
    validation/{label}/                 the images of split/clean_validation
    class_name.txt                      optional: a name a line, in the order of the labels

What is relied on: the name of an ImageNet image begins with its WordNet class, `n` and eight digits; an image with any
other name is from the web, and wrong. The builder in TensorFlow Datasets (`controlled_noisy_web_labels`) looks names up
in the list of annotated images instead, to the same result.
"""

from __future__ import annotations

import itertools
import numbers
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import torch

from nlkit.checks import DataError, check_choice, check_integer
from nlkit.data.dataset import normalize
from nlkit.data.images import check_cache, read_images
from nlkit.learning.devices import pick_device
from nlkit.noise.draws import realized_matrix
from nlkit.randomness import seeded_generator
from nlkit.tasks.task import Task

COLORS = ("red", "blue")
LEVELS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
SIZES = (32, 84)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's usual ones

_NO_IMAGES = "The archive of annotations has no images: take the full one, or fetch them by the addresses in it."
_WORDNET_CLASS = re.compile(r"n\d{8}")


class _Split(NamedTuple):
    path: Path
    names: list[str]
    labels: list[int]


def load_cnwl(
    folder: str | Path,
    *,
    color: str,
    level: float,
    size: int = 32,
    clean_per_class: int = 50,
    seed: int = 0,
    device: str | torch.device = "auto",
    cache: str | Path | None = None,
) -> Task:
    """Load one of the twenty noisy Mini-ImageNets as a task.

    folder: the one that holds `split/`, `all_images/` and `validation/` (`mini-imagenet/` in the official archive).
    color: "red" or "blue". level: one of `LEVELS`, the archive's name for its noise; blue's labels were reported to be
        right more often than that says, so look at the task's `realized_ratio`.
    size: 32 or 84, the side in pixels. The whole image is scaled to a square, as in TensorFlow Datasets: by area
        average where it shrinks, bilinearly where a side grows.
    clean_per_class: size of the clean set a class, nested as in `make_task`, drawn from the images that level 0.0 of
        the same colour labels rightly: so it is the same at every level. The noisy set goes without those images.
        Published numbers have none: take 0 to compare. `split/clean_validation` can't serve: it is the test set.
    cache: a file, one a folder and size, that keeps the decoded images and grows by those it lacks; remove it when the
        images change.

    In the task, `true` is -1 for a web image, which belongs to no class, and `wrong` is where it differs from `given`.
    `matrix` is measured on the other images. `index` counts the lines of the training set, then those of level 0.0,
    from which the clean set is. Raises a ValueError that names the argument, or a DataError that names the file.
    """
    check_choice("color", color, COLORS)
    level, size = _check_one_of("level", level, LEVELS), _check_one_of("size", size, SIZES)
    check_integer("clean_per_class", clean_per_class, 0)
    check_integer("seed", seed, 0)
    cache = None if cache is None else check_cache(cache)
    device = pick_device(device)
    folder = _check_folder(folder)

    test = _read_split(folder / "split/clean_validation")
    num_classes = _count_classes(test)
    pure = _read_split(folder / f"split/{color}_noise_nl_0.0", num_classes)
    noisy = _read_split(folder / f"split/{color}_noise_nl_{level}", num_classes)
    class_of = _match_classes(pure, num_classes)
    clean = _draw_clean(pure, class_of, clean_per_class, seed)  # (M,) lines of `pure`
    clean_names = [pure.names[i] for i in clean]
    taken = set(clean_names)
    kept = [i for i, name in enumerate(noisy.names) if name not in taken]  # (N,) lines of `noisy`

    clean_labels = torch.tensor([pure.labels[i] for i in clean], dtype=torch.int64)
    given = torch.tensor(noisy.labels)[kept]
    true = torch.tensor(_true_labels(noisy, class_of))[kept]
    known = true >= 0
    matrix = realized_matrix(true[known], given[known], num_classes)
    unchanged = torch.eye(num_classes, dtype=matrix.dtype)
    matrix = torch.where(matrix.isnan(), unchanged, matrix)  # NaN is a class that only web images are given

    files = [f"all_images/{name}" for name in [noisy.names[i] for i in kept] + clean_names]
    test_files = [f"validation/{label}/{name}" for name, label in zip(test.names, test.labels)]
    # (N + M + L, 3, size, size) uint8
    pixels = read_images(folder, files + test_files, size, cache=cache, hint=_NO_IMAGES)
    return Task(
        dataset="mini_imagenet",
        class_names=_class_names(folder, class_of),
        noise=color,
        images=normalize(pixels[: len(files)].to(device), MEAN, STD),
        given=torch.cat([given, clean_labels]).to(device),
        true=torch.cat([true, clean_labels]).to(device),
        noisy_count=len(given),
        index=torch.tensor(kept + [len(noisy.names) + i for i in clean]),
        test_images=normalize(pixels[len(files) :].to(device), MEAN, STD),
        test_labels=torch.tensor(test.labels).to(device),
        matrix=matrix,
        mean=MEAN,
        std=STD,
        seed=seed,
    )


def _check_one_of(argument: str, value: object, allowed: tuple):
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or value not in allowed:
        raise ValueError(f"{argument}={value!r} must be one of {', '.join(map(str, allowed))}")
    return allowed[allowed.index(value)]


def _check_folder(folder: str | Path) -> Path:
    folder = Path(folder).expanduser()
    if not (folder / "split").is_dir():
        what = "has no split/" if folder.is_dir() else "does not exist"
        raise DataError(
            f"Controlled Noisy Web Labels was not found: {folder} {what}. Name the folder with split/, all_images/ and "
            "validation/, which is mini-imagenet/ in the archive of google.github.io/controlled-noisy-web-labels."
        )
    return folder


def _read_split(path: Path, num_classes: int | None = None) -> _Split:
    try:
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = "is broken" if path.is_file() else "is missing"
        raise DataError(f"{path} {what} ({error}). Unpack the official archive's split/ anew.") from error
    if not lines:
        raise DataError(f"{path} is empty. Unpack the official archive's split/ anew.")
    names, labels = [], []
    for number, line in enumerate(lines, 1):
        name, label = parts if len(parts := line.split()) == 2 else ("", "")
        if not label.isdecimal():
            raise DataError(f"{path}, line {number}: {line!r} is not of the form 'image_name label'")
        if num_classes is not None and int(label) >= num_classes:
            raise DataError(
                f"{path}, line {number}: class {label} is unknown; split/clean_validation has 0 to {num_classes - 1}"
            )
        names.append(name)
        labels.append(int(label))
    return _Split(path, names, labels)


def _count_classes(test: _Split) -> int:
    classes = set(test.labels)
    lowest_absent = next(c for c in itertools.count() if c not in classes)
    if lowest_absent != len(classes) or len(classes) < 2:
        raise DataError(f"{test.path} has no image of class {lowest_absent}, though it must have every class")
    return len(classes)


def _match_classes(pure: _Split, num_classes: int) -> dict[str, int]:
    """{WordNet class: label}, by the label that most of a class's images have where there is no noise."""
    counts = defaultdict(Counter)
    for name, label in zip(pure.names, pure.labels):
        if found := _WORDNET_CLASS.match(name):
            counts[found[0]][label] += 1
    class_of = {wordnet: counter.most_common(1)[0][0] for wordnet, counter in counts.items()}
    if sorted(class_of.values()) != list(range(num_classes)):
        claims = [sorted(w for w, label in class_of.items() if label == c) for c in range(num_classes)]
        odd = next(c for c in range(num_classes) if len(claims[c]) != 1)
        raise DataError(
            f"{pure.path} must give each label to one WordNet class (n and eight digits, as the images' names begin), "
            f"but most images of {' and of '.join(claims[odd]) or 'no class'} have label {odd}"
        )
    return class_of


def _true_labels(split: _Split, class_of: dict[str, int]) -> list[int]:
    true = []
    for number, name in enumerate(split.names, 1):
        found = _WORDNET_CLASS.match(name)
        if found and found[0] not in class_of:
            raise DataError(f"{split.path}, line {number}: {name} is of class {found[0]}, unknown at level 0.0")
        true.append(class_of[found[0]] if found else -1)
    return true


def _draw_clean(pure: _Split, class_of: dict[str, int], per_class: int, seed: int) -> list[int]:
    labels = torch.tensor(pure.labels)
    right = (labels == torch.tensor(_true_labels(pure, class_of))).nonzero().flatten()
    smallest = int(torch.bincount(labels[right], minlength=len(class_of)).min())
    check_integer(
        "clean_per_class", per_class, 0, smallest - 1,
        why=f": the smallest class of {pure.path.name} has {smallest} rightly labelled images, and one must stay",
    )  # fmt: skip
    order = right[torch.randperm(len(right), generator=seeded_generator(seed, "clean set"))]
    drawn = torch.cat([order[labels[order] == c][:per_class] for c in range(len(class_of))])
    return drawn.sort().values.tolist()


def _class_names(folder: Path, class_of: dict[str, int]) -> tuple[str, ...]:
    wordnet = tuple(sorted(class_of, key=class_of.get))
    try:
        names = tuple((folder / "class_name.txt").read_text(encoding="utf-8").strip().splitlines())
    except (OSError, UnicodeDecodeError):
        return wordnet
    return names if len(set(names)) == len(wordnet) == len(names) else wordnet  # only for show, so never an error
