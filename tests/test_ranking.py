"""The order of scores: beside loops, SciPy's rank test, and tasks whose noise names a likeliest wrong label or none."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from nlkit import Dataset, build_model, make_task, noise_matrix, train
from nlkit.learning.models import evaluate
from nlkit.learning.ranking import area_under_curve, best_scores, runner_up_share


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(1, 8))
def test_the_area_is_that_of_the_rank_test_ties_included(seed, count, levels):
    draws = np.random.default_rng(seed)
    values, positive = draws.integers(0, levels, count), draws.random(count) < 0.4
    found = area_under_curve(torch.tensor(values, dtype=torch.float32), torch.tensor(positive))
    if positive.all() or not positive.any():
        assert found is None
        return
    up, down = values[positive], values[~positive]
    assert found == pytest.approx(mannwhitneyu(up, down).statistic / (len(up) * len(down)))


def test_a_number_that_is_not_there_of_all_has_no_area():
    assert area_under_curve(torch.tensor([1.0, torch.nan, 2.0]), torch.tensor([True, False, False])) is None


@pytest.mark.parametrize("noise", ["pair", "symmetric-doubled", {0: 3, 2: 1}])
def test_the_runner_up_is_counted_as_by_a_loop(noise):
    matrix = noise_matrix(noise, 5, 0.3)
    generator = torch.Generator().manual_seed(0)
    scores, labels = torch.randn(300, 5, generator=generator), torch.randint(5, (300,), generator=generator)
    right = []
    for f, y in zip(scores.tolist(), labels.tolist()):
        rest = [(matrix[y, k].item(), k) for k in range(5) if k != y]
        (most, likeliest), (next_one, _) = sorted(rest, reverse=True)[:2]
        if most > next_one:
            right.append(max((k for k in range(5) if k != y), key=lambda k: f[k]) == likeliest)
    assert runner_up_share(scores, labels, matrix) == pytest.approx(np.mean(right))
    assert len(right) == 300 if noise != {0: 3, 2: 1} else 0 < len(right) < 300


def test_where_the_noise_names_no_likeliest_wrong_label_there_is_nothing_to_ask():
    scores, labels = torch.randn(20, 4), torch.arange(20) % 4
    for matrix in (noise_matrix("symmetric", 4, 0.4), noise_matrix("pair", 4, 0.0)):
        assert runner_up_share(scores, labels, matrix) is None
    assert runner_up_share(scores[:, :2], labels % 2, noise_matrix("pair", 2, 0.3)) is None  # one wrong class alone
    assert runner_up_share(scores[:0], labels[:0], noise_matrix("pair", 4, 0.3)) is None


@pytest.mark.parametrize("noise, asked", [("pair", True), ("symmetric", False)])
def test_records_have_it_of_the_test_images_where_it_is_defined(noise, asked):
    images, labels = torch.randn(120, 1, 5, 5), torch.arange(120) % 4
    made = Dataset("four", tuple("abcd"), images, labels, images[:40], labels[:40])
    task = make_task(made, noise=noise, ratio=0.3, clean_per_class=0, device="cpu")
    network = build_model("mlp", (1, 5, 5), 4, seed=0)
    *_, record = train(task, model=network, epochs=2)
    assert ("runner_up" in record.numbers) == ("runner_up" in record.as_row()["extra"]) == asked
    if asked:
        expected = runner_up_share(evaluate(network, task.test_images), task.test_labels, task.matrix)
        assert record.numbers["runner_up"] == expected
        untested = make_task(Dataset("four", tuple("abcd"), images, labels, images[:0], labels[:0]), noise=noise,
                             ratio=0.3, clean_per_class=0, device="cpu")  # fmt: skip
        assert "runner_up" not in next(train(untested, epochs=1)).numbers


def test_the_best_scores_of_the_squared_loss_are_the_shares():
    shares = torch.tensor([0.5, 0.3, 0.2]).double()
    found = best_scores(lambda f: f.square().sum(1, keepdim=True) - 2 * f, shares, starts=4, seed=3)
    torch.testing.assert_close(found, shares.expand(4, -1), rtol=0, atol=1e-4)
    again, other = (best_scores(lambda f: 0 * f, shares, seed=seed) for seed in (3, 4))
    assert torch.equal(again, best_scores(lambda f: 0 * f, shares, seed=3)) and not torch.equal(again, other)
