"""Networks: their size, their weights from a seed, and prediction."""

import pytest
import torch
from torch import nn

from nlkit import MODELS, build_model, make_task, train
from nlkit.learning.models import predict, with_new_head


def test_the_classroom_network_has_109386_parameters():
    model = build_model("mlp", (1, 28, 28), 10)
    assert sum(p.numel() for p in model.parameters()) == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10 == 109_386


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape, classes", [((1, 28, 28), 10), ((3, 32, 32), 4)])
def test_every_network_gives_a_score_a_class(name, shape, classes):
    assert build_model(name, shape, classes)(torch.zeros(5, *shape)).shape == (5, classes)


@pytest.mark.parametrize(
    "name", [n if n != "wide-resnet32" else pytest.param(n, marks=pytest.mark.slow) for n in MODELS]
)
def test_same_seed_same_weights_and_other_seed_other_weights(name):
    first, again, other = (build_model(name, (1, 28, 28), 10, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    drawn = [key for key, values in first.items() if len(values.unique()) > 1]  # not the 0 and 1 that norms start with
    assert drawn and not any(torch.equal(first[key], other[key]) for key in drawn)


def test_the_weights_are_those_that_torch_draws_from_the_seed():
    torch_state = torch.get_rng_state()
    torch.manual_seed(5)
    plain = nn.Linear(784, 128)
    torch.set_rng_state(torch_state)
    assert torch.equal(build_model("mlp", (1, 28, 28), 10, seed=5)[1].weight, plain.weight)


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    build_model("cnn", (1, 28, 28), 10, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("make", [
    *(lambda name=name: build_model(name, (1, 28, 28), 10, seed=1) for name in MODELS),
    lambda: with_new_head(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), 3, seed=1),
    lambda: next(train(make_task("mnist5k", ratio=0.4, device="cpu"), "co-teaching", epochs=1)),
])  # fmt: skip
def test_no_other_device_s_generator_is_seeded(make, monkeypatch):
    """What `torch.manual_seed` would do to each device, whatever state is restored on the CPU afterwards."""
    for device in ("cuda", "xpu", "mps"):
        for name in ("manual_seed", "manual_seed_all"):
            if hasattr(getattr(torch, device), name):
                monkeypatch.setattr(f"torch.{device}.{name}", lambda seed, of=device: pytest.fail(f"seeded {of}"))
    make()


class WithDropout(nn.Module):
    """Predicts otherwise in training mode, and remembers in which mode it was asked."""

    def __init__(self):
        super().__init__()
        self.linear, self.dropout, self.modes = nn.Linear(12, 5), nn.Dropout(0.9), []

    def forward(self, images):
        self.modes.append(self.training)
        return self.linear(self.dropout(images.flatten(1)))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_predict_is_the_plain_argmax_in_evaluation_mode_and_restores_the_mode(training, batch_size):
    generator = torch.Generator().manual_seed(0)
    model, images = WithDropout().train(training), torch.randn(20, 3, 2, 2, generator=generator)
    classes = predict(model, images, batch_size)
    assert model.training is training
    assert not any(model.modes)
    assert not classes.requires_grad
    with torch.no_grad():
        assert classes.tolist() == [model.linear(image.flatten()).argmax().item() for image in images]


def test_an_unknown_network_is_named_with_the_nearest_known_one():
    with pytest.raises(ValueError, match="model='mpl' is not known; did you mean 'mlp'"):
        build_model("mpl", (1, 28, 28), 10)


def test_a_new_head_leaves_the_rest_and_the_trained_network_as_they_were():
    trained = build_model("mlp", (1, 8, 8), 5, seed=0)
    before = {name: p.clone() for name, p in trained.state_dict().items()}
    tuned, again = (with_new_head(trained, 3, seed=7) for _ in range(2))
    assert tuned(torch.zeros(4, 1, 8, 8)).shape == (4, 3)
    kept = [name for name in before if not name.startswith("5.")]
    assert len(kept) == 4
    for name in kept:
        assert torch.equal(tuned.state_dict()[name], before[name])
        assert tuned.state_dict()[name].data_ptr() != trained.state_dict()[name].data_ptr()
    assert all(torch.equal(trained.state_dict()[name], value) for name, value in before.items())
    assert all(torch.equal(a, b) for a, b in zip(tuned.parameters(), again.parameters()))
    with pytest.raises(ValueError, match="ReLU must be a Sequential"):
        with_new_head(nn.ReLU(), 3)
