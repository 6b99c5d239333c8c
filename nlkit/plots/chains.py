"""Pictures of chains of thought: of one prompt as it is, as it is spoiled, as a network writes it; accuracy by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.plots.axes import draw_runs, percent_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, styles_of, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_ROW, _CURVES = 0.33, 2.9  # inches: a chain, accuracy
_NAMES = 1.75  # inches left of the chains
Chain = Sequence[int]  # the lines that are shown, and the answer


@picture
def spoiled_chains(numbers: Chain, states: Chain, rows: Mapping[str, Chain], every: int) -> Figure:
    """Chains of one prompt under each other, each state below the last number that went into it.

    numbers, states: (T,) those of the prompt, and right states. rows: name -> lines and answer. every: number of states
    from one line to the next. What differs from the right state is wrong.
    """
    height = _ROW * (len(rows) + 3)
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    figure.alt = _draw_chains(figure, 0.05, height - 0.1, numbers, states, rows, every)
    return figure


@picture
def chains_and_accuracy(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """One prompt's chain, as noise of each run's kind would spoil it, and as its network writes it; accuracy by step.

    records: name -> its records so far, as `nlkit.papers.noisy_chains.Writing` makes them. variants: all the names that
    there are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    above = _ROW * (2 * len(runs) + 3) if runs else 0.0  # all there may be, so that pictures of a run are of one size
    height = above + _CURVES
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    told, rows = [], {}
    for name, run in runs.items():
        shown = run[-1].shown
        if list(shown["read"]) != _chain_of(shown["states"], shown["every"]):
            rows[f"{name}, to read"] = shown["read"]
        rows[f"{name}, its own"] = shown["own"]
    if runs:
        shown = next(iter(runs.values()))[-1].shown
        told.append(
            _draw_chains(figure, _CURVES, height - 0.05, shown["numbers"], shown["states"], rows, shown["every"])
        )
    ax = figure.add_axes((0.5 / PANEL_WIDTH, 0.5 / height, 3.9 / PANEL_WIDTH, (_CURVES - 0.95) / height))
    drawn = draw_runs(ax, runs, styles, "accuracy", by="step")
    for name, run in runs.items():
        limit = run[-1].numbers["limit"]
        if limit < 1:
            ax.axhline(100 * limit, color=REFERENCE, linestyle=":")
            drawn.ends.append((100 * limit, f"limit {100 * limit:.0f}", REFERENCE))
            drawn.told.append(f"limit of {name} noise {in_percent_words(limit, 0)}")
    percent_axis(ax, "")
    ax.set_ylim(0, 104)  # a line at 100 % is seen whole
    label_ends(ax, [0, drawn.last], drawn.ends)
    whole_ticks(ax.xaxis, 5)
    ax.set(title="right answers to new prompts, %")
    ax.set_xlabel("step", labelpad=1)
    told.append(f"Right answers: {', '.join(drawn.told)}." if drawn.told else "Right answers by step. No run yet.")
    figure.alt = " ".join(told)
    return figure


def _draw_chains(figure, low: float, high: float, numbers, states, rows: Mapping[str, Chain], every: int) -> str:
    """The chains between two heights in inches, and how many values of each are wrong, in words."""
    numbers, states = [int(value) for value in numbers], [int(value) for value in states]
    height, length = figure.get_figheight(), len(numbers)
    ax = figure.add_axes((_NAMES / PANEL_WIDTH, low / height, 1 - (_NAMES + 0.1) / PANEL_WIDTH, (high - low) / height))
    ax.set(xlim=(-0.6, length + 1.6), ylim=(len(rows) + 1.6, -1))
    ax.set_axis_off()
    ax.text(length + 1, -0.7, "answer", ha="center", va="center", fontsize=11)

    def name_row(row: int, name: str) -> None:
        ax.annotate(name, (0, row), (-8, 0), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
                    va="center", annotation_clip=False)  # fmt: skip

    name_row(0, "numbers")
    for at, number in enumerate(numbers):
        ax.text(at, 0, str(number), ha="center", va="center")
    ax.axhline(0.5, color=REFERENCE, linewidth=0.8)
    told = []
    right = _chain_of(states, every)
    places = [*range(every - 1, length, every), length + 1]
    for row, (name, chain) in enumerate({"right": right, **rows}.items(), start=1):
        name_row(row, name)
        values = [int(value) for value in chain]
        for at, value, truth in zip(places, values, right):
            wrong = value != truth
            look = text_color(KINDS_OF_LABEL["wrong" if wrong else "right"].color)
            box = {"boxstyle": "square,pad=0.18", "facecolor": "none", "edgecolor": look} if wrong else None
            ax.text(
                at, row, str(value), color=look, ha="center", va="center", bbox=box, weight="bold" if wrong else None
            )
        told.append(f"{name}: {sum(a != b for a, b in zip(values, right))}")
    return (
        f"Of {len(right)} values of a chain of the numbers {', '.join(map(str, numbers))} are wrong: {'; '.join(told)}."
    )


def _chain_of(states: Chain, every: int) -> list[int]:
    """The lines that are shown of all states, and the answer."""
    return [int(value) for value in [*states[every - 1 :: every], states[-1]]]
