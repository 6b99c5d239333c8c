"""Pictures of scores: what is there and what is not as two heaps on [0, 1], and the line where "yes" begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import REFERENCE, Style, faded, styles_of, text_color
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_BINS = 40
_ROW, _ABOVE, _BELOW = 0.8, 0.42, 2.1  # inches: a pair of heaps, the words over the first, the curves


@picture
def heaps_of_scores(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """For each rival the scores of what is there (upwards) and of what is not (downwards); below, mAP by epoch.

    Each heap is drawn as high as there is room. records: name -> its records so far, as
    `nlkit.papers.positive_labels.Ticks` makes them: in the `numbers` of each are "mAP", "f1" and "ticks"; `shown` has
    the scores "there" and "absent". variants: all names that there are, in the order of their colours. A name without a
    record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    above = _ABOVE + _ROW * len(runs)
    figure, place = panel_figure(above + _BELOW)
    told = []
    for row, (name, run) in enumerate(runs.items()):
        ax = place(0.15, _BELOW + _ROW * (len(runs) - 1 - row) + 0.1, 3.1, _ROW - 0.12)
        told.append(_draw_heaps(ax, name, run[-1], styles[name]))
        if not row:
            ax.set_title("scores: there ▲, not there ▼", fontsize=12)
    told.append(_draw_map(place(0.5, 0.48, 3.7, _BELOW - 0.95), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_heaps(ax, name: str, record: Recorded, style: Style) -> str:
    edges = numpy.linspace(0, 1, _BINS + 1)
    for part, up, color in (("there", 1, style.color), ("absent", -1, faded(REFERENCE, 0.6))):
        counts, _ = numpy.histogram(record.shown[part], edges)  # type: ignore[arg-type]
        ax.bar(edges[:-1], up * counts / counts.max(), 1 / _BINS, align="edge", color=color, linewidth=0)
    ax.axhline(0, color=REFERENCE, linewidth=0.8)
    ax.axvline(0.5, color=REFERENCE, linestyle=":")
    ax.set(xlim=(0, 1), ylim=(-1.05, 1.05))
    ax.set_axis_off()
    yes = {part: float((numpy.asarray(record.shown[part]) > 0.5).mean()) for part in ("there", "absent")}
    words = f"{name}: F1 {100 * record.numbers['f1']:.0f}"
    ax.text(1.04, 0.75, words, color=text_color(style.color), va="center")
    said = f"“yes” to {in_percent_words(yes['there'], 0)} there,\n{in_percent_words(yes['absent'], 0)} not there"
    ax.text(1.04, -0.35, said, color=REFERENCE, va="center", fontsize=11, linespacing=1.1)
    ticks = int(record.numbers["ticks"])
    return (
        f"{name}, of {ticks:,} ticks: above one half are {in_percent_words(yes['there'], 0)} of the scores of what is "
        f"there and {in_percent_words(yes['absent'], 0)} of what is not; F1 {in_percent_words(record.numbers['f1'])}."
    )


def _draw_map(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style]) -> str:
    ends, told, drawn, last = draw_runs(ax, runs, styles, "mAP")
    fitted_axis(ax, drawn, "")
    label_ends(ax, [1, last], ends)
    whole_ticks(ax.xaxis)
    ticks = [f"{int(run[-1].numbers['ticks']):,} {name}" for name, run in runs.items()]
    counts = list(dict.fromkeys(int(run[-1].numbers["ticks"]) for run in runs.values()))
    ax.set(title=f"mAP, %, from {' or '.join(f'{count:,}' for count in counts)} ticks", ylabel="")
    ax.set_xlabel("epoch", labelpad=1)
    return f"mAP: {', '.join(told)}. Ticks: {', '.join(ticks)}." if told else "No run yet."
