"""Noise: matrices against closed forms, counts against the matrix, draws against cleanlab's generator."""

import math

import cleanlab.benchmarking.noise_generation as cleanlab_noise
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import confusion_matrix

from nlkit.noise.draws import confusion_counts, corrupt, realized_matrix
from nlkit.noise.fair_sequence import FairSequence, fair_targets
from nlkit.noise.matrices import (
    ASYMMETRIC_MAPS,
    NOISE_TYPES,
    asymmetric_matrix,
    check_matrix,
    doubled_matrix,
    from_cleanlab,
    noise_matrix,
    pair_matrix,
    symmetric_matrix,
    to_cleanlab,
)
from nlkit.papers.em import ExpectationMaximization
from nlkit.papers.forward import Forward

ratios = st.floats(0, 1)
class_counts = st.integers(2, 20)
SKEWED = torch.tensor(  # far from symmetric, so that its transpose is another noise
    [[4, 3, 1, 0], [0, 7, 1, 0], [4, 0, 4, 0], [1, 1, 2, 4]], dtype=torch.float64
).div(8)


@st.composite
def labels_and_matrix(draw):
    """Labels of 2 to 8 classes, some of them rare or absent, and any transition matrix."""
    classes = draw(st.integers(2, 8))
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 3, 10, 37, 100, 400]), min_size=classes, max_size=classes))
    labels = torch.arange(classes).repeat_interleave(torch.tensor(sizes))
    row = st.lists(st.integers(0, 30), min_size=classes, max_size=classes).filter(any)
    weights = torch.tensor([draw(row) for _ in range(classes)], dtype=torch.float64)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(draw(st.integers(0, 9))))
    return labels[order], weights / weights.sum(1, keepdim=True)


def close(left, right):
    return torch.allclose(left, torch.as_tensor(right, dtype=torch.float64), atol=1e-12)


# Matrices


@given(class_counts, ratios)
def test_symmetric_matrix_is_its_closed_form(classes, ratio):
    expected = np.full((classes, classes), ratio / (classes - 1))
    np.fill_diagonal(expected, 1 - ratio)
    assert close(symmetric_matrix(classes, ratio), expected)


@given(class_counts, ratios)
def test_with_the_own_class_symmetric_noise_is_a_mixture_with_uniform_draws(classes, ratio):
    expected = (1 - ratio) * np.eye(classes) + ratio * np.full((classes, classes), 1 / classes)
    assert close(symmetric_matrix(classes, ratio, own_class=True), expected)


def test_with_the_own_class_80_percent_of_ten_classes_are_really_72():
    matrix = symmetric_matrix(10, 0.8, own_class=True)
    assert close(matrix.sum(1) - matrix.diagonal(), np.full(10, 0.72))
    labels = torch.arange(10).repeat(500)
    assert (corrupt(labels, matrix) != labels).sum() == 3600


@given(class_counts, st.floats(0.01, 1))
def test_doubled_matrix_gives_one_other_class_twice_the_share(classes, ratio):
    matrix = doubled_matrix(classes, ratio)
    assert close(matrix.diagonal(), np.full(classes, 1 - ratio))
    for i, row in enumerate(matrix):
        others = [row[j].item() for j in range(classes) if j not in (i, (i + 1) % classes)]
        assert row[(i + 1) % classes].item() == pytest.approx(2 * ratio / classes)
        assert others == pytest.approx([ratio / classes] * (classes - 2))


@given(class_counts, ratios)
def test_pair_matrix_moves_each_class_to_the_next(classes, ratio):
    assert close(
        pair_matrix(classes, ratio), (1 - ratio) * np.eye(classes) + ratio * np.eye(classes)[np.r_[1:classes, 0]]
    )


@given(class_counts, ratios, st.data())
def test_asymmetric_matrix_moves_the_mapped_classes_and_no_other(classes, ratio, data):
    place = st.integers(0, classes - 1)
    mapping = {k: v for k, v in data.draw(st.dictionaries(place, place)).items() if k != v}
    assume(mapping)
    expected = np.eye(classes)
    for true, wrong in mapping.items():
        expected[true, true], expected[true, wrong] = 1 - ratio, ratio
    assert close(asymmetric_matrix(classes, ratio, mapping), expected)


@given(st.sampled_from(NOISE_TYPES), ratios)
def test_rows_of_every_named_noise_sum_to_1(noise, ratio):
    matrix = noise_matrix(noise, 10, ratio, "mnist5k")
    assert close(matrix.sum(1), np.ones(10))
    assert (matrix >= 0).all()


def test_usual_maps_are_those_of_the_literature():
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    assert {names[true]: names[wrong] for true, wrong in ASYMMETRIC_MAPS["cifar10"].items()} == {
        "truck": "automobile", "bird": "airplane", "deer": "horse", "cat": "dog", "dog": "cat",
    }  # fmt: skip
    assert ASYMMETRIC_MAPS["mnist"] == ASYMMETRIC_MAPS["mnist5k"] == {2: 7, 7: 1, 5: 6, 6: 5, 3: 8}


def test_the_map_of_cifar10_at_40_percent_changes_20_percent_and_flips_nothing_back():
    true = torch.arange(10).repeat(500)
    wrong = corrupt(true, noise_matrix("asymmetric", 10, 0.4, "cifar10"))
    assert (wrong != true).double().mean() == 0.2
    cat, dog = 3, 5
    counts = confusion_counts(true, wrong, 10)
    assert counts[cat, [cat, dog]].tolist() == counts[dog, [dog, cat]].tolist() == [300, 200]


# Counts


@given(labels_and_matrix(), st.integers(0, 3))
def test_as_many_labels_move_as_the_matrix_says(labels_and_matrix, seed):
    labels, matrix = labels_and_matrix
    expected = (1 - matrix.diagonal())[labels].sum().item()
    moved = (corrupt(labels, matrix, seed=seed) != labels).sum().item()
    assert abs(moved - expected) <= 0.5 + 1e-6


def deviations(labels, matrix, seed=0):
    """How far classes are from their share of all moved labels, and cells from their share of their class's."""
    counts = torch.from_numpy(confusion_matrix(labels, corrupt(labels, matrix, seed=seed), labels=range(len(matrix))))
    counts = counts.double().fill_diagonal_(0)
    expected = matrix.clone().fill_diagonal_(0) * torch.bincount(labels, minlength=len(matrix))[:, None]
    of_class = counts.sum() * expected.sum(1) / expected.sum().clamp(min=1e-300)
    of_cell = counts.sum(1, keepdim=True) * expected / expected.sum(1, keepdim=True).clamp(min=1e-300)
    return (counts.sum(1) - of_class).abs().max().item(), (counts - of_cell).abs().max().item()


@pytest.mark.slow
@settings(max_examples=200)
@given(labels_and_matrix(), st.integers(0, 3))
def test_each_class_has_its_share_of_the_moved_labels_and_each_target_class_its_share_of_those(labels_and_matrix, seed):
    of_class, of_cell = deviations(*labels_and_matrix, seed)
    assert of_class <= 1
    assert of_cell <= 2


def test_rare_classes_do_not_push_their_share_onto_a_frequent_one():
    labels = torch.cat([torch.zeros(1000, dtype=torch.long), torch.arange(1, 10)])
    assert deviations(labels, symmetric_matrix(10, 0.49))[0] <= 1


def test_rare_target_classes_do_not_take_the_share_of_a_frequent_one():
    matrix = torch.eye(10, dtype=torch.float64)
    matrix[0] = torch.tensor([0.01, 0.91, *[0.01] * 8])
    assert max(deviations(torch.zeros(12, dtype=torch.long), matrix, seed)[1] for seed in range(100)) <= 2


@pytest.mark.parametrize("exact", [True, False])
@given(labels_and_matrix=labels_and_matrix())
def test_no_label_moves_to_a_class_of_probability_0(exact, labels_and_matrix):
    labels, matrix = labels_and_matrix
    wrong = corrupt(labels, matrix, exact=exact)
    assert (matrix[labels, wrong] > 0).all()


@pytest.mark.parametrize("exact", [True, False])
def test_symmetric_noise_of_ratio_1_leaves_no_label_right(exact):
    labels = torch.arange(10).repeat(50)
    assert (corrupt(labels, symmetric_matrix(10, 1.0), exact=exact) != labels).all()


# Nested, seeded


@pytest.mark.parametrize("exact", [True, False])
@given(
    noise=st.sampled_from([*NOISE_TYPES, "a mixture with another matrix"]),
    both=st.tuples(ratios, ratios),
    sizes=st.lists(st.sampled_from([0, 1, 5, 16, 64]), min_size=10, max_size=10),
    seed=st.integers(0, 99),
)
def test_labels_that_move_at_a_lower_ratio_move_at_a_higher_one_to_the_same_class(exact, noise, both, sizes, seed):
    other = torch.softmax(torch.randn(10, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), 1)
    labels = torch.arange(10).repeat_interleave(torch.tensor(sizes))

    def at(ratio):
        if noise in NOISE_TYPES:
            matrix = noise_matrix(noise, 10, ratio, "cifar10")
        else:
            matrix = (1 - ratio) * torch.eye(10, dtype=torch.float64) + ratio * other
        return corrupt(labels, matrix, seed=seed, exact=exact)

    low, high = at(min(both)), at(max(both))
    moved = low != labels
    assert torch.equal(low[moved], high[moved])


@pytest.mark.parametrize("exact", [True, False])
def test_same_seed_same_labels_and_other_seed_other_labels(exact):
    labels, matrix = torch.arange(10).repeat(50), symmetric_matrix(10, 0.5)
    first, again, other = (corrupt(labels, matrix, seed=s, exact=exact) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("exact", [True, False])
def test_the_global_random_states_are_left_alone(exact):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    corrupt(torch.arange(10).repeat(50), symmetric_matrix(10, 0.5), exact=exact)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


# Written down once, so that another platform or another version of torch that draws otherwise is noticed.
GOLDEN = {
    True: [3, 2, 2, 2, 2, 1, 1, 0, 0, 1, 2, 3, 1, 3, 3, 3, 0, 1, 0, 3],
    False: [1, 3, 2, 0, 2, 0, 2, 2, 0, 1, 2, 3, 0, 2, 3, 3, 0, 1, 0, 3],
}


@pytest.mark.parametrize("exact", [True, False])
def test_the_draws_are_the_same_everywhere(exact):
    assert corrupt(torch.arange(4).repeat(5), symmetric_matrix(4, 0.5), seed=7, exact=exact).tolist() == GOLDEN[exact]


@pytest.mark.cuda
def test_the_draws_are_the_same_on_a_gpu():
    labels, matrix = torch.arange(10).repeat(50), symmetric_matrix(10, 0.5)
    on_gpu = corrupt(labels.cuda(), matrix)
    assert on_gpu.is_cuda
    assert torch.equal(on_gpu.cpu(), corrupt(labels, matrix))


# Against cleanlab


@pytest.fixture
def cleanlab_labels():
    """cleanlab's generator, which draws from numpy's global random state, with that state put back afterwards."""
    state = np.random.get_state()

    def generate(labels, columns_sum_to_1, seed=0):
        np.random.seed(seed)
        return torch.from_numpy(cleanlab_noise.generate_noisy_labels(labels.numpy(), columns_sum_to_1))

    yield generate
    np.random.set_state(state)


def p_of_same_rows(left, right):
    """The chance of tables (R, C) that differ so much when each pair of rows is drawn from one distribution."""
    statistic, freedom = 0.0, 0
    for rows in zip(left, right):
        table = np.stack(rows)[:, np.add(*rows) > 0]
        if table.shape[1] > 1:
            result = stats.chi2_contingency(table, correction=False)
            statistic, freedom = statistic + result.statistic, freedom + result.dof
    return stats.chi2.sf(statistic, freedom)


LABELS = torch.arange(4).repeat_interleave(torch.tensor([8000, 4000, 2000, 6000]))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    "matrix", [SKEWED, symmetric_matrix(4, 0.6), pair_matrix(4, 0.45)], ids=["skewed", "sym", "pair"]
)
def test_counts_agree_with_those_of_cleanlab(exact, matrix, cleanlab_labels):
    ours = confusion_matrix(LABELS, corrupt(LABELS, matrix, exact=exact))
    theirs = confusion_matrix(LABELS, cleanlab_labels(LABELS, to_cleanlab(matrix)))
    assert p_of_same_rows(ours, theirs) > 1e-3
    if exact:
        assert np.abs(ours - theirs).max() <= 4  # cleanlab rounds every cell down, and the diagonal gets the rest


@pytest.mark.parametrize("exact", [True, False])
def test_the_comparison_with_cleanlab_would_catch_a_matrix_the_wrong_way_round(exact, cleanlab_labels):
    transposed = SKEWED.T / SKEWED.T.sum(1, keepdim=True)
    ours = confusion_matrix(LABELS, corrupt(LABELS, SKEWED, exact=exact))
    theirs = confusion_matrix(LABELS, cleanlab_labels(LABELS, to_cleanlab(transposed)))
    assert p_of_same_rows(ours, theirs) < 1e-12


@pytest.mark.parametrize("exact", [True, False])
def test_every_example_is_as_likely_to_move_and_as_likely_to_each_class_as_with_cleanlab(exact, cleanlab_labels):
    labels = torch.arange(4).repeat(8)  # of 8 per class, SKEWED moves a whole number to each other class
    ours, theirs = np.zeros((2, 32, 4))
    for seed in range(300):
        ours[np.arange(32), corrupt(labels, SKEWED, seed=seed, exact=exact)] += 1
        theirs[np.arange(32), cleanlab_labels(labels, to_cleanlab(SKEWED), seed)] += 1
    assert p_of_same_rows(ours, theirs) > 1e-3


@pytest.mark.parametrize("exact", [True, False])
def test_no_class_is_favoured_when_the_labels_that_move_do_not_divide_evenly(exact):
    """Of 4 classes of 5, half move: 2.5 per class, to 3 classes."""
    labels = torch.arange(4).repeat(5)
    drawn = [corrupt(labels, symmetric_matrix(4, 0.5), seed=seed, exact=exact) for seed in range(400)]
    counts = sum(confusion_matrix(labels, wrong) * (1 - np.eye(4)) for wrong in drawn)
    assert stats.chisquare(counts.sum(1)).pvalue > 1e-3
    assert stats.chisquare(counts[~np.eye(4, dtype=bool)]).pvalue > 1e-3


@given(labels_and_matrix())
def test_to_cleanlab_and_from_cleanlab_are_inverse(labels_and_matrix):
    _, matrix = labels_and_matrix
    theirs = to_cleanlab(matrix)
    assert np.allclose(theirs.sum(0), 1)
    assert np.allclose(theirs, matrix.numpy().T)
    assert close(from_cleanlab(theirs), matrix)


def test_a_matrix_the_wrong_way_round_is_refused_with_the_cure():
    with pytest.raises(ValueError, match="transpose it, or use from_cleanlab"):
        check_matrix(to_cleanlab(SKEWED))
    with pytest.raises(ValueError, match="columns"):
        from_cleanlab(SKEWED.numpy())


# What the labels really have


@given(labels_and_matrix())
def test_confusion_and_realized_matrix_are_those_of_sklearn(labels_and_matrix):
    labels, matrix = labels_and_matrix
    classes, wrong = len(matrix), corrupt(labels, matrix, exact=False)
    assume(len(labels))
    assert np.array_equal(
        confusion_counts(labels, wrong, classes), confusion_matrix(labels, wrong, labels=range(classes))
    )
    shares = confusion_matrix(labels, wrong, labels=range(classes), normalize="true")  # 0 for a class without examples
    realized = realized_matrix(labels, wrong, classes)
    assert np.allclose(realized.nan_to_num(0), shares)
    assert torch.equal(realized.isnan().all(1), torch.bincount(labels, minlength=classes) == 0)


def test_labels_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="true has 3 labels and given has 2"):
        confusion_counts(torch.tensor([0, 1, 1]), torch.tensor([0, 1]), 2)


# Fair sequences


@given(st.lists(st.sampled_from([0, 1, 1, 1, 2, 3]), min_size=2, max_size=12).filter(any), st.integers(0, 300), ratios)
def test_a_fair_sequence_holds_each_class_in_proportion_whichever_way_it_is_worked_out(weights, length, start):
    """The quick way of equal shares is the general one, and the general one goes on from where it was."""
    shares = torch.tensor(weights, dtype=torch.float64)
    shares /= shares.sum()
    ties = (0.618 * torch.arange(len(weights)) + start).double().frac()
    general = FairSequence(shares.tolist(), ties.tolist())
    general.first(length // 3)
    found = fair_targets(shares, ties, length)
    assert torch.equal(found, general.first(length)) and torch.equal(found[: length // 2], general.first(length // 2))
    held = torch.nn.functional.one_hot(found, len(weights)).cumsum(0)
    assert ((held - torch.arange(1, length + 1)[:, None] * shares).abs() < 1 + 1e-6).all()


def test_an_interrupt_in_the_middle_of_a_turn_spoils_no_later_sequence(monkeypatch):
    shares, ties = [0.5, 0.3, 0.2], [0.2, 0.1, 0.3]
    expected, broken_off, floor = FairSequence(shares, ties).first(60), FairSequence(shares, ties), math.floor
    for calls in range(1, 40, 3):
        left = [calls]

        def interrupted(value, left=left):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return floor(value)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr("nlkit.noise.fair_sequence.math.floor", interrupted)
            broken_off.first(60)
        assert torch.equal(broken_off.first(5), expected[:5])
    assert torch.equal(broken_off.first(60), expected)


def read_only(array):
    array.setflags(write=False)
    return array


KINDS_OF_MATRIX = {
    "float32": lambda matrix: matrix.float(),
    "that learns": lambda matrix: matrix.clone().requires_grad_(),
    "that was computed": lambda matrix: matrix.clone().requires_grad_() * 1,
    "a parameter": lambda matrix: torch.nn.Parameter(matrix.float()),
    "rows of tensors": lambda matrix: list(matrix),
    "rows that learn": lambda matrix: tuple(matrix.clone().requires_grad_()),
    "rows of numbers that learn": lambda matrix: [list(row) for row in matrix.clone().requires_grad_()],
    "an array": lambda matrix: matrix.numpy(),
    "a read-only array": lambda matrix: read_only(matrix.numpy().copy()),
    "big-endian": lambda matrix: matrix.numpy().astype(">f8"),
    "backwards": lambda matrix: matrix.numpy()[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": lambda matrix: matrix.numpy().T.copy().T,
    "rows of arrays": lambda matrix: list(matrix.numpy()),
    "lists": lambda matrix: matrix.tolist(),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS_OF_MATRIX)
@pytest.mark.parametrize("take", [
    check_matrix, lambda matrix: Forward(matrix).matrix, lambda matrix: ExpectationMaximization(matrix).matrix
])  # fmt: skip
def test_a_matrix_of_any_kind_is_taken_as_it_is_and_copied(kind, take):
    given = KINDS_OF_MATRIX[kind](SKEWED)
    taken = take(given)
    assert taken.dtype == torch.float64 and not taken.requires_grad
    assert torch.equal(taken, SKEWED)
    taken.zero_()
    assert torch.equal(take(given), SKEWED)


@pytest.mark.parametrize("value", [
    [["0.5", "0.5"], ["1", "0"]], [[1, 0], [1]], "symmetric", [[1j, 1], [0, 1]], None, {0: 1},
])  # fmt: skip
def test_a_matrix_of_something_else_than_numbers_is_refused(value):
    with pytest.raises(ValueError, match="^matrix=.* is not an array of numbers"):
        check_matrix(value)
