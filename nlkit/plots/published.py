"""A picture of curves that were published, beside one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.plots.axes import draw_line, percent_axis, whole_ticks
from nlkit.plots.belts import interval_or_nan
from nlkit.plots.figure import Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import Style
from nlkit.plots.words import end_of, told_line


@picture
def beside_published(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    published: Mapping[str, Mapping[str, Mapping[int, float]]],
    styles: Mapping[str, Style],
    *,
    title: str = "",
) -> Figure:
    """Panels side by side; in each, lines of shares in [0, 1] by epoch, and the published values as open rings.

    panels: title -> name of a line -> runs, each a value an epoch from the first on: the mean as a line, and with two
        runs or more its 95 % interval as a belt.
    published: title -> name of a line -> epoch -> value.
    """
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    told = []
    for ax, (panel, lines) in zip(axes, panels.items()):
        ends, x = [], range(1, max(len(runs[0]) for runs in lines.values()) + 1)
        for name, runs in lines.items():
            style = styles[name]
            mean = [100 * sum(at) / len(at) for at in zip(*runs, strict=True)]
            mine, end = x[: len(mean)], end_of(mean)  # some runs may be shorter
            if len(runs) > 1:
                belt = [interval_or_nan(at) for at in zip(*runs)]
                low, high = [100 * i.low for i in belt], [100 * i.high for i in belt]
                ax.fill_between(mine, low, high, color=style.color, alpha=0.2, linewidth=0)
            draw_line(ax, mine, mean, style)
            ends.append((end, f"{name} {end:.1f}", style.color))
            text = told_line(f"{panel}, {name}", mine, [value / 100 for value in mean])
            if rings := published.get(panel, {}).get(name):
                ring = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgewidth": 1.8}
                values = [100 * value for value in rings.values()]
                ax.plot(list(rings), values, linestyle="none", color=style.color, clip_on=False, **ring)
                text += f", published {values[0]:.1f} to {values[-1]:.1f} %"
            told.append(text)
        label_ends(ax, x, ends)
        percent_axis(ax, "accuracy" if ax is axes[0] else "")
        whole_ticks(ax.xaxis)
        ax.set_xlabel("epoch (rings: published)" if published else "epoch")
        ax.set_title(panel)
    figure.suptitle(title, x=0.01, ha="left")
    figure.alt = "Accuracy by epoch, from first to last. " + "; ".join(told) + "."
    return figure
