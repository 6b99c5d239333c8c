"""Unlabelled data of another domain: losses against a search, steps against 2-means, formulas against draws."""

import math
import warnings

import numpy as np
import pytest
import torch
from made_up import Answers
from scipy.optimize import approx_fprime
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from nlkit.data.load import load
from nlkit.data.shifts import other_writers
from nlkit.noise.few_labels import few_labels, small
from nlkit.noise.two_domains import (
    DIGITS,
    GAUSSIANS,
    OTHER,
    OWN,
    PAIRS,
    SCALE,
    SOURCES,
    expected_alone,
    expected_axis,
    labels_worth,
    two_domains,
)
from nlkit.papers import out_of_domain
from nlkit.papers.out_of_domain import (
    PAGE,
    OutOfDomain,
    gradient,
    mean_direction,
    principal_axis,
    ramp,
    robust_self_supervised,
    sign,
    tent,
)


def drawn(m=8, n=60, d=5, seed=0):
    """Labelled and unlabelled points, none of them where a loss has an edge."""
    draw = np.random.default_rng(seed)
    y = np.resize([1.0, -1.0], m)
    return draw.normal(size=(m, d)) + y[:, None] * 0.5, y, draw.normal(size=(n, d))


def unit(vector):
    return vector / np.linalg.norm(vector)


# The losses


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("gamma", [0.4, 1.3])
def test_losses_are_what_a_search_over_all_moves_finds(d, gamma):
    theta, axis = unit(np.array([0.6, -0.8][:d])), np.linspace(-6, 6, 301)
    places = np.stack(np.meshgrid(*[axis] * d), -1).reshape(-1, d)
    for x in np.random.default_rng(1).uniform(-2.5, 2.5, (8, d)):
        cost = gamma * np.linalg.norm(places - x, axis=1)
        for y in (1, -1):
            found = ((y * places @ theta <= 0) - cost).max()
            found = max(found, float(y * x @ theta <= 0))  # not to move costs nothing
            assert ramp(y * x @ theta, gamma) == pytest.approx(found, abs=0.05 * gamma)
            if y == sign(x @ theta):
                assert tent(x @ theta, gamma) == pytest.approx(found, abs=0.05 * gamma)


def test_the_gradient_is_that_of_finite_differences():
    x, y, unlabelled = drawn()

    def loss(theta):
        return ramp(y * (x @ theta), 0.7).mean() + 3 * tent(unlabelled @ theta, 0.9).mean()

    for seed in range(5):
        theta = unit(np.random.default_rng(seed).normal(size=5))
        assert gradient(theta, x, y, unlabelled, 0.7, 0.9, 3.0) == pytest.approx(
            approx_fprime(theta, loss, 1e-7), abs=1e-5
        )


def test_unlabelled_points_have_no_side():
    x, y, unlabelled = drawn()
    theta = mean_direction(x, y)
    mirrored = unlabelled * np.resize([1, -1], len(unlabelled))[:, None]
    assert gradient(theta, x, y, mirrored, 1, 1, 2) == pytest.approx(gradient(theta, x, y, unlabelled, 1, 1, 2))


# The steps


def test_where_the_tent_covers_no_point_it_is_learning_from_labels_alone():
    x, y, unlabelled = drawn()
    alone = list(robust_self_supervised(x, y, unlabelled[:0], steps=5))
    for how in ({"gamma_unlabelled": 1e9}, {"strength": 0.0}):
        assert np.array_equal(list(robust_self_supervised(x, y, unlabelled, steps=5, **how)), alone)
    assert not np.allclose(list(robust_self_supervised(x, y, unlabelled, steps=5))[-1], alone[-1])
    assert np.linalg.norm(alone, axis=1) == pytest.approx(1)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_wide_tent_and_a_long_step_are_two_means(steps):
    """Of the points and their mirror images, from centres on both sides of zero: by scikit-learn."""
    x, y, unlabelled = drawn(seed=3)
    *_, theta = robust_self_supervised(
        x, y, unlabelled, gamma=1e-9, gamma_unlabelled=1e-6, strength=1e6, rate=1e9, steps=steps
    )
    start = mean_direction(x, y)
    means = KMeans(2, init=[start, -start], n_init=1, max_iter=steps, tol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped after so many steps, as it should be
        centres = means.fit(np.concatenate([unlabelled, -unlabelled])).cluster_centers_
    assert theta == pytest.approx(unit(centres[0]), abs=1e-5)


def test_the_axis_is_the_first_singular_vector_with_the_end_that_labels_choose():
    x, y, unlabelled = drawn()
    axis = principal_axis(x, y, unlabelled)
    assert abs(axis @ np.linalg.svd(unlabelled)[2][0]) == pytest.approx(1)
    assert (y * (x @ axis)).sum() > 0
    assert principal_axis(x, -y, unlabelled) == pytest.approx(-axis)


# The worlds


def test_accuracy_is_the_share_of_draws_that_are_told_right():
    world = two_domains(GAUSSIANS, 20, 0, seed=1)
    theta = mean_direction(world.points, world.given)
    more = two_domains(GAUSSIANS, 400, 10_000, seed=1)
    told_right = (sign(more.unlabelled @ theta) == more.hidden).mean()
    assert world.accuracy(3 * theta) == pytest.approx(told_right, abs=0.015)
    assert np.array_equal(more.points[:40], world.points)  # fewer are among more


def test_labels_alone_come_to_what_the_formula_says():
    for per_class in (5, 50):
        worlds = [two_domains(GAUSSIANS, per_class, 0, seed=seed) for seed in range(80)]
        found = np.mean([w.accuracy(mean_direction(w.points, w.given)) for w in worlds])
        assert found == pytest.approx(expected_alone(2 * per_class), abs=0.015)
    assert labels_worth(expected_alone(123)) == pytest.approx(123)
    assert labels_worth(0.4) == 0 and math.isinf(labels_worth(0.85))


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
def test_the_axis_of_endless_points_comes_to_what_the_formula_says(alpha):
    """With μ and v along two coordinates, and 10 labelled points of which these two are looked at."""
    means = np.random.default_rng(0).normal([1.0, 0.0], 1 / math.sqrt(10), (100_000, 2))  # of y x over the 10
    axis = unit(np.array([1.0, alpha]))
    found = norm.cdf(sign(means @ axis) * axis[0]).mean()
    assert found == pytest.approx(expected_axis(10, alpha), abs=0.003)


def test_another_domain_is_shifted_by_alpha_in_one_direction():
    own, other, both = (two_domains(GAUSSIANS, 5, 7, source, alpha=0.8, seed=2) for source in SOURCES)
    shift = (other.unlabelled - own.unlabelled) * own.hidden[:, None]
    assert np.ptp(shift, axis=0) == pytest.approx(0, abs=1e-12) and np.linalg.norm(shift[0]) == pytest.approx(0.8)
    assert np.array_equal(both.unlabelled[:4], own.unlabelled[:4])
    assert np.array_equal(both.unlabelled[4:], other.unlabelled[4:])
    assert np.array_equal(own.points, other.points) and set(own.hidden) == {-1, 1}
    assert not np.array_equal(own.points, two_domains(GAUSSIANS, 5, 7, seed=3).points)


@pytest.mark.parametrize("world", [GAUSSIANS, "3 or 5"])
def test_wrong_labels_are_as_many_as_told_and_those_of_a_lower_ratio_are_among_them(world):
    some, more = (two_domains(world, 10, 20, ratio=ratio, seed=1) for ratio in (0.2, 0.4))
    wrong, wronger = some.given != some.true, more.given != more.true
    assert wrong.sum() == 4 and wronger.sum() == 8 and wronger[wrong].all()
    assert np.array_equal(some.points, more.points) and some.true.sum() == 0


def found_in(rows, images, labels):
    """Which label (n,) each row has among the images, all of them moved alike; None where they aren't there."""
    images, look = images.flatten(1).double().numpy() / SCALE, np.random.default_rng(0).normal(size=196)
    seen, wanted = images @ look, rows @ look
    starts, seconds = np.nonzero(abs(seen[None] - seen[:, None] - (wanted[1] - wanted[0])) < 1e-5)
    for start in starts:
        near = abs(seen[None] - (wanted + seen[start] - wanted[0])[:, None]).argmin(1)
        if np.allclose(images[near] - images[start], rows - rows[0], atol=1e-5):
            return labels.numpy()[near]
    return None


def test_digits_are_of_the_pair_and_of_their_source_each_centred_by_itself():
    data, (a, b) = load("mnist5k"), PAIRS["3 or 5"]
    own, other, both = (two_domains("3 or 5", 5, 10_000, source, seed=1) for source in SOURCES)
    assert [len(w.unlabelled) for w in (own, other, both)] == [DIGITS] * 3
    of_pair = torch.isin(data.train_labels, torch.tensor((a, b)))
    mnist, theirs = (data.train_images[of_pair], data.train_labels[of_pair]), other_writers(data.mean, data.std)
    for rows, sides, (images, labels) in (
        (own.points, own.given, mnist), (own.unlabelled, own.hidden, mnist), (other.unlabelled, other.hidden, theirs),
        (both.unlabelled[:175], both.hidden[:175], mnist), (both.unlabelled[175:], both.hidden[175:], theirs),
    ):  # fmt: skip
        assert rows.mean(0) == pytest.approx(0, abs=1e-9)
        assert np.array_equal(found_in(rows, small(images), labels), np.where(sides == 1, a, b))
    assert found_in(other.unlabelled, small(mnist[0]), mnist[1]) is None
    few = few_labels(5, seed=1)
    of_pair = torch.isin(few.hidden, torch.tensor((a, b)))
    assert found_in(own.unlabelled, few.unlabelled[of_pair], few.hidden[of_pair]) is not None  # none of the labelled


def test_half_the_way_between_the_means_of_three_and_five_is_one():
    world = two_domains("3 or 5", 400, 0)
    means = [world.points[world.true == side].mean(0) for side in (1, -1)]
    assert np.linalg.norm(means[0] - means[1]) / 2 == pytest.approx(1, abs=0.05)


# The experiment


@pytest.fixture(scope="module")
def runs():
    return {
        name: list(OutOfDomain(source=name, unlabelled=400, steps=12, alpha=2.0, ratio=0.2).run()) for name in SOURCES
    }


def test_records_hold_accuracy_and_what_labels_alone_give(runs):
    for source, records in runs.items():
        assert [(r.epoch, r.numbers["step"]) for r in records] == [(1, 5), (2, 10), (3, 12)]
        world = two_domains(GAUSSIANS, 5, 400, source, alpha=2.0, ratio=0.2)
        *_, theta = robust_self_supervised(world.points, world.given, world.unlabelled, steps=12)
        more = two_domains(GAUSSIANS, 50, 0, ratio=0.2)
        assert dict(records[-1].numbers) == pytest.approx({
            "accuracy": world.accuracy(theta), "labels": 10, "step": 12,
            "labels_alone": world.accuracy(sum(y * x for y, x in zip(world.given, world.points))),
            "ten_times": more.accuracy(sum(y * x for y, x in zip(more.given, more.points))),
            "axis": world.accuracy(principal_axis(world.points, world.given, world.unlabelled)),
            "told_right": np.mean([(x @ theta >= 0) == (y > 0) for x, y in zip(world.unlabelled, world.hidden)]),
        })  # fmt: skip
        shown = records[-1].shown
        assert shown["right"].sum() == pytest.approx(400 * records[-1].numbers["told_right"])
        assert shown["right"].sum() + shown["wrong"].sum() == 400 and shown["half"] == 2
    (only,) = OutOfDomain(unlabelled=400, steps=12, alpha=2.0, ratio=0.2, record_every=200).run()
    assert only.numbers == runs[OTHER][-1].numbers


def test_without_unlabelled_points_there_is_no_axis_and_nothing_to_tell():
    (record,) = OutOfDomain(unlabelled=0, steps=5).run()
    assert "axis" not in record.numbers and "told_right" not in record.numbers
    (unmoved,) = OutOfDomain(unlabelled=50, strength=0.0, steps=5).run()
    assert unmoved.numbers["accuracy"] == record.numbers["accuracy"]
    assert "no point is unlabelled" in out_of_domain.draw({OTHER: [record]}).alt


def test_the_picture_says_where_each_ends_and_what_labels_give(runs):
    told = out_of_domain.draw(runs).alt
    for name in SOURCES:
        assert f"{name} {runs[name][-1].numbers['accuracy']:.1%}" in told
        assert f"{1 - runs[name][-1].numbers['told_right']:.1%} get a wrong label" in told
    assert f"10 labels alone {runs[OWN][0].numbers['labels_alone']:.1%}" in told
    assert f"100 labels {runs[OWN][0].numbers['ten_times']:.1%}" in told
    assert "No run yet" in out_of_domain.draw({}).alt


def test_claims_measure_what_they_say():
    def answer(e, number):
        value = e.per_class + 100 * (e.source == OTHER) - 1000 * (e.unlabelled == 10) - 7 * e.ratio
        value += 0 if e.world == GAUSSIANS else 10_000 * list(PAIRS).index(e.world)
        return value + {"accuracy": 0.5, "labels_alone": 0.25, "ten_times": 2, "axis": 3}[number] * (2 + (e.ratio > 0))

    measured = {claim.id.removeprefix("out_of_domain_"): claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    assert measured.pop("own") == [6, 11, 21] and measured.pop("other") == [106, 111, 121]
    assert measured.pop("few") == 0.5
    assert measured.pop("wrong") == pytest.approx(7 * 0.3 - 0.5)
    assert measured.pop("worth") == [-3, -3]
    assert measured.pop("axis") == [5] * 6
    assert measured.pop("strangers") == 0
    assert measured.pop("no_gap") == [-0.5] * 4
    assert not measured


# Bad input

X, Y, U = drawn()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: robust_self_supervised(X, Y, U, gamma=0), "gamma=0 must be a number above 0"),
        (lambda: robust_self_supervised(X, Y, U, gamma_unlabelled=-1), "gamma_unlabelled=-1"),
        (lambda: robust_self_supervised(X, Y, U, strength=-0.1), "strength=-0.1"),
        (lambda: robust_self_supervised(X, Y, U, rate=0), "rate=0"),
        (lambda: robust_self_supervised(X, Y, U[:, :3]), r"unlabelled points have shape \(3,\), labelled ones \(5,\)"),
        (lambda: robust_self_supervised(X, (Y + 1) / 2, U), "labels have values .0. 1.. for 8 points"),
        (lambda: robust_self_supervised(X, abs(Y), U), "some of either"),
        (lambda: robust_self_supervised(X, Y[:5], U), "one a point"),
        (lambda: mean_direction(np.ones((2, 3)), np.array([1, -1])), "the two classes have one mean"),
        (lambda: two_domains("3 or 4", 5, 5), "world='3 or 4'"),
        (lambda: two_domains(GAUSSIANS, 0, 5), "per_class=0"),
        (lambda: two_domains(GAUSSIANS, 5, -1), "count=-1"),
        (lambda: two_domains(GAUSSIANS, 5, 5, "elsewhere"), "source='elsewhere'"),
        (lambda: two_domains(GAUSSIANS, 5, 5, ratio=0.6), "ratio=0.6"),
        (lambda: two_domains(GAUSSIANS, 5, 5, alpha=-1), "alpha=-1"),
        (lambda: expected_alone(0), "labels=0"),
        (lambda: labels_worth(1.5), "accuracy=1.5"),
        (lambda: OutOfDomain(per_class=1), "per_class=1 must be a whole number from 2 to 40"),
        (lambda: OutOfDomain(ratio=0.6), "ratio=0.6"),
        (lambda: OutOfDomain(gamma_unlabelled=0.0), "gamma_unlabelled=0.0"),
        (lambda: OutOfDomain(unlabelled=10_001), "unlabelled=10001"),
    ],
)
def test_what_cannot_be_is_refused_at_the_call(call, says):
    with pytest.raises(ValueError, match=says):
        call()
