"""COMIC's three parts by hand, by counting and in their limits."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nlkit.contents import PAGES, experiment_of, grid_of
from nlkit.identity import key
from nlkit.learning.multi_label import asymmetric, average_precisions, binary_loss, logits, new_network
from nlkit.papers import rare_and_overlooked
from nlkit.papers.modify_correct_balance import class_weights, found, modified, shares_of_images, taught
from nlkit.papers.rare_and_overlooked import PLAIN, Parts, draw

PAGE = PAGES["rare_and_overlooked"]
SMALL = {"count": 320, "epochs": 4, "imbalance": 5.0}


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def last(**changes):
    *_, record = Parts(**{**SMALL, "record_every": 1000, **changes}).run()
    return record


# The parts


def test_rare_classes_weigh_more_and_the_most_frequent_one_1():
    ticks = torch.tensor([100.0, 10.0, 1.0])
    assert class_weights(ticks, 1 / 3).tolist() == pytest.approx([1, 1.489, 1.776], abs=1e-3)
    assert class_weights(ticks, 1 / 6).tolist() == pytest.approx([1, 1.489**0.5, 1.776**0.5], abs=1e-3)


def test_the_modifier_is_the_formula():
    z, targets, weights = drawn(6, 3), drawn(6, 3, seed=1) > 0, torch.tensor([1.0, 1.5, 2.0])
    p, q, omega = z.sigmoid().numpy(), np.maximum(z.sigmoid().numpy() - 0.05, 0), weights.numpy()
    losses = np.where(targets, -np.log(p), -(q ** (3 + omega)) * np.log(1 - q))
    assert modified(z, targets, weights, 3.0).item() == pytest.approx((omega * losses).sum(), rel=1e-5)


def logit(p):
    return math.log(p / (1 - p))


@pytest.mark.parametrize("p, others, is_found", [(0.72, 0.3, True), (0.69, 0.3, False), (0.72, 0.75, False)])
def test_a_label_is_found_where_it_is_likely_and_likelier_than_on_other_canvases(p, others, is_found):
    z = torch.tensor([[logit(p)]] + [[logit(others)]] * 20)
    new = found(z, torch.zeros(21, 1, dtype=torch.bool), 0.7)
    assert new[0].item() is is_found


def test_what_is_ticked_is_not_found_again_and_counts_with_a_margin():
    ticked = torch.tensor([[True]] * 9 + [[False]])
    z = torch.tensor([[1.5]] * 9 + [[logit(0.75)]])
    new = found(z, ticked, 0.7)  # sigma(1.5) = 0.82, but sigma(0.5) = 0.62: the mean is below 0.75
    assert new.flatten().tolist() == [False] * 9 + [True]
    assert not found(10 * z, ticked, 1.0).any()


def test_images_are_drawn_as_their_classes_are():
    alone = F.one_hot(torch.arange(3).repeat_interleave(torch.tensor([6, 3, 1])), 3).bool()
    wanted = torch.tensor([0.1, 0.2, 0.7])
    assert (shares_of_images(alone, 5 * wanted) @ alone.double()).tolist() == pytest.approx(wanted.tolist())
    ticked = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0]]).bool()
    expected = [0.1 / 3 + 0.2, 0.1 / 3, 0.1 / 3 + 0.7, 0]
    assert shares_of_images(ticked, wanted).tolist() == pytest.approx(expected)


def test_a_teacher_s_share_goes_by_the_square_of_its_loss():
    head, tail = drawn(4, 2).requires_grad_(), drawn(4, 2, seed=1)
    worse, better = (taught(head, tail, (3.0, 1.0), trusted) for trusted in ("worse", "better"))
    assert torch.allclose(worse, 0.9 * head.sigmoid() + 0.1 * tail.sigmoid())
    assert torch.allclose(better, 0.1 * head.sigmoid() + 0.9 * tail.sigmoid())
    assert not worse.requires_grad
    assert torch.allclose(taught(tail, tail, (3.0, 1.0), "worse"), tail.sigmoid())


# The training


def test_a_loss_has_what_is_found_beside_or_within():
    z, ticked, ticks = drawn(8, 3), drawn(8, 3, seed=1) > 0.5, torch.tensor([9.0, 4.0, 2.0])
    z[0, ~ticked[0]] = 4.0  # surely there
    labels, few = ticked | found(z, ticked, 0.7), ticked.sum()
    assert labels.sum() > few
    omega, less = class_weights(ticks, 1 / 3), class_weights(ticks, 1 / 6)
    main = (omega * asymmetric(z, ticked, 3 + omega)).sum()
    beside = 8 / labels.sum() * (less * asymmetric(z - 1.0 * ticked, labels, 3 + less)).sum()
    value, new = Parts().loss_of(z, ticked, ticks, True)
    assert value.item() == pytest.approx(((main + 0.2 * beside) / 8).item()) and torch.equal(new | ticked, labels)
    within, _ = Parts(place="main").loss_of(z, ticked, ticks, True)
    assert within.item() == pytest.approx((omega * asymmetric(z, labels, 3 + omega)).sum().item() / 8)
    before, none = Parts().loss_of(z, ticked, ticks, False)
    assert before.item() == pytest.approx(main.item() / 8) and not none.any()
    assert Parts(**PLAIN).loss_of(z, ticked, ticks, True)[0].item() == pytest.approx(binary_loss(z, ticked).item())


def test_found_labels_count_for_an_epoch_and_not_before_their_time(monkeypatch):
    seen, calls = [], []
    monkeypatch.setattr(rare_and_overlooked, "found", lambda z, y, t: calls.append(len(seen)) or ~y)
    monkeypatch.setattr(
        rare_and_overlooked,
        "class_weights",
        lambda ticks, e: seen.append(ticks.sum().item()) or class_weights(ticks, e),
    )
    experiment = Parts(**SMALL, balancer="none", start=0.5)
    list(experiment.run())
    given = float(experiment.problem()[0].given.sum())
    first, second = seen[:10], seen[10:]  # five steps an epoch; twice a step once C has begun
    assert first == [given] * 10
    third, fourth = second[:10], second[10:]
    for epoch in (third, fourth):
        assert epoch[:2] == [given] * 2 and sorted(epoch) == epoch and epoch[-1] > given
    assert len(calls) == 4 + 10  # once a record, and once a step


def test_three_networks_learn_as_one_does_where_nothing_is_rare_or_overlooked():
    same = {"imbalance": 1.0, "ratio": 0.0, "count": 640, "epochs": 8}
    one, three = last(**same, **PLAIN), last(**same, modifier=False, corrector=False)
    assert three.numbers["mAP"] > one.numbers["mAP"] - 0.03 and one.numbers["mAP"] > 0.7
    assert "found" not in one.numbers  # nothing was lost


def test_numbers_are_those_of_the_classes_in_their_order():
    experiment = Parts(**SMALL)
    task, test = experiment.problem()
    network = new_network(196, 10, seed=3)
    with torch.no_grad():
        numbers, shown = experiment.measured(network, task, test)
        z, z_test = logits(network, task.cells), logits(network, test.cells)
    by_class = [average_precisions(z_test, test.present)[k] for k in task.order]
    assert shown["by_class"] == pytest.approx(by_class) and numbers["mAP"] == pytest.approx(np.mean(by_class))
    assert numbers["many"] == pytest.approx(np.mean(by_class[:3]))
    assert numbers["few"] == pytest.approx(np.mean(by_class[7:]))
    assert math.isnan(numbers["right"]) and numbers["found"] == 0  # an untrained network is sure of nothing
    confident = new_network(196, 10, seed=3)
    torch.nn.init.constant_(confident[-1].bias, 9.0)
    with torch.no_grad():
        numbers, _ = experiment.measured(confident, task, test)
    z = z + 9
    p = (z - task.given.float()).sigmoid()
    new = (p > p.mean(0)) & ~task.given
    assert numbers["right"] == pytest.approx((new & task.present).sum().item() / new.sum().item())
    assert numbers["found"] == pytest.approx((new & task.lost).sum().item() / task.lost.sum().item())


def test_rivals_have_the_ticks_they_are_said_to_have():
    given, test = Parts(**SMALL, ratio=0.7).problem()
    few, _ = Parts(**SMALL, ratio=0.7, labels="complete").problem()
    assert given.given.sum() <= few.given.sum() < given.given.sum() + 3 and len(few.cells) < len(given.cells)
    assert float(test.present.sum(0).max() / test.present.sum(0).min()) < 1.5


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("rare_and_overlooked", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)


def test_a_picture_tells_what_was_found():
    record = last(**PLAIN)
    names = ("BCE", "no gaps")
    few = last(**PAGE.variants["no gaps"])
    told = draw({names[0]: [record], names[1]: [few]}).alt
    assert f"BCE finds {record.numbers['found']:.0%} of what was overlooked" in told and "no gaps finds" not in told
    assert f"from {int(few.numbers['ticks']):,} ticks" in told


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda: found(torch.zeros(2, 1), torch.zeros(2, 1, dtype=torch.bool), 0),
            "threshold=0 must be a number above",
        ),
        (lambda: Parts(threshold=0.4), "threshold=0.4"),
        (lambda: Parts(balancer="both"), "balancer='both' is not known"),
        (lambda: Parts(ratio=0.95), "ratio=0.95"),
        (lambda: Parts(count=100, imbalance=200.0, ratio=0.9).run(), "is ticked on none of 100 canvases"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_claims_are_measured_as_by_hand():
    values = {
        "COMIC": {"mAP": 0.9, "many": 0.9, "few": 0.8}, "BCE by class": {"mAP": 0.91}, "no gaps": {"mAP": 0.88},
        "M + C": {"right": 0.97, "found": 0.8, "f1": 0.7, "mAP": 0.85, "many": 0.92, "few": 0.7}, "M": {"found": 0.75},
        "BCE": {"mAP": 0.84, "f1": 0.6},
    }  # fmt: skip
    trial = SimpleNamespace(run=lambda variant, **_: SimpleNamespace(last=values[variant].__getitem__))
    claims = {claim.id.removeprefix("rare_and_overlooked_"): claim.measure(trial) for claim in PAGE.claims}
    assert claims["right"] == 0.97 and claims["found"] == 0.8 and claims["focal"] == pytest.approx(0.05)
    assert claims["decides"] == pytest.approx(0.1) and claims["ranks"] == pytest.approx(0.01)
    assert claims["balance"] == pytest.approx([0.1, -0.02]) and claims["by_class"] == pytest.approx(-0.01)
    assert claims["no_gaps"] == pytest.approx(0.02)
    assert experiment_of(PAGE, "BCE by class").drawn == "by class"
