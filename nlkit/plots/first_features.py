"""Pictures of networks that are cut: what the first k of the last features say, for each k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.plots.axes import draw_line, percent_axis, whole_ticks
from nlkit.plots.figure import PANEL_DPI, PANEL_WIDTH, Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, Style, styles_of
from nlkit.plots.words import in_percent_words
from nlkit.records import Recorded

_FAINT = 0.35  # of what hardly any step has kept
_TITLES = {"by_cut": "test accuracy of the first k features, %", "memorized": "wrong labels memorized by them, %"}


@picture
def accuracy_by_features(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """By k: the test accuracy of the first k features alone, and the share of wrong labels that they say.

    records: name -> its records so far, of which the last is drawn, as `nlkit.papers.compressed_digits.Digits` makes
    them; names without any are left out. A diamond is at k*, and faint is what training hardly reaches. variants: all
    the names that there are, in the order of their colours.
    """
    styles, last = styles_of(list(records), variants), {name: run[-1] for name, run in records.items() if run}
    figure = Figure(figsize=(PANEL_WIDTH, 5.2), dpi=PANEL_DPI, layout="constrained")
    axes, told = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 2)}), []
    for ax, number in zip(axes, _TITLES):
        percent_axis(ax, "")
        ax.set(title=_TITLES[number])
        ends = []
        for name, record in last.items():
            if number not in record.shown:  # no label is wrong
                continue
            percent = [100 * share for share in record.shown[number]]
            _draw_by_cut(ax, percent, record.shown, styles[name])
            ends.append((percent[-1], name, styles[name].color))
            at = record.shown["cut"]
            if number == "by_cut":
                said = [f"{in_percent_words(percent[k - 1] / 100)} by {k}" for k in sorted({8, at, len(percent)})]
                told.append(f"{name}: {', '.join(said)}")
        if number == "memorized":
            ax.set_ylim(0, 10 + max([15, *(100 * max(r.shown.get(number, [0])) for r in last.values())]))
        label_ends(ax, range(1, 1 + max((len(r.shown["by_cut"]) for r in last.values()), default=1)), ends)
    axes[-1].set_xlabel("k: how many features are heard (diamond: k*)")
    whole_ticks(axes[-1].xaxis)
    epoch = max((record.epoch for record in last.values()), default=0)
    figure.alt = f"After {epoch} epochs, test accuracy of the first k features alone. {'; '.join(told)}."
    return figure


def _draw_by_cut(ax, percent: Sequence[float], shown: Mapping, style: Style) -> None:
    reach, cut = shown["reach"], shown["cut"]
    k = range(1, len(percent) + 1)
    draw_line(ax, k[:reach], percent[:reach], style, markersize=4)
    ax.plot(k[reach - 1 :], percent[reach - 1 :], color=style.color, linestyle=style.line, alpha=_FAINT)
    ax.plot(cut, percent[cut - 1], color=style.color, marker="D", markersize=9)


@picture
def curves_by_features(records: Mapping[str, Recorded], k: int) -> Figure:
    """Curves through noisy points by the first k features of up to three networks, and their errors for each k.

    records: name -> a record of `nlkit.learning.wave_fit.Wave`. Raises a ValueError for a k beyond their features.
    """
    most = min(len(record.shown["errors"]) for record in records.values())
    if not 1 <= k <= most:
        raise ValueError(f"k={k!r} must be a whole number from 1 to {most}, the number of features")
    styles = styles_of(list(records), list(records))
    figure = Figure(figsize=(PANEL_WIDTH, 5.0), dpi=PANEL_DPI, layout="constrained")
    *fits, errors = figure.subplots(2, 2).flat
    told = []
    for ax, (name, record) in zip(fits, records.items()):
        shown, style = record.shown, styles[name]
        for kind, which in (("right", ~shown["wrong"]), ("wrong", shown["wrong"])):
            mark = KINDS_OF_LABEL[kind]
            ax.scatter(shown["x"][which], shown["y"][which], s=12, color=mark.color, marker=mark.marker, alpha=0.6)
        ax.plot(shown["grid"], shown["curves"][k - 1], color=style.color, linewidth=2)
        ax.set(title=f"{name}, k = {k}", ylim=(-2, 2), xticks=(), yticks=(-1, 0, 1))
        told.append(f"{name} {shown['errors'][k - 1]:.2f} (with all {shown['errors'][-1]:.2f})")
    ends = []
    for name, record in records.items():
        values = record.shown["errors"].tolist()
        errors.plot(range(1, len(values) + 1), values, color=styles[name].color, linestyle=styles[name].line)
        ends.append((values[-1], name, styles[name].color))
    errors.axvline(k, color=REFERENCE, linestyle=":")
    errors.set(title="squared error to the truth, by k", xscale="log", ylim=(0, None))
    errors.set_xticks([at for at in (1, 4, 16, 64) if at <= most], [str(at) for at in (1, 4, 16, 64) if at <= most])
    errors.minorticks_off()
    label_ends(errors, [1, most], ends)
    figure.alt = f"With the first {k} features, mean squared error to the truth: {', '.join(told)}."
    return figure
