"""Examples in docstrings print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "nlkit"
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # one of them makes a folder
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed
