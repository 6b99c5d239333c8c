"""Confident joint, verdicts, straight lines and the sloppy annotator, each against something independent."""

from collections import Counter

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint

from nlkit.checks import DataError
from nlkit.data.load import load
from nlkit.data.verdicts import TEST_SETS, Verdicts, load_crowd, load_suspicions, load_verdicts
from nlkit.learning.confident_joint import confident_joint, most_suspicious
from nlkit.learning.nine_models import MODELS, PENALTIES, WIDTH, KernelRidges
from nlkit.learning.prevalence import accuracy_at, crossing
from nlkit.noise.annotator import annotate, split_by_class
from nlkit.papers import pervasive_label_errors as paper
from nlkit.papers.pervasive_label_errors import Benchmark


def drawn(n=50, classes=4, seed=0):
    draw = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), draw.integers(0, classes, n - classes)])
    return labels, draw.dirichlet(np.ones(classes), n)


def needs_verdicts(test_set):
    try:
        return load_verdicts(test_set)
    except DataError as error:
        pytest.skip(str(error))


# Suspects


def test_the_confident_joint_is_what_its_definition_counts():
    labels, p = drawn()
    p = (p + np.eye(4)[labels]) / 2  # so that some rows reach no threshold
    counted = np.zeros((4, 4), dtype=int)
    for label, row in zip(labels, p):
        reached = [j for j in range(4) if row[j] >= p[labels == j][:, j].mean()]
        if reached:
            counted[label, max(reached, key=lambda j: row[j])] += 1
    assert (confident_joint(labels, p) == counted).all() and counted.sum() < len(labels)


@pytest.mark.parametrize("seed", range(5))
def test_the_confident_joint_is_cleanlab_s(seed):
    labels, p = drawn(200, 5, seed)
    ours = confident_joint(labels, p)
    theirs = compute_confident_joint(labels, p, calibrate=False)  # it puts at least 1 on the diagonal
    assert (ours - np.diag(np.diag(ours)) == theirs - np.diag(np.diag(theirs))).all()


def test_a_model_that_is_sure_of_every_label_suspects_none():
    labels, _ = drawn()
    order, suspects = most_suspicious(labels, np.eye(4)[labels])
    assert suspects == 0 and (order == np.arange(50)).all()  # of equals the first


def test_the_most_suspicious_label_is_the_one_that_the_model_contradicts_most():
    p = np.array([[0.5, 0.5], [0.1, 0.9], [0.3, 0.7], [0.9, 0.1]])
    order, _ = most_suspicious(np.array([0, 0, 0, 1]), p)  # margins 0, -0.8, -0.4, -0.8
    assert order.tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize(
    ("labels", "p", "says"),
    [
        ([0, 1], [[0.5, 0.4], [0.5, 0.5]], "each row sums to 1"),
        ([0, 1], [[1.5, -0.5], [0.5, 0.5]], "each row sums to 1"),
        ([0, 0], [[0.5, 0.5]] * 2, "labels must be whole numbers from 0 to 1, each at least once"),
        ([0, 2], [[0.5, 0.5]] * 2, "labels must be whole numbers from 0 to 1"),
        ([0.0, 1.0], [[0.5, 0.5]] * 2, "labels must be whole numbers"),
        ([0, 1, 1], [[0.5, 0.5]] * 2, r"p has shape \(2, 2\) for labels of shape \(3,\)"),
    ],
)
def test_what_is_no_probability_and_no_label_is_refused(labels, p, says):
    with pytest.raises(ValueError, match=says):
        confident_joint(labels, p)


# Verdicts


def test_two_of_five_make_a_label_right_and_of_ten_votes_four_do_not():
    votes = np.array([[3, 2, 0, 0], [2, 3, 0, 0], [2, 1, 1, 1], [4, 6, 0, 0], [5, 5, 0, 0], [1, 0, 4, 0], [0, 0, 1, 4]])
    verdicts = Verdicts(*np.zeros((3, 7), dtype=int), votes)
    assert verdicts.errors.tolist() == [False, True, True, True, False, True, True]
    assert verdicts.agreed.tolist() == ["given", "guessed", "nothing", "guessed", "given", "both", "neither"]


@pytest.mark.full_data
@pytest.mark.parametrize(("test_set", "errors", "of"), list(zip(TEST_SETS, (15, 54, 585), (100, 275, 2235))))
def test_people_find_as_many_errors_as_the_paper_says(test_set, errors, of):
    verdicts = needs_verdicts(test_set)
    assert len(verdicts.places) == of and verdicts.errors.sum() == errors
    if test_set == "mnist":
        assert Counter(verdicts.agreed.tolist()) == {"given": 85, "guessed": 10, "neither": 3, "nothing": 2}


@pytest.mark.full_data
@pytest.mark.parametrize(("test_set", "suspects"), [("mnist", 15), ("cifar10", 244)])
def test_the_suspects_that_people_saw_are_the_first_by_margin(test_set, suspects):
    places = needs_verdicts(test_set).places
    order, found = most_suspicious(*load_suspicions(test_set))
    assert found == suspects and set(order[: len(places)].tolist()) == set(places.tolist())


@pytest.mark.full_data
def test_the_second_crowd_is_of_the_same_images():
    needs_verdicts("cifar10")
    labels, _ = load_suspicions("cifar10")
    assert (load_crowd().argmax(1) == labels).mean() > 0.99


def test_files_that_are_not_there_or_not_theirs_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NLKIT_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"mnist_mturk.json was not found.*github.com/cleanlab/label-errors"):
        load_verdicts("mnist")
    (tmp_path / "label-errors").mkdir()
    (tmp_path / "label-errors" / "mnist_mturk.json").write_text('[{"id": 3}]')
    with pytest.raises(DataError, match="does not hold verdicts"):
        load_verdicts("mnist")
    with pytest.raises(ValueError, match="test_set='imagenet'"):
        load_verdicts("imagenet")


# The line along the share of wrong labels


def test_the_line_is_what_removing_right_labels_at_random_gives():
    draw = np.random.default_rng(0)
    hit_wrong, hit_right = draw.random(40) < 0.6, draw.random(400) < 0.85
    kept, accuracies = 60, []  # of the right ones, so that 40 % are wrong
    for _ in range(500):
        chosen = draw.choice(hit_right, kept, replace=False)
        accuracies.append(np.concatenate([hit_wrong, chosen]).mean())
    error = np.std(accuracies) / len(accuracies) ** 0.5
    assert abs(np.mean(accuracies) - accuracy_at(0.4, hit_wrong.mean(), hit_right.mean())) < 2.5 * error


@pytest.mark.parametrize(("first", "second"), [((0.3, 0.9), (0.6, 0.8)), ((0.7, 0.5), (0.1, 0.9))])
def test_two_models_are_alike_where_their_lines_cross(first, second):
    low, high = 0.0, 1.0

    def lead(n):
        return accuracy_at(n, *first) - accuracy_at(n, *second)

    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if lead(middle) * lead(0) > 0 else (low, middle)
    assert crossing(first, second) == pytest.approx(low, abs=1e-9)
    assert crossing((0.5, 0.9), (0.4, 0.8)) is None


# The benchmark


@pytest.fixture(scope="module")
def digits():
    return split_by_class(load("mnist5k"), (30, 20, 50), seed=3)


def test_parts_are_as_large_as_asked_for_and_share_nothing(digits):
    images, labels, part = digits
    assert all(((part == k) & (labels == label)).sum() == n for k, n in enumerate((30, 20, 50)) for label in range(10))
    assert len(np.unique(images, axis=0)) == 1000
    with pytest.raises(ValueError, match="ask for 501 images of a class that has 500"):
        split_by_class(load("mnist5k"), (500, 1), seed=0)


def test_the_annotator_knows_what_it_has_seen_and_errs_less_the_more_that_is(digits):
    images, labels, part = digits
    wrong = [(annotate(images, labels, part == 2, seen) != labels) for seen in (2, 10, 50)]
    assert not wrong[-1][part == 2].any()  # it has seen all of these
    shares = [w[part != 2].mean() for w in wrong]
    assert shares[0] > shares[1] > shares[2] > 0


def test_kernel_ridges_solve_their_equations(digits):
    from sklearn.kernel_ridge import KernelRidge

    images, labels, part = digits
    learnt, tested = images[part == 0], images[part == 1]
    ours = KernelRidges(learnt, tested).scores(labels[part == 0])
    for name, penalty in PENALTIES.items():
        theirs = KernelRidge(alpha=penalty, kernel="rbf", gamma=WIDTH).fit(learnt, np.eye(10)[labels[part == 0]])
        assert np.allclose(ours[name], theirs.predict(tested), atol=1e-3)


def test_random_errors_take_the_same_from_every_model():
    ratio, n = 0.3, 600
    for record in Benchmark(labels="random", ratio=ratio, size=60).run():
        true = record.numbers["true"]
        expected = (1 - ratio) * true + ratio * (1 - true) / 9
        assert record.numbers["given"] == pytest.approx(expected, abs=4 * (0.25 / n) ** 0.5)
        assert record.numbers["wrong"] == pytest.approx(ratio, abs=1e-3)
    assert record.epoch == len(MODELS)


def test_who_checks_every_label_finds_no_wrong_one_left():
    first = next(iter(Benchmark(size=20, corrected=1.0).run())).numbers
    assert first["wrong"] == 0 and first["given"] == first["true"] and "as_labelled" not in first
    half = next(iter(Benchmark(size=20, corrected=0.5).run())).numbers["wrong"]
    none = next(iter(Benchmark(size=20).run())).numbers["wrong"]
    assert none > 2 * half > 0  # the suspicious ones come first


@pytest.mark.parametrize("wrong", [{"seen": 1}, {"ratio": 0.9}, {"corrected": 1.1}, {"size": 300}, {"labels": "crowd"}])
def test_settings_beyond_their_ends_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Benchmark(**wrong)


def test_the_picture_says_what_it_shows():
    records = {"annotator": list(Benchmark(size=20).run())}
    told = paper.draw(records).alt
    assert f"{records['annotator'][-1].numbers['flips']:.0f} of 36 pairs of models stand in another order" in told
    assert "network of 256" in told
