"""A report in plain text: for the terminal, and for the book."""

from __future__ import annotations

from nlkit.claims.report import Report
from nlkit.contents import PAGES
from nlkit.intervals import in_percent
from nlkit.lessons.tutorial import summary


def terminal(report: Report) -> str:
    """One line a claim: verdict, what was measured, sentence."""
    lines = [f"{o.verdict:<21} {o.show():>22}  {o.claim.sentence}" for o in report.outcomes]
    reasons = {}
    for id, reason in report.skipped.items():
        reasons.setdefault(reason, []).append(id)
    lines += [f"not measured ({reason}): {', '.join(ids)}" for reason, ids in reasons.items()]
    return "\n".join(lines)


def in_markdown(report: Report) -> str:
    """Two tables in Markdown: the tutorial's experiment at full size, and the claims that don't hold."""
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
    by_id = {o.id: o for o in report.outcomes}
    counts = []
    for page in PAGES.values():
        if of_page := [by_id[claim.id] for claim in page.claims if claim.id in by_id]:
            counts.append(f"{page.title} {sum(o.holds for o in of_page)} of {len(of_page)}")
    text += ["", f"Claims that hold: {'; '.join(counts)}. These do not:", ""]
    text += ["| claim | published | holds if | measured | why not, as far as it was found |", "|---|---|---|---|---|"]
    for o in report.outcomes:
        if not o.holds:
            still = "" if o.clear else " (open)"
            text.append(
                f"| {o.claim.sentence} | {o.claim.published} | {o.claim.bound} | {o.show()}{still} | {o.claim.why} |"
            )
    versions = made["versions"]
    text += [
        "",
        f"{made['seeds']} seeds, mean and 95 % interval, differences seed by seed; *open* where the interval reaches "
        f"across the bound. {report.dates}, {made['device']}, {made['processor']}, torch {versions['torch']}.",
    ]
    return "\n".join(text)
