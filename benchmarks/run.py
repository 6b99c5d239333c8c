"""Measure everything side by side in one run, and write benchmarks/results.json, benchmarks/RESULTS.md, the table in
the book and the README's sentence.

    1. epochs       an epoch of standard training and of reweighting on full MNIST, against the other ways to write it
    2. reweighting  a step against a standard step and `higher`, for three networks and clean batches of 16 to 512
    3. mentormix    a step against a standard step; beside it mixup and MentorNet, which it is made of
       losses       a step of each method that is another loss, against a standard step
       features     a step of the method `compress` against a standard step
    4. floor        the same steps against their bare matrix products
       ideas        the same steps without what makes them faster, and by torch.compile
    5. scaling      cost by number of examples, clean set, classes, width
    6. memory       the peak of an epoch on full MNIST
       footprint    import, first point in the live panel; with --notebooks, each notebook
    7. TorchOpt does the reweighting step too: it is measured in parts 1 and 2 where it is installed
    8. many         noise ratios trained as one batched product, against one after the other
    9. sweeps       two processes against one, Dask's workers against plain processes, and what an empty run costs

About a quarter of an hour on two cores. The images that steps are timed on are random numbers: time does not depend on
them.
"""

from __future__ import annotations

import click

from benchmarks import epochs, footprint, ideas, many, report, scaling, steps, sweeps

PAGE = report.BOOK / "speed.md"


@click.command(help="\b\n" + __doc__)
@click.option(
    "--only",
    type=click.Choice(["epochs", "steps", "ideas", "scaling", "many", "sweeps", "memory", "footprint", "notebooks"]),
    help="Measure this part alone.",
)
@click.option("--pages", is_flag=True, help="Measure nothing: write the pages anew from results.json.")
@click.option("--notebooks", is_flag=True, help="Also run each notebook from top to bottom, which takes minutes.")
@click.option("--quick", is_flag=True, help="A quarter of the rounds (of epochs, three), to see that it works.")
def main(only: str | None, pages: bool, notebooks: bool, quick: bool) -> None:
    parts = {
        "epochs": lambda: epochs.measure(3 if quick else 5),
        "steps": lambda: steps.measure(shorten=4 if quick else 1),
        "ideas": lambda: ideas.measure(shorten=4 if quick else 1),
        "scaling": lambda: scaling.measure(4 if quick else 15),
        "many": lambda: many.measure(2 if quick else 5),
        "memory": lambda: footprint.measure_memory(2 if quick else 3),
        "sweeps": lambda: sweeps.measure(1 if quick else 3),
        "footprint": lambda: footprint.measure(2 if quick else 5),
        "notebooks": footprint.measure_notebooks,
    }
    for name, measure in parts.items():
        if name == only or (only is None and not pages and (notebooks or name != "notebooks")):
            click.echo(f"measuring: {name}", err=True)
            report.write(report.machine(), measure())
    if pages:
        report.write(report.read()[0], [])
    where, rows = report.read()
    if report.TITLES.keys() <= {row.part for row in rows}:
        report.fill_page(PAGE, report.short_table(where, rows))
        report.fill_page(report.README, report.sentence(rows), report.SPEED_MARKS)
    click.echo(report.table(where, rows))


if __name__ == "__main__":
    main()
