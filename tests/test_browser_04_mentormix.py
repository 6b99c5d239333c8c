"""Notebook 04 in a browser: one batch in its steps, weighted and mixed anew as the sliders move."""

import pytest
from browser import (
    drag,
    error_outputs,
    open_notebook,
    picture,
    press_key,
    run_cells,
    says,
    scroll_to,
    wait_for_another_picture,
)

pytestmark = pytest.mark.browser


@pytest.mark.nightly  # its panel moves as that of notebook 01 does
def test_a_batch_is_redrawn(page, lab_url):
    open_notebook(page, lab_url, "04_mentormix.ipynb")
    run_cells(page, "model=model, epochs=4, seed=0))", "live.mentormix(")
    mixing = scroll_to(page, ".nlkit-mentormix")
    says(mixing, "51 of 128 examples have weight 1")
    drag(page, mixing, "percentile p", 0.95)
    says(mixing, "of 128 examples have weight 1, 57 of them")
    before = picture(mixing).get_attribute("title")
    press_key(page, mixing, "alpha", "ArrowRight", times=20)
    wait_for_another_picture(page, mixing, before)
    assert error_outputs(page) == 0
