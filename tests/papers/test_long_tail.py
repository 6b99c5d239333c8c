"""Tails, subset estimates, closed forms and pairs, each against something independent."""

import math

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge as SklearnRidge

from nlkit.data.long_tail import Tail, draw_points, expected_mass, good_turing, most_seen, tail_of
from nlkit.learning.random_subsets import (
    KernelRidge,
    draw_subsets,
    effects,
    error_bound,
    learn_networks,
    left_after,
    like,
    memorization,
    models_needed,
    pairs_of,
)
from nlkit.learning.stages import logits
from nlkit.noise.noisy_digits import noisy_digits, one_hot
from nlkit.papers import long_tail as paper
from nlkit.papers.long_tail import Digits, Pairs
from nlkit.plots.long_tail import mass_by_count, memorized_digits

# The long tail


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_tau_is_the_mean_share_of_points_that_were_seen_so_often(exponent):
    alpha, n, often = tail_of(200, exponent), 150, 20_000
    counts = np.random.default_rng(0).binomial(n, alpha, (often, 200))  # of each point alone, as the formula has it
    for seen in range(4):
        at = counts == seen
        assert (at * alpha).sum() / at.sum() == pytest.approx(expected_mass(alpha, n, seen), rel=0.03)
    taus = [expected_mass(alpha, n, seen) for seen in range(20)]
    assert taus == sorted(taus) if exponent else np.allclose(taus, 1 / 200)


def test_a_sample_tells_tau_by_itself_and_nothing_underflows():
    alpha = tail_of(2000, 1.0)
    found = np.mean([good_turing(draw_points(alpha, 2000, 10, 0.0, seed)[1].sum(1), 1) for seed in range(40)])
    assert found == pytest.approx(expected_mass(alpha, 2000, 1), rel=0.05)
    assert math.isfinite(expected_mass(tail_of(50, 2.0), 100_000, 1)) and math.isnan(good_turing([5, 4], 1))


@pytest.mark.parametrize(("ratio", "least"), [(0.0, 2), (0.0, 3), (0.0, 5), (0.2, 2), (0.2, 3)])
def test_refusing_costs_what_the_formula_says(ratio, least):
    *_, last = Tail(ratio=ratio, least=least).run()
    assert last.numbers["cost"] == pytest.approx(last.numbers["formula"], rel=0.05)
    *_, fitting = Tail(ratio=ratio).run()
    assert last.numbers["test_error"] - fitting.numbers["test_error"] == pytest.approx(last.numbers["cost"])


def test_without_a_tail_nothing_need_be_memorized():
    *_, last = Tail(exponent=0.0, subpopulations=100, least=2, draws=5).run()
    assert last.numbers["cost"] == last.numbers["memorized"] == last.numbers["test_error"] == 0
    assert "good_turing" not in last.numbers  # no point was seen once


def test_drawn_labels_are_wrong_as_often_as_asked_for_and_of_other_classes():
    true, table = draw_points(tail_of(300, 1.0), 20_000, 5, 0.3, seed=1)
    right = table[np.arange(300), true]
    assert table.sum() == 20_000 and 1 - right.sum() / 20_000 == pytest.approx(0.3, abs=0.02)
    others = [table[true == c].sum(0)[d] for c in range(5) for d in range(5) if c != d]
    assert sum(others) == 20_000 - right.sum() and min(others) > 0
    said = most_seen(np.array([[2, 1, 0]] * 50 + [[1, 1, 0]] * 50), seed=0)
    assert (said[:50] == 0).all() and set(said[50:]) == {0, 1}


# Estimates


def nearest(points, labels, kept):
    """Whether each model, the nearest neighbour among its points, gets each point's label."""
    distances = np.abs(points[:, None] - points)
    names = [np.where(mask, distances, np.inf).argmin(1) for mask in kept.numpy()]
    return torch.from_numpy(labels[np.array(names)] == labels)


def test_memorization_of_one_nearest_neighbour_is_that_in_closed_form():
    n, size, models = 50, 35, 2000
    draw = np.random.default_rng(0)
    points, labels = draw.random(n), draw.integers(0, 2, n)
    order = np.abs(points[:, None] - points).argsort(1)[:, 1:]  # the others, the nearest first
    first = [
        math.comb(n - 2 - k, size - 1) / math.comb(n - 1, size) for k in range(n - 1)
    ]  # that k is the nearest drawn
    assert sum(first) == pytest.approx(1)
    missed = 1 - ((labels[order] == labels[:, None]) * first).sum(1)  # it is always right about what it has seen
    kept = draw_subsets(models, n, size / n, seed=0)
    error = memorization(kept, nearest(points, labels, kept)).numpy() - missed
    expected = np.sqrt((missed * (1 - missed)).mean() / (0.3 * models))  # of the models that have not seen it
    assert 0.6 * expected < np.sqrt((error**2).mean()) < 1.4 * expected
    assert expected**2 < error_bound(models, 0.7)


def test_an_example_with_a_twin_is_not_memorized_and_a_lone_wrong_label_is():
    points, labels = np.arange(40.0), np.zeros(40, dtype=int)
    points[1], points[2] = 1.4, 1.6  # two neighbours with one other label, and
    labels[[1, 2, 20]] = 1  # one alone
    kept = draw_subsets(1000, 40, 0.7, seed=0)
    found = memorization(kept, nearest(points, labels, kept))
    assert found[20] == 1
    assert found[1] == pytest.approx(1 - 28 / 39, abs=0.08)  # only where the twin is not there either
    assert (found[25:] == 0).all()


def test_subsets_are_of_one_size_without_repeats_and_do_not_hang_on_how_many_there_are():
    kept = draw_subsets(60, 30, 0.7, seed=3)
    assert (kept.sum(1) == 21).all() and torch.equal(kept[:45], draw_subsets(45, 30, 0.7, seed=3))
    assert len(kept.unique(dim=0)) == 60


def test_influences_sum_to_what_an_example_does_for_the_test_accuracy():
    draw = torch.Generator().manual_seed(0)
    kept, hits = draw_subsets(60, 20, 0.7, seed=0), torch.rand(60, 15, generator=draw) < 0.6
    found = effects(kept, hits)
    for i in range(20):
        seen = kept[:, i]
        gained = hits[seen].double().mean() - hits[~seen].double().mean()
        assert float(found[i].mean()) == pytest.approx(float(gained), abs=1e-6)
    own = torch.rand(60, 20, generator=draw) < 0.5
    assert torch.allclose(memorization(kept, own), effects(kept, own).diagonal())


def test_pairs_are_of_memorized_examples_and_test_examples_of_their_class():
    draw = torch.Generator().manual_seed(0)
    mem, infl = torch.rand(30, generator=draw), torch.rand(30, 20, generator=draw) / 3
    given, answers = torch.arange(30) % 3, torch.arange(20) % 3
    mem[0] = infl[1, 1] = math.nan
    by_hand = {(i, j) for i in range(30) for j in range(20)
               if mem[i] >= 0.25 and infl[i, j] >= 0.15 and given[i] == answers[j]}  # fmt: skip
    found = pairs_of(mem, infl, given[:, None] == answers)
    assert set(map(tuple, found.tolist())) == by_hand
    strength = infl[found[:, 0], found[:, 1]]
    assert torch.equal(strength, strength.sort(descending=True).values)


def test_as_many_are_removed_at_random_and_only_right_ones_where_asked_for():
    mem, wrong = torch.tensor([0.9, 0.3, 0.1, math.nan, 0.8]), torch.tensor([True, False, False, False, True])
    left = {name: left_after(name, mem, 0.25, wrong, seed=0) for name in paper.REMOVED}
    assert left["memorized"].tolist() == [[False, False, True, True, False]]
    assert left["memorized, right"].tolist() == [[True, False, True, True, True]]
    assert left["nothing"].all() and ((~left["at random"]).sum(1) == 3).all() and len(left["at random"]) == 5
    with pytest.raises(ValueError, match="removed='memorised' is not known; did you mean 'memorized'"):
        left_after("memorised", mem, 0.25, wrong, seed=0)
    labels = torch.arange(40) % 4
    others = like(torch.tensor([0, 4, 1]), labels, seed=0)
    assert labels[others].tolist() == [0, 0, 1] and not set(others.tolist()) & {0, 4, 1}


# Many models


@pytest.fixture(scope="module")
def digits():
    return noisy_digits(10, 0.2, seed=0)


def test_forgetting_in_closed_form_is_learning_anew(digits):
    ridge, across = digits.ridge(0.01)
    kept = draw_subsets(25, 100, 0.7, seed=0)
    alpha, said = ridge.without(kept)
    targets = one_hot(digits.given).numpy()
    for place in (0, 24):
        mask = kept[place].numpy()
        anew = SklearnRidge(alpha=0.01, kernel="rbf", gamma=0.003).fit(digits.images[mask].double(), targets[mask])
        assert np.allclose(said[place], anew.predict(digits.images.double()), atol=1e-8)
        assert np.allclose(across @ alpha[place], anew.predict(digits.tested.double()), atol=1e-8)
        right = anew.predict(digits.tested.double()).argmax(1) == digits.answers.numpy()
        assert (digits.hits(0.01, kept[place]).numpy() == right).all()


def test_leave_one_out_in_closed_form_is_learning_n_times(digits):
    kept = ~torch.eye(100, dtype=torch.bool)
    ridge, _ = digits.ridge(0.5)
    said = ridge.without(kept)[1]
    assert torch.allclose(ridge.leave_one_out(), said.diagonal().T, atol=1e-10)
    anew = SklearnRidge(alpha=0.5, kernel="rbf", gamma=0.003)
    anew.fit(digits.images[1:].double(), one_hot(digits.given).numpy()[1:])
    assert np.allclose(ridge.leave_one_out()[0], anew.predict(digits.images[:1].double())[0], atol=1e-8)


def test_each_network_learns_from_its_own_subset():
    draw = torch.Generator().manual_seed(0)
    images, labels = torch.randn(60, 80, generator=draw), torch.arange(60) % 4  # nothing to be learned but by heart
    kept = draw_subsets(30, 60, 0.7, seed=0)[:4]
    before = torch.get_rng_state()
    weights = learn_networks(images, labels, kept, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    hit = logits(weights, images).argmax(2) == labels
    assert hit[kept].double().mean() > 0.95 and hit[~kept].double().mean() < 0.5
    assert not torch.equal(weights[0][0], weights[0][1])


def test_a_run_measures_a_learner_without_what_it_removed(digits):
    runs = {name: list(Digits(size=10, models=50, ratio=0.2, removed=name).run()) for name in paper.REMOVED}
    assert [len(run) for run in runs.values()] == [5] * 4 and Digits(models=55).epochs == 6
    shown = runs["memorized"][-1].shown
    high = shown["mem"] >= 0.25
    anew = SklearnRidge(alpha=0.01, kernel="rbf", gamma=0.003)
    anew.fit(digits.images[~high].double(), one_hot(digits.given[~high]).numpy())
    right = anew.predict(digits.tested.double()).argmax(1) == digits.answers.numpy()
    last = {name: run[-1].numbers for name, run in runs.items()}
    assert last["memorized"]["test_accuracy"] == pytest.approx(right.mean())
    assert last["memorized"]["removed"] == last["at random"]["removed"] == pytest.approx(float(high.double().mean()))
    assert last["nothing"]["removed"] == 0 and last["memorized, right"]["removed"] < last["memorized"]["removed"]
    assert last["nothing"]["wrong"] == pytest.approx(float(digits.wrong[high].double().mean()))
    thinned = list(Digits(size=10, models=50, ratio=0.2, record_every=2).run())
    assert [r.shown["models"] for r in thinned] == [20, 40, 50]
    told = memorized_digits(shown).alt
    assert f"{int(digits.wrong[shown['mem'].argsort(descending=True, stable=True)[:18]].sum())} of them" in told
    assert "after 50 models" in paper.draw(runs).alt


def test_pairs_hang_on_what_they_are_said_to():
    (record,) = Pairs(size=15, models=60).run()
    digits, pairs, numbers = record.shown, record.shown["pairs"], record.numbers
    out = np.isin(np.arange(150), pairs[:, 0])
    anew = SklearnRidge(alpha=0.01, kernel="rbf", gamma=0.003)
    anew.fit(digits["images"][~out].double(), one_hot(digits["given"][~out]).numpy())
    right = anew.predict(digits["tested"].double()).argmax(1) == digits["answers"].numpy()
    tail = np.isin(np.arange(150), pairs[:, 1])
    assert numbers["tests"] == tail.sum() and numbers["tail without"] == pytest.approx(right[tail].mean())
    assert numbers["rest without"] == pytest.approx(right[~tail].mean())
    assert 0 < numbers["influence_again"] < 1 and numbers["tail"] > numbers["tail without"]


def test_the_picture_of_a_tail_says_where_the_test_data_are():
    worlds = {"a tail": list(Tail(draws=1, least=2).run())[-1].shown}
    assert worlds["a tail"]["masses"].sum() == pytest.approx(1)
    assert "a tail: 20 % seen 0 times" in mass_by_count(worlds).alt


# What is refused


def test_too_few_models_are_refused_with_how_many_are_needed():
    needed = models_needed(1000, 700)
    assert 1000 * 0.7**needed <= 0.05 < 1000 * 0.7 ** (needed - 1)
    with pytest.raises(ValueError, match=f"models={needed - 1} are too few.*take at least {needed}"):
        draw_subsets(needed - 1, 1000, 0.7, seed=0)
    with pytest.raises(ValueError, match="models=50 are too few"):
        Digits(models=50, share=0.9)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: draw_subsets(100, 20, 1.0, 0), "share=1.0 of 20 examples is 20; it must be 1 to 19"),
        (lambda: draw_subsets(100, 20, 0.0, 0), "share=0.0 of 20 examples is 0"),
        (lambda: effects(torch.ones(9, 4).bool(), torch.ones(8, 4)), "must be of the same models"),
        (lambda: memorization(torch.ones(9, 4), torch.ones(9, 4)), "must be of the same models"),
        (lambda: effects(torch.ones(2, 60_000).bool(), torch.ones(2, 10_000).bool()), "600,000,000|60,000 x 10,000"),
        (
            lambda: KernelRidge(torch.ones(3, 3).double(), torch.ones(3, 2).double(), 0),
            "ridge=0 must be a number above",
        ),
        (lambda: KernelRidge(torch.ones(3, 2).double(), torch.ones(3, 2).double(), 1), "must be square"),
        (lambda: expected_mass([0.5, 0.6], 10, 1), "shares must be numbers above 0 that sum to 1"),
        (lambda: expected_mass([0.5, 0.5], 10, 11), "seen=11 must be a whole number from 0 to 10"),
        (lambda: Tail(least=0), "least=0"),
        (lambda: Digits(ratio=0.5), "ratio=0.5"),
        (lambda: Pairs(models=10), "models=10"),
    ],
)
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_two_equal_digits_are_no_trouble():
    ridge = KernelRidge(torch.ones(2, 2).double(), torch.tensor([[1.0], [0.0]]).double(), 0.1)
    assert torch.allclose(ridge.leave_one_out(), torch.tensor([[0.0], [1 / 1.1]]).double())
