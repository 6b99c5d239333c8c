"""Slides of the lessons: made once, read as files, and looked at in Chromium with the network off."""

import re

import nbformat
import pytest
from browser import running_chromium
from bs4 import BeautifulSoup
from test_notebooks import COURSE, load

from instructor import slides
from instructor.lesson import Lesson, in_short, paragraphs, pieces_of_text, sentences
from nlkit.commands.unspoiled import QUESTION

LOOKED_AT = COURSE[2]  # by day; the others by night

# What of the slide that is shown leaves it, letters that nobody can read, and how high its pictures are.
OVERFLOW = """k => {
  const slide = Reveal.getSlides()[k], place = Reveal.getIndices(slide);
  Reveal.slide(place.h, place.v, 9);
  const frame = slide.getBoundingClientRect();
  const shown = [...slide.querySelectorAll('*:not(aside):not(aside *)')];
  const size = e => parseFloat(getComputedStyle(e).fontSize);
  const out = e => { const r = e.getBoundingClientRect();
    return r.width && (r.bottom > frame.bottom + 1 || r.right > frame.right + 1 || r.left < frame.left - 1); };
  return {
    out: shown.filter(out).map(e => e.outerHTML.slice(0, 80)),
    letters: Math.min(99, ...shown.filter(e => e.matches('p, li, td, pre')).map(size)),
    heights: [...slide.querySelectorAll('img')].map(e => e.getBoundingClientRect().height),
    overlaps: [...slide.children].some((e, n, all) => n && !e.matches('aside')
      && e.getBoundingClientRect().top < all[n - 1].getBoundingClientRect().bottom - 1),
  };
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("slides")
    slides.main(made)
    return made


@pytest.fixture(scope="module")
def decks(folder):
    texts = {path: (folder / f"{path.stem}.html").read_text(encoding="utf-8") for path in COURSE}
    return {path: BeautifulSoup(text, "html.parser") for path, text in texts.items()}


def test_every_lesson_has_a_deck_and_the_index_leads_to_it(folder):
    links = re.findall(r'<a href="(.+?)"', (folder / "index.html").read_text(encoding="utf-8"))
    assert links == [f"{path.stem}.html" for path in COURSE]
    assert {path.name for path in folder.glob("*.html")} == {*links, "index.html"}


def test_nothing_that_a_deck_loads_lies_elsewhere(folder, decks):
    for deck in decks.values():
        loaded = [e.get("src") or e.get("href") for e in deck.select("script[src], link[href], img[src], iframe")]
        assert all(place.startswith("data:") or (folder / place).is_file() for place in loaded)
    for sheet in folder.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import\s+url\(http", sheet.read_text(encoding="utf-8")), sheet


def test_every_picture_is_there_with_its_words(decks):
    for path, deck in decks.items():
        outputs = [o for cell in load(path)["cells"] for o in cell.get("outputs", [])]
        kept = [o["metadata"]["image/png"]["alt"] for o in outputs if "image/png" in o.get("data", {})]
        assert [" ".join(img["alt"].split()) for img in deck.select("img")] == [" ".join(alt.split()) for alt in kept]


def test_an_answer_comes_after_its_question_at_a_key_of_its_own_and_stands_in_the_notes(decks):
    for path, deck in decks.items():
        lesson = Lesson.read(path)
        told = deck.select("[data-look~=explain]")
        assert len(deck.select("section h3")) >= len(lesson.predictions)
        assert [h.get_text() for h in deck.select("h3")].count("Predict") == len(lesson.predictions) <= len(told)
        assert all("fragment" in e.get("class", ()) or e.name == "section" for e in told)
        assert not deck.select(".fragment aside"), "the teacher reads the answer before the class does"
        notes = " ".join(" ".join(aside.get_text().split()) for aside in deck.select("aside.notes"))
        for prediction in lesson.predictions:
            for word in re.findall(r"[A-Za-z]{5,}", prediction.explanation.split("$")[0])[-6:]:
                assert word in notes, (path.stem, word)


def test_nothing_that_the_notebook_says_is_lost(decks):
    """What a slide has no room for stands in its notes, but for what leads to code."""
    for path, deck in decks.items():
        told = "".join(BeautifulSoup(str(deck), "html.parser").get_text().split())
        for piece in Lesson.read(path).pieces:
            if not piece.output and piece.kind != "printed" and not piece.text.endswith(":"):
                end = re.sub(r"[\s*`]", "", piece.text)[-25:]
                assert end in told or re.search(r"[$|]|\]\(", piece.text[-80:]), (path.stem, piece.cell, end)


def test_every_sentence_that_a_slide_shows_stands_in_the_notebook(decks):
    for path, deck in decks.items():
        lesson = Lesson.read(path)
        text = slides.markdown_to_html("\n\n".join(f"{p.heading}\n\n{p.text}" for p in lesson.pieces if not p.output))
        words = set(BeautifulSoup(text, "html.parser").get_text().split())
        for shown in deck.select("section p"):
            if not shown.find_parent("aside") and not shown.find_previous_sibling("table"):
                assert set(shown.get_text().split()) <= words, shown.get_text()


def test_formulas_are_mathml_and_no_dollar_is_left(decks):
    assert len(decks[COURSE[2]].select("math")) > 10
    for deck in decks.values():
        for element in deck.select("section p, section li"):
            assert "$" not in element.get_text(), element


def test_a_cell_may_be_left_out_by_nbconverts_own_metadata():
    lesson = Lesson.read(COURSE[0])
    shown = [cell.source for cell in slides.deck_of(lesson).cells]
    assert any("Why care?" in source for source in shown)
    for cell in lesson.cells:
        if cell["id"] == "noise-why":
            cell["metadata"] = {"slideshow": {"slide_type": "skip"}}
    left = [cell.source for cell in slides.deck_of(Lesson(lesson.name, lesson.cells)).cells]
    assert not any("Why care?" in source for source in left) and len(left) < len(shown)


@pytest.mark.browser
@pytest.mark.parametrize(
    "path", [p if p == LOOKED_AT else pytest.param(p, marks=pytest.mark.nightly) for p in COURSE], ids=lambda p: p.stem
)
def test_every_slide_fits_and_the_keyboard_leads_to_the_end_without_network(path, folder):
    with running_chromium() as chromium:
        context = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True)
        page, asked, errors = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto((folder / f"{path.stem}.html").as_uri())
        page.wait_for_function("Reveal.isReady()")
        for number in range(page.evaluate("Reveal.getSlides().length")):
            seen = page.evaluate(OVERFLOW, number)
            assert not seen["out"] and seen["letters"] >= 17 and not seen["overlaps"], (number, seen)
            assert all(height > 300 for height in seen["heights"]), (number, seen)
        page.evaluate("Reveal.slide(0, 0)")
        keys = 0
        while not page.evaluate("Reveal.isLastSlide()"):
            page.keyboard.press("Space")
            keys += 1
            assert keys < 300
        assert keys >= len(slides.deck_of(Lesson.read(path)).cells) / 4
        assert not errors and all(url.startswith(("file:", "data:")) for url in asked)


# Text


def test_a_notebook_is_cut_where_it_asks_tells_and_begins_anew():
    source = "# T\n\n**You will learn** x.\n\n## S\n\nSo.\n\n```\n# no heading\n```\n\n"
    source += "**Predict.** ?\n\n**Explain.** !\n\nMore.\n## N"
    found = [(p.kind, p.heading, p.text) for p in pieces_of_text("c", source)]
    assert found == [
        ("title", "T", ""), ("learn", "", "**You will learn** x."), ("section", "S", "So.\n\n```\n# no heading\n```"),
        ("predict", "", "?"), ("explain", "", "!\n\nMore."), ("section", "N", ""),
    ]  # fmt: skip


def test_sentences_and_paragraphs_are_cut_nowhere_else():
    text = "So (Han et al. 2018) it is. *Two. In one.* And 2.5 more: all of it. $a. B$ is one."
    assert sentences(text) == [
        "So (Han et al. 2018) it is.",
        "*Two. In one.*",
        "And 2.5 more: all of it.",
        "$a. B$ is one.",
    ]
    assert paragraphs("a\nb\n\n$$x\n\ny$$\n\n```\nc\n\nd\n```") == ["a\nb", "$$x\n\ny$$", "```\nc\n\nd\n```"]


def test_in_short_keeps_whole_sentences_from_the_beginning():
    assert in_short("One. Two. Three.\n\nFour.", 100) == "One. Two. Three.\n\nFour."
    assert in_short("One. Two. Three.\n\nFour.", 10) == "One. Two."
    assert in_short("One is long enough. Two.", 5) == "One is long enough."
    assert in_short("One. Two is much longer than that.\n\n$$x$$\n\nThree. Four.", 20) == "One.\n\n$$x$$\n\nThree."


def test_the_notebooks_ask_as_often_as_they_are_found_to():
    for path in COURSE:
        lines = "\n".join(
            "".join(c["source"]) for c in load(path)["cells"] if c["cell_type"] == "markdown"
        ).splitlines()
        found = Lesson.read(path).predictions
        assert len(found) == sum(bool(QUESTION.match(line)) for line in lines)
        assert all(prediction.question and prediction.explanation for prediction in found)
        assert len({prediction.cell for prediction in found}) == len(found)
    assert nbformat.validate(slides.deck_of(Lesson.read(COURSE[0]))) is None


def test_an_explanation_ends_with_its_section():
    first, second = Lesson.read(COURSE[0]).predictions[:2]
    assert first.explanation.startswith("About 12 of 30") and "twice as often" not in second.explanation
    assert second.section == 'Four kinds of "40 % noise"' and second.before.startswith("Papers use the same number")
    assert "asked for 40 %, wrong: 36.0%" in second.seen
