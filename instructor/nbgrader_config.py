"""nbgrader's settings for the exercises: the same for `make exercises`, for the tests, and for instructors."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    Execute,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from nbgrader.utils import is_grade, is_locked
from traitlets import default

MOST_OUTPUT = 20_000  # characters that a cell may print; what comes after them is left out
EXITED = "The notebook's Python ended here or in the cell before: exit() and the like stop it."

# nbgrader makes its database by a command on PATH, where an environment that is not activated is not.
if (commands := str(Path(sys.executable).parent)) not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join(filter(None, (commands, os.environ.get("PATH"))))


class PutCellsRight(NbGraderPreprocessor):
    """Gives every cell of a submission the marks that it has in the exercise, whatever became of them.

    A cell that was copied with its marks counts once, where the exercise has it: the first copy after the cell that
    stands before it. A check, or another locked cell, that was deleted comes back at its place. Marks of cells that the
    exercise does not have are removed. Any of these would stop nbgrader, and with it the grading of everyone else.
    """

    def preprocess(self, nb, resources):
        course = resources["nbgrader"]
        with Gradebook(course["db_url"]) as gradebook:
            exercise = gradebook.find_notebook(course["notebook"], course["assignment"])
            points = {cell.name: cell.max_score for cell in exercise.grade_cells}
            answers = {cell.name for cell in exercise.solution_cells}
            wanted = [cell.to_dict() for cell in exercise.source_cells]
        copies = {}
        for cell in nb.cells:
            marks = cell.metadata.pop("nbgrader", {})
            name = marks.get("grade_id") if isinstance(marks, Mapping) else None
            copies.setdefault(name if isinstance(name, str) else None, []).append(cell)
        last = -1
        for source in wanted:
            name, places = source["name"], [self._place(nb, cell) for cell in copies.get(source["name"], [])]
            if len(places) > 1:
                self.log.warning("%s: cell '%s' is there %d times; one counts", course["student"], name, len(places))
            if not places and not source["locked"]:
                self.log.warning("%s: cell '%s' is missing, an answer", course["student"], name)
                continue
            if not places:
                self.log.warning("%s: cell '%s' was missing and is back", course["student"], name)
                new = {"code": new_code_cell, "markdown": new_markdown_cell}[source["cell_type"]]
                nb.cells.insert(last + 1, new(source["source"]))
                places = [last + 1]
            last = next((place for place in places if place > last), places[-1])
            marks = {key: source[key] for key in ("cell_type", "checksum", "locked")}
            marks |= {"grade_id": name, "grade": name in points, "solution": name in answers, "task": False}
            nb.cells[last].metadata["nbgrader"] = marks | {"schema_version": 3}
            if name in points:
                nb.cells[last].metadata["nbgrader"]["points"] = points[name]
        return nb, resources

    @staticmethod
    def _place(nb, cell):
        return next(place for place, other in enumerate(nb.cells) if other is cell)


class ExecuteWhateverComes(Execute):
    """Runs a submission to its end, whatever it does, so that the next one is graded too.

    It works in an empty folder of its own, which is then thrown away. Where its kernel dies, can't be interrupted or is
    told to leave by `exit()`, that cell or the next one and those after it get an error in place of a result, and so no
    points; what ran before keeps its points.
    The exercise's own cells may take ten times as long as others: on a busy machine, `import torch` alone is slow.
    """

    @default("timeout_func")
    def _seconds(self):
        return lambda cell: self.timeout * (10 if is_locked(cell) and not is_grade(cell) else 1)

    def on_cell_executed(self, **kwargs):
        super().on_cell_executed(**kwargs)
        # `exit()` ends the kernel a moment later: without this, a quick grader would still run some cells.
        if any(payload["source"] == "ask_exit" for payload in kwargs["execute_reply"]["content"].get("payload", [])):
            self.ended = EXITED

    def preprocess(self, nb, resources=None, km=None):
        self.ended, self.printed = "", 0
        place = resources["metadata"]["path"]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            resources["metadata"]["path"] = folder
            try:
                return super().preprocess(nb, resources, km)
            finally:
                resources["metadata"]["path"] = place

    def preprocess_cell(self, cell, resources, index):
        self.printed = 0
        if not self.ended:
            try:
                return super().preprocess_cell(cell, resources, index)
            except DeadKernelError:
                self.ended = EXITED
            except CellTimeoutError:
                self.ended = f"This cell went on for longer than {self.timeout} seconds and could not be stopped."
        elif cell.cell_type == "code":
            cell.outputs = []
        if cell.cell_type == "code":
            cell.outputs.append(new_output("error", ename="NotRun", evalue=self.ended, traceback=[self.ended]))
            self.ended = "Not run, because an earlier cell ended the notebook's Python."
        return cell, resources

    def output(self, outs, msg, display_id, cell_index):
        if msg["msg_type"] == "stream":
            text = msg["content"]["text"]
            if self.printed > MOST_OUTPUT:
                return None
            self.printed += len(text)
            if self.printed > MOST_OUTPUT:
                msg["content"]["text"] = f"{text[:MOST_OUTPUT]}\n… (more than {MOST_OUTPUT:,} characters: left out)\n"
        return super().output(outs, msg, display_id, cell_index)


c = get_config()  # noqa: F821  (nbgrader defines it)
c.CourseDirectory.course_id = "nlkit"
c.ClearSolutions.code_stub = {
    "python": "# Write your answer here, and remove the next line.\n"
    'raise NotImplementedError("Nothing is written here yet: this is where your answer goes.")'
}
c.Autograde.sanitize_preprocessors = [
    ClearOutput, OverwriteKernelspec, PutCellsRight, OverwriteCells, CheckCellMetadata,
]  # fmt: skip
c.Autograde.autograde_preprocessors = [
    ExecuteWhateverComes, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades, AssignLatePenalties,
    CheckCellMetadata,
]  # fmt: skip
c.ExecuteWhateverComes.timeout = 60  # seconds a cell: the exercises' own cells take three at most
c.ClearMetadataPreprocessor.clear_notebook_metadata = False
c.LimitOutput.max_lines = 300
