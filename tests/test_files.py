"""Files: written whole or not at all, checked before the work, and JSON that is JSON."""

import errno
import json
import math
import os
import stat
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlkit.files import check_writable, to_json, write_whole
from nlkit.settings import plain

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


class Full:
    """A stream on a disk that is full."""

    def write(self, data):
        raise NO_SPACE

    def flush(self):
        pass


def broken(error):
    def content(stream):
        stream.write(b"half of it")
        raise error

    return content


# Writing


@pytest.mark.parametrize("there_before", (False, True))
@pytest.mark.parametrize("content, expected", [
    ("text with a 4 and a ä", "text with a 4 and a ä".encode()),
    (b"\x00\xff", b"\x00\xff"),
    (lambda stream: stream.write(b"from a function"), b"from a function"),
    ("", b""),
])  # fmt: skip
def test_a_file_is_written_whole(tmp_path, there_before, content, expected):
    path = tmp_path / "file"
    if there_before:
        path.write_text("what was there before, and is longer than what comes")
    write_whole(path, content)
    assert path.read_bytes() == expected and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("there_before", (False, True))
@pytest.mark.parametrize("content, raised, said", [
    (broken(NO_SPACE), OSError, "file could not be written: No space left on device"),
    (broken(OSError("no number")), OSError, "file could not be written: no number"),
    (broken(RuntimeError("of the caller")), RuntimeError, "of the caller"),
    (broken(KeyboardInterrupt()), KeyboardInterrupt, None),
    (lambda stream: torch.save({"a": torch.ones(9)}, Full()), OSError, "could not be written: No space left on device"),
])  # fmt: skip
def test_what_goes_wrong_leaves_what_was_there_and_nothing_else(tmp_path, there_before, content, raised, said):
    path = tmp_path / "file"
    if there_before:
        path.write_text("before")
    with pytest.raises(raised, match=said):
        write_whole(path, content)
    assert os.listdir(tmp_path) == ["file"] * there_before
    assert not there_before or path.read_text() == "before"


def test_a_replacement_that_fails_leaves_nothing_half_done(tmp_path, monkeypatch):
    def refuse(*_paths):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("nlkit.files.os.replace", refuse)
    with pytest.raises(OSError, match="could not be written: Permission denied"):
        write_whole(tmp_path / "file", "text")
    assert os.listdir(tmp_path) == []


def test_a_tensor_can_be_saved_through_it(tmp_path):
    state = {"weights": torch.randn(40, 40), "epoch": 3}
    write_whole(tmp_path / "run.pt", lambda stream: torch.save(state, stream))
    again = torch.load(tmp_path / "run.pt", weights_only=True)
    assert torch.equal(again["weights"], state["weights"]) and again["epoch"] == 3


def test_behind_a_link_the_file_is_replaced_and_not_the_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link, file = tmp_path / "link", tmp_path / "elsewhere" / "file"
    file.write_text("before")
    link.symlink_to(file)
    write_whole(link, "after")
    assert link.is_symlink() and file.read_text() == "after" and os.listdir(file.parent) == ["file"]


def test_a_device_is_written_to_and_nothing_takes_its_place():
    before = os.stat(os.devnull)
    write_whole(os.devnull, "text")
    assert check_writable(os.devnull) == Path(os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode) and os.stat(os.devnull).st_ino == before.st_ino
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="/dev/full could not be written: No space left on device"):
            write_whole("/dev/full", "text")


# Checking before the work


def test_a_file_that_can_be_written_is_told_and_nothing_is_left(tmp_path):
    path, old = tmp_path / "new", tmp_path / "old"
    old.write_text("before")
    assert check_writable(path) == path and check_writable(str(old)) == old
    assert os.listdir(tmp_path) == ["old"] and old.read_text() == "before"


def test_a_partial_file_that_another_program_is_writing_stays(tmp_path):
    (tmp_path / "file.partial").write_text("half")
    check_writable(tmp_path / "file")
    assert (tmp_path / "file.partial").read_text() == "half"


@pytest.mark.parametrize("place, said", [
    ("nowhere/file", "plot='.*nowhere/file' is in a folder that does not exist: .*nowhere"),
    ("file/inside", "is in a folder that does not exist"),
    ("folder", "plot='.*folder' is a folder; it must be a file"),
    (".", "is a folder"),
    ("loop/file", "is in a folder that does not exist"),
])  # fmt: skip
def test_a_place_where_no_file_can_be_is_a_value_error(tmp_path, place, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ValueError, match=said):
        check_writable(tmp_path / place, "plot")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "loop"]


@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="needs Linux, where nobody can make a file in /sys")
def test_a_folder_that_may_not_be_written_is_an_os_error():
    with pytest.raises(OSError, match="plot='/sys/file' can't be written: Permission denied"):
        check_writable("/sys/file", "plot")


# JSON

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def nulled(value):
    if isinstance(value, dict):
        return {k: nulled(v) for k, v in value.items()}
    if isinstance(value, list):
        return [nulled(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(VALUES)
def test_json_is_what_json_makes_of_it_with_null_for_what_is_no_number(value):
    text = to_json(value)
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name)) == nulled(value)


@pytest.mark.parametrize("value, expected", [
    (np.int64(3), 3), (np.uint8(255), 255), (np.float64(0.1), 0.1), (np.float32(0.4), 0.4), (np.float16(0.1), 0.1),
    (np.True_, True), (np.array([[1, 2]]), [[1, 2]]), (torch.tensor(2.5), 2.5), (torch.eye(1), [[1.0]]),
    ((1, (2,)), [1, [2]]), ({"a": np.arange(2)}, {"a": [0, 1]}), ({7: 1}, {"7": 1}), (Fraction(1, 4), 0.25),
    (10**400, 10**400),
])  # fmt: skip
def test_numbers_of_other_libraries_become_plain(value, expected):
    found = plain(value)
    assert found == expected and type(found) is type(expected)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_short_float_is_the_number_that_it_prints_as(value):
    assert plain(np.float32(value)) == float(str(np.float32(value))) and np.float32(plain(np.float32(value))) == value


@pytest.mark.parametrize("value", (object(), {1, 2}, b"bytes", 1j, [object()]), ids=lambda value: type(value).__name__)
def test_what_json_has_nothing_for_is_a_value_error(value):
    with pytest.raises(ValueError, match="can't be kept"):
        plain(value)
