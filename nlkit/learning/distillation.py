"""A student learns from a teacher's answers: soft labels, at a temperature, for many students in one batched product.

    L = (1 − α) CE(y, softmax s) + α τ² KL(softmax(z/τ) ‖ softmax(s/τ))

s are the student's logits, z the teacher's; y are labels, as probabilities. Hinton, Vinyals, Dean 2015
(arXiv:1503.02531). τ² keeps the gradient of the second term from fading as τ grows: for a large τ and K classes it is
(1/K)(s − s̄ − z + z̄), the difference of centred logits.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.learning.optimizers import adam, descend
from nlkit.learning.stages import Parameters, logits
from nlkit.randomness import seeded_generator

BATCH = 64  # examples a step


def distillation_loss(said: Tensor, labels: Tensor, answers: Tensor, alpha: Tensor | float, tau: float = 4.0) -> Tensor:
    """L (…) of each example: said s, labels y (probabilities) and answers z, all (…, K).

    alpha: α in [0, 1], a number or one for each of (…). Raises a ValueError for a τ that is not above 0, or another α.
    """
    check_number("tau", tau, 0, above=True)
    alpha = torch.as_tensor(alpha, dtype=said.dtype)
    if not ((alpha >= 0) & (alpha <= 1)).all():
        raise ValueError(f"alpha={alpha.flatten()[:5].tolist()} must be in [0, 1]; it is the share of the teacher")
    given = -(labels * said.log_softmax(-1)).sum(-1)
    log_p, log_q = (answers / tau).log_softmax(-1), (said / tau).log_softmax(-1)
    taught = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return (1 - alpha) * given + alpha * tau**2 * taught


def learn(
    start: Parameters, images: Tensor, labels: Tensor, places: Tensor, counts: Tensor, *, steps: int, seed: int,
    answers: Tensor | None = None, alpha: Tensor | None = None, tau: float = 4.0, rate: float = 1e-3, every: int = 50,
) -> Iterator[Parameters]:  # fmt: skip
    """Adam from `start` (R networks), each on images of its own; yields every `every` steps, and at the end.

    images: (N, D). labels: (N, K) probabilities, or (R, N, K) for labels of their own. places: (R, n), of which each
    network's first `counts` (R,) are drawn from with replacement; all draw the same uniform numbers, so what becomes of
    one does not hang on the others. answers: a teacher's logits, (N, K) or (R, N, K), and alpha: (R,) its shares;
    without them it is cross-entropy with the labels.
    Yields the parameters themselves: they change when it goes on. Raises a ValueError, at the call, for arguments that
    do not belong together.
    """
    check_integer("steps", steps, 1)
    check_integer("every", every, 1)
    check_number("rate", rate, 0, above=True)
    check_number("tau", tau, 0, above=True)
    check_students(start, images, labels, places, counts, answers, alpha)
    parameters = [p.clone().requires_grad_() for p in start]
    return _learning(parameters, images, labels, places, counts, steps, seed, answers, alpha, tau, rate, every)


def _learning(parameters, images, labels, places, counts, steps, seed, answers, alpha, tau, rate, every):
    optimizer = adam(parameters, rate)
    generator, rows = seeded_generator(seed, "students"), torch.arange(len(places))[:, None]
    labels = labels.expand(len(places), -1, -1)
    answers = None if answers is None else answers.expand(len(places), -1, -1)
    for step in range(1, steps + 1):
        drawn = torch.rand(BATCH, generator=generator, dtype=torch.float64)
        batch = places.gather(1, (drawn * counts[:, None]).long())  # (R, B)
        said = logits(parameters, images[batch])
        if answers is None or alpha is None:
            losses = F.cross_entropy(said.flatten(0, 1), labels[rows, batch].flatten(0, 1), reduction="sum") / BATCH
        else:
            losses = (
                distillation_loss(said, labels[rows, batch], answers[rows, batch], alpha[:, None], tau).mean(1).sum()
            )
        descend(optimizer, losses)  # each network's gradient is its own
        if step % every == 0 or step == steps:
            yield [p.detach() for p in parameters]


def check_students(start, images, labels, places, counts, answers, alpha) -> None:
    """Raise a ValueError unless there is a label and an answer an image, and a row of places a network."""
    for name, rows in (("labels", labels), ("answers", answers)):
        if rows is not None and (rows.ndim not in (2, 3) or rows.shape[-2] != len(images)):
            raise ValueError(f"{name} has shape {tuple(rows.shape)} for {len(images)} images; there must be a row for "
                             "each of them, in their order, kept or not")  # fmt: skip
    students = len(start[0])
    for name, values in (("places", places), ("counts", counts), ("alpha", alpha)):
        if values is not None and len(values) != students:
            raise ValueError(f"{name} has {len(values)} rows for {students} networks; there must be one for each")
    if counts.min() < 1 or counts.max() > places.shape[1]:
        raise ValueError(f"counts={counts.tolist()[:5]} must be from 1 to {places.shape[1]}, the columns of places")
    if (alpha is None) != (answers is None):
        raise ValueError("alpha and answers must be handed in together, or neither")
