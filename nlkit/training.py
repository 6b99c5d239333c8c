"""The training loop: a generator of one record an epoch. It knows nothing of plots, widgets or progress bars."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from nlkit.augment import AUGMENTATIONS
from nlkit.checkpoints import check_checkpoint_path, load_checkpoint, save_checkpoint, task_fingerprint
from nlkit.checks import check_choice, check_integer, check_number
from nlkit.devices import PRECISIONS, InBfloat16, has_convolutions, pick_precision, pick_threads, threads
from nlkit.methods import build_method
from nlkit.models import MODELS, build_model, predict
from nlkit.noise import check_matrix
from nlkit.optimizers import OPTIMIZERS, SCHEDULES, build_optimizer
from nlkit.randomness import seeded_generator
from nlkit.records import Record, Step
from nlkit.run import Batch, Run
from nlkit.task import Task


def train(
    task: Task,
    method: str = "standard",
    *,
    model: str | nn.Module = "mlp",
    epochs: int = 25,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 6e-4,
    schedule: str = "constant",
    weight_decay: float = 0.0,
    augment: str = "none",
    weight_average: float = 0.0,
    precision: str = "float32",
    seed: int = 0,
    checkpoint: str | Path | None = None,
    yield_steps: bool = False,
    **options: object,
) -> Iterator[Record | Step]:
    """Train on a task and yield one `Record` at the end of each epoch.

    method: a name in `nlkit.METHODS`; its own options follow as keywords (`engine="higher"`).
    model: a name in `nlkit.MODELS`, or a network of your own, which is trained in place on the task's device.
    optimizer: "adam", "sgd" or "momentum" (SGD with momentum 0.9), which starts at `learning_rate`.
    schedule: "constant"; "steps": the learning rate falls by a tenth every 30/512 of the training; or "linear": it
        falls in a straight line to 0.
    weight_decay: what of a layer's weights is added to their gradient, 0 or more; biases and norms are left out.
    augment: "none", or "crop-flip": every image that the method learns from is moved by up to 4 pixels and mirrored
        half of the time. What is measured is never augmented.
    weight_average: decay a step, in [0, 1), of a moving average of the weights; what is measured is then the averaged
        network (0.999 averages over about a thousand steps; at first, over a tenth of the steps so far). 0 measures
        the network as it is.
    precision: "float32"; "bfloat16", in which the network then computes its training passes as far as is safe; or
        "auto", which is bfloat16 for networks with convolutions on an NVIDIA GPU made for it.
    seed: draws the initial weights, the batches and what the method draws. Methods share the first two.
    checkpoint: a file that holds the run after every epoch. If it exists, its records are yielded again first and
        training goes on after them, to the same result as if it had never stopped.
    yield_steps: yield a `Step` after every training step too, so that whoever drives a long epoch can show how far it
        is, or stop in its middle. What is learned and recorded does not change.

    The run stops when no further record is asked for. The arguments are checked at the call, before the first record:
    a ValueError names the argument, the value and what is allowed.
    """
    if not isinstance(task, Task):
        raise ValueError(f"task={task!r} must be a Task; make one with make_task")
    check_integer("epochs", epochs, 1)
    check_integer("batch_size", batch_size, 1)
    check_number("learning_rate", learning_rate, 0, above=True)
    check_choice("optimizer", optimizer, OPTIMIZERS)
    check_choice("schedule", schedule, SCHEDULES)
    check_number("weight_decay", weight_decay, 0)
    check_choice("augment", augment, AUGMENTATIONS)
    check_number("weight_average", weight_average, 0, 1 - 1e-9)
    check_choice("precision", precision, PRECISIONS)
    if not isinstance(model, nn.Module):
        check_choice("model", model, MODELS)
    if checkpoint is not None:
        checkpoint = check_checkpoint_path(checkpoint)
    algorithm = build_method(method, options)
    if algorithm.needs_clean and not len(task.clean_labels):
        raise ValueError(f"method={method!r} needs a clean set; make the task with clean_per_class=1 or more")
    if getattr(algorithm, "matrix", None) is not None:
        check_matrix(algorithm.matrix, task.num_classes)
    settings = {
        "method": method, **options, "model": model if isinstance(model, str) else type(model).__name__,
        "epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "learning_rate": learning_rate,
        "schedule": schedule, "weight_decay": weight_decay, "augment": augment, "weight_average": weight_average,
        "precision": precision, "seed": seed, "task": task_fingerprint(task),
    }  # fmt: skip
    network = model.to(task.device) if isinstance(model, nn.Module) else _named_network(model, task, seed)
    in_bfloat16 = pick_precision(precision, network, task.device) == "bfloat16"
    averaged = _averaged(network, weight_average) if weight_average else None
    trainer = _Trainer(
        task=task,
        algorithm=algorithm,
        run=Run(
            model=InBfloat16(network) if in_bfloat16 else network,
            optimizer=build_optimizer(optimizer, network, learning_rate, weight_decay),
            clean_images=task.clean_images,
            clean_labels=task.clean_labels,
            generator=seeded_generator(seed, "method"),
            num_classes=task.num_classes,
            num_examples=len(task.given),
            noisy_images=task.noisy_images,
            augment=AUGMENTATIONS[augment],
            averaged=averaged,
        ),
        network=network,
        averaged=averaged,
        batch_size=batch_size,
        epochs=epochs,
        learning_rate=learning_rate,
        schedule=SCHEDULES[schedule],
        generator=seeded_generator(seed, "batches"),
        augmentation=seeded_generator(seed, "augmentation"),
        threads=pick_threads(network),
    )
    done = []
    if checkpoint and checkpoint.exists():
        done, state = load_checkpoint(checkpoint, settings, task.device)
        trainer.load_state(state)
    events = _events(trainer, done, checkpoint, settings)
    return events if yield_steps else (event for event in events if isinstance(event, Record))


@dataclass
class _Trainer:
    task: Task
    algorithm: object
    run: Run
    network: nn.Module  # the network itself, where run.model is one that computes in bfloat16
    averaged: AveragedModel | None  # the network that is measured, when it is not the one that is trained
    batch_size: int
    epochs: int
    learning_rate: float
    schedule: Callable[[float], float]
    generator: torch.Generator  # of the order of the examples
    augmentation: torch.Generator
    threads: int  # of a step

    def epoch(self, number: int) -> Iterator[Step | Record]:
        task, run = self.task, self.run
        images, labels = {
            "noisy": (task.noisy_images, task.given_labels),
            "clean": (task.clean_images, task.clean_labels),
            "noisy and clean": (task.images, task.given),
        }[self.algorithm.learns_from]
        # A method that learns from the clean set alone goes through it as often as it takes to see as many examples.
        visits = max(len(labels), len(task.given_labels))
        losses, weights = [], torch.zeros(len(labels), device=task.device)
        started, waited = time.perf_counter(), 0.0
        batches = self._batches(len(labels), visits)
        for done, index in enumerate(batches):
            run.progress = (number - 1 + done / len(batches)) / self.epochs
            run.steps_done, run.steps_an_epoch = (number - 1) * len(batches) + done, len(batches)
            for group in run.optimizer.param_groups:
                group["lr"] = self.learning_rate * self.schedule(run.progress)
            with threads(self.threads):
                originals = images.index_select(0, index)
                seen = run.augment(originals, self.augmentation)
                result = self.algorithm.step(run, Batch(index, seen, labels[index], originals))
            losses.append(result.loss.detach())
            if self.averaged:
                self.averaged.update_parameters(self.network)
            if result.weights is not None:
                weights[index] = result.weights.detach() * len(index)
            left = time.perf_counter()
            yield Step(number, done + 1, len(batches))
            waited += time.perf_counter() - left
        loss = torch.stack(losses).mean().item()  # waits for the device, so that the time below is all of it
        seconds = time.perf_counter() - started - waited
        weighs, weights = result.weights is not None, weights[: len(task.wrong)]  # those of the noisy set
        yield Record(
            epoch=number,
            loss=loss,
            **self._measure(),
            seconds=seconds,
            examples_per_second=visits / seconds,
            extra=_weight_shares(weights, task.wrong) if weighs else {},
            example_weights=weights.cpu() if weighs else None,
        )

    def _batches(self, size: int, visits: int) -> tuple[Tensor, ...]:
        """Indices (B,) of shuffled passes through `size` examples, `visits` of them in all."""
        passes = [torch.randperm(size, generator=self.generator) for _ in range(math.ceil(visits / size))]
        return torch.cat(passes)[:visits].to(self.task.device).split(self.batch_size)

    def _measure(self) -> dict[str, float]:
        task, model = self.task, self.averaged or self.network
        predicted = predict(model, task.noisy_images)
        as_given, as_true = predicted == task.given_labels, predicted == task.true_labels
        of_a_class = task.true_labels >= 0
        tested = predict(model, task.test_images) == task.test_labels
        return {
            "given_accuracy": as_given.double().mean().item(),
            "true_accuracy": as_true[of_a_class].double().mean().item(),
            "test_accuracy": tested.double().mean().item(),
            "memorized": as_given[task.wrong].double().mean().item(),
            "recovered": as_true[task.wrong & of_a_class].double().mean().item(),
        }

    def state(self) -> dict[str, object]:
        return {
            "model": self.network.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged else {},
            "optimizer": self.run.optimizer.state_dict(),
            "method": getattr(self.algorithm, "state", {}),
            "generators": [generator.get_state() for generator in self._generators],
        }

    def load_state(self, state: dict[str, object]) -> None:
        self.network.load_state_dict(state["model"])
        if self.averaged:
            self.averaged.load_state_dict(state["averaged"])
        self.run.optimizer.load_state_dict(state["optimizer"])
        if state["method"]:
            self.algorithm.state.update(state["method"])
        for generator, saved in zip(self._generators, state["generators"]):
            generator.set_state(saved.cpu())

    @property
    def _generators(self) -> tuple[torch.Generator, ...]:
        return self.generator, self.run.generator, self.augmentation


def _events(trainer: _Trainer, done: list[Record], checkpoint: Path | None, settings: dict) -> Iterator[Step | Record]:
    yield from done
    for number in range(len(done) + 1, trainer.epochs + 1):
        for event in trainer.epoch(number):
            if isinstance(event, Record):
                done.append(event)
                if checkpoint:
                    save_checkpoint(checkpoint, settings, done, trainer.state())
            yield event


def _named_network(name: str, task: Task, seed: int) -> nn.Module:
    network = build_model(name, tuple(task.images.shape[1:]), task.num_classes, seed=seed).to(task.device)
    # Convolutions are faster when a pixel's channels lie together. A network of one's own is left as it is: its layers
    # may count on the usual order in memory, as `view` does.
    return network.to(memory_format=torch.channels_last) if has_convolutions(network) else network


def _averaged(model: nn.Module, decay: float) -> AveragedModel:
    @torch.no_grad()
    def move(averages: list[Tensor], values: list[Tensor], steps: Tensor) -> None:
        # With the full decay from the start, the initial weights would fill the average for a thousand steps.
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + int(steps)) / (10 + int(steps))))
        else:  # how many batches a norm has seen
            torch._foreach_copy_(averages, values)

    # Batch norm's running statistics are averaged as well: they belong to the averaged weights.
    return AveragedModel(model, multi_avg_fn=move, use_buffers=True)


def _weight_shares(weights: Tensor, wrong: Tensor) -> dict[str, float]:
    """How the epoch's weight was split between right and wrong labels (summing to 1), and the share that got any."""
    total = weights.sum().clamp(min=1e-30)
    return {
        "weight_on_right": (weights[~wrong].sum() / total).item(),
        "weight_on_wrong": (weights[wrong].sum() / total).item(),
        "kept": (weights > 0).double().mean().item(),
    }
