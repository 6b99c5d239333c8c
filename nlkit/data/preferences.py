"""Preferences: pairs of answers of which one is said to be better, some of them the wrong way round.

Two worlds whose truth is known. In one, the answers are the names of real digits, and the true name is better. In the
other, answers are vectors of features φ, and a person prefers by the Bradley–Terry–Luce model (Bradley, Terry: Rank
analysis of incomplete block designs, Biometrika 1952): P(a ≻ b) = σ(r(a) - r(b)), with the reward r(a) = θ*ᵀ φ(a).
In both, what is said is turned round with probability ε, the flip rate, independently of all else.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.data.labels import check_labels
from nlkit.randomness import seeded_generator
from nlkit.records import Step

NETWORKS = ("linear", "mlp")


class Pairs(NamedTuple):
    """Of each pair (N of them): which image, which name is said to be the better one for it, and which the worse."""

    image: Tensor  # (N,) places of images
    preferred: Tensor  # (N,) classes
    other: Tensor  # (N,) classes
    flipped: Tensor  # (N,) bool: it was turned round, and the better name is `other`


class NamingTask(NamedTuple):
    """Preferences between names of images, and the policy that gave those names before there were any."""

    images: Tensor  # (N, C, H, W) that of each pair
    pairs: Pairs
    reference: nn.Module  # logits (B, K) of the names; it does not learn
    log_reference: Tensor  # (N, K) log-probabilities of all names for the image of each pair


class LinearPairs(NamedTuple):
    """Pairs of answers as differences of their features, and the reward behind what is said of them."""

    differences: Tensor  # (N, d) φ(said to be preferred) - φ(the other)
    flipped: Tensor  # (N,) bool
    theta: Tensor  # (d,) θ*, the weights of the true reward


def check_flip_rate(argument: str, value: object) -> float:
    """The rate as a float if it is in [0, 1/2): from one half on, what is said tells nothing, or the contrary."""
    rate = check_number(argument, value, 0, 0.5)
    if rate == 0.5:
        raise ValueError(f"{argument}={value!r} must be below 0.5: at one half a preference says nothing")
    return rate


def draw_flips(count: int, flip_rate: float, seed: int) -> Tensor:
    """Which of `count` pairs are turned round (N,), each with probability `flip_rate`, in [0, 1/2).

    Nested: at a higher rate the same ones are, and more. Raises a ValueError for another rate.
    """
    check_flip_rate("flip_rate", flip_rate)
    return torch.rand(count, generator=seeded_generator(seed, "flips")) < flip_rate


def name_pairs(labels: Tensor, classes: int, count: int, flip_rate: float, seed: int) -> Pairs:
    """`count` pairs: an image, its true name and one wrong name, drawn uniformly; the true one is better.

    labels: (M,) true classes of the images, in 0 … `classes` - 1. The images are gone through in a random order, and
    again in another where there are more pairs than images. With more pairs the first ones stay as they are.
    Raises a ValueError for labels that are none of the classes, no image, fewer than two classes, or no pair at all.
    """
    check_integer("classes", classes, 2)
    check_integer("count", count, 1)
    labels = check_labels("labels", labels, classes).cpu()
    check_integer("number of labels", len(labels), 1)
    order = seeded_generator(seed, "order of pairs")
    image = torch.cat([torch.randperm(len(labels), generator=order) for _ in range(-(-count // len(labels)))])[:count]
    further = torch.rand(count, generator=seeded_generator(seed, "wrong names"), dtype=torch.float64)
    true = labels[image]
    wrong = (true + 1 + (further * (classes - 1)).long()) % classes
    flipped = draw_flips(count, flip_rate, seed)
    return Pairs(image, torch.where(flipped, wrong, true), torch.where(flipped, true, wrong), flipped)


def linear_pairs(count: int, flip_rate: float, seed: int, *, dimension: int = 8, size: float = 2.0) -> LinearPairs:
    """`count` pairs whose features differ by d independent standard normal numbers, and a reward with ‖θ*‖ = `size`.

    In float64; dimension: d. Raises a ValueError for a flip rate outside [0, 1/2), and for what is not above 0.
    """
    check_integer("count", count, 1)
    check_integer("dimension", dimension, 1)
    check_number("size", size, 0, above=True)
    direction = torch.randn(dimension, generator=seeded_generator(seed, "reward"), dtype=torch.float64)
    theta = size * direction / direction.norm()
    answers = seeded_generator(seed, "answers")
    differences = torch.randn(count, dimension, generator=answers, dtype=torch.float64)  # φ(a) - φ(b)
    draws = torch.rand(count, generator=seeded_generator(seed, "preferences"), dtype=torch.float64)
    first = draws < torch.sigmoid(differences @ theta)  # a is preferred to b
    flipped = draw_flips(count, flip_rate, seed)
    sign = torch.where(first ^ flipped, 1.0, -1.0).to(differences)
    return LinearPairs(differences * sign[:, None], flipped, theta)


def fit_linear(differences: Tensor, loss: Callable[[Tensor], Tensor], bound: float = 6.0) -> Tensor:
    """θ̂ (d,) with the least mean loss, for policies π_θ(a) ∝ exp θᵀφ(a) and a uniform reference.

    A pair's margin is then θᵀ(φ(preferred) - φ(other)), with β = 1.

    differences: (N, d) φ(preferred) - φ(other). loss: margins (N,) to losses (N,). bound: the most that a |θ_j| may be;
        without one the minimum need not exist, be it for pairs that a plane parts, or for a loss that falls for ever.
    Raises a ValueError for fewer pairs than dimensions, or a bound that is no number above 0.
    """
    from scipy.optimize import minimize

    if bound is None:
        raise ValueError("bound=None: without a bound on θ the minimum may not exist; take a number, such as 6.0")
    check_number("bound", bound, 0, above=True)
    x = differences.detach().double().cpu()
    if len(x) < x.shape[1]:
        raise ValueError(f"differences has {len(x)} pairs in {x.shape[1]} dimensions; it must have at least as many")

    def value_and_slope(theta):
        at = torch.tensor(theta, requires_grad=True)
        value = loss(x @ at).mean()
        value.backward()
        return value.item(), at.grad.numpy()

    start = torch.zeros(x.shape[1], dtype=torch.float64).numpy()
    found = minimize(value_and_slope, start, jac=True, method="L-BFGS-B", bounds=[(-bound, bound)] * len(start))
    return torch.from_numpy(found.x)


@functools.cache
def from_the_truth(
    loss: Callable[[Tensor, float, float], Tensor], sizes: tuple[int, ...], flip_rate: float, seed: int
) -> numpy.ndarray:
    """‖θ̂ - θ*‖ and the cosine of the two, (2, sizes), of fits to as many pairs: means over four draws of the truth.

    loss: of margins (N,), the flip rate and β, which is 1.
    """
    found = numpy.empty((2, len(sizes), 4))
    for place, draw in numpy.ndindex(len(sizes), 4):
        pairs = linear_pairs(sizes[place], flip_rate, 4 * seed + draw)
        theta = fit_linear(pairs.differences, lambda h: loss(h, flip_rate, 1.0))
        found[:, place, draw] = (theta - pairs.theta).norm(), F.cosine_similarity(theta, pairs.theta, 0)
    means = found.mean(2)
    means.flags.writeable = False  # it is kept for the next call
    return means


def margins(log_policy: Tensor, log_reference: Tensor, preferred: Tensor, other: Tensor, beta: float) -> Tensor:
    """h (N,) = β [log π(w|x) / π_ref(w|x) - log π(l|x) / π_ref(l|x)] of pairs: w is said to be preferred to l.

    log_policy, log_reference: (N, K) log-probabilities of all answers. preferred, other: (N,) which two are compared.
    Raises a ValueError for β ≤ 0, shapes that don't fit, a pair of one answer with itself, a reference that learns.
    """
    check_number("beta", beta, 0, above=True)
    if log_policy.shape != log_reference.shape or not len(log_policy) == len(preferred) == len(other):
        shapes = ", ".join(str(tuple(t.shape)) for t in (log_policy, log_reference, preferred, other))
        raise ValueError(f"log_policy, log_reference, preferred, other have shapes {shapes}; hand in one row a pair")
    if log_reference.requires_grad:
        raise ValueError("log_reference requires a gradient; the reference stays as it is: compute it in no_grad")
    if (preferred == other).any():
        raise ValueError(f"other is the preferred answer itself in {int((preferred == other).sum())} pairs; drop them")
    gained = log_policy - log_reference
    return beta * (gained.gather(1, preferred[:, None]) - gained.gather(1, other[:, None])).squeeze(1)


def worth(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """P(true name), mean over the images: the reward of drawn answers. And how often the likeliest name is true.

    logits: (N, K) of the names. labels: (N,) true classes.
    """
    chances = logits.softmax(1).gather(1, labels[:, None])
    return chances.double().mean().item(), (logits.argmax(1) == labels).double().mean().item()


def naming_task(dataset: Dataset, network: str, labelled: int, count: int, flip_rate: float, seed: int) -> NamingTask:
    """`count` preferences between names of the training images of `dataset`, and a reference made of a few labels.

    network: of the reference: linear in the pixels, or with 64 hidden units ("mlp"). labelled: images per class that it
        is trained on, at random; the pairs are of the other images.
    Raises a ValueError for another network, or where a class has not `labelled` images and one more.
    """
    labels = dataset.train_labels
    smallest = int(torch.bincount(labels).min())
    why = f": the smallest class of {dataset.name} has {smallest} training images, and one must be left for the pairs"
    check_integer("labelled", labelled, 1, smallest - 1, why=why)
    order = torch.randperm(len(labels), generator=seeded_generator(seed, "clean set")).to(labels.device)
    chosen = torch.zeros_like(labels, dtype=torch.bool)
    for name in range(dataset.num_classes):
        chosen[order[labels[order] == name][:labelled]] = True
    unseen = (~chosen).nonzero().flatten()
    reference = _reference(network, dataset, dataset.train_images[chosen], labels[chosen], seed)
    pairs = name_pairs(labels[unseen], dataset.num_classes, count, flip_rate, seed)
    image, preferred, other, flipped = (part.to(labels.device) for part in pairs)
    images = dataset.train_images[unseen[image]]
    pairs = Pairs(unseen[image], preferred, other, flipped)
    return NamingTask(images, pairs, reference, reference(images).log_softmax(1))


def learn(
    task: NamingTask,
    loss: Callable[[Tensor], Tensor],
    beta: float,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> Iterator[Step | nn.Module]:
    """Train a copy of the reference by Adam on the mean of `loss`, margins (B,) to losses (B,), in random batches.

    Yields each step that is done, and after each epoch the policy, which goes on learning.
    """
    policy = copy.deepcopy(task.reference).requires_grad_(True)
    optimizer = torch.optim.Adam(policy.parameters(), learning_rate, fused=True)
    order = seeded_generator(seed, "batches")
    _, preferred, other, _ = task.pairs
    for epoch in range(1, epochs + 1):
        batches = torch.randperm(len(preferred), generator=order).to(preferred.device).split(batch_size)
        for step, i in enumerate(batches, start=1):
            log_policy = policy(task.images[i]).log_softmax(1)  # (B, K)
            optimizer.zero_grad()
            loss(margins(log_policy, task.log_reference[i], preferred[i], other[i], beta)).mean().backward()
            optimizer.step()
            yield Step(epoch, step, len(batches))
        yield policy


def _reference(network: str, dataset: Dataset, images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """A policy after 100 steps of Adam, each on all of a few labelled images."""
    check_choice("network", network, NETWORKS)
    pixels, names = images[0].numel(), dataset.num_classes
    with torch.random.fork_rng(devices=[]):  # torch's layers draw their weights from the global generator only
        torch.manual_seed(seed)
        hidden = [nn.Linear(pixels, 64), nn.ReLU()] if network == "mlp" else []
        policy = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(64 if hidden else pixels, names)).to(images.device)
    optimizer = torch.optim.Adam(policy.parameters(), 1e-3)
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(policy(images), labels).backward()
        optimizer.step()
    return policy.requires_grad_(False)
