"""The ways to train for an epoch that the kit is held against, each with the settings among which it gets its best.

They run in a process of their own. There torch's threads wait for each other as torch has it, while the kit sets that
when it is imported (`nlkit/__init__.py`): on a quiet machine torch's own is faster with more than one thread.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks import usual
from nlkit import build_model, load, make_task
from nlkit.learning.devices import threads
from nlkit.tasks.task import Task

BATCH, LEARNING_RATE = 128, 6e-4
TUTORIAL = "the tutorial's loops"
SERVE = "import torch; from benchmarks import ways; ways.serve({!r})"  # torch first: it reads how to wait when loaded


@dataclass(frozen=True)
class Settings:
    """What is tried out for the machine. threads: of torch; None leaves it what it is."""

    threads: int | None = None
    workers: int | None = None  # of each loader; None without loaders
    optimizer: str = "Adam"  # "Adam", "fused Adam", or TorchOpt's "MetaAdam"

    def __str__(self) -> str:
        count = self.threads or torch.get_num_threads()
        loaders = [] if self.workers is None else [f"{self.workers} worker{'s' * (self.workers != 1)}"]
        return ", ".join([*loaders, self.optimizer, f"{count} thread{'s' * (count != 1)}"])


@dataclass(frozen=True)
class Way:
    """One way to write an epoch, for the methods of which it has a step."""

    told: str  # what it does, in one line
    steps: dict[str, Callable[..., object]]
    settings: tuple[Settings, ...]
    needs: str = ""  # a package that must be installed

    @property
    def here(self) -> bool:
        """Whether it can be taken on this machine."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


_COUNTS = (1, None) if torch.get_num_threads() > 1 else (None,)
_IN_MEMORY = tuple(Settings(count, None, name) for name in ("Adam", "fused Adam") for count in _COUNTS)

WAYS = {
    TUTORIAL: Way(
        "a `DataLoader` with transforms image by image, worker processes that start anew each epoch, `itertools.cycle` "
        "over the clean loader, which keeps its batches, `higher` for the inner loop, and a count of the right ones.",
        {
            "standard": usual.counting_right_ones(usual.standard_step),
            "reweight": usual.counting_right_ones(usual.reweight_step),
        },
        tuple(Settings(count, workers) for workers in (0, 1, 2, 4, 6) for count in _COUNTS),
    ),
    "in memory, plain PyTorch": Way(
        "all images as one float tensor, a shuffled order, rows of it, forward, backward, step.",
        {"standard": usual.standard_step},
        _IN_MEMORY,
    ),
    "in memory, higher": Way(
        "the same, with clean batches drawn from a tensor and `higher` for the inner loop.",
        {"reweight": usual.reweight_step},
        _IN_MEMORY,
    ),
    "in memory, torch.func": Way(
        "the same without a recorded step: the derivative worked out by hand for Adam, and one `jvp`.",
        {"reweight": usual.forward_mode_step},
        _IN_MEMORY,
    ),
    "in memory, TorchOpt": Way(
        "the same with TorchOpt's `MetaAdam` for the inner loop.",
        {"reweight": usual.torchopt_step},
        tuple(Settings(count, None, "MetaAdam") for count in _COUNTS),
        needs="torchopt",
    ),
}


def epochs(task: Task, method: str, way: str, settings: Settings, batches: int | None = None) -> Iterator[float]:
    """Seconds of one epoch after the other; if `batches` is given, of so many batches, scaled to an epoch.

    The start and the end of worker processes are not scaled: they come once an epoch.
    """
    step = WAYS[way].steps[method]
    model = build_model("mlp", tuple(task.images.shape[1:]), task.num_classes, seed=0)
    optimizer = _optimizer(settings.optimizer, model)
    noisy, clean = loaders(task, method, settings.workers) if way == TUTORIAL else in_memory(task, method)
    while True:
        with threads(settings.threads or torch.get_num_threads()):
            began, first, done = time.perf_counter(), 0.0, 0
            passing = iter(noisy)
            for examples in itertools.islice(passing, batches):
                first = first or time.perf_counter() - began
                step(model, optimizer, examples, *itertools.islice(clean, 1))
                done += 1
            stopped = time.perf_counter()
            passing = None  # ends what workers there still are
        yield first + (stopped - began - first) * len(noisy) / done + time.perf_counter() - stopped


def loaders(task: Task, method: str, workers: int) -> tuple[DataLoader, Iterator[usual.Examples]]:
    """What the method learns from, and its clean batches if it takes any, read picture by picture."""
    pixels = _pixels(task)

    def loader(part: slice) -> DataLoader:
        pictures = usual.Pictures(pixels[part], task.given[part], task.mean, task.std)
        return DataLoader(pictures, BATCH, shuffle=True, num_workers=workers)

    noisy, clean = _parts(task, method)
    return loader(noisy), itertools.cycle(loader(clean)) if clean else iter(())


@functools.cache
def _pixels(task: Task) -> Tensor:
    """The task's images as the bytes (N + M, H, W) that they were."""
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (task.mean, task.std))
    return ((task.images * std + mean) * 255).round().to(torch.uint8).squeeze(1)


def in_memory(task: Task, method: str) -> tuple[usual.Shuffled, Iterator[usual.Examples]]:
    """The same as float tensors."""
    noisy, clean = _parts(task, method)
    drawn = usual.drawn(task.images[clean], task.given[clean], BATCH) if clean else iter(())
    return usual.Shuffled(task.images[noisy], task.given[noisy], BATCH), drawn


def _parts(task: Task, method: str) -> tuple[slice, slice | None]:
    """Standard training learns from the noisy set and the clean one; reweighting from the former, by the latter."""
    count = task.noisy_count
    return (slice(None), None) if method == "standard" else (slice(count), slice(count, None))


def _optimizer(name: str, model: nn.Module) -> object:
    if name == "MetaAdam":
        return usual.meta_adam(model, LEARNING_RATE)
    return torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=name == "fused Adam" or None)


class OwnProcess:
    """The process in which the ways run. Ask it for an epoch as often as you like; it waits meanwhile."""

    def __init__(self, data: str):
        command = [sys.executable, "-W", "ignore:This DataLoader will create", "-c", SERVE.format(data)]
        surroundings = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        folder, pipe = Path(__file__).parent.parent, subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=folder, env=surroundings, text=True, stdin=pipe, stdout=pipe)

    def seconds(self, method: str, way: str, settings: Settings, batches: int | None = None) -> float:
        """How long the next epoch takes."""
        with contextlib.suppress(BrokenPipeError):  # of a process that has ended, and gives no answer
            print(json.dumps([method, way, asdict(settings), batches]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process of the ways ended in an epoch of {method} by {way}; see above")
        return float(answer)

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()


def serve(data: str) -> None:
    """What runs in that process: a line in asks for an epoch, a line out says how many seconds it took."""
    task = make_task(load(data, device="cpu"), ratio=0.8, clean_per_class=50, seed=0)
    running = functools.cache(lambda *asked: epochs(task, *asked))
    for line in sys.stdin:
        method, way, settings, batches = json.loads(line)
        print(next(running(method, way, Settings(**settings), batches)), flush=True)
