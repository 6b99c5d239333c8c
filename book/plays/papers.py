"""A paper's headline at the end of its stored runs, over the knobs of its panel that they vary."""

from __future__ import annotations

import math

from nlkit.claims.trial import carried
from nlkit.contents import PAGES, experiment_of, knobs_of
from nlkit.identity import identity
from nlkit.index import at_the_end
from nlkit.intervals import over_seeds
from nlkit.page import Page
from nlkit.sweeps.results import Result
from nlkit.sweeps.run import stored as file_of

from .charts import Chart, along, ends
from .player import Player, Point, about
from .tables import Stored, end_table, flat, gather, knob_of, point_in_words, points_of

LEAST = 3  # values of a knob, the others as they start, that are drawn along an axis


def paper(name: str) -> Player:
    """The player of a paper: where its variants end, at each point of which its panel's knobs are varied."""
    page = PAGES[name]
    runs, fields = runs_of(page, name), {knob: field for knob, (field, _) in knobs_of(page).items()}
    variants = {run.key: variant for variant, run in runs}
    found = gather(
        [run for _, run in runs],
        lambda run: variants[run.key],
        lambda run: {knob: value for knob, value in flat(run.settings).items() if knob in fields},
    )
    order = list(page.variants)
    found.sort(key=lambda one: order.index(one.variant))
    start = next(iter(found)).at
    varied = {knob: {one.at[knob] for one in found if knob in one.at} for knob in fields}
    knobs = tuple(
        knob_of(knob, fields[knob], values, start.get(knob, fields[knob].default))
        for knob, values in varied.items()
        if len(values) > 1
    )
    names = [variant for variant in order if any(one.variant == variant for one in found)]
    rows, starts = end_table(found, knobs, page.headline), [knob.place(knob.start) for knob in knobs]
    headline = page.headline.replace("_", " ")
    where = points_of(found, knobs)
    at = [tuple(knob.place(point[knob.name]) for knob in knobs) for point in where]
    shows = (
        f"{headline} at the end, mean over seeds and its 95 % interval, a row for each variant; pale ticks are the "
        "means at all other stored points."
    )
    charts = [Chart(ends(rows, names, starts, headline, order), shows)]
    for turn, knob in enumerate(knobs):
        beside = [place for place in range(len(knobs)) if place != turn]
        along_it = {p[turn] for p in at if all(p[i] == starts[i] for i in beside)}
        if knob.number and len(along_it) >= LEAST:
            spec = along(rows, names, starts, knob.label, [knob.told(v) for v in knob.values], headline, turn, order)
            shows = f"{headline} by {knob.label}, a line for each variant, with 95 % intervals, the others as told."
            charts.append(Chart(spec, shows, turn))
    points = []
    for places, point in zip(at, where):
        here = [one for one in found if one.matches(point)]
        points.append(Point(places, point_in_words(point, knobs, here), _in_words(here, names, page.headline)))
    note = "Each number is a mean over seeds, with its 95 % interval."
    if not knobs:
        note += " They are stored at one setting alone, so that there is nothing to move."
    return Player(page.title, about(found, note), knobs, tuple(points), tuple(charts), (file_of(name),))


def runs_of(page: Page, name: str) -> list[tuple[str, Result]]:
    """Variant and run: those with all seeds whose settings are the usual ones of the page, but for its panel's knobs.

    The first are those of the index of the atlas, with which most variants were run alike.
    """
    sweep = carried(name)
    usual, _ = at_the_end(page, sweep)
    free = {*knobs_of(page), "seed", "record_every"}  # the last says how often a run is looked at, and not what it does
    asked = [*((variant, usual) for variant in page.variants), *(page.grid() if page.grid else ())]
    kept: dict[str, tuple[str, Result]] = {}
    for variant, changes in asked:
        if variant not in page.variants or "seed" in changes:
            continue
        runs = [sweep.run(experiment_of(page, variant, **{"seed": seed, **changes})) for seed in page.seeds]
        if all(run is not None and page.headline in run.curves for run in runs):
            wanted = _fixed(identity(experiment_of(page, variant, **usual)), free)
            kept |= {run.key: (variant, run) for run in runs if run and _fixed(run.settings, free) == wanted}
    return list(kept.values())


def _fixed(settings: dict[str, object], free: set[str]) -> dict[str, object]:
    """The settings that no control moves, a method's options among them."""
    return {name: value for name, value in flat(settings).items() if name not in free}


def _in_words(stored: list[Stored], names: list[str], number: str) -> tuple[str, ...]:
    told = []
    for one in stored:
        mean, half = over_seeds(one.ends(number))
        spread = f"{half:.0f}" if half >= 100 else f"{half:.2g}"  # which would be 1.2e+02
        told.append(f"{one.variant}: {mean:.3g}" + ("" if math.isnan(half) else f" ± {spread}"))
    missing = [name for name in names if name not in {one.variant for one in stored}]
    return (*told, *([f"not stored here: {', '.join(missing)}"] if missing else ()))
