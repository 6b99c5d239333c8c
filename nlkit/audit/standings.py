"""What the stored audits found: average precision by kind of evidence and task, and noise rates beside true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nlkit.audit.proof import ALL, ERRORS, MARGIN, PEOPLE, PLAIN, AuditRun
from nlkit.intervals import counted, over_seeds
from nlkit.sweeps.results import Result, Sweep

KINDS = (PLAIN, MARGIN, "small loss", "learned late", "margin in training", "neighbours", "clean set", ALL)
WAYS = ("counted", "clusterability", "anchor points")
NAMES = {
    "mnist errors": "MNIST's test set, errors that people found",
    "cifar10 errors": "CIFAR-10's test set, errors that people found",
    PEOPLE: "CIFAR-10N",
    "mnist5k": "mnist5k",
    "fashion_mnist": "Fashion-MNIST",
}


class Standing(NamedTuple):
    """The results of one task, one a seed."""

    name: str
    runs: tuple[Result, ...]

    def mean(self, number: str) -> float | None:
        """A number's mean over the seeds; None where it was not measured."""
        values = [run.last(number) for run in self.runs if number in run.curves]
        return over_seeds(values).mean if values else None


def standings(sweep: Sweep) -> list[Standing]:
    """The tasks of a sweep of audits, in the order in which they were first run."""
    tasks: dict[str, list[Result]] = {}
    for result in sweep.results:
        tasks.setdefault(name_of(result.experiment), []).append(result)
    return [Standing(name, tuple(runs)) for name, runs in tasks.items()]


def name_of(run: AuditRun) -> str:
    """A task in words."""
    if run.data in ERRORS:
        return NAMES[run.data]
    if run.data == PEOPLE:
        return f"{NAMES[run.data]}, people's labels “{run.noise}”"
    clean = f", {run.clean_per_class} clean per class" if run.clean_per_class else ""
    return f"{NAMES[run.data]}, {run.noise} {100 * run.ratio:.0f} %{clean}"


def mean_over_tasks(sweep: Sweep, kind: str) -> float:
    """The mean average precision of a kind of evidence over the tasks, each of which counts once; in [0, 1]."""
    found = [standing.mean(f"ap {kind}") for standing in standings(sweep)]
    return over_seeds([value for value in found if value is not None]).mean


def in_markdown(sweep: Sweep) -> str:
    """Three tables in Markdown: average precision, precision among the first, and noise rates."""
    board = standings(sweep)
    means = ["**mean over the tasks**", ""]
    for kind in KINDS:
        everywhere = all(standing.mean(f"ap {kind}") is not None for standing in board)
        means.append(f"**{100 * mean_over_tasks(sweep, kind):.1f}**" if everywhere else "")
    ap = [
        "Average precision, %:",
        "",
        f"| | wrong, % | {' | '.join(KINDS)} |",
        "|---|---|" + "---|" * len(KINDS),
        *(_row(standing, "ap", KINDS) for standing in board),
        f"| {' | '.join(means)} |",
    ]
    first = [
        "Share of wrong labels among the first 50 (or among as many as are wrong, if that is fewer), %:",
        "",
        f"| | wrong, % | {' | '.join((PLAIN, MARGIN, ALL))} |",
        "|---|---|---|---|---|",
        *(_row(standing, "precision", (PLAIN, MARGIN, ALL)) for standing in board),
    ]
    rates = [
        "Noise ratio as estimated from the noisy labels alone, %, and in brackets the error of the matrix (the mean "
        "over the classes of the summed absolute differences of a row, 0 to 2):",
        "",
        f"| | wrong, % | labels that the model predicts, % | {' | '.join(WAYS)} |",
        "|---|---|---|" + "---|" * len(WAYS),
        *(_rates(standing) for standing in board if standing.mean(f"ratio {WAYS[0]}") is not None),
    ]
    seeds = counted(len(standing.runs) for standing in board)
    return "\n".join([*ap, "", *first, "", *rates, "", f"Means over {seeds}. {sweep.made}."])


def where_behind(sweep: Sweep, kind: str = PLAIN) -> list[str]:
    """The tasks on which all kinds together have a lower average precision than one alone."""
    pairs = [(s.name, s.mean(f"ap {ALL}"), s.mean(f"ap {kind}")) for s in standings(sweep)]
    return [name for name, ours, theirs in pairs if ours is not None and theirs is not None and ours < theirs]


def _row(standing: Standing, measure: str, kinds: Sequence[str]) -> str:
    values = [standing.mean(f"{measure} {kind}") for kind in kinds]
    best = max(value for value in values if value is not None)
    cells = ["" if v is None else f"**{100 * v:.1f}**" if v == best else f"{100 * v:.1f}" for v in values]
    return f"| {standing.name} | {100 * (standing.mean('wrong') or 0):.1f} | {' | '.join(cells)} |"


def _rates(standing: Standing) -> str:
    cells = [f"{100 * standing.mean(f'ratio {way}'):.1f} ({standing.mean(f'error {way}'):.2f})" for way in WAYS]  # type: ignore[operator]
    accuracy = 100 * (standing.mean("accuracy") or 0)
    return f"| {standing.name} | {100 * (standing.mean('wrong') or 0):.1f} | {accuracy:.1f} | {' | '.join(cells)} |"
