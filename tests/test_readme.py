"""README and book say nothing that isn't true: examples run, commands exist, links lead somewhere, tables are kept."""

import dataclasses
import importlib
import json
import re
from pathlib import Path

import click
import pytest

from benchmarks import claims, first_minute, gpu, leaderboard, plan, report, run
from benchmarks.timing import Row
from nlkit.claims import stored_report
from nlkit.claims.tables import in_markdown
from nlkit.commands.main import commands
from nlkit.commands.train import command as train_command
from nlkit.commands.train import parse_option
from nlkit.learning.augment import AUGMENTATIONS
from nlkit.learning.devices import PRECISIONS
from nlkit.learning.optimizers import OPTIMIZERS, SCHEDULES
from nlkit.lessons import board_tables
from nlkit.papers import PAPERS, build_method
from nlkit.sweeps.run import load_sweep
from nlkit.training.classification import Experiment

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXTS = {
    path: path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "book").glob("*.md")))
}
TOLD = "\n".join(TEXTS.values())


def _joined_commands() -> str:
    """All texts with each command that goes on after a backslash on one line, and none behind another's &&."""
    return TOLD.replace("\\\n", "").replace(" &&\n", "\n")


def _filled(page: Path, marks: tuple[str, str]) -> str:
    """What stands between the marks of a page, each of which is there once, and in no other text."""
    for mark in marks:
        assert page.read_text(encoding="utf-8").count(mark) == 1
    return TEXTS[page].partition(marks[0])[2].partition(marks[1])[0]


def test_the_readme_is_two_screens_long_and_has_no_table_but_the_course():
    lines = README.splitlines()
    assert len(lines) <= 110 and not [line for line in lines if len(line) > 135]
    assert len(re.findall(r"^\|---", README, flags=re.MULTILINE)) == 1
    assert len(TEXTS[ROOT / "CONTRIBUTING.md"].splitlines()) <= 70


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_and_pictures_exist(path):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", TEXTS[path])
    made = ("course/", "atlas/")  # where the book gathers the notebooks
    found = [ROOT / "notebooks" / t.removeprefix("course/") if t.startswith(made) else path.parent / t for t in targets]
    assert not [target for target in found if not target.exists()]


def test_the_readme_shows_a_panel_and_leads_to_every_page_of_the_book():
    assert "](docs/panel.png)" in README and "](notebooks/atlas/00_index.ipynb)" in README
    pages = {path.name for path in (ROOT / "book").glob("*.md")} - {"index.md"}
    assert set(re.findall(r"\]\(book/(\w+\.md)", README)) == pages
    assert "](../docs/hero.png)" in TEXTS[ROOT / "book" / "index.md"]


def test_places_on_pages_exist():
    for page, place in re.findall(r"\]\((\w+/\w+\.md)#([\w-]+)\)", README):
        titles = re.findall(r"^#+ (.+)$", TEXTS[ROOT / page], flags=re.MULTILINE)
        assert place in [title.lower().replace(" ", "-") for title in titles], (page, place)


@pytest.mark.slow
def test_the_python_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names = {}
    exec(example, names)
    assert len(names["history"]) == 25
    assert names["history"][-1].test_accuracy > 0.6 and 0 <= names["history"][-1].memorized <= 0.3


def test_commands_and_options_exist():
    context = click.Context(commands)
    for name, options in re.findall(r"^nlkit (\w+)(.*)", _joined_commands(), flags=re.MULTILINE):
        command = commands.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):  # what is none of its commands goes to "run"
            command = command.commands.get(options.split()[0], command.commands["run"])
        known = {flag for parameter in command.params for flag in parameter.opts}
        assert set(re.findall(r" (--?[a-z][\w-]*)", options)) <= known


def test_every_notebook_is_in_the_table():
    assert sorted(re.findall(r"\]\((notebooks/[^/\s]+\.ipynb)\)", README)) == sorted(
        p.relative_to(ROOT).as_posix() for p in (ROOT / "notebooks").glob("*.ipynb")
    )


def test_the_tables_name_every_method_network_noise_and_data_set():
    papers = [importlib.import_module(f"nlkit.papers.{name}") for name in PAPERS]  # the atlas has its index
    of_the_atlas = {name for paper in papers for name in getattr(paper, "METHODS", {})}
    help_texts = {f: Experiment.__dataclass_fields__[f].metadata["help"] for f in ("data", "noise", "method", "model")}
    for text in help_texts.values():
        for name in set(re.findall(r"[\w:-]+(?=[,.])", text.partition(":")[2])) - of_the_atlas:
            assert f"`{name}`" in TOLD, name


def test_the_gpu_commands_are_the_published_settings():
    """All but the device: each is parsed as it would be, and trains nothing."""
    runs = []
    for line in re.findall(r"^nlkit train (.*--device cuda.*) > \S+$", _joined_commands(), flags=re.MULTILINE):
        fields = train_command.make_context("train", line.split()).params
        options = dict(parse_option(option) for option in fields["option"])
        known = {f.name for f in dataclasses.fields(Experiment)} - {"options"}
        experiment = Experiment(**{name: fields[name] for name in known}, options=options).resolved()
        assert (experiment.data, experiment.model, experiment.method) == ("cifar10", "wide-resnet32", "mentormix")
        assert build_method(experiment.method, options)
        runs.append((experiment.ratio, experiment.epochs, experiment.weight_decay, options))
    assert runs == [
        (0.4, 512, 2e-4, {"mentor": "schedule", "alpha": 8, "percentile": 0.6}),
        (0.8, 512, 0.0, {"mentor": "schedule", "alpha": 4, "percentile": 0.2, "second_weighting": True}),
    ]


def test_the_tables_name_every_way_to_train():
    for name in (*OPTIMIZERS, *SCHEDULES, *AUGMENTATIONS, *PRECISIONS):
        assert f"`{name}`" in TOLD, name


def test_the_table_of_the_panels_is_what_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from live_latency import ACTIONS, MARKS, PAGE, RESULTS, table

    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert _filled(PAGE, MARKS) == table(measured)
    assert all(took["actions"] == ACTIONS >= 30 for took in measured["results"].values())


def test_the_first_minute_is_what_was_timed():
    measured = json.loads(first_minute.RESULTS.read_text(encoding="utf-8"))
    assert _filled(ROOT / "README.md", first_minute.MARKS) == f"\n{first_minute.sentence(measured)}\n"
    for steps, names in zip(measured["seconds"].values(), (first_minute.STEPS, [*first_minute.STEPS][1:])):
        assert list(steps) == list(names) and list(steps.values()) == sorted(steps.values())


def test_the_tables_of_what_holds_are_those_of_the_recorded_run():
    assert _filled(claims.PAGE, claims.MARKS) == f"\n{in_markdown(stored_report())}\n"


def test_the_leaderboard_is_that_of_the_stored_grid():
    tables = {
        leaderboard.MARKS: board_tables.on_digits(load_sweep("leaderboard")),
        leaderboard.ON_CLOTHES: board_tables.on_clothes(load_sweep("leaderboard-clothes")),
    }
    for marks, table in tables.items():
        assert _filled(leaderboard.PAGE, marks) == f"\n{table}\n"
    stored = stored_report()
    for kept, now in zip(stored.outcomes, leaderboard.with_the_grids_claims(stored).outcomes, strict=True):
        assert kept.id == now.id and len(kept.cells) == len(now.cells)
        assert sum(kept.cells, ()) == pytest.approx(sum(now.cells, ()), rel=1e-5)


def test_the_table_of_the_benchmarks_is_that_of_the_kept_results():
    assert _filled(run.PAGE, report.MARKS) == f"\n{report.short_table(*report.read())}\n"


def test_the_tables_of_the_gpu_are_those_of_what_was_measured_there():
    kept = json.loads((report.FOLDER / "gpu.json").read_text(encoding="utf-8"))
    rows = [Row(**row) for row in kept["rows"]]
    assert _filled(gpu.PAGE, gpu.MARKS) == f"\n{gpu.table(kept['machine'], rows)}\n"
    assert _filled(gpu.PAGE, gpu.RUN_MARKS) == f"\n{gpu.run_table()}\n"
    assert {(row.case, row.side) for row in rows} == {(name, method) for name in gpu.SHAPES for method in gpu.METHODS}
    runs = json.loads(gpu.RUNS.read_text(encoding="utf-8"))["runs"]
    plain, compiled = json.loads(gpu.RUNS.read_text(encoding="utf-8"))["a_step"].values()
    assert f"took {plain['ms']:.0f} ms, of which the GPU computed for {plain['gpu_ms']:.0f} (" in TEXTS[gpu.PAGE]
    told = f"computed for {compiled['gpu_ms']:.0f}, and the step took {compiled['ms']:.0f}:"
    assert told in TEXTS[gpu.PAGE]
    losses = {epoch["epoch"]: epoch["loss"] for epoch in runs["80"]}
    assert f"the loss fell from {losses[9]:.2f} to {losses[11]:.2f} within two epochs" in TEXTS[gpu.PAGE]
    assert f"ended after epoch {len(runs['80'])}," in TEXTS[gpu.PAGE]


def test_the_plan_of_a_large_grid_is_that_of_what_was_measured():
    assert _filled(plan.PAGE, plan.MARKS) == f"\n{plan.table(load_sweep('leaderboard'), report.read()[1])}\n"
    fastest: dict[str, float] = {}
    for run_ in load_sweep("leaderboard").results:
        if run_.made["cores"] != 2:  # some were made on a machine of another kind
            continue
        taken = run_.seconds / len(run_.curves["test_accuracy"])
        fastest[run_.experiment.method] = min(taken, fastest.get(run_.experiment.method, taken))
    (mnist,) = re.findall(r"^\| MNIST.* \| ([\d,]+) \| .* \| ([\d.,]+) hours.* \| ([\d.,]+) hours \| not measured \|$",
                          TEXTS[plan.PAGE], flags=re.MULTILINE)  # fmt: skip
    hours = 10 * 2 * 5 * 25 * sum(fastest.values()) / 3600  # levels, noise types, seeds, epochs; one after the other
    runs, on_two, on_fifty = (float(number.replace(",", "")) for number in mnist)
    assert runs == 10 * 2 * 5 * len(fastest)
    assert (on_two, on_fifty) == pytest.approx((hours / 2, hours / 50), rel=0.05)


def test_the_readme_quotes_the_fastest_of_the_ways_that_were_measured():
    """From the numbers themselves: no other way than the kit's that is stored is faster than what is quoted."""
    assert _filled(ROOT / "README.md", report.SPEED_MARKS) == f"\n{report.sentence(report.read()[1])}\n"
    quoted = [float(number) for number in re.findall(r"\d+\.\d", report.sentence(report.read()[1]))]
    rows = json.loads((report.FOLDER / "results.json").read_text(encoding="utf-8"))["rows"]
    others = [row for row in rows if row["part"] == "epochs" and row["side"] != "nlkit"]
    of_method = [[row for row in others if row["case"].startswith(method)] for method in ("standard", "reweight")]
    hardest = [min(row["ratio"] for row in each) for each in of_method]
    tutorials = [row["ratio"] for each in of_method for row in each if "tutorial" in row["side"]]
    assert quoted == pytest.approx([*hardest, *tutorials], abs=0.0501) and min(map(len, of_method)) >= 2


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make (\w+)", TOLD, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
