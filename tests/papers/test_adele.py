"""Scenes, noisy masks, overlaps and ADELE, beside loops over pixels, scipy, finite differences and autograd."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.spatial.distance import jensenshannon

from nlkit.contents import PAGES, experiment_of, grid_of
from nlkit.data.masked_scenes import ORGANS, chest_slices, ellipses
from nlkit.identity import key
from nlkit.learning.segmentation import MaskNetwork, dice, overlaps, predicted
from nlkit.noise.masks import check_masks, grown, noisy_masks
from nlkit.papers import adele_training
from nlkit.papers.adele import COMMON, FULL
from nlkit.papers.adele_training import (
    SCALES,
    WAYS,
    Rise,
    Segmenting,
    Watch,
    at_scales,
    corrected,
    disagreement,
    fitted,
    from_found,
)
from tests.made_up import Answers

PAGE = PAGES["adele"]
TINY = PAGE.tiny


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Scenes


def test_an_ellipse_has_its_area_its_centre_and_its_turn():
    values = [torch.tensor([v]) for v in (15.5, 16.0, 5.0, 9.0, 0.4)]
    (inside,) = ellipses(*values)
    places = inside.nonzero().double()
    assert int(inside.sum()) == pytest.approx(math.pi * 45, rel=0.05)
    assert places.mean(0).tolist() == pytest.approx([15.5, 16.0], abs=0.1)
    spread, axes = torch.linalg.eigh(torch.cov(places.T))
    assert spread.sqrt().tolist() == pytest.approx([2.5, 4.5], rel=0.05)  # of a filled ellipse: half its radii
    assert abs(float(axes[:, 1] @ torch.tensor([-math.sin(0.4), math.cos(0.4)], dtype=torch.float64))) > 0.99


def test_a_chest_has_four_organs_of_unlike_size_and_contrast():
    world = chest_slices("train", 100, 0)
    sizes = [(world.masks == organ).sum((1, 2)).double().mean() for organ in range(1, 5)]
    assert sizes[0] > 2.5 * max(sizes[1:]) and min(sizes) == sizes[3] and min(sizes) > 15
    assert all((world.masks == organ).any((1, 2)).all() for organ in range(1, 5))
    light = [world.images[:, 0][world.masks == organ].mean() for organ in range(5)]
    assert light[3] < light[4] < light[2] < light[1]
    assert world.images.mean().abs() < 0.5 and 0.5 < world.images.std() < 1.5
    again, other = chest_slices("train", 100, 1), chest_slices("test", 100, 0)
    assert not torch.equal(world.images, again.images) and not torch.equal(world.images, other.images)


# Noise in masks


def blocks(factor, organ):
    return np.kron(organ, np.ones((factor, factor), bool))


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_an_organ_grows_and_shrinks_as_scipy_has_it(steps):
    organ = (chest_slices("train", 5, 0).masks[0] == 2).numpy()
    factor, square = math.ceil(math.sqrt(1000 / organ.sum())), np.ones((3, 3), bool)
    for sign, move in ((1, binary_dilation), (-1, binary_erosion)):
        large = move(blocks(factor, organ), square, iterations=steps)
        small = large.reshape(32, factor, 32, factor).mean((1, 3)) > 0.5
        assert np.array_equal(grown(torch.from_numpy(organ), sign * steps).numpy(), small)


def test_outlines_too_narrow_are_inside_and_too_wide_ones_cover_no_organ():
    truth = chest_slices("train", 60, 0).masks
    noisy = noisy_masks(truth, 0.5)
    hit = (noisy != truth).any(2).any(1)
    assert hit.sum() == 30
    narrow = ((noisy == truth) | (noisy == 0)).all(2).all(1) & hit
    wide = ((noisy == truth) | (truth == 0)).all(2).all(1) & hit
    assert 5 < narrow.sum() < 25 and (narrow ^ wide)[hit].all()
    more = noisy_masks(truth, 0.8)
    assert torch.equal(more[hit], noisy[hit]) and (more != truth).any(2).any(1).sum() == 48
    assert torch.equal(noisy_masks(truth, 0.0), truth)
    assert 0.5 < np.mean(overlaps(noisy_masks(truth, 1.0), truth, 5)) < 0.62


def test_shifted_organs_keep_their_size_and_swapped_ones_their_place():
    truth = chest_slices("train", 40, 0).masks
    moved, swapped = noisy_masks(truth, 1.0, "shifted"), noisy_masks(truth, 1.0, "swapped")
    for organ in range(1, 5):
        assert torch.equal((moved == organ).sum((1, 2)), (truth == organ).sum((1, 2)))
    ways = set()
    for before, after in zip(truth, moved):
        way = tuple(
            (torch.nonzero(after).double().mean(0) - torch.nonzero(before).double().mean(0)).round().int().tolist()
        )
        ways.add(way)
        assert torch.equal(torch.roll(before, way, (0, 1)), after)
    assert {abs(step) for way in ways for step in way} == {1, 2} and len(ways) > 8
    assert torch.equal(swapped == 0, truth == 0)
    for before, after in zip(truth, swapped):
        renamed = {int(b): int(a) for b, a in zip(before.flatten(), after.flatten())}
        assert sum(b != a for b, a in renamed.items()) == 2 and sorted(renamed.values()) == list(range(5))


# Network and scores


def test_overlaps_are_counted_over_all_pixels_and_nan_where_there_is_nothing():
    one = torch.tensor([[[1, 1], [0, 2]], [[1, 0], [0, 0]]])
    other = torch.tensor([[[1, 0], [0, 2]], [[1, 1], [1, 0]]])
    found = overlaps(one, other, 4)
    assert found[:2] == [2 / 5, 1.0] and math.isnan(found[2])
    where = one != other
    assert overlaps(one, other, 4, where)[0] == 0 and math.isnan(overlaps(one, other, 4, where)[1])
    by_image = [overlaps(a[None], b[None], 4)[0] for a, b in zip(one, other)]
    assert np.mean(by_image) != pytest.approx(found[0])


def test_dice_is_counted_image_by_image():
    one, other = drawn(3, 5, 5) > 0, drawn(3, 5, 5, seed=1) > 0
    assert dice(one, other).tolist() == pytest.approx(
        [2 * float((a & b).sum()) / float(a.sum() + b.sum()) for a, b in zip(one, other)]
    )
    assert dice(one[:0], other[:0]).shape == (0,) and dice(one & False, one & False).isnan().all()


def test_a_network_sees_each_image_alone_at_any_size_that_four_divides():
    network, images = MaskNetwork(5, seed=3), drawn(6, 1, 32, 32).float()
    assert sum(p.numel() for p in network.parameters()) < 30_000
    whole = network(images)
    assert whole.shape == (6, 5, 32, 32) and torch.allclose(network(images[:2]), whole[:2], atol=1e-5)
    assert network(images[:, :, :24, :20]).shape == (6, 5, 24, 20)
    assert torch.equal(predicted(network, images), whole.argmax(1))
    assert torch.equal(MaskNetwork(5, seed=3)(images), whole)


# ADELE


@pytest.mark.parametrize("rise", [Rise(0.7, 0.9, 5.0), Rise(0.6, 0.5, 2.0), Rise(0.9, 1.0, 20.0)])
def test_the_slope_is_that_of_finite_differences_and_a_fit_gives_a_curve_back(rise):
    for t in (1.0, 3.0, 12.0):
        assert rise.slope(t) == pytest.approx((rise.at(t + 1e-5) - rise.at(t - 1e-5)) / 2e-5, rel=1e-6)
        assert rise.at(t) == pytest.approx(rise.a * (1 - math.exp(-(t**rise.b) / rise.c)))
    found = fitted([rise.at(t) for t in range(1, 31)])
    assert found == pytest.approx(rise, rel=1e-3)
    assert rise.slowed(1) == 0 and 0 < rise.slowed(5) < rise.slowed(9) < 1


def test_late_points_of_a_curve_weigh_most():
    early, late = [0.3] * 10 + [0.6] * 10, [0.6] * 10 + [0.3] * 10
    assert fitted(early).at(20) > 0.57 and fitted(late).at(20) < 0.4


def test_a_curve_that_rises_for_ever_never_starts_and_one_that_stops_dead_does():
    def started(curve, r=0.95, start=0):
        watch = Watch()
        for epoch, iou in enumerate(curve, start=1):
            watch.see([iou, math.nan, math.nan, math.nan])  # of organs that are nowhere there is no curve
            watch.decide(epoch, r, start)
        return watch

    line, stop = [0.03 * t for t in range(1, 25)], [0.2, 0.4, 0.6, 0.7] + [0.7] * 15
    assert not started(line).onsets and not started(stop, r=1.0).onsets
    assert started(stop).onsets[0] in range(5, 9) and started(stop).on.tolist() == [True, True, False, False, False]
    assert not started(stop[:4]).onsets  # too few points to fit three numbers
    assert started(line, start=7).onsets == dict.fromkeys(range(4), 7)
    assert from_found([0.0, 0.05, 0.2, 0.08, 0.3]) == [0.2, 0.08, 0.3] and len(from_found([0.0, math.nan])) == 0
    assert started([0.0] * 20 + stop[:12]).onsets[0] > 24
    assert started([0.0] * 30).on.tolist() == [True] + [False] * 4


def test_a_pixel_is_corrected_as_by_a_loop_over_pixels():
    given = torch.randint(0, 3, (6, 4, 4), generator=torch.Generator().manual_seed(0))
    given[0][given[0] == 2] = 0  # an image without class 2
    given[1] = given[1].clamp(min=1)  # one without background
    q = (2 * drawn(6, 3, 4, 4)).softmax(1)
    for on in ([True, True, True], [True, True, False], [True, False, True]):
        expected = given.clone()
        for n, y, x in np.ndindex(6, 4, 4):
            new, old = int(q[n, :, y, x].argmax()), int(given[n, y, x])
            if q[n, new, y, x] > 0.6 and on[old] and on[new] and (new == 0 or (given[n] == new).any()):
                expected[n, y, x] = new
        assert torch.equal(corrected(given, q, torch.tensor(on), 0.6), expected)
        assert not torch.equal(expected, given)
    assert torch.equal(corrected(given, q, torch.ones(3, dtype=torch.bool), 1.0), given)
    assert torch.equal(corrected(given, q, torch.tensor([True, False, False]), 0.6), given)


def test_disagreement_is_the_jensen_shannon_divergence_and_nothing_where_all_agree():
    logits = [drawn(2, 4, 3, 3, seed=s).requires_grad_() for s in range(3)]
    value, q = disagreement(logits, 0.0)
    p = [each.softmax(1).detach().numpy() for each in logits]
    each = []
    for n, y, x in np.ndindex(2, 3, 3):
        middle = np.mean([part[n, :, y, x] for part in p], 0)
        each.append(sum((part[n, :, y, x] * np.log(part[n, :, y, x] / middle)).sum() for part in p))
    assert value.item() == pytest.approx(np.mean(each)) and q.sum(1).allclose(torch.ones(2, 3, 3, dtype=torch.float64))
    pair = [logits[0], logits[1]]
    halves = [jensenshannon(p[0][n, :, y, x], p[1][n, :, y, x]) ** 2 for n, y, x in np.ndindex(2, 3, 3)]
    assert disagreement(pair, 0.0)[0].item() == pytest.approx(2 * np.mean(halves))
    assert disagreement([logits[0]] * 3, 0.0)[0].item() == pytest.approx(0)
    limit = float(q.amax(1).median())
    sure = [v for v, s in zip(each, (q.amax(1) > limit).flatten()) if s]
    assert disagreement(logits, limit)[0].item() == pytest.approx(sum(sure) / 18) and 0 < len(sure) < 18


def test_no_gradient_is_lost_by_holding_the_mean():
    logits = [drawn(2, 4, 3, 3, seed=s).requires_grad_() for s in range(3)]
    held = torch.autograd.grad(disagreement(logits, 0.0)[0], logits)
    logs = torch.stack([each.log_softmax(1) for each in logits])
    free = (logs.exp() * (logs - logs.exp().mean(0).log())).sum((0, 2)).mean()
    assert all(torch.allclose(a, b) for a, b in zip(held, torch.autograd.grad(free, logits)))


def test_logits_come_back_at_the_size_of_the_image():
    sizes = []

    def network(images):
        sizes.append(tuple(images.shape[-2:]))
        return images.expand(-1, 5, -1, -1)

    images = drawn(2, 1, 32, 32)
    told = at_scales(network, images, (*SCALES, 0.7, 1.5))
    assert sizes == [(24, 24), (32, 32), (40, 40), (24, 24), (48, 48)]
    assert all(each.shape == (2, 5, 32, 32) for each in told) and torch.equal(told[1], images.expand(-1, 5, -1, -1))


# Runs


def last_of(**changes):
    *_, last = Segmenting(**{**TINY, **changes}).run()
    return last


def test_ways_differ_by_what_they_are_named_for():
    standard, consistent = (last_of(method=name).numbers for name in ("standard", "consistency"))
    for name, same in (("correction", standard), ("ADELE", consistent)):  # nothing is on after three epochs
        numbers = last_of(method=name).numbers
        assert {n: numbers[n] for n in same} == same and math.isnan(numbers["apart"])
    assert consistent != standard
    assert last_of(method="consistency", lam=0.0).numbers != consistent
    started = last_of(method="correction", start=2, tau=0.5)
    assert {v for n, v in started.numbers.items() if n.startswith("onset")} == {2.0} and started.numbers["apart"] == 0


def test_curves_and_corrections_are_of_the_masks_as_given_whatever_is_corrected(monkeypatch):
    asked = {"overlaps": [], "corrected": []}

    def listening(name, place):
        real = getattr(adele_training, name)

        def called(*arguments):
            asked[name].append(arguments[place])
            return real(*arguments)

        monkeypatch.setattr(adele_training, name, called)

    listening("overlaps", 1), listening("corrected", 0)
    run = Segmenting(count=10, length=8, method="correction", start=2, tau=0.5)
    world, given, _ = run.problem()
    *_, last = run.run()
    assert last.numbers["masks"] != pytest.approx(np.mean(overlaps(given, world.masks, 5)), abs=1e-4)
    assert all(torch.equal(masks, given) for masks in asked["overlaps"][:: len(asked["overlaps"]) // 8])  # the curves'
    assert len(asked["corrected"]) == 8 and all(torch.equal(masks, given) for masks in asked["corrected"])
    place = int((given != world.masks).sum((1, 2)).argmax())
    assert torch.equal(last.shown["given mask"], given[place]) and torch.equal(last.shown["truth"], world.masks[place])


def test_without_noise_what_asks_for_wrong_pixels_is_absent():
    numbers = last_of(ratio=0.0, method="standard").numbers
    assert numbers["masks"] == 1 and not {"true", "given"} & set(numbers)
    assert last_of(method="standard").numbers["settled"] == pytest.approx(
        np.mean([r.numbers["iou"] for r in Segmenting(**TINY, method="standard").run()]), abs=1e-4
    )


@pytest.mark.slow
def test_the_picture_tells_when_organs_are_corrected_and_how_each_ends():
    runs = {name: list(Segmenting(**TINY, method=name, start=2).run()) for name in ("standard", "ADELE")}
    told = PAGE.picture(runs).alt
    assert "heart from epoch 2" in told and f"ADELE {runs['ADELE'][-1].numbers['iou']:.1%}" in told
    assert "No run yet" in PAGE.picture({}).alt
    assert "no pixel is wrong" in PAGE.picture({"standard": list(Segmenting(**TINY, ratio=0.0).run())}).alt


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: chest_slices("train", 0), "count=0 must be a whole number of at least 1"),
        (lambda: noisy_masks(torch.zeros(2, 4, 4, dtype=torch.long), 1.5), "share=1.5 must be a number from 0 to 1"),
        (lambda: noisy_masks(torch.zeros(2, 4, 4, dtype=torch.long), 1.0, "swaped"), "did you mean 'swapped'"),
        (lambda: noisy_masks(torch.zeros(4, 4, dtype=torch.long), 1.0), r"masks has shape \(4, 4\)"),
        (lambda: noisy_masks(torch.zeros(2, 4, 4), 1.0), "masks has shape .* torch.float32"),
        (lambda: check_masks("masks", torch.full((1, 2, 2), 5), classes=5), "from 5 to 5; they must be from 0 to 4"),
        (lambda: check_masks("masks", torch.zeros(1, 2, 2).long(), torch.zeros(1, 1, 2, 3)), "of one number and size"),
        (lambda: MaskNetwork(1), "classes=1 must be a whole number of at least 2"),
        (lambda: Segmenting(tau=1.2), "tau=1.2"),
        (lambda: Segmenting(r=0.0), "r=0.0"),
        (lambda: Segmenting(fewest=5, most=4), "most=4 must be a whole number of at least fewest=5"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("adele", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid)
    assert all(key(experiment_of(PAGE, name, **FULL, seed=0)) in map(key, grid) for name in WAYS)


def test_claims_measure_what_they_say():
    numbers = {"iou": 1, "settled": 2, "true": 3, "masks": 4, "apart": 5}

    def answer(e, number):
        return numbers[number] * (1 + WAYS.index(e.method)) ** 2 + e.start / 100

    measured = {c.id.removeprefix("adele_"): c.measure(Answers(PAGE, answer)) for c in PAGE.claims}
    assert measured.pop("early") == 0 and measured.pop("classes") == 5 * 16
    assert measured.pop("better") == 2 * 15 == measured.pop("stopped") and measured.pop("masks") == 4 * 15
    assert measured.pop("parts") == (2 * 12, 2 * 7)
    assert measured.pop("own_time") == pytest.approx([-start / 100 for start in COMMON])
    assert not measured and len(ORGANS) == 4
