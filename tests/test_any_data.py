"""Every picture and every panel on data of any kind: 2 to 100 classes, any names, channels and shapes, few examples."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import faults_of_text, look_at
from panels import press
from pictures import of_task

from nlkit import Dataset, build_model, live, make_task, records_frame, train
from nlkit.data.labels import NO_CLASS


def dataset(classes=3, shape=(1, 8, 8), each=6, tests=2, long_names=False) -> Dataset:
    """Images that are noise, of as many examples per class; `tests` of each for testing."""
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
BY_DAY = (*FEW_KINDS, "100 long names")  # where most goes wrong; the others by night
NO_DATA_SET = {"audit", "boundary", "budget", "detection", "losses", "noise_rates", "panel"}  # panels that take none
CASES = [(kind, 1) for kind in KINDS] + [(kind, 0) for kind in FEW_KINDS]  # of data, and clean examples per class


def by_day_or_night(kind: str, *more: int):
    return pytest.param(kind, *more, marks=[] if kind in BY_DAY else [pytest.mark.nightly])


@pytest.mark.parametrize("kind, clean", [by_day_or_night(*case) for case in CASES])
def test_every_picture_of_any_data_is_drawn_or_refused_in_a_sentence(kind, clean):
    task = make_task(dataset(**KINDS[kind]), ratio=0.5, clean_per_class=clean, device="cpu")
    history = list(train(task, epochs=2, batch_size=8))
    weighed = list(train(task, "reweight" if clean else "mentornet", epochs=2, batch_size=8))
    refused = {"by_ratio"} if kind == "no test set" else set()
    for name, draw in of_task(task, history, weighed).items():
        if name in refused:
            with pytest.raises(ValueError, match="^[^\n]{20,300}$"):
                draw()
        elif clean or name in ("noise_overview", "weights_now", "labelled_images"):
            look = look_at(draw())
            assert len(look.alt) > 40 and "nan" not in look.alt, name
            assert not faults_of_text(look), name


@pytest.mark.parametrize("kind", [by_day_or_night(kind) for kind in KINDS])
def test_every_panel_of_any_data_is_drawn_and_trains(kind, monkeypatch):
    data = dataset(**KINDS[kind])
    task = make_task(data, ratio=0.5, clean_per_class=0, device="cpu")
    shape = tuple(task.images.shape[1:])
    panels = {
        "noise": lambda: live.noise(data, mode="blocking"),
        "training": lambda: live.training(data, epochs=1, mode="blocking"),
        "ratios": lambda: live.ratios(data, epochs=1, mode="blocking"),
        "weights": lambda: live.weights(data, method="mentornet", epochs=1, mode="blocking"),
        "mentormix": lambda: live.mentormix(task, build_model("mlp", shape, task.num_classes), mode="blocking"),
    }
    assert set(panels) == set(live.__all__) - NO_DATA_SET
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
    "overfitting",
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
        trusted = [place for place in task.index[len(task.wrong) :].tolist() if known.get(place) != NO_CLASS]
        task = make_task(data, given=own, true=known, clean=trusted or None, device="cpu")
    history = list(train(task, "mentornet", epochs=1, batch_size=8))
    frame = records_frame(history)
    assert len(frame) == 1 and frame.notna()[["loss", "given_accuracy"]].all(axis=None)
    assert ("test_accuracy" in frame) == (tests > 0) and ("memorized" in frame) == (task.known_count > 0)
    shares = [value for value in history[0].as_row().values() if isinstance(value, float)]
    assert all(math.isnan(value) or value >= 0 for value in shares)
    drawings = of_task(task, history, history)
    for name in CURVES:
        if not tests and (name == "by_ratio" or (name == "memorization_curves" and not task.known_count)):
            continue  # there is nothing to draw, and they say so
        assert len(drawings[name]().png()) > 1000
