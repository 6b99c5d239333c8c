"""Many networks at once learn what each learns alone."""

import dataclasses

import pytest
import torch

from nlkit import build_model, make_task, train
from nlkit.records import Step
from nlkit.tasks.make import tasks_at
from nlkit.training.many import Stack, train_many

RATIOS = (0.0, 0.5, 0.9)
SHARES = ("given_accuracy", "true_accuracy", "test_accuracy", "memorized", "recovered")


@pytest.fixture(scope="module")
def tasks(mnist5k):
    return tasks_at(RATIOS, mnist5k, noise="pair", clean_per_class=20, seed=3, device="cpu")


def test_tasks_at_ratios_share_their_images_and_are_those_that_are_made_one_by_one(mnist5k, tasks):
    for ratio, task in zip(RATIOS, tasks):
        alone = make_task(mnist5k, noise="pair", ratio=ratio, clean_per_class=20, seed=3, device="cpu")
        assert task.images is tasks[0].images
        for field in dataclasses.fields(alone):
            one, other = getattr(task, field.name), getattr(alone, field.name)
            assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other, field.name


def test_each_network_learns_what_it_learns_alone(tasks):
    """Sums are added in another order, so a few examples near a border may fall on its other side."""
    settings = {"epochs": 3, "learning_rate": 2e-3, "seed": 5}
    together = list(train_many(tasks, **settings))
    for place, task in enumerate(tasks):
        for ours, alone in zip([records[place] for records in together], train(task, **settings)):
            assert (ours.epoch, ours.extra.keys()) == (alone.epoch, alone.extra.keys())
            assert ours.loss == pytest.approx(alone.loss, rel=1e-3)
            for name in SHARES:
                assert getattr(ours, name) == pytest.approx(getattr(alone, name), abs=0.004, nan_ok=True), name
    finals = [record.test_accuracy for record in together[-1]]
    assert finals[0] > finals[1] + 0.1 > finals[2] + 0.2  # else all that is equal above might be one network thrice


def test_a_stack_computes_what_its_networks_compute_and_they_move_with_it():
    networks = [build_model("mlp", (1, 6, 5), 4, seed=seed) for seed in (0, 1)]
    stack, images = Stack(networks), torch.rand(7, 1, 6, 5)
    with torch.no_grad():
        for _ in range(2):
            expected = torch.stack([network(images).T for network in networks])
            torch.testing.assert_close(stack(images), expected, rtol=1e-4, atol=1e-3)
            for layer in stack.layers:
                layer += torch.randn_like(layer)
    assert not torch.allclose(stack(images)[0], stack(images)[1])


def test_steps_are_told_and_a_last_batch_of_one_is_learned_with_the_one_before(tasks):
    size = len(tasks[0].given)
    steps = [event for event in train_many(tasks, epochs=1, batch_size=(size - 1) // 3, yield_steps=True)][:-1]
    assert steps == [Step(1, step, 3) for step in (1, 2, 3)]


@pytest.mark.parametrize("wrong, told", [
    (lambda tasks: [], r"tasks=\[\] must be one Task or more"),
    (lambda tasks: ["mnist5k"], r"tasks=\['mnist5k'\] must be one Task or more; make them with tasks_at"),
    (lambda tasks: [tasks[0], dataclasses.replace(tasks[0], images=tasks[0].images.flip(0))],
     r"tasks\[1\] has other images than tasks\[0\]; .* in given labels alone, .*tasks_at"),
    (lambda tasks: [tasks[0], dataclasses.replace(tasks[0], class_names=tuple("abcdefghijk"))],
     r"tasks\[1\] has 11 classes and tasks\[0\] has 10"),
])  # fmt: skip
def test_tasks_of_more_than_one_batch_are_refused(tasks, wrong, told):
    with pytest.raises(ValueError, match=told):
        train_many(wrong(tasks))


def test_noise_that_replaces_images_is_refused_and_so_is_no_ratio(mnist5k):
    with pytest.raises(ValueError, match="noise='red' replaces images, so that tasks can't share them"):
        tasks_at((0.0, 0.2), mnist5k, noise="red")
    with pytest.raises(ValueError, match="ratios is empty; name at least one"):
        tasks_at((), mnist5k)
