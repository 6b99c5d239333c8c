"""Every picture and every panel on data of any kind: 2 to 100 classes, any names, channels and shapes, few examples."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from panels import press

from nlkit import Dataset, build_model, live, make_task, plots, records_frame, train
from nlkit.intervals import Interval
from nlkit.lessons.rows import NOISES, ROWS
from nlkit.lessons.standings import standings
from nlkit.sweeps.run import Result, Sweep


def dataset(classes=3, shape=(1, 8, 8), each=6, tests=2, long_names=False) -> Dataset:
    """Images that are noise, of as many examples a class; `tests` of each for testing."""
    draw = torch.Generator().manual_seed(0)
    names = tuple(f"class number {c}" if long_names else f"{c}" for c in range(classes))
    labels = [torch.arange(classes).repeat(count) for count in (each, tests)]
    images = [torch.rand(len(part), *shape, generator=draw) for part in labels]
    return Dataset("made up", names, images[0], labels[0], images[1], labels[1], mean=0.5, std=0.5)


KINDS = {
    "2 classes, colour": {"classes": 2, "shape": (3, 28, 28)},
    "2 long names": {"classes": 2, "long_names": True},
    "3 long names, wide": {"classes": 3, "shape": (1, 6, 20), "long_names": True},
    "5 classes, tall": {"classes": 5, "shape": (3, 30, 7), "long_names": True},
    "10 classes, 2 channels": {"classes": 10, "shape": (2, 9, 9)},
    "11 long names, 4 channels": {"classes": 11, "shape": (4, 12, 12), "long_names": True},
    "26 classes": {"classes": 26, "each": 3},
    "100 long names": {"classes": 100, "each": 3, "long_names": True},
    "a pixel each, two a class": {"classes": 3, "shape": (1, 1, 1), "each": 2, "tests": 1},
    "no test set": {"classes": 3, "tests": 0},
}
FEW_KINDS = ("3 long names, wide", "a pixel each, two a class", "no test set")
CASES = [(kind, 1) for kind in KINDS] + [(kind, 0) for kind in FEW_KINDS]  # of data, and clean examples a class


def board():
    runs = [
        Result(row.experiment(*NOISES[0], seed), {"test_accuracy": (0.5, 0.4)}, 1.0) for row in ROWS for seed in (0, 1)
    ]
    return standings(Sweep(tuple(runs)))


def pictures(task, history, weighed):
    """Every picture that nlkit.plots can draw, by its name: of a task, of runs, or of numbers for its classes."""
    count, classes = task.noisy_count, task.num_classes
    few = torch.arange(min(count, 12))
    said = torch.arange(count) % classes
    wrong = task.wrong[few] if task.known_count else None
    partner, lam, v = few.flip(0), torch.full((len(few),), 0.7), (few % 2).float()
    losses = torch.linspace(0.1, 2, len(few))
    matrix = torch.eye(classes) if task.matrix is None else task.matrix
    share = [1 / classes] * classes
    curve = plots.Curve("standard", "1 standard", history)
    return {
        "labelled_images": lambda: plots.labelled_images(task),
        "transition_matrices": lambda: plots.transition_matrices({"T": matrix}, task.class_names),
        "noise_overview": lambda: plots.noise_overview(task),
        "memorization_curves": lambda: plots.memorization_curves(history),
        "compare_methods": lambda: plots.compare_methods({"standard": [history]}, quantity="given_accuracy"),
        "by_ratio": lambda: plots.by_ratio({0.4: history}),
        "weights_part": lambda: plots.weights_part(weighed, task),
        "lines": lambda: plots.lines([0, 1], {f"line {c}": [0.1, 0.2] for c in range(classes)}, xlabel="x", ylabel="y"),
        "predictions_over_time": lambda: plots.predictions_over_time(task, few[:5].tolist(), {"early": said}),
        "losses_and_threshold": lambda: plots.losses_and_threshold(losses, wrong, 0.5),
        "mixed_batch": lambda: plots.mixed_batch(task, few, partner, lam, v),
        "belts": lambda: plots.belts({"": {"blue": [share, share]}}, range(classes), xlabel="class", ylabel="share"),
        "beside_published": lambda: plots.beside_published(
            {"test": {"standard": [share]}}, {}, {"standard": plots.method_style("standard")}
        ),
        "leaderboard": lambda: plots.leaderboard(board()),
        "worth": lambda: plots.worth({name: [0.01, 0.02] for name in task.class_names[:20]}),
        "explained_labels": lambda: plots.explained_labels(task, [0, 1], {"it": torch.full((2, classes), 0.1)}),
        "predicted_classes": lambda: plots.predicted_classes({"one": share, "two": share}, task.class_names),
        "weighted_images": lambda: plots.weighted_images(task, few, losses),
        "mentormix_steps": lambda: plots.mentormix_steps(task, few, losses, 0.4, partner, lam, v),
        "training_curves": lambda: plots.training_curves([curve], [curve], chance=1 / classes),
        "weights_now": lambda: plots.weights_now(weighed, task),
        "win_map": lambda: plots.win_map(
            [[Interval(0.1, 0.05)] * min(classes, 12)] * 2, ["a", "b"], task.class_names[:12],
            ours="reweight", theirs="mixup", xlabel="x", ylabel="y",
        ),
    }  # fmt: skip


OF_NUMBERS = {"lines", "belts", "beside_published", "leaderboard", "worth", "win_map"}  # which know no images


def test_every_picture_is_in_the_table(mnist5k):
    task = make_task(mnist5k, ratio=0.4, device="cpu")
    drawing = {name for name in plots.__all__ if hasattr(getattr(plots, name), "__wrapped__")}
    of_numbers = {"headline_bars", "headline_curves", "nothing_yet", "kept_orders", "right_and_second", "told_apart"}
    assert set(pictures(task, [], [])) == drawing - of_numbers  # which look the same whatever the data


def assert_readable(figure, name):
    """Text of 11 points or more, and no two names of images on top of each other."""
    for text in figure.findobj(Text):
        assert not text.get_text().strip() or not text.get_visible() or text.get_fontsize() >= 11, name
    for ax in figure.axes:
        above = [t.get_window_extent() for t in ax.texts if t.get_ha() == "center" and t.get_va() == "bottom"]
        rows = [box for box in above if box.width > 0]
        for i, one in enumerate(rows):
            overlap = [min(one.x1, o.x1) - max(one.x0, o.x0) for o in rows[:i] if abs(one.y0 - o.y0) < 2]
            assert all(o <= 8 for o in overlap), (name, [t.get_text() for t in ax.texts][:12])


@pytest.mark.parametrize("kind, clean", CASES)
def test_every_picture_of_any_data_is_drawn_or_refused_in_a_sentence(kind, clean):
    task = make_task(dataset(**KINDS[kind]), ratio=0.5, clean_per_class=clean, device="cpu")
    history = list(train(task, epochs=2, batch_size=8))
    weighed = list(train(task, "reweight" if clean else "mentornet", epochs=2, batch_size=8))
    refused = {"by_ratio"} if kind == "no test set" else set()
    for name, draw in pictures(task, history, weighed).items():
        if name in OF_NUMBERS and kind not in ("2 long names", "100 long names"):
            continue
        if name in refused:
            with pytest.raises(ValueError, match="^[^\n]{20,300}$"):
                draw()
        elif clean or name in ("noise_overview", "weights_now", "labelled_images"):
            figure = draw()
            assert figure.png().startswith(b"\x89PNG") and len(figure.alt) > 40 and "nan" not in figure.alt, name
            assert_readable(figure, name)  # as it was drawn


@pytest.mark.parametrize("kind", KINDS)
def test_every_panel_of_any_data_is_drawn_and_trains(kind, monkeypatch):
    data = dataset(**KINDS[kind])
    task = make_task(data, ratio=0.5, clean_per_class=0, device="cpu")
    shape = tuple(task.images.shape[1:])
    panels = {
        "noise": lambda: live.noise(data, mode="blocking"),
        "training": lambda: live.training(data, epochs=1, mode="blocking"),
        "weights": lambda: live.weights(data, method="mentornet", epochs=1, mode="blocking"),
        "mentormix": lambda: live.mentormix(task, build_model("mlp", shape, task.num_classes), mode="blocking"),
    }
    assert set(panels) == set(live.__all__) - {"panel"}  # which makes its own data
    for name, make in panels.items():
        if name == "mentormix" and task.noisy_count < 8:
            with pytest.raises(ValueError, match="task has 6 noisy examples; a batch to look at needs 8 or more"):
                make()
            continue
        panel = make()
        first = panel.picture.value
        for moved in ("ratio", "alpha"):
            if moved in panel.controls:
                panel.controls[moved].value = {"ratio": 0.9, "alpha": 16.0}[moved]
        if hasattr(panel, "buttons"):
            press(panel, "Start")
        assert panel.driver.state == "done", (name, panel.driver.error)
        assert panel.picture.value != first and "nan" not in panel.picture.tooltip, name
        panel.close()


CURVES = (
    "memorization_curves",
    "compare_methods",
    "by_ratio",
    "lines",
    "training_curves",
    "weights_part",
    "weights_now",
)


@settings(max_examples=8)
@given(
    st.integers(2, 12), st.integers(2, 9), st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2),
    st.booleans(), st.sampled_from(["symmetric", "pair", "instance"]), st.floats(0, 1), st.data(),
)  # fmt: skip
def test_any_shape_of_data_can_be_made_noisy_trained_on_and_drawn(
    classes, each, channels, height, width, tests, long_names, noise, ratio, more
):
    data = dataset(classes, (channels, height, width), each, tests, long_names)
    clean = more.draw(st.integers(0, each - 1))
    task = make_task(data, noise=noise, ratio=ratio, clean_per_class=clean, device="cpu")
    if more.draw(st.booleans()):
        known = more.draw(st.dictionaries(st.integers(0, classes * each - 1), st.integers(-2, classes - 1), max_size=9))
        own = torch.empty(classes * each, dtype=torch.long).scatter(0, task.index, task.given.cpu())
        task = make_task(
            data, given=own, true=known, clean=task.index[len(task.wrong) :].tolist() or None, device="cpu"
        )
    history = list(train(task, "mentornet", epochs=1, batch_size=8))
    frame = records_frame(history)
    assert len(frame) == 1 and frame.notna()[["loss", "given_accuracy"]].all(axis=None)
    assert ("test_accuracy" in frame) == (tests > 0) and ("memorized" in frame) == (task.known_count > 0)
    shares = [value for value in history[0].as_row().values() if isinstance(value, float)]
    assert all(math.isnan(value) or value >= 0 for value in shares)
    drawings = pictures(task, history, history)
    for name in CURVES:
        if name == "by_ratio" and not tests:
            continue
        assert len(drawings[name]().png()) > 1000
