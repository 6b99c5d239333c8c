"""nbgrader's settings for the exercises: the same for `make exercises`, for the tests, and for instructors."""

import tempfile

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat.v4 import new_output
from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, Execute, LimitOutput, SaveAutoGrades
from nbgrader.utils import is_grade, is_locked
from traitlets import default

MOST_OUTPUT = 20_000  # characters that a cell may print; what comes after them is left out
EXITED = "The notebook's Python ended here or in the cell before: exit() and the like stop it."


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
c.Autograde.autograde_preprocessors = [
    ExecuteWhateverComes, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades, AssignLatePenalties,
    CheckCellMetadata,
]  # fmt: skip
c.ExecuteWhateverComes.timeout = 60  # seconds a cell: the exercises' own cells take three at most
c.ClearMetadataPreprocessor.clear_notebook_metadata = False
c.LimitOutput.max_lines = 300
