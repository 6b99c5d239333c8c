"""Notebook 05 in a browser: a race on red noise, whose images are drawn while the slider moves."""

import pytest
from browser import error_outputs, execute, open_notebook, run_cells, scroll_to, train_and_play

# In place of the notebook's own runs, for which nobody wants to wait here: the same, with two epochs.
EARLIER = "runs = {'red': [list(train(make_task('mnist5k', noise='red', ratio=0.6, clean_per_class=0), epochs=2))]}"
pytestmark = pytest.mark.browser


def test_methods_race_on_red_noise(page, lab_url):
    open_notebook(page, lab_url, "05_beyond_synthetic_noise.ipynb")
    run_cells(page)
    execute(page, EARLIER)
    run_cells(page, "live.training(")
    panel = scroll_to(page, ".nlkit-training")
    train_and_play(page, panel, ratio="60%", methods=("mixup",))
    assert panel.locator("select").input_value() == "red"
    assert error_outputs(page) == 0
