"""`nlkit audit PATH`: which labels of one's own data are wrong, how many, and what to do about it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nlkit.checks import DataError
from nlkit.files import check_writable, write_whole

REPORT, TABLE = "report.html", "labels.csv"


@click.command("audit")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--labels",
    help='Column with the labels of a table; array of an .npz (usually "y"); file of labels for an .npy.',
)
@click.option("--clean", help="What is trusted: a file with one id a line (and the right label), or a column.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to make.  [default: audit-NAME]")
@click.option("--model", default="mlp", show_default=True, help="mlp, or for images cnn, ten times as slow.")
@click.option("--size", default=32, show_default=True, help="Pixels of a side to which images are scaled.")
@click.option("--seed", default=0, show_default=True, help="Decides parts, weights and batches.")
def command(
    path: Path, labels: str | None, clean: str | None, out: Path | None, model: str, size: int, seed: int
) -> int:
    """Find the labels of PATH that are likely wrong, and write a report and a CSV.

    PATH is a folder with a folder of images for each class, a table (.csv, .parquet) with a column of labels, or
    features (.npy, .npz). Nothing in it is ever changed. The folder of the results gets report.html, which works
    offline, and labels.csv, the most suspicious label first; it must not lie within PATH, nor hold an earlier audit.
    """
    from tqdm import tqdm

    needs_packages()
    from nlkit.audit.advice import advise
    from nlkit.audit.audit import audit
    from nlkit.audit.collect import collect
    from nlkit.audit.listing import as_csv
    from nlkit.audit.report import as_html

    folder = out or Path(f"audit-{path.expanduser().resolve().stem}")
    made = _make(folder, path.expanduser())
    try:
        collection = collect(path, labels, clean, size=size)
        for note in collection.notes:
            click.echo(note, err=True)
        with tqdm(unit="step", file=sys.stderr, disable=None) as bar:

            def told(done: int, total: int, what: str) -> None:
                bar.total = total
                bar.set_postfix_str(what)
                bar.update(done - bar.n)

            found = audit(collection, seed=seed, model=model, progress=told)
        write_both(folder, as_html(found), as_csv(found))
    except BaseException:
        if made:
            folder.rmdir()  # it is empty: nothing is left of an audit that failed
        raise
    estimate = found.estimates[found.likely]
    click.echo(
        f"{collection.count:,} labels of {collection.num_classes} classes; an estimated {found.wrong_share:.1%} wrong "
        f"({estimate.ratio_low:.1%} to {estimate.ratio_high:.1%}, {found.likely})"
    )
    for number, step in enumerate(advise(found), start=1):
        click.echo(f"{number}. {step.title}.")
    click.echo(f"report: {folder / REPORT}\nlabels: {folder / TABLE}")
    return 0


def needs_packages() -> None:
    """A DataError that says what to install, where the extra `audit` is missing."""
    try:
        import cleanlab  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"an audit needs the package {error.name}: python -m pip install -c constraints.txt -e '.[audit]'"
        ) from error


def write_both(folder: Path, report: str, table: str) -> None:
    """Write report and table into a folder, both or neither. Raises an OSError where they can't be."""
    write_whole(folder / TABLE, table)
    try:
        write_whole(folder / REPORT, report)
    except BaseException:
        (folder / TABLE).unlink(missing_ok=True)
        raise


def _make(folder: Path, path: Path) -> bool:
    """Whether the folder for the results was made just now; a ValueError or an OSError where it can't be used."""
    from nlkit.audit.collection import check_outside

    check_outside(folder, path, "--out ")
    if existing := [name for name in (REPORT, TABLE) if (folder / name).exists()]:
        raise ValueError(f"--out {str(folder)!r} has {' and '.join(existing)} already; name another folder, or move it")
    if not path.exists():  # before a folder is made for nothing
        raise ValueError(f"path={str(path)!r} does not exist; name a folder of images, a table or an array of features")
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OSError(f"--out {str(folder)!r} can't be made: {error.strerror or error}") from error
    try:
        check_writable(folder / REPORT, "--out")
    except BaseException:
        if made:
            folder.rmdir()
        raise
    return made
