"""Networks that train side by side on points in the plane, and go on where they stand when more is asked for."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from torch import Tensor

from nlkit.data.dataset import Dataset
from nlkit.data.plane import as_points, lattice, plane
from nlkit.learning.field import field
from nlkit.learning.models import build_model, predict
from nlkit.live.controls import task_settings
from nlkit.papers import METHODS
from nlkit.plots.boundaries import MOST
from nlkit.records import Record
from nlkit.tasks.flips import flip_where
from nlkit.tasks.make import make_task
from nlkit.training.train import train

OFFERED = ("standard", "clean_only", "reweight", "mixup", "mentornet", "mentormix", "co-teaching", "gce", "elr",
           "label_smoothing")  # fmt: skip
PER_CLASS = 40  # points
BATCH_SIZE = 16
PLANNED = 100_000  # epochs, so that a run never comes to an end by itself; a burn-in is a share of those asked for
_BURN_IN = 0.1


class Bench:
    """A task in the plane and a network for each method. Labels may be flipped in the task while they train.

    settings: noise, ratio, clean_per_class and seed of the task; epochs, learning_rate. flips: places in the data set's
    training part whose labels are flipped once the noise is drawn. Raises a ValueError for no method, or for more than
    a picture has room for.
    """

    def __init__(
        self, data: Dataset, methods: Sequence[str], settings: Mapping[str, object], flips: Collection[int] = ()
    ):
        if not 1 <= len(methods) <= MOST:
            raise ValueError(f"{len(methods)} methods are ticked; tick 1 to {MOST}: each has a picture of its own")
        self.task, self.flips = make_task(data, **task_settings(dict(settings)), device="cpu"), set(flips)
        flip_where(self.task, self.flips)
        shape, self.ended = tuple(self.task.images.shape[1:]), 0
        seed: int = settings["seed"]  # type: ignore[assignment]
        self.networks = {name: build_model("mlp", shape, data.num_classes, seed=seed) for name in methods}
        self.runs = [
            train(
                self.task, name, model=network, epochs=PLANNED, batch_size=BATCH_SIZE, seed=seed,
                learning_rate=settings["learning_rate"], **_options(name, settings["epochs"]),  # type: ignore
            )
            for name, network in self.networks.items()
        ]  # fmt: skip

    def records(self, epochs: int, pace: float | None = None) -> Iterator[tuple[int, Record]]:
        """(place of the method, record) of so many further epochs; pace: epochs a second at most."""
        began = time.monotonic()
        for number in range(1, epochs + 1):
            for place, run in enumerate(self.runs):
                yield place, next(run)  # type: ignore[misc]
            self.ended += 1
            if pace:
                time.sleep(max(0.0, began + number / pace - time.monotonic()))

    def take(self, flips: Collection[int]) -> None:
        """Make these the flipped ones, whatever was flipped before."""
        flip_where(self.task, self.flips ^ set(flips))
        self.flips = set(flips)

    def fields(self) -> dict[str, Tensor]:
        """What each network says of the plane now, by its name: (rows, columns) probability of the second class."""
        everywhere = lattice()
        return {_shown(name): field(network, everywhere) for name, network in self.networks.items()}

    def words(self, records: Sequence[Record | None]) -> dict[str, str]:
        """A line for each network: its last test accuracy, and how many of the wrong labels it repeats now."""
        task, told = self.task, {}
        wrong = int(task.wrong.sum())
        for (name, network), record in zip(self.networks.items(), records):
            repeated = int((predict(network, task.noisy_images) == task.given_labels)[task.wrong].sum())
            tested = "not trained" if record is None else f"test {record.test_accuracy:.0%}"
            told[_shown(name)] = f"{tested}; repeats {repeated} of {wrong} wrong" if wrong else tested
        return told


def _shown(name: str) -> str:
    return name.replace("_", " ")


@functools.cache
def _has_burn_in(method: str) -> bool:
    return "burn_in" in inspect.signature(METHODS[method]).parameters


def _options(method: str, epochs: int) -> dict[str, float]:
    return {"burn_in": _BURN_IN * epochs / PLANNED} if _has_burn_in(method) else {}


@functools.cache
def points(name: str) -> Dataset:
    """The points of a panel: "moons" or "blobs"."""
    return plane(name, per_class=PER_CLASS)


@functools.cache
def from_left(name: str) -> list[int]:
    """Places of those points in the data set, from left to right."""
    return as_points(points(name).train_images)[:, 0].argsort().tolist()
