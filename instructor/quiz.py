"""A bank of the course's questions for learning platforms, in GIFT: `make quiz`, or `python -m instructor.quiz FOLDER`.

Each prediction of a lesson is a question with one right answer and two or three common wrong ideas. The question, what
leads to it and the explanation are taken from the notebook; `quiz.yaml` has the answers in one line, right and wrong,
with what speaks for a wrong one and what refutes it, which is what is told to whoever has chosen it.

GIFT is Moodle's format (docs.moodle.org, "GIFT format"), which others read, too. Text is HTML, and formulas are LaTeX
between the brackets that Moodle's filter for MathJax looks for.
"""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from instructor import command
from instructor.lesson import Lesson, Prediction, course
from nlkit.files import check_writable, write_whole

HERE = Path(__file__).resolve().parent


class Idea(NamedTuple):
    """A wrong answer: what it says, what speaks for it, and what refutes it. All Markdown."""

    says: str
    tempts: str
    refuted: str


class Question(NamedTuple):
    """A question of the bank."""

    name: str  # 02_memorization/memorization-04
    asked: Prediction
    right: str
    wrong: tuple[Idea, ...]


@cache
def ideas() -> dict[str, dict[str, dict]]:
    """What quiz.yaml says: notebook -> cell -> `right` and `wrong`."""
    return yaml.safe_load((HERE / "quiz.yaml").read_text(encoding="utf-8"))


def questions_of(lesson: Lesson, written: dict[str, dict]) -> list[Question]:
    """The questions of a lesson with their answers, of the lesson's part of quiz.yaml.

    Raises a ValueError that names what is to be written for a prediction without an entry, an entry without a
    prediction, or an entry with less than two wrong ideas.
    """
    asked = {prediction.cell: prediction for prediction in lesson.predictions}
    if missing := [cell for cell in asked if cell not in written]:
        told = "; ".join(f"{cell}: {' '.join(asked[cell].question.split())[:90]}" for cell in missing)
        raise ValueError(f"quiz.yaml lacks an entry under {lesson.name} for these predictions: {told}")
    if left := [cell for cell in written if cell not in asked]:
        raise ValueError(f"quiz.yaml has an entry under {lesson.name} for {left}, which ask for no prediction")
    found = []
    for cell, prediction in asked.items():
        wrong = tuple(Idea(**idea) for idea in written[cell]["wrong"])
        if len(wrong) < 2:
            raise ValueError(
                f"quiz.yaml has {len(wrong)} wrong ideas for {lesson.name}, {cell}; two or three are wanted"
            )
        found.append(Question(f"{lesson.name}/{cell}", prediction, written[cell]["right"], wrong))
    return found


def html_of(markdown: str, inline: bool = False) -> str:
    r"""Markdown as HTML, with formulas as \(LaTeX\) and \[LaTeX\]; `inline`: without a paragraph around it."""

    def formula(latex: str, options: dict) -> str:
        shown = html.escape(latex)
        return rf"\[{shown}\]" if options["display_mode"] else rf"\({shown}\)"

    made = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=formula)
    return (made.renderInline(markdown) if inline else made.render(markdown)).strip()


def escaped(text: str) -> str:
    """A text as GIFT wants it: on one line, with its own signs behind backslashes."""
    return re.sub(r"([\\~=#{}:])", r"\\\1", text).replace("\n", r"\n")


def gift(question: Question) -> str:
    """A question of the bank in GIFT."""
    asked = question.asked
    text = "\n\n".join(filter(None, (f"**{asked.section}**" if asked.section else "", asked.before, asked.question)))
    lines = [f"::{escaped(question.name)}::[html]{escaped(html_of(text))}{{"]
    lines.append(f"\t={escaped(html_of(question.right, inline=True))}#Yes.")
    for idea in question.wrong:
        back = html_of(f"{idea.tempts} *But:* {idea.refuted}", inline=True)
        lines.append(f"\t~{escaped(html_of(idea.says, inline=True))}#{escaped(back)}")
    return "\n".join([*lines, f"\t####{escaped(html_of(asked.explanation))}", "}"])


def bank(lessons: list[Lesson]) -> str:
    """The bank of some lessons, a category each."""
    written, parts = ideas(), []
    for lesson in lessons:
        parts.append(f"$CATEGORY: $course$/nlkit/{lesson.title.replace('/', ' ')}")
        parts += [gift(question) for question in questions_of(lesson, written.get(lesson.name, {}))]
    return "\n\n".join(parts) + "\n"


def main(out: Path) -> None:
    """Write the bank into a folder as nlkit.gift. An OSError or a ValueError if it can't."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "nlkit.gift"
    check_writable(file)
    lessons = [Lesson.read(notebook) for notebook in course()]
    write_whole(file, bank(lessons).encode())
    print(f"{file}: {sum(len(lesson.predictions) for lesson in lessons)} questions with common wrong ideas")


if __name__ == "__main__":
    command.run(main, "build/quiz", "the quiz was not made")
