"""Red noise and human labels as tasks: what is replaced, what stays, and what the records make of it."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from nlkit import DataError, Dataset, Experiment, build_model, load, make_task, plots, train
from nlkit.commands.main import main
from nlkit.noise.look_alikes import draw_look_alikes
from nlkit.noise.nearest_images import _pools, class_distances, fit_images, nearest_images


@pytest.fixture(scope="module")
def task(mnist5k):
    return make_task(mnist5k, noise="red", ratio=0.4, clean_per_class=50, device="cpu")


def test_red_noise_keeps_labels_and_replaces_exactly_the_images_that_the_mask_names(task, mnist5k):
    original = mnist5k.train_images[task.index]
    assert torch.equal(task.given, mnist5k.train_labels[task.index])
    assert int(task.wrong.sum()) == 1400
    changed = (task.images != original).flatten(1).any(1)
    assert torch.equal(changed[: len(task.wrong)], task.wrong) and not changed[len(task.wrong) :].any()
    assert (task.true_labels[task.wrong] == -1).all()
    assert torch.equal(task.true_labels[~task.wrong], task.given_labels[~task.wrong])
    drawn = draw_look_alikes(task.given_labels, seed=0, only=task.wrong)
    shown = task.noisy_images[task.wrong] * 0.3081 + 0.1307
    torch.testing.assert_close(shown, drawn.float() / 255, atol=1e-5, rtol=0)


def test_red_noise_is_nested_and_seeded(task, mnist5k):
    more, other = (make_task(mnist5k, noise="red", ratio=r, seed=s, device="cpu") for r, s in ((0.6, 0), (0.4, 1)))
    assert more.wrong[task.wrong].all() and int(more.wrong.sum()) == 2100
    assert torch.equal(more.noisy_images[task.wrong], task.noisy_images[task.wrong])
    assert not torch.equal(other.wrong, task.wrong)
    counts = torch.bincount(task.given_labels[task.wrong], minlength=10)
    assert counts.max() - counts.min() <= 1


def test_the_data_set_itself_is_left_as_it_was(mnist5k):
    before = mnist5k.train_images.clone()
    make_task(mnist5k, noise="red", ratio=0.9, device="cpu")
    assert torch.equal(mnist5k.train_images, before)


def test_records_and_pictures_know_images_that_are_of_no_class(task):
    record = list(train(task, "standard", epochs=2))[-1]
    assert math.isnan(record.recovered) and 0 < record.memorized < 1
    right = record.true_accuracy
    assert right > record.memorized
    assert torch.equal(task.realized_matrix, torch.eye(10, dtype=torch.float64))
    texts = [t.get_text() for t in plots.labelled_images(task).axes[0].texts]
    assert any(text.endswith("(–)") for text in texts)
    plots.noise_overview(task).png()


def test_what_red_or_human_noise_cannot_be_is_refused(mnist5k):
    with pytest.raises(ValueError, match="noise='red'.*digits"):
        make_task(replace(mnist5k, class_names=tuple("abcdefghij")), noise="red", ratio=0.4)
    with pytest.raises(ValueError, match="ratio=None"):
        make_task(mnist5k, noise="red")
    with pytest.raises(ValueError, match="cifar10 only"):
        make_task(mnist5k, noise="human:worst")
    with pytest.raises(ValueError, match="did you mean 'human:worst'"):
        make_task(mnist5k, noise="human:worse")


# Red noise from another data set


def part_of(dataset: Dataset, classes: range, name: str, per_class: int = 400) -> Dataset:
    """Some classes of a data set as one of its own, the first `per_class` training images of each."""
    tensors = {}
    for part, most in (("train", per_class), ("test", 100)):
        labels = getattr(dataset, f"{part}_labels")
        places = torch.cat([(labels == c).nonzero().flatten()[:most] for c in classes])
        tensors |= {
            f"{part}_images": getattr(dataset, f"{part}_images")[places],
            f"{part}_labels": labels[places] - classes[0],
        }
    return replace(dataset, name=name, class_names=tuple(dataset.class_names[c] for c in classes), **tensors)


def plain(shape: tuple[int, ...], mean=(0.0,), std=(1.0,), grey=0.0, name="plain") -> Dataset:
    """Three classes of three images of one colour each."""
    images, labels = torch.zeros(9, *shape) + grey, torch.tensor([0, 1, 2] * 3)
    return Dataset(name, tuple(f"{name} {c}" for c in "abc"), images, labels, images, labels, mean, std)


@pytest.fixture(scope="module")
def low(mnist5k):
    return part_of(mnist5k, range(5), "0 to 4")


@pytest.fixture(scope="module")
def high(mnist5k):
    return part_of(mnist5k, range(5, 10), "5 to 9")


def red_task(data, source, ratio=0.4, **options):
    return make_task(data, noise="red", source=source, ratio=ratio, **({"device": "cpu"} | options))


def sources_of(task, source, dataset) -> torch.Tensor:
    """For each replaced image, the place of the source image that it is, found by its pixels."""
    fitted = fit_images(source.train_images, source, dataset).flatten(1)
    distances = torch.cdist(task.noisy_images[task.wrong].flatten(1).double(), fitted.double())
    nearest = distances.min(1)
    assert nearest.values.max() < 1e-3
    return nearest.indices


@pytest.mark.parametrize("ratio, count", [(0, 0), (0.1, 175), (0.4, 700), (1, 1750)])
def test_exactly_so_many_images_become_different_ones_of_the_source(low, high, ratio, count):
    before = [tensor.clone() for tensor in (low.train_images, low.test_images, high.train_images)]
    task = red_task(low, high, ratio)
    assert int(task.wrong.sum()) == count and task.noise == "red:5 to 9"
    assert torch.equal(task.given, low.train_labels[task.index])
    assert (task.true_labels[task.wrong] == -1).all()
    assert torch.equal(task.true_labels[~task.wrong], task.given_labels[~task.wrong])
    assert torch.equal(task.matrix, torch.eye(5, dtype=torch.float64))
    changed = (task.images != low.train_images[task.index]).flatten(1).any(1)
    assert torch.equal(changed[: len(task.wrong)], task.wrong) and not changed[len(task.wrong) :].any()
    if count:
        assert len(set(sources_of(task, high, low).tolist())) == count
    assert torch.equal(task.test_images, low.test_images) and torch.equal(task.test_labels, low.test_labels)
    assert all(torch.equal(a, b) for a, b in zip(before, (low.train_images, low.test_images, high.train_images)))


@pytest.mark.parametrize("exact", [True, False])
def test_what_is_replaced_at_a_lower_ratio_is_replaced_by_the_same_image_at_a_higher_one(low, high, exact):
    tasks = [red_task(low, high, ratio, exact=exact, seed=3) for ratio in (0.05, 0.3, 0.31, 0.4, 0.8, 1)]
    for less, more in zip(tasks, tasks[1:]):
        assert more.wrong[less.wrong].all() and more.wrong.sum() > less.wrong.sum()
        assert torch.equal(more.noisy_images[less.wrong], less.noisy_images[less.wrong])
    if not exact:
        assert abs(int(tasks[3].wrong.sum()) - 700) < 5 * (1750 * 0.4 * 0.6) ** 0.5  # five standard deviations


def test_it_hits_the_examples_that_symmetric_noise_hits(low, high):
    assert torch.equal(red_task(low, high, seed=4).wrong, make_task(low, ratio=0.4, seed=4, device="cpu").wrong)


def test_a_seed_draws_the_places_and_a_fresh_search_finds_the_same_images(low, high):
    first, other = red_task(low, high, seed=1), red_task(low, high, seed=2)
    assert not torch.equal(first.wrong, other.wrong)
    state = torch.get_rng_state()
    _pools.cache_clear()
    again = red_task(low, high, seed=1)
    assert torch.equal(again.images, first.images) and torch.equal(again.given, first.given)
    assert torch.equal(torch.get_rng_state(), state)


def test_one_search_serves_every_ratio_seed_and_clean_set(low, high):
    _pools.cache_clear()
    for options in ({"ratio": 0.1}, {"ratio": 0.9}, {"seed": 5}, {"clean_per_class": 1}):
        red_task(low, high, **options)
    assert _pools.cache_info().misses == 1


def test_classes_take_turns_in_picking_the_nearest_image_that_is_free(mnist5k, high):
    digits = part_of(mnist5k, range(3), "0 to 2", per_class=40)
    keep = torch.tensor([*range(40), *range(40, 60), *range(80, 90)])  # 40, 20 and 10 per class
    digits = replace(digits, train_images=digits.train_images[keep], train_labels=digits.train_labels[keep])
    labels = digits.train_labels[torch.randperm(70, generator=torch.Generator().manual_seed(0))]
    few = part_of(high, range(5), "5 to 9", per_class=15)  # 75 images for 70 picks, so that classes compete
    distances = class_distances(digits, few).tolist()
    # Class 0 has two turns for each of class 1, and four for each of class 2, in the middle of its share of them.
    turns = sorted((((t + 0.5) / count), c) for c, count in enumerate((40, 20, 10)) for t in range(count))
    picks, taken = {0: [], 1: [], 2: []}, set()
    for _, c in turns:
        nearest = min((row[c], place) for place, row in enumerate(distances) if place not in taken)[1]
        taken.add(nearest)
        picks[c].append(nearest)
    images, places = nearest_images(digits, few, labels)
    assert places.tolist() == [picks[c].pop(0) for c in labels.tolist()]
    torch.testing.assert_close(images, few.train_images[places])
    first_images, first_places = nearest_images(digits, few, labels[:25])
    assert torch.equal(first_places, places[:25]) and torch.equal(first_images, images[:25])


def assert_nearer_than_random(data: Dataset, source: Dataset, labels: torch.Tensor, margin: float) -> None:
    """Picked images are nearer in feature space, and two other networks hold them for the class more than random ones.

    margin: by how much more probable the class is, as a mean over the images.
    """
    images, places = nearest_images(data, source, labels)
    random = torch.randperm(len(source.train_labels), generator=torch.Generator().manual_seed(0))[: len(labels)]
    distances = class_distances(data, source)
    for c in range(data.num_classes):
        assert distances[places[labels == c], c].mean() < distances[random, c].mean()
    task = make_task(data, ratio=0, clean_per_class=1, device="cpu")
    random_images = fit_images(source.train_images[random], source, data)
    for name in ("mlp", "cnn"):
        model = build_model(name, tuple(images.shape[1:]), data.num_classes, seed=7)
        list(train(task, model=model, epochs=4, learning_rate=1e-3, seed=7))
        with torch.no_grad():
            picked, any_ = (F.softmax(model(x), 1).gather(1, labels[:, None]).mean() for x in (images, random_images))
        assert any_ < 1.5 / data.num_classes and picked > any_ + margin, (name, picked, any_)


def test_the_images_are_nearer_to_their_class_than_random_ones(low, high):
    assert_nearer_than_random(low, high, torch.arange(5).repeat(100), margin=0.2)


def test_a_task_of_any_size_channels_and_normalisation_is_replaced(mnist5k, low):
    colour = plain((3, 9, 11), mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    task = red_task(colour, low, ratio=0.5, clean_per_class=1)
    assert task.images.shape == (9, 3, 9, 11) and int(task.wrong.sum()) == 3
    shown = task.noisy_images * torch.tensor(colour.std).view(3, 1, 1) + torch.tensor(colour.mean).view(3, 1, 1)
    red, green, blue = shown[task.wrong].unbind(1)
    torch.testing.assert_close(red, green, atol=1e-5, rtol=0)
    torch.testing.assert_close(red, blue, atol=1e-5, rtol=0)
    assert red.min() > -1e-5 and 0.3 < red.max() < 1 + 1e-5


@pytest.mark.parametrize("size", [(4, 4), (32, 32), (84, 40)])
def test_images_of_one_grey_stay_so_in_any_size(size):
    source = plain((1, *size), mean=(0.2,), std=(0.5,), grey=0.6)  # 0.2 + 0.5 · 0.6 = 0.5
    for channels in (1, 3):
        data = plain((channels, 28, 28), mean=(0.1,), std=(0.25,))
        fitted = fit_images(source.train_images, source, data)
        torch.testing.assert_close(fitted, torch.full((9, channels, 28, 28), (0.5 - 0.1) / 0.25))


def test_colour_keeps_its_channels_or_becomes_its_luma():
    source = plain((3, 32, 32), grey=torch.tensor([1.0, 0.5, 0.25]).view(3, 1, 1))
    grey = fit_images(source.train_images, source, plain((1, 28, 28), mean=(0.5,), std=(0.5,)))
    luma = 0.299 + 0.587 * 0.5 + 0.114 * 0.25
    torch.testing.assert_close(grey, torch.full((9, 1, 28, 28), (luma - 0.5) / 0.5))
    colour = fit_images(source.train_images, source, plain((3, 28, 28), mean=(0.5, 0.5, 0.0), std=(0.5, 0.25, 1.0)))
    assert colour.shape == (9, 3, 28, 28)
    torch.testing.assert_close(colour.mean((0, 2, 3)), torch.tensor([1.0, 0.0, 0.25]))


def test_an_image_that_shrinks_averages_over_all_its_pixels():
    source = plain((1, 16, 16), grey=torch.tensor([1.0, 0.0, 0.0, 0.0] * 4))
    fitted = fit_images(source.train_images, source, plain((1, 4, 4)))
    torch.testing.assert_close(fitted[:, 0, :, 1:3], torch.full((9, 4, 2), 0.25))  # off the borders


def test_a_source_may_be_smaller_than_the_data_as_long_as_it_lasts(low, mnist5k):
    small = part_of(mnist5k, range(5, 10), "small", per_class=100)
    assert int(red_task(low, small, ratio=0.28).wrong.sum()) == 490
    message = (
        "source='small' has too few images: 700 are needed, 140 of them for class 0, and there are 500, 100 of them "
        "for that class; lower the ratio, or take a larger source"
    )
    with pytest.raises(ValueError, match=message):
        red_task(low, small, ratio=0.4)


def test_sources_that_cannot_be_are_refused(low, high, mnist5k):
    with pytest.raises(ValueError, match="source='mnist5k' shares 10 of its classes with mnist5k"):
        make_task(mnist5k, noise="red:mnist5k", ratio=0.4)
    with pytest.raises(ValueError, match="source='0 to 4' shares 5 of its classes with 0 to 4 .'0'"):
        red_task(low, low)
    with pytest.raises(ValueError, match="source='other' shares 1 of its classes with 0 to 4 .'4'"):
        red_task(low, replace(high, name="other", class_names=("5", "6", "7", "8", "4")))
    with pytest.raises(ValueError, match="source='high' shares 1 of its classes with low .'cat'"):
        named = replace(low, name="low", class_names=(*"abcd", "Cat"))
        red_task(named, replace(high, name="high", class_names=(*"efgh", "cat")))
    with pytest.raises(ValueError, match="source='plain' has images of 2 channels, which can't become the 1 of 0 to 4"):
        red_task(low, plain((2, 28, 28)))
    with pytest.raises(ValueError, match="source='cifar10' must be a Dataset of your own.*noise='red:cifar10'"):
        red_task(low, "cifar10")
    for noise in ("symmetric", "red:cifar10", {0: 1}, torch.eye(5)):
        with pytest.raises(ValueError, match="source='5 to 9' must be left out unless noise='red'"):
            make_task(low, noise=noise, source=high, ratio=0.4)
    with pytest.raises(ValueError, match="did you mean 'red:cifar10'"):
        make_task(low, noise="red:cifar", ratio=0.4)
    with pytest.raises(ValueError, match="ratio=1.5 must be a number from 0 to 1"):
        red_task(low, high, ratio=1.5)
    with pytest.raises(
        ValueError, match="noise='red' draws look-alikes of digits; letters is not.*noise='red:cifar10'"
    ):
        make_task(replace(low, name="letters", class_names=tuple("abcde")), noise="red", ratio=0.4)


def test_a_source_whose_files_are_missing_is_a_data_error(data_folders, mnist5k):
    _pools.cache_clear()
    with pytest.raises(DataError, match="fashion_mnist was not found.*nlkit data fashion_mnist"):
        make_task(mnist5k, noise="red:fashion_mnist", ratio=0.4)


@pytest.mark.full_data("fashion_mnist", "cifar10")
@pytest.mark.parametrize(
    "name, margin", [("fashion_mnist", 0.2), pytest.param("cifar10", 0.1, marks=pytest.mark.nightly)]
)
def test_digits_are_replaced_by_images_of_a_named_data_set(mnist5k, name, margin):
    source = load(name)
    task = make_task(mnist5k, noise=f"red:{name}", ratio=0.4, device="cpu")
    more = make_task(mnist5k, noise=f"red:{name}", ratio=0.6, device="cpu")
    assert task.noise == f"red:{name}" and int(task.wrong.sum()) == 1400 and int(more.wrong.sum()) == 2100
    assert torch.equal(more.noisy_images[task.wrong], task.noisy_images[task.wrong])
    labels = task.given_labels[task.wrong]
    images, places = nearest_images(mnist5k, source, labels)
    assert len(set(places.tolist())) == 1400
    torch.testing.assert_close(images, fit_images(source.train_images[places], source, mnist5k))
    for c in range(10):
        replaced = task.noisy_images[task.wrong][labels == c]
        torch.testing.assert_close(replaced.sum(0), images[labels == c].sum(0), atol=1e-3, rtol=0)
    assert_nearer_than_random(mnist5k, source, torch.arange(10).repeat(140), margin)


@pytest.mark.full_data("fashion_mnist")
def test_experiments_and_the_command_line_take_a_named_source(capsys):
    assert Experiment(noise="red:fashion_mnist", ratio=0.2, device="cpu").task().realized_ratio == 0.2
    with pytest.raises(SystemExit) as end:
        main(["train", "--noise", "red:fashion_mnist", "--ratio", "0.4", "--epochs", "1", "--device", "cpu", "--json"])
    printed = capsys.readouterr()
    assert end.value.code == 0 and "40.0%, red:fashion_mnist" in printed.err
    assert json.loads(printed.out)["recovered"] is None


@pytest.mark.full_data("cifar10")
def test_human_labels_make_a_task():
    task = make_task("cifar10", noise="human:worst", clean_per_class=10, device="cpu")
    assert task.realized_ratio == pytest.approx(0.4021, abs=0.002)
    assert torch.allclose(task.matrix.sum(1), torch.ones(10, dtype=torch.float64))
    with pytest.raises(ValueError, match="ratio=0.4 must be left out"):
        make_task("cifar10", noise="human:worst", ratio=0.4)


def test_a_part_of_the_digits_gets_the_look_alikes_of_those_digits(mnist5k):
    task = make_task(mnist5k.of_classes("86"), noise="red", ratio=0.4, clean_per_class=0, device="cpu")
    digits = torch.where(task.given_labels == 0, 8, 6)
    drawn = draw_look_alikes(digits, seed=0, only=task.wrong)
    torch.testing.assert_close(task.noisy_images[task.wrong] * 0.3081 + 0.1307, drawn / 255, atol=1e-5, rtol=0)
