"""Co-teaching: against its algorithm written out with two networks, and what it is for."""

import copy
import math

import pytest
import torch
from torch import nn

from nlkit import make_task, train
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import build_optimizer
from nlkit.papers.co_teaching import CoTeaching
from nlkit.randomness import seeded_generator


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
    method.peer.begin(run)
    peer_before = copy.deepcopy(method.peer.network)
    own, peers = loss_of_each(before, batch), loss_of_each(peer_before, batch)
    easy_for_own = sorted(range(10), key=lambda i: own[i])[:4]
    easy_for_peer = sorted(range(10), key=lambda i: peers[i])[:4]
    assert set(easy_for_own) != set(easy_for_peer)  # or the test could not tell who chooses for whom
    result = method.step(run, batch)
    torch.testing.assert_close(list(run.model.parameters()), descended(before, batch, easy_for_peer))
    torch.testing.assert_close(list(method.peer.network.parameters()), descended(peer_before, batch, easy_for_own))
    assert result.loss.item() == pytest.approx(sum(own[i] for i in easy_for_peer) / 4)
    assert result.weights.tolist() == [0.25 if i in easy_for_peer else 0 for i in range(10)]


def test_both_networks_are_gone_through_by_hand_to_the_same_last_bit(monkeypatch):
    """As through torch's graph, to which a hook on a network leads."""
    ends, forward, asked = [], nn.Sequential.forward, []
    monkeypatch.setattr(nn.Sequential, "forward", lambda network, images: asked.append(1) or forward(network, images))
    for by_graph in (False, True):
        run, method = a_run(), CoTeaching(percentile=0.4)
        run.model, images = run.model.float(), a_batch().images.float()
        run.optimizer = build_optimizer("adam", run.model, 0.01)
        method.peer.begin(run)
        for network in (run.model, method.peer.network) if by_graph else ():
            network.register_forward_hook(lambda *_: None)
        for _ in range(3):
            method.step(run, a_batch()._replace(images=images))
        assert len(asked) == (6 if by_graph else 0)
        ends.append([*run.model.parameters(), *method.peer.network.parameters()])
    assert all(map(torch.equal, *ends))


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


def own_network() -> nn.Module:
    """With a frozen layer, a norm whose statistics are those of other data, and one that learns."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 6),
                            nn.BatchNorm1d(6), nn.Linear(6, 3))  # fmt: skip
    network[1].requires_grad_(False)
    network[2].requires_grad_(False).eval()
    network[2].running_mean.fill_(0.5)
    network[4].bias.requires_grad_(False)
    network[5].running_mean.fill_(0.5)
    return network


def run_of(network, seed: int = 0, build=None) -> Run:
    nothing = torch.empty(0, 1, 4, 4), torch.empty(0, dtype=torch.long)
    optimizer = build_optimizer("momentum", network, 0.1, 0.01)
    return Run(network, optimizer, *nothing, seeded_generator(seed, "method"), 3, 20, build=build)


def test_of_a_network_of_ones_own_what_learns_is_drawn_anew_and_what_is_frozen_is_kept():
    network, state = own_network(), torch.random.get_rng_state()
    before = copy.deepcopy(network.state_dict())
    first, again, other = (run_of(network, seed).companion()[0] for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    kept = {"1.weight", "1.bias", "2.weight", "2.bias", "2.running_mean", "2.running_var", "4.bias"}
    drawn = {"4.weight", "6.weight", "6.bias"}
    for name, value in before.items():
        assert torch.equal(network.state_dict()[name], value)
        mine, same, others = (each.state_dict()[name] for each in (first, again, other))
        assert torch.equal(mine, same)
        assert torch.equal(mine, value) or name not in kept
        assert not (torch.equal(mine, value) or torch.equal(mine, others)) or name not in drawn
    assert first[5].running_mean.tolist() == [0] * 6  # a norm that learns starts as it does when it is made
    assert first[4].weight.abs().max() <= 1.001 * math.sqrt(1 / 8) and first[6].weight.std() > 0.1
    flags = [[(p.requires_grad, type(p)) for p in each.parameters()] for each in (network, first)]
    assert flags[0] == flags[1]
    assert [m.training for m in network.modules()] == [m.training for m in first.modules()]


def test_the_companion_s_optimizer_has_the_settings_of_the_first_and_its_own_parameters():
    network = own_network()
    run = run_of(network)
    for p in network.parameters():
        p.grad = torch.ones_like(p)
    run.optimizer.step()  # which leaves a momentum that the second one must not have
    companion, optimizer = run.companion()
    names = {id(p): name for each in (network, companion) for name, p in each.named_parameters()}
    for ours, theirs in zip(run.optimizer.param_groups, optimizer.param_groups):
        assert [names[id(p)] for p in ours["params"]] == [names[id(p)] for p in theirs["params"]]
        assert {k: v for k, v in ours.items() if k != "params"} == {k: v for k, v in theirs.items() if k != "params"}
    assert type(optimizer) is type(run.optimizer) and not optimizer.state and run.optimizer.state
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in companion.parameters()}


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.w = nn.Linear(16, 4), nn.Parameter(torch.randn(4, 3))

    def forward(self, x):
        return self.first(x.flatten(1)) @ self.w


class Half(Bare):
    """Draws one of its two parameters of its own."""

    def __init__(self):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(3))

    def reset_parameters(self):
        nn.init.normal_(self.w)


class Whole(Half):
    def reset_parameters(self):
        self.w.data.normal_()
        self.b.data.zero_()


@pytest.mark.parametrize("make, parameter", [(Bare, "w"), (Half, "b")])
def test_a_parameter_that_nobody_draws_is_refused_by_name_before_training(make, parameter, mnist5k):
    with pytest.raises(ValueError, match=f"model={make.__name__} has a parameter '{parameter}' .*model=lambda"):
        run_of(make()).companion()
    task = make_task(mnist5k, ratio=0.4, clean_per_class=0, device="cpu")
    own = nn.Sequential(nn.AdaptiveAvgPool2d(4), make(), nn.Linear(3, 10))
    with pytest.raises(ValueError, match=f"'1.{parameter}'"):
        train(task, "co-teaching", model=own, epochs=1)
    next(train(task, "standard", model=own, epochs=1))  # which needs no second network


def test_a_network_that_draws_all_it_learns_gets_a_companion_whichever_way_it_draws():
    network = Whole()
    companion, _ = run_of(network).companion()
    assert not torch.equal(companion.w, network.w) and companion.b.tolist() == [0, 0, 0]
    attention = nn.TransformerEncoderLayer(8, 2, 8)
    with pytest.raises(ValueError, match="in_proj_weight|model=lambda"):
        run_of(nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 3)))).companion()
    companion, _ = run_of(attention).companion()
    assert not torch.equal(companion.self_attn.in_proj_weight, attention.self_attn.in_proj_weight)
    assert companion.self_attn.out_proj.bias.tolist() == [0] * 8  # which the part draws and the whole sets to 0


@pytest.mark.parametrize("name, stages", [("mlp", ["1.weight"]), ("resnet32", ["0.weight", "8.conv1.weight"])])
def test_a_named_network_s_companion_is_drawn_as_the_first_was(name, stages, monkeypatch, mnist5k):
    """He's normal draws for the convolutions of the residual network, and not torch's own."""
    made = []
    monkeypatch.setattr(CoTeaching, "step", lambda self, run, batch: made.append((run, self.peer.made)) or 1 / 0)
    task = make_task(mnist5k, ratio=0.4, clean_per_class=0, device="cpu")
    with pytest.raises(ZeroDivisionError):
        next(train(task, "co-teaching", model=name, epochs=1))
    (run, (network, optimizer)) = made[0]
    seed = int(torch.randint(2**62, (), generator=seeded_generator(0, "method")))
    expected = build_model(name, (1, 28, 28), 10, seed=seed)
    for (key, ours), theirs in zip(network.named_parameters(), expected.parameters()):
        assert torch.equal(ours, theirs), key
    first = dict(run.model.named_parameters())
    for stage in stages:
        assert network.get_parameter(stage).std().item() == pytest.approx(first[stage].std().item(), rel=0.2)
        assert not torch.equal(network.get_parameter(stage), first[stage])
    assert type(optimizer) is type(run.optimizer)


def test_the_classroom_network_s_companion_draws_the_numbers_that_its_layers_draw_when_asked():
    """Made anew, or copied and asked layer by layer: the same numbers, so that earlier runs stay what they were."""
    network = build_model("mlp", (1, 4, 4), 3, seed=0)
    built, _ = run_of(network, build=lambda seed: build_model("mlp", (1, 4, 4), 3, seed=seed)).companion()
    seed = int(torch.randint(2**62, (), generator=seeded_generator(0, "method")))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in network.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    torch.testing.assert_close(list(built.parameters()), list(network.parameters()), rtol=0, atol=0)


def test_what_makes_a_network_makes_two(mnist5k, monkeypatch):
    made = []

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(0.05 * torch.randn(784, 10))
            made.append(self)

        def forward(self, x):
            return x.flatten(1) @ self.w

    task, state = make_task(mnist5k, ratio=0.4, clean_per_class=0, device="cpu"), torch.random.get_rng_state()
    histories = [list(train(task, "co-teaching", model=make, epochs=1, seed=3)) for make in (Own, lambda: Own())]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert len(made) == 4
    assert torch.equal(made[0].w, made[2].w) and torch.equal(made[1].w, made[3].w)
    assert not torch.equal(made[0].w, made[1].w)
    assert histories[0][0].test_accuracy == histories[1][0].test_accuracy
    other = list(train(task, model=Own, epochs=1, seed=4)), list(train(task, model=Own, epochs=1, seed=5))
    assert other[0][0].loss != other[1][0].loss  # the seed draws the weights
    with pytest.raises(ValueError, match="model makes the same network whatever the seed"):
        train(task, "co-teaching", model=lambda: made[0], epochs=1)
    with pytest.raises(ValueError, match="model=.*lambda.* made 3; it must make a torch.nn.Module"):
        train(task, model=lambda: 3, epochs=1)


def test_a_broken_off_run_goes_on_with_both_networks(mnist5k, tmp_path):
    task = make_task(mnist5k, ratio=0.4, clean_per_class=0, device="cpu")
    whole = [record.loss for record in train(task, "co-teaching", epochs=3)]
    file = tmp_path / "run.pt"
    broken = train(task, "co-teaching", epochs=3, checkpoint=file)
    next(broken), next(broken)
    assert [record.loss for record in train(task, "co-teaching", epochs=3, checkpoint=file)] == whole


def test_the_peer_follows_the_learning_rate():
    run, method = a_run(), CoTeaching(percentile=0.4)
    method.step(run, a_batch())
    run.optimizer.param_groups[0]["lr"] = 0.0
    peer = copy.deepcopy(method.peer.network)
    method.step(run, a_batch())
    torch.testing.assert_close(list(method.peer.network.parameters()), list(peer.parameters()), rtol=0, atol=0)


@pytest.mark.nightly
@pytest.mark.parametrize("noise, ratio", [
    ("symmetric", 0.4), ("pair", 0.45),  # where the paper gains most
])  # fmt: skip
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
