"""Notebook 07 in a browser: the panel with EM among its methods."""

import pytest
from browser import error_outputs, open_notebook, run_cells, scroll_to, train_and_play

pytestmark = pytest.mark.browser


def test_em_races(page, lab_url):
    open_notebook(page, lab_url, "07_how_far.ipynb")
    run_cells(page, "live.training(")
    panel = scroll_to(page, ".nlkit-training")
    assert panel.locator(".widget-checkbox label", has_text="em").first.is_visible()
    train_and_play(page, panel, ratio="80%")
    assert error_outputs(page) == 0
