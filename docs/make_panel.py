"""Take the README's picture, docs/panel.png, from a real JupyterLab: `python docs/make_panel.py`. Takes a minute.

It prints the alternative text of the panel's own picture, which the README's words have to agree with.
"""

import io
import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from browser import open_notebook, picture, press, run_all, running_chromium, running_lab, says, scroll_to  # noqa: E402

METHODS = ("standard", "early_stopping", "reweight")
CELLS = "from nlkit import live", f"live.training(methods={METHODS}, ratio=0.8, clean_per_class=50, epochs=40)"


def take() -> bytes:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "notebooks"
        folder.mkdir()
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, CELLS)), metadata=kernel)
        nbformat.write(notebook, folder / "panel.ipynb")
        with running_lab(folder) as url, running_chromium() as browser:
            page = browser.new_context(viewport={"width": 1280, "height": 690}, device_scale_factor=2).new_page()
            page.set_default_timeout(120_000)
            open_notebook(page, url, "panel.ipynb")
            page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
            run_all(page)
            panel = scroll_to(page, ".nlkit-training")
            press(panel, "Start")
            says(panel, "done")
            page.mouse.move(0, 0)
            page.wait_for_timeout(1000)
            print(picture(panel).get_attribute("title"))
            shot = panel.screenshot()
            page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    return shot


if __name__ == "__main__":
    colors = {"colors": 128, "method": Image.Quantize.FASTOCTREE, "dither": Image.Dither.NONE}
    shot = Image.open(io.BytesIO(take())).convert("RGB").quantize(**colors)
    shot.save(HERE / "panel.png", optimize=True)
