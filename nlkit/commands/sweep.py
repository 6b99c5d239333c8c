"""`nlkit sweep`: the runs of a page's grid or of one of your own, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nlkit.checks import check_choice
from nlkit.commands.sweep_run import SWEEPS, run
from nlkit.files import check_writable, write_whole

if TYPE_CHECKING:
    from nlkit.sweeps.results import Sweep


class _Sweep(click.Group):
    """A group in which what is no command is run."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *context.help_option_names}
        return super().parse_args(context, args if args and args[0] in known else ["run", *args])


@click.group("sweep", cls=_Sweep)
def command() -> None:
    """Make many runs, and see what became of them.

    \b
    nlkit sweep NAME                     the grid of a page
    nlkit sweep GRID.yaml                one of your own, from a file
    nlkit sweep --set ratio=0.2,0.4 --set method=standard,elr --seeds 0-4 --folder out
    nlkit sweep run --help               all options of these

    Each result is a small file in a folder, written as soon as the run is made: sweeps/NAME unless another is named.
    Broken off or killed, call it again, and it goes on.
    """


command.add_command(run)


def _folder(where: str) -> Path:
    """The folder of a sweep, by its path or its name."""
    found = [path for path in (Path(where), SWEEPS / where) if path.is_dir()]
    if not found:
        raise ValueError(f"{where!r} is neither a folder nor the name of one in {SWEEPS}/")
    return found[0]


def _results(where: str) -> Sweep:
    """Results by the path of a folder or a file, or by a name: then those that the package carries, and our own."""
    from nlkit.sweeps.results import Sweep
    from nlkit.sweeps.run import load_sweep, stored

    if Path(where).exists() or not (SWEEPS / where).is_dir():
        return load_sweep(where)
    carried = load_sweep(where) if stored(where).exists() else Sweep()
    return Sweep(tuple((carried.by_key | load_sweep(SWEEPS / where).by_key).values()))


@command.command("status")
@click.argument("where", required=False, metavar="[NAME|FOLDER]")
def status(where: str | None) -> None:
    """Say what is done, running and failed, and how long the rest may take; of all in sweeps/ unless one is named."""
    from nlkit.sweeps.folder import GRID
    from nlkit.sweeps.progress import progress

    folders = [_folder(where)] if where else sorted(grid.parent for grid in SWEEPS.glob(f"*/{GRID}"))
    if not folders:
        raise ValueError(f"there is no sweep in {SWEEPS}/; name its folder")
    for folder in folders:
        click.echo(f"{folder}: {progress(folder)}")


@command.command("pack")
@click.argument("where", metavar="NAME|FOLDER")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
def pack_runs(where: str, file: Path | None) -> None:
    """Put the results of a folder into one file; of a page, into the one that the package carries.

    What the file has already is kept, and so is the folder.
    """
    from nlkit.contents import GRIDS, grid_of
    from nlkit.sweeps.folder import pack
    from nlkit.sweeps.run import stored

    if file is None:
        file, grid = stored(check_choice("sweep", where, GRIDS)), grid_of(where)
    else:
        file, grid = check_writable(file), None
    packed = pack(_folder(where), file, grid)
    failed = f", {len(packed.failed)} failed" if packed.failed else ""
    click.echo(f"{len(packed.results)} results{failed}: {file}")


@command.command("export")
@click.argument("where", metavar="NAME|FOLDER|FILE")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(where: str, file: Path) -> None:
    """Write results as a table, a row an epoch: Parquet or CSV, by the name of FILE."""
    from nlkit.sweeps.frames import to_frame, write_parquet

    if file.suffix not in (".parquet", ".csv"):
        raise ValueError(f"FILE={str(file)!r} must end in .parquet or .csv")
    check_writable(file)
    sweep = _results(where)
    if file.suffix == ".parquet":
        write_parquet(file, sweep)
    else:
        write_whole(file, to_frame(sweep).to_csv(index=False))
    click.echo(f"{len(sweep.results)} results: {file}")


@command.command("plot")
@click.argument("where", metavar="NAME|FOLDER|FILE")
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--by", default="ratio", show_default=True, help="The setting along the axis.")
@click.option("--number", default="test_accuracy", show_default=True, help="What is drawn, of what the results keep.")
@click.option("--best", is_flag=True, help="Its highest value of all epochs.  [default: the last]")
@click.option("--where", "only", multiple=True, metavar="NAME=VALUE", help="Draw these runs alone; may be repeated.")
def plot(where: str, picture: Path, by: str, number: str, best: bool, only: tuple[str, ...]) -> None:
    """Draw one number at the end of the runs by one setting, with a line for each of the others, and a band over seeds.

    PICTURE is written as PNG, PDF or SVG, by its name.
    """
    from nlkit.commands.train import check_plot_path, parse_option
    from nlkit.plots.settings import by_setting

    check_plot_path(picture, "PICTURE")
    figure = by_setting(_results(where), by, number, best=best, where=dict(map(parse_option, only)))
    write_whole(picture, lambda stream: figure.savefig(stream, format=picture.suffix[1:].lower()))
    click.echo(f"picture: {picture}")
