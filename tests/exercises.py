"""What the tests of the exercises share: solved notebooks, wrong answers to them, and a grader in one process."""

import copy
import functools
import re
import types
from pathlib import Path

import nbformat

FOLDER = Path(__file__).parent.parent / "instructor"
STUDENTS = FOLDER.parent / "notebooks" / "exercises"
EXERCISES = sorted(FOLDER.glob("*.ipynb"))
WRONG = Path(__file__).parent / "wrong_answers"
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


def wrong_answers(notebook: Path) -> list[tuple[str, str, set[str], str]]:
    """(slip, grade id of the answer, grade ids of the checks that it must lose, code) for an exercise.

    The file is made of `# %% answer: the slip -> check, check`, each followed by code.
    """
    number = notebook.stem.partition("_")[0]
    text = (WRONG / f"{notebook.stem}.py").read_text(encoding="utf-8")
    parts = re.split(r"^# %% (.+): (.+) -> (.+)\n", text, flags=re.MULTILINE)[1:]
    return [
        (slip, f"{number}-{answer}-answer", {f"{number}-{check}" for check in lost.split(", ")}, code)
        for answer, slip, lost, code in zip(*[iter(parts)] * 4)
    ]


def grade(notebook: Path, given: dict[str, str]) -> dict[str, str]:
    """Run a notebook's cells here, with answers by grade id in place of the solved ones; gives what its checks say.

    "" is a check that is passed, hidden tests included; a failed one gives its message. As in a kernel, an error ends a
    cell and not the notebook. Cells that are neither locked, nor an answer, nor a check are left out: they only show.
    """
    prepared = _prepared(notebook)
    modules = {id(value): value for value in prepared.values() if isinstance(value, types.ModuleType)}
    names, said = copy.deepcopy(prepared, modules), {}
    for name, value in prepared.items():
        if isinstance(value, types.FunctionType) and value.__globals__ is prepared:  # it is to see the copies
            names[name] = types.FunctionType(value.__code__, names, name, value.__defaults__)
    for cell in read(notebook).cells:
        marked = cell.metadata.get("nbgrader", {"grade": False, "solution": False})
        if marked["solution"]:
            exec(given[marked["grade_id"]], names)
        elif marked["grade"]:
            try:
                exec(cell.source, names)
                said[marked["grade_id"]] = ""
            except Exception as error:
                said[marked["grade_id"]] = f"{type(error).__name__}: {error}"
    return said


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
