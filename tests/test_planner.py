"""The planner beside a surface whose truth is known, scikit-learn's own process, and a search over all splits."""

import numpy as np
import pytest

from nlkit.lessons import clean_label_budget as lesson
from nlkit.lessons.clean_label_budget import CELLS, FITTED, HELD, Purchases
from nlkit.planner import FEW, fit_surface, plan

POINTS = [(n, c, r) for n in (0, 50, 200, 800, 3000) for c in (0, 10, 100, 1000) for r in (0.0, 0.4, 0.8) if n + c]


def truth(purchases, jump=0.0):
    n, c, r = np.asarray(purchases, float).T
    return 0.9 - 0.8 * np.exp(-0.25 * np.log1p(c / 20) - 0.3 * (1 - r) * np.log1p(n / 20)) - jump * (c > 0) * (n > 0)


def surface_of(scatter=0.01, jump=0.0, seeds=5):
    draws = np.random.default_rng(0).normal(size=(2, len(POINTS), seeds)) * scatter
    at = {name: (truth(POINTS, j)[:, None] + d).clip(0, 1) for name, j, d in zip(("a", "b"), (jump, 0.2), draws)}
    return fit_surface(POINTS, at)


@pytest.fixture(scope="module")
def surface():
    return surface_of()


def test_a_known_truth_is_found_between_the_points_and_its_intervals_hold_single_runs(surface):
    generator = np.random.default_rng(1)
    at = np.column_stack(
        [generator.uniform(20, 3000, 300), generator.uniform(10, 1000, 300), generator.uniform(0, 0.8, 300)]
    )
    found = surface.expect("a", at)
    assert abs(found.mean - truth(at)).mean() < 0.01
    runs = truth(at) + generator.normal(size=300) * 0.01
    assert 0.9 <= ((found.low <= runs) & (runs <= found.high)).mean() <= 1
    assert found.scatter == pytest.approx(np.full(300, 0.01), rel=0.8)
    assert (found.half >= found.scatter).all()


def test_what_is_not_known_is_less_where_there_are_measurements(surface):
    found = surface.expect("a", [(200, 100, 0.4), (25, 33, 0.2)])
    assert found.unknown[0] < found.unknown[1]
    drawn = surface.draws("a", [(200, 100, 0.4), (25, 33, 0.2)])
    assert drawn.std(0) == pytest.approx(found.unknown, rel=0.15) and drawn.mean(0) == pytest.approx(
        found.mean, abs=0.005
    )


@pytest.mark.parametrize("budget", [100, 700])
@pytest.mark.parametrize("price", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("ratio", [0.0, 0.4, 0.8])
def test_the_plan_is_near_the_best_of_a_search_over_all_splits_of_the_truth(surface, budget, price, ratio):
    found = plan(surface, price, 1.0, budget, ratio)
    assert found.noisy * price + found.clean + found.left_over == pytest.approx(budget)
    every = [(min((budget - c) / price, 3000), c, ratio) for c in range(min(budget, 1000) + 1)]
    assert truth([(found.noisy, found.clean, ratio)])[0] >= truth(every).max() - 0.02
    assert found.recipe == "a" or 0 in (found.noisy, found.clean)  # at the ends the two are alike
    assert found.low <= found.accuracy <= found.high and 0 <= found.sure <= 1
    assert (found.purchases[:, :2] @ (price, 1) <= budget + 1e-9).all()


def test_dear_noisy_labels_are_not_bought_and_cheap_right_ones_are(surface):
    assert plan(surface, 5.0, 1.0, 100, 0.8).noisy == 0
    assert plan(surface, 0.01, 1.0, 20, 0.0).clean == 0
    left = plan(surface, 0.01, 1.0, 2000, 0.4)
    assert (left.noisy, left.clean) == (3000, 1000) and left.left_over == pytest.approx(970)


def test_money_in_other_coins_buys_the_same(surface):
    one, other = plan(surface, 0.1, 1.0, 100, 0.4), plan(surface, 10, 100, 10_000, 0.4)
    assert (one.noisy, one.clean, one.accuracy, one.sure) == (other.noisy, other.clean, other.accuracy, other.sure)


def test_sure_is_the_share_of_possible_surfaces_in_which_it_is_near_the_best():
    unsure = surface_of(scatter=0.12, seeds=2)
    found = plan(unsure, 0.1, 1.0, 100, 0.4)
    drawn = np.concatenate([unsure.draws(name, found.purchases) for name in ("a", "b")], axis=1)
    place = (found.purchases[:, :2] == (found.noisy, found.clean)).all(1).argmax()
    place += 0 if found.recipe == "a" else len(found.purchases)
    assert found.sure == (drawn[:, place] >= drawn.max(1) - 0.02).mean() < 0.9
    assert plan(surface_of(scatter=1e-4), 0.1, 1.0, 100, 0.4).sure > found.sure


@pytest.mark.parametrize(
    "bad, words",
    [
        ((0, 1, 100, 0.4), "noisy_price=0 must be a number above 0"),
        ((0.1, -1, 100, 0.4), "clean_price=-1"),
        ((0.1, float("nan"), 100, 0.4), "clean_price=nan"),
        ((0.1, 1, 0.5, 0.4), f"budget=0.5 buys fewer than {FEW} labels at 0.1; it must be at least 1"),
        ((0.1, 1, float("inf"), 0.4), "budget=inf"),
        ((0.1, 1, 100, 0.9), "ratio=0.9 must be a number from 0.0 to 0.8"),
    ],
)
def test_bad_plans_are_refused_by_name(surface, bad, words):
    with pytest.raises(ValueError, match=words):
        plan(surface, *bad)


def test_nothing_is_told_beyond_the_measurements(surface):
    for at, words in (((4000, 0, 0.4), "noisy labels=4000 must be from 0 to 3000"), ((9, 9, np.nan), "ratio=nan")):
        with pytest.raises(ValueError, match=words):
            surface.expect("a", [(10, 10, 0.1), at])
    for purchases, seen, words in (
        (POINTS, np.full((len(POINTS), 1), 0.5), "two seeds or more"),
        (POINTS[:3], np.full((len(POINTS), 2), 0.5), "must be"),
        (POINTS, np.full((len(POINTS), 2), 1.5), "shares from 0 to 1"),
        (POINTS, np.full((len(POINTS), 2), np.nan), "shares from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=words):
            fit_surface(purchases, {"a": seen})


# The lesson


def test_fitted_and_held_out_purchases_share_none_and_are_all_there_are():
    assert not set(FITTED) & set(HELD) and len(FITTED) + len(HELD) == 7 * len(CELLS)
    assert len(set(Purchases.kept)) == len(Purchases.kept)


def test_a_seed_that_is_left_out_of_the_surface_is_not_in_it():
    whole, without = lesson.surface(), lesson.surface(0)
    assert len(whole.known) == len(FITTED) == len(without.known)
    assert not np.allclose(whole.variances["one pot"], without.variances["one pot"])


def test_rules_choose_what_the_budget_pays_for():
    paid = np.array([(0, 100, 0.3), (800, 0, 0.3), (200, 30, 0.3), (50, 0, 0.3)])
    assert lesson.clean_alone(None, paid)[1] == 0 and lesson.noisy_alone(None, paid)[1] == 1
    recipe, row = lesson.planned(lesson.surface(), paid)
    best = {name: lesson.surface().expect(name, paid).mean for name in lesson.RECIPES}
    assert best[recipe][row] == max(map(max, best.values()))
