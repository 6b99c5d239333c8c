"""Tasks: what is clean, what is noisy, which labels are wrong, and where every example came from."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlkit import Dataset, make_task
from nlkit.learning.devices import pick_device
from nlkit.noise.matrices import NOISE_TYPES, asymmetric_matrix, noise_matrix, symmetric_matrix


def task_of(data, **changes):
    return make_task(data, **({"ratio": 0.4, "clean_per_class": 20, "device": "cpu"} | changes))


def clean_index(task) -> set[int]:
    return set(task.index[len(task.wrong) :].tolist())


def noisy_index(task) -> set[int]:
    return set(task.index[: len(task.wrong)].tolist())


@pytest.fixture(scope="module")
def own_data():
    """Three classes of 6, 9 and 15 examples, out of order; each image holds the place of its example."""
    labels = torch.tensor([0] * 6 + [1] * 9 + [2] * 15)[torch.randperm(30, generator=torch.Generator().manual_seed(0))]
    images = torch.arange(30.0).view(30, 1, 1, 1).expand(30, 2, 4, 5).clone()
    return Dataset("own", ("a", "b", "c"), images, labels, images[:3].clone(), torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("noise", NOISE_TYPES)
def test_the_clean_set_is_so_many_a_class_with_true_labels_and_the_rest_is_noisy(mnist5k, noise):
    task = task_of(mnist5k, noise=noise)
    assert torch.bincount(task.clean_labels).tolist() == [20] * 10
    assert torch.equal(task.clean_labels, mnist5k.train_labels[task.index[-200:]])
    assert clean_index(task) | noisy_index(task) == set(range(4000))
    assert len(task.wrong) == len(noisy_index(task)) == 4000 - 200


def test_the_clean_set_of_a_few_is_part_of_that_of_many(mnist5k):
    sets = [clean_index(task_of(mnist5k, clean_per_class=size)) for size in (0, 1, 10, 50)]
    assert [len(s) for s in sets] == [0, 10, 100, 500]
    assert all(few < many for few, many in zip(sets, sets[1:]))


def test_the_clean_set_is_drawn_before_the_noise(mnist5k):
    tasks = [task_of(mnist5k, noise=noise, ratio=ratio) for noise in ("symmetric", "pair") for ratio in (0.0, 0.3, 1.0)]
    assert all(torch.equal(task.index, tasks[0].index) for task in tasks)


def test_another_seed_draws_another_clean_set_and_other_noise(mnist5k):
    first, again, other = (task_of(mnist5k, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.index, again.index) and torch.equal(first.given, again.given)
    assert clean_index(first) != clean_index(other)
    assert not torch.equal(
        task_of(mnist5k, clean_per_class=0, seed=1).given, task_of(mnist5k, clean_per_class=0, seed=2).given
    )


@given(st.integers(0, 5), st.floats(0, 1), st.booleans(), st.integers(0, 99))
def test_the_wrong_labels_are_those_that_differ_from_the_data_set_s(own_data, clean_per_class, ratio, exact, seed):
    task = task_of(own_data, clean_per_class=clean_per_class, ratio=ratio, exact=exact, seed=seed)
    of_data = own_data.train_labels[task.index]
    noisy = len(task.wrong)
    assert torch.equal(task.true, of_data)
    assert torch.equal(task.wrong, task.given[:noisy] != of_data[:noisy])
    assert torch.equal(task.given[noisy:], of_data[noisy:])
    assert task.realized_ratio == pytest.approx(np.mean((task.given_labels != task.true_labels).tolist()))
    if exact:
        assert abs(int(task.wrong.sum()) - ratio * noisy) <= 0.5 + 1e-6


def test_index_leads_back_to_the_data_set_s_own_images(own_data, mnist5k):
    task = task_of(own_data, clean_per_class=3)
    assert task.images[:, 0, 0, 0].tolist() == task.index.tolist()
    task = task_of(mnist5k)
    assert torch.equal(mnist5k.train_images[task.index], task.images)


def test_the_test_set_and_the_data_set_are_left_as_they_were(own_data):
    before = {k: v.clone() for k, v in vars(own_data).items() if isinstance(v, torch.Tensor)}
    task = task_of(own_data, clean_per_class=1, ratio=1.0)
    assert all(torch.equal(getattr(own_data, name), tensor) for name, tensor in before.items())
    assert torch.equal(task.test_images, before["test_images"])
    assert torch.equal(task.test_labels, before["test_labels"])


def test_noisy_and_clean_examples_are_views_of_one_tensor(own_data):
    task = task_of(own_data, clean_per_class=2)
    assert torch.equal(torch.cat([task.noisy_images, task.clean_images]), task.images)
    assert torch.equal(torch.cat([task.given_labels, task.clean_labels]), task.given)
    start = task.images.untyped_storage().data_ptr()
    assert task.noisy_images.untyped_storage().data_ptr() == task.clean_images.untyped_storage().data_ptr() == start


def test_a_task_is_frozen(own_data):
    with pytest.raises(dataclasses.FrozenInstanceError):
        task_of(own_data, clean_per_class=1).seed = 3


def test_one_example_of_the_smallest_class_must_stay_noisy(own_data):
    task = task_of(own_data, clean_per_class=5)
    assert torch.bincount(task.true_labels).tolist() == [1, 4, 10]
    with pytest.raises(ValueError, match="clean_per_class=6 must be a whole number from 0 to 5.* own has 6 training"):
        task_of(own_data, clean_per_class=6)
    with pytest.raises(ValueError, match="clean_per_class=-1"):
        task_of(own_data, clean_per_class=-1)


def test_without_a_clean_set_every_example_is_noisy(own_data):
    task = task_of(own_data, clean_per_class=0)
    assert len(task.wrong) == 30
    assert task.clean_images.shape == (0, 2, 4, 5)


@pytest.mark.parametrize("kind", [torch.Tensor, np.ndarray])
def test_a_matrix_is_taken_and_brings_its_own_ratio(own_data, kind):
    matrix = asymmetric_matrix(3, 0.5, {2: 0})
    task = task_of(own_data, noise=matrix if kind is torch.Tensor else matrix.numpy(), ratio=None, clean_per_class=1)
    assert torch.equal(task.matrix, matrix)
    assert task.confusion.tolist() == [[5, 0, 0], [0, 8, 0], [7, 0, 7]]
    assert torch.equal(task.realized_matrix, matrix)
    with pytest.raises(ValueError, match="ratio=0.4 must be left out when noise is a matrix"):
        task_of(own_data, noise=matrix, clean_per_class=1)


def test_a_mapping_is_taken_with_a_ratio(own_data):
    task = task_of(own_data, noise={2: 0}, ratio=0.5, clean_per_class=1)
    assert task.confusion.tolist() == [[5, 0, 0], [0, 8, 0], [7, 0, 7]]
    assert task.noise == "mapping"


@pytest.mark.parametrize("noise", NOISE_TYPES)
def test_a_named_noise_has_the_matrix_of_its_name(mnist5k, noise):
    assert torch.equal(task_of(mnist5k, noise=noise).matrix, noise_matrix(noise, 10, 0.4, "mnist5k"))


def test_asymmetric_noise_on_own_data_asks_for_a_map(own_data):
    with pytest.raises(ValueError, match="noise='asymmetric' has no usual map for dataset='own'.*give the map"):
        task_of(own_data, noise="asymmetric", clean_per_class=1)


def test_exact_or_not_is_passed_on(mnist5k):
    wrong = [int(task_of(mnist5k, exact=False, seed=seed).wrong.sum()) for seed in range(5)]
    assert len(set(wrong)) > 1
    assert all(abs(w - 1520) < 5 * (3800 * 0.4 * 0.6) ** 0.5 for w in wrong)  # five standard deviations
    assert {int(task_of(mnist5k, seed=seed).wrong.sum()) for seed in range(5)} == {1520}


def test_a_data_set_s_name_stands_for_the_data_set(mnist5k):
    named, given_itself = task_of("mnist5k"), task_of(mnist5k)
    assert torch.equal(named.images, given_itself.images)
    assert torch.equal(named.given, given_itself.given)
    assert repr(named) == (
        "Task(mnist5k: 3,800 noisy examples, 1,520 of them with a wrong label (40.0%, symmetric); "
        "200 clean; 1,000 test)"
    )


@pytest.mark.parametrize("cuda, mps, device", [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto") == torch.device(device)


def test_a_task_lives_on_the_device_that_auto_picks(own_data):
    task = task_of(own_data, clean_per_class=1, device="auto")
    on_device = [
        v for v in vars(task).values() if isinstance(v, torch.Tensor) and v is not task.index and v is not task.matrix
    ]
    assert {tensor.device.type for tensor in on_device} == {pick_device("auto").type}


@pytest.mark.cuda
def test_a_task_is_the_same_on_a_gpu(own_data):
    on_gpu, on_cpu = (task_of(own_data, clean_per_class=2, device=device) for device in ("cuda", "cpu"))
    for name in ("images", "given", "true", "wrong", "index", "test_images", "test_labels", "matrix"):
        assert torch.equal(getattr(on_gpu, name).cpu(), getattr(on_cpu, name))
    assert torch.equal(on_gpu.confusion, on_cpu.confusion)


def test_the_matrix_is_checked_against_the_number_of_classes(own_data):
    with pytest.raises(ValueError, match="matrix has shape .4, 4.; the data has 3 classes"):
        task_of(own_data, noise=symmetric_matrix(4, 0.1), ratio=None, clean_per_class=1)


def test_a_task_by_name_is_that_of_the_data_set(mnist5k):
    """By name the images are put in order within the memory that they were loaded to, part after part."""
    by_name, of_data = (make_task(d, ratio=0.4, seed=3, device="cpu") for d in ("mnist5k", mnist5k))
    assert torch.equal(by_name.images, of_data.images)
    assert torch.equal(by_name.given, of_data.given)


# Ratios and clean counts by class

BY_CLASS = {
    "symmetric": lambda r: torch.where(torch.eye(10, dtype=torch.bool), 1 - r, r / 9),
    "symmetric-own": lambda r: torch.where(torch.eye(10, dtype=torch.bool), 1 - 0.9 * r, r / 10),
    "pair": lambda r: torch.eye(10) * (1 - r) + torch.eye(10).roll(1, 1) * r,
    "symmetric-doubled": lambda r: torch.where(
        torch.eye(10, dtype=torch.bool), 1 - r, torch.where(torch.eye(10).roll(1, 1) > 0, 2 * r / 10, r / 10)
    ),
}
RATIOS = [0.0, 0.1, 0.25, 0.5, 1.0, 0.3, 0.0, 0.75, 0.05, 0.9]


@pytest.mark.parametrize("noise", BY_CLASS)
def test_ratios_by_class_make_the_matrix_row_by_row_and_are_met_exactly(mnist5k, noise):
    task = task_of(mnist5k, noise=noise, ratio=RATIOS)
    expected = BY_CLASS[noise](torch.tensor(RATIOS, dtype=torch.float64)[:, None])
    assert torch.allclose(task.matrix, expected.double(), atol=1e-12)
    moved = 380 * (1 - expected.diagonal())
    wrong = torch.tensor([int(task.wrong[task.true_labels == c].sum()) for c in range(10)])
    assert (wrong - moved).abs().max() <= 1 and abs(int(task.wrong.sum()) - moved.sum()) <= 0.5 + 1e-6
    assert (task.confusion - 380 * expected).abs().max() <= 2
    named = task_of(mnist5k, noise=noise, ratio={str(c): r for c, r in enumerate(RATIOS) if r})
    assert torch.equal(named.given, task.given)
    for same in (tuple(RATIOS), np.array(RATIOS), torch.tensor(RATIOS, dtype=torch.float64), dict(enumerate(RATIOS))):
        assert torch.equal(task_of(mnist5k, noise=noise, ratio=same).given, task.given)


@pytest.mark.parametrize("noise", [*NOISE_TYPES[:-1], "instance", "red"])
@pytest.mark.parametrize("exact", [True, False])
def test_the_same_ratio_for_every_class_is_that_ratio(mnist5k, noise, exact):
    each, one = (task_of(mnist5k, noise=noise, ratio=ratio, exact=exact) for ratio in ([0.3] * 10, 0.3))
    if noise == "instance" and exact:  # counted class by class, and not over all of them
        assert torch.bincount(each.true_labels[each.wrong]).tolist() == [114] * 10
    else:
        assert torch.equal(each.given, one.given) and torch.equal(each.wrong, one.wrong)


def test_ratios_by_class_are_nested_class_by_class(mnist5k):
    low, high = (task_of(mnist5k, ratio=[share * r for r in RATIOS]) for share in (0.5, 1.0))
    assert (high.wrong | ~low.wrong).all() and torch.equal(low.given[:3800][low.wrong], high.given[:3800][low.wrong])
    instance = [task_of(mnist5k, noise="instance", ratio={"3": r}) for r in (0.2, 0.6)]
    assert [int(t.wrong.sum()) for t in instance] == [76, 228] and (instance[1].wrong | ~instance[0].wrong).all()
    assert instance[1].true_labels[instance[1].wrong].unique().tolist() == [3]


def test_red_noise_by_class_replaces_images_of_those_classes(mnist5k):
    task = task_of(mnist5k, noise="red", ratio={"7": 0.5, "1": 0.1})
    assert torch.bincount(task.given_labels[task.wrong], minlength=10).tolist() == [0, 38, 0, 0, 0, 0, 0, 190, 0, 0]


def test_asymmetric_noise_by_class_moves_the_classes_that_its_map_has(mnist5k):
    task = task_of(mnist5k, noise="asymmetric", ratio={"7": 0.5, "2": 0.1})
    assert int(task.confusion[7, 1]) == 190 and int(task.confusion[2, 7]) == 38 and int(task.wrong.sum()) == 228


@pytest.mark.parametrize(
    "noise, ratio, said",
    [
        (
            "symmetric",
            {"x": 0.5},
            "ratio={'x': 0.5} has 'x', which is no class; the classes are 0, 1, 2, 3, 4 and 5 more",
        ),
        ("symmetric", {10: 0.5}, "has 10, which is no class"),
        ("symmetric", {"7": 0.5, 7: 0.1}, "has class 7 twice"),
        ("symmetric", {"7": 1.5}, "ratio of class 7=1.5 must be a number from 0 to 1"),
        ("symmetric", [0.5] * 9, "a sequence for the 10 classes, and has 9"),
        ("asymmetric", [0.5] * 10, "for class 0, whose labels 'asymmetric' keeps"),
        (
            {7: 1},
            {"7": 0.5},
            "must be a number from 0 to 1 when noise is a mapping; ratios by class are for noise with",
        ),
        (symmetric_matrix(10, 0.2), {"7": 0.5}, "must be left out when noise is a matrix"),
        ("human:worst", {"7": 0.5}, "has human labels of cifar10 only"),
    ],
)
def test_ratios_by_class_that_mean_nothing_are_refused(mnist5k, noise, ratio, said):
    with pytest.raises(ValueError, match="ratio|human") as error:
        task_of(mnist5k, noise=noise, ratio=ratio)
    assert said in str(error.value) and len(str(error.value)) <= 300


def test_the_clean_set_may_be_counted_by_class(own_data):
    for sizes in ({"a": 5, "c": 2}, {0: 5, 2: 2}, [5, 0, 2], np.array([5, 0, 2])):
        task = task_of(own_data, clean_per_class=sizes, seed=3)
        assert torch.bincount(task.clean_labels, minlength=3).tolist() == [5, 0, 2]
        assert clean_index(task) <= clean_index(task_of(own_data, clean_per_class={"a": 5, "b": 1, "c": 9}, seed=3))
    assert clean_index(task_of(own_data, clean_per_class=[2, 2, 2])) == clean_index(
        task_of(own_data, clean_per_class=2)
    )
    for sizes, said in (
        ({"a": 6}, "clean_per_class of class a=6 must be a whole number from 0 to 5: own has 6 training examples"),
        ({"b": 0.5}, "clean_per_class of class b=0.5 must be a whole number"),
        ({"d": 1}, "has 'd', which is no class"),
        ([1, 2], "must be a whole number, or a sequence for the 3 classes, and has 2"),
    ):
        with pytest.raises(ValueError, match="clean_per_class") as error:
            task_of(own_data, clean_per_class=sizes)
        assert said in str(error.value)


def test_fifty_clean_examples_a_class_unless_told_otherwise(mnist5k):
    assert torch.equal(make_task(mnist5k, ratio=0.4).given, make_task(mnist5k, ratio=0.4, clean_per_class=50).given)
