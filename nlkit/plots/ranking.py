"""Pictures of what losses do to the order of classes: of one image whose labels are known, and of trained networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlkit.intervals import over_seeds
from nlkit.plots.axes import percent_axis
from nlkit.plots.figure import Figure, picture
from nlkit.plots.places import name_point
from nlkit.plots.style import KINDS_OF_LABEL, REFERENCE, styles_of, text_color

_BARS = "#4D5B6A"  # of a picture that has nothing to tell apart by colour


@picture
def kept_orders(shares: Sequence[float], scores: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """How likely each label of one image is, and beside it the scores that are best for each of some losses.

    shares: (K,) in [0, 1]. scores: loss -> (K,) from each of several random starts, drawn as gaps to the highest.
    """
    figure = Figure(figsize=(10, 2.6 * ((len(scores) + 3) // 3)), layout="constrained")
    axes = figure.subplots((len(scores) + 3) // 3, 3, squeeze=False).flatten().tolist()
    places = list(range(len(shares)))
    axes[0].bar(places, [100 * share for share in shares], color=_BARS, width=0.7)
    axes[0].set(title="how likely each label is, %", xticks=places)
    told = []
    for ax, (name, starts) in zip(axes[1:], scores.items()):
        for start, marker in zip(starts, "osD"):
            gaps = [score - max(start) for score in start]
            ax.plot(places, gaps, marker=marker, markersize=8, linestyle="-", linewidth=1, color=_BARS, alpha=0.6)
            told.append(f"{name}: " + ", ".join(f"{gap:.2f}" for gap in gaps))
        low = min(score - max(start) for start in starts for score in start)
        ax.set(title=name, xticks=places, ylim=(1.15 * min(low, -0.2), -0.1 * min(low, -0.2)))
        ax.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    for ax in axes[len(scores) + 1 :]:
        ax.remove()
    figure.supxlabel("label, the likeliest first", fontsize=12)
    figure.supylabel("score below the highest", fontsize=12)
    figure.alt = f"Best scores of one image, as gaps to the highest, by loss. {'; '.join(told)}."
    return figure


@picture
def right_and_second(
    points: Mapping[str, Sequence[tuple[float, float]]],
    curve: Mapping[str, Sequence[tuple[float, float]]],
    *,
    chance: float,
    title: str = "",
    variants: Sequence[str] = (),
) -> Figure:
    """How often a network's first choice is right, to the right, and its second, upwards; means with 95 % intervals.

    points: loss -> (test accuracy, share of the runner-up) in [0, 1], one pair a seed. curve: the same of one loss
    along its setting, joined by a line in this order and named by the setting. chance: of the runner-up. variants: all
    names that several pictures share, in the order of their colours.
    """
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    ax, styles, told = figure.subplots(), styles_of(list(points), variants), []
    means = {name: [over_seeds(v) for v in zip(*seeds)] for name, seeds in {**curve, **points}.items()}
    line = [[100 * interval.mean for interval in means[name]] for name in curve]
    ax.plot(*zip(*line), color=REFERENCE, linewidth=2, zorder=1)
    for name, (right, second) in means.items():
        style = styles[name] if name in points else None
        color, marker = (style.color, style.marker) if style else (REFERENCE, ".")
        ax.errorbar(
            100 * right.mean, 100 * second.mean, xerr=100 * right.half, yerr=100 * second.half, color=color,
            marker=marker, markersize=9, linewidth=1.2, capsize=3, label=name if style else None,
        )  # fmt: skip
        if not style:
            name_point(ax, 100 * right.mean, 100 * second.mean, name, REFERENCE)
        told.append(f"{name} {right.mean:.1%} and {second.mean:.1%}")
    percent_axis(ax, "runner-up is the likeliest wrong label")
    ax.axhline(100 * chance, color=REFERENCE, linestyle=":")
    ax.annotate("chance", (0.995, 100 * chance), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                color=text_color(REFERENCE))  # fmt: skip
    ax.legend(loc="lower left", bbox_to_anchor=(0, 0.14), frameon=False)
    ax.set(xlabel="test accuracy, %", title=title)
    figure.alt = f"Test accuracy, and how often the runner-up is the likeliest wrong label: {'; '.join(told)}."
    return figure


@picture
def told_apart(panels: Mapping[str, tuple[Sequence[float], Sequence[float], float | None]], *, xlabel: str) -> Figure:
    """How far a number of each example tells wrong labels from right ones: a histogram of either, panels side by side.

    panels: title -> (numbers of right labels, of wrong ones, the area under the ROC curve).
    """
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    told = []
    for ax, (title, (right, wrong, area)) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        ends = min([*right, *wrong]), max([*right, *wrong])
        for kind, values in (("right", right), ("wrong", wrong)):
            style = KINDS_OF_LABEL[kind]
            ax.hist(values, bins=40, range=ends, density=True, histtype="step", linewidth=2.2, color=style.color,
                    linestyle=style.line, label=f"{kind} labels")  # fmt: skip
        under = "" if area is None else f": area under the ROC curve {area:.2f}"
        ax.set(title=title + under, xlabel=xlabel, yticks=[])
        told.append(f"{title}: mean {sum(right) / len(right):.2f} of right and {sum(wrong) / len(wrong):.2f} of wrong")
        told[-1] += under.replace(":", ",")
    figure.axes[0].legend(loc="best", frameon=False)
    figure.alt = f"{xlabel}, by kind of label. {'; '.join(told)}."
    return figure
