"""Many networks at once: standard training at several noise ratios, each layer of all networks in one product.

The noise ratios of one seed share images, batches and initial weights, and differ in given labels alone. So the first
layers of R networks ask for the same product, R times as tall, and the deeper ones for R products of one shape:

    H₁ = X [W₁¹; …; W₁ᴿ]ᵀ,    H₂ʳ = max(H₁ʳ, 0) W₂ʳᵀ,  r = 1 … R

The loop is that of `train`; what it takes a step with here is a stack of networks. `train` stays the one to read, and
a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.learning.devices import pick_threads
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import LEARNING_RATE, build_optimizer, constant
from nlkit.randomness import MAX_SEED, seeded_generator
from nlkit.records import Record, Step
from nlkit.tasks.task import Task
from nlkit.training.loop import Trainer


def train_many(
    tasks: Iterable[Task],
    *,
    epochs: int = 25,
    batch_size: int = 128,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    yield_steps: bool = False,
) -> Iterator[tuple[Record, ...] | Step]:
    """Train the classroom network ("mlp") on each of the tasks by standard training with Adam, all at the same time.

    tasks: with the same images in the same order, such as `nlkit.tasks.make.tasks_at` makes. Yields their records at
    the end of each epoch, in the order of the tasks: those of `train(task, …)` with the same arguments, but for what
    another order of adding does to the last digits of a float. A record's seconds are its share of the time.

    yield_steps: yield a `Step` after every training step too. Raises a ValueError that names what can't be.
    """
    tasks = list(tasks)
    if not tasks or not all(isinstance(task, Task) for task in tasks):
        raise ValueError(f"tasks={tasks!r} must be one Task or more; make them with tasks_at")
    first = tasks[0]
    for place, task in enumerate(tasks):
        if not (task.images is first.images or torch.equal(task.images, first.images)):
            raise ValueError(
                f"tasks[{place}] has other images than tasks[0]; tasks of one batch differ in given labels alone, as "
                "those do that tasks_at makes"
            )
        if task.num_classes != first.num_classes:
            raise ValueError(f"tasks[{place}] has {task.num_classes} classes and tasks[0] has {first.num_classes}")
    epochs = check_integer("epochs", epochs, 1)
    batch_size = check_integer("batch_size", batch_size, 1)
    learning_rate = check_number("learning_rate", learning_rate, 0, above=True)
    seed = check_integer("seed", seed, 0, MAX_SEED)
    shape = tuple(first.images.shape[1:])
    networks = [build_model("mlp", shape, first.num_classes, seed=seed).to(first.device) for _ in tasks]
    stack = Stack(networks)
    optimizer = build_optimizer("adam", stack, learning_rate)
    trainer = Trainer(
        task=first,
        algorithm=_Standard(torch.stack([task.given for task in tasks])),
        run=Run(
            stack, optimizer, first.clean_images, first.clean_labels, seeded_generator(seed, "method"),
            first.num_classes, len(first.given),
        ),
        network=networks[0],
        averaged=None,
        batch_size=batch_size,
        epochs=epochs,
        learning_rates=[learning_rate],
        schedule=constant,
        generator=seeded_generator(seed, "batches"),
        augmentation=seeded_generator(seed, "augmentation"),
        draws=None,
        # On 2 cores a second thread gains nothing: ten networks took 8.9 ms a step on one thread, and 9.2 on two (the
        # best of 700, on a busy machine).
        threads=pick_threads(networks[0]),
    )  # fmt: skip
    events = _events(trainer, tasks, networks)
    return events if yield_steps else (event for event in events if not isinstance(event, Step))


def _events(
    trainer: Trainer, tasks: Sequence[Task], networks: Sequence[nn.Module]
) -> Iterator[tuple[Record, ...] | Step]:
    others = [replace(trainer, task=task, network=network) for task, network in zip(tasks[1:], networks[1:])]
    for number in range(1, trainer.epochs + 1):
        for event in trainer.epoch(number):
            if isinstance(event, Step):
                yield event
                continue
            record = replace(
                event, seconds=event.seconds / len(tasks), examples_per_second=event.examples_per_second * len(tasks)
            )
            measured = [other.measure() for other in others]
            records = [record, *(replace(record, **shares, extra=extra) for shares, extra in measured)]
            yield tuple(replace(r, loss=loss) for r, loss in zip(records, trainer.algorithm.epoch_losses()))


class Stack(nn.Module):
    """R networks of the kind "mlp" and of one size, whose parameters lie in one tensor a layer.

    Each of them stays a network of its own: its parameters are parts of the stack's, and move with them.
    """

    def __init__(self, networks: Sequence[nn.Module]):
        super().__init__()
        alike = zip(*(network.parameters() for network in networks))
        self.layers = nn.ParameterList(torch.stack([p.detach() for p in parameters]) for parameters in alike)
        for place, network in enumerate(networks):
            for own, layer in zip(network.parameters(), self.layers):
                own.data = layer.data[place]

    def forward(self, images: Tensor) -> Tensor:
        """The logits (R, K, B) that the networks give images (B, C, H, W)."""
        layers = list(self.layers)
        (weight, *weights), (bias, *biases) = layers[::2], layers[1::2]  # (R, out, in) and (R, out) each
        out = torch.addmm(bias.reshape(-1, 1), weight.flatten(0, 1), images.flatten(1).T)  # all R in one product
        out = out.view(*bias.shape, len(images))  # (R, 128, B)
        for weight, bias in zip(weights, biases):
            out = torch.baddbmm(bias.unsqueeze(-1), weight, out.relu())
        return out


class _Standard:
    """Standard training of a stack: each of its networks believes given labels of its own."""

    learns_from = "noisy and clean"

    def __init__(self, given: Tensor):
        self.given = given  # (R, N + M)
        self._losses: list[Tensor] = []

    def step(self, run: Run, batch: Batch) -> StepResult:
        losses = F.cross_entropy(run.model(batch.images), self.given[:, batch.index], reduction="none").mean(1)
        run.descend(losses.sum())  # whose gradient for a network is that of its own loss
        self._losses.append(losses.detach())
        return StepResult(losses.mean())

    def epoch_losses(self) -> list[float]:
        """The mean loss of each network since this was asked the last time."""
        losses, self._losses = self._losses, []
        return torch.stack(losses).mean(0).tolist()
