"""Pictures of recommendations whose goods are pixels: what is recommended to whom, and how good it is by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy
from matplotlib.colors import to_rgb

from nlkit.plots.axes import draw_runs, fitted_axis, whole_ticks
from nlkit.plots.figure import Figure, panel_figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import KINDS_OF_LABEL, styles_of, text_color
from nlkit.records import Recorded

_SIDE, _CURVES, _LEFT = 0.72, 2.6, 1.3  # inches: an image, the curves, room for the names of rows
_PIXELS = 28
_RIGHT, _WRONG = (KINDS_OF_LABEL[kind].color for kind in ("right", "wrong"))


@picture
def pictures_and_ndcg(records: Mapping[str, Sequence[Recorded]], variants: Sequence[str] = ()) -> Figure:
    """Customers as images: their votes, and a row a run with what it recommends; maps of flips; NDCG by epoch.

    records: name -> its records so far, as `nlkit.papers.nbpo.Voting` makes them. variants: all the names that there
    are, in the order of their colours. A name without a record is left out.
    """
    styles, runs = styles_of(list(records), variants), {name: run for name, run in records.items() if run}
    rows = 1 + len(runs) if runs else 0
    height = (0.3 + _SIDE * rows if runs else 0.0) + _CURVES
    figure, place = panel_figure(height)
    told = []
    for row, name in enumerate(["", *runs][:rows]):
        shown = next(iter(runs.values()))[-1].shown if not name else runs[name][-1].shown
        bottom = height - 0.3 - _SIDE * (row + 1)
        count = len(shown["votes"])
        axes = [place(_LEFT + _SIDE * at, bottom, _SIDE - 0.06, _SIDE - 0.06) for at in range(count)]
        words = name.replace(", ", ",\n").replace(" held", "\nheld") if name else "votes, and\nhidden likes"
        color = text_color(styles[name].color) if name else "#444444"
        axes[0].text(-0.08, 0.5, words, color=color, ha="right", va="center", transform=axes[0].transAxes, fontsize=11)
        hits = [_draw_customer(ax, shown, at, recommended=bool(name)) for at, ax in enumerate(axes)]
        flips = shown["flip"] if name else shown["hiding"]
        if flips is not None:
            ax = place(_LEFT + _SIDE * count + 0.12, bottom, _SIDE - 0.06, _SIDE - 0.06)
            _draw_map(ax, flips, shown["places"])
            ax.set_title("hidden" if not name else "", fontsize=11, pad=2)
        if name:
            told.append(f"{name} finds {sum(hits)} hidden likes of {count} customers.")
    told.append(_draw_ndcg(place(0.55, 0.5, 3.7, _CURVES - 0.9), runs, styles))
    figure.alt = " ".join(told)
    return figure


def _draw_customer(ax, shown: Mapping, at: int, *, recommended: bool) -> int:
    """The votes in grey, and what is recommended, or else the hidden likes. How many recommended ones are right."""
    image, places = numpy.ones((_PIXELS * _PIXELS, 3)), numpy.asarray(shown["places"])
    votes, hidden = (numpy.asarray(shown[name][at]) for name in ("votes", "hidden"))
    image[places[votes]] = 0.35 if not recommended else 0.75
    right = 0
    if recommended:
        top = numpy.asarray(shown["top"][at])
        image[places[top[hidden[top]]]], image[places[top[~hidden[top]]]] = to_rgb(_RIGHT), to_rgb(_WRONG)
        right = int(hidden[top].sum())
    else:
        image[places[hidden]] = 0.78
    _show(ax, image.reshape(_PIXELS, _PIXELS, 3))
    return right


def _draw_map(ax, flips, places) -> None:
    """A number of each item in [0, 1], the darker the higher; where there is no item, nothing."""
    image = numpy.full(_PIXELS * _PIXELS, numpy.nan)
    image[numpy.asarray(places)] = numpy.asarray(flips)
    _show(ax, image.reshape(_PIXELS, _PIXELS), cmap="Greys", vmin=0, vmax=1)


def _show(ax, image, **look) -> None:
    ax.imshow(image, interpolation="nearest", **look)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color="#CCCCCC", linewidth=0.6)


def _draw_ndcg(ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping) -> str:
    """NDCG by epoch, and that of the most popular items as a control; in words."""
    ends, told, drawn, last = lines = draw_runs(ax, runs, styles, "ndcg")
    if runs:
        lines.control(ax, next(iter(runs.values()))[-1].numbers["popular"], "most popular", told="the most popular")
    fitted_axis(ax, drawn, "")
    label_ends(ax, [1, last], ends)
    whole_ticks(ax.xaxis, 6)
    ax.set(title="NDCG at 20 of hidden likes, %")
    ax.set_xlabel("epoch", labelpad=1)
    return f"NDCG at 20: {', '.join(told)}." if told else "NDCG by epoch. No run yet."
