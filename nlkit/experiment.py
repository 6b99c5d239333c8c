"""One dataclass describes an experiment: what to corrupt, how, and how to train on it.

Its fields are the command line's options, the sweep's columns and the widgets' controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nlkit.data import DATASETS
from nlkit.methods import METHODS, build_method
from nlkit.models import MODELS
from nlkit.records import Record, Step
from nlkit.task import TASK_NOISE_TYPES, Task, make_task
from nlkit.training import OPTIMIZERS, train


def _setting(default: object, help: str):
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Experiment:
    """A task and a way to train on it. Values are checked when they are used, by `task()` and `run()`.

    >>> experiment = Experiment(method="reweight", ratio=0.4, epochs=2)
    >>> [record.epoch for record in experiment.run()]
    [1, 2]
    """

    data: str = _setting("mnist5k", f"Data set: {', '.join(DATASETS)}.")
    noise: str = _setting("symmetric", f"Noise type: {', '.join(TASK_NOISE_TYPES)}.")
    ratio: float = _setting(0.8, "Noise ratio: share of labels to make wrong, 0 to 1 (human labels have their own).")
    clean_per_class: int = _setting(50, "Clean set: trusted examples a class.")
    method: str = _setting("standard", f"Method: {', '.join(METHODS)}.")
    model: str = _setting("mlp", f"Network: {', '.join(MODELS)}.")
    epochs: int = _setting(25, "Passes through the noisy set.")
    batch_size: int = _setting(128, "Noisy examples a step.")
    optimizer: str = _setting("adam", f"Optimizer: {', '.join(OPTIMIZERS)}.")
    learning_rate: float = _setting(6e-4, "Learning rate, constant.")
    weight_average: float = _setting(0.0, "Decay a step of a moving average of the weights, which is then measured.")
    seed: int = _setting(0, "Seed of noise, clean set, initial weights and batches.")
    device: str = _setting("auto", "auto, cpu, cuda or mps.")
    options: Mapping[str, object] = field(default_factory=dict)  # the method's own options

    def task(self) -> Task:
        """The data of this experiment."""
        return make_task(
            self.data,
            noise=self.noise,
            ratio=None if self.noise.startswith("human:") else self.ratio,  # human labels have their own ratio
            clean_per_class=self.clean_per_class,
            seed=self.seed,
            device=self.device,
        )

    def run(
        self, task: Task | None = None, checkpoint: str | Path | None = None, yield_steps: bool = False
    ) -> Iterator[Record | Step]:
        """Train as `train` does, and yield one record an epoch; `task` saves making it again when it is at hand."""
        build_method(self.method, self.options)  # refuses an option that is called as one of train's own arguments
        return train(
            task or self.task(),
            self.method,
            model=self.model,
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            weight_average=self.weight_average,
            seed=self.seed,
            checkpoint=checkpoint,
            yield_steps=yield_steps,
            **self.options,
        )
