"""What a method is handed: clean batches that are drawn anew for each step."""

import pytest
import torch
from torch import nn

from nlkit.learning.learner import Run
from nlkit.learning.optimizers import build_optimizer
from nlkit.randomness import seeded_generator


@pytest.fixture
def run():
    """A run with a clean set of 40, each image holding its place and each label a tenth of it."""
    network = nn.Linear(1, 2)
    images, labels = torch.arange(40.0).view(40, 1, 1, 1), torch.arange(40) // 10
    return Run(network, build_optimizer("sgd", network, 0.1), images, labels, seeded_generator(0, "method"), 4, 100)


def drawn(run: Run, size: int) -> list[int]:
    images, labels = run.clean_batch(size)
    places = images.flatten().long()
    assert torch.equal(labels, places // 10)  # each image comes with its own label
    return places.tolist()


def test_a_clean_batch_has_no_example_twice_and_at_most_all(run):
    assert len(set(drawn(run, 16))) == 16
    assert sorted(drawn(run, 128)) == list(range(40))


def test_each_step_draws_its_clean_batch_anew_and_every_example_is_as_likely(run):
    """A loader in a cycle that keeps its first pass, a common slip, would repeat the same batches for ever."""
    batches = [drawn(run, 8) for _ in range(500)]
    assert len(set(map(tuple, batches))) == 500
    counts = torch.bincount(torch.tensor(batches).flatten(), minlength=40)
    assert (counts - 100).abs().max() < 45  # of a binomial with standard deviation 9
