"""Pictures of lists of suspects: what is found when so many labels are looked at, and whole lists in one number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy
import torch
from matplotlib.patches import Rectangle
from torch import Tensor

from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, faded, text_color
from nlkit.plots.tiles import cell_size, draw_labelled
from nlkit.plots.words import in_percent_words
from nlkit.tasks.task import Task

_LINE, _LEFT, _BELOW = 0.29, 1.95, 0.32  # inches: of a bar, names beside the bars, the axis below them
_BAR = "#4D5B6A"


@picture
def suspects_looked_at(
    found: Mapping[str, tuple[float, float]],
    task: Task,
    picks: Tensor,
    *,
    share: float,
    chosen: str,
    controls: Sequence[str] = (),
    kinds: Sequence[str] = (),
) -> Figure:
    """Precision and recall of each list when a share of the labels is looked at, and examples of one of the lists.

    found: kind -> (precision, recall) in [0, 1]. picks: (2, columns) places of noisy examples: the first of the
    `chosen` list, and the last of those that are looked at. controls: kinds that are drawn in grey. kinds: all that
    there will be; one without numbers yet has an empty line.
    """
    kinds = list(kinds or found)
    step_y, step_x = cell_size(task)
    sheet = (PANEL_WIDTH - 0.9) * 2 * step_y / (picks.shape[1] * step_x)
    bars = _LINE * len(kinds)
    height = bars + _BELOW + 0.34 + sheet + 0.4
    figure, place = panel_figure(height)
    width = (PANEL_WIDTH - _LEFT - 0.75) / 2
    for column, what in enumerate(("precision, %", "recall, %")):
        ax = place(_LEFT + column * (width + 0.35), sheet + 0.4 + _BELOW, width, bars)
        for line, kind in enumerate(kinds):
            if kind not in found or numpy.isnan(found[kind][column]):
                continue
            percent = 100 * found[kind][column]
            ax.barh(line, percent, height=0.6, color=REFERENCE if kind in controls else _BAR,
                    hatch="//" if kind in controls else None, edgecolor="white")  # fmt: skip
            ax.text(percent + 2.5, line, f"{percent:.0f}", va="center", fontsize=11)
        ax.set(xlim=(0, 117), ylim=(len(kinds) - 0.45, -0.55), xticks=(0, 50, 100))
        ax.set_title(what, fontsize=12, pad=4)
        ax.set_yticks(range(len(kinds)), kinds if not column else [""] * len(kinds))
        if not column:
            for text, kind in zip(ax.get_yticklabels(), kinds):
                text.set_weight("bold" if kind == chosen else "normal")
        ax.tick_params(axis="y", length=0)
    count = round(share * task.noisy_count)
    below = place(0.75, 0.02, PANEL_WIDTH - 0.85, sheet)
    draw_labelled(below, task, picks, fontsize=11, letters=8)
    for row, name in enumerate(("first", "last")):
        below.text(-0.1 * step_x, (row + 0.35) * step_y, name, ha="right", va="center", fontsize=11)
    words = f"{chosen}: the first of its {count:,} and the last of them; ✗ given (true)"
    figure.text(0.02, (sheet + 0.16) / height, words, fontsize=11, color=text_color(KINDS_OF_LABEL["wrong"].color))
    told = [f"{kind} {in_percent_words(p, 0)} and {in_percent_words(r, 0)}" for kind, (p, r) in found.items()]
    shown = [int(task.wrong.cpu()[row].sum()) for row in picks]
    figure.alt = (
        f"{share:.0%} of the labels looked at, {count:,}. Precision and recall: "
        f"{'; '.join(told) or 'nothing yet'}. By {chosen}, {shown[0]} of the first {picks.shape[1]} are wrong, and "
        f"{shown[1]} of the last {picks.shape[1]}."
    )
    return figure


@picture
def shares_by_kind(values: Mapping[str, Mapping[str, float]], *, title: str) -> Figure:
    """A table of shares in percent, a column for each task, a row for each kind; the best of a column is in bold.

    values: task -> kind -> share in [0, 1]. The darker, the higher.
    """
    kinds = list(dict.fromkeys(kind for column in values.values() for kind in column))
    figure, place = panel_figure(0.85 + _LINE * max(1, len(kinds)))
    ax = place(_LEFT, 0.08, PANEL_WIDTH - _LEFT - 0.1, _LINE * max(1, len(kinds)))
    table = numpy.array([[column.get(kind, numpy.nan) for column in values.values()] for kind in kinds])
    told = []
    for column, (task, of_kinds) in enumerate(values.items()):
        best = max(of_kinds, key=lambda kind: of_kinds[kind])
        for line, kind in enumerate(kinds):
            share = table[line, column]
            if numpy.isnan(share):
                continue
            ax.add_patch(_cell(column, line, faded("#00595E", 0.05 + 0.5 * float(share) ** 2)))
            weight = "bold" if kind == best else "normal"
            ax.text(column + 0.5, line + 0.5, f"{100 * share:.1f}", ha="center", va="center", fontsize=11,
                    weight=weight)  # fmt: skip
        told.append(f"{task}: best {best} {of_kinds[best]:.1%}, " + ", ".join(
            f"{kind} {share:.1%}" for kind, share in of_kinds.items() if kind != best))  # fmt: skip
    ax.set(xlim=(0, max(1, len(values))), ylim=(len(kinds), 0))
    ax.set_yticks([line + 0.5 for line in range(len(kinds))], kinds)
    ax.set_xticks(
        [column + 0.5 for column in range(len(values))], [re.sub("[ -]", _broken, name, count=1) for name in values]
    )
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.text(0.02, 1 - 0.12 / figure.get_figheight(), title, fontsize=12, va="top")
    figure.alt = f"{title.replace(chr(10), ' ')}. {'; '.join(told) or 'Nothing yet'}."
    return figure


def _broken(found: re.Match) -> str:
    return found[0].strip() + "\n"


def _cell(column: int, line: int, color: str) -> Rectangle:
    return Rectangle((column, line), 1, 1, facecolor=color, edgecolor="white")


def ends_of_a_list(suspicion: numpy.ndarray, share: float, columns: int = 8) -> Tensor:
    """(2, columns) places: the most suspicious of all, and the least suspicious of the share that is looked at."""
    order = numpy.argsort(-suspicion, kind="stable")
    count = max(2 * columns, round(share * len(order)))
    return torch.from_numpy(numpy.stack([order[:columns], order[count - columns : count]]).copy())
