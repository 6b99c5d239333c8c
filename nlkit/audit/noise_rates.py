"""How many labels are wrong, and how: the transition matrix estimated from noisy labels alone, in three ways.

T[i, j] = P(given = j | true = i), rows sum to 1. Each way needs something else to be so:

- **anchor points** (Patrini et al. 2017, arXiv:1609.03683, section 4): where a class is most probable, an example is
  surely of it, and what is predicted there is its row. Needs probabilities that mean what they say.
- **clusterability** (Zhu, Song, Liu 2021, arXiv:2102.05291, HOC): an example and its two nearest have one true class,
  so how often their three labels agree tells T. Needs a space in which that is so; where neighbours are of different
  classes, it takes the difference for noise, and says too much.
- **counted** (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068, confident learning): examples that are confidently of
  class i and carry label j are counted, by the `cleanlab` library. Needs a model that beats the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from nlkit.checks import check_integer, check_number

MOST_CLASSES = 40  # of clusterability: its table of labels has K³ cells
STEPS, STEPS_NEAR = 300, 30  # of L-BFGS, from afar and from an estimate on other draws
DRAWS = 20  # of the bootstrap
ANCHOR = 0.97  # the quantile of a class's probability that is taken for its anchor; the highest itself may be a slip

Rates = tuple[np.ndarray, np.ndarray]  # T (K, K), and the shares p (K,) of the true classes


@dataclass(frozen=True, eq=False)
class Estimate:
    """A transition matrix as it was estimated, and the noise ratio that follows; with 95 % bootstrap intervals."""

    matrix: np.ndarray  # (K, K), rows sum to 1
    ratio: float  # share of labels that are wrong, in [0, 1]
    low: np.ndarray  # (K, K) lower ends
    high: np.ndarray
    ratio_low: float
    ratio_high: float


def by_anchor_points(probabilities: np.ndarray, given: np.ndarray) -> Rates:
    """T (K, K) and shares of the true classes p (K,), from held-out probabilities (N, K) and labels (N,).

    The anchor of a class is the example at the 97th percentile of its probability, as in the authors' program. The p
    are those with which T gives the shares of the labels, as nearly as shares can.
    """
    place = int(np.ceil(ANCHOR * len(probabilities))) - 1
    anchors = np.argpartition(probabilities, place, axis=0)[place]  # (K,)
    matrix = probabilities[anchors].astype(np.float64)
    return _as_matrix(matrix), _shares(matrix, given)


def by_counting(probabilities: np.ndarray, given: np.ndarray) -> Rates:
    """T (K, K) and p (K,) as confident learning counts them, from held-out probabilities (N, K) and labels (N,)."""
    from cleanlab.count import compute_confident_joint

    joint = compute_confident_joint(given, probabilities)  # [given, true], calibrated to the labels' counts
    joint = np.asarray(joint, dtype=np.float64).T
    return _as_matrix(joint), joint.sum(1) / joint.sum()


def by_clusterability(labels_of_three: np.ndarray, classes: int, start: Rates | None = None) -> Rates:
    """T (K, K) and p (K,) from the labels (N, 3) of each example and its two nearest neighbours.

    The shares of single labels, of pairs and of triples are what three draws from one row of T give, with p saying
    which row: Σ_i p_i T_ij T_ik T_il and its sums. T and p that come nearest by least squares are found by L-BFGS from
    labels that are mostly right, since classes could be renamed otherwise; or from `start`, in few steps.
    Raises a ValueError for over 40 classes.
    """
    check_integer("classes", classes, 2, MOST_CLASSES, why=": the table of three labels would be too large")
    return solve_consensus(count_triples(labels_of_three, classes), start)


def count_triples(labels_of_three: np.ndarray, classes: int) -> np.ndarray:
    """Shares (K, K, K) of the three labels of an example and its neighbours; the neighbours' order does not matter."""
    first, second, third = labels_of_three.astype(np.int64).T
    cells = np.bincount((first * classes + second) * classes + third, minlength=classes**3)
    table = cells.reshape(classes, classes, classes) / len(labels_of_three)
    return (table + table.transpose(0, 2, 1)) / 2


def solve_consensus(triples: np.ndarray, start: Rates | None = None) -> Rates:
    """T (K, K) and p (K,) of which three labels are most like `triples` (K, K, K); `start`: T and p that are near."""
    third = torch.from_numpy(triples)
    second, first = third.sum(2), third.sum((1, 2))
    classes = len(first)
    near = (torch.eye(classes) + 0.05, first) if start is None else map(torch.from_numpy, start)
    rows, shares = (part.double().clamp_min(1e-4).log().requires_grad_() for part in near)
    optimizer = torch.optim.LBFGS(
        [rows, shares], max_iter=STEPS if start is None else STEPS_NEAR, history_size=20, tolerance_grad=1e-9,
        tolerance_change=1e-12, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def distance() -> torch.Tensor:
        optimizer.zero_grad()
        matrix, p = rows.softmax(1), shares.softmax(0)
        weighted = p[:, None] * matrix
        pairs = weighted.T @ matrix
        threes = (weighted.T @ (matrix[:, :, None] * matrix[:, None, :]).flatten(1)).view_as(third)
        wrong = ((threes - third) ** 2).sum() + ((pairs - second) ** 2).sum() + ((weighted.sum(0) - first) ** 2).sum()
        wrong = 1e4 * wrong  # so that the optimizer's tolerances are small beside it
        wrong.backward()
        return wrong

    optimizer.step(distance)
    return rows.detach().softmax(1).numpy(), shares.detach().softmax(0).numpy()


def ratio_of(matrix: np.ndarray, shares: np.ndarray) -> float:
    """The share of labels that are wrong under T (K, K), with p (K,) of the true classes."""
    return float(np.clip(1 - (shares * matrix.diagonal()).sum(), 0, 1))


def with_intervals(
    estimator: Callable[..., Rates],
    *arrays: np.ndarray,
    again: Callable[[Rates], Callable[..., Rates]] | None = None,
    draws: int = DRAWS,
    most: int = 20_000,
    seed: int = 0,
) -> Estimate:
    """An estimate and its 95 % intervals by the bootstrap: the rows of the arrays (N, …) are drawn anew `draws` times.

    They tell how much chance there is in which examples were collected. They don't tell of a bias, as that of a space
    in which neighbours are of different classes. An interval is the estimate and 1.96 standard deviations of the draws
    around it.
    again: makes of the estimate the estimator of the draws, where that is faster.
    most: examples a draw; with more, their spread is scaled down, as it falls with the root of their number.
    """
    check_integer("draws", draws, 2)
    check_number("most", most, 1)
    matrix, shares = estimator(*arrays)
    ratio, count = ratio_of(matrix, shares), len(arrays[0])
    generator, size = np.random.default_rng(seed), min(count, int(most))
    estimator, matrices, ratios = again((matrix, shares)) if again else estimator, [], []
    for _ in range(draws):
        rows = generator.integers(0, count, size)
        drawn, p = estimator(*(array[rows] for array in arrays))
        matrices.append(drawn)
        ratios.append(ratio_of(drawn, p))
    scale = 1.96 * np.sqrt(size / count)
    half, ratio_half = scale * np.std(matrices, axis=0, ddof=1), scale * float(np.std(ratios, ddof=1))
    low, high = np.clip(matrix - half, 0, 1), np.clip(matrix + half, 0, 1)
    return Estimate(matrix, ratio, low, high, max(0.0, ratio - ratio_half), min(1.0, ratio + ratio_half))


def _as_matrix(counts: np.ndarray) -> np.ndarray:
    """Rows that sum to 1; one that has nothing stays with its class."""
    sums = counts.sum(1, keepdims=True)
    return np.where(sums > 0, counts / np.where(sums > 0, sums, 1), np.eye(len(counts)))


def _shares(matrix: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The shares p (K,) of true classes, none below 0, with which p T is nearest to the shares of the labels."""
    from scipy.optimize import nnls

    asked = np.bincount(given, minlength=len(matrix)) / len(given)
    shares, _ = nnls(np.vstack([matrix.T, 10 * np.ones(len(matrix))]), np.append(asked, 10))
    return shares / shares.sum()
