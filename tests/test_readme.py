"""The README says nothing that isn't true: its example runs, its commands exist, its links lead somewhere."""

import dataclasses
import importlib
import json
import re
from pathlib import Path

import click
import pytest

from benchmarks import claims, leaderboard
from nlkit.claims import stored_report
from nlkit.claims.tables import readme
from nlkit.commands.main import commands
from nlkit.commands.train import command as train_command
from nlkit.commands.train import parse_option
from nlkit.learning.augment import AUGMENTATIONS
from nlkit.learning.devices import PRECISIONS
from nlkit.learning.optimizers import OPTIMIZERS, SCHEDULES
from nlkit.lessons import how_far
from nlkit.papers import PAPERS, build_method
from nlkit.sweeps.run import load_sweep
from nlkit.training.classification import Experiment

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _joined_commands() -> str:
    """The README with each command that goes on after a backslash on one line, and none behind another's &&."""
    return README.replace("\\\n", "").replace(" &&\n", "\n")


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
    for name, options in re.findall(r"^nlkit (\w+)(.*)", _joined_commands(), flags=re.MULTILINE):
        command = commands.get_command(context, name)
        assert command is not None, name
        known = {flag for parameter in command.params for flag in parameter.opts}
        assert set(re.findall(r" (--?[a-z][\w-]*)", options)) <= known


def test_every_notebook_is_in_the_table():
    assert sorted(re.findall(r"\]\((notebooks/\S+\.ipynb)\)", README)) == sorted(
        p.relative_to(ROOT).as_posix() for p in (ROOT / "notebooks").glob("*.ipynb")
    )


def test_the_tables_name_every_method_network_noise_and_data_set():
    papers = [importlib.import_module(f"nlkit.papers.{name}") for name in PAPERS]  # the atlas has its index
    of_the_atlas = {name for paper in papers for name in getattr(paper, "METHODS", {})}
    help_texts = {f: Experiment.__dataclass_fields__[f].metadata["help"] for f in ("data", "noise", "method", "model")}
    for text in help_texts.values():
        for name in set(re.findall(r"[\w:-]+(?=[,.])", text.partition(":")[2])) - of_the_atlas:
            assert f"`{name}`" in README, name


def test_the_gpu_commands_are_the_published_settings():
    """All but the device: each is parsed as it would be, and trains nothing."""
    runs = []
    for line in re.findall(r"^nlkit train (.*--device cuda.*) > \S+$", _joined_commands(), flags=re.MULTILINE):
        fields = train_command.make_context("train", line.split()).params
        options = dict(parse_option(option) for option in fields["option"])
        known = {f.name for f in dataclasses.fields(Experiment)} - {"options"}
        experiment = Experiment(**{name: fields[name] for name in known}, options=options).resolved()
        assert (experiment.data, experiment.model, experiment.method) == ("cifar10", "resnet32", "mentormix")
        assert build_method(experiment.method, options)
        runs.append((experiment.ratio, experiment.epochs, experiment.weight_decay, options))
    assert runs == [
        (0.4, 512, 2e-4, {"alpha": 8, "percentile": 0.6}),
        (0.8, 512, 0.0, {"alpha": 4, "percentile": 0.2, "second_weighting": True}),
    ]


def test_the_tables_name_every_way_to_train():
    for name in (*OPTIMIZERS, *SCHEDULES, *AUGMENTATIONS, *PRECISIONS):
        assert f"`{name}`" in README, name


def test_the_table_of_the_panels_is_what_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from live_latency import ACTIONS, MARKS, RESULTS, readme_table

    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert README.partition(MARKS[0])[2].partition(MARKS[1])[0] == readme_table(measured)
    assert all(took["actions"] == ACTIONS >= 30 for took in measured["results"].values())


def test_the_tables_of_what_holds_are_those_of_the_recorded_run():
    first, last = claims.MARKS
    assert README.partition(first)[2].partition(last)[0] == f"\n{readme(stored_report())}\n"


def test_the_leaderboard_is_that_of_the_stored_grid():
    first, last = leaderboard.MARKS
    assert README.partition(first)[2].partition(last)[0] == f"\n{how_far.readme(load_sweep('leaderboard'))}\n"
    stored = stored_report()
    for kept, now in zip(stored.outcomes, leaderboard.with_the_grids_claims(stored).outcomes, strict=True):
        assert kept.id == now.id and len(kept.cells) == len(now.cells)
        assert sum(kept.cells, ()) == pytest.approx(sum(now.cells, ()), rel=1e-5)


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
