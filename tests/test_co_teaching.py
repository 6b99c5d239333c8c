"""Co-teaching: against its algorithm written out with two networks, and what it is for."""

import copy
import math

import pytest
import torch

from nlkit import make_task, train
from nlkit.methods.co_teaching import CoTeaching, initialize_anew
from nlkit.models import build_model
from nlkit.optimizers import build_optimizer
from nlkit.randomness import seeded_generator
from nlkit.run import Batch, Run


def a_run(progress: float = 0.5) -> Run:
    model = build_model("mlp", (1, 4, 4), 3, seed=0).double()
    nothing = torch.empty(0, 1, 4, 4), torch.empty(0, dtype=torch.long)
    optimizer, generator = build_optimizer("sgd", model, 0.1), seeded_generator(0, "method")
    steps = {"steps_done": round(1000 * progress), "steps_an_epoch": 20}  # of 50 epochs
    return Run(model, optimizer, *nothing, generator, 3, 20, progress, **steps)


def a_batch() -> Batch:
    images = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(2)).double()
    return Batch(torch.arange(10), images, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0]), images)


def loss_of_each(network, batch: Batch) -> list[float]:
    said = network(batch.images).softmax(1).tolist()
    return [-math.log(p[label]) for p, label in zip(said, batch.labels.tolist())]


def descended(network, batch: Batch, chosen: list[int]) -> list[torch.Tensor]:
    """The weights of a copy after one plain step of gradient descent on the chosen examples."""
    network = copy.deepcopy(network)
    loss = -network(batch.images[chosen]).log_softmax(1)[range(len(chosen)), batch.labels[chosen]].mean()
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    return [p.detach() - 0.1 * g for p, g in zip(network.parameters(), gradients)]


def test_each_network_learns_from_the_others_small_losses():
    run, batch, method = a_run(), a_batch(), CoTeaching(percentile=0.4)
    before = copy.deepcopy(run.model)
    method._peer(run)
    peer_before = copy.deepcopy(method.peer[0])
    own, peers = loss_of_each(before, batch), loss_of_each(peer_before, batch)
    easy_for_own = sorted(range(10), key=lambda i: own[i])[:4]
    easy_for_peer = sorted(range(10), key=lambda i: peers[i])[:4]
    assert set(easy_for_own) != set(easy_for_peer)  # or the test could not tell who chooses for whom
    result = method.step(run, batch)
    torch.testing.assert_close(list(run.model.parameters()), descended(before, batch, easy_for_peer))
    torch.testing.assert_close(list(method.peer[0].parameters()), descended(peer_before, batch, easy_for_own))
    assert result.loss.item() == pytest.approx(sum(own[i] for i in easy_for_peer) / 4)
    assert result.weights.tolist() == [0.25 if i in easy_for_peer else 0 for i in range(10)]


@pytest.mark.parametrize("progress, kept", [(0.0, 10), (0.05, 7), (0.1, 4), (0.9, 4)])
def test_the_share_that_is_kept_falls_to_the_percentile(progress, kept):
    result = CoTeaching(percentile=0.4, burn_in=0.1).step(a_run(progress), a_batch())
    assert (result.weights > 0).sum() == kept and result.weights.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("step, kept", [(0, 10), (30, 10), (50, 10), (55, 7), (60, 4), (90, 4)])
def test_in_a_short_training_the_fall_begins_later_and_is_as_steep(step, kept):
    """Of 100 steps a tenth is 10; the floor, 2.5 epochs that count as 24 steps each, ends at 60."""
    run = a_run(step / 100)
    run.steps_done = step
    result = CoTeaching(percentile=0.4, burn_in=0.1).step(run, a_batch())
    assert (result.weights > 0).sum() == kept


def test_the_peer_starts_elsewhere_and_leaves_torchs_own_seed_alone():
    network = build_model("mlp", (1, 4, 4), 3, seed=0)
    first, again, other = (copy.deepcopy(network) for _ in range(3))
    state = torch.random.get_rng_state()
    for copied, seed in ((first, 1), (again, 1), (other, 2)):
        initialize_anew(copied, torch.Generator().manual_seed(seed))
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, p in network.state_dict().items():
        assert torch.equal(first.state_dict()[name], again.state_dict()[name])
        assert not torch.equal(first.state_dict()[name], other.state_dict()[name])
        assert not torch.equal(first.state_dict()[name], p)
        assert first.state_dict()[name].abs().max() <= 1.001 * math.sqrt(1 / (16 if name[0] == "1" else 64))


def test_the_peer_follows_the_learning_rate():
    run, method = a_run(), CoTeaching(percentile=0.4)
    method.step(run, a_batch())
    run.optimizer.param_groups[0]["lr"] = 0.0
    peer = copy.deepcopy(method.peer[0])
    method.step(run, a_batch())
    torch.testing.assert_close(list(method.peer[0].parameters()), list(peer.parameters()), rtol=0, atol=0)


@pytest.mark.parametrize("noise, ratio", [("symmetric", 0.4), ("pair", 0.45)])  # 0.45: where the paper gains most
def test_it_memorizes_less_and_knows_more_than_standard_training(mnist5k, noise, ratio):
    """No clean set, and the share of right labels not told."""
    for seed in range(2):
        task = make_task(mnist5k, noise=noise, ratio=ratio, clean_per_class=0, seed=seed, device="cpu")
        standard, ours = (list(train(task, m, epochs=25, seed=seed))[-1] for m in ("standard", "co-teaching"))
        assert ours.test_accuracy > standard.test_accuracy + 0.02
        assert ours.memorized < standard.memorized - 0.2


def test_options_are_checked(mnist5k):
    task = make_task(mnist5k, ratio=0.4, device="cpu")
    for option in ({"percentile": 1.5}, {"burn_in": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(option))}="):
            train(task, "co-teaching", **option)
