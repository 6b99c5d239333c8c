"""Notebook 06 in a browser: the race that looks for the border of the map."""

import pytest
from browser import error_outputs, open_notebook, run_cells, scroll_to, train_and_play

pytestmark = pytest.mark.browser


def test_reweighting_races_the_clean_set(page, lab_url):
    open_notebook(page, lab_url, "06_noisy_or_clean.ipynb")
    run_cells(page, "live.training(")
    panel = scroll_to(page, ".nlkit-training")
    train_and_play(page, panel, ratio="70%")
    for method in ("standard", "reweight", "clean only"):
        assert panel.locator(".widget-checkbox", has_text=method).locator("input").is_checked()
    assert error_outputs(page) == 0
