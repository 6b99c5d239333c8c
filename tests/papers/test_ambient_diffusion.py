"""The ambient loss beside closed forms and brute force, Fréchet distance beside scipy's, information beside slopes."""

import math

import numpy as np
import pytest
import torch
from made_up import Answers

from nlkit.contents import grid_of
from nlkit.data.digit_components import digit_components
from nlkit.identity import key
from nlkit.learning.diffusion import denoising_loss, learn, mean_of_examples, new_denoiser
from nlkit.learning.frechet import DigitFeatures, frechet_distance
from nlkit.papers import ambient_diffusion
from nlkit.papers.ambient_diffusion import ALL_CLEAN, FEW, MIX, NAIVE, NOISY, PAGE, Ambient
from nlkit.papers.ambient_diffusion_price import APART, Price, fisher_information, risk


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The loss


@pytest.mark.parametrize("sigma", [0.45, 0.8, 2.0])
def test_of_noisy_data_alone_a_linear_denoiser_learns_the_slope_that_takes_all_noise_out(sigma):
    """Data N(0, s²) with noise of 0.4: of D = c x the loss is a parabola in c, and its lowest point is s²/(s² + σ²)."""
    s, had, n = 0.7, 0.4, 400_000
    y = s * drawn(n, 1) + had * drawn(n, 1, seed=1)
    noise, ones = drawn(n, 1, seed=2), torch.ones(n, 1).double()

    def loss(c):
        return denoising_loss(lambda x, _: c * x, y, had * ones, sigma * ones, noise).item()

    low, middle, high = (loss(c) for c in (0.0, 0.5, 1.0))
    best = 0.5 + 0.25 * (low - high) / (low - 2 * middle + high)
    assert best == pytest.approx(s**2 / (s**2 + sigma**2), abs=0.02)


def test_what_is_expected_of_a_noisy_example_is_a_mixture_of_denoised_and_seen():
    """Of two points on a line: E[y | x] by a sum over a grid of y, beside that of the loss's docstring."""
    points, had, sigma = torch.tensor([[-0.6], [0.9]]).double(), 0.5, 0.8
    x = torch.linspace(-2, 2, 9).double()[:, None]
    y = torch.linspace(-5, 5, 20_001).double()
    prior = torch.stack([torch.distributions.Normal(p, had).log_prob(y).exp() for p in points[:, 0]]).mean(0)
    between = math.sqrt(sigma**2 - had**2)
    joint = prior * torch.distributions.Normal(y, between).log_prob(x).exp()
    brute = (joint * y).sum(1) / joint.sum(1)
    said = mean_of_examples(points)(x, torch.full((9, 1), sigma).double())[:, 0]
    share = had**2 / sigma**2
    torch.testing.assert_close((1 - share) * said + share * x[:, 0], brute, atol=1e-6, rtol=0)
    found = denoising_loss(
        lambda x, sigma: x + 1, torch.zeros(1, 1), torch.tensor([[0.5]]), torch.tensor([[0.8]]), torch.ones(1, 1)
    )
    by_hand = (1 - share) * (between + 1) + share * between
    assert found.item() == pytest.approx((0.8**2 + 0.25) / (0.8 * 0.5) ** 2 * by_hand**2)


def test_an_example_with_as_much_noise_as_is_asked_for_teaches_nothing():
    def loss(denoise):
        y, sigma = drawn(20, 3), torch.full((20, 1), 0.3).double()
        return denoising_loss(denoise, y, sigma, sigma, drawn(20, 3, seed=1)).item()

    assert loss(lambda x, sigma: 0 * x) == loss(lambda x, sigma: 5 * x) == 0


def test_less_noise_than_there_is_cannot_be_asked_for():
    ones = torch.ones(4, 1)
    with pytest.raises(ValueError, match="sigma=0.2 must be at least 0.3, the noise that the example has"):
        denoising_loss(lambda x, _: x, torch.zeros(4, 2), 0.3 * ones, 0.2 * ones, torch.zeros(4, 2))


def test_noisy_examples_teach_no_strength_below_their_own_and_clean_ones_teach_all():
    def asked(had):
        seen, network = [], new_denoiser(2, 0)
        network.register_forward_pre_hook(lambda _, given: seen.append(given[1].flatten()))
        list(learn(network, drawn(len(had), 2).float(), steps=10, seed=0, had=had))
        return torch.cat(seen)

    both = asked(torch.tensor([0.0, 0.4]).repeat(50))
    assert both.min() < 0.1 and 0.26 < (both == 0.4).double().mean() < 0.34  # half, of which 59 % were below 0.4
    assert asked(torch.full((100,), 0.4)).min() == torch.tensor(0.4)


# Distance


def test_frechet_distance_is_that_of_scipys_matrix_root_and_0_of_a_set_to_itself():
    from scipy.linalg import sqrtm

    a, b = drawn(300, 5) @ drawn(5, 5, seed=1), drawn(200, 5, seed=2) @ drawn(5, 5, seed=3) + 0.5
    covariances = [np.cov(x.numpy().T) for x in (a, b)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum().item()
    expected = shift + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a[:, :1], a[:, :1] + 3) == pytest.approx(9)


def test_features_are_of_a_network_that_tells_digits():
    world, features = digit_components(16), DigitFeatures()
    assert (features.classes(world.test) == world.test_labels).double().mean() > 0.92
    found = features(world.test)
    assert found.shape == (1000, 32) and (found >= 0).all()
    assert frechet_distance(features(world.train), found) < 1 < frechet_distance(features(0 * world.train), found)


# What a noisy sample is worth


def test_information_about_one_centre_is_that_of_a_gaussian():
    for s in (0.0, 0.5, 2.0):
        assert fisher_information(1, s)[0, 0] == pytest.approx(1 / (1 + s**2))
    assert risk(1, 2.0, 0, 1) == pytest.approx(5) and risk(1, 2.0, 1, 0) == pytest.approx(1)
    assert risk(1, 2.0, 0.5, 0.5) == pytest.approx(1 / (0.5 + 0.1))


def test_information_is_minus_the_mean_second_derivative_of_the_log_likelihood():
    """Of three groups, by differences of the likelihood of 200,000 samples."""
    k, s, step, generator = 3, 0.6, 1e-3, np.random.default_rng(0)
    centres, variance = APART * np.arange(k), 1 + s**2
    x = centres[generator.integers(k, size=200_000)] + math.sqrt(variance) * generator.standard_normal(200_000)

    def likelihood(mu):
        return np.log(np.exp(-((x[:, None] - mu) ** 2) / (2 * variance)).mean(1)).mean()

    found, axes = np.zeros((k, k)), np.eye(k) * step
    for i in range(k):
        for j in range(k):
            signs = [(a, b) for a in (1, -1) for b in (1, -1)]
            found[i, j] = -sum(a * b * likelihood(centres + a * axes[i] + b * axes[j]) for a, b in signs) / 4 / step**2
    np.testing.assert_allclose(fisher_information(k, s), found, atol=0.006)


def test_prices_rise_and_some_clean_samples_cut_the_risk():
    records = list(Price(groups=3).run())
    assert [r.numbers["groups"] for r in records] == [1, 2, 3]
    assert records[0].numbers["price"] == pytest.approx(5) and records[0].numbers["cut"] == pytest.approx(1.2)
    assert records[1].numbers["price"] == pytest.approx(risk(2, 2.0, 0, 1) / risk(2, 0.0, 0, 1))
    assert all(r.numbers["price"] == pytest.approx(1) for r in Price(strength=0.0, groups=3).run())


# The experiment and what is said


@pytest.mark.parametrize("arm", [MIX, FEW, NOISY, ALL_CLEAN, NAIVE])
def test_each_arm_learns_from_what_it_says(arm):
    run = Ambient(learns=arm, count=200, ratio=0.9, strength=0.3)
    given, had = run.data()
    digits = digit_components(16).some(200, 0)
    clean = {MIX: 20, NAIVE: 20, FEW: 20, NOISY: 0, ALL_CLEAN: 200}[arm]
    assert len(given) == (20 if arm == FEW else 200) and (had == 0).sum() == clean
    assert torch.equal(given[:clean], digits[:clean])
    if len(given) > clean:
        noise = given[clean:] - digits[clean:]
        assert noise.std().item() == pytest.approx(0.3, rel=0.05) and (had[clean:] == torch.tensor(0.3)).all()
    assert torch.equal(run.data()[0], given)  # drawn once: the same whenever it is asked for


def test_the_loss_is_told_which_digits_are_noisy_but_for_the_naive_arm(monkeypatch):
    told = {}

    def learning(denoiser, given, *, had, **how):
        told["had"] = had
        return iter([(0.0, denoiser)] * 50)

    monkeypatch.setattr(ambient_diffusion, "learn", learning)
    for arm in (MIX, NAIVE):
        (record,) = Ambient(learns=arm, count=200, steps=50).run()
        assert told["had"] is None if arm == NAIVE else (told["had"] > 0).sum() == 190
        assert record.numbers["noisy"] == 190 and record.numbers["clean"] == 10


def test_records_measure_what_is_made_against_test_digits():
    run, world, features = Ambient(count=200, steps=80), digit_components(16), DigitFeatures()
    records = list(run.run())
    assert [r.numbers["step"] for r in records] == run.looks == [50, 80] and run.epochs == 2
    assert records[-1].numbers["best"] == min(r.numbers["frechet"] for r in records)
    floor = frechet_distance(features(world.train), features(world.test))
    assert records[-1].numbers["floor"] == pytest.approx(floor)
    given = frechet_distance(features(run.data()[0]), features(world.test))
    assert records[-1].numbers["given"] == pytest.approx(given)
    (few,) = Ambient(learns=FEW, count=200, steps=50).run()  # 10 digits are too few for a covariance of 32 features
    assert "given" not in few.numbers and few.numbers["clean"] == 10
    told = PAGE.picture({MIX: records}).alt
    assert "real digits; noisy, to learn from; mix (10 clean + 190 noisy)" in told
    assert f"mix {records[-1].numbers['frechet']:.2f}" in told
    assert "No run yet" in PAGE.picture({}).alt


def test_claims_measure_what_they_say():
    class Kept(Answers):
        def run(self, variant, **changes):
            found = super().run(variant, **changes)
            found.curves = {"price": (1, 2, 6)}
            return found

    def answer(e, number):
        if isinstance(e, Price):
            return {"cut": 7}[number]
        at_end = {MIX: 3, FEW: 9, NOISY: 6, ALL_CLEAN: 1, NAIVE: 12}[e.learns]
        return {"frechet": at_end, "best": at_end - 1}[number]

    found = {c.id.removeprefix("ambient_diffusion_"): c.measure(Kept(PAGE, answer)) for c in PAGE.claims}
    assert found.pop("few") == 3 / 9 and found.pop("noisy") == 3 / 6 and found.pop("best") == 3 / 8
    assert found.pop("loss") == 3 / 12 and found.pop("repair") == 2 / 8
    assert found.pop("price") == [2, 3] and found.pop("cure") == 7
    assert not found


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("ambient_diffusion", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Ambient(strength=-0.1), "strength=-0.1 must be a number from 0"),
        (lambda: Ambient(learns=FEW, ratio=1.0), "ratio=1.0 must leave a clean digit of 4000"),
        (lambda: Ambient(count=5000), "count=5000 must be a whole number from 100 to 4000"),
        (lambda: Ambient(steps=0), "steps=0 must be a whole number from 50"),
        (lambda: Ambient(learns="mixed"), "did you mean 'mix'"),
        (lambda: fisher_information(0, 1.0), "groups=0 must be a whole number of at least 1"),
        (lambda: fisher_information(2, -1.0), "strength=-1.0 must be a number of at least 0"),
        (lambda: frechet_distance(torch.zeros(5, 5), torch.zeros(9, 5)), "a=5 must be .*: more examples than features"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()
