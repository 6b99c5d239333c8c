"""Points in the plane: where they lie, what a network says of the plane, and labels that are flipped meanwhile."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from nlkit import build_model, make_task, plots, train
from nlkit.data.plane import WINDOW, as_images, as_points, lattice, nearest, plane
from nlkit.learning.field import field
from nlkit.plots.boundaries import point_at
from nlkit.randomness import seeded_generator
from nlkit.tasks.flips import flip, flip_where, relabel


@pytest.fixture
def task():
    return make_task(plane(per_class=20), ratio=0.2, clean_per_class=3, device="cpu")


def test_moons_lie_on_the_arcs_that_scikit_learn_draws_and_each_class_has_its_own():
    from sklearn.datasets import make_moons

    arcs, labels = make_moons(4001, noise=None)
    arcs, labels = torch.from_numpy(arcs).float(), torch.from_numpy(labels)
    data = plane("moons", per_class=60, spread=1e-6)
    far = torch.cdist(as_points(data.train_images), arcs)
    assert far.min(1).values.max() < 1e-3 and torch.equal(labels[far.argmin(1)], data.train_labels)
    noisy = as_points(plane("moons", per_class=2000, spread=0.1, seed=1).train_images)
    off = (noisy[:2000].norm(dim=1) - 1)[noisy[:2000, 1] > 0.3]  # across the arc of a circle about 0
    assert off.std() == pytest.approx(0.1, rel=0.08) and abs(float(off.mean())) < 0.02


@pytest.mark.parametrize("name", ["moons", "blobs"])
def test_points_are_a_data_set_of_the_kit_and_hang_on_the_seed_alone(name):
    data, again, other = (plane(name, seed=seed) for seed in (0, 0, 1))
    assert data.train_images.shape == (100, 2, 1, 1) and data.train_labels.bincount().tolist() == [50, 50]
    assert len(data.test_labels) == 1000 and not torch.isin(data.test_images[:, 0], data.train_images[:, 0]).any()
    assert torch.equal(data.train_images, again.train_images) and not torch.equal(data.train_images, other.train_images)
    back = data.train_images.flatten(1) * torch.tensor(data.std) + torch.tensor(data.mean)  # as of any data set
    torch.testing.assert_close(back, as_points(data.train_images))
    points = as_points(data.train_images)
    torch.testing.assert_close(as_images(points), data.train_images)
    for axis, (low, high) in enumerate(WINDOW):
        assert low < points[:, axis].min() and points[:, axis].max() < high


@pytest.mark.parametrize("wrong", [{"name": "stars"}, {"per_class": 1}, {"spread": 0}, {"seed": -1}])
def test_points_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
        plane(**wrong)


def test_the_field_is_the_softmax_of_the_network_at_each_point(task):
    network, points = build_model("mlp", (2, 1, 1), 2, seed=3), lattice(7, 5)
    assert points.shape == (5, 7, 2)
    assert points[0, 0].tolist() == pytest.approx([-1.5, -1.1]) and points[-1, -1].tolist() == pytest.approx([2.5, 1.6])
    assert points[0, 1, 0] > points[0, 0, 0] and points[1, 0, 1] > points[0, 0, 1]
    values = field(network, points)
    for row in range(5):
        for column in range(7):
            x, y = points[row, column].tolist()
            at = torch.tensor([(x - task.mean[0]) / task.std[0], (y - task.mean[1]) / task.std[1]])
            logits = network(at.view(1, 2, 1, 1))[0].exp()
            assert values[row, column].item() == pytest.approx((logits[1] / logits.sum()).item(), abs=1e-6)
    assert network.training


def test_the_nearest_point_is_that_of_a_search_through_all(task):
    points = as_points(task.images)
    for x, y in torch.rand(50, 2, generator=torch.Generator().manual_seed(0)).mul(4).sub(1.5).tolist():
        far = [((px - x) ** 2 + (py - y) ** 2) ** 0.5 for px, py in points.tolist()]
        place, distance = nearest(points, x, y)
        assert place == far.index(min(far)) and distance == pytest.approx(min(far), abs=1e-5)


def test_a_flip_changes_one_label_and_what_is_counted_from_it(task):
    data, given, wrong = plane(per_class=20), task.given.clone(), task.wrong.clone()
    for place in (0, int(wrong.nonzero()[0]), task.noisy_count - 1):
        label = flip(task, place)
        assert (task.given != given).nonzero().flatten().tolist() == [place]
        assert label == 1 - int(given[place]) == int(task.given_labels[place])
        fresh = dataclasses.replace(task, given=task.given.clone())  # which counts anew
        assert torch.equal(task.wrong, fresh.wrong) and task.wrong[place] != wrong[place]
        flip(task, place)
        assert torch.equal(task.given, given) and torch.equal(task.wrong, wrong)
    assert torch.equal(plane(per_class=20).train_labels, data.train_labels)
    chosen = set(task.index[:4].tolist())
    flip_where(task, chosen | {int(task.index[-1])})  # the last is of the clean set, whose labels stay
    assert (task.given != given).nonzero().flatten().tolist() == [0, 1, 2, 3]


def test_what_cannot_be_flipped_is_refused(task, mnist5k):
    with pytest.raises(ValueError, match=f"place={task.noisy_count}"):
        flip(task, task.noisy_count)
    with pytest.raises(ValueError, match="label=2"):
        relabel(task, 0, 2)
    with pytest.raises(ValueError, match="task has 10 classes; a label is flipped where there are two"):
        flip(make_task(mnist5k, ratio=0.1, device="cpu"), 0)


def test_a_training_under_way_learns_from_the_new_label_with_the_weights_that_it_has(task):
    network = build_model("mlp", (2, 1, 1), 2, seed=0)
    run = train(task, model=network, epochs=4, batch_size=16, learning_rate=3e-3)
    given = task.given.clone()
    next(run), next(run)
    flip(task, 5)
    last = list(run)[-1]
    other = build_model("mlp", (2, 1, 1), 2, seed=0)
    optimizer, shuffle = torch.optim.Adam(other.parameters(), lr=3e-3), seeded_generator(0, "batches")
    for epoch in range(4):
        if epoch == 2:
            given[5] = 1 - given[5]
        for batch in torch.randperm(len(given), generator=shuffle).split(16):
            optimizer.zero_grad()
            F.cross_entropy(other(task.images[batch]), given[batch]).backward()
            optimizer.step()
    for ours, theirs in zip(network.parameters(), other.parameters()):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)
    predicted = other(task.noisy_images).argmax(1)
    assert last.memorized == pytest.approx((predicted == given[: task.noisy_count])[task.wrong].double().mean().item())


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_place_of_the_picture_is_the_point_that_it_shows(task, count):
    flat = torch.full((5, 7), 0.2)
    figure = plots.decision_boundaries(task, {f"network {i}": flat for i in range(count)})
    figure.drawn()
    width, height = figure.bbox.width, figure.bbox.height
    for ax in figure.axes:
        for point in as_points(task.images).tolist():
            x, y = ax.transData.transform(point)
            assert point_at(count, x / width, 1 - y / height) == pytest.approx(point, abs=1e-6)
    assert point_at(count, 0.5, 0.999) is None and point_at(count, -0.1, 0.5) is None


def test_the_picture_draws_the_line_where_both_classes_are_equally_likely_and_each_point_as_labelled(task):
    x = lattice(41, 21)[..., 0]
    figure = plots.decision_boundaries(task, {"standard": 0.5 + 0.1 * (x - 0.7)}, words={"standard": "test 90%"})
    (ax,) = figure.axes
    line = ax.collections[1]  # the first has the shades
    assert torch.tensor(line.get_paths()[0].vertices)[:, 0].tolist() == pytest.approx([0.7] * 21, abs=1e-5)
    drawn = {line.get_marker(): torch.tensor(line.get_xydata()).float() for line in ax.lines}
    points = as_points(task.images)
    for marker, label in (("o", 0), ("s", 1)):
        torch.testing.assert_close(drawn[marker], points[task.given == label])
    rings, frames = (torch.tensor(c.get_offsets().data).float() for c in ax.collections[-2:])
    torch.testing.assert_close(rings, points[: task.noisy_count][task.wrong])
    torch.testing.assert_close(frames, points[task.noisy_count :])
    assert "test 90%" in figure.alt and f"{int(task.wrong.sum())} of 34 noisy ones" in figure.alt
    assert "44% of the plane is square" in figure.alt
    again = plots.decision_boundaries(task, {"mixup": 0.5 + 0 * x}, figure)
    assert again is figure and len(ax.lines) == 2
    with pytest.raises(ValueError, match="fields has 5 networks; a picture has room for 1 to 4"):
        plots.decision_boundaries(task, {str(i): x for i in range(5)})
