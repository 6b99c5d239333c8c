"""One version of everything: the files that say what is installed agree, and imports go one way."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nlkit

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
(PIP,) = [entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict)]


def pins(lines) -> dict[str, str]:
    """Package -> version, of lines that all read package==version."""
    pairs = [line.split("==") for line in lines]
    return {canonicalize_name(name): version for name, version in pairs}


def direct(*groups: str) -> dict[str, Requirement]:
    """Package -> requirement, of the core ("") or of extras of pyproject.toml."""
    lines = [line for g in groups for line in (PROJECT["optional-dependencies"][g] if g else PROJECT["dependencies"])]
    required = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r for r in required if r.name != PROJECT["name"]}


CONSTRAINTS = pins(
    line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
)
ENVIRONMENT_PINS = pins(line for line in PIP if line != "-e .")


# Versions


def test_every_direct_dependency_is_pinned_at_a_version_that_its_range_admits():
    required = direct("", *PROJECT["optional-dependencies"])
    assert {"torch", "jupyterlab", "pytest"} <= required.keys()
    for name, requirement in required.items():
        assert CONSTRAINTS[name] in requirement.specifier, name


def test_the_environment_has_what_the_course_needs_at_the_pinned_versions():
    assert ENVIRONMENT_PINS.keys() == direct("", "lab", "audit").keys() | {"nbval"}
    assert ENVIRONMENT_PINS.items() <= CONSTRAINTS.items()
    assert "-e ." in PIP


def test_the_environment_is_named_and_has_the_python_of_the_pins():
    assert ENVIRONMENT["name"] == "nlkit"
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]
    (python,) = [e for e in ENVIRONMENT["dependencies"] if isinstance(e, str) and e.startswith("python")]
    version = python.partition("=")[2]
    assert version in Requirement(f"python{PROJECT['requires-python']}").specifier
    assert f"Python {version}." in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[0]


def test_what_runs_before_a_commit_and_elsewhere_has_the_pinned_versions():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    asked = [pin for repository in hooks for hook in repository["hooks"] for pin in hook["additional_dependencies"]]
    assert asked == [f"ruff=={CONSTRAINTS['ruff']}"] * 2
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-c constraints.txt" in re.search(r"^PIP := (.*)", makefile, flags=re.MULTILINE)[1]
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    told = yaml.safe_load(workflow)
    jobs, run_by = told["jobs"], set()
    for job in jobs.values():
        targets = job.get("strategy", {}).get("matrix", {}).get("target", [])
        for step in job["steps"]:
            if "run" in step:  # make alone, which installs what is pinned
                (target,) = re.fullmatch(r"make (\w+|\$\{\{ matrix\.target \}\})", step["run"]).groups()
                run_by |= set(targets) if target.startswith("$") else {target}
    assert run_by == {"check", "test", "nightly"}
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in run_by)
    pythons = {step["with"]["python-version"] for job in jobs.values() for step in job["steps"] if "with" in step}
    assert [f"Python {python}." in (ROOT / "constraints.txt").read_text().splitlines()[0] for python in pythons] == [1]
    assert "secrets" not in workflow and told["permissions"] == {"contents": "read"}
    assert {"push", "pull_request", "schedule"} <= told[True].keys()  # YAML takes "on" for a flag


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == PROJECT["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.search(r"^## (\S+) \(?([\d-]+)", changelog, flags=re.MULTILINE).groups()
    assert version == PROJECT["version"]
    assert date == str(citation["date-released"])


# The package


def test_every_folder_with_code_is_in_the_package():
    folders = {p.parent.relative_to(ROOT).as_posix().replace("/", ".") for p in (ROOT / "nlkit").rglob("__init__.py")}
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert set(setuptools["packages"]) == folders
    data = {path for pattern in setuptools["package-data"]["nlkit"] for path in (ROOT / "nlkit").glob(pattern)}
    files = {p for p in (ROOT / "nlkit").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert data == files


@pytest.mark.parametrize("name", nlkit.__all__)
def test_every_public_name_leads_somewhere(name):
    assert getattr(nlkit, name) is not None
    assert name in dir(nlkit)


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        nlkit.trian  # noqa: B018


WITHOUT_LAB = """
import importlib.machinery, sys

class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "ipywidgets" else super().find_spec(name, path, target)

sys.meta_path = [Without if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
import nlkit
assert "ipywidgets" not in sys.modules and "torch" not in sys.modules  # asked for, not loaded
import nlkit.lessons, nlkit.papers
print({"scipy", "sklearn", "pandas", "matplotlib", "networkx"} & set(sys.modules) or "light")
names = {}
exec("from nlkit import *", names)
assert "train" in names and "live" not in names
assert not hasattr(nlkit, "live") and getattr(nlkit, "live", None) is None
for code in ("nlkit.live", "from nlkit import live", "import nlkit.live", "from nlkit.live import noise"):
    try:
        exec(code)
    except (AttributeError, ImportError) as error:
        print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.slow
def test_without_the_extra_for_the_panels_all_else_works_and_the_panels_say_what_to_install():
    done = subprocess.run([sys.executable, "-c", WITHOUT_LAB], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded, *lines = done.stdout.splitlines()
    assert loaded == "light"  # pages load what their algorithms need once they run
    assert len(lines) == 4 and lines[0].startswith("AttributeError: ")
    assert all("python -m pip install 'nlkit[lab]'" in line for line in lines)
    assert all(line.startswith("ModuleNotFoundError: ") for line in lines[1:])


# Imports go down, from the last to the first. What is not named here is ground: the contract and tools.
LAYERS = [
    {"sweeps"},
    {"data"},
    {"learning"},
    {"noise"},
    {"tasks", "papers"},
    {"training", "plots"},
    {"audit"},
    {"lessons"},
    {"contents"},
    {"claims"},
    {"index", "live"},
    {"commands"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS, start=1) for part in parts}
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "nlkit").rglob("*.py")
}


def imports(path: Path) -> set[str]:
    """The nlkit modules that a file imports, at its top or within functions, but for those that only name a type."""
    found, tree = set(), ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} has a relative import, which this test does not follow"
            for alias in node.names:
                home = f".{nlkit._HOME[alias.name]}" if node.module == "nlkit" and alias.name in nlkit._HOME else ""
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in FILES else node.module + home)
    return {name for name in found if name.startswith("nlkit.")}


@pytest.mark.parametrize("module", sorted(FILES.keys() - {"nlkit"}))
def test_imports_go_down(module):
    part = module.split(".")[1]
    for imported in imports(FILES[module]):
        other = imported.split(".")[1]
        lower = LEVEL.get(other, 0) < LEVEL.get(part, 0) or (part, other) == ("papers", "plots")  # a page's own picture
        assert lower or other == part or not LEVEL.keys() & {other, part}, f"{module} imports {imported}"


def test_imports_are_found_and_make_no_circle():
    graph = {module: imports(path) - {module} for module, path in FILES.items()}
    assert {"nlkit.papers", "nlkit.learning.learner", "nlkit.training.loop"} <= graph["nlkit.training.train"]
    assert "nlkit.training.classification" in graph["nlkit.commands.doctor"]  # imported in a function
    assert "nlkit.plots" in graph["nlkit.commands.train"]
    assert tuple(graphlib.TopologicalSorter(graph).static_order())
