"""Lesson 12: lists of suspects, precision and recall of them, people's labels, and the panel."""

import numpy as np
import pytest
from panels import control, words

from nlkit import live
from nlkit.audit import evidence, proof
from nlkit.audit import judged as module
from nlkit.audit.dynamics import Course
from nlkit.audit.judged import Judged, judged_digits
from nlkit.checks import DataError
from nlkit.data.load import find_dataset
from nlkit.lessons import which_labels as lesson
from nlkit.noise.human import find_human_labels, human_labels
from nlkit.plots.suspects import ends_of_a_list


def fabricated(seed=0) -> Judged:
    """Two hundred digits that no network was trained on: what networks say of them is drawn."""
    judged = Judged(judged_digits("pair", 0.3, 20, 5, 2).task, seed=seed, epochs=4)
    generator = np.random.default_rng(seed)
    judged.held_out[:] = generator.dirichlet(np.ones(10), (4, 200))
    judged._asked[:], judged.parts_done = True, 5
    own = generator.random((4, 200))
    judged.course, judged.near_by_features = Course(own, 1 - own), judged.near(3)
    return judged


def test_precision_and_recall_are_counted():
    wrong = np.array([True, False, True, False, False, True, False, False, False, False])
    suspicion = np.arange(10)[::-1]  # the first is the most suspicious
    assert lesson.found_among_first(wrong, suspicion, 0.3) == (2 / 3, 2 / 3)
    assert lesson.found_among_first(wrong, suspicion, 1.0) == (0.3, 1.0)
    assert lesson.found_among_first(wrong, -suspicion, 0.4) == (0, 0)
    assert np.isnan(lesson.found_among_first(wrong, suspicion, 0.0)[0])
    assert np.isnan(lesson.found_among_first(~wrong & wrong, suspicion, 0.5)[1])


def test_lists_are_in_the_order_of_their_evidence_and_equals_in_one_of_chance():
    judged = fabricated()
    lists, p = lesson.suspicions(judged), judged.probabilities()
    assert tuple(sorted(lists)) == tuple(sorted(lesson.KINDS))
    scores = {
        "small loss": -np.log(judged.course.own[0]),  # a quarter of four epochs
        "loss at the end": -np.log(judged.course.own[3]),
        "held-out probability": -p[np.arange(200), judged.given],
        "held-out margin": evidence.held_out_margin(p, judged.given),
        "neighbours in pixels": evidence.neighbours_vote(judged.given, judged.near(), 10),
        "neighbours in features": evidence.neighbours_vote(judged.given, judged.near(3), 10),
        "forgetting": evidence.forgetting(judged.course),
    }
    for kind, expected in scores.items():
        order = lists[kind].argsort()
        assert sorted(lists[kind]) == list(range(200)) and (np.diff(expected[order]) >= -1e-6).all(), kind
    alike = np.flatnonzero(scores["forgetting"] == 0)
    by_chance = lists["at random"][alike].argsort()
    assert lists["forgetting"][alike].argsort().tolist() == by_chance.tolist() != sorted(by_chance)


def test_chance_finds_as_many_as_it_looks_at():
    found = [
        lesson.found_among_first(wrong := np.arange(200) % 5 == 0, lesson.at_random(fabricated(seed)), 0.25)
        for seed in range(40)
    ]
    assert wrong.mean() == 0.2 and np.mean(found, axis=0) == pytest.approx([0.2, 0.25], abs=0.03)


def test_records_go_down_the_list(monkeypatch):
    judged = fabricated()
    monkeypatch.setattr(lesson, "judged_digits", lambda *asked: judged)
    records = list(lesson.Detecting("pair", 0.3, 4, 20).run())
    assert [r.numbers["share"] for r in records] == list(lesson.SHARES) and len(records) == lesson.Detecting.epochs
    scores = lesson.suspicions(judged)
    for record in records:
        for kind in lesson.KINDS:
            found = lesson.found_among_first(judged.wrong, scores[kind], record.numbers["share"])
            assert record.numbers[f"recall {kind}"] == found[1]
    assert records[-1].numbers["recall at random"] == 1 and set(lesson.Detecting.kept) == set(records[0].numbers)
    ap = proof.average_precision(judged.wrong, scores["small loss"])
    assert records[0].numbers["ap small loss"] == ap


def test_the_two_ends_of_a_list():
    ends = ends_of_a_list(np.arange(100)[::-1], 0.5, columns=8)
    assert ends.tolist() == [list(range(8)), list(range(42, 50))]
    assert ends_of_a_list(np.arange(100)[::-1], 0.05, columns=8)[1].tolist() == list(range(8, 16))  # not twice


@pytest.mark.nightly
def test_people_s_labels_are_of_blocks_that_share_no_image():
    if find_dataset("cifar10") is None or find_human_labels() is None:
        pytest.skip("CIFAR-10 or CIFAR-10N was not found")
    tasks = [proof.labelled_by_people("random1", 300, block) for block in (0, 8)]
    rule = np.random.default_rng(1).permutation(50_000)
    for task, first in zip(tasks, (5_000, 45_000)):
        chosen = rule[first : first + 300]
        assert task.given_labels.tolist() == human_labels("random1")[chosen].tolist()
        assert task.true_labels.tolist() == human_labels("clean")[chosen].tolist()
    with pytest.raises(ValueError, match="block=9"):
        proof.labelled_by_people("random1", 300, 9)
    assert lesson.people("random1", 30, 9, 1).given.tolist() == tasks[0].given_labels.tolist()  # round again


def test_without_the_files_people_s_labels_are_not_offered(monkeypatch, tmp_path):
    monkeypatch.setattr("nlkit.live.detection_panel.find_dataset", lambda name: None)
    panel = live.detection(per_class=20, epochs=1, mode="blocking")
    assert control(panel, "noise type").options == lesson.NOISES
    monkeypatch.setattr(
        "nlkit.audit.proof.load", lambda name: (_ for _ in ()).throw(DataError("cifar10 was not found"))
    )
    with pytest.raises(DataError, match="cifar10 was not found"):
        next(lesson.Detecting("worst").run())


# The panel


def test_the_panel_moves_through_its_lists_and_trains_nothing_for_it(monkeypatch):
    panel = live.detection("pair", ratio=0.3, epochs=2, per_class=20, seed=5, mode="blocking")
    judged = judged_digits("pair", 0.3, 20, 5, 2)
    assert panel.driver.state == "done" and judged.parts_done == 5
    for forbidden in ("of_part", "course", "learned_features"):
        monkeypatch.setattr(module, forbidden, None)
    for name, value in (("looked at", 0.5), ("list", "forgetting"), ("looked at", 0.1), ("list", "at random")):
        before = panel.picture.value
        control(panel, name).value = value
        share, kind = control(panel, "looked at").value, control(panel, "list").value
        precision, recall = lesson.found_among_first(judged.wrong, lesson.suspicions(judged)[kind], share)
        assert f"{round(200 * share)} of 200 labels are looked at by {kind}: {precision:.0%}" in words(panel)
        assert f"{recall:.0%} of all 60" in words(panel) and panel.picture.value != before


@pytest.mark.parametrize(
    "bad, said",
    [({"ratio": 0.9}, "ratio=0.9"), ({"noise": "red"}, "noise type='red'"), ({"looked_at": 0}, "looked_at=0"),
     ({"kind": "my own"}, "list='my own'"), ({"epochs": 0}, "epochs=0"), ({"per_class": 10}, "per_class=10")],
)  # fmt: skip
def test_a_start_that_cannot_be_is_refused(bad, said):
    with pytest.raises(ValueError, match=said):
        live.detection(**bad)
