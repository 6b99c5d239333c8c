"""Pictures of a benchmark whose test labels are partly wrong: the order of its models, and where two change places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.lines import Line2D

from nlkit.learning.prevalence import accuracy_at, crossing
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.style import REFERENCE, Style, styles_of
from nlkit.records import Recorded

_HEIGHT = 5.6  # inches
_OTHER = Style(REFERENCE, ".", "-")


@picture
def orders_of_models(
    records: Mapping[str, Sequence[Recorded]], variants: Sequence[str], two: tuple[str, str]
) -> Figure:
    """For each kind of wrong label the accuracy of models by given and by true labels, joined by lines.

    Lines that cross are pairs in another order. Below, what is to be expected of two models if more or fewer of the
    test labels were wrong.
    records: name -> its records so far, one a model, as `nlkit.papers.pervasive_label_errors` makes them; names without
    any are left out, and there must be one. variants: all the names that there are. two: the names of the stiff model
    and of the flexible one.
    """
    runs = {name: records[name] for name in variants if records.get(name)}
    figure, styles = Figure(figsize=(PANEL_WIDTH, _HEIGHT), dpi=PANEL_DPI), styles_of(two)
    axes = figure.subplots(2, len(runs), squeeze=False, sharey="row")
    figure.subplots_adjust(left=0.12, right=0.96, top=0.94, bottom=0.19, hspace=0.52, wspace=0.15)
    told = []
    for column, (name, run) in enumerate(runs.items()):
        told += [_draw_order(axes[0, column], name, run, styles), _draw_lines(axes[1, column], run, styles)]
    axes[0, 0].set_ylabel("accuracy, %")
    axes[1, 0].set_ylabel("accuracy, %")
    handles = [Line2D([], [], color=style.color, marker=style.marker, label=name) for name, style in styles.items()]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.1, 0.03), ncols=2, frameon=False)
    figure.text(0.12, 0.012, "below, dashed: by given labels, solid: by true ones; dotted: as it is", color=REFERENCE,
                fontsize=11)  # fmt: skip
    figure.alt = " ".join(told)
    return figure


def _draw_order(ax, name: str, run: Sequence[Recorded], styles: Mapping[str, Style]) -> str:
    ends = []
    for record in run:
        model, sides = str(record.shown["model"]), [100 * record.numbers[by] for by in ("given", "true")]
        style, told = styles.get(model, _OTHER), model in styles
        ax.plot((0, 1), sides, color=style.color, marker=style.marker, linewidth=2.4 if told else 1.2,
                markersize=7, zorder=3 if told else 2)  # fmt: skip
        ends += [f"{model} {sides[0]:.1f} % by given and {sides[1]:.1f} % by true labels"] * told
    wrong, flips = run[-1].numbers["wrong"], run[-1].numbers["flips"]
    pairs = len(run) * (len(run) - 1) // 2
    ax.set(title=f"{name}: {100 * wrong:.0f} % wrong", xlim=(-0.15, 1.15))
    ax.set_xticks((0, 1), ("by given", "by true"))
    ax.set_xlabel(f"{flips:.0f} of {pairs} pairs cross", labelpad=2)
    head = f"{name}, {100 * wrong:.0f} % of the test labels wrong: {flips:.0f} of {pairs} pairs of models stand in "
    return f"{head}another order by given labels than by true ones. {'; '.join(ends)}."


def _draw_lines(ax, run: Sequence[Recorded], styles: Mapping[str, Style]) -> str:
    """Two straight lines a model; in words, where those by given labels cross."""
    found = {}
    for record in run:
        style = styles.get(str(record.shown["model"]))
        if style and "as_labelled" in record.numbers:
            right = record.numbers["right"]
            for on_wrong, dashes in ((record.numbers["as_labelled"], "--"), (record.numbers["seen_through"], "-")):
                line = [100 * accuracy_at(n, on_wrong, right) for n in (0, 0.5, 1)]
                ax.plot((0, 50, 100), line, dashes, color=style.color, marker=style.marker, markevery=[1])
            found[record.shown["model"]] = (record.numbers["as_labelled"], right)
    ax.axvline(100 * run[-1].numbers["wrong"], color=REFERENCE, linestyle=":")
    ax.set(xlabel="wrong test labels, %", xlim=(0, 100), ylim=(0, 100), xticks=(0, 50, 100))
    at = crossing(*found.values()) if len(found) == 2 else None
    if at is None:
        return ""
    return f"By given labels the two would change places where {100 * at:.0f} % of the test labels are wrong."
