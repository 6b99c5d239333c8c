"""Design-based supervised learning: regressions on cheap labels, put right by a few that were drawn by a known design.

    Egami, Hinck, Stewart, Wei: Using imperfect surrogates for downstream inference: Design-based supervised learning
    for social science applications of large language models. NeurIPS 2023, arXiv:2306.04746; the authors' package for R
    is github.com/naoki-egami/dsl.

    Ỹ_i = ĝ(Q_i, X_i) + R_i / π_i · (Y_i − ĝ(Q_i, X_i))                                     (4: pseudo-outcome)
    Σ_i (Ỹ_i − expit(X_iᵀ β)) X_i = 0                                                       (5; linear: OLS of Ỹ on X)
    V = M⁻¹ Ω M⁻¹ / n,   M = 1/n Σ p_i (1 − p_i) X_i X_iᵀ,   Ω = 1/n Σ (Ỹ_i − p_i)² X_i X_iᵀ

Q are cheap labels of all n documents, Y right ones of those that were drawn (R = 1), each with the chance π it had.
ĝ for the documents of a fold is learned from the drawn ones of the other folds. So Ỹ is right on average over drawings,
however wrong Q and ĝ are; it may lie outside [0, 1], and is never rounded. Three rivals: the regression of Q; that of Y
on the drawn documents alone, weighted by 1/π, which has no need of cheap labels; and that of ĝ without correction.

What differs: the paper's ĝ is a random forest; here it is a logistic regression unless another is handed in. The
package takes the median of ten splits (`splits`), and rescales π to the share that was realised; here π is what it is.
Predicted regressors, clusters and fixed effects are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nlkit.data.documents import (
    DRAWINGS,
    all_documents,
    cheap_labels,
    classified,
    draw_documents,
    draw_for_checking,
)
from nlkit.learning.design_based import check_design, cross_fitted, dsl, pseudo_outcomes
from nlkit.learning.moments import Estimate, solve_moments
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlkit.plots import Figure


ESTIMATORS = ("cheap labels", "right labels", "predictions", "design-based", "correction alone")


def estimate(by: str, y: NDArray, X: NDArray, cheap: NDArray, chance: NDArray, seed: int) -> Estimate:
    """One of `ESTIMATORS` of a logistic regression; arguments as those of `dsl`."""
    names, design, y, drawn, chance = check_design(y, X, chance)
    if by == "cheap labels":
        return solve_moments(cheap, design, names)
    if by == "right labels":
        return solve_moments(np.where(drawn, y, 0), design, names, weights=drawn / chance)
    if by == "correction alone":
        return solve_moments(pseudo_outcomes(y, drawn, chance, np.zeros(len(y))), design, names)
    if by == "predictions":
        return solve_moments(cross_fitted(y, drawn, np.column_stack([cheap, X]), seed=seed), design, names)
    return dsl(y, X, cheap, chance, seed=seed)


def truth() -> NDArray:
    """(4,) the coefficients of the regression on the right labels of all 5,000 documents."""
    documents = all_documents()
    names, design, y, *_ = check_design(documents.outcome, documents.regressors, 1.0)
    return solve_moments(y, design, names).beta


@dataclass(frozen=True)
class Survey:
    """A survey made again and again: a record each. Its `numbers` are of all repetitions so far and four coefficients:
    the share "covered" by 95 % intervals, and root means of "bias" and of squared error ("rmse").
    """

    by: str = setting("design-based", "what is regressed", choices=ESTIMATORS)
    labels: str = setting("flips", "whose cheap labels", choices=("flips", "classifier"))
    ratio: float = setting(0.1, "noise ratio of flips", low=0.0, high=0.5, knob=True)
    tilt: float = setting(2.0, "how far ink tells which labels are wrong", low=-2.0, high=2.0, knob=True)
    gold: int = setting(200, "right labels", low=30, high=1000, knob=True)
    documents: int = setting(5000, "documents", low=1000, high=20_000, knob=True)
    drawing: str = setting("at random", "how those with right labels are drawn", choices=DRAWINGS, knob=True)
    repetitions: int = setting(60, "surveys", low=2, high=500)
    seed: int = setting(0, "decides documents, wrong labels, drawing and folds", low=0)

    kept = ("covered", "rmse")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return self.repetitions

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        right, errors, covered = truth(), [], []
        for number in range(1, self.repetitions + 1):
            rng = np.random.default_rng([self.seed, number])
            documents = draw_documents(self.documents, rng)
            cheap = cheap_labels(documents, self.ratio, self.tilt, rng)
            if self.labels == "classifier":
                cheap = classified(documents, self.seed)
            drawn, chance = draw_for_checking(documents, cheap, self.gold, self.drawing, rng)
            y = np.where(drawn, documents.outcome, np.nan)
            found = estimate(self.by, y, documents.regressors, cheap, chance, seed=number)
            errors.append(found.beta - right)
            covered.append((found.low <= right) & (right <= found.high))
            every = np.stack(errors)
            numbers = {
                "covered": float(np.mean(covered)), "covered_ink": float(np.mean(covered, axis=0)[1]),
                "bias": float(np.sqrt((every.mean(0) ** 2).mean())), "rmse": float(np.sqrt((every**2).mean())),
                "cheap_right": float((cheap == documents.outcome).mean()),
            }  # fmt: skip
            yield Measured(number, numbers, {"ink": (found.low[1], found.beta[1], found.high[1]), "truth": right[1]})


def draw(runs: Mapping[str, Sequence[Measured]]) -> Figure:
    """The intervals of the coefficient of ink, a column an estimator, and how many hold the truth."""
    from nlkit.plots.coverage import stacked_intervals

    return stacked_intervals(
        {name: [record.shown["ink"] for record in records] for name, records in runs.items()},
        next(iter(runs.values()))[0].shown["truth"], xlabel="coefficient of ink",
    )  # fmt: skip


MANY: dict[str, Any] = {"repetitions": 100}
RATIOS, SIZES = (0.05, 0.1, 0.2, 0.4), (1000, 5000, 20_000)


def _grid() -> Iterator[tuple[str, dict[str, Any]]]:
    for by in ("cheap labels", "right labels", "predictions", "design-based"):
        yield from ((by, {"ratio": ratio, **MANY}) for ratio in RATIOS)
        yield from ((by, {"drawing": drawing, **MANY}) for drawing in DRAWINGS[1:])
        yield by, {"labels": "classifier", **MANY}
    yield "correction alone", MANY
    yield from (("cheap labels", {"tilt": 0.0, "documents": size, **MANY}) for size in SIZES)


def covered(by: str, **changes: Any) -> Any:
    return lambda t: t.run(by, **MANY, **changes).last("covered")


def gain(t: Trial, ratio: float) -> float:
    """By how much the error is below that of the right labels alone, as a share of it."""
    return 1 - t.run("design-based", ratio=ratio, **MANY).last("rmse") / t.run("right labels", **MANY).last("rmse")


def _shrinking(t: Trial) -> float:
    small, _, large = (t.run("cheap labels", tilt=0.0, documents=n, **MANY).last("covered") for n in SIZES)
    return small - large


def _wider(t: Trial) -> float:
    return t.run("correction alone", **MANY).last("rmse") / t.run("right labels", **MANY).last("rmse")


NOMINAL: dict[str, Any] = {"at_least": 0.9, "at_most": 0.97}
OURS, SHARE = "a control that the paper leaves out", "share of 95 % intervals that hold the truth, four coefficients"
PAGE = Page(
    title="Design-based supervised learning",
    source="Egami, Hinck, Stewart, Wei, NeurIPS 2023, arXiv:2306.04746",
    finding="A few right labels drawn by a known design make intervals from many cheap ones honest.",
    variants={by: {"by": by} for by in ESTIMATORS[:4]},
    besides={"correction alone": (Survey, {"by": "correction alone"})},
    headline="covered", experiment=Survey, picture=draw, grid=_grid, needs=("package:scikit-learn",),
    tiny={"repetitions": 3, "documents": 1000},
    claims=(
        Claim("dsl_cheap", "With cheap labels right 9 times in 10, their own intervals rarely hold the truth.",
              "figure 1a", covered("cheap labels"), SHARE, published="40 %", at_most=0.6),
        Claim("dsl_covers", "Put right by 200 labels that were drawn at random, they hold it as often as they say.",
              "figures 1a, 2; table 3", covered("design-based"), SHARE, published="nominal", **NOMINAL),
        Claim("dsl_chances", "So they do where some were three times as likely to be drawn, by known chances.",
              "section 3", covered("design-based", drawing=DRAWINGS[1]), SHARE, **NOMINAL),
        Claim("dsl_gain", "The cheap labels are worth having: the error is below that of the 200 right ones alone.",
              "figure 3", lambda t: gain(t, 0.1), "1 − root mean squared error over that of right labels alone",
              published="12 to 36 % below", at_least=0.15),
        Claim("dsl_gain_gone", "Of labels of which 40 % are wrong, next to nothing of that gain is left.", "figure 3",
              lambda t: gain(t, 0.4), "the same at 40 % noise", at_most=0.05),
        Claim("dsl_predictions", "Predictions taken for data, without the correction, give intervals that are too "
              "narrow.", OURS, covered("predictions"), SHARE, at_most=0.6),
        Claim("dsl_documents", "More documents make the cheap labels' intervals worse: random mistakes do not cancel.",
              OURS, _shrinking, "share that hold the truth, 1,000 documents less 20,000, mistakes at random",
              at_least=0.2, unit="points"),
        Claim("dsl_easy", "If only easy documents were labelled, and taken for a random draw, the guarantee is gone.",
              OURS, covered("design-based", drawing=DRAWINGS[2]), SHARE, at_most=0.9),
        Claim("dsl_alone", "The correction alone, of no prediction at all, is honest too, but no better than right "
              "labels alone.", OURS, _wider, "root mean squared error over that of right labels alone", at_least=1.0,
              unit="x"),
    ),
)  # fmt: skip
