"""Notebook 04 in a browser: one batch in its steps, and a race of methods without a clean set."""

import pytest
from browser import (
    drag,
    error_outputs,
    execute,
    open_notebook,
    picture,
    press_key,
    run_cells,
    says,
    scroll_to,
    train_and_play,
    wait_for_another_picture,
)

# In place of the notebook's own sweep, for which nobody wants to wait here: the same, with two epochs.
EARLIER = """
task, pair = make_task("mnist5k", ratio=0.6, clean_per_class=0), ("standard", "mentormix")
sweep = {0.6: {method: [list(train(task, method, epochs=2))] for method in pair}}
"""
pytestmark = pytest.mark.browser


def test_a_batch_is_redrawn_and_methods_race(page, lab_url):
    open_notebook(page, lab_url, "04_mentormix.ipynb")
    run_cells(page, "model=model, epochs=4, seed=0))", "live.mentormix(")
    execute(page, EARLIER)
    run_cells(page, "live.training(")
    mixing = scroll_to(page, ".nlkit-mentormix")
    says(mixing, "51 of 128 examples have weight 1")
    drag(page, mixing, "percentile p", 0.95)
    says(mixing, "of 128 examples have weight 1, 57 of them")
    before = picture(mixing).get_attribute("title")
    press_key(page, mixing, "alpha", "ArrowRight", times=20)
    wait_for_another_picture(page, mixing, before)
    train_and_play(page, scroll_to(page, ".nlkit-training"), ratio="60%")
    assert error_outputs(page) == 0
