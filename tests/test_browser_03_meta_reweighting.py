"""Notebook 03 in a browser: the weights panel, which shows whom reweighting listens to."""

import pytest
from browser import (
    drag,
    error_outputs,
    execute,
    open_notebook,
    picture,
    press,
    press_key,
    readout,
    run_cells,
    says,
    scroll_to,
    slider,
    wait_for_another_picture,
)

# In place of the notebook's own runs, for which nobody wants to wait here: the same, with two epochs.
EARLIER = """
at_80 = {"reweight": list(train(make_task("mnist5k", ratio=0.8, clean_per_class=50), "reweight", epochs=2))}
"""
pytestmark = pytest.mark.browser


def test_an_explanation_waits_until_it_is_asked_for(page, lab_url):
    open_notebook(page, lab_url, "03_meta_reweighting.ipynb")
    fold = scroll_to(page, ".jp-RenderedMarkdown details:has(table):has(strong, em)")
    table, formula = fold.locator("table").first, fold.locator("mjx-container").first
    assert not table.is_visible()
    fold.locator("summary").click()
    table.wait_for()  # what is in the fold is Markdown and formulas, and not their source
    assert formula.is_visible() and "$" not in fold.inner_text()


@pytest.mark.nightly  # its panel trains as that of notebook 02 does
def test_the_weights_panel_follows_and_looks_back(page, lab_url):
    open_notebook(page, lab_url, "03_meta_reweighting.ipynb")
    run_cells(page)
    execute(page, EARLIER)
    run_cells(page, "live.weights(")
    weights = scroll_to(page, ".nlkit-weights")
    assert "Weights in epoch 2: 20%" in picture(weights).get_attribute("title")
    press_key(page, weights, "epochs", "End")
    before = picture(weights).get_attribute("title")
    press(weights, "Start")
    wait_for_another_picture(page, weights, before)
    press_key(page, weights, "clean per class", "ArrowRight", times=2)
    drag(page, weights, "noise ratio", 0.4)
    ratio = readout(weights, "noise ratio")
    page.wait_for_function(
        "([image, told]) => image.title.includes(told) && !image.title.includes('epoch 0')",
        arg=[picture(weights).element_handle(), f": {100 - int(ratio.rstrip('%'))}% of the labels are right"],
    )
    press(weights, "Stop")
    says(weights, "stopped after epoch")
    slider(weights, "look at epoch").locator(".noUi-target:not([disabled])").wait_for()
    press_key(page, weights, "look at epoch", "Home")
    page.wait_for_function("image => image.title.startsWith('Weights in epoch 1:')",
                           arg=picture(weights).element_handle())  # fmt: skip
    assert error_outputs(page) == 0
