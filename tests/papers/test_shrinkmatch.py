"""Smaller questions, alignment, the loss and who is right: each against a plain loop or a closed form."""

import math

import pytest
import torch
from made_up import Answers
from torch.nn import functional as F

from nlkit.learning.class_space import Alignment, TwoHeads, of_unlabelled, restricted, shrink
from nlkit.learning.few_labels import Batch, new_network
from nlkit.papers import shrinkmatch
from nlkit.papers.shrinkmatch import PAGE, Objective, Shrinking


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(p, tau):
    """Which classes are left, and whether that is enough, of one row: as the paper says it, in a loop."""
    ranked = sorted(range(len(p)), key=lambda k: -p[k])
    for out in range(2, len(p)):
        left = [ranked[0], *ranked[out:]]
        if p[ranked[0]] / sum(p[k] for k in left) >= tau:
            return set(left), True
    return {ranked[0], ranked[-1]}, False


# Smaller questions


@pytest.mark.parametrize(("classes", "tau"), [(3, 0.7), (10, 0.95), (10, 0.6), (100, 0.95)])
def test_rivals_are_struck_out_as_a_plain_loop_does_it(classes, tau):
    p = (2 * drawn(150, classes, seed=classes)).softmax(1)
    kept, reached = shrink(p, tau)
    for row, left, enough in zip(p.tolist(), kept, reached.tolist()):
        assert (set(left.nonzero().flatten().tolist()), enough) == by_hand(row, tau)
    assert reached.any() and torch.equal(shrink(p, tau).struck, classes - kept.sum(1))


def test_the_printed_example():
    """0.5 / 0.55 is not enough, and 0.5 / 0.52 is."""
    p = torch.tensor([[0.5, 0.45, 0.03, 0.02]])
    assert shrink(p, 0.95).kept.tolist() == [[True, False, False, True]] and shrink(p, 0.95).reached.all()
    assert shrink(p, 0.9).kept.tolist() == [[True, False, True, True]]


def test_where_all_are_alike_one_rival_stays_and_it_is_not_enough():
    kept, reached = shrink(torch.full((1, 5), 0.2), 0.6)
    assert kept.sum() == 2 and not reached.any()


def test_among_fewer_classes_the_loss_is_less_by_the_log_of_their_share():
    z, kept = drawn(40, 6), drawn(40, 6, seed=1) > 0
    labels = torch.arange(40) % 6
    kept[torch.arange(40), labels] = True
    share = (z.softmax(1) * kept).sum(1)
    assert torch.allclose(restricted(z, labels, kept), F.cross_entropy(z, labels, reduction="none") + share.log())


def test_what_is_struck_out_gets_no_gradient():
    z, kept = drawn(8, 5).requires_grad_(), torch.tensor([True, False, True, False, True]).expand(8, 5)
    restricted(z, torch.full((8,), 2), kept).mean().backward()
    assert (z.grad[~kept] == 0).all() and (z.grad[kept] != 0).all()


def test_alignment_divides_by_the_mean_of_the_last_batches_and_forgets_older_ones():
    align, batches = Alignment(), [drawn(20, 4, seed=k).softmax(1) for k in range(40)]
    for number, p in enumerate(batches):
        found = align(p)
        mean = torch.stack([each.mean(0) for each in batches[max(0, number - 31) : number + 1]]).mean(0)
        assert torch.allclose(found, p / mean / (p / mean).sum(1, keepdim=True))
    alone = Alignment()(torch.tensor([[0.7, 0.3], [0.9, 0.1]]))
    assert alone[0].argmax() == 1  # the first class is said more often than the second is


def test_who_is_right_is_counted_one_by_one():
    seen = []
    for step in range(3):
        p = (1.5 * drawn(50, 10, seed=step)).softmax(1)
        seen.append((p, shrink(p, 0.6), torch.arange(50) + 50 * step))
    hidden = torch.cat([p for p, _, _ in seen]).roll(1, 1).argsort(1)[:, -2]
    found, rows = of_unlabelled(seen, hidden, 0.6), []
    for p, (kept, reached), places in seen:
        for each, left, enough, at in zip(p.tolist(), kept.tolist(), reached.tolist(), places.tolist()):
            right, out = each.index(max(each)) == hidden[at], left.count(False)
            rows.append((max(each) >= 0.6, enough, right, right or not left[hidden[at]], 1 if right else out / 9, out))
    sure, others = [r for r in rows if r[0]], [r for r in rows if not r[0]]
    assert found["sure"] == pytest.approx(len(sure) / 150) and len(sure) > 5
    assert found["sure_right"] == pytest.approx(sum(r[2] for r in sure) / len(sure))
    for column, name in enumerate(("used", "top_right", "reduced_right", "by_chance", "struck"), start=1):
        assert found[name] == pytest.approx(sum(float(r[column]) for r in others) / len(others)), name
    assert math.isnan(of_unlabelled(seen, hidden, 1.1)["sure_right"])


# The loss


@pytest.fixture
def network():
    return TwoHeads(new_network((1, 3, 4), 6, 2), 2).double()


@pytest.fixture
def batch():
    u = 3 * drawn(40, 1, 3, 4, seed=5)
    return Batch(drawn(7, 1, 3, 4), torch.arange(7) % 6, u, u + drawn(40, 1, 3, 4, seed=6), torch.arange(40), 0.0)


def parts_of(network, batch, tau):
    """L_x, and of each unlabelled image p, whether it is sure, and its two losses at most; in loops."""
    p, z = network(batch.weak).softmax(1).detach(), network(batch.strong)
    h = network.auxiliary(network.body(batch.strong))
    sure, full, small = [], [], []
    for k in range(len(p)):
        top, (left, enough) = int(p[k].argmax()), by_hand(p[k].tolist(), tau)
        sure.append(p[k, top].item() >= tau)
        full.append(-(p[k] * z[k].log_softmax(0)).sum())
        of_left = sorted(left)
        small.append(enough * p[k, top] * -h[k, of_left].log_softmax(0)[of_left.index(top)])
    return F.cross_entropy(network(batch.images), batch.labels), sure, full, small


def test_the_loss_is_the_sum_over_sure_and_other_images_over_all_of_them(network, batch):
    objective, tau = Objective(tau=0.25, aligned=False), 0.25
    labelled, sure, full, small = parts_of(network, batch, tau)
    share = sum(sure) / 40
    assert 0.2 < share < 0.8
    by_parts = labelled + sum(f for f, s in zip(full, sure) if s) / 40
    assert Objective("left out", tau=tau, aligned=False)(network, batch).item() == pytest.approx(by_parts.item())
    others = sum(each for each, s in zip(small, sure) if not s) / 40
    assert objective(network, batch).item() == pytest.approx((by_parts + share * others).item())
    objective.progress = 0.5
    assert objective(network, batch).item() == pytest.approx((by_parts + (0.4995 + 0.001 * share) * others).item())
    plain = Objective(tau=tau, aligned=False, by_progress=False)
    assert plain(network, batch).item() == pytest.approx((by_parts + others).item())


def test_a_question_of_which_it_is_not_sure_even_so_is_not_asked(network, batch):
    tau = 0.7
    labelled, sure, _, small = parts_of(network, batch, tau)
    assert not any(sure) and 0 < sum(each.item() == 0 for each in small) < 40
    found = Objective(tau=tau, aligned=False, by_progress=False)(network, batch)
    assert found.item() == pytest.approx((labelled + sum(small) / 40).item())


def test_where_all_are_sure_it_is_fixmatch_and_the_auxiliary_head_learns_nothing(network, batch):
    ours = Objective(tau=0.17, aligned=False)(network, batch)
    ours.backward()
    assert ours.item() == Objective("left out", tau=0.17, aligned=False)(network, batch).item()
    assert all((p.grad == 0).all() for p in network.auxiliary.parameters())


def test_guesses_among_all_classes_are_asked_of_either_head(network, batch):
    how = {"tau": 0.25, "aligned": False, "by_progress": False, "by_certainty": False}
    left_out = Objective("left out", **how)(network, batch)
    p = network(batch.weak).softmax(1)
    for head, z in (("auxiliary", network.auxiliary(network.body(batch.strong))), ("main", network(batch.strong))):
        guesses = (F.cross_entropy(z, p.argmax(1), reduction="none") * (p.amax(1) < 0.25)).mean()
        found = Objective("likeliest", head, **how)(network, batch)
        assert found.item() == pytest.approx((left_out + guesses).item())


def test_no_gradient_comes_from_the_weak_view(network, batch):
    weak = batch.weak.clone().requires_grad_()
    Objective(tau=0.25)(network, batch._replace(weak=weak)).backward()
    assert weak.grad is None


def test_the_auxiliary_head_is_as_printed_and_is_not_listened_to():
    network = TwoHeads(new_network((1, 14, 14), 10, 0), 0)
    assert sum(p.numel() for p in network.auxiliary.parameters()) == (64 * 16 + 16) + (16 * 16 + 16) + 64 + (
        16 * 10 + 10
    )
    image = torch.rand(1, 1, 14, 14)  # of which batch normalization could make nothing
    before = network(image)
    for p in network.auxiliary.parameters():
        torch.nn.init.constant_(p, 3.0)
    assert torch.equal(network(image), before)


# The experiment


@pytest.fixture(scope="module")
def tiny():
    return {name: list(Shrinking(**settings, steps=50).run()) for name, settings in PAGE.variants.items()}


def test_records_tell_of_labels_of_unlabelled_digits_and_of_one_question(tiny):
    assert all(len(records) == 2 for records in tiny.values())
    assert {record.numbers["labels"] for records in tiny.values() for record in records} == {20}
    numbers = tiny["ShrinkMatch"][-1].numbers
    assert "sure" not in tiny["labels alone"][-1].numbers and not tiny["labels alone"][-1].shown
    assert numbers["top_right"] < numbers["by_chance"] < 1 and 0 < numbers["sure"] < 1
    assert numbers["top_right"] < numbers["reduced_right"] and 1 <= numbers["struck"] <= 8
    shown = tiny["ShrinkMatch"][-1].shown
    assert shown["p"].max() < shown["tau"] == 0.95 and not shown["kept"].all() and shown["image"].shape == (14, 14)
    ends = [records[-1].numbers["test_accuracy"] for records in tiny.values()]
    assert ends[0] not in ends[1:]


def test_the_picture_says_what_is_struck_out_and_who_is_right(tiny):
    told = shrinkmatch.draw(tiny).alt
    assert "struck out it has" in told and "Unlabelled digits, no threshold" in told
    for name, records in tiny.items():
        assert f"{name} {records[-1].numbers['test_accuracy']:.1%}" in told
    alone = shrinkmatch.draw({"labels alone": tiny["labels alone"]}).alt
    assert alone.startswith("Test accuracy: labels alone") and "No run yet" in shrinkmatch.draw({}).alt


def test_claims_measure_what_they_say():
    shares = {"top_right": 0.3, "reduced_right": 0.85, "sure_right": 1.0, "by_chance": 0.5, "used": 0.95}

    def answer(e, number):
        if number in shares:
            return shares[number]
        worth = {"no unlabelled digits": 0, "left out": 1, "shrunk": 3, "likeliest": 7}[e.uncertain]
        return worth + 20 * (e.head == "main") + e.per_class - 100 * e.ratio * worth

    measured = {claim.id: claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    assert measured.pop("shrinkmatch_right") == pytest.approx(0.55)
    assert measured.pop("shrinkmatch_chance") == pytest.approx(0.35)
    assert measured.pop("shrinkmatch_sure") == pytest.approx(-0.15)
    assert measured.pop("shrinkmatch_used") == pytest.approx(0.95)
    assert measured.pop("shrinkmatch_gain") == [2]
    assert measured.pop("shrinkmatch_worth") == 1
    assert measured.pop("shrinkmatch_why") == [-4, -24]
    assert measured.pop("shrinkmatch_wrong") == pytest.approx([-58])
    assert not measured


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"tau": 0.5}, "tau=0.5 must be a number from 0.6 to 0.99"),
        ({"per_class": 0}, "per_class=0"),
        ({"uncertain": "shrink"}, "uncertain='shrink' is not known; did you mean 'shrunk'"),
        ({"head": "aux"}, "head='aux'"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_training(bad, says):
    with pytest.raises(ValueError, match=says):
        Shrinking(**bad)


def test_questions_that_cannot_be_made_smaller_are_refused():
    with pytest.raises(ValueError, match="the number of classes=2 must be a whole number of at least 3"):
        shrink(torch.tensor([[0.6, 0.4]]), 0.9)
    for tau in (0.25, 1.0):
        with pytest.raises(ValueError, match=f"tau={tau} must be a number between 1/4"):
            shrink(torch.full((1, 4), 0.25), tau)
