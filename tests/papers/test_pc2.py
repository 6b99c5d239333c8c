"""Pairs of halves, what searches across pairs share, and PC², beside loops, brute force, scipy and autograd."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch.nn import functional as F

from nlkit import load
from nlkit.contents import PAGES, experiment_of, grid_of
from nlkit.data.pairs import halves, mismatch
from nlkit.identity import key
from nlkit.learning.retrieval import Towers, average, divide, hardest, hinges, low_part, recalls
from nlkit.papers.pc2_training import CAPTIONS, WAYS, Correspondence, class_loss, lend, unrest
from tests.made_up import Answers

PAGE = PAGES["pc2"]
TINY = PAGE.tiny


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def chances(rows, classes, seed=0):
    return drawn(rows, classes, seed=seed).softmax(1)


def generator():
    return torch.Generator().manual_seed(0)


# Pairs


def test_both_halves_of_a_pair_are_of_one_digit_of_mnist5k():
    data, world = load("mnist5k"), halves("train", 100, 0.3, seed=2)
    digits = torch.cat([half.view(-1, 28, 14) for half in (world.images, world.captions)], 2)
    known = {image.numpy().tobytes(): int(label) for image, label in zip(data.train_images[:, 0], data.train_labels)}
    assert [known[digit.contiguous().numpy().tobytes()] for digit in digits] == world.labels.tolist()
    assert torch.equal(world.mismatched, world.given != torch.arange(100)) and world.mismatched.sum() > 20


def test_as_many_are_shuffled_among_themselves_as_asked_for_and_nested():
    assert torch.equal(mismatch(500, 0.0, 1), torch.arange(500))
    less, more = (mismatch(500, ratio, 1) for ratio in (0.2, 0.7))
    for given, count in ((less, 100), (more, 350)):
        moved = (given != torch.arange(500)).nonzero().flatten()
        assert count - 8 <= len(moved) <= count  # a few keep their own
        assert sorted(given.tolist()) == list(range(500)) and set(given[moved].tolist()) == set(moved.tolist())
    outside = set((less != torch.arange(500)).nonzero().flatten().tolist())
    outside -= set((more != torch.arange(500)).nonzero().flatten().tolist())
    assert len(outside) < 8
    assert not torch.equal(mismatch(500, 0.7, 2), more)


# Search


def test_the_triplet_losses_are_those_of_a_double_loop():
    S, y = drawn(7, 7).tanh(), torch.linspace(0, 1, 7, dtype=torch.float64)

    def loop(pick, margins):
        found = []
        for i in range(7):
            others = [j for j in range(7) if j != i]
            one = [max(0.0, float(margins[i] - S[i, i] + S[i, j])) for j in others]
            other = [max(0.0, float(margins[i] - S[i, i] + S[j, i])) for j in others]
            found.append(pick(one) + pick(other))
        return found

    assert average(S).tolist() == pytest.approx(loop(np.mean, [0.2] * 7))
    assert hardest(S).tolist() == pytest.approx(loop(max, [0.2] * 7))
    assert hardest(S, y).tolist() == pytest.approx(loop(max, [0.2 * (10**v - 1) / 9 for v in y.tolist()]))


def test_the_margin_grows_from_none_to_all_of_it_and_its_growth_grows():
    S = torch.zeros(5, 5, dtype=torch.float64)  # all alike: what is lacking is the margin
    y = torch.linspace(0, 1, 5, dtype=torch.float64)
    margin = hinges(S, y, 0.3)[0].amax(1)
    assert margin[[0, 4]].tolist() == pytest.approx([0, 0.3])
    assert (margin.diff() > 0).all() and (margin.diff(n=2) > 0).all()
    assert hardest(S, y).tolist() == pytest.approx((2 * hinges(S, y)[0].amax(1)).tolist())
    assert hardest(torch.eye(5)).sum() == 0 == average(torch.eye(5)).sum()


@pytest.mark.parametrize("ties", [False, True])
def test_recall_is_counted_as_by_brute_force(ties):
    S = drawn(40, 40)
    S = S.round() if ties else S
    found = recalls(S)
    for k in (1, 5, 10):
        for name, rows in ((f"captions@{k}", S), (f"images@{k}", S.T)):
            right = [sum(bool(rows[i, j] >= rows[i, i]) for j in range(40) if j != i) < k for i in range(40)]
            assert found[name] == pytest.approx(np.mean(right))
    assert set(recalls(torch.zeros(50, 50)).values()) == {0.0}  # all alike is no find


def test_chance_finds_k_of_n():
    found = recalls(drawn(1000, 1000, seed=3))
    for name, share in found.items():
        k = int(name.split("@")[1])
        assert abs(share - k / 1000) < 4 * (k / 1000**2) ** 0.5


def test_a_mixture_names_the_lower_clump_and_alike_values_are_all_in_it():
    low, high = 0.1 * torch.rand(300, generator=generator()), 2 + 0.3 * torch.rand(100, generator=generator())
    assert (low_part(torch.cat([low, high])) > 0.5).tolist() == [True] * 300 + [False] * 100
    assert low_part(torch.ones(9)).tolist() == [1.0] * 9


def test_a_split_never_calls_all_pairs_clean_and_never_fewer_than_64():
    alike = divide(torch.ones(300))
    assert (~alike.clean).sum() == 3 and alike.y.tolist() == [1.0] * 300
    losses = torch.cat([torch.rand(10, generator=generator()), 9 + torch.rand(390, generator=generator())])
    split = divide(losses)
    assert split.clean.sum() == 64 and losses[split.clean].max() < losses[~split.clean].min()


def test_pairs_at_rest_are_trusted_more_and_restless_ones_not_less():
    losses = torch.cat([torch.rand(200, generator=generator()), 1 + torch.rand(200, generator=generator())])
    o = torch.where(torch.arange(400) % 2 == 0, 0.01, 3.0) + 0.01 * torch.rand(400, generator=generator())
    plain, minded = divide(losses), divide(losses, o)
    assert torch.equal(plain.clean, minded.clean)
    assert minded.y[::2].tolist() == pytest.approx([1.0] * 200, abs=1e-3)
    assert torch.equal(minded.y[1::2], plain.y[1::2]) and (plain.y[::2] < 0.9).any()


def test_towers_give_vectors_of_length_one_and_share_a_head():
    towers, x, z = Towers(6, 5, 3, seed=1), drawn(4, 6).float(), drawn(4, 5).float()
    u, t = towers.embed(x, z)
    assert u.norm(dim=1).tolist() == pytest.approx([1] * 4) == t.norm(dim=1).tolist()
    assert torch.allclose(towers.classes(x), towers.head(u).softmax(1))
    assert torch.equal(Towers(6, 5, 3, seed=1).head[0].weight, towers.head[0].weight)


# PC²


def test_the_class_loss_is_cross_entropy_less_the_entropy_of_the_mean():
    of_images, of_captions = drawn(9, 4).requires_grad_(), drawn(9, 4, seed=1).requires_grad_()
    value = class_loss(of_images, of_captions, 0.7)
    p = of_images.softmax(1).detach().numpy()
    told = of_captions.argmax(1).numpy()
    assert value.item() == pytest.approx(-np.log(p[range(9), told]).mean() - 0.7 * entropy(p.mean(0)))
    value.backward()
    assert of_images.grad.abs().sum() > 0 and of_captions.grad is None


def test_unrest_is_the_divergence_of_what_is_said_now_from_what_was():
    now, before = chances(6, 5), chances(6, 5, seed=1)
    assert unrest(now, before).tolist() == pytest.approx([entropy(p, q) for p, q in zip(now, before)])
    assert unrest(now, now).abs().max() < 1e-12
    assert torch.isfinite(unrest(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))).all()


def test_a_caption_is_lent_by_the_image_of_the_most_similar_classes():
    p, q = chances(8, 5) ** 2, chances(20, 5, seed=1) ** 2
    k, y = lend(p, q)
    cosines = F.cosine_similarity(p[:, None], q[None], dim=2)
    assert k.tolist() == cosines.argmax(1).tolist() and y.tolist() == pytest.approx(cosines.amax(1).tolist())
    far, none = lend(torch.eye(3)[:1], torch.tensor([[0.0, 0.4, 0.6], [0.3, 0.7, 0.0]]))
    assert far.tolist() == [1] and none.tolist() == [0]


@pytest.mark.parametrize("source", CAPTIONS)
def test_captions_come_from_where_they_are_said_to(source):
    run = Correspondence(captions=source, pairs=400)
    world, _ = run.problem()
    noisy, clean = world.mismatched.nonzero().flatten()[:50], (~world.mismatched).nonzero().flatten()[:100]
    places, y = run._captions(Towers(392, 392, 16), world, noisy, clean, generator())
    expected = {"given": world.given[noisy], "true": noisy}
    if source in expected:
        assert torch.equal(places, expected[source]) and (y == 1).all()
    else:
        assert set(places.tolist()) <= set(clean.tolist())
        alike = (world.labels[places] == world.labels[noisy]).double().mean()
        assert alike == 1 if source == "same digit" else alike < 0.6
    assert source != "random" or len(set(places.tolist())) > 25


def numbers_of(**changes):
    *_, last = Correspondence(**{**TINY, "record_every": 100, **changes}).run()
    return last.numbers


def test_without_captions_and_unrest_pc2_is_co_dividing_with_classes_and_without_these_the_forerunner():
    plain, bare = numbers_of(method="class head"), numbers_of(weight=0.0, oscillation=False)
    assert {name: bare[name] for name in plain} == plain
    assert numbers_of(method="class head", eta=0.0) == numbers_of(method="co-divided") != plain


def test_each_part_changes_the_run_and_how_often_is_recorded_does_not():
    whole = numbers_of(length=5)
    for change in ({"weight": 0.0}, {"oscillation": False}, {"captions": "true"}):
        assert numbers_of(length=5, **change)["recall"] != whole["recall"], change
    records = list(Correspondence(**{**TINY, "length": 5}).run())
    assert records[-1].numbers == whole and [r.epoch for r in records] == [1, 2, 3, 4, 5]
    assert "split" not in records[0].numbers and "split" in records[1].numbers


def test_a_record_tells_how_well_the_pairs_were_split_and_shows_whole_digits():
    *_, last = Correspondence(**TINY).run()
    world, tested = Correspondence(**TINY).problem()
    assert (
        last.numbers["recall"] == pytest.approx(sum(v for n, v in last.numbers.items() if "@" in n) / 6)
        and len(tested.images) == 500
    )
    digits = load("mnist5k").train_images[:, 0].numpy()
    assert all((digits == digit).all((1, 2)).any() for digit in last.shown["true"])
    assert not any((digits == digit).all((1, 2)).any() for digit in last.shown["given"])
    assert last.shown["lent"].shape == (12, 28, 28)


def test_the_picture_tells_what_was_lent_and_how_each_ends():
    runs = {name: list(Correspondence(**TINY, method=name).run()) for name in WAYS[2:]}
    told = PAGE.picture(runs).alt
    assert f"{runs['PC²'][-1].numbers['same']:.0%} of those that are lent" in told
    assert f"class head {runs['class head'][-1].numbers['recall']:.1%}" in told
    assert "No run yet" in PAGE.picture({}).alt


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: mismatch(100, 1.1, 0), "ratio=1.1 must be a number from 0 to 1"),
        (lambda: halves("train", 63), "count=63 must be a whole number from 64"),
        (lambda: halves("test", 5000), "there are 1,000 test digits"),
        (lambda: hinges(torch.eye(3), 1.0, 0), "alpha=0 must be a number above 0"),
        (lambda: Towers(3, 3, 1), "classes=1"),
        (lambda: Correspondence(batch=7), "batch=7"),
        (lambda: Correspondence(pairs=63), "pairs=63"),
        (lambda: Correspondence(captions="wrong"), "captions='wrong'"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("pc2", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)
    assert all(key(experiment_of(PAGE, name, record_every=100, seed=0)) in map(key, grid) for name in WAYS)


def test_claims_measure_what_they_say():
    sources = {"pseudo": 1, "given": 2, "random": 4, "same digit": 8, "true": 16}

    def answer(e, number):
        of_method = 100 * WAYS.index(e.method) * (1 + e.ratio)
        lent = e.weight * 5 * sources[e.captions] * (e.method == "PC²")
        return of_method + lent if number == "recall" else 3 * of_method

    measured = {c.id.removeprefix("pc2_"): c.measure(Answers(PAGE, answer)) for c in PAGE.claims}
    assert measured.pop("classes") == pytest.approx([120, 140])
    assert measured.pop("split") == pytest.approx([420]) and measured.pop("free") == pytest.approx([100])
    assert measured.pop("unrest") == pytest.approx(140)
    assert measured.pop("given") == pytest.approx(-1) and measured.pop("left_out") == pytest.approx(1)
    assert measured.pop("weight") == pytest.approx(5)
    assert measured.pop("same_digit") == pytest.approx((-8, 16))
    assert not measured
