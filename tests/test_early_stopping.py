"""Early stopping: what is held out stays out, and the weights kept are those of the epoch that did best on it."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nlkit import make_task, train
from nlkit.learning.models import build_model
from nlkit.papers.early_stopping import EarlyStopping
from nlkit.randomness import seeded_generator


@pytest.fixture(scope="module")
def task():
    return make_task("mnist5k", ratio=0.6, clean_per_class=5, device="cpu")


def accuracy(network, images, labels):
    network.eval()
    with torch.no_grad():
        return (network(images).argmax(1) == labels).double().mean().item()


def test_it_is_this_plain_loop(task):
    network = build_model("mlp", (1, 28, 28), 10, seed=3)
    held = torch.randperm(3950, generator=seeded_generator(3, "method"))[:790]
    rest = torch.tensor(sorted(set(range(4000)) - set(held.tolist())))
    order, adam = seeded_generator(3, "batches"), torch.optim.Adam(network.parameters(), lr=6e-4)
    best, expected = -1.0, []
    for epoch in range(1, 13):
        network.train()
        for index in rest[torch.randperm(len(rest), generator=order)].split(128):
            adam.zero_grad()
            F.cross_entropy(network(task.images[index]), task.given[index]).backward()
            adam.step()
        found = accuracy(network, task.images[held], task.given[held])
        if found > best:
            best, kept, tested = found, epoch, accuracy(network, task.test_images, task.test_labels)
        expected.append((found, kept, tested))
    records = list(train(task, "early_stopping", epochs=12, seed=3, held_out=0.2))
    came = [(r.extra["held_out_accuracy"], r.extra["kept_epoch"], r.test_accuracy) for r in records]
    assert kept < 12  # else nothing was stopped
    torch.testing.assert_close(torch.tensor(came), torch.tensor(expected), rtol=0, atol=2e-3)


def test_each_example_that_is_not_held_out_comes_once_an_epoch_and_the_others_never(task, monkeypatch):
    seen, held = [], []
    step, hold_out = EarlyStopping.step, EarlyStopping.hold_out
    monkeypatch.setattr(
        EarlyStopping, "step", lambda self, run, batch: (seen.append(batch.index), step(self, run, batch))[1]
    )
    monkeypatch.setattr(EarlyStopping, "hold_out", lambda self, run: (held.append(hold_out(self, run)), held[0])[1])
    for learn_clean, count in ((True, 4000), (False, 3950)):
        seen.clear()
        held.clear()
        next(train(task, "early_stopping", epochs=1, learn_clean=learn_clean))
        assert sorted(torch.cat([*seen, *held]).tolist()) == list(range(count))
        assert len(held[0]) == 395


def without_time(record):
    return {name: value for name, value in record.numbers.items() if name != "examples_per_second"}


class WithNorm(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))


@pytest.mark.parametrize(
    "settings", [{}, {"weight_average": 0.99}, {"model": WithNorm}], ids=["plain", "averaged", "norm"]
)
def test_it_goes_on_from_a_checkpoint_to_the_identical_result(task, tmp_path, settings):
    whole = list(train(task, "early_stopping", epochs=9, **settings))
    file = tmp_path / "run.pt"
    stopped = train(task, "early_stopping", epochs=9, checkpoint=file, **settings)
    for _ in range(6):
        next(stopped)
    resumed = list(train(task, "early_stopping", epochs=9, checkpoint=file, **settings))
    assert [without_time(r) for r in resumed] == [without_time(r) for r in whole]
    assert len({r.extra["kept_epoch"] for r in whole}) > 1


def test_a_network_of_ones_own_is_left_with_the_weights_that_were_kept_also_when_nothing_was_left_to_train(
    task, tmp_path
):
    for network in (WithNorm(), WithNorm()):
        *_, last = train(
            task, "early_stopping", model=network, epochs=10, learning_rate=3e-3, checkpoint=tmp_path / "run.pt"
        )
        assert last.extra["kept_epoch"] < 10
        assert accuracy(network, task.test_images, task.test_labels) == pytest.approx(last.test_accuracy, abs=1e-9)


def test_what_it_keeps_does_not_hang_on_any_true_label_or_test_image(task):
    blinded = dataclasses.replace(
        task, true=task.true.roll(1), test_images=task.test_images.flip(0), test_labels=task.test_labels.roll(7)
    )
    one, other = (list(train(t, "early_stopping", epochs=6)) for t in (task, blinded))
    for name in ("loss", "given_accuracy", *EarlyStopping.kept):
        assert [r.numbers[name] for r in one] == [r.numbers[name] for r in other]
    assert one[-1].test_accuracy != other[-1].test_accuracy


@pytest.mark.nightly  # by day, lesson 2 measures it
def test_it_keeps_most_of_what_memorizing_costs():
    task = make_task("mnist5k", ratio=0.8, seed=0, device="cpu")
    stopped, whole = (list(train(task, m, epochs=40, seed=0))[-1].test_accuracy for m in ("early_stopping", "standard"))
    assert stopped > whole + 0.2


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, "a tenth", True, float("nan"), None])
def test_a_share_that_leaves_nothing_on_one_side_is_refused(task, value):
    with pytest.raises(ValueError, match="held_out="):
        train(task, "early_stopping", held_out=value)


def test_a_share_of_less_than_one_label_is_refused_before_training(task):
    with pytest.raises(ValueError, match=r"held_out=0\.0001 holds out 0 of 3950 given labels; it must be 1 or more"):
        train(task, "early_stopping", held_out=0.0001)
