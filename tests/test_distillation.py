"""Learning from a teacher's answers, by autograd, by finite differences, and in its limits."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nlkit.learning.distillation import BATCH, distillation_loss, learn
from nlkit.learning.stages import logits, new_networks
from nlkit.randomness import seeded_generator


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


S, Z, Y = drawn(3, 4), drawn(3, 4, seed=1), F.one_hot(torch.tensor([0, 3, 1]), 4).double()


def test_the_loss_is_the_formula():
    p, q = (Z / 4).softmax(1), (S / 4).softmax(1)
    by_hand = 0.3 * F.cross_entropy(S, Y, reduction="none") + 0.7 * 16 * (p * (p.log() - q.log())).sum(1)
    assert torch.allclose(distillation_loss(S, Y, Z, 0.7), by_hand)
    shares = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    each = [distillation_loss(S[i : i + 1], Y[i : i + 1], Z[i : i + 1], a.item()) for i, a in enumerate(shares)]
    assert torch.allclose(distillation_loss(S, Y, Z, shares), torch.cat(each))
    assert torch.allclose(distillation_loss(S, Y, S + 5, 1.0), torch.zeros(3, dtype=torch.float64))


def test_its_gradient_is_that_of_finite_differences():
    assert torch.autograd.gradcheck(
        lambda s: distillation_loss(s, Y, Z, 0.6, tau=2.0).sum(), (S.clone().requires_grad_(),)
    )


def test_at_a_high_temperature_it_matches_centred_logits():
    s = S.clone().requires_grad_()
    distillation_loss(s, Y, Z, 1.0, tau=1e4).sum().backward()
    centred = (s - s.mean(1, keepdim=True) - Z + Z.mean(1, keepdim=True)).detach() / 4
    assert torch.allclose(s.grad, centred, atol=1e-3)


IMAGES = drawn(30, 6, seed=2).float()
LABELS = F.one_hot(torch.arange(30) % 3, 3).float()
ANSWERS = drawn(30, 3, seed=3).float()
TWO = new_networks((6, 5, 3), 2, seed=0)
PLACES, COUNTS = torch.stack([torch.arange(30), torch.arange(30).flip(0)]), torch.tensor([30, 12])


def last(labels=LABELS, places=PLACES, counts=COUNTS, start=TWO, **more):
    *_, found = learn(start, IMAGES, labels, places, counts, steps=12, seed=5, rate=0.01, every=5, **more)
    return found


def test_each_network_is_one_that_learns_alone_on_its_own_images():
    stack = last()
    for row in range(2):
        network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
        for p, q in zip(network.parameters(), TWO):
            p.data = (q[0].T if p.ndim == 2 else q[0, 0]).clone()
        optimizer, generator = torch.optim.Adam(network.parameters(), 0.01), seeded_generator(5, "students")
        for _ in range(12):
            uniform = torch.rand(BATCH, generator=generator, dtype=torch.float64)
            batch = PLACES[row][(uniform * COUNTS[row]).long()]
            optimizer.zero_grad()
            F.cross_entropy(network(IMAGES[batch]), LABELS[batch]).backward()
            optimizer.step()
        assert torch.allclose(network(IMAGES), logits(stack, IMAGES)[row], atol=1e-4)
    assert not torch.allclose(stack[0][0], stack[0][1])


def test_without_a_share_of_the_teacher_it_is_cross_entropy_and_with_all_of_it_no_label_counts():
    shares = torch.tensor([0.0, 1.0])
    plain, taught = last(), last(answers=ANSWERS, alpha=shares)
    other = last(1 - LABELS, answers=ANSWERS, alpha=shares)
    for one, two, three in zip(plain, taught, other):
        assert torch.allclose(one[0], two[0], atol=1e-6)
        assert torch.equal(two[1], three[1]) and not torch.equal(two[0], three[0])


def test_labels_and_answers_may_be_each_network_s_own():
    labels, answers = torch.stack([LABELS, LABELS.flip(0)]), torch.stack([ANSWERS, -ANSWERS])
    stack = last(labels, answers=answers, alpha=torch.tensor([0.3, 0.6]))
    for row, alpha in enumerate((0.3, 0.6)):
        one = last(
            labels[row], PLACES[row : row + 1], COUNTS[row : row + 1], [p[row : row + 1] for p in TWO],
            answers=answers[row], alpha=torch.tensor([alpha]),
        )  # fmt: skip
        assert all(torch.allclose(p[row], q[0], atol=1e-5) for p, q in zip(stack, one))


def test_it_yields_as_often_as_asked_and_leaves_the_start_as_it_was():
    before = [p.clone() for p in TWO]
    assert len(list(learn(TWO, IMAGES, LABELS, PLACES, COUNTS, steps=12, seed=0, every=5))) == 3
    assert all(torch.equal(p, q) for p, q in zip(before, TWO))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: distillation_loss(S, Y, Z, 1.1), "alpha=.* must be in"),
        (lambda: distillation_loss(S, Y, Z, 0.5, tau=0), "tau=0 must be a number above 0"),
        (lambda: last(tau=0.0), "tau=0.0 must be a number above 0"),
        (lambda: last(LABELS[:-1]), r"labels has shape \(29, 3\) for 30 images"),
        (lambda: last(answers=ANSWERS[:12], alpha=torch.ones(2)), "answers has shape .* kept or not"),
        (lambda: last(alpha=torch.ones(2)), "handed in together"),
        (lambda: last(counts=torch.tensor([31, 1])), "counts=.* from 1 to 30"),
        (lambda: last(counts=torch.tensor([0, 1])), "counts=.* from 1 to 30"),
        (lambda: last(places=PLACES[:1]), "places has 1 rows for 2 networks"),
    ],
)
def test_what_does_not_belong_together_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
