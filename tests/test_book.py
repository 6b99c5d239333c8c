"""The book: built once without a warning, then read in Chromium, on a screen as wide as a phone's."""

import functools
import http.server
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import nbformat
import pytest
import yaml
from browser import running_chromium, violations
from bs4 import BeautifulSoup
from IPython.core.inputtransformer2 import TransformerManager
from test_notebooks import ATLAS, COURSE, FOLDER, load, text_of
from test_packaging import FILES, LAYERS

from book import house_plan
from book.course_pages import glossary_terms
from book.links import install, links, open_elsewhere, repository
from book.sphinx_mathml import mathml
from nlkit.commands.unspoiled import TELLING, with_results_behind_predictions
from nlkit.papers import PAPERS

ROOT = Path(__file__).parent.parent
CHAPTERS = [*COURSE, FOLDER / "atlas" / "00_index.ipynb", *ATLAS]
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built book. A warning fails the build."""
    folder = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "book", folder / "site"]
    built = subprocess.run([*command, "-d", folder / "cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site):
    """Name of a page -> what stands in it."""
    return {
        path.relative_to(site).as_posix(): BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in site.rglob("*.html")
    }


# The pages as files


def chapter(path: Path) -> str:
    """The page of the book that shows a notebook."""
    return f"{'atlas' if path.parent.name == 'atlas' else 'course'}/{path.stem}.html"


def test_every_notebook_is_a_chapter_and_every_chapter_a_notebook(pages):
    assert {name for name in pages if name.startswith(("course/", "atlas/"))} == {chapter(path) for path in CHAPTERS}
    contents = pages["index.html"].select("article .toctree-wrapper a")
    listed = [link["href"] for link in contents if link["href"].startswith(("course/", "atlas/"))]
    assert listed == [chapter(path) for path in CHAPTERS]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_shows_every_picture_with_its_words_and_no_dead_panel(path, pages):
    shown = pages[chapter(path)]
    outputs = [o for cell in load(path)["cells"] for o in cell.get("outputs", [])]
    shown_there = [o for o in outputs if "image/png" in o.get("data", {})]
    pictures = [(o["data"]["image/png"], o["metadata"]["image/png"]["alt"]) for o in shown_there]
    words: dict[str, str] = {}  # of a picture that a panel's last one repeats, those that it had first
    kept = [words.setdefault(png, alt) for png, alt in pictures]
    assert [" ".join(img["alt"].split()) for img in shown.select(".cell_output img")] == [
        " ".join(alt.split()) for alt in kept
    ]
    assert "widget-view" not in str(shown)
    assert "find_spec" not in shown.get_text()  # the cell that installs the kit elsewhere


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_keeps_to_itself_what_a_prediction_is_about(path, pages):
    shown, cells = pages[chapter(path)], with_results_behind_predictions(load(path))["cells"]
    tagged = [cell for cell in cells if "hide-output" in cell["metadata"].get("tags", ())]
    assert len(shown.select("details.hide.below-input .cell_output")) == len(tagged)
    told = [line for line in text_of(path).splitlines() if TELLING.match(line)]
    folds = shown.select("article details:not(.hide)")
    assert len(folds) == len(told) and all(fold.find("p") for fold in folds)
    left = BeautifulSoup(str(shown), "html.parser")
    for fold in left.select("article details"):
        fold.decompose()
    text = left.select_one("article").get_text()
    assert "Explain." not in text and "Answers." not in text


def test_nothing_is_asked_of_another_server(pages):
    for name, page in pages.items():
        sources = [t.get("src") for t in page.find_all(src=True)]
        sources += [t["href"] for t in page.find_all("link", href=True)]
        assert not [s for s in sources if s.startswith(("http", "//"))], name


def test_the_glossary_is_sorted_and_each_entry_is_short(pages):
    terms = [term.get_text().rstrip("¶") for term in pages["glossary.html"].select("dl.glossary > dt")]
    assert sorted(glossary_terms(ROOT / "book" / "glossary.md")) == sorted(terms)
    assert terms == sorted(terms, key=str.casefold) and len(set(terms)) == len(terms) >= 50
    for entry in pages["glossary.html"].select("dl.glossary > dd"):
        assert 60 < len(" ".join(entry.get_text().split())) < 420


def test_the_first_use_of_a_term_leads_to_the_glossary(pages):
    for chapter, term in (("01_label_noise", "transition-matrix"), ("02_memorization", "early-learning")):
        found = pages[f"course/{chapter}.html"].select(f"a[href='../glossary.html#term-{term}']")
        assert len(found) == 1


def test_formulas_are_mathml_and_an_unknown_command_is_an_error():
    made = BeautifulSoup(mathml(r"u_i = \big\langle a, \frac{b}{2} \big\rangle", "block"), "html.parser")
    assert made.math["display"] == "block"
    assert [t.get_text() for t in made.find("msub").children] == ["u", "i"]
    assert [t.get_text() for t in made.find("mfrac").children] == ["b", "2"]
    assert "⟨" in made.get_text() and "⟩" in made.get_text()
    braces = BeautifulSoup(mathml(r"\Bigl\{ c \in \{2, 3\} \Bigr\}", "inline"), "html.parser").get_text()
    assert braces.replace(" ", "") == "{c∈{2,3}}"
    with pytest.raises(ValueError, match=r"\\nonsense"):
        mathml(r"a \nonsense b", "inline")


# The house


def test_the_plan_of_the_house_is_that_of_the_test_that_holds_it(pages):
    assert house_plan.floors() == [sorted(layer) for layer in LAYERS]
    named = {part for layer in LAYERS for part in layer}
    parts = {module.split(".")[1] for module in FILES if module != "nlkit"}
    assert set(house_plan.rooms()) == parts and set(house_plan.ground(house_plan.floors(), [*parts])) == parts - named
    page = pages["house.html"]
    (picture,) = page.select("figure.house img")
    assert all(part in picture["alt"] for part in parts)
    rows = [[cell.get_text() for cell in row.select("td")] for row in page.select("table tbody tr")]
    assert [row[1] for row in rows[: len(named)]] == [part for layer in reversed(LAYERS) for part in sorted(layer)]
    assert {row[1] for row in rows} == parts and all(row[2] for row in rows)


def test_another_house_has_another_plan(tmp_path):
    (tmp_path / "test.py").write_text('LAYERS = [{"shed"}, {"roof", "attic"}]\n')
    package = tmp_path / "package"
    (package / "roof").mkdir(parents=True)
    (package / "roof" / "__init__.py").write_text('"""Roof: it keeps out\nrain | snow.\n\nNot this."""\n')
    for name in ("shed", "attic", "earth"):
        (package / f"{name}.py").write_text(f'"""What is in the {name}. Not this."""\n')
    house_plan.make(tmp_path / "made", tmp_path / "test.py", package)
    text = (tmp_path / "made" / "house.md").read_text(encoding="utf-8")
    assert "on 2 floors. From the top: attic, roof; shed. On the ground: earth." in text
    assert [line.split(" | ")[:2] for line in text.splitlines() if "`" in line and line[0] == "|"] == [
        ["| 2", "`attic`"], ["| 2", "`roof`"], ["| 1", "`shed`"], ["| ground", "`earth`"],
    ]  # fmt: skip
    assert r"| `roof` | Roof: it keeps out rain \| snow |" in text and "Not this" not in text
    drawn = (tmp_path / "made" / "house.svg").read_bytes()
    house_plan.make(tmp_path / "made", tmp_path / "test.py", package)
    assert (tmp_path / "made" / "house.svg").read_bytes() == drawn  # the same house, the same picture
    (tmp_path / "test.py").write_text('LAYERS = [{"shed"}, {"roof", "cellar"}]\n')
    with pytest.raises(ValueError, match="LAYERS names cellar"):
        house_plan.make(tmp_path / "made", tmp_path / "test.py", package)


# Players, see test_plays.py


def weight(site: Path, name: str, page: BeautifulSoup) -> int:
    """The bytes of a page, its scripts, its styles and its pictures."""
    asked = [t["src"] for t in page.find_all(src=True)] + [t["href"] for t in page.find_all("link", rel="stylesheet")]
    files = {(site / name).parent / url.partition("?")[0] for url in asked if not url.startswith("data:")}
    return (site / name).stat().st_size + sum(file.stat().st_size for file in files)


def test_lessons_2_3_4_and_6_and_every_paper_play_and_no_page_weighs_two_megabytes(site, pages):
    playing = {name for name, page in pages.items() if page.find(class_="play")}
    assert playing == {f"atlas/{paper}.html" for paper in PAPERS} | {chapter(COURSE[i]) for i in (1, 2, 3, 5)}
    for name in playing:
        scripts = [script["src"] for script in pages[name].find_all("script", src=True)]
        assert any("vega.js" in src for src in scripts) and not any("://" in src for src in scripts)
        assert weight(site, name, pages[name]) < 2_000_000, name
    assert "vega.js" not in str(pages["glossary.html"])
    assert "Redistribution" in (site / "_static" / "vega-licence.txt").read_text(encoding="utf-8")


# The book in a browser


@pytest.fixture(scope="module")
def address(site):
    """The address of the book on a server of this machine."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


SEEN = """() => { document.querySelectorAll('details').forEach(fold => fold.open = true); return {
    links: [...document.querySelectorAll('a[href]')].map(a => a.href),
    ids: [...document.querySelectorAll('[id]')].map(e => e.id),
    width: document.documentElement.scrollWidth,
    text: [...document.querySelectorAll('article p, article li, article dd')]
        .filter(e => e.textContent.trim()).map(e => parseFloat(getComputedStyle(e).fontSize)),
    code: [...document.querySelectorAll('article pre, article table')]
        .map(e => parseFloat(getComputedStyle(e).fontSize)),
    cut: [...document.querySelectorAll('article table, article pre, article img, article math')].filter(e => {
        if (e.getBoundingClientRect().right <= innerWidth) return false;
        for (let box = e; box; box = box.parentElement)
            if (['auto', 'scroll'].includes(getComputedStyle(box).overflowX)) return false;
        return true;
    }).map(e => e.outerHTML.slice(0, 100)),
}; }"""


def opened(name: str) -> bool:
    """Whether a page is opened. Chapters are built alike: by day every fourth of the course and two of the atlas are,
    by night all."""
    by_day = [chapter(path) for path in (*COURSE[1::4], *CHAPTERS[len(COURSE) : len(COURSE) + 2])]
    return not name.startswith(("course/", "atlas/")) or name in by_day or bool(os.environ.get("NLKIT_NIGHTLY"))


@pytest.fixture(scope="module")
def read(pages, address):
    """Every page, reached from the first by its links: name -> what was seen of it, on a phone if it was opened."""
    seen, left, errors = {}, ["index.html"], []
    with running_chromium() as chromium:
        page = chromium.new_page(viewport=PHONE)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        while left:
            name = left.pop()
            if name.endswith(".html") and opened(name):
                status = page.goto(address + name).status
                seen[name] = {"status": status, **page.evaluate(SEEN), "violations": violations(page)}
            elif name in pages:
                links = [urljoin(address + name, a["href"]) for a in pages[name].select("a[href]")]
                ids = [each["id"] for each in pages[name].select("[id]")]
                seen[name] = {"status": page.request.get(address + name).status, "links": links, "ids": ids}
            else:  # a picture, at full size
                seen[name] = {"status": page.request.get(address + name).status, "links": [], "ids": []}
            inside = {urldefrag(url).url.removeprefix(address) for url in seen[name]["links"] if address in url}
            left += [other or "index.html" for other in inside if other not in seen and other not in left]
    assert not errors, errors
    return seen


@pytest.mark.browser
def test_every_link_within_the_book_leads_to_a_page_and_a_place_on_it(site, address, read):
    assert {p.relative_to(site).as_posix() for p in site.rglob("*.html")} - {"search.html"} <= read.keys()
    followed = 0
    for name, page in read.items():
        assert page["status"] == 200, name
        for url in page["links"]:
            if url.startswith(address):
                target, place = urldefrag(url.removeprefix(address))
                assert not place or place in read[target or "index.html"]["ids"], (name, url)
                followed += 1
    assert followed > 100


@pytest.mark.browser
def test_it_reads_well_on_a_phone(read):
    for name, page in read.items():
        if "width" in page:
            assert page["width"] <= PHONE["width"], name
            assert not page["cut"], name
            assert min(page["text"], default=16) >= 14 and min(page["code"], default=12) >= 11, name


@pytest.mark.browser
def test_nobody_is_kept_out(read):
    looked_into = {name: page["violations"] for name, page in read.items() if "violations" in page}
    assert len(looked_into) > 10 and not any(looked_into.values()), looked_into


@pytest.mark.browser
def test_at_night_and_on_a_wide_screen_nobody_is_kept_out_either(chromium, address):
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    for name in ("index.html", chapter(COURSE[1]), "glossary.html", "house.html", "claims.html"):
        page.goto(address + name)
        assert not violations(page), name
    page.close()


@pytest.mark.browser
def test_a_chapter_plays_from_a_disk_without_a_network(page, site):
    page.context.set_offline(True)
    for name in (chapter(COURSE[2]), f"atlas/{PAPERS[0]}.html"):
        page.goto((site / name).as_uri())
        page.locator(".play[data-ready] .play-chart svg").first.wait_for()
        page.locator(".play input").first.press("End")
        last = page.locator(".play input").first.get_attribute("aria-valuetext")
        page.locator(".play [role=status]", has_text=f" {last},").first.wait_for()


TOLD = """() => [...document.querySelectorAll('article details > :last-child')]
    .map(e => e.checkVisibility({contentVisibilityAuto: true}))"""


@pytest.mark.browser
def test_what_tells_is_folded_on_the_screen_and_open_on_paper(page, address):
    page.goto(address + chapter(COURSE[1]))
    folded = page.evaluate(TOLD)
    assert len(folded) > 8 and not any(folded)
    assert page.locator("article summary", has_text="Show what came out").count() >= 3
    page.locator("article summary", has_text="Explain").first.press("Enter")
    assert page.evaluate(TOLD).count(True) == 1
    page.emulate_media(media="print")
    page.wait_for_function(f"() => ({TOLD})().every(seen => seen)")


@pytest.mark.browser
def test_a_search_finds_a_term_and_leads_to_it(page, address):
    page.goto(address + "index.html")
    page.get_by_placeholder("Search").fill("memorization")
    page.keyboard.press("Enter")
    page.locator("#search-results .search-summary").first.wait_for()
    page.locator("#search-results li a", has_text="2 · Memorization").first.click()
    page.wait_for_url("**/course/02_memorization.html*")


# Where the notebooks are opened elsewhere


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_notebook_opens_elsewhere_as_book_links_would_have_it(path):
    notebook, name = nbformat.read(path, as_version=4), path.relative_to(FOLDER).as_posix()
    again = nbformat.read(path, as_version=4)
    open_elsewhere(again, name)
    assert again == notebook, f"python book/links.py notebooks/{name}"
    assert links(name) in notebook.cells[0].source and not notebook.cells[1].outputs


def test_links_are_put_in_once_and_the_numbers_of_cells_go_on():
    cells = [nbformat.v4.new_markdown_cell("# A title\n\nText."), nbformat.v4.new_code_cell("1 + 1", execution_count=1)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    open_elsewhere(notebook, "a.ipynb")
    once = json.dumps(notebook)
    open_elsewhere(notebook, "a.ipynb")
    assert json.dumps(notebook) == once
    assert notebook.cells[0].source == f"# A title\n\n{links('a.ipynb')}\n\nText."
    assert [cell.get("execution_count") for cell in notebook.cells] == [None, 1, 2]


@pytest.mark.parametrize("there", [True, False])
def test_the_first_cell_installs_the_kit_only_where_it_is_missing(there, monkeypatch):
    asked = []
    shell = type("Shell", (), {"run_line_magic": lambda _self, *what: asked.append(what)})()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if there else None)
    exec(TransformerManager().transform_cell(install()), {"get_ipython": lambda: shell})
    assert asked == ([] if there else [("pip", f'install --quiet "nlkit @ git+{repository()}"')])


def test_binder_gets_the_same_versions_and_the_kit():
    root = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    binder = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text(encoding="utf-8"))
    (pins,), (others,) = ([e["pip"] for e in env["dependencies"] if isinstance(e, dict)] for env in (root, binder))
    index, *others = others
    assert index.startswith("--extra-index-url ") and index.endswith("/cpu")
    assert {re.sub(r"\+cpu$", "", pin) for pin in others} == set(pins) - {"-e .", "nbval==0.11.0"}
    after = ROOT / "binder" / "postBuild"
    assert after.stat().st_mode & 0o100 and "pip install --no-deps -e ." in after.read_text(encoding="utf-8")


def test_the_book_opens_the_course_on_binder_and_names_every_place():
    using = (ROOT / "book" / "using.md").read_text(encoding="utf-8")
    place = repository().removeprefix("https://github.com/")
    assert f"https://mybinder.org/v2/gh/{place}/main?urlpath=lab/tree/notebooks" in using
    for name in ("JupyterLab", "Voilà", "VS Code", "Colab", "Binder", "JupyterHub"):
        assert re.search(rf"^\| .*{name}.* \| .+ \|$", using, flags=re.MULTILINE), name


# The guide


def test_the_table_of_the_guide_is_what_was_measured():
    from benchmarks.classroom import GUIDE, LAB, RACES, RESULTS, table
    from benchmarks.report import MARKS

    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert GUIDE.read_text(encoding="utf-8").partition(MARKS[0])[2].partition(MARKS[1])[0].strip() == table(measured)
    assert {LAB, RACES, "01_label_noise"} <= measured["costs"].keys()


GUIDE = (ROOT / "book" / "guide.md").read_text(encoding="utf-8")


def rows_below(title: str) -> list[list[str]]:
    """The cells of the first table of the guide after a title."""
    table = GUIDE.partition(f"\n{title}\n")[2].partition("\n|")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


@pytest.mark.parametrize(
    ("title", "minutes"), [("### 90 minutes, one session", 90), ("### Three hours, one session and its exercises", 180)]
)
def test_the_minutes_of_a_plan_add_up(title, minutes):
    spans = [[int(end) for end in row[0].split("–")] for row in rows_below(title)]
    assert [begin for begin, _ in spans] == [0, *(end for _, end in spans[:-1])] and spans[-1][1] == minutes


def test_each_session_names_where_its_first_half_ends_and_its_exercises_fit_their_hour():
    cost = {row[0]: (row[2], int(row[3])) for row in rows_below("## Exercises and grading")}
    plan = GUIDE.partition("### Three hours")[2].partition("| 170–180")[2].partition("\n### ")[0]
    lines = re.findall(r"^\| \d\d .*$", plan, flags=re.MULTILINE)
    sessions = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in sessions] == [path.stem[:2] for path in COURSE]
    told = []
    for (session, half, inside, at_home), path in zip(sessions, COURSE):
        titles = re.findall(r"^## (.+)$", text_of(path), flags=re.MULTILINE)
        assert 2 <= titles.index(half) < titles.index("What we claimed, and what we measured"), half
        asked = [number for number in re.findall(r"\b\d+\b", f"{inside} {at_home}") if number in cost]
        assert all(cost[number][0] == session for number in asked)
        assert sum(cost[number][1] for number in re.findall(r"\b\d+\b", inside) if number in cost) <= 50
        told += asked
    assert sorted(told, key=int) == list(cost)  # every exercise has its place


def test_each_session_has_a_story_two_questions_for_recall_and_its_questions():
    part = GUIDE.partition("## Session by session")[2].partition("\n## ")[0]
    sessions = re.split(r"^### \d\d · ", part, flags=re.MULTILINE)[1:]
    assert len(sessions) == len(COURSE)
    for session in sessions:
        assert all(session.count(f"**{part}**") == 1 for part in ("A story.", "Recall.", "The point."))
        recall = session.partition("**Recall.**")[2].partition("\n\n")[0]
        assert len(re.findall(r"\*[^*]+\?\*", recall)) == 2, recall
