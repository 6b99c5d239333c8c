"""What the browser tests share: one JupyterLab and one Chromium for all of them, and a student's hands."""

import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from nlkit.commands.doctor import find_chromium
from nlkit.commands.lab import lab_command, lab_environment
from nlkit.commands.my_course import bring_up_to_date

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
PATIENCE = 60_000  # milliseconds to wait for what must happen; nothing is measured


@contextmanager
def served(command: list[str], address: str, log: Path):
    """Run a server until the block ends; gives the address that it has printed, found by a pattern."""
    with log.open("w") as stream:
        server = subprocess.Popen(command, env=lab_environment(), stdout=stream, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            if found := re.search(address, log.read_text()):
                break
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        yield found.group()
    finally:
        server.terminate()
        server.wait(30)


def copy_of_the_course(folder: Path) -> Path:
    """The course as `nlkit lab` gives it to a learner, in another folder."""
    (folder / "notebooks").symlink_to(NOTEBOOKS)
    return bring_up_to_date(folder)[0]


@contextmanager
def running_lab(notebooks: Path):
    """JupyterLab on a folder of notebooks until the block ends; gives its address."""
    command = lab_command(("--no-browser", "--LabApp.expose_app_in_browser=True"), notebooks)
    with served(command, r"http://127\.0\.0\.1:\d+/lab\?token=\w+", notebooks.parent / "log") as url:
        yield url


@contextmanager
def running_chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            # Where others are at work too, the watchdog ends the process that draws, and after a few times the browser.
            args=["--no-sandbox", "--disable-gpu", "--disable-gpu-watchdog", "--disable-quic", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )  # fmt: skip
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory):
    """A copy of the course, to which tests may add notebooks of their own."""
    return copy_of_the_course(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def lab_url(lab_folder):
    """The address of a JupyterLab on that copy."""
    with running_lab(lab_folder) as url:
        yield url


@pytest.fixture(scope="module")
def chromium():
    """One browser a module: as long as Playwright is there, its event loop runs, and other modules want their own."""
    with running_chromium() as browser:
        yield browser


ASKED_AGAIN = re.compile(
    r"^Failed to load resource: .* status of 5\d\d .*/api/(sessions|kernels|contents|workspaces)\b"
)


@pytest.fixture
def page(chromium):
    """A page of 1280×900 that fails the test when the browser's console reports an error.

    Left out are errors of the server at what JupyterLab asks it again and again by itself: a kernel or a file that does
    not come is noticed by the test that waits for it.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)  # of every page in it
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(f"{m.text} {m.location['url']}") if m.type == "error" else None)
    yield page
    # before kernels are shut down, which the page may be asking something just then
    reported = [error for error in errors if not ASKED_AGAIN.search(error)]
    for opened in context.pages:
        opened.evaluate("async () => { await window.jupyterapp?.serviceManager.sessions.shutdownAll(); }")
    context.close()
    assert not reported, reported


def open_notebook(page, lab_url: str, name: str) -> None:
    page.goto(lab_url.replace("/lab?", f"/lab/tree/{name}?reset&"))
    page.wait_for_selector(".jp-Notebook")
    wait_for_kernel(page)


def wait_for_kernel(page) -> None:
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
    )


def run_all(page) -> None:
    finished = page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    assert finished, "a cell failed"


def run_cells(page, *texts: str) -> None:
    """Run the cell that imports the kit, and the cells that contain one of the texts."""
    failed = page.evaluate(
        """async texts => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            for (const [place, cell] of [...notebook.model.cells].entries()) {
                if (cell.type != 'code' || !texts.some(text => cell.sharedModel.source.includes(text))) continue;
                notebook.activeCellIndex = place;
                if (!await window.jupyterapp.commands.execute('notebook:run-cell')) return cell.sharedModel.source;
            }
        }""",
        ["from nlkit import", *texts],
    )
    assert not failed, failed


def execute(page, code: str) -> str:
    """Run code in the kernel, in no cell, and return what it prints."""
    return page.evaluate(
        """async code => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const future = kernel.requestExecute({code});
            let text = '';
            future.onIOPub = message => { text += message.content.text || ''; };
            const reply = await future.done;
            if (reply.content.status != 'ok') throw Error(reply.content.evalue);
            return text;
        }""",
        code,
    )


def scroll_to(page, selector: str):
    """Scroll down until the element is there: JupyterLab attaches only the cells in view."""
    wanted = page.locator(selector).first
    page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
    for _ in range(60):
        if wanted.count() and wanted.is_visible():
            wanted.scroll_into_view_if_needed()
            return wanted
        page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollBy(0, 300)")
        page.wait_for_timeout(100)
    raise AssertionError(f"{selector} is nowhere in the notebook")


def slider(panel, name: str):
    """The slider of a panel by the words beside it."""
    return panel.locator(".widget-slider", has=panel.page.locator(f"label:text-is('{name}')"))


def readout(panel, name: str) -> str:
    return slider(panel, name).locator(".widget-readout").inner_text()


def drag(page, panel, name: str, share: float) -> None:
    """Drag a slider with the mouse to a share of its length."""
    slider(panel, name).locator(".noUi-handle").hover()  # which scrolls to it, and waits until it rests
    page.mouse.down()
    bar = slider(panel, name).locator(".noUi-target").bounding_box()
    page.mouse.move(bar["x"] + share * bar["width"], bar["y"] + bar["height"] / 2, steps=10)
    page.mouse.up()


def press_key(page, panel, name: str, key: str, times: int = 1) -> None:
    """Move a slider with the keyboard."""
    slider(panel, name).locator(".noUi-handle").focus()
    for _ in range(times):
        page.keyboard.press(key)


def says(panel, text: str | re.Pattern) -> None:
    """Wait until the panel's line of words has the text."""
    panel.locator("[role=status], [role=alert]", has_text=text).wait_for()


def picture(panel):
    return panel.locator(".widget-image")


def wait_for_another_picture(page, panel, before: str) -> None:
    page.wait_for_function(
        "([image, before]) => image.getAttribute('title') != before && image.naturalWidth > 0",
        arg=[picture(panel).element_handle(), before],
    )


def tab_stops(page, panel) -> list[str]:
    """The names of what the Tab key comes to within the panel, in order, as a screen reader would say them."""
    found = []
    panel.locator("input, select, .noUi-handle").first.focus()
    while page.evaluate("panel => panel.contains(document.activeElement)", panel.element_handle()):
        name = page.evaluate("""() => {
            const e = document.activeElement;
            return e.getAttribute('aria-label') || e.labels?.[0]?.innerText || e.innerText;
        }""")
        found.append(name.strip())
        page.keyboard.press("Tab")
    return found


def nameless(panel) -> list[str]:
    """What in the panel's accessibility tree can be worked or seen and has no name."""
    roles = "slider|checkbox|combobox|spinbutton|textbox|button|img"
    return [line for line in panel.aria_snapshot().splitlines() if re.match(rf"\s*- '?({roles})(?! \")", line)]


def press(panel, name: str) -> None:
    panel.locator(f"button:has-text('{name}')").click()


def wait_for_row(page, panel, *cells: str) -> None:
    """Wait until a row of the panel's table has these cells, among others."""
    page.wait_for_function(
        "([panel, cells]) => [...panel.querySelectorAll('tr')].some("
        "row => cells.every(cell => [...row.children].some(td => td.innerText == cell)))",
        arg=[panel.element_handle(), list(cells)],
    )


def train_and_play(page, panel, ratio: str, methods: tuple[str, ...] = ()) -> None:
    """What a student does with a training panel: start, move sliders by mouse and keyboard, stop, restart, reset.

    ratio: where the slider of the noise ratio stands at first. methods: to tick before, so many that the run lasts.
    """
    says(panel, "idle")
    before = panel.locator("td", has_text="1 standard").count()  # a run that the panel was given
    mine, again = f"{before + 1} standard", f"{before + 2} standard"
    slider(panel, "noise ratio").locator(".widget-readout", has_text=ratio).wait_for()
    empty = picture(panel).get_attribute("title")
    for name in methods:
        panel.locator(".widget-checkbox label", has_text=re.compile(f"^{name}$")).locator("input").check()
    press_key(page, panel, "epochs", "End")
    press(panel, "Start")
    says(panel, " of 100, ")
    wait_for_another_picture(page, panel, empty)
    wait_for_row(page, panel, mine, ratio)
    wait_for_another_picture(page, panel, picture(panel).get_attribute("title"))  # curves grow

    drag(page, panel, "noise ratio", 0.2)
    wait_for_row(page, panel, mine, readout(panel, "noise ratio"))
    drag(page, panel, "clean per class", 0.4)
    wait_for_row(page, panel, mine, readout(panel, "clean per class"))
    press_key(page, panel, "clean per class", "ArrowRight", times=3)
    wait_for_row(page, panel, mine, readout(panel, "clean per class"))
    for move in range(50):
        press_key(page, panel, "noise ratio", "ArrowRight" if move % 5 < 3 else "ArrowLeft")
    last = readout(panel, "noise ratio")
    assert last == "70%"
    wait_for_row(page, panel, mine, last)
    says(panel, re.compile(r"training: epoch ([2-9]|\d\d) of"))  # by then each method has ended its first

    press(panel, "Stop")
    says(panel, "stopped after epoch")
    assert panel.locator("td", has_text=mine).count() == 1  # what was overtaken is forgotten
    page.wait_for_timeout(500)
    says(panel, "stopped after epoch")  # and nothing comes after it
    press(panel, "Start")
    wait_for_row(page, panel, again, last)
    wait_for_row(page, panel, mine, last)
    press(panel, "Reset")
    says(panel, "idle")
    panel.locator("td", has_text=again).wait_for(state="detached")
    assert panel.locator("td", has_text="1 standard").count() == before
    slider(panel, "noise ratio").locator(".widget-readout", has_text=ratio).wait_for()


def violations(page) -> list[str]:
    """What axe-core finds in the page against WCAG 2.1, levels A and AA: rule, and where."""
    import axe_playwright_python

    page.add_script_tag(path=Path(axe_playwright_python.__file__).parent / "axe.min.js")
    found = page.evaluate("() => axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    assert len(found["passes"]) > 5  # it did look
    return [f"{rule['id']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]]


def error_outputs(page) -> int:
    """How many cells show an error, in view or not."""
    return page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.flatMap(c => c.outputs || [])"
        ".filter(o => o.output_type == 'error' || o.name == 'stderr').length"
    )
