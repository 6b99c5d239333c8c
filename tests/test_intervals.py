"""Confidence intervals, against another library and by what they promise."""

import numpy as np
import pytest
import scipy.stats

from nlkit.intervals import Interval, mean_interval, paired_interval


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_the_interval_is_that_of_scipy(level):
    values = [0.71, 0.745, 0.69, 0.8, 0.733]
    theirs = scipy.stats.ttest_1samp(values, 0).confidence_interval(level)
    ours = mean_interval(values, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert ours.mean == pytest.approx(np.mean(values))


def test_it_holds_the_true_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3.0, 2.0, size=(2000, 5))
    held = np.mean([i.low <= 3.0 <= i.high for i in map(mean_interval, draws)])
    assert 0.93 < held < 0.97


def test_paired_differences_are_those_of_scipy_and_the_order_of_the_seeds_counts():
    ours, theirs = [0.71, 0.745, 0.69, 0.8, 0.733], [0.7, 0.72, 0.68, 0.77, 0.72]
    expected = scipy.stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    paired = paired_interval(ours, theirs)
    assert (paired.low, paired.high) == pytest.approx((expected.low, expected.high))
    assert paired_interval(ours, theirs[::-1]).half > 2 * paired.half
    with pytest.raises(ValueError, match="ours has 5 values and theirs 4"):
        paired_interval(ours, theirs[1:])


def test_the_sign_is_that_of_the_whole_interval():
    assert [Interval(mean, 0.1).sign for mean in (-0.2, -0.05, 0.0, 0.05, 0.2)] == [-1, 0, 0, 0, 1]


def test_as_text():
    assert Interval(0.8312, 0.0088).percent() == "83.1 ± 0.9"


@pytest.mark.parametrize(
    ("values", "what"), [([0.5], "two or more"), ([], "two or more"), ([0.5, float("nan")], "nan")]
)
def test_bad_values_are_refused(values, what):
    with pytest.raises(ValueError, match=what):
        mean_interval(values)
