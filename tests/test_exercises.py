"""The exercises as files, and their checks: wrong answers that these must catch, and right ones that they must not."""

import itertools
import re
from collections import defaultdict

import pytest
from exercises import EXERCISES, FOLDER, STUDENTS, answers, cells, grade, read, right_answers, wrong_answers

STEMS = [path.stem for path in EXERCISES]


@pytest.fixture(params=EXERCISES, ids=STEMS)
def exercise(request):
    return request.param


def code(exercise) -> list:
    return [c for c in read(exercise).cells if c.cell_type == "code"]


# Form


def test_there_are_twelve_numbered_in_order():
    assert [stem[:3] for stem in STEMS] == [f"e{number:02}" for number in range(1, 13)]


def test_the_readers_tables_name_them_in_order():
    rows = re.findall(r"^\| (e\d\d) \|", (STUDENTS / "for_students.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert rows == [stem[:3] for stem in STEMS]


def test_it_was_run_from_top_to_bottom_without_error_and_shows_a_picture(exercise):
    assert [c.execution_count for c in code(exercise)] == list(range(1, len(code(exercise)) + 1))
    outputs = [o for c in code(exercise) for o in c.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert pictures and all(len(o.metadata["image/png"]["alt"]) > 40 for o in pictures)


def test_it_is_motivated_timed_and_explained(exercise):
    text = "\n".join(c.source for c in read(exercise).cells if c.cell_type == "markdown")
    assert re.match(rf"# Exercise {int(exercise.stem[1:3])} · ", text)
    (minutes,) = re.findall(r"About (\d+) minutes", text)
    assert 15 <= int(minutes) <= 30
    for part in ("**You will practise**", "**Question.**", "## Your turn", "## What you have seen"):
        assert text.count(part) == 1, part
    assert re.search(r"goes with\s+notebook 0\d, \*", text)


def test_it_is_small_and_speaks_of_no_machine(exercise):
    raw = exercise.read_text(encoding="utf-8")
    assert len(raw.encode()) < 500_000
    assert not re.search(r"(?<![\w.])/(home|root|Users|tmp|work)/", raw)
    for cell in code(exercise):
        seen = cell.source.partition("### BEGIN HIDDEN TESTS")[0]
        assert len([line for line in seen.splitlines() if line.strip()]) <= 20, cell.id


def test_its_marks_are_nbgraders(exercise):
    marks = [c.metadata["nbgrader"] for c in code(exercise) if "nbgrader" in c.metadata]
    assert len({m["grade_id"] for m in marks}) == len(marks)
    assert all(m["schema_version"] == 3 and m["locked"] == (not m["solution"]) and not m["task"] for m in marks)
    assert sum(m.get("points", 0) for m in marks if m["grade"]) == 10
    for cell in cells(exercise, "solution").values():
        assert cell.source.count("### BEGIN SOLUTION") == cell.source.count("### END SOLUTION") == 1
    for cell in cells(exercise, "grade").values():
        assert cell.source.count("### BEGIN HIDDEN TESTS") == cell.source.count("### END HIDDEN TESTS") == 1
        assert "expect(" in cell.source.partition("### BEGIN HIDDEN TESTS")[0], "no visible check"


def test_every_answer_has_a_check_of_its_name(exercise):
    asked = [grade_id.removesuffix("-answer") for grade_id in cells(exercise, "solution")]
    assert set(asked) <= set(cells(exercise, "grade")) or exercise.stem == "e01_flip_labels"


def test_the_guide_lists_every_exercise_as_it_introduces_itself():
    guide = (FOLDER.parent / "book" / "guide.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\d+) \| (.+?) \| (\d\d) \| (\d+) \| .+ \|$", guide, re.MULTILINE)
    introduced = []
    for exercise in EXERCISES:
        text = " ".join(read(exercise).cells[0].source.split())
        number, title = re.match(r"# Exercise (\d+) · (.+?) \*\*You will practise", text).groups()
        minutes, session = re.search(r"About (\d+) minutes; it goes with notebook (\d\d)", text).groups()
        introduced.append((number, title, session, minutes))
    assert listed == introduced


def test_nothing_solved_lies_where_the_course_is_opened():
    for notebook in STUDENTS.parent.rglob("*.ipynb"):
        assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN TESTS)", notebook.read_text(encoding="utf-8")), notebook


# Answers


def test_the_reference_solution_passes_every_check(exercise):
    assert {message for message, _ in grade(exercise, {}).values()} == {""}


def test_wrong_answers_lose_the_checks_that_they_should_and_no_others(exercise):
    """Each by itself, among right answers to the other questions; where it should, at sight, and always with a hint."""
    slips = wrong_answers(exercise)
    assert len(slips) >= 2
    assert {wrong.answer for wrong in slips} == set(answers(exercise)), "an answer without a wrong one"
    for wrong in slips:
        said = grade(exercise, {wrong.answer: wrong.code})
        failed = {grade_id: at for grade_id, at in said.items() if at.message}
        assert failed.keys() == wrong.lost, (wrong.slip, said)
        assert all(at.message.startswith("NotYet: Not yet: ") for at in failed.values()), (wrong.slip, said)
        assert {at.when_graded for at in failed.values()} == {wrong.when_graded}, (wrong.slip, said)


def test_right_answers_in_another_style_pass_every_check(exercise):
    """The first one to each question together, then the second ones, and so on."""
    others = defaultdict(list)
    for style, answer, written in right_answers(exercise):
        assert answer in answers(exercise), style
        others[answer].append((style, written))
    for together in itertools.zip_longest(*([(name, *other) for other in found] for name, found in others.items())):
        given = {name: written for name, _, written in filter(None, together)}
        said = grade(exercise, given)
        assert {message for message, _ in said.values()} == {""}, (together, said)
