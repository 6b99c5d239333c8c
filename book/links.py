"""Let a notebook open elsewhere: links to Colab and Binder below its title, a first cell that installs the kit there.

    python book/links.py                            # all notebooks of course and atlas
    python book/links.py notebooks/06_….ipynb       # some

Where the repository lives is said in one place, `Repository` in pyproject.toml; run this again when that changes. It
may be run any number of times. Where the kit is installed the new cell does nothing, so nothing is run for it: the
numbers of the cells behind it, which it shifts, are shifted here.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
CELL_ID = "install-where-missing"


def repository() -> str:
    """Where the kit is published, as pyproject.toml has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"].removesuffix("/")


def links(name: str) -> str:
    """One line of Markdown that opens a notebook on Colab and on Binder; name: its path below `notebooks/`."""
    place = repository().removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{place}/blob/main/notebooks/{name}"
    binder = f"https://mybinder.org/v2/gh/{place}/main?urlpath=lab/tree/notebooks/{name}"
    return f"[Open in Colab]({colab}) · [Open on Binder]({binder})"


def install() -> str:
    """The first cell: it installs the kit where it is missing, and does nothing where it is there."""
    return (
        "import importlib.util\n\n"
        'if importlib.util.find_spec("nlkit") is None:  # on Colab, for example\n'
        f'    %pip install --quiet "nlkit @ git+{repository()}"'
    )


def open_elsewhere(notebook: nbformat.NotebookNode, name: str) -> None:
    """Put the line and the cell in, or bring them up to date."""
    first, *rest = notebook.cells
    title, _, text = first.source.partition("\n")
    text = re.sub(r"^\n?\[Open in Colab\].*\n", "", text)
    first.source = f"{title}\n\n{links(name)}\n\n{text.lstrip()}"
    if rest[0].id == CELL_ID:
        rest[0].source = install()
        return
    cell = nbformat.v4.new_code_cell(install(), id=CELL_ID, execution_count=1, metadata={"tags": ["remove-cell"]})
    for other in rest:
        if other.cell_type == "code" and other.execution_count:
            other.execution_count += 1
            for output in other.outputs:
                if "execution_count" in output:
                    output.execution_count += 1
    notebook.cells = [first, cell, *rest]


if __name__ == "__main__":
    folder = ROOT / "notebooks"
    all_of_them = [*sorted(folder.glob("*.ipynb")), *sorted((folder / "atlas").glob("*.ipynb"))]
    for path in [Path(a).resolve() for a in sys.argv[1:]] or all_of_them:
        book = nbformat.read(path, as_version=4)
        open_elsewhere(book, path.relative_to(folder).as_posix())
        nbformat.write(book, path)
