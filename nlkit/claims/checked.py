"""Claims held against what was measured: the table at the end of a notebook."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from nlkit.checks import check_choice, check_number
from nlkit.claims.report import FAILS, HOLDS, MARKS, OPEN, Outcome, Report, as_value, stored_report
from nlkit.claims.trial import carried, in_sweep
from nlkit.contents import CLAIMS, PAGES
from nlkit.intervals import counted
from nlkit.page import Value
from nlkit.papers import PAPERS
from nlkit.sweeps.results import Sweep


class CheckedClaims:
    """Claims beside what was measured: a table in a notebook, and verdicts that a test can compare.

    The verdict is that of the seeds. What the notebook has just measured with fewer of them stands beside it.
    """

    def __init__(self, outcomes: Iterable[Outcome], here: Iterable[Outcome] = ()):
        self.outcomes = {outcome.id: outcome for outcome in outcomes}
        self.here = {outcome.id: outcome for outcome in here}

    @property
    def verdicts(self) -> dict[str, str]:
        """Claim id -> "holds", "open" or "does not hold"."""
        return {id: outcome.verdict for id, outcome in self.outcomes.items()}

    @property
    def contradicted(self) -> list[str]:
        """The claims of which the seeds say clearly one thing and the notebook has just measured the other."""
        clear = {id: v for id, v in self.verdicts.items() if v != OPEN}
        return [id for id, now in self.here.items() if id in clear and (clear[id] == HOLDS) != now.by_mean]

    def print_verdicts(self) -> None:
        """One line a claim, without digits that differ between processors: this is what the tests compare."""
        for id, verdict in self.verdicts.items():
            print(f"{verdict:<14} {CLAIMS[id].sentence}{' NOT SO HERE' if id in self.contradicted else ''}")

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for id, outcome in self.outcomes.items():
            c, seeds = outcome.claim, len(outcome.values)
            told = f"{outcome.show()}: {c.says}, {counted([seeds])}"
            if id in self.here:
                told += f"; just now {self.here[id].show()}, {counted([1])}"
            more = {HOLDS: "", OPEN: f": the interval reaches across the bound. {c.why}", FAILS: f". {c.why}"}
            verdict = f"{MARKS[outcome.verdict]} {outcome.verdict}{more[outcome.verdict]}".strip()
            rows.append((c.sentence, c.source, c.published, c.bound, told, verdict))
        return rows

    def _repr_html_(self) -> str:
        head = ("Claim", "Source", "Published", "Holds if", "Measured here", "Verdict")
        cells = "".join(f"<th style='text-align:left'>{h}</th>" for h in head)
        body = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left;vertical-align:top'>{html.escape(c)}</td>" for c in row)
            + "</tr>"
            for row in self._rows()
        )
        return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row) for row in self._rows())


def _outcomes(measured: Mapping[str, Value], known: Collection[str]) -> list[Outcome]:
    """Values that a notebook has just measured as outcomes of one seed; a ValueError names what is wrong with one."""
    outcomes = []
    for id, value in measured.items():
        check_choice("claim", id, known)
        if isinstance(value, (tuple, list)) and not value:
            raise ValueError(f"measured[{id!r}]={value!r} must hold one number a cell, of one or more")
        cells = [
            check_number(f"measured[{id!r}]", v) for v in (value if isinstance(value, (tuple, list)) else (value,))
        ]
        outcomes.append(Outcome(id, (tuple(cells) if isinstance(value, (tuple, list)) else cells[0],)))
    return outcomes


def recorded(ids: Iterable[str]) -> Report:
    """What the package carries of some claims: of lessons the stored report, of papers their stored results."""
    stored, ids = stored_report(), set(ids)
    papers = {name: claims_of(name).outcomes for name in PAPERS if ids & {claim.id for claim in PAGES[name].claims}}
    more = [outcome for outcomes in papers.values() for id, outcome in outcomes.items() if id in ids]
    return dataclasses.replace(stored, outcomes=(*stored.outcomes, *more))


def claims_of(
    name: str, sweep: Sweep | None = None, measured: Mapping[str, Value] = MappingProxyType({})
) -> CheckedClaims:
    """The claims of a page over its seeds, as the package carries them, or on the runs of a sweep.

    name: as `nlkit papers` lists it. Of a lesson the package carries a study (`nlkit reproduce`), of a paper its runs.
    measured: claim id -> what the notebook has just measured, in the units of the claim's bound; or one value a cell,
    of which all must be within. It is shown beside, and a verdict that it contradicts is marked.

    Raises a ValueError for a page or a claim that is not known, a value that is not a number, or where a run is lacking
    that a claim asks for.
    """
    page = PAGES[check_choice("page", name, PAGES)]
    here = _outcomes(measured, [claim.id for claim in page.claims])
    if sweep is None and name not in PAPERS:
        known = {outcome.id: outcome for outcome in stored_report().outcomes}
        if lacking := [claim.id for claim in page.claims if claim.id not in known]:
            raise ValueError(
                f"{', '.join(lacking)} of {name!r} was never measured; run `nlkit reproduce --only {lacking[0]}`, and "
                "keep it with `python -m benchmarks.claims reproduced`"
            )
        return CheckedClaims([known[claim.id] for claim in page.claims], here)
    trials = in_sweep(page, carried(name) if sweep is None else sweep)
    found = [Outcome(claim.id, tuple(as_value(claim.measure(t)) for t in trials)) for claim in page.claims]
    return CheckedClaims(found, here)
