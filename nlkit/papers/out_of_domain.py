"""Unlabelled data of another domain: they say where the gap between classes is, and a few labels which side is which.

    Saberi, Najafi, Heidari, Movasaghinia, Motahari, Khalaj: Out-of-domain unlabeled data improves generalization.
    ICLR 2024, arXiv:2310.00027.

    φ_γ(x, y; θ) = sup_z ℓ(z, y; θ) - γ c(z, x)            robust loss: x may be moved to z, at the cost γ c
    θ̂ = argmin_θ  1/m Σ φ_γ(x_i, y_i; θ) + λ/n Σ φ_γ'(x'_j, h_θ(x'_j); θ)                                      (RSS)

x' are unlabelled and get the label h_θ(x') that the classifier itself gives. For a plane through zero, ‖θ‖ = 1, the 0/1
loss and c the distance, moving x to the plane costs its margin, so that

    φ_γ(x, y; θ)             = min(1, max(0, 1 - γ y⟨θ, x⟩))        a ramp
    φ_γ'(x', h_θ(x'); θ)     = max(0, 1 - γ' |⟨θ, x'⟩|)              a tent: it pushes the plane out of the crowd

No program is published, and the body of the paper was not to be had: this is by its abstract and the authors' poster,
whose table is of the Gaussians here (its σ isn't printed; 1 fits its column of labels alone). Ours are: gradient steps
of length η, each back to ‖θ‖ = 1, from the mean of y x; λ, γ, γ' and η, which a prototype chose; and the digits, in
place of slices of tissue and a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy

from nlkit.checks import check_integer, check_number
from nlkit.noise.two_domains import GAUSSIANS, OTHER, OWN, PAIRS, SOURCES, two_domains
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlkit.plots import Figure

EVERY, EDGES = 5, numpy.linspace(-4, 4, 49)  # steps from one look to the next; bins of ⟨θ, x'⟩ for the picture


def ramp(margins: NDArray, gamma: float) -> NDArray:
    """The robust loss of labelled points by their margins y⟨θ, x⟩."""
    return (1 - gamma * margins).clip(0, 1)


def tent(sides: NDArray, gamma: float) -> NDArray:
    """The robust loss of unlabelled points by ⟨θ, x'⟩."""
    return (1 - gamma * abs(sides)).clip(0)


def sign(sides: NDArray) -> NDArray:
    """What a plane says: 1 or -1; 1 of a point on it."""
    return numpy.where(sides >= 0, 1.0, -1.0)


def gradient(
    theta: NDArray, x: NDArray, y: NDArray, unlabelled: NDArray, gamma: float, gamma_unlabelled: float, strength: float
) -> NDArray:
    """(d,) of the mean `ramp` plus `strength` times the mean `tent`, with labels of its own held fixed."""
    margins, sides = gamma * y * (x @ theta), unlabelled @ theta
    slope = -gamma * (((margins > 0) & (margins < 1)) * y) @ x / len(y)
    if not len(unlabelled):
        return slope
    near = gamma_unlabelled * abs(sides) < 1
    return slope - strength * gamma_unlabelled * (near * sign(sides)) @ unlabelled / len(unlabelled)


def mean_direction(x: NDArray, y: NDArray) -> NDArray:
    """Σ y x, of length 1: what labels alone say. Raises a ValueError where they say nothing."""
    y = numpy.asarray(y)
    if y.shape != x.shape[:1] or set(numpy.unique(y)) != {-1, 1}:
        found = f"labels have values {numpy.unique(y)} for {len(x)} points"
        raise ValueError(f"{found}; there must be one a point, -1 or 1, and some of either")
    theta = y @ x
    if not (length := numpy.linalg.norm(theta)) > 0:
        raise ValueError("the two classes have one mean, so that labels give no direction; take other points")
    return theta / length


def robust_self_supervised(
    x: NDArray, y: NDArray, unlabelled: NDArray,
    *, gamma: float = 0.5, gamma_unlabelled: float = 0.5, strength: float = 10.0, rate: float = 0.1, steps: int = 150,
) -> Iterator[NDArray]:  # fmt: skip
    """θ (d,) after each step of RSS, from labelled x (m, d), y (m,) of -1 and 1, and unlabelled (n, d); n may be 0.

    strength: λ. rate: η. Raises a ValueError, at the call, for a γ or a rate that isn't above 0, a negative λ, labels
    of one class, or points of two lengths.
    """
    for name, value in (("gamma", gamma), ("gamma_unlabelled", gamma_unlabelled), ("rate", rate)):
        check_number(name, value, 0, above=True)
    check_number("strength", strength, 0)
    check_integer("steps", steps, 0)
    if unlabelled.shape[1:] != x.shape[1:]:
        raise ValueError(f"unlabelled points have shape {unlabelled.shape[1:]}, labelled ones {x.shape[1:]}; give one")
    return _steps(mean_direction(x, y), (x, y, unlabelled, gamma, gamma_unlabelled, strength), rate, steps)


def _steps(theta: NDArray, given: tuple, rate: float, steps: int) -> Iterator[NDArray]:
    for _ in range(steps):
        theta = theta - rate * gradient(theta, *given)
        theta /= numpy.linalg.norm(theta)
        yield theta


def principal_axis(x: NDArray, y: NDArray, unlabelled: NDArray) -> NDArray:
    """The direction (d,) in which unlabelled points lie furthest from zero; labels only say which end is which."""
    axis = numpy.linalg.eigh(unlabelled.T @ unlabelled)[1][:, -1]
    return axis * sign(y @ x @ axis)


@dataclass(frozen=True)
class OutOfDomain:
    """RSS on one of two worlds. A record after every so many looks, of 5 steps; in its `numbers`

    "accuracy" in the domain of the labelled points, and the controls: "labels_alone" by the mean of as many labels,
    "ten_times" by ten times as many, "axis" of the principal axis (left out where no point is unlabelled);
    "labels", how many are used; "told_right", the share of unlabelled points that it gives their label.
    """

    source: str = setting(OTHER, "where unlabelled points are from", choices=SOURCES)
    world: str = setting(GAUSSIANS, "what is told apart", choices=(GAUSSIANS, *PAIRS), knob=True)
    per_class: int = setting(5, "labels a class", low=2, high=40, knob=True, log=True)
    unlabelled: int = setting(10_000, "n: unlabelled points (digits: 350 at most)", low=0, high=10_000, knob=True)
    alpha: float = setting(0.5, "α: shift of the other domain (Gaussians)", low=0.0, high=6.0, knob=True)
    ratio: float = setting(0.0, "noise ratio of the labels", low=0.0, high=0.5, knob=True)
    gamma_unlabelled: float = setting(0.5, "γ': 1 over the tent's half width", low=0.05, high=3.0, knob=True, log=True)
    strength: float = setting(10.0, "λ: weight of unlabelled points", low=0.0, high=30.0, knob=True)
    steps: int = setting(150, "gradient steps", low=1, high=1000)
    record_every: int = setting(1, "looks from one record to the next", low=1, high=200)
    seed: int = setting(0, "decides all that is drawn", low=0)
    kept = ("accuracy", "labels_alone", "ten_times", "axis", "told_right")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return -(-self.steps // (EVERY * self.record_every))

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        how: dict[str, Any] = {"ratio": self.ratio, "seed": self.seed}
        here = two_domains(self.world, self.per_class, self.unlabelled, self.source, alpha=self.alpha, **how)
        more = two_domains(self.world, 10 * self.per_class, 0, **how)
        directions = robust_self_supervised(
            here.points, here.given, here.unlabelled,
            gamma_unlabelled=self.gamma_unlabelled, strength=self.strength, steps=self.steps,
        )  # fmt: skip
        controls: dict[str, float] = {"labels": float(len(here.given))}
        controls["labels_alone"] = here.accuracy(mean_direction(here.points, here.given))
        controls["ten_times"] = more.accuracy(mean_direction(more.points, more.given))
        if len(here.unlabelled):
            controls["axis"] = here.accuracy(principal_axis(here.points, here.given, here.unlabelled))
        look = EVERY * self.record_every
        for step, theta in enumerate(directions, start=1):
            if step % look and step < self.steps:
                continue
            sides = here.unlabelled @ theta
            right = sign(sides) == here.hidden
            numbers = controls | {"step": float(step), "accuracy": here.accuracy(theta)}
            numbers |= {"told_right": float(right.mean())} if len(right) else {}
            inside = sides.clip(EDGES[0], EDGES[-1])  # what lies further out is counted at the edge
            shown: dict[str, Any] = {"edges": EDGES, "half": 1 / self.gamma_unlabelled}
            shown |= {"right": numpy.histogram(inside[right], EDGES)[0]}
            shown |= {"wrong": numpy.histogram(inside[~right], EDGES)[0]}
            yield Measured(-(-step // look), numbers, shown)


def draw(records: Mapping[str, Sequence[Measured]]) -> Figure:
    """Where unlabelled points lie across each plane, with the tent over it, and accuracy by step."""
    from nlkit.plots.domains import crossed_and_accuracy

    return crossed_and_accuracy(records, SOURCES)


LAST = {"record_every": 200}  # one record, at the end
LABELS, TIMES = (10, 20, 40), (1, 10, 100)  # the poster's m, and n / m beside n = 10,000
DIGITS = ("3 or 5", "2 or 3", "1 or 7", "4 or 9", "7 or 9")
RATIOS, SHIFTS = (0.2, 0.3, 0.4), (1.0, 2.0, 3.0)


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    for m in LABELS:
        for n in (*(k * m for k in TIMES), 10_000):
            yield from ((source, {"per_class": m // 2, "unlabelled": n, **LAST}) for source in (OWN, OTHER))
    changes: list[dict[str, Any]] = [{"per_class": 20, "ratio": r} for r in RATIOS] + [{"alpha": a} for a in SHIFTS]
    yield from ((OTHER, {**change, **LAST}) for change in [*changes, {"gamma_unlabelled": 2.0}, {"strength": 1.0}])
    yield from ((source, {"world": pair, **LAST}) for pair in DIGITS for source in SOURCES)


def at(t: Trial, source: str, m: int = 10, number: str = "accuracy", **changes: Any) -> float:
    """A number at the end, from m labels."""
    return t.run(source, per_class=m // 2, **changes, **LAST).last(number)


def gain(t: Trial, source: str, m: int = 10, over: str = "labels_alone", **changes: Any) -> float:
    """Accuracy at the end, less that of a control."""
    return at(t, source, m, **changes) - at(t, source, m, over, **changes)


OURS, TABLE = "a control that the paper leaves out", "poster, table 1"
POINTS: dict[str, Any] = {"unit": "points", "at_least": 0.0}
PAGE = Page(
    title="Out-of-domain unlabelled data improves generalization",
    source="Saberi, Najafi, Heidari, Movasaghinia, Motahari, Khalaj, ICLR 2024, arXiv:2310.00027",
    finding="Ten thousand unlabelled points of a shifted domain are worth some 500 labels, if they spread most where "
    "the gap between the classes is.",
    variants={source: {"source": source} for source in SOURCES},
    headline="accuracy", experiment=OutOfDomain, picture=draw, grid=_grid, seeds=tuple(range(20)),
    tiny={"unlabelled": 100, "steps": 10},
    claims=(
        Claim("out_of_domain_own", "10, 20 or 40 labels and 10,000 unlabelled points of the own domain give 82 %.",
              TABLE, lambda t: [at(t, OWN, m) for m in LABELS], "accuracy of RSS, three numbers of labels",
              at_least=0.81, at_most=0.83, published="82 % (all three)"),
        Claim("out_of_domain_other", "10,000 of the shifted domain give hardly less: 80 to 81 %.",
              TABLE, lambda t: [at(t, OTHER, m) for m in LABELS], "the same, α = 0.5",
              at_least=0.79, at_most=0.82, published="81, 80 and 80 %"),
        Claim("out_of_domain_few", "As few unlabelled points as there are labels help, at 10 labels.", TABLE,
              lambda t: gain(t, OWN, unlabelled=10), "RSS less labels alone, own domain", published="+4 points",
              why="With fewer points than the 200 dimensions, their spread hides where the gap is. The published 63 % "
              "is more than 10 more labels would give, 62 % by formula.", **POINTS),
        Claim("out_of_domain_wrong", "Of 40 labels 12 may be wrong: it costs RSS less than a point.", OURS,
              lambda t: at(t, OTHER, 40) - at(t, OTHER, 40, ratio=0.3),
              "RSS, α = 0.5: all labels right, less 30 % wrong", at_most=0.01, unit="points"),
        Claim("out_of_domain_worth", "20 labels and 10,000 unlabelled points are worth more than 200 labels.", OURS,
              lambda t: [gain(t, source, 20, "ten_times") for source in (OWN, OTHER)],
              "RSS less ten times the labels alone, own and other domain", **POINTS),
        Claim("out_of_domain_axis", "The principal axis of the unlabelled points, its end chosen by the labels, does "
              "as well.", OURS, lambda t: [-gain(t, source, m, "axis") for source in (OWN, OTHER) for m in LABELS],
              "principal axis less RSS", at_least=-0.005, unit="points"),
        Claim("out_of_domain_strangers", "To tell 3 from 5 in MNIST, other people's digits help more than MNIST's.",
              OURS, lambda t: gain(t, OTHER, world="3 or 5") - gain(t, OWN, world="3 or 5"),
              "RSS, 350 digits of another source less 350 of MNIST", **POINTS),
        Claim("out_of_domain_no_gap", "Between 4 and 9, or 7 and 9, RSS harms, whosever digits are unlabelled.", OURS,
              lambda t: [-gain(t, source, world=pair) for source in (OWN, OTHER) for pair in DIGITS[3:]],
              "labels alone less RSS, two sources, two pairs each", **POINTS),
    ),
)  # fmt: skip
