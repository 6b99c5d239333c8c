"""Two classes, a few points of each labelled, and unlabelled points of the same domain or of another one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy
import torch

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.load import load
from nlkit.data.shifts import other_writers
from nlkit.noise.draws import corrupt
from nlkit.noise.few_labels import few_labels, small
from nlkit.noise.matrices import noise_matrix
from nlkit.randomness import seeded_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN, OTHER, BOTH = SOURCES = ("own domain", "other domain", "half of each")
GAUSSIANS = "Gaussians"
PAIRS = {f"{a} or {b}": (a, b) for a, b in ((3, 5), (3, 8), (2, 3), (0, 6), (1, 7), (4, 9), (7, 9))}
DIMENSIONS, DIGITS, MOST_A_CLASS = 200, 350, 400  # DIGITS: unlabelled ones of a pair, at most; each source has as many
SCALE = 2.5  # digits are divided by it: half the way from the mean 3 to the mean 5 is then 1, as between the Gaussians


class TwoDomains(NamedTuple):
    """m labelled and n unlabelled points in d dimensions, labels -1 and 1, and how good a direction is."""

    points: NDArray  # (m, d)
    given: NDArray  # (m,) their labels
    true: NDArray  # (m,)
    unlabelled: NDArray  # (n, d)
    hidden: NDArray  # (n,) what they are: to measure with, and not to learn from
    accuracy: Callable[[NDArray], float]  # of sign⟨θ, x⟩ in the labelled points' domain, for θ (d,)


def two_domains(
    world: str, per_class: int, count: int, source: str = OWN, *, alpha: float = 0.5, ratio: float = 0.0, seed: int = 0
) -> TwoDomains:
    """`per_class` labelled points of each class, a share `ratio` of the labels wrong, and `count` unlabelled points.

    world: `GAUSSIANS`, or one of `PAIRS` of digits. source: of the unlabelled points, one of `SOURCES`.
    Gaussians: N(y μ, I) in 200 dimensions, ‖μ‖ = 1; in the other domain N(y (μ + α v), I), ‖v‖ = 1, v at random.
    Accuracy is exact. Digits: MNIST's, 14 × 14, and in the other domain those of `other_writers`; no more than 350 are
    unlabelled. Each source is centred by its own mean, labelled and test digits by that of the labelled.
    Raises a ValueError for what is outside these ranges, or a ratio outside [0, 0.5].
    """
    check_integer("per_class", per_class, 1, MOST_A_CLASS)
    check_integer("count", count, 0)
    check_choice("source", source, SOURCES)
    check_number("alpha", alpha, 0)
    check_number("ratio", ratio, 0, 0.5)
    own = {OWN: count, OTHER: 0, BOTH: count - count // 2}[source]
    if check_choice("world", world, (GAUSSIANS, *PAIRS)) == GAUSSIANS:
        return _gaussians(per_class, own, count - own, alpha, ratio, seed)
    if count > DIGITS:
        own = {OWN: DIGITS, OTHER: 0, BOTH: DIGITS // 2}[source]
    return _digits(PAIRS[world], per_class, own, min(count, DIGITS) - own, ratio, seed)


def expected_alone(labels: float) -> float:
    """Accuracy of the mean of y x over so many labelled Gaussians, nearly: Φ(1 / √(1 + d/m))."""
    from scipy.stats import norm

    check_number("labels", labels, 0, above=True)
    return float(norm.cdf(1 / math.sqrt(1 + DIMENSIONS / labels)))


def labels_worth(accuracy: float) -> float:
    """How many labels alone come to this accuracy: the inverse of `expected_alone`. 0 at ½, infinite from Φ(1) on."""
    from scipy.stats import norm

    z = max(float(norm.ppf(check_number("accuracy", accuracy, 0, 1))), 0.0)
    return DIMENSIONS * z * z / (1 - z * z) if z < 1 else math.inf


def expected_axis(labels: float, alpha: float) -> float:
    """Accuracy, on average, of the principal axis of endless unlabelled points with the sign that the labels give it.

    It is right a = Φ(c) of the time, c = 1 / √(1 + α²), where the sign is right, as it is with probability Φ(c √m).
    """
    from scipy.stats import norm

    c = 1 / math.sqrt(1 + check_number("alpha", alpha, 0) ** 2)
    sign, right = norm.cdf(c * math.sqrt(check_number("labels", labels, 0, above=True))), norm.cdf(c)
    return float(sign * right + (1 - sign) * (1 - right))


def _gaussians(per_class: int, own: int, other: int, alpha: float, ratio: float, seed: int) -> TwoDomains:
    from scipy.stats import norm

    means = torch.randn(2, DIMENSIONS, generator=seeded_generator(seed, "domains"), dtype=torch.float64)
    mu, v = (means / means.norm(dim=1, keepdim=True)).numpy()
    draw = seeded_generator(seed, "unlabelled")
    hidden = 2 * torch.randint(2, (own + other,), generator=draw).numpy() - 1
    unlabelled = torch.randn(own + other, DIMENSIONS, generator=draw, dtype=torch.float64).numpy()
    unlabelled[:own] += numpy.outer(hidden[:own], mu)
    unlabelled[own:] += numpy.outer(hidden[own:], mu + alpha * v)
    true = numpy.resize([1, -1], 2 * per_class)
    draw = seeded_generator(seed, "labelled")
    noise = torch.randn(2 * per_class, DIMENSIONS, generator=draw, dtype=torch.float64).numpy()
    return TwoDomains(
        noise + numpy.outer(true, mu), _wrong(true, ratio, seed), true, unlabelled, hidden,
        lambda theta: float(norm.cdf(theta @ mu / math.sqrt(theta @ theta))),
    )  # fmt: skip


def _digits(pair: tuple[int, int], per_class: int, own: int, other: int, ratio: float, seed: int) -> TwoDomains:
    world, data = few_labels(per_class, seed=seed), load("mnist5k")
    elsewhere, shown = other_writers(data.mean, data.std)
    sets = [(world.images, world.true), (world.tested, world.answers)]
    for images, labels, count in ((world.unlabelled, world.hidden, own), (elsewhere, shown, other)):
        of_pair = torch.isin(labels, torch.tensor(pair)).nonzero()[:, 0]
        taken = of_pair[torch.randperm(len(of_pair), generator=seeded_generator(seed, "unlabelled"))[:count]]
        sets.append((images[taken] if images is not elsewhere else small(images[taken]), labels[taken]))
    (points, true), (tested, answers), (ours, of_ours), (theirs, of_theirs) = [
        _flat(images, labels, pair) for images, labels in sets
    ]
    middle = points.mean(0)
    unlabelled = numpy.concatenate([each - each.mean(0) if len(each) else each for each in (ours, theirs)])
    return TwoDomains(
        points - middle, _wrong(true, ratio, seed), true, unlabelled, numpy.concatenate([of_ours, of_theirs]),
        lambda theta: float((numpy.where((tested - middle) @ theta >= 0, 1, -1) == answers).mean()),
    )  # fmt: skip


def _flat(images: torch.Tensor, labels: torch.Tensor, pair: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """Those of the pair as rows, and -1 for the second of the pair, 1 for the first."""
    kept = torch.isin(labels, torch.tensor(pair))
    return (images[kept].flatten(1).double() / SCALE).numpy(), numpy.where(labels[kept] == pair[0], 1, -1)


def _wrong(true: NDArray, ratio: float, seed: int) -> NDArray:
    return 2 * corrupt(torch.tensor((true + 1) // 2), noise_matrix("symmetric", 2, ratio), seed=seed).numpy() - 1
