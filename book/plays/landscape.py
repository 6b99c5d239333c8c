"""The map of lesson 6: where reweighting is ahead of each of its rivals, and what stands in one cell of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from nlkit.claims.trial import carried
from nlkit.contents import PAGES, knobs_of
from nlkit.intervals import Interval, over_seeds, paired_interval
from nlkit.lessons.noisy_or_clean import RATIOS, SIZES
from nlkit.plots.maps import MARKS, color_of_lead
from nlkit.sweeps.run import stored as file_of

from .charts import Chart, ends, finished, shown, table
from .player import Player, Point, about
from .races import at_of
from .tables import Knob, Stored, end_table, gather, grid, knob_of, point_in_words

NAME, OURS = "reweight-or-clean", "reweight"
RIVALS = ("clean_only", "early_stopping", "standard")
ROW = 34  # pixels


def landscape() -> Player:
    """The player of the map: its cells, one of which is looked into, against one of three rivals."""
    fields = {name: field for name, (field, _) in knobs_of(PAGES[NAME]).items()}
    size = knob_of("clean_per_class", fields["clean_per_class"], SIZES, 10)
    rival = Knob("rival", "rival", tuple(name.replace("_", " ") for name in RIVALS), "clean only", number=False)
    knobs = (Knob("ratio", "noise ratio", RATIOS, 0.4, share=True), size, rival)
    found = gather(carried(NAME).results, lambda run: str(run.settings["method"]), at_of)
    found = [one for one in found if one.at["clean_per_class"] in SIZES]
    names = [OURS, *RIVALS]
    found.sort(key=lambda one: names.index(one.variant))
    starts = [knob.place(knob.start) for knob in knobs]
    cells, points = [], []
    for point in grid(knobs):
        here = {one.variant: one for one in found if one.matches(point)}
        at = tuple(knob.place(point[knob.name]) for knob in knobs)
        theirs = RIVALS[at[2]]
        lead = paired_interval(*(here[name].ends("test_accuracy") for name in (OURS, theirs)))
        cells.append({"fill": color_of_lead(lead, OURS, theirs), "k0": at[0], "k1": at[1], "k2": at[2],
                      "words": f"{MARKS[lead.sign]}{_whole(100 * lead.mean)}"})  # fmt: skip
        words = (_verdict(lead, str(point["rival"])), *(_end(one) for one in here.values()))
        points.append(Point(at, point_in_words(point, knobs[:2], list(here.values())), words))
    shows = (
        "The map of leads of reweighting over a rival in points, by noise ratio and clean examples per class: ▲ it is "
        "ahead, ≈ a tie, ▼ it is behind. The cell that is told is framed."
    )
    rows = [{**row, "k2": None} for row in end_table(found, knobs[:2], "test_accuracy")]
    dots = ends(rows, names, starts, "last test accuracy", form=".0%")
    charts = (
        Chart(_map(cells, knobs, starts), shows),
        Chart(
            dots, "The last test accuracy of the four methods in this cell; pale ticks are those of all other cells."
        ),
    )
    note = "Cells tell reweighting minus its rival, paired by seed, in points; a tie is where the interval contains 0."
    title = "The map: reweighting against a rival"
    return Player(title, about(found, note), knobs, tuple(points), charts, (file_of(NAME),))


def _whole(points: float) -> str:
    return f"{round(points):+d}".replace("-", "−") if round(points) else "0"


def _verdict(lead: Interval, rival: str) -> str:
    told = {1: "is ahead of", 0: "ties with", -1: "is behind"}[lead.sign]
    return f"reweight {told} {rival}: {100 * lead.mean:+.1f} ± {100 * lead.half:.1f} points"


def _end(one: Stored) -> str:
    return f"{one.variant.replace('_', ' ')}: {over_seeds(one.ends('test_accuracy')).percent()} %"


def _map(cells: Sequence[Mapping[str, object]], knobs: Sequence[Knob], starts: Sequence[int]) -> dict[str, Any]:
    """A cell for each point against the rival that is shown, in the colour of who is ahead; one of them framed."""

    def axis(turn: int) -> alt.Axis:
        told = [knobs[turn].told(value) for value in knobs[turn].values]
        return alt.Axis(labelExpr=f"{told}[datum.value]", labelAngle=0, ticks=False, domain=False)

    base = alt.Chart(table(cells)).transform_filter("datum.k2 === k2")
    x = alt.X("k1:O", title="clean per class", axis=axis(1))
    y = alt.Y("k0:O", title="noise ratio", axis=axis(0), sort="descending")
    fields = base.mark_rect(stroke="white").encode(x, y, alt.Color("fill:N", scale=None))
    words = base.mark_text(fontSize=11.5, color="black").encode(x, y, alt.Text("words:N"))
    frame = base.transform_filter(shown(len(knobs))).mark_rect(
        filled=False, stroke="black", strokeWidth=3, cornerRadius=2
    )
    return finished(alt.layer(fields, words, frame.encode(x, y)), len(starts), starts, ROW * len(knobs[0].values))
