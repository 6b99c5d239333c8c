"""Bootstrapping: the target is the given label blended with what the network believes by itself.

    Reed, Lee, Anguelov, Szegedy, Erhan, Rabinovich: Training deep neural networks on noisy labels with bootstrapping.
    ICLR 2015 workshop, arXiv:1412.6596.

    ℓ(x, ỹ) = -Σ_k [β y_k + (1 - β) q_k] log p_k

y is the given label, one-hot. Soft: q = p, and the gradient goes through both, so that the second part is the entropy
of p, which is made small: the network is drawn to be sure. Hard: q is one-hot at the class that it finds likeliest. The
paper takes β = 0.95 for soft and 0.8 for hard, and starts from a network that was trained on the labels; here the first
part of the training, the burn-in, is cross-entropy. Without it hard labels make a network believe its first guess.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from nlkit.checks import check_choice, check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult

BETA = {"soft": 0.95, "hard": 0.8}


class Bootstrapping:
    learns_from = "noisy and clean"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(self, kind: str = "hard", beta: float | None = None, burn_in: float = 0.1):
        """kind: one of `BETA`. beta: in [0, 1]; left out, that of the kind. burn_in: share of the training before, in
        [0, 0.9], with a floor. Raises a ValueError for anything else.
        """
        self.kind = check_choice("kind", kind, BETA)
        self.beta = BETA[kind] if beta is None else check_number("beta", beta, 0, 1)
        self.burn_in = check_number("burn_in", burn_in, 0, 0.9)

    def step(self, run: Run, batch: Batch) -> StepResult:
        log_p = run.logits(batch.images).log_softmax(1)  # (B, K)
        given = F.nll_loss(log_p, batch.labels, reduction="none")
        believed = -(log_p.exp() * log_p).sum(1) if self.kind == "soft" else -log_p.max(1).values
        loss = torch.lerp(believed, given, self.beta if burnt_in(run, self.burn_in) >= 1 else 1.0).mean()
        run.descend(loss)
        return StepResult(loss)
