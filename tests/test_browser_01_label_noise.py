"""Notebook 01 in a real JupyterLab, in a real browser, as a student meets it: run, play, save, come back."""

import nbformat
import pytest
from browser import (
    PATIENCE,
    drag,
    error_outputs,
    nameless,
    open_notebook,
    picture,
    press_key,
    readout,
    run_all,
    says,
    scroll_to,
    wait_for_another_picture,
)

pytestmark = pytest.mark.browser
NAME = "01_label_noise.ipynb"


def test_the_panel_follows_mouse_and_keyboard_and_its_last_picture_stays(page, lab_url, lab_folder, chromium):
    open_notebook(page, lab_url, NAME)
    run_all(page)
    panel = scroll_to(page, ".nlkit-noise")
    says(panel, "asked for 40%")
    before = picture(panel).get_attribute("title")
    assert "1,400 wrong" in before
    drag(page, panel, "noise ratio", 0.8)
    says(panel, "asked for 80%, realised 80.0%")
    wait_for_another_picture(page, panel, before)
    press_key(page, panel, "noise ratio", "ArrowLeft", times=2)
    says(panel, "asked for 70%")
    drag(page, panel, "clean per class", 0.5)
    says(panel, f"{10 * int(readout(panel, 'clean per class')):,} examples are clean")
    press_key(page, panel, "clean per class", "Home")
    says(panel, "; 0 examples are clean")
    for move in range(50):
        press_key(page, panel, "noise ratio", "ArrowRight" if move % 10 < 6 else "ArrowLeft")
    says(panel, f"asked for {readout(panel, 'noise ratio')}")
    panel.locator("select").select_option("red")
    page.get_by_role("img", name="red noise on mnist5k").wait_for()
    press_key(page, panel, "noise ratio", "Home")
    says(panel, "asked for 0%")
    press_key(page, panel, "noise ratio", "ArrowRight")
    says(panel, ": 200 of 4,000 given labels are wrong")  # and not 3,200
    assert page.locator(".jp-OutputArea-child:has(.nlkit-panel) + .jp-OutputArea-child img:visible").count() == 0
    assert error_outputs(page) == 0
    assert not nameless(panel)
    # What a screen reader is told follows what is seen, a moment later.
    panel.locator("[role=slider][aria-label='noise ratio'][aria-valuetext='5%']").wait_for()
    panel.locator("[aria-live=polite]", has_text=": 200 of 4,000").wait_for()

    page.wait_for_function("""() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.some(cell =>
        (cell.outputs || []).some(o => o.data?.['text/plain']?.includes('picture of this panel: red noise')))""")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.goto("about:blank")
    saved = nbformat.read(lab_folder / NAME, as_version=4)
    (place,) = [i for i, c in enumerate(saved.cells) if c.cell_type == "code" and "live.noise(" in c.source]
    assert "red noise" in saved.cells[place].outputs[-1].metadata["image/png"].alt

    context = chromium.new_context()  # without a look at its console, which tells of the panel that is gone
    context.set_default_timeout(PATIENCE)
    again = context.new_page()
    open_notebook(again, lab_url, NAME)
    again.evaluate("place => window.jupyterapp.shell.currentWidget.content.scrollToItem(place)", place)
    outputs = again.locator(".jp-Cell", has_text="live.noise(").locator(".jp-OutputArea-output")
    outputs.locator("img").wait_for()
    instead = again.wait_for_selector(".jp-OutputArea-output.jupyter-widgets")  # where JupyterLab tells of an error
    line = instead.evaluate("e => [getComputedStyle(e).fontSize, getComputedStyle(e, '::after').content]")
    assert line[0] == "0px" and "run this cell" in line[1]
    assert again.locator(".nlkit-panel").count() == 0 and outputs.locator("img:visible").count() == 1
    context.close()
