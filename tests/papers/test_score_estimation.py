"""f* beside slopes and Kalman's formula, the kernel beside neurons, paths beside loops, samples beside laws."""

import math

import pytest
import torch
from made_up import Answers

from nlkit import load
from nlkit.contents import grid_of
from nlkit.data.digit_components import digit_components
from nlkit.data.petals import START, Mixture, draw_examples, expected, inputs, noised, petals
from nlkit.identity import key
from nlkit.learning.diffusion import (
    LOG_DEVIATION,
    LOG_MEAN,
    denoising_loss,
    energy_distance,
    learn,
    mean_of_examples,
    nearer,
    new_denoiser,
    sample,
    strengths,
)
from nlkit.learning.tangent_kernel import MOST_STEPS, KernelPath, TwoLayers, kernel, stopping_step
from nlkit.papers import score_estimation
from nlkit.papers.score_estimation import FRESH_NETWORK, KERNEL, NETWORK, PAGE, Regression, error
from nlkit.papers.score_estimation_digits import DigitScores
from nlkit.plots.generated import image_rows


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# What is expected of an input


@pytest.mark.parametrize("dimension", [1, 2])
def test_the_score_is_the_slope_of_the_log_density(dimension):
    """Of X_t, at several times: (α f* - x)/h, beside differences of log p_t."""
    x, step, flowers = drawn(40, dimension), 1e-5, petals(dimension)
    for time in (0.1, 0.7, 3.0):
        t = torch.full((40, 1), time, dtype=torch.float64)
        alpha, h = math.exp(-time / 2), 1 - math.exp(-time)
        score = (alpha * expected(x, t) - x) / h

        sigma = torch.full((40, 1), math.sqrt(h) / alpha, dtype=torch.float64)

        for axis in range(dimension):
            aside = torch.zeros(dimension, dtype=torch.float64)
            aside[axis] = step
            above, below = (flowers.log_density((x + way * aside) / alpha, sigma) for way in (1, -1))
            slope = (above - below) / (2 * step)
            torch.testing.assert_close(score[:, axis], slope, atol=1e-6, rtol=1e-5)


def test_a_mixture_of_one_is_denoised_by_kalmans_formula():
    mean, covariance = drawn(2), torch.tensor([[2.0, 0.6], [0.6, 0.5]]).double()
    one = Mixture(torch.ones(1).double(), mean[None], covariance[None])
    x, sigma = drawn(30, 2, seed=1), drawn(30, 1, seed=2).exp()
    for place in range(30):
        gain = covariance @ torch.linalg.inv(covariance + sigma[place] ** 2 * torch.eye(2).double())
        right = mean + gain @ (x[place] - mean)
        torch.testing.assert_close(one.denoised(x, sigma)[place], right)


def test_petals_are_drawn_as_the_table_has_them():
    flowers = petals(2)
    some = flowers.draw(200_000, generator())
    torch.testing.assert_close(some.mean(0), torch.zeros(2).double(), atol=0.01, rtol=0)
    torch.testing.assert_close(some.std(0), torch.ones(2).double(), atol=0.01, rtol=0)
    assert torch.corrcoef(some.T)[0, 1] == pytest.approx(0.9629, abs=0.003)  # Fisher's table: 0.9629
    torch.testing.assert_close(petals(1).means, flowers.means[:, :1])


@pytest.mark.parametrize("dimension", [1, 2])
def test_labels_are_right_on_average_and_no_function_of_the_input_comes_nearer_to_them(dimension):
    given = draw_examples(100_000, dimension, 2.0, 0)
    off = given.labels - given.expected
    for weight in (torch.ones(len(off), 1), given.z[:, :1], given.z[:, :1] ** 2, given.z[:, -2:-1]):
        torch.testing.assert_close((weight * off).mean(0), torch.zeros(dimension).double(), atol=0.02, rtol=0)
    late = given.times > 1.5
    assert off[late].var() > 1.5 * off[given.times < 0.6].var()  # the noise of labels grows with t


def test_an_example_is_noised_as_the_process_says():
    x, noise, t = drawn(500, 1), drawn(500, 1, seed=1), torch.full((500, 1), 0.8, dtype=torch.float64)
    alpha = math.exp(-0.4)
    torch.testing.assert_close(noised(x, t, noise), alpha * x + math.sqrt(1 - alpha**2) * noise)
    z = inputs(x, t)
    assert z.shape == (500, 3) and z[0, 1].item() == pytest.approx(0.8 - START) and (z[:, 2] == 1).all()


# The network and its kernel


def test_the_kernel_is_the_mean_over_many_neurons():
    a, b, weights = drawn(6, 3), drawn(5, 3, seed=1), drawn(400_000, 3, seed=2)
    both_fire = ((a @ weights.T) > 0).double() @ ((b @ weights.T) > 0).double().T / len(weights)
    torch.testing.assert_close(kernel(a, b), (a @ b.T) * both_fire, atol=0.015, rtol=0)
    torch.testing.assert_close(kernel(a, a).diagonal(), (a**2).sum(1) / 2)


def test_a_path_in_closed_form_is_that_of_as_many_steps():
    z, y, other = drawn(30, 3), drawn(30, 2, seed=1), drawn(7, 3, seed=2)
    path, said, elsewhere = KernelPath(z, y), torch.zeros(30, 2).double(), torch.zeros(7, 2).double()
    for step in range(51):
        if step in (0, 1, 50):
            torch.testing.assert_close(path(z, step), said, atol=1e-10, rtol=0)
            torch.testing.assert_close(path(other, step), elsewhere, atol=1e-10, rtol=0)
        off = said - y
        said = said - path.rate / 30 * kernel(z, z) @ off
        elsewhere = elsewhere - path.rate / 30 * kernel(other, z) @ off


def test_a_step_of_the_network_is_that_of_autograd():
    z, y, network = drawn(20, 3).float(), drawn(20, 2, seed=1).float(), TwoLayers(3, 2, 16, 0)
    assert network(z).abs().max() < 1e-6  # it begins with 0
    weights = network.weights.clone().requires_grad_()
    (((z @ weights.T).relu() @ network.signs - y).square().sum() / 40).backward()
    kept = network.copy()
    network.descend(z, y, 0.3)
    torch.testing.assert_close(network.weights, (weights - 0.3 * weights.grad).detach())
    assert torch.equal(kept.weights, weights.detach())


def test_a_wider_network_is_nearer_to_its_kernel():
    given = draw_examples(40, 2, 2.0, 0)
    path, gaps = KernelPath(given.z, given.labels), []
    for width in (64, 1024, 16384):
        network = TwoLayers(4, 2, width, 0)
        for _ in range(20):
            network.descend(given.z.float(), given.labels.float(), path.rate)
        gaps.append((network(given.z.float()) - path(given.z, 20)).square().mean().sqrt().item())
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]


def test_the_rule_stops_at_the_last_step_that_it_allows():
    values, rate = 1 / torch.arange(1, 101).double() ** 2, 1.0

    def allowed(step, noise):
        complexity = math.sqrt(sum(min(v, 1 / (rate * step)) for v in values.tolist()) / len(values))
        return complexity <= 1 / (2 * math.e * noise * rate * step)

    for noise in (0.02, 0.1, 0.5):
        stop = stopping_step(values, noise, rate)
        assert 0 < stop < MOST_STEPS and allowed(stop, noise) and not allowed(stop + 1, noise)
    stops = [stopping_step(values, noise, rate) for noise in (1e-9, 0.01, 0.1, 1.0, 1e3)]
    assert stops == sorted(stops, reverse=True) and stops[0] == MOST_STEPS and stops[-1] == 0


# The diffusion model


def test_the_loss_is_that_of_karras_and_others_where_the_examples_are_clean():
    y, noise, sigma, network = drawn(50, 4).float(), drawn(50, 4, seed=1).float(), strengths(50, generator()), None
    network = new_denoiser(4, 0)
    with torch.no_grad():
        ours = denoising_loss(network, y, torch.zeros(50, 1), sigma, noise)
        weight = (sigma**2 + 0.25) / (sigma * 0.5) ** 2
        theirs = (weight * (network(y + sigma * noise, sigma) - y) ** 2).mean()
    assert ours.item() == theirs.item()


def test_what_the_network_says_is_weighed_by_how_much_noise_there_is():
    network, x = new_denoiser(4, 0), drawn(8, 4).float()
    little, much = (network(x, torch.full((8, 1), sigma)) for sigma in (1e-4, 1e4))
    torch.testing.assert_close(little, x, atol=1e-3, rtol=1e-3)
    assert much.abs().max() < 1  # half of what the network says, whatever x is


def test_strengths_of_training_are_log_normal():
    logs = strengths(100_000, generator()).log()
    assert logs.mean().item() == pytest.approx(LOG_MEAN, abs=0.02)
    assert logs.std().item() == pytest.approx(LOG_DEVIATION, abs=0.02)


def test_samples_of_an_exact_denoiser_have_the_variance_of_its_gaussian():
    spread = torch.tensor([0.3, 0.5, 1.0])

    def denoise(x, sigma):
        return spread**2 / (spread**2 + sigma**2) * x

    made = sample(denoise, 20_000, 3, generator())
    torch.testing.assert_close(made.std(0), spread, rtol=0.04, atol=0)


def test_the_best_fit_of_all_is_the_mean_by_likelihood_and_makes_copies():
    examples, x, sigma = drawn(6, 2), drawn(5, 2, seed=1), drawn(5, 1, seed=2).exp()
    said = mean_of_examples(examples)(x, sigma)
    for place in range(5):
        likely = torch.distributions.Normal(x[place], sigma[place]).log_prob(examples).sum(1).exp()
        torch.testing.assert_close(said[place], (likely[:, None] * examples).sum(0) / likely.sum())
    made = sample(mean_of_examples(examples.float()), 200, 2, generator())
    assert torch.cdist(made, examples.float()).amin(1).max() < 0.01


@pytest.mark.slow
def test_it_learns_to_denoise_a_gaussian_and_with_one_draw_of_noise_sees_each_input_again():
    examples = 0.5 * drawn(2000, 2).float()
    network = new_denoiser(2, 0)
    *_, (_, average) = learn(network, examples, steps=400, seed=0)
    x = drawn(500, 2, seed=5).float()
    for sigma in (0.2, 0.5, 1.5):
        strength = torch.full((500, 1), sigma)
        right = 0.25 / (0.25 + sigma**2) * (x * (0.25 + sigma**2) ** 0.5)
        assert (average(x * (0.25 + sigma**2) ** 0.5, strength) - right).square().mean() < 0.006
    for once in (True, False):
        seen = []
        network = new_denoiser(2, 0)
        hook = network.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        list(learn(network, examples[:5], steps=6, seed=0, once=once))
        hook.remove()
        different = len(torch.cat(seen).unique(dim=0))
        assert different == 5 if once else different > 1000


def test_distances_of_samples():
    a, b = drawn(300, 2), drawn(250, 2, seed=1)
    far = sum((x - y).norm().item() for x in a[:20] for y in b[:10]) / 200
    within = [sum((x - y).norm().item() for x in p for y in p) / (len(p) * (len(p) - 1)) for p in (a[:20], b[:10])]
    assert energy_distance(a[:20], b[:10]) == pytest.approx(2 * far - sum(within))
    assert abs(energy_distance(a, b)) < 0.05 and energy_distance(a, b + 1) > 0.3
    assert nearer(a, a[:100], b[:100]) > 1 / 3 and nearer(b[:100], a[:100], b[:100]) == 0
    assert nearer(a[:100], a[:100], b[:100]) == 1


def test_digits_are_drawn_again_from_their_components():
    world, all_of_them = digit_components(16), digit_components(784)
    torch.testing.assert_close(world.basis.T @ world.basis, torch.eye(16), atol=1e-4, rtol=0)
    assert world.train.std(0).square().mean().sqrt().item() == pytest.approx(0.5, rel=1e-3)
    assert (world.train.std(0)[:-1] >= world.train.std(0)[1:] - 1e-4).all()
    digits = load("mnist5k")
    pixels = digits.train_images[:100, 0] * digits.std[0] + digits.mean[0]
    torch.testing.assert_close(all_of_them.images(all_of_them.train[:100]), pixels, atol=1e-3, rtol=0)
    few, more = world.some(50, 3), world.some(80, 3)
    assert torch.equal(few, more[:50]) and not torch.equal(few, world.some(50, 4))


# The experiment and what is said


@pytest.mark.parametrize("by", [KERNEL, NETWORK, FRESH_NETWORK])
def test_records_say_what_they_measure(by):
    run = Regression(by=by, count=40, width=64, steps=60, dimension=2)
    records, given, test = list(run.run()), run.examples(), run.examples(2000, "test")
    assert [r.numbers["step"] for r in records] == run.looks and run.looks[-1] == 60
    last = records[-1].numbers
    errors = [r.numbers["error"] for r in records]
    score = records[-1].shown["score"]
    assert last["error"] == (score(test.z) - test.expected).square().sum(1).mean().item()
    assert last["training"] == (score(given.z) - given.labels).square().sum(1).mean().item()
    assert last["best"] <= min(errors) and last["zero"] == pytest.approx((test.expected**2).sum(1).mean().item())
    path = KernelPath(given.z, given.labels)
    noise = (test.labels - test.expected).square().mean().sqrt().item()
    assert last["stop"] == stopping_step(path.eigenvalues, noise, path.rate)
    if by == KERNEL:
        at_stop = error(lambda z: path(z, int(last["stop"])), test)
        assert last["at_rule"] == pytest.approx(at_stop) and score(given.z).allclose(path(given.z, 60))
    if by == NETWORK:
        assert last["gap"] == pytest.approx((score(test.z) - path(test.z, 60)).square().sum(1).mean().sqrt().item())
    told = PAGE.picture({by: records}).alt
    assert f"{by} {last['error']:.3f}, lowest {last['best']:.3f}" in told
    assert "No run yet" in PAGE.picture({}).alt


def test_fresh_noise_is_fresh_in_each_step(monkeypatch):
    seen = {NETWORK: [], FRESH_NETWORK: []}
    for by, inputs_of in seen.items():

        def descend(self, z, labels, rate, inputs_of=inputs_of):
            inputs_of.append((z.clone(), labels.clone()))

        monkeypatch.setattr(score_estimation.TwoLayers, "descend", descend)
        list(Regression(by=by, count=50, width=32, steps=4).run())
    given = Regression(count=50).examples()
    assert all(torch.equal(z, given.z.float()) for z, _ in seen[NETWORK])
    assert len({float(z[0, 0]) for z, _ in seen[FRESH_NETWORK]}) == 4
    assert all(torch.equal(labels, given.labels.float()) for by in seen for _, labels in seen[by])


def test_made_digits_are_measured_against_those_of_the_test_set():
    run, world = DigitScores(count=40, steps=30), digit_components(16)
    records = list(run.run())
    assert [r.numbers["step"] for r in records] == [25, 30] and run.epochs == 2
    last, made = records[-1].numbers, records[-1].shown["made"]
    assert last["energy"] == pytest.approx(energy_distance(made, world.test), abs=1e-5)
    assert last["best"] == min(r.numbers["energy"] for r in records) and 0 <= last["nearer"] <= 1
    assert torch.equal(records[-1].shown["given"], world.some(40, 0))


def test_claims_measure_what_they_say():
    def answer(e, number):
        if isinstance(e, DigitScores):
            made = {"energy": 8 if e.noise == "once" else 5, "best": 2, "nearer": 0.5 + e.count / 1000}
            return made[number]
        base = {KERNEL: 8, NETWORK: 4, FRESH_NETWORK: 1}[e.by] * e.dimension + e.steps / 20_000
        gap = 64 / e.width * (1 if e.steps == 100 else e.width / 128)
        rule = 3 * e.dimension
        return {"error": base, "best": 400 / e.count / e.dimension, "at_rule": rule, "gap": gap}[number]

    found = {claim.id.removeprefix("score_estimation_"): claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    assert found.pop("noise") == [9 / 2, 17] and found.pop("more") == [16, 16]
    assert found.pop("width") == 64 and found.pop("late") == 1
    assert found.pop("rule") == [3 / 2, 6] and found.pop("prudent") == [3 / 9, 6 / 17]
    assert found.pop("fresh") == 1.25 / 2 and found.pop("digits") == 4 and found.pop("copies") == 0.7
    assert not found


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("score_estimation", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)


def test_rows_of_images_are_told_by_name():
    told = image_rows({"real": torch.zeros(3, 28, 28), "made": torch.ones(3, 28, 28)}, {"made": "few"}).alt
    assert told == "Rows of images: real; made (few)."


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw_examples(1, 1, 2.0, 0), "count=1 must be a whole number of at least 2"),
        (lambda: draw_examples(5, 1, 0.1, 0), "horizon=0.1 must be a number above 0.1"),
        (lambda: petals(3), "dimension=3 must be a whole number from 1 to 2"),
        (lambda: TwoLayers(3, 1, 33, 0), "width=33 must be even"),
        (lambda: stopping_step(torch.ones(3), 0.0, 1.0), "noise=0.0 must be a number above 0"),
        (lambda: Regression(horizon=0.05), "horizon=0.05 must be a number from 0.5 to 4"),
        (lambda: digit_components(0), "count=0 must be a whole number from 1 to 784"),
        (lambda: digit_components(16).some(5000, 0), "count=5000 must be a whole number from 1 to 4000"),
        (lambda: learn(new_denoiser(2, 0), torch.zeros(3, 2), steps=0, seed=0), "steps=0 must be"),
        (lambda: learn(new_denoiser(2, 0), torch.zeros(3, 2), steps=1, seed=0, had=-torch.ones(3)), "had=-1.0 must be"),
        (lambda: sample(lambda x, s: x, 1, 2, generator(), lowest=0.0), "lowest=0.0 must be a number above 0"),
        (lambda: nearer(torch.zeros(2, 1), torch.zeros(2, 1), torch.zeros(3, 1)), "there must be 2, as many"),
        (lambda: energy_distance(torch.zeros(1, 2), torch.zeros(3, 2)), "a=1 must be a whole number of at least 2"),
        (lambda: image_rows({}), "rows has none"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()
