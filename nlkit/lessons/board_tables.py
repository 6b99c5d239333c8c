"""The leaderboard's tables for the book, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from nlkit.intervals import counted, in_percent, over_seeds
from nlkit.lessons import clothes
from nlkit.lessons.how_far import MARK
from nlkit.lessons.rows import EPOCHS, NOISES, ROWS
from nlkit.lessons.standings import Standing, standings
from nlkit.sweeps.results import Sweep

# Han et al. 2018, Co-teaching, arXiv:1804.06872: MNIST, mean test accuracy of the last ten epochs, in percent.
# Their symmetric noise is without the own class.
PUBLISHED = {
    "standard training": {("pair", 0.45): 56.5, ("symmetric", 0.2): 94.1},
    "forward correction": {("pair", 0.45): 0.2, ("symmetric", 0.2): 98.8},
    "MentorNet": {("pair", 0.45): 80.9, ("symmetric", 0.2): 96.7},
    "Co-teaching": {("pair", 0.45): 87.6, ("symmetric", 0.2): 97.3},
}


def on_digits(sweep: Sweep) -> str:
    """Two tables: all rows at 80 % noise, and those that were run at other noise too."""
    text = [
        *_board(standings(sweep), "MNIST, 80 % of the labels wrong"),
        "",
        f"Mean and 95 % interval over seeds, differences seed by seed; {EPOCHS} epochs. Tuned by trials: EM had about "
        f"fifty, which set its options and the full recipe; no other method had any. {sweep.made}.",
    ]
    return "\n".join([*text, *_at_other_noise(sweep)])


def on_clothes(sweep: Sweep) -> str:
    """One table: the rows on Fashion-MNIST with instance-dependent noise."""
    board = clothes.board(sweep)
    text = [*_board(board, "Fashion-MNIST, 40 % wrong where the image decides"), "", f"As above. {sweep.made}."]
    return "\n".join(text)


def _board(board: Mapping[str, Standing], task: str) -> list[str]:
    text = [
        f"| {task} | told beside the labels | tuned by trials | at the end, % | lowest seed, % "
        "| at its best epoch, % | against true labels, points | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for standing in board.values():
        row, lead = standing.row, ""
        if row.part == "ablations":
            continue
        name = f"*{row.name}*" if row.part == "marks" else row.name
        if row.name != MARK and MARK in board and (pairs := standing.ahead_of(board[MARK])):
            lead = in_percent(over_seeds(list(pairs.values())), signed=True)
        cells = (
            name, row.knows, row.tuned, in_percent(standing.final), f"{100 * standing.lowest:.1f}",
            in_percent(standing.best), lead, str(len(standing.runs)),
        )  # fmt: skip
        text.append(f"| {' | '.join(cells)} |")
    return text


def _at_other_noise(sweep: Sweep) -> list[str]:
    held = {(r.experiment.noise, r.experiment.ratio) for r in sweep.results}
    boards = {at: standings(sweep, *at) for at in NOISES if at in held}
    names = [row.name for row in ROWS if row.everywhere and any(row.name in board for board in boards.values())]
    if len(boards) < 2 or not names:
        return []
    head = " | ".join(f"{noise} {100 * ratio:.0f} %" for noise, ratio in boards)
    seeds = counted(len(b[n].runs) for b in boards.values() for n in names if n in b)
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
