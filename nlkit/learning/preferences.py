"""Learning from preferences: the margin between two answers, its fit in a linear world, and descent on real digits."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.data.preferences import NamingTask, linear_pairs
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator
from nlkit.records import Step


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
    optimizer = adam(policy.parameters(), learning_rate)
    order = seeded_generator(seed, "batches")
    _, preferred, other, _ = task.pairs
    for epoch in range(1, epochs + 1):
        batches = torch.randperm(len(preferred), generator=order).to(preferred.device).split(batch_size)
        for step, i in enumerate(batches, start=1):
            log_policy = policy(task.images[i]).log_softmax(1)  # (B, K)
            descend(optimizer, loss(margins(log_policy, task.log_reference[i], preferred[i], other[i], beta)).mean())
            yield Step(epoch, step, len(batches))
        yield policy
