"""The course in a real JupyterLab, in a real browser, as a student meets it."""

import pytest
from browser import drag, open_and_run_all, picture, press_key, says, scroll_to, wait_for_another_picture

pytestmark = pytest.mark.browser


def test_sliders_of_the_first_notebook_move_the_picture(page, lab_url):
    open_and_run_all(page, lab_url, "01_label_noise.ipynb")
    panel = scroll_to(page, ".nlkit-noise")
    says(panel, "asked for 40%")
    before = picture(panel).get_attribute("title")
    press_key(page, panel, "noise ratio", "ArrowRight")
    says(panel, "asked for 45%")
    wait_for_another_picture(page, panel, before)
    press_key(page, panel, "clean a class", "ArrowRight")
    says(panel, "510 examples are clean")
    drag(page, panel, "noise ratio", 0.9)
    says(panel, "asked for 90%")


def test_the_news_pop_up_stays_away(page, lab_url):
    page.goto(lab_url)
    page.wait_for_selector(".jp-DirListing-item >> text=01_label_noise.ipynb")
    page.wait_for_timeout(1500)
    assert page.locator("text=Jupyter news").count() == 0
