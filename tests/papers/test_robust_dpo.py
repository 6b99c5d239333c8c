"""Robust DPO: losses against formulas typed again, fits against scikit-learn and closed forms, pairs against counts."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from nlkit.data.load import load
from nlkit.data.preferences import draw_flips, linear_pairs, name_pairs, naming_task
from nlkit.learning.preferences import fit_linear, learn, margins, worth
from nlkit.papers.robust_dpo import LOSSES, Preferences, cdpo, dpo, rdpo, resting_margin
from nlkit.plots.margins import preference_margins
from nlkit.records import Step

H = torch.linspace(-12, 12, 97, dtype=torch.float64)
RATES = (0.0, 0.05, 0.1, 0.3, 0.45, 0.49)


def softplus(x):  # log(1 + e^x), by numpy
    return torch.from_numpy(np.logaddexp(0, x.numpy()))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logit(p):
    return float(np.log(p / (1 - p)))


# --- the losses


@pytest.mark.parametrize("epsilon", RATES)
def test_rdpo_is_dpo_on_clean_pairs_on_average_over_flips(epsilon):
    mean = (1 - epsilon) * rdpo(H, epsilon) + epsilon * rdpo(-H, epsilon)
    torch.testing.assert_close(mean, softplus(-H), atol=1e-12, rtol=0)


@pytest.mark.parametrize("epsilon", RATES)
def test_rdpo_pulls_margins_up_by_a_constant_force_and_cdpo_down(epsilon):
    torch.testing.assert_close(rdpo(H, epsilon) - softplus(-H), -epsilon / (1 - 2 * epsilon) * H, atol=1e-12, rtol=0)
    torch.testing.assert_close(cdpo(H, epsilon) - softplus(-H), epsilon * H, atol=1e-12, rtol=0)
    pulls = {dpo: 0.0, cdpo: -epsilon, rdpo: epsilon / (1 - 2 * epsilon)}
    for loss, more in pulls.items():
        h = H.clone().requires_grad_(True)
        (loss(h) if loss is dpo else loss(h, epsilon)).sum().backward()
        torch.testing.assert_close(-h.grad, torch.from_numpy(sigmoid(-H.numpy())) + more, atol=1e-12, rtol=0)


@given(h=st.floats(-30, 30), epsilon=st.floats(0, 0.49))
@settings(max_examples=60, deadline=None)
def test_the_library_that_an_author_wrote_for_has_the_same_loss(h, epsilon):
    """Its formula, from the two log-probabilities; here in the naive way, which is exact enough in this range."""
    at = torch.tensor([h], dtype=torch.float64)
    chance = sigmoid(h)
    theirs = (-np.log(chance) * (1 - epsilon) + np.log(1 - chance) * epsilon) / (1 - 2 * epsilon)
    assert rdpo(at, epsilon).item() == pytest.approx(theirs, rel=1e-9, abs=1e-3 if abs(h) > 20 else 1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_slopes_are_finite_far_out_and_agree_with_finite_differences(loss):
    for far in (-1000.0, -40.0, 40.0, 1000.0):
        h = torch.tensor([far], dtype=torch.float64, requires_grad=True)
        value = LOSSES[loss](h, 0.3, 0.5)
        value.sum().backward()
        up, down = (LOSSES[loss](h.detach() + d, 0.3, 0.5) for d in (1e-3, -1e-3))
        assert torch.isfinite(value).all()
        torch.testing.assert_close(h.grad, (up - down) / 2e-3, atol=1e-6, rtol=1e-6)


def test_without_flips_all_three_are_one():
    torch.testing.assert_close(rdpo(H, 0.0), dpo(H))
    torch.testing.assert_close(cdpo(H, 0.0), dpo(H))


# --- margins


def test_margins_are_those_of_the_formula_and_do_not_see_what_the_prompt_alone_adds():
    generator = torch.Generator().manual_seed(5)
    policy, reference = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64).log_softmax(2)
    w, other = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([1, 2, 3, 0, 2, 3])
    p, r = np.exp(policy.numpy()), np.exp(reference.numpy())
    pairs = list(enumerate(zip(w.tolist(), other.tolist())))
    by_hand = [0.3 * (np.log(p[n, a] / r[n, a]) - np.log(p[n, b] / r[n, b])) for n, (a, b) in pairs]
    h = margins(policy, reference, w, other, 0.3)
    np.testing.assert_allclose(h.numpy(), by_hand, atol=1e-12)
    of_prompt = torch.randn(6, 1, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(margins(policy + of_prompt, reference + of_prompt, w, other, 0.3), h)
    torch.testing.assert_close(margins(policy, reference, other, w, 0.3), -h)


# --- the known truth


def test_dpo_on_linear_policies_is_logistic_regression_without_intercept():
    """What is said is turned into a label: pairs of either order, and which one was meant."""
    x = linear_pairs(3000, 0.2, 1).differences
    order = torch.where(torch.arange(3000) % 2 == 0, 1.0, -1.0).double()
    theirs = LogisticRegression(C=1e10, fit_intercept=False, tol=1e-10, max_iter=1000)
    theirs.fit((x * order[:, None]).numpy(), (order > 0).numpy())
    np.testing.assert_allclose(fit_linear(x, dpo, bound=100).numpy(), theirs.coef_[0], atol=1e-4)


def test_on_a_whole_population_rdpo_finds_the_truth_and_dpo_less():
    """One feature, P(a ≻ b) = 0.8, and a quarter turned round: 65 of 100 pairs say so."""
    said = torch.cat([torch.ones(65, 1), -torch.ones(35, 1)])
    found = {loss: fit_linear(said, lambda h, loss=loss: LOSSES[loss](h, 0.25, 1.0)).item() for loss in LOSSES}
    assert found["rdpo"] == pytest.approx(logit(0.8), abs=1e-4)
    assert found["dpo"] == pytest.approx(logit(0.5 * 0.8 + 0.25), abs=1e-4)
    assert found["cdpo"] == pytest.approx(logit(0.75 * 0.65 + 0.25 * 0.35), abs=1e-4)


@pytest.mark.parametrize("told", [0.0, 0.1, 0.25, 0.4])
@pytest.mark.parametrize("epsilon", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_resting_margin_is_where_a_fit_to_a_thousand_equal_pairs_ends(loss, epsilon, told):
    turned = round(1000 * epsilon)
    said = torch.cat([torch.ones(1000 - turned, 1), -torch.ones(turned, 1)])
    found = fit_linear(said, lambda h: LOSSES[loss](h, told, 1.0), bound=8.0).item()
    expected = resting_margin(loss, epsilon, told)
    assert found == pytest.approx(min(expected, 8.0), abs=0.02) if expected < 8 else found > 7


def test_people_prefer_as_bradley_terry_and_luce_say_and_are_turned_round_at_the_rate():
    for rate in (0.0, 0.3):
        pairs = linear_pairs(40_000, rate, 2)
        h = (pairs.differences @ pairs.theta).numpy()
        assert np.linalg.norm(pairs.theta) == pytest.approx(2)
        for low, high in ((0, 0.5), (0.5, 1.5), (1.5, 3), (3, 9)):
            here = (abs(h) >= low) & (abs(h) < high)
            expected = ((1 - 2 * rate) * sigmoid(abs(h[here])) + rate).mean()
            assert (h[here] > 0).mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / here.sum()))
        assert pairs.flipped.double().mean() == pytest.approx(rate, abs=0.01)


# --- pairs of names


@given(classes=st.integers(2, 12), images=st.integers(1, 60), count=st.integers(1, 150), rate=st.floats(0, 0.49))
@settings(max_examples=50, deadline=None)
def test_pairs_have_the_true_name_and_a_wrong_one_turned_round_where_flipped(classes, images, count, rate):
    labels = torch.arange(images) % classes
    image, preferred, other, flipped = name_pairs(labels, classes, count, rate, seed=3)
    better, worse = torch.where(flipped, other, preferred), torch.where(flipped, preferred, other)
    assert torch.equal(better, labels[image])
    assert (worse != better).all() and worse.min() >= 0 and worse.max() < classes
    seen = torch.bincount(image, minlength=images)
    assert seen.max() - seen.min() <= 1  # all images as often
    more = name_pairs(labels, classes, count + 40, min(rate + 0.1, 0.49), seed=3)
    assert torch.equal(more.image[:count], image)
    assert more.flipped[:count][flipped].all()  # nested in the rate


def test_wrong_names_are_all_as_likely():
    pairs = name_pairs(torch.zeros(100, dtype=torch.long), 10, 18_000, 0.0, 7)
    counts = torch.bincount(pairs.other, minlength=10)
    assert counts[0] == 0 and (counts[1:] - 2000).abs().max() < 4 * 45


def test_flips_are_drawn_at_their_rate():
    assert draw_flips(40_000, 0.3, 0).double().mean() == pytest.approx(0.3, abs=0.01)


def test_the_reference_is_made_of_other_images_and_stays_as_it_is():
    before = torch.random.get_rng_state()
    task = naming_task(load("mnist5k"), "linear", 5, 5000, 0.3, 4)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert len(task.pairs.image.unique()) == 4000 - 10 * 5
    torch.testing.assert_close(load("mnist5k").train_images[task.pairs.image[:50]], task.images[:50])
    kept = [p.clone() for p in task.reference.parameters()]
    seen = {0.25: [], 0.5: []}
    for beta, margins_seen in seen.items():
        of_beta = functools.partial(kept_and_lost, margins_seen)
        events = list(learn(task, of_beta, beta, epochs=1, batch_size=2500, learning_rate=1e-3, seed=4))
        assert events[:2] == [Step(1, 1, 2), Step(1, 2, 2)] and len(events) == 3
    assert all(torch.equal(a, b) for a, b in zip(kept, task.reference.parameters()))
    assert all((margins_seen[0] == 0).all() for margins_seen in seen.values())  # the policy starts as the reference
    # Adam's first step does not see the size of a gradient, so that the margins after it are in proportion to β.
    assert (seen[0.5][1].abs().mean() / seen[0.25][1].abs().mean()).item() == pytest.approx(2, abs=0.02)


def kept_and_lost(seen, h):
    seen.append(h.detach().clone())
    return dpo(h)


def test_the_worth_of_a_policy_is_the_mean_reward_of_drawn_answers():
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0], [0.0, 0.5, 0.0]], dtype=torch.float64)
    labels = torch.tensor([2, 1, 1])
    reward, greedy = worth(logits, labels)
    drawn = torch.multinomial(logits.softmax(1), 60_000, replacement=True, generator=torch.Generator().manual_seed(0))
    assert reward == pytest.approx((drawn == labels[:, None]).double().mean().item(), abs=0.005)
    assert greedy == pytest.approx(2 / 3)


# --- runs


def records(**changes):
    return list(Preferences(**{"pairs": 500, "epochs": 2, **changes}).run())


def test_a_run_reports_each_epoch_and_steps_in_between():
    experiment = Preferences(pairs=500, epochs=2)
    events = list(experiment.run(steps=True))
    assert [e for e in events if isinstance(e, Step)] == [Step(e, s, 8) for e in (1, 2) for s in range(1, 9)]
    found = [e for e in events if not isinstance(e, Step)]
    assert [r.epoch for r in found] == [1, 2]
    assert [r.numbers for r in found] == [r.numbers for r in experiment.run()]  # of the seed alone
    for record in found:
        assert set(record.numbers) == set(Preferences.kept)
        h = record.shown["margins"]
        assert record.numbers["margin"] == pytest.approx(abs(h).mean()) and h.shape == (500,)
    assert records(seed=1)[-1].numbers != found[-1].numbers


def test_rdpo_that_is_told_of_no_flips_is_dpo():
    told_none, plain = records(loss="rdpo", told_off=-0.3), records(loss="dpo")
    np.testing.assert_allclose(told_none[-1].shown["margins"], plain[-1].shown["margins"], atol=1e-5)


def test_most_margins_come_to_have_the_right_sign():
    h, flipped = (records(loss="rdpo", pairs=2000)[-1].shown[name] for name in ("margins", "flipped"))
    assert (h[~flipped] > 0).mean() > 0.75 and (h[flipped] < 0).mean() > 0.6


# --- bad input


@pytest.mark.parametrize(
    "bad, words",
    [
        ({"flip_rate": 0.5}, "flip_rate=0.5 must be a number from 0 to 0.45"),
        ({"flip_rate": -0.1}, "flip_rate=-0.1"),
        ({"flip_rate": 0.2, "told_off": -0.3}, "flip_rate \\+ told_off=-0.1"),
        ({"flip_rate": 0.4, "told_off": 0.1}, "flip_rate \\+ told_off=0.5 must be below 0.5"),
        ({"beta": 0.0}, "beta=0.0"),
        ({"beta": float("nan")}, "beta=nan"),
        ({"loss": "rpdo"}, "did you mean 'rdpo'"),
        ({"labelled": 0}, "labelled=0"),
        ({"pairs": 499}, "pairs=499"),
        ({"epochs": 2.5}, "epochs=2.5"),
        ({"network": "cnn"}, "network='cnn'"),
        ({"device": "abacus"}, "device='abacus'"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_settings_are_refused_when_they_are_made(bad, words):
    with pytest.raises(ValueError, match=words):
        Preferences(**bad)


TABLE = torch.zeros(3, 4).log_softmax(1)
A, B = torch.tensor([0, 1, 2]), torch.tensor([1, 2, 3])


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: rdpo(H, 0.5), "epsilon=0.5 must be below 0.5"),
        (lambda: rdpo(H, -0.01), "epsilon=-0.01"),
        (lambda: cdpo(H, 0.7), "epsilon=0.7"),
        (lambda: margins(TABLE, TABLE, A, B, 0.0), "beta=0.0 must be a number above 0"),
        (lambda: margins(TABLE, TABLE, A, A, 0.5), "other is the preferred answer itself in 3 pairs"),
        (lambda: margins(TABLE, TABLE, A[:2], B[:2], 0.5), "one row a pair"),
        (lambda: margins(TABLE, TABLE[:2], A, B, 0.5), "one row a pair"),
        (lambda: margins(TABLE, TABLE.clone().requires_grad_(True), A, B, 0.5), "log_reference requires a gradient"),
        (lambda: fit_linear(torch.ones(2, 3), dpo), "differences has 2 pairs in 3 dimensions"),
        (lambda: fit_linear(torch.ones(9, 3), dpo, bound=None), "the minimum may not exist"),
        (lambda: fit_linear(torch.ones(9, 3), dpo, bound=0), "bound=0"),
        (lambda: linear_pairs(0, 0.1, 0), "count=0"),
        (lambda: linear_pairs(9, 0.5, 0), "flip_rate=0.5"),
        (lambda: name_pairs(torch.tensor([0, 3]), 3, 5, 0.1, 0), "labels has values from 0 to 3"),
        (lambda: name_pairs(torch.tensor([], dtype=torch.long), 3, 5, 0.1, 0), "number of labels=0"),
        (lambda: name_pairs(torch.tensor([0, 0]), 1, 5, 0.1, 0), "classes=1"),
        (lambda: naming_task(load("mnist5k"), "linear", 400, 500, 0.1, 0), "labelled=400"),
        (lambda: naming_task(load("mnist5k"), "cnn", 5, 500, 0.1, 0), "network='cnn'"),
        (lambda: preference_margins({"dpo": []}), "runs has no record"),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- the picture


@pytest.mark.parametrize("losses, epochs", [(["rdpo"], 1), (["dpo", "cdpo", "rdpo", "ipo", "slic"], 2)])
def test_the_picture_is_drawn_from_the_first_record_on_with_nothing_cut_off(losses, epochs):
    figure = preference_margins({**{loss: records(loss=loss, epochs=epochs) for loss in losses}, "none": []})
    figure.png()
    ticks = {label for ax in figure.axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    within = [ax.xaxis.get_major_ticks() + ax.yaxis.get_major_ticks() for ax in figure.axes]
    drawn = {tick.label1 for ticks_of in within for tick in ticks_of if _in_view(tick)}
    for text in figure.findobj(lambda a: hasattr(a, "get_text") and a.get_text() and a.get_visible()):
        box = text.get_window_extent()
        assert text.get_fontsize() >= 11
        if text not in ticks or text in drawn:
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
    assert all(f"{loss} after epoch {epochs}" in figure.alt for loss in losses)


def _in_view(tick):
    low, high = sorted(tick.get_view_interval())
    return low <= tick.get_loc() <= high


def test_the_picture_does_without_flipped_pairs():
    assert "nan of flipped" in preference_margins({"dpo": records(loss="dpo", flip_rate=0.0)}).alt
