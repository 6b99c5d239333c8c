"""What every panel does, and the panels of one picture: their controls drive it, and their end ends everything."""

import functools
import threading
import types
from dataclasses import replace

import ipywidgets as widgets
import pytest
import torch
from panels import control, parts, words

from nlkit import build_model, live, make_task, plots
from nlkit.live import any_panel as panel_module
from nlkit.live.controls import percent_slider, scale_slider, values_of
from nlkit.noise import look_alikes
from nlkit.tasks.make import glance


@pytest.fixture
def panel(mnist5k):
    return live.noise(mnist5k, ratio=0.4, clean_per_class=50)


def test_sliders_redraw_the_task_that_they_ask_for(panel, mnist5k):
    (picture,) = parts(panel, widgets.Image)
    assert picture.value == plots.noise_overview(make_task(mnist5k, ratio=0.4, device="cpu")).png()
    control(panel, "noise ratio").value = 0.8
    control(panel, "clean per class").value = 10
    expected = make_task(mnist5k, ratio=0.8, clean_per_class=10, device="cpu")
    assert picture.value == plots.noise_overview(expected).png()
    assert f"{int(expected.wrong.sum()):,} of 3,900" in words(panel) and "100 examples are clean" in words(panel)
    assert picture.tooltip == plots.noise_overview(expected).alt
    control(panel, "noise ratio").value = 0.81  # of which the images on top tell next to nothing: their pixels may stay
    assert picture.value == plots.noise_overview(make_task(mnist5k, ratio=0.81, clean_per_class=10)).png()
    control(panel, "noise ratio").value = 0.8
    control(panel, "noise type").value = "pair"
    assert picture.value == plots.noise_overview(make_task(mnist5k, noise="pair", ratio=0.8, clean_per_class=10)).png()


def test_both_ends_of_the_sliders_work(panel):
    for name in ("noise ratio", "clean per class"):
        slider = control(panel, name)
        for value in (slider.min, slider.max):
            slider.value = value
            assert panel.driver.state == "done"
    assert "; 3,990 examples are clean" in words(panel)


def test_an_error_is_shown_in_the_panel_and_the_last_picture_stays(panel, monkeypatch):
    (picture,) = parts(panel, widgets.Image)
    before = picture.value

    def refuse(*_args, **_kwargs):
        raise ValueError("ratio=2 must be <at most> 1")

    monkeypatch.setattr("nlkit.live.noise_panel.glance", refuse)
    control(panel, "noise ratio").value = 0.5
    assert "failed: ratio=2 must be &lt;at most&gt; 1" in words(panel)
    assert picture.value == before


def test_red_noise_draws_only_the_look_alikes_that_are_new(mnist5k, monkeypatch):
    drawn, draw = [], look_alikes._draw
    monkeypatch.setattr(look_alikes, "_draw", lambda labels, draws: drawn.append(len(labels)) or draw(labels, draws))
    look_alikes._drawn_so_far.cache_clear()
    panel = live.noise(mnist5k, noise="red", ratio=0.1, clean_per_class=50)
    (picture,) = parts(panel, widgets.Image)
    of_few, few, ratio = sum(drawn), picture.value, control(panel, "noise ratio")
    ratio.value = 0.2
    of_many, many = sum(drawn), picture.value
    ratio.value = 0.1
    assert picture.value == few != many
    ratio.value = 0.2
    assert picture.value == many and sum(drawn) == of_many
    control(panel, "seed").value = 1
    of_both = sum(drawn)
    assert picture.value != many  # other images are replaced, by others
    shown = plots.examples.picks_by_class(make_task(mnist5k, ratio=0.2, device="cpu"), 3, 10).flatten()

    def wrong(ratio, seed=0):
        return int(make_task(mnist5k, noise="red", ratio=ratio, seed=seed, device="cpu").wrong[shown].sum())

    assert (of_few, of_many, of_both) == (wrong(0.1), wrong(0.2), wrong(0.2) + wrong(0.2, seed=1))
    assert 0 < of_few < of_many < of_both < 60  # of thirty images that are shown
    look_alikes._drawn_so_far.cache_clear()
    assert parts(live.noise(mnist5k, noise="red", ratio=0.2, clean_per_class=50), widgets.Image)[0].value == many


def test_a_move_of_the_browser_s_slider_is_the_number_that_is_read():
    slider = percent_slider("noise ratio", 0.4, 0.0, 1.0, argument="ratio")
    slider.value = 12 * 0.05
    assert slider.value != 0.6 and values_of({"ratio": slider}) == {"ratio": 0.6}
    rate = scale_slider("learning rate", 7e-4, (1e-4, 1e-3))
    assert [number for _, number in rate.options] == [1e-4, 7e-4, 1e-3] and rate.value == 7e-4


def test_the_mentormix_panel_redraws_its_batch(mnist5k):
    task = make_task(mnist5k, ratio=0.6, clean_per_class=0, device="cpu")
    panel = live.mentormix(task, build_model("mlp", (1, 28, 28), 10))
    (picture,) = parts(panel, widgets.Image)
    assert "51 of 128 examples have weight 1" in words(panel)
    before = picture.value
    control(panel, "alpha").value = 16.0
    assert picture.value != before and "51 of 128 examples have weight 1" in words(panel)
    control(panel, "percentile p").value = 0.8
    assert "102 of 128 examples have weight 1" in words(panel)
    for name in ("percentile p", "alpha"):
        slider = control(panel, name)
        ends = (slider.min, slider.max) if name == "percentile p" else [slider.options[place][1] for place in (0, -1)]
        for value in ends:
            slider.value = value
            assert panel.driver.state == "done"


def test_the_mentormix_panel_makes_its_own_task_for_each_noise_ratio():
    panel = live.mentormix(ratio=0.4)
    before = words(panel)
    control(panel, "noise ratio").value = 0.8
    assert panel.driver.state == "done" and words(panel) != before
    control(panel, "noise ratio").value = 0.4
    assert words(panel) == before
    with pytest.raises(ValueError, match="model=None; give both task and model, or neither"):
        live.mentormix(make_task("mnist5k", ratio=0.4))


def test_a_data_set_is_offered_the_noise_that_it_can_have(mnist5k, monkeypatch):
    assert control(live.noise(mnist5k), "noise type").options == (
        "symmetric", "symmetric-own", "symmetric-doubled", "pair", "asymmetric", "instance",
        "instance-boundary", "red",
    )  # fmt: skip
    other = replace(mnist5k, name="my own", class_names=tuple("abcdefghij"))
    assert not {"asymmetric", "red"} & set(control(live.noise(other), "noise type").options)
    monkeypatch.setattr("nlkit.live.controls.find_human_labels", lambda: "a file")
    assert "human:worst" in control(live.noise(replace(other, name="cifar10")), "noise type").options
    with pytest.raises(ValueError, match="noise type='red' is not offered here; choose one of symmetric,"):
        live.noise(other, noise="red")


def test_every_noise_type_can_be_chosen(panel):
    for kind in control(panel, "noise type").options:
        control(panel, "noise type").value = kind
        assert panel.driver.state in ("idle", "done"), panel.driver.error


def test_every_control_has_a_name_that_fits_and_every_picture_its_alternative_text(panel):
    told = widgets.HTML, widgets.Label, widgets.Image, widgets.FloatProgress
    for found in (
        panel,
        live.training(),
        live.weights(),
        live.mentormix(),
        live.ratios(),
        live.budget(),
        live.boundary(),
        live.losses(),
        live.noise_rates(per_class=20, epochs=1),
        live.detection(per_class=20, epochs=1),
    ):
        for widget in parts(found, widgets.Widget):
            if isinstance(widget, widgets.ValueWidget) and not isinstance(widget, told):
                assert 2 <= len(widget.description) <= 15
        assert all(len(picture.tooltip) > 40 for picture in parts(found, widgets.Image))
        assert 'role="status"' in words(found)


def test_a_closed_panel_draws_no_more_and_its_widgets_are_gone(mnist5k):
    panel = live.noise(mnist5k, mode="thread")
    slider, (picture,) = control(panel, "noise ratio"), parts(panel, widgets.Image)
    before = picture.value
    panel.close()
    slider.value = 0.9
    assert panel.driver.join(20) and picture.value == before
    assert slider.comm is None and panel.comm is None


def test_a_panel_that_is_run_again_ends_the_one_before(mnist5k, monkeypatch):
    shell = types.SimpleNamespace(execution_count=1, get_parent=lambda: {"metadata": {"cellId": "a"}})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(panel_module, "_shown", {})
    first, beside = (live.training(mnist5k, mode="thread") for _ in range(2))
    first.start()
    assert first.driver.busy
    assert beside.comm is not None  # two panels of one cell live together
    shell.execution_count = 2
    shell.get_parent = lambda: {"metadata": {"cellId": "b"}}
    live.training(mnist5k, mode="thread")
    assert first.comm is not None  # another cell's panel is nothing to it
    shell.get_parent = lambda: {"metadata": {"cellId": "a"}}
    again = live.training(mnist5k, mode="thread")
    assert first.comm is None and beside.comm is None and again.comm is not None
    assert first.driver.join(20)
    assert not [t for t in threading.enumerate() if t.name == "nlkit panel"]


def test_a_displayed_panel_keeps_its_last_picture_as_a_plain_image(mnist5k, monkeypatch):
    shown = {}
    monkeypatch.setattr("IPython.display.display", lambda data, **_options: shown.update(view=data))
    monkeypatch.setattr(
        "IPython.display.DisplayHandle.display", lambda _self, data, **options: shown.update(still=(data, options))
    )
    monkeypatch.setattr(
        "IPython.display.DisplayHandle.update", lambda _self, data, **options: shown.update(later=(data, options))
    )
    panel = live.noise(mnist5k)
    panel._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in shown["view"]
    data, options = shown["still"]
    assert data["image/png"].startswith("iVBORw0KGgo") and options["raw"]
    assert panel.frame.alt in options["metadata"]["image/png"]["alt"]
    control(panel, "noise ratio").value = 0.9
    later, _ = shown["later"]
    assert later["image/png"] != data["image/png"] and "90.0%" in later["text/plain"]


def test_a_panel_can_be_left_out_where_nobody_can_use_it(mnist5k, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_options: shown.append(data))
    monkeypatch.setattr("IPython.display.DisplayHandle.display", lambda _self, data, **_options: shown.append(data))
    panel = live.noise(mnist5k)
    panel._ipython_display_()
    view = "application/vnd.jupyter.widget-view+json"
    assert [view in data for data in shown] == [False, True, False] and "nlkit-afterwards" in shown[0]["text/html"]
    shown.clear()
    monkeypatch.setenv("NLKIT_PANELS", "still")
    panel._ipython_display_()
    assert [list(data) for data in shown] == [["text/plain"], ["image/png", "text/plain"]]
    assert "run this cell" in shown[0]["text/plain"]


def test_five_classes_or_fewer_with_long_names_are_shown(mnist5k):
    names = tuple(f"digit number {digit}" for digit in range(10))
    for count in (2, 3, 5):
        few = replace(mnist5k, class_names=names).of_classes(names[:count])
        panel = live.noise(few, ratio=0.4)
        panel.controls["ratio"].value = 0.8
        assert panel.driver.state == "done", panel.driver.error


OUT_OF_RANGE = {
    "ratio": ((-0.1, 1.5, "half"), ("noise", "training", "weights", "mentormix")),
    "clean_per_class": ((-1, 400, 2.5), ("noise", "training", "weights", "ratios")),
    "epochs": ((0, 101, 2.5), ("training", "weights", "ratios")),
    "learning_rate": ((0, -1, float("inf")), ("training", "weights")),
    "seed": ((-1, 2**70, 0.5), ("training", "weights")),
    "percentile": ((0.0, 1.0), ("mentormix",)),
    "alpha": ((0, -2.0), ("mentormix",)),
    "batch_size": ((7,), ("mentormix",)),
}


@pytest.mark.parametrize("argument", OUT_OF_RANGE)
def test_a_start_beyond_a_slider_s_end_is_refused_as_training_refuses_it(argument):
    values, panels = OUT_OF_RANGE[argument]
    for name in panels:
        for value in values:
            with pytest.raises(ValueError, match=f"^{argument}={value!r} must be a (whole )?number"):
                getattr(live, name)(**{argument: value})


def test_small_data_start_with_the_clean_examples_that_they_have(mnist5k):
    few = replace(mnist5k, train_images=mnist5k.train_images[::20], train_labels=mnist5k.train_labels[::20])
    for panel in (live.noise(few), live.training(few), live.weights(few)):
        assert panel.controls["clean_per_class"].value == 19
    with pytest.raises(ValueError, match="clean_per_class=50 must be a whole number from 0 to 19: the smallest class"):
        live.noise(few, clean_per_class=50)
    assert live.noise(mnist5k).controls["clean_per_class"].value == 50


@pytest.mark.parametrize("argument, values", [
    ("noise", ("pair", "symmetric")), ("ratio", (0.8, 0.0)), ("clean_per_class", (50, 0)),
])  # fmt: skip
def test_how_to_make_a_task_is_refused_with_one_that_is_made(mnist5k, argument, values):
    """Also where it happens to be the usual value, or one that is false."""
    task = make_task(mnist5k, ratio=0.2, clean_per_class=10, device="cpu")
    panels = {name: getattr(live, name) for name in ("noise", "training", "weights")}
    if argument == "ratio":
        panels["mentormix"] = functools.partial(live.mentormix, model=build_model("mlp", (1, 28, 28), 10))
    for panel in panels.values():
        for value in values:
            with pytest.raises(
                ValueError, match=f"^{argument}={value!r} says .* already made .*; leave {argument} out"
            ):
                panel(task, **{argument: value})


def test_panels_start_where_it_says_unless_told_otherwise(mnist5k):
    """The starts that the arguments' descriptions name, which a task that is made does not have."""
    for name, ratio in (("noise", 0.4), ("training", 0.8), ("weights", 0.8), ("mentormix", 0.6)):
        controls = getattr(live, name)().controls
        assert controls["ratio"].value == ratio
        if name != "mentormix":
            assert (controls["noise"].value, controls["clean_per_class"].value) == ("symmetric", 50)
    task = make_task(mnist5k, ratio=0.2, clean_per_class=10, device="cpu")
    assert set(live.training(task, seed=3, epochs=2).controls) == {"seed", "epochs", "learning_rate"}


def test_one_method_may_be_named_without_a_list():
    assert live.training(methods="reweight").methods() == ["reweight"]
    with pytest.raises(ValueError, match="methods='reweigh' is not known; did you mean 'reweight'"):
        live.training(methods="reweigh")


def test_other_data_sets_images_are_no_noise_of_a_panel(mnist5k, monkeypatch):
    monkeypatch.setattr("nlkit.live.controls.find_human_labels", lambda: "a file")
    panel = live.noise(replace(mnist5k, name="cifar10"))
    assert not [kind for kind in panel.controls["noise"].options if kind.startswith("red:")]


@pytest.mark.parametrize("kind", ["symmetric", "pair", "red", "instance"])
def test_a_glance_is_the_task_without_its_copy_of_the_images(mnist5k, kind):
    settings = {"noise": kind, "ratio": 0.3, "clean_per_class": 5, "seed": 2}
    seen, task = glance(mnist5k, **settings), make_task(mnist5k, **settings, device="cpu")
    for name in ("given", "true", "wrong", "index", "matrix", "test_labels"):
        assert torch.equal(getattr(seen, name), getattr(task, name))
    assert seen.images.images is mnist5k.train_images and seen.test_images is mnist5k.test_images
    places = torch.tensor([[3, 17, 0], [3999, 1200, 17]])
    assert torch.equal(seen.images[places], task.images[places])
    assert torch.equal(seen.images[:50], task.images[:50])
