"""Label quantity against quality beside scikit-learn, counting, and the limits that a budget has."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from nlkit import load
from nlkit.contents import PAGES, grid_of
from nlkit.data.purchases import KNOWN, QUESTIONS, answer, digit_market, flipped, pooled, shuffled_errors, split
from nlkit.identity import key
from nlkit.learning import stages
from nlkit.papers.quantity_quality import BUDGETS, SHARES, Elicitation, cell, crossing
from nlkit.plots.budgets import accuracy_maps

PAGE = PAGES["quantity_quality"]


@pytest.fixture(scope="module")
def market():
    return digit_market(load("mnist5k"), "5 or more", 200, 3)


@settings(max_examples=200, deadline=None)
@given(st.floats(2, 5000), st.floats(0, 1), st.floats(0.02, 1))
def test_a_split_costs_no_more_than_the_budget_and_leaves_less_than_a_label_of_each_kind(budget, share, price):
    weak, oracle = split(budget, share, price)
    cost = oracle + price * weak
    assert budget - price < cost + 1e-6 and cost <= budget + 1e-6
    assert share * budget - 1 < oracle <= share * budget + 1e-6


def test_the_pure_ends_are_pure_and_shares_are_those_of_the_program():
    assert split(256, 0, 0.1) == (2560, 0) and split(256, 1, 0.1) == (0, 256)
    assert split(64, 0.75, 0.1) == (160, 48) and split(16, 0.1, 0.1) == (150, 1)


def test_known_images_are_not_for_sale_and_the_weak_model_is_a_logistic_regression_on_some_of_them(market):
    data = load("mnist5k")
    assert len(market.known) == KNOWN and len(market.images) == 3000
    everything = torch.cat([market.known, market.images])
    expected = torch.nn.functional.avg_pool2d(data.train_images, 2).flatten(1)
    assert torch.equal(everything.sum(1).sort().values, pooled(data.train_images).sum(1).sort().values)
    torch.testing.assert_close(pooled(data.train_images), expected)
    assert torch.equal(market.order.sort().values, torch.arange(3000))
    coarse = torch.nn.functional.avg_pool2d(market.known[:200].view(-1, 1, 14, 14), 2).flatten(1).numpy()
    sold = torch.nn.functional.avg_pool2d(market.images.view(-1, 1, 14, 14), 2).flatten(1).numpy()
    weak = LogisticRegression(max_iter=1000).fit(coarse, market.digits[:200].numpy() >= 5)
    np.testing.assert_allclose(weak.predict_proba(sold), market.cheap.numpy(), atol=2e-2)
    assert 0.7 < (market.cheap.argmax(1) == market.answers).double().mean() < 0.85


def test_questions_are_answered_by_the_digits():
    for question, yes in QUESTIONS.items():
        assert [int(d) in yes for d in range(10)] == answer(torch.arange(10), question).bool().tolist()


def test_dealt_out_anew_as_many_are_wrong_and_by_as_much_but_not_the_same(market):
    found = shuffled_errors(market.cheap, market.answers, 0)
    right = [each[torch.arange(3000), market.answers].sort().values for each in (market.cheap, found)]
    assert torch.equal(right[0], right[1])
    torch.testing.assert_close(found.sum(1), torch.ones(3000))
    wrong = [each.argmax(1) != market.answers for each in (market.cheap, found)]
    assert wrong[0].sum() == wrong[1].sum()
    both, each = (wrong[0] & wrong[1]).double().mean().item(), wrong[0].double().mean().item()
    assert both == pytest.approx(each**2, abs=0.02)


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.5])
def test_flips_are_counted_and_nested(market, ratio):
    wrong = flipped(market.answers, ratio, 1).argmax(1) != market.answers
    assert wrong.sum() == round(3000 * ratio)
    more = flipped(market.answers, min(1.0, ratio + 0.1), 1).argmax(1) != market.answers
    assert more[wrong].all()


def test_the_crossing_lies_where_a_line_says_and_at_the_ends_where_there_is_none():
    assert crossing([1, 1, 1, 1, 1, 1]) == 16 and crossing([-1] * 6) == 1024
    assert crossing([-3, -2, -1, 1, 2, 3]) == pytest.approx(np.sqrt(64 * 128))
    assert crossing([-1, 2, -1, 3, 4, 5]) == pytest.approx(64 * 2**0.25)  # the last time that they are overtaken


def test_no_image_has_two_labels_and_the_noisy_stage_sees_no_right_one(monkeypatch, market):
    seen = []

    def watched(start, images, labels, places, counts, **how):
        seen.append([set(row[:count].tolist()) for row, count in zip(places, counts)])
        yield start

    monkeypatch.setattr(stages, "learn", watched)
    right, start = torch.nn.functional.one_hot(market.answers, 2).float(), stages.new_networks((196, 2), 1, 0)
    bought = torch.tensor([[2000, 1000], [500, 40]])
    list(stages.noisy_then_clean(start, market.images, market.cheap, right, market.order, bought, steps=20, seed=0))
    weak, oracle = sorted(seen[0], key=len), sorted(seen[1], key=len)
    for noisy, clean in zip(weak, oracle):
        assert min(noisy) >= 3000 and max(clean) < 3000
        assert not {place - 3000 for place in noisy} & clean
    assert [len(s) for s in weak + oracle] == [500, 2000, 40, 1000]


def test_money_is_left_over_where_there_are_no_more_images(market):
    bought = Elicitation(price=0.05).bought(3000)
    assert bought.sum(1).max() == 3000 and (bought[:, 1].view(6, 6)[:, 0] == 0).all()
    (record,) = Elicitation(price=0.05, steps=20, record_every=1000).run()
    assert record.shown["left_over"] == [4, 5] and record.shown["map"].shape == (6, 6)
    assert record.numbers[cell(BUDGETS[1], SHARES[2])] == record.shown["map"][1, 2]


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("quantity_quality", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid) == 9


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: split(64, 0.5, 0), "price=0 must be a number above 0"),
        (lambda: split(64, 1.1, 0.1), "share=1.1"),
        (lambda: split(1.9, 0.5, 0.1), "budget=1.9"),
        (lambda: Elicitation(price=0.01), "price=0.01"),
        (lambda: Elicitation(labelled=9), "labelled=9"),
        (lambda: Elicitation(ratio=0.6), "ratio=0.6"),
        (lambda: Elicitation(errors="week model"), "did you mean 'weak model'"),
        (lambda: digit_market(load("mnist5k"), "5 or more", 1001, 0), "labelled=1001"),
        (lambda: digit_market(load("mnist5k"), "is it odd", 200, 0), "question='is it odd'"),
        (lambda: accuracy_maps({}, [1], [1], xlabel="", ylabel=""), "maps is empty"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_claims_are_measured_on_the_map_as_by_hand():
    trial = SimpleNamespace(run=lambda variant, **_: SimpleNamespace(last=VALUES[variant].__getitem__))
    claims = {claim.id.removeprefix("quantity_quality_"): claim.measure for claim in PAGE.claims}
    assert claims["poor"](trial) == pytest.approx(0.1) and claims["rich"](trial) == pytest.approx(-0.06)
    assert claims["mixed"](trial) == pytest.approx([0.075, -0.025]) and claims["errors"](trial) == 4
    assert claims["pot"](trial) == pytest.approx([-0.075, 0.025])
    assert claims["flat"](trial) == pytest.approx(0.2) and claims["stages"](trial) == pytest.approx(0.01)


# Accuracies that rise with the budget by 0.04 a place, and fall with f by 0.1; one pot is 0.01 below.
MAP = {cell(b, f): 0.5 + 0.04 * i - 0.1 * f for i, b in enumerate(BUDGETS) for f in SHARES}
VALUES = {
    "weak model": {**MAP, cell(64, 0.75): MAP[cell(64, 0)] + 0.075, cell(64, 1.0): MAP[cell(64, 0)] + 0.1,
                   cell(256, 1.0): MAP[cell(256, 0)] - 0.06, "crossing": 50.0},
    "one pot": {name: value - 0.01 for name, value in MAP.items()},
    "shuffled errors": {"crossing": 200.0},
}  # fmt: skip
