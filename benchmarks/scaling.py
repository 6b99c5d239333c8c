"""How cost grows: with the examples, the clean set, the classes, and the width of the network."""

from __future__ import annotations

from torch import nn

from benchmarks.steps import Bench
from benchmarks.timing import Row, interleaved, rows_of
from nlkit import make_task, train
from nlkit.data.dataset import Dataset
from nlkit.data.load import load

SIZES = {"examples": (500, 1000, 2000, 4000), "clean set": (50, 500, 5000), "classes": (10, 100, 1000),
         "width": (64, 128, 256, 512, 1024)}  # fmt: skip


def measure(rounds: int = 15, sizes: dict[str, tuple[int, ...]] = SIZES) -> list[Row]:
    """Part 5 of the list in run.py. An epoch for the examples, a step for the rest, both of reweighting."""
    rows = []
    for what, values in sizes.items():
        sides = {f"{value:,}": _growing[what](value) for value in values}
        taken = interleaved(sides, rounds)
        case = f"{what}: an epoch" if what == "examples" else f"{what}: a step"
        rows += rows_of("scaling", case, taken, next(iter(sides)))
    return rows


def wide(width: int) -> nn.Sequential:
    """The classroom network with `width` and width / 2 hidden units."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, width),
        nn.ReLU(),
        nn.Linear(width, width // 2),
        nn.ReLU(),
        nn.Linear(width // 2, 10),
    )


def _epochs_on(examples: int):
    whole = load("mnist5k", device="cpu")
    chosen = slice(0, None, max(1, len(whole.train_labels) // examples))
    part = Dataset("part", whole.class_names, whole.train_images[chosen], whole.train_labels[chosen],
                   whole.test_images, whole.test_labels, whole.mean, whole.std)  # fmt: skip
    records = train(make_task(part, ratio=0.4, clean_per_class=10, seed=0, device="cpu"), "reweight", epochs=1000)
    return lambda: next(records)


_growing = {
    "examples": _epochs_on,
    "clean set": lambda size: Bench("mlp", examples=5000, clean=size).step("reweight"),
    "classes": lambda classes: Bench("mlp", classes=classes).step("reweight"),
    "width": lambda width: Bench("mlp", model=wide(width)).step("reweight"),
}
