"""Pictures of pairs of halves: what an image came with, what it was lent, what belongs to it, and recall by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, styles_of, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_ROWS = {"given": "came with", "lent": "is lent", "true": "belongs"}
_COLORS = {"given": KINDS_OF_LABEL["wrong"].color, "lent": REFERENCE, "true": KINDS_OF_LABEL["right"].color}
_ROW, _CURVES, _LEFT = 0.5, 2.7, 1.05  # inches


@picture
def glued_halves(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Mismatched left halves with three right halves each, glued together; below, recall by epoch for each rival.

    records: name -> its records so far, as `nlkit.papers.pc2.Correspondence` makes them: `shown` has the digits
    (n, 28, 28) "given", "lent" and "true", or is empty. variants: all names that there are, in the order of their
    colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    lenders = {name: run[-1] for name, run in runs.items() if run[-1].shown}
    above = 0.3 + _ROW * len(_ROWS) if lenders else 0.0
    height = above + _CURVES
    figure, place = panel_figure(height)
    told = []
    for name, record in list(lenders.items())[-1:]:
        for row, (which, words) in enumerate(_ROWS.items()):
            bottom = height - 0.3 - _ROW * (row + 1)
            ax = place(_LEFT, bottom, 0.99 * PANEL_WIDTH - _LEFT, 0.46)
            _draw_row(ax, record.shown[which], words, _COLORS[which])
            if not row:
                ax.set_title(f"left halves that came with a wrong right half ({name})", fontsize=12, x=-0.18, pad=3)
        told.append(f"Left halves whose right half is wrong, with the one that each came with, the one that {name} "
                    f"lends, and the one that belongs to it; {in_percent_words(record.numbers['same'], 0)} of those "
                    "that are lent are of the same digit.")  # fmt: skip
    ax = place(0.5, 0.5, 3.8, _CURVES - 0.9)
    ends, words_, drawn, last = draw_runs(ax, runs, styles, "recall")
    fitted_axis(ax, drawn, "")
    label_ends(ax, [1, last], ends)
    whole_ticks(ax.xaxis)
    ax.set(title="recall, %: the mean of 1, 5 and 10, both ways", ylabel="")
    ax.set_xlabel("epoch", labelpad=1)
    told.append(f"Recall, mean of 1, 5 and 10, both ways: {', '.join(words_)}." if words_ else "No run yet.")
    figure.alt = " ".join(told)
    return figure


@picture
def rows_of_digits(rows: Mapping[str, Any]) -> Figure:
    """Left halves, each glued to a right half. rows: of "given", "lent" and "true", the digits (n, 28, 28)."""
    height = _ROW * len(rows) + 0.05
    figure, place = panel_figure(height)
    for row, (which, digits) in enumerate(rows.items()):
        bottom = height - _ROW * (row + 1)
        ax = place(_LEFT, bottom, 0.99 * PANEL_WIDTH - _LEFT, 0.46)
        _draw_row(ax, digits, _ROWS[which], _COLORS[which])
    count = len(next(iter(rows.values())))
    kinds = " and one that ".join(_ROWS[which] for which in rows)
    figure.alt = f"{count} left halves of digits, each glued to a right half that {kinds}."
    return figure


def _draw_row(ax, digits: Any, words: str, color: str) -> None:
    count, side = len(digits), digits.shape[1]
    ax.imshow(digits.transpose(1, 0, 2).reshape(side, -1), cmap="gray_r", aspect="equal")
    for place in range(count):
        ax.axvline((place + 0.5) * side - 0.5, color=color, linewidth=0.8, linestyle=":")
        ax.axvline((place + 1) * side - 0.5, color="white", linewidth=3)
    ax.text(-0.01, 0.5, words, transform=ax.transAxes, ha="right", va="center", color=text_color(color), fontsize=12)
    ax.set_axis_off()
