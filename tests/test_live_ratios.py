"""The panel of noise ratios: all train together, and the slider moves through what is there."""

from dataclasses import replace

import pytest
from panels import PATIENCE, control, press, pressable, wait_until, words

from nlkit import live, make_task, plots, train
from nlkit.live import ratios_panel
from nlkit.live.ratios_panel import RATIOS


@pytest.fixture(scope="module")
def few(mnist5k):
    """A fifth of the digits."""
    return replace(mnist5k, train_images=mnist5k.train_images[::5], train_labels=mnist5k.train_labels[::5])


@pytest.fixture(scope="module")
def history(few):
    return list(train(make_task(few, ratio=0.8, clean_per_class=50, device="cpu"), epochs=2))


def test_all_ratios_train_together_and_the_slider_needs_no_new_training(few, history, monkeypatch):
    panel, told = live.ratios(few, epochs=2, mode="blocking"), []
    panel.progress.observe(lambda change: told.append(change["new"]), names="value")
    assert "At 40% noise. Nothing is trained here yet." in words(panel)
    press(panel, "Start")
    assert panel.driver.state == "done" and told == sorted(told) and told[-1] == 1 and len(told) > 10
    assert {ratio: len(records) for ratio, records in panel.seen.items()} == dict.fromkeys(RATIOS, 2)
    alone = history[-1].test_accuracy
    assert panel.seen[0.8][-1].test_accuracy == pytest.approx(alone, abs=0.004)
    monkeypatch.setattr(ratios_panel, "train_many", None)
    before = panel.picture.value
    control(panel, "noise ratio").value = 8 * 0.1  # as a browser counts
    about = {"epochs": 2, "chance": 0.1}
    expected = plots.ratio_curves(panel.seen, 0.8, **about)
    assert panel.picture.value == expected.png() != before and panel.picture.tooltip == expected.alt
    best = max(record.test_accuracy for record in panel.seen[0.8])
    assert f"At 80% noise. Test accuracy {best:.1%} in epoch" in words(panel)
    control(panel, "noise ratio").value = 0.0
    assert "no label is wrong" in words(panel)
    press(panel, "Reset")
    assert not panel.current and control(panel, "noise ratio").value == 0.4 and "Nothing is trained" in words(panel)


def test_the_slider_moves_while_they_train_and_a_setting_begins_anew(few):
    panel = live.ratios(few, epochs=100, mode="thread")
    try:
        press(panel, "Start")
        wait_until(lambda: panel.epoch)
        first = panel.current
        control(panel, "noise ratio").value = 0.2
        assert panel.current is first and panel.picture.tooltip.startswith("Curves by epoch at 20% noise")
        control(panel, "clean per class").value = 10
        wait_until(lambda: panel.current is not first and panel.epoch)
        assert panel.current[0].settings["clean_per_class"] == 10
        press(panel, "Stop")
        assert pressable(panel) == {"Start", "Reset"} and "stopped after epoch" in words(panel)
    finally:
        panel.close()
    assert panel.driver.join(PATIENCE)


def test_runs_made_before_are_seen_until_it_is_started(few, history):
    panel = live.ratios(few, epochs=2, ratio=0.8, histories={0.8: history}, mode="blocking")
    assert f"{history[-1].test_accuracy:.1%} after epoch 2" in panel.picture.tooltip
    control(panel, "noise ratio").value = 0.3
    assert "at 30% noise, the others (80%) faint. Nothing is trained here yet." in panel.picture.tooltip


@pytest.mark.parametrize("wrong, told", [
    ({"noise": "red"}, "noise='red' is not known"),
    ({"ratio": 0.25}, "ratio=0.25 is not offered here; choose one of 0.0, 0.1, 0.2"),
    ({"ratio": 1.0}, "ratio=1 is not offered here"),
    ({"histories": {0.25: [None]}}, "histories has the ratio 0.25; the panel's are 0.0, 0.1"),
    ({"histories": {0.2: []}}, "the history of '20%' is empty"),
])  # fmt: skip
def test_what_is_not_offered_is_refused(few, wrong, told):
    with pytest.raises(ValueError, match=told):
        live.ratios(few, **wrong)


def test_a_task_that_is_made_has_one_ratio_and_is_refused(few):
    with pytest.raises(ValueError, match="data=Task.* is made with one noise ratio; hand in a data set"):
        live.ratios(make_task(few, ratio=0.2, clean_per_class=5))
