"""The audit panel: what is decided is saved at once, resumed, and moves noise and accuracy; other data are refused."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from panels import control, press, wait_until, words
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nlkit import live
from nlkit.audit import noise_rates, review
from nlkit.audit.audit import Audit, estimated
from nlkit.audit.collection import Collection
from nlkit.audit.evidence import combined
from nlkit.audit.review import DECISIONS, QuickModel, interval_of_share
from nlkit.audit.space import neighbours

COUNT, NAMES = 90, ("cat", "dog", "owl")
TRUE = np.arange(COUNT) % 3
WRONG = [4, 17, 33, 51, 64, 80]


@pytest.fixture(scope="module")
def found():
    """An audit as a network might have made it, without any training: the wrong labels are its first suspects."""
    generator = np.random.default_rng(0)
    features = (3 * np.eye(3, 6)[TRUE] + generator.normal(0, 1, (COUNT, 6))).astype(np.float32)
    given = TRUE.copy()
    given[WRONG] = (given[WRONG] + 1) % 3
    collection = Collection(
        "animals.npz", "arrays", features, given, NAMES, tuple(map(str, range(COUNT))), np.full(COUNT, -1)
    )
    probabilities = np.full((COUNT, 3), 0.1, np.float32)
    probabilities[np.arange(COUNT), TRUE] = 0.8
    own = probabilities[np.arange(COUNT), given]
    scores = {"small loss": 1 - own + 1e-3 * generator.random(COUNT), "neighbours": 1 - own}
    nearest, _ = neighbours(features, 25)
    made = Audit(collection, probabilities, scores, combined(scores), nearest, (), {})
    return replace(made, estimates=estimated(made, draws=5))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(review, "DRAWS", 2)
    monkeypatch.setattr(noise_rates, "STEPS", 30)


def saved(folder):
    return json.loads((folder / DECISIONS).read_text(encoding="utf-8"))["decisions"]


def test_decisions_move_noise_and_accuracy_are_saved_at_once_and_resumed(found, tmp_path):
    panel = live.audit(found, folder=tmp_path / "out", beside=[f"note {i}" for i in range(COUNT)], mode="blocking")
    assert not (tmp_path / "out").exists() and "0 judged" in words(panel)  # nothing is made before a decision
    first = panel.suspects[0]
    assert first.place in WRONG and f"{first.id}: labelled {first.given}" in words(panel)
    assert f"note {first.place}" in words(panel) and first.given in panel.picture.tooltip
    true = NAMES[TRUE[first.place]]
    control(panel, "it should be").value = true
    press(panel, "Wrong")
    assert saved(tmp_path / "out") == {first.id: true} and panel.place == 1
    second, third = panel.suspects[1:3]
    press(panel, "Wrong")  # what is right is not known
    press(panel, "Unsure")
    told = {first.id: true, second.id: "wrong", third.id: "unsure"}
    assert saved(tmp_path / "out") == told and "3 judged: 2 wrong, 0 right, 1 unsure" in words(panel)

    decided, last = found.decide({int(id): verdict for id, verdict in told.items()}, draws=2), panel.course[-1]
    share, low, high = interval_of_share(decided)
    assert last.share == share == decided.wrong_share < panel.course[0].share and low < share < high
    labels = decided.labels
    order = np.random.default_rng(0).permutation(COUNT)
    order = order[np.argsort(found.collection.given[order], kind="stable")]
    part = np.empty(COUNT, int)
    part[order] = np.arange(COUNT) % 5
    known, model = labels >= 0, make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    predicted = cross_val_predict(
        model, found.collection.features[known], labels[known], cv=PredefinedSplit(part[known])
    )
    assert last.accuracy == pytest.approx((predicted == labels[known]).mean()) != panel.course[0].accuracy
    assert f"{share:.1%}" in panel.picture.tooltip and f"{last.accuracy:.1%} of the labels as" in words(panel)

    again = live.audit(found, folder=tmp_path / "out", mode="blocking")
    assert again.decisions == panel.decisions and again.place == 3 and len(again.course) == 2
    press(again, "Back")
    assert "decided: unsure" in words(again)
    press(again, "Right")
    assert saved(tmp_path / "out")[third.id] == "right" and again.place == 3
    assert "3 judged: 2 wrong, 1 right, 0 unsure" in words(again)
    assert again.decided.decisions == again.decisions


def test_of_two_classes_what_is_wrong_is_the_other_and_at_the_end_the_last_suspect_stays(found, tmp_path):
    collection = replace(found.collection, given=np.minimum(found.collection.given, 1), class_names=NAMES[:2])
    two = replace(found, collection=collection, probabilities=found.probabilities[:, :2] + 0)
    panel = live.audit(two, folder=tmp_path, mode="blocking")
    press(panel, "Wrong")
    suspect = panel.suspects[0]
    assert panel.decisions == {suspect.place: ({"cat", "dog"} - {suspect.given}).pop()}
    panel.decisions = {suspect.place: "right" for suspect in panel.suspects[:-1]}
    panel._move(COUNT - 1)
    press(panel, "Right")
    assert panel.place == COUNT - 1 and len(panel.decisions) == COUNT


def test_what_cannot_be_saved_is_not_taken(found, tmp_path, monkeypatch):
    panel = live.audit(found, folder=tmp_path, mode="blocking")

    def full_disk(path, content):
        raise OSError(f"{path} could not be written: No space left on device")

    monkeypatch.setattr(review, "write_whole", full_disk)
    press(panel, "Right")
    assert panel.decisions == {} and panel.place == 0
    assert "not saved, so not taken" in words(panel) and 'role="alert"' in panel.line.value


def test_a_button_returns_before_anything_is_counted(found, tmp_path, monkeypatch):
    panel = live.audit(found, folder=tmp_path, mode="thread")
    gate, graded, pressed_by = threading.Event(), QuickModel.graded, threading.get_ident()
    counted_by = []

    def patient(model, labels):
        counted_by.append(threading.get_ident())
        gate.wait(60)
        yield from graded(model, labels)

    monkeypatch.setattr(QuickModel, "graded", patient)
    press(panel, "Unsure")
    assert len(saved(tmp_path)) == 1 and panel.place == 1 and panel.driver.busy and len(panel.course) == 1
    gate.set()
    wait_until(lambda: not panel.driver.busy)
    assert panel.course[-1].judged == 1 and pressed_by not in counted_by
    panel.close()


def test_decisions_of_other_data_and_folders_that_cannot_be_are_refused(found, tmp_path):
    (tmp_path / "data").mkdir()
    live.audit(found, folder=tmp_path / "out", mode="blocking").decide("right")
    others = replace(found, collection=replace(found.collection, given=np.roll(found.collection.given, 1)))
    with pytest.raises(ValueError, match=r"has 1 decisions of other data \(animals.npz\)"):
        live.audit(others, folder=tmp_path / "out")
    content = json.loads((tmp_path / "out" / DECISIONS).read_text(encoding="utf-8"))
    for bad, message in ((content | {"decisions": {"99": "right"}}, "99: 'right'"), ([], "can't be read as decisions")):
        (tmp_path / "out" / DECISIONS).write_text(json.dumps(bad))
        with pytest.raises(RuntimeError, match=message):
            live.audit(found, folder=tmp_path / "out")
    inside = replace(found, collection=replace(found.collection, source=str(tmp_path / "data")))
    with pytest.raises(ValueError, match="is within the data"):
        live.audit(inside, folder=tmp_path / "data" / "audit")
    with pytest.raises(ValueError, match="does not exist"):
        live.audit(found, folder=tmp_path / "no" / "such")
    with pytest.raises(ValueError, match="beside has 1 texts"):
        live.audit(found, folder=tmp_path / "new", beside=["one"])
