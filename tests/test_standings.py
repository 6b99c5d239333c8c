"""Standings: from stored runs to rows, beside means and differences by hand; the claims and tables made of them."""

import pytest

from nlkit.claims import CLAIMS, claims_of
from nlkit.intervals import counted
from nlkit.lessons import clothes
from nlkit.lessons.board_tables import on_clothes, on_digits
from nlkit.lessons.how_far import PAGE
from nlkit.lessons.rows import NOISES, ROWS
from nlkit.lessons.standings import standings
from nlkit.sweeps.results import Result, Sweep

BY_NAME = {row.name: row for row in (*ROWS, *clothes.CLOTHES)}
ON_CLOTHES = (clothes.NOISE, clothes.RATIO)
MADE = {"date": "today", "versions": {"nlkit": "1"}, "processor": "one", "cores": 2}


def runs(name: str, finals: dict[int, float], at=NOISES[0], data="mnist") -> list[Result]:
    return [
        Result(BY_NAME[name].experiment(*at, seed, data), {"test_accuracy": (0.99, v)}, 1.0, MADE)
        for seed, v in finals.items()
    ]


def test_rows_stand_in_the_order_of_their_means_and_are_compared_seed_by_seed():
    sweep = Sweep((*runs("reweighting", {1: 0.8, 2: 0.9, 5: 0.1}), *runs("EM", {2: 0.97, 1: 0.95})))
    board = standings(sweep)
    assert list(board) == ["EM", "reweighting"]
    assert board["EM"].final.mean == pytest.approx(0.96)
    assert board["EM"].final.half == pytest.approx(12.7062 * 0.01, abs=1e-5)  # t of one degree, spread/√2
    assert board["EM"].best == pytest.approx((0.99, 0.0))
    assert board["EM"].lowest == 0.95 and board["reweighting"].lowest == 0.1
    assert board["EM"].ahead_of(board["reweighting"]) == pytest.approx({1: 0.15, 2: 0.07})
    assert counted(len(s.runs) for s in board.values()) == "2 to 3 seeds"


def test_other_noise_has_its_own_runs_and_the_marks_and_the_clean_set_stand_everywhere():
    pair = NOISES[-1]
    alone, mark = runs("the clean set alone", {1: 0.87}), runs("true labels", {1: 0.98})
    sweep = Sweep((*runs("EM", {1: 0.9}, pair), *runs("EM", {1: 0.8}), *alone, *mark))
    assert {name: s.final.mean for name, s in standings(sweep, *pair).items()} == {
        "true labels": 0.98, "EM": 0.9, "the clean set alone": 0.87,
    }  # fmt: skip
    assert standings(sweep)["EM"].final.mean == 0.8
    with pytest.raises(ValueError, match="no run of this sweep has data='mnist', noise='symmetric', ratio=0.4"):
        standings(sweep, "symmetric", 0.4)


def test_what_is_claimed_is_measured_of_the_rows_that_the_sentence_names():
    finals = {row.name: 0.5 + 0.02 * place for place, row in enumerate(ROWS)}
    results = [r for row in ROWS for r in runs(row.name, {seed: finals[row.name] for seed in PAGE.seeds})]
    for noise, drop in zip(NOISES[1:], (0.1, 0.2, 0.3, 0.25)):
        for name in ("EM", "EM without a clean set", "forward correction, full recipe", "stopped in time"):
            lower = drop if name.endswith("set") else 0.0
            results += runs(name, {seed: finals[name] - lower for seed in PAGE.seeds}, noise)
    measured = claims_of("leaderboard", Sweep(tuple(results))).outcomes
    assert measured["leaderboard_best"].mean == pytest.approx(finals["EM"])
    assert measured["leaderboard_mark"].mean == pytest.approx(finals["EM"] - finals["true labels"])
    assert measured["without_blends"].mean == pytest.approx(finals["EM"] - finals["EM without blends"])
    assert measured["elsewhere_no_clean"].mean == pytest.approx(finals["EM without a clean set"] - finals["EM"] - 0.3)
    gap = finals["forward correction, full recipe"] - finals["stopped in time"]
    assert measured["elsewhere_stopped"].mean == pytest.approx(gap)
    assert measured.keys() == {id for id in CLAIMS if id.startswith(("leaderboard_", "without_", "elsewhere_"))}
    assert {len(o.values) for o in measured.values()} == {5} and 0 not in PAGE.seeds  # settings were chosen with it
    with pytest.raises(ValueError, match="the sweep has no run of"):
        claims_of("leaderboard", Sweep(tuple(results[:7])))


def test_the_tables_say_what_each_row_was_told():
    pair = NOISES[-1]
    stored = (*runs("EM", {1: 0.97, 2: 0.99}), *runs("true labels", {1: 0.98, 2: 0.98}), *runs("EM", {1: 0.9}, pair))
    lines = on_digits(Sweep(stored)).splitlines()
    assert "| EM | 50 clean per class | all | 98.0 ± 12.7 | 97.0 | 99.0 ± 0.0 | 0.0 ± 12.7 | 2 |" in lines
    assert "| *true labels* | all labels are right | nothing | 98.0 ± 0.0 | 98.0 | 99.0 ± 0.0 |  | 2 |" in lines
    assert "| EM | 98.0 ± 12.7 | 90.0 |" in lines
    assert "| *published: Co-teaching* |  | *87.6* |" in lines
    assert any(line.endswith("had any. today, nlkit 1, one, 2 cores.") for line in lines)


def test_whose_settings_come_from_trials_stands_beside_each_row():
    """EM's alone, and the recipe that the rows called so share with it; no row that is not called so has it."""
    for row in BY_NAME.values():
        expected = "all" if row.method == "em" else "the recipe, for EM" if "full recipe" in row.name else "nothing"
        if row.name.startswith(("SOP+", "DISC")):
            expected = "the options, on 5,000 digits; the recipe, for EM"
        assert row.tuned == expected, row.name


def test_the_board_on_clothes_is_of_its_own_runs():
    """Marks and the clean set alone are those of Fashion-MNIST; runs on digits stand on their own board."""
    own = {"EM": 0.88, "the clean set alone": 0.8, "true labels": 0.9, "DISC, full recipe": 0.85}
    stored = [r for name, final in own.items() for r in runs(name, {2: final}, ON_CLOTHES, clothes.DATA)]
    sweep = Sweep((*stored, *runs("EM", {2: 0.98}), *runs("true labels", {2: 0.97})))
    assert {name: s.final.mean for name, s in clothes.board(sweep).items()} == own
    assert {name: s.final.mean for name, s in standings(sweep).items()} == {"EM": 0.98, "true labels": 0.97}
    tuned = "the options, on 5,000 digits; the recipe, for EM"
    line = f"| DISC, full recipe | nothing | {tuned} | 85.0 | 85.0 | 99.0 | -5.0 | 1 |"
    assert line in on_clothes(sweep).splitlines()


def test_what_is_claimed_of_clothes_is_measured_of_the_rows_that_the_sentence_names():
    finals = {row.name: 0.6 + 0.015 * place for place, row in enumerate(clothes.CLOTHES)}
    stored = [
        r for name, final in finals.items()
        for r in runs(name, {seed: final for seed in clothes.PAGE.seeds}, ON_CLOTHES, clothes.DATA)
    ]  # fmt: skip
    measured = claims_of("leaderboard-clothes", Sweep(tuple(stored))).outcomes
    pairs = {
        "clothes_control": ("EM", "the clean set alone, full recipe"),
        "clothes_no_clean": ("EM without a clean set", "EM"),
        "clothes_forward": ("EM", "forward correction, full recipe"),
        "clothes_mark": ("EM", "true labels, full recipe"),
        "clothes_recipe": ("standard training, full recipe", "standard training"),
    }
    assert measured.keys() == pairs.keys()
    for id, (ours, theirs) in pairs.items():
        assert measured[id].mean == pytest.approx(finals[ours] - finals[theirs]), id
