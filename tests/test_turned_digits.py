"""Digits turned by a known angle, and labels that changed places: beside quarter turns, scipy, and counting."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from nlkit.data.load import load
from nlkit.data.regression import CARS, DIGITS, VALID, as_rows, exchanged, regression
from nlkit.data.turned_digits import at_angles, at_any_angle, turn


def test_a_quarter_is_a_quarter_counterclockwise_and_other_angles_are_those_of_scipy():
    images = load("mnist5k").train_images[:40:8]
    for quarters in (1, 2, 3):
        torch.testing.assert_close(
            turn(images, torch.full((5,), 90.0 * quarters)), images.rot90(quarters, (-2, -1)), atol=1e-4, rtol=0
        )
    degrees = torch.tensor([0.0, 10, -25, 70, 155])
    for image, angle, found in zip(images, degrees, turn(images, degrees)):
        theirs = ndimage.rotate(image[0].numpy(), float(angle), reshape=False, order=1, mode="nearest")
        np.testing.assert_allclose(found[0].numpy(), theirs, atol=2e-3)
    assert turn(images[:0], degrees[:0]).shape == (0, 1, 28, 28)


def test_angles_are_uniform_and_fewer_digits_are_among_more():
    many, few = at_any_angle("train", 900, 3), at_any_angle("train", 400, 3)
    assert torch.equal(many.pixels[:400], few.pixels) and torch.equal(many.degrees[:400], few.degrees)
    shares = torch.histc(many.degrees, 6, -90, 90) / 900
    assert (shares - 1 / 6).abs().max() < 0.04
    assert not torch.equal(at_any_angle("train", 400, 4).degrees, few.degrees)


def test_each_digit_has_so_many_different_ones_of_the_angles():
    angles = (-90.0, -30.0, 0.0, 45.0)
    found = at_angles("train", "7", 50, angles, 3, 0)
    assert found.pixels.shape == (150, 196)
    assert all(len(set(row)) == 3 and set(row) <= set(angles) for row in found.degrees.view(50, 3).tolist())
    counts = torch.tensor([(found.degrees == angle).sum() for angle in angles])
    assert counts.sum() == 150 and counts.min() > 25
    data = load("mnist5k")  # upright ones are sevens as they are
    sevens = torch.nn.functional.avg_pool2d(data.train_images[data.train_labels == 7], 2).flatten(1)
    upright = found.pixels[found.degrees == 0]
    assert torch.cdist(upright, sevens, compute_mode="donot_use_mm_for_euclid_dist").min(1).values.max() < 1e-3


def test_labels_change_places_as_many_as_asked_and_nested():
    y = torch.randn(200, generator=torch.Generator().manual_seed(0))
    for ratio in (0.0, 0.15, 0.6, 1.0):
        given = exchanged(y, ratio, seed=1)
        assert (given != y).sum() == 200 * ratio
        assert torch.equal(given.sort().values, y.sort().values)
    moved = [exchanged(y, ratio, seed=1) != y for ratio in (0.2, 0.5)]
    assert moved[1][moved[0]].all()


def test_regressions_have_parts_of_their_own_and_only_training_labels_go_wrong():
    clean, noisy, more = regression(seed=2), regression(ratio=0.3, seed=2), regression(train=800, seed=2)
    assert torch.equal(clean.given, clean.true) and torch.equal(noisy.true, clean.true)
    assert (noisy.given != noisy.true).sum() == 180
    for name in ("x_valid", "y_valid", "x_test", "y_test"):
        assert torch.equal(getattr(noisy, name), getattr(clean, name))
        assert torch.equal(getattr(more, name), getattr(clean, name))
    assert torch.equal(more.x[:600], clean.x) and len(clean.x_valid) == VALID
    cars = regression(CARS, seed=2)
    assert [len(each) for each in cars[:1] + cars[3:4] + cars[5:6]] == [200, 92, 100]
    torch.testing.assert_close(cars.x.mean(0), torch.zeros(7), atol=1e-5, rtol=0)
    miles = torch.cat([cars.true, cars.y_valid, cars.y_test])
    assert len(miles) == 392 and miles.mean() == pytest.approx(23.446, abs=1e-3)  # as the data set's pages say


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: at_any_angle("train", 4001, 0), "count=4001 must be a whole number from 1 to 4000: there are no more"),
        (lambda: at_any_angle("test", 5, 0, 190.0), "reach=190"),
        (lambda: at_angles("test", "eleven", 5, (0.0, 1.0), 1, 0), "which='eleven'"),
        (lambda: at_angles("test", "7", 101, (0.0, 1.0), 1, 0), "count=101"),
        (lambda: at_angles("test", "7", 10, (0.0, 1.0), 3, 0), "each=3 must be a whole number from 1 to 2"),
        (lambda: exchanged(torch.zeros(3), 1.2), "ratio=1.2"),
        (lambda: regression("boats"), "data='boats' is not known. Known: cars"),
        (lambda: regression(DIGITS, 10), "train=10"),
        (lambda: as_rows("x", [[1.0, float("nan")]] * 3), r"x has shape \(3, 2\).* none missing"),
        (lambda: as_rows("x", [1.0]), "2 rows or more"),
        (lambda: as_rows("x", [["red"], ["blue"]]), "x must be numbers .*one-hot"),
    ],
)
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
