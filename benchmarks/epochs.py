"""One epoch on full MNIST: the kit against the usual way. What is measured after an epoch is left out on both sides."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader

from benchmarks import usual
from benchmarks.timing import Row, interleaved, rows_of
from nlkit import build_model, load, make_task, train
from nlkit.data.load import find_dataset
from nlkit.tasks.task import Task

BATCH, LEARNING_RATE = 128, 6e-4


def measure(rounds: int = 5, batches: int | None = None, data: str | None = None) -> list[Row]:
    """Part 1 of the list in run.py. batches: how many of an epoch's batches the usual way really takes (all)."""
    data = data or ("mnist" if find_dataset("mnist") else "mnist5k")
    task = make_task(load(data, device="cpu"), ratio=0.8, clean_per_class=50, seed=0)
    rows = []
    for method in ("standard", "reweight"):
        sides = {"nlkit": kit_epochs(task, method), "usual way": usual_epochs(task, method, batches)}
        taken = interleaved({name: side.__next__ for name, side in sides.items()}, rounds, measure=own_clock)
        rows += rows_of("epochs", f"{method}, {data}", taken, "nlkit", scale=1, unit="s")
    return rows


def own_clock(act: Callable[[], float]) -> float:
    """A side that says itself how long its epoch took."""
    return act()


def kit_epochs(task: Task, method: str) -> Iterator[float]:
    """Seconds of one epoch after the other, by the kit."""
    for record in train(task, method, epochs=1000, batch_size=BATCH, learning_rate=LEARNING_RATE, seed=0):
        yield record.seconds


def usual_epochs(task: Task, method: str, batches: int | None = None) -> Iterator[float]:
    """Seconds of one epoch after the other, by the usual way; of `batches` batches, scaled to an epoch, if given."""
    model = build_model("mlp", tuple(task.images.shape[1:]), task.num_classes, seed=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    noisy, clean = loaders(task, with_clean=method == "standard")
    clean = usual.forever(clean)
    while True:
        began, done = time.perf_counter(), 0
        for examples in itertools.islice(noisy, batches):
            if method == "standard":
                usual.standard_step(model, optimizer, examples)
            else:
                usual.reweight_step(model, optimizer, examples, next(clean))
            done += 1
        yield (time.perf_counter() - began) * len(noisy) / done


def loaders(task: Task, with_clean: bool) -> tuple[DataLoader, DataLoader]:
    """The task's noisy set, followed by its clean set if asked for, and the clean set, as pictures one by one."""
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (task.mean, task.std))
    pixels = ((task.images * std + mean) * 255).round().to(torch.uint8).squeeze(1)
    start, size = len(task.wrong), len(task.images) if with_clean else len(task.wrong)
    noisy = usual.Pictures(pixels[:size], task.given[:size], task.mean, task.std)
    clean = usual.Pictures(pixels[start:], task.given[start:], task.mean, task.std)
    return DataLoader(noisy, BATCH, shuffle=True), DataLoader(clean, BATCH, shuffle=True)
