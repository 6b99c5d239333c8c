"""Label noise: the transition matrix says how labels go wrong, `corrupt` draws the wrong labels.

A transition matrix `T` is (K, K) with `T[i, j] = P(given = j | true = i)`; its rows sum to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from nlkit.checks import check_choice, check_integer, check_number, shown
from nlkit.data.labels import by_class

_OWN_MATRIX = "ratios by class are for noise with a name; with a mapping, give the transition matrix itself"

NOISE_TYPES = ("symmetric", "symmetric-own", "symmetric-doubled", "pair", "asymmetric")

# The usual asymmetric maps, true class -> given class (Patrini et al. 2017, arXiv:1609.03683, section 5).
ASYMMETRIC_MAPS = {
    "mnist": {2: 7, 3: 8, 5: 6, 6: 5, 7: 1},
    "mnist5k": {2: 7, 3: 8, 5: 6, 6: 5, 7: 1},
    "cifar10": {9: 1, 2: 0, 4: 7, 3: 5, 5: 3},  # truck>automobile, bird>airplane, deer>horse, cat<>dog
}


def symmetric_matrix(num_classes: int, ratio: float, own_class: bool = False) -> Tensor:
    """(K, K) matrix of symmetric noise.

    Without the own class (the default), a share `ratio` of the labels moves to one of the K - 1 other classes.
    With it, a share `ratio` is drawn anew from all K classes and some come back right, so that only
    `ratio * (K - 1) / K` are wrong: 0.8 on ten classes is really 0.72. The literature has both.
    """
    classes, ratio = check_integer("num_classes", num_classes, 2), check_number("ratio", ratio, 0, 1)
    spread = classes if own_class else classes - 1
    matrix = torch.full((classes, classes), ratio / spread, dtype=torch.float64)
    return _fill_diagonal(matrix)


def doubled_matrix(num_classes: int, ratio: float) -> Tensor:
    """(K, K) matrix of symmetric noise in which one other class, the next one, gets twice its share.

    A common slip: draw from all K classes, then send every draw that hit the own class to one other class. The ratio is
    as asked for, but the noise is harder than symmetric noise of that ratio. It is for reproducing such experiments.
    """
    matrix = symmetric_matrix(num_classes, ratio) * (num_classes - 1) / num_classes
    following = torch.arange(num_classes)
    matrix[following, (following + 1) % num_classes] *= 2
    return _fill_diagonal(matrix)


def flips_by_size(sizes: Sequence[int], ratio: float) -> Tensor:
    """(K, K) matrix of noise that goes by the sizes of the classes: the larger a class, the more wrong labels name it.

    sizes: n, examples of each class. The chance of i to become j is ratio · n_j / (n - n_i): the own class isn't drawn,
    and the ratio is the share of each class that gets a wrong label. With equal sizes it is symmetric noise.
    Raises a ValueError for fewer than two classes, or one without examples.
    """
    counts = _numbers("sizes", sizes)
    if counts.ndim != 1 or len(counts) < 2 or not (counts >= 1).all():
        raise ValueError(f"sizes={shown(sizes)} must be two or more whole numbers of at least 1, one a class")
    check_number("ratio", ratio, 0, 1)
    matrix = (ratio * counts / (counts.sum() - counts)[:, None]).fill_diagonal_(0)
    return _fill_diagonal(matrix)


def pair_matrix(num_classes: int, ratio: float) -> Tensor:
    """(K, K) matrix of pair noise: a share `ratio` of class i moves to class i + 1, the last class to the first.

    Han et al. 2018 (Co-teaching), arXiv:1804.06872, figure 4.
    """
    classes = check_integer("num_classes", num_classes, 2)
    return asymmetric_matrix(classes, ratio, {i: (i + 1) % classes for i in range(classes)})


def asymmetric_matrix(num_classes: int, ratio: float, mapping: Mapping[int, int]) -> Tensor:
    """(K, K) matrix that moves a share `ratio` of each class in `mapping` to the class it is mapped to.

    Classes that are not in `mapping` keep their labels, so the ratio over all labels is smaller than `ratio`
    (CIFAR-10's usual map at 0.4 changes 20 % of all labels). Patrini et al. 2017, arXiv:1609.03683.
    """
    classes, ratio = check_integer("num_classes", num_classes, 2), check_number("ratio", ratio, 0, 1)
    if not mapping:
        raise ValueError("mapping={} must name at least one class, such as {7: 1}")
    matrix = torch.zeros(classes, classes, dtype=torch.float64)
    for true, given in mapping.items():
        check_integer("mapping's true class", true, 0, classes - 1)
        check_integer("mapping's given class", given, 0, classes - 1)
        if true == given:
            raise ValueError(f"mapping={{{true}: {given}}} must send a class to another class")
        matrix[true, given] = ratio
    return _fill_diagonal(matrix)


def noise_matrix(
    noise: str | Mapping[int, int] | Tensor | np.ndarray,
    num_classes: int,
    ratio: float | Sequence[float] | Mapping[int, float] | None = None,
    dataset: str | None = None,
) -> Tensor:
    """The (K, K) float64 transition matrix for any description of noise that the kit takes.

    noise: one of `NOISE_TYPES`, a mapping `{true: given}` (asymmetric noise), or a transition matrix itself.
    ratio: in [0, 1]; left out with a matrix, which says by itself how much goes wrong. For a noise with a name, also
        one ratio a class, K of them or a mapping {true: ratio}, in which a class that is left out has 0. Each row is
        then that of the matrix with its class's ratio.
    dataset: where `noise="asymmetric"` looks up its usual map (`ASYMMETRIC_MAPS`).
    """
    if isinstance(noise, (Tensor, np.ndarray)):
        if ratio is not None:
            raise ValueError(f"ratio={shown(ratio)} must be left out when noise is a matrix, which has its own ratio")
        return check_matrix(noise, num_classes)
    shares = ratios_by_class(ratio, tuple(map(str, range(num_classes))))
    if isinstance(noise, Mapping):
        if shares is not None:
            raise ValueError(
                f"ratio={shown(ratio)} must be a number from 0 to 1 when noise is a mapping; {_OWN_MATRIX}"
            )
        return asymmetric_matrix(num_classes, ratio, noise)
    check_choice("noise", noise, NOISE_TYPES)
    if shares is not None:
        rows = [noise_matrix(noise, num_classes, share, dataset)[true] for true, share in enumerate(shares)]
        for true, (row, share) in enumerate(zip(rows, shares)):
            if share > 0 and row[true] == 1:  # in an asymmetric map, some classes keep their labels
                raise ValueError(f"ratio={shown(ratio)} has {share} for class {true}, whose labels {noise!r} keeps")
        return torch.stack(rows)
    if noise == "pair":
        return pair_matrix(num_classes, ratio)
    if noise == "asymmetric":
        if dataset not in ASYMMETRIC_MAPS:
            raise ValueError(
                f"noise='asymmetric' has no usual map for dataset={dataset!r} (known: "
                f"{', '.join(ASYMMETRIC_MAPS)}); give the map itself instead, such as noise={{7: 1}}"
            )
        return asymmetric_matrix(num_classes, ratio, ASYMMETRIC_MAPS[dataset])
    if noise == "symmetric-doubled":
        return doubled_matrix(num_classes, ratio)
    return symmetric_matrix(num_classes, ratio, own_class=noise == "symmetric-own")


def ratios_by_class(ratio: object, class_names: tuple[str, ...]) -> list[float] | None:
    """K ratios in [0, 1], one a class, from a mapping or a sequence; None for anything else, such as a number."""
    ratios = by_class("ratio", ratio, class_names)
    return ratios and [check_number(f"ratio of class {name}", r, 0, 1) for name, r in zip(class_names, ratios)]


def check_matrix(matrix: Tensor | np.ndarray | Sequence[Sequence[float]], num_classes: int | None = None) -> Tensor:
    """Return `matrix` as a (K, K) float64 tensor of its own, or raise a ValueError that says which rule it breaks."""
    matrix = _numbers("matrix", matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(f"matrix has shape {tuple(matrix.shape)}; it must be square, (classes, classes)")
    if num_classes is not None and len(matrix) != num_classes:
        raise ValueError(f"matrix has shape {tuple(matrix.shape)}; the data has {num_classes} classes")
    if not torch.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("matrix has an entry that is negative or not a number; probabilities are in [0, 1]")
    sums = matrix.sum(1)
    if (sums - 1).abs().max() > 1e-6:
        row = int((sums - 1).abs().argmax())
        hint = " (its columns do: transpose it, or use from_cleanlab)" if _close_to_one(matrix.sum(0)) else ""
        raise ValueError(f"matrix row {row} sums to {sums[row]:.6g}; each row must sum to 1{hint}")
    return matrix / sums[:, None]


def to_cleanlab(matrix: Tensor | np.ndarray) -> np.ndarray:
    """A transition matrix in cleanlab's orientation, (K, K) `[given, true]`, whose columns sum to 1."""
    return check_matrix(matrix).numpy().T.copy()


def from_cleanlab(matrix: np.ndarray) -> Tensor:
    """A transition matrix from cleanlab's orientation, where columns sum to 1; the inverse of `to_cleanlab`."""
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim == 2 and not _close_to_one(torch.from_numpy(matrix).sum(0)):
        raise ValueError("matrix has columns that do not sum to 1, as they must in cleanlab's orientation")
    return check_matrix(matrix.T)


def matrix_error(estimated: Tensor | np.ndarray, true: Tensor | np.ndarray) -> float:
    """How far a transition matrix (K, K) is from another, from 0 to 2: the absolute differences of a row summed, and
    their mean over the rows, but for those that are NaN because nothing is known of their class.

    It is twice the share of labels that the estimate puts in the wrong place.
    """
    return float(np.nanmean(np.abs(np.asarray(estimated) - np.asarray(true)).sum(1)))


def _numbers(argument: str, value: object) -> Tensor:
    """A float64 copy on the CPU, without a gradient, of a tensor, of an array of any kind, or of rows of either."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", torch.float64, copy=True)
    try:
        array = np.asarray(_without_tensors(value))
        if array.dtype.kind not in "fiub":
            raise TypeError(f"its entries are {array.dtype}")
        # A copy, since torch has no arrays that are read-only, of another byte order, or walked through backwards.
        return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{argument}={shown(value)} is not an array of numbers: {shown(error)}") from error


def _without_tensors(value: object) -> object:
    """The value, or a list of what it holds, with arrays in the place of tensors."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    return [_without_tensors(part) for part in value] if isinstance(value, (list, tuple)) else value


def _fill_diagonal(matrix: Tensor) -> Tensor:
    off_diagonal = matrix.sum(1) - matrix.diagonal()
    matrix.diagonal().copy_(1 - off_diagonal)
    return matrix


def _close_to_one(sums: Tensor) -> bool:
    return bool(((sums - 1).abs() < 1e-6).all())
