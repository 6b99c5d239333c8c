"""The players' charts in Vega-Lite: colours, markers and dashes are those of the kit's own pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle

from nlkit.plots.axes import GRID
from nlkit.plots.style import REFERENCE, Style, styles_of

HEIGHT, ROW = 260, 34  # pixels: of a chart of curves, and of a row of dots
TEXT = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 0, "titleLimit": 0}
CONFIG: dict[str, Any] = {
    "background": "white",  # as the pictures of the chapters, also at night
    "view": {"stroke": None},
    "axis": {**TEXT, "gridColor": GRID},
    "legend": {**TEXT, "orient": "top", "columns": 2, "symbolSize": 90, "title": None},
}


@dataclass(frozen=True)
class Chart:
    """A specification, what it shows in words, and the knob along its axis, if it is there for that knob alone."""

    spec: dict[str, Any]
    shows: str
    along: int | None = None


def marker_path(marker: str) -> str:
    """A marker of matplotlib as the outline that Vega takes for one, in a square from -1 to 1."""
    style = MarkerStyle(marker)
    told = []
    for points, code in style.get_path().transformed(style.get_transform()).iter_segments():
        letter = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}[int(code)]
        xy = "" if letter == "Z" else ",".join(f"{side * 2 * value:.3g}" for value, side in zip(points, [1, -1] * 3))
        told.append(f"{letter}{xy}")
    return "".join(told)


def dashes(style: Style, width: float = 2) -> list[float]:
    """The dashes of a line in pixels; none for one that is drawn through."""
    line = Line2D([], [], linestyle=style.line, linewidth=width)
    return [float(part) for part in line._dash_pattern[1] or ()]


def table(rows: Sequence[Mapping[str, object]]) -> alt.InlineData:
    """Rows as CSV, which is a fifth as long as JSON; what is None is empty there, and null to Vega."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    kinds = {name: "string" if isinstance(value, str) else "number" for name, value in rows[0].items()}
    return alt.InlineData(values=text.getvalue(), format=alt.CsvDataFormat(type="csv", parse=kinds))


def looks(names: Sequence[str], variants: Sequence[str], told: bool = True) -> dict[str, Any]:
    """The encodings of variants by colour, marker and dashes, which one legend tells together; or none, unless told.

    variants: all that there are, where a chart has some of them.
    """
    styles = styles_of(list(names), list(variants))
    words = "replace(datum.label, /_/g, ' ')"
    legend = alt.Legend(labelExpr=words, symbolOpacity=1) if told else None

    def scale(of: Mapping[str, object]) -> alt.Scale:
        return alt.Scale(domain=list(names), range=[of[name] for name in names])

    return {
        "color": alt.Color("variant:N", legend=legend, scale=scale({n: styles[n].color for n in names})),
        "shape": alt.Shape("variant:N", legend=legend, scale=scale({n: marker_path(styles[n].marker) for n in names})),
        "strokeDash": alt.StrokeDash("variant:N", legend=legend, scale=scale({n: dashes(styles[n]) for n in names})),
    }


def shown(knobs: int, without: int | None = None) -> str:
    """The condition that a row is at the point that is shown, or was run without a knob that it knows nothing of."""
    told = [f"(datum.k{i} === null || datum.k{i} === k{i})" for i in range(knobs) if i != without]
    return " && ".join(told) or "true"


def finished(chart: alt.Chart | alt.LayerChart, knobs: int, starts: Sequence[int], height: float) -> dict[str, Any]:
    """The specification, with a parameter for the place of each knob that the page's controls set."""
    params = [alt.param(name=f"k{turn}", value=start) for turn, start in enumerate(starts[:knobs])]
    made = chart.add_params(*params) if params else chart
    made = made.properties(width="container", height=height).configure(**CONFIG)
    return made.to_dict()


def curves(
    rows: Sequence[Mapping[str, object]],
    names: Sequence[str],
    starts: Sequence[int],
    title: str,
    variants: Sequence[str] = (),
) -> dict[str, Any]:
    """Shares in percent by epoch: the mean over seeds as a line with markers, its belt from lowest to highest."""
    look = looks(names, variants)
    last = max(int(row["epoch"]) for row in rows)  # type: ignore[call-overload]
    base = alt.Chart(table(rows)).transform_filter(shown(len(starts)))
    x = alt.X("epoch:Q", title="epoch", scale=alt.Scale(domain=[1, last]), axis=alt.Axis(grid=False, tickMinStep=1))
    y = alt.Y("mean:Q", title=None, scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5))
    belt = base.mark_area(opacity=0.15).encode(x, alt.Y("low:Q", title=None), alt.Y2("high:Q"), look["color"])
    line = base.mark_line(strokeWidth=2).encode(x, y, look["color"], look["strokeDash"])
    every = max(1, last // 10)
    marks = base.transform_filter(f"(datum.epoch - 1) % {every} === 0")
    points = marks.mark_point(filled=True, size=45, opacity=1).encode(x, y, look["color"], look["shape"])
    top = alt.TitleParams(title, anchor="start", fontSize=13, fontWeight="normal")
    return finished(alt.layer(belt, line, points).properties(title=top), len(starts), starts, HEIGHT)


def ends(
    rows: Sequence[Mapping[str, object]],
    names: Sequence[str],
    starts: Sequence[int],
    title: str,
    variants: Sequence[str] = (),
    form: str = "",
) -> dict[str, Any]:
    """Where variants end: a row for each, its mean over seeds as its marker, and its 95 % interval.

    form: of the numbers at the axis, as D3 has it.
    """
    look = looks(names, variants, told=False)
    base = alt.Chart(table(rows))
    low, high = min(float(row["low"]) for row in rows), max(float(row["high"]) for row in rows)  # type: ignore[arg-type]
    room = 0.04 * (high - low)
    scale = alt.Scale(domain=[low - room, high + room], nice=True, zero=False)
    words = alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')", labelLimit=130, ticks=False, domain=False)
    y = alt.Y("variant:N", title=None, scale=alt.Scale(domain=list(names)), axis=words)
    here = base.transform_filter(shown(len(starts)))
    elsewhere = base.mark_tick(color=REFERENCE, opacity=0.3, thickness=1.5, size=12).encode(
        alt.X("mean:Q", scale=scale), y
    )
    belt = here.mark_rule(strokeWidth=3).encode(alt.X("low:Q", scale=scale), alt.X2("high:Q"), y, look["color"])
    point = here.mark_point(filled=True, size=130, opacity=1).encode(
        alt.X("mean:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5, format=form)),
        y, look["color"], look["shape"],
    )  # fmt: skip
    return finished(alt.layer(elsewhere, belt, point), len(starts), starts, ROW * len(names))


def along(
    rows: Sequence[Mapping[str, object]],
    names: Sequence[str],
    starts: Sequence[int],
    xlabel: str,
    values: Sequence[str],
    ylabel: str,
    turn: int,
    variants: Sequence[str] = (),
) -> dict[str, Any]:
    """A number by one knob, the others as they are shown: means with 95 % intervals, and a line at the shown value.

    values: of the knob, as they are told. turn: which knob it is.
    """
    look = looks(names, variants)
    here = f"datum.k{turn} !== null && {shown(len(starts), turn)}"
    base = alt.Chart(table(rows)).transform_filter(here)
    axis = alt.Axis(labelExpr=f"{list(values)}[datum.value]", labelAngle=0, ticks=False)
    scale = alt.Scale(domain=list(range(len(values))))
    x = alt.X(f"k{turn}:O", title=xlabel, axis=axis, scale=scale)
    y = alt.Y("mean:Q", title=ylabel, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    at = alt.Chart(alt.InlineData(values=[{}])).transform_calculate(at=f"k{turn}")
    rule = at.mark_rule(color=GRID, strokeWidth=10).encode(alt.X("at:O", scale=scale, axis=axis, title=xlabel))
    belt = base.mark_rule(strokeWidth=1.5).encode(x, alt.Y("low:Q", title=ylabel), alt.Y2("high:Q"), look["color"])
    line = base.mark_line(strokeWidth=2).encode(x, y, look["color"], look["strokeDash"])
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x, y, look["color"], look["shape"])
    return finished(alt.layer(rule, belt, line, points), len(starts), starts, 200)
