"""Label smoothing, also by a negative rate: the target is the given label mixed with all classes evenly.

    Lukasik, Bhojanapalli, Menon, Kumar: Does label smoothing mitigate label noise? ICML 2020, arXiv:2003.02819.
    Wei, Liu, Liu, Niu, Sugiyama, Liu: To smooth or not? When label smoothing meets noisy labels. ICML 2022,
    arXiv:2106.04149.

    ℓ(x, ỹ) = -Σ_k [(1 - r) y_k + r / K] log p_k

With 0 < r < 1 the network is kept from being sure. With r < 0 it is paid for disbelieving the classes that were not
given. Symmetric noise of ratio ρ smooths labels by ρ K / (K - 1) on average; the rate that undoes it is negative, the
more so the more noise, which is the second paper's point: in the limit of many examples it is backward correction. Such
a loss has no bound below, so the first part of the training, the burn-in, is cross-entropy, as that paper has it.
"""

from __future__ import annotations

from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult

LOWEST = -10.0  # the second paper tries rates from -8


class LabelSmoothing:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, rate: float = 0.5, burn_in: float = 0.1):
        """rate: r, in [-10, 1]. burn_in: share of the training before a negative rate, in [0, 0.9], with a floor.

        Raises a ValueError for any other value.
        """
        self.rate = check_number("rate", rate, LOWEST, 1)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9)

    def step(self, run: Run, batch: Batch) -> StepResult:
        rate = 0.0 if self.rate < 0 and burnt_in(run, self.burn_in) < 1 else self.rate
        log_p = run.logits(batch.images).log_softmax(1)  # (B, K)
        loss = (1 - rate) * F.nll_loss(log_p, batch.labels) - rate * log_p.mean()
        run.descend(loss)
        return StepResult(loss)
