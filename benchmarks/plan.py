"""What a paper-sized grid would take, from times that were measured: the table of book/cluster.md.

    python -m benchmarks.plan             # from what is stored
    python -m benchmarks.plan sweeps/gpu  # and from a sweep of one epoch a method on a GPU, as the page tells

Nothing is measured here. Of MNIST, the stored runs of the leaderboard tell the seconds of each method. Of CIFAR-10 with
a ResNet-32, the benchmarks tell those of a step; of methods that were not timed there, the factor over standard
training is taken from the stored runs on MNIST.
"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.report import BOOK, fill_page, read
from benchmarks.timing import Row
from nlkit.sweeps.progress import in_time
from nlkit.sweeps.results import Result, Sweep
from nlkit.sweeps.run import load_sweep
from nlkit.training.recipes import RECIPES

PAGE = BOOK / "cluster.md"
MARKS = "<!-- plan -->", "<!-- /plan -->"
LEVELS, NOISES, SEEDS, WORKERS = 10, 2, 5, 50
CIFAR_EXAMPLES = 50_000
TIMED = {
    "standard": "standard",
    "reweight": "auto",
    "mixup": "mixup",
    "mentornet": "mentornet",
    "mentormix": "mentormix",
}


def on_most_machines(results: tuple[Result, ...]) -> list[Result]:
    """Those that were made on machines with as many cores as most of them were: seconds elsewhere are others."""
    cores = [result.made["cores"] for result in results]
    usual = max(set(cores), key=cores.count)
    return [result for result in results if result.made["cores"] == usual]


def per_epoch(results: list[Result] | tuple[Result, ...]) -> dict[str, float]:
    """Seconds of an epoch by method: of its least disturbed run."""
    found: dict[str, list[float]] = {}
    for result in results:
        found.setdefault(result.experiment.method, []).append(result.seconds / result.experiment.epochs)
    return {method: min(seconds) for method, seconds in found.items()}


def cifar_per_epoch(rows: list[Row], mnist: dict[str, float]) -> dict[str, float]:
    """Seconds of an epoch on CIFAR-10 with a ResNet-32 by method, on both cores of the machine of the benchmarks."""
    ratios = {
        row.side: row.ratio for row in rows
        if (row.part, row.case) in (("mentormix", "resnet32"), ("reweighting", "resnet32, 128 clean"))
    }  # fmt: skip
    (step,) = [
        row.median / 1e3 for row in rows if (row.part, row.case, row.side) == ("mentormix", "resnet32", "standard")
    ]
    epoch = step * -(-CIFAR_EXAMPLES // RECIPES["resnet32"].batch_size)
    return {
        method: epoch * (ratios[TIMED[method]] if method in TIMED else seconds / mnist["standard"])
        for method, seconds in mnist.items()
    }


def table(stored: Sweep, rows: list[Row], gpu: Sweep | None = None) -> str:
    """The plan in Markdown: hours on two cores, on 50 workers of a core each, and on a GPU where it was measured."""
    mnist = per_epoch(on_most_machines(stored.results))
    each = {
        # data -> seconds of an epoch by method, on how many cores that is, epochs of a run
        "MNIST, `mlp`": (mnist, 1, RECIPES["mlp"].epochs, "mnist"),
        "CIFAR-10, `resnet32`": (cifar_per_epoch(rows, mnist), 2, RECIPES["resnet32"].epochs, "cifar10"),
    }
    text = ["| | runs | a run on one core | 2 cores | 50 workers | one GPU |", "|---|---|---|---|---|---|"]
    for name, (seconds, cores, epochs, data) in each.items():
        runs = LEVELS * NOISES * SEEDS * len(seconds)
        on_one = {method: cores * epochs * taken for method, taken in seconds.items()}
        total = LEVELS * NOISES * SEEDS * sum(on_one.values())
        cells = [f"{runs:,}", f"{in_time(min(on_one.values()))} to {in_time(max(on_one.values()))}",
                 _hours(total / 2), _hours(max(total / WORKERS, max(on_one.values()))),
                 _on_gpu(gpu, data, epochs, list(seconds))]  # fmt: skip
        text.append(f"| {name}, {epochs} epochs | {' | '.join(cells)} |")
    return "\n".join([*text, "", f"{len(mnist)} methods: {', '.join(f'`{method}`' for method in mnist)}."])


def _on_gpu(gpu: Sweep | None, data: str, epochs: int, methods: list[str]) -> str:
    measured = per_epoch([r for r in gpu.results if r.experiment.data == data]) if gpu else {}
    if not measured.keys() >= set(methods):
        return "not measured"
    return _hours(LEVELS * NOISES * SEEDS * epochs * sum(measured[method] for method in methods))


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{float(f'{hours:.2g}'):,g} hours" + (f" ({hours / 24:,.0f} days)" if hours >= 72 else "")


@click.command(help="\b\n" + __doc__)
@click.argument("gpu", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(gpu: Path | None) -> None:
    fill_page(PAGE, table(load_sweep("leaderboard"), read()[1], load_sweep(gpu) if gpu else None), MARKS)


if __name__ == "__main__":
    main()
