"""Slides of the lessons, made from the notebooks: `make slides`, or `python -m instructor.slides FOLDER`.

What a slide is follows from what the notebook says: a heading begins one, and so do a question, a picture and an
answer. A picture has one sentence below it; where it answers a prediction, that is the beginning of the explanation,
which comes at the next key, and the whole of it stands in the speaker's notes (key S). Code is left out.

A cell says otherwise by nbconvert's own metadata: `"slideshow": {"slide_type": "skip"}` leaves all of it out.
"""

from __future__ import annotations

import html
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book.sphinx_mathml import mathml
from instructor import command
from instructor.lesson import Lesson, Piece, Verdict, course, in_short, verdicts_in
from nlkit.files import check_writable, write_whole

HERE = Path(__file__).resolve().parent
SIZE = {"reveal_width": "1280", "reveal_height": "720"}
BELOW_A_PICTURE, ABOVE_A_PICTURE, BELOW_LINES, ON_A_SLIDE = 330, 280, 600, 900  # letters
FEW_ROWS, FEW_COLUMNS = 7, 5  # of a table in large letters
PRINTED_LINES, ROWS = 14, 12  # of what was printed, and of a table, that can be read from the back row
MADE_BY = re.compile(r", nlkit \d")  # with which versions stored runs were made
CLAIMS_ON_A_SLIDE, BESIDE_A_PICTURE = 8, 4  # rows; lines that were printed


def markdown_to_html(source: str) -> str:
    """Markdown as HTML, with tables, and formulas as MathML."""
    return _markdown().render(source)


def _markdown() -> MarkdownIt:
    def formula(latex: str, options: dict) -> str:
        return mathml(latex, "block" if options["display_mode"] else "inline")

    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=formula)


class Deck:
    """Slides one after the other, as cells of a notebook that nbconvert takes for slides."""

    def __init__(self) -> None:
        self.cells: list[NotebookNode] = []

    def add(self, kind: str, cell: NotebookNode, look: str = "") -> None:
        """A cell that is a slide, a subslide, a fragment or notes, or ("-") goes on with the one before."""
        cell.metadata["slideshow"] = {"slide_type": kind, "data": {"look": look} if look else {}}
        self.cells.append(cell)

    def text(self, kind: str, markdown: str, most: int = ON_A_SLIDE, look: str = "", heading: str = "") -> None:
        """Text as far as there is room; all of it in the notes where it was cut, or comes at a key of its own."""
        shown = in_short(markdown, most)
        size = next(size for size, letters in _SIZES.items() if len(shown) <= letters)
        if kind == "fragment":  # within it, the notes would wait for the key as well
            self.notes(markdown)
        self.add(kind, new_markdown_cell(f"{heading}\n\n{shown}".strip()), f"{look} {size}".strip())
        if shown != markdown and kind != "fragment":
            self.notes(markdown)

    def notes(self, markdown: str) -> None:
        self.add("notes", new_markdown_cell(markdown))

    def html(self, kind: str, made: str, look: str = "") -> None:
        self.add(kind, new_code_cell("", outputs=[new_output("display_data", {"text/html": made})]), look)


_SIZES = {"large": 330, "medium": 620, "small": 10_000}


def picture(piece: Piece) -> str:
    """A picture as an element that takes the room that is left, with its alternative text."""
    alt = html.escape(piece.output["metadata"]["image/png"]["alt"], quote=True)
    png = "".join("".join(piece.output["data"]["image/png"]).split())
    return f'<img alt="{alt}" src="data:image/png;base64,{png}">'


def table(piece: Piece) -> str:
    """The first rows of a table, without its own style."""
    made = re.sub(r"<style.*?</style>", "", "".join(piece.output["data"]["text/html"]), flags=re.DOTALL)
    rows = re.split(r"(?=<tr\b)", made)
    if len(rows) - 1 <= FEW_ROWS and rows[1].count("<th") <= FEW_COLUMNS:
        made = made.replace("dataframe", "dataframe few")
    if len(rows) - 1 > ROWS:
        made = "".join(rows[: ROWS + 1]) + "</tbody></table><p>… and further rows in the notebook.</p>"
    return made


def printed(piece: Piece) -> str:
    """What a cell printed, if it is short enough to be read; the source of a program is not."""
    told = "\n".join(line for line in piece.text.splitlines() if not MADE_BY.search(line))
    return f"<pre>{html.escape(told)}</pre>" if told and told.count("\n") < PRINTED_LINES else ""


def claims(rows: list[Verdict], deck: Deck, joins: bool) -> None:
    """The claims with their verdicts, a few on a slide; the first ones join the heading if they may."""
    for first in range(0, len(rows), CLAIMS_ON_A_SLIDE):
        made = "".join(
            f'<tr><td>{row.sign}</td><td>{html.escape(row.sentence)}</td><td class="number">{row.measured}</td></tr>'
            for row in rows[first : first + CLAIMS_ON_A_SLIDE]
        )
        head = "<thead><tr><th></th><th>claim</th><th>measured, five seeds or more</th></tr></thead>"
        told = f'<table class="claims">{head}<tbody>{made}</tbody></table><p>✓ holds, ? is open, ✗ does not hold</p>'
        deck.html("-" if joins and not first else "subslide", told, "claims")


def deck_of(lesson: Lesson) -> NotebookNode:
    """The slides of a lesson, as a notebook for `nbconvert`'s SlidesExporter."""
    deck = Deck()
    skipped = {cell["id"] for cell in lesson.cells if cell["metadata"].get("slideshow", {}).get("slide_type") == "skip"}
    pieces = [piece for piece in lesson.pieces if piece.cell not in skipped]
    room = seen = ""  # what of a slide a result may join, and which result waits for its sentence
    for piece, after in zip(pieces, [*pieces[1:], Piece("text", "", "")]):
        shown = len(in_short(piece.text, ON_A_SLIDE))
        if piece.kind in RESULTS:
            few_lines = piece.kind == "printed" and piece.text.count("\n") < BESIDE_A_PICTURE
            joins = room == "heading" or (room == "all" and piece.kind != "table") or (room == "lines" and few_lines)
            if piece.kind == "table" and (rows := verdicts_in(piece.text)):
                claims(rows, deck, room == "heading")
            elif (made := RESULTS[piece.kind](piece)) and "print_verdicts" not in lesson.source_of(piece.cell):
                deck.html("-" if joins else "subslide", made, piece.kind)
                room, seen = "all" if few_lines and after.cell == piece.cell else "", piece.kind
        elif piece.kind == "explain":
            most = BELOW_LINES if seen in ("printed", "") else BELOW_A_PICTURE
            deck.text("fragment" if seen else "subslide", piece.text, most, "explain")
            room = seen = ""
        elif piece.kind == "text" and piece.text.endswith(":") and after.kind not in RESULTS:
            continue  # it leads to code, which is not shown
        elif piece.kind == "text" and seen and after.kind not in RESULTS and shown <= BELOW_A_PICTURE:
            deck.text("-", piece.text)
            room, seen = "", seen if after.kind == "explain" else ""
        elif piece.kind in ("learn", "predict") and room == "heading":
            deck.text("-", piece.text, heading=HEADINGS.get(piece.kind, ""))
            room = seen = ""
        else:
            kind = "slide" if piece.kind in ("title", "section") else "subslide"
            deck.text(kind, piece.text, look=piece.kind, heading=HEADINGS.get(piece.kind, "").format(piece.heading))
            room, seen = "", ""
            if piece.kind in ("title", "section", "text"):
                room = "lines" if shown > ABOVE_A_PICTURE or "$$" in piece.text else "all" if piece.text else "heading"
    notebook = new_notebook(cells=deck.cells, metadata={"title": lesson.title})
    nbformat.validate(notebook)
    return notebook


RESULTS = {"picture": picture, "table": table, "printed": printed}
HEADINGS = {"title": "# {}", "section": "## {}", "predict": "### Predict", "answers": "### Answers",
            "questions": "### Three questions", "read": "### Read on"}  # fmt: skip


def exporter() -> SlidesExporter:
    """nbconvert's exporter, with a page and a converter of Markdown that ask nobody outside."""
    made = SlidesExporter(
        template_name=(HERE / "slides_template").name,
        extra_template_basedirs=[str(HERE)],
        reveal_url_prefix="reveal.js",
        reveal_theme="white",
        **SIZE,
    )
    made.register_filter("markdown2html", markdown_to_html)
    return made


def copy_reveal(folder: Path) -> None:
    """Put reveal.js (5.2, MIT) beside the decks, from the package sphinx-revealjs, which carries it whole."""
    spec = find_spec("sphinx_revealjs")
    if spec is None or spec.origin is None:
        raise ValueError("the package sphinx-revealjs is not installed: python -m pip install -e '.[instructor]'")
    source = Path(spec.origin).parent / "_static" / "revealjs"
    for part in ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js", "dist/theme/white.css",
                 "dist/theme/fonts/source-sans-pro", "plugin/notes", "plugin/search"):  # fmt: skip
        place = folder / "reveal.js" / part
        place.parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, place, dirs_exist_ok=True)
        else:
            shutil.copy(source / part, place)


def index(lessons: list[Lesson]) -> str:
    """A page that leads to the decks."""
    rows = "".join(f'<li><a href="{lesson.name}.html">{html.escape(lesson.title)}</a></li>' for lesson in lessons)
    keys = "Space: on. Esc: overview. S: speaker's notes. F: full screen. Ctrl+Shift+F: search."
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Slides</title>'
        '<link rel="stylesheet" href="slides.css"></head>\n'
        f'<body class="index"><main><h1>Slides</h1><ul>{rows}</ul><p>{keys}</p></main></body></html>\n'
    )


def main(out: Path, notebooks: list[Path] | None = None) -> None:
    """Make a deck a lesson in a folder, an index, and what they show it with. An OSError or ValueError if it can't."""
    out.mkdir(parents=True, exist_ok=True)
    check_writable(out / "index.html")
    lessons, makes = [Lesson.read(notebook) for notebook in notebooks or course()], exporter()
    copy_reveal(out)
    shutil.copy(HERE / "slides_template" / "slides.css", out)
    for lesson in lessons:
        deck, _ = makes.from_notebook_node(deck_of(lesson))
        write_whole(out / f"{lesson.name}.html", deck.encode())
    write_whole(out / "index.html", index(lessons).encode())
    print(f"{out / 'index.html'}: the slides of {len(lessons)} lessons")


if __name__ == "__main__":
    command.run(main, "build/slides", "the slides were not made")
