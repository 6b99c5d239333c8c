"""Lesson 11: what judges the labels of a task, the estimates from it, and the panel that moves through them."""

import numpy as np
import pytest
import torch
from panels import control, words

from nlkit import live
from nlkit.audit import judged as module
from nlkit.audit.dynamics import FOLDS, cross_validated, learned_features
from nlkit.audit.judged import Judged, judged_digits
from nlkit.audit.noise_rates import ratio_of
from nlkit.lessons import how_noisy as lesson
from nlkit.noise.matrices import matrix_error, pair_matrix


def told_by(probabilities: np.ndarray, noise="pair", ratio=0.3) -> Judged:
    """Two hundred digits of which networks say this, as if they had been trained."""
    task = judged_digits(noise, ratio, 20, 5, 2).task
    judged = Judged(task, seed=5, epochs=2)
    judged.held_out[:] = probabilities
    judged._asked[:], judged.parts_done = True, FOLDS
    return judged


def surely(true: np.ndarray) -> np.ndarray:
    return np.eye(10, dtype=np.float32)[true]


@pytest.fixture
def true():
    return judged_digits("pair", 0.3, 20, 5, 2).true


def test_what_is_worked_out_part_by_part_is_what_the_audit_cross_validates():
    judged = Judged(judged_digits("pair", 0.3, 20, 5, 2).task, seed=5)
    assert not judged.asked.any()
    next(judged.work())
    assert judged.asked.sum() == len(judged.probabilities()) == 40 and judged.parts_done == 1
    assert list(judged.work()) == [2, 3, 4, 5] and judged.asked.all() and not list(judged.work())
    whole = cross_validated(judged.images, judged.given, 10, seed=5)
    assert judged.probabilities() == pytest.approx(whole, abs=1e-5)
    late = judged.held_out[10:].mean(0)
    assert judged.probabilities(11, 20) == pytest.approx(late / late.sum(1, keepdims=True), abs=1e-5)


def test_digits_are_the_first_of_each_class_and_what_is_known_of_them_is_kept():
    judged = judged_digits("pair", 0.3, 20, 5, 2)
    assert judged is judged_digits(noise="pair", ratio=0.3, epochs=2, seed=5, per_class=20)
    assert np.bincount(judged.true).tolist() == [20] * 10 and judged.wrong.mean() == pytest.approx(0.3)
    assert (judged.wrong == (judged.given != judged.true)).all()
    assert not judged.knows(7) and judged.near(7) is judged.near(7) and judged.knows(7)


def test_learned_features_are_those_of_a_quarter_of_the_epochs():
    judged = judged_digits("pair", 0.3, 20, 5, 2)
    settings = {"seed": 5, "epochs": 8}
    found = learned_features(judged.images, judged.given, 10, **settings)
    assert found.shape[0] == 200 and (found >= 0).all()  # behind a rectifier
    assert (found == learned_features(judged.images, judged.given, 10, seed=5, epochs=11)).all()  # two each
    assert (found != learned_features(judged.images, judged.given, 10, seed=5, epochs=12)).any()


def test_networks_that_know_the_truth_count_exactly_and_leave_anchor_points_nothing(true):
    judged = told_by(surely(true))
    found = lesson.estimated(judged)
    assert ratio_of(*found["counted"]) == pytest.approx(0.3)
    assert found["counted"][0] == pytest.approx(judged.task.realized_matrix.numpy())
    assert ratio_of(*found["anchor points"]) == 0 and lesson.disagreement(judged) == pytest.approx(0.3)
    assert list(found) == list(lesson.WAYS)


def test_networks_that_say_the_row_of_the_true_class_are_right_at_every_anchor(true):
    rows = pair_matrix(10, 0.3).numpy()
    found = lesson.estimated(told_by(rows[true].astype(np.float32)))
    assert found["anchor points"][0] == pytest.approx(rows, abs=1e-6)
    assert matrix_error(rows, np.eye(10)) == pytest.approx(0.6)


def test_as_long_as_no_network_was_asked_neighbours_alone_answer():
    fresh = Judged(judged_digits("pair", 0.3, 20, 5, 2).task, seed=5)
    assert list(lesson.estimated(fresh)) == ["clusterability"]


def test_halves_of_a_class_are_told_by_their_ink(monkeypatch):
    class Trial:
        seed = 5

    few = judged_digits("instance", 0.4, 20, 5, 2)
    monkeypatch.setattr(lesson, "judged_digits", lambda *asked: few)
    ink, apart = few.images.numpy().mean((1, 2, 3)), []
    for c in range(10):
        mine = np.flatnonzero(few.true == c)
        order = mine[ink[mine].argsort()]
        counts = [np.bincount(few.given[half], minlength=10) / 10 for half in (order[:10], order[10:])]
        apart.append(abs(counts[0] - counts[1]).sum())
    assert lesson.halves_apart(Trial, "instance") == pytest.approx(np.mean(apart), abs=1e-6)


@pytest.mark.parametrize("told", lesson.TOLD)
def test_the_network_is_corrected_by_the_matrix_that_is_named(told, monkeypatch, true):
    seen = {}

    def train(task, method, **settings):
        seen.update(method=method, **settings)
        return iter(())

    judged = told_by(0.9 * surely(np.where(np.arange(200) % 4, true, (true + 3) % 10)) + 0.01)
    monkeypatch.setattr(lesson, "train", train)
    monkeypatch.setattr(lesson, "judged_digits", lambda *asked: judged)
    assert not list(lesson.Correcting(told, "pair", 0.3, 2, 20, 5).run())
    if told == "no matrix":
        assert seen["method"] == "standard" and "matrix" not in seen
    else:
        asked = judged.task.realized_matrix if told == "the true T" else lesson.estimated(judged)[told][0]
        assert seen["method"] == "forward" and torch.equal(seen["matrix"], torch.as_tensor(asked))


def test_records_are_of_the_epochs_that_are_looked_at(monkeypatch, true):
    assert lesson.Estimating(passes=8).looks == (1, 2, 5, 8) and lesson.Estimating(passes=20).epochs == 5
    judged = told_by(surely(true))
    judged.held_out[1] = surely((true + 1) % 10)  # all wrong after the second epoch
    monkeypatch.setattr(lesson, "judged_digits", lambda *asked: judged)
    first, second = lesson.Estimating("pair", 0.3, 2, 20, 5).run()
    assert first.numbers["ratio disagreement"] == first.numbers["alone disagreement"] == pytest.approx(0.3)
    assert second.numbers["alone disagreement"] == pytest.approx((judged.given != (true + 1) % 10).mean())
    assert second.numbers["wrong"] == pytest.approx(0.3) and set(lesson.Estimating.kept) == set(second.numbers)


# The panel


def test_the_panel_moves_through_what_was_trained_once(monkeypatch):
    panel = live.noise_rates("pair", ratio=0.4, epochs=2, per_class=20, seed=7, mode="blocking")
    judged = judged_digits("pair", 0.4, 20, 7, 2)
    assert panel.driver.state == "done" and judged.parts_done == FOLDS and "planted 40.0%" in words(panel)
    trained = []
    monkeypatch.setattr(module, "of_part", lambda *asked, **settings: trained.append(asked))
    for name, value, asked in (
        ("after epoch", 1, {"first": 1, "last": 1}),
        ("after epoch", 2, {"first": 1, "last": 2}),
        ("mean up to it", False, {"first": 2, "last": 2}),
        ("dimensions", 5, {"first": 2, "last": 2, "dimensions": 5}),
    ):
        control(panel, name).value = value
        found = {way: ratio_of(*rates) for way, rates in lesson.estimated(judged, **asked).items()}
        assert all(f"{way} {share:.1%}" in words(panel) for way, share in found.items()) and len(found) == 3
    assert not trained and panel.driver.state == "done"


def test_the_panel_is_there_before_anything_is_worked_out():
    panel = live.noise_rates("symmetric", ratio=0.4, epochs=2, per_class=20, seed=8, mode="thread")
    assert panel.frame is not None and panel.picture.value
    panel.close()
    assert panel.driver.join(60)


@pytest.mark.parametrize(
    "bad, said",
    [({"ratio": 0.9}, "ratio=0.9"), ({"noise": "red"}, "noise type='red'"), ({"last": 11}, "last=11"),
     ({"epochs": 0}, "epochs=0"), ({"per_class": 10}, "per_class=10"), ({"dimensions": 1}, "dimensions=1")],
)  # fmt: skip
def test_a_start_that_cannot_be_is_refused(bad, said):
    with pytest.raises(ValueError, match=said):
        live.noise_rates(**bad)
