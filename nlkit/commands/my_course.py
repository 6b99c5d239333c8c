"""The learner's own folder: the course as nobody has run it yet, made from the kit's, with the learner's work kept.

What was written is remembered in a small file, so that a file that the learner has not touched follows the kit, and one
that the learner has worked in stays, with the kit's new version laid beside it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from nlkit.checks import DataError
from nlkit.commands.unspoiled import with_folds, without_outputs
from nlkit.files import write_whole

MADE = ".made.json"  # in the learner's folder: file -> signature of what the kit has written or offered last
SPOILERS = ("### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS")
KINDS = (".ipynb", ".md")


def bring_up_to_date(kit: Path) -> tuple[Path, list[str]]:
    """Make `my_course/` in the kit's folder from its `notebooks/`, or bring it up to date.

    Returns the folder, and what there is to say: a line for each file of which a new version lies beside the learner's.
    Raises a DataError of one sentence when the folder can't be written; what was there before is then still there.
    """
    folder = kit / "my_course"
    try:
        folder.mkdir(exist_ok=True)
        return folder, _bring_up_to_date(learners_files(kit / "notebooks"), folder)
    except OSError as error:
        raise DataError(
            f"your own folder of the course, {folder}, could not be made or brought up to date "
            f"({error.strerror or error}): make it writable, or copy the kit to a folder of yours and run it there"
        ) from error


def learners_files(notebooks: Path) -> dict[str, bytes]:
    """What a learner gets of a folder: file, below it -> content. Notebooks and text, but none that has solutions."""
    found = {}
    for path in sorted(notebooks.rglob("*")):
        file = path.relative_to(notebooks)
        hidden = any(part.startswith(".") for part in file.parts)
        if path.suffix not in KINDS or hidden or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if not any(spoiler in text for spoiler in SPOILERS):
            found[file.as_posix()] = (learners_copy(text) if path.suffix == ".ipynb" else text).encode()
    return found


def learners_copy(text: str) -> str:
    """The text of a notebook as a learner gets it: not run, with explanations and answers folded."""
    notebook = with_folds(without_outputs(json.loads(text)))
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"  # as Jupyter writes it


def _bring_up_to_date(files: dict[str, bytes], folder: Path) -> list[str]:
    """Write what is new, keep what is the learner's, and remember; returns what there is to say."""
    remembered = _remembered(folder / MADE)
    made, wanted, said = dict(remembered), set(), []
    for file, content in files.items():
        said += _place(file, content, folder, made, wanted)
    for file in made.keys() - wanted:  # what the kit has no more, and versions that need not be offered any longer
        path = folder / file
        if path.is_file() and signature(file, path.read_bytes()) == made[file]:  # the learner has not touched it
            path.unlink()
        del made[file]
    if made != remembered:
        write_whole(folder / MADE, json.dumps(made, indent=1, sort_keys=True) + "\n")
    return said


def _place(file: str, content: bytes, folder: Path, made: dict[str, str], wanted: set[str]) -> list[str]:
    """Bring one file up to date, or lay it beside the learner's own."""
    path, new = folder / file, signature(file, content)
    there = signature(file, path.read_bytes()) if path.exists() else None
    theirs = there is not None and there not in (new, made.get(file))
    offered, made[file] = made.get(file) == new, new
    wanted.add(file)
    if theirs:
        beside = path.with_name(f"{path.stem}.new{path.suffix}").relative_to(folder).as_posix()
        if offered:  # then it is not offered again, be it that it lies there or was thrown away
            wanted.add(beside)
            return []
        said = _place(beside, content, folder, made, wanted)
        return said or [f"{file} stays as you have changed it; the course's new version is beside it, {beside}"]
    if there != new:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    return []


def signature(file: str, content: bytes) -> str:
    """What tells whether somebody has worked in a file.

    Of a notebook the cells count: JupyterLab may write the name of its Python into one that was merely opened.
    """
    if file.endswith(".ipynb"):
        try:
            cells = json.loads(content)["cells"]
            kept = [[c["cell_type"], "".join(c["source"]), c.get("outputs"), c.get("attachments")] for c in cells]
            content = json.dumps(kept, sort_keys=True).encode()
        except (ValueError, KeyError, TypeError):
            pass  # not a notebook any more: all of it counts
    return hashlib.sha256(content).hexdigest()


def _remembered(path: Path) -> dict[str, str]:
    """What was written before; nothing when the file is gone or broken, so that all that differs is the learner's."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
