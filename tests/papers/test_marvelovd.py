"""Matching, scores and weights by hand, suppression and AP beside plain loops, scenes by their boxes."""

import math

import pytest
import torch
from made_up import Answers

from nlkit.contents import experiment_of, grid_of
from nlkit.data.digit_scenes import Scenes, many_digits
from nlkit.identity import key
from nlkit.learning.boxes import areas, check_boxes, cut, cut_each, overlaps, parts_of, shared_area
from nlkit.learning.detection import (
    Candidates,
    Proposals,
    average_precisions,
    base_boxes,
    candidates,
    kept_apart,
    label_quality,
    namer,
    new_detector,
    proposals,
)
from nlkit.papers.marvelovd import FULL, PAGE, Detecting
from nlkit.papers.marvelovd_mining import assigned, joint_scores, novelty, the_best, weights

TINY = dict(PAGE.tiny)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def some_boxes(*shape, seed=0):
    low = 0.6 * torch.rand(*shape, 2, generator=generator(seed))
    return torch.cat([low, low + 0.1 + 0.3 * torch.rand(*shape, 2, generator=generator(seed + 1))], -1)


def iou(one, other):
    """By the corners, in plain Python."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(tall, 0)
    area = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return shared / (sum(area) - shared)


# Boxes


def test_overlaps_are_those_of_the_corners_and_nothing_where_a_box_is_empty():
    boxes, others = some_boxes(2, 5), some_boxes(2, 3, seed=5)
    found = overlaps(boxes, others)
    for n in range(2):
        expected = [[iou(b, o) for o in others[n].tolist()] for b in boxes[n].tolist()]
        assert torch.allclose(found[n], torch.tensor(expected), atol=1e-6)
    assert (overlaps(boxes, torch.zeros(2, 1, 4)) == 0).all()


def test_many_boxes_of_an_image_are_cut_as_one_by_one():
    maps, boxes = torch.randn(3, 2, 9, 9, generator=generator()), some_boxes(3, 4)
    together = cut_each(maps, boxes, 5, 2)
    for r in range(4):
        assert torch.allclose(together[:, r], cut(maps, boxes[:, r], 5, 2), atol=1e-6)
    constant = torch.zeros(1, 1, 12, 12)
    constant[..., 4:8, 2:10] = 3.0
    inside = torch.tensor([[[2.5, 4.5, 9.5, 7.5]]]) / 12
    assert torch.allclose(cut_each(constant, inside, 5), torch.tensor(3.0))


def test_parts_lie_within_and_have_a_fifth_to_a_half_of_the_area():
    boxes = some_boxes(2000)
    parts = parts_of(boxes, generator(9))
    share = areas(parts) / areas(boxes)
    assert torch.allclose(shared_area(parts, boxes), areas(parts), atol=1e-6)
    assert share.min() >= 0.45**2 - 1e-3 and share.max() <= 0.75**2 + 1e-3
    assert share.mean().item() == pytest.approx(0.36, abs=0.01)


# Suppression and AP


def plain_suppression(boxes, scores, most):
    stays = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if scores[i] > -math.inf and all(iou(boxes[i], boxes[j]) <= most for j in stays):
            stays.append(i)
    return stays


def test_suppression_is_that_of_a_plain_loop_within_each_class():
    boxes = some_boxes(3, 12)
    scores = torch.rand(3, 2, 12, generator=generator(4))
    scores[:, :, 5] = -math.inf
    kept = kept_apart(boxes, scores, 0.2)
    for n in range(3):
        for c in range(2):
            expected = plain_suppression(boxes[n].tolist(), scores[n, c].tolist(), 0.2)
            assert sorted(expected) == kept[n, c].nonzero().flatten().tolist()
            assert 0 < len(expected) < 11


def plain_precision(boxes, scores, there, scenes, number):
    """AP by the book: suppression, the best free digit for each find, precision at each find."""
    reports, total = [], 0
    for n in range(len(boxes)):
        digits = [b for b, y in zip(scenes.boxes[n].tolist(), scenes.labels[n].tolist()) if y == number]
        total += len(digits)
        s = [v if t and v >= 0.02 else -math.inf for v, t in zip(scores[n].tolist(), there[n].tolist())]
        for i in plain_suppression(boxes[n].tolist(), s, 0.5):
            over = [iou(boxes[n, i].tolist(), d) for d in digits]
            hit = bool(over) and max(over) >= 0.5
            if hit:
                digits.pop(over.index(max(over)))
            reports.append((s[i], hit))
    finds = [hit for _, hit in sorted(reports, reverse=True)]
    return sum(sum(finds[: i + 1]) / (i + 1) for i, hit in enumerate(finds) if hit) / total


def test_average_precision_is_that_of_the_book():
    scenes = many_digits(12, part="test", seed=0)
    given = proposals(scenes, 2, generator())
    scores = torch.rand(12, 10, given.there.shape[1], generator=generator(3))
    scores[:, 4] /= 40  # some below what is reported
    found = average_precisions(given, scores, scenes)
    for number in range(10):
        if (scenes.labels == number).any():
            expected = plain_precision(given.boxes, scores[:, number], given.there, scenes, number)
            assert found[number].item() == pytest.approx(expected, abs=1e-5), number
            assert 0 <= expected < 1


def test_the_precision_of_perfect_finds_is_1_of_none_0_and_undefined_without_a_digit():
    scenes = Scenes(torch.zeros(1, 1, 48, 48), torch.tensor([[3, 3, -1, -1]]), torch.zeros(1, 4, 4))
    scenes.boxes[0, :2] = torch.tensor([[0.0, 0, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]])
    given = Proposals(scenes.boxes.clone(), torch.tensor([[True, True, False, False]]))
    given.boxes[0, 2:] = torch.tensor([0.0, 0, 1, 1])
    scores = torch.zeros(1, 10, 4)
    scores[0, 3, :2] = 0.9
    found = average_precisions(given, scores, scenes)
    assert found[3] == 1 and found[[0, 1, 2, 4, 5, 6, 7, 8, 9]].isnan().all()
    assert average_precisions(given, scores * 0, scenes)[3] == 0


# Scenes, proposals, the namer


def test_scenes_have_two_to_four_digits_apart_from_each_other():
    scenes = many_digits(300, part="scenes", seed=1)
    there = scenes.labels >= 0
    counts = there.sum(1).bincount(minlength=5)
    assert counts[:2].sum() == 0 and counts[2:].min() > 70
    check_boxes("boxes", scenes.boxes, there)
    between = overlaps(scenes.boxes, scenes.boxes) * (1 - torch.eye(4))
    assert between.max() == 0 and (scenes.boxes[~there] == 0).all()
    bare = many_digits(300, part="scenes", seed=1, strokes=False)
    assert torch.equal(bare.labels, scenes.labels) and bare.images.mean() < scenes.images.mean()


def test_proposals_are_three_at_a_digit_parts_and_six_at_random():
    scenes = many_digits(60, part="scenes", seed=0)
    given = proposals(scenes, 2, generator())
    assert given.boxes.shape == (60, 4 * 5 + 6, 4)
    check_boxes("proposals", given.boxes)
    there = (scenes.labels >= 0).repeat(1, 5)
    assert not given.there[:, :20][~there].any() and given.there[:, :20][there].double().mean() > 0.98
    over = overlaps(given.boxes, scenes.boxes).amax(2)
    assert (over[:, :12][there[:, :12]] >= 0.5).double().mean() > 0.95
    assert (over[:, 12:20][there[:, 12:]] >= 0.5).double().mean() < 0.25


def test_the_namer_is_right_on_whole_novel_digits_and_sure_of_parts():
    scenes = many_digits(200, part="test", seed=0, strokes=False)
    novel = scenes.labels >= 6
    whole = torch.where(novel[..., None], scenes.boxes, torch.tensor([0.0, 0, 1, 1]))
    said = namer(0)(cut_each(scenes.images, whole, 20).flatten(0, 1)).softmax(1).view(200, 4, 4)
    assert ((said.argmax(2) + 6)[novel] == scenes.labels[novel]).double().mean() > 0.85
    parts = parts_of(whole, generator())
    said = namer(0)(cut_each(scenes.images, parts, 20).flatten(0, 1)).softmax(1).view(200, 4, 4)
    assert (said.amax(2)[novel] > 0.9).double().mean() > 0.3


def test_candidates_are_sure_apart_and_at_no_base_box():
    scenes = many_digits(40, part="scenes", seed=0)
    given = candidates(scenes, 2, 0)
    assert (given.scores[given.there] > 0.5).all() and (given.scores[~given.there] == 0).all()
    assert (overlaps(given.boxes, base_boxes(scenes)).amax(2)[given.there] < 0.5).all()
    assert not given.right[~given.there].any() and set(given.names.unique().tolist()) <= {6, 7, 8, 9}
    for n in range(40):
        boxes, names = given.boxes[n, given.there[n]].tolist(), given.names[n, given.there[n]].tolist()
        for i in range(len(boxes)):
            assert all(names[i] != names[j] or iou(boxes[i], boxes[j]) <= 0.6 for j in range(i))
            pairs = zip(scenes.boxes[n].tolist(), scenes.labels[n].tolist())
            true = any(y == names[i] and iou(boxes[i], b) >= 0.5 for b, y in pairs)
            assert bool(given.right[n, given.there[n]][i]) == true


def test_the_quality_of_labels_is_counted_by_digits_and_by_labels():
    scenes = Scenes(torch.zeros(1, 1, 48, 48), torch.tensor([[6, 7, 1, -1]]), some_boxes(1, 4))
    scenes.boxes[0, 3] = 0
    boxes = torch.stack([scenes.boxes[0, 0], scenes.boxes[0, 0], scenes.boxes[0, 1], scenes.boxes[0, 2]])[None]
    right = torch.tensor([[True, True, False, False]])
    given = Candidates(boxes, torch.ones(1, 4).bool(), torch.tensor([[6, 6, 8, 9]]), torch.ones(1, 4), right)
    assert label_quality(given, torch.tensor([[True, True, True, False]]), scenes) == pytest.approx((2 / 3, 1 / 2))
    assert label_quality(given, torch.tensor([[False, False, True, True]]), scenes) == (0, 0)


# Scores, matching, weights


def test_the_joint_score_divides_by_the_image_s_largest_base_boxes_included():
    sure, z, z_base = torch.tensor([[1.0, 0.6]]), torch.tensor([[0.2, 0.1]]), torch.tensor([[0.4, 0.0]])
    assert joint_scores(sure, z, z_base, 0.5).tolist()[0] == pytest.approx([0.75, 0.425])
    assert torch.allclose(joint_scores(sure, 2 * z, 2 * z_base, 0.5), joint_scores(sure, z, z_base, 0.5))
    assert torch.equal(joint_scores(sure, z, z_base, 1.0), sure)
    assert joint_scores(sure, z, z_base, 0.0, largest=False).tolist()[0] == pytest.approx([0.2, 0.1])
    assert joint_scores(sure, z, 0 * z_base, 0.0).max() == 1
    two = torch.cat([z, 3 * z]), torch.zeros(2, 1)
    assert joint_scores(sure.expand(2, -1), *two, 0.0).amax(1).tolist() == [1, 1]  # image by image
    assert torch.isfinite(joint_scores(sure, 0 * z, 0 * z_base, 0.5)).all()


def test_the_best_are_over_all_images_and_no_more_than_there_are():
    scores = torch.tensor([[0.9, 0.2, 0.99], [0.5, 0.8, 0.1]])
    there = torch.tensor([[True, True, False], [True, True, True]])
    assert the_best(scores, there, 2).tolist() == [[True, False, False], [False, True, False]]
    assert torch.equal(the_best(scores, there, 9), there)


def test_a_base_box_keeps_its_proposals_where_matching_is_stratified():
    base, pseudo = torch.tensor([[[0.0, 0, 0.5, 0.5]]]), torch.tensor([[[0.0, 0.1, 0.5, 0.6]]])
    boxes = torch.tensor([[[0.0, 0.08, 0.5, 0.58], [0.0, 0.35, 0.5, 0.85], [0.0, 0.3, 0.5, 0.8], [0.6, 0.6, 0.9, 0.9]]])
    over = torch.stack([overlaps(boxes, base)[0, :, 0], overlaps(boxes, pseudo)[0, :, 0]], 1)
    assert over[0, 1] > over[0, 0] > 0.5 and over[2, 1] < 0.5 and over[1, 1] < 0.5
    boxes[0, 2] = torch.tensor([0.0, 0.2, 0.5, 0.7])  # by the pseudo box alone
    labels, names = torch.tensor([[3]]), torch.tensor([[8]])
    first, to_pseudo, which = assigned(boxes, base, labels, pseudo, names, stratified=True)
    assert first.tolist() == [[3, 10, 8, 10]] and to_pseudo.tolist() == [[False, False, True, False]]
    larger, to_pseudo, _ = assigned(boxes, base, labels, pseudo, names, stratified=False)
    assert larger.tolist() == [[8, 10, 8, 10]] and to_pseudo[0, 0] and (which == 0).all()
    alone, _, _ = assigned(base, base, labels, torch.zeros(1, 1, 4), names, stratified=True)
    assert alone.tolist() == [[3]]


def test_weights_are_of_pseudo_boxes_alone_and_carry_no_gradient():
    logits = torch.zeros(1, 3, 11, requires_grad=True)
    scores, to_pseudo = torch.tensor([[0.9, 0.5, 0.9]]), torch.tensor([[True, True, False]])
    found = weights(to_pseudo, scores, logits, 2.0)
    assert found.tolist()[0] == pytest.approx([0.9 + 10 / 11, 0.5 + 10 / 11, 1.0]) and not found.requires_grad
    sure = torch.full((1, 3, 11), -30.0)
    sure[..., 6] = 30.0  # no background at all
    assert weights(to_pseudo, torch.ones(1, 3), sure, 1.0).tolist() == [[1, 1, 1]]
    assert novelty(sure).tolist() == [[1, 1, 1]] and novelty(torch.zeros(11)).item() == pytest.approx(4 / 11)


# The training


def test_labels_in_use_change_after_the_burn_in_only_where_they_are_mined():
    task, detector = many_digits(40, part="scenes", seed=0), new_detector(0)
    given = candidates(task, 2, 0)
    above = given.scores > 0.9
    for experiment in (Detecting(**TINY), Detecting(**TINY, labels="threshold"), Detecting(**TINY, labels="none")):
        early, late = (experiment.chosen(detector, task, given, epoch)[1] for epoch in (2, 3))
        if experiment.labels == "none":
            assert not early.any() and not late.any()
            continue
        assert torch.equal(early, above)
        assert torch.equal(late, above) == (experiment.labels == "threshold")
    assert late.shape == above.shape and detector.training
    mined = Detecting(**TINY, blend=1.0)
    scores, used, _ = mined.chosen(detector, task, given, 3)
    assert torch.equal(scores, given.scores) and used.sum() == round(0.25 * int(above.sum()))
    assert scores[used].min() >= scores[given.there & ~used].max()


@pytest.mark.slow
def test_each_part_changes_the_run_and_how_often_is_recorded_does_not():
    short = {**TINY, "epochs_in_all": 4}
    whole = list(Detecting(**short).run())
    assert [record.epoch for record in whole] == [1, 2, 3, 4]
    (last,) = Detecting(**short, record_every=9).run()
    assert last.numbers == whole[-1].numbers
    for change in ({"stratified": False}, {"reweighted": False}, {"labels": "threshold"}, {"labels": "true"}):
        *_, other = Detecting(**short, **change).run()
        assert not torch.equal(other.shown["all_det"], whole[-1].shown["all_det"]), change


def test_the_picture_tells_the_boxes_and_the_share_that_is_right():
    runs = {name: list(experiment_of(PAGE, name, **TINY).run()) for name in ("threshold", "MarvelOVD")}
    told = PAGE.picture(runs).alt
    for name, run in runs.items():
        assert f"Of the labels {run[-1].numbers['precision']:.0%} are right" in told
        assert f"{name} {run[-1].numbers['novel']:.1%}" in told
    assert "No run yet" in PAGE.picture({}).alt


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: joint_scores(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), 1.2), "blend=1.2"),
        (lambda: weights(torch.ones(1, 1).bool(), torch.ones(1, 1), torch.zeros(1, 1, 11), 0), "gamma=0"),
        (lambda: kept_apart(torch.ones(1, 1, 4), torch.ones(1, 1, 1), 2), "most=2"),
        (lambda: Detecting(burn_in=5, epochs_in_all=5), "burn_in=5 must be below epochs_in_all=5"),
        (lambda: Detecting(share=0.0), "share=0.0"),
        (lambda: Detecting(labels="CLIP"), "labels='CLIP'"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_every_run_of_the_grid_is_one_of_its_own():
    grid = grid_of("marvelovd", [0])
    assert len({key(experiment) for experiment in grid}) == len(grid) == len(PAGE.variants) + 5


def test_claims_measure_what_they_say():
    def answer(e, number):
        assert e.scenes == FULL["scenes"]
        worth = {"none": 1, "true": 64}.get(e.labels, 2 + 4 * (e.labels == "mined") + 8 * e.stratified)
        worth += 100 * (e.threshold == 0.98) + 200 * (e.blend == 1) + 7 * (e.parts == 6) * e.stratified
        return worth + {"novel": 0, "base": 0, "auc_namer": 50}.get(number, 1000)

    measured = {c.id.removeprefix("marvelovd_"): c.measure(Answers(PAGE, answer)) for c in PAGE.claims}
    assert measured == pytest.approx(
        {
            "knows": 950,
            "purer": 1014 / 1002,
            "recall": 12,
            "novel": 12,
            "strict": -88,
            "parts": 8,
            "base": 13,
            "namer": -200,
            "crowded": 19,
        }
    )
