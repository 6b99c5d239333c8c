"""Pictures of pruned data: accuracy by what was kept, without and with a teacher's answers, and what was kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_line, percent_axis
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, styles_of, text_color
from nlkit.records import Recorded

_ROW, _CURVES, _NAME, _RIGHT = 0.62, 3.3, 0.95, 1.1  # inches: kept digits, accuracy above, words beside


@picture
def accuracy_by_share(
    records: Mapping[str, Sequence[Recorded]],
    shares: Sequence[float],
    cell: Callable[[str, float], str],
    variants: Sequence[str] = (),
) -> Figure:
    """Two lines a choice, dashed without and solid with a teacher; below, some digits that it kept, wrong ones marked.

    records: name -> its records so far, as `nlkit.papers.pruning_distillation_students.Students` makes them. shares: of
    the data that are kept. cell: gives the name of a number. variants: all the names that there are, in the order of
    their colours. A name without a record is left out.
    """
    styles, last = styles_of(list(records), variants), {name: run[-1] for name, run in records.items() if run}
    below = 0.3 + _ROW * len(last) if last else 0.0
    height = _CURVES + below
    figure = Figure(figsize=(PANEL_WIDTH, height), dpi=PANEL_DPI)
    ax = figure.add_axes((0.6 / PANEL_WIDTH, (below + 0.55) / height, 5.2 / PANEL_WIDTH, (_CURVES - 0.9) / height))
    x, told = [100 * share for share in shares], []
    for name, record in last.items():
        lines = {kind: [100 * record.numbers[cell(kind, share)] for share in shares] for kind in ("CE", "KD")}
        draw_line(ax, x, lines["CE"], styles[name]._replace(line="--"), markersize=5)
        draw_line(ax, x, lines["KD"], styles[name]._replace(line="-"), markersize=5)
    if last:
        taught = max(record.numbers["teacher"] for record in last.values())
        ax.axhline(100 * taught, color=REFERENCE, linestyle=":", zorder=0)
        told.append(f"the teacher {taught:.1%}")
        words = f"some of the {100 * shares[1]:g} % kept, with given labels; accuracy, labels alone → KD"
        figure.text(0.02, (below - 0.12) / height, words, fontsize=11)
    percent_axis(ax, "")
    ax.set(xscale="log", title="test accuracy, %:  — KD,  - - labels alone,  ··· teacher")
    ax.set_xticks(x, [f"{share:g}" for share in x])
    ax.minorticks_off()
    ax.set_xlabel("digits kept, %", labelpad=1)
    for place, (name, record) in enumerate(last.items(), start=1):
        box = (_NAME / PANEL_WIDTH, (below - 0.3 - _ROW * place) / height,
               1 - (_NAME + _RIGHT) / PANEL_WIDTH, (_ROW - 0.04) / height)  # fmt: skip
        alone, taught = (record.numbers[cell(kind, shares[1])] for kind in ("CE", "KD"))
        told.append(f"{name} {alone:.1%} without and {taught:.1%} with it")
        ends = f"{100 * alone:.0f} → {100 * taught:.0f}\n{record.numbers[cell('wrong', shares[1])] * 100:.0f} % wrong"
        told.append(_draw_kept(figure.add_axes(box), name, record.shown, styles[name].color, ends))
    figure.alt = f"Test accuracy of {100 * shares[1]:g} % kept: " + ("; ".join(told) or "no run yet") + "."
    return figure


def _draw_kept(ax, name: str, shown: Mapping[str, object], color: str, ends: str) -> str:
    """A row of kept digits with their given labels, wrong ones crossed, and words at its end; the row in words."""
    images, given, true = (numpy.asarray(shown[part]) for part in ("images", "given", "true"))
    side = images.shape[1]
    for at, (image, label, truth) in enumerate(zip(images, given, true)):
        look = KINDS_OF_LABEL["right" if label == truth else "wrong"]
        ax.imshow(image, cmap="gray_r", extent=(1.25 * side * at, 1.25 * side * at + side, side, 0))
        words = f"{label}" if label == truth else f"{label} ✗"
        ax.text(1.25 * side * at + side / 2, -0.05 * side, words, color=text_color(look.color), ha="center",
                va="bottom", fontsize=11)  # fmt: skip
    ax.set(xlim=(0, 1.25 * side * max(len(images), 1)), ylim=(side, -0.8 * side))
    ax.set_axis_off()
    ax.text(-0.01, 0.4, name.replace(" ", "\n"), color=text_color(color), ha="right", va="center",
            transform=ax.transAxes, linespacing=1)  # fmt: skip
    ax.text(1.01, 0.4, ends, color=text_color(color), va="center", transform=ax.transAxes, fontsize=11)
    return f"of {len(given)} digits that {name} keeps {int((given != true).sum())} have a wrong label"
