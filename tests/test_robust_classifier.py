"""The estimator in scikit-learn's manner: its contract, its place among others, and what it needs."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from nlkit import METHODS, RobustClassifier, make_task, train
from nlkit.data.dataset import Dataset
from nlkit.learning.models import build_model

NO_CLEAN_SET = [name for name, kind in METHODS.items() if not kind.needs_clean]


@pytest.fixture(scope="module")
def blobs():
    """Three classes of 200, 45 % of each given to the next one, thirty trusted examples, and a test set."""
    X, true = make_blobs(1230, n_features=4, centers=3, cluster_std=2.0, random_state=3)
    names = np.array(["ash", "beech", "cedar"])
    y = true.copy()
    for label in range(3):
        of_it = np.flatnonzero(true[:600] == label)
        y[of_it[: int(0.45 * len(of_it))]] = (label + 1) % 3
    return X[:600], names[y[:600]], X[600:630], names[true[600:630]], X[630:], names[true[630:]]


# Enough steps for the checks that ask for accuracy; the next test holds what is taken unless said.
@parametrize_with_checks([RobustClassifier(epochs=60)])
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_small_table_gets_500_steps_and_a_large_one_25_epochs():
    X, y = load_iris(return_X_y=True)
    assert len(RobustClassifier("standard").fit(X, y).history_) == 250  # two batches of 128 and 22 an epoch
    many = np.resize(X, (2600, 4)), np.resize(y, 2600)
    assert len(RobustClassifier("standard").fit(*many).history_) == 25


def test_on_right_labels_it_is_as_good_as_a_network_of_scikit_learn():
    X, y = load_iris(return_X_y=True)
    ours = cross_val_score(RobustClassifier("standard", epochs=100), X, y, cv=3).mean()
    network = MLPClassifier((128, 64), batch_size=100, learning_rate_init=6e-4, max_iter=100, n_iter_no_change=100)
    with pytest.warns(ConvergenceWarning):  # it is stopped after as many epochs as ours
        theirs = cross_val_score(make_pipeline(StandardScaler(), network.set_params(random_state=0)), X, y, cv=3).mean()
    assert ours == pytest.approx(theirs, abs=0.03) and ours > 0.9


def test_a_clean_set_pays_where_nearly_half_of_the_labels_say_the_next_class(blobs):
    X, y, X_clean, y_clean, X_test, y_test = blobs
    reweighted = RobustClassifier("reweight", epochs=60).fit(X, y, X_clean, y_clean)
    standard = RobustClassifier("standard", epochs=60).fit(X, y)
    assert reweighted.score(X_test, y_test) > standard.score(X_test, y_test) + 0.05
    right = np.array([y == reweighted.predict(X)]).ravel()
    assert reweighted.example_weights_[right].mean() > 2 * reweighted.example_weights_[~right].mean()
    assert standard.example_weights_ is None


def test_it_learns_what_train_learns(blobs):
    X, y, X_clean, y_clean, X_test, _ = blobs
    ours = RobustClassifier("reweight", epochs=2, random_state=np.random.RandomState(5)).fit(X, y, X_clean, y_clean)
    rows = np.concatenate([X, X_clean])
    images = ((rows - rows.mean(0)) / rows.std(0)).astype(np.float32).reshape(-1, 1, 1, 4)
    labels = np.unique(np.concatenate([y, y_clean]), return_inverse=True)[1]
    data = Dataset("rows", ("0", "1", "2"), images, labels, images[:0], labels[:0])
    task = make_task(data, given=labels, true=None, clean=range(600, 630), device="cpu")
    seed = np.random.RandomState(5).randint(2**31 - 1)
    network = build_model("mlp", (1, 1, 4), 3, seed=seed)
    list(train(task, "reweight", model=network, epochs=2, batch_size=128, seed=seed))
    for own, theirs in zip(ours.network_.parameters(), network.parameters()):
        assert (own == theirs).all()


@pytest.mark.parametrize("method", NO_CLEAN_SET)
def test_every_method_that_needs_no_clean_set_can_be_named(method, blobs):
    X, y, _, _, X_test, _ = blobs
    told = RobustClassifier(method, epochs=1).fit(X, y).predict_proba(X_test)
    assert told.shape == (600, 3) and np.allclose(told.sum(1), 1, atol=1e-6)


def test_it_stands_in_a_pipeline_is_searched_over_and_survives_pickle(blobs):
    X, y, _, _, X_test, y_test = blobs
    pipeline = make_pipeline(StandardScaler(), RobustClassifier(epochs=5))
    grid = {"robustclassifier__method": ["standard", "gce"], "robustclassifier__learning_rate": [1e-3, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert set(search.predict(X_test)) <= {"ash", "beech", "cedar"} and len(search.cv_results_["params"]) == 4
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert (again.predict_proba(X_test) == search.predict_proba(X_test)).all()


def test_rows_can_be_images():
    X, y = np.random.default_rng(0).normal(size=(40, 3 * 8 * 8)), np.arange(40) % 2
    X[y == 1, :20] += 5  # the upper rows of the first channel
    images = RobustClassifier("standard", model="cnn", image_shape=(3, 8, 8), epochs=30, learning_rate=3e-3).fit(X, y)
    assert images.score(X, y) == 1.0 and next(images.network_.parameters()).shape[1] == 3


def test_a_class_that_only_the_clean_set_has_can_be_told(blobs):
    X, y, X_clean, y_clean, *_ = blobs
    known = y != "cedar"
    both = RobustClassifier("reweight", epochs=1).fit(X[known], y[known], X_clean, y_clean)
    assert list(both.classes_) == ["ash", "beech", "cedar"]


def test_nothing_that_is_handed_in_is_changed(blobs):
    before = [part.copy() for part in blobs]
    options = {"engine": "higher"}
    RobustClassifier("reweight", epochs=1, options=options).fit(*blobs[:4]).predict(blobs[4])
    assert all((part == old).all() for part, old in zip(blobs, before)) and options == {"engine": "higher"}


@pytest.mark.parametrize(
    ("settings", "clean", "says"),
    [
        ({"method": "reweight"}, None, r"method='reweight' needs a clean set; call fit\(X, y, X_clean, y_clean\)"),
        ({"method": "reweigh"}, None, "method='reweigh' is not known; did you mean 'reweight'"),
        ({"epochs": 0}, None, "epochs=0"),
        ({"batch_size": 0}, None, "batch_size=0"),
        ({"options": {"q": 2}}, None, "q=2"),
        ({"options": ["q"]}, None, r"options=\['q'\] must be a mapping"),
        ({"model": "cnn"}, None, "too small for model 'cnn'"),
        ({"image_shape": (1, 2, 3)}, None, r"image_shape=\(1, 2, 3\) must be .* product of 4, the columns of X"),
        ({}, (np.zeros((2, 4)), None), "X_clean and y_clean go together"),
        ({}, (np.zeros((2, 4)), ["ash"]), "y_clean has 1 labels for 2 rows of X_clean"),
        ({}, (np.zeros((1, 3)), ["ash"]), "X has 3 features, but RobustClassifier is expecting 4"),
        ({}, (np.zeros((2, 4)), [0, 1]), "y_clean has labels of another kind than y"),
        ({}, (np.full((1, 4), np.nan), ["ash"]), "NaN"),
    ],
)
def test_what_cannot_be_is_refused_before_training(settings, clean, says, blobs, monkeypatch):
    monkeypatch.setattr("nlkit.training.loop.Trainer.events", None)
    with pytest.raises(ValueError, match=says):
        RobustClassifier(**settings).fit(*blobs[:2], *(clean or ()))
