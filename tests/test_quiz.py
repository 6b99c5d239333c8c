"""The quiz bank: an entry for each prediction of the course, numbers that were measured, and GIFT that can be read."""

import html
import re

import pytest
from test_notebooks import COURSE, load

from instructor import quiz
from instructor.lesson import Lesson

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]\d+)?")


@pytest.fixture(params=COURSE, ids=lambda p: p.stem)
def lesson(request):
    return Lesson.read(request.param)


def read_gift(text: str) -> list[dict]:
    """The questions of a bank, read by the rules of docs.moodle.org and by nothing of the kit."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith(("$CATEGORY:", "//")):
            continue
        hidden = re.sub(r"\\([\\~=#{}:n])", lambda m: chr(0xE000 + ord(m[1])), block)

        def shown(part: str) -> str:
            plain = re.sub(r"[\ue000-\ue0ff]", lambda m: chr(ord(m[0]) - 0xE000) if m[0] != "\ue06e" else "\n", part)
            return plain.strip()

        name, form, asked, answers = re.fullmatch(r"::(.+?)::\[(\w+)\]([^{}]+)\{([^{}]+)\}", hidden, re.DOTALL).groups()
        choices, _, told = answers.partition("####")
        parts = re.findall(r"([=~])([^=~#]+)#([^=~#]+)", choices)
        assert len(parts) == len(re.findall("[=~]", choices)) == choices.count("#")
        found.append({
            "name": shown(name), "form": form, "asked": shown(asked), "told": shown(told),
            "right": [shown(says) for sign, says, _ in parts if sign == "="],
            "wrong": {shown(says): shown(back) for sign, says, back in parts if sign == "~"},
        })  # fmt: skip
    return found


def test_every_prediction_has_one_entry_and_every_entry_a_prediction(lesson):
    quiz.questions_of(lesson, quiz.ideas().get(lesson.name, {}))  # or it says what is to be written


def test_a_missing_or_a_lonely_entry_is_named_with_its_question():
    lesson, written = Lesson.read(COURSE[0]), quiz.ideas()[COURSE[0].stem]
    less = {cell: entry for cell, entry in written.items() if cell != "noise-06"}
    with pytest.raises(ValueError, match="lacks an entry under 01_label_noise .* noise-06: All four are asked for 40"):
        quiz.questions_of(lesson, less)
    with pytest.raises(ValueError, match="for .'noise-99'., which ask for no prediction"):
        quiz.questions_of(lesson, written | {"noise-99": written["noise-06"]})
    one = {**written["noise-06"], "wrong": written["noise-06"]["wrong"][:1]}
    with pytest.raises(ValueError, match="has 1 wrong ideas for 01_label_noise, noise-06"):
        quiz.questions_of(lesson, written | {"noise-06": one})


def test_the_bank_is_gift_and_says_what_notebook_and_ideas_say():
    lessons = [Lesson.read(path) for path in COURSE]
    read = read_gift(quiz.bank(lessons))
    expected = [q for lesson in lessons for q in quiz.questions_of(lesson, quiz.ideas()[lesson.name])]
    assert [one["name"] for one in read] == [question.name for question in expected]

    for one, question in zip(read, expected):
        assert one["form"] == "html" and words(one["right"][0]) == words(question.right) and len(one["right"]) == 1
        assert words(question.asked.question) in words(one["asked"])
        assert words(question.asked.explanation) == words(one["told"])
        assert [(words(says), words(back)) for says, back in one["wrong"].items()] == [
            (words(idea.says), words(f"{idea.tempts} But: {idea.refuted}")) for idea in question.wrong
        ]


def words(text: str) -> str:
    """A text in Markdown or HTML without spaces, marks and brackets of formulas."""
    plain = html.unescape(re.sub(r"</?\w+[^<>]*>", "", re.sub(r"\[([^]]+)\]\(http[^)]+\)", r"\1", text)))
    return re.sub(r"\s|[*`$|-]|\\[][()]", "", plain)


def test_signs_of_gift_in_a_text_are_read_back_and_formulas_are_for_mathjax():
    text = r"a = {b} ~ c # d: $\frac{1}{2} < 1$"
    shown = r'a = {b} ~ c # d: <span class="math inline">\(\frac{1}{2} &lt; 1\)</span>'
    asked = quiz.Prediction("c", "S: #1", "Before\nit.", f"{text}?", "", f"- {text}\n- more\n\nEnd")
    question = quiz.Question("n/c", asked, text, (quiz.Idea("x=1", "{", "}"), quiz.Idea("~", ":", "#")))
    (read,) = read_gift(quiz.gift(question))
    assert read["right"] == [shown]
    assert read["wrong"] == {"x=1": "{ <em>But:</em> }", "~": ": <em>But:</em> #"}
    assert read["asked"] == f"<p><strong>S: #1</strong></p>\n<p>Before\nit.</p>\n<p>{shown}?</p>"
    assert read["told"] == f"<ul>\n<li>{shown}</li>\n<li>more</li>\n</ul>\n<p>End</p>"


def numbers(text: str) -> set[str]:
    return set(NUMBER.findall(text.replace(",", "").replace("−", "-")))


def test_numbers_of_a_right_answer_are_what_the_notebook_shows_or_explains(lesson):
    for question in quiz.questions_of(lesson, quiz.ideas()[lesson.name]):
        asked = question.asked
        known = numbers("\n".join((asked.before, asked.question, asked.seen, asked.explanation)))
        rounded = known | {f"{float(n):.0f}" for n in known}
        assert numbers(question.right) <= rounded, (question.name, numbers(question.right) - rounded)


def test_numbers_of_a_refutation_stand_in_the_notebook(lesson):
    cells = load(next(path for path in COURSE if path.stem == lesson.name))["cells"]
    text = "\n".join([*("".join(c["source"]) for c in cells), *(p.text for p in lesson.pieces)])
    known = numbers(text)
    known |= {f"{float(n):.0f}" for n in known}
    for question in quiz.questions_of(lesson, quiz.ideas()[lesson.name]):
        for idea in question.wrong:
            assert numbers(idea.refuted) <= known, (question.name, idea.says, numbers(idea.refuted) - known)


def test_ideas_are_told_apart_and_written_as_sentences(lesson):
    for question in quiz.questions_of(lesson, quiz.ideas()[lesson.name]):
        assert len(question.wrong) in (2, 3)
        assert len({question.right, *(idea.says for idea in question.wrong)}) == 1 + len(question.wrong)
        for part in (question.right, *(part for idea in question.wrong for part in idea)):
            assert part[-1] in ".?’" and part[0] == part[0].upper() and "\n" not in part, part
