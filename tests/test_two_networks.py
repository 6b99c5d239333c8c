"""Methods that train two networks, beside co-teaching: against their algorithms written out, image by image."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from torch.nn import functional as F

from nlkit import Dataset, make_task, train
from nlkit.learning.devices import InBfloat16
from nlkit.learning.features import head_of, with_features
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import build_optimizer
from nlkit.learning.peer import Jury
from nlkit.papers import METHODS
from nlkit.papers.co_teaching_plus import CoTeachingPlus
from nlkit.papers.decoupling import Decoupling
from nlkit.papers.dividemix import DivideMix, refined, semi_supervised_loss, small_losses
from nlkit.papers.elr_plus import EarlyLearningPlus
from nlkit.papers.jocor import JoCoR, joint_losses
from nlkit.papers.mixup import draw_beta
from nlkit.papers.promix import ProMix, room_for, smallest_by_class
from nlkit.randomness import seeded_generator

EXAMPLES, CLASSES = 12, 3


def a_run(progress: float = 0.5, seed: int = 0) -> Run:
    model = build_model("mlp", (1, 4, 4), CLASSES, seed=seed).double()
    images = torch.rand(EXAMPLES, 1, 4, 4, generator=torch.Generator().manual_seed(2)).double()
    nothing = torch.empty(0, 1, 4, 4), torch.empty(0, dtype=torch.long)
    labels = torch.arange(EXAMPLES) % CLASSES
    return Run(model, build_optimizer("sgd", model, 0.1), *nothing, seeded_generator(0, "method"), CLASSES, EXAMPLES,
               progress, steps_done=round(1000 * progress), steps_an_epoch=20, noisy_images=images,
               given_labels=labels)  # fmt: skip


def a_batch(run: Run, index=range(EXAMPLES)) -> Batch:
    index = torch.tensor(list(index))
    return Batch(index, run.noisy_images[index], run.given_labels[index], run.noisy_images[index])


def said(network, batch: Batch) -> list[list[float]]:
    return network(batch.images).softmax(1).tolist()


def weights(network) -> list[torch.Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def descended(networks, loss_of) -> list[list[torch.Tensor]]:
    """The weights of copies of networks after one plain step down the loss that `loss_of` makes of them."""
    networks = [copy.deepcopy(network) for network in networks]
    every = [p for network in networks for p in network.parameters()]
    gradients = iter(torch.autograd.grad(loss_of(*networks), every))
    return [[p.detach() - 0.1 * next(gradients) for p in network.parameters()] for network in networks]


def met(method, run: Run):
    """Copies of the two networks as they are before the first step, unlike enough to disagree on some images."""
    method.peer.begin(run)
    with torch.no_grad():
        for network in (run.model, method.peer.network):
            network[-1].weight.mul_(8)
    return copy.deepcopy(run.model), copy.deepcopy(method.peer.network)


def apart(networks, batch: Batch) -> list[int]:
    mine, theirs = (np.argmax(said(network, batch), 1) for network in networks)
    return [i for i in range(len(mine)) if mine[i] != theirs[i]]


def mean_loss(network, batch: Batch, chosen: list[int]) -> torch.Tensor:
    return -network(batch.images[chosen]).log_softmax(1)[range(len(chosen)), batch.labels[chosen]].mean()


def test_decoupling_learns_where_the_two_disagree_and_nowhere_else():
    run, method = a_run(), Decoupling()
    networks, batch = met(method, run), a_batch(run)
    chosen = apart(networks, batch)
    assert 0 < len(chosen) < EXAMPLES
    result = method.step(run, batch)
    expected = descended(networks, lambda a, b: mean_loss(a, batch, chosen) + mean_loss(b, batch, chosen))
    torch.testing.assert_close([weights(run.model), weights(method.peer.network)], expected)
    assert result.weights.nonzero()[:, 0].tolist() == chosen and result.weights.sum().item() == pytest.approx(1)
    for network in (run.model, method.peer.network):
        network.load_state_dict(networks[0].state_dict())
    before = weights(run.model)
    agreed = method.step(run, batch)  # on a batch where the two say the same
    assert all(map(torch.equal, before, weights(run.model))) and not agreed.weights.any()


def test_co_teaching_plus_chooses_easy_examples_for_the_other_among_those_in_dispute():
    run, method = a_run(), CoTeachingPlus(percentile=0.5)
    networks, batch = met(method, run), a_batch(run)
    disputed = apart(networks, batch)
    number = round(0.5 * len(disputed))
    losses = [[-math.log(p[y]) for p, y in zip(said(n, batch), batch.labels.tolist())] for n in networks]
    own, peers = (sorted(disputed, key=of.__getitem__)[:number] for of in losses)
    assert 0 < number < len(disputed) and set(own) != set(peers)  # or the test could not tell who chooses
    result = method.step(run, batch)
    expected = descended(networks, lambda a, b: mean_loss(a, batch, peers) + mean_loss(b, batch, own))
    torch.testing.assert_close([weights(run.model), weights(method.peer.network)], expected)
    assert result.weights.nonzero()[:, 0].tolist() == sorted(peers)


def test_in_its_burn_in_co_teaching_plus_is_standard_training_of_both():
    run, method = a_run(progress=0.05), CoTeachingPlus(percentile=0.5)
    networks, batch, every = met(method, run), a_batch(run), list(range(EXAMPLES))
    result = method.step(run, batch)
    expected = descended(networks, lambda a, b: mean_loss(a, batch, every) + mean_loss(b, batch, every))
    torch.testing.assert_close([weights(run.model), weights(method.peer.network)], expected)
    assert result.weights.tolist() == pytest.approx([1 / EXAMPLES] * EXAMPLES)


@pytest.mark.parametrize("agreement", [0.0, 0.3, 1.0])
def test_the_joint_loss_is_two_cross_entropies_and_two_divergences_of_scipy(agreement):
    draw = torch.Generator().manual_seed(1)
    logits, theirs = torch.randn(2, 5, CLASSES, generator=draw, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 2, 1])
    p, q = logits.softmax(1).numpy(), theirs.softmax(1).numpy()
    at = np.arange(5), labels.numpy()
    expected = -(1 - agreement) * (np.log(p[at]) + np.log(q[at])) + agreement * (rel_entr(p, q) + rel_entr(q, p)).sum(1)
    np.testing.assert_allclose(joint_losses(logits, theirs, labels, agreement).numpy(), expected)


def test_jocor_moves_both_networks_down_one_loss_of_the_examples_that_both_find_easy():
    run, method = a_run(), JoCoR(percentile=0.5, agreement=0.6)
    networks, batch = met(method, run), a_batch(run)
    joint = lambda a, b: joint_losses(a(batch.images), b(batch.images), batch.labels, 0.6)  # noqa: E731
    chosen = joint(*networks).argsort()[: EXAMPLES // 2]
    result = method.step(run, batch)
    expected = descended(networks, lambda a, b: joint(a, b)[chosen].mean())
    torch.testing.assert_close([weights(run.model), weights(method.peer.network)], expected)
    assert result.weights.nonzero()[:, 0].tolist() == sorted(chosen.tolist())


def test_elr_plus_holds_each_network_to_what_the_averages_of_the_other_have_said():
    run, method = a_run(), EarlyLearningPlus(beta=0.6, strength=2.0, average=0.5)
    networks, batch = met(method, run), a_batch(run)
    generator = torch.Generator()
    generator.set_state(run.generator.get_state())
    partner = torch.randperm(EXAMPLES, generator=generator)
    lam = draw_beta(1.0, EXAMPLES, generator)[:, None]
    mixed = (lam * batch.images.flatten(1) + (1 - lam) * batch.images[partner].flatten(1)).view_as(batch.images)
    given = F.one_hot(batch.labels, CLASSES).double()

    def loss_of(a, b):
        total = 0.0
        for network, other in ((a, networks[1]), (b, networks[0])):  # at first the average is the network itself
            t = 0.4 * other(batch.images).softmax(1).detach()
            log_p = network(mixed).log_softmax(1)
            total = total - ((lam * given + (1 - lam) * given[partner]) * log_p).sum(1).mean()
            agree = (log_p.exp() * (lam * t + (1 - lam) * t[partner])).sum(1)
            total = total + 2.0 * (1 - agree).log().mean()
        return total

    method.step(run, batch)
    torch.testing.assert_close(
        [weights(run.model), weights(method.peer.network)], descended(networks, loss_of), rtol=1e-6, atol=1e-9
    )
    first = [weights(network) for network in (run.model, method.peer.network)]
    method.step(run, batch)
    for average, before, network in zip(method.averages, first, (run.model, method.peer.network)):
        share = 1 - min(0.5, 2 / 11)  # in its second step, see optimizers.averaged_network
        expected = [(1 - share) * p + share * q for p, q in zip(before, weights(network))]
        torch.testing.assert_close(weights(average.module), expected)


def test_a_jury_answers_by_the_mean_of_its_probabilities():
    networks = [build_model("mlp", (1, 4, 4), CLASSES, seed=seed) for seed in (1, 2, 3)]
    images = torch.rand(5, 1, 4, 4)
    expected = torch.stack([network(images).softmax(1) for network in networks]).mean(0)
    torch.testing.assert_close(Jury(networks)(images).exp(), expected)


# DivideMix


def test_small_losses_are_told_from_large_ones_as_by_the_mixture_that_they_came_from():
    draw = np.random.default_rng(0)
    means, spread, count = (0.5, 4.0), 0.6, (600, 400)
    losses = np.concatenate([draw.normal(mean, spread, size=n) for mean, n in zip(means, count)])
    densities = [n * np.exp(-((losses - mean) ** 2) / (2 * spread**2)) for mean, n in zip(means, count)]
    found = small_losses(torch.from_numpy(losses)).numpy()
    np.testing.assert_allclose(found, densities[0] / sum(densities), atol=0.05)
    assert small_losses(torch.full((7,), 0.3)).tolist() == [1] * 7  # nothing to tell apart


def test_labels_are_refined_by_the_own_network_and_guessed_by_both_and_then_sharpened():
    clean = torch.tensor([0.9, 0.2])
    given, own = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[0.5, 0.5], [0.3, 0.7]])
    both = torch.tensor([[0.1, 0.9], [0.4, 0.6]])
    blends = [[0.05, 0.95], [0.4, 0.6]]  # 0.9 of the label; what both say
    expected = [[a**2 / (a**2 + b**2), b**2 / (a**2 + b**2)] for a, b in blends]
    torch.testing.assert_close(refined(clean, given, own, both), torch.tensor(expected))


def test_the_semi_supervised_loss_by_hand():
    draw = torch.Generator().manual_seed(3)
    logits = torch.randn(4, CLASSES, generator=draw, dtype=torch.float64)
    targets = torch.rand(4, CLASSES, generator=draw, dtype=torch.float64)
    targets /= targets.sum(1, keepdim=True)
    p, t = logits.softmax(1).tolist(), targets.tolist()
    fits = -sum(t[i][k] * math.log(p[i][k]) for i in (0, 2, 3) for k in range(3)) / 3
    apart_ = sum((p[1][k] - t[1][k]) ** 2 for k in range(3)) / 3
    mean = [sum(row[k] for row in p) / 4 for k in range(3)]
    spread = sum(math.log(1 / 3 / m) / 3 for m in mean)
    labelled = torch.tensor([True, False, True, True])
    assert semi_supervised_loss(logits, targets, labelled, 7.0).item() == pytest.approx(fits + 7 * apart_ + spread)
    assert semi_supervised_loss(logits, targets, ~labelled & False, 0.0).item() == pytest.approx(spread)


def test_each_network_learns_by_the_split_that_the_other_makes_once_an_epoch(monkeypatch):
    run, method = a_run(), DivideMix(burn_in=0.1)
    networks = met(method, run)
    seen = []
    monkeypatch.setattr("nlkit.papers.dividemix.small_losses", lambda losses: seen.append(losses) or losses)
    method.step(run, a_batch(run))
    for losses, network in zip(seen, reversed(networks)):
        expected = F.cross_entropy(network(run.noisy_images), run.given_labels, reduction="none")
        torch.testing.assert_close(losses, expected)
    run.steps_done += 1
    method.step(run, a_batch(run))
    assert len(seen) == 2
    run.steps_done += run.steps_an_epoch - 1
    method.step(run, a_batch(run))
    assert len(seen) == 4


# ProMix


def test_the_smallest_losses_are_taken_label_by_label():
    draw = torch.Generator().manual_seed(0)
    losses, labels = torch.rand(40, generator=draw), torch.randint(0, 3, (40,), generator=draw)
    labels[labels == 2] = 5  # of classes without a label there is none
    found = smallest_by_class(losses, labels, 0.08)
    for label in (0, 1, 5):
        places = sorted((labels == label).nonzero()[:, 0].tolist(), key=losses.tolist().__getitem__)
        assert found[places].tolist() == [True] * 4 + [False] * (len(places) - 4)  # 3.2, rounded up
    assert smallest_by_class(losses, labels, 0.001).sum() == 3


def test_the_surest_guesses_on_which_two_networks_agree_fill_the_batch_up_to_nine_tenths():
    agreed = torch.tensor([True] * 6 + [False] * 4)
    sure = torch.linspace(0.991, 1.0, 10)
    assert room_for(agreed, sure, 5).nonzero()[:, 0].tolist() == [2, 3, 4, 5]
    assert room_for(agreed, sure, 9).sum() == 0 and room_for(agreed, sure, 1).sum() == 6


def promix_by_hand(run, network, second, chosen, labels, said_, prefers, batch, weight, guessed, draws):
    """L of one network, example by example, at a = 0.8."""
    inside, outside = ([i for i in range(EXAMPLES) if chosen[i] == which] for which in (True, False))
    partner = torch.randperm(len(inside), generator=draws)
    lam = draw_beta(4.0, len(inside), draws)
    lam = torch.maximum(lam, 1 - lam)

    def heads(images):
        features = network[:-1](images)
        return network[-1](features), features @ second[0].T + second[1]

    weak, other = heads(batch.images), heads(batch.images.flip(-1))
    mixed = [batch.images[i].lerp(batch.images[inside[j]], 1 - own) for i, j, own in zip(inside, partner, lam)]
    blended, total = heads(torch.stack(mixed)), 0.0
    bias, bias_outside = (0.8 * each.log() for each in prefers)
    for head in range(2):
        for row, i in enumerate(inside):
            total = total - (weak[head][i] + bias).log_softmax(0)[labels[i]] / len(inside)
            total = total - weight * (other[head][i] + bias).log_softmax(0)[labels[i]] / len(inside)
            log_p, mate = (blended[head][row] + bias).log_softmax(0), labels[inside[partner[row]]]
            total = total - weight * (lam[row] * log_p[labels[i]] + (1 - lam[row]) * log_p[mate]) / len(inside)
    for i in outside:
        sharp = (said_[i] - bias_outside).softmax(0).square()
        for view, share in ((weak, 1.0), (other, weight)):
            log_p = (view[1][i] + bias_outside).log_softmax(0)
            total = total - guessed * share * (sharp / sharp.sum() * log_p).sum() / len(outside)
    return total


@pytest.mark.parametrize("progress, weight, guessed", [(0.07, 0.84, 0.042), (0.5, 1.0, 0.0), (0.8, 1.0, 0.0)])
def test_promix_trusts_labels_with_both_heads_and_guesses_with_the_second(progress, weight, guessed, monkeypatch):
    monkeypatch.setattr("nlkit.papers.promix.strong", lambda images, generator: images.flip(-1))
    run, method = a_run(progress), ProMix(rho=0.5, tau=0.5, burn_in=0.01)
    method.prepare(run)
    networks, batch = met(method, run), a_batch(run)
    draw = torch.Generator().manual_seed(4)
    method.state["prefers"] = torch.rand(2, 2, CLASSES, generator=draw).double().softmax(2)
    prefers = method.state["prefers"].clone()
    run.generator, draws = seeded_generator(1, "method"), seeded_generator(1, "method")
    p = [torch.tensor(said(network, batch)) for network in networks]
    losses, expected, chosen = [], [], []
    for number, network in enumerate(networks):
        own = [-math.log(row[y]) for row, y in zip(p[number].tolist(), batch.labels.tolist())]
        trusted = [False] * EXAMPLES
        for k in range(CLASSES):  # the two smallest of four losses a class
            for i in sorted((i for i in range(EXAMPLES) if i % CLASSES == k), key=own.__getitem__)[:2]:
                trusted[i] = True
        trusted = [t or p[number][i, batch.labels[i]] > 0.5 for i, t in enumerate(trusted)]
        agreed = [
            i
            for i in range(EXAMPLES)
            if not trusted[i]
            and progress > 1 - 250 / 600
            and p[0][i].argmax() == p[1][i].argmax()
            and min(p[0][i].max(), p[1][i].max()) > 0.5
        ]
        agreed = sorted(agreed, key=lambda i: -float(p[0][i].max() + p[1][i].max()))[: max(0, 10 - sum(trusted))]
        chosen.append([trusted[i] or i in agreed for i in range(EXAMPLES)])
        guess = (p[number].log() - 0.8 * prefers[number, 0].log()).argmax(1)
        labels = [int(batch.labels[i]) if trusted[i] else int(guess[i]) for i in range(EXAMPLES)]
        second = [method.state[f"{name} {number}"].detach() for name in ("weight", "bias")]
        state = draws.get_state()

        def loss_of(model, second=second, labels=labels, number=number, state=state):
            draws.set_state(state)
            return promix_by_hand(run, model, second, chosen[number], labels, p[number].log(), prefers[number], batch,
                                  weight, guessed, draws)  # fmt: skip

        losses.append(loss_of(network).item())
        expected += descended([network], loss_of)
    result = method.step(run, batch)
    assert result.loss.item() == pytest.approx(losses[0])
    torch.testing.assert_close([weights(run.model), weights(method.peer.network)], expected, rtol=1e-6, atol=1e-8)
    assert (result.weights > 0).tolist() == chosen[0] and not all(chosen[0])
    momentum = 0.9999 ** (117_000 / (run.steps_done / progress))
    for number in range(2):
        inside = p[number][torch.tensor(chosen[number])].mean(0)
        torch.testing.assert_close(
            method.state["prefers"][number, 0], momentum * prefers[number, 0] + (1 - momentum) * inside
        )


def test_a_broken_off_run_of_promix_goes_on_to_the_same_end_and_both_second_heads_learn(tmp_path, monkeypatch):
    images, heads = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0)), []
    labels = torch.arange(40) % CLASSES
    task = make_task(Dataset("small", tuple("abc"), images, labels, images, labels), ratio=0.4, clean_per_class=0,
                     device="cpu")  # fmt: skip

    class Watched(ProMix):
        def after_epoch(self, run, network):
            heads.append([self.state[f"weight {number}"].detach().clone() for number in (0, 1)])
            return {}

    monkeypatch.setitem(METHODS, "watched", Watched)
    how = {"epochs": 4, "batch_size": 20, "burn_in": 0.0}
    whole = [record.loss for record in train(task, "watched", **how)]
    broken = train(task, "watched", checkpoint=tmp_path / "run.pt", **how)
    next(broken), next(broken)
    assert [r.loss for r in train(task, "watched", checkpoint=tmp_path / "run.pt", **how)] == whole
    assert len(heads) == 8 and all(torch.equal(a, b) for a, b in zip(heads[3], heads[-1]))
    assert not any(torch.equal(a, b) for a, b in zip(heads[0], heads[1]))


def test_the_head_is_the_last_linear_layer_that_images_go_through_and_its_features_are_what_goes_in():
    network, images = build_model("mlp", (1, 4, 4), CLASSES), torch.rand(5, 1, 4, 4)
    network.append(torch.nn.Identity())
    head = head_of(network, images, CLASSES)
    logits, features = with_features(network, head, images)
    assert head is network[-2] and torch.equal(logits, network(images)) and torch.equal(features, network[:-2](images))
    assert not head._forward_hooks and not head._forward_pre_hooks
    with pytest.raises(ValueError, match="model=Sequential must end in a linear layer of 4 classes"):
        head_of(network, images, 4)


def test_a_run_broken_off_after_its_burn_in_goes_on_to_the_same_end(few_digits, tmp_path):
    """As every method does within its burn-in (test_training)."""
    task, options = make_task(few_digits, ratio=0.4, clean_per_class=0, device="cpu"), {"burn_in": 0.0, "epochs": 3}
    whole = [record.test_accuracy for record in train(task, "dividemix", **options)]
    broken = train(task, "dividemix", checkpoint=tmp_path / "run.pt", **options)
    next(broken), next(broken)
    again = train(task, "dividemix", checkpoint=tmp_path / "run.pt", **options)
    assert [record.test_accuracy for record in again] == whole and len(set(whole)) == 3


def test_in_its_burn_in_dividemix_is_standard_training_of_both_and_every_label_counts():
    run, method = a_run(progress=0.05), DivideMix()
    networks, batch, every = met(method, run), a_batch(run), list(range(EXAMPLES))
    result = method.step(run, batch)
    expected = descended(networks, lambda a, b: mean_loss(a, batch, every) + mean_loss(b, batch, every))
    torch.testing.assert_close([weights(run.model), weights(method.peer.network)], expected)
    assert result.weights.tolist() == pytest.approx([1 / EXAMPLES] * EXAMPLES)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_of_dividemix_both_networks_are_measured_in_float32(precision, mnist5k, monkeypatch):
    task, seen = make_task(mnist5k, ratio=0.4, clean_per_class=0, device="cpu"), []

    class Watched(DivideMix):
        def after_epoch(self, run, network):
            seen.append((network, self.peer.in_float32, getattr(run.model, "network", run.model)))
            return {}

    monkeypatch.setitem(METHODS, "watched", Watched)
    record = next(train(task, "watched", epochs=1, precision=precision))
    ((jury, peer, model),) = seen
    assert list(jury.networks) == [model, peer] and not any(isinstance(m, InBfloat16) for m in jury.modules())
    p = (model(task.test_images).softmax(1) + peer(task.test_images).softmax(1)) / 2
    assert record.test_accuracy == (p.argmax(1) == task.test_labels).double().mean().item()
    assert (model(task.test_images).argmax(1) == task.test_labels).double().mean().item() != record.test_accuracy


@pytest.mark.parametrize("name, options", [
    ("jocor", {"agreement": 1.5}), ("elr+", {"average": 1.0}), ("elr+", {"alpha": 0}),
    ("dividemix", {"unlabelled": -1}), ("dividemix", {"burn_in": 1.0}), ("promix", {"rho": 0}), ("promix", {"tau": 2}),
    ("co-teaching+", {"percentile": 2}),
])  # fmt: skip
def test_options_are_checked(name, options, mnist5k):
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        train(make_task(mnist5k, ratio=0.4, device="cpu"), name, **options)
