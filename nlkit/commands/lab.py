"""Opening the course in JupyterLab, or its panels without code in Voilà."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from nlkit.checks import DataError
from nlkit.commands.my_course import bring_up_to_date
from nlkit.files import kit_folder

ROOM = 30  # people
TAB = 0.6  # GB: the most that the kernel of live/app.ipynb held at a time (measured: 556,260 kB)


def learners_folder() -> tuple[Path, list[str]]:
    """The learner's folder of the course, made or brought up to date, and what there is to say about it."""
    kit = kit_folder() or Path.cwd()
    if not (kit / "notebooks").is_dir():
        raise DataError(
            f"the course was not found: looked in {kit / 'notebooks'}. Run `nlkit lab` in a checkout of the kit, which "
            "has the notebooks; the Python package alone does not carry them."
        )
    return bring_up_to_date(kit)


def lab_command(options: tuple[str, ...], folder: Path) -> list[str]:
    """The command that opens JupyterLab in a folder of notebooks: on loopback, with a token.

    JupyterLab takes the next free port when 8888 is taken, and prints the address with its token.
    """
    _check_installed("jupyterlab", "JupyterLab")
    # In a container people are often root, for whom JupyterLab refuses to start. It is on loopback, with a token.
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--ServerApp.root_dir={folder}"]
    return [*command, *as_root, *options]


def lab_environment() -> dict[str, str]:
    """The environment for JupyterLab, Voilà and their kernels: as it is, with the pop-up that asks about news turned
    off, and a page for Voilà that needs no internet.

    OMP_WAIT_POLICY, which `import nlkit` has set, comes along, and so reaches notebooks that import torch first.
    """
    here = Path(__file__).resolve().parent.parent
    ours = {"JUPYTER_CONFIG_PATH": here / "jupyter_config", "JUPYTER_PATH": here / "live"}
    paths = {name: os.pathsep.join(filter(None, (str(path), os.environ.get(name)))) for name, path in ours.items()}
    return os.environ | paths


def app_command(options: tuple[str, ...] = ()) -> list[str]:
    """The command that serves the panels through Voilà, each visitor with a kernel of their own.

    It is open to this machine only, unless an option says otherwise: `--Voila.ip=0.0.0.0` lets a whole room in. Voilà
    takes port 8866, or the next one that is free, prints the address, and opens it in the browser.
    """
    _check_installed("voila", "Voilà")
    notebook = Path(__file__).resolve().parent.parent / "live" / "app.ipynb"
    # JupyterLab's other extensions, such as nbgrader's, look for a JupyterLab that Voilà isn't, and fail.
    extensions = ("@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8")
    only = [f"--VoilaConfiguration.extension_allowlist={name}" for name in extensions]
    here = [] if any(o.startswith("--Voila.ip") for o in options) else ["--Voila.ip=127.0.0.1"]
    return [sys.executable, "-m", "voila", str(notebook), *here, "--template=nlkit", *only, *options]


def cost_of_a_room(options: tuple[str, ...]) -> str:
    """What to say before the panels are opened to more than this machine; empty when they are not."""
    addresses = [option.partition("=")[2] for option in options if option.startswith("--Voila.ip")]
    if not addresses or addresses[-1] in ("127.0.0.1", "localhost", "::1"):
        return ""
    said = f"Each browser tab that opens the panels runs a kernel of its own here, of up to {TAB} GB: {ROOM} tabs take "
    said += f"{ROOM * TAB:.0f} GB"
    memory = _memory()
    return f"{said}; this machine has {memory:.0f} GB." if memory else f"{said}."


def _memory() -> float | None:
    """The machine's memory in GB, where the system tells it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def run_until_closed(command: list[str]) -> int:
    """Run JupyterLab or Voilà until it is closed, and return its exit code."""
    try:
        return subprocess.run(command, env=lab_environment(), check=False).returncode
    except KeyboardInterrupt:  # Ctrl-C reaches it too, and it shuts down by itself
        return 0


def _check_installed(module: str, name: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise DataError(f"{name} is not installed; add it with: python -m pip install 'nlkit[lab]'")
