"""An audit from the command line to the report: what it finds, what it writes, and that a failure leaves nothing."""

import csv
import re
import sys

import numpy as np
import pandas
import pytest
from PIL import Image

from nlkit.audit import evidence
from nlkit.audit.advice import advise
from nlkit.audit.audit import audit
from nlkit.audit.collect import collect
from nlkit.audit.report import as_html
from nlkit.commands import audit as command
from nlkit.commands.main import main


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["audit", *map(str, arguments)])
    return stop.value.code or 0


def blobs(count=90, classes=3, wrong=0.15, seed=0):
    """Three well separated classes, one label in seven wrong."""
    generator = np.random.default_rng(seed)
    true = np.arange(count) % classes
    features = 3 * np.eye(classes, 6)[true] + generator.normal(0, 0.6, (count, 6))
    given, moved = true.copy(), generator.permutation(count)[: round(wrong * count)]
    given[moved] = (given[moved] + 1) % classes
    return features, given, true


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """One audit that the tests below look at, of features with six trusted rows, one of them corrected."""
    folder = tmp_path_factory.mktemp("audited")
    features, given, true = blobs()
    features[50] = features[51]
    np.savez(folder / "a.npz", X=features, y=given)
    trusted = [f"{i},{true[i]}" for i in (0, 1, 2, 3, 4, int(np.flatnonzero(given != true)[0]))]
    (folder / "clean.csv").write_text("\n".join(trusted))
    steps = []
    done = audit(collect(folder / "a.npz", clean=folder / "clean.csv"), progress=lambda *told: steps.append(told))
    return done, given != true, true, steps


def test_an_audit_finds_what_is_wrong_and_says_how_much_that_is(found):
    done, wrong, _, steps = found
    left = wrong & ~done.collection.clean
    suspects = done.suspects(int(left.sum()))
    assert np.mean([left[suspect.place] for suspect in suspects]) >= 0.9
    everybody = {suspect.place for suspect in done.suspects(90)}
    assert everybody == set(np.flatnonzero(~done.collection.clean).tolist())
    assert all(suspect.suggested != suspect.given for suspect in suspects)
    assert done.wrong_share == pytest.approx(wrong.mean(), abs=0.1) and done.likely in ("counted", "clusterability")
    assert done.scores.keys() == evidence.WHY.keys()
    assert [step[0] for step in steps] == list(range(1, steps[-1][1] + 1))


def test_the_order_is_the_mean_of_the_ranks_and_each_kind_is_told(found):
    done = found[0]
    first, second, *_ = done.suspects(5)
    assert first.suspicion >= second.suspicion == pytest.approx(np.mean(list(second.ranks.values())))
    assert first.scores["neighbours"] == pytest.approx(done.scores["neighbours"][first.place])


def test_decisions_move_estimates_and_accuracy_and_hide_the_suspect(found):
    done, wrong, true, _ = found
    suspects = [suspect for suspect in done.suspects(8) if wrong[suspect.place]]
    told = {suspect.place: done.collection.class_names[true[suspect.place]] for suspect in suspects}
    other = done.suspects(60)[-1]
    decided = done.decide(told | {other.place: "right", suspects[0].place: "wrong"}, draws=2)
    assert decided.accuracy > done.accuracy and done.decisions == {}
    assert decided.estimates[decided.likely].ratio < done.estimates[done.likely].ratio
    settled = int((wrong & decided.settled).sum())
    open_share = decided.estimates[decided.likely].ratio * (~decided.settled).sum()
    assert decided.wrong_share == pytest.approx((settled + open_share) / len(wrong))
    assert not {suspect.id for suspect in decided.suspects(90)} & {suspect.id for suspect in suspects}
    assert {suspect.id for suspect in decided.suspects(90, decided=True)} >= {suspect.id for suspect in suspects}
    unsure = done.decide({suspects[0].place: "unsure"}, draws=2)
    assert unsure.wrong_share == pytest.approx(done.wrong_share) and not unsure.settled[suspects[0].place]
    again = decided.settled_collection()
    assert again.count == done.collection.count - 1 and again.clean.sum() == decided.settled.sum() - 1
    for decisions, words in (({0: "rihgt"}, "did you mean 'right'"), ({90: "right"}, "from 0 to 89")):
        with pytest.raises(ValueError, match=words):
            done.decide(decisions)


def test_the_advice_is_of_what_was_found(found):
    done = found[0]
    titles = [step.title for step in advise(done)]
    assert re.match(r"Look at the first \d+ suspects", titles[-3]) and titles[-2] == "Train with method early_stopping"
    assert re.match(r"Buy \d+ clean labels", titles[-1]) and len(done.contradictions) == any(
        "Settle" in t for t in titles
    )


def test_the_report_needs_nothing_beside_it_and_escapes_what_users_wrote(found):
    from dataclasses import replace

    done = found[0]
    names = ("<b>0</b>", "1", "2")
    page = as_html(replace(done, collection=replace(done.collection, class_names=names)))
    assert "<b>0" not in page and "&lt;b&gt;0" in page
    assert not re.search(r"https?://|<script|<link", page) and "src='data:image/png;base64," in page
    assert all(step.title in page for step in advise(done))


# The command


@pytest.fixture
def digits(tmp_path):
    """A folder of 40 small pictures of two classes, bright on the left or on the right, four of them wrong."""
    generator = np.random.default_rng(0)
    for i in range(40):
        pixels = generator.integers(0, 60, (8, 8), np.uint8)
        right = i % 2
        pixels[:, 4 * right : 4 * right + 4] += 150
        name = "right" if right != (i in (4, 11, 18, 25)) else "left"
        (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    return tmp_path / "data"


def test_from_the_command_line_to_report_and_csv(digits, tmp_path, capsys):
    (digits / "left" / "bad.png").write_text("no image")
    before = sorted((path, path.stat().st_mtime_ns) for path in [digits, *digits.rglob("*")])
    assert run(digits, "--size", 8, "--out", tmp_path / "out") == 0
    assert sorted((path, path.stat().st_mtime_ns) for path in [digits, *digits.rglob("*")]) == before
    told = capsys.readouterr()
    assert "left out: 1 images that can't be read: left/bad.png" in told.err and "report: " in told.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["labels.csv", "report.html"]
    rows = list(csv.DictReader((tmp_path / "out" / "labels.csv").open(encoding="utf-8")))
    assert (
        len(rows) == 40 and {"rank", "id", "given", "suggested", "suspicion", "verdict", "neighbours"} <= rows[0].keys()
    )
    assert {row["id"].split("/")[1] for row in rows[:4]} == {"4.png", "11.png", "18.png", "25.png"}
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").count("class='thumbnail'") >= 40
    assert run(digits, "--out", tmp_path / "out") == 2
    assert "has report.html and labels.csv already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere", "--out", "out"), 2, "path='nowhere' does not exist"),
        (("data", "--out", "data/out"), 2, "is within the data"),
        (("data", "--out", "data"), 2, "is within the data"),
        (("data", "--out", "no/such/folder"), 1, "can't be made: No such file"),
        (("data", "--out", "out", "--model", "big"), 2, "model='big' is not known"),
        (("data", "--out", "out", "--clean", "missing.csv"), 2, "clean='missing.csv' is neither"),
        (("t.csv", "--out", "out"), 2, "labels must name the column"),
    ],
)
def test_what_can_t_be_ends_in_a_line_and_leaves_nothing(digits, tmp_path, monkeypatch, capsys, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    pandas.DataFrame({"x": range(12), "y": ["a", "b"] * 6}).to_csv("t.csv", index=False)
    before = sorted(tmp_path.rglob("*"))
    assert run(*arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", [command.REPORT, command.TABLE])
def test_of_report_and_csv_both_are_written_or_neither(tmp_path, monkeypatch, name):
    whole = command.write_whole

    def full_disk(path, content):
        if path.name == name:
            raise OSError(28, "No space left on device")
        whole(path, content)

    monkeypatch.setattr(command, "write_whole", full_disk)
    with pytest.raises(OSError, match="No space left"):
        command.write_both(tmp_path, "report", "table")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_can_t_be_written_to_is_told_before_any_work(digits, tmp_path, monkeypatch, capsys):
    def no_permission(path, argument):
        raise OSError(f"{argument}={str(path)!r} can't be written: Permission denied")

    monkeypatch.setattr(command, "check_writable", no_permission)
    assert run(digits, "--out", tmp_path / "out") == 1
    assert "Permission denied" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_without_its_packages_an_audit_says_what_to_install(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    assert run(digits, "--out", tmp_path / "out") == 1
    assert "-e '.[audit]'" in capsys.readouterr().err and not (tmp_path / "out").exists()
