"""Claims held against what was measured."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from nlkit.checks import check_choice, check_number
from nlkit.claims.registry import CLAIMS


class CheckedClaims:
    """Claims beside what was measured: a table in a notebook, and verdicts that a test can compare."""

    def __init__(self, measured: Mapping[str, float | Sequence[float]]):
        for id, value in measured.items():
            check_choice("claim", id, CLAIMS)
            if isinstance(value, Sequence) and not value:
                raise ValueError(f"measured[{id!r}]={value!r} must hold one number a cell, of one or more")
            for cell in value if isinstance(value, Sequence) else (value,):
                check_number(f"measured[{id!r}]", cell)
        self.measured = dict(measured)

    @property
    def verdicts(self) -> dict[str, bool]:
        return {id: CLAIMS[id].holds(value) for id, value in self.measured.items()}

    def print_verdicts(self) -> None:
        """One line a claim, without digits that differ between processors: this is what the tests compare."""
        for id, holds in self.verdicts.items():
            print(f"{'holds' if holds else 'does NOT hold':<14} {CLAIMS[id].sentence}")

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for id, value in self.measured.items():
            c = CLAIMS[id]
            rows.append((c.sentence, c.source, c.published, c.bound, f"{c.show(value)}: {c.measured}",
                         "✓ holds" if c.holds(value) else f"✗ does not hold. {c.why}".strip()))  # fmt: skip
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


def check_claims(measured: Mapping[str, float | Sequence[float]]) -> CheckedClaims:
    """Hold measured values against the claims.

    measured: claim id -> value, in the units of the claim's bound; or one value a cell, of which all must be within.

    Raises a ValueError for an unknown id or a value that is not a number.
    """
    return CheckedClaims(measured)
