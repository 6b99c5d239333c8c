"""Which claim of a page costs least to measure anew, by how long its carried runs took."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from nlkit.claims.trial import PageTrial, carried
from nlkit.contents import CLAIMS, PAGES
from nlkit.identity import key
from nlkit.sweeps.results import Result


def cheapest_claim(name: str, ids: Collection[str]) -> str | None:
    """Of the claims of a page that are among `ids`, the one whose runs took least; None where there is none."""
    costs = {claim.id: cost(name, claim.id) for claim in PAGES[name].claims if claim.id in ids}
    return min(costs, key=costs.__getitem__) if costs else None


def cost(name: str, id: str) -> float:
    """Seconds that the carried runs of a claim's first seed took; infinite where it has none or lacks one."""
    seconds: dict[str, float] = {}

    def get(experiment: Any) -> Result:
        if (result := carried(name).run(experiment)) is None:
            raise LookupError(key(experiment))
        seconds[key(experiment)] = result.seconds
        return result

    try:
        CLAIMS[id].measure(PageTrial(PAGES[name], PAGES[name].seeds[0], get))
    except LookupError:
        return math.inf
    return sum(seconds.values()) or math.inf
