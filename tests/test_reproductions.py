"""What must hold at full size: the tutorial's setting on all of MNIST, mean of three seeds. About five minutes."""

import pytest

from nlkit import make_task, train


@pytest.fixture(scope="module")
def runs():
    """80 % noise as the tutorial draws it, 50 clean a class, the MLP, Adam at 6e-4, batches of 128, 25 epochs."""
    methods = ("standard", "clean_only", "reweight")
    results = {method: [] for method in methods}
    for seed in range(3):
        task = make_task("mnist", noise="symmetric-doubled", ratio=0.8, clean_per_class=50, seed=seed)
        for method in methods:
            results[method].append(list(train(task, method, epochs=25, seed=seed)))
    return results


def mean_final(runs) -> float:
    return sum(run[-1].test_accuracy for run in runs) / len(runs)


def mean_best(runs) -> float:
    return sum(max(r.test_accuracy for r in run) for run in runs) / len(runs)


@pytest.mark.full_data("mnist")
def test_the_tutorial_s_experiment_on_all_of_mnist(runs, record_property):
    for method, histories in runs.items():
        record_property(method, f"final {mean_final(histories):.4f}, best {mean_best(histories):.4f}")
    # Published: standard 40.4 at the end and 74 at best, reweighting 85.4; clean only was not reported.
    assert mean_final(runs["standard"]) <= 0.50
    assert mean_best(runs["standard"]) >= 0.72
    assert mean_final(runs["reweight"]) >= 0.84
    assert mean_final(runs["clean_only"]) >= 0.84  # the headline of reweighting is close to a tie with this
    assert mean_final(runs["reweight"]) - mean_final(runs["clean_only"]) == pytest.approx(0.01, abs=0.02)


@pytest.mark.full_data("mnist")
def test_on_all_of_mnist_the_network_is_too_small_to_learn_every_wrong_label(runs):
    """What notebook 02 says of the published curve: accuracy on given labels rises by little there."""
    for run in runs["standard"]:
        assert 0.05 < run[-1].given_accuracy - run[0].given_accuracy < 0.20


@pytest.mark.full_data("mnist")
def test_mentormix_passes_91_percent_on_the_tutorial_s_noise_without_a_clean_set(record_property):
    """Published settings for 80 %: percentile 0.2, alpha 4; averaged weights. `by_class` is the kit's own."""
    finals = []
    for seed in range(3):
        task = make_task("mnist", noise="symmetric-doubled", ratio=0.8, clean_per_class=0, seed=seed)
        settings = {"percentile": 0.2, "alpha": 4.0, "second_weighting": True, "by_class": True}
        run = train(task, "mentormix", epochs=25, seed=seed, weight_average=0.999, **settings)
        finals.append(list(run)[-1].test_accuracy)
    record_property("mentormix", finals)
    assert sum(finals) / 3 > 0.91
