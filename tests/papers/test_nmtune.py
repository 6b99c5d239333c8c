"""Spectra, terms of the loss, frozen bodies and digits from elsewhere, each against something independent."""

import math

import numpy as np
import pytest
import torch
from made_up import Answers
from torch import nn

from nlkit.data.load import load
from nlkit.data.shifts import MOVE, SHIFTS, all_test_sets, other_writers, shifted
from nlkit.learning import frozen
from nlkit.learning.feature_shape import correlated, entropy, largest_ratio, moved, not_dominant, spectrum
from nlkit.papers import nmtune
from nlkit.papers.nmtune import PAGE, Shaping, Transfer, loss_of, new_head

TINY = dict(PAGE.tiny)


def drawn(rows=12, columns=5, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def orthogonal(size, seed=1):
    return torch.linalg.qr(drawn(size, size, seed))[0]


# The shape of features


def test_directions_used_alike_have_the_largest_entropy_and_one_direction_none():
    alike, one = spectrum(orthogonal(6)), spectrum(drawn(6, 1) @ drawn(1, 6, 2))
    assert entropy(alike) == pytest.approx(math.log(6)) and largest_ratio(alike) == pytest.approx(math.log(6))
    assert entropy(one) == pytest.approx(0, abs=1e-9) and largest_ratio(one) == pytest.approx(0, abs=1e-9)


def test_a_spectrum_is_numpy_s_and_knows_neither_scale_nor_rotation():
    f = drawn()
    values = np.linalg.svd(f.numpy(), compute_uv=False)
    s = values / values.sum()
    for features in (f, 7 * f, f @ orthogonal(5), orthogonal(12) @ f):
        assert spectrum(features).tolist() == pytest.approx(s.tolist())
    assert entropy(spectrum(f)) == pytest.approx(-(s * np.log(s)).sum())


def test_the_covariance_term_is_what_numpy_has_off_the_diagonal():
    z = drawn(40)
    covariance = np.cov(z.numpy(), rowvar=False)
    off = covariance - np.diag(np.diag(covariance))
    assert float(correlated(z)) == pytest.approx((off**2).sum() / 5)
    white = torch.linalg.qr(z - z.mean(0))[0]
    assert float(correlated(white)) == pytest.approx(0, abs=1e-12)


def test_longer_features_have_not_moved_and_the_old_ones_are_constants():
    f = drawn().requires_grad_()
    assert float(moved(f, 3 * f.detach())) == pytest.approx(0, abs=1e-12)
    turned = f.detach().flip(1).requires_grad_()
    value = moved(f, turned)
    cosine = torch.cosine_similarity(f, turned, dim=1).mean().item()
    assert value.item() == pytest.approx(2 * (1 - cosine) / 5)
    value.backward()
    assert f.grad is None and turned.grad is not None


@pytest.mark.parametrize("top", [1, 5])
def test_the_spectral_term_is_within_its_bounds_and_its_gradient_is_that_of_differences(top):
    z = drawn(8, 5).requires_grad_()
    value = not_dominant(z, top)
    assert -1 / top <= value.item() <= -1 / 5 + 1e-12
    assert torch.autograd.gradcheck(lambda x: not_dominant(x, min(top, 4)), z)


def test_equal_singular_values_and_dead_features_have_a_finite_gradient():
    for z in (torch.eye(6, dtype=torch.float64), torch.cat([drawn(6, 3), torch.zeros(6, 3)], 1)):
        z.requires_grad_()
        not_dominant(z, 2).backward()
        assert z.grad.isfinite().all()


def test_more_singular_values_than_there_are_are_refused():
    with pytest.raises(ValueError, match="top=5 must be a whole number from 1 to 3: z has no more"):
        not_dominant(drawn(3, 8))


# Heads on a frozen body


def test_without_terms_and_without_a_the_shaped_head_is_the_linear_probe_bit_for_bit():
    f, labels = drawn(30, 8).float(), torch.arange(30) % 3
    probe, shaping = new_head("LP", 8, 3, seed=4), new_head("NMTune", 8, 3, seed=4)
    shaping[1].load_state_dict(probe[1].state_dict())
    shaping[0].a.requires_grad_(False).zero_()
    *_, one = frozen.tune(probe, f, labels, loss_of(), epochs=2, seed=4)
    *_, other = frozen.tune(shaping, f, labels, loss_of(), epochs=2, seed=4)
    assert torch.equal(one[1].weight, other[1].weight)


def test_the_loss_is_the_sum_that_the_paper_prints():
    f, labels = drawn(20, 6).float(), torch.arange(20) % 3
    head = new_head("NMTune", 6, 3, seed=0).eval()
    z, ce = head[0](f), nn.CrossEntropyLoss()
    expected = ce(head(f), labels) + 2 * moved(f, z) + 3 * correlated(z) + 4 * not_dominant(z, 1)
    assert loss_of(2, 3, 4, top=1)(head, f, labels).item() == pytest.approx(expected.item())
    assert sum(p.numel() for p in Shaping(6).parameters()) == (6 * 24 + 24) + 2 * 24 + (24 * 6 + 6) + 6


def test_a_body_stays_as_it_was_whatever_learns_on_it():
    network = frozen.new_network(12, 3)
    body, images, labels = frozen.frozen_body(network), drawn(30, 12).float(), torch.arange(30) % 3
    before = {name: value.clone() for name, value in body.state_dict().items()}
    head = new_head("NMTune", 64, 3)
    for _ in frozen.tune(head, body(images), labels, loss_of(1.0, 0.04, 0.001), epochs=2, steps=4):
        assert not body.training and not any(p.requires_grad for p in body.parameters())
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())
    assert torch.allclose(network[-1](body(images)), network(images))


def test_the_rate_falls_as_a_cosine_and_decay_is_apart_from_the_gradient():
    weight = torch.ones(1, requires_grad=True)
    head = nn.ParameterList([weight])
    *_, _ = frozen.tune(
        head, drawn(4, 1), torch.zeros(4).long(), lambda h, f, y: 0 * h[0].sum(), epochs=2, steps=3, rate=0.5,
        weight_decay=0.1,
    )  # fmt: skip
    rates = [0.25 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    assert weight.item() == pytest.approx(math.prod(1 - 0.1 * rate for rate in rates))


@pytest.mark.parametrize(("count", "size"), [(10, 10), (64, 64), (65, 64), (150, 64)])
def test_batches_are_whole_and_a_pass_has_no_example_twice(count, size):
    batches = frozen.endless_batches(count, torch.Generator().manual_seed(0))
    for _ in range(3):
        places = torch.cat([next(batches) for _ in range(count // size)])
        assert len(places) == count // size * size == len(places.unique())


def test_pretraining_is_the_textbook_loop_and_leaves_the_labels_alone():
    images, labels = drawn(100, 6).float(), torch.arange(100) % 3
    *_, ours = frozen.pretrain(images, labels, 3, epochs=2, seed=5)
    theirs, order = frozen.new_network(6, 3, seed=5), frozen.seeded_generator(5, "pretraining")
    adam = torch.optim.Adam(theirs.parameters(), 1e-3)
    for _ in range(2):
        for batch in torch.randperm(100, generator=order).split(64):
            adam.zero_grad()
            nn.CrossEntropyLoss()(theirs(images[batch]), labels[batch]).backward()
            adam.step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours.parameters(), theirs.parameters()))


def test_right_labels_are_as_many_of_each_as_asked_for_and_nested():
    labels = torch.arange(300) % 3
    few, more = frozen.some_of_each(labels, 4), frozen.some_of_each(labels, 9)
    other = frozen.some_of_each(labels, 4, draw=1)
    assert labels[few].bincount().tolist() == [4, 4, 4] and set(few.tolist()) <= set(more.tolist())
    assert set(few.tolist()) != set(other.tolist())


# Digits from elsewhere


@pytest.fixture(scope="module")
def digits():
    return load("mnist5k")


def centre(images):
    ink = (images - images.amin()).mean((0, 1)).double()
    place = torch.arange(28).double()
    return float(ink.sum(1) @ place / ink.sum()), float(ink.sum(0) @ place / ink.sum())


def test_other_writers_digits_lie_where_the_kit_s_do_and_are_as_bright(digits):
    images, labels = other_writers(digits.mean, digits.std)
    assert images.shape == (1797, 1, 28, 28) and labels.bincount().min() > 170
    assert centre(images) == pytest.approx(centre(digits.test_images), abs=0.6)
    assert float(images.amin()) == pytest.approx(float(digits.test_images.amin()), abs=1e-5)
    assert float(images.amax()) == pytest.approx(float(digits.test_images.amax()), abs=0.2)


def test_shifts_do_what_they_are_called(digits):
    images = digits.test_images[:50]
    down, right = np.subtract(centre(shifted(images, "moved")), centre(images))
    assert (down, right) == pytest.approx(MOVE, abs=0.05)
    noise = shifted(images, "noisy") - images
    assert float(noise.mean()) == pytest.approx(0, abs=0.02) and float(noise.std()) == pytest.approx(1, abs=0.02)
    blurred = shifted(images, "blurred")
    window = nn.functional.avg_pool2d(images, 5, stride=1)
    assert torch.allclose(blurred[:, :, 2:-2, 2:-2], window, atol=1e-5)
    back = torch.from_numpy(shifted(images, "turned").numpy()[..., ::-1].copy())  # mirrored, turned, mirrored: back
    again = shifted(back, "turned").flip(3)
    inside = (slice(None), slice(None), slice(8, 20), slice(8, 20))
    assert np.corrcoef(again[inside].flatten(), images[inside].flatten())[0, 1] > 0.95
    assert set(all_test_sets(digits)) == {"id", "other", *SHIFTS}


# The experiment


@pytest.fixture(scope="module")
def tiny():
    return {(ratio, head): list(Transfer(head=head, ratio=ratio, **TINY).run())
            for ratio, head in ((0.0, "LP"), (0.3, "LP"), (0.3, "NMTune"))}  # fmt: skip


def test_runs_on_right_labels_differ_from_themselves_by_nothing(tiny):
    frozen._LATELY.clear()
    again = list(Transfer(ratio=0.0, **TINY).run())
    assert [record.numbers for record in again] == [record.numbers for record in tiny[0.0, "LP"]]


def test_a_pretraining_that_was_seen_lately_is_the_same_again():
    images, labels = drawn(100, 6).float(), torch.arange(100) % 3
    first = list(frozen.told_again("here", frozen.pretrain(images, labels, 3, epochs=3)))
    again = list(frozen.told_again("here", iter(())))
    assert len(again) == 3 and all(a is b for a, b in zip(first, again))
    assert not torch.equal(first[0][1].weight, first[2][1].weight)


def test_heads_share_their_pretraining_and_more_noise_leaves_less_to_fit(tiny):
    probe, shaped, right = tiny[0.3, "LP"], tiny[0.3, "NMTune"], tiny[0.0, "LP"]
    assert probe[0].numbers == shaped[0].numbers != right[0].numbers
    assert probe[0].numbers["fits"] < 0.75 < right[0].numbers["fits"]
    assert probe[0].numbers["id"] != right[0].numbers["id"] and probe[-1].numbers["sve"] > right[-1].numbers["sve"]
    assert probe[-1].numbers["sve"] == probe[1].numbers["sve"] != shaped[-1].numbers["sve"]
    assert len(probe[-1].shown["spectrum"]) == 64 and math.isnan(probe[0].numbers["other"])


def test_accuracies_are_means_over_draws_of_the_right_labels():
    def last(**changes):
        *_, record = Transfer(body="untrained", ratio=0.0, clean=2, tuning=1, **changes).run()
        return record.numbers["id"]

    one, three = last(draws=1), last(draws=3)
    assert one != three and (3 * three * 1000) == pytest.approx(round(3 * three * 1000), abs=1e-6)


def test_the_picture_tells_of_pretraining_and_of_heads(tiny):
    runs = {"LP": tiny[0.3, "LP"], "NMTune": tiny[0.3, "NMTune"]}
    assert "On shifted digits" not in nmtune.draw({"LP": runs["LP"][:1]}).alt
    told = nmtune.draw(runs).alt
    assert f"NMTune {runs['NMTune'][-1].numbers['id']:.1%}" in told and "On shifted digits" in told


def test_claims_measure_what_they_say():
    def answer(e, number):
        pixels, memorized = e.body == "raw pixels", e.pretraining > 8
        shaped = {"LP": 0, "MLP": 1, "NMTune": 3 if e.mse else 2}[e.head]
        return (
            {"id": 100, "shifts": 200, "other": 300}.get(number, 0) - 10 * e.ratio * (1 + memorized) - pixels + shaped
        )

    measured = {claim.id: claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    assert measured.pop("nmtune_spectrum") == pytest.approx([-3, -3])
    assert measured.pop("nmtune_worth") == [1, 1, 1]
    assert measured.pop("nmtune_slight") == -0.5
    assert measured.pop("nmtune_elsewhere") == pytest.approx(-3.5 / 3)
    assert measured.pop("nmtune_memorized") == pytest.approx(-2)
    assert measured.pop("nmtune_tuned") == pytest.approx([2, 2])
    assert measured.pop("nmtune_tuned_elsewhere") == pytest.approx(2)
    assert measured.pop("nmtune_covariance") == pytest.approx([-1, -1])
    assert not measured


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"clean": 0}, "clean=0 must be a whole number from 1 to 400"),
        ({"clean": 401}, "clean=401"),
        ({"ratio": 0.7}, "ratio=0.7"),
        ({"pretraining": 0}, "pretraining=0"),
        ({"head": "MLP tuning"}, "head='MLP tuning'"),
        ({"mse": -1}, "mse=-1"),
        ({"head": "NMTune", "clean": 1, "top": 11}, "top=11 must be at most 10, the examples of a batch"),
        ({"head": "MLP", "body": "raw pixels"}, "head='MLP' needs features"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_training(bad, says):
    with pytest.raises(ValueError, match=says):
        Transfer(**bad)


def test_what_cannot_be_learned_from_is_refused_at_the_call():
    f, labels = drawn(3, 4).float(), torch.tensor([0, 1, 1])
    with pytest.raises(ValueError, match="count=2 must be a whole number from 1 to 1: the smallest class has 1"):
        frozen.some_of_each(labels, 2)
    with pytest.raises(ValueError, match="labels has shape .1,. for 1 examples.*at least 2"):
        frozen.tune(new_head("MLP", 4, 2), f[:1], labels[:1], loss_of())
    with pytest.raises(ValueError, match="labels has shape .2,. for 3 examples"):
        frozen.pretrain(f, labels[:2], 2)
    with pytest.raises(ValueError, match="features has 4 columns, and the head takes 64"):
        frozen.tune(new_head("MLP", 64, 2), f, labels, loss_of())
