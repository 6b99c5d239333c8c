"""`nlkit train`: one run, epoch by epoch. Its options are the settings of `nlkit.Experiment`."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path

import click

from nlkit.commands.complain import complain
from nlkit.files import check_writable, to_json, write_whole
from nlkit.training.classification import Experiment
from nlkit.training.recipes import Recipe, describe

SUMMARY = "Make a noisy-label task, train on it, and report every epoch."


def _command() -> click.Command:
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
        help=f"{SUMMARY}\n\nDefaults in parentheses are the recipe's, of every network or of the one named.",
        epilog="Example: nlkit train --method reweight --ratio 0.8 --clean-per-class 50 --epochs 25 --plot curves.png",
    )  # fmt: skip


def _train(option: tuple[str, ...], checkpoint: Path | None, plot: Path | None, as_json: bool, **fields) -> int:
    from tqdm import tqdm

    if plot:
        check_plot_path(plot)
    if checkpoint:
        check_writable(checkpoint, "--checkpoint")
    experiment = Experiment(**fields, options=dict(parse_option(o) for o in option)).resolved()
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
        code = complain(f"interrupted after {len(history)} of {experiment.epochs} epochs", 130)
    except BaseException:  # such as a disk that is full when the checkpoint is written: what was trained is shown
        if history and not as_json:
            click.echo(table(history))
        raise
    if not as_json:
        click.echo(table(history))
    if not all(math.isfinite(record.loss) for record in history):  # a warning has told
        code = code or 1
    if plot and history:
        from nlkit import plots

        figure = plots.memorization_curves(history, title=f"{experiment.method}: {task!r}")
        write_whole(plot, lambda stream: figure.savefig(stream, format=plot.suffix[1:].lower()))
        click.echo(f"curves: {plot}", err=True)
    return code


def parse_option(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{text!r} must be NAME=VALUE, such as engine=higher")
    return name.replace("-", "_"), parse_value(value)


def parse_value(text: str) -> int | float | bool | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def check_plot_path(plot: Path, argument: str = "--plot") -> None:
    if plot.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ValueError(f"{argument} {str(plot)!r} must end in .png, .pdf or .svg")
    check_writable(plot, argument)


def table(history: list) -> str:
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


command = _command()
