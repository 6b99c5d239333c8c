"""Labels of one's own: what is learned from, what is known of the truth, and what is absent where it isn't known."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.text import Text
from panels import press, words
from pictures import of_task

from nlkit import Dataset, build_model, live, make_task, plots, records_frame, train
from nlkit.commands.train import table
from nlkit.data.labels import NO_CLASS, UNKNOWN

NAMES = ("cat", "dog", "owl")
TRUE = torch.arange(120) % 3
GIVEN = torch.where(torch.arange(120) < 30, (TRUE + 1) % 3, TRUE)  # the first thirty are wrong
GIVEN_NAMES = [NAMES[label] for label in GIVEN.tolist()]


@pytest.fixture(scope="module")
def data():
    """Images of which each holds its place, with true labels."""
    images = torch.arange(120.0).view(120, 1, 1, 1).expand(120, 1, 8, 8) / 120
    return Dataset("own", NAMES, images, TRUE, images[:30], TRUE[:30])


def own(data, **told):
    return make_task(data, **({"given": GIVEN, "device": "cpu"} | told))


SOME = {place: NAMES[TRUE[place]] for place in range(20, 60)}  # forty are verified, ten of them are wrong


# What is taken


def test_the_methods_get_the_given_labels_and_measurement_the_truth(data):
    task = own(data)
    assert torch.equal(task.given_labels, GIVEN) and torch.equal(task.true_labels, TRUE)
    assert task.wrong.tolist() == [True] * 30 + [False] * 90 and task.realized_ratio == 0.25
    assert len(task.clean_labels) == 0 and task.noise == "own labels"
    shares = torch.tensor([[3, 1, 0], [0, 3, 1], [1, 0, 3]]) / 4
    assert torch.equal(task.matrix, shares.double()) and torch.equal(task.realized_matrix, shares.double())
    assert repr(task) == (
        "Task(own: 120 noisy examples, 30 of them with a wrong label (25.0%, own labels); 0 clean; 30 test)"
    )


@pytest.mark.parametrize("form", [list, np.array, pd.Series, pd.Categorical, lambda n: np.array(n, object)])
def test_given_labels_may_be_names_in_any_form(data, form):
    assert torch.equal(own(data, given=form(GIVEN_NAMES)).given, GIVEN)


UNSURE = [NAMES[t] if 20 <= i < 60 else None for i, t in enumerate(TRUE.tolist())]
WAYS = {
    "a mapping with names": SOME,
    "a mapping with numbers": {place: int(TRUE[place]) for place in range(20, 60)},
    "a list with gaps": UNSURE,
    "an array of objects": np.array(UNSURE, object),
    "a column with NaN": pd.Series([float(t) if 20 <= i < 60 else np.nan for i, t in enumerate(TRUE.tolist())]),
    "a nullable column": pd.Series([t if 20 <= i < 60 else None for i, t in enumerate(TRUE.tolist())], dtype="Int64"),
    "a tensor": torch.where((torch.arange(120) >= 20) & (torch.arange(120) < 60), TRUE, UNKNOWN),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_known_of_the_truth_may_come_in_any_form(data, way):
    task = own(data, true=WAYS[way])
    assert task.known.nonzero().flatten().tolist() == list(range(20, 60)) and task.known_count == 40
    assert task.wrong.nonzero().flatten().tolist() == list(range(20, 30))
    assert task.right.nonzero().flatten().tolist() == list(range(30, 60))
    assert task.realized_ratio == 0.25 and task.confusion.sum() == 40 and task.matrix is None
    assert "10 of 40 known ones with a wrong label (25.0%, own labels)" in repr(task)


def test_an_image_of_no_class_is_known_to_be_wrong_and_an_unknown_one_is_not(data):
    task = own(data, true={0: NO_CLASS, 1: "dog", 2: UNKNOWN, 3: None})
    assert task.known.nonzero().flatten().tolist() == [0, 1] and task.wrong.nonzero().flatten().tolist() == [0, 1]
    assert task.realized_ratio == 1 and task.confusion.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    record = next(train(task, epochs=1))
    assert record.known == 2 and record.true_accuracy in (0, 1)  # of the one image that has a class


def test_trusted_examples_are_the_clean_set_and_their_labels_are_true(data):
    trusted = [100, 20, 25, 119]
    for clean in (trusted, torch.tensor(trusted), np.isin(np.arange(120), trusted)):
        task = own(data, true={20: "owl"}, clean=clean)
        assert task.index[-4:].tolist() == [20, 25, 100, 119] and len(task.wrong) == 116
        assert torch.equal(task.images[:, 0, 0, 0], task.index / 120)
        # A verified label counts more than the given one, which is trusted where nothing else is known.
        assert task.clean_labels.tolist() == [2, int(GIVEN[25]), int(GIVEN[100]), int(GIVEN[119])]
        assert torch.equal(task.true[-4:], task.clean_labels) and task.known_count == 0


def test_the_clean_set_may_be_drawn_from_those_whose_truth_is_known(data):
    task = own(data, true=SOME, clean_per_class={"cat": 13, "owl": 2}, seed=1)
    assert torch.bincount(task.clean_labels, minlength=3).tolist() == [13, 0, 2]
    assert set(task.index[-15:].tolist()) <= set(SOME) and torch.equal(task.clean_labels, TRUE[task.index[-15:]])
    with pytest.raises(ValueError, match="clean_per_class of class cat=15 must be a whole number from 0 to 13"):
        own(data, true=SOME, clean_per_class={"cat": 15})
    with pytest.raises(ValueError, match="clean_per_class=1 must be a whole number from 0 to 0"):
        own(data, true=None, clean_per_class=1)


REFUSED = [
    ({"true": "train_labels", "given": TRUE}, "given has the labels that the data set calls true.*say true=None"),
    ({"given": GIVEN[:50]}, "given has 50 entries for 120 training images"),
    ({"given": ["bird"] * 120}, "given has 'bird', which is no class"),
    ({"given": GIVEN + 1}, "given has values from 1 to 3"),
    ({"true": GIVEN[:50]}, "true has 50 entries for 120"),
    ({"true": TRUE - 3}, "true has values from -3 to -1; with 3 classes they must be from -2 to 2"),
    ({"true": {120: "cat"}}, "true's places has values from 120 to 120"),
    ({"true": "cat"}, "true='cat' must be labels, None where none is known, or left out"),
    ({"clean": [3, 3]}, "clean has places more than once: 3"),
    ({"clean": [120]}, "clean has values from 120 to 120"),
    ({"clean": torch.ones(120, dtype=torch.bool)}, "clean has all 120 examples; at least one must be left"),
    ({"true": {4: NO_CLASS}, "clean": [4]}, "clean has images that true says are of no class, at 4"),
    ({"clean": [1], "clean_per_class": 1}, "clean_per_class must be left out when clean names"),
    ({"noise": "pair"}, "noise is for labels that are drawn; leave it out"),
    ({"ratio": 0.2}, "ratio is for labels that are drawn"),
    ({"exact": False}, "exact is for labels that are drawn"),
    ({"given": None, "ratio": 0.2, "true": None}, "true is for labels of your own"),
    ({"given": None, "ratio": 0.2, "clean": [1]}, "clean is for labels of your own"),
]


@pytest.mark.parametrize("told, said", REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence(data, told, said):
    with pytest.raises(ValueError, match=said) as error:
        own(data, **told)
    assert len(str(error.value)) <= 300 and "\n" not in str(error.value)


def test_nothing_that_is_handed_in_is_shared_with_the_task(data):
    given, true = GIVEN.clone(), TRUE.clone()
    before = {name: value.clone() for name, value in vars(data).items() if isinstance(value, torch.Tensor)}
    for task in (own(data, given=given, true=true, clean=[1, 2]), make_task(data, ratio=0.4, clean_per_class=2)):
        for name in ("images", "given", "true", "wrong", "index", "test_images", "test_labels"):
            getattr(task, name).fill_(1)
    assert torch.equal(given, GIVEN) and torch.equal(true, TRUE)
    assert all(torch.equal(getattr(data, name), value) for name, value in before.items())
    task = make_task("mnist5k", ratio=0.4, device="cpu")
    task.test_labels.fill_(0), task.images.fill_(0), task.test_images.fill_(0)
    again = make_task("mnist5k", ratio=0.4, device="cpu")
    assert again.test_labels.bincount().tolist() == [100] * 10 and again.images.std() > 0.9


def test_what_is_counted_follows_the_labels_when_they_are_replaced(data):
    task = dataclasses.replace(own(data), given=TRUE)
    assert not task.wrong.any() and task.realized_ratio == 0 and torch.equal(task.confusion, torch.eye(3) * 40)
    assert next(train(task, epochs=1)).memorized != next(train(task, epochs=1)).memorized  # NaN: no label is wrong
    task = dataclasses.replace(own(data), true=torch.full((120,), UNKNOWN))
    assert task.realized_ratio is None and task.realized_matrix is None and task.confusion is None
    with pytest.raises((TypeError, ValueError), match="wrong"):
        dataclasses.replace(task, wrong=torch.ones(120, dtype=torch.bool))
    with pytest.raises(ValueError, match="given has 3 labels for 120 images"):
        dataclasses.replace(task, given=TRUE[:3])


# What is measured


@pytest.mark.parametrize("method", ["standard", "mentornet"])
def test_the_truth_changes_no_training_and_what_needs_it_is_absent_without(data, method):
    whole, part, none = (list(train(own(data, true=true), method, epochs=2)) for true in (TRUE, SOME, None))
    always = ["epoch", "loss", "given_accuracy", "test_accuracy"]
    for one, other in ((whole, part), (whole, none)):
        assert [[getattr(r, name) for name in always] for r in one] == [[getattr(r, n) for n in always] for r in other]
    of_truth = {"true_accuracy", "memorized", "recovered"}
    of_weights = {"weight_on_right", "weight_on_wrong"} if method == "mentornet" else set()
    told = set(records_frame(whole)), set(records_frame(part)), set(records_frame(none))
    assert of_truth | of_weights <= told[0] and "known" not in told[0]
    assert of_truth | of_weights <= told[1] and part[0].known == 40
    assert not (of_truth | of_weights) & told[2] and none[0].known == 0
    assert ("kept" in told[2]) == (method == "mentornet")
    for row in (record.as_row() for record in none):
        assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_over_the_known_part_it_is_measured_as_by_hand(data):
    task = own(data, true=SOME)
    network = build_model("mlp", (1, 8, 8), 3)
    *_, record = train(task, "mentornet", model=network, epochs=2)
    said = network(task.images).argmax(1).numpy()
    given, true, verified = GIVEN.numpy(), TRUE.numpy(), np.arange(20, 60)
    assert record.true_accuracy == pytest.approx((said == true)[verified].mean())
    assert record.memorized == pytest.approx((said == given)[20:30].mean())
    assert record.recovered == pytest.approx((said == true)[20:30].mean())
    weights = record.example_weights.numpy()
    assert record.extra["weight_on_wrong"] == pytest.approx(weights[20:30].sum() / weights[20:60].sum())
    assert record.extra["weight_on_right"] == pytest.approx(weights[30:60].sum() / weights[20:60].sum())


def test_tables_leave_out_what_was_not_measured_and_say_over_how_many(data):
    heads = [table(list(train(own(data, true=true), epochs=1))).splitlines()[0] for true in (TRUE, SOME, None)]
    assert "memorized %" in heads[0] and "known" not in heads[0]
    assert "memorized % of 40 known" in heads[1] and "true % of 40 known" in heads[1]
    assert heads[2].split() == ["epoch", "loss", "given", "%", "test", "%", "seconds"]
    untested = dataclasses.replace(own(data), test_images=torch.zeros(0, 1, 8, 8), test_labels=TRUE[:0])
    record = next(train(untested, epochs=1))
    assert record.test_accuracy is None and "test_accuracy" not in record.as_row()
    assert "test" not in table([record])


def test_methods_that_need_no_truth_all_train_on_own_labels(data):
    from nlkit import METHODS

    task = own(data, true=None, clean=range(90, 120))
    for method in METHODS:
        assert next(train(task, method, epochs=1)).memorized is None


# What is seen

OF_NUMBERS = ("by_ratio", "transition_matrices", "estimated_matrix")
TRUTHS = {"all": TRUE, "some": SOME, "none": None}
ALL_BY_NIGHT = [pytest.param("all", marks=pytest.mark.nightly), "some", "none"]  # of other tasks, all is known


@pytest.mark.parametrize("known", ALL_BY_NIGHT)
def test_every_picture_shows_what_is_known_and_no_more(data, known):
    task = own(data, true=TRUTHS[known], clean=range(90, 120))
    history, weighed = list(train(task, epochs=2)), list(train(task, "reweight", epochs=2))
    for name, draw in of_task(task, history, weighed).items():
        figure = draw()
        said = " ".join(t.get_text() for t in figure.findobj(Text)) + figure.alt
        assert figure.png() and "nan" not in figure.alt, name
        if known == "none" and name not in OF_NUMBERS:
            for word in ("✗", "✓", "wrong", "right label", "memorized", "recovered"):
                assert word not in said, (name, word, said)
        if known == "some" and name in ("memorization_curves", "training_curves", "weights_part", "weights_now"):
            assert "40 known" in said, name
        if known == "some" and name == "noise_overview":
            assert "40 known" in said and "50 not known" in said


def test_memorization_can_be_compared_where_it_is_measured(data):
    runs = {known: [list(train(own(data, true=true), epochs=2))] for known, true in TRUTHS.items()}
    assert (
        "memorized (40 known), %"
        in plots.compare_methods({"standard": runs["some"]}, quantity="memorized").axes[0].get_ylabel()
    )
    with pytest.raises(ValueError, match="quantity='memorized' is not in the records of 'standard': no true label"):
        plots.compare_methods({"standard": runs["none"]}, quantity="memorized")
    with pytest.raises(ValueError, match="matrices has 'T', which is None: how labels go wrong is not known"):
        plots.transition_matrices({"T": own(data, true=None).matrix}, NAMES)


@pytest.mark.parametrize("known", TRUTHS)
def test_panels_over_own_labels_have_no_noise_to_move_and_tell_what_is_known(data, known):
    task = own(data, true=TRUTHS[known], clean=range(90, 120))
    count = {"all": "30 of 90 given", "some": "10 of 40 known", "none": "how many labels are wrong is not known"}[known]
    panel = live.noise(task, mode="blocking")
    assert count in words(panel) and not panel.controls
    panel = live.training(task, methods="standard", epochs=2, mode="blocking")
    assert set(panel.controls) == {"seed", "epochs", "learning_rate"}
    assert ("memorized" in panel.picture.tooltip) == (known != "none")
    press(panel, "Start")
    assert panel.driver.state == "done", panel.driver.error
    assert ("memorized" in panel.table.value) == (known != "none") and "noise" not in panel.table.value
    assert ("of 40 known" in panel.table.value) == (known == "some")
    assert ("memorized" in panel.picture.tooltip) == (known != "none")
    panel = live.weights(task, epochs=2, mode="blocking")
    press(panel, "Start")
    assert panel.driver.state == "done", panel.driver.error
    assert ("wrong" in panel.picture.tooltip) == (known != "none")
    panel = live.mentormix(task, build_model("mlp", (1, 8, 8), 3), mode="blocking")
    assert ("rightly labelled" in words(panel)) == (known != "none")
