"""Recipes: what an experiment leaves out, the paper's schedule, and every method with the recipe of ResNet-32."""

import copy
import dataclasses
import inspect
import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nlkit import METHODS, MODELS, Dataset, Experiment, build_model, load, make_task, train
from nlkit.commands import main as cli
from nlkit.learning import devices
from nlkit.learning.augment import AUGMENTATIONS, crop_and_flip
from nlkit.learning.devices import InBfloat16, fast_products, pick_precision
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import predict
from nlkit.learning.optimizers import LEARNING_RATE, SCHEDULES, build_optimizer
from nlkit.papers.mentormix import MentorMix
from nlkit.papers.standard import Standard
from nlkit.randomness import seeded_generator
from nlkit.training.recipes import RECIPES, Recipe


def images_like(name: str, side: int, train_size: int = 220) -> Dataset:
    """Random images of ten classes, each class brighter than the one before."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(train_size + 100) % 10
    images = torch.randn(len(labels), 3, side, side, generator=generator) + (labels / 5 - 1).view(-1, 1, 1, 1)
    names = tuple("abcdefghij")
    return Dataset(name, names, images[:train_size], labels[:train_size], images[train_size:], labels[train_size:])


def small_task(side: int = 8, device: str = "cpu"):
    """200 noisy examples, and 20 clean ones."""
    return make_task(images_like("own", side), ratio=0.4, clean_per_class=2, device=device)


TASK = small_task()
RESNET = Experiment(model="resnet32", batch_size=100, epochs=3, device="cpu")


def settings_of(experiment: Experiment) -> dict[str, object]:
    return {f.name: getattr(experiment, f.name) for f in dataclasses.fields(Recipe)}


# What is left out


def test_every_network_has_a_recipe_and_a_recipe_has_settings_of_train():
    assert RECIPES.keys() == MODELS.keys()
    known = defaults_of_train()
    assert all(f.name in known and f.default == known[f.name] for f in dataclasses.fields(Recipe))


def defaults_of_train() -> dict[str, object]:
    """A rate that is left out is `LEARNING_RATE`, unless the optimizer brings its own."""
    defaults = {name: p.default for name, p in inspect.signature(train).parameters.items()}
    assert defaults["learning_rate"] is None
    return defaults | {"learning_rate": LEARNING_RATE}


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_small_networks_are_trained_as_train_does_by_default(model):
    defaults = defaults_of_train()
    settings = settings_of(Experiment(model=model).resolved())
    assert settings == {name: defaults[name] for name in settings}
    assert (settings["optimizer"], settings["learning_rate"], settings["epochs"]) == ("adam", 6e-4, 25)


def test_resnet32_is_trained_as_the_paper_does_scaled_by_the_epochs():
    paper = {
        "epochs": 512, "batch_size": 128, "optimizer": "momentum", "learning_rate": 0.1, "schedule": "steps",
        "weight_decay": 2e-4, "augment": "crop-flip", "weight_average": pytest.approx(0.9999, abs=1e-12),
        "precision": "auto",
    }  # fmt: skip
    assert settings_of(Experiment(model="resnet32", epochs=512).resolved()) == paper
    shorter = paper | {"epochs": 100, "weight_average": pytest.approx(1 - 1e-4 * 5.12)}
    assert settings_of(Experiment(model="resnet32").resolved()) == shorter


def test_what_is_given_stays_as_it_is_and_resolving_again_changes_nothing():
    given = Experiment(model="resnet32", learning_rate=0.02, weight_average=0.0, augment="none", batch_size=64)
    resolved = given.resolved()
    assert (resolved.learning_rate, resolved.weight_average, resolved.augment, resolved.batch_size) == (0.02, 0, "none", 64)  # noqa: E501  # fmt: skip
    assert (resolved.optimizer, resolved.schedule) == ("momentum", "steps")
    assert resolved.resolved() == resolved
    assert None not in vars(resolved).values()


@pytest.mark.parametrize("epochs", [0, -1, 2.5, "3"])
def test_bad_epochs_are_refused(epochs):
    with pytest.raises(ValueError, match="epochs="):
        Experiment(model="resnet32", epochs=epochs).resolved()


def test_the_learning_rate_falls_by_a_tenth_every_30_of_512_epochs():
    for epoch in range(512):
        for within in (0, 0.5, 0.999):
            progress = (epoch + within) / 512
            assert SCHEDULES["steps"](progress) == pytest.approx(math.prod([0.9] * (epoch // 30)))
            assert SCHEDULES["constant"](progress) == 1
            assert SCHEDULES["linear"](progress) == pytest.approx(1 - progress)


# What training does with it


def test_the_recipe_is_this_plain_loop(monkeypatch, tmp_path):
    """Order of the examples and shifts replayed; momentum, decay, schedule and averages written out, in float64."""
    order = []

    class Spy(Standard):
        def step(self, run, batch):
            order.append(batch.index)
            return super().step(run, batch)

    monkeypatch.setitem(METHODS, "spy", Spy)
    settings = settings_of(dataclasses.replace(RESNET, weight_average=0.7, weight_decay=0.01).resolved())
    network = build_model("resnet32", (3, 8, 8), 10, seed=0).double()
    plain = copy.deepcopy(network)
    task = dataclasses.replace(TASK, images=TASK.images.double(), test_images=TASK.test_images.double())
    record = list(train(task, "spy", model=network, checkpoint=tmp_path / "run.pt", **settings))[-1]

    shifts = seeded_generator(0, "augmentation")
    velocity, average = {}, {}
    for number, index in enumerate(order):  # 9 steps: 3 epochs of 100, 100, 20
        images = crop_and_flip(task.images[index], shifts)
        plain.zero_grad()
        F.cross_entropy(plain(images), task.given[index]).backward()
        rate = 0.1 * 0.9 ** math.floor(number / 9 * 512 / 30)
        with torch.no_grad():
            for name, p in plain.named_parameters():
                gradient = p.grad + (0.01 * p if p.ndim > 1 else 0)
                velocity[name] = 0.9 * velocity.get(name, 0) + gradient
                p -= rate * velocity[name]
        decay = min(0.7, (1 + number) / (10 + number))
        for name, value in plain.state_dict().items():
            if value.is_floating_point():
                average[name] = decay * average[name] + (1 - decay) * value if name in average else value.clone()
    assert len(order) == 9
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=1e-6, atol=1e-8, msg=name)
    averaged = torch.load(tmp_path / "run.pt", weights_only=True)["averaged"]
    for name, value in average.items():
        torch.testing.assert_close(averaged[f"module.{name}"], value, rtol=1e-6, atol=1e-8, msg=name)
    plain.load_state_dict(average, strict=False)
    reached = (predict(plain, task.test_images) == task.test_labels).double().mean().item()
    assert record.test_accuracy == pytest.approx(reached)


def final_state(experiment: Experiment, task, path) -> tuple[list, dict]:
    records = list(experiment.run(task, checkpoint=path))
    return records, torch.load(path, weights_only=True)


BY_DAY = ("early_stopping", "reweight", "co-teaching")  # the most unlike; the others by night


@pytest.mark.parametrize("method", [m if m in BY_DAY else pytest.param(m, marks=pytest.mark.nightly) for m in METHODS])
@pytest.mark.parametrize(
    "data",
    [
        "cifar-like",
        pytest.param("cifar10", marks=[pytest.mark.full_data("cifar10"), pytest.mark.nightly]),
    ],
)
def test_every_method_takes_200_cifar_images_through_the_recipe(method, data, tmp_path):
    """Of what is left in the checkpoint, much can be told beforehand."""
    dataset = images_like("cifar-like", 32)
    if data == "cifar10":
        real = load("cifar10")
        some = torch.cat([(real.train_labels == c).nonzero()[:22, 0] for c in range(10)])
        dataset = dataclasses.replace(
            real, train_images=real.train_images[some], train_labels=real.train_labels[some],
            test_images=real.test_images[:100], test_labels=real.test_labels[:100],
        )  # fmt: skip
    task = make_task(dataset, ratio=0.4, clean_per_class=2, device="cpu")
    experiment = dataclasses.replace(RESNET, method=method, epochs=1)
    (record,), state = final_state(experiment, task, tmp_path / "run.pt")
    assert math.isfinite(record.loss) and record.loss > 0
    # 220 or 200 examples, 100 at a time; where 20 are held out, 200.
    steps = 3 if METHODS[method].learns_from == "noisy and clean" and method != "early_stopping" else 2
    # Batch norm has seen one batch a step, whatever else the method has looked at.
    assert {int(v) for k, v in state["model"].items() if k.endswith("num_batches_tracked")} == {steps}
    assert state["optimizer"]["param_groups"][0]["weight_decay"] == 2e-4
    assert state["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.1 * 0.9 ** {2: 8, 3: 11}[steps])
    first = build_model("resnet32", (3, 32, 32), 10, seed=0).state_dict()
    assert not any(torch.equal(first[name], value) for name, value in state["model"].items() if "running" not in name)
    decay = 1 - 1e-4 * 512
    assert not torch.equal(state["averaged"]["module.0.weight"], state["model"]["0.weight"])
    assert experiment.resolved().weight_average == pytest.approx(decay)


@pytest.mark.parametrize("method", [pytest.param("standard", marks=pytest.mark.nightly), "reweight", "mentormix"])
def test_a_run_by_the_recipe_resumes_to_the_identical_result(method, tmp_path):
    experiment = dataclasses.replace(RESNET, method=method)
    whole, end = final_state(experiment, TASK, tmp_path / "whole.pt")
    run = experiment.run(TASK, checkpoint=tmp_path / "halves.pt")
    next(run)
    run.close()
    resumed, again = final_state(experiment, TASK, tmp_path / "halves.pt")
    assert [r.loss for r in resumed] == [r.loss for r in whole]
    assert [r.test_accuracy for r in resumed] == [r.test_accuracy for r in whole]
    for part in ("model", "averaged"):
        assert all(torch.equal(value, again[part][name]) for name, value in end[part].items())


def test_the_order_of_channels_in_memory_changes_speed_and_not_results():
    """By name the network is laid out channels last; handed in, it is left as it is."""
    settings = settings_of(dataclasses.replace(RESNET, learning_rate=0.01).resolved())
    by_name = list(train(TASK, model="resnet32", **settings))
    network = build_model("resnet32", (3, 8, 8), 10, seed=0)
    handed_in = list(train(TASK, model=network, **settings))
    assert network[0].weight.is_contiguous()
    assert [r.loss for r in by_name] == pytest.approx([r.loss for r in handed_in], rel=1e-3)


class Watched(nn.Module):
    """Notes, for every pass, whether it is one of training, and the darkest pixel that it was given."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = nn.Linear(3 * 8 * 8, 10), []

    def forward(self, images):
        self.seen.append((self.training, images.min().item()))
        return self.layer(images.flatten(1))


@pytest.mark.parametrize("method", [method for method in METHODS if method != "compress"])  # which cuts a Sequential
def test_what_is_learned_from_is_augmented_and_what_is_measured_is_not(method, monkeypatch):
    """The clean batches of reweighting too."""
    monkeypatch.setitem(AUGMENTATIONS, "brighter", lambda images, generator: images + 1000)
    network = Watched()
    run = train(TASK, method, model=network, epochs=1, augment="brighter")
    network.seen.clear()  # what it was tried on at the call
    list(run)
    assert {training for training, _ in network.seen} == {True, False}
    assert all((darkest > 900) == training for training, darkest in network.seen)


def test_methods_share_the_shifts_as_they_share_the_batches(monkeypatch):
    """Reweighting draws clean batches, and their shifts, in between; the noisy batches do not notice."""
    seen = {}
    for name in ("mixup", "reweight"):

        class Spy(METHODS[name]):
            def step(self, run, batch, name=name):
                seen.setdefault(name, []).append(batch.images)
                return super().step(run, batch)

        monkeypatch.setitem(METHODS, name, Spy)
        list(train(TASK, name, augment="crop-flip", epochs=2))
    assert len(seen["mixup"]) == 4
    assert all(torch.equal(one, other) for one, other in zip(seen["mixup"], seen["reweight"]))
    assert not torch.equal(seen["mixup"][0], seen["mixup"][2])


def test_the_first_look_of_mentormix_leaves_the_running_statistics_to_the_mixed_images():
    model = build_model("resnet32", (3, 8, 8), 10, seed=0)
    expected, mixed = copy.deepcopy(model), []

    class Spied(nn.Module):  # hands on, and keeps the images of the last pass
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, images):
            mixed[:] = [images]
            return self.model(images)

    spied = Spied()
    run = Run(
        spied, build_optimizer("sgd", spied, 0.1), None, None, seeded_generator(0, "method"), 10, 200,
        progress=0.5, steps_done=1000,
    )  # fmt: skip
    MentorMix(percentile=0.5).step(run, Batch(torch.arange(50), TASK.images[:50], TASK.given[:50]))
    assert not torch.equal(mixed[0], TASK.images[:50])
    expected(mixed[0])
    for name, buffer in expected.named_buffers():
        torch.testing.assert_close(dict(model.named_buffers())[name], buffer)


# Precision


IN_BFLOAT16 = [("standard", {})]  # by day; by night also those that look ahead


@pytest.mark.parametrize("method, options", [
    *IN_BFLOAT16,
    *(pytest.param(m, {}, marks=pytest.mark.nightly) for m in METHODS if (m, {}) not in IN_BFLOAT16),
    pytest.param("reweight", {"engine": "higher"}, marks=pytest.mark.nightly),
])  # fmt: skip
def test_bfloat16_trains_as_float32_does_to_its_three_digits(method, options):
    """The first step of a run from the same weights, on the same batch; later ones drift apart."""
    found = {}
    for precision in ("float32", "bfloat16"):
        network, types = build_model("resnet32", (3, 8, 8), 10, seed=0), set()
        network[0].register_forward_hook(
            lambda layer, _input, output, types=types: types.add((layer.training, output.dtype))
        )
        settings = {"epochs": 1, "batch_size": 220, "optimizer": "sgd", "learning_rate": 0.01}
        run = train(TASK, method, model=network, precision=precision, **settings, **options)
        types.clear()  # of what it was tried on at the call
        (record,) = run
        asked = {(False, getattr(torch, precision))} if method in ("em", "elr+") else set()  # believed within a step
        assert types == {(True, getattr(torch, precision)), (False, torch.float32)} | asked
        assert {p.dtype for p in network.parameters()} == {torch.float32}
        found[precision] = record
    assert found["bfloat16"].loss == pytest.approx(found["float32"].loss, rel=0.03)
    if method == "reweight":
        weights = [found[p].example_weights for p in ("float32", "bfloat16")]
        assert weights[1].dtype == torch.float32
        assert F.cosine_similarity(*weights, dim=0) > 0.97


def test_a_pass_without_gradients_does_not_take_them_from_the_next():
    """As MentorMix does it: autocast would hand the parameters that it cast without gradients on to the second pass."""
    network = InBfloat16(build_model("resnet32", (3, 8, 8), 10, seed=0))
    with torch.no_grad():
        network(TASK.images[:8])
    logits = network(TASK.images[:8])
    assert logits.dtype == torch.float32
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for name, p in network.named_parameters() if p.ndim == 4)


def test_auto_is_float32_without_a_gpu_or_without_convolutions():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    mlp, resnet = (build_model(name, (3, 8, 8), 10) for name in ("mlp", "resnet32"))
    assert pick_precision("auto", resnet, cpu) == pick_precision("auto", mlp, cpu) == "float32"
    assert pick_precision("bfloat16", mlp, cpu) == "bfloat16"
    assert pick_precision("float32", resnet, cuda) == "float32"


def products_are_in() -> tuple[str, str]:
    return torch.backends.mkldnn.matmul.fp32_precision, torch.backends.mkldnn.conv.fp32_precision


def fast_run(network: nn.Module):
    return train(TASK, model=network, batch_size=110, epochs=1, precision="fast", yield_steps=True)


def test_fast_is_float32_to_the_last_bit_where_the_processor_has_no_such_products(monkeypatch):
    monkeypatch.setattr(devices, "has_bfloat16_products", lambda: False)
    trained = [build_model("mlp", (3, 8, 8), 10, seed=0) for _ in range(2)]
    for network, precision in zip(trained, ("float32", "fast")):
        list(train(TASK, "reweight", model=network, epochs=1, precision=precision))
    assert all(map(torch.equal, *(network.parameters() for network in trained)))
    monkeypatch.undo()
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True, "avx512_bf16": False})
    assert pick_precision("fast", trained[0], cpu) == "float32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True, "avx512_bf16": True})
    assert (pick_precision("fast", trained[0], cpu), pick_precision("fast", trained[0], cuda)) == ("fast", "float32")


@pytest.mark.parametrize("before", ("none", "ieee"))
def test_fast_products_are_asked_for_within_a_step_and_nowhere_else(monkeypatch, before):
    """Not between steps, where the caller computes; not while it is measured; not after an end of any kind."""
    monkeypatch.setattr(devices, "has_bfloat16_products", lambda: True)
    network, within = build_model("mlp", (3, 8, 8), 10, seed=0), set()
    network.register_forward_pre_hook(lambda layer, _: within.add((layer.training, *products_are_in())))
    matmul = torch.backends.mkldnn.matmul
    matmul.fp32_precision = before
    try:
        for _ in fast_run(network):
            assert products_are_in() == (before, "none")
        assert {each[1:] for each in within if each[0]} >= {("bf16", "bf16")}
        assert {each[1:] for each in within if not each[0]} == {(before, "none")}
        broken_off = fast_run(network)
        next(broken_off)
        broken_off.close()
        assert products_are_in() == (before, "none")
        network.register_forward_pre_hook(lambda *_: 1 / 0 if products_are_in()[0] == "bf16" else None)
        with pytest.raises(ZeroDivisionError):
            list(fast_run(network))
        assert products_are_in() == (before, "none")
    finally:
        matmul.fp32_precision = "none"


def test_fast_products_of_two_threads_end_with_the_last_of_them():
    one, other = fast_products(), fast_products()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert products_are_in() == ("bf16", "bf16")
    other.__exit__(None, None, None)
    assert products_are_in() == ("none", "none")
    with fast_products(False):
        assert products_are_in() == ("none", "none")


# The command


@pytest.mark.nightly
def test_the_command_trains_cifar10_with_mentormix(monkeypatch, capsys):
    """On 220 images in its place."""
    monkeypatch.setattr("nlkit.tasks.make.load", lambda name, device: images_like(name, 32).to(device))
    command = (
        "train --data cifar10 --model resnet32 --method mentormix --noise symmetric --ratio 0.4 -o alpha=8 "
        "-o percentile=0.6 --clean-per-class 0 --device cpu --epochs 2 --json"
    )
    with pytest.raises(SystemExit) as end:
        cli.main(command.split())
    out, err = capsys.readouterr()
    assert not end.value.code, err
    rows = [json.loads(line) for line in out.splitlines()]
    task = make_task(images_like("cifar10", 32), ratio=0.4, clean_per_class=0, device="cpu")
    by_hand = train(
        task, "mentormix", model="resnet32", epochs=2, batch_size=128, optimizer="momentum", learning_rate=0.1,
        schedule="steps", weight_decay=2e-4, augment="crop-flip", weight_average=1 - 0.0512 / 2, precision="float32",
        alpha=8, percentile=0.6,
    )  # fmt: skip
    assert [row["loss"] for row in rows] == [record.loss for record in by_hand]


@pytest.mark.cuda
@pytest.mark.parametrize("method", METHODS)
def test_on_a_gpu_the_recipe_trains_every_method(method, tmp_path):
    """In bfloat16 where the GPU computes in it, and near what the CPU gets in float32."""
    experiment = dataclasses.replace(RESNET, method=method, epochs=1, learning_rate=0.01)
    losses = {}
    for device in ("cpu", "cuda"):
        (record,), state = final_state(experiment, small_task(32, device), tmp_path / f"{device}.pt")
        losses[device] = record.loss
    assert all(value.isfinite().all() for value in state["model"].values())
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=0.05)


@pytest.mark.cuda
def test_on_a_gpu_auto_is_bfloat16_for_convolutions_only():
    device = torch.device("cuda")
    expected = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    assert pick_precision("auto", build_model("resnet32", (3, 8, 8), 10), device) == expected
    assert pick_precision("auto", build_model("mlp", (3, 8, 8), 10), device) == "float32"
