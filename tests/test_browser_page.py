"""The panel of a page in a browser: variants race, a knob moves while they do, and a table keeps what was seen."""

import nbformat
import pytest
from browser import (
    error_outputs,
    nameless,
    open_notebook,
    picture,
    press,
    press_key,
    run_all,
    says,
    scroll_to,
    wait_for_row,
)

pytestmark = pytest.mark.browser


def test_variants_race_while_a_knob_moves(page, lab_url, lab_folder):
    cells = ["from nlkit import live", 'live.panel("meta-reweighting", variants=("standard", "reweight"), epochs=5)']
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=kernel)
    nbformat.write(notebook, lab_folder / "panel_page.ipynb")
    open_notebook(page, lab_url, "panel_page.ipynb")
    run_all(page)
    panel = scroll_to(page, ".nlkit-meta-reweighting")
    says(panel, "idle: press Start")
    assert not nameless(panel)
    press(panel, "Start")
    says(panel, "running: epoch")
    press_key(page, panel, "ratio", "ArrowLeft")
    says(panel, "done")
    assert "test accuracy by epoch. 1 standard: 0." in picture(panel).get_attribute("title")
    for run in ("1 standard", "1 reweight"):
        wait_for_row(page, panel, run)
    panel.locator(".widget-checkbox", has_text="clean only").locator("input").check()
    press(panel, "Start")
    says(panel, "done")
    wait_for_row(page, panel, "2 clean only")
    press(panel, "Reset")
    says(panel, "idle: press Start")
    assert error_outputs(page) == 0
