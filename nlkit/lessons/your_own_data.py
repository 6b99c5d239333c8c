"""Lesson 8, your own data: an audit of 569 tumours, and a conclusion that turns round when labels are checked.

The labels are scikit-learn's Wisconsin diagnoses (Street, Wolberg, Mangasarian 1993), which are taken as right. Errors
are planted: of a share of the tumours, the label follows a habit, texture above its median and a bit is "malignant".
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nlkit.audit.audit import Audit, audit
from nlkit.audit.collection import Collection
from nlkit.audit.proof import average_precision
from nlkit.audit.tables import as_features
from nlkit.page import Claim, Page, Trial
from nlkit.records import Measured, Recorded, Step
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    import pandas

    from nlkit.plots import Figure

NAMES = ("benign", "malignant")  # in the order in which a table of them is read
HABIT = 1.05  # of the median texture: from there on, whoever labels by habit says "malignant"
CHECKED = tuple(range(0, 161, 20))  # labels checked by somebody who is right, from the head of a list
TURN = 80  # of them, where the lesson looks
TRUSTED, HELD_OUT = 60, 189  # labels checked at random, and tumours that no classifier of the comparison learns from
ORDERS = ("all together", "confident learning", "at random")


class Tumours(NamedTuple):
    """The table, and what is known of its labels."""

    table: pandas.DataFrame  # (N, 30) measurements
    true: np.ndarray  # (N,) 0 benign, 1 malignant
    given: np.ndarray  # (N,) the same with the planted errors


@functools.lru_cache(maxsize=20)
def tumours(habit: float = 0.45, seed: int = 0, rows: int = 569) -> Tumours:
    """Tumours (the first `rows`), of a share `habit` of which the label follows texture alone; the seed says which."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    table, true = data.data.iloc[:rows], 1 - data.target.to_numpy(np.int64)[:rows]
    texture = table["mean texture"]
    by_habit = np.random.default_rng(seed).random(rows) < habit
    return Tumours(table, true, np.where(by_habit, (texture >= HABIT * texture.median()).astype(np.int64), true))


@functools.lru_cache(maxsize=20)
def audited(habit: float = 0.45, seed: int = 0, rows: int = 569) -> Audit:
    """The audit of these labels, as `nlkit audit` makes it of the table."""
    found = tumours(habit, seed, rows)
    features, _ = as_features(found.table.reset_index(drop=True))
    ids = tuple(map(str, range(rows)))
    trusted = np.full(rows, -1)
    return audit(
        Collection("tumours.csv", "table", features, found.given, NAMES, ids, trusted, rows=found.table), seed=seed
    )


def accuracy(table: pandas.DataFrame, labels: np.ndarray, measurement: str, seed: int = 0) -> float:
    """Five-fold cross-validated accuracy of a logistic regression on the three columns of a measurement (its mean,
    error and worst), on labels (N,) which it is graded by, too."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = [name for name in table.columns if measurement in name]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return float(cross_val_score(model, table[columns], labels, cv=folds).mean())


def order_of(found: Audit, order: str, seed: int) -> np.ndarray:
    """In which order (N,) labels are checked: the audit's, that of confident learning by `cleanlab` alone, or none."""
    if order == "at random":
        return np.random.default_rng(seed + 2000).permutation(found.collection.count)
    scores = found.suspicion if order == "all together" else found.scores[order]
    return np.argsort(-scores, kind="stable")


@dataclass(frozen=True)
class Checking:
    """Labels are checked from the head of a list, twenty a record. In its `numbers`: what texture and compactness tell
    of the labels as they stand ("ahead": texture less compactness), the share that is wrong, the list's precision."""

    order: str = setting("all together", "which list is gone down", choices=ORDERS)
    habit: float = setting(0.45, "share of the tumours whose label follows the habit", low=0.1, high=0.9, knob=True)
    rows: int = setting(569, "tumours, the first of them", low=100, high=569)
    seed: int = setting(0, "decides whose label follows the habit, weights, batches and parts", low=0)

    kept = ("ahead", "texture", "compactness", "wrong", "average precision")
    epochs = len(CHECKED)

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        data, found = tumours(self.habit, self.seed, self.rows), audited(self.habit, self.seed, self.rows)
        order = order_of(found, self.order, self.seed)
        places = np.argsort(order)
        precision = average_precision(data.given != data.true, -places.astype(float))
        for record, count in enumerate(CHECKED, start=1):
            labels = np.where(places < count, data.true, data.given)
            texture, compactness = (
                accuracy(data.table, labels, name, self.seed) for name in ("texture", "compactness")
            )
            wrong = float((labels != data.true).mean())
            numbers = (texture - compactness, texture, compactness, wrong, precision)
            yield Measured(record, dict(zip(self.kept, numbers)))


@dataclass(frozen=True)
class Training:
    """All measurements, a network by `RobustClassifier`, graded by right labels of tumours that it has not seen."""

    method: str = setting("reweight", "method", choices=("standard", "early_stopping", "reweight", "clean_only"))
    habit: float = setting(0.45, "share of the tumours whose label follows the habit", low=0.1, high=0.9)
    seed: int = setting(0, "decides habit, parts, weights and batches", low=0)

    kept = ("accuracy",)
    epochs = 1

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Measured | Step]:
        from nlkit.audit.robust_classifier import RobustClassifier

        X, y, trusted, true, tests, right = self.parts()
        clean = {"X_clean": trusted, "y_clean": true}
        model = RobustClassifier(self.method, random_state=self.seed, device="cpu")
        if self.method in ("reweight", "clean_only"):
            model.fit(X, y, **clean)
        else:  # what was checked is learned from all the same
            model.fit(np.concatenate([X, trusted]), np.concatenate([y, true]))
        yield Measured(1, {"accuracy": float(model.score(tests, right))})

    def parts(self) -> tuple[np.ndarray, ...]:
        """X and y as given, X and y as checked, X and y to be graded by; see `TRUSTED`, `HELD_OUT`."""
        data = tumours(self.habit, self.seed)
        order, table = np.random.default_rng(self.seed + 1000).permutation(len(data.true)), data.table.to_numpy()
        tests, trusted, rest = np.split(order, [HELD_OUT, HELD_OUT + TRUSTED])
        names = np.array(NAMES)
        return (
            table[rest], names[data.given[rest]], table[trusted], names[data.true[trusted]], table[tests],
            names[data.true[tests]],
        )  # fmt: skip


def _grid() -> Iterator[tuple[str, Mapping[str, object]]]:
    yield from ((order, {}) for order in ORDERS)
    yield from ((name, {}) for name in PAGE.besides)


def _picture(runs: Mapping[str, Sequence[Recorded]]) -> Figure:
    from nlkit.plots import lines

    most = min(len(records) for records in runs.values())
    return lines(
        CHECKED[:most], {name: [r.numbers["ahead"] for r in records[:most]] for name, records in runs.items()},
        xlabel="labels checked", ylabel="texture ahead of compactness", fit=True, variants=ORDERS,
    )  # fmt: skip


def _ahead(t: Trial, order: str, count: int) -> float:
    return t.run(order).curves["ahead"][CHECKED.index(count)]


def _trained(t: Trial, method: str) -> float:
    return t.run(f"trained: {method}").last("accuracy")


OURS, CONTROL = "measured here", "control"
PAGE = Page(
    title="Your own data",
    source="Street, Wolberg, Mangasarian 1993 (the tumours); Northcutt and others 2021, arXiv:1911.00068, 2103.14749",
    finding="Labels that follow a habit make the worse measurement look better; eighty checked ones turn it round.",
    variants={order: {"order": order} for order in ORDERS}, headline="ahead", experiment=Checking, picture=_picture,
    besides={f"trained: {method}": (Training, {"method": method})
             for method in ("standard", "early_stopping", "reweight", "clean_only")},
    grid=_grid, needs=("package:scikit-learn", "package:cleanlab"), tiny={"rows": 100},
    claims=(
        Claim("own_data_upside_down", "By the labels as given, texture tells tumours better than compactness.",
              OURS, lambda t: _ahead(t, "all together", 0), "cross-validated accuracy, texture less compactness",
              at_least=0.0, unit="points"),
        Claim("own_data_turned", f"With the first {TURN} suspects checked, of 569, it is the other way round.", OURS,
              lambda t: -_ahead(t, "all together", TURN), "the same, compactness less texture", at_least=0.0,
              unit="points"),
        Claim("own_data_by_chance", f"{TURN} labels checked at random turn nothing: texture stays ahead.", CONTROL,
              lambda t: _ahead(t, "at random", TURN), "texture less compactness", at_least=0.0, unit="points"),
        Claim("own_data_evidence", "All kinds of evidence together find these errors better than cleanlab alone.",
              "control: cleanlab", lambda t: t.run("all together").last("average precision")
              - t.run("confident learning").last("average precision"), "average precision, less cleanlab's",
              at_least=0.0, unit="points"),
        Claim("own_data_trusted", f"Reweighting by {TRUSTED} checked labels beats training on those {TRUSTED} alone.",
              "control: clean set alone", lambda t: _trained(t, "reweight") - _trained(t, "clean_only"),
              f"accuracy on {HELD_OUT} other tumours, rightly labelled", at_least=0.0, unit="points",
              why="Tumours are easy to tell by all 30 measurements, so sixty labels leave the others little to add."),
    ),
)  # fmt: skip
