"""The budget panel: prices, budget and noise ratio move, and the best split between noisy and clean labels answers."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets as widgets

from nlkit.lessons.clean_label_budget import surface
from nlkit.live.any_panel import Frame, drawn
from nlkit.live.controls import percent_slider, scale_slider
from nlkit.live.picture_panel import PicturePanel
from nlkit.planner import plan
from nlkit.plots.budgets import splits_of_a_budget

PRICES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
BUDGETS = (10, 20, 30, 50, 100, 150, 200, 300, 500, 700, 1000, 2000)


def budget(
    *,
    noisy_price: float = 0.1,
    clean_price: float = 1.0,
    budget: float = 100,
    ratio: float = 0.4,
    mode: str | None = None,
) -> widgets.Widget:
    """A panel with sliders for the price of a noisy and of a clean label, budget and noise ratio, over the best split.

    Nothing is trained: it asks the surface through lesson 9's stored runs. The arguments say where the sliders start,
    prices and budget in one currency; mode: how pictures are drawn, see `nlkit.live.driver`. Raises a ValueError for
    what `nlkit.planner.plan` refuses.
    """
    plan(surface(), noisy_price, clean_price, budget, ratio)
    low, high = surface().low[2], surface().high[2]
    controls = {
        "noisy_price": scale_slider("noisy price", noisy_price, PRICES),
        "clean_price": scale_slider("clean price", clean_price, PRICES),
        "budget": scale_slider("budget", budget, BUDGETS),
        "ratio": percent_slider("noise ratio", ratio, float(low), float(high), argument="ratio"),
    }
    return PicturePanel("budget", controls, _draw, mode)


def _draw(values: dict[str, object]) -> Iterator[tuple[Frame, str]]:
    found = plan(surface(), **values)  # type: ignore[arg-type]
    left = f"; {found.left_over:,.0f} is left over, for more labels were not measured" if found.left_over >= 1 else ""
    yield drawn(splits_of_a_budget(found)), f"{found}{left}"
