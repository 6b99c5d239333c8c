"""How fast the live panels answer, measured in a browser: writes benchmarks/live_latency.json and the book's table.

    python benchmarks/live_latency.py                     # two minutes, best on an idle machine
    python benchmarks/live_latency.py --pictures FOLDER   # also a screenshot of each panel, 1280 and 768 pixels wide

Chromium plays a real notebook in a real JupyterLab, both on this machine. An action is timed within the page: from the
key or the click until the new picture has been loaded and the frame with it begins, or until the words of the new state
stand in the panel.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

import click
import nbformat

HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "live_latency.json", HERE.parent / "book" / "speed.md"
MARKS = "<!-- from benchmarks/live_latency.json -->\n", "\n<!-- end -->"
sys.path.insert(0, str(HERE.parent / "tests"))
from browser import (  # noqa: E402
    open_notebook,
    press,
    press_key,
    run_all,
    running_chromium,
    running_lab,
    says,
    scroll_to,
    slider,
)

from nlkit.data.load import find_dataset  # noqa: E402

ACTIONS = 30
PANELS = {
    "noise": "live.noise()",
    "training": "live.training(methods=('standard', 'reweight', 'clean_only'), epochs=40)",
    "ratios": "live.ratios()",
    "weights": "live.weights()",
    "mentormix": "live.mentormix()",
} | ({"cifar10": "live.noise('cifar10')"} if find_dataset("cifar10") else {})
# From an event on an element to a change in the panel that passes a test, in milliseconds.
WATCH = """([panel, event, target, change]) => {
    const image = panel.querySelector('.widget-image');
    const element = panel.ownerDocument.querySelector(target);
    window.nlkitTook = new Promise(resolve => element.addEventListener(event, () => {
        const began = performance.now();
        const end = () => requestAnimationFrame(() => resolve(performance.now() - began));
        if (change == 'picture') return image.addEventListener('load', end, {once: true});
        if (change == 'first point') {
            const loaded = () => /after epoch/.test(image.title) && (image.removeEventListener('load', loaded), end());
            return image.addEventListener('load', loaded);
        }
        const words = new MutationObserver(() => {
            if (/stopped/.test(panel.querySelector('[role=alert]')?.innerText)) { words.disconnect(); end(); }
        });
        words.observe(panel, {subtree: true, childList: true, characterData: true});
    }, {once: true, capture: true}));
}"""


def watched(page, panel, event: str, target: str, change: str, act) -> float:
    """Milliseconds from what `act` does to its effect."""
    page.evaluate(WATCH, [panel.element_handle(), event, target, change])
    act()
    return page.evaluate("() => window.nlkitTook")


def noise_pictures(page, panel) -> list[float]:
    handle = ".nlkit-noise .noUi-handle"
    slider(panel, "noise ratio").locator(".noUi-handle").focus()
    took = []
    for move in range(ACTIONS + 2):
        key = "ArrowRight" if move % 20 < 10 else "ArrowLeft"
        took.append(watched(page, panel, "keydown", handle, "picture", lambda key=key: page.keyboard.press(key)))
        page.wait_for_timeout(300)
    return took[2:]  # the first ones draw what is then kept


def starts_and_stops(page, panel) -> tuple[list[float], list[float]]:
    starts, stops = [], []
    press_key(page, panel, "epochs", "End")
    for _ in range(ACTIONS):
        start, stop = (f".nlkit-training button:has(.fa-{icon})" for icon in ("play", "stop"))
        starts.append(watched(page, panel, "click", start, "first point", lambda: press(panel, "Start")))
        page.wait_for_timeout(200)
        stops.append(watched(page, panel, "click", stop, "stopped", lambda: press(panel, "Stop")))
        panel.locator("button:has-text('Start'):enabled").wait_for()
        press(panel, "Reset")
        says(panel, "idle")
        press_key(page, panel, "epochs", "End")
    return starts, stops


def take_pictures(page, panel, kind: str, folder: Path) -> None:
    width = page.viewport_size["width"]
    if kind in ("training", "ratios", "weights"):
        press(panel, "Start")
        says(panel, "done")
    page.wait_for_timeout(500)
    panel.screenshot(path=folder / f"{kind}-{width}.png")


def table(measured: dict) -> str:
    """The book's table of what was measured."""
    rows = [
        f"| {action} | {took['median_ms']} ms | {took['p95_ms']} ms |" for action, took in measured["results"].items()
    ]
    told = (
        f"{ACTIONS} actions each in Chromium {measured['versions']['chromium']} and "
        f"JupyterLab {measured['versions']['jupyterlab']} on {measured['cores']} cores, {measured['processor']}, "
        f"{measured['date']}; the machine's load average was {measured['load_before']} before."
    )
    return "\n".join(["| action | median | 95th percentile |", "|---|---|---|", *rows, "", told])


def summary(took: list[float]) -> dict[str, float]:
    return {
        "actions": len(took),
        "median_ms": round(statistics.median(took)),
        "p95_ms": round(statistics.quantiles(took, n=20, method="inclusive")[-1]),
    }


def processor() -> str:
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines() if Path(file).exists() else []


@click.command(help=__doc__.partition("\n")[0])
@click.option("--pictures", type=click.Path(file_okay=False, path_type=Path), help="folder for screenshots")
def main(pictures: Path | None) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "notebooks"
        folder.mkdir()
        for kind, call in PANELS.items():
            cells = [nbformat.v4.new_code_cell(source) for source in ("from nlkit import live", call)]
            kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
            nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / f"{kind}.ipynb")
        with running_lab(folder) as url, running_chromium() as browser:

            def opened(kind: str, width: int = 1280):
                page = browser.new_context(viewport={"width": width, "height": 1600}).new_page()
                page.set_default_timeout(60_000)
                open_notebook(page, url, f"{kind}.ipynb")
                page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
                run_all(page)
                return page, scroll_to(page, ".nlkit-panel")

            def closed(page) -> None:
                page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
                page.context.close()

            if pictures:
                pictures.mkdir(parents=True, exist_ok=True)
                for kind in PANELS:
                    for width in (1280, 768):
                        page, panel = opened(kind, width)
                        take_pictures(page, panel, kind, pictures)
                        closed(page)
            load_before = os.getloadavg()[0]
            moves = {}
            for kind in ("noise", "cifar10")[: 1 + ("cifar10" in PANELS)]:
                page, panel = opened(kind)
                page.wait_for_timeout(2000)
                moves[kind] = noise_pictures(page, panel)
                closed(page)
            page, panel = opened("training")
            starts, stops = starts_and_stops(page, panel)
            closed(page)
            chromium_version = browser.version
    packages = ("jupyterlab", "ipywidgets", "ipykernel", "matplotlib", "torch")
    results = {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_before": round(load_before, 1),
        "versions": {
            "python": platform.python_version(),
            "chromium": chromium_version,
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "results": {
            "noise slider moved → picture": summary(moves["noise"]),
            **({"the same on all of CIFAR-10": summary(moves["cifar10"])} if "cifar10" in moves else {}),
            "Start → first point of three methods": summary(starts),
            "Stop → stopped": summary(stops),
        },
    }
    text = json.dumps(results, indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")
    told = PAGE.read_text(encoding="utf-8")
    before, after = told.partition(MARKS[0])[0], told.partition(MARKS[1])[2]
    PAGE.write_text(before + MARKS[0] + table(results) + MARKS[1] + after, encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
