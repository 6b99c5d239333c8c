"""Sweeps: what they keep, that they go on, and that the stored grid is the grid."""

import json
import math

import pytest

from nlkit import Experiment
from nlkit.sweep import GRIDS, Result, load_sweep, run_sweep, stored, summarize


def small(**settings):
    return Experiment(**{"epochs": 2, "ratio": 0.4, "device": "cpu", **settings})


@pytest.fixture
def two_runs(tmp_path):
    file = tmp_path / "sweep.json"
    experiments = [small(ratio=0.0), small(method="mentormix", options={"by_class": True})]
    return file, experiments, list(run_sweep(experiments, file))


def test_a_result_holds_what_the_run_measured(two_runs):
    _, experiments, results = two_runs
    assert [r.experiment for r in results] == experiments
    for experiment, result in zip(experiments, results):
        records = list(experiment.run())
        assert result.test_accuracy == pytest.approx([r.test_accuracy for r in records], abs=1e-4)
        assert result.final == result.test_accuracy[-1]
        assert result.best == max(result.test_accuracy)
    assert all(map(math.isnan, results[0].memorized))  # no label is wrong at ratio 0
    assert not any(map(math.isnan, results[1].memorized))


def test_best_is_the_highest_epoch_the_first_of_equals_and_final_the_last():
    result = Result(small(), (0.2, 0.9, 0.9, 0.5), (0.0, 0.1, 0.2, 0.3), 1.0, {"kept": (1.0, 0.8, 0.7, 0.6)})
    assert (result.best, result.final) == (0.9, 0.5)
    assert (result.at_best("kept"), result.at_end("kept")) == (0.8, 0.6)


def test_what_is_loaded_is_what_was_saved(two_runs):
    file, _, results = two_runs
    sweep = load_sweep(file)
    assert repr(sweep.results) == repr(tuple(results))  # NaN is not equal to itself
    assert sweep.made.keys() == {"date", "versions", "processor"}
    assert sweep.where(method="mentormix") == [results[1]]
    with pytest.raises(ValueError, match="ratio=0.9"):
        sweep.where(ratio=0.9)
    assert "NaN" not in file.read_text(encoding="utf-8")


def test_a_sweep_goes_on_where_it_was_broken_off(two_runs, monkeypatch):
    file, experiments, _ = two_runs
    ran = []
    monkeypatch.setattr("nlkit.sweep.summarize", lambda e, run, keep: ran.append(e) or summarize(e, run, keep))
    more = [*experiments, small(seed=1), small(seed=2)]
    next(run_sweep(more, file))  # broken off after the first new one
    assert ran == [small(seed=1)]
    list(run_sweep(more, file))
    assert ran == [small(seed=1), small(seed=2)]
    assert [r.experiment for r in load_sweep(file).results] == more


def test_further_curves_are_kept_where_they_are_asked_for_and_defined(tmp_path):
    file, names = tmp_path / "sweep.json", ("recovered", "weight_on_right")
    experiments = [small(method="reweight"), small(noise="red")]
    reweight, red = run_sweep(experiments, file, keep=names)
    records = list(experiments[0].run())
    assert reweight.more["recovered"] == pytest.approx([r.recovered for r in records], abs=1e-4)
    assert reweight.at_end("weight_on_right") == pytest.approx(records[-1].extra["weight_on_right"], abs=1e-4)
    best = max(records, key=lambda r: r.test_accuracy)
    assert reweight.at_best("recovered") == pytest.approx(best.recovered, abs=1e-4)
    assert red.more.keys() == {"recovered"} and all(map(math.isnan, red.more["recovered"]))  # no image is of a class
    assert repr(load_sweep(file).results) == repr((reweight, red))
    assert "NaN" not in file.read_text(encoding="utf-8")


def test_files_that_are_no_sweep_are_refused_and_kept(tmp_path):
    file = tmp_path / "mine.json"
    for text in ("not JSON", "{}", json.dumps({"made": {}, "results": [{"settings": {"rato": 1}}]})):
        file.write_text(text)
        with pytest.raises(ValueError, match="mine.json.* is not a sweep's file"):
            run_sweep([small()], file)
        assert file.read_text() == text
    with pytest.raises(ValueError, match="nowhere.*does not exist"):
        run_sweep([small()], tmp_path / "nowhere" / "sweep.json")


@pytest.mark.parametrize("name", GRIDS)
def test_the_stored_results_are_those_of_the_whole_grid(name):
    sweep, experiments = load_sweep(name), GRIDS[name]()
    # Runs that were made several at a time are stored as they came.
    assert sorted(repr(r.experiment) for r in sweep.results) == sorted(map(repr, experiments))
    assert stored(name).stat().st_size < 500_000


def test_a_cell_of_the_stored_grid_can_be_run_again():
    """Another processor rounds differently, and late epochs amplify that; the first epochs hardly differ."""
    result = load_sweep("blue-and-red").where(method="standard", noise="red", ratio=0.4, clean_per_class=0, seed=0)[0]
    again = summarize(result.experiment, result.experiment.run())
    assert again.test_accuracy[:3] == pytest.approx(result.test_accuracy[:3], abs=0.01)
    assert again.final == pytest.approx(result.final, abs=0.05)
