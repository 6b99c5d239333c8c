"""One dataclass describes an experiment: what to corrupt, how, and how to train on it.

Its fields are the command line's options, the sweep's columns and the widgets' controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import torch

from nlkit.augment import AUGMENTATIONS
from nlkit.checks import check_choice
from nlkit.data import DATASETS
from nlkit.devices import PRECISIONS
from nlkit.methods import METHODS, build_method
from nlkit.models import MODELS
from nlkit.optimizers import OPTIMIZERS, SCHEDULES
from nlkit.recipes import RECIPES, Recipe
from nlkit.records import Record, Step
from nlkit.settings import plain
from nlkit.task import TASK_NOISE_TYPES, Task, make_task
from nlkit.training import train


def _setting(default: object, help: str):
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Experiment:
    """A task and a way to train on it. Values are checked when they are used, by `task()` and `run()`.

    A setting that is None is taken from the recipe of the network (`nlkit.recipes.RECIPES`); `resolved()` fills it in.

    >>> experiment = Experiment(method="reweight", ratio=0.4, epochs=2)
    >>> [record.epoch for record in experiment.run()]
    [1, 2]
    """

    data: str = _setting("mnist5k", f"Data set: {', '.join(DATASETS)}.")
    noise: str | Mapping[int, int] | list[list[float]] = _setting(  # as `make_task` takes it
        "symmetric", f"Noise type: {', '.join(TASK_NOISE_TYPES)}."
    )
    ratio: float = _setting(0.8, "Noise ratio: share of labels to make wrong, 0 to 1 (human labels have their own).")
    clean_per_class: int = _setting(50, "Clean set: trusted examples a class.")
    method: str = _setting("standard", f"Method: {', '.join(METHODS)}.")
    model: str = _setting("mlp", f"Network: {', '.join(MODELS)}.")
    epochs: int | None = _setting(None, "Passes through the noisy set.")
    batch_size: int | None = _setting(None, "Noisy examples a step.")
    optimizer: str | None = _setting(None, f"Optimizer: {', '.join(OPTIMIZERS)}.")
    learning_rate: float | None = _setting(None, "Learning rate, with which the schedule starts.")
    schedule: str | None = _setting(None, f"Learning-rate schedule: {', '.join(SCHEDULES)}.")
    weight_decay: float | None = _setting(None, "What of the weights is added to their gradient.")
    augment: str | None = _setting(None, f"Augmentation of what is learned from: {', '.join(AUGMENTATIONS)}.")
    weight_average: float | None = _setting(None, "Decay a step of an average of the weights, which is measured.")
    precision: str | None = _setting(None, f"Precision of the training: {', '.join(PRECISIONS)}.")
    seed: int = _setting(0, "Seed of noise, clean set, initial weights and batches.")
    device: str = _setting("auto", "auto, cpu, cuda or mps.")
    options: Mapping[str, object] = field(default_factory=dict)  # the method's own options

    def __post_init__(self) -> None:
        # Numbers of NumPy, tensors and arrays become plain values: two experiments can be compared, and one be kept.
        for f in fields(self):
            try:
                object.__setattr__(self, f.name, plain(getattr(self, f.name)))
            except ValueError as error:
                raise ValueError(f"{f.name}: {error}") from error
        if isinstance(self.noise, dict):  # JSON makes strings of the keys
            noise = {int(key) if str(key).isdecimal() else key: given for key, given in self.noise.items()}
            object.__setattr__(self, "noise", noise)

    def resolved(self) -> Experiment:
        """This experiment with every setting filled in, those that are None by the recipe of its network.

        Raises a ValueError for an unknown network, or for epochs that are not a whole number of at least 1.
        """
        check_choice("model", self.model, MODELS)
        recipe = RECIPES.get(self.model, Recipe()).settings(self.epochs)
        return replace(self, **{name: value for name, value in recipe.items() if getattr(self, name) is None})

    def task(self) -> Task:
        """The data of this experiment."""
        named = not isinstance(self.noise, list)
        has_own_ratio = not named or str(self.noise).startswith("human:")
        return make_task(
            self.data,
            noise=self.noise if named else torch.tensor(self.noise, dtype=torch.float64),
            ratio=None if has_own_ratio else self.ratio,
            clean_per_class=self.clean_per_class,
            seed=self.seed,
            device=self.device,
        )

    def run(
        self, task: Task | None = None, checkpoint: str | Path | None = None, yield_steps: bool = False
    ) -> Iterator[Record | Step]:
        """Train as `train` does, and yield one record an epoch; `task` saves making it again when it is at hand."""
        build_method(self.method, self.options)  # refuses an option that is called as one of train's own arguments
        settings = self.resolved()
        return train(
            task or self.task(),
            self.method,
            model=self.model,
            **{f.name: getattr(settings, f.name) for f in fields(Recipe)},
            seed=self.seed,
            checkpoint=checkpoint,
            yield_steps=yield_steps,
            **self.options,
        )
