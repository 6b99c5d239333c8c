"""One style for every file, notebooks included."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=lambda c: c[0])
def test_ruff_finds_nothing(check):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *check, "--no-cache", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_no_module_is_longer_than_one_sits_down_to_read():
    lengths = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in (ROOT / "nlkit").rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 250} == {}
