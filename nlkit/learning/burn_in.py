"""The burn-in: the first part of a training, in which a method takes every label as it is.

A network that knows nothing yet has nothing to say about labels. A method's `burn_in` is a share of the training; but
what is estimated in it, or first believed after it, decides the rest, and a tenth of a short training is no time to
learn anything. So a burn-in, where there is one, lasts at least `FEWEST_EPOCHS` epochs, and an epoch of fewer than
`FEWEST_STEPS` steps counts as one of that many. From 25 such epochs on, a tenth of the training is at least as long. A
training that is shorter than its burn-in is standard training on the noisy set.
"""

from __future__ import annotations

from nlkit.learning.learner import Run

FEWEST_EPOCHS = 2.5
FEWEST_STEPS = 24  # an epoch; the 5,000 digits have 25 to 32


def burnt_in(run: Run, share: float, fewest_epochs: float = FEWEST_EPOCHS) -> float:
    """How much of the burn-in lies behind: from 0 to 1, which is all of it, at an even pace.

    share: length of the burn-in, as a share of the training in [0, 1]; 0 is none.
    fewest_epochs: its floor. Where that is longer than the share, the beginning is put off, and the pace stays.
    """
    floor = fewest_epochs * max(run.steps_an_epoch, FEWEST_STEPS)  # in steps
    if share == 0 or (run.progress >= share and run.steps_done >= floor):
        return 1.0
    if run.progress == 0:
        return 0.0
    behind = run.progress / share
    length = run.steps_done / behind  # of the burn-in by its share, in steps
    behind -= max(floor / length - 1, 0)
    return max(behind, 0.0)
