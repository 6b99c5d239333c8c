"""Where a result comes from: the day, the versions and the machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

PACKAGES = ("nlkit", "torch", "numpy")


def made_here(packages: Iterable[str] = PACKAGES, **more: object) -> dict[str, object]:
    """What is kept beside a result: "date", "versions" (of the packages and of Python), "processor" and "cores".

    `more` is added to it.
    """
    return {
        "date": datetime.date.today().isoformat(),
        "versions": _versions(tuple(packages)),
        "processor": _processor(),
        "cores": os.cpu_count(),
        **more,
    }


def in_words(made: Iterable[Mapping[str, object]]) -> str:
    """Where results were made, in one line: "2026-11-21, nlkit 0.1.0, torch 2.13.0, …, AMD EPYC, 2 cores".

    Where they differ in this, each place comes with how many of them were made there, the most first.
    """
    places = Counter(_line(place) for place in made if place).most_common()
    return "; ".join(f"{count} of them {line}" if len(places) > 1 else line for line, count in places)


def _line(made: Mapping[str, object]) -> str:
    versions = (f"{name} {version}" for name, version in made["versions"].items())
    device = (made["device"],) if "device" in made else ()
    return ", ".join([made["date"], *versions, made["processor"], f"{made['cores']} cores", *device])


@cache
def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in packages} | {"Python": platform.python_version()}


@cache
def _processor() -> str:
    """The processor's name as Linux has it, or what the system calls it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
