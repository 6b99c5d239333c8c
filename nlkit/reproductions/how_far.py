"""The leaderboard's claims, each measured on all of MNIST for one seed, and its tables for the README."""

from __future__ import annotations

import dataclasses

from nlkit.intervals import in_percent, over_seeds
from nlkit.leaderboard import EPOCHS, NOISES, ROWS, SEEDS
from nlkit.reproductions.measures import Measure, Trial
from nlkit.result import Sweep
from nlkit.standings import Standing, counted, standings

BY_NAME = {row.name: row for row in ROWS}
MARK, BEST_MARK = "true labels", "true labels, full recipe"

# Han et al. 2018, Co-teaching, arXiv:1804.06872: MNIST, mean test accuracy of the last ten epochs, in percent.
# Their symmetric noise is without the own class.
PUBLISHED = {
    "standard training": {("pair", 0.45): 56.5, ("symmetric", 0.2): 94.1},
    "forward correction": {("pair", 0.45): 0.2, ("symmetric", 0.2): 98.8},
    "MentorNet": {("pair", 0.45): 80.9, ("symmetric", 0.2): 96.7},
    "Co-teaching": {("pair", 0.45): 87.6, ("symmetric", 0.2): 97.3},
}


def final(t: Trial, name: str) -> float:
    """The last test accuracy of a row at 80 % noise. Trial 0 takes the first of its fresh seeds."""
    experiment = BY_NAME[name].experiment(*NOISES[0], SEEDS[0] + t.seed)
    return t.train(dataclasses.replace(experiment, device=t.device)).final


def _ahead(name: str, other: str) -> Measure:
    return lambda t: final(t, name) - final(t, other)


# Claim -> the row that is measured; and the row that it is measured against, seed by seed, where there is one.
COMPARED: dict[str, tuple[str, ...]] = {
    "leaderboard_goal": ("EM, matrix told",),
    "leaderboard_best": ("EM",),
    "leaderboard_mark": ("EM", MARK),
    "leaderboard_below": ("EM", BEST_MARK),
    "leaderboard_reweight": ("EM", "reweighting"),
    "leaderboard_control": ("EM", "the clean set alone, full recipe"),
    "leaderboard_matrix": ("EM", "EM, matrix told"),
    "leaderboard_no_clean_told": ("EM without a clean set, matrix told",),
    "leaderboard_no_clean": ("EM without a clean set",),
    "leaderboard_forward": ("forward correction, full recipe", "the clean set alone, full recipe"),
    "without_augmentation": ("EM", "EM without augmentation"),
    "without_average": ("EM", "EM without averaged weights"),
    "without_sharpening": ("EM", "EM without sharpening"),
    "without_blends": ("EM", "EM without blends"),
    "without_schedule": ("EM", "EM at a constant rate"),
    "without_clean": ("EM", "EM, clean set for the burn-in only"),
}
MEASURES: dict[str, Measure] = {
    id: _ahead(*rows) if len(rows) == 2 else lambda t, name=rows[0]: final(t, name) for id, rows in COMPARED.items()
}


def by_seed(board: dict[str, Standing]) -> dict[str, tuple[float, ...]]:
    """The same claims from stored runs, those that can be measured there: claim -> a value a seed."""
    measured = {}
    for id, (name, *against) in COMPARED.items():
        if name not in board or (against and against[0] not in board):
            continue
        values = [run.final for run in board[name].runs.values()]
        values = list(board[name].ahead_of(board[against[0]]).values()) if against else values
        if values:
            measured[id] = tuple(values)
    return measured


def from_board(board: dict[str, Standing]) -> dict[str, float]:
    """Claim -> its mean over the seeds of the stored runs."""
    return {id: over_seeds(values).mean for id, values in by_seed(board).items()}


def readme(sweep: Sweep) -> str:
    """Two tables in Markdown: all rows at 80 % noise, and those that were run at other noise too."""
    board = standings(sweep)
    shown = [s for s in board.values() if s.row.part != "ablations"]
    text = [
        "| MNIST, 80 % of the labels wrong | told beside the labels | tuned by trials | at the end, % | lowest seed, % "
        "| at its best epoch, % | against true labels, points | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for standing in shown:
        row, lead = standing.row, ""
        name = f"*{row.name}*" if row.part == "marks" else row.name
        if row.name != MARK and MARK in board and (pairs := standing.ahead_of(board[MARK])):
            lead = in_percent(over_seeds(list(pairs.values())), signed=True)
        cells = (
            name, row.knows, row.tuned, in_percent(standing.final), f"{100 * standing.lowest:.1f}",
            in_percent(standing.best), lead, str(len(standing.runs)),
        )  # fmt: skip
        text.append(f"| {' | '.join(cells)} |")
    text += [
        "",
        f"Mean and 95 % interval over seeds, differences seed by seed; {EPOCHS} epochs. Tuned by trials: EM had about "
        f"fifty, which set its options and the full recipe; no other method had any. {sweep.made}.",
    ]
    return "\n".join([*text, *_at_other_noise(sweep)])


def _at_other_noise(sweep: Sweep) -> list[str]:
    held = {(r.experiment.noise, r.experiment.ratio) for r in sweep.results}
    boards = {at: standings(sweep, *at) for at in NOISES if at in held}
    names = [row.name for row in ROWS if row.everywhere and any(row.name in board for board in boards.values())]
    if len(boards) < 2 or not names:
        return []
    head = " | ".join(f"{noise} {100 * ratio:.0f} %" for noise, ratio in boards)
    seeds = counted({f"{at} {n}": b[n] for at, b in boards.items() for n in names if n in b})
    text = ["", f"At the end, in %, with other noise and unchanged settings ({seeds}):", ""]
    text += [f"| | {head} |", "|---|" + "---|" * len(boards)]
    for name in names:
        cells = [in_percent(board[name].final) if name in board else "" for board in boards.values()]
        text.append(f"| {name} | {' | '.join(cells)} |")
    for name, values in PUBLISHED.items():
        cells = [f"*{values[at]}*" if at in values else "" for at in boards]
        text.append(f"| *published: {name}* | {' | '.join(cells)} |")
    return [
        *text,
        "",
        "*Published* (Han et al. 2018, Co-teaching) is of another network, with nine layers and 200 epochs, and the "
        "mean of its last ten; no row of it had a clean set. Its symmetric noise is without the own class, as here, "
        "but each label is drawn by itself.",
    ]
