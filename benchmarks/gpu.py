"""Steps of methods on an NVIDIA GPU, side by side: `python -m benchmarks.gpu`, two minutes where there is one.

Each network trains as its recipe says, in bfloat16 where it has convolutions; images are random numbers. A step's time
includes gathering its batch of 128, and ends when the GPU is done. It writes benchmarks/gpu.json, and with --pages,
which needs no GPU, the tables in the book: this one, and that of the runs of MentorMix on CIFAR-10, whose epochs stand
in benchmarks/mentormix_on_gpu.json as `nlkit train --json` printed them, fewer columns; beside them what a step of such
a run takes, and how much of it torch's profiler saw the GPU compute, in a trial whose code was not kept.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import click
import torch

from benchmarks.report import BOOK, FOLDER, fill_page, machine
from benchmarks.steps import Bench
from benchmarks.timing import Row, interleaved, rows_of, seconds_of

PAGE, MARKS = BOOK / "using.md", ("<!-- gpu -->", "<!-- /gpu -->")
RUNS, RUN_MARKS = FOLDER / "mentormix_on_gpu.json", ("<!-- gpu runs -->", "<!-- /gpu runs -->")
RELEASED = {"40": 94.4, "80": 82.0}  # by noise, in %: the README of google-research/mentormix
STEPS_AN_EPOCH, RELEASED_STEPS = 391, 200_000  # of 128 of the 50,000 images
SHAPES = {"mlp": (1, 28, 28), "cnn": (3, 32, 32), "resnet32": (3, 32, 32), "wide-resnet32": (3, 32, 32)}
METHODS = ("standard", "mixup", "mentornet", "mentormix", "co-teaching", "elr", "reweight")
TOLD = {"mentornet": {"percentile": 0.6}, "mentormix": {"percentile": 0.6}, "co-teaching": {"percentile": 0.6}}


def finished(act: Callable[[], object]) -> float:
    """Seconds until the GPU has done what `act` asks of it."""

    def all_of_it() -> None:
        act()
        torch.cuda.synchronize()

    torch.cuda.synchronize()
    return seconds_of(all_of_it)


def measure(device: str = "cuda", rounds: int = 5, each: int = 10) -> list[Row]:
    """A row for each network and method, divided by the standard step."""
    rows = []
    for name, shape in SHAPES.items():
        bench = Bench(name, shape, device=device)
        sides = {method: bench.step(method, **TOLD.get(method, {})) for method in METHODS}
        rows += rows_of("gpu", name, interleaved(sides, rounds, each=each, measure=finished), "standard")
    return rows


def table(where: dict[str, object], rows: list[Row]) -> str:
    """Milliseconds a step of standard training, and the other methods in multiples of it, in Markdown."""
    text = [f"| | standard, ms | {' | '.join(METHODS[1:])} |", "|---|---|" + "---|" * (len(METHODS) - 1)]
    for name in SHAPES:
        own = {row.side: row for row in rows if row.case == name}
        cells = [f"{own['standard'].median:.2f}", *(f"{own[m].ratio:.2f}" for m in METHODS[1:])]
        text.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join([*text, "", f"{where['device']}, torch {where['torch']}, {where['date']}."])


def run_table() -> str:
    """How far the runs of MentorMix went, and where they ended, in Markdown."""
    kept = json.loads(RUNS.read_text(encoding="utf-8"))
    text = ["| noise | epochs | steps of the release's | an epoch, s | best epoch, % | last five, % | release, % |",
            "|---|---|---|---|---|---|---|"]  # fmt: skip
    for run, epochs in kept["runs"].items():
        noise, comma, how = run.partition(",")
        accuracies = [100 * epoch["test_accuracy"] for epoch in epochs]
        seconds = [epoch["seconds"] for epoch in epochs if "seconds" in epoch]  # none of a run that was not alone
        cells = (
            f"{noise} %{comma}{how}", f"{len(epochs)} of {kept['planned']}",
            f"{len(epochs) * STEPS_AN_EPOCH / RELEASED_STEPS:.1%}".replace("%", " %"),
            f"{statistics.median(seconds):.0f}" if seconds else "", f"{max(accuracies):.1f}",
            f"{statistics.mean(accuracies[-5:]):.1f}", f"{RELEASED[noise]:.1f}",
        )  # fmt: skip
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join([*text, "", f"{kept['machine']['device']}, {kept['machine']['date']}, one seed."])


@click.command(help="\b\n" + __doc__)
@click.option("--to", type=click.Path(path_type=Path), default=FOLDER / "gpu.json", help="The file that is written.")
@click.option("--pages", is_flag=True, help="Measure nothing: write the table in the book from that file.")
def main(to: Path, pages: bool) -> None:
    if not pages:
        if not torch.cuda.is_available():
            raise click.ClickException("no NVIDIA GPU is here; --pages writes the book's table from what was measured")
        where = machine() | {"device": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
        rows = [dataclasses.asdict(row) for row in measure()]
        to.write_text(json.dumps({"machine": where, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    found = json.loads(to.read_text(encoding="utf-8"))
    text = table(found["machine"], [Row(**row) for row in found["rows"]])
    if pages:
        fill_page(PAGE, text, MARKS)
        fill_page(PAGE, run_table(), RUN_MARKS)
    click.echo(text)


if __name__ == "__main__":
    main()
