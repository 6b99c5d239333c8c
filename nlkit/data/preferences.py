"""Preferences: pairs of answers of which one is said to be better, some of them the wrong way round.

Two worlds whose truth is known. In one, the answers are the names of real digits, and the true name is better. In the
other, answers are vectors of features φ, and a person prefers by the Bradley–Terry–Luce model (Bradley, Terry: Rank
analysis of incomplete block designs, Biometrika 1952): P(a ≻ b) = σ(r(a) - r(b)), with the reward r(a) = θ*ᵀ φ(a).
In both, what is said is turned round with probability ε, the flip rate, independently of all else.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.data.dataset import Dataset
from nlkit.data.labels import check_labels
from nlkit.randomness import seeded_generator

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
