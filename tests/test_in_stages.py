"""Methods that train in stages, or sort examples epoch by epoch: against their algorithms written out."""

import copy
import math

import numpy as np
import pytest
import torch
import zoo
from scipy.stats import entropy
from torch import nn
from torch.nn import functional as F

from nlkit import Dataset, make_task, train
from nlkit.learning.confident_joint import confident_joint
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import averaged_network, build_optimizer
from nlkit.learning.restart import descend_last, parts, renew
from nlkit.papers import cal, confident, disc, pes_semi, sop_plus
from nlkit.papers.cal import CAL, covariance, grown, guesses
from nlkit.papers.confident import ConfidentLearning, kept_labels
from nlkit.papers.disc import DISC, sorts
from nlkit.papers.pes import PES
from nlkit.papers.pes_semi import SemiPES, split_loss
from nlkit.papers.sop import SOP
from nlkit.papers.sop_plus import SOPPlus
from nlkit.randomness import seeded_generator

NOISY, CLEAN, CLASSES = 12, 3, 3


def a_run(progress: float = 0.5, clean: int = 0, average: float = 0.0) -> Run:
    model = build_model("mlp", (1, 4, 4), CLASSES, seed=0).double()
    with torch.no_grad():
        model[-1].weight.mul_(6)
    draw = torch.Generator().manual_seed(2)
    images = torch.randn(NOISY + clean, 1, 4, 4, generator=draw).double()
    labels = torch.tensor([0, 1, 2, 0, 0, 1, 1, 0, 2, 0, 1, 2, 0, 1, 2])[: NOISY + clean]
    run = Run(model, build_optimizer("sgd", model, 0.1), images[NOISY:], labels[NOISY:], seeded_generator(0, "method"),
              CLASSES, NOISY + clean, noisy_images=images[:NOISY], given_labels=labels[:NOISY],
              averaged=averaged_network(model, average) if average else None)  # fmt: skip
    return at(run, progress)


def at(run: Run, progress: float) -> Run:
    """The same run at the first step of an epoch of twenty steps, of a training of a hundred epochs."""
    run.progress, run.steps_done, run.steps_an_epoch = progress, round(2000 * progress), 20
    return run


def a_batch(run: Run, index=range(NOISY)) -> Batch:
    index = torch.tensor(list(index))
    images = torch.cat([run.noisy_images, run.clean_images])[index]
    return Batch(index, images, torch.cat([run.given_labels, run.clean_labels])[index], images)


def weights(network: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def stepped(network: nn.Module, loss_of, moving=slice(None)) -> list[torch.Tensor]:
    """The weights of a network after a plain step of some of them down the loss that `loss_of` makes of it."""
    network = copy.deepcopy(network)
    own = list(network.parameters())
    slopes = dict(zip(own[moving], torch.autograd.grad(loss_of(network), own[moving])))
    return [p.detach() - 0.1 * slopes.get(p, 0.0) for p in own]


def said(network: nn.Module, images: torch.Tensor) -> list[list[float]]:
    return network(images).softmax(1).tolist()


# Parts of a network, and drawing them anew


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Tanh(), nn.Linear(4, 3))

    def forward(self, images):
        return self.net(images)


def test_parts_are_the_outermost_layers_that_have_parameters():
    assert [type(part).__name__ for part in parts(build_model("mlp", (1, 4, 4), 3))] == ["Linear"] * 3
    resnet = parts(build_model("resnet32", (3, 8, 8), 3))
    assert [type(part).__name__ for part in resnet] == ["Conv2d", "BatchNorm2d", *["Block"] * 15, "Linear"]
    assert [type(part).__name__ for part in parts(Inner())] == ["Linear"] * 2
    alone, bare = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2))
    bare.own = nn.Parameter(torch.zeros(1))
    assert parts(alone) == [alone] and parts(bare) == [bare]


@pytest.mark.parametrize("last", [1, 2, None])
def test_what_is_drawn_anew_starts_elsewhere_and_is_forgotten_by_optimizer_and_average(last):
    run = a_run(average=0.9)
    run.optimizer = build_optimizer("adam", run.model, 0.1)
    run.descend(F.cross_entropy(run.model(run.noisy_images), run.given_labels))
    run.averaged.update_parameters(run.model)
    before, twin = weights(run.model), copy.deepcopy(run)
    drawn = weights(twin.companion()[0])
    renew(run, last)
    kept = len(before) - 2 * (last or 3)
    assert [torch.equal(a, b) for a, b in zip(weights(run.model), before)] == [i < kept for i in range(6)]
    assert all(map(torch.equal, weights(run.model)[kept:], drawn[kept:]))
    assert all(map(torch.equal, weights(run.averaged)[kept:], drawn[kept:]))
    assert [p in run.optimizer.state for p in run.model.parameters()] == [i < kept for i in range(6)]
    assert int(run.averaged.n_averaged) == (0 if last is None else 1)


@pytest.mark.parametrize("name", [n for n in zoo.NETWORKS if n not in (*zoo.UNTRAINABLE, *zoo.WITHOUT_COMPANION)])
def test_every_network_that_can_have_a_companion_can_be_drawn_anew_in_parts_and_as_a_whole(name):
    network, draw = zoo.make(name), torch.Generator().manual_seed(0)
    images, labels = torch.rand(6, *zoo.SHAPE, generator=draw), torch.arange(6) % zoo.CLASSES
    run = Run(network, build_optimizer("adam", network, 1e-2), images[:0], labels[:0], draw, zoo.CLASSES, 6,
              averaged=averaged_network(network, 0.9))  # fmt: skip
    state = zoo.state_of(network)
    for last in (1, None):
        before = [p.clone() for p in parts(network)[-1].parameters()]
        renew(run, last)
        descend_last(run, F.cross_entropy(network(images), labels), last)
        run.averaged.update_parameters(network)
        after = list(parts(network)[-1].parameters())
        assert all(p.isfinite().all() for p in network.parameters())
        assert not any(p.requires_grad and torch.equal(p, q) for p, q in zip(after, before))
    assert zoo.state_of(network) == state


# SOP+


def test_sop_plus_adds_what_two_views_disagree_by_and_how_uneven_the_classes_are(monkeypatch):
    monkeypatch.setattr(sop_plus, "strong", lambda images, generator: images.flip(-1))
    run, plain = a_run(clean=CLEAN), a_run(clean=CLEAN)
    method, sop = SOPPlus(consistency=0.7, balance=0.4), SOP()
    batch = a_batch(run, (0, 13, 3, 7, 8, 14))
    draw = torch.Generator().manual_seed(5)
    state = {k: torch.rand(NOISY + CLEAN, n, generator=draw).double() * 0.9 for k, n in (("u", 1), ("v", 3))}
    method.state, sop.state = ({k: v.clone() for k, v in state.items()} for _ in "ab")
    p = run.model(batch.images).softmax(1).detach()
    offsets = torch.zeros_like(p)
    for row, (label, place) in enumerate(zip(batch.labels.tolist(), batch.index.tolist())):
        for k in range(CLASSES) if place < NOISY else ():
            offsets[row, k] = state["u"][place, 0] ** 2 if k == label else -(state["v"][place, k] ** 2)

    def added(model):
        now = model(batch.images).softmax(1)
        q = (now + offsets).clamp(min=1e-4)
        q = (q / q.sum(1, keepdim=True)).mean(0)
        other = model(batch.images.flip(-1)).softmax(1)
        apart = (p * (p / other).log()).sum(1).mean()
        return 0.7 * apart - 0.4 * q.log().sum() / CLASSES

    model = copy.deepcopy(run.model)
    by_scipy = entropy(p.numpy(), model(batch.images.flip(-1)).softmax(1).detach().numpy(), axis=1).mean()
    assert added(model).item() - added_even(p, offsets) == pytest.approx(0.7 * by_scipy)
    loss = method.step(run, batch).loss.item()
    assert loss == pytest.approx(sop.step(plain, batch).loss.item() + added(model).item())
    extra = [a - b.detach() for a, b in zip(stepped(model, added), model.parameters())]
    torch.testing.assert_close(weights(run.model), [a + b for a, b in zip(weights(plain.model), extra)],
                               rtol=1e-5, atol=1e-6)  # fmt: skip


def added_even(p, offsets) -> float:
    q = (p + offsets).clamp(min=1e-4)
    return -0.4 * (q / q.sum(1, keepdim=True)).mean(0).log().mean().item()


def test_sop_plus_without_its_terms_is_sop(small_task):
    plus = train(small_task, "sop+", epochs=3, consistency=0.0, balance=0.0)
    assert [r.loss for r in plus] == [r.loss for r in train(small_task, "sop", epochs=3)]


# PES


@pytest.fixture(scope="module")
def small_task():
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(100) % CLASSES
    images = torch.rand(100, 1, 8, 8, generator=draw) + 0.5 * F.one_hot(labels, 64).view(100, 1, 8, 8)
    data = Dataset("small", ("a", "b", "c"), images, labels, images[:60], labels[:60])
    return make_task(data, ratio=0.4, clean_per_class=0, device="cpu")


def test_as_long_as_no_part_is_drawn_anew_pes_is_standard_training(small_task):
    ours = [r.loss for r in train(small_task, "pes", epochs=2)]
    assert ours == pytest.approx([r.loss for r in train(small_task, "standard", epochs=2, learn_clean=False)])


@pytest.mark.parametrize("steps, stage", [(0, 0), (399, 0), (400, 1), (799, 1), (800, 2), (1119, 2), (1120, 3)])
def test_each_stage_of_pes_has_its_share_of_the_training(steps, stage):
    run = a_run()
    run.progress, run.steps_done = steps / 2000, steps
    assert PES()._stage(run) == stage


@pytest.mark.parametrize("steps, stage", [(0, 0), (59, 0), (60, 1), (83, 1), (84, 2), (107, 2), (108, 3)])
def test_in_a_short_training_each_stage_has_its_floor(steps, stage):
    run = a_run()
    run.progress, run.steps_done = steps / 120, steps  # six epochs of 20 steps, which count as 24
    assert PES(0.1, 0.0, 0.0)._stage(run) == stage


@pytest.mark.parametrize("stage, resting", [(1, 2), (2, 4)])
def test_later_parts_start_again_while_earlier_ones_rest(stage, resting):
    run, method = a_run(0.1 + 0.2 * stage), PES()
    method.state["stage"] = stage - 1
    batch, before, twin = a_batch(run), weights(run.model), copy.deepcopy(run)
    start = copy.deepcopy(run.model)
    drawn = twin.companion()[0]
    for ours, theirs in zip(parts(start)[resting // 2 :], parts(drawn)[resting // 2 :]):
        ours.load_state_dict(theirs.state_dict())
    expected = stepped(start, lambda m: F.cross_entropy(m(batch.images), batch.labels), slice(resting, None))
    result = method.step(run, batch)
    torch.testing.assert_close(weights(run.model), expected)
    assert all(map(torch.equal, weights(run.model)[:resting], before[:resting]))
    assert result.weights.tolist() == pytest.approx([1 / NOISY] * NOISY)
    after = weights(run.model)
    run.steps_done += 1
    method.step(run, batch)  # and they are not drawn twice
    moved = stepped(run_with(run.model, after), lambda m: F.cross_entropy(m(batch.images), batch.labels),
                    slice(resting, None))  # fmt: skip
    torch.testing.assert_close(weights(run.model), moved)


def run_with(model: nn.Module, tensors: list[torch.Tensor]) -> nn.Module:
    model = copy.deepcopy(model)
    with torch.no_grad():
        for p, value in zip(model.parameters(), tensors):
            p.copy_(value)
    return model


def confirmed(run: Run) -> tuple[list[int], list[float]]:
    """D, and the mean size of its classes over the size of each, by going through it."""
    places = [i for i, p in enumerate(said(run.model, run.noisy_images)) if np.argmax(p) == run.given_labels[i]]
    sizes = [sum(int(run.given_labels[i]) == k for i in places) for k in range(CLASSES)]
    mean = sum(sizes) / sum(size > 0 for size in sizes)
    return places, [mean / size if size else 0.0 for size in sizes]


def test_pes_learns_the_labels_that_it_would_give_too_and_rare_ones_more():
    run, method = a_run(0.9), PES()
    method.state["stage"] = 3
    places, of_classes = confirmed(run)
    assert 1 < len(places) < NOISY and len({w for w in of_classes if w}) > 1
    batch = a_batch(run)
    shares = torch.tensor([of_classes[batch.labels[i]] * (i in places) for i in range(NOISY)]).double()
    shares /= shares.sum()
    expected = stepped(run.model, lambda m: (shares * F.cross_entropy(m(batch.images), batch.labels,
                                                                     reduction="none")).sum())  # fmt: skip
    result = method.step(run, batch)
    torch.testing.assert_close(weights(run.model), expected, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(result.weights, shares, rtol=1e-6, atol=1e-8)
    before = method.state["confident"]
    run.steps_done += 1
    method.step(run, batch)
    assert method.state["confident"] is before  # until the next epoch
    run.steps_done += 19
    method.step(run, batch)
    assert method.state["confident"] is not before


def test_the_loss_of_semi_supervised_pes_by_hand():
    draw = torch.Generator().manual_seed(3)
    logits, targets = torch.randn(2, 4, CLASSES, generator=draw, dtype=torch.float64)
    targets = targets.softmax(1)
    p, t, w = logits.softmax(1).tolist(), targets.tolist(), [0.5, 3.0, 0.0]
    fits = -sum(w[k] * t[i][k] * math.log(p[i][k]) for i in (0, 2, 3) for k in range(3)) / 3
    apart = sum((p[1][k] - t[1][k]) ** 2 for k in range(3)) / 3
    labelled = torch.tensor([True, False, True, True])
    found = split_loss(logits, targets, labelled, torch.tensor(w).double(), 7.0)
    assert found.item() == pytest.approx(fits + 7 * apart)


def test_semi_supervised_pes_keeps_confirmed_labels_and_sharpens_its_own_guess_of_others(monkeypatch):
    monkeypatch.setattr(pes_semi, "draw_beta", lambda alpha, size, generator: torch.full((size,), 0.25).double())
    run, method = a_run(0.9), SemiPES(unlabelled=6.0)
    method.state.update(stage=2, start=0.9 - 8 / 300)  # half of the way that λ_u has to grow
    places, of_classes = confirmed(run)
    run.generator = seeded_generator(3, "method")
    partner = torch.randperm(NOISY, generator=seeded_generator(3, "method"))
    targets = []
    for i, p in enumerate(said(run.model, run.noisy_images)):
        squares = [x * x for x in p]
        own = [float(run.given_labels[i] == k) for k in range(CLASSES)]
        targets.append(own if i in places else [s / sum(squares) for s in squares])
    targets = torch.tensor(targets).double()
    labelled = torch.tensor([i in places for i in range(NOISY)])
    mixed = 0.75 * targets + 0.25 * targets[partner]
    images = 0.75 * run.noisy_images + 0.25 * run.noisy_images[partner]
    of_classes = torch.tensor([min(w, 3.0) for w in of_classes]).double()
    expected = stepped(run.model, lambda m: split_loss(m(images), mixed, labelled, of_classes, 3.0))
    result = method.step(run, a_batch(run))
    torch.testing.assert_close(weights(run.model), expected, rtol=1e-6, atol=1e-8)
    assert result.weights.nonzero()[:, 0].tolist() == places


# CAL


def test_the_first_stage_of_cal_is_paid_for_being_sure():
    run, method = a_run(65 / 165 * 0.25 / 0.65, clean=CLEAN), CAL(first_alpha=2.0)  # epoch 25 of 100
    batch = a_batch(run, (0, 13, 3, 7, 8, 14))
    roots = np.sqrt(np.bincount(run.given_labels.numpy()) / NOISY)
    total = 0.0
    for p, label, place in zip(said(run.model, batch.images), batch.labels.tolist(), batch.index.tolist()):
        total -= math.log(p[label])
        for k in range(CLASSES) if place < NOISY else ():
            total += 2 * 0.5 * roots[k] / roots.sum() * math.log(p[k] + 1e-5)
    assert method.step(run, batch).loss.item() == pytest.approx(total / 6, abs=1e-7)
    assert [grown(x) for x in (0.05, 0.1, 0.25, 0.4, 0.9)] == pytest.approx([0, 0, 0.5, 1, 1])


def test_the_guess_is_the_given_label_only_where_it_beats_the_average_one_by_far():
    losses = torch.tensor([[9.0, 30.0, 0.1], [9.0, 12.0, 0.1], [0.2, 0.3, 0.4]])
    assert guesses(losses, torch.tensor([2, 0, 1])).tolist() == [2, 2, 0]
    assert guesses(torch.tensor([[2.0, 0.5, 40.0]]), torch.tensor([0])).item() == 0  # though 1 is likelier
    assert guesses(torch.tensor([[2.0, 0.5, 20.0]]), torch.tensor([0])).item() == 1


def test_the_covariance_is_that_of_numpy_class_by_class():
    draw = np.random.default_rng(0)
    guess, given, losses = draw.integers(0, 3, 40), draw.integers(0, 3, 40), draw.random((40, 3))
    expected = 0.0
    mean, share = np.zeros((3, 3)), np.bincount(guess) / 40
    for j in range(3):
        mean[j] = [(given[guess == j] == k).mean() for k in range(3)]
        for k in range(3):
            expected += share[j] * np.cov((given == k)[guess == j], losses[guess == j, k], bias=True)[0, 1]
    noise = np.eye(3)[given] - mean[guess]
    tensors = [torch.from_numpy(each) for each in (noise, losses, guess, share)]
    assert covariance(*tensors).item() == pytest.approx(expected)


def in_second_stage(guess: torch.Tensor, progress: float = 0.5) -> tuple[Run, CAL]:
    """At the end of the growth of α, with the guesses that are told."""
    run, method = a_run(0.4, clean=CLEAN), CAL(alpha=1.0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cal, "guesses", lambda losses, labels: guess)
        patched.setattr(cal, "renew", lambda run: None)
        method._begin(run)
    return at(run, 0.4 + 0.6 * progress), method


def peer_loss(model, batch, run) -> torch.Tensor:
    p = model(batch.images).softmax(1)
    shares = torch.bincount(run.given_labels).double() / NOISY
    noisy = batch.index < NOISY
    return -(p.gather(1, batch.labels[:, None])[:, 0].log() - noisy * ((p + 1e-5).log() @ shares)).mean()


def test_where_the_noise_hangs_on_the_class_alone_cal_takes_nothing_out():
    run, method = in_second_stage(torch.tensor([0, 1, 2, 0, 0, 1, 1, 0, 2, 0, 1, 2]))  # no label is a mistake
    batch = a_batch(run, range(NOISY + CLEAN))
    expected = stepped(run.model, lambda m: peer_loss(m, batch, run))
    method.step(run, batch)
    torch.testing.assert_close(weights(run.model), expected, rtol=1e-6, atol=1e-8)


def test_cal_takes_out_the_covariance_of_noise_and_losses_within_each_class():
    guess = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    run, method = in_second_stage(guess)
    places = (0, 2, 5, 6, 8, 11, 13)
    given, mean = run.given_labels, torch.zeros(3, 3).double()
    for _ in range(2):  # in the second epoch losses are measured from their mean in the first

        def loss_of(model, batch, mean=mean):
            total, losses = peer_loss(model, batch, run), -(model(batch.images).softmax(1) + 1e-5).log()
            for j in range(3):
                rows = [r for r, i in enumerate(batch.index.tolist()) if i < NOISY and guess[i] == j]
                for k in range(3):
                    rate = (given[guess == j] == k).double().mean()
                    terms = [(float(batch.labels[r] == k) - rate) * (losses[r, k] - mean[j, k]) for r in rows]
                    total = total - 6 / 7 * (1 / 3) * sum(terms) / len(rows)
            return total

        batch, now = a_batch(run, places), copy.deepcopy(run.model)
        expected, plain = stepped(now, lambda m, b=batch: loss_of(m, b)), stepped(now, lambda m, b=batch: peer_loss(
            m, b, run))  # fmt: skip
        losses = -(now(batch.images).softmax(1).detach() + 1e-5).log()
        assert method.step(run, batch).loss.item() == pytest.approx(loss_of(now, batch).item(), abs=1e-7)
        torch.testing.assert_close(weights(run.model), expected, rtol=1e-6, atol=1e-8)
        assert max((a - b).abs().max() for a, b in zip(expected, plain)) > 1e-4
        mean = torch.stack([losses[:6][guess[list(places[:6])] == j].mean(0) for j in range(3)])
        run.steps_done += 20


def test_between_its_stages_cal_starts_from_a_network_that_has_learned_nothing():
    run, method = a_run(0.39), CAL()
    before = weights(run.model)
    method.step(run, a_batch(run))
    assert "guess" not in method.state
    drawn = copy.deepcopy(run).companion()[0]
    after = weights(run.model)
    at(run, 0.4)
    with torch.no_grad():
        expected = [np.argmax(p) for p in said(run.model, run.noisy_images)]
    method.step(run, a_batch(run))
    assert method.state["guess"].tolist() == expected and method.state["start"] == 0.4
    near = [(a - b).abs().max().item() for a, b in zip(weights(run.model), weights(drawn))]
    far = [(a - b).abs().max().item() for a, b in zip(weights(run.model), after)]
    assert max(near) < 0.3 and min(far) > 0.05 and not torch.equal(before[0], after[0])


# DISC


def test_each_example_is_sorted_by_its_own_thresholds():
    draw = torch.Generator().manual_seed(1)
    said_, labels = torch.rand(2, 60, 4, generator=draw) ** 4, torch.arange(60) % 4
    said_ /= said_.sum(2, keepdim=True)
    threshold = torch.rand(2, 60, generator=draw)
    sort, label = sorts(said_, threshold, labels, 0.2)
    for i in range(60):
        weak, strong_ = (said_[v, i, labels[i]] > threshold[v, i] for v in (0, 1))
        mean = (said_[0, i] + said_[1, i]) / 2
        bar = min((threshold[0, i] + threshold[1, i]) / 2 + 0.2, 0.99)
        corrected = not weak and not strong_ and mean.max() > bar
        assert sort[i] == (3 if weak and strong_ else 2 if weak or strong_ else 1 if corrected else 0)
        assert label[i] == (mean.argmax() if corrected else labels[i])
    assert set(sort.tolist()) == {0, 1, 2, 3}


def test_thresholds_are_averages_of_how_sure_the_network_has_been(monkeypatch):
    """An epoch is a hundredth of this training, two of the authors'."""
    monkeypatch.setattr(disc, "strong", lambda images, generator: images.flip(-1))
    run, method = at(a_run(), 0.0), DISC(momentum=0.9)
    expected = [[1 / NOISY] * NOISY] * 2
    for epoch in range(3):
        at(run, epoch / 100)
        views = [run.noisy_images, run.noisy_images.flip(-1)]
        surest = [[max(p) for p in said(run.model, view)] for view in views]
        method.step(run, a_batch(run))
        np.testing.assert_allclose(method.state["threshold"], expected)
        expected = [[0.81 * t + 0.19 * p for t, p in zip(old, new)] for old, new in zip(expected, surest)]


def test_disc_learns_clean_hard_and_corrected_examples_each_in_their_way(monkeypatch):
    monkeypatch.setattr(disc, "strong", lambda images, generator: images.flip(-1))
    monkeypatch.setattr(disc, "draw_beta", lambda alpha, size, generator: torch.full((size,), 0.3).double())
    run, method = a_run(0.5), DISC(hard=0.4)
    sort, label = torch.tensor([3, 2, 1, 0] * 3), (run.given_labels + torch.tensor([0, 0, 1, 0] * 3)) % CLASSES
    method.state = {"said": torch.zeros(2, NOISY, CLASSES).double(), "threshold": torch.zeros(2, NOISY), "at": 0.49,
                    "sort": sort, "label": label}  # fmt: skip
    run.steps_done += 1
    draws = seeded_generator(0, "method")
    run.generator, used = seeded_generator(0, "method"), (sort > 0).nonzero()[:, 0]
    partners = [torch.randperm(len(used), generator=draws) for _ in range(2)]

    def loss_of(model):
        total = 0.0
        for view, partner in zip((run.noisy_images, run.noisy_images.flip(-1)), partners):
            p = model(view).softmax(1)
            for i in range(NOISY):
                own = p[i, run.given_labels[i]]
                total = total - own.log() / NOISY if sort[i] == 3 else total
                total = total + 0.4 * (1 - own**0.7) / 0.7 / NOISY if sort[i] == 2 else total
            log_p = model(0.7 * view[used] + 0.3 * view[used][partner]).log_softmax(1)
            for row, (i, j) in enumerate(zip(used, used[partner])):
                total = total - (0.7 * log_p[row, label[i]] + 0.3 * log_p[row, label[j]]) / len(used)
        return total

    expected, before = stepped(run.model, loss_of), copy.deepcopy(run.model)
    result = method.step(run, a_batch(run))
    assert result.loss.item() == pytest.approx(loss_of(before).item())
    torch.testing.assert_close(weights(run.model), expected)
    assert result.weights.nonzero()[:, 0].tolist() == used.tolist()
    torch.testing.assert_close(method.state["said"][1], before(run.noisy_images.flip(-1)).softmax(1).detach())


# Confident learning


def test_each_network_of_confident_learning_learns_what_is_not_of_its_part():
    run, method = a_run(0.05), ConfidentLearning(folds=3)
    method.step(run, a_batch(run))  # which draws the parts
    fold, batch = method.state["fold"], a_batch(run)
    assert torch.bincount(fold).tolist() == [4, 4, 4]
    networks = [run.model, *(peer.network for peer in method.peers)]
    expected = []
    for number, network in enumerate(networks):
        rows = [i for i in range(NOISY) if fold[i] != number]
        expected.append(stepped(network, lambda m, r=rows: F.cross_entropy(m(batch.images[r]), batch.labels[r])))
    result = method.step(run, batch)
    torch.testing.assert_close([weights(network) for network in networks], expected)
    assert (result.weights == 0).tolist() == (fold == 0).tolist() and result.weights.sum().item() == pytest.approx(1)


def test_each_label_is_asked_of_the_network_that_has_not_learned_it(monkeypatch):
    run, method, asked = a_run(0.05), ConfidentLearning(folds=3), []
    monkeypatch.setattr(confident, "kept_labels", lambda labels, p: asked.append(p) or torch.arange(NOISY) % 2 == 0)
    method.step(run, a_batch(run))
    networks = [copy.deepcopy(n) for n in (run.model, *(peer.network for peer in method.peers))]
    method.step(at(run, 0.5), a_batch(run))
    for i, p in enumerate(asked[0]):
        own = networks[method.state["fold"][i]]
        torch.testing.assert_close(p, own(run.noisy_images[i : i + 1]).softmax(1)[0].float())
    result = method.step(run, a_batch(run))
    given, expected = run.given_labels.tolist(), [0.0] * NOISY
    for i in range(0, NOISY, 2):
        expected[i] = given.count(given[i]) / given[::2].count(given[i])
    assert result.weights.tolist() == pytest.approx([w / sum(expected) for w in expected])
    assert len(set(expected)) > 2 and len(asked) == 1


def test_what_is_dropped_are_as_many_as_the_joint_counts_off_its_diagonal_the_least_likely_first():
    draw = np.random.default_rng(0)
    true, labels = draw.integers(0, 4, 400), draw.integers(0, 4, 400)
    labels = np.where(draw.random(400) < 0.7, true, labels)
    p = np.exp(3 * np.eye(4)[true] + draw.normal(size=(400, 4)))
    p /= p.sum(1, keepdims=True)
    joint = confident_joint(labels, p)
    kept = kept_labels(torch.from_numpy(labels), torch.from_numpy(p)).numpy()
    assert (~kept).sum() == joint.sum() - np.trace(joint)
    margins = [row[y] - max(np.delete(row, y)) for row, y in zip(p, labels)]
    assert max(np.array(margins)[~kept]) <= min(np.array(margins)[kept])
    assert (labels == true)[kept].mean() > (labels == true).mean() + 0.1
    shifted = np.insert(p, 2, 0.0, axis=1)  # a class that no label names
    again = kept_labels(torch.from_numpy(labels + (labels >= 2)), torch.from_numpy(shifted))
    assert torch.equal(again, torch.from_numpy(kept))


# All of them

STAGED = ("pes", "pes_semi", "cal", "disc", "confident", "sop+")


@pytest.mark.parametrize("method", STAGED)
def test_a_run_broken_off_in_the_last_stage_goes_on_to_the_same_end(method, small_task, tmp_path):
    how = {"epochs": 6, "batch_size": 4, "weight_average": 0.9}
    whole = [(r.loss, r.test_accuracy) for r in train(small_task, method, **how)]
    broken = train(small_task, method, checkpoint=tmp_path / "run.pt", **how)
    for _ in range(5):
        next(broken)
    again = train(small_task, method, checkpoint=tmp_path / "run.pt", **how)
    assert [(r.loss, r.test_accuracy) for r in again] == whole


@pytest.mark.parametrize("method, options", [
    ("pes", {"first": 0.5}), ("pes", {"third": -1}), ("pes_semi", {"unlabelled": -1}), ("pes_semi", {"alpha": 0}),
    ("cal", {"alpha": -1}), ("cal", {"first_alpha": 11}), ("disc", {"momentum": 1.5}), ("disc", {"hard": -1}),
    ("disc", {"correction": 2}), ("disc", {"burn_in": 1.0}), ("confident", {"folds": 1}), ("confident", {"burn_in": 0}),
    ("sop+", {"consistency": -1}), ("sop+", {"balance": -1}),
])  # fmt: skip
def test_options_are_checked(method, options, small_task):
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        train(small_task, method, **options)
