"""`nlkit reproduce`: claims measured over seeds, and a report of what holds."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nlkit.commands.complain import complain
from nlkit.files import check_writable, write_whole


@click.command("reproduce")
@click.option(
    "--quick",
    is_flag=True,
    help="Without data to fetch, with 3 seeds, and grids as they are carried but for one cheap claim a paper: minutes.",
)
@click.option("--only", metavar="NAME", multiple=True, help="This claim, or all of this page; may be repeated.")
@click.option("--seeds", type=int, help="How many.  [default: 5; 3 with --quick]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    help="Of the trainings: fast, to see what holds with products in bfloat16; auto or bfloat16.",
)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default="reproduced", show_default=True,
    help="Where results are kept as they come, and the reports are written.",
)  # fmt: skip
def command(quick: bool, only: tuple[str, ...], seeds: int | None, device: str, precision: str, folder: Path) -> int:
    """Measure what the course claims, over several seeds, and report what holds.

    Broken off, it goes on where it was when it is called again. The folder then has report.html to read, and
    report.json with every value, the versions, the machine and the date. All of MNIST is measured on where it is found.

    A claim holds, does not hold, or is open: the 95 % interval over the seeds reaches across its bound. That one does
    not hold is no fault, and the report says why, as far as that is known. The exit code is 3 when the mean lies on the
    other side of what the run that the package carries has clearly found. A claim whose measuring fails stops no other;
    it is named at the end, and the exit code is 1.
    """
    from tqdm import tqdm

    from nlkit.claims import Study, recorded
    from nlkit.claims.html import page
    from nlkit.claims.tables import terminal

    study = Study(folder, only=only, seeds=seeds, device=device, quick=quick, precision=precision)
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
        complain(f"{id} {reason}", 1)
    for id in (changed := report.changed_from(stored)):
        complain(f"{id} is not as recorded", 3)
    return 1 if study.failed else 3 if changed else 0
