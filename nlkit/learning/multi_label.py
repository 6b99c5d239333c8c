"""Several labels at once: a network that looks at cells, its losses, its training, and how well it ranks and decides.

The logit of a class is the mean of its cells' in the manner of a soft maximum: log mean exp over the cells. A cell that
shows the digit is enough, and cells that don't are told so together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import build_optimizer, clear_gradients, take_step
from nlkit.randomness import seeded_generator
from nlkit.records import Measured, Step

BATCH, RATE = 64, 4e-3  # canvases a step, and Adam's highest rate
THRESHOLDS = torch.arange(1, 100) / 100


def new_network(pixels: int, classes: int, *, seed: int = 0) -> nn.Sequential:
    """An untrained network pixels-64-32-K for a cell; torch's global random state stays as it was."""
    return seeded(
        lambda: nn.Sequential(
            nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes)
        ),
        seed,
    )  # fmt: skip


def logits(network: nn.Module, cells: Tensor) -> Tensor:
    """(B, K) of canvases (B, C, pixels): log mean exp of the logits of their cells."""
    return network(cells).logsumexp(1) - math.log(cells.shape[1])


def one_cycle(progress: float, rise: float = 0.2) -> float:
    """What the rate is multiplied by: from 1/25 up to 1 in the first part, then down to next to nothing, by cosines.

    Smith, Topin: Super-convergence. 2018, arXiv:1708.07120; with the ends that torch's OneCycleLR has. progress: share
    of the training that lies behind, in [0, 1].
    """
    low, high = (1 / 25, 1.0) if progress < rise else (1 / 250_000, 1.0)
    along = progress / rise if progress < rise else (1 - progress) / (1 - rise)
    return low + (high - low) * (1 - math.cos(math.pi * along)) / 2


def learn(
    networks: nn.Module, count: int, loss: Callable[[Tensor], Tensor], *, epochs: int, seed: int, batch: int = BATCH,
    steps: int = 0,
) -> Iterator[Step | float]:  # fmt: skip
    """Adam on `loss`, which is given the places (B,) of a batch among `count` examples: steps, and after each epoch its
    mean loss.

    networks: all that learns, in one module. steps: of an epoch; as many as there are whole batches, unless given, and
    with more of them the examples come round again. Raises a ValueError for fewer than two examples a batch.
    """
    check_integer("batch", batch, 2, count)
    check_integer("epochs", epochs, 1)
    check_integer("steps", steps, 0)
    generator = seeded_generator(seed, "batches of canvases")
    return _learning(networks, count, loss, epochs, generator, batch, steps or count // batch)


def _learning(networks, count, loss, epochs, generator, size, steps):
    optimizer = build_optimizer("adam", networks, RATE)
    done, last = 0, epochs * steps
    for epoch in range(1, epochs + 1):
        rounds = [torch.randperm(count, generator=generator) for _ in range(math.ceil(steps * size / count))]
        total = 0.0
        for step, index in enumerate(torch.cat(rounds)[: steps * size].split(size), start=1):
            for group in optimizer.param_groups:
                group["lr"] = RATE * one_cycle(done / max(1, last - 1))
            value = loss(index)
            clear_gradients(optimizer)
            value.backward()
            take_step(optimizer)
            done, total = done + 1, total + value.item()
            yield Step(epoch, step, steps)
        yield total / steps


def records(
    networks: nn.Module, count: int, loss: Callable[[Tensor], Tensor],
    measure: Callable[[], tuple[dict[str, float], dict[str, object]]], *,
    epochs: int, record_every: int, seed: int, batch: int, of: int, steps: bool,
) -> Iterator[Measured | Step]:  # fmt: skip
    """`learn`, and a record of what `measure` gives, without gradients, every so many epochs and after the last.

    batch: at most; with fewer examples all of them. of: the number of examples by which the steps of an epoch are
    counted, so that rivals with fewer of them have as many steps. steps: whether these are yielded, too.
    """
    epoch, how = 0, {"epochs": epochs, "seed": seed, "batch": min(batch, count), "steps": of // batch}
    for done in learn(networks, count, loss, **how):
        if isinstance(done, Step):
            if steps:
                yield done
            continue
        epoch += 1
        if epoch % record_every == 0 or epoch == epochs:
            with torch.no_grad():
                numbers, shown = measure()
            yield Measured(-(-epoch // record_every), numbers, shown)


def binary_loss(z: Tensor, targets: Tensor, counted: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of logits (B, K), summed over the classes and the mean over B.

    targets: (B, K) in [0, 1]. counted: (B, K) bool, which of them count; all of them unless given.
    """
    losses = F.binary_cross_entropy_with_logits(z, targets.to(z), reduction="none")
    return (losses if counted is None else losses * counted).sum() / len(z)


def asymmetric(z: Tensor, targets: Tensor, focus: Tensor | float = 4.0, clip: float = 0.05) -> Tensor:
    """(B, K) the losses of logits, by which easy absent ones hardly count.

    Ridnik et al.: Asymmetric loss for multi-label classification. ICCV 2021, arXiv:2009.14119.
    q = max(p - clip, 0); -log p of what is there, -q^focus log(1 - q) of what is not. As in the authors' program the
    factor q^focus carries no gradient. targets: (B, K) of 0 and 1. focus: γ₋, one number or one a class.
    """
    q = (z.sigmoid() - clip).clamp(min=0)
    absent = -(q.detach() ** focus) * (1 - q).clamp(min=1e-8).log()
    return torch.where(targets.bool(), -F.logsigmoid(z), absent)


def average_precisions(scores: Tensor, present: Tensor) -> list[float]:
    """Of each class, the mean precision at the canvases that show it, when scores (N, K) rank them; present: (N, K).

    Canvases of one score are taken together, as scikit-learn does, whose function takes as long as a quarter of an
    epoch. Raises a ValueError for a class that is on none of them: of it there is nothing to rank.
    """
    if not present.any(0).all():
        empty = int((~present.any(0)).nonzero()[0])
        raise ValueError(f"class {empty} is on none of the {len(present):,} canvases, so its ranking can't be measured")
    falling, order = scores.T.contiguous().sort(1, descending=True)  # (K, N)
    there = present.T.gather(1, order).double()
    alike = torch.searchsorted(-falling, -falling, right=True)  # how many rank as high or higher
    precision = there.cumsum(1).gather(1, alike - 1) / alike
    return ((precision * there).sum(1) / there.sum(1)).tolist()


def f1_at(scores: Tensor, present: Tensor, threshold: float) -> float:
    """F1 over all answers at once ("overall F1"): what has a score (N, K) above the threshold is said to be there."""
    said = scores > threshold
    return float(2 * (said & present).sum() / max(1, int(said.sum() + present.sum())))


def best_f1(scores: Tensor, present: Tensor) -> float:
    """The highest `f1_at` of the 99 thresholds 0.01 … 0.99, which takes test labels to find."""
    said, right = (
        len(those) - torch.searchsorted(those.sort().values, THRESHOLDS, right=True)
        for those in (scores.flatten(), scores[present])
    )
    return float((2 * right / (said + present.sum()).clamp(min=1)).max())


@torch.no_grad()
def measured(scores: Tensor, present: Tensor) -> dict[str, float]:
    """The numbers that pages share: "mAP", "f1" at a half, and "f1_best"; of probabilities and the truth, (N, K)."""
    found = {"mAP": sum(average_precisions(scores, present)) / present.shape[1]}
    return found | {"f1": f1_at(scores, present, 0.5), "f1_best": best_f1(scores, present)}
