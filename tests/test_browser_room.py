"""What there is of a panel is seen at once: on a projector of 1920×1080 whose browser is at 150 %, less its bars.

A panel of each kind and of each page with a picture of its own stand in one notebook, their runs over, since that is
when they are tallest. By day every fourth of these pages is there, by night all; how tall a picture may be is held of
each in test_pages.py.
"""

import os

import nbformat
import pytest
from browser import error_outputs, open_notebook, run_all

from nlkit.contents import PAGES

pytestmark = pytest.mark.browser
SMALLEST = 10  # pixels of the screen, on a scale of 150 %: of the letters in a picture, which have 11 points
OWN_TASK = [name for name, page in PAGES.items() if not page.experiment and not page.picture]  # which look alike
LARGEST = max(OWN_TASK, key=lambda name: len(PAGES[name].variants))
OF_PAGES = [name for name in PAGES if name not in OWN_TASK][:: 1 if os.environ.get("NLKIT_NIGHTLY") else 4] + [LARGEST]
PANELS = {
    "noise": "live.noise(mode='blocking')",
    "training": "live.training(methods=('standard', 'early_stopping', 'reweight'), epochs=1, mode='blocking')",
    "many": "live.training(methods=list(METHODS)[:14], epochs=1, mode='blocking')",
    "ratios": "live.ratios(epochs=1, mode='blocking')",
    "weights": "live.weights(epochs=1, mode='blocking')",
    "mentormix": "live.mentormix(mode='blocking')",
    "audit": "live.audit(audited(rows=100), mode='blocking')",
    **{name: f"live.panel({name!r}, mode='blocking', **tiny({name!r}))" for name in OF_PAGES},
}
START = """
from nlkit import METHODS, live
from nlkit.contents import PAGES, told_apart_by
from nlkit.lessons.your_own_data import audited

def tiny(name):
    page = PAGES[name]
    return {name: value for name, value in page.tiny.items() if name not in told_apart_by(page)}

def ended(panel, runs=1):
    for _ in range(runs if hasattr(panel, "start") else 0):
        panel.start()
    return panel
"""
MEASURE = """([place, width]) => {
    const [panel, room] = [place, document.querySelector('.jp-WindowedPanel-outer')];
    const [box, seen] = [panel.getBoundingClientRect(), room.getBoundingClientRect()];
    const image = panel.querySelector('.widget-image'), picture = image.getBoundingClientRect();
    const scale = Math.min(picture.width / image.naturalWidth, picture.height / image.naturalHeight);
    return {
        over: [box.width - seen.width, box.height - seen.height, panel.scrollWidth - panel.clientWidth],
        letters: 11 / 72 * scale * width, picture: picture.height,
    };
}"""


def test_panels_are_seen_whole_on_a_projector_and_never_wider_than_the_page(chromium, lab_url, lab_folder):
    from nlkit.plots.figure import PANEL_DPI

    cells = [START, *(f"ended({call}, {1 + (kind == 'training')})" for kind, call in PANELS.items())]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=kernel)
    nbformat.write(notebook, lab_folder / "panel_room.ipynb")
    page = chromium.new_page(viewport={"width": 1280, "height": 620})
    page.set_default_timeout(120_000)
    open_notebook(page, lab_url, "panel_room.ipynb")
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    run_all(page)
    assert error_outputs(page) == 0
    faults = {}
    for place, kind in enumerate(PANELS, 1):
        page.evaluate("place => window.jupyterapp.shell.currentWidget.content.scrollToItem(place, 'start')", place)
        panel = page.locator(".jp-Cell").filter(has_text=f"ended({PANELS[kind]}").locator(".nlkit-panel")
        panel.locator(".widget-image").wait_for()
        found = page.evaluate(MEASURE, [panel.element_handle(), PANEL_DPI])
        if max(found["over"]) > 0 or found["letters"] < SMALLEST:
            faults[kind] = found
    page.set_viewport_size({"width": 420, "height": 800})  # a phone: one column, in which the picture moves sideways
    page.wait_for_timeout(300)
    if page.evaluate(MEASURE, [panel.element_handle(), PANEL_DPI])["over"][2] > 0:
        faults["on a phone"] = True
    page.evaluate("async () => { await window.jupyterapp.serviceManager.sessions.shutdownAll(); }")
    page.close()
    assert not faults, faults
