"""Long tails, noise by class size, contrastive loss, Gaussians and tether, each against something independent."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import LocalOutlierFactor
from torch.nn import functional as F

from nlkit.data.load import load
from nlkit.data.long_tailed import by_falling_size, class_sizes, long_tailed
from nlkit.learning.augment import affine
from nlkit.learning.class_gaussians import (
    Gaussians,
    borrowed,
    class_gaussians,
    expected_error,
    filled_up,
    kept_of,
    local_outlier_factor,
    outlying,
    without_outliers,
)  # fmt: skip
from nlkit.learning.contrastive import contrastive_loss, learn_features, new_encoder
from nlkit.learning.tethered import tuned
from nlkit.noise.draws import corrupt
from nlkit.noise.matrices import flips_by_size, symmetric_matrix
from nlkit.papers.rcal import PAGE, Digits, draw
from nlkit.papers.rcal_gaussians import World
from nlkit.plots.long_tailed import errors_when_borrowing
from nlkit.randomness import seeded_generator
from nlkit.records import Step
from nlkit.tasks.make import make_task

TINY = dict(PAGE.tiny)


# Long tails, and noise that goes by size


def test_sizes_fall_by_a_constant_factor_from_the_largest_to_it_over_rho():
    assert class_sizes(400, 50, 10) == [400, 259, 168, 109, 70, 46, 29, 19, 12, 8]
    assert class_sizes(400, 1, 10) == [400] * 10
    sizes = class_sizes(10_000, 100, 5)
    assert [a / b for a, b in zip(sizes, sizes[1:])] == pytest.approx([100**0.25] * 4, rel=1e-3)


def test_a_long_tailed_data_set_has_these_sizes_and_a_smaller_tail_is_part_of_a_longer_one():
    digits = load("mnist5k")
    thin, thick = (long_tailed(digits, 60, rho, seed=1) for rho in (10, 2))
    order = by_falling_size(thin.train_labels, 10)
    assert torch.bincount(thin.train_labels)[order].tolist() == class_sizes(60, 10, 10)
    known = {image.tobytes() for image in thick.train_images.numpy()}
    assert all(image.tobytes() in known for image in thin.train_images.numpy())
    assert torch.equal(thin.test_images, digits.test_images)
    orders = {tuple(by_falling_size(long_tailed(digits, 60, 10, seed).train_labels, 10).tolist()) for seed in range(4)}
    assert len(orders) == 4


def test_it_is_a_task_like_any_other_data():
    data = long_tailed(load("mnist5k"), 60, 5, seed=2)
    sizes = torch.bincount(data.train_labels).tolist()
    task = make_task(data, noise=flips_by_size(sizes, 0.3), clean_per_class=0, seed=2, device="cpu")
    assert task.noisy_count == sum(sizes) and task.realized_ratio == pytest.approx(0.3, abs=0.01)


def test_wrong_labels_name_classes_by_their_size():
    sizes, ratio = [60, 30, 10], 0.4
    matrix = flips_by_size(sizes, ratio)
    assert matrix.sum(1).tolist() == pytest.approx([1, 1, 1]) and matrix.diagonal().tolist() == pytest.approx([0.6] * 3)
    assert matrix[0].tolist() == pytest.approx([0.6, 0.4 * 30 / 40, 0.4 * 10 / 40])
    assert torch.allclose(flips_by_size([7] * 5, ratio), symmetric_matrix(5, ratio))
    # Bayes: of the labels "2", the share that is wrong
    true = torch.arange(3).repeat_interleave(torch.tensor(sizes) * 1000)
    given = corrupt(true, matrix, seed=0)
    joint = torch.tensor(sizes).double()[:, None] * matrix
    wrong = 1 - joint.diagonal() / joint.sum(0)
    counted = [float((true != given)[given == k].double().mean()) for k in range(3)]
    assert counted == pytest.approx(wrong.tolist(), abs=0.005)


# Contrastive features


def test_the_contrastive_loss_is_its_definition():
    draws = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 4, 3, generator=draws, dtype=torch.float64)
    views, total = [*first, *second], 0.0
    for i, view in enumerate(views):
        scores = [math.exp(float(F.cosine_similarity(view, other, dim=0)) / 0.5) for other in views]
        total -= math.log(scores[(i + 4) % 8] / (sum(scores) - scores[i]))
    assert float(contrastive_loss(first, second, 0.5)) == pytest.approx(total / 8)
    with pytest.raises(ValueError, match="two views of the same images"):
        contrastive_loss(first[:1], second[:1])


def test_stronger_views_draw_the_same_and_go_further():
    image = torch.zeros(1, 1, 28, 28)
    image[..., 14, 14] = 1.0

    def moved(strength):
        found = affine(image, torch.Generator().manual_seed(3), strength)[0, 0]
        where = (found[..., None] * torch.cartesian_prod(*[torch.arange(28.0)] * 2).view(28, 28, 2)).sum((0, 1))
        return where / found.sum() - 14

    assert torch.allclose(moved(0.0), torch.zeros(2), atol=1e-4)
    assert float(moved(2.0).norm() / moved(1.0).norm()) == pytest.approx(2, abs=0.3)


def test_learning_features_lowers_the_loss_and_leaves_the_global_draws_alone():
    images, before = load("mnist5k").train_images[::40], torch.get_rng_state()
    *_, encoder = learn_features(images, epochs=10, seed=0)

    def loss(network):
        views = [network(affine(images, torch.Generator().manual_seed(s), 2.0)) for s in (1, 2)]
        return float(contrastive_loss(*views))

    with torch.no_grad():
        assert loss(encoder) < loss(new_encoder(784, 0)) - 0.2
    assert torch.equal(torch.get_rng_state(), before)


# Classes as Gaussians


def points(n, m=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, m))


def test_the_outlier_factor_is_its_definition():
    x = points(30)
    distances = np.linalg.norm(x[:, None] - x, axis=2)
    np.fill_diagonal(distances, np.inf)
    k = 8  # a quarter of the class, rounded
    near, reach = np.argsort(distances, axis=1)[:, :k], np.sort(distances, axis=1)[:, k - 1]
    density = [k / sum(max(reach[o], distances[i, o]) for o in near[i]) for i in range(30)]
    wanted = [np.mean([density[o] for o in near[i]]) / density[i] for i in range(30)]
    assert local_outlier_factor(x) == pytest.approx(wanted, rel=1e-6)


def test_within_an_even_grid_nothing_is_outlying_and_a_far_point_is():
    grid = np.stack(np.meshgrid(range(12), range(12)), -1).reshape(-1, 2).astype(float)
    inner = ((grid > 3) & (grid < 8)).all(1)
    assert local_outlier_factor(grid, 0.03)[inner] == pytest.approx(1, abs=0.05)
    assert local_outlier_factor(np.vstack([grid, [[60.0, 60.0]]])).argmax() == len(grid)
    assert np.isfinite(local_outlier_factor(np.vstack([np.zeros((20, 2)), points(5)]))).all()  # duplicates
    assert (local_outlier_factor(points(7)) == 1).all()
    with pytest.raises(ValueError, match="share=0"):
        local_outlier_factor(grid, 0)


def test_outliers_are_looked_for_within_each_class_and_left_out_by_share():
    x, labels = (
        np.vstack([points(40), 50 + 0.01 * points(40, seed=1), points(4, seed=2)]),
        np.repeat([0, 1, 2], [40, 40, 4]),
    )
    theirs = -LocalOutlierFactor(n_neighbors=10).fit(x[40:80]).negative_outlier_factor_
    assert outlying(x, labels, "LOF")[40:80] == pytest.approx(theirs)
    kept = without_outliers(outlying(x, labels, "LOF"), labels, 0.25)
    assert [int((~kept)[labels == k].sum()) for k in range(3)] == [10, 10, 0]  # a class of four stays as it is
    assert theirs[~kept[40:80]].min() >= theirs[kept[40:80]].max()
    assert without_outliers(np.ones(9), np.zeros(9, dtype=int), 1.0).sum() == 1  # one is left
    true = np.where(np.arange(84) % 3 == 0, 0, labels)
    assert (kept_of("true", x, labels, true, 0.2) == (labels == true)).all() and kept_of(
        "kept", x, labels, true, 0.2
    ).all()
    lonely = outlying(np.vstack([points(30), points(1)]), np.repeat([0, 1], [30, 1]), "neighbours")
    assert lonely.argmax() == 30 and lonely[30] == 1


def three_classes():
    means = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 1.0], [10.0, 2.0]])
    spread = np.stack([scale * np.eye(2) for scale in (1.0, 2.0, 3.0, 4.0)])
    return Gaussians(means, spread, np.array([100, 50, 4, 2]))


def test_rare_classes_borrow_from_the_nearest_large_ones_and_large_ones_from_none():
    before = three_classes()
    after = borrowed(before, 0.3, alpha=0.1)
    assert (after.means[:2] == before.means[:2]).all() and (after.covariances[:2] == before.covariances[:2]).all()
    assert after.means[2].tolist() == pytest.approx([0, 0.7]) and after.means[3].tolist() == pytest.approx([10, 1.4])
    assert after.covariances[2] == pytest.approx((0.7 * 3 + 0.3 * 1 + 0.1) * np.eye(2))
    assert (borrowed(before, 0.0).means == before.means).all()
    assert borrowed(before, 1.0, q=2).means[2] == pytest.approx([10 * 50 / 150, 0])  # weights by size, summing to 1
    for wrong in ({"gamma": 1.1}, {"gamma": -0.1}, {"gamma": 0.1, "q": 3}, {"gamma": 0.1, "alpha": -1}):
        with pytest.raises(ValueError, match=list(wrong)[-1]):
            borrowed(before, **wrong)


@pytest.mark.parametrize("gamma", [0.0, 0.4, 1.0])
def test_the_error_of_a_borrowed_mean_is_the_parabola(gamma):
    draws, m, delta, small, large = np.random.default_rng(1), 3, 1.5, 4, 50
    away = delta * np.eye(m)[0]
    own = draws.normal(size=(4000, small, m)).mean(1)
    lent = away + draws.normal(size=(4000, large, m)).mean(1)
    errors = (((1 - gamma) * own + gamma * lent) ** 2).sum(1)
    wanted = expected_error(gamma, m / small, delta, m / large)
    assert abs(errors.mean() - wanted) < 4 * errors.std() / 4000**0.5
    best = (v := m / small) / (v + delta**2)
    assert expected_error(best, v, delta) < min(expected_error(best + d, v, delta) for d in (-0.05, 0.05))


def test_points_fill_every_class_up_and_have_its_mean_and_covariance():
    of_classes, counts = three_classes(), np.array([20_050, 50, 20_050, 50])
    skewed = np.array([[2.0, 1.0], [1.0, 1.0]])
    of_classes.covariances[1] = skewed
    of_classes.covariances[3] = np.ones((2, 2))  # singular
    drawn, labels = filled_up(of_classes, counts, seeded_generator(0, "points"))
    assert (counts + np.bincount(labels, minlength=4)).tolist() == [20_050] * 4
    own = drawn[labels == 1]
    assert own.mean(0) == pytest.approx([10, 0], abs=3 * (2 / 20_000) ** 0.5)
    assert np.cov(own.T) == pytest.approx(skewed, abs=0.07)
    flat = drawn[labels == 3] - of_classes.means[3]
    assert np.abs(flat[:, 0] - flat[:, 1]).max() < 0.01 and flat.std() == pytest.approx(1, abs=0.03)


def test_a_class_without_a_label_has_no_gaussian_and_one_with_one_has_no_spread():
    x = points(5)
    with pytest.raises(ValueError, match="no example of class 1"):
        class_gaussians(x, np.array([0, 0, 2, 2, 2]), 3)
    found = class_gaussians(x, np.array([0, 0, 0, 0, 1]), 2)
    assert (found.covariances[1] == 0).all() and (found.means[1] == x[4]).all()
    assert found.covariances[0] == pytest.approx(np.cov(x[:4], rowvar=False))


# Tuning


def tuning(**changes):
    images, labels = load("mnist5k").train_images[::40], load("mnist5k").train_labels[::40]
    encoder = new_encoder(784, 0)
    with torch.no_grad():
        scale = encoder(images).std(0)
        z = encoder(images) / scale
    nothing = z[:0], labels[:0]
    options = {"frozen": False, "tether": 0.0, "epochs": 3, "seed": 0} | changes
    *_, (features, head) = tuned(encoder, scale, images, z, labels, nothing, **options)
    return images, labels, scale, z, features(images), head


def test_without_tether_and_points_it_is_plain_cross_entropy_bit_for_bit():
    images, labels, scale, _, features, head = tuning()
    encoder, generator = new_encoder(784, 0), seeded_generator(0, "batches")
    torch.manual_seed(0)
    plain = torch.nn.Linear(32, 10)
    optimizer = torch.optim.Adam([*plain.parameters(), *encoder.parameters()], 1e-3, fused=True)
    for _ in range(3):
        for batch in torch.randperm(len(images), generator=generator).split(256):
            loss = F.cross_entropy(plain(encoder(images[batch]) / scale), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert torch.equal(plain.weight, head.weight) and torch.equal(encoder(images) / scale, features)


def test_a_tether_holds_features_and_frozen_ones_stay():
    moved = {}
    for name, changes in {"free": {}, "held": {"tether": 10.0}, "frozen": {"frozen": True}}.items():
        *_, z, features, _ = tuning(**changes, epochs=40)
        moved[name] = float((features - z).square().sum(1).mean().detach())
    assert moved["frozen"] == 0 and moved["held"] < moved["free"] / 20
    with pytest.raises(ValueError, match="tether=-1"):
        tuning(tether=-1)


# The page


def test_where_no_label_is_wrong_the_world_has_the_error_of_the_formula():
    *_, last = World(distance=2.0).run()
    for gamma in ("0", "0.3", "0.8"):
        assert last.numbers[f"error {gamma}"] == pytest.approx(last.numbers[f"formula {gamma}"], rel=0.08)


def test_features_are_learned_once_and_told_in_steps():
    tiny = Digits(**TINY, seed=5)
    events = list(tiny.run(steps=True))
    assert [e for e in events if isinstance(e, Step)] == [Step(1, 1, 2), Step(1, 2, 2)] and len(events) == 4
    again = list(Digits(**TINY, body="frozen", seed=5).run(steps=True))
    assert not any(isinstance(e, Step) for e in again) and again[-1].numbers["moved"] == 0
    assert any(isinstance(e, Step) for e in Digits(**TINY, body="frozen", seed=6).run(steps=True))
    assert [r.numbers for r in tiny.run()] == [e.numbers for e in events if not isinstance(e, Step)]
    assert events[-1].shown["sizes"].tolist() == class_sizes(60, 5, 10)


def test_its_numbers_are_counted_by_class():
    *_, last = Digits(**TINY).run()
    by_class = last.shown["by_class"]
    assert last.numbers["test_accuracy"] == pytest.approx(by_class.mean())
    assert last.numbers["head"] == pytest.approx(by_class[:4].mean())
    assert last.numbers["tail"] == pytest.approx(by_class[-3:].mean())
    *_, right = Digits(**TINY, outliers="true").run()
    assert right.numbers["wrong_kept"] == right.numbers["tail_lost"] == 0
    *_, clean = Digits(**TINY, ratio=0.0).run()
    assert "memorized" not in clean.numbers and "RCAL" in draw({"RCAL": [clean]}).alt


def test_the_picture_of_borrowing_says_where_it_is_best():
    found = errors_when_borrowing([0, 0.5, 1], {"near": [2.0, 1.0, 3.0]}, {"near": [2.0, 1.1, 3.0]})
    assert "near: 2.00 without, lowest 1.10 at γ = 0.5" in found.alt


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"imbalance": 0.5}, "imbalance=0.5"), ({"largest": 40, "imbalance": 50}, "leaves the smallest class 1 of 40"),
        ({"ratio": 1.0}, "ratio=1.0"), ({"ratio": -0.1}, "ratio=-0.1"), ({"gamma": 1.5}, "gamma=1.5"),
        ({"tether": -1.0}, "tether=-1.0"), ({"outliers": "none"}, "outliers='none' is not known"),
    ],
)  # fmt: skip
def test_settings_beyond_their_ends_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Digits(**settings)


def test_a_class_that_has_lost_its_labels_is_named_before_anything_is_trained():
    with pytest.raises(ValueError, match="ratio=0.95 leaves digit 0, with 2 images, no label to be described by"):
        Digits(largest=20, imbalance=10.0, ratio=0.95, outliers="true").run()
    for call, says in (
        (lambda: class_sizes(400, 0.9, 10), "imbalance=0.9"),
        (lambda: long_tailed(load("mnist5k"), 401, 2), "largest=401 is more than the 400 images"),
        (lambda: flips_by_size([5], 0.2), "two or more whole numbers"),
        (lambda: flips_by_size([5, 0], 0.2), "two or more whole numbers"),
        (lambda: flips_by_size([5, 5], 1.2), "ratio=1.2"),
        (lambda: learn_features(torch.zeros(1, 1, 28, 28), epochs=1, seed=0), "number of images=1"),
    ):
        with pytest.raises(ValueError, match=says):
            call()
