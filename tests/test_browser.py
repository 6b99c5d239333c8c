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
    options = ("--no-browser", "--LabApp.expose_app_in_browser=True", "--allow-root")
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
    page.wait_for_selector(".jp-NotebookPanel-toolbar [title*='Idle'], .jp-Notebook-ExecutionIndicator[data-status=idle]")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")


def test_sliders_of_the_first_notebook_move_the_picture(page, lab_url):
    open_and_run_all(page, lab_url, "01_label_noise.ipynb")
    slider = page.locator(".widget-slider", has_text="noise ratio").locator(".noUi-handle")
    slider.wait_for(state="attached", timeout=120_000)
    slider.scroll_into_view_if_needed()
    picture, told = page.locator(".widget-image").first, page.locator("text=/asked for \\d+%/").first
    told.wait_for(timeout=60_000)
    before_picture, before = picture.get_attribute("src"), told.inner_text()
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("([e, t]) => e.innerText !== t", arg=[told.element_handle(), before])
    assert "asked for 45%" in page.locator("text=/asked for \\d+%/").first.inner_text()
    assert picture.get_attribute("src") != before_picture

    clean = page.locator(".widget-slider", has_text="clean a class").locator(".noUi-handle")
    clean.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=510 examples are clean")
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
