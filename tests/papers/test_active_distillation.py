"""The game by linear programming and by its worst case; who is asked, and what is learned, by what is handed over."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch.nn import functional as F

from nlkit.contents import PAGES
from nlkit.noise import teachers
from nlkit.noise.few_labels import few_labels
from nlkit.noise.teachers import AT_RANDOM, OPPONENT, OWN, answered
from nlkit.papers import active_distillation_rounds as rounds
from nlkit.papers.active_distillation_game import STRATEGIES, chances_to_ask, gains, solve
from nlkit.papers.active_distillation_rounds import Questions
from tests.made_up import Answers

PAGE = PAGES["active_distillation"]
SMALL = {"rounds": 2, "count": 20, "steps": 50}
ONE = {"rounds": 1, "count": 20, "steps": 50}


def games(count, n=12):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        yield torch.from_numpy(rng.random(n)), rng.random() * (n - 1)


def worst(p, g, m):
    """What p gains if the opponent makes m answers wrong where that costs most, a part of the last one."""
    products = np.sort(p * g)[::-1]
    whole = int(m)
    return products[whole:].sum() - (m - whole) * products[whole]


# The game


def test_the_closed_form_is_the_value_of_the_linear_program():
    for g, m in games(30):
        n = len(g)
        # max Σ p g − (m λ + Σ μ) with λ + μ_i ≥ p_i g_i, the dual of what the opponent takes; variables p, μ, λ
        upper = np.hstack([np.diag(g), -np.eye(n), -np.ones((n, 1))])
        free = linprog(
            np.r_[-g, np.ones(n), m], A_ub=upper, b_ub=np.zeros(n), A_eq=[[1.0] * n + [0.0] * (n + 1)], b_eq=[1],
            bounds=[(0, None)] * (2 * n) + [(None, None)],
        )  # fmt: skip
        found = solve(g, m)
        assert found.value == pytest.approx(-free.fun, abs=1e-9)
        assert worst(found.chances.numpy(), g.numpy(), m) == pytest.approx(found.value)


def test_no_other_chances_gain_more_in_their_worst_case():
    rng = np.random.default_rng(0)
    (g, m), *_ = games(1)
    value = solve(g, m).value
    assert max(worst(rng.dirichlet(np.full(12, 0.3)), g.numpy(), m) for _ in range(500)) <= value + 1e-9


def test_what_is_asked_is_worth_the_same_and_the_rest_is_surer_than_the_value():
    for g, m in games(20):
        found = solve(g, m)
        asked = found.chances > 0
        worth = (found.chances * g)[asked]
        assert found.chances.sum().item() == pytest.approx(1) and int(asked.sum()) == found.asked
        assert torch.allclose(worth, worth[:1]) and torch.equal(asked, g > found.value)


def test_more_wrong_answers_lower_the_value_and_spread_the_questions():
    (g, _), *_ = games(1, n=50)
    found = [solve(g, m) for m in (0, 1, 5, 20, 40, 49.9)]
    values, asked = [f.value for f in found], [f.asked for f in found]
    assert sorted(values, reverse=True) == values and sorted(asked) == asked and asked[-1] == 50
    assert torch.allclose(found[-1].chances, (1 / g) / (1 / g).sum())


def test_without_wrong_answers_it_is_margin_sampling_and_equal_gains_are_asked_evenly():
    (g, _), *_ = games(1, n=50)
    assert set(solve(g, 0, at_least=7).chances.nonzero().flatten().tolist()) == set(g.topk(7).indices.tolist())
    even = solve(torch.full((40,), 0.6), 10)
    assert even.value == pytest.approx(0.6 * 30 / 40) and even.chances.tolist() == pytest.approx([1 / 40] * 40)
    assert math.isfinite(solve(torch.zeros(5), 1, at_least=5).value)


P = torch.tensor([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0], [0.4, 0.3, 0.3], [1.0, 0.0, 0.0]])


def test_a_gain_is_one_less_the_margin():
    assert gains(P).tolist() == pytest.approx([1, 0.2, 0.9, 0], abs=1e-6)


@pytest.mark.parametrize(
    "strategy, asked",
    [("margin", {0, 2}), ("entropy", {2, 0}), ("confident", {1, 3}), ("oracle", {0, 1}), ("random", {0, 1, 2, 3}),
     ("RAD", {0, 2}), ("RAD's set, evenly", {0, 2})],
)  # fmt: skip
def test_each_strategy_asks_what_its_name_says(strategy, asked):
    p = chances_to_ask(strategy, P, 0.2, 2, torch.tensor([True, True, False, False]))
    assert set(p.nonzero().flatten().tolist()) == asked and p.sum().item() == pytest.approx(1)
    if strategy == "RAD":
        assert p[2] > p[0]  # the surer of those that are asked, the oftener
    else:
        assert len(set(p[p > 0].tolist())) == 1
    assert strategy in STRATEGIES


# Who answers


def test_an_opponent_s_teacher_errs_where_the_student_is_least_sure_and_nowhere_else():
    true, unsure = torch.arange(200) % 10, torch.rand(200, generator=torch.Generator().manual_seed(0))
    says = answered(OPPONENT, None, true, 0.3, unsure, seed=1)
    assert set((~says.right).nonzero().flatten().tolist()) == set(unsure.topk(60).indices.tolist())
    assert torch.equal(says.soft.argmax(1) == true, says.right) and says.soft.sum(1).unique().tolist() == [1]
    scattered = answered(AT_RANDOM, None, true, 0.3, unsure, seed=1)
    assert (~scattered.right).sum() == 60 and abs(unsure[~scattered.right].mean() - 0.5) < 0.1
    own = torch.rand(200, 10)
    assert answered(OWN, own, true, 0.3, unsure, seed=1).soft is own


# The rounds


@pytest.fixture
def handed(monkeypatch):
    """What each student learned from, and which m was told each time."""
    seen = {"learned": [], "m": []}
    honest, chances = rounds.learned, rounds.chances_to_ask

    def learned(images, labels, places, *more):
        seen["learned"].append((labels.clone(), places))
        return honest(images, labels, places, *more)

    def asked(strategy, p, m, count, right):
        seen["m"].append((m, float((~right).sum()), len(right)))
        return chances(strategy, p, m, count, right)

    monkeypatch.setattr(teachers, "STEPS", 100)
    monkeypatch.setattr(rounds, "learned", learned)
    monkeypatch.setattr(rounds, "chances_to_ask", asked)
    for kept in (rounds.beginning, rounds.own_answers):
        kept.cache_clear()
    yield seen
    for kept in (rounds.beginning, rounds.own_answers):  # other tests have longer trainings
        kept.cache_clear()


def test_a_student_learns_from_a_and_all_answers_and_no_image_is_asked_twice(handed):
    records = list(Questions(**SMALL, ratio=0.2, share=0.3, told=0.5).run())
    world = few_labels(10, 0.2, seed=0)
    (_, alone), *later = handed["learned"]
    assert alone.tolist() == list(range(100)) and [len(places) for _, places in later] == [120, 140]
    labels, places = later[-1]
    assert torch.equal(labels[:100].argmax(1), world.given) and len(set(places.tolist())) == 140
    asked = places[100:] - 100
    said_right = (labels[100:].argmax(1)[asked] == world.hidden[asked]).double().mean().item()
    assert records[-1].numbers["right"] == said_right and 0 < records[-1].numbers["useful"] < 1
    assert set(later[0][1].tolist()) < set(places.tolist())
    assert [record.numbers["asked"] for record in records] == [0, 20, 40]
    assert math.isnan(records[0].numbers["right"]) and not records[0].shown
    assert records[0].numbers["wrong"] == pytest.approx(0.3, abs=1e-3)
    assert all(m == pytest.approx(0.5 * wrong) for m, wrong, _ in handed["m"])
    assert [size for *_, size in handed["m"]] == [3900, 3880]
    shown = records[-1].shown
    assert shown["asked"].sum() == 20 and (np.diff(shown["gains"]) <= 0).all()
    assert (shown["chances"][shown["asked"]] > 0).all()
    first = records[1].shown["right"]  # by the first student's gains, by which the opponent chose
    assert not first[:1170].any() and first[1170:].all()


def test_labels_that_count_m_are_taken_from_a(handed):
    records = list(Questions(**ONE, held_out=20, share=0.6).run())
    assert [len(places) for _, places in handed["learned"]] == [80, 100]
    (m, _, size), *_ = handed["m"]
    assert m / size * 20 == pytest.approx(round(m / size * 20)) and 0.2 < m / size < 1
    assert records[-1].numbers["asked"] == 20


def test_a_real_teacher_gives_probabilities_or_its_likeliest_class(handed):
    soft, hard = (list(Questions(**ONE, errors=OWN, soft=soft).run())[-1] for soft in (True, False))
    labels = [labels[100:] for labels, places in handed["learned"] if len(places) == 120]
    assert labels[0].amax(1).min() < 0.9 and torch.equal(labels[1].sort(1).values[:, -1], torch.ones(3900))
    assert torch.equal(labels[0].argmax(1), labels[1].argmax(1))
    assert soft.numbers["right"] == hard.numbers["right"] and 0.7 < 1 - soft.numbers["wrong"] < 0.95


def test_the_picture_tells_what_was_asked_and_answered(handed):
    records = {"oracle": list(Questions("oracle", **ONE).run())}
    told = PAGE.picture(records).alt
    assert "oracle asked 20 images: 20 answers right, 0 wrong." in told
    assert f"oracle {records['oracle'][-1].numbers['test_accuracy']:.1%}" in told
    assert "No run yet" in PAGE.picture({}).alt


# What is said


def test_claims_measure_what_they_say():
    def answer(e, number):
        base = {"RAD": 8, "margin": 4, "random": 2, "oracle": 1}[e.strategy]
        value = base * (1 + 10 * e.share) + 100 * (number == "right") + 1000 * (e.errors == OWN) * (e.strategy == "RAD")
        return value * (1 - e.ratio) * e.told + 5000 * (e.errors == AT_RANDOM) * (e.strategy == "margin")

    class Trial(Answers):
        def run(self, variant, **changes):
            kept = super().run(variant, **changes)
            share = changes.get("share", 0)
            kept.curves = {"test_accuracy": [50, 40 - 10 * share, 30, 60 - 100 * share]}
            return kept

    measured = {
        claim.id.removeprefix("active_distillation_"): claim.measure(Trial(PAGE, answer)) for claim in PAGE.claims
    }
    assert measured.pop("opponent") == pytest.approx([8, 16])
    assert measured.pop("random") == pytest.approx([12, 24])
    assert measured.pop("worse") == pytest.approx([11, 13])
    assert measured.pop("worth") == pytest.approx([0, -20])
    assert measured.pop("right") == pytest.approx([1008])
    assert measured.pop("natural") == pytest.approx([1008, 0.7 * 1008])
    assert measured.pop("scattered") == pytest.approx([16 - 5000])
    assert measured.pop("half") == pytest.approx(8)
    assert not measured


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: solve(torch.rand(4), -1), "m=-1 must be a number of at least 0"),
        (lambda: solve(torch.rand(4), 4), "m=4 must be below 4"),
        (lambda: solve(torch.tensor([0.5, 1.2]), 0), "must be gains"),
        (lambda: solve(torch.rand(4), 1, at_least=5), "at_least=5 must be a whole number from 1 to 4"),
        (lambda: gains(torch.full((3, 2), math.nan)), "no NaN"),
        (lambda: chances_to_ask("RAD", P, 1, 5, torch.ones(4) > 0), "count=5 .* the pool has 4"),
        (lambda: chances_to_ask("rad", P, 1, 2, torch.ones(4) > 0), "strategy='rad' is not known"),
        (lambda: answered(OWN, None, torch.zeros(3).long(), 0.1, torch.rand(3), 0), "own=None"),
        (lambda: Questions(told=2.0), "told=2.0"),
        (lambda: Questions(errors="none"), "errors='none'"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_soft_labels_are_those_that_f_one_hot_would_make_of_right_ones():
    true = torch.arange(10)
    assert torch.equal(answered(AT_RANDOM, None, true, 0.0, true, 0).soft, F.one_hot(true, 10).float())
