"""Early-learning regularization: its gradient, the linear model and the plane, against something independent."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nlkit import live
from nlkit.contents import experiment_of
from nlkit.data.two_clusters import a_plane_fits, all_can_be_fitted_from, two_clusters
from nlkit.papers import elr
from nlkit.papers.elr import PAGE, Linear, push

SMALL = {"n": 80, "steps": 40}


def drawn(n=6, seed=0):
    draw = torch.Generator().manual_seed(seed)
    z = torch.randn(n, generator=draw, dtype=torch.float64).requires_grad_()
    return z, torch.rand(n, 2, generator=draw, dtype=torch.float64) / 2


@pytest.mark.parametrize("term", ["ELR", "KL"])
def test_what_a_term_pushes_is_its_derivative(term):
    z, said = drawn()
    p = torch.stack([z.sigmoid(), (-z).sigmoid()], 1)
    value = (1 - (p * said).sum(1)).log() if term == "ELR" else -(said * p.log()).sum(1)
    (gradient,) = torch.autograd.grad(value.sum(), z)
    assert torch.allclose(push(z.detach(), said, term), gradient, atol=1e-12)


def test_without_memory_the_push_is_how_sure_the_model_is():
    z = torch.linspace(-5, 5, 11, dtype=torch.float64)
    p = z.sigmoid()
    assert torch.allclose(push(z, torch.stack([p, 1 - p], 1), "ELR"), -(2 * p - 1) / 2)


@pytest.mark.parametrize("classes", [2, 5])
def test_the_gradient_on_the_logits_is_that_of_the_paper_s_lemma(classes):
    draw = torch.Generator().manual_seed(1)
    logits = torch.randn(4, classes, generator=draw, dtype=torch.float64).requires_grad_()
    said = torch.rand(4, classes, generator=draw, dtype=torch.float64) / classes
    labels, p = torch.arange(4) % classes, logits.softmax(1)
    loss = F.cross_entropy(logits, labels, reduction="sum") + 3 * (1 - (p * said).sum(1)).log().sum()
    (gradient,) = torch.autograd.grad(loss, logits)
    p = p.detach()
    g = p / (1 - (p * said).sum(1, keepdim=True)) * ((said * p).sum(1, keepdim=True) - said)
    assert torch.allclose(gradient, p - F.one_hot(labels, classes) + 3 * g, atol=1e-12)


def test_one_step_of_descent_is_autograd_s():
    setting = Linear(term="ELR", beta=0.0, n=60, steps=1, seed=4)
    x, _, given, v = two_clusters(60, 54, setting.sigma, setting.wrong, 4)
    theta = []
    for steps in (0, 1):
        start = torch.randn(54, generator=elr.seeded_generator(4, "start"), dtype=torch.float64)
        start = (2 * start / start.norm()).requires_grad_()
        if steps:
            z = x @ start
            p = torch.stack([z.sigmoid(), (-z).sigmoid()], 1)
            loss = F.softplus(-given * z).mean() + 3 * (1 - (p * p.detach()).sum(1)).log().mean()
            loss.backward()
            start = start.detach() - 0.5 * start.grad
        theta.append(float(start.detach() @ v))
    told = [record.numbers["along"] for record in setting.run()]
    assert told == pytest.approx(theta, abs=1e-12)


@pytest.mark.slow
def test_at_rest_the_gradient_points_to_the_clusters_as_far_as_labels_are_right():
    wrong, sigma, n, p = 0.2, 0.25, 4000, 3600
    x, _, given, v = two_clusters(n, p, sigma, wrong, 0)
    downhill = (given[:, None] * x).mean(0) / 2
    cosine = float(downhill @ v / downhill.norm())
    right = 1 - 2 * wrong
    assert cosine == pytest.approx(right / math.sqrt(right**2 + sigma**2 * p / n), abs=0.02)


def test_clusters_have_as_many_wrong_labels_as_asked_for():
    x, true, given, v = two_clusters(500, 30, 0.25, 0.2, 0)
    assert (true != given).sum() == 100 and float(v.norm()) == pytest.approx(1)
    assert float((x @ v * true).mean()) == pytest.approx(1, abs=0.05)
    assert float((x @ v * true).std()) == pytest.approx(0.25, abs=0.03)


def test_accuracy_in_closed_form_is_that_on_new_examples():
    setting = Linear(n=100, steps=30, seed=2)
    *_, last = setting.run()
    x, true, given, v = two_clusters(100, 90, setting.sigma, setting.wrong, 2)
    start = torch.randn(90, generator=elr.seeded_generator(2, "start"), dtype=torch.float64)
    theta = 2 * start / start.norm()
    for _ in range(30):
        theta = theta - 0.5 * x.T @ (-given * (-given * (x @ theta)).sigmoid()) / 100
    noise = torch.randn(20_000, 90, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    new = ((v - setting.sigma * noise) @ theta > 0).double().mean()
    assert last.numbers["test_accuracy"] == pytest.approx(float(new), abs=0.01)
    assert last.numbers["memorized"] == pytest.approx(float((x @ theta * given > 0)[given != true].double().mean()))


def test_from_a_half_on_labels_are_coin_tosses_and_half_as_many_dimensions_do():
    assert all_can_be_fitted_from(0.5, 0.25) == pytest.approx(0.5, abs=1e-6)  # Cover
    values = [all_can_be_fitted_from(q, 0.25) for q in (0.05, 0.1, 0.2, 0.3, 0.4)]
    assert values == sorted(values)
    assert all(round(all_can_be_fitted_from(q, 0.25), 3) == h for q, h in elr.H.items())


def test_the_threshold_is_the_least_of_what_draws_give():
    wrong, sigma = 0.2, 0.25
    draw = np.random.default_rng(0)
    z, other = draw.normal(size=(2, 400_000))
    m = np.where(draw.random(400_000) < wrong, -1, 1) * (1 - sigma * other) / sigma
    least = min(np.mean(np.maximum(z - t * m, 0) ** 2) for t in np.linspace(0, 0.4, 21))
    assert all_can_be_fitted_from(wrong, sigma) == pytest.approx(least, abs=0.01)


def test_a_plane_fits_two_points_and_not_a_point_of_both_labels():
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    assert a_plane_fits(x[:2], torch.tensor([1.0, -1.0]).double())
    assert not a_plane_fits(x, torch.tensor([1.0, 1.0, -1.0]).double())


def test_with_lambda_0_elr_is_cross_entropy_bit_for_bit():
    runs = [list(Linear(**SMALL, term=term, strength=0.0).run()) for term in ("none", "ELR", "KL")]
    assert all([r.numbers for r in run] == [r.numbers for r in runs[0]] for run in runs)
    late = list(Linear(**SMALL, term="ELR", begin=40).run())
    assert [r.numbers for r in late] == [r.numbers for r in runs[0]]


def test_without_a_wrong_label_there_is_nothing_to_memorize():
    *_, last = Linear(**SMALL, wrong=0.0).run()
    assert "memorized" not in last.numbers and "pull_wrong" not in last.numbers
    assert "CE" in elr.draw({"CE": [last]}).alt


@pytest.mark.parametrize(
    "wrong", [{"wrong": 0.5}, {"sigma": 0.0}, {"beta": 1.0}, {"strength": -1.0}, {"n": 1}, {"term": "L2"},
              {"dimensions": 0.05}, {"begin": -1}, {"steps": 0}],
)  # fmt: skip
def test_settings_beyond_their_ends_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Linear(**wrong)


def test_its_runs_on_digits_are_the_kit_s_own_task_and_not_in_the_panel():
    digits = experiment_of(PAGE, "digits ELR", beta=0.0, seed=3)
    assert (digits.method, digits.options, digits.seed) == ("elr", {"beta": 0.0}, 3)
    panel = live.panel("elr", mode="blocking", **SMALL)
    try:
        assert "digits" not in "".join(panel.methods())
    finally:
        panel.close()
