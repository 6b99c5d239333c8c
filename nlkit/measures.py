"""Measures that many claims share: how a run ends, and how far one ends above another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlkit.page import Measure


def end(variant: str, number: str = "test_accuracy", **changes: Any) -> Measure:
    """The last `number` of a variant's run, with some settings changed."""
    return lambda t: t.run(variant, **changes).last(number)


def lead(
    ours: str, theirs: str, number: str = "test_accuracy", *, both: Mapping[str, Any] | None = None, **changes: Any
) -> Measure:
    """The last `number` of `ours` less that of `theirs`; settings in `both` change for the two, the rest for ours."""
    both = both or {}
    return lambda t: t.run(ours, **both, **changes).last(number) - t.run(theirs, **both).last(number)
