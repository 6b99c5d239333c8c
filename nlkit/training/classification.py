"""One dataclass describes an experiment: what to corrupt, how, and how to train on it.

Its fields are the command line's options, the sweep's columns and the widgets' controls.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch

from nlkit.checks import check_choice
from nlkit.data.load import DATASETS
from nlkit.identity import Complete
from nlkit.learning.augment import AUGMENTATIONS
from nlkit.learning.devices import PRECISIONS, pick_device
from nlkit.learning.models import MODELS
from nlkit.learning.optimizers import OPTIMIZERS, SCHEDULES
from nlkit.noise.kinds import NOISES
from nlkit.papers import METHODS, build_method
from nlkit.records import Record, Step
from nlkit.settings import plain, setting
from nlkit.tasks.make import make_task
from nlkit.tasks.task import Task
from nlkit.training.recipes import RECIPES, Recipe
from nlkit.training.train import train


@dataclass(frozen=True)
class Experiment:
    """A task and a way to train on it. Values are checked when they are used, by `task()` and `run()`.

    A setting that is None is taken from the recipe of the network, see recipes.py; `resolved()` fills it in.

    >>> experiment = Experiment(method="reweight", ratio=0.4, epochs=2)
    >>> [record.epoch for record in experiment.run()]
    [1, 2]
    """

    data: str = setting("mnist5k", f"Data set: {', '.join(DATASETS)}.")
    noise: str | Mapping[int, int] | list[list[float]] = setting(  # as `make_task` takes it
        "symmetric", f"Noise type: {', '.join(NOISES)}.", choices=tuple(NOISES), knob=True
    )
    ratio: float = setting(
        0.8,
        "Noise ratio: share of labels to make wrong, 0 to 1 (human labels have their own).",
        low=0,
        high=1,
        knob=True,
    )
    clean_per_class: int = setting(50, "Clean set: trusted examples per class.", low=0, high=200, knob=True)
    method: str = setting("standard", f"Method: {', '.join(METHODS)}.")
    model: str = setting("mlp", f"Network: {', '.join(MODELS)}.")
    epochs: int | None = setting(None, "Passes through the noisy set.", low=1, high=100, knob=True)
    batch_size: int | None = setting(None, "Noisy examples a step.")
    optimizer: str | None = setting(None, f"Optimizer: {', '.join(OPTIMIZERS)}.")
    learning_rate: float | None = setting(None, "Learning rate, with which the schedule starts.")
    schedule: str | None = setting(None, f"Learning-rate schedule: {', '.join(SCHEDULES)}.")
    weight_decay: float | None = setting(None, "What of the weights is added to their gradient.")
    augment: str | None = setting(None, f"Augmentation of what is learned from: {', '.join(AUGMENTATIONS)}.")
    weight_average: float | None = setting(None, "Decay a step of an average of the weights, which is measured.")
    precision: str | None = setting(None, f"Precision of the training: {', '.join(PRECISIONS)}.")
    seed: int = setting(0, "Seed of noise, clean set, initial weights and batches.")
    device: str = setting("auto", "auto, cpu, cuda or mps.")
    options: Mapping[str, object] = field(default_factory=dict)  # the method's own options

    # Settings that are younger than stored results: a field, or "METHOD.OPTION" -> the value that runs had before there
    # was one. Say here what a new setting was, and results from before it are found under it; of one that is not named
    # here they are not taken for runs that have it, at whatever value.
    BEFORE: ClassVar[Mapping[str, object]] = {
        "mentornet.mentor": "threshold",
        "mentormix.mentor": "threshold",
        "reweight.look_ahead": "optimizer",
        "em.networks": 1,
        "em.together": True,
    }

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

    @property
    def kept(self) -> tuple[str, ...]:
        """The numbers that sweeps keep, as far as a run has them: those of every method, and the method's own."""
        own = getattr(METHODS.get(self.method), "kept", ())
        return ("test_accuracy", "memorized", "runner_up", *own)

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

    def identity(self) -> dict[str, object]:
        """Every setting in plain values, with what the recipe supplies, and with all options of the method.

        Raises a ValueError for an unknown network or method, or a setting that no file can hold.
        """
        filled = self.resolved()
        found = {f.name: _as_meant(getattr(filled, f.name), f.type) for f in fields(self) if f.name != "options"}
        return found | {"options": with_defaults(self.method, self.options)}

    @classmethod
    def complete(cls, settings: Mapping[str, object]) -> Complete:
        """Make an identity that was kept in a file one of today, which may have settings that are younger.

        Raises a ValueError for a setting, a method or a network that is not known today, a KeyError where it has none.
        """
        names = [f.name for f in fields(cls)]
        for name in settings:
            check_choice("setting", name, names)
        method, options = str(settings["method"]), dict(settings["options"])  # type: ignore[call-overload]
        today = _of_today(method, str(settings["model"]), METHODS[check_choice("method", method, METHODS)])
        known = {name: cls.BEFORE[name] for name in today if name in cls.BEFORE} | dict(settings)
        by_default = with_defaults(method, {})
        before = {name: cls.BEFORE[f"{method}.{name}"] for name in by_default if f"{method}.{name}" in cls.BEFORE}
        options = before | options
        lacks = [name for name in today if name not in known]
        lacks += [f"{method}.{name}" for name in by_default if name not in options]
        known["options"] = options
        return Complete(known, today | known | {"options": with_defaults(method, options)}, frozenset(lacks))

    def where(self) -> str:
        """The device that it runs on. Raises a ValueError for one that isn't there."""
        return str(pick_device(self.device))

    def run(
        self, task: Task | None = None, checkpoint: str | Path | None = None, *, steps: bool = False
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
            yield_steps=steps,
            **self.options,
        )


def with_defaults(method: str, options: Mapping[str, object]) -> dict[str, object]:
    """The options of a method in plain values; those that are left out are at their defaults.

    Raises a ValueError for an unknown method or option.
    """
    build_method(method, dict(options))
    arguments = _arguments(METHODS[method])
    found = {name: argument.default for name, argument in arguments.items()} | dict(options)
    return {name: _as_meant(value, arguments[name].annotation) for name, value in found.items()}


@cache
def _of_today(method: str, model: str, algorithm: type) -> dict[str, object]:
    return Experiment(method=method, model=model).identity()


def _as_meant(value: object, annotation: object) -> object:
    """`value` in plain values; a whole number where a float is meant becomes one, since 0 and 0.0 are alike."""
    value = plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} can't be a setting; it must be a number")
    return float(value) if type(value) is int and str(annotation).startswith("float") else value


@cache
def _arguments(method: type) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(method).parameters
