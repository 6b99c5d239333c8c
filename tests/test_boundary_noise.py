"""Boundary noise: hard images go wrong more often, by as much as it says, and to the class that they are near to."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from nlkit import Dataset, make_task
from nlkit.noise.boundary import _RIDGE, _draw, _features, _margins_of, boundary_labels, class_margins

KINDS = ("instance", "instance-boundary")


def dataset(images, labels, classes, name="own") -> Dataset:
    names = tuple(f"{name} {c}" for c in range(classes))
    return Dataset(name, names, images, labels, images, labels, (0.0,), (1.0,))


def blobs(count, classes, shape=(1, 5, 7), seed=0, spread=1.0) -> Dataset:
    """Images of classes that overlap: a centre for each class, and noise."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, *shape, generator=generator)
    labels = torch.arange(count) % classes
    return dataset(centres[labels] + spread * torch.randn(count, *shape, generator=generator), labels, classes)


def expected_rates(count, ratio):
    """The rate (count,) for each rank, the largest margin first, in the limit of many examples; by another solver."""
    weights = np.exp(4 * (np.arange(count) + 0.5) / count)
    time = scipy.optimize.brentq(lambda t: (1 - np.exp(-t * weights)).mean() - ratio, 0, 1e3, xtol=1e-14)
    return 1 - np.exp(-time * weights)


# The ratio


@given(
    count=st.integers(1, 300), classes=st.integers(2, 7), ratio=st.floats(0, 1), seed=st.integers(0, 99),
    part=st.floats(0, 1), exact=st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_for_any_data_the_count_is_right_and_no_wrong_label_is_the_true_one(count, classes, ratio, seed, part, exact):
    data = blobs(max(count, classes), classes, seed=seed)
    index = torch.randperm(len(data.train_labels), generator=torch.Generator().manual_seed(seed))
    index = index[: max(1, int(part * len(index)))]  # a class may be missing, and a single example may be left
    labels = boundary_labels(data, index, ratio, seed=seed, exact=exact)
    true = data.train_labels[index]
    assert labels.shape == index.shape and labels.dtype == torch.int64
    assert labels.min() >= 0 and labels.max() < classes
    if exact:
        assert int((labels != true).sum()) == int(ratio * len(index) + 0.5)
    if ratio in (0, 1):
        assert int((labels != true).sum()) == ratio * len(index)


@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
@settings(deadline=None)
def test_it_is_nested_in_the_ratio(one, other, exact):
    data, index = BLOBS, torch.arange(600)
    low, high = (boundary_labels(data, index, r, exact=exact) for r in sorted((one, other)))
    moved = low != data.train_labels
    assert torch.equal(low[moved], high[moved])


BLOBS = blobs(600, 4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", [0.05, 0.4, 0.8, 1.0])
def test_drawn_one_by_one_the_counts_scatter_around_the_mean_of_the_rates(kind, ratio):
    def wrong(seed):
        task = make_task(BLOBS, noise=kind, ratio=ratio, clean_per_class=0, seed=seed, exact=False, device="cpu")
        return int(task.wrong.sum())

    counts, mean = [wrong(seed) for seed in range(30)], ratio
    if kind == "instance":  # its rates are cut to [0, 1]
        mean = scipy.stats.truncnorm.mean(-ratio / 0.1, (1 - ratio) / 0.1, loc=ratio, scale=0.1)
    assert len(set(counts)) > 5 or mean == 1
    error = 3.5 * (mean * (1 - mean) / 600 / 30) ** 0.5  # at most: independent draws of different rates scatter less
    assert np.mean(counts) / 600 == pytest.approx(mean, abs=error)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("ratio", [0.1, 0.4, 0.8])
def test_the_rate_grows_with_the_rank_as_it_says(ratio, exact):
    labels, margins = torch.zeros(2000, dtype=torch.long), -torch.arange(2000.0)
    draws = [_draw(labels, margins, labels + 1, ratio, seed, exact) for seed in range(100)]
    shares = torch.stack(draws).double().mean(0).view(10, 200).mean(1)  # the easiest tenth first
    expected = expected_rates(2000, ratio).reshape(10, 200).mean(1)
    error = 4 * (expected * (1 - expected) / 200 / 100) ** 0.5 + 0.002
    assert (np.abs(shares.numpy() - expected) < error).all(), (shares, expected)


# The margins


def test_scores_are_those_of_a_fit_to_all_other_examples():
    data = blobs(60, 3, spread=2.0)
    margins, rivals = class_margins(data.train_images, data.train_labels, 3)
    features = _features(data.train_images)
    alpha = _RIDGE * float((features * features).sum()) + 1e-9
    targets = torch.nn.functional.one_hot(data.train_labels, 3).double()
    for i in range(0, 60, 7):
        others = torch.arange(60) != i
        fit = Ridge(alpha=alpha).fit(features[others], targets[others])
        scores, own = fit.predict(features[i : i + 1])[0], int(data.train_labels[i])
        rival = max((c for c in range(3) if c != own), key=lambda c: scores[c])
        assert int(rivals[i]) == rival
        assert float(margins[i]) == pytest.approx(scores[own] - scores[rival], abs=1e-8)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 9, 11), (2, 1, 1), (1, 64, 16)])
def test_any_shape_will_do_and_the_scale_of_pixels_is_no_matter(shape):
    data = blobs(80, 4, shape=shape)
    margins, rivals = class_margins(data.train_images, data.train_labels, 4)
    scaled, same = class_margins(data.train_images.double() * 64 - 16, data.train_labels, 4)
    torch.testing.assert_close(margins, scaled, atol=1e-6, rtol=1e-6)
    assert torch.equal(rivals, same)
    assert (rivals != data.train_labels).all()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_or_equal_images_have_margins_too(count):
    labels = torch.arange(count)
    margins, rivals = class_margins(torch.ones(count, 1, 4, 4), labels, 3)
    assert margins.shape == rivals.shape == (count,) and margins.isfinite().all()
    assert (rivals != labels).all()


def test_a_class_without_examples_is_nobodys_rival():
    data = blobs(90, 3)
    _, rivals = class_margins(data.train_images, 2 * data.train_labels, 6)
    assert set(rivals.tolist()) <= {0, 2, 4}


# What it is for: hard images


def hardness(data: Dataset) -> torch.Tensor:
    """(N,) how near, in pixels, the nearest image of another class is against that of the own; not what it draws by."""
    images = torch.nn.functional.avg_pool2d(data.train_images, 2).flatten(1)
    distances = torch.cdist(images, images).fill_diagonal_(torch.inf)
    same = data.train_labels[:, None] == data.train_labels
    own, other = (torch.where(mask, distances, torch.inf).min(1).values for mask in (same, ~same))
    return (own / other).double()


def difference(values, wrong):
    """Mean over the wrong minus mean over the right labels, and its standard error."""
    a, b = values[wrong], values[~wrong]
    return float(a.mean() - b.mean()), float((a.var() / len(a) + b.var() / len(b)) ** 0.5)


@pytest.fixture(scope="module")
def hard(mnist5k):
    return hardness(mnist5k)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("ratio", [0.1, 0.4])
def test_wrong_labels_are_on_harder_images_under_this_noise_and_under_no_other(mnist5k, hard, ratio, seed):
    found = {}
    for kind in ("symmetric", *KINDS):
        task = make_task(mnist5k, noise=kind, ratio=ratio, clean_per_class=0, seed=seed, device="cpu")
        found[kind] = difference(hard[task.index], task.wrong)
    gap, error = found.pop("instance-boundary")
    assert gap > 10 * error and gap > 0.5 * float(hard.std())
    for kind, (gap, error) in found.items():
        assert abs(gap) < 3 * error, kind


def test_without_images_to_look_at_the_usual_kind_hits_the_same_examples_and_this_one_does_not(mnist5k):
    dots = torch.randn(mnist5k.train_images.shape, generator=torch.Generator().manual_seed(0))
    blind = replace(mnist5k, train_images=dots)
    for kind, same in (("instance", True), ("instance-boundary", False)):
        seen, unseen = (
            make_task(d, noise=kind, ratio=0.3, clean_per_class=0, device="cpu").wrong for d in (mnist5k, blind)
        )
        assert torch.equal(seen, unseen) == same
        if not same:  # and what it hits now is nothing to the images
            both = (seen & unseen).double().sum() / seen.sum()
            assert 0.2 < both < 0.6


def test_a_wrong_label_is_that_of_a_class_which_the_image_is_near_to(mnist5k):
    task = make_task(mnist5k, noise="instance-boundary", ratio=0.2, clean_per_class=0, device="cpu")
    images, given, true = task.noisy_images.flatten(1), task.given_labels, task.true_labels
    means = torch.stack([images[true == c].mean(0) for c in range(10)])
    distances = torch.cdist(images, means).scatter(1, true[:, None], torch.inf)
    place = (distances < distances.gather(1, given[:, None])).sum(1)[task.wrong]  # 0: the nearest of the nine others
    assert (place == 0).double().mean() > 0.35  # 0.11 by lot
    assert (place < 3).double().mean() > 0.7
    confused = task.confusion.fill_diagonal_(0)
    assert int(confused[4].argmax()) == 9 and int(confused[9].argmax()) in (4, 7)


# As a task


def test_a_task_has_it_and_tells_the_matrix_that_it_has(mnist5k):
    before = mnist5k.train_images.clone()
    states = torch.get_rng_state()
    task = make_task(mnist5k, noise="instance-boundary", ratio=0.4, device="cpu")
    assert task.noise == "instance-boundary" and int(task.wrong.sum()) == 1400
    assert torch.equal(task.wrong, task.given_labels != task.true_labels)
    assert torch.equal(task.clean_labels, mnist5k.train_labels[task.index[3500:]])
    assert torch.equal(task.images, mnist5k.train_images[task.index])
    assert torch.allclose(task.matrix.sum(1), torch.ones(10, dtype=torch.float64))
    assert torch.equal(before, mnist5k.train_images) and torch.equal(states, torch.get_rng_state())
    named = make_task("mnist5k", noise="instance-boundary", ratio=0.4, device="cpu")
    assert torch.equal(named.given, task.given)
    other = make_task(mnist5k, noise="instance-boundary", ratio=0.4, seed=1, device="cpu")
    assert not torch.equal(other.given, task.given)


def test_the_margins_are_worked_out_once_for_every_ratio_seed_and_clean_set(mnist5k):
    _margins_of.cache_clear()
    for options in ({"ratio": 0.1}, {"ratio": 0.9}, {"ratio": 0.5, "seed": 5}, {"ratio": 0.5, "clean_per_class": 1}):
        make_task(mnist5k, noise="instance-boundary", device="cpu", **options)
    assert _margins_of.cache_info().misses == 1


def test_two_classes_and_colour_will_do():
    task = make_task(
        blobs(40, 2, shape=(3, 32, 32)), noise="instance-boundary", ratio=0.5, clean_per_class=19, device="cpu"
    )
    assert int(task.wrong.sum()) == 1
    assert sorted((task.given_labels + task.true_labels)[task.wrong].tolist()) == [1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", [None, -0.1, 1.1, float("nan")])
def test_a_ratio_that_cannot_be_is_refused(mnist5k, kind, ratio):
    with pytest.raises(ValueError, match="^ratio="):
        make_task(mnist5k, noise=kind, ratio=ratio)


@pytest.mark.parametrize("kind", KINDS)
def test_with_one_class_no_label_can_be_wrong(kind):
    one = dataset(torch.randn(9, 1, 4, 4), torch.zeros(9, dtype=torch.long), 1)
    with pytest.raises(ValueError, match="^num_classes=1 "):
        make_task(one, noise=kind, ratio=0.5, clean_per_class=0)


def test_places_that_are_not_in_the_data_are_refused():
    with pytest.raises(ValueError, match="^index has values from 0 to 600"):
        boundary_labels(BLOBS, torch.tensor([0, 600]), 0.5)
