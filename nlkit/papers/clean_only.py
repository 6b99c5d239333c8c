"""Clean only: train on the small clean set and ignore every noisy label. A control, not a method of a paper.

    L(θ) = 1/B Σ_i CE(f_θ(x_i), y_i)

over the clean set alone. A method that is given a clean set must beat this, or the noisy data was worth nothing to it.
An epoch has as many examples as an epoch of the noisy set, so that "epoch 10" is the same work for every method.
"""

from __future__ import annotations

from nlkit.papers.standard import Standard


class CleanOnly(Standard):
    learns_from = "clean"
    needs_clean = True
    weighs = False
    sees_noise = False

    def __init__(self) -> None:
        """It has no options: the clean set is all that it learns from."""
