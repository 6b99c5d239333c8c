"""The handouts: one page of A4 each, read again with pypdf, and what stands on them is what the notebook says."""

import functools
import io
import os
import re

import pytest
from pypdf import PdfReader
from test_notebooks import COURSE, load

from instructor import handouts
from instructor.lesson import Lesson
from instructor.typeset import Page, formula, words_of

BY_DAY = COURSE[2], COURSE[6]  # with most formulas, with most claims


@functools.cache
def made(path):
    return PdfReader(io.BytesIO(handouts.handout(Lesson.read(path))))


@pytest.fixture(params=[p if p in BY_DAY else pytest.param(p, marks=pytest.mark.nightly) for p in COURSE],
                ids=lambda p: p.stem)  # fmt: skip
def notebook(request):
    return request.param


def run_together(text: str) -> str:
    """A text without spaces, formulas and marks of Markdown: lines are broken elsewhere on paper."""
    return re.sub(r"[\s*`]|\$[^$]*\$|\*\*Read on\.\*\*", "", text)


def common(one: str, other: str) -> int:
    """With how many letters alike two texts begin."""
    return len(os.path.commonprefix([one, other]))


def test_it_is_one_page_of_a4_with_a_title_and_a_language(notebook):
    (page,) = made(notebook).pages
    assert [round(float(side) / 72 * 25.4) for side in page.mediabox[2:]] == [210, 297]
    assert made(notebook).metadata.title == Lesson.read(notebook).title
    assert made(notebook).root_object["/Lang"].startswith("en")


def test_it_says_what_the_notebook_says(notebook):
    lesson, text = Lesson.read(notebook), run_together(made(notebook).pages[0].extract_text())
    source = "\n\n".join("".join(c["source"]) for c in load(notebook)["cells"] if c["cell_type"] == "markdown")
    asked = re.findall(r"\([123]\)\s+(.+?)(?=\([123]\)|\n\n)", source.partition("**Three questions")[2], re.DOTALL)[:3]
    learn = re.search(r"\*\*You will learn\*\*(.+?)\n\n", source, re.DOTALL)[1]
    for part in (lesson.title, learn, *asked, *re.findall(r"arXiv:[\d.]+\d", lesson.the("read").text)):
        assert run_together(part) in text, part
    for answer in re.findall(r"^\*\*Answers?\.\*\* (.{60})", source, re.MULTILINE):
        assert run_together(answer) not in text


def test_every_claim_stands_there_with_the_verdict_that_the_notebook_prints(notebook):
    text = made(notebook).pages[0].extract_text(extraction_mode="layout")
    cells = [c for c in load(notebook)["cells"] if "print_verdicts" in "".join(c["source"])]
    printed = "".join("".join(o["text"]) for c in cells for o in c["outputs"] if o["output_type"] == "stream")
    claims = re.findall(r"^(holds|open|does not hold) +(.+)$", printed, re.MULTILINE)
    assert len(claims) == len(Lesson.read(notebook).verdicts)
    signs = {"holds": "✓", "open": "?", "does not hold": "✗"}
    for verdict, sentence in claims:
        nearest = max(text.splitlines(), key=lambda line: common(run_together(line)[1:], run_together(sentence)))
        assert common(run_together(nearest)[1:], run_together(sentence)) > 25, sentence
        assert nearest.strip()[0] == signs[verdict] and re.search(r"±\s*\d", nearest), nearest


def test_its_picture_and_formulas_have_words(notebook):
    reader = made(notebook)
    shown = handouts.picture_of(Lesson.read(notebook), handouts.chosen().get(notebook.stem, {}).get("picture", ""))
    words = []

    def walk(element):
        element = element.get_object()
        words.append(str(element.get("/Alt", "")))
        children = element.get("/K", [])
        for child in children if isinstance(children, list) else [children]:
            if hasattr(child.get_object(), "get"):
                walk(child)

    walk(reader.root_object["/StructTreeRoot"])
    assert shown.output["metadata"]["image/png"]["alt"] in words
    idea = handouts.idea_of(Lesson.read(notebook), handouts.chosen().get(notebook.stem, {}).get("idea", "")).text
    assert any(word.startswith("$") for word in words) or "$" not in idea


def test_every_formula_of_the_course_can_be_drawn():
    for path in COURSE:
        for piece in Lesson.read(path).pieces:
            for latex in re.findall(r"(?<!\$)\$([^$]+)\$(?!\$)|\$\$([^$]+)\$\$", "" if piece.output else piece.text):
                drawn = formula(next(filter(None, latex)), 9.5)
                assert drawn.width > 0 and 0 <= drawn.depth < drawn.height, latex


def test_what_is_chosen_exists_and_another_lesson_needs_no_choice():
    assert handouts.chosen().keys() <= {path.stem for path in COURSE}
    for path in COURSE:
        lesson, choice = Lesson.read(path), handouts.chosen().get(path.stem, {})
        assert choice.keys() <= {"idea", "picture"}
        assert handouts.idea_of(lesson, choice.get("idea", "")).text
        assert handouts.picture_of(lesson, choice.get("picture", "")).output
        assert handouts.idea_of(lesson).text and handouts.picture_of(lesson).output
    with pytest.raises(ValueError, match="no text in the cell 'nowhere'"):
        handouts.idea_of(lesson, "nowhere")
    with pytest.raises(ValueError, match="no picture in the cell 'nowhere'"):
        handouts.picture_of(lesson, "nowhere")


def test_what_does_not_fit_is_an_error_that_says_what_to_do(monkeypatch):
    lesson = Lesson.read(COURSE[0])
    monkeypatch.setattr(handouts, "TRIED", ((30, 100),))
    with pytest.raises(ValueError, match="does not fit on a page: choose a shorter idea"):
        handouts.handout(lesson)


def test_a_line_is_as_wide_as_the_page_and_a_formula_stands_at_its_depth():
    page = Page("a page")
    page.begin(10)
    top = page.y
    page.markdown("word " * 60)
    lines = (page.y - top) / (10 * 25.4 / 72)
    widths = page.get_string_width("word " * 60) / page.epw
    assert widths - 0.2 < lines / 1.32 < widths + 1.5
    tall = page.y
    page.markdown(r"$\dfrac{a}{b}$")
    assert page.y - tall > formula(r"\dfrac{a}{b}", 10).height


def test_words_keep_their_style_and_what_touches_stays_together():
    from instructor.typeset import MARKDOWN

    (inline,) = [token for token in MARKDOWN.parse("a *b c*, $x$. **d** `e f`") if token.type == "inline"]
    found = [(getattr(w.content, "latex", w.content), w.style, w.glued) for w in words_of(inline, 10)]
    assert found == [
        ("a", "", True), ("b", "I", False), ("c", "I", False), (",", "", True), ("x", "", False), (".", "", True),
        ("d", "B", False), ("e", "code", False), ("f", "code", False),
    ]  # fmt: skip
