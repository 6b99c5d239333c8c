"""Canvases, the training that their pages share, and PU-MLC, beside closed forms, counting and other libraries."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.metrics import average_precision_score, f1_score
from torch.nn import functional as F

from nlkit import load
from nlkit.contents import PAGES, grid_of
from nlkit.data.canvases import as_many_complete, canvases, check_ticks, shares_of_classes
from nlkit.data.purchases import pooled
from nlkit.identity import key
from nlkit.learning.multi_label import (
    RATE,
    asymmetric,
    average_precisions,
    best_f1,
    binary_loss,
    f1_at,
    learn,
    logits,
    new_network,
    one_cycle,
)
from nlkit.learning.optimizers import build_optimizer
from nlkit.papers.positive_labels import Ticks, mixed_loss, tempered, variational_loss
from nlkit.plots.canvases import ticked_canvases
from nlkit.records import Step

PAGE = PAGES["positive_labels"]


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Canvases


def test_a_canvas_shows_the_digits_that_it_is_said_to_show():
    data = load("mnist5k")
    task = canvases(data, 300, seed=4)
    label_of = {image.numpy().tobytes(): int(y) for image, y in zip(pooled(data.train_images), data.train_labels)}
    counts = []
    for cells, present in zip(task.cells, task.present):
        shown = [cell for cell in cells if cell.max() > cell.min()]
        assert {label_of[cell.numpy().tobytes()] for cell in shown} == set(present.nonzero().flatten().tolist())
        counts.append(len(shown))
    assert np.bincount(counts, minlength=4)[1:].tolist() == pytest.approx([100] * 3, abs=30)
    places = (task.cells.amax(2) > task.cells.amin(2)).double().mean(0)
    assert places.tolist() == pytest.approx([0.5] * 4, abs=0.1)


@pytest.mark.parametrize("setting", ["ratio", "wrong", "known"])
def test_what_is_wrong_with_the_answers_is_as_often_as_said_and_nested(setting):
    less, more = (canvases(load("mnist5k"), 1500, **{setting: share}) for share in (0.2, 0.7))
    assert torch.equal(less.present, more.present) and torch.equal(less.cells, more.cells)
    if setting == "known":
        counted = [task.known for task in (less, more)]
        assert torch.equal(less.given, less.present & less.known)
    else:
        among = less.present if setting == "ratio" else ~less.present
        counted = [(task.given != task.present)[among] for task in (less, more)]
        assert torch.equal(less.given[~among], less.present[~among])
    assert [float(c.double().mean()) for c in counted] == pytest.approx([0.2, 0.7], abs=0.02)
    assert (counted[0] <= counted[1]).all()


def test_a_long_tail_falls_by_one_factor_and_the_seed_says_for_whom():
    shares = shares_of_classes(50, 10)
    assert float(shares[0] / shares[-1]) == pytest.approx(50) and float(shares.sum()) == pytest.approx(1)
    assert (shares[:-1] / shares[1:]).tolist() == pytest.approx([50 ** (1 / 9)] * 9)
    task, other = (canvases(load("mnist5k"), 3000, imbalance=50, seed=seed) for seed in (0, 1))
    expected = sum((1 - (1 - shares) ** digits) / 3 for digits in (1, 2, 3))  # twice the same counts once
    assert task.present.double().mean(0)[task.order].tolist() == pytest.approx(expected.tolist(), abs=0.025)
    assert task.order.tolist() != other.order.tolist()
    assert torch.equal(task.order, canvases(load("mnist5k"), 10, part="test", seed=0).order)


def test_as_many_ticks_without_gaps_are_on_fewer_canvases():
    task = canvases(load("mnist5k"), 400, ratio=0.6, wrong=0.05, known=0.9)
    few = as_many_complete(task, 200)
    assert torch.equal(few.given, few.present) and few.known.all()
    assert few.given.sum() >= 200 > few.given[:-1].sum()
    assert torch.equal(few.cells, task.cells[: len(few.cells)])


# What the pages on canvases share


@pytest.mark.filterwarnings("ignore:Detected call of")  # no step is made
def test_the_rate_is_that_of_torch_s_one_cycle():
    optimizer = build_optimizer("sgd", new_network(2, 1), 1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=100, pct_start=0.2)
    peak = (0.2 * 100 - 1) / 99  # torch counts a step less to it
    for step in range(100):
        assert RATE * one_cycle(step / 99, peak) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6, abs=1e-9)
        if step < 99:
            schedule.step()


def test_a_canvas_s_logit_lies_between_the_mean_and_the_largest_of_its_cells():
    network, cells = new_network(6, 3, seed=1), drawn(5, 4, 6).float()
    of_cells, z = network(cells), logits(network, cells)
    assert (z >= of_cells.mean(1) - 1e-6).all() and (z <= of_cells.amax(1)).all()
    assert torch.allclose(logits(network, cells[:, :1].expand(-1, 4, -1)), of_cells[:, 0], atol=1e-6)
    assert torch.equal(new_network(6, 3, seed=1)[0].weight, network[0].weight)


def test_examples_come_round_again_where_more_steps_are_asked_for():
    seen, network = [], new_network(2, 1)

    def loss(index):
        seen.append(index)
        return sum(p.sum() for p in network.parameters())

    events = list(learn(network, 10, loss, epochs=2, seed=0, batch=4, steps=5))
    assert [type(e) for e in events] == ([Step] * 5 + [float]) * 2 and all(len(index) == 4 for index in seen)
    assert torch.bincount(torch.cat(seen[:5]), minlength=10).tolist() == [2] * 10
    assert len(list(learn(network, 10, loss, epochs=1, seed=0, batch=4))) == 3


def test_losses_are_those_of_torch_and_of_the_published_formula():
    z, targets = drawn(7, 3), drawn(7, 3, seed=1) > 0
    plain = F.binary_cross_entropy_with_logits(z, targets.double(), reduction="none")
    assert float(binary_loss(z, targets)) == pytest.approx(float(plain.sum() / 7))
    assert float(binary_loss(z, targets, z > 0)) == pytest.approx(float(plain[z > 0].sum() / 7))
    assert torch.allclose(asymmetric(z, targets, 0.0, 0.0), plain)
    p, q = z.sigmoid().numpy(), np.maximum(z.sigmoid().numpy() - 0.05, 0)
    formula = np.where(targets, -np.log(p), -(q**4) * np.log(1 - q))
    np.testing.assert_allclose(asymmetric(z, targets).numpy(), formula)
    w = z.clone().requires_grad_()
    asymmetric(w, torch.zeros_like(targets)).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), q**4 / (1 - q) * (p * (1 - p)) * (q > 0))  # q^4 is a constant


def test_rankings_and_decisions_are_measured_as_by_scikit_learn():
    scores, present = drawn(60, 3).sigmoid(), drawn(60, 3, seed=1) > 0.5
    for said in (scores, scores.round(decimals=1)):  # without ties, and with many
        assert average_precisions(said, present) == pytest.approx(average_precision_score(present, said, average=None))
    by_threshold = [f1_score(present, scores > t, average="micro", zero_division=0) for t in np.arange(1, 100) / 100]
    assert f1_at(scores, present, 0.5) == pytest.approx(by_threshold[49])
    assert best_f1(scores, present) == pytest.approx(max(by_threshold))


# PU-MLC

OF_X = torch.tensor([40, 30, 20, 10])  # how many images look alike, of four kinds
THERE = torch.tensor([0.1, 0.4, 0.7, 0.8])  # P(y = 1 | x)
KIND = torch.arange(4).repeat_interleave(OF_X)
HALF_TICKED = torch.cat([torch.arange(n) < k for n, k in zip(OF_X.tolist(), (OF_X * THERE / 2).round().tolist())])


def fitted(loss):
    """Probabilities of the four kinds that make a loss of (100, 1) logits and ticks least."""

    def value_and_slope(theta):
        theta = torch.from_numpy(theta).requires_grad_()
        value = loss(theta[KIND][:, None], HALF_TICKED[:, None])
        return value.item(), torch.autograd.grad(value, theta)[0].numpy()

    found = minimize(value_and_slope, np.full(4, -2.0), jac=True, tol=1e-12)
    return torch.from_numpy(found.x).sigmoid()


def test_without_re_balancing_the_scores_are_proportional_to_the_truth():
    phi = fitted(lambda z, ticked: variational_loss(z, ticked, gamma=0.0))
    assert (phi / phi[3]).tolist() == pytest.approx((THERE / THERE[3]).tolist(), rel=1e-3)


def test_losing_ticks_at_random_costs_bce_its_scale_alone():
    scores = fitted(binary_loss)
    assert scores.tolist() == pytest.approx((THERE / 2).tolist(), abs=1e-3)
    present = (drawn(100, 1) > 0) | (KIND == 3)[:, None]
    told, right = f1_at(scores[KIND][:, None], present, 0.25), f1_at(THERE[KIND][:, None], present, 0.5)
    assert told == right > f1_at(scores[KIND][:, None], present, 0.5)


def test_the_bound_is_the_formula_and_its_weight_and_temperature_carry_no_gradient():
    z, ticked = drawn(9, 4).requires_grad_(), drawn(9, 4, seed=1) > 0.3
    ticked[:, 3] = False  # no tick in this batch
    tau = np.minimum(1, 0.7 * z.detach().numpy().std(0))
    assert tempered(z, 0.7).tolist() == pytest.approx(tau.tolist())

    def formula(z, weight=None):
        phi = 1 / (1 + np.exp(-z / tau))
        weight = phi.mean(0) ** 0.55 if weight is None else weight
        of_ticked = [np.log(phi[t, c]).mean() if t.any() else 0.0 for c, t in enumerate(ticked.numpy().T)]
        return (weight * np.log(phi.mean(0)) - of_ticked).sum(), weight

    value = variational_loss(z, ticked, gamma=0.55, alpha=0.7)
    expected, weight = formula(z.detach().numpy())
    assert value.item() == pytest.approx(expected)
    value.backward()
    nudge = np.zeros((9, 4))
    nudge[2, 1] = 1e-6
    up, down = (formula(z.detach().numpy() + sign * nudge, weight)[0] for sign in (1, -1))
    assert z.grad[2, 1].item() == pytest.approx((up - down) / 2e-6, rel=1e-5)


def test_a_constant_class_has_a_temperature_and_classes_are_summed():
    for classes in (1, 2):
        z = torch.full((8, classes), 0.4, dtype=torch.float64)
        phi = torch.tensor(0.4).sigmoid().item()
        expected = classes * (phi**0.55 - 1) * math.log(phi)
        assert variational_loss(z, torch.ones_like(z).bool(), gamma=0.55).item() == pytest.approx(expected)
    assert tempered(z, 2.0).tolist() == pytest.approx([1e-3] * 2)
    assert tempered(z, 0.0).tolist() == [1, 1]


def test_canvases_that_are_not_mixed_cost_only_what_is_ticked():
    z, ticked = drawn(8, 3), drawn(8, 3, seed=1) > 0
    halves = torch.tensor([2, 0, 3, 1]), torch.arange(4, 8)
    log_p = z[halves[0]].sigmoid().log()
    expected = (log_p.square() * ticked[halves[0]]).mean(0).sum()
    assert mixed_loss(z, z[halves[0]], ticked, halves, 1.0).item() == pytest.approx(expected.item())
    targets = torch.where(ticked, 1.0, z.sigmoid())
    even = (targets[halves[0]] + targets[halves[1]]) / 2
    assert mixed_loss(z, even.logit(), ticked, halves, 0.5).item() == pytest.approx(0, abs=1e-12)


def test_rivals_learn_from_what_they_are_said_to():
    given, _ = Ticks(ratio=0.8, count=300).problem()
    few, _ = Ticks(ratio=0.8, count=300, labels="complete").problem()
    everything, test = Ticks(ratio=0.8, count=300, labels="true").problem()
    assert given.given.sum() <= few.given.sum() < given.given.sum() + 3 and len(few.cells) < 100
    assert torch.equal(everything.given, given.present) and len(test.cells) == 2000
    network, cells = new_network(196, 10), given.cells[:20]
    known = drawn(20, 10) > 0
    left_out = Ticks(loss="BCE", unknown="left out").loss_of(network, cells, given.given[:20], known, None)
    losses = F.binary_cross_entropy_with_logits(logits(network, cells), given.given[:20].float(), reduction="none")
    assert left_out.item() == pytest.approx(losses[known].sum().item() / 20, rel=1e-5)


def test_how_often_is_recorded_changes_nothing_and_clean_canvases_help():
    *_, often = Ticks(count=200, epochs=4, ratio=0.5).run()
    (last,) = Ticks(count=200, epochs=4, ratio=0.5, record_every=1000).run()
    assert often.epoch == 4 and last.epoch == 1 and often.numbers == last.numbers
    (helped,) = Ticks(count=200, epochs=4, ratio=0.5, record_every=1000, clean=200).run()
    assert helped.numbers["mAP"] > last.numbers["mAP"] and helped.numbers["ticks"] == last.numbers["ticks"]


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("positive_labels", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: canvases(load("mnist5k"), 10, ratio=1), "ratio=1 must be below 1"),
        (lambda: canvases(load("mnist5k"), 10, known=0), "known=0 must be a number above 0"),
        (lambda: canvases(load("mnist5k"), 10, imbalance=0.5), "imbalance=0.5"),
        (lambda: check_ticks(torch.tensor([[True, False]]), ("cat", "dog")), "class dog is ticked on none of 1"),
        (lambda: as_many_complete(canvases(load("mnist5k"), 10), 0), "ticks=0"),
        (lambda: average_precisions(torch.rand(3, 2), torch.tensor([[True, False]] * 3)), "class 1 is on none of"),
        (lambda: learn(new_network(2, 1), 10, lambda index: index, epochs=1, seed=0, batch=1), "batch=1"),
        (lambda: tempered(torch.zeros(2, 2), -1), "alpha=-1"),
        (lambda: Ticks(batch=1), "batch=1"),
        (lambda: Ticks(count=100, known=0.05, ratio=0.95).run(), "is ticked on none of 100 canvases"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_claims_are_measured_as_by_hand():
    def run(variant, ratio=0.8, gamma=0.55, alpha=0.0, known=1.0, **_):
        base = {"PU-MLC": 0.9, "BCE": 0.8, "no gaps": 0.88, "BCE, unknown left out": 0.95}[variant] - 0.1 * ratio
        numbers = {"mAP": base - 0.05 * (alpha > 0), "f1": base - 0.5 * (gamma == 0) - 0.4 * (variant == "BCE")}
        numbers["f1_told"] = numbers["f1"] + 0.3
        return SimpleNamespace(last=numbers.__getitem__)

    claims = {c.id.removeprefix("positive_labels_"): c.measure(SimpleNamespace(run=run)) for c in PAGE.claims}
    assert claims["scale"] == pytest.approx([0.5] * 3) and claims["order"] == pytest.approx([0.1] * 2)
    assert claims["threshold"] == pytest.approx([0.6] * 2) and claims["no_gaps"] == pytest.approx([0.02] * 3)
    assert claims["no"] == pytest.approx([-0.05] * 2) and claims["temperature"] == pytest.approx([-0.05] * 2)
    assert claims["balance"] == pytest.approx(0.5)


def test_a_picture_of_canvases_tells_what_is_ticked_and_what_was_overlooked():
    task = canvases(load("mnist5k"), 20, ratio=0.6)
    figure = ticked_canvases(task.cells[:4], task.given[:4], task.present[:4])
    first = " ".join(map(str, task.present[0].nonzero().flatten().tolist()))
    assert figure.alt.startswith(f"4 canvases of 2 by 2 cells, with the digits {first} (ticked: ")
