"""Standard training: the baseline that memorizes wrong labels.

    Zhang, Bengio, Hardt, Recht, Vinyals: Understanding deep learning requires rethinking generalization. ICLR 2017,
    arXiv:1611.03530 (networks fit random labels); Arpit et al.: A closer look at memorization in deep networks.
    ICML 2017, arXiv:1706.05394 (they learn the pattern first).

    L(θ) = 1/B Σ_i CE(f_θ(x_i), ỹ_i)

over batches of the noisy set and the clean set together, every label believed: so the baseline is given the same labels
as the methods that it is compared with. `learn_clean=False` leaves the clean set out: the comparison in which nobody
trains on it.
"""

from __future__ import annotations

from nlkit.checks import check_flag
from nlkit.learning.learner import Batch, Run, StepResult


class Standard:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, learn_clean: bool = True):
        if not check_flag("learn_clean", learn_clean):
            self.learns_from = "noisy"

    def step(self, run: Run, batch: Batch) -> StepResult:
        return StepResult(run.learn(batch.images, batch.labels).mean())
