"""The book's players: their tables against the files of stored runs; their controls in Chromium, without a network."""

import csv
import functools
import io
import json
import re
import shutil
import statistics
from pathlib import Path

import altair
import pytest
import scipy.stats
from browser import violations

from book.plays.batches import read
from book.plays.mixtures import tiles
from book.plays.page import PLACES, as_html, bundle, with_players
from book.plays.players import LESSONS, player_of
from nlkit.contents import PAGES, experiment_of
from nlkit.identity import identity
from nlkit.live.mentormix_panel import mixed, trained
from nlkit.papers import PAPERS
from nlkit.plots.style import METHOD_STYLES

SOME = (*LESSONS, "elr", "local_clustering")  # of the papers, which are all made alike
ALL = [*SOME, *(pytest.param(name, marks=pytest.mark.nightly) for name in PAPERS if name not in SOME)]
STATIC = Path(__file__).parent.parent / "book" / "_static"


@functools.cache
def made(name: str):
    return player_of(name)


def stored(player, **settings) -> dict[int, dict[str, list[float]]]:
    """Seed -> the curves of the runs with these settings, from the files of stored runs themselves."""
    found = {}
    for file in player.files:
        content = json.loads(file.read_text(encoding="utf-8"))
        for row in content["results"]:
            has = content["shared"] | row["settings"]
            if all(has.get(name) == value for name, value in settings.items()):
                found[has["seed"]] = row["curves"]
    return found


def table(chart) -> list[dict[str, str]]:
    """The rows that a chart has with it."""
    (text,) = chart.spec["datasets"].values()
    return list(csv.DictReader(io.StringIO(text)))


# Tables


@pytest.mark.parametrize(
    ("name", "method", "at", "seeds"),
    [
        ("memorization", "standard", {"ratio": 0.8, "clean_per_class": 50}, 5),
        ("memorization", "early_stopping", {"ratio": 0.2, "clean_per_class": 10}, 3),
        ("meta-reweighting", "reweight", {"ratio": 0.4, "clean_per_class": 20}, 5),
        ("mentormix", "mentornet", {"ratio": 0.6, "clean_per_class": 10}, 3),
    ],
)
def test_a_curve_is_the_mean_of_the_stored_runs(name, method, at, seeds):
    player = made(name)
    epochs = 40 if name == "memorization" else 25
    runs = stored(player, method=method, epochs=epochs, optimizer="adam", data="mnist5k", **at)
    assert len(runs) == seeds
    places = {f"k{i}": str(knob.values.index(at[knob.name])) for i, knob in enumerate(player.knobs) if knob.name in at}
    for place, number in enumerate(("test_accuracy", "memorized")):
        wanted = places | {"variant": method, "k2": str(place)}
        rows = [row for row in table(player.charts[0]) if wanted.items() <= row.items()]
        assert [int(row["epoch"]) for row in rows] == list(range(1, epochs + 1))
        for row, values in zip(rows, zip(*(curves[number] for curves in runs.values()))):
            assert float(row["mean"]) == pytest.approx(100 * statistics.mean(values), abs=0.006)
            assert float(row["low"]) == pytest.approx(100 * min(values), abs=0.006)
            assert float(row["high"]) == pytest.approx(100 * max(values), abs=0.006)


@pytest.mark.parametrize("name", ALL)
def test_every_point_is_stored_told_and_drawn(name):
    player = made(name)
    assert len({point.at for point in player.points}) == len(player.points)
    assert tuple(player.starts) in {point.at for point in player.points}
    for turn, knob in enumerate(player.knobs):  # no value is offered at which nothing is stored
        assert {point.at[turn] for point in player.points} == set(range(len(knob.values)))
    for point in player.points:
        assert point.words and all(len(line) > 6 for line in point.words)
    for chart in player.charts:
        assert len(chart.shows) > 40
        altair.LayerChart.from_dict(chart.spec)  # which minds Vega-Lite's rules
    assert len(as_html(player, name)) < 450_000


def words_at(player, *places: int) -> tuple[str, ...]:
    return next(point.words for point in player.points if point.at == places)


@pytest.mark.parametrize(
    ("size", "rival"), [(1, "clean_only"), (100, "clean_only"), (20, "early_stopping"), (5, "standard")]
)
@pytest.mark.parametrize("ratio", [0.0, 0.4, 0.8])
def test_a_cell_of_the_map_is_the_paired_difference_of_the_stored_runs(ratio, size, rival):
    player = made("reweight-or-clean")
    theirs = stored(player, method=rival, clean_per_class=size, **({"ratio": ratio} if rival != "clean_only" else {}))
    ours = stored(player, method="reweight", clean_per_class=size, ratio=ratio)
    leads = [100 * (ours[seed]["test_accuracy"][-1] - theirs[seed]["test_accuracy"][-1]) for seed in sorted(ours)]
    sure = scipy.stats.ttest_1samp(leads, 0).pvalue < 0.05
    verdict = "ties with" if not sure else "is ahead of" if sum(leads) > 0 else "is behind"
    at = [knob.values.index(v) for knob, v in zip(player.knobs, (ratio, size, rival.replace("_", " ")))]
    told = words_at(player, *at)[0]
    assert told.startswith(f"reweight {verdict} {rival.replace('_', ' ')}: {statistics.mean(leads):+.1f} ± ")
    (cell,) = [row for row in table(player.charts[0]) if [int(row[f"k{i}"]) for i in range(3)] == at]
    assert cell["words"][0] == {"ties with": "≈", "is ahead of": "▲", "is behind": "▼"}[verdict]


@pytest.mark.parametrize(
    ("paper", "variant", "moved", "fixed"),
    [
        ("elr", "ELR", {"wrong": 0.3}, {}),
        ("uda", "UDA", {"per_class": 10}, {"steps": 1500, "record_every": 400}),
    ],
)
def test_a_papers_number_is_the_mean_of_its_stored_runs(paper, variant, moved, fixed):
    player, page = made(paper), PAGES[paper]
    at = [knob.values.index(moved.get(knob.name, knob.start)) for knob in player.knobs]
    wanted = identity(experiment_of(page, variant, **moved, **fixed)) | {"seed": None}
    content = json.loads(player.files[0].read_text(encoding="utf-8"))
    ends = [
        row["curves"][page.headline][-1]
        for row in content["results"]
        if content["shared"] | row["settings"] | {"seed": None} == wanted
    ]
    assert len(ends) == len(page.seeds)
    (told,) = [line for line in words_at(player, *at) if line.startswith(f"{variant}: ")]
    assert told.startswith(f"{variant}: {statistics.mean(ends):.3g} ± ")
    (row,) = [row for row in table(player.charts[0]) if row["variant"] == variant
              and all(row[f"k{i}"] in ("", str(place)) for i, place in enumerate(at))]  # fmt: skip
    assert float(row["mean"]) == pytest.approx(statistics.mean(ends), rel=1e-4)


def test_the_stored_batch_is_the_panels():
    kept, at = read(), (3, 3, 2)  # 60 % noise, p = 40 %, alpha = 2
    task, model = trained(0.6)
    batch = mixed(task, model, 0.4, 2.0)
    assert kept["batches"][3]["losses"] == pytest.approx(batch.losses.tolist(), abs=0.02)
    rows = tiles(kept, at)
    assert [row["kind"] for row in rows[::4]] == ["itself", "partner", "blend"]
    for own, partner, blend in zip(rows[:4], rows[4:8], rows[8:]):
        assert partner["place"] == blend["under"] == batch.partner[own["place"]].item()
        assert own["place"] == blend["place"]
        assert blend["share"] == pytest.approx(batch.lam[own["place"]].item(), abs=0.001)
        assert blend["words"].endswith(f"weight {batch.v[own['place']]:.0f}")
        assert own["words"] == f"{task.given[batch.picks[own['place']]]} {'✗✓'[own['label'] == 'right']}"
    for at_ratio in kept["batches"]:
        for mixture in at_ratio["mixtures"]:
            trusted = [
                right for right, loss in zip(at_ratio["right"], at_ratio["losses"]) if loss < mixture["threshold"]
            ]
            assert mixture["words"].startswith(f"{len(trusted)} of 128 examples have weight 1, {sum(trusted)} of them")


# Chapters


def test_a_player_stands_behind_its_panel_and_nowhere_else():
    code = [{"cell_type": "code", "source": s, "outputs": []} for s in ("live.training()", "1 + 1")]
    cells = with_players({"cells": code}, "02_memorization")["cells"]
    assert [cell["cell_type"] for cell in cells] == ["code", "markdown", "code"]
    assert "```{play} memorization" in cells[1]["source"] and cells[::2] == code
    assert with_players({"cells": code}, "01_label_noise")["cells"] == code
    with pytest.raises(ValueError, match="02_memorization.*live.training"):
        with_players({"cells": code[1:]}, "02_memorization")
    assert {name for places in PLACES.values() for name, _ in places} == set(LESSONS)
    panel = [{"cell_type": "code", "source": 'live.panel("elr")', "outputs": []}]
    assert "```{play} elr" in with_players({"cells": panel}, "elr")["cells"][1]["source"]
    with pytest.raises(ValueError, match="name='nobody'"):
        player_of("nobody")


# In Chromium, from files on a disk


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with a page for each player, and what the book gives its pages for it."""
    folder = tmp_path_factory.mktemp("room")
    bundle(folder)
    shutil.copy(STATIC / "play.js", folder)
    style = f"<style>{(STATIC / 'book.css').read_text(encoding='utf-8')}</style>"
    scripts = "".join(f'<script src="{name}.js" defer></script>' for name in ("vega", "play"))
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>A player</title>{style}{scripts}'
    head += "<main><h1>Play</h1>"
    for name in SOME:
        (folder / f"{name}.html").write_text(head + as_html(made(name), name) + "</main>", encoding="utf-8")
    return folder


def opened(page, room, name: str):
    """The player on a page that has no network."""
    page.context.set_offline(True)
    page.goto((room / f"{name}.html").as_uri())
    page.locator(".play[data-ready]").wait_for()
    return page.locator(".play")


def heights(player, color: str) -> list[float]:
    """The markers of a colour in a chart of curves: their percentages, from left to right."""
    found = player.locator(".play-chart svg").first.evaluate(
        """(svg, color) => [...svg.querySelectorAll('.role-mark path')]
            .filter(mark => mark.getAttribute('fill') == color && mark.getAttribute('transform'))
            .map(mark => mark.getAttribute('transform').match(/[-\\d.]+/g).map(Number))""",
        color,
    )
    return [100 * (1 - y / 260) for _, y in sorted(found)]


def test_a_slider_answers_to_the_keyboard_with_stored_runs_and_no_network(page, room):
    player = opened(page, room, "meta-reweighting")
    ratio = player.get_by_role("slider", name="noise ratio")
    assert ratio.get_attribute("aria-valuetext") == "40 %"
    told = player.get_by_role("status")
    assert "noise ratio 40 %, clean per class 20, 5 seeds" in told.inner_text()
    color = METHOD_STYLES["reweight"].color
    for key, share, words in (("ArrowRight", 0.5, "50 %"), ("End", 0.9, "90 %"), ("Home", 0.0, "0 %")):
        ratio.press(key)
        page.wait_for_function("words => document.querySelector('[role=status]').innerText.includes(words)",
                               arg=f"noise ratio {words}, clean per class 20")  # fmt: skip
        assert ratio.get_attribute("aria-valuetext") == words
        runs = stored(made("meta-reweighting"), method="reweight", ratio=share, clean_per_class=20)
        means = [100 * statistics.mean(v) for v in zip(*(curves["test_accuracy"] for curves in runs.values()))]
        assert f"then {means[-1]:.1f}%" in told.inner_text()
        page.wait_for_timeout(100)
        assert heights(player, color) == pytest.approx(means[::2], abs=0.1)
        assert f"then {means[-1]:.1f}%" in player.get_by_role("img").get_attribute("aria-label")
    player.get_by_role("combobox", name="what is drawn").select_option("wrong labels memorized")
    told.get_by_text("wrong labels memorized").wait_for()


def test_what_is_not_stored_is_answered_by_the_nearest_and_named(page, room):
    player = opened(page, room, "local_clustering")
    told = player.get_by_role("status")
    assert told.inner_text().startswith("Stored runs: cluster random model")
    player.get_by_role("slider", name="a1").press("ArrowRight")  # of which there are runs where a0 is the same
    told.get_by_text("Nearest stored runs").wait_for()
    assert "a1 80 %, a0 80 %" in told.inner_text()
    assert player.get_by_role("slider", name="a0").get_attribute("aria-valuetext") == "70 %"
    player.get_by_role("slider", name="a0").press("ArrowRight")
    told.get_by_text(re.compile("^Stored runs")).wait_for()
    before = player.locator(".play-chart:visible").count()
    player.get_by_role("slider", name="known").press("ArrowLeft")
    told.get_by_text("known 10").wait_for()
    assert player.locator(".play-chart:visible").count() == before == 2
    player.locator("text=known").last.wait_for()


@pytest.mark.parametrize("name", ["meta-reweighting", "mentormix-batch", "reweight-or-clean", "local_clustering"])
def test_a_player_keeps_nobody_out_and_fits_a_phone(page, room, name):
    player = opened(page, room, name)
    assert not violations(page)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert player.locator("svg").first.bounding_box()["width"] > 0.75 * min(width, 700)
