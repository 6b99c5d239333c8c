"""The budget panel: it answers at once what the planner says, and trains nothing."""

import pytest
from panels import control, words

from nlkit import live
from nlkit.learning import stages
from nlkit.lessons.clean_label_budget import surface
from nlkit.planner import plan
from nlkit.plots.budgets import splits_of_a_budget


def test_the_best_split_follows_the_sliders_without_training(monkeypatch):
    monkeypatch.setattr(stages, "learn", None)
    panel = live.budget(mode="blocking")
    assert f"{plan(surface(), 0.1, 1.0, 100, 0.4)}" in words(panel)
    for name, value, asked in (
        ("noisy price", 0.5, (0.5, 1.0, 100, 0.4)),
        ("budget", 300, (0.5, 1.0, 300, 0.4)),
        ("noise ratio", 4 * 0.05, (0.5, 1.0, 300, 0.2)),  # as a browser counts
        ("clean price", 2, (0.5, 2, 300, 0.2)),
    ):
        control(panel, name).value = value
        expected = splits_of_a_budget(plan(surface(), *asked))
        assert panel.picture.value == expected.png() and panel.picture.tooltip == expected.alt
        assert str(plan(surface(), *asked)) in words(panel)
    control(panel, "budget").value = 2000
    control(panel, "noisy price").value = 0.01
    assert "is left over, for more labels were not measured" in words(panel)


@pytest.mark.parametrize(
    "bad, words",
    [({"ratio": 0.9}, "ratio=0.9"), ({"noisy_price": 0}, "noisy_price=0"), ({"budget": 0.1}, "budget=0.1 buys fewer")],
)
def test_a_start_that_cannot_be_is_refused(bad, words):
    with pytest.raises(ValueError, match=words):
        live.budget(**bad)
