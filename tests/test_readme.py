"""The README says nothing that isn't true: its example runs, its commands exist, its links lead somewhere."""

import re
from pathlib import Path

import click

from nlkit.cli import commands
from nlkit.experiment import Experiment

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_and_pictures_exist():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert "docs/hero.png" in targets
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_the_python_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names = {}
    exec(example, names)
    assert len(names["history"]) == 25


def test_commands_and_options_exist():
    context = click.Context(commands)
    for name, options in re.findall(r"^nlkit (\w+)(.*)", README, flags=re.MULTILINE):
        command = commands.get_command(context, name)
        assert command is not None, name
        known = {flag for parameter in command.params for flag in parameter.opts}
        assert set(re.findall(r"--[\w-]+", options)) <= known


def test_every_notebook_is_in_the_table():
    assert sorted(re.findall(r"\]\((notebooks/\S+\.ipynb)\)", README)) == sorted(
        p.relative_to(ROOT).as_posix() for p in (ROOT / "notebooks").glob("*.ipynb")
    )


def test_the_tables_name_every_method_network_noise_and_data_set():
    help_texts = {f: Experiment.__dataclass_fields__[f].metadata["help"] for f in ("data", "noise", "method", "model")}
    for text in help_texts.values():
        for name in re.findall(r"[\w:-]+(?=[,.])", text.partition(":")[2]):
            assert f"`{name}`" in README, name


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
