"""The whole cycle with nbgrader, from generate to export, for good, empty, wrong and hostile work."""

import copy
import csv
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from exercises import EXERCISES, FOLDER, MARKER, STUDENTS, answers, cells, read, wrong_answers

ROOT = FOLDER.parent
COMMANDS = re.findall(r"^nbgrader .+?(?=  )", (FOLDER / "for_instructors.md").read_text(encoding="utf-8"), re.MULTILINE)
GRADE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from build import course_api, succeed
api = course_api(Path.cwd())
for assignment in sorted(api.get_source_assignments()):
    for student in sorted(api.get_submitted_students(assignment)):
        succeed(api.autograde(assignment, student))
        succeed(api.generate_feedback(assignment, student))
"""


@pytest.fixture(scope="module")
def build():
    sys.path.insert(0, str(FOLDER))
    import build

    yield build
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def course(build, tmp_path_factory):
    """A course with the students' versions of all exercises."""
    folder = build.lay_out_course(tmp_path_factory.mktemp("course") / "course")
    allow_seconds(folder, 600)  # no cell takes three, but on a busy machine
    build.students_versions(folder)
    return folder


def allow_seconds(course: Path, seconds: int) -> None:
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as settings:
        settings.write(f"c.ExecuteWhateverComes.timeout = {seconds}\n")


def released(course: Path, name: str) -> Path:
    return course / "release" / name / f"{name}.ipynb"


def submit(course: Path, student: str, name: str, given: dict[str, str], edit=lambda notebook: None) -> Path:
    """Hand in the students' version with answers by grade id, then edited; the others stay as they were released."""
    notebook = read(released(course, name))
    for cell in notebook.cells:
        cell.source = given.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    edit(notebook)
    place = course / "submitted" / student / name
    place.mkdir(parents=True)
    nbformat.write(notebook, place / f"{name}.ipynb")
    return place / f"{name}.ipynb"


def grades(course: Path) -> dict[str, dict[str, float]]:
    """Student -> assignment -> score, of what `nbgrader export` writes."""
    run(course, "nbgrader export")
    scores = defaultdict(dict)
    with (course / "grades.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            assert float(row["max_score"]) == 10
            scores[row["student_id"]][row["assignment"]] = float(row["score"])
    return scores


def run(course: Path, command: str, code: int = 0) -> str:
    """Run a command of nbgrader's as in an environment that is not activated, and give what it prints."""
    here = str(Path(sys.executable).parent)
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if os.path.realpath(p) != here and p != here)
    result = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=course, capture_output=True, text=True, timeout=600, check=False, env=os.environ | {"PATH": path},
    )  # fmt: skip
    assert result.returncode == code, result.stderr
    return result.stdout + result.stderr


def feedback(course: Path, student: str, name: str) -> str:
    return (course / "feedback" / student / name / f"{name}.html").read_text(encoding="utf-8")


# Good, empty and wrong work on every exercise

GRADED = EXERCISES if os.environ.get("NLKIT_NIGHTLY") else EXERCISES[1::6]  # all of them by `make nightly`
HANDED_IN = [exercise.stem for exercise in GRADED]
SLIPS = [EXERCISES[0], EXERCISES[4]]  # graded by nbgrader too, to see that it agrees with the tests of the checks


@pytest.fixture(scope="module")
def graded(course):
    """Courses in which good and empty work on exercises was graded, each in its own process; and the grades."""
    copies = {kind: shutil.copytree(course, course.parent / kind) for kind in ("solved", "empty")}
    for exercise in GRADED:
        submit(copies["solved"], "ada", exercise.stem, answers(exercise))
        submit(copies["empty"], "bob", exercise.stem, {})
    for exercise in SLIPS:
        wrong = wrong_answers(exercise)[0]
        submit(copies["solved"], "eve", exercise.stem, answers(exercise) | {wrong.answer: wrong.code})
    command = [sys.executable, "-c", GRADE, str(FOLDER)]
    graders = [subprocess.Popen(command, cwd=c, stderr=subprocess.PIPE, text=True) for c in copies.values()]
    try:
        for grader in graders:
            _, log = grader.communicate()
            assert grader.returncode == 0, log
    finally:
        for grader in graders:
            grader.kill()
    return {kind: (folder, grades(folder)) for kind, folder in copies.items()}


def test_the_reference_solutions_get_full_marks(graded):
    assert {name: graded["solved"][1]["ada"][name] for name in HANDED_IN} == dict.fromkeys(HANDED_IN, 10)


def test_an_empty_submission_gets_nothing_and_is_told_so_kindly(graded):
    folder, scores = graded["empty"]
    assert {name: scores["bob"][name] for name in HANDED_IN} == dict.fromkeys(HANDED_IN, 0)
    for exercise in GRADED:
        page = feedback(folder, "bob", exercise.stem)
        assert page.count("Nothing is written here yet: this is where your answer goes.") >= 2
        assert "NameError" not in page


def test_a_slip_costs_the_points_of_its_check(graded):
    folder, scores = graded["solved"]
    for exercise in SLIPS:
        wrong = wrong_answers(exercise)[0]
        points = sum(c.metadata["nbgrader"]["points"] for i, c in cells(exercise, "grade").items() if i in wrong.lost)
        assert points and scores["eve"][exercise.stem] == 10 - points, wrong.slip
        assert "Not yet: " in feedback(folder, "eve", exercise.stem)


def test_the_students_folder_holds_what_nbgrader_makes_of_the_solved_exercises_and_nothing_else(course):
    """`make exercises` renews it."""
    assert {path.name for path in STUDENTS.iterdir()} - {".ipynb_checkpoints"} == {
        "for_students.md", *(exercise.name for exercise in EXERCISES)
    }  # fmt: skip
    for exercise in EXERCISES:
        assert read(STUDENTS / exercise.name) == read(released(course, exercise.stem)), exercise.stem


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda path: path.stem)
def test_no_solution_and_no_hidden_test_is_in_the_students_version(course, exercise):
    notebook = read(released(course, exercise.stem))
    text = "\n".join(cell.source for cell in notebook.cells)
    assert not re.search("SOLUTION|HIDDEN", text)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    for source in cells(exercise, "solution").values():
        for line in source.source.partition("### BEGIN SOLUTION\n")[2].partition("### END")[0].splitlines():
            assert len(line.strip()) < 12 or line.strip() not in text, line
    for source in cells(exercise, "grade").values():
        hidden = source.source.partition("### BEGIN HIDDEN TESTS\n")[2].partition("### END")[0]
        assert hidden and hidden not in text
    assert text.count("raise NotImplementedError(") == len(answers(exercise))


# Work that would stop a grader

PROBE = {
    "setup": ("from nlkit.exercises import expect", {"locked": True}),
    "double-answer": (
        "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION",
        {"solution": True},
    ),
    "double": (
        'expect("twice 2", double(2), 4, "add it to itself")\n'
        '### BEGIN HIDDEN TESTS\nexpect("twice -3", double(-3), -6, "negative numbers")\n### END HIDDEN TESTS',
        {"locked": True, "grade": True, "points": 4},
    ),
    "half-answer": ("def half(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION", {"solution": True}),
    "half": (
        'expect("half of 2", half(2), 1, "divide")\n'
        '### BEGIN HIDDEN TESTS\nexpect("half of 3", half(3), 1.5, "no whole numbers")\n### END HIDDEN TESTS',
        {"locked": True, "grade": True, "points": 6},
    ),
}  # fmt: skip
GOOD = {grade_id: MARKER.sub("", PROBE[grade_id][0]) for grade_id in ("double-answer", "half-answer")}
HOSTILE = {  # student: (what stands before the first answer, what is left of the points at least and at most)
    "aa_loops_for_ever": ("def double(x):\n    while True:\n        pass", 6, 6),
    "ab_loops_and_cannot_be_interrupted": (
        "def double(x):\n    while True:\n        try:\n            while True:\n                pass\n"
        "        except BaseException:\n            pass",
        0,
        0,
    ),
    "ac_exits": ("import os\n\n\ndef double(x):\n    os._exit(0)", 0, 0),
    "ad_exits_politely": ("exit()", 0, 0),
    "ae_raises_system_exit": ("import sys\n\n\ndef double(x):\n    sys.exit()", 6, 6),
    "af_prints_megabytes": (
        GOOD["double-answer"] + "\n\n\nprint('x' * 30_000_000)\nfor line in range(100_000):\n    print(line)",
        10,
        10,
    ),
    "ag_deletes_files": (
        GOOD["double-answer"] + "\n\n\nimport os, shutil\nfor name in os.listdir():\n    os.remove(name)\n"
        "shutil.rmtree(os.getcwd())",
        10,
        10,
    ),
    "ah_raises_on_import": ("import a_module_that_nobody_has", 6, 6),
    "ai_warns": (GOOD["double-answer"] + "\n\n\nimport warnings\nwarnings.warn('it gets late')", 10, 10),
}


def cell_of(notebook, grade_id):
    (found,) = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade_id == grade_id]
    return found


def copies_a_check_above_its_answer(notebook):
    notebook.cells.insert(1, copy.deepcopy(cell_of(notebook, "double")))


def copies_all_cells(notebook):
    notebook.cells += copy.deepcopy(notebook.cells)


def deletes_what_is_locked(notebook):
    notebook.cells = [cell for cell in notebook.cells if "answer" in cell.metadata.nbgrader.grade_id]


def deletes_an_answer_and_its_check(notebook):
    notebook.cells = [cell for cell in notebook.cells if not cell.metadata.nbgrader.grade_id.startswith("double")]


def deletes_everything(notebook):
    notebook.cells = []


def changes_checks(notebook):
    cell_of(notebook, "double-answer").source = "double = None"
    cell_of(notebook, "double").source = "pass"
    cell_of(notebook, "half").cell_type = "raw"


def splits_a_check(notebook):
    check = cell_of(notebook, "double")
    half = copy.deepcopy(check)
    check.source, half.source = "expect(", '"twice 2", double(2), 4, "add it to itself")'
    notebook.cells.insert(notebook.cells.index(check) + 1, half)


def changes_marks(notebook):
    setup, double_answer, double, half_answer, half = notebook.cells
    setup.metadata.nbgrader = "what was here?"
    double_answer.metadata.nbgrader.schema_version = 1
    double.metadata.nbgrader.schema_version = 99
    del half_answer.metadata.nbgrader["schema_version"], half_answer.metadata.nbgrader["locked"]
    half.metadata.nbgrader |= {"points": 100, "locked": False, "solution": True}
    for grade_id in ("of another exercise", "", None, 7, ["double"]):
        mine = nbformat.v4.new_code_cell("mine = 1", metadata={"nbgrader": dict(double.metadata.nbgrader)})
        mine.metadata.nbgrader["grade_id"] = grade_id
        notebook.cells.append(mine)
    notebook.metadata = nbformat.from_dict({})


MISHAPS = {  # student: (what they did to a notebook with good answers, the points that are left)
    "ba": (copies_a_check_above_its_answer, 10),
    "bb": (copies_all_cells, 10),
    "bc": (deletes_what_is_locked, 10),
    "bd": (deletes_an_answer_and_its_check, 6),
    "be": (deletes_everything, 0),
    "bf": (changes_checks, 6),
    "bg": (splits_a_check, 10),
    "bh": (changes_marks, 10),
}
UNREADABLE = {  # student: what they did to the file
    "ca_broke_the_file": lambda path: path.write_text(path.read_text(encoding="utf-8")[:-200], encoding="utf-8"),
    "cb_emptied_the_file": lambda path: path.write_text(""),
    "cc_renamed_the_file": lambda path: path.rename(path.with_name("my answers.ipynb")),
    "cd_handed_in_no_notebook": lambda path: path.write_text('{"cells": 3}'),
}


@pytest.fixture(scope="module")
def probed(build, tmp_path_factory):
    """A small course after the instructors' commands were run on good and hostile work, the good work graded last; and
    what they printed.
    """
    folder = tmp_path_factory.mktemp("probe") / "course"
    probe = nbformat.v4.new_notebook(metadata=read(EXERCISES[0]).metadata)
    for grade_id, (source, marks) in PROBE.items():
        marks = {"grade": False, "solution": False, "locked": False, "task": False} | marks
        marks |= {"schema_version": 3, "grade_id": grade_id}
        probe.cells.append(nbformat.v4.new_code_cell(source, id=grade_id, metadata={"nbgrader": marks}))
    name = EXERCISES[0].stem  # so that the commands can be run to the letter
    notebook = tmp_path_factory.mktemp("written") / f"{name}.ipynb"
    nbformat.write(probe, notebook)
    build.lay_out_course(folder, [notebook])
    allow_seconds(folder, 10)
    generate, *others = COMMANDS
    run(folder, generate)
    for student, (written, _, _) in HOSTILE.items():
        submit(folder, student, name, GOOD | {"double-answer": written})
    for student, (edit, _) in MISHAPS.items():
        submit(folder, student, name, GOOD, edit)
    for student, spoil in UNREADABLE.items():
        spoil(submit(folder, student, name, GOOD))
    submit(folder, "zoe", name, GOOD)
    logs = [run(folder, command, code=1 if " autograde " in command else 0) for command in others]
    return folder, logs[0]


def test_the_instructors_commands_are_the_whole_cycle():
    assert [command.split()[1] for command in COMMANDS] == [
        "generate_assignment",
        "autograde",
        "generate_feedback",
        "export",
    ]


@pytest.mark.nightly
def test_hostile_work_is_graded_and_the_others_too(probed):
    scores = {student: by_name[EXERCISES[0].stem] for student, by_name in grades(probed[0]).items()}
    assert scores.keys() == {*HOSTILE, *MISHAPS, *UNREADABLE, "zoe"}
    assert scores["zoe"] == 10
    for student, (_, least, most) in HOSTILE.items():
        assert least <= scores[student] <= most, (student, scores)
    for student, (edit, points) in MISHAPS.items():
        assert scores[student] == points, (student, edit, scores)


@pytest.mark.nightly
def test_work_that_can_not_be_read_is_named_and_nothing_else_is(probed):
    named = set(re.findall("error processing assignment '.*' for student '(.*)'", probed[1]))
    assert named == UNREADABLE.keys()
    assert not any((probed[0] / "feedback" / student).exists() for student in UNREADABLE)
    for line in ("ba: cell 'double' is there 2 times; one counts", "bc: cell 'half' was missing and is back",
                 "bd: cell 'double-answer' is missing"):  # fmt: skip
        assert line in probed[1]


@pytest.mark.nightly
def test_hostile_work_gets_feedback_that_says_what_happened(probed):
    name = EXERCISES[0].stem
    pages = {student: feedback(probed[0], student, name) for student in (*HOSTILE, "zoe")}
    assert max(len(page) for page in pages.values()) < len(pages["zoe"]) + 200_000
    assert "No reply from kernel" in pages["aa_loops_for_ever"]
    assert "could not be stopped" in pages["ab_loops_and_cannot_be_interrupted"]
    assert "exit() and the like" in pages["ac_exits"] and "exit() and the like" in pages["ad_exits_politely"]
    assert "more than 20,000 characters" in pages["af_prints_megabytes"]
    assert "a_module_that_nobody_has" in pages["ah_raises_on_import"]


# The zips


def test_the_zips_hold_what_their_readers_need(build, course, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(build, "students_versions", lambda folder: sorted(course.glob("release/*/*.ipynb")))
    (tmp_path / "theirs").mkdir()
    for name in ("e00_gone.ipynb", EXERCISES[0].name, "notes.md"):
        (tmp_path / "theirs" / name).write_text("old")
    build.main(tmp_path / "dist", tmp_path / "theirs")
    renewed = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    assert renewed.pop("notes.md") == b"old"
    assert renewed == {exercise.name: released(course, exercise.stem).read_bytes() for exercise in EXERCISES}
    assert str(tmp_path / "dist" / "nlkit-exercises.zip") in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "dist" / "nlkit-exercises.zip") as students:
        names = {f"nlkit-exercises/{exercise.name}" for exercise in EXERCISES}
        assert set(students.namelist()) == names | {"nlkit-exercises/README.md"}
        for exercise in EXERCISES:
            packed = students.read(f"nlkit-exercises/{exercise.name}")
            assert packed == released(course, exercise.stem).read_bytes()
    with zipfile.ZipFile(tmp_path / "dist" / "nlkit-course.zip") as instructors:
        names = {f"nlkit-course/source/{exercise.stem}/{exercise.name}" for exercise in EXERCISES}
        assert set(instructors.namelist()) == names | {"nlkit-course/README.md", "nlkit-course/nbgrader_config.py"}
        assert instructors.read("nlkit-course/nbgrader_config.py") == (FOLDER / "nbgrader_config.py").read_bytes()


def test_students_need_no_nbgrader(course):
    for exercise in EXERCISES:
        assert "import nbgrader" not in released(course, exercise.stem).read_text(encoding="utf-8")
    assert "nbgrader" not in (ROOT / "nlkit" / "exercises.py").read_text(encoding="utf-8")
