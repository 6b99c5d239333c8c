"""Methods that change the loss: corrections by a matrix, early-learning regularization, and losses that mind less."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from nlkit import build_model, make_task, train
from nlkit.learning.learner import Batch, Run
from nlkit.noise.matrices import noise_matrix, symmetric_matrix
from nlkit.papers.active_passive import ActivePassive, normalized_cross_entropy
from nlkit.papers.backward import Backward
from nlkit.papers.bootstrapping import Bootstrapping
from nlkit.papers.elr import EarlyLearning
from nlkit.papers.f_divergence import FORMS, FDivergence
from nlkit.papers.forward import Forward, at_anchors
from nlkit.papers.gce import GeneralizedCrossEntropy
from nlkit.papers.label_smoothing import LabelSmoothing
from nlkit.papers.peer_loss import PeerLoss
from nlkit.papers.symmetric_cross_entropy import SymmetricCrossEntropy
from nlkit.randomness import seeded_generator

NOISY, CLEAN, CLASSES = 12, 6, 3


@pytest.fixture
def examples():
    generator = torch.Generator().manual_seed(4)
    images = torch.rand(NOISY + CLEAN, 1, 4, 4, generator=generator, dtype=torch.float64)
    return images, torch.arange(NOISY + CLEAN) % CLASSES


@pytest.fixture
def new_run(examples):
    images, labels = examples

    def make(progress: float = 0.5, clean: bool = True) -> Run:
        model = build_model("mlp", (1, 4, 4), CLASSES, seed=1).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        first = NOISY if clean else len(labels)
        run = Run(
            model, optimizer, images[first:], labels[first:], seeded_generator(0, "method"), CLASSES, len(labels),
            noisy_images=images[:first],
        )  # fmt: skip
        return at(run, progress)

    return make


def at(run: Run, progress: float) -> Run:
    run.progress, run.steps_done, run.steps_an_epoch = progress, round(10_000 * progress), 100
    return run


@pytest.fixture
def batch(examples):
    images, labels = examples
    index = torch.tensor([0, 15, 3, 7, 12, 8])  # two of them clean
    return Batch(index, images[index], labels[index])


def probabilities(run: Run, images: torch.Tensor) -> list[list[float]]:
    return run.model(images).softmax(1).tolist()


T = [[0.7, 0.2, 0.1], [0.0, 0.6, 0.4], [0.3, 0.3, 0.4]]


# Forward correction


def test_forward_explains_noisy_labels_by_the_matrix_and_believes_clean_ones(new_run, batch):
    run = new_run()
    p = probabilities(run, batch.images)
    expected = 0.0
    for row, label, place in zip(p, batch.labels.tolist(), batch.index.tolist()):
        given = row[label] if place >= NOISY else sum(row[k] * T[k][label] for k in range(CLASSES))
        expected -= math.log(given) / len(p)
    before = [q.clone() for q in run.model.parameters()]
    assert Forward(matrix=T).step(run, batch).loss.item() == pytest.approx(expected)
    assert any(not torch.equal(a, b) for a, b in zip(before, run.model.parameters()))


def test_the_corrected_loss_is_least_at_the_true_posterior():
    """Theorem 2 of the paper: over noisy labels, drawn as q T, its gradient vanishes at p = q. Plain cross-entropy's
    does not."""
    q, matrix = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64), torch.tensor(T, dtype=torch.float64)
    given = q @ matrix
    largest = []
    for explained in (lambda p: p @ matrix, lambda p: p):
        logits = q.log().requires_grad_()
        (-(given * explained(logits.softmax(0)).log()).sum()).backward()
        largest.append(logits.grad.abs().max().item())
    assert largest[0] < 1e-12 and largest[1] > 0.05


def test_with_a_clean_set_the_matrix_is_the_mean_prediction_a_class(new_run, batch):
    method, run = Forward(), new_run(progress=0.05)
    method.step(run, batch)  # burn-in
    p = np.array(probabilities(run, run.clean_images))
    labels = run.clean_labels.numpy()
    method.step(at(run, 0.1), batch)
    for k in range(CLASSES):
        np.testing.assert_allclose(method.state["matrix"][k], p[labels == k].mean(0))


def test_without_one_the_network_is_asked_once_about_all_noisy_images_as_they_are(new_run, batch):
    """In evaluation mode, when the burn-in is over; whatever it said of augmented ones on the way."""
    method, run = Forward(), new_run(progress=0.05, clean=False)
    run.model.append(torch.nn.Dropout(0.5))
    method.step(run, batch)
    moved = batch._replace(images=batch.images.flip(-1))
    expected = at_anchors(torch.tensor(probabilities(run.model.eval() and run, run.noisy_images), dtype=torch.float64))
    run.model.train()
    method.step(at(run, 0.1), moved)
    torch.testing.assert_close(method.state["matrix"], expected)
    assert run.model.training
    method.step(at(run, 0.2), batch)
    torch.testing.assert_close(method.state["matrix"], expected)  # and never again


def test_on_ten_even_classes_the_anchor_is_at_the_97th_percentile_of_the_paper():
    draw = torch.Generator().manual_seed(0)
    p = (torch.randn(1000, 10, generator=draw) + 4 * F.one_hot(torch.arange(1000) % 10, 10)).softmax(1)
    assert torch.bincount(p.argmax(1)).min() > 90
    for k, row in enumerate(at_anchors(p)):
        above = (p[:, k] > row[k]).double().mean().item()
        assert (row == p).all(1).sum() == 1 and 0.025 < above <= 0.03, k


@pytest.mark.parametrize("classes, examples", [(2, 500), (10, 4000), (100, 5000), (1000, 6000), (1000, 1000)])
@pytest.mark.parametrize("noise", ["symmetric", "pair"])
def test_the_anchors_of_perfect_posteriors_give_the_matrix_for_any_number_of_classes(classes, examples, noise):
    """One percentile for all gave 0.003 in place of 0.8 with a hundred classes."""
    matrix = noise_matrix(noise, classes, 0.2)
    assert torch.equal(at_anchors(matrix[torch.arange(examples) % classes]), matrix)


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.8])
def test_a_class_of_one_percent_has_its_anchor_too(ratio):
    """Of the given labels it has up to 9 %: an anchor by those would be of another class."""
    matrix = symmetric_matrix(10, ratio)
    true = torch.cat([torch.zeros(40, dtype=torch.long), 1 + torch.arange(3960) % 9])
    draw = torch.Generator().manual_seed(0)
    for spread, off in ((0.0, 1e-12), (0.1, 0.05)):  # also where the network only comes near
        p = (matrix[true].log() + spread * torch.randn(4000, 10, generator=draw)).softmax(1)
        assert (at_anchors(p).diagonal() - matrix.diagonal()).abs().max() < off


@given(st.integers(2, 12), st.integers(0, 10**6))
def test_perfect_posteriors_give_the_matrix_whatever_the_classes_and_their_sizes(classes, seed):
    """As long as each class keeps most of its labels, and no other class gets as many of them by share."""
    draw = torch.Generator().manual_seed(seed)
    spread = torch.rand(classes, classes, generator=draw, dtype=torch.float64).fill_diagonal_(0)
    matrix = 0.45 * spread / spread.sum(1, keepdim=True) + 0.55 * torch.eye(classes, dtype=torch.float64)
    sizes = torch.randint(1, 200, (classes,), generator=draw)
    true = torch.arange(classes).repeat_interleave(sizes)
    assert torch.equal(at_anchors(matrix[true]), matrix)


def test_in_the_burn_in_only_noisy_labels_are_learned(new_run, batch):
    run, only_noisy = new_run(progress=0.05), batch.index < NOISY
    expected = F.cross_entropy(run.model(batch.images[only_noisy]), batch.labels[only_noisy], reduction="sum") / 6
    assert Forward().step(run, batch).loss.item() == pytest.approx(expected.item())


def test_the_estimate_is_close_to_the_truth_on_digits(mnist5k, monkeypatch):
    task = make_task(mnist5k, ratio=0.4, clean_per_class=50, seed=0, device="cpu")
    method = Forward(burn_in=0.5)
    monkeypatch.setattr("nlkit.training.train.build_method", lambda *_: method)
    list(train(task, "forward", epochs=8))
    estimate = method.state["matrix"]
    assert (estimate - symmetric_matrix(10, 0.4)).abs().mean() < 0.04  # that of no noise at all is off by 0.08
    assert 0.4 < estimate.diagonal().mean() < 0.7


@pytest.mark.parametrize("ratio", [0.2, 0.4, 0.8])
def test_without_a_clean_set_the_estimate_is_close_on_digits_too(mnist5k, monkeypatch, ratio):
    task = make_task(mnist5k, ratio=ratio, clean_per_class=0, seed=0, device="cpu")
    method = Forward()
    monkeypatch.setattr("nlkit.training.train.build_method", lambda *_: method)
    trained = train(task, "forward", epochs=25)
    for _ in range(3):  # the burn-in is over in the third
        next(trained)
    assert method.state["matrix"].diagonal().mean() == pytest.approx(1 - ratio, abs=0.1)


def test_forward_with_an_estimated_matrix_ends_far_above_standard_training(mnist5k):
    final = {}
    for method in ("standard", "forward"):
        task = make_task(mnist5k, ratio=0.8, clean_per_class=50, seed=0, device="cpu")
        final[method] = list(train(task, method, epochs=25))[-1].test_accuracy
    assert final["forward"] > final["standard"] + 0.2


def test_a_matrix_of_another_size_is_refused(mnist5k):
    task = make_task(mnist5k, ratio=0.4, device="cpu")
    with pytest.raises(ValueError, match="matrix has shape"):
        train(task, "forward", matrix=T)
    with pytest.raises(ValueError, match="row 0 sums to"):
        train(task, "forward", matrix=[[0.5, 0.4], [0.5, 0.5]])


# Generalized cross-entropy


@pytest.mark.parametrize("q", [0.3, 0.7, 1.0])
def test_gce_is_its_formula(new_run, batch, q):
    run = new_run()
    p = [row[label] for row, label in zip(probabilities(run, batch.images), batch.labels.tolist())]
    expected = sum((1 - v**q) / q for v in p) / len(p)
    assert GeneralizedCrossEntropy(q).step(run, batch).loss.item() == pytest.approx(expected)


def test_gce_goes_to_cross_entropy_and_its_gradient_is_weighted_by_p_to_the_q(new_run, batch):
    losses = {}
    for q in (1e-6, 0.7):
        run = new_run()
        run.optimizer = torch.optim.SGD(run.model.parameters(), lr=0.0)
        losses[q] = GeneralizedCrossEntropy(q).step(run, batch).loss.item()
        gradient = [p.grad.clone() for p in run.model.parameters()]
        ell = F.cross_entropy(run.model(batch.images), batch.labels, reduction="none")
        weighted = (ell.detach().neg().exp() ** q * ell).mean()
        torch.testing.assert_close(gradient, list(torch.autograd.grad(weighted, list(run.model.parameters()))))
    plain = F.cross_entropy(new_run().model(batch.images), batch.labels).item()
    assert losses[1e-6] == pytest.approx(plain, rel=1e-5)


# Early-learning regularization


def test_elr_is_its_formula_and_remembers_each_example(new_run, batch):
    run, method = new_run(), EarlyLearning(beta=0.6, strength=2.0)
    remembered = {place: [0.0] * CLASSES for place in batch.index.tolist()}
    for _ in range(3):
        expected, p = 0.0, probabilities(run, batch.images)
        for row, label, place in zip(p, batch.labels.tolist(), batch.index.tolist()):
            remembered[place] = [0.6 * t + 0.4 * v for t, v in zip(remembered[place], row)]
            agreement = sum(t * v for t, v in zip(remembered[place], row))
            expected += (-math.log(row[label]) + 2.0 * math.log(1 - agreement)) / len(p)
        assert method.step(run, batch).loss.item() == pytest.approx(expected)
    for place, t in remembered.items():
        assert method.state["said"][place].tolist() == pytest.approx(t)
    assert not method.state["said"][1].any()  # never seen


def test_elr_pulls_along_the_gradient_of_the_paper(new_run, batch):
    """Lemma 2: by the logits, p - y + λ g with g_c = p_c / (1 - ⟨p, t⟩) Σ_k (t_k - t_c) p_k."""
    run, method = new_run(), EarlyLearning(beta=0.5, strength=3.0)
    run.optimizer = torch.optim.SGD(run.model.parameters(), lr=0.0)
    method.step(run, batch)
    p = run.model(batch.images).softmax(1).detach()
    t = 0.5 * method.state["said"][batch.index] + 0.5 * p
    method.step(run, batch)
    pulled = run.model[-1].bias.grad  # the gradient by the last bias is the sum of those by the logits
    y = F.one_hot(batch.labels, CLASSES).double()
    agreement = (p * t).sum(1, keepdim=True)
    g = p / (1 - agreement) * (agreement - t)
    torch.testing.assert_close(pulled, (p - y + 3.0 * g).mean(0))


@pytest.mark.nightly
def test_elr_keeps_what_was_learned_early(mnist5k):
    for seed in range(2):
        task = make_task(mnist5k, ratio=0.4, clean_per_class=0, seed=seed, device="cpu")
        final = {m: list(train(task, m, epochs=25, seed=seed))[-1] for m in ("standard", "elr")}
        assert final["elr"].test_accuracy > final["standard"].test_accuracy + 0.05
        assert final["elr"].memorized < final["standard"].memorized


# Losses that need nothing but the batch


def loss_of(method, run, batch) -> float:
    return method.step(run, batch).loss.item()


def test_the_backward_loss_is_the_clean_one_on_average_over_the_noise(new_run, batch):
    """Theorem 1 of the paper: over all labels that a class may be given, weighted by T."""
    run, matrix = new_run(), torch.tensor(T, dtype=torch.float64)
    p = run.model(batch.images).softmax(1).detach()
    noisy = torch.tensor([True, False, True, True, True, True])
    found = torch.zeros(6, dtype=torch.float64)
    for label in range(CLASSES):
        labels = torch.where(noisy, torch.full((6,), label), batch.labels)
        chance = torch.where(noisy, matrix[batch.labels, label], 1 / CLASSES)
        found += chance * Backward(matrix=T).corrected(p, matrix, labels, noisy)
    torch.testing.assert_close(found, F.nll_loss(p.log(), batch.labels, reduction="none"))
    assert loss_of(Backward(matrix=np.eye(CLASSES)), run, batch) == pytest.approx(float(found.mean()))
    with pytest.raises(ValueError, match="matrix has no inverse"):
        Backward(matrix=symmetric_matrix(CLASSES, 2 / 3))


def test_symmetric_and_active_passive_losses_are_their_formulas(new_run, batch):
    rows, labels = probabilities(new_run(), batch.images), batch.labels.tolist()
    for alpha, beta in ((0.01, 1.0), (2.0, 0.5), (1.0, 0.0)):
        expected = 0.0
        for p, label in zip(rows, labels):
            reverse = -sum(p[k] * (0.0 if k == label else -4.0) for k in range(CLASSES))
            expected += (alpha * -math.log(p[label]) + beta * reverse) / len(rows)
        assert loss_of(SymmetricCrossEntropy(alpha, beta), new_run(), batch) == pytest.approx(expected)
        for passive, weight in (("mae", 1.0), ("rce", -math.log(1e-4) / 2)):
            expected = 0.0
            for p, label in zip(rows, labels):
                active = math.log(p[label]) / sum(map(math.log, p))
                distance = sum(abs(p[k] - (k == label)) for k in range(CLASSES))
                expected += (alpha * active + beta * weight * distance) / len(rows)
            assert loss_of(ActivePassive(alpha, beta, passive), new_run(), batch) == pytest.approx(expected)


def test_normalized_losses_of_all_labels_sum_to_one():
    log_p = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).log_softmax(1)
    sums = sum(normalized_cross_entropy(log_p, torch.full((5,), label)) for label in range(4))
    torch.testing.assert_close(sums, torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_bootstrapping_is_cross_entropy_on_a_blend_of_label_and_belief(new_run, batch, kind):
    expected = 0.0
    for p, label in zip(probabilities(new_run(), batch.images), batch.labels.tolist()):
        q = p if kind == "soft" else [float(k == p.index(max(p))) for k in range(CLASSES)]
        expected -= sum((0.7 * (k == label) + 0.3 * q[k]) * math.log(p[k]) for k in range(CLASSES)) / len(batch.labels)
    assert loss_of(Bootstrapping(kind, beta=0.7), new_run(), batch) == pytest.approx(expected)
    plain = F.cross_entropy(new_run().model(batch.images), batch.labels).item()
    assert loss_of(Bootstrapping(kind, beta=0.7), new_run(progress=0.01), batch) == pytest.approx(plain)  # burning in


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_smoothing_is_torch_s_and_goes_on_below_zero(new_run, batch, rate):
    theirs = F.cross_entropy(new_run().model(batch.images), batch.labels, label_smoothing=rate).item()
    assert loss_of(LabelSmoothing(rate), new_run(), batch) == pytest.approx(theirs)
    plain, even = (F.cross_entropy(new_run().model(batch.images), batch.labels, label_smoothing=r) for r in (0, 1))
    assert loss_of(LabelSmoothing(-2.0), new_run(), batch) == pytest.approx((3 * plain - 2 * even).item())
    assert loss_of(LabelSmoothing(-2.0), new_run(progress=0.01), batch) == pytest.approx(plain.item())


def test_the_rate_that_undoes_symmetric_noise_is_backward_correction(new_run, batch):
    """Section 4 of the paper: r = -ρ K / (K - 1) / (1 - ρ K / (K - 1)). Here all examples are noisy."""
    smoothed = 0.2 * CLASSES / (CLASSES - 1)
    run = new_run(clean=False)
    run.clean_labels = run.clean_labels[:0]
    backward = loss_of(Backward(matrix=symmetric_matrix(CLASSES, 0.2)), run, batch)
    again = new_run(clean=False)
    assert loss_of(LabelSmoothing(-smoothed / (1 - smoothed)), again, batch) == pytest.approx(backward)


def test_peers_are_pairs_of_noisy_images_and_labels_that_do_not_belong_together(new_run, batch):
    run = new_run(progress=0.5)
    run.optimizer = torch.optim.SGD(run.model.parameters(), lr=0.5)
    for _ in range(400):  # until it knows which label belongs to which image
        run.learn(batch.images, batch.labels)
    p = run.model(batch.images).softmax(1).clamp(min=1e-8).detach()
    noisy = [place for place, index in enumerate(batch.index.tolist()) if index < NOISY]
    every = np.mean([-math.log(p[i, batch.labels[j]]) for i in noisy for j in noisy])  # on average over the draws
    own = np.mean([-math.log(p[i, batch.labels[i]]) for i in noisy])
    plain = F.cross_entropy(run.model(batch.images), batch.labels).item()
    run.optimizer = torch.optim.SGD(run.model.parameters(), lr=0.0)
    drawn = [loss_of(PeerLoss(alpha=0.5), run, batch) for _ in range(1500)]
    error = np.std(drawn) / len(drawn) ** 0.5
    share = 0.5 * len(noisy) / len(batch.labels)
    assert abs(np.mean(drawn) - (plain - share * every)) < 4 * error
    assert share * abs(every - own) > 20 * error  # else the line above would not tell the two apart
    fresh = new_run(progress=0.0)  # where peers have grown from nothing to nothing yet
    expected = F.cross_entropy(fresh.model(batch.images), batch.labels).item()
    assert loss_of(PeerLoss(alpha=0.5), fresh, batch) == pytest.approx(expected)
    assert loss_of(PeerLoss(alpha=0.0), run, batch) == pytest.approx(plain)


def test_options_are_checked(mnist5k):
    task = make_task(mnist5k, ratio=0.4, device="cpu")
    for method, option in (("gce", {"q": 0}), ("gce", {"q": 1.1}), ("elr", {"beta": 2}), ("elr", {"strength": -1}),
                           ("forward", {"burn_in": 0}), ("backward", {"burn_in": 1}), ("peer_loss", {"alpha": -1}),
                           ("sce", {"beta": -1}), ("active_passive", {"passive": "nce"}),
                           ("bootstrapping", {"kind": "firm"}), ("label_smoothing", {"rate": 1.5})):  # fmt: skip
        with pytest.raises(ValueError, match=f"{next(iter(option))}="):
            train(task, method, **option)


# f-divergence

# f of D_f(P ‖ Q) = E_Q f(dP/dQ), convex and 0 at 1
DIVERGENCES = {
    "total variation": lambda u: abs(u - 1) / 2,
    "Kullback-Leibler": lambda u: u * np.log(u),
    "Pearson": lambda u: (u - 1) ** 2,
    "Jensen-Shannon": lambda u: u * np.log(u) - (u + 1) * np.log((u + 1) / 2),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_second_term_is_the_convex_conjugate_of_the_divergence(name):
    """f*(t) = sup_u (t u - f(u)), by looking at many u."""
    g, conjugate = FORMS[name]
    u = np.exp(np.linspace(-12, 6, 200_001))
    v = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)
    for t, found in zip(g(v).tolist(), conjugate(g(v)).tolist()):
        assert found == pytest.approx((t * u - DIVERGENCES[name](u)).max(), abs=1e-4)


def test_the_bound_is_of_pairs_as_they_come_less_pairs_drawn_at_random(new_run, batch):
    run, method = new_run(), FDivergence(divergence="Pearson")
    p = np.array(probabilities(run, batch.images))
    noisy = [i for i, place in enumerate(batch.index.tolist()) if place < NOISY]
    generator = torch.Generator()
    generator.set_state(run.generator.get_state())
    images, labels = ([noisy[i] for i in torch.randint(len(noisy), (len(noisy),), generator=generator)] for _ in "jk")
    given = batch.labels.tolist()
    expected = -sum(math.log(p[i, given[i]]) for i in range(len(given)) if i not in noisy)
    expected -= sum(p[i, given[i]] for i in noisy)
    expected += sum(p[j, given[k]] ** 2 / 4 + p[j, given[k]] for j, k in zip(images, labels))
    assert method.step(run, batch).loss.item() == pytest.approx(expected / len(given))
    run = new_run(progress=0.05)
    assert method.step(run, batch).loss.item() == pytest.approx(
        -np.log([row[y] for row, y in zip(probabilities(new_run(), batch.images), given)]).mean()
    )  # the burn-in is cross-entropy


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_noise_of_the_same_rate_in_all_classes_scales_total_variation(rate):
    """Whatever the answers p: the bound over noisy labels is (1 - K/(K - 1) rate) of that over true ones."""
    draw = torch.Generator().manual_seed(0)
    p = torch.rand(90, CLASSES, generator=draw, dtype=torch.float64)
    g, conjugate = FORMS["total variation"]
    true = F.one_hot(torch.arange(90) % CLASSES, CLASSES).double()
    bounds = []
    for matrix in (torch.eye(CLASSES).double(), symmetric_matrix(CLASSES, rate).double()):
        posterior = true @ matrix  # (N, K) of the given label
        together = (posterior * g(p)).sum() / 90
        apart = (conjugate(g(p)).mean(0) * posterior.mean(0)).sum()
        bounds.append((together - apart).item())
    assert bounds[1] == pytest.approx((1 - CLASSES / (CLASSES - 1) * rate) * bounds[0], abs=1e-12)
    with pytest.raises(ValueError, match="divergence='chi' is not known"):
        FDivergence("chi")
