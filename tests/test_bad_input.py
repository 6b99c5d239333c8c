"""Bad input: a ValueError before any work starts, which has the argument's name and its value; the extremes work."""

import inspect
import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from nlkit import METHODS, MODELS, Dataset, build_model, corrupt, load, make_task, noise_matrix, train
from nlkit.checks import check_choice
from nlkit.data.load import DATASETS
from nlkit.learning.augment import AUGMENTATIONS
from nlkit.learning.devices import PRECISIONS
from nlkit.learning.optimizers import OPTIMIZERS, SCHEDULES
from nlkit.noise.matrices import NOISE_TYPES, asymmetric_matrix, doubled_matrix, pair_matrix, symmetric_matrix

LABELS = torch.tensor([0, 1, 2] * 4)
DATA = Dataset(
    "own", ("a", "b", "c"), torch.zeros(12, 1, 4, 4), LABELS, torch.zeros(3, 1, 4, 4), torch.tensor([0, 1, 2])
)


def task(**changes):
    return make_task(DATA, **({"ratio": 0.5, "clean_per_class": 1, "device": "cpu"} | changes))


TASK = task()


def assert_refused(call, argument: str, value: object) -> str:
    with pytest.raises(ValueError) as error:
        call(value)
    message = str(error.value)
    assert f"{argument}={value!r}" in message
    assert "\n" not in message
    return message


# Ratios

TAKE_A_RATIO = {
    "make_task": lambda ratio: task(ratio=ratio),
    "make_task with a mapping": lambda ratio: task(noise={0: 1}, ratio=ratio),
    "symmetric_matrix": lambda ratio: symmetric_matrix(3, ratio),
    "doubled_matrix": lambda ratio: doubled_matrix(3, ratio),
    "pair_matrix": lambda ratio: pair_matrix(3, ratio),
    "asymmetric_matrix": lambda ratio: asymmetric_matrix(3, ratio, {0: 1}),
    **{noise: lambda ratio, noise=noise: noise_matrix(noise, 10, ratio, "mnist") for noise in NOISE_TYPES},
}
bad_ratios = st.one_of(
    st.floats(max_value=0, exclude_max=True),
    st.floats(min_value=1, exclude_min=True),
    st.sampled_from([float("nan"), np.float32("nan"), True, False, None, 2, -1, 0.5j]),
    st.text(max_size=5),
    st.lists(st.floats(0, 1), max_size=2),
)


@pytest.mark.parametrize("taker", TAKE_A_RATIO)
@given(bad_ratios)
def test_a_bad_ratio_is_refused_by_name_and_value(taker, ratio):
    assert "a number from 0 to 1" in assert_refused(TAKE_A_RATIO[taker], "ratio", ratio)


@pytest.mark.parametrize("taker", TAKE_A_RATIO)
@given(st.one_of(st.floats(0, 1), st.sampled_from([0, 1, np.float32(0.3), np.int64(1)])))
def test_every_ratio_from_0_to_1_works(taker, ratio):
    TAKE_A_RATIO[taker](ratio)


# Names

TAKE_A_NAME = {
    "data": (lambda name: make_task(name, ratio=0.5), DATASETS),
    "name": (load, DATASETS),
    "noise": (lambda name: task(noise=name), NOISE_TYPES),
    "method": (lambda name: train(TASK, name), tuple(METHODS)),
    "model": (lambda name: train(TASK, model=name), tuple(MODELS)),
    "optimizer": (lambda name: train(TASK, optimizer=name), tuple(OPTIMIZERS)),
    "schedule": (lambda name: train(TASK, schedule=name), tuple(SCHEDULES)),
    "augment": (lambda name: train(TASK, augment=name), tuple(AUGMENTATIONS)),
    "precision": (lambda name: train(TASK, precision=name), PRECISIONS),
    "engine": (lambda name: train(TASK, "reweight", engine=name), ("jvp", "higher")),
}


@pytest.mark.parametrize("argument", TAKE_A_NAME)
def test_a_misspelt_name_is_refused_with_the_nearest_known_one(argument):
    take, known = TAKE_A_NAME[argument]
    misspelt: dict[str, list[str]] = {}
    for name in known:
        for i in range(len(name)):
            misspelt.setdefault(name[:i] + name[i + 1 :], []).append(name)
    for wrong, meant in misspelt.items():
        if wrong not in known:
            message = assert_refused(take, argument, wrong)
            assert any(f"did you mean {right!r}?" in message for right in meant)
            assert all(name in message.partition("Known: ")[2] for name in known)


@pytest.mark.parametrize(
    "argument, wrong, right",
    [("noise", "symetric", "symmetric"), ("method", "reweigh", "reweight"), ("noise", "PAIR", "pair")],
)
def test_the_usual_slips_are_understood(argument, wrong, right):
    assert f"did you mean {right!r}?" in assert_refused(TAKE_A_NAME[argument][0], argument, wrong)


@pytest.mark.parametrize("argument", TAKE_A_NAME)
def test_what_is_like_no_name_is_refused_with_all_that_are_known(argument):
    take, known = TAKE_A_NAME[argument]
    for wrong in ("", "zzzzzz", "q\u00e9\n", None, 3, 0.5, ["symmetric"], ("adam",)):
        message = assert_refused(take, argument, wrong)
        assert all(name in message.partition("Known: ")[2] for name in known)


def test_the_message_about_an_unknown_name_is_made_of_sentences():
    assert re.search(r"is not known[.;:] Known: ", assert_refused(TAKE_A_NAME["noise"][0], "noise", "zzzzzz"))


def test_of_hundreds_of_names_the_nearest_are_told():
    with pytest.raises(ValueError) as refusal:
        check_choice("claim", "n3O", [f"n{number}" for number in range(300)])
    told = "claim='n3O' is not known; did you mean 'n3'? Known: n3, n93, n83, n73, n63, and 295 more"
    assert str(refusal.value) == told


def test_an_option_that_a_method_does_not_have_is_refused_with_those_that_it_has():
    message = assert_refused(lambda value: train(TASK, "reweight", engin=value), "engin", "higher")
    assert "engine" in message.partition("options:")[2]
    assert_refused(lambda value: train(TASK, "standard", engine=value), "engine", "higher")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "", None, 7.5])
def test_a_device_that_is_not_here_is_refused(device):
    assert_refused(lambda device: task(device=device), "device", device)


# Whole numbers

TAKE_AN_INTEGER = {
    "clean_per_class": (lambda value: task(clean_per_class=value), 0, 3),
    "seed": (lambda value: task(seed=value), 0, 2**64 - 1),
    "num_classes": (lambda value: symmetric_matrix(value, 0.5), 2, 50),
    "epochs": (lambda value: train(TASK, epochs=value), 1, 10**30),
    "batch_size": (lambda value: train(TASK, batch_size=value), 1, 10**30),
    "clean_batch_size": (lambda value: train(TASK, "reweight", clean_batch_size=value), 1, 10**30),
}
TAKE_A_SEED = {
    "make_task": lambda seed: task(seed=seed),
    "train": lambda seed: train(TASK, seed=seed),
    "corrupt": lambda seed: corrupt(LABELS, symmetric_matrix(3, 0.5), seed=seed),
    "build_model": lambda seed: build_model("mlp", (1, 4, 4), 3, seed=seed),
}
no_integers = st.one_of(
    st.floats(), st.booleans(), st.none(), st.text(max_size=5), st.lists(st.integers(), max_size=2), st.just(1 + 0j)
)


@pytest.mark.parametrize("argument", TAKE_AN_INTEGER)
@given(st.data())
def test_a_bad_whole_number_is_refused_by_name_and_value(argument, data):
    take, low, _ = TAKE_AN_INTEGER[argument]
    value = data.draw(st.one_of(no_integers, st.integers(max_value=low - 1)))
    assume(argument != "clean_per_class" or value is not None)  # which is what it is unless given
    assert "a whole number" in assert_refused(take, argument, value)


@pytest.mark.parametrize("argument", TAKE_AN_INTEGER)
@pytest.mark.parametrize("kind", [int, np.int64, np.uint8])
def test_the_lowest_and_the_highest_whole_number_work(argument, kind):
    take, low, high = TAKE_AN_INTEGER[argument]
    take(kind(low))
    take(high)


@pytest.mark.parametrize("taker", TAKE_A_SEED)
@given(no_integers | st.integers(max_value=-1))
def test_a_bad_seed_is_refused_by_name_and_value(taker, seed):
    assert_refused(TAKE_A_SEED[taker], "seed", seed)


@pytest.mark.parametrize("taker", TAKE_A_SEED)
def test_a_large_seed_works_or_is_refused_by_name(taker):
    for seed in (2**32, 2**63, 2**64 - 1, 2**64, 10**100):
        try:
            TAKE_A_SEED[taker](seed)
        except ValueError as error:
            assert f"seed={seed}" in str(error)


@given(st.floats(max_value=0) | st.sampled_from([float("nan"), float("inf"), True, False, "0.1", 0, -1, [0.1]]))
def test_a_bad_learning_rate_is_refused_by_name_and_value(rate):
    assert "a number above 0" in assert_refused(lambda rate: train(TASK, learning_rate=rate), "learning_rate", rate)


def test_a_number_that_no_float_can_hold_is_refused_by_name_and_value():
    for argument, take, value in (
        ("ratio", TAKE_A_RATIO["symmetric_matrix"], 10**400),
        ("learning_rate", lambda rate: train(TASK, learning_rate=rate), -(10**400)),
    ):
        with pytest.raises(ValueError, match=f"^{argument}={str(value)[:50]}.* … 0+ must be a number") as error:
            take(value)
        assert len(str(error.value)) <= 300


# Matrices, mappings, labels


@st.composite
def broken_matrices(draw):
    """A transition matrix of three classes with one rule broken, as a tensor or an array."""
    matrix = draw(st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=3), min_size=3, max_size=3))
    matrix = np.array(matrix) / np.sum(matrix, axis=1, keepdims=True)
    row, column = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    broken = draw(
        st.sampled_from(["row", "negative", "nan", "infinite", "oblong", "large", "flat", "empty", "percent"])
    )
    if broken == "row":
        matrix[row] *= draw(st.floats(0, 0.999) | st.floats(1.001, 5))
    elif broken == "negative":
        matrix[row, column - 1] += matrix[row, column] + 0.1
        matrix[row, column] = -0.1
    elif broken in ("nan", "infinite"):
        matrix[row, column] = np.nan if broken == "nan" else np.inf
    elif broken == "percent":
        matrix *= 100
    else:
        shapes = {"oblong": matrix[:, :2], "large": np.eye(4), "flat": matrix[0], "empty": np.zeros((0, 0))}
        matrix = shapes[broken]
    return torch.from_numpy(matrix.copy()) if draw(st.booleans()) else matrix


@given(broken_matrices())
def test_a_broken_matrix_is_refused_by_name(matrix):
    for take in (lambda m: task(noise=m, ratio=None), lambda m: noise_matrix(m, 3)):
        with pytest.raises(ValueError, match="matrix") as error:
            take(matrix)
        assert any(
            said in str(error.value)
            for said in (f"shape {matrix.shape}", str(tuple(matrix.shape)), "sums to", "not a number")
        )


@pytest.mark.parametrize("matrix", [None, "symmetric", 0.5, [[1, 0], [0]], np.array([["a", "b"], ["c", "d"]]), {0: 1}])
def test_what_is_no_matrix_is_refused_by_name(matrix):
    with pytest.raises(ValueError, match="matrix"):
        corrupt(LABELS, matrix)


def test_which_row_is_wrong_is_said():
    with pytest.raises(ValueError, match="matrix row 1 sums to 0.9; each row must sum to 1"):
        noise_matrix(torch.tensor([[0.5, 0.5], [0.1, 0.8]]), 2)


@pytest.mark.parametrize("mapping", [{}, {0: 0}, {0: 3}, {3: 0}, {-1: 0}, {0: "1"}, {0.5: 1}, {0: True}, {None: 1}])
def test_a_bad_mapping_is_refused_by_name(mapping):
    for take in (lambda m: task(noise=m), lambda m: asymmetric_matrix(3, 0.5, m)):
        with pytest.raises(ValueError, match="mapping") as error:
            take(mapping)
        assert all(repr(place) in str(error.value) for place in mapping if place != 0)


@pytest.mark.parametrize(
    "labels",
    [
        torch.tensor([0, 3]), torch.tensor([-1, 0]), torch.tensor([0.0, 1.0]), torch.tensor([[0, 1]]), torch.tensor(1),
        torch.tensor([True, False]), torch.tensor([0, 1 + 0j]), np.array([0, 3]), np.array([0.5]), None, "a", ["a"],
    ],
    ids=str,
)  # fmt: skip
def test_bad_labels_are_refused_by_name(labels):
    with pytest.raises(ValueError, match="labels"):
        corrupt(labels, symmetric_matrix(3, 0.5))


@given(st.data(), st.sampled_from(["train", "test"]))
def test_a_value_that_is_off_anywhere_in_a_data_set_is_found(data, part):
    parts = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in vars(DATA).items()}
    labels, images = parts[f"{part}_labels"], parts[f"{part}_images"]
    at = data.draw(st.integers(0, len(labels) - 1))
    if data.draw(st.booleans()):
        value = data.draw(st.integers(-(2**40), -1) | st.integers(3, 2**40))
        labels[at] = value
        with pytest.raises(ValueError, match=f"{part}_labels has values from .*{value}"):
            Dataset(**parts)
    else:
        images.view(len(images), -1)[at, data.draw(st.integers(0, 15))] = data.draw(
            st.sampled_from([float("nan"), float("inf"), -float("inf")])
        )
        with pytest.raises(ValueError, match=f"{part}_images has NaN or infinity in 1 of {len(images)} images"):
            Dataset(**parts)


# When, and what works


@pytest.mark.parametrize(
    "bad", [{"method": "magic"}, {"epochs": 0}, {"learning_rate": 0}, {"model": "x"}, {"seed": -1}]
)
def test_train_refuses_at_the_call_and_not_at_the_first_record(bad):
    assert inspect.isgenerator(train(TASK))
    with pytest.raises(ValueError, match=next(iter(bad))):
        train(TASK, **bad)


def test_a_method_that_needs_a_clean_set_says_so():
    with pytest.raises(ValueError, match="method='reweight' needs a clean set.*clean_per_class=1"):
        train(task(clean_per_class=0), "reweight")


@pytest.mark.parametrize("ratio", [0, 1])
@pytest.mark.parametrize("clean_per_class", [0, 3])
def test_the_extremes_can_be_made_and_trained_on(ratio, clean_per_class):
    extreme = task(ratio=ratio, clean_per_class=clean_per_class)
    assert extreme.realized_ratio == ratio
    assert [record.epoch for record in train(extreme, epochs=2, batch_size=1)] == [1, 2]
