"""Methods that learn more than a network, or of more than one gradient: against their formulas written out."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from nlkit import make_task, train
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import build_optimizer
from nlkit.papers import METHODS
from nlkit.papers.cores import CORES
from nlkit.papers.meta_weight_net import DECAY, RATE, MetaWeightNet
from nlkit.papers.sharpness_aware import SharpnessAware
from nlkit.papers.sop import SOP
from nlkit.papers.t_revision import TRevision
from nlkit.papers.volminnet import VolMinNet
from nlkit.randomness import seeded_generator

NOISY, CLEAN, CLASSES = 9, 6, 3
T = [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]]


def a_run(progress: float = 0.5, model: nn.Module | None = None, rate: float = 0.1) -> Run:
    model = model or build_model("mlp", (1, 4, 4), CLASSES, seed=0)
    images = torch.rand(NOISY + CLEAN, 1, 4, 4, generator=torch.Generator().manual_seed(2)).double()
    labels = torch.tensor([0, 1, 2, 0, 0, 1, 1, 0, 2, 0, 1, 2, 0, 1, 2])
    model = model.double()
    draws = seeded_generator(0, "method")
    return Run(model, build_optimizer("sgd", model, rate), images[NOISY:], labels[NOISY:], draws, CLASSES,
               NOISY + CLEAN, progress, steps_done=round(1000 * progress), steps_an_epoch=20,
               noisy_images=images[:NOISY], given_labels=labels[:NOISY])  # fmt: skip


def a_batch(run: Run, index=(0, 11, 3, 7, 8, 14)) -> Batch:
    index = torch.tensor(index)
    images = torch.cat([run.noisy_images, run.clean_images])[index]
    return Batch(index, images, torch.cat([run.given_labels, run.clean_labels])[index], images)


def said(run: Run, batch: Batch) -> np.ndarray:
    return run.model(batch.images).softmax(1).detach().numpy()


def weights(network) -> list[torch.Tensor]:
    return [p.detach().clone() for p in network.parameters()]


# VolMinNet


def test_volminnet_explains_noisy_labels_by_a_matrix_whose_volume_it_minds():
    run, method = a_run(), VolMinNet(volume=0.5)
    batch = a_batch(run)
    method.prepare(run)
    with torch.no_grad():
        method.state["w"].copy_(torch.tensor([[9.0, -1, 0.5], [0.2, 9, -2], [1, 0, 9]]))
    matrix = np.eye(3) + (1 - np.eye(3)) / (1 + np.exp(-method.state["w"].detach().numpy()))
    matrix /= matrix.sum(1, keepdims=True)
    p, places, labels = said(run, batch), batch.index.numpy(), batch.labels.numpy()
    explained = np.where((places < NOISY)[:, None], p @ matrix, p)[np.arange(len(p)), labels]
    before = method.state["w"].detach().clone()
    loss = method.step(run, batch).loss.item()
    assert loss == pytest.approx(-np.log(explained).mean() + 0.5 * math.log(abs(np.linalg.det(matrix))))
    moved = method.state["w"].detach() - before
    assert moved.diagonal().tolist() == [0, 0, 0] and (moved - moved.diag().diag()).count_nonzero() == 6
    assert moved.abs().max().item() == pytest.approx(0.01, rel=1e-3)  # Adam's first step is its rate


def test_the_matrix_starts_near_the_identity_and_to_mind_its_volume_makes_it_smaller():
    run, method = a_run(), VolMinNet()
    method.prepare(run)
    start = method.transition.detach()
    assert start.diagonal().tolist() == pytest.approx([1 / (1 + 2 / 3)] * 3)  # off it 1/K of the diagonal entry
    method.transition.slogdet().logabsdet.backward()
    with torch.no_grad():
        method.state["w"] -= 0.1 * method.state["w"].grad
    assert method.transition.det().abs() < start.det().abs()


@pytest.mark.parametrize("schedule, expected", [("constant", [0.02] * 2), ("linear", [0.02, 0.01])])
def test_what_is_learned_beside_the_network_follows_its_schedule_and_a_checkpoint(
    schedule, expected, tmp_path, mnist5k, monkeypatch
):
    task, rates, ends = make_task(mnist5k, ratio=0.4, clean_per_class=2, device="cpu"), [], []

    class Watched(VolMinNet):
        def after_epoch(self, run, network):
            ends.append(self.state["w"].detach().clone())
            return {}

        def step(self, run, batch):
            if run.steps_done % run.steps_an_epoch == 0:
                rates.append(run.beside[0].param_groups[0]["lr"])
            return super().step(run, batch)

    monkeypatch.setitem(METHODS, "watched", Watched)
    how = {"epochs": 2, "schedule": schedule, "matrix_rate": 0.02}
    list(train(task, "watched", **how))
    assert rates == pytest.approx(expected) and not torch.equal(*ends)
    next(train(task, "watched", checkpoint=tmp_path / "run.pt", **how))
    list(train(task, "watched", checkpoint=tmp_path / "run.pt", **how))
    assert torch.equal(ends[0], ends[2]) and torch.equal(ends[1], ends[3])


# T-revision


def test_t_revision_weighs_by_the_revised_matrix_and_only_the_slack_feels_the_weights():
    run, method = a_run(), TRevision(matrix=T)
    batch = a_batch(run)
    method.prepare(run)
    slack = torch.tensor([[0.1, -0.1, 0], [0, 0.2, -0.2], [0.05, 0, -0.05]])
    with torch.no_grad():
        method.state["slack"].copy_(slack)
    revised = torch.tensor(T, dtype=torch.float64) + slack.double()
    p = run.model(batch.images).softmax(1)
    noisy = batch.index < NOISY
    losses = -p.gather(1, batch.labels[:, None])[:, 0].log()
    ratios = p.gather(1, batch.labels[:, None])[:, 0] / (p @ revised).gather(1, batch.labels[:, None])[:, 0]
    fixed = torch.where(noisy, ratios, torch.ones_like(ratios)).detach()
    gradients = torch.autograd.grad((fixed * losses).mean(), list(run.model.parameters()))
    expected = [q.detach() - 0.1 * g for q, g in zip(run.model.parameters(), gradients)]
    assert method.step(run, batch).loss.item() == pytest.approx((fixed * losses).mean().item())
    torch.testing.assert_close(weights(run.model), expected, rtol=1e-6, atol=1e-8)
    assert (method.state["slack"] - slack).abs().max().item() == pytest.approx(1e-3, rel=0.01)


def test_weighted_by_the_right_matrix_noisy_labels_have_the_clean_risk():
    """Importance reweighting: Σ_j (q T)_j q_j / (q T)_j ℓ_j = Σ_j q_j ℓ_j where p is the true posterior q."""
    q, labels = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64), torch.arange(3)
    method, matrix = TRevision(matrix=T), torch.tensor(T, dtype=torch.float64)
    method.state["slack"] = torch.zeros(3, 3, dtype=torch.float64)
    losses = method.corrected(q.expand(3, 3), matrix, labels, torch.ones(3, dtype=torch.bool))
    assert ((q @ matrix)[0] * losses).sum().item() == pytest.approx(-(q * q.log()).sum().item())


# Meta-Weight-Net


def test_its_weights_are_learned_by_the_derivative_of_the_clean_loss_after_a_step():
    """Against autograd through the step itself."""
    run, method = a_run(rate=0.05), MetaWeightNet(look_ahead=0.3, hidden=5, clean_batch_size=CLEAN)
    batch = a_batch(run, (0, 3, 4, 7, 8))
    method.prepare(run)
    weigher = copy.deepcopy(method.made[0])
    names = [name for name, _ in run.model.named_parameters()]
    losses = F.cross_entropy(run.model(batch.images), batch.labels, reduction="none")
    v = weigher(losses.detach()[:, None])[:, 0]
    slopes = torch.autograd.grad((v * losses).mean(), list(run.model.parameters()), create_graph=True)
    ahead = {name: p - 0.3 * g for name, p, g in zip(names, run.model.parameters(), slopes)}
    clean_loss = F.cross_entropy(functional_call(run.model, ahead, (run.clean_images,)), run.clean_labels)
    gradients = torch.autograd.grad(clean_loss, list(weigher.parameters()))
    reference = torch.optim.Adam(weigher.parameters(), lr=RATE, weight_decay=DECAY)
    for p, g in zip(weigher.parameters(), gradients):
        p.grad = g
    reference.step()
    assert max(g.abs().max() for g in gradients) > 1e-5
    v = weigher(losses.detach()[:, None])[:, 0].detach()
    slopes = torch.autograd.grad((v * losses).mean(), list(run.model.parameters()))
    expected = [p.detach() - 0.05 * g for p, g in zip(run.model.parameters(), slopes)]
    result = method.step(run, batch)
    torch.testing.assert_close(weights(method.made[0]), weights(weigher), rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(weights(run.model), expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(result.weights, v / v.sum())


def test_norms_see_the_batch_once_though_it_is_passed_thrice():
    norm = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES))
    for method in (MetaWeightNet(clean_batch_size=CLEAN), SharpnessAware()):
        run = a_run(model=copy.deepcopy(norm))
        once, batch = copy.deepcopy(run.model), a_batch(run, (0, 3, 4, 7, 8))
        once(batch.images)
        method.step(run, batch)
        torch.testing.assert_close(run.model[2].running_mean, once[2].running_mean)
        assert run.model[2].num_batches_tracked == 1


# SOP


def test_sop_s_offsets_by_hand():
    run, method = a_run(), SOP(rate_u=2.0, rate_v=3.0)
    batch = a_batch(run)
    draw = torch.Generator().manual_seed(5)
    u, v = (torch.rand(NOISY + CLEAN, width, generator=draw, dtype=torch.float64) for width in (1, CLASSES))
    method.state = {"u": u.clone(), "v": v.clone()}
    model = copy.deepcopy(run.model)
    ours = [u.clone().requires_grad_(), v.clone().requires_grad_()]
    fits, gap = 0.0, 0.0
    for image, label, place in zip(batch.images, batch.labels.tolist(), batch.index.tolist()):
        p, parts = model(image[None]).softmax(1)[0], []
        said = p.argmax().item()
        for k in range(CLASSES):
            own = ours[0][place, 0] ** 2 if k == label and place < NOISY else torch.tensor(0.0)
            less = ours[1][place, k] ** 2 if k != label and place < NOISY else torch.tensor(0.0)
            own, less = own.clamp(max=1 - 1e-4), less.clamp(max=1 - 1e-4)
            parts.append((p[k] + own - less.detach()).clamp(min=1e-4))
            gap = gap + (float(said == k) + own.detach() - less - float(label == k)) ** 2 / len(batch.labels)
        fits = fits - (parts[label] / sum(parts)).log() / len(batch.labels)
    slopes = torch.autograd.grad(fits, [ours[0], *model.parameters()])
    (of_v,) = torch.autograd.grad(100 * gap, ours[1])
    assert method.step(run, batch).loss.item() == pytest.approx(fits.item())
    torch.testing.assert_close(method.state["u"], u - 2 * slopes[0])
    torch.testing.assert_close(method.state["v"], v - 3 * of_v)
    assert (slopes[0] != 0).any() and (of_v != 0).any()
    torch.testing.assert_close(weights(run.model), [p - 0.1 * g for p, g in zip(model.parameters(), slopes[1:])])


# Sharpness-aware minimization


def test_it_steps_by_the_gradient_a_radius_up_the_slope():
    run, method = a_run(), SharpnessAware(radius=0.3)
    batch = a_batch(run)

    def slopes(network):
        return torch.autograd.grad(F.cross_entropy(network(batch.images), batch.labels), list(network.parameters()))

    up = slopes(run.model)
    length = math.sqrt(sum(g.square().sum().item() for g in up))
    shifted = copy.deepcopy(run.model)
    with torch.no_grad():
        for p, g in zip(shifted.parameters(), up):
            p.add_(0.3 * g / length)
    expected = [p.detach() - 0.1 * g for p, g in zip(run.model.parameters(), slopes(shifted))]
    method.step(run, batch)
    torch.testing.assert_close(weights(run.model), expected)


# CORES²


def cores_by_hand(run: Run, batch: Batch, beta: float, sieve: bool) -> tuple[float, list[bool]]:
    shares = np.bincount(run.given_labels.numpy(), minlength=CLASSES) / NOISY
    total, kept = 0.0, []
    for p, label, place in zip(said(run, batch), batch.labels.tolist(), batch.index.tolist()):
        losses = -np.log(p)
        noisy = place < NOISY
        kept.append(not (sieve and noisy) or bool(losses[label] < losses.mean()))
        if kept[-1]:
            total += losses[label] - (beta * (shares * losses).sum() if noisy else 0)
    return total / sum(kept), kept


@pytest.mark.parametrize("progress, beta, sieve", [
    (0.09, 0.0, False), (0.25, 1.0, False), (0.35, 2 * 0.25 / 0.3, True), (0.9, 2.0, True),
])  # fmt: skip
def test_cores_rewards_confidence_and_sieves_labels_below_the_average_one(progress, beta, sieve):
    run = a_run(progress)
    with torch.no_grad():
        run.model[-1].weight.mul_(4)
    batch = a_batch(run, range(NOISY + CLEAN))
    loss, kept = cores_by_hand(run, batch, beta, sieve)
    assert all(kept) != sieve  # or the test could not tell whether it sieves
    result = CORES().step(run, batch)
    assert result.loss.item() == pytest.approx(loss)
    assert (result.weights > 0).tolist() == kept and result.weights.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("name, options", [
    ("volminnet", {"volume": -1}), ("volminnet", {"matrix_rate": 0}), ("t_revision", {"slack_rate": -1}),
    ("meta_weight_net", {"look_ahead": 0}), ("meta_weight_net", {"hidden": 0}), ("sam", {"radius": 0}),
    ("cores2", {"beta": -1}), ("sop", {"rate_u": -1}), ("sop", {"start": 0}),
])  # fmt: skip
def test_options_are_checked(name, options, mnist5k):
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        train(make_task(mnist5k, ratio=0.4, device="cpu"), name, **options)
