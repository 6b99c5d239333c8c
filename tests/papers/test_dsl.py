"""Design-based supervised learning beside scipy's minimiser, enumeration of all drawings, and closed forms."""

import itertools

import numpy as np
import pandas
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from nlkit.data.documents import DRAWINGS, LOOPS, all_documents, cheap_labels, draw_documents, draw_for_checking
from nlkit.data.load import load
from nlkit.learning.design_based import check_design, cross_fitted, dsl, pseudo_outcomes
from nlkit.learning.moments import solve_moments
from nlkit.papers.dsl import ESTIMATORS, Survey, estimate, truth
from nlkit.plots.coverage import stacked_intervals


@pytest.fixture(scope="module")
def survey():
    rng = np.random.default_rng(5)
    documents = draw_documents(600, rng)
    return documents, cheap_labels(documents, 0.2, 1.0, rng), rng


def design_of(X):
    return np.column_stack([np.ones(len(X)), X])


# The equations


def test_with_all_labels_it_is_the_logistic_regression_and_its_hc0_sandwich(survey):
    documents, cheap, _ = survey
    y, X = documents.outcome, design_of(documents.regressors)
    found = dsl(y, documents.regressors, cheap, 1.0)  # whatever is predicted: no document goes uncorrected
    theirs = minimize(
        lambda b: np.sum(np.logaddexp(0, X @ b) - y * (X @ b)), np.zeros(4), jac=lambda b: X.T @ (expit(X @ b) - y),
        tol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(found.beta, theirs.x, atol=1e-6)
    p = expit(X @ theirs.x)
    bread = np.linalg.inv(np.einsum("n,ni,nj->ij", p * (1 - p), X, X))
    meat = np.einsum("n,ni,nj->ij", (y - p) ** 2, X, X)
    np.testing.assert_allclose(found.se, np.sqrt(np.diag(bread @ meat @ bread)), rtol=1e-6)


def test_over_all_drawings_the_pseudo_outcome_is_right_on_average_however_absurd_the_prediction():
    y, absurd = np.array([1.0, 0, 0, 1, 1]), np.array([7.0, -2, 7, 7, -2])
    found = []
    for pair in itertools.combinations(range(5), 2):
        drawn = np.isin(np.arange(5), pair)
        found.append(pseudo_outcomes(np.where(drawn, y, np.nan), drawn, np.full(5, 2 / 5), absurd))
    np.testing.assert_allclose(np.mean(found, axis=0), y, atol=1e-12)
    assert np.max(found) > 1 and np.min(found) < 0  # and is not brought back to what labels can be


def test_of_an_intercept_alone_it_is_the_logit_of_the_mean():
    rng = np.random.default_rng(0)
    outcome = 0.3 + 2 * rng.standard_normal(400)  # any numbers, whose mean is within 0 and 1
    found = solve_moments(outcome, np.ones((400, 1)), ("intercept",))
    p = outcome.mean()
    assert found.beta[0] == pytest.approx(logit(p))
    assert found.se[0] == pytest.approx(outcome.std() / (np.sqrt(400) * p * (1 - p)))


def test_the_linear_model_is_least_squares_and_flips_at_random_shrink_its_slopes_by_one_minus_two_rho(survey):
    documents, _, _ = survey
    X, y, ratio = documents.regressors, documents.outcome, 0.2
    names, design, *_ = check_design(y, X, 1.0)
    right = solve_moments(y, design, names, model="linear").beta
    np.testing.assert_allclose(right[1:], LinearRegression().fit(X, y).coef_, atol=1e-9)
    expected = (1 - ratio) * y + ratio * (1 - y)  # of a flip with probability ρ; least squares is linear in it
    shrunk = solve_moments(expected, design, names, model="linear").beta
    np.testing.assert_allclose(shrunk[1:], (1 - 2 * ratio) * right[1:], atol=1e-9)


def test_weights_count_rows_as_often(survey):
    documents, _, rng = survey
    names, design, y, *_ = check_design(documents.outcome[:80], documents.regressors[:80], 1.0)
    times = rng.integers(0, 4, 80)
    ours = solve_moments(y, design, names, weights=times)
    theirs = solve_moments(np.repeat(y, times), np.repeat(design, times, axis=0), names)
    np.testing.assert_allclose(ours.beta, theirs.beta, atol=1e-8)


def test_what_is_predicted_for_a_fold_has_learned_from_the_others_alone():
    """A nearest neighbour that had seen a document would give its own label back."""
    rng = np.random.default_rng(1)
    y, features = rng.integers(0, 2, 400).astype(float), rng.standard_normal((400, 2))
    said = cross_fitted(y, np.ones(400, bool), features, regressor=KNeighborsRegressor(1))
    assert (said == y).mean() == pytest.approx(0.5, abs=0.08)


def test_a_data_frame_of_ones_own_and_any_regressor_serve(survey):
    documents, cheap, rng = survey
    drawn, chance = draw_for_checking(documents, cheap, 150, DRAWINGS[1], rng)
    frame = pandas.DataFrame(documents.regressors, columns=["ink", "slant", "width"])
    y = pandas.Series(documents.outcome).where(drawn)
    forest = RandomForestClassifier(20, min_samples_leaf=5, random_state=0)
    found = dsl(y, frame, cheap, chance, further=documents.pixels[:, :3], regressor=forest, splits=3)
    assert list(found.table().index) == ["intercept", "ink", "slant", "width"]
    for name in ("logistic", "linear"):
        same = [dsl(y, X, cheap, chance, model=name, seed=2).beta for X in (frame, frame.to_numpy())]
        np.testing.assert_array_equal(*same)


def test_an_outcome_of_any_numbers_is_predicted_by_least_squares():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((2000, 1))
    amount, drawn = 100 + 10 * X[:, 0] + rng.standard_normal(2000), rng.random(2000) < 0.1
    found = dsl(np.where(drawn, amount, np.nan), X, amount + 30, 0.1, model="linear")
    assert found.low[1] < 10 < found.high[1] and found.se[1] < 0.1  # as narrow as if all amounts had been looked up


# Surveys


def test_documents_are_the_digits_and_a_survey_of_all_of_them_gives_the_truth():
    documents, data = all_documents(), load("mnist5k", device="cpu")
    labels = np.concatenate([data.train_labels, data.test_labels])
    assert documents.outcome.mean() == np.isin(labels, LOOPS).mean() == 0.4
    np.testing.assert_allclose(documents.regressors.std(0), 1)
    np.testing.assert_allclose(truth(), [-0.434, 0.723, -0.068, -0.207], atol=1e-3)


@pytest.mark.parametrize("tilt", [-2.0, 0.0, 2.0])
def test_as_many_labels_are_wrong_as_asked_for_and_ink_tells_which(tilt):
    rng = np.random.default_rng(3)
    documents = draw_documents(4000, rng)
    wrong = cheap_labels(documents, 0.1, tilt, rng) != documents.outcome
    assert wrong.sum() == 400
    seen = wrong & (documents.outcome == 0)
    lean = documents.regressors[seen, 0].mean() - documents.regressors[documents.outcome == 0, 0].mean()
    assert np.sign(lean) == np.sign(tilt) if tilt else abs(lean) < 0.25


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_as_many_are_drawn_and_chances_are_what_they_say(survey, drawing):
    documents, cheap, _ = survey
    drawings = [draw_for_checking(documents, cheap, 60, drawing, np.random.default_rng(s)) for s in range(300)]
    chosen, chance = np.mean([d for d, _ in drawings], axis=0), drawings[0][1]
    assert all(d.sum() == 60 for d, _ in drawings) and chance.sum() == pytest.approx(60)
    if drawing == "the easy ones":
        assert (chosen == 0).sum() == 300
    else:
        np.testing.assert_allclose(chosen[cheap == 1].mean(), chance[cheap == 1].mean(), rtol=0.05)
        assert np.abs(chosen - chance).max() < 0.12
    if drawing == DRAWINGS[1]:
        assert chance[cheap == 1].mean() == pytest.approx(3 * chance[cheap == 0].mean(), rel=0.1)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say_and_those_of_cheap_labels_do_not():
    asked = {by: Survey(by, documents=1000, repetitions=80, seed=9) for by in ESTIMATORS[:2] + ESTIMATORS[3:4]}
    ends = {by: list(survey.run())[-1].numbers for by, survey in asked.items()}
    assert 0.9 < ends["design-based"]["covered"] < 0.98 and 0.9 < ends["right labels"]["covered"] < 0.98
    assert ends["cheap labels"]["covered"] < 0.7 and ends["cheap labels"]["bias"] > 5 * ends["design-based"]["bias"]
    assert ends["design-based"]["rmse"] < 0.9 * ends["right labels"]["rmse"]


# Bad input


@pytest.mark.parametrize("change, said", [
    ({"chance": 0.0}, "chance must be in"), ({"chance": float("nan")}, "chance must be in"),
    ({"chance": 1.0}, "y lacks 500 right labels"), ({"X": np.ones((600, 1))}, "follow from the others"),
    ({"X": np.full((600, 1), np.nan)}, "X has values that are missing"), ({"X": np.zeros((5, 1))}, "must be"),
    ({"y": np.full(600, np.nan)}, "y has 0 right labels"), ({"folds": 1}, "folds=1"), ({"splits": 0}, "splits=0"),
    ({"model": "probit"}, "model='probit'"), ({"cheap": np.zeros(5)}, "cheap has 5 rows"),
    ({"cheap": np.full(600, np.nan)}, "cheap has values that are missing"), ({"X": [["a"]] * 600}, "must be numbers"),
    ({"y": np.arange(600.0)}, "within 0 and 1 for a logistic"),
    ({"y": np.arange(600.0), "model": "linear", "regressor": RandomForestClassifier()}, "tells classes"),
    ({"y": pandas.Series(np.arange(600) % 2.0)[::-1], "X": pandas.DataFrame({"x": np.arange(600.0)})}, "differently"),
])  # fmt: skip
def test_what_can_not_be_is_refused(survey, change, said):
    documents, cheap, _ = survey
    y = np.where(np.arange(600) < 100, documents.outcome, np.nan)
    with pytest.raises(ValueError, match=said):
        dsl(**{"y": y, "X": documents.regressors, "cheap": cheap, "chance": 1 / 6} | change)


def test_too_few_right_labels_are_told():
    rng = np.random.default_rng(0)
    documents = draw_documents(2000, rng)
    y = np.where(np.arange(2000) < 3, 1.0, np.nan)
    with (
        pytest.warns(UserWarning, match="too few right labels"),
        pytest.raises(ValueError, match="too few right labels"),
    ):
        dsl(y, documents.regressors, documents.outcome, 3 / 2000, folds=2)


def test_a_column_without_intervals_is_refused():
    with pytest.raises(ValueError, match="without intervals"):
        stacked_intervals({"a": []}, 0.0, xlabel="x")
    assert "a: 1 of 2 hold it" in stacked_intervals({"a": [(0, 1, 2), (3, 4, 5)]}, 1.5, xlabel="x").alt


def test_estimators_are_told_apart(survey):
    documents, cheap, rng = survey
    drawn, chance = draw_for_checking(documents, cheap, 100, "at random", rng)
    y = np.where(drawn, documents.outcome, np.nan)
    found = {by: estimate(by, y, documents.regressors, cheap, chance, 0).beta for by in ESTIMATORS}
    assert len({tuple(beta) for beta in found.values()}) == len(ESTIMATORS)
    names, design, *_ = check_design(y[drawn], documents.regressors[drawn], 1.0)
    alone = solve_moments(y[drawn], design, names).beta
    np.testing.assert_allclose(found["right labels"], alone, atol=1e-8)  # equal chances are no weights
