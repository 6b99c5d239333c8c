"""C-Mixup beside scikit-learn's kernel density, counting, a loop by hand, and truths that are known."""

import math

import numpy as np
import pandas
import pytest
import torch
from made_up import Answers
from scipy.stats import chisquare
from sklearn.neighbors import KernelDensity
from torch import nn

from nlkit.data.regression import CARS, regression
from nlkit.papers import c_mixup as page
from nlkit.papers.c_mixup import PAGE, CMixup, farther_pair
from nlkit.papers.mixup import draw_beta
from nlkit.papers.similar_partners import blend, c_mixup, draw_partners, partner_chances
from nlkit.plots.blends import blended_pairs
from nlkit.randomness import seeded_generator

DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(90, 4)).astype("float32"), DRAW.normal(size=90).astype("float32")


# Partners


@pytest.mark.parametrize("width", [1, 2])
def test_chances_are_a_gaussian_kernel_of_the_labels_with_rows_that_sum_to_one(width):
    labels, sigma = DRAW.normal(size=(30, width)), 0.4
    found = partner_chances(torch.from_numpy(labels), sigma).numpy()
    for own, row in zip(labels, found):
        theirs = np.exp(KernelDensity(bandwidth=sigma).fit(own[None]).score_samples(labels))
        np.testing.assert_allclose(row, theirs / theirs.sum(), rtol=1e-6)
    some = torch.tensor([4, 17])
    np.testing.assert_allclose(partner_chances(torch.from_numpy(labels), sigma, some), found[some], rtol=1e-9)


def test_a_wide_kernel_takes_anybody_a_narrow_one_only_equals():
    labels = torch.tensor([[0.0], [1.0], [1.0], [3.0]])
    assert (partner_chances(labels, math.inf) == 1 / 4).all()
    torch.testing.assert_close(partner_chances(labels, 1e5), torch.full((4, 4), 0.25), atol=1e-6, rtol=0)
    expected = torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]])
    assert torch.equal(partner_chances(labels, 1e-9), expected)  # nothing underflows to a row of zeros


def test_partners_are_drawn_as_often_as_their_chances_say():
    chances = partner_chances(torch.linspace(-1, 1, 8)[:, None], 0.5, torch.zeros(20_000, dtype=torch.long))
    drawn = draw_partners(chances, torch.rand(20_000, generator=torch.Generator().manual_seed(1)).double())
    counts = np.bincount(drawn, minlength=8)
    assert chisquare(counts, 20_000 * chances[0].double().numpy() / chances[0].double().sum().item()).pvalue > 0.01
    ends = draw_partners(torch.tensor([[0.0, 0.5, 0.5, 0.0]]).expand(2, 4), torch.tensor([0.0, 1 - 1e-16]).double())
    assert ends.tolist() == [1, 2] or ends.tolist() == [1, 3]  # never beyond the end


# Blends


def test_where_the_truth_is_linear_every_blend_has_its_right_label():
    weights, x = DRAW.normal(size=5), DRAW.normal(size=(2, 50, 5))
    mixed = blend(x[0], x[1], 0.3)
    np.testing.assert_allclose(blend(x[0] @ weights, x[1] @ weights, 0.3), mixed @ weights, atol=1e-12)
    np.testing.assert_allclose(mixed, 0.3 * x[0] + 0.7 * x[1])
    assert (blend(x[0], x[0], 0.3) == x[0]).all()


def test_on_an_arc_labels_of_blends_are_the_less_wrong_the_narrower_the_kernel():
    angles = torch.linspace(-1.5, 1.5, 200).double()
    points, errors = torch.stack([angles.cos(), angles.sin()], 1), []
    for sigma in (math.inf, 1.0, 0.3, 0.1):
        uniform = torch.rand(200, generator=torch.Generator().manual_seed(2)).double()
        partners = draw_partners(partner_chances(angles[:, None], sigma), uniform)
        mixed = blend(points, points[partners], 0.3)
        truth = torch.atan2(mixed[:, 1], mixed[:, 0])
        errors.append((blend(angles, angles[partners], 0.3) - truth).abs().mean().item())
    assert errors == sorted(errors, reverse=True) and errors[0] > 0.05 and errors[-1] < 1e-3


# Training


def by_hand(x, y, sigma, epochs, batch, seed, hidden=False):
    """The same steps with other tools: numpy draws the partners, torch's AdamW without fusing takes the steps."""
    y = (y - y.mean()) / y.std(ddof=1)
    draws = {purpose: seeded_generator(seed, purpose) for purpose in ("batches", "partners", "shares")}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        first, rest = nn.Linear(x.shape[1], 128), [nn.Linear(128, 128), nn.Linear(128, 1)]
    optimizer = torch.optim.AdamW([*first.parameters(), *rest[0].parameters(), *rest[1].parameters()], 1e-3,
                                  weight_decay=0)  # fmt: skip

    def below(rows):
        return nn.functional.leaky_relu(first(torch.from_numpy(rows)), 0.1)

    def above(said):
        return rest[1](nn.functional.leaky_relu(rest[0](said), 0.1))[:, 0]

    for _ in range(epochs):
        order = torch.randperm(len(x), generator=draws["batches"]).numpy()
        for start in range(0, len(x) - batch + 1, batch):
            own = order[start : start + batch]
            lam = draw_beta(2.0, 1, draws["shares"]).item()
            uniform = torch.rand(batch, generator=draws["partners"], dtype=torch.float64).numpy()
            partner = own.copy()
            if sigma is not None:
                kernel = np.exp(-((y[own, None] - y) ** 2) / 2 / sigma**2)
                reached = np.cumsum(kernel / kernel.sum(1, keepdims=True), 1)
                partner = np.array([np.searchsorted(row, u) for row, u in zip(reached, uniform)])
            if hidden:
                said = above(lam * below(x[own]) + (1 - lam) * below(x[partner]))
            else:
                said = above(below((lam * x[own] + (1 - lam) * x[partner]).astype("float32")))
            target = torch.from_numpy(lam * y[own] + (1 - lam) * y[partner]).float()
            loss = ((said - target) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return lambda x: above(below(x)).detach().numpy()


@pytest.mark.parametrize("sigma, hidden", [(None, False), (0.3, False), (0.3, True), (math.inf, False)])
def test_it_learns_as_a_loop_by_hand(sigma, hidden):
    theirs = by_hand(X, Y, sigma, 3, 32, 5, hidden)(X)
    *_, predict = c_mixup(X, Y, sigma=sigma, hidden=hidden, epochs=3, batch=32, seed=5)
    np.testing.assert_allclose((predict(X) - Y.mean()) / Y.std(ddof=1), theirs, atol=1e-4)


def test_a_kernel_without_width_is_plain_training_to_the_last_digit():
    ends = [list(c_mixup(X, Y, sigma=sigma, epochs=3, batch=32))[-1](X) for sigma in (None, 1e-6, 0.5)]
    assert np.array_equal(ends[0], ends[1]) and not np.array_equal(ends[0], ends[2])


def test_any_table_serves_and_the_unit_of_the_labels_does_not_matter():
    frame = pandas.DataFrame(X, index=range(90, 0, -1), columns=list("abcd"))
    how = {"epochs": 2, "batch": 32}
    *_, plain = c_mixup(X, Y, **how)
    *_, scaled = c_mixup(frame, pandas.Series(1000 * Y + 7.0), **how)
    np.testing.assert_allclose(scaled(frame), 1000 * plain(X) + 7, rtol=1e-3, atol=0.5)
    *_, several = c_mixup(X, np.stack([Y, Y**2], 1), **how)
    assert several(X[:1]).shape == (1, 2) and plain(X[:7]).shape == (7,)
    *_, small = c_mixup(X[:5].tolist(), Y[:5].tolist(), **how)  # fewer than a batch
    assert np.isfinite(small(X)).all()


def test_partners_may_be_alike_in_something_else():
    *_, by_labels = c_mixup(X, Y, epochs=2, batch=32)
    *_, same = c_mixup(X, Y, alike=(Y / Y.std(ddof=1)), epochs=2, batch=32)
    *_, by_inputs = c_mixup(X, Y, alike=X, epochs=2, batch=32)
    np.testing.assert_allclose(same(X), by_labels(X), atol=1e-4)
    assert not np.allclose(by_inputs(X), by_labels(X), atol=1e-3)


# The page


def test_whom_partners_are_alike_to():
    here = regression(train=100, ratio=0.5, seed=1)
    given, true, inputs = (CMixup(partners=p).alike(here) for p in ("like labels", "true labels", "like inputs"))
    wrong = (here.given != here.true)[:, None]
    assert torch.equal(given != true, wrong)
    for alike in (given, true, inputs):  # mean squared distance of two is 2
        assert torch.cdist(alike, alike).square().sum() / (100 * 99) == pytest.approx(2, rel=1e-3)


def test_best_is_the_test_error_where_the_validation_error_was_least():
    how = {"data": CARS, "passes": 12, "seed": 1}
    records = list(CMixup(**how).run())
    by_valid, by_test = (min(records, key=lambda record: record.numbers[n]) for n in ("valid", "rmse"))
    assert records[-1].numbers["best"] == by_valid.numbers["rmse"] and by_valid.epoch != by_test.epoch
    (last,) = CMixup(**how, record_every=20).run()
    assert last.numbers == records[-1].numbers
    here = regression(CARS, seed=1)
    *_, predict = c_mixup(here.x, here.given, epochs=12, batch=32, rate=1e-2, seed=1)
    errors = predict(here.x_test) - here.y_test.numpy()
    assert last.numbers["rmse"] == pytest.approx(float(np.sqrt((errors**2).mean())), rel=0.05)


def test_the_pair_that_is_shown_is_the_nearer_the_narrower_the_kernel_and_the_picture_says_so():
    here, pairs = regression(train=200), {}
    for sigma in (math.inf, 0.5, 0.05, None):
        pairs[str(sigma)] = farther_pair(here, CMixup().alike(here), sigma)
    gaps = [abs(pair["labels"][0] - pair["labels"][1]) for pair in pairs.values()]
    assert gaps == sorted(gaps, reverse=True) and gaps[0] > 60 and gaps[-1] == 0
    own, other, both = pairs["inf"]["images"]
    np.testing.assert_allclose(both, (own + other) / 2, atol=1e-6)
    assert "are blended to" in blended_pairs(pairs).alt
    records = {name: list(CMixup(passes=2, train=100, **PAGE.variants[name]).run()) for name in ("ERM", "C-Mixup")}
    told = page.draw(records).alt
    assert f"ERM {records['ERM'][-1].numbers['rmse']:.3g}" in told and told.count("blended") == 1
    cars = page.draw({"mixup": list(CMixup(partners="anybody", data=CARS, passes=1).run())}).alt
    assert "miles a gallon" in cars and "blended" not in cars
    assert "No run yet" in page.draw({}).alt


def test_claims_measure_what_they_say():
    def answer(e, number):
        value = {"nobody": 40, "anybody": 50, "like labels": 30, "true labels": 20, "like inputs": 35}[e.partners]
        value += 1000 * e.ratio + (number == "best") * value / 10 + 0.1 * e.decay + (100 if e.data == CARS else 0)
        return value + {0.001: 9, 10.0: 19}.get(e.sigma, 0) + (500 if e.ratio and e.partners == "like labels" else 0)

    measured = {claim.id.removeprefix("c_mixup_"): claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    expected = {"helps": [10, 11], "mixup": [-10, -11], "ends": [1, 1], "labels": [5, 5], "noise": -489,
                "partners": 511, "decay": [10.3, -489.7], "cars": -490}  # fmt: skip
    assert measured == {name: pytest.approx(value) for name, value in expected.items()}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: c_mixup(X, Y, sigma=0.0), "sigma=0.0 must be a number above 0"),
        (lambda: c_mixup(X, Y, sigma=-math.inf), "sigma=-inf"),
        (lambda: c_mixup(X, Y, sigma=math.nan), "sigma=nan"),
        (lambda: c_mixup(X, Y, alpha=0), "alpha=0"),
        (lambda: c_mixup(X, Y, rate=0), "rate=0"),
        (lambda: c_mixup(X, Y, decay=-1), "decay=-1"),
        (lambda: c_mixup(X, Y, batch=0), "batch=0"),
        (lambda: c_mixup(X, Y, epochs=0), "epochs=0"),
        (lambda: c_mixup(X[:1], Y[:1]), "x has shape"),
        (lambda: c_mixup(X, np.where(Y > 0, Y, np.nan)), "y has shape"),
        (lambda: c_mixup(X, Y[:50]), "y has 50 rows and x has 90"),
        (lambda: c_mixup(X, Y, alike=Y[:50]), "alike has 50 rows"),
        (lambda: CMixup(sigma=0.0), "sigma=0.0"),
        (lambda: CMixup(partners="like label"), "did you mean 'like labels'"),
    ],
)
def test_what_cannot_be_is_refused_at_the_call(call, says):
    with pytest.raises(ValueError, match=says):
        call()
