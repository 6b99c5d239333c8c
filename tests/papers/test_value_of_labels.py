"""The value of labels in long tails: theory against draws, training against plain loops, worlds by hand, bad input."""

import math

import numpy
import pytest
import torch
from scipy.stats import norm
from torch import nn
from torch.nn import functional as F

from nlkit.data.long_tailed import class_sizes
from nlkit.data.tail_and_rest import tail_and_rest
from nlkit.identity import key
from nlkit.learning.turned import all_turns, class_weights, learn, learn_turns, new_head, new_network, turned, views_of
from nlkit.papers.value_of_labels import PAGE, draw
from nlkit.papers.value_of_labels_gaussians import (
    Shells,
    Threshold,
    balanced_error,
    bias,
    estimates,
    pseudo_labelled,
)
from nlkit.papers.value_of_labels_tail import Tail, judged
from nlkit.randomness import seeded_generator
from nlkit.records import Step

TINY = dict(PAGE.tiny)


# Theory


@pytest.mark.parametrize("called", [0.5, 0.05])
def test_errors_at_random_move_the_threshold_as_the_formula_says(called):
    found = estimates(0.95, 0.75, called, 400, seed=1)
    assert abs(found.mean() - bias(0.95, 0.75)) < 4 * found.std() / 20
    assert bias(0.95, 0.75) == pytest.approx(0.2)
    few, many = (called * 1000, (1 - called) * 1000)
    variances = 1 + 4 * 0.95 * 0.05, 1 + 4 * 0.75 * 0.25  # of an example, who is called wrongly included
    assert found.std() == pytest.approx(((variances[0] / few + variances[1] / many) / 4) ** 0.5, rel=0.15)


@pytest.mark.parametrize("t, positives", [(0.6, 0.5), (0.6, 1 / 11), (-0.3, 0.5)])
def test_a_round_is_what_draws_make_of_it(t, positives):
    draws = numpy.random.default_rng(0)
    truly = draws.random(400_000) < positives
    x = numpy.where(truly, 1, -1) + draws.normal(size=len(truly))
    threshold, p, q, called = pseudo_labelled(t, positives)
    said = x > t
    assert threshold == pytest.approx((x[said].mean() + x[~said].mean()) / 2, abs=0.01)
    assert (p, q, called) == pytest.approx((truly[said].mean(), (~truly[~said]).mean(), said.mean()), abs=0.01)
    wrong = (norm.cdf(t, loc=1) + norm.sf(t, loc=-1)) / 2
    assert balanced_error(t) == pytest.approx(wrong)


def test_even_data_leave_the_best_threshold_alone_and_lead_to_it():
    assert pseudo_labelled(0.0, 0.5)[0] == pytest.approx(0, abs=1e-12)
    records = list(Threshold(start=0.3, rounds=10).run())
    assert len(records) == 10 and records[-1].numbers["threshold"] == pytest.approx(0, abs=5e-3)
    assert [r.numbers["from"] for r in records[1:]] == [r.numbers["threshold"] for r in records[:-1]]
    assert all(r.numbers["drawn"] == pytest.approx(r.numbers["formula"], abs=0.02) for r in records)
    uneven = list(Threshold(imbalance_rest=10.0, rounds=4).run())
    assert uneven[-1].numbers["error"] > uneven[0].numbers["error"]


def test_what_no_plane_tells_the_distance_does():
    ends = [next(Shells(dimensions=d, seed=1).run()).numbers for d in (2, 10)]
    assert all(numbers["linear"] > 0.4 for numbers in ends)
    # Of ‖x‖², chi-squared, a threshold: in two dimensions its error is at least 0.2362, where both densities are equal
    at = 2 * math.log(4) / (1 - 1 / 4)
    least = (math.exp(-at / 2) + 1 - math.exp(-at / 8)) / 2
    assert least - 0.02 < ends[0]["squared"] < least + 0.05 and ends[1]["squared"] < 0.1


# The world


def test_the_tail_and_the_rest_have_the_sizes_that_were_asked_for():
    problem = tail_and_rest(60, 10, 2, 5, seed=3)
    sizes = torch.bincount(problem.labels)[problem.order].tolist()
    assert sizes == class_sizes(60, 10, 10) and problem.missing == 0
    rest = torch.bincount(problem.hidden)[problem.order].double()
    assert rest.sum() == pytest.approx(2 * sum(sizes), abs=5) and rest[0] / rest[-1] == pytest.approx(5, rel=0.08)
    assert (rest[:-1] / rest[1:]).tolist() == pytest.approx([5 ** (1 / 9)] * 9, rel=0.08)
    seen = {image.tobytes() for image in problem.images.numpy()}
    assert not seen & {image.tobytes() for image in problem.rest.numpy()}
    assert torch.equal(tail_and_rest(60, 10, 1, 1, seed=3).images, problem.images)
    assert len(tail_and_rest(60, 10, 0, 1, seed=3).rest) == 0
    assert torch.bincount(problem.answers).tolist() == [100] * 10
    assert len({tuple(tail_and_rest(60, 10, 0, 1, seed).order.tolist()) for seed in range(3)}) == 3


def test_images_that_are_not_there_are_counted():
    problem = tail_and_rest(100, 20, 5, 20, seed=0)
    sizes, shares = class_sizes(100, 20, 10), 20 ** (-torch.arange(10) / 9)
    asked = (5 * sum(sizes) * shares / shares.sum()).round()
    left = 400 - torch.tensor(sizes)
    assert torch.bincount(problem.hidden)[problem.order].tolist() == torch.minimum(asked, left).tolist()
    assert problem.missing == (asked - left).clamp(min=0).sum() > 100


# Training


def test_quarters_turn_and_are_asked_equally_often():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    one = turned(image, torch.tensor([1]))
    assert one[0, 0].tolist() == [[2, 5, 8], [1, 4, 7], [0, 3, 6]]
    by_steps = image
    for quarter in range(1, 4):
        by_steps = turned(by_steps, torch.tensor([1]))
        assert torch.equal(by_steps, turned(image, torch.tensor([quarter])))
    assert torch.equal(turned(by_steps, torch.tensor([1])), image)
    counts = torch.bincount(all_turns(66, torch.Generator().manual_seed(0)), minlength=4)
    assert sorted(counts.tolist()) == [16, 16, 17, 17]


def test_weights_are_those_of_the_effective_number():
    found = class_weights(torch.tensor([100, 10, 0]), 0.9)
    wanted = numpy.array([0.1 / (1 - 0.9**100), 0.1 / (1 - 0.9**10), 0])
    assert found.tolist() == pytest.approx((3 * wanted / wanted.sum()).tolist(), rel=1e-5)
    many, few = class_weights(torch.tensor([100, 5])).tolist()
    assert few / many == pytest.approx(20, rel=0.01) and many + few == pytest.approx(2)


def test_views_are_the_image_moved():
    images = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    shifted = views_of(images, "shift", 0)
    assert shifted.shape == (2, 9, 1, 4, 4) and torch.equal(shifted[:, 4], images)
    assert torch.equal(shifted[:, 0, :, 1:, 1:], images[:, :, :3, :3])
    assert torch.equal(shifted[:, 8, :, 3, 3], images[:, :, 3, 3])  # the edge goes on
    assert torch.equal(views_of(images, "none", 0)[:, 0], images)
    assert views_of(images, "strong", 0).shape == shifted.shape


def test_learning_is_the_plain_loop():
    draws = torch.Generator().manual_seed(0)
    images, labels = torch.randn(70, 1, 14, 14, generator=draws), torch.randint(10, (70,), generator=draws)
    views, weights = views_of(images, "shift", 0), torch.linspace(0.5, 1.5, 10)
    ours = new_network(196, 10, 0)
    for _ in learn(ours, views, labels, steps=5, weights=weights, seed=7):
        pass
    plain, generator = new_network(196, 10, 0), seeded_generator(7, "batches of the tail")
    optimizer = torch.optim.Adam(plain.parameters(), 2e-3)
    for step in range(5):
        optimizer.param_groups[0]["lr"] = 1e-3 * (1 + math.cos(math.pi * step / 5))
        batch = torch.randperm(70, generator=generator)[:64]
        row, column = (d - 1 for d in divmod(torch.randint(9, (64,), generator=generator).numpy(), 3))
        padded = F.pad(images[batch], (1, 1, 1, 1), mode="replicate")
        seen = [p[:, 1 + r : 15 + r, 1 + c : 15 + c] for p, r, c in zip(padded, row, column)]
        log_p = plain(torch.stack(seen)).log_softmax(1)[range(64), labels[batch]]
        optimizer.zero_grad()
        (-(weights[labels[batch]] * log_p).sum() / weights[labels[batch]].sum()).backward()
        optimizer.step()
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours.parameters(), plain.parameters()))


def test_a_new_head_keeps_what_was_learned_and_leaves_the_old_network_alone():
    old = new_network(196, 4, 0)
    before = [p.clone() for p in old.parameters()]
    new = new_head(old, 10, 0)
    assert new[-1].weight.shape == (10, 64) and torch.equal(new[1].weight, old[1].weight)
    for _ in learn(new, torch.randn(8, 1, 1, 14, 14), torch.arange(8), steps=2):
        pass
    assert all(torch.equal(a, b) for a, b in zip(before, old.parameters()))
    assert not torch.equal(new[1].weight, old[1].weight)  # it goes on learning


def test_turns_can_be_learned():
    problem = tail_and_rest(60, 2, 0, 1, seed=0)
    network = new_network(196, 4, 0)
    for _ in learn_turns(network, views_of(problem.images, "none", 0), steps=100):
        pass
    asked = all_turns(len(problem.tested), torch.Generator().manual_seed(1))
    right = (network(turned(problem.tested, asked)).argmax(1) == asked).double().mean()
    assert right > 0.6


# The experiment


def last(**changes):
    *_, found = Tail(**TINY | changes).run()
    return found


def test_without_more_images_it_is_plain_training_bit_for_bit():
    plain, semi = last(factor=0.0), last(factor=0.0, learner="semi")
    assert (plain.shown["by_class"] == semi.shown["by_class"]).all() and plain.numbers["even"] == semi.numbers["even"]
    other = last(factor=0.0, views="none")
    assert (other.shown["by_class"] != plain.shown["by_class"]).any()


def by_hand(labels_of_rest, loss=None):
    """Accuracy by class of a fresh network that learns from the tail and the rest, labelled by a function."""
    problem = tail_and_rest(40, 5, 1, 1, 0)
    images = torch.cat([problem.images, problem.rest])
    labels = torch.cat([problem.labels, labels_of_rest(problem)])
    network = new_network(196, 10, 0)
    weights = class_weights(torch.bincount(labels, minlength=10)) if loss else None
    for _ in learn(network, views_of(images, "shift", 0), labels, steps=50, weights=weights):
        pass
    right = network(problem.tested).argmax(1) == problem.answers
    return [float(right[problem.answers == k].double().mean()) for k in problem.order]


def test_d_u_is_labelled_once_by_the_network_before_or_by_the_truth():
    def of_the_network_before(problem):
        before = new_network(196, 10, 0)
        for _ in learn(before, views_of(problem.images, "shift", 0), problem.labels, steps=50):
            pass
        return before(problem.rest).argmax(1)

    assert last(learner="semi").shown["by_class"].tolist() == by_hand(of_the_network_before)
    assert last(learner="true").shown["by_class"].tolist() == by_hand(lambda problem: problem.hidden)
    balanced = last(learner="true", loss="CB").shown["by_class"].tolist()
    assert balanced == by_hand(lambda problem: problem.hidden, "CB")


def test_numbers_are_counted_by_class_and_labels_by_who_was_told():
    found = {name: last(learner=name) for name in ("labels", "true")}
    for name, record in found.items():
        by_class = record.shown["by_class"]
        assert record.numbers["test_accuracy"] == pytest.approx(by_class.mean())
        assert record.numbers["head"] == pytest.approx(by_class[:3].mean())
        assert record.numbers["tail"] == pytest.approx(by_class[-3:].mean())
        problem = tail_and_rest(40, 5, 1, 1, 0)
        assert record.numbers["told"] == len(problem.labels) + len(problem.rest) * (name == "true")
    assert found["labels"].shown["sizes"].tolist() == class_sizes(40, 5, 10)
    assert found["labels"].numbers["even"] != found["true"].numbers["even"]


def test_pseudo_labels_are_judged_by_the_truth():
    problem = tail_and_rest(40, 5, 1, 1, 0)
    rare = problem.order[-3:]
    pseudo = problem.hidden.clone()
    tail = torch.isin(pseudo, rare).nonzero()[:, 0]
    pseudo[tail[1:]] = problem.order[0]  # of the tail only one is found
    assert judged(pseudo, problem) == pytest.approx(
        {"right": 1 - (len(tail) - 1) / len(pseudo), "tail_right": 1 / len(tail), "tail_precise": 1.0}
    )


def test_turns_are_told_in_steps_and_records_are_of_the_last_network():
    events = list(Tail(**TINY | {"learner": "self", "turning": 120, "steps": 120}).run(steps=True))
    assert events[:3] == [Step(1, 1, 3), Step(1, 2, 3), Step(1, 3, 3)]
    assert [e.epoch for e in events[3:]] == [1, 2, 3] == list(range(1, Tail(steps=120).epochs + 1))
    assert [e.shown["step"] for e in events[3:]] == [50, 100, 120]
    assert math.isnan(events[-2].numbers["even"]) and events[-1].numbers["even"] > 0


def test_wrong_labels_are_learned_from_and_the_control_has_as_many():
    clean, noisy = last(), last(ratio=0.5)
    assert noisy.numbers["test_accuracy"] < clean.numbers["test_accuracy"] - 0.1
    assert noisy.numbers["even"] < clean.numbers["even"]


def test_the_picture_tells_what_is_seen():
    record = last()
    alt = draw({"CE": [record], "CB": []}).alt
    told = record.numbers["told"]
    assert f"{told:.0f} labels spread evenly: {record.numbers['even']:.1%}" in alt and "Over all classes: CE" in alt
    record.numbers["missing"] = 7.0
    assert "7 images of D_U are not there" in draw({"CE": [record]}).alt


# The page


class Answers:
    """A trial that answers from made-up numbers, and keeps what it was asked."""

    seed, device, quick = 0, "cpu", False

    def __init__(self, numbers):
        self.numbers, self.asked = numbers, []

    def run(self, variant, **changes):
        self.asked.append((variant, changes))
        found = self.numbers[variant]
        curves = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
        return type("Kept", (), {"curves": curves, "last": lambda _, number: curves[number][-1]})()


def test_claims_measure_what_they_say_and_all_of_it_is_in_the_grid():
    accuracies = {"CE": 0.7, "CE + D_U": 0.75, "CB": 0.72, "CB + D_U": 0.8, "turns": 0.71}
    trial = Answers({name: {"test_accuracy": value} for name, value in accuracies.items()} | {
        "threshold": {"drawn": [0.19, 0], "formula": [0.2, 0], "error": [0.16, 0.3]},
        "shells": {"linear": 0.5, "squared": 0.1},
    })  # fmt: skip
    found = {claim.id.removeprefix("value_of_labels_"): claim.measure(trial) for claim in PAGE.claims}
    wanted = {"bias": [0.01] * 2, "rounds": (balanced_error(0.6) - 0.16, 0.14), "shells": [0.4] * 2, "semi": 0.05,
              "thin": 0.05, "balanced": 0.08, "rest": [0.0] * 2, "turns": 0.01}  # fmt: skip
    assert found == {name: pytest.approx(value) for name, value in wanted.items()}
    kinds = {name: (PAGE.experiment, PAGE.variants[name]) for name in PAGE.variants} | dict(PAGE.besides)

    def keys(runs):
        return {key(kinds[variant][0](**kinds[variant][1] | changes)) for variant, changes in runs}

    assert len(keys(trial.asked)) >= 14 and keys(trial.asked) <= keys(PAGE.grid())


# Bad input


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: Tail(imbalance=0.9), "imbalance=0.9"),
        (lambda: Tail(largest=40, imbalance=50.0), "leaves the smallest class 1 of 40"),
        (lambda: Tail(factor=-1.0), "factor=-1.0"),
        (lambda: Tail(ratio=0.6), "ratio=0.6"),
        (lambda: Tail(learner="semis"), "did you mean 'semi'"),
        (lambda: tail_and_rest(401, 2, 0, 1, 0), "largest=401 is more than the 400 images of digit"),
        (lambda: tail_and_rest(40, 2, 1, 0.5, 0), "imbalance_rest=0.5"),
        (lambda: learn(nn.Sequential(), torch.zeros(2, 1, 1, 3, 3), torch.zeros(3), steps=1), "for 2 images"),
        (lambda: views_of(torch.zeros(1, 1, 3, 3), "weak", 0), "kind='weak' is not known"),
        (lambda: class_weights(torch.tensor([1, 2]), 1.0), "beta=1.0"),
        (lambda: Threshold(start=2.0), "start=2.0"),
        (lambda: Shells(rare=0.0), "rare=0.0"),
    ],
)
def test_what_cannot_be_is_refused_at_once(call, says):
    with pytest.raises(ValueError, match=says):
        call()
