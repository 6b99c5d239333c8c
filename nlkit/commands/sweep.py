"""`nlkit sweep NAME`: the grid of a page, from where it was broken off."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nlkit.checks import check_choice
from nlkit.commands.complain import complain


@click.command("sweep")
@click.argument("name")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Keep the results here instead.")
@click.option("--jobs", default=1, show_default=True, help="Runs at a time, each in a process of its own.")
def command(name: str, file: Path | None, jobs: int) -> int:
    """Run the grid of experiments NAME, from where it was broken off, and keep the results with the package.

    A run that fails does not stop the others: it is named at the end, where the exit code is 1, and is tried again when
    the command is called again.
    """
    from tqdm import tqdm

    from nlkit.contents import GRIDS, grid_of
    from nlkit.identity import key
    from nlkit.sweeps.results import in_short
    from nlkit.sweeps.run import SweepError, load_sweep, run_sweep, stored

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
            complain(f"failed: {failure}", 1)
        complain(f"{len(error.failures)} of {len(experiments)} runs failed; call this again to try them again", 1)
        return 1
    except KeyboardInterrupt:
        return complain(f"interrupted after {done} of {len(experiments)} runs; call this again to go on", 130)
    click.echo(f"{len(experiments)} runs: {file}")
    return 0
