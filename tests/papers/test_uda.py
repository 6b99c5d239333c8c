"""Few labels and many unlabelled digits, views, and consistency: each against something independent."""

import math

import pytest
import scipy.ndimage
import torch
from made_up import Answers
from torch import nn
from torch.nn import functional as F

from nlkit.learning import few_labels as learning
from nlkit.learning.augment import affine_matrices, move_by_matrix
from nlkit.learning.views import VIEWS
from nlkit.noise.few_labels import few_labels, small
from nlkit.papers import uda
from nlkit.papers.uda import ALONE, AUGMENTED, LEARNERS, PAGE, UDA, Consistency, consistency, supervised, threshold


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def logits(rows=6, classes=4, seed=0):
    return 2 * torch.randn(rows, classes, generator=generator(seed), dtype=torch.float64)


# The task


def test_few_have_labels_all_others_have_none_and_wrong_labels_are_as_many_as_told():
    few, more = few_labels(2, 0.3, seed=1), few_labels(5, 0.3, seed=1)
    assert few.true.bincount().tolist() == [2] * 10 and (few.given != few.true).sum() == 6
    assert len(few.unlabelled) == 3980 and few.hidden.bincount().tolist() == [398] * 10
    assert len(few.tested) == 1000 and few.images.shape[1:] == few.unlabelled.shape[1:] == (1, 14, 14)
    seen = {tuple(image.flatten().tolist()) for image in few.images}
    assert seen <= {tuple(image.flatten().tolist()) for image in more.images}
    assert not seen & {tuple(image.flatten().tolist()) for image in few.unlabelled}
    assert not torch.equal(few.images, few_labels(2, seed=2).images)


def test_the_unlabelled_may_come_from_elsewhere():
    other, shown = torch.rand(7, 1, 14, 14), torch.arange(7)
    world = few_labels(1, elsewhere=(other, shown))
    assert world.unlabelled is other and world.hidden is shown and len(world.images) == 10
    with pytest.raises(ValueError, match=r"elsewhere has images of shape \(1, 28, 28\)"):
        few_labels(1, elsewhere=(torch.rand(7, 1, 28, 28), shown))
    with pytest.raises(ValueError, match="elsewhere has shape .7,. for 3 examples"):
        few_labels(1, elsewhere=(other[:3], shown))


# Views


@pytest.fixture
def block():
    image = torch.full((1, 1, 14, 14), -0.4)
    image[..., 5:9, 6:8] = 2.0
    return image.expand(300, -1, -1, -1)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_keeps_shape_and_input_and_is_another_for_each_image(name, block):
    before = block.clone()
    first, again = (VIEWS[name](block, generator()) for _ in range(2))
    assert first.shape == block.shape and torch.equal(first, again) and torch.equal(block, before)
    alike = (first[1:] == first[:-1]).flatten(1).all(1).double().mean()
    assert alike == 1 if name == "none" else alike < 0.3
    assert VIEWS[name](block[:0], generator()).shape == (0, 1, 14, 14)


def test_places_computed_at_once_are_torch_s():
    images, matrices = torch.rand(20, 1, 14, 12), affine_matrices(20, generator(), 2.0)
    assert torch.allclose(move_by_matrix(images, matrices), move_by_matrix(images, matrices, at_once=True), atol=1e-5)


def test_a_shift_is_by_whole_pixels_each_of_nine_and_continues_the_edge(block):
    image = torch.rand(1, 1, 14, 14)
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")[0, 0]
    known = [padded[down : down + 14, right : right + 14] for down in range(3) for right in range(3)]
    counts = [0] * 9
    for moved in VIEWS["shift"](image.expand(900, -1, -1, -1), generator()):
        (at,) = [k for k, each in enumerate(known) if torch.allclose(moved[0], each, atol=1e-5)]
        counts[at] += 1
    assert min(counts) > 60 and sum(counts) == 900


def test_white_noise_has_half_a_standard_deviation():
    added = VIEWS["noise"](torch.zeros(200, 1, 14, 14), generator())
    assert added.mean().item() == pytest.approx(0, abs=0.01) and added.std().item() == pytest.approx(0.5, abs=0.01)


def test_a_strong_view_has_a_hole_as_dark_as_the_image():
    """On a bright image with one dark pixel the hole is all that is dark: 25 pixels, fewer at an edge, never none."""
    image = torch.ones(400, 1, 14, 14)
    image[..., 7, 7] = -0.4
    found = VIEWS["strong"](image, generator())
    holes = [int((each == each.min()).sum()) for each in found]
    assert min(holes) >= 9 and max(holes) <= 26
    assert sum(count >= 25 for count in holes) > 100


def test_turning_keeps_what_is_in_the_middle_and_comes_to_all_angles(block):
    """The block's long side comes to lie across as often as upright; its ink stays."""
    turned = (VIEWS["turn"](block, generator()) + 0.4)[:, 0].double()
    assert torch.allclose(turned.sum((1, 2)), (block + 0.4)[:, 0].double().sum((1, 2)), rtol=0.1)
    spread = [turned.sum(axis) @ (torch.arange(14.0).double() - 6.5).square() for axis in (1, 2)]
    assert 0.35 < (spread[0] > spread[1]).double().mean() < 0.65
    by_scipy = scipy.ndimage.rotate(block[0, 0].numpy(), 90, reshape=False, order=1, mode="nearest")
    quarter = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    mine = move_by_matrix(block[:1], quarter)[0, 0].numpy()
    assert min(abs(mine - by_scipy).max(), abs(mine[::-1, ::-1] - by_scipy).max()) < 1e-4


# The losses


def test_of_itself_unsharpened_nothing_is_asked():
    z = logits().requires_grad_()
    value, mask = consistency(z, z, 0.0, 1.0)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12) and z.grad.abs().max() < 1e-12 and mask.all()


def test_the_divergence_is_of_the_target_from_what_is_said():
    p, q = torch.tensor([[0.9, 0.1]]).double(), torch.tensor([[0.5, 0.5]]).double()
    value, _ = consistency(p.log(), q.log(), 0.0, 1.0)
    assert value.item() == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2)) == pytest.approx(0.3681, abs=1e-4)


def test_the_mask_is_before_sharpening_and_the_mean_over_all():
    p = torch.tensor([[0.7, 0.3], [0.95, 0.05]]).double()  # sharpened by 0.4 the first would be 0.89
    said = torch.zeros(2, 2).double()
    value, mask = consistency(p.log(), said, 0.8, 0.4)
    assert mask.tolist() == [False, True]
    sharp = p[1] ** 2.5 / (p[1] ** 2.5).sum()
    assert value.item() == pytest.approx(float((sharp * (2 * sharp).log()).sum()) / 2)


def test_for_the_sharpest_target_it_is_the_cross_entropy_of_the_likeliest_class():
    weak, strong = logits(seed=1), logits(seed=2).requires_grad_()
    value, mask = consistency(weak.requires_grad_(), strong, 0.5, 1e-3)
    losses = F.cross_entropy(strong, weak.argmax(1), reduction="none")
    assert 0 < mask.sum() < len(mask)
    assert value.item() == pytest.approx((losses * mask).mean().item())
    value.backward()
    assert weak.grad is None and strong.grad is not None
    assert (strong.grad.abs().sum(1) > 0).tolist() == mask.tolist()


def test_annealing_goes_from_a_guess_to_all_that_can_be_known():
    assert threshold("linear", 0.0, 10) == pytest.approx(0.1) and threshold("linear", 0.5, 4) == pytest.approx(0.625)
    assert threshold("linear", 1.0, 10) == threshold("exp", 1.0, 10) == pytest.approx(1)
    assert threshold("log", 1.0, 10) == pytest.approx(1 - 0.9 * math.exp(-5))
    assert threshold("exp", 0.0, 10) == pytest.approx(0.1 + 0.9 * math.exp(-5))
    half = [threshold(name, 0.5, 10) for name in ("exp", "linear", "log", "none")]
    assert half == sorted(half) and half[-1] == 1


def test_known_labels_rest_and_a_batch_of_known_labels_teaches_nothing():
    z, labels = logits(), torch.tensor([0, 1, 2, 3, 0, 1])
    p = z.softmax(1)[range(6), labels]
    eta = p.sort().values[3].item() - 1e-9  # three are less sure
    assert supervised(z, labels, eta).item() == pytest.approx(-p[p <= eta].log().sum().item() / 3)
    assert supervised(z, labels, 1.0).item() == pytest.approx(F.cross_entropy(z, labels).item())
    assert supervised(100 * F.one_hot(labels, 4).double(), labels, 0.5).item() == 0


# The loop


def test_learning_is_the_textbook_loop_with_a_falling_rate():
    images, labels, seen = torch.rand(9, 1, 14, 14), torch.arange(9) % 3, []
    ours = learning.new_network(images.shape[1:], 3, 4)

    def loss(network, batch):
        seen.append(batch)
        return F.cross_entropy(network(batch.images), batch.labels)

    views = learning.Views(*[VIEWS["shift"]] * 3)
    *_, averaged = learning.learn(ours, (images, labels), images[:0], loss, views, steps=30, seed=4)
    theirs = learning.new_network(images.shape[1:], 3, 4)
    weights = [{"params": [p for p in theirs.parameters() if p.ndim > 1], "weight_decay": 5e-4},
               {"params": [p for p in theirs.parameters() if p.ndim == 1]}]  # fmt: skip
    adam, mean = torch.optim.Adam(weights), None
    for step, batch in enumerate(seen):
        for group in adam.param_groups:
            group["lr"] = 2e-3 * math.cos(7 * math.pi * step / (16 * 30))
        adam.zero_grad()
        nn.CrossEntropyLoss()(theirs(batch.images), batch.labels).backward()
        adam.step()
        now, part = [p.detach().clone() for p in theirs.parameters()], 1 - min(0.995, (1 + step) / (10 + step))
        mean = now if mean is None else [m + part * (n - m) for m, n in zip(mean, now)]
    assert len(seen) == 30 and all(len(b.images) == 32 and not len(b.weak) for b in seen)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours.parameters(), theirs.parameters()))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(averaged.module.parameters(), mean))


def test_pairs_are_of_one_image_and_labelled_batches_do_not_hang_on_the_others():
    images, others = torch.rand(9, 1, 14, 14), torch.rand(50, 1, 14, 14)
    views = learning.Views(VIEWS["noise"], VIEWS["none"], VIEWS["none"])

    def batches(unlabelled):
        seen = []

        def loss(network, batch):
            seen.append(batch)
            return network(batch.images).sum()

        list(learning.learn(learning.new_network(images.shape[1:], 3, 0), (images, torch.zeros(9).long()), unlabelled,
                            loss, views, steps=3, seed=0))  # fmt: skip
        return seen

    alone, both = batches(others[:0]), batches(others)
    for one, other in zip(alone, both):
        assert torch.equal(one.images, other.images) and torch.equal(other.weak, others[other.places])
        assert torch.equal(other.strong, other.weak) and other.weak.shape == (128, 1, 14, 14)
    assert [round(batch.progress, 2) for batch in both] == [0, 0.33, 0.67]


# The experiment


@pytest.fixture(scope="module")
def tiny():
    return {name: list(Consistency(method=name, steps=50).run()) for name in LEARNERS}


def test_where_nothing_passes_the_mask_it_is_learning_from_the_labels_to_the_bit(tiny):
    *_, masked = Consistency(beta=1.0, steps=50).run()
    assert masked.numbers["used"] == 0 and math.isnan(masked.numbers["used_right"])
    ours, theirs = ({**r.numbers, **dict(enumerate(r.shown["said"].flatten()))} for r in (masked, tiny[ALONE][-1]))
    assert {name: ours[name] for name in theirs} == theirs


def test_records_tell_how_many_labels_and_unlabelled_digits_were_used(tiny):
    assert [len(records) for records in tiny.values()] == [2, 2, 2]
    assert {record.numbers["labels"] for records in tiny.values() for record in records} == {50}
    assert "used" not in tiny[AUGMENTED][-1].numbers
    assert 0 < tiny[UDA][0].numbers["used"] < 1 and 0.3 < tiny[UDA][-1].numbers["used_right"] <= 1
    copies, said = (tiny[UDA][-1].shown[name] for name in ("copies", "said"))
    assert copies.shape == (7, 14, 14) and said.shape == (7, 10) and said.sum(1) == pytest.approx(1)
    digits = [tuple(records[-1].shown["copies"][0].flatten()) for records in tiny.values()]
    assert len(set(digits)) == 1
    assert tiny[ALONE][-1].numbers["test_accuracy"] != tiny[AUGMENTED][-1].numbers["test_accuracy"]


def test_the_picture_says_what_each_learner_says_and_what_labels_it_had(tiny):
    told = uda.draw(tiny).alt
    for name in LEARNERS:
        assert f"{name} says of a digit" in told
        assert f"{name} {tiny[name][-1].numbers['test_accuracy']:.1%}" in told
    assert "No run yet" in uda.draw({}).alt


def test_claims_measure_what_they_say():
    worth = {"none": 0, "noise": 1, "shift": 2, "affine": 4, "strong": 8, "turn": 16}

    def answer(e, _number):
        return (
            worth[e.augmentation] * (e.method != ALONE) + 100 * (e.method == UDA) + e.per_class
            - 1000 * ("none", "linear", "log", "exp").index(e.annealing) - 0.5 * (e.beta == 0) * (e.tau == 1)
        )  # fmt: skip

    measured = {claim.id: claim.measure(Answers(PAGE, answer)) for claim in PAGE.claims}
    assert measured.pop("uda_gain") == [100, 100]
    assert measured.pop("uda_worth") == 85
    assert measured.pop("uda_order") == [1, 2]
    assert measured.pop("uda_same_order") == pytest.approx(1)
    assert measured.pop("uda_noise") == (1, -101)
    assert measured.pop("uda_invalid") == -12
    assert measured.pop("uda_annealing") == [-1000, -2000, -3000]
    assert measured.pop("uda_plain") == -0.5
    assert not measured


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"tau": 0.0}, "tau=0.0 must be a number from 0.1 to 1"),
        ({"beta": 1.1}, "beta=1.1"),
        ({"per_class": 0}, "per_class=0"),
        ({"per_class": 400}, "per_class=400 leaves no digit unlabelled"),
        ({"augmentation": "crop"}, "augmentation='crop'"),
        ({"annealing": "lin"}, "annealing='lin'"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_training(bad, says):
    with pytest.raises(ValueError, match=says):
        Consistency(**bad)


def test_what_cannot_be_learned_from_is_refused_at_the_call():
    with pytest.raises(ValueError, match="tau=0 must be a number above 0"):
        consistency(logits(), logits(), 0.8, 0)
    with pytest.raises(ValueError, match="count=401 must be a whole number from 1 to 400"):
        few_labels(401)
    with pytest.raises(ValueError, match="the number of labelled images=0"):
        none = torch.rand(0, 1, 14, 14)
        learning.learn(nn.Flatten(), (none, none), none, None, learning.Views(*[VIEWS["none"]] * 3), steps=1, seed=0)
    assert small(torch.ones(2, 1, 28, 28)).shape == (2, 1, 14, 14)


def test_one_record_is_of_the_last_step_and_of_all_that_was_seen(tiny):
    (last,) = Consistency(steps=50, record_every=400).run()
    both = [record.numbers for record in tiny[UDA]]
    assert last.numbers["test_accuracy"] == both[-1]["test_accuracy"] and last.numbers["step"] == 50
    assert [numbers["step"] for numbers in both] == [25, 50]
    assert last.numbers["used"] == pytest.approx(sum(numbers["used"] for numbers in both) / 2)
