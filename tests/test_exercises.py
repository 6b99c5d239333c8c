"""The exercises as files, their checks, and the wrong answers that the checks must catch."""

import re

import numpy as np
import pytest
import torch
from exercises import EXERCISES, FOLDER, STUDENTS, answers, cells, grade, read, wrong_answers

from nlkit.exercises import NotYet, expect

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
        assert len([line for line in cell.source.splitlines() if line.strip()]) <= 20, cell.id


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


# Answers


def test_the_reference_solution_passes_every_check(exercise):
    assert set(grade(exercise, answers(exercise)).values()) == {""}


def test_plausible_wrong_answers_lose_the_checks_that_they_should_and_no_others(exercise):
    """Each by itself, among right answers to the other questions."""
    slips = wrong_answers(exercise)
    assert len(slips) >= 2
    assert {answer for _, answer, _, _ in slips} == set(answers(exercise)), "an answer without a wrong one"
    for slip, answer, lost, written in slips:
        assert answer in answers(exercise)
        said = grade(exercise, answers(exercise) | {answer: written})
        assert {grade_id for grade_id, message in said.items() if message} == lost, (slip, said)


# The check itself


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (3, 3),
        (0.1 + 0.2, 0.3),
        (True, True),
        ("red", "red"),
        (float("nan"), float("nan")),
        (torch.tensor([1.0, 2.0], requires_grad=True), [1, 2]),
        (np.array([[1.0]]), torch.tensor([[1.0]])),
    ],
)
def test_expect_takes_what_is_equal(came, expected):
    expect("it", came, expected, "nowhere")


@pytest.mark.parametrize(
    ("came", "expected", "says"),
    [
        (None, 3, "without `return`"),
        (4.0, 3, "expected: 3\n  came:     4\n"),
        (torch.tensor([1.0, 2.5]), [1.0, 2.0], "came:     [1. , 2.5]"),
        (torch.tensor([1.0, 2.0]), 1.0, "of shape (2,) where () was expected"),
        (float("nan"), 0.0, "came:     nan"),
        ("blue", "red", "came:     'blue'"),
        ("blue", 1.0, "not made of numbers"),
        (False, True, "came:     False"),
        (1.1, 1.0, "look at:  the sum"),
    ],
)
def test_expect_says_what_was_expected_what_came_and_where_to_look(came, expected, says):
    with pytest.raises(NotYet, match="Not yet: it") as raised:
        expect("it", came, expected, "the sum", within=0.01)
    assert says in str(raised.value)
    assert raised.value._render_traceback_() == str(raised.value).splitlines()


def test_expect_measures_in_units_of_the_largest_expected_number():
    expect("it", [0.0, 1001.0], [0.0, 1000.0], "nowhere", within=2e-3)
    with pytest.raises(NotYet):
        expect("it", [0.0, 1003.0], [0.0, 1000.0], "nowhere", within=2e-3)
    expect("it", 0.001, 0.0, "nowhere", within=2e-3)


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
