"""Every network of the zoo with every engine of reweighting, and with every method: exact, or refused in a sentence."""

import copy
import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from zoo import CLASSES, NETWORKS, SHAPE, UNTRAINABLE, WITHOUT_COMPANION, make, state_of

from nlkit import Dataset, make_task, train
from nlkit.learning.engine_trial import first_exact
from nlkit.learning.optimizers import build_optimizer
from nlkit.papers import METHODS
from nlkit.papers.reweight import ENGINES

STEPPERS = ("sgd", "momentum", "adam", "paper")


def examples(count: int, seed: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    images = torch.rand(count, *SHAPE, generator=draw, dtype=torch.float64)
    return images.to(dtype), torch.randint(0, CLASSES, (count,), generator=draw)


def stepper_for(kind: str, network: nn.Module) -> torch.optim.Optimizer:
    return build_optimizer("momentum" if kind == "paper" else kind, network, 1e-2)


def walked(name: str, kind: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network in float64 and its optimizer after a few ordinary steps."""
    network = make(name).double()
    optimizer = stepper_for(kind, network)
    for step in range(6):
        images, labels = examples(8, 100 + step)
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network, optimizer


def slopes(name, network, optimizer, kind, noisy, clean, noisy_first: bool) -> torch.Tensor:
    """u (B,) by no engine's algebra: make the network anew, step on ε ℓ_i for a tiny ε of both signs, and look.

    noisy_first: whether the noisy batch takes the first masks of dropout, and the clean one those that follow.
    """
    nudge = 1e-9 if kind == "adam" else 1e-6  # Adam saturates where v is about 0
    weights, moments = network.state_dict(), optimizer.state_dict()
    ahead = make(name).double()

    def clean_loss_after(eps: torch.Tensor) -> float:
        ahead.load_state_dict(weights)
        if kind == "paper":
            stepper = torch.optim.SGD(ahead.parameters(), lr=1.0)
        else:
            stepper = stepper_for(kind, ahead)
            stepper.load_state_dict(copy.deepcopy(moments))
        torch.manual_seed(0)
        if not noisy_first:
            ahead(clean[0].clone())
            ahead.load_state_dict(weights)
        stepper.zero_grad()
        (eps * F.cross_entropy(ahead(noisy[0].clone()), noisy[1], reduction="none")).sum().backward()
        stepper.step()
        with torch.no_grad():
            for buffer, before in zip(ahead.buffers(), network.buffers()):
                buffer.copy_(before)  # so that the clean batch meets the statistics that the noisy one met
        if not noisy_first:
            torch.manual_seed(0)
        return F.cross_entropy(ahead(clean[0].clone()), clean[1]).item()

    count = len(noisy[1])
    found = [-(clean_loss_after(e) - clean_loss_after(-e)) / (2 * nudge) for e in nudge * torch.eye(count).double()]
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("kind", STEPPERS)
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in (*UNTRAINABLE, "resnet32")])  # a slow one
def test_each_engine_weighs_by_the_step_that_is_taken_or_refuses(name, kind):
    network, optimizer = walked(name, kind)
    look_ahead = "paper" if kind == "paper" else "optimizer"
    noisy, clean = examples(3, 1), examples(6, 2)
    before, statistics = state_of(network), [buffer.clone() for buffer in network.buffers()]
    random = torch.random.get_rng_state()
    expected = {}
    for asked in ENGINES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                taken, engine = first_exact(ENGINES, asked, network, optimizer, clean, look_ahead)
            except ValueError as refusal:
                assert asked != "auto" and "\n" not in str(refusal) and "engine='auto'" in str(refusal)
                continue
        assert torch.equal(torch.random.get_rng_state(), random)
        assert all(torch.equal(b, s) for b, s in zip(network.buffers(), statistics))
        noisy_first = asked == "higher"
        if noisy_first not in expected:
            expected[noisy_first] = slopes(name, network, optimizer, kind, noisy, clean, noisy_first)
            assert expected[noisy_first].abs().max() > 0
        torch.manual_seed(0)
        help_, losses = engine(network, optimizer, (noisy[0].clone(), noisy[1]), clean, look_ahead)
        with torch.no_grad():
            for buffer, value in zip(network.buffers(), statistics):
                buffer.copy_(value)
        torch.random.set_rng_state(random)
        size = expected[noisy_first].abs().max().item()
        torch.testing.assert_close(help_, expected[noisy_first], rtol=1e-2, atol=2e-3 * size, msg=f"{asked}: {taken}")
        assert losses.shape == (3,) and losses.requires_grad
        assert state_of(network) == before


# The engine that "auto" takes in float32, where it is neither "jvp" nor, for plain layers, "layers".
TAKEN = {
    **dict.fromkeys(("mlp", "cnn", "dilated and grouped", "padded in circles"), "layers"),
    **dict.fromkeys(("LSTM", "attention"), "jvp, operators in parts"),
    **dict.fromkeys(("weight norm", "weight norm, old", "spectral norm", "spectral norm, old"), "double-backward"),
    "hook on a gradient": "double-backward",
}


@pytest.fixture(scope="module")
def task():
    images, labels = examples(60, 5, torch.float32)
    return make_task(Dataset("zoo", ("a", "b", "c"), images, labels, images[:9], labels[:9]), ratio=0.4,
                     clean_per_class=4, device="cpu")  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in UNTRAINABLE])
def test_auto_takes_the_fastest_exact_engine_and_tells_of_a_slow_one(name, task):
    network = make(name)
    clean = task.clean_images, task.clean_labels
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        taken, _ = first_exact(ENGINES, "auto", network, stepper_for("adam", network), clean, "optimizer")
    told = [str(w.message) for w in told if "engine=" in str(w.message)]
    assert taken == TAKEN.get(name, "jvp")
    assert len(told) == (taken not in ("layers", "jvp")) and all(taken in line for line in told)


TWO_NETWORKS = ("co-teaching", "co-teaching+", "decoupling", "jocor", "dividemix", "elr+", "promix",
                "confident")  # fmt: skip
DRAWN_ANEW = ("pes", "pes_semi", "cal")  # in parts or as a whole


def can_be_cut(network) -> bool:
    return isinstance(network, nn.Sequential) and isinstance(network[-1], nn.Linear)


@pytest.mark.filterwarnings("ignore:engine='auto' takes")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_each_method_trains_each_network_or_refuses_it_at_the_call(name, method, task):
    network = make(name)
    refused = name in UNTRAINABLE or method in (*TWO_NETWORKS, *DRAWN_ANEW) and name in WITHOUT_COMPANION
    refused |= method == "compress" and not can_be_cut(network)
    try:
        events = train(task, method, model=network, epochs=1, batch_size=24, yield_steps=True)
    except ValueError as refusal:
        assert refused or name == "float64 inside", refusal  # the last may be, for what it gives out
        assert "\n" not in str(refusal) and "model=" in str(refusal)
        return
    assert not refused, "it should be refused at the call"
    before = state_of(network)
    *_, last = events
    assert math.isfinite(last.loss)
    assert state_of(network) == before


@pytest.mark.parametrize("name", WITHOUT_COMPANION)
def test_what_makes_the_network_is_made_twice_for_co_teaching(name, task):
    (record,) = train(task, "co-teaching", model=NETWORKS[name], epochs=1, batch_size=24)
    assert math.isfinite(record.loss)
