"""Red noise and human labels as tasks: what is replaced, what stays, and what the records make of it."""

import math

import pytest
import torch

from nlkit import make_task, plots, train
from nlkit.look_alikes import draw_look_alikes


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
    assert any(text.endswith("(none)") for text in texts)
    plots.noise_overview(task).png()


def test_what_red_or_human_noise_cannot_be_is_refused(mnist5k):
    from dataclasses import replace

    with pytest.raises(ValueError, match="noise='red'.*digits"):
        make_task(replace(mnist5k, class_names=tuple("abcdefghij")), noise="red", ratio=0.4)
    with pytest.raises(ValueError, match="ratio=None"):
        make_task(mnist5k, noise="red")
    with pytest.raises(ValueError, match="cifar10 only"):
        make_task(mnist5k, noise="human:worst")
    with pytest.raises(ValueError, match="did you mean 'human:worst'"):
        make_task(mnist5k, noise="human:worse")


@pytest.mark.full_data("cifar10")
def test_human_labels_make_a_task():
    task = make_task("cifar10", noise="human:worst", clean_per_class=10, device="cpu")
    assert task.realized_ratio == pytest.approx(0.4021, abs=0.002)
    assert torch.allclose(task.matrix.sum(1), torch.ones(10, dtype=torch.float64))
    with pytest.raises(ValueError, match="ratio=0.4 must be left out"):
        make_task("cifar10", noise="human:worst", ratio=0.4)
