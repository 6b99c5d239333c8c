"""CORES²: a loss that rewards confidence, and a sieve that keeps labels which beat the average label.

    Cheng, Zhu, Li, Gong, Sun, Liu: Learning with instance-dependent label noise: A sample sieve approach. ICLR 2021,
    arXiv:2010.02347.

    ℓ_i = CE(p_i, ỹ_i) - β Σ_k π_k CE(p_i, k)           π_k the share of class k among the given labels
    v_i = 1[CE(p_i, ỹ_i) < 1/K Σ_k CE(p_i, k)]          L(θ) = Σ_i v_i ℓ_i / Σ_i v_i

The second term pays for distance from the classes that chance would give, so that the network makes up its mind. Once
it has, a label that it finds less likely than the average class (in logarithms) is sieved out: a threshold of each
example's own, whatever the noise, even where it hangs on the image. The paper writes the sieve with the regularized
losses on both sides; the second term is then the same on both, and drops out.

β is 0 in the first tenth of the training, grows evenly to its value, 2 in the paper, at four tenths, and the sieve
works from three tenths on: epochs 10, 40 and 30 of a hundred. p is held above 10⁻⁸: the second term has no bound else.
Clean examples have cross-entropy alone and are never sieved.
"""

from __future__ import annotations

import torch

from nlkit.checks import check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult

PLAIN, GROWN, SIEVED = 0.1, 0.4, 0.3  # parts of the training


class CORES:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = True
    sees_noise = True

    def __init__(self, beta: float = 2.0):
        """beta: β, in [0, 10]. Raises a ValueError for any other value."""
        self.beta = check_number("beta", beta, 0, 10)

    def step(self, run: Run, batch: Batch) -> StepResult:
        losses = -run.logits(batch.images).softmax(1).clamp(min=1e-8).log()  # (B, K)
        own = losses.gather(1, batch.labels[:, None])[:, 0]
        noisy = run.noisy(batch)
        kept = ~noisy | (own < losses.mean(1)) if self._sieves(run) else torch.ones_like(noisy)
        weights = kept.to(own.dtype) / kept.sum().clamp(min=1)
        shares = torch.bincount(run.given_labels, minlength=run.num_classes).to(own) / max(len(run.given_labels), 1)
        total = (weights * (own - self._beta(run) * noisy * (losses @ shares))).sum()
        if kept.any():
            run.descend(total)
        return StepResult(total.detach(), weights)

    def _sieves(self, run: Run) -> bool:
        return burnt_in(run, SIEVED) >= 1

    def _beta(self, run: Run) -> float:
        """β at this step."""
        if burnt_in(run, PLAIN) < 1:
            return 0.0
        return self.beta * min(1.0, max(0.0, (run.progress - PLAIN) / (GROWN - PLAIN)))
