"""Each kind of evidence against what it stands for, and the rules of estimation against closed forms."""

import cleanlab
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from nlkit.audit import evidence, noise_rates, space
from nlkit.audit.duplicates import contradictions, same_features
from nlkit.audit.dynamics import Course, as_images, course, cross_validated, weights_by_clean_set
from nlkit.noise.matrices import from_cleanlab, pair_matrix


@pytest.fixture
def generator():
    return np.random.default_rng(0)


# Evidence


def test_confident_learning_is_cleanlabs(generator):
    probabilities = generator.dirichlet(np.ones(3), 50).astype(np.float32)
    labels = np.r_[np.arange(3), generator.integers(0, 3, 47)]
    exact = probabilities.astype(np.float64) / probabilities.astype(np.float64).sum(1, keepdims=True)
    assert evidence.confident_learning(probabilities, labels) == pytest.approx(
        1 - cleanlab.rank.get_label_quality_scores(labels, exact), abs=1e-6
    )


def test_the_course_of_a_training_tells_early_losses_late_learning_and_margins():
    own = np.array([[0.9, 0.2, 0.6, 0.1], [0.9, 0.3, 0.2, 0.1], [0.9, 0.9, 0.8, 0.1], [0.9, 0.9, 0.1, 0.1]])
    course = Course(own, 1 - own)  # always learned, learned late, forgotten twice, never learned
    assert evidence.small_loss(course) == pytest.approx(-np.log(own[0]))  # a quarter of four epochs
    assert evidence.learned_late(course).tolist() == [0, 0.5, 1, 1]
    assert evidence.margin_in_training(course) == pytest.approx((1 - 2 * own).mean(0))
    assert evidence.forgetting(course).tolist() == [0, 0, 2, 4]  # what was never learned counts most
    assert evidence.loss_at_the_end(course) == pytest.approx(-np.log(own[3]))


def test_the_held_out_margin_orders_labels_as_cleanlab_does(generator):
    probabilities = generator.dirichlet(np.ones(4), 60)
    labels = np.r_[np.arange(4), generator.integers(0, 4, 56)]
    quality = cleanlab.rank.get_label_quality_scores(labels, probabilities, method="normalized_margin")
    assert evidence.held_out_margin(probabilities, labels) == pytest.approx(1 - 2 * quality, abs=1e-9)


def test_neighbours_are_the_nearest_others_and_vote_with_the_example(generator):
    features, labels = generator.normal(size=(40, 6)).astype(np.float32), generator.integers(0, 3, 40)
    far = cdist(features, features)
    np.fill_diagonal(far, np.inf)
    nearest, distances = space.neighbours(space.space_of(features), 5)
    assert nearest.tolist() == far.argsort(1)[:, :5].tolist()
    assert distances == pytest.approx(np.sort(far, 1)[:, :5], abs=1e-3)
    scores = evidence.neighbours_vote(labels, nearest, 3)
    for place in (0, 17):
        shares = np.bincount([*labels[nearest[place]], labels[place]], minlength=3) / 6
        assert scores[place] == pytest.approx(1 - shares[labels[place]] / np.sqrt((shares**2).sum()), abs=1e-6)


def test_many_features_become_few_and_their_order_is_the_cosines(generator):
    low = generator.normal(size=(70, 8)).astype(np.float32)
    low -= low.mean(0)
    wide = low @ np.linalg.qr(generator.normal(size=(60, 8)))[0].T.astype(np.float32)  # turned into 60 dimensions
    points = space.space_of(wide)
    assert space.space_of(wide, dimensions=3).shape == (70, 3)
    assert points.shape == (70, 50) and np.linalg.norm(points, axis=1) == pytest.approx(1, abs=1e-5)
    assert points @ points.T == pytest.approx(1 - cdist(low, low, "cosine"), abs=1e-3)


def test_among_many_neighbours_are_drawn_and_none_is_the_example_itself(generator, monkeypatch):
    monkeypatch.setattr(space, "EXHAUSTIVE", 30)
    monkeypatch.setattr(space, "REFERENCES", 20)
    nearest, distances = space.neighbours(space.space_of(generator.normal(size=(40, 3))), 4, seed=1)
    assert nearest.shape == (40, 4) and len(np.unique(nearest)) <= 20
    assert (nearest != np.arange(40)[:, None]).all() and (np.diff(distances) >= 0).all()


def test_doubles_that_lie_on_each_other_are_neighbours_and_no_example_is_its_own():
    nearest, distances = space.neighbours(np.tile(np.float32([[1, 0]]), (4, 1)), 2)
    assert (nearest != np.arange(4)[:, None]).all() and not distances.any()


def test_ranks_share_what_is_equal_and_pass_over_what_is_not_known():
    assert evidence.ranks(np.array([3.0, 1.0, 3.0, np.nan])) == pytest.approx(
        [2.5 / 3, 1 / 3, 2.5 / 3, np.nan], nan_ok=True
    )
    both = evidence.combined({"a": np.array([1.0, 2.0, 3.0]), "b": np.array([9.0, np.nan, 8.0])})
    assert both == pytest.approx([(1 / 3 + 1) / 2, 2 / 3, (1 + 1 / 2) / 2])


# What the network sees


def test_held_out_probabilities_know_nothing_of_labels_that_are_chance_and_a_training_learns_them(generator):
    """Features that tell nothing: who is tested on what it learned is right, who is not is right by chance."""
    images = as_images(generator.normal(size=(60, 40)).astype(np.float32), None)
    labels = generator.permutation(np.arange(60) % 2)
    held_out = cross_validated(images, labels, 2)
    assert held_out.sum(1) == pytest.approx(1, abs=1e-5) and (held_out.argmax(1) == labels).mean() < 0.7
    assert course(images, labels, 2).right[-1].mean() > 0.9


def test_the_clean_set_guides_and_has_no_weight_itself(generator):
    true = np.arange(60) % 2
    images = as_images((true[:, None] + generator.normal(0, 0.3, (60, 5))).astype(np.float32), None)
    given, clean = true.copy(), np.arange(60) < 10
    given[[20, 31, 44, 55]] = 1 - true[[20, 31, 44, 55]]
    weights = weights_by_clean_set(images, given, 2, clean)
    assert np.isnan(weights[clean]).all() and np.isfinite(weights[~clean]).all()
    assert weights[[20, 31, 44, 55]].max() < np.median(weights[~clean])


# Rates of noise


@pytest.mark.parametrize("classes", [2, 4])
def test_exact_counts_of_three_labels_give_back_matrix_and_shares(generator, classes):
    matrix = 0.7 * np.eye(classes) + 0.3 * generator.dirichlet(np.ones(classes), classes)
    shares = generator.dirichlet(5 * np.ones(classes))
    found, p = noise_rates.solve_consensus(np.einsum("i,ij,ik,il->jkl", shares, matrix, matrix, matrix))
    assert found == pytest.approx(matrix, abs=1e-5) and p == pytest.approx(shares, abs=1e-5)


def test_with_two_even_classes_the_ratio_has_a_closed_form(generator):
    """Two labels of one class agree with A = (1 - e)² + e², so e = (1 - √(2A - 1)) / 2."""
    true = generator.integers(0, 2, 40_000)
    labels = np.where(generator.random((40_000, 3)) < 0.2, 1 - true[:, None], true[:, None])
    matrix, p = noise_rates.by_clusterability(labels, 2)
    agree = np.mean([(labels[:, a] == labels[:, b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))])
    assert noise_rates.ratio_of(matrix, p) == pytest.approx((1 - np.sqrt(2 * agree - 1)) / 2, abs=0.004)


def test_triples_are_counted_with_neighbours_in_either_order(generator):
    labels = generator.integers(0, 3, (30, 3))
    table = np.zeros((3, 3, 3))
    for first, second, third in labels:
        table[first, second, third] += 0.5 / 30
        table[first, third, second] += 0.5 / 30
    assert noise_rates.count_triples(labels, 3) == pytest.approx(table)
    with pytest.raises(ValueError, match="classes=41 must be a whole number from 2 to 40"):
        noise_rates.by_clusterability(labels, 41)


def noisy(generator, count=4_000):
    """Labels with 30 % pair noise, and the true posterior of the labels, of examples that are surely of their class."""
    matrix, true = pair_matrix(4, 0.3).numpy(), generator.integers(0, 4, count)
    given = np.array([generator.choice(4, p=matrix[c]) for c in true])
    return matrix, given, matrix[true]


def test_anchors_and_counts_find_the_matrix_of_labels_whose_posterior_is_known(generator):
    matrix, given, posterior = noisy(generator)
    found, p = noise_rates.by_anchor_points(posterior, given)
    assert found == pytest.approx(matrix) and noise_rates.ratio_of(found, p) == pytest.approx(0.3, abs=0.01)
    found, p = noise_rates.by_counting(posterior, given)
    shares, theirs, *_ = cleanlab.count.estimate_py_and_noise_matrices_from_probabilities(given, posterior)
    assert from_cleanlab(theirs).numpy() == pytest.approx(found, abs=1e-6) and p == pytest.approx(shares, abs=1e-6)


def test_intervals_are_as_wide_as_chance_and_contain_what_is_so(generator):
    matrix, given, posterior = noisy(generator, 1_000)
    found = noise_rates.with_intervals(noise_rates.by_counting, posterior, given, draws=30)
    wide = found.ratio_high - found.ratio_low
    assert wide == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 1_000), rel=0.4)
    capped = noise_rates.with_intervals(noise_rates.by_counting, posterior, given, draws=30, most=250)
    assert capped.ratio_high - capped.ratio_low == pytest.approx(wide, rel=0.5)
    inside = (found.low - 1e-9 <= matrix) & (matrix <= found.high + 1e-9)
    assert inside.mean() >= 0.75 and (found.matrix.sum(1) == pytest.approx(1))


# Duplicates


def test_the_same_and_the_nearly_same_come_up_where_their_labels_differ(generator):
    features = generator.normal(size=(60, 4)).astype(np.float32)
    features[10] = features[11] = features[12] = features[3]  # one of them with another label
    features[20], features[31] = features[21], features[30] * (1 + 1e-6)  # agreeing; a hair away, and not agreeing
    features[31, 0] += 1e-5
    labels = np.zeros(60, np.int64)
    labels[[12, 31]] = 1
    assert sorted(tuple(sorted(group.tolist())) for group in same_features(features)) == [(3, 10, 11, 12), (20, 21)]
    nearest, distances = space.neighbours(space.space_of(features), 10)
    exact, near = contradictions(features, labels, nearest, distances)
    assert exact.exact and sorted(exact.places) == [3, 10, 11, 12]
    assert not near.exact and near.places == (30, 31) and 0 < near.distance < 0.1


def test_sparse_rows_are_the_same_as_dense_ones(generator):
    from scipy.sparse import csr_matrix

    features = (generator.random((30, 5)) < 0.4).astype(np.float32)
    dense, sparse = ([group.tolist() for group in same_features(kind)] for kind in (features, csr_matrix(features)))
    assert sorted(map(sorted, dense)) == sorted(map(sorted, sparse)) and dense
