"""The batch of lesson 4: whose loss is below the threshold, and who is mixed with whom, by noise ratio, p and alpha."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from nlkit.made import in_words
from nlkit.plots.style import KINDS_OF_LABEL, text_color

from .batches import ALPHAS, COLUMNS, FILE, PERCENTILES, RATIOS, read
from .charts import Chart, finished, marker_path, shown, table
from .player import Player, Point
from .tables import Knob

ROWS = ("itself", "partner", "blend")
TILE, STEP, LINES = 52, 104, 150  # pixels: an image, a row with the words below it, the chart of losses
APART = 0.618034  # of the golden ratio: dots of neighbours in the batch lie apart
LABELS = {True: "right", False: "wrong"}
TITLE = {"anchor": "start", "fontSize": 13, "fontWeight": "normal"}


def mixtures() -> Player:
    """The player of the batch: what the MentorMix panel shows, stored for all settings of its sliders here."""
    kept = read()
    knobs = (
        Knob("ratio", "noise ratio", RATIOS, 0.6, share=True),
        Knob("percentile", "percentile p", PERCENTILES, 0.4, share=True),
        Knob("alpha", "alpha", ALPHAS, 2.0),
    )
    starts = [knob.place(knob.start) for knob in knobs]
    points = []
    for at in itertools.product(*(range(len(knob.values)) for knob in knobs)):
        one = mixture(kept, at)
        name = ", ".join(f"{knob.label} {knob.told(knob.values[place])}" for knob, place in zip(knobs, at))
        blends = "; ".join(map(_blend, tiles(kept, at)[-COLUMNS:]))
        words = (f"threshold {one['threshold']:.2f}", *one["words"].split("; "), f"blends: {blends}")
        points.append(Point(at, name, words))
    losses = (
        "The losses of 128 examples, a row for right labels and one for wrong ones, and the threshold: those below it "
        "have weight 1, the others are pale."
    )
    blends = (
        "Four examples with their labels, the two on the left trusted if there are as many; their partners; blends."
    )
    charts = (Chart(_losses(kept, starts), losses), Chart(_tiles(kept, points, starts), blends))
    origin = in_words([kept["made"]])
    about = f"One batch of 128 digits, and a network of three epochs for each noise ratio, stored: {origin}."
    return Player("The batch: weigh, draw a partner, blend", about, knobs, tuple(points), charts, (FILE,))


def mixture(kept: Mapping[str, Any], at: Sequence[int]) -> dict[str, Any]:
    """What is stored at a point, by its places on the three knobs."""
    return kept["batches"][at[0]]["mixtures"][at[1] * len(ALPHAS) + at[2]]


def tiles(kept: Mapping[str, Any], at: Sequence[int]) -> list[dict[str, object]]:
    """A row for each image at a point: the examples, their partners, the blends; their places, own shares and words."""
    batch, one = kept["batches"][at[0]], mixture(kept, at)
    rows: list[dict[str, object]] = []
    for kind in ROWS:
        for column, (own, partner, lam) in enumerate(zip(one["own"], one["partner"], one["lam"])):
            place = partner if kind == "partner" else own
            right, given = batch["right"][place], batch["given"][place]
            words = f"{given} {'✓' if right else '✗'}"
            if kind == "blend":
                share, other = round(100 * lam), batch["given"][partner]
                weight = int(batch["losses"][own] < one["threshold"])
                words = f"{share}% “{given}”|{100 - share}% “{other}”|weight {weight}"
            rows.append({
                "kind": kind, "k0": at[0], "k1": at[1], "k2": at[2], "column": column, "place": place,
                "under": partner if kind == "blend" else place, "share": lam if kind == "blend" else 1,
                "words": words, "label": "blend" if kind == "blend" else LABELS[right],
            })  # fmt: skip
    return rows


def _blend(row: Mapping[str, object]) -> str:
    return str(row["words"]).replace("|", ", ", 1).replace("|", " with ")


def _losses(kept: Mapping[str, Any], starts: Sequence[int]) -> dict[str, Any]:
    rows = [
        {"label": LABELS[right], "k0": turn, "loss": loss, "height": round(right + 0.7 * (place * APART % 1) - 0.35, 3)}
        for turn, batch in enumerate(kept["batches"])
        for place, (loss, right) in enumerate(zip(batch["losses"], batch["right"]))
    ]
    thresholds = [
        [b["mixtures"][i * len(ALPHAS)]["threshold"] for i in range(len(PERCENTILES))] for b in kept["batches"]
    ]
    gamma = f"{thresholds}[k0][k1]"
    most = max(float(row["loss"]) for row in rows)
    x = alt.X("loss:Q", title="loss", scale=alt.Scale(domain=[0, most]), axis=alt.Axis(grid=False, tickCount=6))
    told = alt.Axis(values=[0, 1], labelExpr="['wrong label ✗', 'right label ✓'][datum.value]", ticks=False, grid=False)
    y = alt.Y("height:Q", title=None, scale=alt.Scale(domain=[-0.5, 1.5]), axis=told)
    styles = {kind: KINDS_OF_LABEL[kind] for kind in LABELS.values()}
    color = alt.Scale(domain=list(styles), range=[style.color for style in styles.values()])
    shape = alt.Scale(domain=list(styles), range=[marker_path(style.marker) for style in styles.values()])
    dots = alt.Chart(table(rows)).transform_filter("datum.k0 === k0").mark_point(filled=True, size=50).encode(
        x, y, alt.Color("label:N", scale=color, legend=None), alt.Shape("label:N", scale=shape, legend=None),
        opacity=alt.condition(f"datum.loss < {gamma}", alt.value(0.9), alt.value(0.25)),
    )  # fmt: skip
    line = alt.Chart(alt.InlineData(values=[{}])).transform_calculate(loss=gamma)
    rule = line.mark_rule(color="black", strokeDash=[5, 3], strokeWidth=1.5).encode(x)
    top = alt.TitleParams("1. small losses count", **TITLE)
    return finished(alt.layer(dots, rule).properties(title=top), len(starts), starts, LINES)


def _tiles(kept: Mapping[str, Any], points: Sequence[Point], starts: Sequence[int]) -> dict[str, Any]:
    rows = [row for point in points for row in tiles(kept, point.at)]
    used = sorted({int(str(row[name])) for row in rows for name in ("place", "under")})
    images = table([{"place": place, "url": kept["images"][place]} for place in used])

    def found(name: str, url: str) -> alt.LookupData:
        return base.transform_lookup(lookup=name, from_=alt.LookupData(images, "place", ["url"]), as_=[url])

    base = alt.Chart(table(rows)).transform_filter(shown(len(starts)))
    x = alt.X("column:O", axis=None)
    y = alt.Y("kind:O", title=None, sort=list(ROWS), axis=alt.Axis(ticks=False, domain=False, offset=0))
    side = {"width": TILE, "height": TILE, "yOffset": -20}
    under = found("under", "url").mark_image(**side).encode(x, y, url="url:N")
    over = found("place", "url").mark_image(**side).encode(x, y, alt.Opacity("share:Q", scale=None), url="url:N")
    kinds = [*LABELS.values(), "blend"]
    colors = [*(text_color(KINDS_OF_LABEL[kind].color) for kind in LABELS.values()), "black"]
    scale = alt.Scale(domain=kinds, range=colors)
    words = base.mark_text(yOffset=16, baseline="top", lineBreak="|", fontSize=11.5).encode(
        x, y, alt.Text("words:N"), alt.Color("label:N", scale=scale, legend=None)
    )
    top = alt.TitleParams("2. partner, 3. blend", **TITLE)
    return finished(alt.layer(under, over, words).properties(title=top), len(starts), starts, STEP * len(ROWS))
