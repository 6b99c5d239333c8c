"""The training loop: one epoch after another, each ending in a record of what the network then does."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from nlkit.learning.devices import InBfloat16, fast_products, threads
from nlkit.learning.learner import Batch, Run
from nlkit.learning.models import evaluate, predict
from nlkit.learning.own_network import OwnDraws
from nlkit.learning.peer import Jury
from nlkit.learning.ranking import area_under_curve, runner_up_share
from nlkit.records import Record, Step
from nlkit.tasks.task import Task
from nlkit.training.checkpoints import Checkpoint


@dataclass
class Trainer:
    task: Task
    algorithm: object
    run: Run
    network: nn.Module  # the network itself, where run.model is one that computes in bfloat16
    averaged: AveragedModel | None  # the network that is measured, when it is not the one that is trained
    batch_size: int
    epochs: int
    learning_rates: list[float]  # of the run's `groups`, with which the schedule starts
    schedule: Callable[[float], float]
    generator: torch.Generator  # of the order of the examples
    augmentation: torch.Generator
    draws: OwnDraws | None  # of the layers of a network of one's own; the kit's own networks draw nothing
    threads: int  # of a step
    fast: bool = False  # whether the products of a step are in bfloat16
    measured_in_bfloat16: bool = False  # whether the passes that measure are, as those that learn
    held_out: Tensor | None = None  # (H,) places in the noisy set of which no batch is made
    behind: float = 0.0  # progress that a plan of fewer epochs had reached; what a method left behind stays behind
    diverged: bool = False

    def events(self, done: list[Record], file: Checkpoint | None) -> Iterator[Step | Record]:
        """The records that are `done`, and then every step and record of the epochs that are not.

        Where the file can't be written, the record comes all the same, and the OSError when more is asked for.
        """
        yield from done
        for number in range(len(done) + 1, self.epochs + 1):
            for event in self.epoch(number):
                if isinstance(event, Record):
                    done.append(event)
                    if file:
                        try:
                            file.save(done, self.state())
                        except OSError:  # a full disk: what was trained is still worth to be seen
                            yield event
                            raise
                yield event
        if weights := getattr(self.algorithm, "weights", None):
            self._measured.load_state_dict(weights)

    def epoch(self, number: int) -> Iterator[Step | Record]:
        task, run = self.task, self.run
        images, labels = {
            "noisy": (task.noisy_images, task.given_labels),
            "clean": (task.clean_images, task.clean_labels),
            "noisy and clean": (task.images, task.given),
        }[self.algorithm.learns_from]
        places = torch.arange(len(labels), device=task.device)  # those that it learns from
        if self.held_out is not None:
            places = places[~torch.isin(places, self.held_out)]
        # A method that learns from the clean set alone goes through it as often as it takes to see as many examples.
        visits = max(len(places), len(task.given_labels) if self.held_out is None else 0)
        losses, weights = [], torch.zeros(len(labels), device=task.device)
        shown: dict[str, Tensor] = {}
        started, waited = time.perf_counter(), 0.0
        batches = self._batches(places, visits)
        for done, index in enumerate(batches):
            progress = (number - 1 + done / len(batches)) / self.epochs
            run.progress = max(progress, self.behind)
            run.steps_done, run.steps_an_epoch = (number - 1) * len(batches) + done, len(batches)
            for group, rate in zip(run.groups, self.learning_rates):
                group["lr"] = rate * self.schedule(progress)
            own_draws = self.draws.active() if self.draws else nullcontext()
            with threads(self.threads), fast_products(self.fast), torch.enable_grad(), own_draws:
                originals = images.index_select(0, index)
                seen = run.augment(originals, self.augmentation)
                result = self.algorithm.step(run, Batch(index, seen, labels.index_select(0, index), originals))
            losses.append(result.loss.detach())
            if self.averaged:
                self.averaged.update_parameters(self.network)
            if result.weights is not None:
                weights[index] = result.weights.detach() * len(index)
            for name, values in (result.shown or {}).items():
                shown.setdefault(name, torch.full_like(weights, torch.nan))[index] = values.detach().to(weights.dtype)
            left = time.perf_counter()
            yield Step(number, done + 1, len(batches))
            waited += time.perf_counter() - left
        loss = torch.stack(losses).mean().item()  # waits for the device, so that the time below is all of it
        seconds = time.perf_counter() - started - waited
        self._say_if_diverged(number, loss)
        weighs, weights = result.weights is not None, weights[: task.noisy_count]  # those of the noisy set
        shown = {name: values[: task.noisy_count] for name, values in shown.items()}
        chosen = self.algorithm.after_epoch(run, self._measured) if hasattr(self.algorithm, "after_epoch") else {}
        with self._weights_of_choice():
            measured, runner_up = self.measure()
        yield Record(
            epoch=number,
            loss=loss,
            **measured,
            seconds=seconds,
            examples_per_second=visits / seconds,
            extra=(_weight_shares(weights, task) if weighs else {}) | _tells_wrong(shown, task) | runner_up | chosen,
            example_weights=weights.cpu() if weighs else None,
            example_values={name: values.cpu() for name, values in shown.items()},
        )

    def _batches(self, places: Tensor, visits: int) -> tuple[Tensor, ...]:
        """Indices (B,) of shuffled passes through the examples at `places`, `visits` of them in all.

        A last batch of one example joins the one before: a norm over the batch would have nothing to compare it with.
        """
        size = len(places)
        passes = [torch.randperm(size, generator=self.generator) for _ in range(math.ceil(visits / size))]
        order = places[torch.cat(passes)[:visits].to(places.device)]
        last = visits - 1 if self.batch_size > 1 and visits % self.batch_size == 1 and visits > 1 else visits
        batches = list(order[:last].split(self.batch_size))
        batches[-1] = torch.cat([batches[-1], order[last:]])
        return tuple(batches)

    def _say_if_diverged(self, number: int, loss: float) -> None:
        finite = math.isfinite(loss) and all(bool(p.isfinite().all()) for p in self.network.parameters())
        if not finite and not self.diverged:
            self.diverged = True
            warnings.warn(
                f"training diverged in epoch {number}: the loss is {loss:g}, and what is measured from here on means "
                "nothing; take a lower learning rate", RuntimeWarning, stacklevel=2,
            )  # fmt: skip

    def measure(self) -> tuple[dict[str, float | None], dict[str, float]]:
        """The accuracies and shares of a record, and what is asked where the noise names a likeliest wrong label."""
        task = self.task
        model = InBfloat16(self._measured) if self.measured_in_bfloat16 else self._measured
        predicted = predict(model, task.noisy_images)
        as_given, as_true = predicted == task.given_labels, predicted == task.true_labels
        of_a_class = task.true_labels >= 0
        scores = evaluate(model, task.test_images) if len(task.test_labels) else None
        tested = None if scores is None else scores.argmax(1) == task.test_labels
        asks = scores is not None and task.matrix is not None
        runner_up = runner_up_share(scores, task.test_labels, task.matrix) if asks else None
        known = task.known_count  # what can't be measured without the truth is None, and absent from rows
        return {
            "given_accuracy": as_given.double().mean().item(),
            "true_accuracy": as_true[of_a_class].double().mean().item() if known else None,
            "test_accuracy": None if tested is None else tested.double().mean().item(),
            "memorized": as_given[task.wrong].double().mean().item() if known else None,
            "recovered": as_true[task.wrong & of_a_class].double().mean().item() if known else None,
            "known": None if known == task.noisy_count else known,
        }, {} if runner_up is None else {"runner_up": runner_up}

    @property
    def _measured(self) -> nn.Module:
        own = self.averaged or self.network
        jurors = self.algorithm.jurors(self.run) if hasattr(self.algorithm, "jurors") else []
        return Jury([own, *jurors]) if jurors else own

    @contextmanager
    def _weights_of_choice(self) -> Iterator[None]:
        """Within it the network that is measured has the weights that its method chose, if it chooses any."""
        weights = getattr(self.algorithm, "weights", None)
        now = copy.deepcopy(self._measured.state_dict()) if weights else None
        if weights:
            self._measured.load_state_dict(weights)
        try:
            yield
        finally:
            if now:
                self._measured.load_state_dict(now)

    def state(self) -> dict[str, object]:
        return {
            "model": self.network.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged else {},
            "optimizer": self.run.optimizer.state_dict(),
            "beside": [optimizer.state_dict() for optimizer in self.run.beside],
            "method": getattr(self.algorithm, "state", {}),
            "generators": [generator.get_state() for generator in self._generators],
            "draws": self.draws.state if self.draws else {},
            "behind": max(self.run.progress, self.behind),
        }

    def load_state(self, state: dict[str, object]) -> None:
        self.network.load_state_dict(state["model"])
        if self.averaged:
            self.averaged.load_state_dict(state["averaged"])
        self.run.optimizer.load_state_dict(state["optimizer"])
        for optimizer, saved in zip(self.run.beside, state.get("beside", []), strict=True):
            optimizer.load_state_dict(saved)
        for name, saved in state["method"].items():
            ours = self.algorithm.state.get(name)
            if isinstance(ours, nn.Parameter):  # which an optimizer knows
                ours.data.copy_(saved)
            else:
                self.algorithm.state[name] = saved
        for generator, saved in zip(self._generators, state["generators"]):
            generator.set_state(saved.cpu())
        if self.draws:
            self.draws.state = {kind: saved.cpu() for kind, saved in state["draws"].items()}

    @property
    def _generators(self) -> tuple[torch.Generator, ...]:
        return self.generator, self.run.generator, self.augmentation


def _weight_shares(weights: Tensor, task: Task) -> dict[str, float]:
    """How the epoch's weight was split between right and wrong labels (summing to 1), and the share that got any.

    The split is that of the weight on labels of which the truth is known, and absent where it is of none.
    """
    kept = {"kept": (weights > 0).double().mean().item()}
    if not task.known_count:
        return kept
    total = weights[task.known].sum().clamp(min=1e-30)
    return {
        "weight_on_right": (weights[task.right].sum() / total).item(),
        "weight_on_wrong": (weights[task.wrong].sum() / total).item(),
        **kept,
    }


def _tells_wrong(shown: Mapping[str, Tensor], task: Task) -> dict[str, float]:
    """How well each number of the examples tells wrong labels from right: NAME_auc, the area under the ROC curve.

    Over labels of which the truth is known; absent where the number is not there of all, or where no label is wrong.
    """
    areas = {f"{name}_auc": area_under_curve(v[task.known], task.wrong[task.known]) for name, v in shown.items()}
    return {name: area for name, area in areas.items() if area is not None}
