"""Every picture that the kit draws, on data of all kinds: one list, which all tests of pictures share.

`of_task` are those of a task and its runs; `of_numbers` those that know no images; `of_pages` those of papers' panels,
which need no line here; `every` is all of them in all the
situations that may spoil a picture: 2 to 100 classes, long names, one epoch and a hundred, NaN, lines that lie close.
`by_day` is each of them once, and once more in the situations that are hardest on it; by night all are looked at.
"""

import dataclasses
import functools
import importlib
import math
import pkgutil

import torch

from nlkit import METHODS, Dataset, Experiment, make_task, plots
from nlkit.contents import PAGES, accepts, experiment_of
from nlkit.data.labels import NO_CLASS
from nlkit.data.plane import lattice, plane
from nlkit.intervals import Interval
from nlkit.lessons.clean_label_budget import surface
from nlkit.lessons.rows import NOISES, ROWS
from nlkit.lessons.standings import standings
from nlkit.papers import PAPERS
from nlkit.planner import plan
from nlkit.plots.audits import suspect_and_course
from nlkit.plots.budgets import splits_of_a_budget
from nlkit.plots.clusters import clusters_found
from nlkit.plots.estimates import estimated_ratios, estimates_beside_truth
from nlkit.plots.margins import errors_by_size, preference_margins
from nlkit.plots.suspects import ends_of_a_list, shares_by_kind, suspects_looked_at
from nlkit.records import Measured, Record
from nlkit.sweeps.results import Result, Sweep

NAN = float("nan")
LONG = tuple(
    f"{start} of the north {c:02d}"
    for c, start in enumerate(
        ("hippopotamus", "chrysanthemum", "aircraft carrier", "night butterfly", "watermelon") * 6
    )
)


def drawing() -> set[str]:
    """The public functions of all modules of `nlkit.plots` that draw a picture."""
    found = set()
    for module in pkgutil.iter_modules(plots.__path__):
        parts = vars(importlib.import_module(f"nlkit.plots.{module.name}"))
        found |= {name for name, part in parts.items() if hasattr(part, "__wrapped__") and name[0] != "_"}
    return found


def a_board(finals: dict[str, tuple[float, ...]] | None = None):
    """Standings of rows by name, with these last test accuracies; each was a point better before."""
    rows = {row.name: row for row in ROWS}
    finals = finals or {row.name: (0.9, 0.95) for row in ROWS}
    runs = [
        Result(rows[name].experiment(*NOISES[0], seed), {"test_accuracy": (accuracy + 0.01, accuracy)}, 1.0)
        for name, accuracies in finals.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    return standings(Sweep(tuple(runs)))


def a_run(epochs: int = 25, top: float = 0.6, end: float = 0.3, task=None, known=None, held_out=False) -> list[Record]:
    """Records without a training: test accuracy rises to `top` at a fifth of the epochs and falls to `end`."""
    records, peak = [], max(1, epochs // 5)
    for epoch in range(1, epochs + 1):
        rise = min(1, epoch / peak)
        test = top * (0.5 + 0.5 * rise) if epoch <= peak else top + (end - top) * (epoch - peak) / (epochs - peak)
        extra = {"held_out_accuracy": 0.25 * test + 0.05} if held_out else {}
        weights = None
        if task is not None:
            draw = torch.Generator().manual_seed(epoch)
            weights = torch.rand(task.noisy_count, generator=draw) * torch.where(task.right, 2.0, 0.6)
            weights[torch.rand(len(weights), generator=draw) < 0.4] = 0
            share = (weights[task.right].sum() / weights.sum()).item()
            extra |= {"weight_on_right": share, "weight_on_wrong": 1 - share}
        done = epoch / epochs
        records.append(
            Record(
                epoch,
                2.0,
                0.2 + 0.7 * done,
                test,
                test,
                0.1 + 0.8 * done,
                0.6 - 0.5 * done,
                0.1,
                1e3,
                known,
                extra,
                weights,
            )
        )
    return records


def all_nan(history: list[Record]) -> list[Record]:
    """The first record as it is, then nothing that is a number."""
    shares = dict.fromkeys(("test_accuracy", "given_accuracy", "memorized", "recovered", "true_accuracy"), NAN)
    return [history[0], *(dataclasses.replace(record, **shares) for record in history[1:])]


def of_task(task, history, weighed) -> dict:
    """The pictures of a task and its runs, by name."""
    count, classes = task.noisy_count, task.num_classes
    few = torch.arange(min(count, 12))
    said = torch.arange(count) % classes
    wrong = task.wrong[few] if task.known_count else None
    partner, lam, v = few.flip(0), torch.linspace(0.95, 0.5, len(few)), (few % 2).float()
    losses = torch.linspace(0.1, 2, len(few))
    matrix = torch.eye(classes) if task.matrix is None else task.matrix
    share = [1 / classes] * classes
    curve = plots.Curve("standard", "1 standard", history)
    names = task.class_names
    pictures = {
        "labelled_images": lambda: plots.labelled_images(task),
        "transition_matrices": lambda: plots.transition_matrices({"asked for": matrix, "T": matrix}, names),
        "estimated_matrix": lambda: plots.estimated_matrix(matrix, torch.eye(classes), names, title="counted"),
        "noise_overview": lambda: plots.noise_overview(task),
        "memorization_curves": lambda: plots.memorization_curves(history),
        "overfitting": lambda: plots.overfitting(history, title="one run"),
        "compare_methods": lambda: plots.compare_methods({"standard": [history]}, quantity="given_accuracy"),
        "by_ratio": lambda: plots.by_ratio({0.4: history}),
        "weights_part": lambda: plots.weights_part(weighed, task),
        "predictions_over_time": lambda: plots.predictions_over_time(
            task, few[:5].tolist(), {"early": said, "late": said}
        ),
        "losses_and_threshold": lambda: plots.losses_and_threshold(losses, wrong, 0.5, title="losses"),
        "mixed_batch": lambda: plots.mixed_batch(task, few, partner, lam, v),
        "explained_labels": lambda: plots.explained_labels(task, [0, 1], {"it": torch.full((2, classes), 0.1)}),
        "predicted_classes": lambda: plots.predicted_classes({"one": share, "two": share}, names),
        "weighted_images": lambda: plots.weighted_images(task, few, losses),
        "mentormix_steps": lambda: plots.mentormix_steps(task, few, losses, 0.4, partner, lam, v),
        "training_curves": lambda: plots.training_curves([curve], [curve], chance=1 / classes),
        "weights_now": lambda: plots.weights_now(weighed, task),
    }
    if task.known_count == count:
        pictures |= {
            "losses_over_time": lambda: plots.losses_over_time({"early": losses, "late": losses.flip(0)}, wrong),
            "look_ahead_steps": lambda: plots.look_ahead_steps(
                torch.randn(len(few), 5, generator=torch.Generator().manual_seed(0)), torch.ones(5), wrong
            ),
        }
    return pictures


def a_sweep(methods=("standard", "elr"), seeds: int = 3) -> Sweep:
    """Results of these methods at three ratios, close to each other."""
    return Sweep(tuple(
        Result(Experiment(method=method, ratio=ratio, seed=seed),
               {"test_accuracy": (0.5, 0.9 - 0.5 * ratio + 0.01 * place - 0.01 * seed)}, 1.0)
        for place, method in enumerate(methods) for ratio in (0.2, 0.4, 0.8) for seed in range(seeds)
    ))  # fmt: skip


def graph(passes: int, images: bool) -> list[Measured]:
    right = torch.arange(60) % 4 > 0
    shown = {"right": right.numpy(), "images": torch.rand(60, 8, 8).numpy() if images else None}
    numbers = {"passes": 1.0, "reached": 60.0, "f1_labels": 0.62, "f1_vote": 0.63, "f1_sweep": 0.7}
    return [
        Measured(n, numbers | {"passes": float(n), "f1": 0.9 - 0.3 * n / passes}, shown) for n in range(1, passes + 1)
    ]


def preferences(epochs: int, rest: float = 1.0) -> list[Measured]:
    shown = {
        "margins": torch.linspace(-1, 3, 200).numpy(),
        "flipped": (torch.arange(200) % 3 == 0).numpy(),
        "rest": rest,
    }
    return [Measured(n, {"reward": 0.6 + 0.001 * n, "reference": 0.55}, shown) for n in range(1, epochs + 1)]


def of_numbers() -> dict:
    """The pictures that look the same whatever the data, by name."""
    history = a_run()
    two = {"blue": [[0.5, 0.4], [0.6, 0.5]], "red": [[0.7, 0.7], [0.8, 0.7]]}
    return {
        "lines": lambda: plots.lines([0, 1], {"one": [0.1, 0.9], "two": [1.0, -0.5]}, xlabel="x", ylabel="y"),
        "belts": lambda: plots.belts({"20 %": two}, [1, 2], xlabel="epoch", ylabel="test accuracy"),
        "beside_published": lambda: plots.beside_published(
            {"test": {"standard": [[0.5, 0.4], [0.6, 0.5]]}, "given": {"standard": [[0.1, 0.2]]}},
            {"test": {"standard": {1: 0.7, 2: 0.3}}}, {"standard": plots.method_style("standard")},
        ),
        "leaderboard": lambda: plots.leaderboard(a_board(), title="the board"),
        "worth": lambda: plots.worth({"with a part": [0.01, 0.02], "with another": [-0.01]}, title="what it is worth"),
        "win_map": a_map,
        "headline_bars": lambda: plots.headline_bars({"one": [0.8, 0.9], "two": [0.4]}, "test_accuracy"),
        "headline_curves": lambda: plots.headline_curves(
            {"2 reweight": ("reweight", history)}, {"1 standard": ("standard", history)}, "test_accuracy",
            ("standard", "reweight"),
        ),
        "nothing_yet": plots.nothing_yet,
        "kept_orders": lambda: plots.kept_orders([0.6, 0.4], {"λ = 1": [[0.0, -0.4], [1.0, 0.6]]}),
        "right_and_second": lambda: plots.right_and_second(
            {"MAE": [(0.9, 0.2), (0.91, 0.22)]}, {"1": [(0.8, 0.8), (0.79, 0.82)], "10": [(0.9, 0.4), (0.9, 0.42)]},
            chance=1 / 9,
        ),
        "told_apart": lambda: plots.told_apart({"λ₀ = 3": ([2.0, 2.2, 2.4], [2.6, 2.9], 0.9)}, xlabel="λ of each"),
        "clusters_found": lambda: clusters_found({"plain": graph(9, False), "weighted": graph(12, True)}),
        "preference_margins": lambda: preference_margins({"dpo": preferences(8), "rdpo": preferences(8, math.inf)}),
        "splits_of_a_budget": lambda: splits_of_a_budget(plan(surface(), 0.1, 1.0, 100, 0.4)),
        "estimated_ratios": lambda: estimated_ratios(
            {"symmetric, 20%": {"counted": [0.2, 0.22], "anchor points": [0.1, 0.3]},
             "instance-boundary": {"counted": [0.9]}},
            {"symmetric, 20%": 0.2, "instance-boundary": 0.0}, ("counted", "clusterability", "anchor points"),
        ),
        "estimates_beside_truth": lambda: estimates_beside_truth(
            {"counted": 0.33}, {"counted": torch.eye(10).numpy()}, 0.3, torch.full((10, 10), 0.1).numpy(),
            [f"{c}" for c in range(10)], ways=("counted", "clusterability", "anchor points", "disagreement"),
        ),
        "suspects_looked_at": lambda: suspects_looked_at(
            {"held-out margin": (0.987, 1.0), "at random": (0.0, NAN)}, tasks()["10 digits"],
            ends_of_a_list(torch.arange(100).numpy(), 0.5), share=0.5, chosen="held-out margin",
            controls=("at random",), kinds=("held-out margin", "neighbours in features", "at random"),
        ),
        "shares_by_kind": lambda: shares_by_kind(
            {"instance-boundary 20 %": {"held-out margin": 0.95, "at random": 0.2}, "pair": {"at random": 1.0}},
            title="average\nprecision, %",
        ),
        "by_setting": lambda: plots.by_setting(a_sweep(), "ratio", title="three ratios"),
        "suspect_and_course": lambda: suspect_and_course(
            {"small loss": 0.99, "learned late": 0.4, "clean set": NAN},
            [(0, 0.1, 0.05, 0.15, 0.8), (3, 0.08, 0.05, 0.1, 0.85)], title="labelled cat; a model says dog",
            image=torch.rand(8, 8, 3).numpy(),
        ),
        "errors_by_size": lambda: errors_by_size(
            {"dpo": [[1.0, 0.9], [1.1, 0.8]], "rdpo": [[0.9, 0.2], [0.8, 0.3]]}, [1000, 30000]
        ),
    }  # fmt: skip


def a_map(rows=2, columns=2, names=("5", "50"), theirs="clean_only") -> plots.Figure:
    cells = [[Interval(0.2, 0.1), Interval(0.05, 0.1)], [Interval(0.02, 0.01), Interval(-0.3, 0.1)]]
    words = {"ours": "reweight", "theirs": theirs, "xlabel": "clean examples per class", "ylabel": "noise ratio"}
    grid = [[cells[y % 2][x % 2] for x in range(columns)] for y in range(rows)]
    return plots.win_map(grid, [f"{20 + 60 * y} %" for y in range(rows)], names[:columns], **words, title="who wins")


def a_task(classes: int, names=None, side: int = 14, noise: str = "symmetric", **options):
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(classes * 12) % classes
    images = torch.rand(len(labels), 1, side, side, generator=draw)
    data = Dataset("own", names, images, labels, images, labels, mean=0.5, std=0.5)
    if options.pop("own", False):
        given = (labels + (torch.arange(len(labels)) % 3 == 0)) % classes
        return make_task(data, given=given, device="cpu", **options)
    return make_task(data, noise=noise, ratio=0.6, clean_per_class=1, device="cpu", **options)


SPOILED_BY = {  # which pictures a kind of data may spoil in a way of its own; those that aren't named here, all
    "2 classes": ("predicted_classes", "labelled_images", "mentormix_steps"),
    "3 long names": ("noise_overview", "mentormix_steps", "predictions_over_time"),
    "13 classes": ("transition_matrices", "weights_now"),
    "30 long names": (
        "labelled_images", "transition_matrices", "estimated_matrix", "noise_overview", "predictions_over_time",
        "mixed_batch", "explained_labels", "predicted_classes", "weighted_images", "mentormix_steps", "weights_now",
    ),
    "none known": ("noise_overview", "weights_part", "losses_and_threshold"),
    "some known, some of no class": ("noise_overview", "weights_now", "labelled_images"),
}  # fmt: skip


@functools.cache
def tasks() -> dict:
    some = {place: (NO_CLASS if place % 4 == 3 else place % 3) for place in range(24)}
    return {
        "2 classes": a_task(2, ("no", "yes")),
        "10 digits": a_task(10),
        "13 classes": a_task(13),
        "3 long names": a_task(3, LONG[:3], noise="pair"),
        "30 long names": a_task(30, LONG),
        "none known": a_task(10, own=True, true=None),
        "some known, some of no class": a_task(3, ("cat", "dog", "owl"), own=True, true=some),
    }


def in_the_plane(*names: str, **options):
    """Fields that turn, one for each name, over moons of which some labels are wrong."""
    x, y = lattice().unbind(-1)
    fields = {name: (3 * (x * math.cos(i) + y * math.sin(i) - 0.5)).sigmoid() for i, name in enumerate(names)}
    task = make_task(plane(per_class=40), ratio=0.2, clean_per_class=5, device="cpu")
    return plots.decision_boundaries(task, fields, **options)


def hostile() -> dict:
    """Situation -> how to draw it, each beginning with the name of the function."""
    once, long, nan = a_run(1), a_run(100), all_nan(a_run(6))
    close = {f"method number {i}": [a_run(25, 0.6 + 0.002 * i, 0.3)] for i in range(5)}
    seeds = [a_run(25, 0.6, 0.3), a_run(25, 0.62, 0.28)]
    methods = {name: [a_run(25, 0.5 + 0.004 * i, 0.45 - 0.01 * i)] for i, name in enumerate(METHODS)}
    wordy = "a title that goes on and on about what was trained on which labels, for how long, and with how many seeds"
    runs = [plots.Curve(name, f"{i} {name}, noise 80 %", a_run(25, 0.5)) for i, name in enumerate(METHODS, 1)]
    task = tasks()["10 digits"]
    matrices = {
        kind: a_task(10, noise=kind, side=4).realized_matrix
        for kind in ("symmetric", "pair", "symmetric-own", "asymmetric")
        if kind != "asymmetric"
    }
    picks = torch.arange(64)
    peaks = {f"p {i}": [[0.5, 0.6 + 0.003 * i, 0.4], [0.5, 0.61 + 0.003 * i, 0.42]] for i in range(4)}
    same, many = torch.full((64,), 0.7), torch.arange(300)
    return {
        "memorization_curves, one epoch": lambda: plots.memorization_curves(once),
        "memorization_curves, a hundred epochs": lambda: plots.memorization_curves(long, title=wordy),
        "memorization_curves, NaN": lambda: plots.memorization_curves(nan),
        "by_setting, all methods": lambda: plots.by_setting(a_sweep(tuple(METHODS)[:12]), "ratio", title=wordy),
        "by_setting, names on the axis": lambda: plots.by_setting(a_sweep(tuple(METHODS)[:8], 1), "method"),
        "overfitting, labels held out": lambda: plots.overfitting(a_run(20, held_out=True)),
        "overfitting, one epoch": lambda: plots.overfitting(once),
        "overfitting, NaN": lambda: plots.overfitting(nan, title=wordy),
        "compare_methods, close": lambda: plots.compare_methods(close, references={"chance": 0.1}, title=wordy),
        "compare_methods, seeds": lambda: plots.compare_methods(
            {"standard": seeds, "mixup": seeds, "mentormix": seeds}
        ),
        "compare_methods, all": lambda: plots.compare_methods(methods, references={"chance": 0.1}),
        "compare_methods, one epoch": lambda: plots.compare_methods({"standard": [once, once]}),
        "compare_methods, NaN": lambda: plots.compare_methods(
            {"standard": [nan], "em": [a_run(6)]}, quantity="memorized"
        ),
        "by_ratio, many": lambda: plots.by_ratio(
            {i / 20: a_run(25, 0.9 - 0.03 * i, 0.8 - 0.035 * i) for i in range(20)}
        ),
        "by_ratio, five": lambda: plots.by_ratio({i / 5: a_run(25, 0.9, 0.8 - 0.1 * i) for i in range(5)}),
        "ratio_curves, ten": lambda: plots.ratio_curves(
            {i / 10: a_run(40, 0.9 - 0.03 * i, 0.85 - 0.08 * i) for i in range(10)}, 0.9, epochs=40, chance=0.1
        ),
        "ratio_curves, before": lambda: plots.ratio_curves({}, 0.4, chance=0.5),
        "ratio_curves, one epoch": lambda: plots.ratio_curves({0.0: once, 0.1: []}, 0.1, epochs=1, tested=False),
        "ratio_curves, NaN": lambda: plots.ratio_curves({0.1: nan}, 0.1),
        "lines, epochs fitted": lambda: plots.lines(
            range(1, 21),
            {"a line that peaks": [0.5 + 0.01 * min(i, 20 - i) for i in range(20)]},
            xlabel="epoch",
            ylabel="accuracy",
            fit=True,
            title=wordy,
        ),
        "lines, apart": lambda: plots.lines(
            range(1, 21),
            {
                name: [low + 0.01 * min(i, 20 - i) for i in range(20)]
                for name, low in (("held out", 0.5), ("test", 0.8))
            },
            xlabel="epoch",
            ylabel="accuracy",
            apart=True,
        ),
        "lines, points": lambda: plots.lines(
            [10, 25, 40],
            {"told": [0.7, 0.8, 0.75]},
            xlabel="p, %",
            ylabel="accuracy",
            fit=True,
            points={"estimated (34 %)": (34, 0.79)},
        ),
        "lines, thirty": lambda: plots.lines(
            [0, 1], {f"line {c}": [0.1, 0.2] for c in range(30)}, xlabel="x", ylabel="y"
        ),
        "lines, NaN": lambda: plots.lines([1, 2], {"one": [0.1, NAN], "none": [NAN, NAN]}, xlabel="epoch", ylabel="y"),
        "belts, four panels": lambda: plots.belts(
            {
                f"{20 * i}% noise": {"blue": [[0.8, 0.8], [0.81, 0.79]], "red": [[0.8, 0.81], [0.8, 0.8]]}
                for i in range(1, 5)
            },
            [1, 25],
            xlabel="epoch",
            ylabel="test accuracy",
            title=wordy,
        ),
        "belts, close": lambda: plots.belts({"one": peaks, "two": peaks}, [1, 2, 3], xlabel="epoch", ylabel="share"),
        "belts, logarithmic": lambda: plots.belts(
            {
                f"{r} % noise": {"reweight": [[0.5] * 7, [0.6] * 7], "clean_only": [[0.5] * 7, [0.7] * 7]}
                for r in (20, 60, 80)
            },
            (1, 2, 5, 10, 20, 50, 100),
            xlabel="clean examples per class",
            ylabel="last test accuracy",
            log_x=True,
        ),
        "belts, NaN": lambda: plots.belts({"": {"blue": [[0.1, NAN], [0.2, 0.3]]}}, [1, 2], xlabel="x", ylabel="y"),
        "beside_published, long names": lambda: plots.beside_published(
            {
                "on the test set": {
                    "reweighting, trained on the clean set too": [[0.5] * 25, [0.6] * 25],
                    "b": [[0.55] * 25],
                }
            },
            {},
            {"b": plots.method_style("em"), "reweighting, trained on the clean set too": plots.method_style("elr")},
        ),
        "transition_matrices, a hundred classes": lambda: plots.transition_matrices(
            {"T": torch.eye(100), "again": torch.eye(100)}, tuple(f"class number {c}" for c in range(100))
        ),
        "transition_matrices, four": lambda: plots.transition_matrices(
            {**matrices, "T": task.matrix}, task.class_names
        ),
        "transition_matrices, a row without labels": lambda: plots.transition_matrices(
            {"a": torch.full((3, 3), NAN), "shades": torch.linspace(0, 1, 9).view(3, 3)}, LONG[:3]
        ),
        "losses_and_threshold, few": lambda: plots.losses_and_threshold(
            torch.rand(4), torch.tensor([True, False] * 2), 0.4
        ),
        "losses_and_threshold, of blends": lambda: plots.losses_and_threshold(
            torch.rand(128), torch.arange(128) % 4 == 0, 0.4, title=wordy, blends=True
        ),
        "losses_over_time, three": lambda: plots.losses_over_time(
            {f"epoch {e}": torch.rand(64) for e in (2, 10, 25)}, torch.arange(64) % 4 == 0, title=wordy
        ),
        "mentormix_steps, hundreds of examples": lambda: plots.mentormix_steps(
            tasks()["10 digits"],
            many % 60,
            0.1 * (many % 2) + 3.6,
            0.4,
            many.flip(0),
            torch.ones(300),
            (many % 2).float(),
        ),
        "mixed_batch, mixup": lambda: plots.mixed_batch(
            task, picks, picks.flip(0), same, caption="every image is kept"
        ),
        "weighted_images, equal": lambda: plots.weighted_images(task, picks[:8], torch.ones(8), columns=4),
        "labelled_images, chosen": lambda: plots.labelled_images(task, picks=picks[:16], columns=8, marked=False),
        "labelled_images, digits and none": lambda: plots.labelled_images(
            a_task(10, own=True, true={place: NO_CLASS for place in range(120)}), rows=2
        ),
        "labelled_images, one row": lambda: plots.labelled_images(task, rows=1),
        "training_curves, before": lambda: plots.training_curves([], chance=0.1),
        "training_curves, all": lambda: plots.training_curves(runs, runs[:6], chance=0.1),
        "training_curves, close": lambda: plots.training_curves(
            [c._replace(history=long) for c in runs[:4]], chance=0.1
        ),
        "training_curves, NaN": lambda: plots.training_curves([plots.Curve("standard", "1 standard", nan)]),
        "training_curves, one epoch": lambda: plots.training_curves(
            [runs[0]._replace(history=once)], runs[:1], epochs=1
        ),
        "decision_boundaries, four": lambda: in_the_plane(
            *(four := ("standard", "label smoothing", "co-teaching", "clean only")),
            words=dict.fromkeys(four, "test 100%; repeats 14 of 14 wrong"),
        ),
        "decision_boundaries, alone": lambda: in_the_plane("standard", chosen=3),
        "decision_boundaries, two": lambda: in_the_plane("standard", "mentornet", words={"mentornet": "not trained"}),
        "weights_now, before": lambda: plots.weights_now([], task),
        "weights_now, late": lambda: plots.weights_now(a_run(60, task=task), task),
        "weights_part, one epoch": lambda: plots.weights_part(a_run(1, task=task), task),
        "win_map, a dark hue": lambda: a_map(theirs="standard"),
        "win_map, large": lambda: a_map(8, 12, tuple(f"{2**i}" for i in range(12))),
        "headline_bars, many": lambda: plots.headline_bars({row.name: [0.8, 0.9] for row in ROWS}, "test_accuracy"),
        "headline_curves, many": lambda: plots.headline_curves(
            {f"{i} {row.name}": (row.name, a_run(25, 0.5 + i / 60)) for i, row in enumerate(ROWS[:20])},
            {},
            "test_accuracy",
            [row.name for row in ROWS],
        ),
        "headline_curves, before": lambda: plots.headline_curves({}, {}, "f1", ("plain", "weighted"), records=9),
        "leaderboard, one seed": lambda: plots.leaderboard(a_board({"EM": (0.98,), "true labels": (0.982,)})),
        "leaderboard, in two": lambda: plots.leaderboard(a_board(), clean=False, title="told nothing"),
        "worth, many": lambda: plots.worth({name: [0.01, -0.0004] for name in LONG[:14]}, title=wordy),
        "predicted_classes, starved": lambda: plots.predicted_classes(
            {wordy: [0.91, 0.09, *[0.0] * 8]}, task.class_names
        ),
        "kept_orders, ten": lambda: plots.kept_orders(
            [0.1] * 10, {f"λ = {i}": [[0.1 * c for c in range(10)]] for i in range(5)}
        ),
        "told_apart, two": lambda: plots.told_apart(
            {f"λ₀ = {i}": ([2.0, 2.2, 2.4], [2.6, 2.9], 0.9) for i in (3, 10)}, xlabel="λ_i after 15 epochs"
        ),
        "right_and_second, close": lambda: plots.right_and_second(
            {
                name: [(0.9, 0.2 + 0.01 * i), (0.91, 0.22)]
                for i, name in enumerate(("CE", "GCE", "MAE", "ALDR", "LDR, raw scores"))
            },
            {f"λ = {i}": [(0.8 + 0.001 * i, 0.8 - 0.01 * i)] * 2 for i in range(6)},
            chance=1 / 9,
            title=wordy,
        ),
        "clusters_found, before": lambda: clusters_found({}),
        "clusters_found, long": lambda: clusters_found({"plain": graph(1, False), "weighted": graph(200, True)}),
        "preference_margins, five": lambda: preference_margins(
            {n: preferences(30) for n in ("dpo", "cdpo", "rdpo", "ipo", "slic")}
        ),
        "preference_margins, one epoch": lambda: preference_margins({"dpo": preferences(1)}),
        "errors_by_size, close": lambda: errors_by_size(
            {n: [[1.0, 0.9, 0.5, 0.41], [1.1, 0.8, 0.5, 0.4]] for n in ("dpo", "cdpo", "rdpo")},
            [1000, 3000, 10000, 30000],
        ),
    }


def of_pages() -> dict:
    """What papers draw in their panels, on tiny runs of their first two variants: by the function of `nlkit.plots`."""
    cases = {}
    for name in PAPERS:
        page, variants = PAGES[name], list(PAGES[name].variants)[:2]
        called = set(page.picture.__code__.co_names) & drawing() if page.picture else ()
        for function in called:
            cases[f"{function}, {name}"] = functools.partial(draw_tiny, page, variants)
    return cases


def draw_tiny(page, variants: list[str]):
    changes = {v: {n: x for n, x in page.tiny.items() if accepts(page, v, n)} for v in variants}
    return page.picture({v: list(experiment_of(page, v, **changes[v]).run()) for v in variants})


@functools.cache
def every() -> dict:
    """Case -> how to draw it: "function, situation"."""
    cases = {**of_numbers(), **of_pages()}
    for kind, task in tasks().items():
        known = None if task.known_count == task.noisy_count else task.known_count
        history = a_run(12, task=task, known=known)
        for name, draw in of_task(task, history, history).items():
            if name in SPOILED_BY.get(kind, [name]):
                cases[f"{name}, {kind}"] = draw
    return cases | hostile()


HARDEST = (
    "compare_methods, all", "compare_methods, close", "lines, thirty", "lines, epochs fitted", "belts, four panels",
    "transition_matrices, four", "labelled_images, 30 long names", "noise_overview, some known, some of no class",
    "noise_overview, 30 long names", "mentormix_steps, 3 long names", "mentormix_steps, hundreds of examples",
    "weights_now, 13 classes", "predictions_over_time, 30 long names", "mixed_batch, 30 long names", "win_map, large",
    "weighted_images, 30 long names", "training_curves, all", "memorization_curves, one epoch",
    "weights_part, none known", "memorization_curves, a hundred epochs", "overfitting, labels held out",
    "leaderboard, in two", "weighted_images, equal",
    "headline_curves, many", "preference_margins, five", "right_and_second, close", "beside_published, long names",
)  # fmt: skip


def by_day() -> dict:
    """The cases that are looked at in every run: the first of each function, and the hardest.

    What papers draw in their panels is looked at where these run, in test_pages.py.
    """
    cases = {case: draw for case, draw in every().items() if case not in of_pages()}
    first: dict = {}
    for case in cases:
        first.setdefault(case.split(",")[0], case)
    return {case: cases[case] for case in cases if case in {*first.values(), *HARDEST}}
