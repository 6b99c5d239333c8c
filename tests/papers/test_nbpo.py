"""Directions beside autograd, a step beside a double loop, NDCG beside scikit-learn's, flips beside what was hidden."""

import numpy as np
import pytest
import torch
from made_up import Answers
from scipy.special import expit, logit
from sklearn.metrics import ndcg_score
from torch import sigmoid

from nlkit.data.load import load
from nlkit.data.votes import HIDINGS, shop
from nlkit.learning.recommending import check_votes, f1_and_ndcg, fit, pairs_of, ranked, step_of_batch
from nlkit.papers.nbpo import (
    HELD,
    LIKELIHOOD,
    METHODS_OF_VOTES,
    PAGE,
    PRIORS,
    TOLD,
    Voting,
    bpo,
    bpr,
    draw,
    likelihood,
    nbpo,
    no_log,
    no_vote,
)
from nlkit.randomness import seeded_generator


def four(seed=0, count=50):
    return torch.randn(4, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2


# Directions


@pytest.mark.parametrize("log", [True, False])
def test_likelihood_and_no_log_are_what_autograd_says(log):
    x = four().requires_grad_()
    R_i, g_i, R_j, g_j = x
    vote, none = sigmoid(-g_i) * sigmoid(R_i), 1 - sigmoid(-g_j) * sigmoid(R_j)
    (vote.log() + none.log() if log else vote + none).sum().backward()
    torch.testing.assert_close(torch.stack((likelihood if log else no_log)(*x.detach())), x.grad)
    torch.testing.assert_close(no_vote(R_j, g_j), none)


def test_bpr_and_bpo_are_what_autograd_says():
    for direction, objective in (
        (bpr, lambda R_i, R_j: sigmoid(R_i - R_j).log()),
        (bpo, lambda R_i, R_j: sigmoid(R_i).log() + (1 - sigmoid(R_j)).log()),
    ):
        x = four(1).requires_grad_()
        objective(x[0], x[2]).sum().backward()
        torch.testing.assert_close(torch.stack(direction(*x.detach())), x.grad)


def test_without_flips_nbpo_and_likelihood_are_bpo_and_with_all_flipped_no_vote_says_nothing():
    R_i, _, R_j, _ = four(2)
    never, always = torch.full_like(R_i, -40), torch.full_like(R_i, 40)
    for direction in (nbpo, likelihood):
        found = direction(R_i, never, R_j, never)
        for place in (0, 2):
            torch.testing.assert_close(found[place], bpo(R_i, never, R_j, never)[place])
    assert likelihood(R_i, always, R_j, always)[2].abs().max() < 1e-12


def test_nbpo_draws_what_has_no_vote_to_a_soft_label_and_weighs_votes_by_how_likely_they_are():
    flip = torch.tensor([0.0, 0.3, 0.5, 0.9], dtype=torch.float64)
    g = torch.logit(flip, eps=1e-15)
    rest = torch.logit(flip / (1 + flip), eps=1e-15)
    assert nbpo(rest, g, rest, g)[2].abs().max() < 1e-12
    assert (nbpo(rest - 1, g, rest - 1, g)[2][1:] > 0).all() and (nbpo(rest + 1, g, rest + 1, g)[2] < 0).all()
    torch.testing.assert_close(nbpo(rest, g, rest, g)[0], (1 - flip) * bpo(rest, g, rest, g)[0])


def mixed_second(by_R, by_g, R, g):
    """The derivatives of a direction by R by γ, and of one by γ by R: alike if both are of one function."""
    return [torch.autograd.grad(by.sum(), x, retain_graph=True)[0] for by, x in ((by_R, g), (by_g, R))]


def test_nbpo_is_the_gradient_of_nothing():
    R, g = four(3)[:2].requires_grad_()
    by_R, by_g = nbpo(R, g, R, g)[2:]
    first, second = mixed_second(by_R, by_g, R, g)
    assert (first - second).abs().max() > 0.1
    by_R, by_g = likelihood(R, g, R, g)[2:]
    torch.testing.assert_close(*mixed_second(by_R, by_g, R, g))


# Steps


def votes_of(customers=10, items=8, share=0.4, seed=0):
    votes = torch.rand(customers, items, generator=torch.Generator().manual_seed(seed)) < share
    votes[:, 0], votes[:, 1] = True, False
    return votes


@pytest.mark.parametrize("name", ["BPR", "NBPO"])
def test_a_step_is_a_double_loop_over_pairs_in_which_repeated_ones_count_again(name):
    direction, tables = METHODS_OF_VOTES[name], torch.randn(2, 10, 8, dtype=torch.float64)
    u, i = torch.tensor([3, 3, 0, 3]), torch.tensor([1, 1, 7, 2])
    j = torch.tensor([[4, 4], [4, 5], [0, 1], [1, 4]])
    expected = torch.zeros(2, 10, 8, dtype=torch.float64)
    for customer, liked, others in zip(u.tolist(), i.tolist(), j.tolist()):
        for other in others:
            at = [tables[by, customer, item] for item in (liked, other) for by in (0, 1)]
            for value, (item, by) in zip(direction(*at), ((liked, 0), (liked, 1), (other, 0), (other, 1))):
                expected[by, customer, item] += value
    torch.testing.assert_close(torch.stack(step_of_batch(direction, tuple(tables), u, i, j)), expected)


def test_an_epoch_has_each_vote_once_and_items_without_one_equally_often():
    votes, counts = votes_of(), torch.zeros(10, 8)
    for ((u, i, j),) in pairs_of(votes, 4, 300, torch.Generator().manual_seed(0)):
        assert sorted(torch.stack([u, i], 1).tolist()) == votes.nonzero().tolist()
        counts.index_put_((u[:, None].expand_as(j), j), torch.ones(()), accumulate=True)
    assert (counts[votes] == 0).all()
    expected = 300 * 4 * votes.sum(1) / (~votes).sum(1)
    torch.testing.assert_close(counts[~votes], expected[:, None].expand(10, 8)[~votes], rtol=0.2, atol=0)


def test_the_first_epoch_is_written_out():
    votes = votes_of(6, 5)
    for flips in (None, 0.3):
        (R, g), *_ = fit(votes, nbpo, flips=flips, factors=3, rate=0.1, decay=2.0, flip_decay=3.0, epochs=1, seed=4)
        generator = seeded_generator(4, "factors")
        U, W, P, Q = (torch.rand(n, 3, generator=generator).numpy() / np.sqrt(3) for n in (6, 5) * 2)
        P, Q = 5 * P, -5 * Q
        (((u, i, j),),) = pairs_of(votes, 4, 1, seeded_generator(4, "pairs"))
        gamma = P @ Q.T if flips is None else np.full((6, 5), logit(0.3), np.float32)
        dR, dg = step_of_batch(nbpo, (torch.from_numpy(U @ W.T), torch.from_numpy(gamma)), u, i, j)
        new = U + 0.1 * (dR.numpy() @ W - 2 * U), W + 0.1 * (dR.numpy().T @ U - 2 * W)
        np.testing.assert_allclose(R, new[0] @ new[1].T, rtol=1e-4, atol=1e-6)
        if flips is None:
            gamma = (P + 0.1 * (dg.numpy() @ Q - 3 * P)) @ (Q + 0.1 * (dg.numpy().T @ P - 3 * Q)).T
        np.testing.assert_allclose(g, gamma, rtol=1e-4)


def test_told_how_many_likes_are_hidden_the_likelihood_finds_the_true_rates_of_two_blocks():
    """Customers of two kinds, items of two kinds; likes by 0.8 and 0.2, of which 0.4 are hidden."""
    generator = torch.Generator().manual_seed(0)
    kind = (torch.arange(200)[:, None] < 100) == (torch.arange(80) < 40)
    rates = torch.where(kind, 0.8, 0.2)
    votes = (torch.rand(200, 80, generator=generator) < rates) & (torch.rand(200, 80, generator=generator) < 0.6)
    settings = {"flips": 0.4, "factors": 2, "rate": 0.05, "decay": 0.1, "epochs": 60}

    def even(R_i, g_i, R_j, g_j):  # as if each vote and each item without one was seen once
        by = likelihood(R_i, g_i, R_j, g_j)
        return by[0] / 4, by[1], by[2] * free / (4 * many), by[3]

    many, free = votes.sum(1).double().mean(), (~votes).sum(1).double().mean()
    *_, (R, _) = fit(votes, even, **settings)
    for block in (kind, ~kind):
        assert sigmoid(R)[block].mean().item() == pytest.approx(rates[block].mean().item(), abs=0.07)


# Rankings


def test_f1_and_ndcg_are_scikit_learns_and_a_count_by_hand():
    votes, scores = votes_of(30, 12, 0.3, seed=1), torch.randn(30, 12, dtype=torch.float64)
    hidden = ~votes & (torch.rand(30, 12, generator=torch.Generator().manual_seed(2)) < 0.4)
    hidden[0] = False
    top = ranked(scores, votes, 4)
    assert not votes.gather(1, top).any()
    f1, ndcg = [], []
    for row in range(30):
        if hidden[row].any():
            free = ~votes[row]
            ndcg.append(ndcg_score([hidden[row][free].numpy()], [scores[row][free].numpy()], k=4))
            found = set(hidden[row].nonzero().flatten().tolist()) & set(top[row, :3].tolist())
            precision, recall = len(found) / 3, len(found) / int(hidden[row].sum())
            f1.append(0 if not found else 2 * precision * recall / (precision + recall))
    assert f1_and_ndcg(scores, votes, hidden, 3, 4) == pytest.approx((np.mean(f1), np.mean(ndcg)))
    assert f1_and_ndcg(hidden.double(), votes, hidden, 3, 4)[1] == pytest.approx(1)


# The shop


@pytest.mark.parametrize("hiding", HIDINGS)
def test_of_the_likes_the_share_that_is_asked_for_is_hidden_in_the_way_that_is_told(hiding):
    ours, more = shop(400, 0.4, hiding, 1), shop(400, 0.7, hiding, 1)
    assert torch.equal(ours.likes, more.likes) and (more.votes <= ours.votes).all() and (ours.votes <= ours.likes).all()
    gone = (ours.likes & ~ours.votes).sum(0) / ours.likes.sum(0)
    assert ours.votes.sum() / ours.likes.sum() == pytest.approx(0.6, abs=0.01)
    popular = ours.likes.sum(0) > 100
    assert (gone - ours.hiding)[popular].abs().max() < 0.15
    assert (ours.hiding.std() > 0.3) == (hiding == "by item") and (ours.likes.sum(0) >= 20).all()
    check_votes(more.votes)


def test_customers_are_digits_and_like_what_is_lit():
    ours, data = shop(50, 0.5, "by chance", 3), load("mnist5k")
    images = torch.cat([data.train_images, data.test_images]).flatten(1)[:, ours.places]
    whole = {(image * 0.3081 + 0.1307 > 0.5).numpy().tobytes() for image in images}
    assert all(row.numpy().tobytes() in whole for row in ours.likes)
    assert (shop(2000, 0.95, "by item", 0).votes.sum(1) > 0).all()


# The experiment


@pytest.fixture(scope="module")
def runs():
    settings = {"customers": 60, "epochs": 3, "hiding": "by item"}
    return {
        name: list(Voting(**PAGE.variants[name], **settings).run()) for name in ("BPO", "NBPO", LIKELIHOOD, TOLD, HELD)
    }


def test_records_hold_what_the_fit_gives(runs):
    ours = shop(60, 0.5, "by item", 0)
    hidden, epochs = ours.likes & ~ours.votes, {"epochs": 3, "seed": 0}
    for name, direction, settings in (
        ("BPO", bpo, {}), ("NBPO", nbpo, {"flip_decay": 5.0}), (LIKELIHOOD, likelihood, {"flip_decay": 0.5}),
        (TOLD, likelihood, {"flips": ours.hiding}), (HELD, nbpo, {"flips": 0.5}),
    ):  # fmt: skip
        assert [record.epoch for record in runs[name]] == [1, 2, 3]
        *_, (R, g) = fit(ours.votes, direction, **settings, **epochs)
        popular = ours.votes.sum(0).double().expand(R.shape)
        expected = dict(zip(("f1", "ndcg"), f1_and_ndcg(R, ours.votes, hidden, 10, 20)))
        expected |= {"popular": f1_and_ndcg(popular, ours.votes, hidden, 10, 20)[1]}
        if name != "BPO":
            flip, like = expit(g.numpy()), expit(R.numpy())
            chance = flip * like / (1 - like + flip * like)
            expected |= {"flip": flip.mean(), "hidden": chance[hidden].mean(), "disliked": chance[~ours.likes].mean()}
        assert dict(runs[name][-1].numbers) == pytest.approx(expected)
    assert PRIORS["NBPO"] == 5 and Voting(prior=2.0).prior == 2


def test_the_picture_tells_how_many_are_found(runs):
    some = {name: runs[name] for name in ("BPO", "NBPO", LIKELIHOOD)}
    told = draw(some).alt
    for name, records in some.items():
        shown = records[-1].shown
        hits = sum(int(shown["hidden"][row][shown["top"][row]].sum()) for row in range(5))
        assert f"{name} finds {hits} hidden likes of 5 customers." in told
        assert f"{name} {records[-1].numbers['ndcg']:.1%}" in told
    assert f"most popular {runs['BPO'][-1].numbers['popular']:.1%}" in told and "No run yet" in draw({}).alt


def test_claims_measure_what_they_say():
    def answer(e, number):
        value = {"BPR": 1, "BPO": 2, "NBPO": 4, "likelihood": 8, "no log": 16}[e.method] + 100 * (e.flips == "held")
        return value + 1000 * (e.hiding == "by item") * e.ratio * (e.method == "likelihood") + 1 / e.rate + e.ratio

    found = {claim.id.removeprefix("nbpo_"): claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    assert found.pop("tuned") == (2, 3) and found.pop("ablations") == (-12, -4)
    assert found.pop("likelihood") == pytest.approx((506, 306)) and found.pop("half") == pytest.approx(
        [24.5, 24.2, 24.8]
    )
    assert found == {"bpo": 2, "bpr": 3, "held": -100, "by_item": 2}


# Bad input

V = votes_of()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: fit(V[0], bpo), "customers × items"),
        (lambda: fit(V.int() * 2, bpo), "of 0 and 1 alone"),
        (lambda: fit(V & torch.tensor([[False]] + [[True]] * 9), bpo), "customer 0 has no vote; leave out the 1"),
        (lambda: fit(torch.ones(3, 3), bpo), "customer 0 has no item left without one"),
        (lambda: fit(V, bpo, factors=0), "factors=0"),
        (lambda: fit(V, bpo, samples=0), "samples=0"),
        (lambda: fit(V, bpo, rate=0), "rate=0"),
        (lambda: fit(V, bpo, decay=21), "decay=21 must be a number from 0 to 20"),
        (lambda: fit(V, bpo, flips=1.2), "flips has values from 1.2 to 1.2"),
        (lambda: f1_and_ndcg(V.double(), V, V, 1, 2), "likes with a vote"),
        (lambda: f1_and_ndcg(V.double(), V, V & ~V, 1, 2), "0 in all"),
        (lambda: f1_and_ndcg(V.double(), V, ~V, 3, 2), "short=3"),
        (lambda: ranked(V.double(), V, 9), "most=9"),
        (lambda: shop(400, 0.97, "by chance", 0), "ratio=0.97"),
        (lambda: shop(400, 0.5, "by price", 0), "hiding='by price'"),
        (lambda: shop(9000, 0.5, "by item", 0), "customers=9000"),
        (lambda: Voting(prior=5.0), "prior=5.0"),
    ],
)
def test_what_can_not_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
