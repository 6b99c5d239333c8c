"""Instance-dependent noise: exact, nested, and as its algorithm says."""

import gc
import weakref

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlkit import Dataset, make_task
from nlkit.noise.instance import InstanceNoise, _falls_at, _last, instance_labels
from nlkit.tasks.make import glance

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randn(600, 1, 4, 4, generator=GENERATOR)
LABELS = torch.arange(600) % 5


@given(st.floats(0, 1))
def test_the_ratio_is_met_exactly_and_no_label_moves_to_its_own_class(ratio):
    wrong = instance_labels(IMAGES, LABELS, 5, ratio)
    assert int((wrong != LABELS).sum()) == int(600 * ratio + 0.5)
    assert wrong.min() >= 0 and wrong.max() < 5


@given(st.floats(0, 1), st.floats(0, 1))
def test_it_is_nested_in_the_ratio(one, other):
    low, high = (instance_labels(IMAGES, LABELS, 5, r) for r in sorted((one, other)))
    moved = low != LABELS
    assert torch.equal(low[moved], high[moved])


@pytest.mark.parametrize("ratio", [0.1, 0.4, 0.8])
def test_a_label_falls_where_its_quantile_of_the_cut_normal_passes_its_draw(ratio):
    """Against scipy's truncated normal: the share of labels that fall below a ratio, and which."""
    flip, level = torch.rand(2, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    a, b = (0 - ratio) / 0.1, (1 - ratio) / 0.1
    rates = scipy.stats.truncnorm.ppf(level.numpy(), a, b, loc=ratio, scale=0.1)
    assert np.array_equal((_falls_at(flip, level) < ratio).numpy(), rates > flip.numpy())


def test_wrong_labels_depend_on_the_image_and_not_only_on_its_class():
    """The same image many times over goes to few classes; images of one class, looked at together, go to many."""
    same = instance_labels(5 * IMAGES[:1].expand(500, -1, -1, -1), torch.zeros(500, dtype=torch.long), 5, 1.0)
    mixed = instance_labels(5 * IMAGES[:500], torch.zeros(500, dtype=torch.long), 5, 1.0)
    shares = [np.sort(np.bincount(x.numpy(), minlength=5))[::-1] / 500 for x in (same, mixed)]
    assert shares[0][0] > 0.9 > 0.5 > shares[1][0]


def test_targets_follow_the_softmax_of_the_image_times_the_weights_of_its_class():
    images = IMAGES[:1].expand(20_000, -1, -1, -1)
    labels = torch.full((20_000,), 2)
    wrong = instance_labels(0.3 * images, labels, 5, 1.0, seed=3)
    from nlkit.randomness import seeded_generator

    generator = seeded_generator(3, "noise")
    torch.rand(3, 20_000, dtype=torch.float64, generator=generator)
    weights = [torch.randn(16, 5, dtype=torch.float64, generator=generator) for _ in range(5)][2].numpy()
    scores = np.exp(0.3 * IMAGES[0].flatten().double().numpy() @ weights)
    scores[2] = 0
    counts = np.bincount(wrong.numpy(), minlength=5)
    keep = scores > 0
    assert scipy.stats.chisquare(counts[keep], 20_000 * (scores / scores.sum())[keep]).pvalue > 1e-3


def test_a_task_of_real_digits_has_it(mnist5k):
    task = make_task(mnist5k, noise="instance", ratio=0.4, device="cpu")
    assert task.realized_ratio == pytest.approx(0.4)
    assert torch.equal(task.wrong, task.given_labels != task.true_labels)
    assert (task.clean_labels == mnist5k.train_labels[task.index[len(task.wrong) :]]).all()


def test_a_glance_s_labels_are_the_task_s_however_its_ratio_moves(mnist5k):
    """Also where what a former ratio, clean set or seed had worked out is at hand."""
    moves = [(0.4, 50, 0), (0.8, 50, 0), (0.1, 50, 0), (0.8, 10, 0), (0.85, 10, 1), (0.85, 50, 0), (1.0, 50, 0)]
    moves += [(0.4, 0, 0), (0.4, 0, 1)]  # the same places, since no clean set is drawn
    for ratio, clean, seed in moves:
        settings = {"noise": "instance", "ratio": ratio, "clean_per_class": clean, "seed": seed}
        assert torch.equal(glance(mnist5k, **settings).given, make_task(mnist5k, **settings, device="cpu").given)


def test_only_images_whose_label_moves_for_the_first_time_are_looked_at():
    class Seen:
        shape, places = IMAGES.shape, []

        def __getitem__(self, places):
            self.places += places.tolist()
            return IMAGES[places]

    noise = InstanceNoise(Seen(), LABELS, 5)
    for ratio in (0.2, 0.5, 0.3, [0.5, 0.1, 0.9, 0.0, 1.0], 0.5):
        assert torch.equal(noise.given(ratio), instance_labels(IMAGES, LABELS, 5, ratio))
        assert len(set(Seen.places)) == len(Seen.places)
    assert len(Seen.places) < 600


def test_what_a_glance_works_out_goes_with_its_data_set():
    data = Dataset("own", ("a", "b"), IMAGES, torch.arange(600) % 2, IMAGES[:2], [0, 1])
    glance(data, noise="instance", ratio=0.4, clean_per_class=2, seed=0)
    kept = weakref.ref(_last[data][2])
    del data
    gc.collect()
    assert kept() is None
