"""What the stored audits say, and that it is what an audit measures."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import audits
from nlkit.audit import dynamics, proof
from nlkit.audit.proof import ALL, MARGIN, PLAIN, AuditRun, average_precision, grid, precision_among_first
from nlkit.audit.standings import in_markdown, mean_over_tasks, standings, where_behind
from nlkit.checks import DataError
from nlkit.data.verdicts import load_verdicts
from nlkit.identity import key
from nlkit.sweeps.run import load_sweep


@pytest.fixture(scope="module")
def stored():
    return load_sweep("audit")


def test_average_precision_and_precision_are_what_they_are_by_hand():
    wrong, suspicion = np.array([False, True, True, False, True]), np.array([0.5, 0.9, 0.4, 0.8, 0.7])
    # in order: wrong, right, wrong, right, wrong
    assert average_precision(wrong, suspicion) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert precision_among_first(wrong, suspicion, 2) == 0.5
    assert precision_among_first(wrong, suspicion, 50) == pytest.approx(2 / 3)  # three are wrong, so of the first three


def test_all_of_the_grid_is_stored(stored):
    assert {key(run) for run in grid()} == set(stored.by_key) and not stored.failed


def test_on_the_mean_over_the_tasks_all_together_are_ahead_of_cleanlab_alone_in_both_of_its_ways(stored):
    ours = mean_over_tasks(stored, ALL)
    assert ours > mean_over_tasks(stored, PLAIN) + 0.03 and ours > mean_over_tasks(stored, MARGIN) + 0.03
    real = [standing for standing in standings(stored) if standing.runs[0].experiment.data not in proof.PLANTED]
    assert np.mean([s.mean(f"ap {ALL}") - s.mean(f"ap {PLAIN}") for s in real]) > 0


def test_where_they_are_behind_the_book_says_so(stored):
    judged, pair, instance = (
        "CIFAR-10's test set, errors that people found", "Fashion-MNIST, pair 30 %", "Fashion-MNIST, instance 30 %",
    )  # fmt: skip
    assert set(where_behind(stored)) <= {judged} and set(where_behind(stored, MARGIN)) <= {judged, pair, instance}
    text = " ".join(audits.PAGE.read_text(encoding="utf-8").partition(audits.MARKS[1])[2].split())
    assert "On CIFAR-10's judged labels" in text and "on Fashion-MNIST with pair and instance-dependent noise" in text


def test_the_tables_of_the_book_are_those_of_the_stored_audits(stored):
    text = audits.PAGE.read_text(encoding="utf-8")
    assert text.partition(audits.MARKS[0])[2].partition(audits.MARKS[1])[0] == f"\n{in_markdown(stored)}\n"


def test_what_the_book_quotes_of_the_larger_network_is_stored(stored):
    text = audits.PAGE.read_text(encoding="utf-8")
    for data in proof.ERRORS:
        (run,) = stored.where(data=data)
        theirs = run.last("ap cleanlab, the authors' network")
        assert f"{100 * theirs:.1f} %" in text


def test_matrices_of_planted_noise_are_estimated_better_than_by_believing_the_labels(stored):
    for standing in standings(stored):
        if standing.runs[0].experiment.data == "mnist5k":
            believed = 2 * standing.mean("wrong")  # the error of the identity
            assert standing.mean("error clusterability") < believed, standing.name


def test_the_page_tells_what_the_authors_network_reaches(stored):
    page = (Path(__file__).parent.parent / "book" / "your_own_data.md").read_text(encoding="utf-8")
    for data, words in (("mnist errors", "on MNIST's judged labels"), ("cifar10 errors", "on CIFAR-10's: more")):
        (run,) = stored.where(data=data)
        theirs = run.last("ap cleanlab, the authors' network")
        assert f"{100 * theirs:.1f} % {words}" in page and theirs > run.last(f"ap {ALL}")


@pytest.mark.full_data("mnist")
def test_a_run_takes_the_people_s_verdicts_and_only_those(monkeypatch):
    try:
        load_verdicts("mnist")
    except DataError as error:
        pytest.skip(str(error))
    collection, wrong, judged, others, matrix = proof._judged("mnist")
    assert collection.count == 10_000 and not collection.clean.any() and matrix is None
    assert judged.sum() == 100 and wrong.sum() == 15 and (judged | ~wrong).all()
    assert len(others["cleanlab, the authors' network"]) == 10_000


@pytest.mark.slow
def test_a_small_run_measures_each_kind_and_the_truth_is_not_shown_to_the_audit(monkeypatch):
    monkeypatch.setattr(dynamics, "EPOCHS", 6)
    run = AuditRun(images=200, noise="symmetric", ratio=0.3, clean_per_class=2)
    (record,) = run.run()
    numbers = record.numbers
    task = run._task()
    seen = proof.collection_of(task)
    assert (seen.given == task.given.numpy()).all() and seen.clean.sum() == 20
    assert (seen.trusted[: task.noisy_count] == -1).all()
    assert numbers["wrong"] == pytest.approx(0.3, abs=0.01)
    assert numbers[f"ap {ALL}"] > numbers["wrong"] + 0.1 and {"ap clean set", "error counted"} <= numbers.keys()


def test_settings_that_make_no_task_are_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="noise='worst' is not of data='mnist5k'"):
        AuditRun(noise="worst")
    monkeypatch.setattr("nlkit.data.verdicts.data_folders", lambda: [tmp_path])
    with pytest.raises(DataError, match="mnist_mturk.json was not found"):
        next(AuditRun(data="mnist errors", noise="none").run())
