"""The burn-in: its floor by hand, its pace, and what no method may lose in a short training by what it estimates."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlkit import build_model, make_task, train
from nlkit.learning.burn_in import FEWEST_EPOCHS, FEWEST_STEPS, burnt_in
from nlkit.learning.learner import Run
from nlkit.papers import METHODS
from nlkit.randomness import seeded_generator


def at_step(step: int, an_epoch: int, epochs: int) -> Run:
    """A run of so many epochs after `step` steps, as `train` hands it to its method."""
    nothing = torch.empty(0)
    done = {"progress": (step // an_epoch + step % an_epoch / an_epoch) / epochs, "steps_done": step}
    generator = seeded_generator(0, "method")
    return Run(torch.nn.Flatten(), None, nothing, nothing, generator, 10, 100, steps_an_epoch=an_epoch, **done)


@pytest.mark.parametrize("share, epochs, an_epoch, least, ends", [
    (0.1, 25, 32, FEWEST_EPOCHS, 80),  # the 5,000 digits, 25 epochs: a tenth, as ever
    (0.1, 25, 28, FEWEST_EPOCHS, 70),
    (0.1, 40, 32, FEWEST_EPOCHS, 128),
    (0.1, 25, 469, FEWEST_EPOCHS, 1173),  # all of MNIST
    (0.1, 100, 391, FEWEST_EPOCHS, 3910),  # CIFAR-10
    (0.1, 10, 32, FEWEST_EPOCHS, 80),  # the floor
    (0.1, 3, 32, FEWEST_EPOCHS, 80),
    (0.1, 2, 32, FEWEST_EPOCHS, None),  # longer than the training
    (0.3, 10, 32, FEWEST_EPOCHS, 96),  # a share above the floor is that share
    (0.02, 25, 32, FEWEST_EPOCHS, 80),
    (0.1, 25, 3, FEWEST_EPOCHS, 60),  # a small data set: an epoch of 3 steps counts as 24
    (0.1, 100, 3, FEWEST_EPOCHS, 60),
    (0.04, 25, 28, 1, 28),  # EM with a clean set, on 5,000 digits and on all of MNIST
    (0.04, 25, 465, 1, 465),
    (0.08, 25, 469, 2, 938),  # and without one
    (0.0, 5, 32, FEWEST_EPOCHS, 0),  # none
])  # fmt: skip
def test_it_ends_with_its_share_or_with_its_floor(share, epochs, an_epoch, least, ends):
    over = [step for step in range(epochs * an_epoch) if burnt_in(at_step(step, an_epoch, epochs), share, least) == 1]
    assert over == ([] if ends is None else list(range(ends, epochs * an_epoch)))


@given(st.floats(0.01, 1), st.integers(1, 60), st.integers(1, 40))
def test_it_goes_at_the_pace_of_its_share_from_0_on_and_the_floor_only_puts_it_off(share, epochs, an_epoch):
    behind = [burnt_in(at_step(step, an_epoch, epochs), share) for step in range(epochs * an_epoch)]
    length = share * epochs * an_epoch  # in steps
    end = max(length, FEWEST_EPOCHS * max(an_epoch, FEWEST_STEPS))
    expected = [min(max(1 - (end - step) / length, 0), 1) for step in range(epochs * an_epoch)]
    np.testing.assert_allclose(behind, expected, rtol=0, atol=1e-9)


ESTIMATE = ("mentornet", "mentormix", "co-teaching", "forward", "em")


def last(method: str, ratio: float, epochs: int, clean: int = 0, **options):
    task = make_task("mnist5k", ratio=ratio, clean_per_class=clean, seed=0, device="cpu")
    return list(train(task, method, epochs=epochs, **options))[-1]


@pytest.mark.parametrize(
    "epochs, ratio, clean",
    [
        (5, 0.4, 0),
        *(pytest.param(*case, marks=pytest.mark.nightly) for case in ((5, 0.0, 0), (10, 0.2, 0), (5, 0.0, 50))),
    ],
)
def test_no_estimate_costs_a_short_training_much(epochs, ratio, clean):
    """At 5 epochs co-teaching once ended 45 points below standard training, and forward correction as many."""
    standard = last("standard", ratio, epochs, clean).test_accuracy
    for method in ESTIMATE:
        assert last(method, ratio, epochs, clean).test_accuracy > standard - 0.05, method


def test_a_training_shorter_than_its_burn_in_is_standard_training_on_the_noisy_set():
    standard = last("standard", 0.4, 2, clean=5, learn_clean=False)
    for method in ("mentornet", "co-teaching"):
        ours = last(method, 0.4, 2, clean=5)
        assert ours.test_accuracy == standard.test_accuracy
        assert ours.loss == pytest.approx(standard.loss, rel=1e-6) and ours.extra["kept"] == 1


# Options


OPTIONS = {
    "mentornet": {"percentile": np.float32(0.5), "burn_in": np.float64(0.2), "by_class": np.bool_(True),
                  "mentor": np.str_("soft")},
    "mentormix": {"alpha": np.int64(2), "percentile": np.float16(0.5), "second_weighting": np.bool_(False)},
    "co-teaching": {"percentile": np.float32(0.5), "burn_in": np.float32(0.25)},
    "forward": {"burn_in": np.float32(0.5), "matrix": np.eye(3, dtype=np.float32)},
    "em": {"alpha": np.float32(0.5), "temperature": np.int32(1), "burn_in": np.float32(0), "clean_weight": np.int8(1),
           "clean_batch_size": np.uint8(7), "forward_until": np.float64(0.5), "matrix": torch.eye(3)},
    "elr": {"beta": np.float32(0.5), "strength": np.int64(2)},
    "gce": {"q": np.float32(0.5)},
    "mixup": {"alpha": np.uint8(3)},
}  # fmt: skip


def kept(holder: object) -> dict[str, object]:
    own = {name: value for name, value in vars(holder).items() if name not in ("state", "peer")}
    return {**own, **kept(own.pop("mentor"))} if hasattr(own.get("mentor"), "weigh") else own


@pytest.mark.parametrize("method", OPTIONS)
def test_options_from_numpy_become_pythons_own(method):
    found = kept(METHODS[method](**OPTIONS[method]))
    for option, value in OPTIONS[method].items():
        held = found["kind" if option == "mentor" else option]
        if option == "matrix":
            assert held.dtype == torch.float64 and torch.equal(held, torch.eye(3, dtype=torch.float64))
        else:
            assert type(held) in (float, int, bool, str, np.str_) and held == value, option


@pytest.mark.parametrize("method, option, value", [
    ("mentornet", "by_class", "yes"), ("mentornet", "by_class", 1), ("mentormix", "by_class", None),
    ("mentormix", "second_weighting", "false"), ("mentormix", "second_weighting", np.array([True, False])),
    ("mentornet", "mentor", "hard"), ("mentormix", "mentor", 1), ("mentormix", "burn_in", math.nan),
    ("mentornet", "percentile", True), ("co-teaching", "percentile", "0.5"), ("em", "temperature", 0),
    ("em", "clean_batch_size", 1.5), ("forward", "matrix", "half"), ("forward", "matrix", [[1.0, 0.0], [1.0]]),
    ("em", "matrix", [[0.5, 0.4], [0.5, 0.5]]), ("em", "matrix", {0: 1}), ("forward", "matrix", torch.eye(9)),
    ("em", "matrix", np.eye(11)),
])  # fmt: skip
def test_a_bad_option_is_refused_at_the_call(mnist5k, method, option, value):
    task = make_task(mnist5k, ratio=0.4, device="cpu")
    with pytest.raises(ValueError, match=f"^{option}\\b"):
        train(task, method, **{option: value})


@pytest.mark.parametrize("method", ["forward", "em"])
def test_a_matrix_may_come_as_a_list_an_array_or_a_tensor_and_stays_as_it_was(mnist5k, method):
    task = make_task(mnist5k, noise="pair", ratio=0.4, clean_per_class=5, device="cpu")
    mine = task.matrix.clone()
    ways = (mine.tolist(), tuple(map(tuple, mine.tolist())), mine.numpy(), mine, mine.clone().requires_grad_())
    losses = []
    for matrix in ways:
        network = build_model("mlp", (1, 28, 28), 10, seed=0)
        losses.append(next(train(task, method, model=network, epochs=1, matrix=matrix)).loss)
    assert len(set(losses)) == 1
    assert torch.equal(mine, task.matrix) and not mine.requires_grad
