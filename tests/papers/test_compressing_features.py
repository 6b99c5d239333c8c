"""Compressing features: cuts by hand, draws by a chi-square, limits bit for bit, principal axes, and who teaches."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from nlkit import Dataset, load, make_task, train
from nlkit.contents import experiment_of
from nlkit.learning import first_features
from nlkit.learning.first_features import (
    Masks,
    accuracy_by_cut,
    best_cut,
    cut_probabilities,
    draw_cut,
    last_layer,
    logits_at,
    logits_by_cut,
    masked,
    reach,
)  # fmt: skip
from nlkit.learning.learner import Batch, Run
from nlkit.learning.optimizers import build_optimizer, clear_gradients, take_step
from nlkit.learning.wave_fit import ERROR, Wave, noisy_wave, wave
from nlkit.papers.compressed_digits import Digits, Pair, exchange_step, kept_number
from nlkit.papers.compressing_features import PAGE, draw
from nlkit.papers.nested_dropout import CompressedFeatures
from nlkit.plots.first_features import curves_by_features


def network(features=6, seed=0, pixels=36, classes=4, bias=True):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(pixels, features), nn.ReLU(), nn.Linear(features, classes, bias=bias)
    )  # fmt: skip


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 4
    images = torch.randn(4, 1, 6, 6, generator=generator)[labels] + torch.randn(200, 1, 6, 6, generator=generator)
    return Dataset("four", tuple("abcd"), images, labels, images[:40] + 0.1, labels[:40])


@pytest.fixture(scope="module")
def task(data):
    return make_task(data, ratio=0.3, clean_per_class=0, device="cpu")


# Cuts


@pytest.mark.parametrize("bias", [True, False])
def test_the_running_sum_is_what_masked_features_say(bias):
    model, images = network(bias=bias), torch.randn(20, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    h = np.maximum(images.flatten(1).numpy() @ model[1].weight.detach().numpy().T + model[1].bias.detach().numpy(), 0)
    w, found = model[3].weight.detach().numpy(), list(logits_by_cut(model, images))
    assert len(found) == 6
    for k, logits in enumerate(found, start=1):
        by_hand = h[:, :k] @ w[:, :k].T + (model[3].bias.detach().numpy() if bias else 0)
        assert logits.numpy() == pytest.approx(by_hand, abs=1e-5)
        assert logits_at(model, images, k).numpy() == pytest.approx(by_hand, abs=1e-5)
        with masked(model[3], first_features.first(k, 6)):
            assert model(images).detach().numpy() == pytest.approx(by_hand, abs=1e-5)
    assert torch.allclose(found[-1], model(images), atol=1e-5)  # and no hook is left
    labels = found[2].argmax(1)
    assert accuracy_by_cut(model, images, labels)[2] == 1


@pytest.mark.parametrize("sigma", [0.01, 3.0, 12.0])
def test_the_probabilities_of_k(sigma):
    p = cut_probabilities(64, sigma)
    assert float(p.sum()) == pytest.approx(1)
    assert float(p[1] / p[0]) == pytest.approx(math.exp(-3 / sigma**2), abs=1e-12)


def test_ks_are_drawn_as_often_as_they_should_be():
    masks, draws = Masks("nested", 4.0, 0.5), torch.Generator().manual_seed(0)
    kept = torch.stack([masks.draw(3, 10, draws) for _ in range(3000)])
    assert ((kept[:, 1:] <= kept[:, :-1]) & ((kept == 0) | (kept == 1))[:, 1:]).all()  # the first ones, as they are
    counts = torch.bincount(kept.sum(1).long(), minlength=11)
    expected = np.exp(-((np.arange(1, 11) / 4) ** 2))
    assert counts[0] == 0 and chisquare(counts[1:], 3000 * expected / expected.sum()).pvalue > 1e-3


def test_a_wide_sigma_is_even_and_one_feature_is_always_kept():
    assert cut_probabilities(7, 1e6).tolist() == pytest.approx([1 / 7] * 7)
    assert cut_probabilities(1, 5.0).tolist() == [1] and draw_cut(cut_probabilities(1, 5.0), torch.Generator()) == 1


def test_dropout_scales_what_it_keeps_and_asks_for_each_example():
    mask = Masks("dropout", 1.0, 0.25).draw(400, 50, torch.Generator().manual_seed(0))
    assert mask.shape == (400, 50) and mask.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float(mask.mean()) == pytest.approx(1, abs=0.02) and len(mask.unique(dim=0)) == 400


def test_features_that_hardly_any_step_keeps_are_never_cut_to():
    p = cut_probabilities(64, 12.0)
    shares = [float(p[j:].sum()) for j in range(64)]
    assert reach(p) == sum(share >= 1e-3 for share in shares) == 28
    assert Masks("nested", 12.0, 0.5).reach(64) == 28
    assert Masks("none", 12.0, 0.5).reach(64) == Masks("dropout", 12.0, 0.5).reach(64) == 64


def test_of_near_ties_the_smaller_cut_wins():
    assert best_cut([0.5, 0.9, 0.9, 0.90001, 0.8]) == 2
    assert best_cut([0.5, 0.9, 0.90002, 0.9]) == 3 and best_cut([0.4]) == 1


def loss_of_axes(model, x, mask):
    with masked(model[1], mask):
        return (model(x) - x).square().sum(1).mean()


@pytest.mark.parametrize("ordered", [True, False])
def test_a_linear_autoencoder_finds_the_principal_axes_in_order(ordered):
    """Rippel et al., section 3. With features taken away in no order it finds their span, and no axes."""
    torch.manual_seed(0)
    x = torch.randn(60, 6) @ torch.diag(torch.tensor([3.0, 2.0, 1.4, 0.5, 0.3, 0.2])) @ torch.linalg.qr(
        torch.randn(6, 6)
    )[0]  # fmt: skip
    axes = torch.linalg.svd(x - x.mean(0))[2][:3]
    x = x - x.mean(0)
    model = nn.Sequential(nn.Linear(6, 3, bias=False), nn.Linear(3, 6, bias=False))
    masks, draws = Masks("nested" if ordered else "none", 4.0, 0.5), torch.Generator().manual_seed(0)
    optimizer = build_optimizer("adam", model, 0.03)
    for _ in range(400):
        clear_gradients(optimizer)
        loss_of_axes(model, x, masks.draw(60, 3, draws)).backward()
        take_step(optimizer)
    columns = model[1].weight.detach() / model[1].weight.detach().norm(dim=0)
    cosines = (axes @ columns).diagonal().abs()
    assert (cosines > 0.99).all() if ordered else (cosines < 0.99).any()


# The method


def trained(task, method, features=6, **options):
    """The parameters that two epochs lead to."""
    model = network(features, seed=1)
    list(train(task, method, model=model, epochs=2, batch_size=32, **options))
    return [p.tolist() for p in model.parameters()]


def test_nothing_taken_away_is_standard_training_bit_for_bit(task, monkeypatch):
    plain = trained(task, "standard")
    assert trained(task, "compress", mask="none", keep="all") == plain
    assert trained(task, "compress", 1, keep="all") == trained(task, "standard", 1)
    assert trained(task, "compress", keep="all", sigma=2.0) != plain
    monkeypatch.setattr(first_features, "draw_cut", lambda p, _: len(p))
    assert trained(task, "compress", keep="all") == plain


def started(method, data, clean=0, features=6):
    model = network(features)
    run = Run(
        model, build_optimizer("sgd", model, 0.1), data.train_images[:clean], data.train_labels[:clean],
        torch.Generator().manual_seed(0), 4, 200, noisy_images=data.train_images, given_labels=data.train_labels,
    )  # fmt: skip
    method.prepare(run)
    return run


def test_a_step_leaves_features_after_k_where_they_are(data, monkeypatch):
    monkeypatch.setattr(first_features, "draw_cut", lambda *_: 2)
    method = CompressedFeatures(keep="all")
    run = started(method, data)
    before = [p.detach().clone() for p in run.model.parameters()]
    method.step(run, Batch(torch.arange(50), data.train_images[:50], data.train_labels[:50]))
    into, _, out, _ = ((p - q).abs() for p, q in zip(run.model.parameters(), before))
    assert (into[2:] == 0).all() and (out[:, 2:] == 0).all() and into[:2].any() and out[:, :2].any()


def test_the_best_cut_of_the_best_epoch_is_measured_and_left_behind(data):
    task = make_task(data, ratio=0.3, clean_per_class=10, device="cpu")
    model, watched = network(24), []
    run = train(task, "compress", model=model, epochs=6, sigma=3.0, batch_size=32)
    best = (-1.0, 0, 0, 0.0)
    for record in run:
        clean = accuracy_by_cut(model, task.clean_images, task.clean_labels)[: reach(cut_probabilities(24, 3.0))]
        scores = [share - 1e-5 * place for place, share in enumerate(clean)]
        test = accuracy_by_cut(model, task.test_images, task.test_labels)
        if max(scores) > best[0]:
            k = 1 + scores.index(max(scores))
            best = (max(scores), record.epoch, k, test[k - 1])
        watched.append((record.extra["kept_epoch"], record.extra["cut"], record.test_accuracy))
        assert watched[-1] == (best[1], best[2], pytest.approx(best[3]))
    assert best[2] < 24 and (last_layer(model).weight[:, best[2] :] == 0).all()
    assert accuracy_by_cut(model, task.test_images, task.test_labels)[-1] == pytest.approx(best[3])


def test_labels_that_choose_are_never_learned_from(task, monkeypatch):
    seen, held, step, hold_out = set(), [], CompressedFeatures.step, CompressedFeatures.hold_out
    monkeypatch.setattr(
        CompressedFeatures, "step", lambda s, run, b: (seen.update(b.index.tolist()), step(s, run, b))[1]
    )
    monkeypatch.setattr(CompressedFeatures, "hold_out", lambda s, run: held.append(hold_out(s, run)) or held[-1])
    list(train(task, "compress", model=network(), epochs=1))
    assert len(held[0]) == 20 and seen == set(range(200)) - set(held[0].tolist())
    digits = Digits(clean_per_class=0, epochs=1)
    images, given, _, noisy = digits.problem()
    method, run = digits.network(images, given, noisy)
    seen.clear()
    next(digits.learn(method, run))
    assert seen == set(range(4000)) - set(method.held.tolist()) and len(method.held) == 400
    assert torch.equal(method.judged[1], given[method.held])


def test_it_cuts_an_averaged_network_too(task):
    records = list(train(task, "compress", model=network(), epochs=2, weight_average=0.5))
    assert records[-1].extra["cut"] >= 1


# The pair


def pair_step(data, images, forget, mask="none", members=None):
    models = members or [network(seed=s) for s in (0, 1)]
    both = [(m, build_optimizer("sgd", m, 0.1)) for m in models]
    kept = exchange_step(
        both, images, data.train_labels[: len(images)], cut=3, forget=forget, masks=Masks(mask, 3.0, 0.5),
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    return models, kept


@pytest.mark.parametrize("mask", ["none", "nested", "dropout"])
def test_each_learns_from_the_half_that_the_other_has_looked_at(data, mask):
    images = data.train_images[:40]
    other = images.clone()
    other[:20] = other[:20].flip(0)  # another first half, of the same images with other labels
    (first, second), _ = pair_step(data, images, 0.25, mask)
    (same, changed), _ = pair_step(data, other, 0.25, mask)
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), same.parameters()))
    assert not all(torch.equal(p, q) for p, q in zip(second.parameters(), changed.parameters()))


def test_each_keeps_the_least_losses_of_its_half_by_the_cut_network(data):
    images, labels = data.train_images[:41], data.train_labels[:41]
    says = [list(logits_by_cut(network(seed=s), images))[2] for s in (0, 1)]
    losses = [-logits.log_softmax(1)[torch.arange(41), labels] for logits in says]
    _, kept = pair_step(data, images, 0.4)
    expected = losses[0][:20].argsort()[:12].tolist(), (20 + losses[1][20:].argsort()[:12]).tolist()
    assert set(kept.tolist()) == {*expected[0], *expected[1]}
    assert sorted(pair_step(data, images, 0.0)[1].tolist()) == list(range(41))


@pytest.mark.parametrize("half, forget, number", [(20, 0.4, 12), (20, 0.26, 14), (3, 0.95, 1), (10, 0.1, 9)])
def test_how_many_are_kept(half, forget, number):
    assert kept_number(half, forget) == number


def test_the_first_record_of_a_pair_is_the_mean_of_two_trained_apart():
    pair = Pair(epochs=1, exchange=1, mask="none")
    images, given, _, noisy = pair.problem()
    said = 0
    test = load("mnist5k")
    for number in (0, 1):
        method, run = pair.network(images, given, noisy, number)
        list(pair.learn(method, run, number))
        said = said + run.model(test.test_images).detach()
    records = list(pair.run())
    assert records[0].numbers["test_accuracy"] == pytest.approx(
        float((said.argmax(1) == test.test_labels).double().mean())
    )
    assert "right" not in records[0].numbers and 0.6 < records[1].numbers["right"] < 1


# The experiments


def test_digits_are_the_task_of_the_kit():
    for clean in (0, 20):
        images, given, true, noisy = Digits(clean_per_class=clean, ratio=0.2, seed=4).problem()
        task = make_task("mnist5k", ratio=0.2, clean_per_class=clean, seed=4, device="cpu")
        assert torch.equal(images, task.images) and torch.equal(given, task.given) and torch.equal(true, task.true)
        assert noisy == task.noisy_count


def test_without_a_wrong_label_there_is_nothing_to_memorize():
    (record,) = Digits(ratio=0.0, epochs=1).run()
    assert "memorized" not in record.numbers and "nested" in draw({"nested": [record], "dropout": []}).alt
    assert record.numbers["kept"] == record.numbers["test_accuracy"] == record.shown["by_cut"][record.shown["cut"] - 1]


def test_points_of_the_wave_are_on_it_but_for_those_drawn_anew():
    x, y, wrong = noisy_wave(400, 0.3, 0)
    assert wrong.sum() == 120 and (y - wave(x))[~wrong].abs().max() < 0.25
    assert y[wrong].abs().max() <= ERROR and float(y[wrong].var()) == pytest.approx(ERROR**2 / 3, rel=0.2)


def test_a_wave_s_errors_are_those_of_its_curves():
    (record,) = Wave(steps=20, looks=1, features=4, sigma=2.0).run()
    curves, grid = record.shown["curves"].numpy(), record.shown["grid"].numpy()
    for k in (1, 4):
        error = np.mean((curves[k - 1] - np.sin(3 * grid) - 0.3 * grid) ** 2)
        assert record.numbers[f"error {k}"] == pytest.approx(error, rel=1e-4)
    assert f"nested {record.numbers['error 2']:.2f}" in curves_by_features({"nested": record}, 2).alt
    with pytest.raises(ValueError, match="k=5 must be a whole number from 1 to 4"):
        curves_by_features({"nested": record}, 5)


# Bad input


@pytest.mark.parametrize(
    "option, value",
    [("sigma", 0), ("sigma", -1.0), ("sigma", math.nan), ("p", 1.0), ("p", -0.1), ("mask", "tail"), ("keep", "some"),
     ("judge", "test"), ("judge", None)],
)  # fmt: skip
def test_a_bad_option_is_refused_before_training(task, option, value):
    with pytest.raises(ValueError, match=f"^{option}="):
        train(task, "compress", **{option: value})


def test_what_can_not_be_cut_or_judged_is_refused_before_training(task):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, images):
            return self.inner(images)

    with pytest.raises(ValueError, match="^model=Net must be a Sequential that ends in a Linear layer"):
        train(task, "compress", model=Net())
    with pytest.raises(ValueError, match="^judge='clean' needs a clean set"):
        train(task, "compress", judge="clean")
    few = make_task(Dataset("few", ("a", "b"), torch.rand(4, 1, 6, 6), torch.arange(4) % 2, torch.rand(2, 1, 6, 6),
                            torch.arange(2)), ratio=0.0, clean_per_class=0, device="cpu")  # fmt: skip
    with pytest.raises(ValueError, match="^judge='any' would hold out 0 of 4 given labels"):
        train(few, "compress")


@pytest.mark.parametrize(
    "make, name",
    [(lambda: cut_probabilities(0, 1.0), "features"), (lambda: cut_probabilities(4, 0), "sigma"),
     (lambda: kept_number(5, 1.0), "forget"), (lambda: kept_number(5, -0.1), "forget"),
     (lambda: Pair(forget=1.0), "forget"), (lambda: Digits(sigma=0.0), "sigma"), (lambda: Digits(p=1.0), "p"),
     (lambda: Digits(clean_per_class=101), "clean_per_class"), (lambda: Digits(ratio=0.9), "ratio"),
     (lambda: Wave(features=0), "features"), (lambda: Wave(ratio=0.7), "ratio"), (lambda: Wave(p=1.0), "p")],
)  # fmt: skip
def test_settings_beyond_their_ends_are_refused(make, name):
    with pytest.raises(ValueError, match=f"^{name}="):
        make()


def test_pairs_and_waves_are_no_variants_of_the_panel():
    assert set(PAGE.variants) == {"standard", "dropout", "nested"}
    assert experiment_of(PAGE, "pair nested", sigma=25.0, seed=2) == Pair(sigma=25.0, seed=2)
    assert experiment_of(PAGE, "wave standard", seed=2) == Wave(mask="none", looks=1, seed=2)
