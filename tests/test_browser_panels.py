"""What no single notebook shows: two at once, a cell that is run again, a run to its end, and the panels in Voilà."""

import socket

import nbformat
import pytest
from browser import (
    error_outputs,
    execute,
    nameless,
    open_notebook,
    press,
    press_key,
    run_all,
    says,
    scroll_to,
    served,
    slider,
    tab_stops,
    violations,
    wait_for_row,
)

from nlkit.commands.lab import app_command

pytestmark = pytest.mark.browser
CELLS = {
    "long": ["live.training(methods=('mixup', 'mentornet', 'mentormix'), epochs=100)", "print(40 + 2)"],
    "short": ["live.training(methods=('standard', 'clean_only'), epochs=2)"],
}
THREADS = """
import threading, time
end = time.monotonic() + 30
while (left := [t.name for t in threading.enumerate()].count("nlkit panel")) and time.monotonic() < end:
    time.sleep(0.05)
print("left:", left)
"""


@pytest.fixture(scope="module")
def notebooks(lab_folder):
    for name, cells in CELLS.items():
        cells = [nbformat.v4.new_code_cell(source) for source in ["from nlkit import live", *cells]]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab_folder / f"panel_{name}.ipynb")


def open_panel(page, lab_url, name):
    open_notebook(page, lab_url, f"panel_{name}.ipynb")
    run_all(page)
    return scroll_to(page, ".nlkit-panel")


def test_two_notebooks_train_at_once_beside_other_cells_and_leave_no_thread(page, lab_url, notebooks):
    long = open_panel(page, lab_url, "long")
    press(long, "Start")
    says(long, " of 100, ")
    answered = page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2;"
        " return window.jupyterapp.commands.execute('notebook:run-cell'); }"
    )
    assert answered
    second = page.context.new_page()
    short = open_panel(second, lab_url, "short")
    assert not nameless(short)
    stops = tab_stops(second, short)
    sliders = "noise ratio", "clean per class", "epochs", "learning rate"
    assert {"standard", "elr", "noise type", "seed", "Start", "Reset", *sliders} <= set(stops)  # Stop is disabled
    short.get_by_role("button", name="Start").focus()
    second.keyboard.press("Space")
    says(short, "done")
    for method in ("1 standard", "1 clean only"):
        wait_for_row(second, short, method)
    says(long, "training: epoch")
    run_all(page)
    long = scroll_to(page, ".nlkit-panel")
    says(long, "idle")
    assert execute(page, THREADS).strip() == "left: 0"
    assert error_outputs(page) == error_outputs(second) == 0


def test_the_news_pop_up_stays_away(page, lab_url):
    page.goto(lab_url)
    page.wait_for_selector(".jp-DirListing-item >> text=01_label_noise.ipynb")
    page.wait_for_timeout(1500)
    assert page.locator("text=Jupyter news").count() == 0


def test_the_app_shows_the_panels_without_code_and_asks_nobody_outside(page, tmp_path):
    outside = []
    page.on("request", lambda r: outside.append(r.url) if "//127.0.0.1" not in r.url and r.url[:4] == "http" else None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = app_command(("--no-browser", f"--port={port}"))
    with served(command, r"http://127\.0\.0\.1:\d+/\S*", tmp_path / "log") as url:
        page.goto(url)
        noise, training = page.locator(".nlkit-noise"), page.locator(".nlkit-training")
        says(noise, "asked for 40%")
        press_key(page, noise, "noise ratio", "ArrowRight")
        says(noise, "asked for 45%")
        press(training, "Start")
        says(training, " of 25, ")
        press(training, "Stop")
        says(training, "stopped")
        assert page.locator("text=live.training").count() == 0 and slider(noise, "noise ratio").count() == 1
        assert page.locator("img:visible").count() == page.locator(".nlkit-panel").count()  # none twice
        assert not violations(page)
        page.goto("about:blank")  # before the server ends, which the page would complain of
    assert not outside
