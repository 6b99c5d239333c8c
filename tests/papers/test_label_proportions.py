"""Learning from label proportions: beliefs against all labelings there are, fits against plain loops, and bad input."""

import itertools
import math

import numpy
import pytest
import torch
from scipy.sparse import csr_array
from scipy.special import comb, expit
from scipy.stats import poisson_binom
from torch.nn import functional as F

from nlkit.data.bags import Bags, check_bags, counted, proportions_problem, random_bags, single_labels
from nlkit.identity import key
from nlkit.learning.bag_beliefs import MESSAGES, SURE, bag_messages, likeness, pair_terms, propagate
from nlkit.learning.from_proportions import embedded, fit, new_network, positive
from nlkit.papers.label_proportions import LAST, PAGE, Counts, draw
from nlkit.randomness import seeded_generator

LABELINGS = numpy.array(list(itertools.product((0, 1), repeat=10)))
FIVES = Bags(numpy.arange(10).reshape(2, 5), numpy.array([2, 4]))
FOURS = Bags(numpy.array([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, -1, -1]]), numpy.array([1, 3, 1]))  # the last one smaller
EDGE = {(1, 7): 0.8}
EDGES = EDGE | {(0, 1): 0.6, (3, 9): 0.3, (2, 8): 0.9}


def graph(edges, count=10):
    found = numpy.zeros((count, count))
    for (i, j), s in edges.items():
        found[i, j] = found[j, i] = s
    return csr_array(found)


def log_p(bags, edges, lambda_b, lambda_s):
    """Of each labeling, as the squares say, but for a constant."""
    members = [row[row >= 0] for row in bags.places]
    off = sum((LABELINGS[:, m].sum(1) - s) ** 2 for m, s in zip(members, bags.counts))
    unlike = sum(s * (LABELINGS[:, i] - LABELINGS[:, j]) ** 2 for (i, j), s in edges.items())
    return -lambda_b * off - lambda_s * unlike


def exact(bags, edges, lambda_b, lambda_s=2.0):
    p = numpy.exp((e := log_p(bags, edges, lambda_b, lambda_s)) - e.max())
    return p @ LABELINGS / p.sum()


def last(bags, edges=EDGE, **options):
    *_, found = propagate(graph(edges, int(bags.places.max()) + 1), bags, **options)
    return found


# Beliefs


@pytest.mark.parametrize("lambda_b", [0.1, 10.0])
@pytest.mark.parametrize("bags", [FIVES, FOURS])
def test_on_a_tree_of_factors_counts_give_the_exact_answer(bags, lambda_b):
    found = last(bags, lambda_b=lambda_b)
    assert found.positive == pytest.approx(exact(bags, EDGE, lambda_b), abs=1e-12) and found.change < 1e-9


@pytest.mark.parametrize("bags", [FIVES, FOURS])
def test_pair_terms_are_the_squares_up_to_a_constant_on_every_labeling(bags):
    single, pairs = pair_terms(graph(EDGES), bags, 0.7, 2.0)
    found = LABELINGS @ single + ((LABELINGS @ pairs.toarray()) * LABELINGS).sum(1) / 2
    assert numpy.ptp(found - log_p(bags, EDGES, 0.7, 2.0)) < 1e-10


def test_soft_counts_go_either_way_and_stiff_ones_only_as_a_whole():
    for messages in MESSAGES:
        soft = last(FIVES, EDGES, lambda_b=0.1, messages=messages)
        assert soft.positive == pytest.approx(exact(FIVES, EDGES, 0.1), abs=0.01)
    counts, pairs = (last(FIVES, EDGES, lambda_b=10.0, messages=messages) for messages in MESSAGES)
    wanted = exact(FIVES, EDGES, 10.0)
    assert counts.positive == pytest.approx(wanted, abs=0.06) and counts.change < 1e-9
    assert numpy.abs(pairs.positive - wanted).max() > 0.3 and pairs.change > 1


@pytest.mark.parametrize("lambda_b", [0.3, 20.0])
def test_without_likeness_all_members_are_believed_alike_and_in_the_end_in_proportion(lambda_b):
    bags = Bags(numpy.arange(12).reshape(2, 6), numpy.array([1, 4]))
    found = last(bags, lambda_b=lambda_b, lambda_s=0.0).positive.reshape(2, 6)
    counts = numpy.arange(7)
    for row, told in zip(found, bags.counts):
        chance = comb(6, counts) * numpy.exp(-lambda_b * (counts - told) ** 2)
        assert row == pytest.approx((chance * counts).sum() / chance.sum() / 6, abs=1e-10)
    if lambda_b == 20:
        assert found[:, 0] == pytest.approx(bags.proportions, abs=1e-6)


def test_bags_of_one_and_of_one_kind_tell_all():
    ones = Bags(numpy.arange(8)[:, None], numpy.arange(8) % 2)
    assert last(ones, lambda_s=0.0).positive == pytest.approx(expit(10 * (2 * ones.counts - 1)))
    for count in (0, 5):
        sure = last(Bags(FIVES.places, numpy.full(2, count)), EDGES).positive
        assert sure == pytest.approx(count / 5, abs=1e-3)


@pytest.mark.parametrize("messages", MESSAGES)
def test_counting_the_other_class_turns_beliefs_round(messages):
    other = Bags(FOURS.places, FOURS.inside.sum(1) - FOURS.counts)
    options = {"lambda_b": 0.4, "messages": messages}
    assert last(FOURS, EDGES, **options).positive == pytest.approx(1 - last(other, EDGES, **options).positive)


def test_what_a_bag_says_is_by_the_chances_of_the_others_count():
    g = numpy.random.default_rng(0).normal(size=10)
    found = bag_messages(g, FOURS, 0.8)
    for row, told in zip(FOURS.places, FOURS.counts):
        for i in row[row >= 0]:
            others = [j for j in row if j not in (i, -1)]
            r = poisson_binom(expit(g[others])).pmf(numpy.arange(len(others) + 1))
            yes, no = (r @ numpy.exp(-0.8 * (numpy.arange(len(r)) + own - told) ** 2) for own in (1, 0))
            assert found[i] == pytest.approx(math.log(yes / no))


def test_known_labels_stay_and_tell_the_rest_of_the_bag():
    evidence = numpy.zeros(10)
    evidence[[0, 1]] = SURE
    found = last(FIVES, {}, evidence=evidence).positive
    assert found[:5] == pytest.approx([1, 1, 0, 0, 0], abs=1e-3) and found[5:] == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("length, scale", [("median", None), ("one", 1.0)])
def test_likeness_is_of_the_nearest_by_cosine_and_falls_with_distance(length, scale):
    x = numpy.random.default_rng(1).normal(size=(30, 4))
    unit = x / numpy.linalg.norm(x, axis=1, keepdims=True)
    order = numpy.argsort(-(unit @ unit.T) + 9 * numpy.eye(30), axis=1)[:, :3]
    joined = numpy.zeros((30, 30), dtype=bool)
    numpy.put_along_axis(joined, order, True, axis=1)
    far = numpy.linalg.norm(x[:, None] - x, axis=2)
    scale = scale or numpy.median(far[joined])
    wanted = numpy.where(joined | joined.T, numpy.exp(-far / scale), 0)
    assert likeness(x, 3, length).toarray() == pytest.approx(wanted)


# Networks


def plain(x, loss_of, steps, seed=0):
    """The same training, written out: of batches of 4 bags of 16."""
    network = new_network(x.shape[1], seed)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-3)
    draws = seeded_generator(seed, "bags of a step")
    for _ in range(steps // 2):
        for batch in torch.randperm(8, generator=draws).split(4):
            loss = loss_of(network, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


def test_it_is_the_cross_entropy_of_members_or_of_the_mean_of_a_bag():
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(128, 5, generator=draws), torch.rand(128, generator=draws)
    places = random_bags(128, 16, seed=3)
    bags = counted(places, (y > 0.5).numpy())

    def members(network, batch):
        at = places[batch.numpy()].ravel()
        return F.binary_cross_entropy(network(x[at])[:, 0].sigmoid(), y[at])

    def of_bags(network, batch):
        p = torch.stack([network(x[row])[:, 0].sigmoid().mean() for row in places[batch.numpy()]])
        s = torch.from_numpy(bags.proportions[batch.numpy()]).float()
        return -(s * p.log() + (1 - s) * (1 - p).log()).mean()

    for labels, loss_of in ((y, members), (None, of_bags)):
        *_, ours = fit(x, bags, labels, epochs=3)
        assert torch.allclose(ours(x), plain(x, loss_of, 6)(x), atol=1e-5)
    *_, other = fit(x, bags, y, epochs=3, aggregate=1.0)
    assert not torch.allclose(other(x), ours(x), atol=1e-3)
    assert torch.equal(embedded(ours, x).relu(), ours[:4](x)) and positive(ours, x).shape == (128,)


def test_nobody_in_a_smaller_bag_is_nobody():
    x, labels = torch.randn(10, 3, generator=torch.Generator().manual_seed(0)), numpy.arange(10) % 2
    moved = torch.cat([x, torch.full((1, 3), 1e6)])  # what place -1 is
    for given in (None, labels):
        more = None if given is None else numpy.append(given, 1)
        *_, ours = fit(x, FOURS, given, epochs=2, aggregate=0.5)
        *_, theirs = fit(moved, FOURS, more, epochs=2, aggregate=0.5)
        assert torch.allclose(ours(x), theirs(x), atol=1e-6)


# The world


def test_bags_hold_everybody_once_and_count_the_labels_that_were_given():
    problem = proportions_problem("digits", 16, 0.2, 10, 1)
    n = len(problem.x)
    assert sorted(problem.bags.places[problem.bags.inside]) == list(range(n)) and n + len(problem.test_x) == 1797
    assert problem.bags.places.shape == (math.ceil(n / 16), 16)
    for row, told in zip(problem.bags.places, problem.bags.counts):
        assert told == problem.given[row[row >= 0]].sum()
    assert (problem.given != problem.true).sum() == round(0.2 * n)
    less = proportions_problem("digits", 16, 0.1, 10, 1)
    assert ((less.given != less.true) <= (problem.given != problem.true)).all()
    assert problem.x.mean(0) == pytest.approx(0, abs=1e-9) and set(problem.x.std(0).round(6)) == {0.0, 1.0}
    assert 0.4 < problem.true.mean() < 0.6


def test_the_control_has_a_label_for_each_bag_and_the_known_ones():
    problem = proportions_problem("digits", 16, 0.2, 10, 1)
    single = single_labels(problem)
    bags, known = len(problem.bags.places), len(problem.known)
    assert known == 10 and len(set(single.places[:, 0])) == bags + known
    bag_of = problem.bags.spread(numpy.arange(bags), len(problem.x))
    assert bag_of[single.places[:bags, 0]].tolist() == list(range(bags))
    assert (single.counts[:bags] == problem.given[single.places[:bags, 0]]).all()
    assert (single.counts[bags:] == problem.true[problem.known]).all()


# The experiment


TINY = dict(PAGE.tiny)


def test_records_are_rounds_and_epochs_and_the_last_is_the_same_at_any_step():
    every = list(Counts(**TINY, turns=2, record_every=1).run())
    assert [r.epoch for r in every] == list(range(1, 13)) and Counts(**TINY, turns=2, record_every=1).epochs == 12
    assert [r.numbers["round"] for r in every] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10]
    assert math.isnan(every[4].numbers["auc"]) and every[6].numbers["auc"] == every[5].numbers["auc"]
    assert every[5].numbers["agree"] != every[11].numbers["agree"]  # likeness in the embedding
    (end,) = Counts(**TINY, turns=2, **LAST).run()
    assert end.numbers == every[-1].numbers
    true = proportions_problem("tumours", 16, 0.0, 0, 0).true
    assert end.numbers["right"] == ((end.shown["said"] >= 0.5) == true).mean()
    assert end.numbers["told"] == math.ceil(398 / 16)


def test_each_learner_learns_from_what_it_says():
    ends = {n: [*Counts(**TINY | {"passes": 8, "size": 2}, **v).run()][-1].numbers for n, v in PAGE.variants.items()}
    assert ends["all labels"]["auc"] > 0.97 and ends["beliefs"]["right"] > 0.8 and ends["DLLP"]["auc"] > 0.95
    assert all(math.isnan(ends[name]["change"]) for name in ("DLLP", "proportions", "all labels"))
    assert len({numbers["auc_single"] for numbers in ends.values()}) == 1
    half = Counts(**TINY, learner="proportions", size=64, lambda_s=0.0)
    assert [*half.run()][-1].numbers["right"] < ends["all labels"]["right"]


def test_the_picture_tells_what_is_seen():
    runs = {name: list(Counts(**TINY, **v).run()) for name, v in PAGE.variants.items()}
    alt = draw(runs).alt
    assert "after round 5" in alt and "25 ordinary labels: test AUC" in alt and "DLLP: " in alt
    assert "test AUC –" in draw({"beliefs": runs["beliefs"][:1], "DLLP": []}).alt


# The page


class Answers:
    """A trial that answers from made-up numbers, and keeps what it was asked."""

    seed, device, quick = 0, "cpu", False

    def __init__(self, numbers):
        self.numbers, self.asked = numbers, []

    def run(self, variant, **changes):
        self.asked.append((variant, changes))
        return type("Kept", (), {"last": lambda _, number: self.numbers[variant][number]})()


def test_claims_measure_what_they_say_and_all_of_it_is_in_the_grid():
    trial = Answers({"beliefs": {"right": 0.9, "auc": 0.8, "auc_single": 0.7}, "DLLP": {"auc": 0.75},
                     "pairs": {"right": 0.5}})  # fmt: skip
    found = {claim.id.removeprefix("label_proportions_"): claim.measure(trial) for claim in PAGE.claims}
    wanted = {"right": 0.9, "noisy": 0.05, "exact": 0.05, "tumours": [0.05] * 2, "turns": 0.0, "pairs": 0.4,
              "soft": 0.4, "single": 0.1}  # fmt: skip
    assert found == {name: pytest.approx(value) for name, value in wanted.items()}
    asked, made = ({key(Counts(**PAGE.variants[v] | c)) for v, c in runs} for runs in (trial.asked, PAGE.grid()))
    assert len(asked) >= 12 and asked <= made


# Bad input


NOBODY = numpy.array([[0, 1], [2, -1]])


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: check_bags(Bags(NOBODY, numpy.array([1, 1])), 4), "leave out 1 of 4 examples"),
        (lambda: check_bags(Bags(NOBODY, numpy.array([1, 1])), 2), "names example 2, and there are 2"),
        (lambda: check_bags(Bags(numpy.array([[0, 1], [1, 2]]), numpy.array([1, 1])), 3), "overlap: 1 examples"),
        (lambda: check_bags(Bags(NOBODY, numpy.array([1, 2])), 3), r"counts\[1\]=2 must be a whole number from 0 to 1"),
        (lambda: check_bags(Bags(NOBODY, numpy.array([0.5, 1])), 3), r"counts\[0\]=0.5"),
        (lambda: check_bags(Bags(NOBODY, numpy.array([1])), 3), "one count for each bag"),
        (lambda: random_bags(5, 6, 0), "size=6 must be a whole number from 1 to 5: there are 5 examples"),
        (lambda: likeness(numpy.eye(3), 3), "neighbours=3 must be a whole number from 1 to 2"),
        (lambda: likeness(numpy.eye(3) * [1, 1, 0], 1), r"x\[2\] is all zeros, so it has no cosine"),
        (lambda: propagate(graph({(0, 1): -0.1}), FIVES), "likeness of -0.1; it must be 0 or above"),
        (lambda: propagate(graph(EDGE, 11), FIVES), "leave out 1 of 11"),
        (lambda: propagate(graph(EDGE), FIVES, lambda_b=-1), "lambda_b=-1"),
        (lambda: propagate(graph(EDGE), FIVES, lambda_s=-1), "lambda_s=-1"),
        (lambda: propagate(graph(EDGE), FIVES, messages="count s"), "did you mean 'count'"),
        (lambda: fit(torch.zeros(10, 2), FIVES, numpy.full(10, 1.5)), "must be 10 numbers from 0 to 1"),
        (lambda: fit(torch.zeros(10, 2), FIVES, epochs=0), "epochs=0"),
        (lambda: Counts(size=1), "size=1"),
        (lambda: Counts(ratio=0.5), "ratio=0.5"),
        (lambda: proportions_problem("letters", 4, 0.0, 0, 0), "data='letters' is not known"),
    ],
)
def test_what_cannot_be_is_refused_at_once(call, says):
    with pytest.raises(ValueError, match=says):
        call()
