"""Make the students' exercises of the solved ones, by nbgrader's own means, and pack both: `make exercises`."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO

from nlkit.files import check_writable, write_whole

HERE = Path(__file__).resolve().parent
STUDENTS = HERE.parent / "notebooks" / "exercises"  # what `nlkit lab` shows: without solutions and hidden tests
EXERCISES = sorted(HERE.glob("e[0-9][0-9]_*.ipynb"))


def lay_out_course(folder: Path, exercises: list[Path] = EXERCISES) -> Path:
    """Make `folder` a course as nbgrader wants it: settings, and one assignment an exercise under `source/`."""
    for exercise in exercises:
        place = folder / "source" / exercise.stem
        place.mkdir(parents=True)
        shutil.copy(exercise, place)
    shutil.copy(HERE / "nbgrader_config.py", folder)
    return folder


def course_api(folder: Path):
    """nbgrader's API on a course, with the course's own settings."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", path=str(folder)).load_config()
    config.CourseDirectory.root = str(folder)
    return NbGraderAPI(CourseDirectory(config=config), config=config, log_level=logging.ERROR)


def succeed(result: dict) -> None:
    """Raise a RuntimeError with nbgrader's log if one of its steps failed."""
    if not result["success"]:
        raise RuntimeError(result.get("error") or result["log"])


def students_versions(folder: Path) -> list[Path]:
    """Generate the students' version of every assignment of a course; gives the notebooks."""
    api = course_api(folder)
    for assignment in sorted(api.get_source_assignments()):
        succeed(api.generate_assignment(assignment))
    return sorted((folder / "release").glob("*/*.ipynb"))


def write_zip(archive: Path, files: dict[str, Path]) -> None:
    """Zip files under their names in it; the same files give the same bytes."""

    def pack(stream: BinaryIO) -> None:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, file in sorted(files.items()):
                entry = zipfile.ZipInfo(f"{archive.stem}/{name}")
                entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
                packed.writestr(entry, file.read_bytes())

    write_whole(archive, pack)


def replace_notebooks(folder: Path, notebooks: list[Path]) -> None:
    """Put notebooks into a folder in place of those that lie there; other files of the folder stay."""
    for old in {file.name for file in folder.glob("*.ipynb")} - {notebook.name for notebook in notebooks}:
        (folder / old).unlink()
    for notebook in notebooks:
        write_whole(folder / notebook.name, notebook.read_bytes())


def main(out: Path, students: Path = STUDENTS) -> None:
    """Renew the students' exercises in their folder, and make both zips in another.

    Raises an OSError or a ValueError, before any work, where they can't be written.
    """
    out.mkdir(exist_ok=True)
    for place in (*(out / name for name in ("nlkit-exercises.zip", "nlkit-course.zip")), students / EXERCISES[0].name):
        check_writable(place)
    with tempfile.TemporaryDirectory() as folder:
        course = lay_out_course(Path(folder))
        released = students_versions(course)
        replace_notebooks(students, released)
        files = {notebook.name: notebook for notebook in released} | {"README.md": STUDENTS / "for_students.md"}
        write_zip(out / "nlkit-exercises.zip", files)
        kept = [*course.glob("source/*/*.ipynb"), course / "nbgrader_config.py"]
        sources = {file.relative_to(course).as_posix(): file for file in kept}
        write_zip(out / "nlkit-course.zip", sources | {"README.md": HERE / "for_instructors.md"})
    print(f"{students}: the students' versions, renewed")
    for name, reader in {"nlkit-exercises.zip": "students", "nlkit-course.zip": "instructors, with solutions"}.items():
        print(f"{out / name}: for {reader}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
    except (OSError, ValueError) as error:
        sys.exit(f"the exercises were not built: {error}")
