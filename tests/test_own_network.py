"""A network of one's own: refused in a sentence before training, or trained without a trace in what was handed in."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nlkit import Dataset, make_task, train
from nlkit.learning.models import evaluate, predict


def small_task(count: int = 60, clean_per_class: int = 2):
    torch.manual_seed(1)
    images, labels = torch.rand(count, 1, 6, 6), torch.arange(count) % 3
    return make_task(
        Dataset("own", ("a", "b", "c"), images, labels, images[:30], labels[:30]),
        ratio=0.4, clean_per_class=clean_per_class, device="cpu",
    )  # fmt: skip


def net(*layers: nn.Module, outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 16), *layers, nn.Linear(16, outputs))


class InPlace(nn.Module):
    def __init__(self, data: bool = False):
        super().__init__()
        self.net, self.data = net(), data

    def forward(self, x):
        if self.data:
            x.data -= 0.5  # not even torch notices
        else:
            x -= 0.5
        return self.net(x)


class Only(nn.Module):
    """A network whose output is what `change` makes of that of a plain one."""

    def __init__(self, change):
        super().__init__()
        self.net, self.change = net(), change

    def forward(self, x):
        return self.change(self.net(x))


def frozen():
    network = net()
    for p in network.parameters():
        p.requires_grad_(False)
    return network


REFUSED = {
    "in place": (lambda: InPlace(), "changes the images"),
    "in place, unseen": (lambda: InPlace(data=True), "changes the images"),
    "tuple": (lambda: Only(lambda y: (y, y)), "gives a tuple"),
    "dictionary": (lambda: Only(lambda y: {"logits": y}), "gives a dict"),
    "too few outputs": (lambda: net(outputs=2), r"gives \(2, 2\)"),
    "too many outputs": (lambda: net(outputs=12), r"gives \(2, 12\)"),
    "one row for all": (lambda: Only(lambda y: y.mean(0)), r"gives \(3,\)"),
    "classes": (lambda: Only(lambda y: y.argmax(1)), r"gives \(2,\)"),
    "whole numbers": (lambda: Only(lambda y: y.long()), "gives torch.int64"),
    "detached": (lambda: Only(lambda y: y.detach()), "no parameter reaches"),
    "all frozen": (frozen, "no parameter that learns"),
    "no parameters": (lambda: nn.Sequential(nn.Flatten(), nn.Identity()), "no parameter that learns"),
    "lazy": (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), "not yet known"),
    "other image size": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(35, 3)), "can't take a batch"),
    "float64": (lambda: net().double(), "can't take a batch"),
    "error of its own": (lambda: Only(lambda y: 1 / 0), "ZeroDivisionError"),
    "in place where a gradient needs it": (lambda: Only(lambda y: y.exp().add_(1) * y.exp_()), "no gradient"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_trained_is_refused_at_the_call_and_comes_back_as_it_was(kind):
    make, says = REFUSED[kind]
    task, network = small_task(), make()
    images, drawn = task.images.clone(), torch.get_rng_state()
    modes = [m.training for m in network.modules()]
    with pytest.raises(ValueError, match=says) as refused:
        train(task, model=network, epochs=1)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400
    assert torch.equal(images, task.images) and torch.equal(drawn, torch.get_rng_state())
    assert modes == [m.training for m in network.modules()]


def test_evaluation_notices_a_change_in_place_wherever_it_is_called():
    with pytest.raises(ValueError, match="in place"):
        evaluate(InPlace(), torch.rand(4, 1, 6, 6))


def test_the_trial_leaves_no_trace_in_the_networks_buffers():
    network = net(nn.BatchNorm1d(16))
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    train(small_task(), model=network, epochs=1)  # no record was asked for
    assert all(torch.equal(before[name], buffer) for name, buffer in network.named_buffers())


def test_a_frozen_norm_stays_frozen_and_the_others_move():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Flatten(),
        nn.Linear(16, 3),
    )  # fmt: skip
    network[1].eval()
    frozen, free = network[1].running_mean.clone(), network[4].running_mean.clone()
    list(train(small_task(), model=network, epochs=2))
    assert not network[1].training and torch.equal(network[1].running_mean, frozen)
    assert network[4].training and not torch.equal(network[4].running_mean, free)


def test_a_network_that_comes_in_evaluation_mode_trains_with_its_dropout_on():
    """A dropout of everything gives the last layer nothing but its bias to learn."""
    network = net(nn.Dropout(1.0)).eval()
    before = network[-1].weight.clone()
    list(train(small_task(), model=network, epochs=1))
    assert network[2].training and torch.equal(network[-1].weight, before)


def test_measuring_sets_back_the_mode_of_each_module_also_when_the_network_fails():
    network = net(nn.BatchNorm1d(16), nn.Dropout(0.5))
    network[2].eval()
    modes = [m.training for m in network.modules()]
    predict(network, torch.rand(4, 1, 6, 6))
    assert [m.training for m in network.modules()] == modes
    with pytest.raises(RuntimeError):
        predict(network, torch.rand(4, 1, 5, 5))
    assert [m.training for m in network.modules()] == modes


@pytest.mark.parametrize("count, batch_size", [(129, 128), (49, 16), (61, 15), (50, 7)])
def test_a_norm_never_sees_a_batch_of_one_and_every_example_is_learned_from(count, batch_size):
    seen = []

    class Watched(nn.Sequential):
        def forward(self, x):
            if self.training and torch.is_grad_enabled():
                seen.append(len(x))
            return super().forward(x)

    network = Watched(*net(nn.BatchNorm1d(16)))
    train_once = train(small_task(count, 0), model=network, epochs=1, batch_size=batch_size)
    seen.clear()  # the trial's
    next(train_once)
    assert sum(seen) == count and min(seen) > 1 and max(seen) <= batch_size + 1


def test_a_batch_size_of_one_with_a_norm_is_refused():
    with pytest.raises(ValueError, match="can't take a batch of 1"):
        train(small_task(), model=net(nn.BatchNorm1d(16)), batch_size=1)


DRAWERS = {
    "dropout": lambda: net(nn.Dropout(0.5)),
    "noise of its own": lambda: Only(lambda y: y + torch.randn_like(y)),
    "functional dropout": lambda: Only(lambda y: F.dropout(y, 0.3)),
    "rrelu": lambda: net(nn.RReLU()),
}


@pytest.mark.parametrize("kind", DRAWERS)
@pytest.mark.parametrize("method", ["standard", "reweight", "mentornet"])
def test_what_layers_draw_hangs_on_the_seed_alone_and_survives_a_checkpoint(kind, method, tmp_path):
    task = small_task()

    def losses(seed=0, **settings):
        torch.manual_seed(int(torch.randint(1000, ())))  # as a notebook that draws elsewhere
        return train(task, method, model=DRAWERS[kind](), epochs=4, seed=seed, **settings)

    whole = [r.loss for r in losses()]
    assert whole == [r.loss for r in losses()] != [r.loss for r in losses(seed=1)]
    run = losses(checkpoint=tmp_path / "run.pt")
    next(run), next(run)
    assert [r.loss for r in losses(checkpoint=tmp_path / "run.pt")] == whole


def test_dropout_leaves_the_global_random_state_alone():
    task, network = small_task(), net(nn.Dropout(0.5))
    before = torch.get_rng_state()
    list(train(task, model=network, epochs=1))
    assert torch.equal(before, torch.get_rng_state())


def test_gradients_that_are_switched_off_outside_do_not_stop_the_training():
    task = small_task()
    with torch.no_grad():
        inside = [r.loss for r in train(task, model=net(), epochs=2)]
    assert inside == [r.loss for r in train(task, model=net(), epochs=2)]
    with torch.inference_mode(), pytest.raises(ValueError, match="inference_mode"):
        train(task, model=net(), epochs=2)


# An optimizer of one's own


def test_adamw_is_taken_as_it_is_and_learns_what_a_plain_loop_does():
    task = small_task(48, 0)
    ours, theirs = net(), net()
    list(train(task, model=ours, epochs=2, batch_size=16, optimizer=lambda p: torch.optim.AdamW(p, lr=0.01)))
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01)
    from nlkit.randomness import seeded_generator

    order = seeded_generator(0, "batches")
    for _ in range(2):
        for index in torch.randperm(48, generator=order).split(16):
            optimizer.zero_grad()
            F.cross_entropy(theirs(task.images[index]), task.given[index]).backward()
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters()))


def test_the_schedule_scales_each_rate_of_an_own_optimizer():
    rates = []

    class Spy(torch.optim.SGD):
        def step(self, *arguments):
            rates.append([group["lr"] for group in self.param_groups])
            super().step(*arguments)

    def make(parameters):
        return Spy([{"params": parameters[:1], "lr": 0.4}, {"params": parameters[1:], "lr": 0.1}])

    list(train(small_task(40, 0), model=net(), epochs=4, batch_size=40, schedule="linear", optimizer=make))
    assert rates == [pytest.approx([0.4 * left, 0.1 * left]) for left in (1, 0.75, 0.5, 0.25)]


@pytest.mark.parametrize(
    "optimizer, settings, says",
    [
        (lambda p: torch.optim.LBFGS(p), {}, "several times"),
        (lambda p: torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), {}, "of other parameters"),
        (lambda p: "adam", {}, "gives a str"),
        (lambda p: torch.optim.SGD(p, lr=1.0), {"learning_rate": 0.1}, "has its own"),
        (lambda p: torch.optim.SGD(p, lr=1.0), {"weight_decay": 0.1}, "has its own"),
    ],
)
def test_an_own_optimizer_that_cannot_serve_is_refused(optimizer, settings, says):
    with pytest.raises(ValueError, match=says):
        train(small_task(), optimizer=optimizer, **settings)


def test_a_run_that_diverges_says_so_once():
    with pytest.warns(RuntimeWarning, match="diverged in epoch 2: the loss is nan") as told:
        records = list(train(small_task(), model=net(), epochs=3, optimizer="sgd", learning_rate=1e30))
    assert len(records) == 3 and len([w for w in told if w.category is RuntimeWarning]) == 1
