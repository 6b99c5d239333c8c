"""Does any test notice? Plants the faults of faults.py, one at a time, in a copy of the kit, and runs tests there.

    python tests/mutations.py             # all of them, about ten minutes
    python tests/mutations.py panel noise # those whose names have one of these words

It prints a Markdown table, and ends with exit code 1 when a fault survives: that fault is a test to be written.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from faults import FAULTS, Fault

ROOT = Path(__file__).parent.parent
HEAD = "| fault | caught by | seconds |\n|---|---|---|"


def copy_of_the_kit(folder: Path) -> Path:
    """A copy in which faults may be planted, without what is hidden, downloaded or built."""
    anywhere = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__")

    def left_out(place: str, names: list[str]) -> set[str]:
        at_the_top = {"data", "build", "my_course"} if Path(place) == ROOT else set()  # nlkit/ has a data/ too
        return anywhere(place, names) | at_the_top & set(names)

    return shutil.copytree(ROOT, folder / "kit", ignore=left_out)


@contextmanager
def planted(fault: Fault, kit: Path):
    """The fault in the copy `kit`, until the block ends. A ValueError unless its text is there exactly once."""
    file = kit / fault.file
    text = file.read_text(encoding="utf-8")
    if (count := text.count(fault.old)) != 1:
        raise ValueError(f"{fault.name}: {fault.file} has the text {fault.old!r} {count} times; it must be there once")
    file.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def failing_test(tests: tuple[str, ...], kit: Path) -> str | None:
    """The name of the first test that fails in the copy, None when all pass. A RuntimeError when they can't run."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-rfE", "--tb=no", "-x", "-p", "no:cacheprovider"]
    if any("::" in test for test in tests):  # one that is named is run, be it a nightly one
        command += ["-m", ""]
    environment = {**os.environ, "PYTHONPATH": str(kit)}
    done = subprocess.run([*command, *tests], cwd=kit, env=environment, capture_output=True, text=True, check=False)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?::\w+)", done.stdout, flags=re.MULTILINE)
    if done.returncode not in (0, 1) or bool(failed) != bool(done.returncode):
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return failed and failed[1]


def check(faults: list[Fault], kit: Path):
    """Yield (fault, the test that caught it, seconds) for each; first see that those tests pass without a fault."""
    if failed := failing_test(tuple(sorted({test for fault in faults for test in fault.tests})), kit):
        raise RuntimeError(f"{failed} fails without any fault")
    for fault in faults:
        began = time.monotonic()
        with planted(fault, kit):
            caught = failing_test(fault.tests, kit)
        yield fault, caught, time.monotonic() - began


def row(fault: Fault, caught: str | None, seconds: float) -> str:
    by = f"`{caught.removeprefix('tests/')}`" if caught else "**nothing**"
    return f"| {fault.name} | {by} | {seconds:.0f} |"


def main(words: list[str]) -> int:
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    survived = 0
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for fault, caught, seconds in check(chosen, copy_of_the_kit(Path(folder))):
            print(row(fault, caught, seconds), flush=True)
            survived += not caught
    print(f"\n{len(chosen) - survived} of {len(chosen)} faults were caught.")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
