"""Claims held against what was measured: the table at the end of a notebook."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from nlkit.checks import check_choice, check_number
from nlkit.claims.report import Outcome, Report, as_value, stored_report
from nlkit.claims.trial import carried, in_sweep
from nlkit.contents import CLAIMS, PAGES
from nlkit.page import Value
from nlkit.papers import PAPERS
from nlkit.sweeps.results import Sweep


class CheckedClaims:
    """Claims beside what was measured: a table in a notebook, and verdicts that a test can compare."""

    def __init__(self, outcomes: Iterable[Outcome]):
        self.outcomes = {outcome.id: outcome for outcome in outcomes}

    @property
    def verdicts(self) -> dict[str, bool]:
        return {id: outcome.holds for id, outcome in self.outcomes.items()}

    def print_verdicts(self) -> None:
        """One line a claim, without digits that differ between processors: this is what the tests compare."""
        for id, holds in self.verdicts.items():
            print(f"{'holds' if holds else 'does NOT hold':<14} {CLAIMS[id].sentence}")

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for outcome in self.outcomes.values():
            c, seeds = outcome.claim, len(outcome.values)
            told = c.measured if seeds == 1 else f"{c.says}, {seeds} seeds{': lower end' if c.lower_end else ''}"
            verdict = "✓ holds" if outcome.holds else f"✗ does not hold. {c.why}".strip()
            if seeds > 1 and not outcome.clear:
                verdict += " Open: the interval reaches across the bound."
            rows.append((c.sentence, c.source, c.published, c.bound, f"{outcome.show()}: {told}", verdict))
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


def check_claims(measured: Mapping[str, Value]) -> CheckedClaims:
    """Hold values that a notebook has just measured against the claims.

    measured: claim id -> value, in the units of the claim's bound; or one value a cell, of which all must be within.

    Raises a ValueError for an unknown id or a value that is not a number.
    """
    outcomes = []
    for id, value in measured.items():
        check_choice("claim", id, CLAIMS)
        if isinstance(value, (tuple, list)) and not value:
            raise ValueError(f"measured[{id!r}]={value!r} must hold one number a cell, of one or more")
        cells = [
            check_number(f"measured[{id!r}]", v) for v in (value if isinstance(value, (tuple, list)) else (value,))
        ]
        outcomes.append(Outcome(id, (tuple(cells) if isinstance(value, (tuple, list)) else cells[0],)))
    return CheckedClaims(outcomes)


def recorded(ids: Iterable[str]) -> Report:
    """What the package carries of some claims: of lessons the stored report, of papers their stored results."""
    stored, ids = stored_report(), set(ids)
    papers = {name: claims_of(name).outcomes for name in PAPERS if ids & {claim.id for claim in PAGES[name].claims}}
    more = [outcome for outcomes in papers.values() for id, outcome in outcomes.items() if id in ids]
    return dataclasses.replace(stored, outcomes=(*stored.outcomes, *more))


def claims_of(
    name: str, sweep: Sweep | None = None, measured: Mapping[str, Value] = MappingProxyType({})
) -> CheckedClaims:
    """The claims of a page, measured over its seeds on the runs that the package carries for it, or on a sweep's.

    name: as `nlkit papers` lists it. measured: claim id -> what the notebook has just measured, which is shown instead.

    Raises a ValueError for a page that is not known, or where the sweep lacks a run that a claim asks for.
    """
    page = PAGES[check_choice("page", name, PAGES)]
    trials = in_sweep(page, carried(name) if sweep is None else sweep)
    fresh = check_claims(measured).outcomes
    return CheckedClaims(
        fresh.get(claim.id) or Outcome(claim.id, tuple(as_value(claim.measure(trial)) for trial in trials))
        for claim in page.claims
    )
