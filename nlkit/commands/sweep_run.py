"""`nlkit sweep NAME`: make the runs of a page's grid, or of one of your own, from where they were broken off."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import click

from nlkit.checks import check_choice
from nlkit.commands.complain import complain

SWEEPS = Path("sweeps")  # where folders are made, in the one that the command is called in


@click.command("run")
@click.argument("what", required=False, metavar="[NAME|GRID.yaml]")
@click.option(
    "--set", "chosen", multiple=True, metavar="NAME=VALUES",
    help="Values of a setting, or of a method's option, with commas; may be repeated, and all combinations are run. "
    "Of the page NAME, or of the kit's own task.",
)  # fmt: skip
@click.option("--variant", multiple=True, help="Of the page NAME, this variant; may be repeated.  [default: all]")
@click.option("--seeds", help="Such as 0-4 or 0,2,5-9.  [default: the page's own, or 0-4]")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the results here.  [default: sweeps/NAME]")
@click.option(
    "--jobs", type=int,
    help="Runs at a time, each in a process of up to 0.7 GB with its share of the cores; with Slurm, at most.  "
    "[default: one for each core; with Slurm, all]",
)  # fmt: skip
@click.option(
    "--on", metavar="ENGINE",
    help="Run elsewhere: dask:tcp://HOST:PORT; slurm:PARTITION; or local, to try here what would go to Slurm.",
)  # fmt: skip
@click.option(
    "--resource", multiple=True, metavar="NAME=VALUE",
    help="What each job asks Slurm for, by submitit's names: timeout_min=120, mem_gb=4, slurm_account=physics; may be "
    "repeated.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Run those again that failed. Otherwise they stay as they are.")
@click.option("--anew", is_flag=True, help="Also make the runs whose results the package carries.")
def run(
    what: str | None, chosen: tuple[str, ...], variant: tuple[str, ...], seeds: str | None, folder: Path | None,
    jobs: int | None, on: str | None, resource: tuple[str, ...], again: bool, anew: bool,
) -> int:  # fmt: skip
    """Make the runs of a page's grid, or of your own, from where they were broken off.

    A grid of your own is checked before any run. In YAML it has some of these, or is a list of such grids:

    \b
    page: elr                  # left out: the kit's own task
    variants: [standard, ELR]  # left out: all
    set: {ratio: [0.2, 0.4], epochs: 10}
    seeds: 0-4

    A run that fails does not stop the others: it is kept with its error and named at the end, where the exit code is 1.
    """
    from tqdm import tqdm

    from nlkit.contents import PAGES
    from nlkit.identity import key
    from nlkit.sweeps.folder import read_folder
    from nlkit.sweeps.results import Sweep, in_short
    from nlkit.sweeps.run import SweepError, load_sweep, run_sweep, stored

    experiments, own_folder = _asked_for(what, chosen, variant, seeds)
    keep = PAGES[what].keep if what in PAGES else ()
    if (folder := folder or own_folder) is None:
        raise ValueError("--folder must be named for a grid of your own, such as --folder sweeps/mine")
    known = load_sweep(str(what)) if what and not anew and stored(what).exists() else Sweep()
    there = read_folder(folder) if folder.is_dir() else Sweep()
    asked = set(map(key, experiments))
    done = len(asked & (known.by_key.keys() | there.by_key.keys()))
    try:
        with _engine(on, folder, jobs, resource) as (executor, at_once):
            made = run_sweep(experiments, folder, keep, known=known, again=again, jobs=at_once, executor=executor)
            with tqdm(total=len(asked), initial=done, unit="run", file=sys.stderr, disable=None) as bar:
                for result in made:
                    done += 1
                    bar.set_postfix_str(in_short(result.experiment)[:60])
                    bar.update()
    except SweepError as error:
        for failure in error.failures:
            complain(f"failed: {failure}", 1)
        return complain(f"{len(error.failures)} of {len(asked)} runs failed; --again runs them again", 1)
    except KeyboardInterrupt:
        return complain(f"interrupted after {done} of {len(asked)} runs; call this again to go on", 130)
    click.echo(f"{len(asked)} runs: {folder if folder.is_dir() else stored(str(what))}")
    return 0


def _asked_for(
    what: str | None, chosen: tuple[str, ...], variant: tuple[str, ...], seeds: str | None
) -> tuple[list[Any], Path | None]:
    """The experiments, and the folder that goes with their name. A ValueError for what can't be."""
    from nlkit.commands.own_grid import Grid, check_experiments, read_grids, seeds_of, values_of
    from nlkit.contents import GRIDS, grid_of

    numbers = None if seeds is None else seeds_of(seeds)
    own_folder = None
    if what and Path(what).suffix in (".yaml", ".yml"):
        if chosen or variant or seeds:
            raise ValueError(f"{what} tells the whole grid; leave out --set, --variant and --seeds, or the file")
        experiments = [e for grid in read_grids(Path(what)) for e in grid.experiments()]
        own_folder = SWEEPS / Path(what).stem
    elif chosen or variant:
        experiments = Grid(what, variant or None, dict(map(values_of, chosen)), numbers).experiments()
    elif what:
        return grid_of(check_choice("sweep", what, GRIDS), numbers), SWEEPS / what
    else:
        raise ValueError("name a page, a grid in YAML, or settings such as --set ratio=0.2,0.4; see nlkit sweep --help")
    check_experiments(experiments)
    return experiments, own_folder


@contextlib.contextmanager
def _engine(
    on: str | None, folder: Path, jobs: int | None, resource: tuple[str, ...]
) -> Iterator[tuple[Executor | None, int]]:
    """Where runs are made: an executor, or None and how many processes of our own."""
    from nlkit.commands.train import parse_option
    from nlkit.sweeps.engines import engine
    from nlkit.sweeps.workers import cores

    resources = dict(map(parse_option, resource))
    if on is None:
        if resources:
            raise ValueError("--resource is what jobs ask Slurm for; name --on slurm:PARTITION too, or leave it out")
        yield None, cores() if jobs is None else jobs
    else:
        with engine(on, folder / "logs", jobs, resources) as executor:
            yield executor, 1
