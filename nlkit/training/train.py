"""Training as a generator of one record an epoch. It knows nothing of plots, widgets or progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.learning.augment import AUGMENTATIONS, augmentation
from nlkit.learning.devices import PRECISIONS, InBfloat16, has_convolutions, pick_precision, pick_threads, threads
from nlkit.learning.learner import Run
from nlkit.learning.models import MODELS, build_model, seeded
from nlkit.learning.optimizers import (
    LEARNING_RATE,
    OPTIMIZERS,
    SCHEDULES,
    MakeOptimizer,
    averaged_network,
    build_optimizer,
    own_optimizer,
)
from nlkit.learning.own_network import OwnDraws, check_network, start_training_mode
from nlkit.noise.matrices import check_matrix
from nlkit.papers import build_method
from nlkit.randomness import MAX_SEED, seeded_generator
from nlkit.records import Record, Step
from nlkit.settings import plain
from nlkit.tasks.task import Task
from nlkit.training.checkpoints import Checkpoint, network_fingerprint, task_fingerprint
from nlkit.training.loop import Trainer


def train(
    task: Task,
    method: str = "standard",
    *,
    model: str | nn.Module | Callable[[], nn.Module] = "mlp",
    epochs: int = 25,
    batch_size: int = 128,
    optimizer: str | MakeOptimizer = "adam",
    learning_rate: float | None = None,
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
    model: a name in `nlkit.MODELS`; or a network of your own, which is trained in place on the task's device; or what
        makes one without an argument (a class, a lambda), which draws its weights from `seed`. A network that comes in
        evaluation mode as a whole is put in training mode; layers that you set to evaluation mode one by one, as frozen
        norms are, stay so. What it draws itself, as dropout does, hangs on `seed` too.
    optimizer: "adam", "sgd" or "momentum" (SGD with momentum 0.9), which starts at `learning_rate`; or a function that
        makes one of your own, as in ``lambda parameters: torch.optim.AdamW(parameters, lr=1e-3)``, whose rates the
        schedule then scales.
    learning_rate: above 0; 6e-4 unless given. An optimizer of your own brings its own.
    schedule: "constant"; "steps": the learning rate falls by a tenth every 30/512 of the training; or "linear": it
        falls in a straight line to 0.
    weight_decay: what of a layer's weights is added to their gradient, 0 or more; biases and norms are left out.
    augment: "none"; "crop-flip": every image that the method learns from is moved by up to 4 pixels and mirrored half
        of the time; "crop-flip-color": by up to 2, and its colours are distorted; or "affine", for signs: turned,
        scaled, slanted and moved a little. What is measured is never augmented.
    weight_average: decay a step, in [0, 1), of a moving average of the weights; what is measured is then the averaged
        network (0.999 averages over about a thousand steps; at first, over a tenth of the steps so far). 0 measures
        the network as it is.
    precision: "float32"; "bfloat16", in which the network then computes its training passes as far as is safe; "fast",
        which is float32 but for what goes into a step's products, on a processor that has instructions for products in
        bfloat16, and float32 anywhere else (see `nlkit.learning.devices.fast_products`); or "auto", which is bfloat16
        for networks with convolutions on an NVIDIA GPU made for it. What is measured is measured in float32, but for
        "bfloat16" on an NVIDIA GPU, where an epoch's measuring would take as long as half of its training.
    seed: draws the initial weights, the batches and what the method draws. Methods share the first two.
    checkpoint: a file that holds the run after every epoch. If it exists, its records are yielded again first and
        training goes on after them, to the same result as if it had never stopped. It may go on past the epochs that it
        was planned for: the schedule is then that of a run of the new length, from where the run stands; a warning says
        so, since a run of that length from the start may end elsewhere.
    yield_steps: yield a `Step` after every training step too, so that whoever drives a long epoch can show how far it
        is, or stop in its middle. What is learned and recorded does not change.

    The run stops when no further record is asked for. The arguments are checked at the call, before the first record:
    a ValueError names the argument, the value and what is allowed. A run that diverges says so in a RuntimeWarning.
    """
    if not isinstance(task, Task):
        raise ValueError(f"task={task!r} must be a Task; make one with make_task")
    if torch.is_inference_mode_enabled():
        raise ValueError("train can't learn within torch.inference_mode(), which has no gradients; call it outside")
    epochs = check_integer("epochs", epochs, 1)
    batch_size = check_integer("batch_size", batch_size, 1)
    seed = check_integer("seed", seed, 0, MAX_SEED)
    check_choice("schedule", schedule, SCHEDULES)
    weight_decay = check_number("weight_decay", weight_decay, 0)
    check_choice("augment", augment, AUGMENTATIONS)
    weight_average = check_number("weight_average", weight_average, 0, 1 - 1e-9)
    check_choice("precision", precision, PRECISIONS)
    if callable(optimizer):
        if learning_rate is not None or weight_decay:
            raise ValueError("learning_rate and weight_decay must be left out: an optimizer of your own has its own")
    else:
        check_choice("optimizer", optimizer, OPTIMIZERS)
        learning_rate = check_number(
            "learning_rate", LEARNING_RATE if learning_rate is None else learning_rate, 0, above=True
        )
    if not callable(model):  # as networks are
        check_choice("model", model, MODELS)
    file = Checkpoint(checkpoint) if checkpoint is not None else None
    algorithm = build_method(method, options)
    if algorithm.needs_clean and not len(task.clean_labels):
        raise ValueError(f"method={method!r} needs a clean set; make the task with clean_per_class=1 or more")
    if getattr(algorithm, "matrix", None) is not None:
        check_matrix(algorithm.matrix, task.num_classes)
    build = _builder(model, task)
    network = model.to(task.device) if build is None else build(seed)
    of_the_kit = isinstance(model, str)
    if not of_the_kit:
        start_training_mode(network)
        check_network(network, task.images[: min(2, batch_size, len(task.given))], task.num_classes)
    descent = own_optimizer(optimizer, network) if callable(optimizer) else build_optimizer(
        optimizer, network, learning_rate, weight_decay
    )  # fmt: skip
    picked = pick_precision(precision, network, task.device)
    averaged = averaged_network(network, weight_average) if weight_average else None
    run = Run(
        model=InBfloat16(network) if picked == "bfloat16" else network,
        optimizer=descent,
        clean_images=task.clean_images,
        clean_labels=task.clean_labels,
        generator=seeded_generator(seed, "method"),
        num_classes=task.num_classes,
        num_examples=len(task.given),
        noisy_images=task.noisy_images,
        given_labels=task.given_labels,
        augment=augmentation(augment, task.mean, task.std),
        averaged=averaged,
        build=build,
    )
    count = pick_threads(network)
    if hasattr(algorithm, "prepare"):
        with threads(count), torch.enable_grad():
            algorithm.prepare(run)
    trainer = Trainer(
        task=task,
        algorithm=algorithm,
        run=run,
        network=network,
        averaged=averaged,
        batch_size=batch_size,
        epochs=epochs,
        learning_rates=[group["lr"] for group in run.groups],
        schedule=SCHEDULES[schedule],
        generator=seeded_generator(seed, "batches"),
        augmentation=seeded_generator(seed, "augmentation"),
        draws=None if of_the_kit else OwnDraws(seed, task.device),
        threads=count,
        fast=picked == "fast",
        measured_in_bfloat16=picked == "bfloat16" and task.device.type == "cuda",
    )
    if hasattr(algorithm, "hold_out"):
        trainer.held_out = algorithm.hold_out(run)
    done = []
    if file:
        settings = plain({
            "method": method, **options, "model": model if of_the_kit else network_fingerprint(network),
            "batch_size": batch_size, "optimizer": optimizer if isinstance(optimizer, str) else _described(descent),
            "learning_rate": learning_rate, "schedule": schedule, "weight_decay": weight_decay, "augment": augment,
            "weight_average": weight_average, "precision": precision, "seed": seed, "task": task_fingerprint(task),
        })  # fmt: skip
        done, state = file.open(settings, epochs, task.device)
        if state:
            trainer.load_state(state)
            trainer.behind = state["behind"] if file.replanned else 0.0
    events = trainer.events(done, file)
    return events if yield_steps else (event for event in events if isinstance(event, Record))


def _described(optimizer: torch.optim.Optimizer) -> dict[str, object]:
    """An optimizer of one's own as settings: its kind, and the options of each of its groups."""
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    return {"kind": type(optimizer), "groups": groups}


def _builder(model: str | nn.Module | Callable[[], nn.Module], task: Task) -> Callable[[int], nn.Module] | None:
    """What makes the network from a seed, as often as it is asked; None for a network that was handed in."""
    if isinstance(model, nn.Module):
        return None
    return lambda seed: _named_network(model, task, seed) if isinstance(model, str) else _own(model, task, seed)


def _own(make: Callable[[], nn.Module], task: Task, seed: int) -> nn.Module:
    network = seeded(make, seed)
    if not isinstance(network, nn.Module):
        raise ValueError(f"model={make!r} made {network!r}; it must make a torch.nn.Module")
    return network.to(task.device)


def _named_network(name: str, task: Task, seed: int) -> nn.Module:
    network = build_model(name, tuple(task.images.shape[1:]), task.num_classes, seed=seed).to(task.device)
    # Convolutions are faster when a pixel's channels lie together. A network of one's own is left as it is: its layers
    # may count on the usual order in memory, as `view` does.
    return network.to(memory_format=torch.channels_last) if has_convolutions(network) else network
