"""Lesson 3, meta-reweighting: a small clean set decides how much each noisy example counts."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from nlkit.learning.learner import normalize_weights
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import build_optimizer
from nlkit.lessons.sources import TUTORIAL
from nlkit.measures import end, lead
from nlkit.page import Claim, Page, Trial
from nlkit.papers.reweight import help_by_higher, help_by_jvp
from nlkit.randomness import seeded_generator
from nlkit.training.train import train


def _same_weights(t: Trial) -> float:
    """The largest difference in 30 steps of Adam between two engines' weights, in units of the largest weight."""
    task = t.task(ratio=0.8)
    model = build_model("mlp", (1, 28, 28), 10, seed=t.seed)
    next(train(task, model=model, epochs=1, seed=t.seed, precision=t.precision))
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
    return t.run("reweight", **settings).final - t.run("clean_only", **settings).final


def _lead_on_stopped(t: Trial, **settings: object) -> float:
    return t.run("reweight", **settings).final - t.run("early_stopping", **settings).final


def _lead_of_the_paper(t: Trial, **settings: object) -> float:
    """Last test accuracy with the paper's look-ahead minus that with the optimizer's."""
    paper = t.run("reweight", options={"look_ahead": "paper"}, **settings)
    return paper.final - t.run("reweight", **settings).final


def _loss_of_reweighting(t: Trial) -> float:
    run = t.run("reweight")
    return run.best - run.final


_MOMENTUM = {"optimizer": "momentum", "learning_rate": 0.02}


def _grid() -> Iterator[tuple[str, dict[str, object]]]:
    """Much noise with some clean examples and less with few; at the former, what else may guide or be learned from."""
    for setting in ({}, {"ratio": 0.4, "clean_per_class": 20}):
        for variant in ("standard", "early_stopping", "reweight", "clean_only"):
            yield variant, setting
    yield "reweight", {"options": {"learn_clean": True}}
    yield "reweight", _MOMENTUM
    for trainer in ({}, _MOMENTUM):
        yield "reweight", {"options": {"look_ahead": "paper"}, **trainer}


PAGE = Page(
    title="Meta-reweighting",
    source="Ren et al. 2018, arXiv:1803.09050",
    finding="Weights from a look at a small clean set give right labels more than their share, at a price in time.",
    claims=(
        Claim(
            "same_weights",
            "One forward-mode product gives the same weights as differentiating through a recorded step.",
            "Ren et al. 2018: algorithm 1, against the inner product of their CIFAR code",
            _same_weights,
            "largest relative difference in 30 steps",
            at_most=1e-3,
            unit="x",
        ),
        Claim(
            "reweight_holds",
            "In 25 epochs, reweighting loses at most 8 points of its best test accuracy.",
            TUTORIAL,
            _loss_of_reweighting,
            "best minus last test accuracy",
            at_most=0.08,
            published="about 0 points",
            unit="points",
        ),
        Claim(
            "reweight_beats_standard",
            "At 80 % noise, reweighting ends far above standard training.",
            TUTORIAL,
            lead("reweight", "standard"),
            "last test accuracy, reweighting minus standard",
            at_least=0.15,
            published="45 points",
            unit="points",
        ),
        Claim(
            "reweight_beats_stopped_80",
            "At 80 % noise it ends above standard training that is stopped on held-out given labels.",
            "control: stopping in time",
            lambda t: _lead_on_stopped(t),
            "last test accuracy, reweighting minus early stopping, 50 clean per class",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "reweight_beats_stopped_40",
            "At 40 % noise with 20 clean per class, reweighting ends above it, too.",
            "control: stopping in time",
            lambda t: _lead_on_stopped(t, ratio=0.4, clean_per_class=20),
            "last test accuracy, reweighting minus early stopping",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "reweight_learns_clean",
            "Trained on the clean set too, and not only guided by it, reweighting ends higher.",
            "what the tutorial leaves open",
            lead("reweight", "reweight", options={"learn_clean": True}),
            "last test accuracy at 80 % noise, with minus without",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "weight_finds_right",
            "Right labels get more than their share of the weight.",
            "Ren et al. 2018",
            end("reweight", "weight_on_right"),
            "weight on the 20 % of right labels, last epoch",
            at_least=0.3,
        ),
        Claim(
            "reweight_beats_clean_80",
            "At 80 % noise with 50 clean per class, reweighting beats the clean set alone.",
            "what the tutorial leaves open",
            _lead_on_clean,
            "last test accuracy, reweighting minus clean only",
            at_least=0.0,
            unit="points",
            why="The clean examples guide the weights but are never trained on, and 700 right labels hidden among "
            "2,800 wrong ones are too few to make up for it.",
        ),
        Claim(
            "reweight_beats_clean_40",
            "At 40 % noise with 20 clean per class, reweighting beats training on the clean set alone.",
            "what the tutorial leaves open",
            lambda t: _lead_on_clean(t, ratio=0.4, clean_per_class=20),
            "last test accuracy, reweighting minus clean only",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "look_ahead_adam",
            "With Adam, looking ahead with the optimizer's own step ends above the paper's plain one.",
            "the tutorial against Ren et al. 2018",
            lambda t: -_lead_of_the_paper(t),
            "last test accuracy at 80 % noise, the former minus the latter",
            at_least=0.0,
            unit="points",
        ),
        Claim(
            "look_ahead_momentum",
            "With SGD and momentum, the paper's plain look-ahead ends above the optimizer's own.",
            "Ren et al. 2018 against the tutorial",
            lambda t: _lead_of_the_paper(t, **_MOMENTUM),
            "last test accuracy at 80 % noise, the former minus the latter",
            at_least=0.0,
            unit="points",
        ),
    ),
    variants={
        "standard": {"method": "standard"},
        "early_stopping": {"method": "early_stopping"},
        "reweight": {"method": "reweight"},
        "clean_only": {"method": "clean_only"},
    },
    grid=_grid,
    keep=("given_accuracy", "weight_on_right"),
    tiny={"epochs": 1},
)
