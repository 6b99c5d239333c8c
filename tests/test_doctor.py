"""`nlkit doctor`: what it finds is what is there, and what is missing comes with the command that adds it."""

import importlib.metadata
import os
import re
import shutil
import sys

import pytest
import torch

from nlkit import DataError, load
from nlkit.commands import main as cli
from nlkit.commands.doctor import examine, find_chromium
from nlkit.data.load import find_dataset
from nlkit.noise.human import human_labels

NEEDED = ["torch", "torchvision", "higher", "numpy", "mlxtend", "pandas", "matplotlib", "click", "tqdm"]


@pytest.fixture(scope="module")
def report():
    return examine()[0]


def line(report: str, what: str) -> str:
    (found,) = [line for line in report.splitlines() if re.match(rf"  (ok|--)  {re.escape(what)}  ", line)]
    return found


def without(monkeypatch, *missing: str) -> None:
    """Make the metadata say that packages are not installed."""
    version = importlib.metadata.version

    def lookup(package: str) -> str:
        if package in missing:
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", lookup)


def test_every_needed_package_is_listed_with_its_version(report):
    assert report.startswith(f"nlkit {importlib.metadata.version('nlkit')}, Python {sys.version.split()[0]}, ")
    for package in NEEDED:
        assert line(report, package).split() == ["ok", package, importlib.metadata.version(package)]


def test_device_and_threads_are_those_of_torch(report):
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert line(report, "device").split()[2] == device
    assert f"{torch.get_num_threads()} of {os.cpu_count()} processors" in line(report, "threads")


def test_a_real_training_step_was_tried(report):
    assert line(report, "one training step").endswith("works")
    assert report.endswith("The kit can run here.")


def test_data_sets_are_shown_where_they_are_or_with_the_command_that_fetches_them(data_folders):
    named, own = data_folders
    (own / "cifar-10-batches-py").mkdir()
    (own / "cifar-10-batches-py/data_batch_1").touch()
    report, can_run = examine()
    assert can_run
    assert line(report, "mnist5k").startswith("  ok")
    assert line(report, "cifar10").startswith("  ok") and line(report, "cifar10").endswith(str(own))
    for name in ("mnist", "fashion_mnist"):
        assert line(report, name).startswith("  --") and line(report, name).endswith(f"nlkit data {name}")
    assert f"looked in: {named}, {own}" in report


def test_the_exit_code_is_0_when_the_kit_can_run(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor"])
    assert not end.value.code
    assert "The kit can run here." in capsys.readouterr().out


def test_a_needed_package_that_is_missing_is_named_with_its_cure_and_the_exit_code_is_1(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "higher", None)  # so that importing it fails
    without(monkeypatch, "higher")
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor"])
    assert end.value.code == 1
    report = capsys.readouterr().out
    assert line(report, "higher").startswith("  --  higher") and "not installed" in line(report, "higher")
    end = report.partition("The kit can't run here:")[2]
    assert "higher" in end and "python -m pip install -c constraints.txt higher" in end


def test_a_package_that_is_installed_but_broken_is_named_with_its_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    report, can_run = examine()
    assert not can_run
    assert line(report, "pandas").startswith("  --") and "ModuleNotFoundError" in line(report, "pandas")


def test_a_training_step_that_fails_is_reported_and_not_raised(monkeypatch):
    def fail(*_arguments, **_options):
        raise RuntimeError("the optimizer is broken")

    monkeypatch.setattr("nlkit.training.classification.train", fail)
    report, can_run = examine()
    assert not can_run
    assert "RuntimeError: the optimizer is broken" in line(report, "one training step")


def test_optional_parts_that_are_missing_come_with_the_command_and_the_kit_still_runs(monkeypatch):
    without(monkeypatch, "jupyterlab", "nbval", "hypothesis")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    report, can_run = examine()
    assert can_run
    assert line(report, "the notebooks [lab]").endswith("missing: jupyterlab")
    assert "python -m pip install -c constraints.txt -e '.[lab]'" in report
    assert line(report, "the tests [test]").endswith("missing: nbval, hypothesis")
    assert "python -m pip install -c constraints.txt -e '.[test]'" in report
    assert "apt install chromium" in report


def test_a_chromium_is_found_by_any_of_its_names(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "google-chrome" else None)
    assert find_chromium() == "/bin/google-chrome"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert find_chromium() is None


# Folders of data in which nothing can be found


def made_loop(folder):
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def made_file(folder):
    (folder / "file").write_text("mine")
    return folder / "file"


def made_unreadable(folder):
    (folder / "closed").mkdir(mode=0o000)
    return folder / "closed"


BAD_FOLDERS = {  # what NLKIT_DATA is, and what is said of it
    "a loop of links": (made_loop, "loop (not a folder)"),
    "within a loop of links": (lambda folder: made_loop(folder) / "data", "data (not there)"),
    "nobody's home": (lambda _: "~nosuchuser", "~nosuchuser (not there)"),
    "in nobody's home": (lambda _: "~nosuchuser/data", "~nosuchuser/data (not there)"),
    "a file": (made_file, "file (not a folder)"),
    "within a file": (lambda folder: made_file(folder) / "data", "data (not there)"),
    "not there": (lambda folder: folder / "nowhere", "nowhere (not there)"),
    "too long a name": (lambda folder: folder / ("x" * 300), "x (not there)"),
    "of no text": (lambda _: "", None),
    "unreadable": (made_unreadable, "closed (it may not be read)"),
}


@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_a_bad_folder_for_data_is_told_and_stops_nothing(data_folders, tmp_path, monkeypatch, kind):
    make, said = BAD_FOLDERS[kind]
    named = str(make(tmp_path))
    monkeypatch.setenv("NLKIT_DATA", named)
    monkeypatch.setattr("nlkit.commands.doctor._first_step_error", lambda: None)  # it takes seconds
    if kind == "unreadable":  # root may read everything
        may = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("closed") and may(path, mode))
    report, can_run = examine()
    assert can_run
    (looked,) = [line for line in report.splitlines() if "looked in: " in line]
    assert said is None or said in looked
    assert line(report, "mnist").startswith("  --")
    with pytest.raises(DataError, match="mnist was not found"):
        load("mnist")
    with pytest.raises(DataError, match="CIFAR-10N"):
        human_labels("worst")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_no_error(data_folders, tmp_path, monkeypatch):
    monkeypatch.setenv("NLKIT_DATA", str(made_unreadable(tmp_path)))
    assert find_dataset("mnist") is None
