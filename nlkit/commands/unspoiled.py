"""Notebooks that give nothing away before a reader asks: the one rule for the learner's copy and for the book.

The rule rests on how the notebooks are written. A paragraph that begins with **Predict.** asks; one that begins with
**Explain.**, **Answer.** or **Answers.** tells, and so does all that follows it in its cell, up to the next heading or
the next question.
"""

from __future__ import annotations

import re

QUESTION = re.compile(r"\*\*Predict\.\*\*")
TELLING = re.compile(r"\*\*(Explain|Answers?)\.\*\*\s*")
FENCE = re.compile(r"\s*(```|~~~)")


def folded(source: str) -> str:
    """Markdown with what tells in `<details>`, which JupyterLab, Sphinx and GitHub show as a line to click on."""
    lines: list[str] = []
    inside = fenced = False
    for line in source.splitlines():
        begins = None if fenced else TELLING.match(line)
        fenced ^= bool(FENCE.match(line))
        if inside and not fenced and (begins or line.startswith("#") or QUESTION.match(line)):
            lines += ["</details>", ""]
            inside = False
        if begins:
            # The empty line matters: after it, what is in the fold is Markdown and formulas again.
            lines += [f"<details><summary>{begins[1]}</summary>", ""]
            inside = True
            line = line[begins.end() :]
        lines.append(line)
    return "\n".join([*lines, "", "</details>"] if inside else lines)


def with_folds(notebook: dict) -> dict:
    """A notebook (as JSON) whose text tells only when it is asked; the rest, outputs too, is as it was."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell = cell | {"source": folded("".join(cell["source"])).splitlines(keepends=True)}
        cells.append(cell)
    return notebook | {"cells": cells}


def without_outputs(notebook: dict) -> dict:
    """A notebook (as JSON) as before its first run: no outputs, no execution counts, no times."""
    cells = []
    for cell in notebook["cells"]:
        metadata = {name: value for name, value in cell["metadata"].items() if name != "execution"}
        ran = {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
        cells.append(cell | {"metadata": metadata} | ran)
    return notebook | {"cells": cells}


def with_results_behind_predictions(notebook: dict) -> dict:
    """A notebook (as JSON) in which the outputs between a question and what tells have the tag `hide-output`."""
    cells, asked = [], False
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            asked = asks(cell, asked)
        elif asked and cell["outputs"]:
            tags = [*cell["metadata"].get("tags", []), "hide-output"]
            cell = cell | {"metadata": cell["metadata"] | {"tags": tags}}
        cells.append(cell)
    return notebook | {"cells": cells}


def asks(cell: dict, before: bool) -> bool:
    """Whether a question waits for its answer after a cell of text, given whether one did before it."""
    for line in "".join(cell["source"]).splitlines():
        if QUESTION.match(line):
            before = True
        elif TELLING.match(line):
            before = False
    return before
