"""All players by name: those of lessons, and one of each paper."""

from __future__ import annotations

from altair.utils.schemapi import debug_mode

from nlkit.checks import check_choice
from nlkit.lessons import memorization, mentormix, noisy_or_clean
from nlkit.papers import PAPERS

from .landscape import landscape
from .mixtures import mixtures
from .papers import paper
from .player import Player
from .races import race


def player_of(name: str) -> Player:
    """The player of this name; a ValueError if there is none."""
    check_choice("name", name, [*LESSONS, *PAPERS])
    with debug_mode(False):  # tests hold charts to Vega-Lite's rules, which takes longer than to make them
        return LESSONS[name]() if name in LESSONS else paper(name)


LESSONS = {
    "memorization": lambda: race(
        "Standard training, to its end and stopped in time", ("memorization",), ("standard", "early_stopping"),
        memorization.EPOCHS, (0.0, *memorization.RATIOS, 0.9), (10, 50, 100), (0.8, 50),
        "The clean set is trained on too.",
    ),
    "meta-reweighting": lambda: race(
        "Reweighting beside its rivals", ("reweight-or-clean",),
        ("standard", "early_stopping", "reweight", "clean_only"), 25,
        noisy_or_clean.RATIOS, noisy_or_clean.SIZES, (0.4, 20), "These are the runs of the map of lesson 6.",
    ),
    "mentormix": lambda: race(
        "MentorMix, its parts, and training without doubt", ("mentormix", "reweight-or-clean"),
        ("standard", "early_stopping", "mixup", "mentornet", "mentormix"), 25,
        mentormix.RATIOS, (0, 10, 50), (0.6, 0),
        "With their default settings. Of these methods only standard training and early stopping learn from the clean "
        "set; for the others a larger one leaves fewer noisy examples.",
    ),
    "mentormix-batch": mixtures,
    "reweight-or-clean": landscape,
}  # fmt: skip
