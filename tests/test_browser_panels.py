"""Every panel in a real JupyterLab and in Voilà: mouse, keyboard, spam, several at once, a restarted kernel."""

import socket

import nbformat
import pytest
from browser import (
    drag,
    error_outputs,
    open_and_run_all,
    open_notebook,
    picture,
    press_key,
    readout,
    run_all,
    says,
    scroll_to,
    served,
    slider,
    wait_for_another_picture,
    wait_for_kernel,
)

from nlkit.lab import app_command

pytestmark = pytest.mark.browser
CELLS = {
    "noise": ["live.noise()"],
    "training": ["live.training(epochs=100)", "40 + 2"],
    "short": ["live.training(methods=('standard', 'clean_only'), epochs=2)"],
    "weights": ["live.weights(method='mentornet', epochs=4)"],
    "mentormix": ["live.mentormix()"],
}


@pytest.fixture(scope="module")
def notebooks(lab_folder):
    """A small notebook for each panel."""
    for name, cells in CELLS.items():
        cells = [nbformat.v4.new_code_cell(source) for source in ["from nlkit import live", *cells]]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab_folder / f"panel_{name}.ipynb")


@pytest.fixture
def panel(page, lab_url, notebooks):
    """Opens the notebook of a panel, runs it, and gives the panel; at the end no cell may show an error."""

    def opened(name):
        open_and_run_all(page, lab_url, f"panel_{name}.ipynb")
        return scroll_to(page, ".nlkit-panel")

    yield opened
    assert error_outputs(page) == 0


def press(panel, name):
    panel.locator(f"button:has-text('{name}')").click()


def table(panel):
    return panel.locator("table").inner_text()


def test_noise_follows_mouse_and_keyboard_and_its_picture_has_words(page, panel):
    noise = panel("noise")
    before = picture(noise).get_attribute("title")
    assert "1,400 wrong" in before
    drag(page, noise, "noise ratio", 0.8)
    says(noise, "asked for 80%, realised 80.0%")
    wait_for_another_picture(page, noise, before)
    press_key(page, noise, "noise ratio", "ArrowLeft", times=2)
    says(noise, "asked for 70%")
    press_key(page, noise, "clean a class", "Home")
    says(noise, "0 examples are clean")
    noise.locator("select").select_option("red")
    says(noise, "2,800 of 4,000 given labels are wrong")
    page.get_by_role("img", name="red noise on mnist5k").wait_for()


def test_training_starts_grows_restarts_and_stops_while_the_kernel_is_free(page, panel):
    training = panel("training")
    says(training, "idle")
    before = picture(training).get_attribute("title")
    press(training, "Start")
    says(training, " of 100, ")
    wait_for_another_picture(page, training, before)
    before = picture(training).get_attribute("title")
    wait_for_another_picture(page, training, before)  # it grows
    page.evaluate("""() => {
        const notebook = window.jupyterapp.shell.currentWidget.content;
        notebook.activeCellIndex = 2;
        return window.jupyterapp.commands.execute('notebook:run-cell');
    }""")
    scroll_to(page, ".nlkit-panel")
    says(training, "training: epoch")  # another cell has run meanwhile
    for step in range(50):
        press_key(page, training, "noise ratio", "ArrowLeft" if step % 10 < 6 else "ArrowRight")
    last = readout(training, "noise ratio")
    assert last != "80%"
    page.wait_for_function("([panel, last]) => panel.querySelector('table')?.innerText.includes(last)",
                           arg=[training.element_handle(), last])  # fmt: skip
    drag(page, training, "clean a class", 0.5)
    clean = readout(training, "clean a class")
    assert clean != "50"
    page.wait_for_function("([panel, text]) => panel.querySelector('table')?.innerText.includes(text)",
                           arg=[training.element_handle(), f"\t{clean}\t"])  # fmt: skip
    press(training, "Stop")
    says(training, "stopped after epoch")
    assert table(training).count("standard") == 1  # what was overtaken is forgotten
    told = picture(training).get_attribute("title")
    page.wait_for_timeout(1000)
    assert picture(training).get_attribute("title") == told
    press(training, "Start")
    training.locator("td", has_text="2 standard").wait_for()
    press(training, "Reset")
    says(training, "idle")
    assert readout(training, "noise ratio") == "80%"


def test_a_kernel_restarted_while_training_leaves_a_notebook_that_runs_again(page, panel):
    training = panel("training")
    press(training, "Start")
    says(training, " of 100, ")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    wait_for_kernel(page)
    run_all(page)
    training = scroll_to(page, ".nlkit-panel")
    says(training, "idle")
    press(training, "Start")
    says(training, " of 100, ")
    press(training, "Stop")
    says(training, "stopped")


def test_a_cell_that_is_run_again_leaves_no_thread_behind(page, panel):
    training = panel("training")
    press(training, "Start")
    says(training, " of 100, ")
    run_all(page)
    training = scroll_to(page, ".nlkit-panel")
    says(training, "idle")
    counted = page.evaluate("""async () => {
        const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        const code = "import threading, time; time.sleep(1); "
            + "print('left:', [t.name for t in threading.enumerate()].count('nlkit panel'))";
        const future = kernel.requestExecute({code});
        let text = '';
        future.onIOPub = message => { text += message.content.text || ''; };
        await future.done;
        return text;
    }""")
    assert counted.strip() == "left: 0"


def test_methods_race_to_the_end_and_the_picture_stays_without_a_kernel(page, panel, lab_url):
    short = panel("short")
    press(short, "Start")
    says(short, "done")
    assert "1 standard" in table(short) and "1 clean only" in table(short)
    still = page.locator(".jp-OutputArea-child img[width='988']")
    assert still.count() == 1 and not still.is_visible()
    outputs = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[1].outputs"
        ".map(o => o.metadata?.['image/png']?.alt || '')"
    )
    assert "standard: test accuracy" in outputs[-1]  # what is saved is the last picture


def test_weights_show_and_look_back(page, panel):
    weights = panel("weights")
    press(weights, "Start")
    says(weights, "done")
    assert "Weights in epoch 4" in picture(weights).get_attribute("title")
    press_key(page, weights, "look at epoch", "ArrowLeft", times=2)
    page.wait_for_function("image => image.title.startsWith('Weights in epoch 2')",
                           arg=picture(weights).element_handle())  # fmt: skip


def test_mentormix_redraws_its_batch(page, panel):
    mixing = panel("mentormix")
    says(mixing, "51 of 128 examples have weight 1")
    drag(page, mixing, "percentile p", 0.95)
    says(mixing, "of 128 examples have weight 1, 57 of them")
    before = picture(mixing).get_attribute("title")
    press_key(page, mixing, "alpha", "ArrowRight", times=20)
    wait_for_another_picture(page, mixing, before)
    press_key(page, mixing, "noise ratio", "ArrowLeft", times=3)


def test_two_notebooks_train_at_once(page, panel, chromium, lab_url):
    training = panel("training")
    press(training, "Start")
    second = page.context.new_page()
    open_notebook(second, lab_url, "panel_short.ipynb")
    run_all(second)
    short = scroll_to(second, ".nlkit-panel")
    press(short, "Start")
    says(short, "done")
    says(training, "training: epoch")
    press(training, "Stop")
    says(training, "stopped")


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
        says(training, "stopped after epoch")
        assert page.locator("text=live.training").count() == 0 and slider(noise, "noise ratio").count() == 1
        assert page.locator("img[width='988']:visible").count() == 0  # no picture twice
        page.goto("about:blank")  # before the server ends, which the page would complain of
    assert not outside
