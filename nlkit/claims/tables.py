"""A report in plain text: for the terminal, and for the book."""

from __future__ import annotations

from nlkit.claims.report import FAILS, HOLDS, OPEN, Report
from nlkit.contents import PAGES
from nlkit.intervals import counted, in_percent
from nlkit.lessons.tutorial import summary


def terminal(report: Report) -> str:
    """One line a claim: verdict, what was measured, sentence."""
    lines = [f"{o.verdict:<13} {o.show():>22}  {o.claim.sentence}" for o in report.outcomes]
    reasons = {}
    for id, reason in report.skipped.items():
        reasons.setdefault(reason, []).append(id)
    lines += [f"not measured ({reason}): {', '.join(ids)}" for reason, ids in reasons.items()]
    return "\n".join(lines)


def counts(report: Report) -> str:
    """How many claims of each page hold, are open and do not hold, in one sentence."""
    by_id, told = {o.id: o for o in report.outcomes}, []
    for page in PAGES.values():
        found = [by_id[claim.id].verdict for claim in page.claims if claim.id in by_id]
        rest = [f"{found.count(v)} {v}" if v == OPEN else f"{found.count(v)} not" for v in (OPEN, FAILS) if v in found]
        if found:
            told.append(
                f"{page.title} {found.count(HOLDS)} of {len(found)}" + (f" ({', '.join(rest)})" if rest else "")
            )
    return f"Claims that hold: {'; '.join(told)}."


def in_markdown(report: Report) -> str:
    """Two tables in Markdown: the tutorial's experiment at full size, and the claims that don't hold or are open."""
    made = report.made
    text = ["| MNIST, 80 % noise, 500 clean | test accuracy at the end, % | at its best epoch | against reweighting |"]
    text.append("|---|---|---|---|")
    for row in summary(report.curves["mnist"]):
        was, lead = row["published"], row["lead"]
        final, best = in_percent(row["final"]), in_percent(row["best"])
        if was:
            final += f" (published {100 * was['test'][25]:.1f})"
            best += f" (published {100 * was['best']:.0f})"
        points = f"{in_percent(lead, signed=True)} points" if lead else ""
        text.append(f"| {row['row']} | {final} | {best} | {points} |")
    text += ["", f"{counts(report)} These do not hold, or are open:", ""]
    text += [
        "| claim | published | holds if | measured | verdict | why, as far as it was found |",
        "|---|---|---|---|---|---|",
    ]
    for o in report.outcomes:
        if o.verdict != HOLDS:
            c = o.claim
            text.append(f"| {c.sentence} | {c.published} | {c.bound} | {o.show()} | {o.verdict} | {c.why} |")
    versions = made["versions"]
    text += [
        "",
        f"{counted(len(o.values) for o in report.outcomes)}, mean and 95 % interval, differences seed by seed; "
        f"*open*: the interval reaches across the bound. {report.dates}, {made['device']}, {made['processor']}, "
        f"torch {versions['torch']}.",
    ]
    return "\n".join(text)
