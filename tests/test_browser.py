"""The course in a real JupyterLab, in a real browser, as a student meets it."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from nlkit.doctor import find_chromium
from nlkit.lab import lab_command, lab_environment

pytestmark = pytest.mark.browser
NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


@pytest.fixture(scope="module")
def lab_url(tmp_path_factory):
    """The address of a JupyterLab on a copy of the notebooks, so that running them changes nothing here."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".*"))
    options = ("--no-browser", "--LabApp.expose_app_in_browser=True")
    log = folder.parent / "log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            lab_command(options, folder), env=lab_environment(), stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(300):
            found = re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", log.read_text())
            if found:
                break
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        yield found.group()
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def page(lab_url):
    """A page of 1280×900 that fails the test when the browser's console reports an error."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )  # fmt: skip
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        yield page
        browser.close()
    assert not errors


def open_and_run_all(page, lab_url: str, name: str) -> None:
    page.goto(lab_url.replace("/lab?", f"/lab/tree/{name}?reset&"))
    page.wait_for_selector(".jp-Notebook")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
    )
    finished = page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    assert finished, "a cell failed"


def scroll_to(page, selector: str):
    """Scroll down until the element is there: JupyterLab attaches only the cells in view."""
    wanted = page.locator(selector).first
    page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
    for _ in range(60):
        if wanted.count() and wanted.is_visible():
            wanted.scroll_into_view_if_needed()
            return wanted
        page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollBy(0, 300)")
        page.wait_for_timeout(100)
    raise AssertionError(f"{selector} is nowhere in the notebook")


def test_sliders_of_the_first_notebook_move_the_picture(page, lab_url):
    open_and_run_all(page, lab_url, "01_label_noise.ipynb")
    scroll_to(page, "text=asked for 40%")
    picture = page.locator("img.widget-image, .widget-image img").first
    before = picture.get_attribute("src")
    handles = page.locator(".widget-slider .noUi-handle")
    assert handles.count() == 2
    handles.nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=asked for 45%")
    page.wait_for_function("([e, old]) => e.src != old", arg=[picture.element_handle(), before])
    handles.nth(1).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=510 examples are clean")

    bar = page.locator(".widget-slider .noUi-target").nth(0).bounding_box()
    handle = handles.nth(0).bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(bar["x"] + 0.9 * bar["width"], bar["y"] + bar["height"] / 2, steps=20)
    page.mouse.up()
    page.wait_for_selector("text=asked for 90%")


def test_the_news_pop_up_stays_away(page, lab_url):
    page.goto(lab_url)
    page.wait_for_selector(".jp-DirListing-item >> text=01_label_noise.ipynb")
    page.wait_for_timeout(1500)
    assert page.locator("text=Jupyter news").count() == 0
