"""Pictures of estimated noise: the share of wrong labels by way of estimating, and the matrices beside the planted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy

from nlkit.intervals import over_seeds
from nlkit.noise.matrices import matrix_error
from nlkit.plots.axes import GRID, class_ticks
from nlkit.plots.figure import PANEL_WIDTH, Figure, panel_figure, picture
from nlkit.plots.matrices import colors_of_percent
from nlkit.plots.style import styles_of, text_color

_ROW, _SIDE, _KEY, _BELOW = 0.52, 1.18, 0.62, 0.6  # inches: of a row, a matrix, the key above, the axis below
_PLANTED = "#5E5E5E"


@picture
def estimated_ratios(
    found: Mapping[str, Mapping[str, Sequence[float]]], planted: Mapping[str, float], ways: Sequence[str]
) -> Figure:
    """Estimated noise ratios, a line of marks for each kind of noise; the bar across it is what was planted.

    found: name of a line -> way of estimating -> one ratio or several, of which the mean with its 95 % interval is
    drawn. planted: name -> ratio. ways: all that there are, in the order of their colours. Ratios are in [0, 1].
    """
    height = _KEY + _BELOW + _ROW * max(1, len(found))
    figure, place = panel_figure(height)
    ax, styles, told = place(1.65, _BELOW, PANEL_WIDTH - 1.8, height - _KEY - _BELOW), styles_of(ways), []
    for line, (name, of_ways) in enumerate(found.items()):
        x = 100 * planted[name]
        ax.plot([x, x], [line - 0.42, line + 0.42], color=_PLANTED, linewidth=3, solid_capstyle="butt", zorder=1)
        words = []
        for way, values in of_ways.items():
            style, interval = styles[way], over_seeds([100 * value for value in values])
            y = line + 0.17 * (list(ways).index(way) - (len(ways) - 1) / 2)
            half = None if numpy.isnan(interval.half) else interval.half
            ax.errorbar(interval.mean, y, xerr=half, color=style.color, marker=style.marker, markersize=7, capsize=2)
            words.append(f"{way} {interval.mean:.1f} %")
        told.append(f"{name}: planted {x:.1f} %, {', '.join(words)}")
    most = max([20.0, *(100 * ratio for ratio in planted.values()), *_all(found)])
    ax.set(xlim=(-1, 1.06 * most), ylim=(len(found) - 0.5, -0.5), xlabel="estimated share of wrong labels, %")
    ax.set_yticks(range(len(found)), [name.replace(", ", "\n") for name in found])
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    handles = [ax.plot([], [], color=styles[way].color, marker=styles[way].marker, linestyle="", label=way)[0]
               for way in ways]  # fmt: skip
    handles.insert(0, ax.plot([], [], color=_PLANTED, linewidth=3, label="planted")[0])
    figure.legend(handles=handles, loc="upper left", ncols=3, frameon=False, borderpad=0.2, columnspacing=1.2)
    figure.alt = "Estimated share of wrong labels by way of estimating. " + "; ".join(told or ["nothing yet"]) + "."
    return figure


def _all(found: Mapping[str, Mapping[str, Sequence[float]]]) -> list[float]:
    return [100 * value for of_ways in found.values() for values in of_ways.values() for value in values]


@picture
def estimates_beside_truth(
    ratios: Mapping[str, float],
    matrices: Mapping[str, numpy.ndarray],
    planted: float,
    true: numpy.ndarray,
    class_names: Sequence[str],
    *,
    ways: Sequence[str],
) -> Figure:
    """Above, the share of wrong labels by way of estimating; below, the planted matrix and those that were estimated.

    ratios: way -> share in [0, 1]; planted: the true one, a line across. matrices: way -> T (K, K) beside `true`.
    ways: all that there will be, in the order of their colours; one without a number yet has an empty line.
    """
    lines, below = 0.3 * len(ways), _SIDE + 0.95
    height = lines + below + 0.75
    figure, place = panel_figure(height)
    ax, styles, told = place(1.45, below + 0.5, PANEL_WIDTH - 2.05, lines), styles_of(ways), []
    most = 100 * max([0.2, planted, *ratios.values()])
    for line, way in enumerate(ways):
        if way in ratios:
            percent = 100 * ratios[way]
            ax.barh(line, percent, color=styles[way].color, height=0.55)
            ax.text(percent + 0.015 * most, line, f"{percent:.1f}", va="center", fontsize=11)
            told.append(f"{way} {percent:.1f} %")
    ax.axvline(100 * planted, color=_PLANTED, linewidth=2.5, linestyle="--")
    ax.set(xlim=(0, 1.1 * most), ylim=(len(ways) - 0.4, -0.6), xlabel="estimated share of wrong labels, %")
    ax.set_yticks(range(len(ways)), ways)
    ax.tick_params(axis="y", length=0)
    ax.set_title(f"planted: {100 * planted:.1f} %", color=text_color(_PLANTED), fontsize=12, pad=4)
    norm = colors_of_percent(100 * max(float(each.max()) for each in [true, *matrices.values()]))
    across = [name for name in ways if name in matrices]
    step = (PANEL_WIDTH - 0.55) / 4
    for column, name in enumerate(("planted T", *across)):
        cell = place(0.5 + column * step, 0.5, _SIDE, _SIDE)
        matrix = true if not column else matrices[name]
        cell.imshow(100 * matrix, cmap="Greys", norm=norm)
        class_ticks(cell, "xy", class_names, 0.8)
        cell.spines[:].set_visible(False)
        error = matrix_error(matrix, true)
        cell.set_title(f"{name}\nerror {error:.2f}" if column else name, fontsize=11, pad=3)
        cell.set(xlabel="given", ylabel="" if column else "true")
        if column:
            told.append(f"T {name} has an error of {error:.2f}")
    figure.alt = f"Planted: {planted:.1%} of the labels are wrong. Estimated: {'; '.join(told) or 'nothing yet'}."
    return figure
