"""The boundary panel in a browser: a click on a point of the picture flips its label, and the boundary bends."""

import re

import nbformat
import pytest
from browser import (
    error_outputs,
    execute,
    nameless,
    open_notebook,
    picture,
    press,
    run_all,
    says,
    scroll_to,
    tab_stops,
    wait_for_another_picture,
)

from nlkit import make_task
from nlkit.data.plane import WINDOW, lattice, plane
from nlkit.plots.boundaries import decision_boundaries

pytestmark = pytest.mark.browser
WHERE = "task = panel.bench.task; place = int(task.right.nonzero()[7]); print(*as_points(task.images)[place].tolist())"


def click_on(page, panel, x: float, y: float, figure) -> None:
    """Click where the first field of the picture shows a point of the plane."""
    box = figure.axes[0].get_position()
    across = box.x0 + box.width * (x - WINDOW[0][0]) / (WINDOW[0][1] - WINDOW[0][0])
    up = box.y0 + box.height * (y - WINDOW[1][0]) / (WINDOW[1][1] - WINDOW[1][0])
    size = picture(panel).evaluate("i => [i.clientWidth, i.clientHeight, i.naturalWidth, i.naturalHeight]")
    scale = min(size[0] / size[2], size[1] / size[3])
    picture(panel).click(position={"x": across * size[2] * scale, "y": (1 - up) * size[3] * scale})


def test_a_click_on_a_point_flips_its_label_and_the_boundary_bends(page, lab_url, lab_folder):
    cells = ["from nlkit import live; from nlkit.data.plane import as_points", "panel = live.boundary(); panel"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab_folder / "panel_boundary.ipynb")
    open_notebook(page, lab_url, "panel_boundary.ipynb")
    run_all(page)
    panel = scroll_to(page, ".nlkit-boundary")
    says(panel, "idle")
    x, y = map(float, execute(page, WHERE).split())
    task = make_task(plane(), ratio=0.0, device="cpu", clean_per_class=0)  # places are the same whatever is drawn
    figure = decision_boundaries(task, dict.fromkeys(("standard", "mentornet"), lattice()[..., 0].sigmoid()))
    before = picture(panel).get_attribute("title")
    click_on(page, panel, x, y, figure)
    says(panel, re.compile(r"is now labelled (circle|square), which is wrong"))
    wait_for_another_picture(page, panel, before)
    assert execute(page, "print(int(task.wrong.sum()), bool(task.wrong[place]))").split() == ["1", "True"]
    press(panel, "Start")
    says(panel, "training: epoch")
    before = picture(panel).get_attribute("title")
    wait_for_another_picture(page, panel, before)
    click_on(page, panel, x, y, figure)  # while it trains, and back
    says(panel, re.compile(r"is now labelled (circle|square), which is right"))
    assert execute(page, "print(int(panel.bench.task.wrong.sum()))").strip() == "0"
    press(panel, "Stop")
    says(panel, "stopped after epoch")
    assert {"point", "Flip label", "Go on", "Start"} <= set(tab_stops(page, panel)) and not nameless(panel)
    assert error_outputs(page) == 0
