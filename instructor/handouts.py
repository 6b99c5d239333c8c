"""A page of A4 for each lesson, made from its notebook: `make handouts`, or `python -m instructor.handouts FOLDER`.

On it: what will be learned, the one idea with its formula, one picture, the three closing questions without answers,
the claims with what was measured, and where to read on. `handouts.yaml` chooses the idea and the picture.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import yaml

from instructor import command
from instructor.lesson import Lesson, Piece, course, in_short
from instructor.typeset import Page
from nlkit.files import check_writable, write_whole

HERE = Path(__file__).resolve().parent
# Points of the letters and millimetres of the picture, the first of which fit on the page; smaller can't be read.
TRIED = ((10.5, 78), (10, 72), (9.5, 72), (9, 66), (8.5, 66), (8, 60), (8, 50), (7.5, 50))
IDEA = 800  # letters


def chosen() -> dict[str, dict[str, str]]:
    """Notebook -> what its handout shows: `idea` and `picture`, the ids of cells."""
    return yaml.safe_load((HERE / "handouts.yaml").read_text(encoding="utf-8"))


def idea_of(lesson: Lesson, cell: str = "") -> Piece:
    """The piece of text that says the idea. Raises a ValueError when the cell named for it has no text."""
    texts = [p for p in lesson.pieces if p.kind in ("section", "text", "explain") and p.text and cell in ("", p.cell)]
    if not texts:
        raise ValueError(f"{lesson.name} has no text in the cell {cell!r}, which handouts.yaml names as its idea")
    return next((piece for piece in texts if "$$" in piece.text), texts[0])


def picture_of(lesson: Lesson, cell: str = "") -> Piece:
    """The picture of a cell, or else the first after a question. Raises a ValueError where there is none."""
    asked = False
    for piece in lesson.pieces:
        asked |= piece.kind == "predict"
        if piece.kind == "picture" and (piece.cell == cell or (asked and not cell)):
            return piece
    raise ValueError(f"{lesson.name} has no picture in the cell {cell!r}, which handouts.yaml names")


def fill(page: Page, lesson: Lesson, height: float) -> None:
    """Set a lesson on a page, with a picture of at most some height (mm)."""
    choice, heads = chosen().get(lesson.name, {}), page.letters + 2
    page.heading(lesson.title, 16)
    page.markdown(lesson.the("learn").text.split("\n\n")[0])
    idea = idea_of(lesson, choice.get("idea", ""))
    page.heading(idea.heading or "The idea", heads)
    page.markdown(in_short(idea.text, IDEA))
    shown = picture_of(lesson, choice.get("picture", "")).output
    png = base64.b64decode("".join(shown["data"]["image/png"]))
    page.picture(png, shown["metadata"]["image/png"]["alt"], height)
    page.heading("Three questions", heads)
    for number, question in enumerate(lesson.closing_questions, start=1):
        page.markdown(question, 5, f"{number}.")
    page.heading("Claims, and what was measured", heads)
    page.markdown("*✓ holds, ? is open, ✗ does not hold; mean and 95 % interval over seeds*")
    for row in lesson.verdicts:
        page.row(row.sign, row.sentence, row.measured)
    page.heading("Read on", heads)
    page.markdown(re.sub(r"^\*\*Read on\.\*\*\s*", "", lesson.the("read").text))


def handout(lesson: Lesson) -> bytes:
    """The page as PDF. Raises a ValueError when the lesson does not fit on one, in small letters either."""
    tried = Page(lesson.title)
    for size, height in TRIED:
        tried.begin(size)
        fill(tried, lesson, height)
        if not tried.full:
            page = Page(lesson.title)
            page.begin(size)
            fill(page, lesson, height)
            return bytes(page.output())
    raise ValueError(f"the handout of {lesson.name} does not fit on a page: choose a shorter idea in handouts.yaml")


def main(out: Path) -> None:
    """Make a handout a lesson in a folder. An OSError or a ValueError if it can't."""
    out.mkdir(parents=True, exist_ok=True)
    lessons = [Lesson.read(notebook) for notebook in course()]
    for lesson in lessons:
        check_writable(out / f"{lesson.name}.pdf")
    for lesson in lessons:
        write_whole(out / f"{lesson.name}.pdf", handout(lesson))
    print(f"{out}: a page for each of {len(lessons)} lessons")


if __name__ == "__main__":
    command.run(main, "build/handouts", "the handouts were not made")
