"""Lesson 13: which labels a row of the race learns from, and of which rows its claims are measured."""

import dataclasses
import itertools
from pathlib import Path

import nbformat
import pytest
import torch
from scipy.stats import spearmanr

from nlkit.claims import claims_of
from nlkit.contents import experiment_of, grid_of
from nlkit.identity import key
from nlkit.intervals import in_percent, mean_interval
from nlkit.lessons import human_labels as lesson
from nlkit.noise.human import find_human_labels
from nlkit.sweeps.results import Result, Sweep
from nlkit.sweeps.run import load_sweep

MADE = {"date": "today", "versions": {"nlkit": "1"}, "processor": "one", "cores": 2}
MARK, METHODS, PAGE = lesson.MARK, lesson.METHODS, lesson.PAGE


def experiment(name: str, noise: str, seed: int = 2):
    return experiment_of(PAGE, name, seed=seed, **lesson.setting(name, noise))


@pytest.mark.parametrize("noise, name", [(n, name) for n in tuple(lesson.NOISES)[1:] for name in lesson.rows_of(n)])
def test_people_and_dice_differ_in_nothing_but_the_labels(noise, name):
    people, other = experiment(name, "people, worst"), experiment(name, noise)
    assert other.noise != people.noise and dataclasses.replace(other, noise=people.noise) == people


@pytest.mark.parametrize("noise", lesson.MADE)
def test_on_digits_the_full_recipe_moves_them_and_the_plain_one_does_not(noise):
    assert {experiment(name, noise).augment for name in ("standard", MARK, *METHODS)} == {"affine"}
    assert {experiment(name, noise).augment for name in ("standard, plain", "stopped, plain")} == {None}
    assert {experiment(name, noise).ratio for name in METHODS} == {0.4}


@pytest.mark.parametrize("noise", ["people, worst", *lesson.MADE])
def test_the_mark_learns_from_true_labels(noise):
    mark = experiment(MARK, noise)
    assert mark.noise == "human:clean" if noise == "people, worst" else mark.ratio == 0
    assert mark.method == "standard" and mark.learning_rate == experiment("standard", noise).learning_rate


@pytest.mark.full_data("cifar10")
@pytest.mark.skipif(find_human_labels() is None, reason="CIFAR-10N's labels were not found")
def test_dice_have_the_matrix_of_people():
    """Counted on 50,000 labels each: the dice are stratified, so that each entry is a count of people's."""
    people, dice = (experiment("standard", noise).task() for noise in ("people, worst", "dice, same matrix"))
    assert torch.equal(people.realized_matrix, dice.realized_matrix) and torch.equal(people.true, dice.true)
    both = (people.wrong & dice.wrong).sum() / people.wrong.sum()
    assert both.item() == pytest.approx(0.42, abs=0.05)  # chance: people's own share among images of the class


def test_what_is_claimed_is_measured_of_the_rows_that_the_sentence_names():
    finals = {name: 0.5 + 0.01 * place for place, name in enumerate((*PAGE.variants, *PAGE.besides))}
    added = {noise: 0.02 * place for place, noise in enumerate((*lesson.NOISES, *lesson.MADE))}
    finals_at = {  # (row, noise) -> last test accuracy; methods gain with the noise, standard training half as much
        (name, noise): finals[name] + more * (1 if name in (*METHODS, lesson.TOLD) else 0.5)
        for noise, more in added.items() for name in lesson.rows_of(noise)
    }  # fmt: skip
    by_key = {key(experiment(*at, seed)): final for at, final in finals_at.items() for seed in PAGE.seeds}
    stored = [Result(e, {"test_accuracy": (0.4, by_key[key(e)])}, 1.0, MADE) for e in grid_of("human-labels", None)]
    found = {id: outcome.mean for id, outcome in claims_of("human-labels", Sweep(tuple(stored))).outcomes.items()}

    def at(name, noise="people, worst"):
        return finals_at[name, noise]

    expected = {
        "goal": at("standard") - at("standard, plain"),
        "methods": at("SOP") - at("standard"),
        "small_loss": at("standard") - at("co-teaching"),
        "stopped": at("stopped, plain") - at("standard, plain"),
        "mark": at(MARK) - at("standard"),
        "dice": at("standard", "dice, same matrix") - at("standard"),
        "forward": 0.02 - 0.01,
        "told": at(lesson.TOLD) - at("standard"),
        "told_dice": 0.02 - 0.01,
        "stopped_full": at(lesson.STOPPED) - at("standard"),
        "symmetric": at("SOP", "digits, symmetric") - at("standard", "digits, symmetric"),
        "boundary": at("SOP", "digits, instance-boundary") - at("standard", "digits, instance-boundary"),
    }
    assert found == pytest.approx({f"human_labels_{name}": value for name, value in expected.items()})


def test_the_differences_and_ranks_that_the_lesson_tells_are_those_of_the_stored_runs():
    """Those that no cell of the notebook shows."""
    sweep, worst, dice, majority = load_sweep("human-labels"), *lesson.NOISES
    cells = nbformat.read(Path(__file__).parent.parent / "notebooks" / "13_human_labels.ipynb", 4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")

    def ahead(name, noise, other="standard", other_noise=None, seeds=None):
        pairs = [(experiment(name, noise, s), experiment(other, other_noise or noise, s))
                 for s in seeds or lesson.seeds_of(noise)]  # fmt: skip
        return [sweep.run(a).final - sweep.run(b).final for a, b in pairs]

    told = {
        "it ends {} lower than that": ahead(lesson.TOLD, worst, "forward"),
        "*told* the matrix, by {} points": ahead(lesson.TOLD, worst),
        "on people and {} on dice": ahead(lesson.TOLD, dice),
        "ends {} points below true labels": ahead(MARK, worst, "standard", majority, lesson.seeds_of(majority)),
        "GCE stands {} points better": [a - b for a, b in zip(ahead("GCE", dice), ahead("GCE", worst))],
        "ELR {} worse": [a - b for a, b in zip(ahead("ELR", worst), ahead("ELR", dice))],
    }
    for words, values in told.items():
        assert words.format(in_percent(mean_interval(values))) in text, (words, in_percent(mean_interval(values)))
    gains = {noise: [sum(ahead(name, noise)) for name in METHODS] for noise in (*lesson.MADE, worst)}
    ranks = {noise: round(spearmanr(gains[noise], gains[worst]).statistic, 1) for noise in lesson.MADE}
    symmetric, *others = ranks.values()
    assert (
        f"is {symmetric} for symmetric noise" in text and set(others) == {0.1} and "and 0.1 for the other two" in text
    )
    alike = [spearmanr(gains[a], gains[b]).statistic for a, b in itertools.combinations(lesson.MADE, 2)]
    assert f"more like each other, {min(alike):.1f} to {max(alike):.1f}" in text
