"""A checkpoint answers for one run: everything that decides it is part of its identity, and it goes on exactly."""

import dataclasses
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nlkit import Dataset, Experiment, make_task, train
from nlkit.settings import plain
from nlkit.training.checkpoints import network_fingerprint, task_fingerprint


def own_task(images: torch.Tensor | None = None, **changes):
    images = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0)) if images is None else images
    labels = torch.arange(60) % 3
    task = {"ratio": 0.4, "clean_per_class": 2, "device": "cpu"} | changes
    return make_task(Dataset("own", ("a", "b", "c"), images, labels, images, labels), **task)


def net(**options) -> nn.Sequential:
    torch.manual_seed(options.pop("seed", 0))
    return nn.Sequential(
        nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Dropout(options.pop("dropout", 0.1)), nn.Linear(8, 3)
    )


IMAGES = torch.rand(60, 1, 6, 6)
RUNS = {
    "images": ({}, {"images": IMAGES.roll(1, 3)}),
    "one pixel": ({}, {"images": IMAGES.index_fill(0, torch.tensor([7]), 0.5)}),
    "pixels in another order": ({}, {"images": IMAGES.flip(2)}),
    "noise ratio": ({}, {"ratio": 0.2}),
    "noise type": ({}, {"noise": "pair"}),
    "clean set": ({}, {"clean_per_class": 3}),
    "seed of the task": ({}, {"seed": 1}),
    "red noise ratio": ({"noise": "red", "ratio": 0.2}, {"noise": "red", "ratio": 0.8}),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_checkpoint_of_another_task_is_refused(kind, tmp_path):
    first, second = ({"images": IMAGES, **changes} if "noise" not in changes or changes["noise"] != "red" else changes
                     for changes in RUNS[kind])  # fmt: skip
    tasks = [
        make_task("mnist5k", device="cpu", **c) if c.get("noise") == "red" else own_task(**c) for c in (first, second)
    ]
    next(train(tasks[0], epochs=2, checkpoint=tmp_path / "run.pt"))
    with pytest.raises(ValueError, match="of another run: task="):
        train(tasks[1], epochs=2, checkpoint=tmp_path / "run.pt")


def test_a_task_made_again_is_the_same_task_and_its_test_part_counts_too():
    assert task_fingerprint(own_task()) == task_fingerprint(own_task())
    task = own_task()
    for part in ("test_images", "test_labels", "true"):
        other = dataclasses.replace(task, **{part: getattr(task, part).flip(0)})
        assert task_fingerprint(other) != task_fingerprint(task)


SETTINGS = {
    "epochs": 3, "batch_size": 16, "optimizer": "momentum", "learning_rate": 0.02, "schedule": "linear",
    "weight_decay": 0.01, "augment": "affine", "weight_average": 0.9, "precision": "float32", "seed": 1,
}  # fmt: skip
OTHERS = {
    "batch_size": 17, "optimizer": "sgd", "learning_rate": 0.021, "schedule": "steps", "weight_decay": 0.0,
    "augment": "none", "weight_average": 0.0, "precision": "bfloat16", "seed": 2,
}  # fmt: skip


@pytest.mark.parametrize("setting", OTHERS)
def test_every_setting_is_part_of_a_runs_identity(setting, tmp_path):
    next(train(own_task(), checkpoint=tmp_path / "run.pt", **SETTINGS))
    with pytest.raises(ValueError, match=f"of another run: {setting}="):
        train(own_task(), checkpoint=tmp_path / "run.pt", **SETTINGS | {setting: OTHERS[setting]})


def test_a_setting_added_to_train_is_part_of_it_too():
    """Whoever adds a parameter to `train` adds it here and to the checkpoint's settings."""
    import inspect

    known = {*SETTINGS, "task", "method", "model", "checkpoint", "yield_steps", "options"}
    assert set(inspect.signature(train).parameters) == known


OTHER_NETWORKS = {
    "dropout": lambda: net(dropout=0.2),
    "a layer frozen": lambda: freeze(net()),
    "a layer more": lambda: nn.Sequential(*net(), nn.Identity()),
}


def freeze(network):
    network[1].requires_grad_(False)
    return network


@pytest.mark.parametrize("kind", OTHER_NETWORKS)
def test_a_checkpoint_of_another_network_of_ones_own_is_refused(kind, tmp_path):
    next(train(own_task(), model=net(), epochs=2, checkpoint=tmp_path / "run.pt"))
    with pytest.raises(ValueError, match="of another run: model="):
        train(own_task(), model=OTHER_NETWORKS[kind](), epochs=2, checkpoint=tmp_path / "run.pt")


def test_frozen_weights_are_part_of_the_identity_and_other_initial_weights_are_told(tmp_path):
    file = tmp_path / "run.pt"
    next(train(own_task(), model=freeze(net()), epochs=2, checkpoint=file))
    with pytest.raises(ValueError, match="of another run: model="):
        train(own_task(), model=freeze(net(seed=1)), epochs=2, checkpoint=file)
    whole = [r.loss for r in train(own_task(), model=net(), epochs=2)]
    next(train(own_task(), model=net(), epochs=2, checkpoint=tmp_path / "free.pt"))
    with pytest.warns(UserWarning, match="started from other weights"):
        assert [
            r.loss for r in train(own_task(), model=net(seed=1), epochs=2, checkpoint=tmp_path / "free.pt")
        ] == whole


@pytest.mark.slow
def test_a_networks_fingerprint_is_the_same_in_another_process():
    script = (
        "import torch\nfrom torch import nn\nfrom nlkit.training.checkpoints import network_fingerprint\n"
        "torch.manual_seed(0)\n"
        "class Made(nn.Linear):\n"
        "    def extra_repr(self): return f'{object()}'\n"
        "print(network_fingerprint(Made(4, 3)))"
    )
    told = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout for _ in "12"
    }
    assert len(told) == 1


def test_the_optimizer_of_ones_own_is_part_of_the_identity(tmp_path):
    def run(**options):
        return train(own_task(), model=net(), epochs=2, checkpoint=tmp_path / "run.pt",
                     optimizer=lambda p: torch.optim.AdamW(p, **options))  # fmt: skip

    whole = [
        r.loss for r in train(own_task(), model=net(), epochs=2, optimizer=lambda p: torch.optim.AdamW(p, lr=0.01))
    ]
    next(run(lr=0.01))
    assert [r.loss for r in run(lr=0.01)] == whole
    with pytest.raises(ValueError, match="of another run: optimizer="):
        run(lr=0.01, weight_decay=0.5)


# Settings as NumPy and torch give them


def test_settings_of_numpy_and_tensors_are_kept_as_plain_values_and_go_on(tmp_path):
    task = own_task()
    numbers = {"learning_rate": np.logspace(-3, -2, 2)[0], "epochs": np.int64(3), "seed": np.uint8(1),
               "batch_size": np.int32(16), "weight_decay": np.float32(0.25)}  # fmt: skip
    plainly = {"learning_rate": 1e-3, "epochs": 3, "seed": 1, "batch_size": 16, "weight_decay": 0.25}
    whole = [r.loss for r in train(task, **plainly)]
    next(train(task, checkpoint=tmp_path / "run.pt", **numbers))
    assert [r.loss for r in train(task, checkpoint=tmp_path / "run.pt", **plainly)] == whole
    assert [r.loss for r in train(task, checkpoint=tmp_path / "run.pt", **numbers)] == whole


@pytest.mark.parametrize(
    "kind", [lambda m: m, lambda m: m.numpy(), lambda m: m.tolist(), lambda m: tuple(map(tuple, m.tolist()))]
)
def test_a_matrix_of_any_kind_is_a_setting_that_a_checkpoint_holds(kind, tmp_path):
    task = own_task()
    for _ in range(2):
        records = list(train(task, "forward", epochs=2, checkpoint=tmp_path / "run.pt", matrix=kind(task.matrix)))
    assert len(records) == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, width=32) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
@settings(deadline=None)
def test_a_plain_value_stays_as_it_is(value):
    assert plain(value) == value


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=5))
@settings(deadline=None)
def test_arrays_tensors_and_tuples_become_the_same_list(values):
    kinds = (np.array(values), np.array(values, dtype=np.float32), torch.tensor(values), tuple(values), values)
    assert all(plain(kind) == values for kind in kinds)
    assert all(type(item) is float for kind in kinds for item in plain(kind))


def test_an_experiment_takes_what_make_task_takes_and_two_can_be_compared():
    from nlkit import noise_matrix

    experiment = Experiment(noise=noise_matrix("pair", 10, 0.3), seed=np.arange(3)[1], epochs=np.int64(2))
    assert experiment == Experiment(noise=noise_matrix("pair", 10, 0.3).tolist(), seed=1, epochs=2)
    assert experiment.task().realized_ratio == pytest.approx(0.3, abs=0.005)
    assert Experiment(noise={7: 1}, ratio=0.5).task().realized_ratio == pytest.approx(0.05, abs=0.005)
    with pytest.raises(ValueError, match="data: <object.*can't be kept"):
        Experiment(data=object())


# Going on past the planned epochs


def test_a_run_goes_on_past_its_plan_and_says_what_the_schedule_does(tmp_path):
    task, file = own_task(), tmp_path / "run.pt"
    rates = []

    class Spy(torch.optim.SGD):
        def step(self, *arguments):
            rates.append(self.param_groups[0]["lr"])
            super().step(*arguments)

    def run(epochs):
        return train(task, model=net(), epochs=epochs, batch_size=60, schedule="linear", checkpoint=file,
                     optimizer=lambda p: Spy(p, lr=1.0))  # fmt: skip

    first = [r.loss for r in run(2)]
    with pytest.warns(
        UserWarning, match="planned for 2 and then 4 epochs: from here on schedule='linear' is that of 4"
    ):
        longer = [r.loss for r in run(4)]
    assert longer[:2] == first and len(longer) == 4
    assert rates == pytest.approx([1.0, 0.5, 0.5, 0.25])
    with pytest.warns(UserWarning, match="planned for 2 and then 4"):  # for ever after: it is not a run planned for 4
        assert [r.loss for r in run(4)] == longer
    with pytest.raises(ValueError, match="holds 4 epochs; epochs=3"):
        run(3)


def test_what_a_method_has_left_behind_stays_behind(tmp_path):
    """A burn-in of a tenth is over after one of ten epochs; of a hundred epochs it would be on until the tenth."""
    task, progress = own_task(), []
    from nlkit.papers import METHODS
    from nlkit.papers.standard import Standard

    class Watching(Standard):
        def step(self, run, batch):
            progress.append(run.progress)
            return super().step(run, batch)

    METHODS["watching"] = Watching
    try:
        list(train(task, "watching", epochs=10, batch_size=66, checkpoint=tmp_path / "run.pt"))
        with pytest.warns(UserWarning):
            run = train(task, "watching", epochs=100, batch_size=66, checkpoint=tmp_path / "run.pt")
        for _ in range(12):
            next(run)
    finally:
        del METHODS["watching"]
    assert progress[:10] == pytest.approx([n / 10 for n in range(10)]) and progress[10:] == pytest.approx([0.9, 0.9])


def test_a_run_that_keeps_its_plan_is_silent(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            list(train(own_task(), model=net(), epochs=2, checkpoint=tmp_path / "run.pt"))


def test_fingerprints_are_quick_to_compare_and_name_the_data():
    assert task_fingerprint(own_task()).startswith("own, 54 noisy, 6 clean, ")
    assert set(network_fingerprint(net())) == {"kind", "made of", "fixed", "start"}
