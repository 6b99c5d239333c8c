"""The learner's own folder: the course without results, kept up to date, and nothing of the learner's ever lost."""

import json
import os
import stat
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from nlkit import DataError
from nlkit.commands.my_course import MADE, bring_up_to_date, learners_files
from nlkit.commands.unspoiled import TELLING

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def write(path: Path, *sources: str) -> None:
    """A notebook as it is kept: text, then cells that were run, each of which printed something."""
    cells = [new_markdown_cell(sources[0], id="text")]
    for place, source in enumerate(sources[1:], start=1):
        output = new_output("stream", text="a result")
        cells.append(new_code_cell(source, id=f"code-{place}", execution_count=place, outputs=[output]))
        cells[-1].metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)


def work_in(path: Path, source: str = "my_answer = 42") -> bytes:
    """What a learner does: add a line, run it, save. Returns the file's bytes."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source += f"\n{source}"
    notebook.cells[-1].outputs = [new_output("stream", text="mine")]
    nbformat.write(notebook, path)
    return path.read_bytes()


@pytest.fixture
def kit(tmp_path):
    write(tmp_path / "notebooks" / "01.ipynb", "# One", "1 + 1")
    write(tmp_path / "notebooks" / "exercises" / "e01.ipynb", "# An exercise", "...")
    (tmp_path / "notebooks" / "exercises" / "for_students.md").write_text("See [one](../01.ipynb).\n")
    (tmp_path / "notebooks" / "exercises" / "build.py").write_text("1 / 0\n")
    write(tmp_path / "notebooks" / ".ipynb_checkpoints" / "01-checkpoint.ipynb", "# Old", "1")
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MADE}


# Of the kit's own notebooks


def test_no_notebook_of_the_course_shows_a_result_or_an_answer_and_each_cell_is_there():
    served = learners_files(NOTEBOOKS)
    of_course_and_atlas = {p.relative_to(NOTEBOOKS).as_posix() for p in NOTEBOOKS.rglob("*.ipynb")} - {
        p.relative_to(NOTEBOOKS).as_posix() for p in (NOTEBOOKS / "exercises").rglob("*")
    }
    assert of_course_and_atlas <= served.keys()
    for file, content in served.items():
        assert b"### BEGIN SOLUTION" not in content and b"### BEGIN HIDDEN TESTS" not in content, file
        if not file.endswith(".ipynb"):
            continue
        copy, kept = (nbformat.reads(text, as_version=4) for text in (content.decode(), (NOTEBOOKS / file).read_text()))
        nbformat.validate(copy)
        assert [(c.id, c.cell_type) for c in copy.cells] == [(c.id, c.cell_type) for c in kept.cells]
        for cell, original in zip(copy.cells, kept.cells):
            assert "execution" not in cell.metadata and cell.get("execution_count") is None and not cell.get("outputs")
            if cell.cell_type == "code":
                assert cell.source == original.source
            else:
                assert not [line for line in cell.source.splitlines() if TELLING.match(line)], (file, cell.id)


# Of any notebooks


def test_the_folder_is_made_with_exercises_and_without_programs(kit):
    folder, said = bring_up_to_date(kit)
    assert folder == kit / "my_course" and not said
    assert names(folder) == {"01.ipynb", "exercises/e01.ipynb", "exercises/for_students.md"}
    assert (folder / "exercises" / "for_students.md").read_text() == "See [one](../01.ipynb).\n"
    assert (folder / "exercises" / ".." / "01.ipynb").is_file()  # so that link leads somewhere


@pytest.mark.parametrize("spoiler", ["### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS"])
def test_what_has_solutions_is_not_served(kit, spoiler):
    write(kit / "notebooks" / "exercises" / "e02.ipynb", "# Solved", f"{spoiler}\nanswer = 42")
    assert "exercises/e02.ipynb" not in names(bring_up_to_date(kit)[0])


def test_what_the_learner_changed_stays_and_the_new_version_lies_beside_it(kit):
    folder, _ = bring_up_to_date(kit)
    mine = work_in(folder / "01.ipynb")
    assert bring_up_to_date(kit)[1] == [] and (folder / "01.ipynb").read_bytes() == mine
    for version, lines in (("# Two", 1), ("# Three", 1), ("# Three", 0)):
        write(kit / "notebooks" / "01.ipynb", version, "1 + 1")
        _, said = bring_up_to_date(kit)
        assert (folder / "01.ipynb").read_bytes() == mine
        assert nbformat.read(folder / "01.new.ipynb", as_version=4).cells[0].source == version
        assert len(said) == lines and all("01.ipynb" in line and "01.new.ipynb" in line for line in said)
    (folder / "01.new.ipynb").unlink()
    assert bring_up_to_date(kit)[1] == [] and not (folder / "01.new.ipynb").exists()  # an offer is made once
    also_mine = work_in(folder / "exercises" / "e01.ipynb")
    (folder / "01.ipynb").unlink()  # how one begins anew
    bring_up_to_date(kit)
    assert nbformat.read(folder / "01.ipynb", as_version=4).cells[0].source == "# Three"
    assert (folder / "exercises" / "e01.ipynb").read_bytes() == also_mine


def test_work_in_a_new_version_is_kept_too_and_an_accepted_one_is_no_longer_offered(kit):
    folder, _ = bring_up_to_date(kit)
    mine = work_in(folder / "01.ipynb")
    write(kit / "notebooks" / "01.ipynb", "# Two", "1 + 1")
    bring_up_to_date(kit)
    also_mine = work_in(folder / "01.new.ipynb")
    write(kit / "notebooks" / "01.ipynb", "# Three", "1 + 1")
    _, said = bring_up_to_date(kit)
    assert len(said) == 1 and "01.new.new.ipynb" in said[0]
    assert (folder / "01.ipynb").read_bytes() == mine and (folder / "01.new.ipynb").read_bytes() == also_mine
    os.replace(folder / "01.new.new.ipynb", folder / "01.ipynb")
    bring_up_to_date(kit)
    assert names(folder) >= {"01.ipynb", "01.new.ipynb"} and "01.new.new.ipynb" not in names(folder)
    assert (folder / "01.new.ipynb").read_bytes() == also_mine


def test_what_the_learner_has_not_touched_follows_the_kit(kit):
    folder, _ = bring_up_to_date(kit)
    opened = json.loads((folder / "01.ipynb").read_text())
    opened["metadata"]["language_info"] = {"name": "python", "version": "3.12.1"}  # JupyterLab on opening it
    (folder / "01.ipynb").write_text(json.dumps(opened))
    write(kit / "notebooks" / "01.ipynb", "# Two", "1 + 1", "2 + 2")
    os.rename(kit / "notebooks" / "exercises" / "e01.ipynb", kit / "notebooks" / "exercises" / "e02.ipynb")
    assert bring_up_to_date(kit)[1] == []
    assert [c.source for c in nbformat.read(folder / "01.ipynb", as_version=4).cells] == ["# Two", "1 + 1", "2 + 2"]
    assert names(folder) == {"01.ipynb", "exercises/e02.ipynb", "exercises/for_students.md"}


def test_what_the_learner_changed_stays_when_the_kit_has_it_no_more(kit):
    folder, _ = bring_up_to_date(kit)
    mine = work_in(folder / "01.ipynb")
    (kit / "notebooks" / "01.ipynb").unlink()
    for _again in range(2):
        bring_up_to_date(kit)
        assert (folder / "01.ipynb").read_bytes() == mine


def test_a_file_that_was_there_before_is_the_learner_s(kit):
    (kit / "my_course").mkdir()
    (kit / "my_course" / "01.ipynb").write_text("{not a notebook")
    folder, said = bring_up_to_date(kit)
    assert (folder / "01.ipynb").read_text() == "{not a notebook" and "01.new.ipynb" in said[0]


@pytest.mark.parametrize("after", range(4))
def test_broken_off_at_any_file_it_loses_nothing_and_goes_on(kit, monkeypatch, after):
    folder, _ = bring_up_to_date(kit)
    mine = work_in(folder / "01.ipynb")
    for name in ("01.ipynb", "exercises/e01.ipynb"):
        write(kit / "notebooks" / name, "# New", "3 + 3")
    from nlkit.commands import my_course

    left = iter(range(after))

    def write_some(path, content):
        if next(left, None) is None:
            raise KeyboardInterrupt
        whole(path, content)

    whole = my_course.write_whole
    with monkeypatch.context() as patch:
        patch.setattr(my_course, "write_whole", write_some)
        if after < 3:
            with pytest.raises(KeyboardInterrupt):
                bring_up_to_date(kit)
    bring_up_to_date(kit)
    assert (folder / "01.ipynb").read_bytes() == mine
    for name in ("01.new.ipynb", "exercises/e01.ipynb"):
        assert nbformat.read(folder / name, as_version=4).cells[0].source == "# New"
    assert names(folder) == {"01.ipynb", "01.new.ipynb", "exercises/e01.ipynb", "exercises/for_students.md"}


@pytest.mark.parametrize("broken", ["", "[1]", "{"])
def test_without_its_memory_it_takes_what_differs_for_the_learner_s(kit, broken):
    folder, _ = bring_up_to_date(kit)
    mine = work_in(folder / "01.ipynb")
    (folder / MADE).write_text(broken)
    bring_up_to_date(kit)
    assert (folder / "01.ipynb").read_bytes() == mine and json.loads((folder / MADE).read_text())


def test_a_folder_that_can_t_be_written_is_one_sentence(kit, monkeypatch):
    (kit / "my_course").write_text("a file")
    with pytest.raises(DataError, match=r"your own folder of the course, .*my_course, .*File exists.*copy the kit"):
        bring_up_to_date(kit)
    (kit / "my_course").unlink()
    folder, _ = bring_up_to_date(kit)
    write(kit / "notebooks" / "01.ipynb", "# Two", "1 + 1")
    (folder / "01.ipynb").chmod(stat.S_IREAD)

    def refuse(path, content):
        raise OSError(f"{path} could not be written: No space left on device")

    monkeypatch.setattr("nlkit.commands.my_course.write_whole", refuse)
    before = (folder / "01.ipynb").read_bytes()
    with pytest.raises(DataError, match="No space left") as told:
        bring_up_to_date(kit)
    assert "\n" not in str(told.value) and (folder / "01.ipynb").read_bytes() == before
