"""Records as rows and frames, and the best of them."""

import json

import numpy as np
import pytest
import torch

from nlkit import Record, make_task, records_frame, train
from nlkit.records import best_record


def record(epoch, test_accuracy, **changes):
    values = {
        "epoch": epoch, "loss": 1.5, "given_accuracy": 0.25, "true_accuracy": 0.75, "test_accuracy": test_accuracy,
        "memorized": 0.125, "recovered": 0.5, "seconds": 2.0, "examples_per_second": 50.0,
    }  # fmt: skip
    return Record(**(values | changes))


HISTORY = [
    record(1, 0.6, extra={"weight_on_wrong": 0.4}, example_weights=torch.ones(3)),
    record(2, 0.8, extra={"weight_on_wrong": 0.2}, example_weights=torch.ones(3)),
    record(3, 0.8, extra={"weight_on_wrong": 0.1}, example_weights=torch.ones(3)),
]


def test_a_frame_has_a_row_an_epoch_and_what_the_method_shows_as_columns():
    frame = records_frame(HISTORY)
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame["weight_on_wrong"].tolist() == [0.4, 0.2, 0.1]
    assert list(frame.columns) == [
        "epoch", "loss", "given_accuracy", "true_accuracy", "test_accuracy", "memorized", "recovered", "seconds",
        "examples_per_second", "weight_on_wrong",
    ]  # fmt: skip
    assert all(np.issubdtype(kind, np.number) for kind in frame.dtypes)


def test_making_a_frame_leaves_the_records_as_they_were():
    records_frame(HISTORY)
    assert HISTORY[0].extra == {"weight_on_wrong": 0.4}
    assert records_frame(iter(HISTORY)).equals(records_frame(HISTORY))


def test_the_frame_of_no_records_is_empty():
    assert records_frame([]).empty


def test_the_best_record_is_the_first_of_the_highest_test_accuracy():
    assert best_record(HISTORY).epoch == 2
    assert best_record(reversed(HISTORY)).epoch == 3
    with pytest.raises(ValueError, match="records"):
        best_record([])


def test_a_row_survives_json_and_has_no_tensor():
    row = HISTORY[0].as_row()
    assert json.loads(json.dumps(row)) == row
    assert row["extra"] == {"weight_on_wrong": 0.4}
    assert "example_weights" not in row


@pytest.mark.parametrize("method", ["standard", "reweight"])
def test_rows_of_a_real_run_are_plain_values(mnist5k, method):
    task = make_task(mnist5k, ratio=0.4, device="cpu")
    for row in (r.as_row() for r in train(task, method, epochs=2)):
        assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_records_are_compared_by_value_and_frozen():
    assert record(1, 0.5) == record(1, 0.5, example_weights=torch.ones(2))
    assert record(1, 0.5) != record(2, 0.5)
    with pytest.raises(AttributeError):
        HISTORY[0].loss = 0.0


def test_what_was_not_measured_is_absent_from_rows_and_frames():
    bare = record(1, None, true_accuracy=None, memorized=None, recovered=None, known=0)
    assert list(bare.as_row()) == [
        "epoch",
        "loss",
        "given_accuracy",
        "seconds",
        "examples_per_second",
        "known",
        "extra",
    ]
    assert not {"test_accuracy", "memorized"} & set(records_frame([bare]).columns)
    assert record(1, 0.5, known=120).as_row()["known"] == 120 and "known" not in record(1, 0.5).as_row()
    with pytest.raises(ValueError, match="records have no test accuracy, since the task has no test set"):
        best_record([bare])
