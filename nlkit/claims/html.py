"""A report to read: one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64

from nlkit import markup, plots
from nlkit.claims.report import FAILS, HOLDS, MARKS, OPEN, VERDICTS, Outcome, Report
from nlkit.contents import CLAIMS, PAGES
from nlkit.intervals import in_percent
from nlkit.lessons.tutorial import PUBLISHED, summary
from nlkit.markup import table, text
from nlkit.plots.figure import with_fewer_colors
from nlkit.plots.style import METHOD_STYLES, Style, another

STYLES: dict[str, Style] = {
    "standard training": METHOD_STYLES["standard"],
    "standard training, stopped in time": METHOD_STYLES["early_stopping"],
    "reweighting": METHOD_STYLES["reweight"],
    "clean set alone": METHOD_STYLES["clean_only"],
    "reweighting, trained on the clean set too": another(METHOD_STYLES["reweight"]),
}
PARTS = {
    "mnist": "The tutorial's experiment on all of MNIST: 80 % noise, 500 clean",
    "mnist5k": "The comparison on 5,000 digits: 80 % noise, 500 clean",
}
OWN_CSS = """
img { max-width: 100%; height: auto }
td:first-child { min-width: 13em } .holds { color: #00654a; font-weight: 600 } .fails { color: #a33c00; font-weight: 600 }
.open { color: #6b5200; font-weight: 600 } .changed { background: #fff1e0; border-left: 6px solid #d55e00; padding: .6rem 1rem }
svg { display: block } dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem } dt { color: #555 } dd { margin: 0 }
"""  # noqa: E501


def page(report: Report, stored: Report | None = None) -> str:
    """The report as an HTML page; with `stored`, the verdicts that differ from it stand at the top."""
    changed = report.changed_from(stored) if stored else []
    parts = [
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>nlkit: what holds</title><style>{markup.CSS}{OWN_CSS}</style></head><body>",
        "<h1>What the course claims, and what holds</h1>",
        _head(report),
        _changed(changed, bool(stored)),
    ]
    for part, title in PARTS.items():
        if part in report.curves:
            parts.append(f"<h2>{text(title)}</h2>{_curves(report, part)}")
    by_id = {outcome.id: outcome for outcome in report.outcomes}
    for told in PAGES.values():
        outcomes = [by_id[claim.id] for claim in told.claims if claim.id in by_id]
        if outcomes:
            parts.append(f"<h2>{text(told.title)}</h2>{_claims(outcomes)}")
    if report.skipped:
        rows = [(text(CLAIMS[id].sentence), text(reason)) for id, reason in report.skipped.items()]
        parts.append(f"<h2>Not measured</h2>{table(('Claim', 'Why'), rows)}")
    return "\n".join([*parts, "</body></html>\n"])


def _head(report: Report) -> str:
    made = report.made
    holding, still_open, failing = ([o.verdict for o in report.outcomes].count(v) for v in VERDICTS)
    facts = {
        "date": report.dates,
        "device": f"{made['device']}: {made['processor']}, {made['cores']} cores, threads: {made['threads']}, "
        f"load {made['load']} at the end",
        "versions": ", ".join(f"{name} {version}" for name, version in made["versions"].items()),
        **({"runs from": made["runs"]} if made.get("runs") else {}),
        "seeds": f"{made['seeds']}",
        **({"precision of the trainings": made["precision"]} if "precision" in made else {}),
        **({"quick": "fewer noise levels, and runs of grids as the package carries them"} if made["quick"] else {}),
    }
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts.items())
    count = len(report.outcomes)
    return (
        f"<p><strong>{holding} of {count} claims hold</strong>, {failing} do not, and {still_open} are open: the "
        "95 % interval of the mean over seeds (Student's t) reaches across the bound, so that other seeds might say "
        "otherwise. In the small pictures a dot is a seed, the bar the interval, and the claim holds in the green "
        f"part.</p><dl>{listed}</dl>"
    )


def _changed(changed: list[str], compared: bool) -> str:
    if not compared:
        return ""
    if not changed:
        return "<p>No mean lies on the other side of what was clearly recorded.</p>"
    listed = "".join(f"<li>{text(CLAIMS[id].sentence)} ({id})</li>" for id in changed)
    return f"<div class='changed'><strong>Not as recorded:</strong><ul>{listed}</ul></div>"


def _curves(report: Report, part: str) -> str:
    curves = report.curves[part]
    shown = {name: style for name, style in STYLES.items() if name in curves}
    panels = {
        panel: {name: curves[name][which] for name in shown if which == "test" or name in PUBLISHED}
        for panel, which in (("on the test set", "test"), ("on the given labels of the noisy set", "given"))
    }
    published = {}
    if part == "mnist":
        for panel, which in zip(panels, ("test", "given")):
            published[panel] = {name: PUBLISHED[name][which] for name in PUBLISHED}
    figure = plots.beside_published({p: lines for p, lines in panels.items() if lines}, published, shown)
    picture = base64.b64encode(with_fewer_colors(figure.png())).decode()
    legend = (
        "<p>Lines: the mean over seeds, with its 95 % interval as a belt. Rings: what the tutorial prints, of one run "
        "each; its accuracy on given labels is counted in the course of the epoch and with the clean set, ours at the "
        "end and on the noisy set.</p>"
        if published
        else "<p>Lines: the mean over seeds, with its 95 % interval as a belt.</p>"
    )
    image = f"<img width='1000' alt='{text(figure.alt)}' src='data:image/png;base64,{picture}'>"
    return f"{legend}{image}{_rows(curves, with_published=part == 'mnist')}"


def _rows(curves: dict, with_published: bool) -> str:
    head = ["", "Last test accuracy, %", "Best, %", "Seconds an epoch", "Last, against reweighting, seed by seed"]
    rows = []
    for row in summary(curves):
        was = row["published"] if with_published else None
        lead = row["lead"]
        rows.append((
            text(f"{row['row']}"),
            text(in_percent(row["final"])) + (f"<small>published {100 * was['test'][25]:.1f}</small>" if was else ""),
            text(in_percent(row["best"])) + (f"<small>published {100 * was['best']:.0f}</small>" if was else ""),
            f"{row['seconds']:.2f}" + (f"<small>published {was['seconds']:.1f} (GPU)</small>" if was else ""),
            text(f"{in_percent(lead, signed=True)} points") if lead else "",
        ))  # fmt: skip
    return table(head, rows, numbers=(1, 2, 3, 4))


def _claims(outcomes: list[Outcome]) -> str:
    head = ("Claim", "Published", "Holds if", "Measured", "", "Verdict")
    rows = []
    for o in outcomes:
        c = o.claim
        look = {HOLDS: "holds", OPEN: "open", FAILS: "fails"}[o.verdict]
        verdict = f"<span class='{look}'>{MARKS[o.verdict]} {text(o.verdict)}</span>"
        rows.append((
            f"{text(c.sentence)}<small>{text(c.source)}</small>",
            text(c.published),
            text(c.bound),
            f"{text(o.show())}<small>{text(c.says)}</small>",
            strip(o),
            verdict + ("" if o.verdict == HOLDS or not c.why else f"<small>{text(c.why)}</small>"),
        ))  # fmt: skip
    return table(head, rows, widths=(25, 9, 9, 17, 17, 23))


def strip(outcome: Outcome, width: int = 180, height: int = 34) -> str:
    """A small picture, as SVG: the seeds as dots, the interval as a bar, and where the claim holds in green."""
    claim, interval = outcome.claim, outcome.interval
    ends = [outcome.mean] if interval is None else [interval.low, interval.high]
    bounds = [bound for bound in (claim.at_least, claim.at_most) if bound is not None]
    low, high = min(*outcome.worst, *ends, *bounds), max(*outcome.worst, *ends, *bounds)
    margin = 0.12 * (high - low) or abs(high) or 1
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return round(width * (value - low) / (high - low), 1)

    left = 0 if claim.at_least is None else x(claim.at_least)
    right = width if claim.at_most is None else x(claim.at_most)
    dots = "".join(f"<circle cx='{x(value)}' cy='23' r='3' fill='#444' opacity='.6'/>" for value in outcome.worst)
    bar = f"<line x1='{x(ends[0])}' x2='{x(ends[-1])}' y1='11' y2='11' stroke='#000' stroke-width='3'/>"
    mean = f"<rect x='{x(outcome.mean) - 2}' y='5' width='4' height='12' fill='#000'/>"
    edges = "".join(
        f"<line x1='{x(b)}' x2='{x(b)}' y1='0' y2='{height}' stroke='#009E73' stroke-width='2'/>" for b in bounds
    )
    told = f"measured {outcome.show()}, holds if {claim.bound}; {len(outcome.values)} seeds"
    return (
        f"<svg width='{width}' height='{height}' role='img' aria-label='{text(told)}'><title>{text(told)}</title>"
        f"<rect width='{width}' height='{height}' fill='#f4f4f4'/>"
        f"<rect x='{left}' width='{max(right - left, 2)}' height='{height}' fill='#009E73' opacity='.18'/>"
        f"{edges}{bar}{mean}{dots}</svg>"
    )
