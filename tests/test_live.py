"""The noise panel without a browser: its controls drive the picture."""

import ipywidgets as widgets
import pytest

from nlkit import build_model, live, make_task, plots


def parts(panel, kind):
    found = [panel] if isinstance(panel, kind) else []
    for child in getattr(panel, "children", ()):
        found += parts(child, kind)
    return found


@pytest.fixture
def panel(mnist5k):
    return live.noise(mnist5k, ratio=0.4, clean_per_class=50)


def control(panel, name):
    return next(w for w in parts(panel, widgets.Widget) if getattr(w, "description", "") == name)


def test_sliders_redraw_the_task_that_they_ask_for(panel, mnist5k):
    (picture,), (told,) = parts(panel, widgets.Image), parts(panel, widgets.HTML)
    assert picture.value == plots.noise_overview(make_task(mnist5k, ratio=0.4, device="cpu")).png()
    control(panel, "noise ratio").value = 0.8
    control(panel, "clean a class").value = 10
    expected = make_task(mnist5k, ratio=0.8, clean_per_class=10, device="cpu")
    assert picture.value == plots.noise_overview(expected).png()
    assert f"{int(expected.wrong.sum()):,} of 3,900" in told.value and "100 examples are clean" in told.value
    control(panel, "noise type").value = "pair"
    assert picture.value == plots.noise_overview(make_task(mnist5k, noise="pair", ratio=0.8, clean_per_class=10)).png()


def test_both_ends_of_the_sliders_work(panel):
    (told,) = parts(panel, widgets.HTML)
    for name in ("noise ratio", "clean a class"):
        slider = control(panel, name)
        for value in (slider.min, slider.max):
            slider.value = value
            assert "can't be made" not in told.value
    assert "; 3,990 examples are clean" in told.value


def test_an_error_is_shown_in_the_panel_and_the_last_picture_stays(panel, monkeypatch):
    (picture,), (told,) = parts(panel, widgets.Image), parts(panel, widgets.HTML)
    before = picture.value

    def refuse(*_args, **_kwargs):
        raise ValueError("ratio=2 must be a number from 0 to 1")

    monkeypatch.setattr("nlkit.live.noise_panel.make_task", refuse)
    control(panel, "noise ratio").value = 0.5
    assert "ratio=2 must be" in told.value
    assert picture.value == before


def test_the_mentormix_panel_redraws_its_batch(mnist5k):
    task = make_task(mnist5k, ratio=0.6, clean_per_class=0, device="cpu")
    panel = live.mentormix(task, build_model("mlp", (1, 28, 28), 10))
    losses, blends = parts(panel, widgets.Image)
    before = losses.value, blends.value
    control(panel, "alpha").value = 20.0
    assert losses.value == before[0] and blends.value != before[1]
    control(panel, "percentile p").value = 0.8
    assert losses.value != before[0]
    for name in ("percentile p", "alpha"):
        slider = control(panel, name)
        ends = (slider.min, slider.max) if name == "percentile p" else (10**slider.min, 10**slider.max)
        for value in ends:
            slider.value = value
            assert bytes(blends.value).startswith(b"\x89PNG")
