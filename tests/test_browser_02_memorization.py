"""Notebook 02 in a browser: a training panel, and a kernel that is restarted while it trains."""

import pytest
from browser import (
    error_outputs,
    open_notebook,
    press,
    run_cells,
    says,
    scroll_to,
    train_and_play,
    wait_for_kernel,
)

pytestmark = pytest.mark.browser


def test_the_panel_trains_and_outlives_a_kernel_restarted_meanwhile(page, lab_url):
    open_notebook(page, lab_url, "02_memorization.ipynb")
    run_cells(page, "task = make_task", "history = list(", "stopped = list(", "live.training(")
    panel = scroll_to(page, ".nlkit-training")
    says(panel, "idle: run 1 is from before; press Start")
    train_and_play(page, panel, ratio="80%", methods=("mixup", "mentormix"))
    press(panel, "Start")
    says(panel, "training: epoch")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    wait_for_kernel(page)
    run_cells(page, "task = make_task", "history = list(", "stopped = list(", "live.training(")
    panel = scroll_to(page, ".nlkit-training")
    says(panel, "idle")
    press(panel, "Start")
    says(panel, "training: epoch")
    press(panel, "Reset")
    says(panel, "idle")
    assert error_outputs(page) == 0
