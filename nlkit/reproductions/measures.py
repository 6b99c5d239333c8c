"""How each claim of the notebooks is measured, for one seed: from runs that several claims may share, or directly."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from nlkit.cnwl import LEVELS
from nlkit.data import load
from nlkit.experiment import Experiment
from nlkit.identity import key
from nlkit.models import build_model, evaluate, predict, with_new_head
from nlkit.noise import corrupt, noise_matrix
from nlkit.optimizers import build_optimizer
from nlkit.papers.reweight import help_by_higher, help_by_jvp
from nlkit.randomness import seeded_generator
from nlkit.run import normalize_weights
from nlkit.sweep import Result, load_sweep
from nlkit.task import Task, make_task
from nlkit.training import train

RATIOS = (0.2, 0.4, 0.6, 0.8)
QUICK_LEVELS = (0.4, 0.8)  # of the ten, when there is no time for all
CURVES = ("given_accuracy", "recovered", "weight_on_right", "kept")  # what the measures below read of a run


def from_grid(name: str, experiment: Experiment) -> Result | None:
    """The run of an experiment in a grid that the package carries, if it is there."""
    return _grid(name).get(key(experiment))


@functools.cache
def _grid(name: str) -> dict[str, Result]:
    return {result.key: result for result in load_sweep(name).results}


@dataclass(frozen=True)
class Trial:
    """One seed of a measure. It asks `train` for the runs that it needs, each of which is made once."""

    seed: int
    device: str
    train: Callable[[Experiment], Result]
    levels: tuple[float, ...] = LEVELS
    look_up: Callable[[str, Experiment], Result | None] = from_grid  # a run of a grid that the package carries

    def run(self, **settings: object) -> Result:
        return self.train(Experiment(seed=self.seed, device=self.device, **settings))

    def task(self, data: str = "mnist5k", **settings: object) -> Task:
        return make_task(data, seed=self.seed, device=self.device, **settings)


# 01: label noise. The digits themselves are enough.


def _doubled(t: Trial) -> float:
    """The largest share of a class's wrong labels over the mean of the others."""
    confusion = t.task(noise="symmetric-doubled", ratio=0.8).confusion.double().fill_diagonal_(0)
    rivals = confusion.sort(dim=1, descending=True).values[:, :9]  # the nine wrong labels of each class
    return (rivals[:, 0] / rivals[:, 1:].mean(1)).mean().item()


def _nested(t: Trial) -> float:
    true = t.task(ratio=0.0).true_labels.cpu()
    at_30, at_40 = (corrupt(true, noise_matrix("symmetric", 10, ratio), seed=t.seed) for ratio in (0.3, 0.4))
    return (at_40 == at_30)[at_30 != true].double().mean().item()


# 03: meta-reweighting


def _same_weights(t: Trial) -> float:
    """The largest difference in 30 steps of Adam between two engines' weights, in units of the largest weight."""
    task = t.task(ratio=0.8)
    model = build_model("mlp", (1, 28, 28), 10, seed=t.seed)
    next(train(task, model=model, epochs=1, seed=t.seed))
    optimizer = build_optimizer("adam", model, 6e-4, 0.0)
    draw, largest = seeded_generator(t.seed, "batches to compare on"), 0.0
    for _ in range(30):
        noisy, clean = (torch.randperm(n, generator=draw)[:128] for n in (len(task.wrong), len(task.clean_labels)))
        noisy = task.noisy_images[noisy], task.given_labels[noisy]
        clean = task.clean_images[clean], task.clean_labels[clean]
        by_higher = normalize_weights(help_by_higher(model, optimizer, noisy, clean)[0])
        help_, losses = help_by_jvp(model, optimizer, noisy, clean)
        weights = normalize_weights(help_)
        largest = max(largest, ((weights - by_higher).abs().max() / by_higher.max()).item())
        optimizer.zero_grad()
        (weights * losses).sum().backward()
        optimizer.step()
    return largest


def _lead_on_clean(t: Trial, **settings: object) -> float:
    return t.run(method="reweight", **settings).final - t.run(method="clean_only", **settings).final


def _lead_of_the_paper(t: Trial, **settings: object) -> float:
    """Last test accuracy with the paper's look-ahead minus that with the optimizer's."""
    paper = t.run(method="reweight", options={"look_ahead": "paper"}, **settings)
    return paper.final - t.run(method="reweight", **settings).final


# 04: MentorMix

_TWICE = {"alpha": 4.0, "second_weighting": True}


def _mentormix(t: Trial, **options: object) -> float:
    return t.run(method="mentormix", clean_per_class=0, options=options).final


def _small_loss_is_right(t: Trial) -> float:
    task, model = t.task(ratio=0.6, clean_per_class=0), build_model("mlp", (1, 28, 28), 10, seed=t.seed)
    list(train(task, model=model, epochs=4, seed=t.seed))
    batch = torch.randperm(len(task.wrong), generator=seeded_generator(t.seed, "a batch to look at"))[:128]
    batch = batch.to(task.device)
    losses = F.cross_entropy(evaluate(model, task.noisy_images[batch]), task.given_labels[batch], reduction="none")
    return (~task.wrong[batch])[losses < losses.quantile(0.4)].double().mean().item()


def _beats_parts(t: Trial) -> float:
    parts = (
        t.run(method="mixup", clean_per_class=0, options={"alpha": 4.0}),
        t.run(method="mentornet", clean_per_class=0),
    )
    return _mentormix(t, alpha=4.0) - max(part.final for part in parts)


def _at_ratios(t: Trial, method: str) -> list[Result]:
    return [t.run(method=method, ratio=ratio, clean_per_class=0) for ratio in RATIOS]


def _never_below(t: Trial) -> float:
    return min(a.final - b.final for a, b in zip(_at_ratios(t, "mentormix"), _at_ratios(t, "standard")))


def _error_of_the_guess(t: Trial) -> float:
    return max(abs(run.at_end("kept") - (1 - ratio)) for run, ratio in zip(_at_ratios(t, "mentormix"), RATIOS))


def _lost_by_estimates(t: Trial) -> float:
    """The smallest lead of a method that estimates over standard training, or over itself where it is told if lower."""
    leads = []
    for epochs, ratio in itertools.product((5, 10), (0.0, 0.2, 0.4)):
        setting = {"epochs": epochs, "ratio": ratio, "clean_per_class": 0}
        standard, matrix = t.run(**setting).final, noise_matrix("symmetric", 10, ratio).tolist()
        for method, told in {
            "mentornet": {"percentile": 1 - ratio}, "mentormix": {"percentile": 1 - ratio},
            "co-teaching": {"percentile": 1 - ratio}, "forward": {"matrix": matrix}, "em": {"matrix": matrix},
        }.items():  # fmt: skip
            lead = t.run(method=method, **setting).final - standard
            if lead < min(leads, default=0.0):  # or it can't be the smallest: what it would be told is not asked
                truth = t.run(method=method, options=told, **setting).final
                lead += standard - min(standard, truth)
            leads.append(lead)
    return min(leads)


def _gain_of_weighing_again(t: Trial, **options: object) -> float:
    return _mentormix(t, **_TWICE, **options) - _mentormix(t, alpha=4.0, **options)


def _starved(t: Trial) -> float:
    task, model = t.task(ratio=0.8, clean_per_class=0), build_model("mlp", (1, 28, 28), 10, seed=t.seed)
    list(train(task, "mentormix", model=model, seed=t.seed, **_TWICE))
    said = predict(model, task.test_images).bincount(minlength=10) / len(task.test_labels)
    return (said < 0.02).double().mean().item()


# 05: beyond synthetic noise


def _over_levels(t: Trial, noise: str, method: str) -> float:
    """Last test accuracy, mean over the noise levels."""
    runs = [t.run(noise=noise, method=method, ratio=ratio, clean_per_class=0) for ratio in t.levels]
    return sum(run.final for run in runs) / len(runs)


def _lead(t: Trial, noise: str) -> float:
    return _over_levels(t, noise, "mentormix") - _over_levels(t, noise, "standard")


def _fall(t: Trial, noise: str) -> float:
    run = t.run(noise=noise, ratio=0.8, clean_per_class=0)
    return run.best - run.final


def _memorized(t: Trial, noise: str) -> float:
    return t.run(noise=noise, ratio=0.6, clean_per_class=0).memorized[-1]


def _tuning(t: Trial, noise: str) -> float:
    """Fine-tuned on the digits 5 to 9 after training on 0 to 4, minus trained from scratch: mean over three ratios."""
    digits = load("mnist5k", device=t.device)
    pretrained = build_model("mlp", (1, 28, 28), 5, seed=t.seed)
    first = make_task(digits.of_classes("01234"), ratio=0.0, clean_per_class=0, device=t.device)
    list(train(first, model=pretrained, epochs=10, seed=t.seed))
    tuned, scratch = with_new_head(pretrained, 5, seed=t.seed), build_model("mlp", (1, 28, 28), 5, seed=t.seed)
    gains = []
    for ratio in (0.2, 0.4, 0.6):
        task = make_task(
            digits.of_classes("56789"), noise=noise, ratio=ratio, clean_per_class=0, seed=t.seed, device=t.device
        )
        ends = [list(train(task, model=copy.deepcopy(model), epochs=15, seed=t.seed))[-1] for model in (tuned, scratch)]
        gains.append(ends[0].test_accuracy - ends[1].test_accuracy)
    return sum(gains) / len(gains)


def _loss_after_peak(t: Trial, ratio: float = 0.8) -> float:
    run = t.run(epochs=40, ratio=ratio)
    return run.best - run.final


def _memorized_minus_recovered(t: Trial) -> float:
    run = t.run(epochs=40)
    return run.memorized[-1] - run.at_end("recovered")


def _rise_of_given(t: Trial) -> float:
    run = t.run(epochs=40)
    return run.at_end("given_accuracy") - run.at_best("given_accuracy")


def _loss_of_reweighting(t: Trial) -> float:
    run = t.run(method="reweight")
    return run.best - run.final


Measure = Callable[[Trial], float | tuple[float, ...]]  # a tuple: one number a cell, and then the claim is of each

MEASURES: dict[str, dict[str, Measure]] = {
    "Label noise": {
        "exact_ratio": lambda t: t.task(noise="symmetric", ratio=0.8).realized_ratio,
        "own_class": lambda t: t.task(noise="symmetric-own", ratio=0.8).realized_ratio,
        "doubled_class": _doubled,
        "asymmetric_half": lambda t: t.task(noise="asymmetric", ratio=0.4).realized_ratio,
        "nested": _nested,
    },
    "Memorization": {
        "standard_falls": _loss_after_peak,
        "early_learning": lambda t: t.run(epochs=40).at_best("recovered"),
        "memorizes": _memorized_minus_recovered,
        "training_misleads": _rise_of_given,
        "noise_costs_more": lambda t: _loss_after_peak(t, 0.8) - _loss_after_peak(t, 0.2),
    },
    "Meta-reweighting": {
        "same_weights": _same_weights,
        "reweight_holds": _loss_of_reweighting,
        "reweight_beats_standard": lambda t: t.run(method="reweight").final - t.run().final,
        "weight_finds_right": lambda t: t.run(method="reweight").at_end("weight_on_right"),
        "reweight_beats_clean_80": _lead_on_clean,
        "reweight_beats_clean_40": lambda t: _lead_on_clean(t, ratio=0.4, clean_per_class=20),
        "look_ahead_adam": lambda t: -_lead_of_the_paper(t),
        "look_ahead_momentum": lambda t: _lead_of_the_paper(t, optimizer="momentum", learning_rate=0.02),
    },
    "MentorMix": {
        "small_loss_is_right": _small_loss_is_right,
        "mentormix_beats_parts": _beats_parts,
        "mentormix_never_below": _never_below,
        "guess_is_good": _error_of_the_guess,
        "short_runs": _lost_by_estimates,
        "second_weighting_helps": lambda t: _gain_of_weighing_again(t),
        "second_weighting_schedule": lambda t: _gain_of_weighing_again(t, mentor="schedule"),
        "second_weighting_soft": lambda t: _gain_of_weighing_again(t, mentor="soft"),
        "classes_starve": _starved,
        "by_class_helps": lambda t: _mentormix(t, **_TWICE, by_class=True) - _mentormix(t, alpha=4.0),
    },
    "Beyond synthetic noise": {
        "red_generalizes": lambda t: _over_levels(t, "red", "standard") - _over_levels(t, "symmetric", "standard"),
        "red_no_fall": lambda t: _fall(t, "symmetric") - _fall(t, "red"),
        "red_memorized": lambda t: _memorized(t, "red") - _memorized(t, "symmetric"),
        "blue_is_not_red": lambda t: _lead(t, "symmetric") - _lead(t, "red"),
        "mentormix_on_blue": lambda t: _lead(t, "symmetric"),
        "mentormix_on_red": lambda t: _lead(t, "red"),
        "tuning_helps_blue": lambda t: _tuning(t, "symmetric"),
        "tuning_helps_red": lambda t: _tuning(t, "red"),
    },
}
