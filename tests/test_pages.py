"""What holds of every page, lesson or paper: it runs, is refused what it can't be, has a panel, its claims stand."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from looks import faults_of_text, look_at

from nlkit import live
from nlkit.claims import claims_of
from nlkit.contents import (
    CLAIMS,
    LESSONS,
    PAGE_OF,
    PAGES,
    accepts,
    experiment_of,
    knobs_of,
    notebook_of,
    told_apart_by,
    what_is_missing,
)
from nlkit.identity import explicit, key
from nlkit.index import at_the_end, entries, listed
from nlkit.learning.devices import threads
from nlkit.live.page_panel import _on_one_thread
from nlkit.papers import PAPERS
from nlkit.records import Step
from nlkit.settings import Runnable
from nlkit.sweeps.run import load_sweep, stored

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TALLEST = 6.38  # inches: taller ones are shown smaller, to be seen whole, and their letters have less than 10 pixels
OF_HOURS = ("leaderboard-clothes", "human-labels")  # grids whose pages say that they have three seeds


def tiny(name: str, variant: str, **changes) -> Runnable:
    page = PAGES[name]
    settings = {n: v for n, v in page.tiny.items() if accepts(page, variant, n)}
    return experiment_of(page, variant, **{"seed": page.seeds[0], "device": "cpu", **settings, **changes})


@pytest.fixture(params=PAGES)
def name(request):
    page = PAGES[request.param]
    if "data" not in page.tiny and (why := what_is_missing(page)):
        pytest.skip(why)
    return request.param


# What a page says


def test_claims_have_one_name_each_and_a_paper_s_begin_with_its_own():
    ids = [claim.id for page in PAGES.values() for claim in page.claims]
    assert len(ids) == len(set(ids)) == len(CLAIMS)
    assert all(claim.id.startswith(f"{name}_") for name in PAPERS for claim in PAGES[name].claims)


def test_a_page_says_what_it_is(name):
    page = PAGES[name]
    assert page.title and page.source and page.finding.endswith(".") and len(page.finding) < 160
    seeds = 3 if name in OF_HOURS else 5
    assert page.claims and page.variants and len(set(page.seeds)) == len(page.seeds) >= seeds
    assert (NOTEBOOKS / notebook_of(name)).is_file()


def test_variants_are_different_runs_that_can_be_known_again(name):
    keys = {key(experiment_of(PAGES[name], variant)) for variant in PAGES[name].variants}
    assert len(keys) == len(PAGES[name].variants)
    experiment = tiny(name, next(iter(PAGES[name].variants)))
    assert isinstance(experiment, Runnable) and dataclasses.is_dataclass(experiment)
    assert key(explicit(experiment)) == key(experiment)


def test_the_list_of_pages_tells_them_all():
    told = listed()
    assert [entry["name"] for entry in told] == list(PAGES)
    assert [entry["name"] for entry in told if entry["kind"] == "paper"] == list(PAPERS)
    assert all((NOTEBOOKS.parent / entry["notebook"]).is_file() for entry in told)
    json.dumps(told)


# What it runs


def check_records(page, records) -> None:
    assert records and [record.epoch for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert math.isfinite(record.numbers[page.headline])
        assert all(isinstance(value, (int, float)) for value in record.numbers.values())


@pytest.mark.slow
def test_every_variant_runs_and_reports_numbers(name):
    """The first two do in the page's panel, below."""
    page = PAGES[name]
    for variant in list(page.variants)[2:]:
        check_records(page, [event for event in tiny(name, variant).run(steps=True) if not isinstance(event, Step)])


@pytest.mark.slow
def test_the_seed_decides_the_run_and_whoever_drives_it_may_stop(name):
    variant = next(iter(PAGES[name].variants))

    def first(seed):
        run = tiny(name, variant, seed=seed).run()
        numbers = dict(next(run).numbers)
        run.close()
        return {n: value for n, value in numbers.items() if "second" not in n}

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_a_knob_beyond_its_end_is_refused_by_name(name):
    page = PAGES[name]
    variant = next(iter(page.variants))
    for knob, (field, _) in knobs_of(page).items():
        low, high, choices = (field.metadata[n] for n in ("low", "high", "choices"))
        wrong = [w for w in ((low - 1) if low is not None else None, "nonsense" if choices else None) if w is not None]
        for value in wrong if accepts(page, variant, knob) else ():
            with pytest.raises(ValueError, match=knob):
                next(iter(tiny(name, variant, **{knob: value}).run()))
        assert high is not None or choices is not None or isinstance(field.default, bool), f"{knob} has no end"


def test_its_panel_races_the_variants_and_keeps_what_was_seen(name):
    page = PAGES[name]
    settings = {n: v for n, v in page.tiny.items() if n not in told_apart_by(page)}
    ticked = tuple(page.variants)[:2]
    panel = live.panel(name, variants=ticked, mode="blocking", **settings)
    try:
        assert panel.frame.alt  # something is there before Start
        panel.start()
        assert panel.driver.state == "done", panel.driver.error
        assert [run.method for run in panel.current] == list(ticked)
        for run in panel.current:
            check_records(page, run.history)
        assert all(run.name in panel.table.value for run in panel.current)
        assert panel.frame.png.startswith(b"\x89PNG") and len(panel.frame.alt) > 30
        if page.picture:
            assert not faults_of_text(look_at(panel.figure()))
            assert panel.figure().get_size_inches()[1] <= TALLEST
        panel.reset()
        assert panel.current == [] and panel.driver.state == "idle"
    finally:
        panel.close()


def test_a_panel_runs_a_paper_s_own_world_on_one_thread_and_leaves_torch_as_it_was():
    class World:
        def run(self, *, steps):
            for _ in range(2):
                seen.append(torch.get_num_threads())
                yield len(seen)

    seen: list[int] = []
    with threads(2):
        for _ in _on_one_thread(World()):
            assert torch.get_num_threads() == 2
    assert seen == [1, 1]


def test_a_panel_is_refused_what_there_is_not():
    for arguments, said in (
        (("memorisation",), "page='memorisation' is not known; did you mean 'memorization'"),
        (("meta-reweighting", "reweigh"), "variants='reweigh' is not known; did you mean 'reweight'"),
    ):
        with pytest.raises(ValueError, match=said):
            live.panel(arguments[0], variants=arguments[1:])
    with pytest.raises(ValueError, match="setting='rato' is not known; did you mean 'ratio'"):
        live.panel("meta-reweighting", rato=0.4)
    with pytest.raises(ValueError, match="ratio=1.5 must be a number from 0"):
        live.panel("meta-reweighting", ratio=1.5)
    with pytest.raises(ValueError, match="weighted=False must be left out: it tells the variants .* apart"):
        live.panel("local_clustering", weighted=False)


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.panel])
def test_a_panel_starts_with_what_its_page_gives_it_unless_it_is_told_otherwise(name):
    given, variant = PAGES[name].panel, next(iter(PAGES[name].variants))
    whole = experiment_of(PAGES[name], variant)
    assert all(accepts(PAGES[name], variant, setting) and value != getattr(whole, setting)
               for setting, value in given.items())  # fmt: skip
    panel = live.panel(name, mode="blocking")
    assert panel.epochs() == experiment_of(PAGES[name], variant, **given).epochs
    (setting, value), *_ = given.items()
    assert panel._settings[setting] == value
    assert live.panel(name, mode="blocking", **{setting: value + 1})._settings[setting] == value + 1


def test_a_panel_counts_the_records_of_the_settings_it_was_given():
    panel = live.panel("local_clustering", passes=7, mode="blocking")  # a setting that has no control
    assert panel.epochs() == 7


# What it carries


@pytest.mark.parametrize("paper", PAPERS)
def test_the_notebook_prints_the_verdicts_of_the_stored_results(paper):
    checked = claims_of(paper)
    assert checked.outcomes.keys() == {claim.id for claim in PAGES[paper].claims}
    assert all(len(outcome.values) == len(PAGES[paper].seeds) for outcome in checked.outcomes.values())
    for id, outcome in checked.outcomes.items():  # what surely does not hold is explained
        assert outcome.verdict != "does not hold" or CLAIMS[id].why, id
    cells = json.loads((NOTEBOOKS / notebook_of(paper)).read_text(encoding="utf-8"))["cells"]
    (printed,) = [
        "".join(output["text"])
        for cell in cells
        if cell["cell_type"] == "code" and "print_verdicts" in "".join(cell["source"])
        for output in cell["outputs"]
    ]
    lines = [f"{o.verdict:<14} {CLAIMS[id].sentence}" for id, o in checked.outcomes.items()]
    assert printed.splitlines() == lines


@pytest.mark.parametrize("paper", PAPERS)
def test_its_stored_results_are_small_and_say_where_they_come_from(paper):
    sweep = load_sweep(paper)
    assert stored(paper).stat().st_size < 400_000
    assert all(result.made["date"] and result.made["versions"]["nlkit"] for result in sweep.results)
    assert len(at_the_end(PAGES[paper], sweep)[1]) >= min(2, len(PAGES[paper].variants))


@pytest.mark.slow
def test_the_index_shows_every_paper_with_one_picture_and_one_sentence():
    shown = list(entries())
    assert [entry.name for entry in shown] == list(PAPERS)
    for entry in shown:
        assert entry.page.finding in entry.words and len(entry.picture.alt) > 40
        assert f"{len(entry.page.seeds)} seeds" in entry.words
    cells = json.loads((NOTEBOOKS / "atlas" / "00_index.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == len(PAPERS)
    text = json.dumps(outputs, ensure_ascii=False)
    assert all(entry.page.title in text for entry in shown)


def test_lessons_come_before_papers_in_reading_order():
    assert list(PAGES) == [*LESSONS, *PAPERS] and set(PAGE_OF.values()) == set(PAGES)
