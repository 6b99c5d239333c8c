"""EM with a noisy-label matrix: against plain loops, and against forward correction, whose gradient its own one is."""

import copy

import pytest
import torch
from torch.nn import functional as F

from nlkit import make_task, train
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import averaged_network, build_optimizer
from nlkit.noise.matrices import pair_matrix
from nlkit.papers.em import ExpectationMaximization, posterior, with_shared_diagonal
from nlkit.randomness import seeded_generator

MATRIX = pair_matrix(3, 0.4)


def a_run(clean: int = 6, progress: float = 0.5, averaged=None, examples: int = 40) -> Run:
    draw = torch.Generator().manual_seed(1)
    model = build_model("mlp", (1, 4, 4), 3, seed=0).double()
    return Run(
        model, build_optimizer("sgd", model, 0.1), torch.rand(clean, 1, 4, 4, generator=draw).double(),
        torch.arange(clean) % 3, seeded_generator(0, "method"), 3, examples, progress, averaged=averaged,
        steps_done=round(10_000 * progress), steps_an_epoch=100,
    )  # fmt: skip


def a_batch(size: int = 12) -> Batch:
    draw = torch.Generator().manual_seed(2)
    seen, originals = torch.rand(2, size, 1, 4, 4, generator=draw).double()
    return Batch(torch.arange(size), seen, torch.arange(size) % 3, originals)


def test_the_posterior_is_bayes_rule():
    believed = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6]], dtype=torch.float64)
    for temperature in (1.0, 0.25):
        q = posterior(believed, MATRIX, torch.tensor([1, 0]), temperature)
        for i, given in enumerate((1, 0)):
            weights = [(believed[i, k] * max(MATRIX[k, given], 1e-8)) ** (1 / temperature) for k in range(3)]
            assert q[i].tolist() == pytest.approx([float(w / sum(weights)) for w in weights])


@pytest.mark.parametrize("until", [0.0, 1.0])  # by the E step, and by the stage that is called forward correction
def test_unsharpened_with_its_own_belief_it_descends_the_gradient_of_forward_correction(until):
    """Fisher's identity: the gradient of log Σ_k p_k T[k, ỹ] is that of Σ_k q_k log p_k with q held fixed."""
    run, batch = a_run(clean=0), a_batch()
    batch = batch._replace(images=batch.originals)
    told = MATRIX * 0.7 + 0.1  # no zeros, whose logarithm is cut off
    before = [p.detach().clone() for p in run.model.parameters()]
    p = run.model(batch.images).softmax(1)
    expected = torch.autograd.grad(-(p @ told)[range(12), batch.labels].log().mean(), list(run.model.parameters()))
    options = {"matrix": told.tolist(), "temperature": 1.0, "alpha": 0.0, "burn_in": 0.0, "forward_until": until}
    ExpectationMaximization(**options).step(run, batch)
    for p, start, gradient in zip(run.model.parameters(), before, expected):
        torch.testing.assert_close(p.detach(), start - 0.1 * gradient)


def test_the_averaged_network_is_asked_about_the_image_as_it_is():
    teacher = build_model("mlp", (1, 4, 4), 3, seed=9).double()
    run, batch = a_run(averaged=teacher), a_batch()
    method = ExpectationMaximization(MATRIX.tolist(), alpha=0.0, burn_in=0.0, clean_weight=0.0)
    q = posterior(teacher(batch.originals).softmax(1).detach(), MATRIX, batch.labels, 0.3)
    expected = F.cross_entropy(run.model(batch.images), q)
    torch.testing.assert_close(method.step(run, batch).loss, expected)


def test_a_blend_is_of_two_images_and_of_what_was_said_of_them(monkeypatch):
    run, batch = a_run(clean=0), a_batch()
    monkeypatch.setattr("nlkit.papers.em.draw_beta", lambda alpha, size, generator: torch.full((size,), 0.2))
    method = ExpectationMaximization(MATRIX.tolist(), alpha=0.2, burn_in=0.0)
    q = posterior(run.model(batch.originals).softmax(1).detach(), MATRIX, batch.labels, 0.3)
    partner = torch.randperm(12, generator=seeded_generator(0, "method"))
    expected = F.cross_entropy(
        run.model(0.8 * batch.images + 0.2 * batch.images[partner]), 0.8 * q + 0.2 * q[partner]
    )  # the image keeps the larger share
    torch.testing.assert_close(method.step(run, batch).loss, expected)


@pytest.mark.parametrize("clean", [0, 6])
def test_the_burn_in_learns_from_the_clean_set_or_else_from_the_labels_as_they_are(clean):
    run, batch = a_run(clean, progress=0.01), a_batch()
    loss = ExpectationMaximization(MATRIX.tolist()).step(a_run(clean, progress=0.01), batch).loss
    images, labels = (run.clean_images, run.clean_labels) if clean else (batch.images, batch.labels)
    torch.testing.assert_close(loss, F.cross_entropy(run.model(images), labels))


def test_the_matrix_is_counted_over_the_last_steps():
    """By hand, over steps of 10 examples of 40: the window grows to an epoch, of which a step is a quarter."""
    method, run = ExpectationMaximization(), a_run()
    draw = torch.Generator().manual_seed(3)
    joint = None
    for step in range(60):
        believed = torch.rand(10, 3, dtype=torch.float64, generator=draw)
        labels = torch.randint(0, 3, (10,), generator=draw)
        now = [[0.0] * 3 for _ in range(3)]
        for i in range(10):
            now[int(believed[i].argmax())][int(labels[i])] += 0.1
        decay = min(0.75, (1 + step) / (10 + step))
        joint = joint and [[decay * a + (1 - decay) * b for a, b in zip(*rows)] for rows in zip(joint, now)] or now
        counted = method._transition(run, believed, labels)
    expected = torch.tensor([[(v + 1e-3 / 9) / (sum(row) + 3e-3 / 9) for v in row] for row in joint])
    torch.testing.assert_close(counted, expected.double(), rtol=1e-5, atol=1e-7)


def test_at_first_all_classes_share_one_diagonal():
    counted = torch.tensor([[0.8, 0.1, 0.1], [0.5, 0.2, 0.3], [0.3, 0.2, 0.5]], dtype=torch.float64)
    shared = with_shared_diagonal(counted)
    assert shared.tolist() == [pytest.approx([0.5, 0.25, 0.25]), pytest.approx([0.3125, 0.5, 0.1875]),
                               pytest.approx([0.3, 0.2, 0.5])]  # fmt: skip
    matrices = []
    for progress in (0.1, 0.3):
        run, method = a_run(clean=0, progress=progress), ExpectationMaximization(forward_until=0.2)
        matrices.append(method._transition(run, counted, torch.tensor([0, 1, 2])))
    assert len(set(matrices[0].diagonal().tolist())) == 1 and len(set(matrices[1].diagonal().tolist())) > 1


def test_several_networks_learn_from_the_mean_of_what_they_believe():
    run, batch = a_run(clean=0), a_batch()
    method = ExpectationMaximization(MATRIX.tolist(), alpha=0.0, burn_in=0.0, networks=3)
    method.prepare(run)
    networks = [run.model, *(other.network for other in method.others)]
    assert len({network[-1].weight.sum().item() for network in networks}) == 3
    q = posterior(torch.stack([n(batch.originals).softmax(1) for n in networks]).mean(0), MATRIX, batch.labels, 0.3)
    expected = []
    for network in networks:
        loss = F.cross_entropy(network(batch.images), q.detach())
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        expected.append([p.detach() - 0.1 * g for p, g in zip(network.parameters(), gradients)])
    method.step(run, batch)
    torch.testing.assert_close([[p.detach() for p in network.parameters()] for network in networks], expected)


def test_apart_each_is_an_em_of_its_own():
    """With one batch: the networks and the counts are those of three runs of one network each."""
    run, batch = a_run(clean=0), a_batch()
    method = ExpectationMaximization(alpha=0.0, burn_in=0.0, networks=3, together=False)
    method.prepare(run)
    networks = [run.model, *(other.network for other in method.others)]
    expected = []
    for network in networks:
        alone = a_run(clean=0)
        alone.model.load_state_dict(network.state_dict())
        one = ExpectationMaximization(alpha=0.0, burn_in=0.0)
        for _ in range(3):
            one.step(alone, batch)
        expected.append((one.state["joint"], [p.detach() for p in alone.model.parameters()]))
    for _ in range(3):
        method.step(run, batch)
    counts = [method.state["joint" + end] for end in ("", " of network 2", " of network 3")]
    found = [(joint, [p.detach() for p in network.parameters()]) for joint, network in zip(counts, networks)]
    torch.testing.assert_close(found, expected)


def test_each_of_them_has_an_average_as_the_first_has_and_these_believe_and_answer():
    run = a_run(clean=0)
    run.averaged = averaged_network(run.model, 0.9)
    method = ExpectationMaximization(MATRIX.tolist(), alpha=0.0, burn_in=0.0, networks=2)
    method.prepare(run)
    (other,) = method.others
    weight = other.network[-1].weight
    average = weight.detach().clone()
    for step in range(3):
        before = copy.deepcopy([run.averaged.module, other.measured if step else other.network])
        believed = torch.stack([n(a_batch().originals).softmax(1) for n in before]).mean(0)
        q = posterior(believed, MATRIX, a_batch().labels, 0.3).detach()
        loss = F.cross_entropy(run.model(a_batch().images), q)
        torch.testing.assert_close(method.step(run, a_batch()).loss, loss)
        run.averaged.update_parameters(run.model)
        decay = min(0.9, (1 + step) / (10 + step)) if step else 0.0  # the first step's weights as they are
        average = decay * average + (1 - decay) * weight.detach()
        torch.testing.assert_close(other.average.module[-1].weight, average)
    assert method.jurors(run) == [other.average]


def test_a_run_of_two_networks_that_is_broken_off_goes_on_to_the_same_end(few_digits, tmp_path):
    task = make_task(few_digits, ratio=0.4, clean_per_class=0, device="cpu")
    settings = {"epochs": 4, "burn_in": 0.2, "networks": 2, "weight_average": 0.9}
    whole = [record.test_accuracy for record in train(task, "em", **settings)]
    broken = train(task, "em", checkpoint=tmp_path / "run.pt", **settings)
    next(broken), next(broken), next(broken)
    again = train(task, "em", checkpoint=tmp_path / "run.pt", **settings)
    assert [record.test_accuracy for record in again] == whole and len(set(whole)) == 4


@pytest.mark.nightly
def test_it_counts_the_matrix_of_pair_noise_and_beats_forward_correction(mnist5k):
    task = make_task(mnist5k, noise="pair", ratio=0.4, clean_per_class=20, device="cpu")
    settings = {"epochs": 25, "learning_rate": 2e-3, "schedule": "linear", "augment": "affine", "weight_average": 0.99}
    finals = {}
    for method in ("em", "forward", "standard"):
        finals[method] = list(train(task, method, **settings))[-1].test_accuracy
    assert finals["em"] > max(finals["forward"], finals["standard"]) > 0.5


def test_without_a_clean_set_it_trains_on_augmented_images(mnist5k):
    task = make_task(mnist5k, ratio=0.4, clean_per_class=0, device="cpu")
    *_, last = train(task, "em", epochs=3, augment="affine", burn_in=0.4, forward_until=0.7)
    assert last.test_accuracy > 0.3


def test_a_matrix_of_another_size_is_refused_and_a_class_never_taken_explains_all_labels_alike(mnist5k):
    task = make_task(mnist5k, ratio=0.4, device="cpu")
    with pytest.raises(ValueError, match=r"matrix has shape \(3, 3\); the data has 10 classes"):
        train(task, "em", matrix=MATRIX)
    counted = ExpectationMaximization()._transition(a_run(), torch.eye(3)[[0, 1]], torch.tensor([0, 1]))
    assert counted[2].tolist() == pytest.approx([1 / 3] * 3)
