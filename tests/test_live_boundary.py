"""The boundary panel: clicks flip labels, training goes on with them, and nothing is forgotten but by Reset."""

import itertools

import ipywidgets as widgets
import pytest
import torch
from panels import PATIENCE, control, parts, press, pressable, wait_until, words

from nlkit import live
from nlkit.data.plane import as_points
from nlkit.live.bench import OFFERED, PER_CLASS, Bench
from nlkit.live.bench import points as _points
from nlkit.live.controls import values_of
from nlkit.plots import decision_boundaries

TIME = itertools.count()


@pytest.fixture
def panel():
    return live.boundary(epochs=3, mode="blocking")


def click(panel, place: int, field: int = 0, off: float = 0.0) -> None:
    """What a browser sends when the mouse is pressed on a point of a field."""
    figure = decision_boundaries(panel.bench.task, panel.bench.fields())
    figure.drawn()
    x, y = as_points(panel.bench.task.images)[place].tolist()
    across, up = figure.transFigure.inverted().transform(figure.axes[field].transData.transform((x + off, y)))
    control(panel, "clicked").value = f"{across:.5f} {1 - up:.5f} {next(TIME)}"


def given(panel) -> torch.Tensor:
    task = panel.bench.task
    return task.given[task.index.argsort()]  # by place in the data set


def test_a_click_flips_the_label_of_that_point_alone_in_any_field_and_says_so(panel):
    before, picture = given(panel).clone(), panel.picture.value
    for field, verdict in ((0, "wrong"), (1, "right")):
        click(panel, 7, field)
        place = int(panel.bench.task.index[7])
        changed = (given(panel) != before).nonzero().flatten().tolist()
        assert changed == ([place] if verdict == "wrong" else [])
        assert f"which is {verdict}." in words(panel) and panel.flips == set(changed)
        x = as_points(_points("moons").train_images)[:, 0]
        assert f"Point {int((x <= x[place]).sum())} (x " in words(panel)  # counted from the left
        assert (panel.picture.value == picture) == (verdict == "right")
    assert panel.driver.state == "idle"


def test_a_click_beside_the_points_or_on_the_clean_set_or_what_no_click_sends_flips_nothing(panel):
    before = given(panel).clone()
    control(panel, "clicked").value = "0.5 0.99 1"
    assert "No point is there." in words(panel)
    click(panel, panel.bench.task.noisy_count)
    assert "is of the clean set, whose labels stay." in words(panel)
    control(panel, "clicked").value = "nothing of the kind"
    click(panel, int(as_points(panel.bench.task.images)[:, 0].argmin()), off=-0.3)
    assert torch.equal(given(panel), before) and not panel.flips


def test_without_a_mouse_a_point_is_picked_by_its_number_and_flipped_by_a_button(panel):
    before = given(panel).clone()
    points, number = as_points(_points("moons").train_images), control(panel, "point")
    task = panel.bench.task
    order = points[:, 0].sort().indices.tolist()
    noisy = [n for n, place in enumerate(order, 1) if place in task.index[: task.noisy_count]]
    number.value = noisy[9]
    place = order[noisy[9] - 1]
    x, y = points[place].tolist()
    assert f"Point {noisy[9]} (x {x:.1f}, y {y:.1f})".replace("-", "−") in words(panel)
    assert f"is labelled {task.class_names[int(before[place])]}." in words(panel)
    press(panel, "Flip label")
    assert (given(panel) != before).nonzero().flatten().tolist() == [place]
    assert number.max == len(points) == 2 * PER_CLASS


def test_flips_stay_when_it_starts_or_the_noise_moves_and_reset_or_other_points_forget_them(panel):
    truth = _points("moons").train_labels
    click(panel, 7)
    click(panel, 20)
    two = set(panel.flips)
    press(panel, "Start")
    assert panel.driver.state == "done" and panel.bench.ended == 3
    assert (given(panel) != truth).nonzero().flatten().tolist() == sorted(two)
    press(panel, "Reset")
    assert not panel.flips and torch.equal(given(panel), truth) and "idle" in words(panel) and not panel.bench.ended
    click(panel, 7)
    control(panel, "noise ratio").value = 0.2
    plain = Bench(_points("moons"), ("standard",), values_of(panel.controls)).task
    assert (given(panel) != plain.given[plain.index.argsort()]).nonzero().flatten().tolist() == list(panel.flips)
    assert plain.wrong.sum() == 14 and "of 70 noisy ones" in panel.picture.tooltip
    control(panel, "data").value = "blobs"
    assert not panel.flips and panel.bench.task.dataset == "blobs"


def test_a_flip_after_the_end_trains_on_with_the_same_networks_and_so_does_go_on(panel):
    press(panel, "Start")
    bench = panel.bench
    assert pressable(panel) == {"Start", "Reset", "Flip label", "Go on"}
    click(panel, 7)
    assert panel.bench is bench and bench.ended == 6 and panel.driver.state == "done"
    press(panel, "Go on")
    assert [[record.epoch for record in run.history] for run in panel.current] == [list(range(1, 10))] * 2
    assert panel.epochs() == 9 and panel.progress.value == 1 and "(epoch 9)" in panel.table.value
    press(panel, "Start")
    assert panel.bench is not bench and panel.bench.ended == 3 and [run.number for run in panel.earlier] == [1, 1]


def test_to_go_on_is_as_if_the_run_had_not_ended():
    short, long = (live.boundary(methods="standard", epochs=epochs, mode="blocking") for epochs in (2, 4))
    press(short, "Start")
    press(short, "Go on")
    press(long, "Start")
    for ours, theirs in zip(
        short.bench.networks["standard"].parameters(), long.bench.networks["standard"].parameters()
    ):
        assert torch.equal(ours, theirs)


def test_a_flip_while_it_trains_begins_nothing_anew_and_stop_is_a_pause():
    panel = live.boundary(epochs=1000, mode="thread")
    try:
        press(panel, "Start")
        wait_until(lambda: panel.epoch >= 2)
        bench = panel.bench
        click(panel, 7)
        reached = panel.epoch
        assert bench.task.wrong[7] and panel.bench is bench
        wait_until(lambda: panel.epoch > reached and "1 of 70 noisy ones" in panel.picture.tooltip)
        wait_until(lambda: panel.current[0].history[-1].memorized >= 0)  # no longer NaN, as without a wrong label
        press(panel, "Stop")
        assert panel.driver.join(PATIENCE)
        assert "stopped after epoch" in words(panel)
        ended = bench.ended
        click(panel, 20)
        assert panel.driver.state == "stopped" and bench.ended == ended  # one may flip several before going on
        press(panel, "Go on")
        wait_until(lambda: bench.ended > ended + 1)
        assert panel.bench is bench and panel.driver.busy
    finally:
        panel.close()
    assert panel.driver.join(PATIENCE)


def test_every_method_that_is_offered_learns_here():
    settings = {
        "noise": "symmetric",
        "ratio": 0.1,
        "clean_per_class": 5,
        "seed": 0,
        "epochs": 40,
        "learning_rate": 3e-3,
    }
    for methods in (OFFERED[:4], OFFERED[4:8], OFFERED[8:]):
        bench = Bench(_points("blobs"), methods, settings)
        last = {place: record for place, record in bench.records(40)}
        assert min(record.test_accuracy for record in last.values()) > 0.8, methods


def test_every_noise_type_can_be_chosen(panel):
    for kind in control(panel, "noise type").options:
        control(panel, "noise type").value = kind
        control(panel, "noise ratio").value = 0.3
        assert 5 < int(panel.bench.task.wrong.sum()) <= 21, kind  # of 70; under some, a draw may be right


def test_more_methods_than_there_is_room_for_are_refused_in_words(panel):
    for tick in parts(panel, widgets.Checkbox):
        tick.value = True
    press(panel, "Start")
    assert "failed: 10 methods are ticked; tick 1 to 4" in words(panel)
    press(panel, "Reset")
    press(panel, "Start")
    assert panel.driver.state == "done"


@pytest.mark.parametrize("wrong, told", [
    ({"data": "stars"}, "data='stars' is not offered here; choose one of moons, blobs"),
    ({"methods": "dividemix"}, "methods='dividemix' is not known"),
    ({"methods": OFFERED[:5]}, "5 methods are ticked; tick 1 to 4"),
    ({"ratio": 1.5}, "ratio=1.5"),
    ({"clean_per_class": 40}, "clean_per_class=40"),
    ({"epochs": 0}, "epochs=0"),
])  # fmt: skip
def test_what_is_not_offered_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        live.boundary(**wrong)
