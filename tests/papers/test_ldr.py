"""LDR losses beside cross entropy, mpmath, a search over the simplex, closed forms of best scores, and loops."""

import math
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from nlkit import Dataset, Experiment, make_task, train
from nlkit.commands import main as cli
from nlkit.contents import PAGES, experiment_of, grid_of
from nlkit.identity import key
from nlkit.learning.ranking import best_scores
from nlkit.papers.gce import GeneralizedCrossEntropy
from nlkit.papers.ldr import (
    BOUNDINGS,
    CE,
    CURVE,
    PAIR,
    SHARES,
    LabelDistributionallyRobust,
    ldr_losses,
    next_lambdas,
    under_each_label,
)
from nlkit.sweeps.run import load_sweep

PAGE = PAGES["ldr"]


def drawn(count, classes, seed=0, size=3.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    scores = size * torch.randn(count, classes, generator=generator, dtype=torch.float64).to(dtype)
    return scores, torch.randint(classes, (count,), generator=generator)


def rivals(scores, labels, margin):
    """d (B, K), by a loop."""
    f, y = scores.double().numpy(), labels.numpy()
    return np.array([[f[i, k] - f[i, y[i]] + margin * (k != y[i]) for k in range(f.shape[1])] for i in range(len(f))])


# The loss


def test_at_1_without_a_margin_it_is_cross_entropy_less_log_k():
    for classes in (2, 3, 10, 100):
        scores, labels = drawn(50, classes)
        expected = F.cross_entropy(scores, labels, reduction="none") - math.log(classes)
        torch.testing.assert_close(ldr_losses(scores, labels, 1.0), expected, rtol=0, atol=1e-12)


def test_small_and_large_lambda_are_the_largest_and_the_mean():
    scores, labels = drawn(50, 7)
    d = rivals(scores, labels, 0.5)
    largest, mean = torch.from_numpy(d.max(1)), torch.from_numpy(d.mean(1))
    below = largest - ldr_losses(scores, labels, 1e-3, 0.5)
    assert (below >= 0).all() and (below <= 1e-3 * math.log(7) + 1e-12).all()
    torch.testing.assert_close(ldr_losses(scores, labels, 0, 0.5), largest)
    torch.testing.assert_close(ldr_losses(scores, labels, 1e6, 0.5), mean, rtol=0, atol=1e-3)
    torch.testing.assert_close(ldr_losses(scores, labels, math.inf, 0.5), mean)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-6, 6), st.floats(0, 5), st.integers(2, 40), st.floats(-3, 4), st.integers(0, 10**6),
    st.sampled_from([torch.float32, torch.float64]),
)  # fmt: skip
def test_it_is_the_formula_in_fifty_digits_at_every_lambda_and_size_of_the_scores(
    power, margin, classes, size, seed, dtype
):
    scores, labels = drawn(3, classes, seed, 10**size, dtype)
    lam, d = 10**power, rivals(scores, labels, margin)
    with mpmath.workdps(50):
        exact = [mpmath.fsum(mpmath.exp(mpmath.mpf(v) / lam) for v in row) / classes for row in d]
        exact = [float(lam * mpmath.log(total)) for total in exact]
    each = torch.full((3,), lam, dtype=dtype)
    for found in (ldr_losses(scores, labels, lam, margin), ldr_losses(scores, labels, each, margin)):
        close = 3e-6 if dtype == torch.float32 else 1e-12
        assert found.numpy() == pytest.approx(exact, abs=close * np.abs(d).max() + 1e-30)


def test_no_point_of_the_simplex_beats_it_and_the_best_comes_near():
    scores, labels = drawn(3, 4, size=1.5)
    d = rivals(scores, labels, 0.3)
    points = np.random.default_rng(0).dirichlet(np.ones(4), 400_000)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.nan_to_num(points * np.log(4 * points)).sum(1)
    for lam in (0.3, 1.0, 4.0):
        values = points @ d.T - lam * divergence[:, None]
        above = ldr_losses(scores, labels, lam, 0.3).numpy() - values.max(0)
        assert (above >= 0).all() and (above <= 0.05).all()


@pytest.mark.parametrize("lam", [1e-3, 0.5, 1.0, 10.0, 1e4])
def test_its_gradient_is_the_adversarys_choice_less_the_label(lam):
    scores, labels = drawn(6, 5)
    scores.requires_grad_()
    (gradient,) = torch.autograd.grad(ldr_losses(scores, labels, lam, 0.7).sum(), scores)
    label = F.one_hot(labels, 5)
    chosen = ((scores.detach() + 0.7 * (1 - label)) / lam).softmax(1)
    torch.testing.assert_close(gradient, chosen - label, rtol=0, atol=1e-9)


def test_scores_of_any_size_have_a_finite_loss_and_gradient():
    for size in (0.0, 1e-30, 1e10, 1e30):
        for lam in (0.0, 1e-6, 10.0, 1e6, math.inf):
            for bounding in BOUNDINGS.values():
                scores, labels = drawn(3, 4, size=size, dtype=torch.float32)
                scores.requires_grad_()
                loss = ldr_losses(bounding(scores), labels, lam, 0.1).sum()
                (gradient,) = torch.autograd.grad(loss, scores)
                assert loss.isfinite() and gradient.isfinite().all(), (size, lam)


def test_summed_over_all_labels_the_mean_is_a_constant_and_cross_entropy_is_not():
    for classes in (2, 5, 12):
        f = drawn(1, classes, seed=1)[0]
        assert under_each_label(math.inf, 0.4)(f).sum() == pytest.approx(0.4 * (classes - 1))
        assert under_each_label(1.0)(f).sum().abs() > 0.1


@pytest.mark.parametrize("lam", [0.0, 0.5, 10.0, math.inf])
def test_classes_may_be_permuted_and_bounded_scores_scaled(lam):
    scores, labels = drawn(8, 6)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    for name, bounding in BOUNDINGS.items():
        loss = ldr_losses(bounding(scores), labels, lam, 0.2)
        torch.testing.assert_close(ldr_losses(bounding(scores[:, order]), order.argsort()[labels], lam, 0.2), loss)
        scaled = ldr_losses(bounding(7 * scores), labels, lam, 0.2)
        assert torch.allclose(scaled, loss, rtol=1e-5, atol=1e-5) == (name == "l1")
        if name != "none":
            torch.testing.assert_close(bounding(scores).abs().mean(1), torch.ones(8).double(), rtol=0, atol=1e-5)


# The scores that are best


@pytest.mark.parametrize("lam", [0.3, 1.0, 3.0])
def test_the_best_scores_are_lambda_log_q(lam):
    q = torch.tensor(SHARES).double()
    f = best_scores(under_each_label(lam), q, starts=2, seed=1)
    expected = lam * (q / q[0]).log()
    torch.testing.assert_close(f - f[:, :1], expected.expand(2, -1), rtol=0, atol=1e-4)


def test_without_a_majority_crammer_and_singers_ties_all_and_with_one_it_does_not():
    none = best_scores(under_each_label(0.0, 1.0), torch.tensor(SHARES).double())
    assert none.max() - none.min() < 0.01
    some = best_scores(under_each_label(0.0, 1.0), torch.tensor([0.6, 0.2, 0.1, 0.06, 0.04]).double())
    assert some.argmax() == 0 and some[0, 0] - some[0, 1:].max() == pytest.approx(1, abs=0.01)


def test_gce_keeps_the_order_too():
    q = torch.tensor(SHARES).double()
    f = best_scores(lambda f: (1 - f.softmax(1) ** 0.7) / 0.7, q, steps=1500)
    torch.testing.assert_close(f[0] - f[0, 0], (q / q[0]).log() / 0.3, rtol=0, atol=0.02)


# A λ of each example's own


@pytest.mark.parametrize("start, alpha, seed", [(3.0, 2.0, 0), (10.0, 1.5, 1), (0.7, 4.0, 2)])
def test_the_step_repeated_ends_where_the_joint_objective_is_largest(start, alpha, seed):
    scores, labels = drawn(5, 6, seed, size=2 * start)
    lambdas = torch.full((5,), start, dtype=torch.float64)
    for _ in range(2000):
        lambdas = next_lambdas(scores, lambdas, start, alpha)
    a = alpha * math.log(6) / start
    tried = torch.linspace(start * (1 - 1 / alpha) + 1e-9, start, 20_001, dtype=torch.float64)
    for i in range(5):
        both = ldr_losses(scores[i].expand(len(tried), -1), labels[i].expand(len(tried)), tried)
        both = both - a / 2 * (tried - start) ** 2
        at_the_end = ldr_losses(scores[i : i + 1], labels[i : i + 1], lambdas[i : i + 1])[0]
        assert at_the_end - a / 2 * (lambdas[i] - start) ** 2 == pytest.approx(both.max().item(), abs=1e-5 * start)


@settings(max_examples=50, deadline=None)
@given(st.floats(-2, 2), st.floats(1.01, 50), st.floats(-4, 6), st.integers(2, 30), st.integers(0, 10**6))
def test_lambdas_stay_in_their_range_and_are_largest_for_the_undecided(power, alpha, size, classes, seed):
    scores, start = drawn(4, classes, seed, 10**size, torch.float32)[0], 10**power
    scores[0] = 1.0
    lambdas = torch.full((4,), start)
    for _ in range(5):
        lambdas = next_lambdas(scores, lambdas, start, alpha)
    assert lambdas[0] == pytest.approx(start, rel=1e-5)
    assert (lambdas >= start * (1 - 1 / alpha) * (1 - 1e-5)).all() and (lambdas <= start * (1 + 1e-6)).all()


def test_with_a_large_alpha_it_is_the_loss_with_one_lambda(task):
    fixed, free = (list(train(task, "ldr", epochs=2, lam=2, **o)) for o in ({}, {"adaptive": True, "alpha": 1e7}))
    assert [r.loss for r in free] == pytest.approx([r.loss for r in fixed], abs=1e-4)
    assert free[-1].test_accuracy == pytest.approx(fixed[-1].test_accuracy, abs=0.02)


# The method


@pytest.fixture(scope="module")
def task():
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(4, 1, 6, 6, generator=generator)
    labels = torch.arange(400) % 4
    images = centres[labels] + 0.6 * torch.randn(400, 1, 6, 6, generator=generator)
    made = Dataset("four", tuple("abcd"), images, labels, images[:100] + 0.1, labels[:100])
    return make_task(made, noise="pair", ratio=0.3, clean_per_class=0, device="cpu")


def test_at_1_without_a_margin_on_raw_scores_the_run_is_that_of_cross_entropy(task):
    ours = list(train(task, "ldr", epochs=2, lam=1, margin=0, bounding="none"))
    theirs = list(train(task, "standard", epochs=2))
    assert [r.loss + math.log(4) for r in ours] == pytest.approx([r.loss for r in theirs], abs=1e-5)
    assert [r.runner_up for r in map(numbers, ours)] == [r.runner_up for r in map(numbers, theirs)]


def numbers(record):
    return SimpleNamespace(**record.numbers)


def test_each_example_keeps_its_own_lambda_in_whatever_order_it_comes():
    """Beside a loop with a dictionary: the step of the method is watched, and what it steps by is worked out again."""
    scores, labels = drawn(6, 3, dtype=torch.float32)
    labels = labels.long()
    method = LabelDistributionallyRobust(lam=3.0, adaptive=True, alpha=2.0, margin=0.1)
    known = dict.fromkeys(range(9), 3.0)
    run = SimpleNamespace(logits=lambda images: images, num_examples=9, descend=lambda loss: None)
    for places in ([0, 4, 7], [7, 0, 8], [8, 2, 4], [4, 7, 0]):
        chosen = [place % 6 for place in places]
        batch = SimpleNamespace(
            index=torch.tensor(places), images=scores[chosen].requires_grad_(), labels=labels[chosen]
        )
        result = method.step(run, batch)
        expected, losses = [], []
        for place, f, y in zip(places, scores[chosen].double().numpy(), labels[chosen].tolist()):
            f = f / np.abs(f).mean()
            p = np.exp(f / known[place]) / np.exp(f / known[place]).sum()
            known[place] = lam = 3.0 * (1 - (p * np.log(3 * p)).sum() / (2 * math.log(3)))
            d = f - f[y] + 0.1 * (np.arange(3) != y)
            psi = lam * np.log(np.mean(np.exp(d / lam)))
            losses.append(psi - math.log(3) / 3 * (lam - 3) ** 2)  # a / 2 = 2 log 3 / 3 / 2
            expected.append(lam)
        assert result.shown["lambda"].numpy() == pytest.approx(np.array(expected), rel=1e-4)
        assert result.loss.item() == pytest.approx(np.mean(losses), abs=1e-5)
        assert not result.shown["lambda"].requires_grad
    assert method.state["lambdas"].numpy() == pytest.approx(np.array(list(known.values())), rel=1e-4)


def test_no_gradient_goes_through_lambda(task):
    scores, labels = drawn(5, 4, dtype=torch.float32)
    scores.requires_grad_()
    method = LabelDistributionallyRobust(lam=2.0, adaptive=True, margin=0.3, bounding="none")
    run = SimpleNamespace(logits=lambda images: images, num_examples=5, descend=lambda loss: loss.backward())
    result = method.step(run, SimpleNamespace(index=torch.arange(5), images=scores, labels=labels))
    label = F.one_hot(labels, 4)
    chosen = ((scores.detach() + 0.3 * (1 - label)) / result.shown["lambda"][:, None]).softmax(1)
    torch.testing.assert_close(scores.grad, (chosen - label) / 5)


def test_records_show_each_lambda_and_how_well_it_tells_wrong_labels(task):
    record = list(train(task, "ldr", epochs=3, lam=3, adaptive=True))[-1]
    lambdas = record.shown["lambda"]
    assert lambdas.shape == (400,) and (lambdas >= 1.5).all() and (lambdas <= 3).all() and len(lambdas.unique()) > 300
    pairs = lambdas[task.wrong][:, None] - lambdas[~task.wrong][None]
    assert record.numbers["lambda_auc"] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).double().mean().item())
    assert "lambda" not in record.as_row() and "lambda_auc" in record.as_row()["extra"]
    (fixed,) = train(task, "ldr", epochs=1)
    assert "lambda_auc" not in fixed.numbers and not fixed.shown


def test_a_run_with_lambdas_goes_on_from_its_checkpoint(task, tmp_path):
    options = {"lam": 3, "adaptive": True}
    whole = list(train(task, "ldr", epochs=4, **options))
    run = train(task, "ldr", epochs=4, checkpoint=tmp_path / "run.pt", **options)
    next(run), next(run)
    run.close()
    resumed = list(train(task, "ldr", epochs=4, checkpoint=tmp_path / "run.pt", **options))
    assert [r.loss for r in resumed] == [r.loss for r in whole]
    assert torch.equal(resumed[-1].shown["lambda"], whole[-1].shown["lambda"])


@pytest.mark.parametrize("noise, ratio, clean", [("symmetric", 0.4, 3), ("pair", 0.3, 3), ("symmetric", 0.0, 0)])
@pytest.mark.parametrize("options", [
    {}, {"adaptive": True}, {"lam": "inf"}, {"lam": math.inf}, {"lam": 0, "margin": 1}, {"bounding": "softplus"},
    {"bounding": "none", "lam": np.float32(0.5)},
])  # fmt: skip
@pytest.mark.parametrize("classes", [2, 3, 30])
def test_it_learns_whatever_the_classes_the_noise_and_the_clean_set(options, classes, noise, ratio, clean):
    generator = torch.Generator().manual_seed(classes)
    labels = torch.arange(8 * classes) % classes
    images = torch.randn(len(labels), 1, 4, 4, generator=generator)
    made = Dataset("any", tuple(map(str, range(classes))), images, labels, images[:20], labels[:20])
    task = make_task(made, noise=noise, ratio=ratio, clean_per_class=clean, device="cpu")
    (record,) = train(task, "ldr", epochs=1, batch_size=16, **options)
    assert math.isfinite(record.loss)
    assert len(record.shown.get("lambda", task.given_labels)) == task.noisy_count  # the clean set's are not shown


# Bad input, files and the command


@pytest.mark.parametrize("option, value", [
    ("lam", -1), ("lam", math.nan), ("lam", -math.inf), ("lam", 1e-7), ("lam", 1e7), ("lam", True), ("lam", False),
    ("lam", "infinite"), ("lam", None), ("lam", [1.0]), ("alpha", 1), ("alpha", 0.5), ("alpha", math.nan),
    ("alpha", math.inf), ("margin", -0.1), ("margin", math.inf), ("margin", "wide"), ("bounding", "l2"),
    ("bounding", None), ("adaptive", "yes"), ("adaptive", 1),
])  # fmt: skip
def test_a_bad_option_is_refused_by_its_name_at_the_call(task, option, value):
    with pytest.raises(ValueError, match=f"^{option}=") as refusal:
        train(task, "ldr", **{option: value})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("lam", [0, "inf", math.inf])
def test_a_lambda_of_ones_own_needs_one_to_start_from(task, lam):
    with pytest.raises(ValueError, match="^lam=.*must be a number from 1e-06"):
        train(task, "ldr", lam=lam, adaptive=True)


def test_every_run_of_the_grid_is_one_that_a_file_can_hold():
    grid = grid_of("ldr", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)
    for experiment in grid:
        assert LabelDistributionallyRobust(**experiment.options) if experiment.method == "ldr" else True
    assert key(Experiment(method="ldr", options={"lam": "inf"})) != key(Experiment(method="ldr"))
    known = set(map(key, grid))
    assert {key(experiment_of(PAGE, "LDR", **PAIR, lam=lam, seed=0)) for lam in CURVE} <= known


def test_the_knobs_are_options_with_their_defaults():
    import inspect

    options = inspect.signature(LabelDistributionallyRobust).parameters
    for name, field in LabelDistributionallyRobust.knobs.items():
        assert field.default == options[name].default
        for value in (field.metadata["low"], field.metadata["high"], *(field.metadata["choices"] or ())):
            if value is not None:
                LabelDistributionallyRobust(**{name: value}, adaptive=True)


def test_the_command_trains_with_it(capsys):
    command = (
        "train --data mnist5k --method ldr --noise pair --ratio 0.3 -o lam=inf -o margin=0.1 --clean-per-class 0 "
        "--device cpu --epochs 1 --json"
    )
    with pytest.raises(SystemExit) as end:
        cli.main(command.split())
    assert not end.value.code
    assert '"runner_up"' in capsys.readouterr().out


def test_mae_is_gce_at_1():
    assert GeneralizedCrossEntropy(**experiment_of(PAGE, "MAE").options).q == 1


# What is stored


def test_each_claim_is_measured_on_the_stored_runs_as_by_hand():
    sweep = load_sweep("ldr")

    def last(variant, number, seed, **changes):
        return sweep.run(experiment_of(PAGE, variant, seed=seed, **changes)).curves[number][-1]

    def trial(seed):
        return SimpleNamespace(
            seed=seed, run=lambda variant, **changes: sweep.run(experiment_of(PAGE, variant, seed=seed, **changes))
        )

    measured = {claim.id: [claim.measure(trial(seed)) for seed in PAGE.seeds] for claim in PAGE.claims}
    for seed, lead, second in zip(PAGE.seeds, measured["ldr_robust"], measured["ldr_second_ce"]):
        assert lead == last("LDR", "test_accuracy", seed) - last(CE, "test_accuracy", seed)
        assert second == last(CE, "runner_up", seed, **PAIR)
    assert all(len(values) == len(PAGE.seeds) == 5 for values in measured.values())
