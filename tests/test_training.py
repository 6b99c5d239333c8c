"""The training loop: records, stopping, resuming, and what a method may see."""

import dataclasses
import inspect
import itertools
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from nlkit import build_model, make_task, train
from nlkit.learning.devices import pick_threads
from nlkit.learning.models import predict
from nlkit.papers import METHODS
from nlkit.papers.standard import Standard
from nlkit.records import Record, Step


@pytest.fixture(scope="module")
def task(mnist5k):
    return make_task(mnist5k, ratio=0.8, clean_per_class=50, seed=0, device="cpu")


def without_time(records):
    return [dataclasses.replace(r, seconds=0.0, examples_per_second=0.0) for r in records]


def assert_same_runs(left, right):
    assert without_time(left) == without_time(right)
    for a, b in zip(left, right):
        if a.example_weights is not None:
            assert torch.equal(a.example_weights, b.example_weights)


def test_train_is_a_generator(task):
    run = train(task, epochs=3)
    assert inspect.isgenerator(run)
    assert next(run).epoch == 1
    run.close()
    with pytest.raises(StopIteration):
        next(run)


def test_standard_training_is_the_ordinary_loop(task):
    """The same initial weights and batches through torch's own DataLoader and unfused Adam."""
    order = []

    class Spy(Standard):
        def step(self, run, batch):
            order.extend(batch.index.tolist())
            return super().step(run, batch)

    METHODS["spy"] = Spy
    try:
        network = build_model("mlp", (1, 28, 28), 10, seed=0)
        records = list(train(task, "spy", model=network, epochs=2))
    finally:
        del METHODS["spy"]
    model = build_model("mlp", (1, 28, 28), 10, seed=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-4, fused=False, foreach=False)
    size = len(task.given)
    assert order[:size] != order[size:] and sorted(order[:size]) not in (order[:size], order[size:])
    for epoch in range(2):
        seen = order[epoch * size : (epoch + 1) * size]
        assert sorted(seen) == list(range(size))
        for images, labels in DataLoader(TensorDataset(task.images, task.given), batch_size=128, sampler=seen):
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    for ours, theirs in zip(network.parameters(), model.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)
    assert records[-1].test_accuracy == pytest.approx(
        (model(task.test_images).argmax(1) == task.test_labels).double().mean().item(), abs=0.005
    )


def test_records_measure_what_they_say(task):
    network = build_model("mlp", (1, 28, 28), 10, seed=0)
    record = list(train(task, "standard", model=network, epochs=4))[-1]
    said = predict(network, task.noisy_images).numpy()
    given, true, wrong = (t.numpy() for t in (task.given_labels, task.true_labels, task.wrong))
    assert record.given_accuracy == pytest.approx((said == given).mean())
    assert record.true_accuracy == pytest.approx((said == true).mean())
    assert record.memorized == pytest.approx((said[wrong] == given[wrong]).mean())
    assert record.recovered == pytest.approx((said[wrong] == true[wrong]).mean())
    assert record.examples_per_second * record.seconds == pytest.approx(len(task.given))


@pytest.mark.parametrize("method, options", [*((m, {}) for m in METHODS), ("reweight", {"engine": "jvp"}),
                                             ("reweight", {"engine": "higher"})])  # fmt: skip
def test_a_run_resumes_from_its_checkpoint_to_the_identical_result(few_digits, tmp_path, method, options):
    task = make_task(few_digits, ratio=0.8, clean_per_class=10, seed=0, device="cpu")
    whole = list(train(task, method, epochs=4, **options))
    path = tmp_path / "run.pt"
    run = train(task, method, epochs=4, checkpoint=path, **options)
    first = [next(run), next(run)]
    run.close()
    resumed = list(train(task, method, epochs=4, checkpoint=path, **options))
    assert_same_runs(first, whole[:2])
    assert_same_runs(resumed, whole)
    assert_same_runs(list(train(task, method, epochs=4, checkpoint=path, **options)), whole)  # already complete


def test_an_interrupt_in_the_middle_of_an_epoch_loses_only_that_epoch(task, tmp_path, monkeypatch):
    whole = list(train(task, "standard", epochs=3))
    steps, step = [], Standard.step

    def interrupted(self, run, batch):
        steps.append(1)
        if len(steps) == 50:  # in the second epoch
            raise KeyboardInterrupt
        return step(self, run, batch)

    monkeypatch.setattr(Standard, "step", interrupted)
    path, kept = tmp_path / "run.pt", []
    with pytest.raises(KeyboardInterrupt):
        for record in train(task, "standard", epochs=3, checkpoint=path):
            kept.append(record)
    monkeypatch.undo()
    assert_same_runs(kept, whole[:1])
    assert_same_runs(list(train(task, "standard", epochs=3, checkpoint=path)), whole)


def test_a_checkpoint_of_another_run_is_refused_and_kept(task, tmp_path):
    path = tmp_path / "run.pt"
    list(train(task, "standard", epochs=1, checkpoint=path))
    before = path.read_bytes()
    other = make_task("mnist5k", ratio=0.4, device="cpu")
    for changed in ({"seed": 1}, {"learning_rate": 1e-3}, {"method": "clean_only"}):
        with pytest.raises(ValueError, match=f"another run.*{next(iter(changed))}"):
            train(task, **{"epochs": 1, "checkpoint": path, **changed})
    with pytest.raises(ValueError, match="another run.*task"):
        train(other, "standard", epochs=1, checkpoint=path)
    path.with_suffix(".txt").write_text("not a checkpoint")
    with pytest.raises(ValueError, match="not a checkpoint"):
        train(task, epochs=1, checkpoint=path.with_suffix(".txt"))
    assert path.read_bytes() == before


def test_same_seed_same_run_and_other_seed_other_run(task):
    runs = [list(train(task, "reweight", epochs=2, seed=s)) for s in (0, 0, 1)]
    assert_same_runs(runs[0], runs[1])
    assert runs[0][0].loss != runs[2][0].loss


def test_the_seed_draws_the_initial_weights(task):
    for seed in (0, 1):
        record = next(train(task, epochs=1, learning_rate=1e-12, seed=seed))
        untrained = predict(build_model("mlp", (1, 28, 28), 10, seed=seed), task.test_images)
        assert record.test_accuracy == (untrained == task.test_labels).double().mean().item()


def test_what_a_method_draws_is_not_the_order_of_the_batches(task, monkeypatch):
    class Spy(Standard):
        def step(self, run, batch):
            drawn.append(torch.randperm(run.num_examples, generator=run.generator)[: len(batch.index)])
            order.append(batch.index)
            return super().step(run, batch)

    drawn, order = [], []
    monkeypatch.setitem(METHODS, "spy", Spy)
    next(train(task, "spy", epochs=1))
    assert not torch.equal(drawn[0], order[0])


def test_the_global_random_state_is_left_alone(task):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    list(train(task, "reweight", epochs=1))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("method", ["standard", "clean_only", "reweight"])
def test_true_labels_and_test_set_do_not_reach_the_training(task, method):
    """Turn both to nonsense: every loss and every weight must stay as it was."""
    blind = dataclasses.replace(
        task,
        true=task.true.flip(0),
        test_images=task.test_images * 0,
        test_labels=task.test_labels * 0,
    )
    honest, blinded = (list(train(t, method, epochs=2)) for t in (task, blind))
    assert [r.loss for r in honest] == [r.loss for r in blinded]
    assert [r.given_accuracy for r in honest] == [r.given_accuracy for r in blinded]
    assert honest[-1].test_accuracy != blinded[-1].test_accuracy


def test_clean_only_learns_from_the_clean_set_alone_and_does_as_much_work(task):
    garbled = dataclasses.replace(task, given=torch.cat([task.given_labels.flip(0), task.clean_labels]))
    one, other = (list(train(t, "clean_only", epochs=2)) for t in (task, garbled))
    assert [r.test_accuracy for r in one] == [r.test_accuracy for r in other]
    assert one[0].examples_per_second * one[0].seconds == pytest.approx(len(task.given_labels))


def test_without_its_clean_labels_standard_training_learns_from_the_noisy_set_alone(task):
    """As if the task had no clean set, which with other labels would change nothing either."""
    garbled = dataclasses.replace(task, given=torch.cat([task.given_labels, task.clean_labels.flip(0)]))
    one, other = (list(train(t, "standard", epochs=2, learn_clean=False)) for t in (task, garbled))
    assert [r.test_accuracy for r in one] == [r.test_accuracy for r in other]
    assert one[0].examples_per_second * one[0].seconds == pytest.approx(len(task.given_labels))
    assert one[-1].test_accuracy != list(train(task, "standard", epochs=2))[-1].test_accuracy


def test_methods_share_initial_weights_and_options_are_checked(task):
    with pytest.raises(ValueError, match="engine.*not an option of method 'standard'"):
        train(task, "standard", engine="higher")
    with pytest.raises(ValueError, match="engine='jpv'.*jvp"):
        train(task, "reweight", engine="jpv")
    with pytest.raises(ValueError, match="learn_clean=1 must be True or False"):
        train(task, "reweight", learn_clean=1)
    with pytest.raises(ValueError, match="learn_clean.*not an option of method 'clean_only'"):
        train(task, "clean_only", learn_clean=False)
    without = make_task("mnist5k", ratio=0.8, clean_per_class=0, device="cpu")
    for method in ("reweight", "clean_only"):
        with pytest.raises(ValueError, match="clean_per_class"):
            train(without, method)


def test_weight_shares_add_up_and_weights_are_relative_to_an_equal_share(task):
    record = next(train(task, "reweight", epochs=1))
    assert record.extra["weight_on_right"] + record.extra["weight_on_wrong"] == pytest.approx(1)
    assert record.example_weights.shape == task.wrong.shape
    # Every batch of B hands out B equal shares, so the mean over all examples is 1.
    assert record.example_weights.mean().item() == pytest.approx(1, abs=1e-4)
    right = record.example_weights[~task.wrong].sum() / record.example_weights.sum()
    assert record.extra["weight_on_right"] == pytest.approx(right.item())


def test_without_noise_the_shares_of_wrong_labels_are_not_a_number():
    clean_task = make_task("mnist5k", ratio=0.0, device="cpu")
    record = next(train(clean_task, epochs=1))
    assert record.memorized != record.memorized
    assert record.given_accuracy == record.true_accuracy


def test_cnn_and_every_optimizer_learn(task):
    for model, optimizer, rate in (("cnn", "adam", 1e-3), ("mlp", "sgd", 0.1), ("mlp", "momentum", 0.02)):
        records = list(train(task, "clean_only", model=model, optimizer=optimizer, learning_rate=rate, epochs=3))
        assert records[-1].test_accuracy > 0.7


@pytest.mark.nightly  # by day, notebook 02 shows it
def test_standard_training_loses_25_points_after_its_peak(mnist5k):
    runs = [list(train(make_task(mnist5k, ratio=0.8, seed=s, device="cpu"), epochs=40, seed=s)) for s in range(3)]
    falls = [max(r.test_accuracy for r in run) - run[-1].test_accuracy for run in runs]
    assert sum(falls) / 3 >= 0.25


@pytest.mark.cuda
@pytest.mark.parametrize("method", ["standard", "clean_only", "reweight"])
def test_cuda_agrees_with_the_cpu(mnist5k, method):
    runs = [list(train(make_task(mnist5k, ratio=0.4, device=d), method, epochs=3)) for d in ("cpu", "cuda")]
    assert runs[0][-1].test_accuracy == pytest.approx(runs[1][-1].test_accuracy, abs=0.03)


def test_averaged_weights_are_the_exponential_moving_average_of_every_step(task):
    """By hand: after the first step the average is the network; then it moves by 1 - decay a step, at first by more."""
    average = []

    class Spy(Standard):
        def step(self, run, batch):
            result = super().step(run, batch)
            weights = torch.cat([p.detach().flatten() for p in run.model.parameters()])
            if average:
                decay = min(0.9, (1 + len(average)) / (10 + len(average)))
                weights = decay * average[-1] + (1 - decay) * weights
            average.append(weights.clone())
            return result

    METHODS["spy"] = Spy
    try:
        record = list(train(task, "spy", epochs=2, weight_average=0.9))[-1]
    finally:
        del METHODS["spy"]
    model = build_model("mlp", (1, 28, 28), 10)
    torch.nn.utils.vector_to_parameters(average[-1], model.parameters())
    reached = (predict(model, task.test_images) == task.test_labels).double().mean().item()
    assert record.test_accuracy == pytest.approx(reached, abs=0.002)


def test_averaging_leaves_the_training_as_it_is_and_survives_a_checkpoint(task, tmp_path):
    plain, averaged = (list(train(task, epochs=3, weight_average=a)) for a in (0.0, 0.95))
    assert [r.loss for r in plain] == [r.loss for r in averaged]
    assert plain[-1].test_accuracy != averaged[-1].test_accuracy
    run = train(task, epochs=3, weight_average=0.95, checkpoint=tmp_path / "run.pt")
    next(run)
    run.close()
    assert_same_runs(list(train(task, epochs=3, weight_average=0.95, checkpoint=tmp_path / "run.pt")), averaged)


def test_steps_in_between_tell_how_far_an_epoch_is_and_change_nothing(mnist5k):
    task = make_task(mnist5k, ratio=0.4, clean_per_class=10, device="cpu")
    plain = list(train(task, "reweight", epochs=2, batch_size=500))
    events = list(train(task, "reweight", epochs=2, batch_size=500, yield_steps=True))
    steps = [event for event in events if isinstance(event, Step)]
    assert steps == [(epoch, step, 8) for epoch in (1, 2) for step in range(1, 9)]
    assert [type(event) for event in events] == 2 * [*8 * [Step], Record]
    stepped = [event for event in events if isinstance(event, Record)]
    assert [r.loss for r in stepped] == [r.loss for r in plain]
    assert [r.test_accuracy for r in stepped] == [r.test_accuracy for r in plain]


def test_time_that_the_driver_takes_between_steps_is_not_training_time(mnist5k, monkeypatch):
    task = make_task(mnist5k, ratio=0.4, clean_per_class=10, device="cpu")
    clock = itertools.count()
    monkeypatch.setattr("nlkit.training.loop.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    run = train(task, epochs=1, batch_size=2000, yield_steps=True)
    next(run)
    for _ in range(1000):  # the driver looks at the clock a thousand times before it asks for more
        next(clock)
    *_, record = run
    assert 0 < record.seconds < 100


def test_a_small_network_takes_its_steps_on_one_thread_and_leaves_the_number_as_it_was(mnist5k):
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        small, wide = build_model("mlp", (1, 28, 28), 10), nn.Sequential(nn.Flatten(), nn.Linear(784, 1000))
        assert (pick_threads(small), pick_threads(wide), pick_threads(build_model("cnn", (1, 28, 28), 10))) == (1, 2, 2)
        small.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()) if small.training else None)
        task = make_task(mnist5k, ratio=0.4, device="cpu")
        for _ in train(task, model=small, epochs=1, yield_steps=True):
            assert torch.get_num_threads() == 2
        assert set(seen) == {1}
    finally:
        torch.set_num_threads(before)
