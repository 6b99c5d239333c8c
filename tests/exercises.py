"""What the tests of the exercises share: solved notebooks, other answers to them, and a grader in one process."""

import copy
import functools
import re
import traceback
import types
from pathlib import Path
from typing import NamedTuple

import nbformat

FOLDER = Path(__file__).parent.parent / "instructor"
STUDENTS = FOLDER.parent / "notebooks" / "exercises"
EXERCISES = sorted(FOLDER.glob("*.ipynb"))
HERE = Path(__file__).parent
MARKER = re.compile(r"^ *### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\n?", flags=re.MULTILINE)


def read(notebook: Path):
    return nbformat.read(notebook, as_version=4)


def cells(notebook: Path, kind: str) -> dict:
    """The cells that are a "solution" or a "grade", by grade id."""
    marked = [c for c in read(notebook).cells if c.metadata.get("nbgrader", {}).get(kind)]
    return {c.metadata["nbgrader"]["grade_id"]: c for c in marked}


def answers(notebook: Path) -> dict[str, str]:
    """The reference solution as a student would write it, by grade id."""
    return {grade_id: MARKER.sub("", cell.source) for grade_id, cell in cells(notebook, "solution").items()}


class Wrong(NamedTuple):
    """A wrong answer: what is wrong, whose it is, the checks it must lose, whether by hidden tests alone, its code."""

    slip: str
    answer: str
    lost: set[str]
    when_graded: bool
    code: str


def wrong_answers(notebook: Path) -> list[Wrong]:
    """The wrong answers to an exercise, of its file in `wrong_answers`.

    It is made of `# %% answer: the slip -> check, check`, each followed by code. The visible part of these checks must
    refuse it, unless `when graded` follows: then only the hidden tests do.
    """
    number = notebook.stem.partition("_")[0]
    parts = _parts("wrong_answers", notebook, r"^# %% (.+): (.+) -> (.+?)( when graded)?\n", 5)
    return [
        Wrong(slip, f"{number}-{answer}-answer", {f"{number}-{check}" for check in lost.split(", ")}, bool(late), code)
        for answer, slip, lost, late, code in parts
    ]


def right_answers(notebook: Path) -> list[tuple[str, str, str]]:
    """(style, grade id, code) of right answers in another style: `# %% answer: style`, each followed by code."""
    number = notebook.stem.partition("_")[0]
    parts = _parts("right_answers", notebook, r"^# %% (.+): (.+)\n", 3)
    return [(style, f"{number}-{answer}-answer", code) for answer, style, code in parts]


def _parts(folder: str, notebook: Path, heading: str, size: int) -> list[tuple]:
    text = (HERE / folder / f"{notebook.stem}.py").read_text(encoding="utf-8")
    return list(zip(*[iter(re.split(heading, text, flags=re.MULTILINE)[1:])] * size))


class Said(NamedTuple):
    """What a check said: "" if it is passed, else the error's name and message; and whether a hidden test said it."""

    message: str
    when_graded: bool = False


def grade(notebook: Path, other: dict[str, str]) -> dict[str, Said]:
    """Run a notebook's cells here, with some answers, by grade id, in place of the solved ones: what its checks say.

    As in a kernel, an error ends a cell and not the notebook. Each check runs by itself: what another one defined is
    not there. Left out are cells that are neither locked, nor an answer, nor a check, since they only show; and checks
    that name nothing of the other answers, since they would say what they say of the solved ones.
    """
    given = answers(notebook) | other
    asked = re.findall(r"^def (\w+)", "\n".join(other.values()), flags=re.MULTILINE)
    prepared = _prepared(notebook)
    modules = {id(value): value for value in prepared.values() if isinstance(value, types.ModuleType)}
    names, said = copy.deepcopy(prepared, modules), {}
    for name, value in prepared.items():
        if isinstance(value, types.FunctionType) and value.__globals__ is prepared:  # it is to see the copies
            names[name] = types.FunctionType(value.__code__, names, name, value.__defaults__)
    for cell in read(notebook).cells:
        marked = cell.metadata.get("nbgrader", {"grade": False, "solution": False})
        if marked["solution"]:
            exec(compile(given[marked["grade_id"]], marked["grade_id"], "exec"), names)
        elif marked["grade"] and (not other or any(name in cell.source for name in asked)):
            said[marked["grade_id"]] = _check(cell.source, marked["grade_id"], names)
    return said


def _check(source: str, grade_id: str, names: dict) -> Said:
    alone = {**names}  # an answer's functions see the others' names, and no check's
    try:
        exec(compile(source, grade_id, "exec"), alone)
    except Exception as error:
        cause = error.__cause__ or error  # a check tells of other errors by one of its own
        (line, *_) = [n for frame, n in traceback.walk_tb(cause.__traceback__) if frame.f_code.co_filename == grade_id]
        when_graded = line > source.partition("### BEGIN HIDDEN TESTS")[0].count("\n")
        return Said(f"{type(error).__name__}: {error}", when_graded)
    return Said("")


@functools.cache
def _prepared(notebook: Path) -> dict:
    """The names that a notebook's locked cells define, which hang on no answer: data, trained networks."""
    names = {}
    for cell in read(notebook).cells:
        marked = cell.metadata.get("nbgrader")
        if marked and marked["locked"] and not marked["grade"]:
            exec(cell.source, names)
    del names["__builtins__"]
    return names
