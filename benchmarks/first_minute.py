"""A student's first minute: how long from `git clone` to a boundary that bends. Writes a file and the README.

    python -m benchmarks.first_minute      # best on an idle machine; it sets the kit up anew, in an empty folder

A clone of this checkout, an empty home, and of the environment only what pip needs to find packages: what `make lab`
does there is timed until JupyterLab says its address. Then Chromium, on the same machine, opens lesson 2, runs its
import and its first panel, and presses Start. What pip downloads comes on top where the network is slow: the size of it
is told.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks import report

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "first_minute.json"
MARKS = "<!-- first minute -->", "<!-- /first minute -->"  # of the README
LESSON, PANEL = "02_memorization.ipynb", ".nlkit-boundary"
STEPS = {  # in the order in which they happen
    "cloned": "`git clone`",
    "served": "`make lab`, until JupyterLab answers",
    "opened": "lesson 2 is open, with a kernel",
    "shown": "its imports and its first panel are there",
    "moving": "Start is pressed, and the boundary moves",
}
sys.path.insert(0, str(HERE.parent / "tests"))


def bare_environment(home: Path) -> dict[str, str]:
    """No user's settings, no cache of packages, nothing of an environment that is activated."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") and name != "PIP_CACHE_DIR"}
    here = Path(sys.prefix).resolve()
    path = [part for part in os.environ["PATH"].split(os.pathsep) if here not in Path(part).resolve().parents]
    return kept | {"PATH": os.pathsep.join(path), "HOME": str(home), "LANG": "C.UTF-8", "BROWSER": "true"}


@contextmanager
def lab_of(kit: Path, environment: dict[str, str]):
    """`make lab` in a fresh clone until the block ends; gives the address that it prints. It ends with all it began."""
    python = getattr(sys, "_base_executable", sys.executable)
    log = kit.parent / "log"
    with log.open("w") as stream:
        made = subprocess.Popen(["make", "lab", f"PYTHON={python}"], cwd=kit, env=environment, stdout=stream,
                                stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
    try:
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", log.read_text())):
            if made.poll() is not None:
                raise click.ClickException(f"`make lab` ended:\n{log.read_text()}")
            time.sleep(0.05)
        yield found.group()
    finally:
        os.killpg(made.pid, signal.SIGTERM)
        made.wait(30)


def student(kit: Path, environment: dict[str, str], chromium, reached: Callable[[str], None]) -> None:
    """Open the course and let the first panel of lesson 2 move; `reached` is told each step."""
    from browser import open_notebook, press, run_cells, scroll_to

    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    with lab_of(kit, environment) as address:
        reached("served")
        open_notebook(page, address, LESSON)
        reached("opened")
        run_cells(page, "live.boundary(")
        panel = scroll_to(page, PANEL)
        reached("shown")
        shown = panel.locator(".widget-image").first.get_attribute("src")
        press(panel, "Start")
        page.wait_for_function(
            "([panel, before]) => panel.querySelector('.widget-image').src != before && "
            "/epoch|done/.test(panel.innerText)",
            arg=[panel.element_handle(), shown],
        )
        reached("moving")
        page.close()


def measure(source: Path = HERE.parent) -> dict[str, dict[str, float]]:
    """Seconds from the beginning to each of STEPS: the "first" time, and when all is set up, "again"."""
    from browser import running_chromium

    taken: dict[str, dict[str, float]] = {"first": {}, "again": {}}
    with tempfile.TemporaryDirectory() as folder, running_chromium() as chromium:
        home, kit = Path(folder) / "home", Path(folder) / "nlkit"
        (home / ".jupyter").mkdir(parents=True)
        # So that the page can be asked whether its kernel is ready; students' pages need not be.
        (home / ".jupyter" / "jupyter_lab_config.py").write_text("c.LabApp.expose_app_in_browser = True\n")
        for time_of, steps in taken.items():
            began = time.monotonic()

            def reached(step: str, steps: dict[str, float] = steps, began: float = began) -> None:
                steps[step] = round(time.monotonic() - began, 1)

            if time_of == "first":
                subprocess.run(["git", "clone", "--quiet", str(source), str(kit)], check=True)
                reached("cloned")
            student(kit, bare_environment(home), chromium, reached)
    return taken


def sentence(measured: dict) -> str:
    """What the README says of it."""
    first, again = measured["seconds"]["first"], measured["seconds"]["again"]
    return (
        f"From `git clone` to a picture that moves in lesson 2 it took {first['moving']:.0f} s, "
        f"{first['served'] - first['cloned']:.0f} of them what `make lab` sets up once;\nafter that, "
        f"{again['moving']:.0f} s (packages from an index nearby; {measured['cores']} cores, {measured['processor']}, "
        f"Python {measured['python']}, {measured['date']})."
    )


@click.command(help=__doc__.partition("\n")[0])
def main() -> None:
    measured = {
        "date": datetime.date.today().isoformat(),
        "processor": report.machine()["processor"],
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "seconds": measure(),
    }
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    report.fill_page(report.README, sentence(measured), MARKS)
    for time_of, steps in measured["seconds"].items():
        click.echo("\n".join(f"{time_of}: {STEPS[step]}: {seconds} s" for step, seconds in steps.items()))


if __name__ == "__main__":
    main()
