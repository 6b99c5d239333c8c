"""Networks in stages beside a loop over one network at a time, and beside what a stage must not change."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nlkit.learning import stages
from nlkit.learning.stages import accuracies, held_out, learn, logits, looks, new_networks, noisy_then_clean, together
from nlkit.randomness import seeded_generator

IMAGES = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
CLASSES = (IMAGES[:, 0] > 0).long()
CLEAN = F.one_hot(CLASSES, 2).float()
NOISY = torch.rand(40, 1, generator=torch.Generator().manual_seed(1))
NOISY = torch.cat([NOISY, 1 - NOISY], 1)
ORDER = torch.randperm(40, generator=torch.Generator().manual_seed(2))
START = new_networks((6, 5, 2), 1, 3)


def at_the_end(make, *bought, trusted=1, steps=40, order=ORDER):
    *_, found = make(START, IMAGES, NOISY, CLEAN, order, torch.tensor(bought), steps=steps, seed=4, trusted=trusted)
    return [p.clone() for p in found]


def by_hand(start, places, count, purpose, steps=40, trusted=1):
    """One network, a module of torch's, one stage."""
    network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    for p, value in zip(network.parameters(), start):
        p.data = (value[0].T if p.ndim == 2 else value[0, 0]).clone()
    labels, held = torch.cat([CLEAN, NOISY]), min(max(2, round(count / 5)), count // 2)
    optimizer, generator = torch.optim.Adam(network.parameters(), 1e-3), seeded_generator(4, purpose)

    def loss(at):
        return F.cross_entropy(network(IMAGES[at % 40]), labels[at])

    best, kept = float("inf"), None
    for step in range(steps + 1):
        if step % 20 == 0:
            now = loss(places[:held]).item()
            if now < best or held < trusted:
                best, kept = now, [p.detach().clone() for p in network.parameters()]
        drawn = torch.rand(32, generator=generator, dtype=torch.float64)
        optimizer.zero_grad()
        loss(places[held + (drawn * (count - held)).long()]).backward()
        optimizer.step()
    return [p.T[None] if p.ndim == 2 else p[None, None] for p in kept]


@pytest.mark.parametrize("noisy, clean, trusted", [(20, 15, 1), (9, 3, 1), (12, 11, 4), (30, 0, 1), (0, 17, 1)])
def test_two_stages_are_those_of_one_network_by_hand(noisy, clean, trusted):
    expected = START
    if noisy:
        expected = by_hand(expected, ORDER.flip(0) + 40, noisy, "noisy stage", trusted=trusted)
    if clean:
        expected = by_hand(expected, ORDER, clean, "clean stage", trusted=trusted)
    others = (40, 0), (noisy, clean), (5, 30)
    for found, p in zip(at_the_end(noisy_then_clean, *others, trusted=trusted), expected):
        torch.testing.assert_close(found[1:2], p, rtol=1e-4, atol=1e-5)


def test_a_network_does_not_hang_on_which_others_are_in_the_stack():
    alone, among = at_the_end(noisy_then_clean, (10, 20)), at_the_end(noisy_then_clean, (30, 2), (10, 20), (0, 40))
    for one, many in zip(alone, among):
        torch.testing.assert_close(one[0], many[1], rtol=1e-5, atol=1e-6)


def test_the_weights_that_are_kept_are_no_worse_on_the_held_out_labels_than_the_start():
    counts = torch.tensor([10, 25, 40])
    places = ORDER.expand(3, -1)
    start = stages.repeated(START, 3)
    *_, found = learn(start, IMAGES, CLEAN, places, counts, steps=40, seed=1, trusted=1, purpose="x")
    for row, count in enumerate(held_out(counts).tolist()):
        at = ORDER[:count]
        losses = [F.cross_entropy(logits(p, IMAGES[at])[row], CLASSES[at]) for p in (found, start)]
        assert losses[0] <= losses[1]


def test_no_image_is_in_both_sets_and_too_few_labels_are_left_alone():
    swapped = ORDER.clone()
    swapped[[0, 39]] = ORDER[[39, 0]]  # the first clean one and the first noisy one: all else is bought later
    same = [torch.equal(a, b) for a, b in zip(at_the_end(noisy_then_clean, (30, 10)),
                                             at_the_end(noisy_then_clean, (30, 10), order=swapped))]  # fmt: skip
    assert not all(same)
    for found, p in zip(at_the_end(noisy_then_clean, (1, 1)), START):
        assert torch.equal(found, p)
    assert held_out(torch.tensor([2, 3, 4, 10, 50, 1000])).tolist() == [1, 1, 2, 2, 10, 200]


def test_one_pot_of_right_labels_alone_is_one_long_stage():
    found = at_the_end(together, (0, 20), (20, 0))
    accuracy = accuracies(found, IMAGES, CLASSES)
    assert accuracy[0] == (logits(found, IMAGES)[0].argmax(1) == CLASSES).double().mean().item()
    assert looks("one pot", 30) == 3 and looks("two stages", 30) == 4
    counted = [len(list(make(START, IMAGES, NOISY, CLEAN, ORDER, torch.tensor([(3, 5)]), steps=30, seed=1)))
               for make in stages.RECIPES.values()]  # fmt: skip
    assert counted == [looks(recipe, 30) for recipe in stages.RECIPES]


@pytest.mark.parametrize("bought", [[(30, 11)], [(-1, 3)], [(41, 0)]])
@pytest.mark.parametrize("make", stages.RECIPES.values())
def test_more_labels_than_images_are_refused(make, bought):
    with pytest.raises(ValueError, match="^bought=.* together at most 40"):
        next(make(START, IMAGES, NOISY, CLEAN, ORDER, torch.tensor(bought), steps=20, seed=0))
