"""Decoupling: when to update is not decided by the labels, but by whether two networks disagree.

    Malach, Shalev-Shwartz: Decoupling "when to update" from "how to update". NeurIPS 2017, arXiv:1706.02613.

    D = the examples of a batch with argmax f_θ(x_i) ≠ argmax f_θ'(x_i)
    L(θ) = 1/|D| Σ_{i ∈ D} CE(f_θ(x_i), ỹ_i)           L(θ') = 1/|D| Σ_{i ∈ D} CE(f_θ'(x_i), ỹ_i)

What both say has been learned, and to learn it once more would be to learn its label by heart. A batch on which the two
agree teaches nothing. But labels in D are wrong as often as elsewhere, or more often: where noise is high the networks
never come to agree, and both learn all of it.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.peer import TwoNetworks


class Decoupling(TwoNetworks):
    learns_from = "noisy"
    needs_clean = False
    weighs = True
    sees_noise = True

    def step(self, run: Run, batch: Batch) -> StepResult:
        self.peer.begin(run)
        logits, theirs = run.logits(batch.images), self.peer.logits(batch.images)
        losses = F.cross_entropy(logits, batch.labels, reduction="none")
        apart = (logits.argmax(1) != theirs.argmax(1)).nonzero()[:, 0]
        weights = torch.zeros_like(losses.detach())
        if not len(apart):
            return StepResult(losses.detach().mean(), weights)
        loss = losses[apart].mean()
        run.descend(loss)
        self.peer.descend(F.cross_entropy(theirs[apart], batch.labels[apart]))
        return StepResult(loss, weights.index_fill_(0, apart, 1 / len(apart)))
