"""The panels that train, without a browser: Start, Stop, Reset, moved controls, earlier runs, and what they say."""

import itertools
import threading

import ipywidgets as widgets
import pytest
from panels import PATIENCE, control, parts, press, pressable, wait_until, words

from nlkit import METHODS, live, train
from nlkit.learning.learner import StepResult
from nlkit.live import run_panel
from nlkit.live.any_panel import Frame
from nlkit.live.session import Seen, named_curves, race, results_table
from nlkit.live.weights_panel import weighing_methods
from nlkit.papers.standard import Standard
from nlkit.records import Record, Step
from nlkit.tasks.task import Task

SETTINGS = {"noise": "symmetric", "ratio": 0.8, "clean_per_class": 50, "epochs": 3, "learning_rate": 6e-4, "seed": 0}
TASK = {name: SETTINGS[name] for name in ("noise", "ratio", "clean_per_class", "seed")}
TRAINING = {name: SETTINGS[name] for name in ("epochs", "learning_rate", "seed")}


@pytest.fixture
def panel(mnist5k):
    """A training panel of three epochs whose start returns when the run is over."""
    return live.training(mnist5k, epochs=3, mode="blocking")


@pytest.fixture
def long(mnist5k):
    """A training panel with a run that takes a while, in a thread."""
    panel = live.training(mnist5k, epochs=100, mode="thread")
    yield panel
    panel.close()
    assert panel.driver.join(PATIENCE)


# What runs


def test_a_race_takes_the_methods_epoch_by_epoch_and_each_learns_what_it_learns_alone(mnist5k):
    task, *events = race(mnist5k, TASK, TRAINING, ["standard", "reweight"])
    assert isinstance(task, Task) and task.realized_ratio == pytest.approx(0.8)
    records = [(place, event) for place, event in events if isinstance(event, Record)]
    assert [(place, record.epoch) for place, record in records] == [(p, e) for e in (1, 2, 3) for p in (0, 1)]
    assert all(isinstance(event, (Record, Step)) for _, event in events)
    alone = list(train(task, "reweight", epochs=3))
    assert [r.test_accuracy for place, r in records if place] == [r.test_accuracy for r in alone]


def test_a_race_without_methods_is_refused(mnist5k):
    with pytest.raises(ValueError, match="methods=.. is empty; pick at least one"):
        next(race(mnist5k, TASK, TRAINING, []))


def test_runs_are_named_by_the_settings_in_which_they_differ_and_listed_the_latest_first(mnist5k):
    history = list(train(next(race(mnist5k, TASK, TRAINING, ["standard"])), epochs=2))
    runs = [Seen(1, "standard", SETTINGS, history), Seen(2, "clean_only", {**SETTINGS, "ratio": 0.4}, history)]
    assert [curve.name for curve in named_curves(runs)] == ["1 standard, 80%", "2 clean only, 40%"]
    assert named_curves(runs[:1])[0].name == "1 standard"
    table = results_table([*runs, Seen(3, "standard", SETTINGS)])
    assert table.index("2 clean only") < table.index("1 standard") and "3 standard" not in table
    assert f"{history[-1].test_accuracy:.1%} (epoch 2)" in table  # of three
    assert results_table([]) == ""


def test_every_method_of_the_registry_is_offered(panel):
    assert {w.description for w in parts(panel, widgets.Checkbox)} == {name.replace("_", " ") for name in METHODS}
    assert set(weighing_methods()) == {
        "reweight", "mentornet", "mentormix", "co-teaching", "co-teaching+", "decoupling", "jocor", "dividemix",
        "meta_weight_net", "cores2", "pes", "pes_semi", "disc", "confident", "promix",
    }  # fmt: skip
    with pytest.raises(ValueError, match="methods='standart' is not known; did you mean 'standard'"):
        live.training(methods=("standart",))
    with pytest.raises(ValueError, match="method='standard' is not offered here; choose one of reweight"):
        live.weights(method="standard")


# A run from start to end


def test_a_run_draws_counts_and_tells(panel, mnist5k):
    assert "idle" in words(panel) and pressable(panel) == {"Start", "Reset"}
    before, says = panel.picture.value, []
    panel.line.observe(lambda change: says.append(change["new"]), names="value")
    press(panel, "Start")
    assert panel.driver.state == "done" and ">done<" in words(panel)
    assert any("training: epoch 2 of 3" in line for line in says)
    assert panel.picture.value != before and panel.progress.value == 1
    expected = list(train(next(race(mnist5k, TASK, TRAINING, ["standard"])), epochs=3))[-1]
    assert f"{expected.test_accuracy:.1%}" in panel.table.value
    assert f"test accuracy {expected.test_accuracy:.1%} after epoch 3" in panel.picture.tooltip
    assert pressable(panel) == {"Start", "Reset"}


def test_the_first_point_waits_for_no_picture_and_an_empty_one_comes_where_it_takes_long(panel, mnist5k, monkeypatch):
    clock, pictures, frame = [100.0], [], panel.frame
    monkeypatch.setattr(run_panel.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(run_panel, "drawn", lambda figure: pictures.append(clock[0]) or frame)
    (record,) = train(next(race(mnist5k, TASK, TRAINING, ["standard"])), epochs=1)

    def at(seconds: float, *events) -> list[float]:
        pictures.clear()
        clock[0] = 100 + seconds
        for event in events:
            panel.on_event(event)
        return pictures

    start, step = ("run", (["standard", "reweight"], SETTINGS, None)), ("step", (0, Step(1, 1, 32)))
    assert at(0, start, step) == [] and len(at(0.1, ("step", (0, record)))) == 1
    assert at(0.2, ("step", (1, record))) == [] and len(at(0.3, ("step", (0, record)))) == 1  # six a second
    assert at(1, start, step) == [] and at(1.4, step) == []
    assert len(at(1.6, step, step)) == 1
    assert len(at(1.65, ("step", (1, record)))) == 1 and at(1.9, step) == []


def test_earlier_runs_stay_for_comparison_and_reset_forgets_them(panel):
    press(panel, "Start")
    control(panel, "noise ratio").value = 0.2
    assert len(panel.earlier) == 0 and len(panel.current) == 1  # moving a control alone trains nothing
    control(panel, "clean only").value = True
    press(panel, "Start")
    assert [run.name for run in [*panel.earlier, *panel.current]] == ["1 standard", "2 standard", "2 clean only"]
    assert "Earlier runs drawn faintly: 1" in panel.picture.tooltip
    assert panel.table.value.count("<tr>") == 4
    press(panel, "Reset")
    assert not panel.earlier and not panel.current and panel.table.value == ""
    assert control(panel, "noise ratio").value == 0.8 and not control(panel, "clean only").value
    assert "idle" in words(panel) and "Empty axes" in panel.picture.tooltip and panel.progress.value == 0


def test_the_reason_of_a_failure_is_told_and_the_panel_works_on(panel):
    control(panel, "clean per class").value = 0
    control(panel, "reweight").value = True
    press(panel, "Start")
    assert "failed: method=&#x27;reweight&#x27; needs a clean set" in words(panel)
    control(panel, "reweight").value = False
    press(panel, "Start")
    assert panel.driver.state == "done"
    for tick in parts(panel, widgets.Checkbox):
        tick.value = False
    press(panel, "Start")
    assert "failed: methods=() is empty; pick at least one" in words(panel)


def test_the_precision_that_is_asked_for_is_that_of_the_runs(mnist5k, monkeypatch):
    asked = []
    monkeypatch.setattr(run_panel, "race", lambda data, task, training, methods: asked.append(training["precision"]))
    for options in ({}, {"precision": "fast"}):
        live.training(mnist5k, mode="blocking", **options).start()
    assert asked == ["float32", "fast"]
    with pytest.raises(ValueError, match="precision='quick' is not known"):
        live.training(mnist5k, precision="quick")


def test_human_labels_have_a_ratio_of_their_own(mnist5k):
    run = Seen(1, "standard", {**SETTINGS, "noise": "human:worst"}, list(train(make(mnist5k), epochs=1)))
    assert "its own" in results_table([run])


def make(mnist5k):
    return next(race(mnist5k, TASK, TRAINING, ["standard"]))


def test_a_drawing_that_fails_is_told_too(panel, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(panel, "figure", lambda: 1 / 0)
        press(panel, "Start")
    assert "failed: division by zero" in words(panel) and pressable(panel) == {"Start", "Reset"}
    press(panel, "Start")
    assert panel.driver.state == "done"


@pytest.mark.parametrize("mode", ["thread", "blocking"])
def test_a_run_that_fails_midway_keeps_what_was_seen_and_tells_why(mnist5k, monkeypatch, mode):
    def diverges(*arguments):
        events = race(*arguments)
        yield next(events)
        yield from itertools.islice((event for event in events if isinstance(event[1], Record)), 2)
        raise ValueError("the loss is <nan>")

    monkeypatch.setattr("nlkit.live.run_panel.race", diverges)
    panel = live.training(mnist5k, epochs=3, mode=mode)
    press(panel, "Start")
    assert panel.driver.join(PATIENCE)
    assert "failed: the loss is &lt;nan&gt;" in words(panel) and 'role="alert"' in panel.line.value
    assert "after epoch 2" in panel.picture.tooltip and "(epoch 2)" in panel.table.value
    assert pressable(panel) == {"Start", "Reset"}


# Runs that were made before


def test_runs_made_before_are_seen_first_and_compared_with_later(mnist5k):
    history = list(train(next(race(mnist5k, TASK, TRAINING, ["standard"])), epochs=3))
    panel = live.training(mnist5k, epochs=3, mode="blocking", histories={"standard": history})
    told = f"1 standard: test accuracy {history[-1].test_accuracy:.1%} after epoch 3"
    assert told in panel.picture.tooltip and "idle: run 1 is from before; press Start" in words(panel)
    press(panel, "Start")
    assert [run.name for run in [*panel.earlier, *panel.current]] == ["1 standard", "2 standard"]
    own = panel.current[0].history
    assert [r.test_accuracy for r in own] == [r.test_accuracy for r in history]  # the same settings, the same result
    assert [curve.name for curve in named_curves([*panel.earlier, *panel.current])] == ["1 standard", "2 standard"]
    press(panel, "Reset")
    assert told in panel.picture.tooltip and not panel.earlier and "2 standard" not in panel.table.value
    with pytest.raises(ValueError, match="the history of 'standard' is empty; give the records"):
        live.training(mnist5k, histories={"standard": []})
    with pytest.raises(ValueError, match="histories='standart' is not known; did you mean 'standard'"):
        live.training(mnist5k, histories={"standart": history})
    with pytest.raises(ValueError, match="history has no weights of examples; it must come from a method that weighs"):
        live.weights(mnist5k, history=history)


def test_weights_seen_before_can_be_looked_back_on_at_once(mnist5k):
    history = list(train(next(race(mnist5k, TASK, TRAINING, ["mentornet"])), "mentornet", epochs=3))
    panel = live.weights(mnist5k, method="mentornet", history=history, mode="blocking")
    share = history[-1].extra["weight_on_right"]
    assert f"Weights in epoch 3: 20% of the labels are right, and they carry {share:.0%}" in panel.picture.tooltip
    epoch = control(panel, "look at epoch")
    assert not epoch.disabled and epoch.max == 3
    control(panel, "noise ratio").value = 0.2  # which is for the next run
    epoch.value = 1
    assert "Weights in epoch 1: 20% of the labels are right" in panel.picture.tooltip
    found = "weights of 3,500 examples; .* on 3,900 noisy"
    with pytest.raises(ValueError, match=found):
        live.weights(mnist5k, method="mentornet", clean_per_class=10, history=history)


# While it runs


def test_stop_keeps_what_was_seen_and_says_where(long):
    press(long, "Start")
    assert pressable(long) == {"Stop", "Reset"}
    wait_until(lambda: long.epoch >= 2)
    press(long, "Stop")
    epoch = long.epoch
    assert f"stopped after epoch {epoch}" in words(long) and pressable(long) == {"Start", "Reset"}
    assert long.driver.join(PATIENCE) and long.epoch == epoch
    press(long, "Start")
    wait_until(lambda: long.earlier)
    assert [len(run.history) for run in long.earlier] == [epoch]


def test_the_caller_stays_free_and_the_pictures_come_from_the_thread(long, monkeypatch):
    threads = set()
    figure = long.figure
    monkeypatch.setattr(long, "figure", lambda: threads.add(threading.current_thread()) or figure())
    press(long, "Start")
    wait_until(lambda: long.epoch >= 3 and threads)
    assert long.driver.busy and threading.current_thread() not in threads


def test_fifty_moves_leave_one_run_with_the_last_values_and_one_thread(long):
    press(long, "Start")
    wait_until(lambda: long.epoch >= 1)
    for move in range(50):
        control(long, "noise ratio").value = (move % 20) / 20
        assert len([t for t in threading.enumerate() if t.name == "nlkit panel"]) <= 1
    control(long, "noise ratio").value = 0.35
    assert "waiting for the controls to rest" in words(long)
    wait_until(lambda: long.driver.state == "running" and long.current[0].settings["ratio"] != 0.8 and long.epoch >= 1)
    assert [run.settings["ratio"] for run in long.current] == [0.35]
    assert not long.earlier and long.current[0].number == 1  # what was overtaken is forgotten
    assert long.task.realized_ratio == pytest.approx(0.35)


def test_a_run_that_is_stopped_while_its_data_are_made_says_so_whatever_was_seen_before(mnist5k, monkeypatch):
    panel = live.training(mnist5k, epochs=1, mode="thread")
    press(panel, "Start")
    assert panel.driver.join(PATIENCE) and panel.epoch == 1
    begun, go_on = threading.Event(), threading.Event()

    def slow(*arguments):
        begun.set()
        go_on.wait(PATIENCE)
        yield from race(*arguments)

    monkeypatch.setattr("nlkit.live.run_panel.race", slow)
    press(panel, "Start")
    assert begun.wait(PATIENCE) and "training: making the data" in words(panel)
    press(panel, "Stop")
    assert "stopped before the first epoch" in words(panel) and pressable(panel) == {"Start", "Reset"}
    go_on.set()
    assert panel.driver.join(PATIENCE)
    assert "stopped before the first epoch" in words(panel) and panel.epoch == 1 and not panel.earlier


def test_reset_while_it_runs_ends_it(long):
    press(long, "Start")
    wait_until(lambda: long.epoch >= 1)
    control(long, "epochs").value = 90
    press(long, "Reset")
    assert "idle" in words(long) and not long.current and control(long, "epochs").value == 100
    assert long.driver.join(PATIENCE) and not long.current


# Weights


def test_the_weights_panel_shows_whom_the_method_listens_to_and_looks_back(mnist5k):
    panel = live.weights(mnist5k, method="mentornet", epochs=3, mode="blocking")
    assert "Weights in epoch 0: 20% of the labels are right, and they carry 20%" in panel.picture.tooltip
    epoch = control(panel, "look at epoch")
    assert epoch.disabled
    press(panel, "Start")
    assert panel.driver.state == "done", panel.driver.error
    share = panel.current[0].history[-1].extra["weight_on_right"]
    assert f"Weights in epoch 3: 20% of the labels are right, and they carry {share:.0%}" in panel.picture.tooltip
    assert not epoch.disabled and epoch.max == epoch.value == 3
    last = panel.picture.value
    epoch.value = 1
    assert "Weights in epoch 1" in panel.picture.tooltip and panel.picture.value != last
    control(panel, "method").value = "reweight"
    press(panel, "Start")
    assert [run.method for run in panel.earlier] == ["mentornet"] and "Weights in epoch 3" in panel.picture.tooltip
    press(panel, "Reset")
    assert "Weights in epoch 0" in panel.picture.tooltip and epoch.disabled


def test_a_picture_of_an_epoch_that_is_over_does_not_come_after_those_of_a_new_run(mnist5k, monkeypatch):
    begun, go_on, shown = threading.Event(), threading.Event(), []

    def slow(_what):
        begun.set()
        go_on.wait(PATIENCE)
        yield Frame(b"stale", "stale")

    monkeypatch.setattr("nlkit.live.weights_panel._paint", slow)
    panel = live.weights(mnist5k, method="mentornet", epochs=2, mode="thread")
    press(panel, "Start")
    assert panel.driver.join(PATIENCE) and panel.driver.state == "done"
    control(panel, "look at epoch").value = 1
    assert begun.wait(PATIENCE)
    panel.picture.observe(lambda change: shown.append(change["new"]), names="tooltip")
    press(panel, "Start")
    go_on.set()
    assert panel.painter.join(PATIENCE) and panel.driver.join(PATIENCE)
    assert shown and "stale" not in shown and "Weights in epoch 2" in panel.picture.tooltip
    assert panel.painter.state == "stopped"


def test_a_picture_of_an_epoch_that_cannot_be_drawn_is_told(mnist5k, monkeypatch):
    def refuse(_what):
        raise ValueError("no room")
        yield

    monkeypatch.setattr("nlkit.live.weights_panel._paint", refuse)
    panel = live.weights(mnist5k, method="mentornet", epochs=2, mode="blocking")
    press(panel, "Start")
    before = panel.picture.value
    control(panel, "look at epoch").value = 1
    assert "failed: no room" in words(panel) and panel.picture.value == before


@pytest.mark.filterwarnings("ignore:training diverged:RuntimeWarning")
def test_a_run_that_diverged_is_named_and_the_others_are_not(panel, monkeypatch):
    step = Standard.step
    monkeypatch.setattr(Standard, "step", lambda *a: StepResult(step(*a).loss * float("nan")))
    press(panel, "Start")
    assert panel.driver.state == "done"
    lost = [run.name for run in panel.current if run.method == "standard"]
    assert f"done; {lost[0]} diverged and means nothing; take a lower learning rate" in words(panel)
