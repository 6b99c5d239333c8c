"""Boxes beside scipy and beside counting, label maps in their limits, scenes by their ink."""

import math

import numpy as np
import pytest
import torch
from made_up import Answers
from scipy.ndimage import map_coordinates
from torch.nn import functional as F

from nlkit.contents import experiment_of, grid_of
from nlkit.data.digit_scenes import NONE, SIDE, digits_of, one_digit, paste, two_digits
from nlkit.identity import key
from nlkit.learning import label_maps
from nlkit.learning.boxes import areas, check_boxes, cut, random_boxes, shared_area
from nlkit.learning.label_maps import annotator, new_network, pooled, shown_area, train
from nlkit.papers.relabel import FULL, KINDS, PAGE, Cropped, Targets, right
from nlkit.randomness import seeded_generator

TINY = {**PAGE.tiny, "scenes": 64}


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def some_boxes(count, low=0.05, high=0.6, seed=0):
    return random_boxes(count, low, high, torch.Generator().manual_seed(seed))


# Boxes


def roi_align(maps, boxes, size, samples):
    """RoIAlign point by point: mean of linear interpolation by scipy at the points of each cell."""
    height, width = maps.shape[2:]
    found = np.zeros((*maps.shape[:2], size, size))
    for n, (left, top, end, low) in enumerate(boxes.tolist()):
        for i in range(size):
            for j in range(size):
                steps = (np.arange(samples) + 0.5) / samples
                y = (top + (low - top) * (i + steps) / size) * height - 0.5
                x = (left + (end - left) * (j + steps) / size) * width - 0.5
                at = np.meshgrid(y, x, indexing="ij")
                for c, plane in enumerate(maps[n].numpy()):
                    found[n, c, i, j] = map_coordinates(plane, at, order=1, mode="nearest").mean()
    return torch.tensor(found, dtype=torch.float32)


@pytest.mark.parametrize("size, samples", [(1, 8), (5, 2), (20, 1)])
def test_what_lies_in_a_box_is_what_roi_align_finds(size, samples):
    maps, boxes = drawn(7, 3, 8, 8), some_boxes(7)
    assert torch.allclose(cut(maps, boxes, size, samples), roi_align(maps, boxes, size, samples), atol=1e-5)


def test_a_box_of_a_whole_map_gives_its_mean_and_of_one_cell_that_cell():
    maps = drawn(1, 4, 8, 8)
    assert torch.allclose(cut(maps, torch.tensor([[0.0, 0, 1, 1]]), 1, 8)[0, :, 0, 0], maps[0].mean((1, 2)), atol=1e-6)
    cell = torch.tensor([[3, 5, 4, 6]]) / 8  # column 3, row 5
    assert torch.allclose(cut(maps, cell, 1)[0, :, 0, 0], maps[0, :, 5, 3])


def test_crops_at_random_have_the_areas_and_shapes_asked_for_and_lie_anywhere():
    boxes = some_boxes(20_000, 0.1, 0.5)
    wide, tall = (boxes[:, 2:] - boxes[:, :2]).T
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (wide * tall).mean().item() == pytest.approx(0.3, abs=0.003) and (wide * tall).min() > 0.0999
    assert (wide * tall).max() < 0.5001 and (wide / tall).log().mean().abs() < 0.01
    assert (wide / tall).max().item() == pytest.approx(4 / 3, abs=0.01)
    free = boxes[:, 0] / (1 - wide)
    assert free.mean().item() == pytest.approx(0.5, abs=0.01) and free.std().item() == pytest.approx(12**-0.5, abs=0.01)
    assert (some_boxes(500, 0.9, 1.0).max() <= 1).all()  # where a side would be longer than the image


def test_shared_areas_are_those_of_counted_points():
    boxes, others, fine = some_boxes(6), some_boxes(6, seed=1), (torch.arange(1000) + 0.5) / 1000
    for box, other in zip(boxes, others):
        inside = [
            ((fine > b[0]) & (fine < b[2]))[None] & ((fine > b[1]) & (fine < b[3]))[:, None] for b in (box, other)
        ]
        assert shared_area(box, other).item() == pytest.approx((inside[0] & inside[1]).double().mean().item(), abs=3e-3)
        assert areas(box).item() == pytest.approx(inside[0].double().mean().item(), abs=3e-3)


# Scenes


def test_what_is_pasted_lies_in_its_box_and_can_be_cut_out_again():
    boxes = torch.tensor([[0.25, 0.5, 0.5, 1.0]])  # columns 8 to 15, rows 16 to 31
    canvas = paste(torch.ones(1, 20, 20), boxes, SIDE)[0]
    where = canvas > 0.5
    assert where[16:, 8:16].all() and where.sum() == 16 * 8
    piece = drawn(1, 20, 20).cumsum(1).cumsum(2)  # smooth
    large = torch.tensor([[0.1, 0.2, 0.8, 0.9]])
    back = cut(paste(piece, large, 80)[:, None], large, 20)[:, 0]
    assert (back - piece)[:, 2:-2, 2:-2].abs().mean() < 0.05 * piece.abs().mean()


def test_scenes_have_their_ink_in_their_boxes_and_the_large_digit_is_the_first():
    scenes = two_digits(400, both=0.7, part="scenes", seed=0)
    there = scenes.labels >= 0
    assert there[:, 0].all() and there[:, 1].double().mean().item() == pytest.approx(0.7, abs=0.07)
    assert (areas(scenes.boxes)[:, 0] > areas(scenes.boxes)[:, 1]).all() and (scenes.boxes[~there] == 0).all()
    check_boxes("boxes", scenes.boxes, there)
    along = (torch.arange(SIDE) + 0.5) / SIDE
    inside = torch.zeros(len(there), SIDE, SIDE, dtype=torch.bool)
    for box in scenes.boxes.unbind(1):
        x = (along > box[:, :1]) & (along < box[:, 2:3])
        y = (along > box[:, 1:2]) & (along < box[:, 3:])
        inside |= y[:, :, None] & x[:, None, :]
    ink = scenes.images[:, 0]
    assert abs(ink[~inside].mean()) < 0.01 and ink[~inside].std().item() == pytest.approx(0.15, abs=0.01)
    assert ink[inside].mean() > 0.2
    middle = (scenes.boxes[..., :2] + scenes.boxes[..., 2:]) / 2
    assert ((middle[:, 0] < 0.5) != (middle[:, 1] < 0.5))[there[:, 1]].all()  # in the quadrant across


def test_no_digit_is_in_two_parts_and_a_scene_s_label_is_that_of_its_digit():
    sets = [{digit.numpy().tobytes() for digit in digits_of(part)[0]} for part in ("scenes", "elsewhere", "test")]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert [len(digits_of(part)[1]) for part in ("scenes", "elsewhere", "test")] == [2000, 2000, 1000]
    scenes = two_digits(30, both=1.0, part="test", seed=1)
    digits, labels = digits_of("test")
    for place in range(2):
        seen = cut(scenes.images, scenes.boxes[:, place], 20)[:, 0].flatten(1)
        nearest = (F.normalize(seen, dim=1) @ F.normalize(digits.flatten(1), dim=1).T).argmax(1)
        assert (labels[nearest] == scenes.labels[:, place]).double().mean() > 0.9
    canvases = one_digit(digits[:50], torch.Generator().manual_seed(0))
    assert canvases.shape == (50, 1, SIDE, SIDE) and canvases[:, 0, 0].mean() < canvases.mean()


# Label maps


def settled():
    """A network whose batch norms have seen something."""
    network = new_network(0)
    for k in range(20):
        network(drawn(32, 1, SIDE, SIDE, seed=k))
    return network.eval()


def test_the_mean_of_a_map_over_all_places_is_what_the_network_says_of_the_image():
    network, images = settled(), drawn(5, 1, SIDE, SIDE)
    maps = network.label_map(images)
    assert maps.shape == (5, 10, 8, 8) and torch.allclose(maps.mean((2, 3)), network(images), atol=1e-5)
    assert torch.allclose(network.label_map(images[:1]), maps[:1], atol=1e-5)
    with pytest.raises(ValueError, match="evaluation mode"):
        network.train().label_map(images)


def test_a_crop_of_the_left_half_has_the_label_of_the_left_half():
    maps = torch.zeros(4, 10, 8, 8)
    maps[:, 3, :, :4] = maps[:, 7, :, 4:] = 9.0  # a 3 on the left, a 7 on the right
    halves = torch.tensor([[0.0, 0, 0.4, 1], [0.6, 0, 1, 1], [0.0, 0, 1, 0.4], [0.0, 0.6, 1, 1]])
    targets = pooled(maps, halves)
    assert targets[:2].argmax(1).tolist() == [3, 7]
    assert targets[2:, 3].tolist() == pytest.approx(targets[2:, 7].tolist(), abs=1e-5)


def test_pooling_takes_the_softmax_of_mean_logits():
    maps, boxes = 3 * drawn(6, 10, 8, 8), some_boxes(6)
    logits = roi_align(maps, boxes, 1, 8)[:, :, 0, 0]
    assert torch.allclose(pooled(maps, boxes), logits.exp() / logits.exp().sum(1, keepdim=True), atol=1e-5)
    flat = maps.mean((2, 3), keepdim=True).expand(-1, -1, 8, 8)
    assert torch.allclose(pooled(flat, boxes), flat[:, :, 0, 0].softmax(1), atol=1e-5)


def test_a_flip_of_map_and_crop_changes_no_target():
    maps, boxes = drawn(6, 10, 8, 8), some_boxes(6)
    mirrored = torch.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1)
    assert torch.allclose(pooled(maps, boxes), pooled(maps.flip(3), mirrored), atol=1e-5)


def test_shares_of_what_is_shown_are_counted_and_even_where_nothing_is():
    labels = torch.tensor([[0, 7], [4, NONE], [4, 4], [2, 5]])
    boxes = torch.tensor([[[0.0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]] * 4)
    crops = torch.tensor([[0.25, 0.25, 1, 1], [0.25, 0.25, 1, 1], [0.25, 0.25, 1, 1], [0.6, 0.0, 0.9, 0.3]])
    shares = shown_area(labels, boxes, crops)
    assert shares[0, 0].item() == pytest.approx(0.2) and shares[0, 7].item() == pytest.approx(0.8)
    assert shares[1, 4] == shares[2, 4] == 1 and torch.allclose(shares[3], torch.full((10,), 0.1))
    assert torch.allclose(shares.sum(1), torch.ones(4))


def test_targets_are_of_the_kind_asked_for():
    places = torch.arange(20)
    crops = some_boxes(20)
    kinds = {kind: Targets(Cropped(**TINY, labels=kind), Cropped(**TINY).problem()[0]) for kind in KINDS}
    found = {kind: targets(places, crops) for kind, targets in kinds.items()}
    task, maps, teacher = kinds["ReLabel"].task, kinds["ReLabel"].maps, kinds["ReLabel"].annotator
    assert all(not each.requires_grad and torch.allclose(each.sum(1), torch.ones(20)) for each in found.values())
    assert torch.equal(found["single"].argmax(1), task.labels[:20, 0]) and (found["single"].amax(1) == 1).all()
    assert found["smoothed"].amax(1).tolist() == pytest.approx([0.91] * 20)
    assert torch.allclose(found["global"], teacher(task.images[:20]).softmax(1), atol=1e-5)
    assert torch.allclose(found["ReLabel"], pooled(maps[:20], crops))
    assert torch.equal(found["local hard"].argmax(1), found["ReLabel"].argmax(1)) and found["local hard"].max() == 1
    seen = teacher(cut(task.images[:20], crops, SIDE)).softmax(1)
    assert torch.allclose(found["asked anew"], seen)
    assert torch.equal(found["true areas"], shown_area(task.labels[:20], task.boxes[:20], crops))


def test_the_annotator_learns_digits_elsewhere_then_scenes_or_the_scenes_alone(monkeypatch):
    calls = []

    def recorded(network, count, batch, **how):
        calls.append((count, how["epochs"], how.get("rate", label_maps.RATE)))
        return train(network, count, batch, **how)

    monkeypatch.setattr(label_maps, "train", recorded)
    before = torch.get_rng_state()
    network = annotator.__wrapped__(64, 0.8, 96, 2, 1, 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    annotator.__wrapped__(64, 0.8, 0, 2, 1, 0)
    assert calls == [(96, 2, 6e-3), (64, 1, 1e-3), (64, 3, 6e-3)]


# The training and its records


def test_the_rate_falls_by_a_cosine_and_one_hot_targets_are_classes():
    images, labels = drawn(64, 1, 20, 20), torch.arange(64) % 10
    ends = []
    for targets in (labels, F.one_hot(labels, 10).float()):
        network, rates = new_network(0), []
        epochs = train(
            network, 64, lambda i, t=targets: (images[i], t[i]), epochs=2, generator=seeded_generator(0, "x")
        )
        for _ in epochs:
            assert not network.training
            rates.append(next(iter(epochs.gi_frame.f_locals["optimizer"].param_groups))["lr"])
        ends.append(network(images))
    assert torch.allclose(*ends, atol=1e-4)
    assert rates == pytest.approx([6e-3 * (1 + math.cos(math.pi * k / 4)) / 2 for k in (1, 3)])


def test_shares_of_test_scenes_are_counted():
    scenes = two_digits(6, both=0.5, part="test", seed=0)
    scenes = scenes._replace(labels=torch.tensor([[1, 2], [1, 2], [1, 2], [3, NONE], [3, NONE], [9, NONE]]))
    named = torch.tensor([1, 2, 5, 3, 4, 9])
    assert right(F.one_hot(named, 10).float(), scenes) == {"accuracy": 0.5, "any": 4 / 6, "alone": pytest.approx(2 / 3)}
    assert "alone" not in right(
        F.one_hot(named, 10).float(), scenes._replace(labels=torch.ones(6, 2, dtype=torch.int64))
    )


def test_labels_are_judged_by_what_crops_show():
    experiment = Cropped(**TINY, labels="true areas")
    task, test = experiment.problem()
    numbers = Targets(experiment, task).judged(test)
    assert numbers["off"] == 0 and "annotator" not in numbers
    single = Targets(Cropped(**TINY, labels="single"), task).judged(test)
    assert single["absent"] == numbers["absent"] and 0.2 < single["off"] < 0.5
    whole = Targets(Cropped(**TINY, labels="single", smallest=0.5, largest=1.0), task).judged(test)
    assert whole["absent"] < numbers["absent"] and whole["other"] < numbers["other"]
    assert 0 <= Targets(Cropped(**TINY), task).judged(test)["annotator"] <= 1


@pytest.mark.slow
def test_rivals_see_the_same_crops_and_a_record_shows_what_it_says():
    runs = {
        kind: list(Cropped(**{**TINY, "epochs_of_student": 2}, labels=kind).run()) for kind in ("single", "ReLabel")
    }
    assert [record.epoch for record in runs["single"]] == [1, 2]
    for one, other in zip(*runs.values()):
        assert torch.equal(one.shown["crops"], other.shown["crops"])
        assert not torch.equal(one.shown["targets"], other.shown["targets"]) and "map" not in one.shown
        expected = cut(one.shown["scene"][None, None].expand(4, -1, -1, -1), one.shown["crops"], 20)[:, 0]
        assert torch.equal(one.shown["seen"], expected)
    first, second = runs["ReLabel"]
    assert not torch.equal(first.shown["crops"], second.shown["crops"])
    told = PAGE.picture(runs).alt
    assert f"a {int(second.shown['digits'][0])} and a small {int(second.shown['digits'][1])}" in told
    assert f"annotator {second.numbers['annotator']:.1%}" in told and "No run yet" in PAGE.picture({}).alt
    (last,) = Cropped(**{**TINY, "epochs_of_student": 2, "record_every": 9}, labels="single").run()
    assert last.epoch == 1 and last.numbers == runs["single"][-1].numbers


def test_with_crops_and_labels_that_tell_it_learns():
    *_, last = Cropped(labels="true areas", scenes=1000, epochs_of_student=4, smallest=0.4, largest=1.0).run()
    assert last.numbers["accuracy"] > 0.25 and np.isfinite(list(last.numbers.values())).all()


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: cut(torch.zeros(1, 1, 4, 4), torch.tensor([[0.5, 0, 0.5, 1]]), 2), "boxes has .0.5, 0.0, 0.5, 1.0."),
        (lambda: cut(torch.zeros(1, 1, 4, 4), torch.tensor([[0.0, 0, 1.2, 1]]), 2), r"must be in\s+\[0, 1\]"),
        (lambda: cut(torch.zeros(1, 1, 4, 4), torch.zeros(1, 3), 2), "boxes has shape"),
        (lambda: random_boxes(3, 0.6, 0.5, torch.Generator()), "low=0.6 must be a number above 0 and at most 0.5"),
        (lambda: pooled(torch.full((1, 10, 8, 8), math.nan), torch.tensor([[0.0, 0, 1, 1]])), "maps have NaN"),
        (lambda: two_digits(3, both=1.1, part="test", seed=0), "both=1.1"),
        (lambda: digits_of("train"), "part='train' is not known"),
        (lambda: train(new_network(0), 31, None, epochs=1, generator=None), "count=31"),
        (lambda: Cropped(smallest=0.4, largest=0.3), "smallest=0.4 must not be above largest=0.3"),
        (lambda: Cropped(extra=10), "extra=10 must be 0, or at least 32"),
        (lambda: Cropped(labels="multi"), "labels='multi'"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("relabel", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid) == 11
    assert all(key(experiment_of(PAGE, name, seed=0, **FULL)) in map(key, grid) for name in KINDS)


def test_claims_measure_what_they_say():
    worth = {
        "single": 1,
        "ReLabel": 32,
        "global": 2,
        "local hard": 4,
        "smoothed": 8,
        "asked anew": 16,
        "true areas": 64,
    }

    def answer(e, number):
        assert e.scenes == 2000
        value = worth[e.labels] * (10 if e.largest == 1 else 1) + 1000 * (e.extra == 0)
        return value if number == "accuracy" else -3 * value

    measured = {c.id.removeprefix("relabel_"): c.measure(Answers(PAGE, answer)) for c in PAGE.claims}
    assert measured == {
        "single": 31, "smoothed": 24, "both": (30, 28), "crops": 31 - 310, "nearer": 93, "areas": -32, "source": 1031,
        "asked": 16,
    }  # fmt: skip
