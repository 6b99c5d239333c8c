"""Heads, Otsu's threshold, losses, the judge and rounds, beside brute force, scipy, autograd and torch's own KL."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from scipy.stats import spearmanr
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from nlkit.contents import PAGES, experiment_of, grid_of
from nlkit.data.masked_scenes import ECHO, SHADE, fetal_heads
from nlkit.identity import key
from nlkit.learning.segmentation import MaskNetwork, dice
from nlkit.learning.shapes import divergence, learn_shapes, random_faults, shifted
from nlkit.noise.thresholded import otsu, thresholded
from nlkit.papers import noisy_dice_training
from nlkit.papers.noisy_dice import ALL, EVENLY, FULL, LIKELY, ONCE
from nlkit.papers.noisy_dice_training import (
    WAYS,
    WEIGHTED,
    Unannotated,
    judge,
    probability,
    ranks_agree,
    renewed,
    robust_dice,
    selected,
    weighted_dice,
)
from tests.made_up import Answers

PAGE = PAGES["noisy_dice"]
TINY = PAGE.tiny


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=generator(seed), dtype=torch.float64)


# Heads


def test_a_head_is_one_bright_ellipse_and_an_artefact_is_where_it_is_said_to_be():
    clear, all_hit = fetal_heads("train", 60, 0.0), fetal_heads("train", 60, 1.0)
    assert torch.equal(clear.masks, all_hit.masks) and not clear.artefacts.any() and all_hit.artefacts.all()
    head = clear.masks.bool()
    assert head.sum((1, 2)).double().mean().item() == pytest.approx(math.pi * 6.3 * 8.3, rel=0.08)
    light = clear.images[:, 0]
    inside = (light * head).sum((1, 2)) / head.sum((1, 2))
    assert (inside > light.mean((1, 2)) + 0.5).all()
    change = (all_hit.images - clear.images)[:, 0].mean((1, 2))
    assert 15 < int((change < 0).sum()) < 45 and (change != 0).all()  # by a coin a shadow or something bright
    some, more = fetal_heads("train", 60, 0.3).artefacts, fetal_heads("train", 60, 0.6).artefacts
    assert int(some.sum()) == 18 and int(more.sum()) == 36 and bool(more[some].all())
    assert not torch.equal(clear.masks, fetal_heads("test", 60, 0.0).masks)
    assert not torch.equal(clear.masks, fetal_heads("train", 60, 0.0, seed=1).masks)


def test_an_echo_is_of_a_possible_shape_and_a_shadow_or_a_patch_is_not():
    labels = {kind: thresholded(fetal_heads("train", 60, 1.0, kind).images) for kind in (SHADE, ECHO)}
    truth = fetal_heads("train", 60, 1.0).masks.bool()
    clear = dice(thresholded(fetal_heads("train", 60, 0.0).images), truth)
    assert clear.mean() > 0.95 and clear.min() > 0.9
    assert all(dice(label, truth).mean() < 0.85 for label in labels.values())
    area = {kind: label.sum((1, 2)).double() / truth.sum((1, 2)) for kind, label in labels.items()}
    assert 0.75 < area[ECHO].median() < 1.35 and area[SHADE].std() > 0.15


# Thresholds


def within(values, threshold):  # Otsu's criterion, as he wrote it
    upper, lower = values[values > threshold], values[values <= threshold]
    return len(upper) * upper.var() + len(lower) * lower.var() if len(upper) and len(lower) else math.inf


def test_otsu_s_threshold_leaves_the_least_variance_within_of_all_there_are():
    values = torch.cat([drawn(7, 30), 0.6 + 0.5 * drawn(7, 10, seed=1)], 1)
    for row, found in zip(values.numpy(), otsu(values).tolist()):
        least = min(within(row, t) for t in row)
        assert found in row and within(row, found) == pytest.approx(least)
    assert torch.allclose(otsu(values) * 3 - 1, otsu(values * 3 - 1))


def test_an_image_is_smoothed_before_it_is_cut():
    images = drawn(3, 1, 12, 12)
    for image, label in zip(images[:, 0].numpy(), thresholded(images)):
        smooth = uniform_filter(image, 3, mode="nearest")
        threshold = min(smooth.ravel(), key=lambda t: within(smooth.ravel(), t))
        assert np.array_equal(label.numpy(), smooth > threshold + 1e-12)


# Losses


def test_weights_of_one_leave_the_dice_loss_and_pixels_without_weight_are_as_if_they_were_not_there():
    p, label = drawn(4, 6, 6), drawn(4, 6, 6, seed=1) > 0.6
    plain = weighted_dice(p, label.double())
    expected = [(2 * (a * b).sum() + 1) / (a.sum() + b.sum() + 1) for a, b in zip(p, label)]
    assert plain.tolist() == pytest.approx([1 - float(e) for e in expected])
    assert torch.equal(weighted_dice(p, label.double(), torch.ones(4, 6, 6)), plain)
    hard = weighted_dice((p > 0.5).double(), label.double(), epsilon=0)
    assert torch.allclose(hard, 1 - dice(p > 0.5, label).double())
    w = torch.ones(4, 6, 6)
    w[:, :, 4:] = 0
    assert torch.allclose(weighted_dice(p, label.double(), w), weighted_dice(p[..., :4], label[..., :4].double()))
    alone = torch.cat([weighted_dice(p[[n]], label[[n]].double(), w[[n]]) for n in range(4)])
    assert torch.allclose(weighted_dice(p, label.double(), w), alone) and len(set(alone.tolist())) == 4


def test_the_robust_loss_is_one_less_dice_where_its_power_is_two_and_counts_errors_where_it_is_one():
    p, label = drawn(4, 6, 6), (drawn(4, 6, 6, seed=1) > 0.6).double()
    hard = (p > 0.5).double()
    assert torch.allclose(robust_dice(hard, label, 2.0, 0), weighted_dice(hard, label, epsilon=0))
    wrong = (hard != label).sum((1, 2))
    assert torch.allclose(robust_dice(hard, label, 1.0, 0), wrong / (hard.sum((1, 2)) + label.sum((1, 2))), atol=1e-4)
    sums = [((a - b).abs() ** 1.5).sum() / ((a**2).sum() + (b**2).sum() + 1) for a, b in zip(p, label)]
    assert robust_dice(p, label).tolist() == pytest.approx([float(s) for s in sums])


def test_gradients_are_those_of_finite_differences():
    p, w = (0.1 + 0.8 * drawn(2, 3, 3)).requires_grad_(), drawn(2, 3, 3, seed=2)
    label = (drawn(2, 3, 3, seed=1) > 0.5).double()
    for loss in (lambda p: weighted_dice(p, label, w).sum(), lambda p: robust_dice(p, label).sum()):
        (slope,) = torch.autograd.grad(loss(p), p)
        for place in np.ndindex(2, 3, 3):
            step = torch.zeros(2, 3, 3, dtype=torch.float64)
            step[place] = 1e-6
            around = (loss(p + step) - loss(p - step)) / 2e-6
            assert slope[place].item() == pytest.approx(around.item(), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", ["cross-entropy", "Dice", "noise-robust Dice", "noise-weighted Dice"])
def test_each_way_takes_the_loss_of_its_name(name):
    network, images = MaskNetwork(2), drawn(3, 1, 32, 32).float()
    label, w = (drawn(3, 32, 32, seed=1) > 0.5).float(), drawn(3, 32, 32, seed=2).float()
    weight = w if name == WEIGHTED else torch.ones_like(w)
    found = Unannotated(method=name)._loss(network, images, label, weight)
    p = network(images).softmax(1)[:, 1]
    by_name = {
        "cross-entropy": F.binary_cross_entropy(p, label),
        "Dice": weighted_dice(p, label).mean(),
        "noise-robust Dice": robust_dice(p, label).mean(),
        "noise-weighted Dice": weighted_dice(p, label, w).mean(),
    }
    assert found.item() == pytest.approx(by_name[name].item(), rel=1e-4)
    assert torch.allclose(probability(network, images), p)


# Shapes


def test_the_divergence_is_torch_s_own():
    mean, log_variance = drawn(5, 6) - 0.5, 2 * drawn(5, 6, seed=1) - 1
    own = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(6), torch.ones(6))).sum(1)
    assert torch.allclose(divergence(mean, log_variance), own)


def test_a_fault_takes_away_or_adds_and_a_shift_only_moves():
    masks, draw = fetal_heads("shapes", 200, 0.0).masks.bool(), generator()
    faults = random_faults(200, 32, draw)
    cuts, adds = faults.cut.any(2).any(1), faults.added.any(2).any(1)
    assert (cuts ^ adds).all() and 70 < int(cuts.sum()) < 130
    broken = faults.broken(masks)
    assert not (broken & ~masks)[cuts].any() and not (masks & ~broken)[adds].any()
    assert torch.equal((masks & ~broken)[cuts], (masks & faults.cut)[cuts]) and 0.7 < dice(broken, masks).mean() < 0.95
    some = faults.of(torch.tensor([3, 3, 5]))
    assert torch.equal(some.cut[1], faults.cut[3]) and torch.equal(some.added[2], faults.added[5])
    inside = F.pad(masks[:5, 4:-4, 4:-4], (4, 4, 4, 4))
    steps = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    found = [[torch.equal(moved, inside.roll(step, (1, 2))) for step in steps]
             for moved in (shifted(inside, draw) for _ in range(60))]  # fmt: skip
    assert all(sum(each) == 1 for each in found) and len({each.index(True) for each in found}) > 15


@pytest.fixture(scope="module")
def models():
    masks = fetal_heads("shapes", 100, 0.0).masks.bool()
    return {mending: learn_shapes(masks, steps=200, mending=mending) for mending in (True, False)}


def test_a_model_that_learned_to_mend_mends_more_than_one_that_tells_what_it_sees(models):
    masks = fetal_heads("train", 100, 0.0).masks.bool()
    broken = random_faults(100, 32, generator(1)).broken(masks)
    before = dice(broken, masks)
    worst = before < before.median()
    after = {mending: dice(model.mend(broken) > 0.5, masks)[worst].mean() for mending, model in models.items()}
    assert after[True] > before[worst].mean() + 0.03 and after[True] > after[False] + 0.02
    assert dice(models[True].mend(masks) > 0.5, masks).mean() > 0.85


# The judge


class Known:
    """A model of shapes that says what it was told."""

    def __init__(self, told):
        self.told = told

    def mend(self, masks):
        return self.told(masks) if callable(self.told) else self.told


def test_quality_and_weights_are_of_label_and_mend_pixel_by_pixel():
    labels, mend = drawn(4, 3, 3) > 0.4, drawn(4, 3, 3, seed=1).float()
    labels[3] = False
    judged = judge(Known(mend), labels)
    for n in range(4):
        both = sum(float(mend[n, y, x]) for y, x in np.ndindex(3, 3) if labels[n, y, x])
        assert judged.quality[n].item() == pytest.approx(2 * both / float(mend[n].sum() + labels[n].sum()))
        for y, x in np.ndindex(3, 3):
            said = mend[n, y, x] if labels[n, y, x] else 1 - mend[n, y, x]
            assert judged.weight[n, y, x].item() == pytest.approx(float(said))
    assert judged.quality[3] == 0 and torch.equal(judged.mend, mend)
    assert judge(Known(torch.zeros(1, 2, 2)), torch.zeros(1, 2, 2, dtype=torch.bool)).quality.tolist() == [0]


def test_the_best_labels_are_kept_and_one_at_least():
    quality = torch.tensor([0.3, 0.9, 0.1, 0.8, 0.5])
    assert selected(quality, 0.6).tolist() == [1, 3, 4] and selected(quality, 0.01).tolist() == [1]
    assert sorted(selected(quality, 1.0).tolist()) == [0, 1, 2, 3, 4]


def test_a_new_label_is_the_mean_of_the_network_and_of_what_the_shape_makes_of_it():
    p, asked = drawn(3, 4, 4).float(), []
    mend = drawn(3, 4, 4, seed=1).float()
    found = renewed(Known(lambda masks: asked.append(masks) or mend), p)
    assert torch.equal(asked[0], p > 0.5)
    for n, y, x in np.ndindex(3, 4, 4):
        assert bool(found[n, y, x]) == (float(p[n, y, x]) + float(mend[n, y, x]) > 1)


def test_ranks_agree_as_scipy_has_it_with_equals_too():
    one, other = drawn(40), (8 * drawn(40, seed=1)).round()
    for a, b in ((one, other), (one, -other), (one.round(), other), (one, one**3)):
        assert ranks_agree(a, b) == pytest.approx(spearmanr(a.numpy(), b.numpy()).statistic)


def test_faults_of_impossible_shapes_are_ranked_and_echoes_less(models):
    found = {}
    for kind in (SHADE, ECHO):
        world = fetal_heads("train", 100, 0.6, kind)
        labels = thresholded(world.images)
        found[kind] = ranks_agree(judge(models[True], labels).quality, dice(labels, world.masks.bool()))
    assert found[SHADE] > 0.7 and found[ECHO] < found[SHADE] - 0.2


# Runs


def last_of(**changes):
    *_, last = Unannotated(**{**TINY, **changes}).run()
    return last


def test_ways_differ_by_what_they_learn_from():
    last = {name: last_of(method=name) for name in WAYS}
    assert last["true labels"].numbers["labels"] == 1
    label = {name: record.shown["labels"] for name, record in last.items()}
    assert all(torch.equal(label[name], label["Dice"]) for name in WAYS[:3])
    assert torch.equal(label["mended labels"], last["Dice"].shown["mend"] > 0.5)
    assert len({record.numbers["dice"] for record in last.values()}) > 3
    assert len({(r.numbers["judge"], r.numbers["threshold"]) for r in last.values()}) == 1
    for name, record in last.items():
        assert bool((record.shown["weight"] < 1).any()) == (name == WEIGHTED)


def test_a_network_hears_nothing_of_the_truth_unless_it_is_to_learn_it(monkeypatch):
    before = {name: last_of(method=name) for name in (WEIGHTED, "true labels")}
    real = fetal_heads

    def elsewhere(part, *others, **named):
        scenes = real(part, *others, **named)
        return scenes._replace(masks=scenes.masks.roll(5, 1)) if part == "train" else scenes

    monkeypatch.setattr(noisy_dice_training, "fetal_heads", elsewhere)
    after = {name: last_of(method=name) for name in before}
    assert after[WEIGHTED].numbers["labels"] != before[WEIGHTED].numbers["labels"]
    for part in ("labels", "weight", "kept", "prediction"):
        assert torch.equal(after[WEIGHTED].shown[part], before[WEIGHTED].shown[part])
    assert after[WEIGHTED].numbers["dice"] == before[WEIGHTED].numbers["dice"]
    assert not torch.equal(after["true labels"].shown["labels"], before["true labels"].shown["labels"])


def test_a_round_begins_with_new_labels_that_are_judged_anew(monkeypatch):
    asked, real = [], noisy_dice_training.renewed
    monkeypatch.setattr(noisy_dice_training, "renewed", lambda *given: asked.append(real(*given)) or asked[-1])
    records = list(Unannotated(**{**TINY, "length": 6, "rounds": 3, "keep": 0.5}).run())
    labels = [record.shown["labels"] for record in records]
    assert len(asked) == 2 and not torch.equal(labels[1], labels[2])
    assert all(torch.equal(labels[n], labels[n + 1]) for n in (0, 2, 4))
    for epoch, made in ((2, asked[0]), (4, asked[1])):
        assert all(any(torch.equal(one, other) for other in made) for one in labels[epoch])
    weights = [record.shown["weight"] for record in records]
    assert not torch.equal(weights[1], weights[2]) and torch.equal(weights[2], weights[3])
    assert len(list(Unannotated(**{**TINY, "length": 6, "method": "Dice"}).run())) == 6 and len(asked) == 2


def test_weights_can_be_left_out_and_selection_stays():
    plain = last_of(weighing=False, keep=0.5)
    assert (plain.shown["weight"] == 1).all() and not plain.shown["kept"].all()
    assert plain.numbers["dice"] != last_of(weighing=True, keep=0.5).numbers["dice"]


@pytest.mark.slow
def test_where_labels_are_right_and_shapes_say_nothing_rounds_change_next_to_nothing(monkeypatch):
    monkeypatch.setattr(noisy_dice_training, "shape_model", lambda *_: Known(lambda masks: masks.float()))
    made, real = [], noisy_dice_training.renewed
    monkeypatch.setattr(noisy_dice_training, "renewed", lambda *given: made.append(real(*given)) or made[-1])
    run = Unannotated(count=40, length=24, rounds=3, ratio=0.0, keep=1.0)
    first = thresholded(run.problem()[0].images)
    *_, last = run.run()
    assert len(made) == 2 and all((labels != first).double().mean() < 0.02 for labels in made)
    assert (made[1] != made[0]).double().mean() < 0.01 and (last.shown["weight"] == 1).all()


def test_the_picture_shows_what_is_doubted_and_what_is_left_out():
    runs = {name: list(Unannotated(**TINY, method=name, keep=0.3).run()) for name in ("Dice", WEIGHTED)}
    figure = PAGE.picture(runs)
    assert f"{WEIGHTED} {runs[WEIGHTED][-1].numbers['dice']:.1%}" in figure.alt
    written = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert written.count("left out") == int((~runs[WEIGHTED][-1].shown["kept"]).sum()) > 0
    assert figure.get_figheight() <= 6.3 and "No run yet" in PAGE.picture({}).alt
    assert PAGE.picture({"Dice": runs["Dice"]}).get_figheight() < figure.get_figheight() - 1


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: fetal_heads("train", 0, 0.5), "count=0 must be a whole number of at least 1"),
        (lambda: fetal_heads("train", 5, 1.5), "share=1.5 must be a number from 0 to 1"),
        (lambda: fetal_heads("train", 5, 0.5, "eco"), "did you mean 'echo'"),
        (lambda: otsu(torch.zeros(3, 1)), r"values has shape \(3, 1\)"),
        (lambda: learn_shapes(torch.zeros(4, 8, 8, dtype=torch.bool)), "at least 5 of them"),
        (lambda: learn_shapes(torch.zeros(6, 8, 8)), "type torch.float32"),
        (lambda: learn_shapes(torch.zeros(6, 8, 9, dtype=torch.bool)), r"shape \(6, 8, 9\)"),
        (lambda: learn_shapes(torch.zeros(6, 8, 8, dtype=torch.bool), steps=0), "steps=0"),
        (lambda: robust_dice(drawn(1, 2, 2), drawn(1, 2, 2), 2.5), "gamma=2.5 must be a number from 1 to 2"),
        (lambda: Unannotated(keep=0.0), "keep=0.0"),
        (lambda: Unannotated(rounds=0), "rounds=0"),
        (lambda: Unannotated(auxiliary=4), "auxiliary=4"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("noisy_dice", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)
    changes = [(name, {}) for name in WAYS] + [(WEIGHTED, change) for change in (ONCE, EVENLY, ALL, LIKELY)]
    assert all(key(experiment_of(PAGE, name, **{**FULL, **c}, seed=0)) in map(key, grid) for name, c in changes)


def test_claims_measure_what_they_say():
    numbers = {"dice": 1, "misled": 10, "judge": 100}

    def answer(e, number):
        control = (e.rounds != 3) * 0.5 + (not e.weighing) * 0.25
        return (1 + 2 * (e.artefact == ECHO)) * numbers[number] * (1 + WAYS.index(e.method)) ** 2 - control

    measured = {c.id.removeprefix("noisy_dice_"): c.measure(Answers(PAGE, answer)) for c in PAGE.claims}
    assert measured == {"judge": 1600, "weighted": 12, "misled": 120, "rounds": 0.5, "weights": 0.25, "prior": -9,
                        "robust": 5, "echo": 36}  # fmt: skip
