"""Which claim of a page costs least to measure anew, by how long its carried runs took."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from nlkit.claims.trial import PageTrial, carried
from nlkit.contents import CLAIMS, PAGES, experiment_of
from nlkit.identity import key
from nlkit.sweeps.results import Result


def cheapest_claim(name: str, ids: Collection[str]) -> str | None:
    """Of the claims of a page that are among `ids`, the one whose runs took least; None where there is none."""
    costs = {claim.id: cost(name, claim.id) for claim in PAGES[name].claims if claim.id in ids}
    return min(costs, key=costs.__getitem__) if costs else None


def cost(name: str, id: str) -> float:
    """Seconds that the carried runs of a claim's first seed took.

    Infinite where it has none, lacks one, or has one of another kind than the page's variants: that may need data which
    the page can do without.
    """
    seconds: dict[str, float] = {}
    own = {type(experiment_of(PAGES[name], variant)) for variant in PAGES[name].variants}

    def get(experiment: Any) -> Result:
        result = carried(name).run(experiment)
        if result is None or type(experiment) not in own:
            raise LookupError(key(experiment))
        seconds[key(experiment)] = result.seconds
        return result

    try:
        CLAIMS[id].measure(PageTrial(PAGES[name], PAGES[name].seeds[0], get))
    except LookupError:
        return math.inf
    return sum(seconds.values()) or math.inf
