"""JoCoR: two networks with one loss, which asks them to agree, and the examples that it finds easy.

    Wei, Feng, Chen, An: Combating noisy labels by agreement: A joint training method with co-regularization. CVPR 2020,
    arXiv:2003.02752.

    ℓ_i = (1 - λ) [CE(p_i, ỹ_i) + CE(q_i, ỹ_i)] + λ [KL(p_i ‖ q_i) + KL(q_i ‖ p_i)]      p, q: what each of them says
    S = the R(t) B examples of the batch with the smallest ℓ_i
    L(θ, θ') = 1/|S| Σ_{i ∈ S} ℓ_i                     R(t) falls from 1 to p as in co_teaching.py

Two different networks seldom agree on a wrong label, so agreement tells right ones, and is asked for besides. λ hangs
on data and network: the authors' program (hongxin001/JoCoR) has 0.9 for CIFAR-10 and 0.65 at 80 % noise. Where p is
not told, the estimate is low at a large λ, for in the burn-in the network then learns less of the labels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nlkit.checks import check_number
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.papers.co_teaching import CoTeaching, easiest, share_to_keep


class JoCoR(CoTeaching):
    def __init__(self, percentile: float | None = None, burn_in: float = 0.1, agreement: float = 0.9):
        """percentile: p, in [0, 1]. burn_in: t_k, in [0, 1]. agreement: λ, in [0, 1].

        Raises a ValueError for any other value.
        """
        super().__init__(percentile, burn_in)
        self.agreement = check_number("agreement", agreement, 0, 1)

    def step(self, run: Run, batch: Batch) -> StepResult:
        self.peer.begin(run)
        logits, theirs = self.peer.both(run, batch.images)
        self.mentor.watch(run, logits, batch.labels)
        losses = joint_losses(logits, theirs, batch.labels, self.agreement)
        number = max(1, round(share_to_keep(self.mentor, run) * len(losses)))
        chosen = easiest(losses.detach(), number)
        loss = losses[chosen].mean()
        self.peer.descend_together(run, loss)
        return StepResult(loss, torch.zeros_like(losses.detach()).index_fill_(0, chosen, 1 / number))


def joint_losses(logits: Tensor, theirs: Tensor, labels: Tensor, agreement: float) -> Tensor:
    """ℓ (B,) of what two networks say (B, K) and the given labels (B,)."""
    log_p, log_q = logits.log_softmax(1), theirs.log_softmax(1)
    wrong = F.nll_loss(log_p, labels, reduction="none") + F.nll_loss(log_q, labels, reduction="none")
    apart = ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(1)  # the sum of the two divergences
    return (1 - agreement) * wrong + agreement * apart
