"""Many small networks at once, each on labels of its own: first on bought noisy ones, then on bought clean ones.

Networks of linear layers and ReLU, R of one shape, with the weights of a layer in one tensor (R, in, out): a step of
all is a few batched products. They start alike and draw the same uniform numbers for their batches, each over its own
examples; so what becomes of a network does not hang on which others are in the stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

Parameters = list[Tensor]  # weight (R, in, out) and bias (R, 1, out), layer by layer
BATCH, RATE, EVERY = (
    32,
    1e-3,
    20,
)  # examples a step, Adam's rate, steps from one look at the held-out labels to the next


def new_networks(sizes: Sequence[int], count: int, seed: int) -> Parameters:
    """`count` equal networks with layers of `sizes`, inputs first; torch's global random state stays as it was."""
    check_integer("count", count, 1)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw their weights from the global generator only
        torch.default_generator.manual_seed(seed)
        layers = [nn.Linear(*of_layer) for of_layer in pairwise(sizes)]
    return repeated([p.detach()[None] for layer in layers for p in (layer.weight.T, layer.bias[None])], count)


def repeated(one: Parameters, count: int) -> Parameters:
    """`count` copies of the one network in `one`."""
    return [p.expand(count, *p.shape[1:]).contiguous() for p in one]


def logits(parameters: Parameters, images: Tensor) -> Tensor:
    """(R, B, K) of images (R, B, D), or of the same (B, D) for all."""
    passing = images.expand(len(parameters[0]), *images.shape[-2:])
    for layer, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2])):
        passing = torch.baddbmm(bias, passing.relu() if layer else passing, weight)
    return passing


@torch.no_grad()
def accuracies(parameters: Parameters, images: Tensor, classes: Tensor) -> list[float]:
    """Of each network, the share of images (B, D) that it gives their classes (B,)."""
    return (logits(parameters, images).argmax(2) == classes).double().mean(1).tolist()


def held_out(counts: Tensor) -> Tensor:
    """How many of a stage's own labels decide when to stop: a fifth, at least 2, at most half of them."""
    return torch.minimum((counts / 5).round().long().clamp(min=2), counts // 2)


def learn(
    start: Parameters, images: Tensor, labels: Tensor, places: Tensor, counts: Tensor, *, steps: int, seed: int,
    trusted: int, purpose: str,
) -> Iterator[Parameters]:  # fmt: skip
    """One stage: Adam on the cross-entropy with `labels`, from `start`; the weights of the best look are kept.

    images: (N, D). labels: (L, K) probabilities, L a multiple of N: label p is one of image p modulo N. places: (R, n)
    labels of each network, of which the first `counts` (R,) count; of these the first `held_out` are held out, and the
    rest is drawn from with replacement. The start is the first that is looked at; a network with fewer than two labels,
    of which none can be held out, stays there.
    trusted: with fewer held-out labels than this nothing is stopped, and the last weights are kept.
    Yields, every `EVERY` steps and at the end, the weights that are best so far; they change when it goes on.
    """
    found = [p.clone() for p in start]
    rows = (counts > 1).nonzero().flatten()
    if not len(rows):
        yield from (found for _ in range(0, steps, EVERY))
        return
    here, counts = places[rows], counts[rows]
    parameters = [p[rows].clone().requires_grad_() for p in start]
    held = held_out(counts)
    kept = here[:, : int(held.max())]  # (R, H)
    counted = torch.arange(kept.shape[1]) < held[:, None]
    optimizer = adam(parameters, RATE)
    generator = seeded_generator(seed, purpose)
    best = _losses(parameters, images, labels, kept, counted)
    for step in range(1, steps + 1):
        drawn = torch.rand(BATCH, generator=generator, dtype=torch.float64)
        column = held[:, None] + (drawn * (counts - held)[:, None]).long()  # (R, B)
        batch = here.gather(1, column)
        said = logits(parameters, images[batch % len(images)])
        loss = -(labels[batch] * said.log_softmax(2)).sum(2).mean(1).sum()  # each network's gradient is its own
        descend(optimizer, loss)
        if step % EVERY == 0 or step == steps:
            now = _losses(parameters, images, labels, kept, counted)
            better = (now < best) | (held < trusted)  # too few to tell: the last weights are kept
            best = torch.where(better, now, best)
            for into, p in zip(found, parameters):
                into[rows[better]] = p.detach()[better]
            yield found


@torch.no_grad()
def _losses(parameters: Parameters, images: Tensor, labels: Tensor, places: Tensor, counted: Tensor) -> Tensor:
    """Mean cross-entropy (R,) with the labels at `places` (R, H), where they are counted (R, H)."""
    log_p = logits(parameters, images[places % len(images)]).log_softmax(2)
    losses = F.kl_div(log_p, labels[places], reduction="none").sum(2)  # cross-entropy less what no weight can change
    return (losses * counted).sum(1) / counted.sum(1)


def check_bought(bought: Tensor, most: int) -> int:
    """`most`, if each pair of numbers of labels is of as many images or fewer; otherwise a ValueError."""
    if not len(bought) or bought.min() < 0 or bought.sum(1).max() > most:
        worst = bought[bought.sum(1).argmax()].tolist() if len(bought) else []
        raise ValueError(
            f"bought={worst} must be pairs of whole numbers of at least 0, together at most {most}, the images"
        )
    return most


def noisy_then_clean(
    start: Parameters, images: Tensor, noisy: Tensor, clean: Tensor, order: Tensor, bought: Tensor, *, steps: int,
    seed: int, trusted: int = 1,
) -> Iterator[Parameters]:  # fmt: skip
    """Sequential fine-tuning: a stage on noisy labels, and from there one on clean ones, with a new optimizer.

    start: one network. noisy, clean: (N, K) labels of images (N, D), as probabilities. order: (N,) the images in the
    order in which they are bought: clean labels from its front, noisy ones from its back, so that no image is in both.
    bought: (R, 2) how many noisy and how many clean labels each network has. A stage without labels is skipped.
    Yields the weights of all R, as `learn` does. Raises a ValueError for more labels than images.
    """
    most = check_bought(bought, len(images))
    how: dict[str, int] = {"steps": steps, "seed": seed, "trusted": trusted}
    labels = torch.cat([clean, noisy])
    few, which = bought[:, 0].unique(return_inverse=True)  # networks with the same noisy labels are one until stage 2
    first = repeated(start, len(few))
    backwards = (order.flip(0) + most).expand(len(few), -1)
    second = [p[which] for p in first]
    for learned in learn(first, images, labels, backwards, few, **how, purpose="noisy stage"):
        second = [p[which] for p in learned]
        yield second
    forwards = order.expand(len(bought), -1)
    yield from learn(second, images, labels, forwards, bought[:, 1], **how, purpose="clean stage")


def together(
    start: Parameters, images: Tensor, noisy: Tensor, clean: Tensor, order: Tensor, bought: Tensor, *, steps: int,
    seed: int, trusted: int = 1,
) -> Iterator[Parameters]:  # fmt: skip
    """The control of `noisy_then_clean`: both sorts of labels in one shuffled set, and one stage of twice the steps."""
    most, generator = check_bought(bought, len(images)), seeded_generator(seed, "shuffled set")
    places = torch.zeros(len(bought), int(bought.sum(1).max()), dtype=torch.long)
    for row, (weak, right) in zip(places, bought.tolist()):
        both = torch.cat([order[:right], order.flip(0)[:weak] + most])
        row[: len(both)] = both[torch.randperm(len(both), generator=generator)]
    labels, first = torch.cat([clean, noisy]), repeated(start, len(bought))
    how: dict[str, int] = {"steps": 2 * steps, "seed": seed, "trusted": trusted}
    yield from learn(first, images, labels, places, bought.sum(1), **how, purpose="shuffled stage")


RECIPES = {"two stages": noisy_then_clean, "one pot": together}


def looks(recipe: str, steps: int) -> int:
    """How often one of `RECIPES` looks at its held-out labels, with `steps` a stage."""
    return -(-2 * steps // EVERY) if recipe == "one pot" else 2 * -(-steps // EVERY)
