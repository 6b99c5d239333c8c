"""`nlkit reproduce`: a quick study through the command line, its verdicts beside the recorded ones, and its reports."""

import json
import math
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from nlkit import Experiment, make_task, train
from nlkit.checks import DataError
from nlkit.claims import CLAIMS, Outcome, Report, Study, claims_of, recorded, stored_report
from nlkit.claims.cheapest import cost
from nlkit.claims.html import page, strip
from nlkit.claims.report import STORED, load_report
from nlkit.claims.tables import terminal
from nlkit.commands import main as cli
from nlkit.contents import GRIDS, LESSONS, PAGE_OF, PAGES
from nlkit.intervals import in_percent, paired_interval
from nlkit.lessons.noisy_or_clean import RATIOS, SIZES
from nlkit.lessons.standings import standings
from nlkit.lessons.tutorial import ROWS, SETTING, summary
from nlkit.papers import PAPERS
from nlkit.sweeps.folder import file_of
from nlkit.sweeps.results import Sweep
from nlkit.sweeps.run import load_sweep

ROOT = Path(__file__).parent.parent
LARGE_CLAIMS = [id for id, page in PAGE_OF.items() if any(":" not in need for need in PAGES[page].needs)]


def reproduce(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(["reproduce", "--device", "cpu", *map(str, arguments)])
    return end.value.code or 0, *capsys.readouterr()


TRAINED = ("reweight_beats_standard", "weight_finds_right")
# By day, claims whose runs are carried, or that need none; by night, all.
BY_DAY = ("label-noise", *TRAINED, "reweight_beats_clean_80", "reweight-or-clean", *PAPERS)
ASKED = tuple(PAGES) if os.environ.get("NLKIT_NIGHTLY") else BY_DAY


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The quick study, as the command line does it: its folder and its exit code."""
    return study_of(tmp_path_factory.mktemp("reproduced"), ASKED, "--quick")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study that takes nothing from what is carried: its folder and its exit code."""
    return study_of(tmp_path_factory.mktemp("trained"), TRAINED)


def study_of(folder, asked, *options):
    only = [argument for name in asked for argument in ("--only", name)]
    with pytest.raises(SystemExit) as end:
        cli.main(["reproduce", *options, "--seeds", "2", "--device", "cpu", "--folder", str(folder), *only])
    return folder, end.value.code


# What holds


def test_a_quick_study_finds_what_is_recorded(quick):
    folder, code = quick
    report, stored = load_report(folder / "report.json"), recorded(CLAIMS)
    asked = {id for id, page in PAGE_OF.items() if {id, page} & set(ASKED)}
    assert {o.id for o in report.outcomes} == asked - set(LARGE_CLAIMS)
    for o in report.outcomes:  # where runs are carried, all of them
        name = PAGE_OF[o.id]
        assert len(o.values) == (len(PAGES[name].seeds) if name in GRIDS else 2), o.id
    assert report.changed_from(stored) == [] and code == 0


def test_a_whole_quick_study_makes_the_runs_of_one_cheap_claim_a_paper_anew(tmp_path):
    whole = Study(tmp_path / "whole", quick=True, device="cpu")
    assert sorted(PAGE_OF[id] for id, _ in whole.anew) == sorted(PAPERS)
    assert not Study(tmp_path / "part", only=PAPERS, quick=True, device="cpu").anew
    ids = {PAGE_OF[id]: id for id, _ in whole.anew}
    assert cost("pervasive_label_errors", "pervasive_label_errors_crowd") == math.inf  # which needs files
    assert all(cost(name, id) < 60 for name, id in ids.items())
    for name in ("local_clustering", "long_tail"):  # which take no second
        took = {claim.id: cost(name, claim.id) for claim in PAGES[name].claims}
        assert 0 < took[ids[name]] == min(took.values()) < math.inf
        ran, first, second = [], *PAGES[name].seeds[:2]
        whole.on_run = ran.append
        whole.measure(ids[name], second)
        assert not ran
        anew = whole.measure(ids[name], first)
        assert ran and {run.seed for run in ran} == {first}
        stored = claims_of(name).outcomes[ids[name]].values[0]
        np.testing.assert_allclose(anew, stored, rtol=1e-3)


def test_a_value_is_what_training_gives(trained):
    """One claim, measured without anything of the study."""
    assert trained[1] == 0
    runs = {
        m: list(train(make_task("mnist5k", ratio=0.8, seed=1, device="cpu"), m, seed=1))
        for m in ("standard", "reweight")
    }
    lead = runs["reweight"][-1].test_accuracy - runs["standard"][-1].test_accuracy
    report = load_report(trained[0] / "report.json")
    (outcome,) = (o for o in report.outcomes if o.id == "reweight_beats_standard")
    assert outcome.values[1] == pytest.approx(lead, abs=1e-4)
    curves = report.curves["mnist5k"]
    assert curves["reweighting"]["test"][1] == pytest.approx([r.test_accuracy for r in runs["reweight"]], abs=1e-4)


def test_the_recorded_run_is_a_full_one_of_every_claim():
    stored = stored_report()
    assert {o.id for o in stored.outcomes} == {id for id, page in PAGE_OF.items() if page in LESSONS}
    assert stored.skipped == {} and not stored.made["quick"]
    for o in stored.outcomes:  # five seeds, or all that the page has where a run takes minutes
        assert len(o.values) == min(stored.made["seeds"], len(PAGES[PAGE_OF[o.id]].seeds)), o.id
    assert stored.made["seeds"] == 5
    for o in stored.outcomes:  # what does not hold, and surely so, is explained
        assert o.verdict != "does not hold" or o.claim.why, o.id


def test_what_the_recorded_run_says_follows_from_its_values(tmp_path):
    stored_report().save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text(encoding="utf-8") == STORED.read_text(encoding="utf-8")


# Verdicts


@pytest.mark.parametrize("id, values, verdict", [
    ("standard_falls", (0.40, 0.42, 0.44), "holds"),
    ("standard_falls", (0.10, 0.12, 0.11), "does not hold"),
    ("standard_falls", (0.20, 0.36, 0.24), "open"),  # mean 0.267, interval from 0.06
    ("standard_falls", (0.40,), "holds"),  # one seed has no interval
    ("standard_falls", (0.20,), "does not hold"),
    ("same_weights", (1e-6, 2e-6), "holds"),
    ("full_standard_final", (0.39, 0.40, 0.41), "holds"),
    ("full_standard_final", (0.49, 0.50, 0.51), "does not hold"),
    ("full_standard_final", (0.20, 0.40, 0.61), "open"),  # wider than its bounds on both sides
    ("red_generalizes", (0.01, 0.02, 0.03), "open"),  # the mean is above 0, the lower end is not
    ("red_generalizes", (0.02, 0.02, 0.02), "holds"),
    ("red_generalizes", (-0.02, -0.02, -0.021), "does not hold"),
])  # fmt: skip
def test_a_verdict_is_that_of_the_interval_and_open_where_it_reaches_across(id, values, verdict):
    assert Outcome(id, values).verdict == verdict


@pytest.mark.parametrize("id, values, mean, verdict", [
    ("map_wins", ((0.2, 0.1), (0.2, 0.12), (0.2, 0.11)), 0.11, "holds"),
    ("map_wins", ((0.1, 0.3), (0.3, 0.1), (0.2, 0.2)), 0.2, "open"),  # no cell is always the worst
    ("map_wins", ((0.5, -0.1), (0.5, -0.12), (0.5, -0.11)), -0.11, "does not hold"),  # one cell speaks against it
    ("map_wins", ((0.5, 0.2), (0.5, -0.12), (0.5, 0.1)), 0.06, "open"),
    ("no_information", ((-0.2, -0.1), (-0.2, 0.15), (-0.2, -0.14)), -0.03, "open"),
    ("no_information", ((-0.2, 0.1), (-0.2, 0.15), (-0.2, 0.14)), 0.13, "does not hold"),
])  # fmt: skip
def test_a_claim_of_many_cells_is_that_of_each_averaged_over_seeds(id, values, mean, verdict):
    outcome = Outcome(id, values)
    assert outcome.mean == pytest.approx(mean) and outcome.verdict == verdict
    assert outcome.show() == f"{outcome.interval.percent()} points"
    assert f"measured {outcome.show()}" in strip(outcome) and strip(outcome).count("<circle") == 3


def test_the_map_s_claims_are_one_number_in_the_notebook_the_report_and_by_hand():
    """The lead of reweighting over the clean set alone: a mean over seeds for each cell, and then the worst cell."""
    sweep = load_sweep("reweight-or-clean")

    def lead(ratio, size):
        ours = sweep.where(method="reweight", ratio=ratio, clean_per_class=size)
        alone = sweep.where(method="clean_only", clean_per_class=size)
        assert [r.experiment.seed for r in ours] == [r.experiment.seed for r in alone] == list(range(5))
        return sum(a.final - b.final for a, b in zip(ours, alone)) / 5

    by_hand = {
        "map_wins": min(lead(ratio, size) for ratio in (0.0, 0.2, 0.4, 0.5, 0.6) for size in (1, 2, 5, 10)),
        "map_loses": max(lead(ratio, size) for ratio in (0.8, 0.9) for size in (50, 100)),
        "no_information": max(lead(0.9, size) for size in SIZES),
    }
    told, reported = claims_of("reweight-or-clean", sweep).outcomes, {o.id: o for o in stored_report().outcomes}
    for id, value in by_hand.items():
        assert told[id].mean == pytest.approx(value)
        assert reported[id].mean == pytest.approx(value, abs=1e-6)
    for id, outcome in told.items():
        assert outcome.mean == pytest.approx(reported[id].mean, rel=1e-4), id
    with pytest.raises(ValueError, match="the sweep has no run of"):
        claims_of("reweight-or-clean", Sweep(sweep.results[:50]))


def test_what_the_prose_tells_of_early_stopping_is_in_the_stored_runs():
    sweep, board = load_sweep("reweight-or-clean"), standings(load_sweep("leaderboard"))

    def sign(ratio, size):
        of = [sweep.where(method=m, ratio=ratio, clean_per_class=size) for m in ("reweight", "early_stopping")]
        return paired_interval(*([run.final for run in runs] for runs in of)).sign

    signs = {(ratio, size): sign(ratio, size) for ratio in RATIOS for size in SIZES}
    ahead = [cell for cell, found in signs.items() if found > 0]
    behind, noisy = list(signs.values()).count(-1), [cell for cell in ahead if cell[0] >= 0.8]
    assert (len(signs), len(noisy)) == (56, 9)
    told = f"In {len(ahead)} of 56, against {behind} in which it is clearly behind"
    assert told in (ROOT / "notebooks" / "06_noisy_or_clean.ipynb").read_text(encoding="utf-8")
    assert f"In {len(ahead)} of 56 cells, nine of them" in (ROOT / "book" / "guide.md").read_text(encoding="utf-8")
    stopped, reweighting = (in_percent(board[row].final) for row in ("stopped in time", "reweighting"))
    told = f"reweighting: {stopped} and {reweighting} %"
    assert told in (ROOT / "notebooks" / "07_how_far.ipynb").read_text(encoding="utf-8")


def test_what_was_open_or_is_a_time_cannot_change():
    def report(**values):
        return Report({}, tuple(Outcome(id, v) for id, v in values.items()))

    before = report(standard_falls=(0.4, 0.4), memorizes=(-0.5, 0.7), full_cost=(2.0, 2.0), nested=(1.0, 1.0))
    now = report(standard_falls=(0.1,), memorizes=(-0.5,), full_cost=(9.0,), nested=(1.0,), own_class=(0.8,))
    assert now.changed_from(before) == ["standard_falls"]


# The tutorial's experiment


def test_the_experiment_at_full_size_is_the_tutorial_s():
    """As reference and tutorial have it; the controls differ from it in method, options and epochs alone."""
    asked = {name: Experiment(**{**SETTING, **settings}).resolved() for name, settings in ROWS.items()}
    one = asked["reweighting"]
    assert (one.data, one.noise, one.ratio, one.clean_per_class) == ("mnist", "symmetric-doubled", 0.8, 50)
    assert (one.model, one.optimizer, one.learning_rate, one.batch_size, one.epochs) == ("mlp", "adam", 6e-4, 128, 25)
    assert (one.schedule, one.weight_decay, one.augment, one.weight_average) == ("constant", 0.0, "none", 0.0)
    for name, other in asked.items():
        assert other.epochs == (75 if "75" in name else 25)
        assert replace(other, method="reweight", options={}, epochs=25) == one, name


def test_rows_are_compared_with_reweighting_seed_by_seed():
    curves = {
        "reweighting": {"test": [[0.8, 0.85], [0.8, 0.87]], "seconds": [2.0, 4.0]},
        "clean set alone": {"test": [[0.9, 0.84], [0.8, 0.86]], "seconds": [1.0, 1.0]},
    }
    ours, clean = summary(curves)
    assert ours["lead"] is None and ours["epochs"] == 2 and ours["published"]["test"][25] == 0.8536
    assert ours["seconds"] == 3.0 and ours["final"].mean == pytest.approx(0.86)
    assert clean["best"].mean == pytest.approx(0.88) and clean["published"] is None
    assert clean["lead"].mean == pytest.approx(-0.01)
    assert clean["lead"].half == pytest.approx(0.0)  # one point in both seeds, though each varies by two
    (alone,) = summary({"reweighting": {"test": [[0.8, 0.85]], "seconds": [2.0]}})
    assert in_percent(alone["final"]) == "85.0"


# The command


def test_a_claim_that_changed_is_named_and_told_by_the_exit_code(tmp_path, capsys, monkeypatch):
    def recorded(value):
        monkeypatch.setattr("nlkit.claims.recorded", lambda ids: Report({}, (Outcome("exact_ratio", value),)))

    only = "--only", "exact_ratio", "--only", "own_class", "--seeds", 2, "--folder", tmp_path / "new"
    recorded((0.8, 0.8))
    code, out, err = reproduce(capsys, *only)
    assert (code, err) == (0, "")
    assert re.search(r"^holds +80.0 ± 0.0 % +Asked for 80 %", out, flags=re.MULTILINE)
    assert "No mean lies on the other side" in (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    recorded((0.7, 0.7))
    code, out, err = reproduce(capsys, *only)
    assert (code, err) == (3, "nlkit: exact_ratio is not as recorded\n")
    text = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert "Not as recorded" in text and "(exact_ratio)" in text


def test_a_claim_whose_measuring_fails_stops_no_other_and_is_named(tmp_path, capsys, monkeypatch):
    def broken(trial):
        raise RuntimeError(f"the ruler\nbroke at {trial.seed}")

    def failing_run(trial):
        return trial.run("standard", ratio=1.5).final

    for id, measure in (("exact_ratio", broken), ("standard_falls", failing_run)):
        monkeypatch.setitem(CLAIMS, id, replace(CLAIMS[id], measure=measure))
    only = [a for id in ("exact_ratio", "own_class", "standard_falls", "nested") for a in ("--only", id)]
    code, out, err = reproduce(capsys, *only, "--seeds", 2, "--folder", tmp_path / "new")
    assert code == 1
    assert err.splitlines()[0] == "nlkit: exact_ratio failed with seed 0: RuntimeError: the ruler broke at 0"
    assert "standard_falls failed with seed 0: SweepError: a run failed" in err.splitlines()[1]
    assert "ratio=1.5" in err.splitlines()[1] and len(err.splitlines()) == 2
    assert "80 % is really 72 %" in out and "not measured (failed with seed 0: RuntimeError" in out
    report = load_report(tmp_path / "new" / "report.json")
    assert {o.id for o in report.outcomes} == {"own_class", "nested"}
    assert report.skipped.keys() == {"exact_ratio", "standard_falls"}


def test_a_report_says_where_what_it_did_not_measure_itself_was_made(tmp_path, monkeypatch):
    today = {"date": "2026-01-01", "versions": {"torch": "1"}, "processor": "old", "cores": 1}
    monkeypatch.setattr("nlkit.claims.study.made_here", lambda **_: today)
    study = Study(tmp_path, only=["exact_ratio"], seeds=1, device="cpu")
    study.report()
    monkeypatch.setattr("nlkit.claims.study.made_here", lambda **_: today | {"date": "2026-02-02"})
    made = Study(tmp_path, only=["exact_ratio"], seeds=2, device="cpu").report().made
    assert made["date"] not in made["runs"] and made["runs"].count("2026-01-01, torch 1, old") == 1
    assert "2026-02-02, torch 1, old" in made["runs"]


@pytest.mark.parametrize("file, content, said", [
    ("values.json", "{}", "values.json.*form of another version"),
    ("values.json", '{"cpu": {"nested": {"0": 1.0}}}', "values.json.*form of another version"),
    ("values.json", "not JSON", "values.json.*does not hold the values"),
    ("runs/0123456789abcdef0123.json", "{}", "runs/0123456789abcdef0123.json.*is not a run's file"),
])  # fmt: skip
def test_files_that_are_of_no_study_are_refused_and_kept(tmp_path, file, content, said):
    (tmp_path / "runs").mkdir()
    (tmp_path / file).write_text(content)
    with pytest.raises(ValueError, match=said):
        Study(tmp_path, device="cpu")
    assert (tmp_path / file).read_text() == content


@pytest.mark.parametrize("arguments, part", [
    (("--only", "standard_fall"), "claim='standard_fall' is not known; did you mean 'standard_falls'?"),
    (("--seeds", 0), "seeds=0 must be a whole number of at least 1"),
    (("--device", "tpu"), "device='tpu'"),
])  # fmt: skip
def test_bad_input_is_refused_before_anything_is_made(tmp_path, capsys, arguments, part):
    code, out, err = reproduce(capsys, "--folder", tmp_path / "new", *arguments)
    assert (code, out) == (2, "") and part in err and err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_what_is_measured_with_fast_products_is_kept_apart(tmp_path, capsys, monkeypatch):
    """What it is for: to see on a processor that has them which verdicts they move."""
    monkeypatch.setattr("nlkit.claims.study.has_bfloat16_products", lambda: False)
    asked = "--precision", "fast", "--only", "standard_falls", "--only", "exact_ratio", "--seeds", 1
    code, _, err = reproduce(capsys, *asked, "--folder", tmp_path / "new")
    assert code == 1 and "precision='fast' can't be measured here" in err and not (tmp_path / "new").exists()
    monkeypatch.setattr("nlkit.claims.study.has_bfloat16_products", lambda: True)
    made, trials = [], []

    def end(trial):
        trials.append(trial.precision)
        return trial.run("standard", epochs=1).final

    monkeypatch.setitem(CLAIMS, "standard_falls", replace(CLAIMS["standard_falls"], measure=end))
    for precision in ("fast", "float32"):
        study = Study(tmp_path, only=["standard_falls", "exact_ratio"], seeds=1, device="cpu", precision=precision)
        study.on_run = made.append
        report = study.report()
        assert report.made.get("precision", "float32") == precision
    assert trials[::2] == ["fast", "float32"] and [run.precision for run in made] == ["fast", None]
    assert set(json.loads((tmp_path / "values.json").read_text())["values"]) == {"cpu, fast", "cpu"}
    slower, report = report, replace(report, made=report.made | {"precision": "fast"})
    with pytest.raises(ValueError, match="precision is fast and None"):
        report.over(slower)


def test_without_the_data_it_says_what_it_leaves_out(data_folders, tmp_path, capsys):
    study = Study(tmp_path / "new", device="cpu")
    assert study.skipped.keys() == set(LARGE_CLAIMS)
    assert set(study.claims) == CLAIMS.keys() - set(LARGE_CLAIMS)
    code, _, err = reproduce(capsys, "--folder", tmp_path / "new", "--only", "full_cost")
    assert code == 1 and "full_cost: mnist was not found: `nlkit data mnist`" in err
    with pytest.raises(DataError, match="which --quick leaves out"):
        Study(tmp_path, only=["full_cost"], quick=True)
    study = Study(tmp_path / "new", only=["full_cost", "nested"], seeds=1, device="cpu")
    assert "not measured (mnist was not found" in terminal(study.report())


# Going on


def test_a_second_call_trains_nothing_and_says_the_same(quick):
    study = Study(quick[0], only=ASKED, quick=True, seeds=2, device="cpu")
    study.on_run = lambda experiment: pytest.fail(f"trained again: {experiment}")
    values = {o.id: o.values for o in study.report().outcomes}
    for o in load_report(quick[0] / "report.json").outcomes:
        np.testing.assert_allclose(values[o.id], o.values, rtol=1e-5, atol=1e-9)


def test_a_study_goes_on_where_it_was_broken_off(trained, tmp_path):
    shutil.copytree(trained[0] / "runs", tmp_path / "runs")
    file_of(tmp_path / "runs", Experiment(method="reweight", seed=1, device="cpu")).unlink()
    study, ran = Study(tmp_path, only=["weight_finds_right"], seeds=2, device="cpu"), []
    study.on_run = ran.append
    again = {o.id: o.values for o in study.report().outcomes}
    assert [(e.method, e.seed) for e in ran] == [("reweight", 1)]
    before = {o.id: o.values for o in load_report(trained[0] / "report.json").outcomes}
    assert again["weight_finds_right"] == pytest.approx(before["weight_finds_right"], abs=1e-4)


# The page


class Page(HTMLParser):
    """Collects tags, and checks that each is closed in its order."""

    VOID = {"meta", "img", "rect", "circle", "line", "col"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("which", ["quick", "stored"])
def test_the_page_shows_every_claim_and_needs_nothing_beside_it(quick, which):
    report = load_report(quick[0] / "report.json") if which == "quick" else stored_report()
    written = (quick[0] / "report.html").read_text(encoding="utf-8") if which == "quick" else page(report)
    seen = Page(written)
    for outcome in report.outcomes:
        assert outcome.claim.sentence in seen.text and outcome.show() in seen.text, outcome.id
        assert outcome.claim.published in seen.text and outcome.claim.source in seen.text
        if outcome.verdict == "does not hold":
            assert outcome.claim.why in seen.text
    for id, reason in report.skipped.items():
        assert CLAIMS[id].sentence in seen.text and reason in seen.text
    images = [attributes for tag, attributes in seen.tags if tag == "img"]
    assert len(images) == len(report.curves) and all(len(image["alt"]) > 60 for image in images)
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    pictures = [attributes for tag, attributes in seen.tags if tag == "svg"]
    assert len(pictures) == len(report.outcomes) and all(p["role"] == "img" and p["aria-label"] for p in pictures)
    assert not [a for _, a in seen.tags if {"href", "srcset", "action"} & a.keys()] and "script" not in dict(seen.tags)
    assert not re.search(r"https?://|url\(|@import", written)
    assert len(written) < 1_000_000


def test_the_small_picture_puts_seeds_and_bound_to_scale():
    drawn = strip(Outcome("standard_falls", (0.35, 0.45)), width=200)
    dots = [float(x) for x in re.findall(r"circle cx='([\d.]+)'", drawn)]
    (bound,) = re.findall(r"<line x1='([\d.]+)' x2='\1' y1='0'", drawn)
    assert 0 < float(bound) < 200
    low, high = 0.4 - 12.7062 * 0.05, 0.4 + 12.7062 * 0.05  # Student's t of one degree of freedom; spread 0.0707 / √2
    unit = (high - low) * 1.24 / 200
    assert dots == pytest.approx([(v - low + 0.12 * (high - low)) / unit for v in (0.35, 0.45)], abs=0.2)
    assert float(bound) == pytest.approx((0.25 - low + 0.12 * (high - low)) / unit, abs=0.2)


def test_a_report_of_which_all_was_skipped_has_a_page():
    made = stored_report().made | {"date": "2026-11-27"}
    assert "0 of 0 claims hold" in page(Report(made, (), skipped={"human_labels_goal": "no photographs"}))
